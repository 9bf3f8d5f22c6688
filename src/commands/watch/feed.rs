//! The probes of a run: the events of the probing thread, and the samples made from them.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::commands::internal_error;
use crate::commands::watch::run_clock::RunClock;
use crate::commands::watch::spawn;
use crate::engine;
use crate::engine::{Limits, Observed, ResolverKind, Sink};
use crate::failure::Status;
use crate::os::stop::StopHandle;
use crate::os::wake::WakeHandle;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::watch::Watch;
use crate::source::{Interval, Next, Source};
use crate::watch::model::WatchModel;
use crate::watch::moment::Moment;
use crate::watch::order::StartOrder;
use crate::watch::sample::Sample;
use crate::watch::target::Change;

/// What happened on the probing thread. A serial number identifies a probe; it is the index of its
/// plan.
pub enum FeedEvent {
    /// A probe of this target started.
    Started {
        /// The serial number of the probe.
        serial: u32,
        /// The index of the target.
        target: usize,
        /// When.
        start: Moment,
    },
    /// A probe ended.
    Finished(Box<Finished>),
    /// The run ended, with the error that ended it.
    Ended(Option<String>),
}

/// A probe that ended.
pub struct Finished {
    report: Report,
    /// When the report was delivered.
    delivered: Moment,
    /// The addresses of the name, in ascending order.
    answer: Option<Arc<[IpAddr]>>,
}

/// Sends events to the thread that shows them.
#[derive(Clone)]
struct FeedSender {
    events: Sender<FeedEvent>,
    wake: WakeHandle,
}

impl FeedSender {
    fn send(&self, event: FeedEvent) {
        // Without a receiver, the process is about to end.
        let _ = self.events.send(event);
        self.wake.wake();
    }
}

/// The receiving end.
pub struct Feed {
    events: Receiver<FeedEvent>,
    has_ended: bool,
}

/// The most probes in flight.
const MAX_IN_FLIGHT: usize = 1024;

impl Feed {
    /// Starts the thread that probes.
    ///
    /// # Errors
    /// If this machine cannot start a thread.
    pub fn start(
        watch: &Watch,
        policy: Policy,
        resolver: ResolverKind,
        clock: RunClock,
        stop: &StopHandle,
        wake: &WakeHandle,
    ) -> io::Result<Self> {
        let (events, receiver) = channel();
        let sender = FeedSender {
            events,
            wake: wake.clone(),
        };
        let mut source = WatchSource::new(watch, clock, sender.clone());
        let in_flight = in_flight(watch);
        let (deadline, stop) = (watch.deadline, stop.clone());
        spawn("probes", move || {
            let mut sink = WatchSink {
                events: sender.clone(),
                clock,
                answers: HashMap::default(),
            };
            let limits = Limits {
                deadline,
                stop: Some(stop.watched()),
                ..Limits::in_flight(in_flight)
            };
            let ran = catch_unwind(AssertUnwindSafe(|| {
                engine::run(&mut source, &mut sink, &policy, &limits, resolver)
            }));
            let error = match ran {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(internal_error().text),
            };
            sender.send(FeedEvent::Ended(error));
        })?;
        Ok(Self {
            events: receiver,
            has_ended: false,
        })
    }

    /// The next event, if there is one.
    pub fn next(&mut self) -> Option<FeedEvent> {
        match self.events.try_recv() {
            Ok(event) => {
                self.has_ended |= matches!(event, FeedEvent::Ended(_));
                Some(event)
            }
            Err(TryRecvError::Disconnected) if !self.has_ended => {
                self.has_ended = true;
                Some(FeedEvent::Ended(Some(internal_error().text)))
            }
            Err(_) => None,
        }
    }
}

/// As many probes as can be in flight if no target answers, twice, because a connection that is
/// being closed counts too.
fn in_flight(watch: &Watch) -> NonZeroUsize {
    let timeout = watch.plans.iter().map(|plan| plan.spec.timeout).max();
    let timeout = timeout.unwrap_or_default().as_micros();
    let each = timeout / watch.interval.as_micros().max(1) + 2;
    let all = usize::try_from(each)
        .unwrap_or(MAX_IN_FLIGHT)
        .saturating_mul(watch.plans.len() * 2);
    NonZeroUsize::new(all.min(MAX_IN_FLIGHT)).unwrap_or(NonZeroUsize::MIN)
}

/// Gives a plan for each target at each interval. The targets are spread over the interval, so that
/// not all SYNs are sent at the same time.
struct WatchSource {
    targets: Vec<RepeatedTarget>,
    start: Option<Instant>,
    serial: u32,
    clock: RunClock,
    events: FeedSender,
}

struct RepeatedTarget {
    plan: Arc<Plan>,
    interval: Interval,
    /// When its first probe starts, after the start of the run.
    offset: Duration,
    /// How many probes are left; no limit if `None`.
    left: Option<u64>,
}

impl WatchSource {
    fn new(watch: &Watch, clock: RunClock, events: FeedSender) -> Self {
        let count = u32::try_from(watch.plans.len()).unwrap_or(u32::MAX).max(1);
        let targets = (0..).zip(&watch.plans).map(|(index, plan)| RepeatedTarget {
            plan: Arc::clone(plan),
            interval: Interval::new(Arc::clone(plan), watch.interval),
            // Within a tenth of a second, so that the targets can still be compared.
            offset: (watch.interval / count).min(Duration::from_millis(100) / count) * index,
            left: watch.count,
        });
        Self {
            targets: targets.collect(),
            start: None,
            serial: 0,
            clock,
            events,
        }
    }
}

impl Source for WatchSource {
    fn next(&mut self, now: Instant) -> Next {
        let start = *self.start.get_or_insert(now);
        let mut wait: Option<Instant> = None;
        for (index, target) in self.targets.iter_mut().enumerate() {
            if target.left == Some(0) {
                continue;
            }
            let first = start + target.offset;
            let at = if first > now {
                first
            } else {
                match target.interval.next(now) {
                    Next::Plan(_) => {
                        target.left = target.left.map(|left| left - 1);
                        self.serial = self.serial.wrapping_add(1);
                        self.events.send(FeedEvent::Started {
                            serial: self.serial,
                            target: index,
                            start: self.clock.now(),
                        });
                        return Next::Plan(Arc::new(Plan {
                            index: self.serial,
                            ..(*target.plan).clone()
                        }));
                    }
                    Next::At(at) => at,
                    Next::Pending | Next::Done => continue,
                }
            };
            wait = Some(wait.map_or(at, |earliest| earliest.min(at)));
        }
        wait.map_or(Next::Done, Next::At)
    }
}

/// Sends each report, with the addresses that the name was resolved to.
struct WatchSink {
    events: FeedSender,
    clock: RunClock,
    answers: HashMap<u32, Arc<[IpAddr]>, RandomState>,
}

impl Sink for WatchSink {
    fn deliver(&mut self, report: Report) {
        let answer = self.answers.remove(&report.plan.index);
        self.events.send(FeedEvent::Finished(Box::new(Finished {
            report,
            delivered: self.clock.now(),
            answer,
        })));
    }

    fn observe(&mut self, plan: &Plan, _at: Duration, what: Observed<'_>) {
        if let Observed::Answer(answer) = what {
            let mut addresses: Vec<IpAddr> = answer.all().collect();
            addresses.sort_unstable();
            addresses.dedup();
            self.answers.insert(plan.index, addresses.into());
        }
    }

    fn observes(&self) -> bool {
        true
    }
}

/// A probe that was added to the model.
pub struct TrackedProbe {
    /// The index of its target.
    pub target: usize,
    /// Its number among the probes of the target, from 1.
    pub number: u32,
    /// The sample.
    pub sample: Sample,
    /// What it changed.
    pub changes: Vec<Change>,
    /// The report.
    pub report: Report,
}

/// Puts probes into the order of their starts and adds them to the model.
pub struct Tracker {
    /// The model.
    pub model: WatchModel,
    /// How many probes were added.
    pub probes: u64,
    orders: Vec<StartOrder<Option<Box<Finished>>>>,
    numbers: Vec<u32>,
    targets: HashMap<u32, usize, RandomState>,
}

impl Tracker {
    /// A run that starts at this moment.
    pub fn new(watch: &Watch, start: Moment) -> Self {
        let targets = watch.plans.len();
        Self {
            model: WatchModel::new(targets, watch.interval, start),
            probes: 0,
            orders: (0..targets).map(|_| StartOrder::default()).collect(),
            numbers: vec![0; targets],
            targets: HashMap::default(),
        }
    }

    /// Handles an event; the probes that were added to the model because of it.
    pub fn handle(&mut self, event: FeedEvent) -> Vec<TrackedProbe> {
        match event {
            FeedEvent::Started {
                serial,
                target,
                start,
            } => {
                self.targets.insert(serial, target);
                if let Some(order) = self.orders.get_mut(target) {
                    order.begin(serial, start);
                }
                Vec::new()
            }
            FeedEvent::Finished(finished) => self.finish(finished),
            FeedEvent::Ended(_) => Vec::new(),
        }
    }

    fn finish(&mut self, finished: Box<Finished>) -> Vec<TrackedProbe> {
        let serial = finished.report.plan.index;
        let Some(target) = self.targets.remove(&serial) else {
            return Vec::new();
        };
        // A probe that the end of the run cut off is not counted, not even as unknown.
        let was_cut = finished.report.status() == Status::NotTried;
        let mut added = Vec::new();
        if let (Some(order), Some(number)) =
            (self.orders.get_mut(target), self.numbers.get_mut(target))
        {
            order.finish(serial, (!was_cut).then_some(finished));
            while let Some((_, start, finished)) = order.take() {
                let Some(finished) = finished else { continue };
                let Finished {
                    report,
                    delivered,
                    answer,
                } = *finished;
                let sample = Sample::of(&report, start, delivered, answer);
                let changes = self.model.add(target, sample.clone());
                *number = number.wrapping_add(1);
                self.probes += 1;
                added.push(TrackedProbe {
                    target,
                    number: *number,
                    // The model may have changed the result to unknown.
                    sample: self
                        .model
                        .targets()
                        .get(target)
                        .and_then(|model| model.last().cloned())
                        .unwrap_or(sample),
                    changes,
                    report,
                });
            }
        }
        added
    }
}
