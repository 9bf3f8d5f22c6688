//! The requests without an answer, and the thread that answers the late ones. So each request is
//! answered once and in time, even if its thread is blocked.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::commands::internal_error;
use crate::commands::plugin::agent::AgentWriter;
use crate::failure::{Failure, Status};
use crate::output;
use crate::output::Format;
use crate::output::text::ColorMode;
use crate::plan::Plan;
use crate::report::Report;
use crate::settings::Check;

/// The most requests without an answer. An agent has at most 1000.
const MAX_OPEN: usize = 20_000;

/// How long after its deadline a request is answered without its result, because it waits for other
/// requests or its thread is busy. The agent waits for 500 ms after the deadline.
const GRACE: Duration = Duration::from_millis(300);

/// The error of a probe that has no result when its answer is due.
const LATE_PROBE: &str = "this machine did not finish the probe in time: it waited for other probes (Plugins.Tcp.Concurrency, Plugins.Tcp.Rate), or the machine is too slow";
/// The same for a batch or a discovery.
const LATE_WORK: &str =
    "this machine did not finish in time: too many batches and discoveries run at the same time";

/// The requests without an answer; clones are the same list.
#[derive(Debug, Clone)]
pub struct OpenRequests(Arc<RequestsShared>);

#[derive(Debug)]
struct RequestsShared {
    agent: AgentWriter,
    state: Mutex<RequestsState>,
    /// Notified when a request is due earlier than all others.
    earlier: Condvar,
}

#[derive(Debug, Default)]
struct RequestsState {
    /// By their index, which is also that of the plan.
    requests: HashMap<u32, UnansweredRequest, RandomState>,
    next: u32,
    /// When the thread checks the requests next; `None` if there are no requests.
    looks: Option<Instant>,
    has_thread: bool,
}

/// A request without an answer.
#[derive(Debug)]
struct UnansweredRequest {
    id: u32,
    work: Work,
    arrived: Instant,
    /// When the request is answered without its result.
    due: Instant,
}

/// The work for a request.
#[derive(Debug)]
enum Work {
    /// A probe of the run with this number.
    Check {
        run: u32,
        plan: Arc<Plan>,
        format: Format,
    },
    /// A batch or a discovery.
    Long,
}

impl RequestsState {
    /// Adds a request that arrived now, with the work for its index. `None` if there are too many.
    #[allow(clippy::disallowed_methods)]
    fn add(&mut self, id: u32, most: Duration, work: impl FnOnce(u32) -> Work) -> Option<u32> {
        if self.requests.len() >= MAX_OPEN {
            return None;
        }
        while self.requests.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let index = self.next;
        self.next = index.wrapping_add(1);
        let arrived = Instant::now();
        let request = UnansweredRequest {
            id,
            work: work(index),
            arrived,
            due: arrived + most + GRACE,
        };
        self.requests.insert(index, request);
        Some(index)
    }

    fn take_late(&mut self, now: Instant) -> Vec<UnansweredRequest> {
        let late: Vec<u32> = self
            .requests
            .iter()
            .filter_map(|(index, request)| (request.due <= now).then_some(*index))
            .collect();
        late.iter()
            .filter_map(|index| self.requests.remove(index))
            .collect()
    }
}

impl OpenRequests {
    /// Waits until the agent has read most of the answers.
    pub fn wait_for_room(&self) {
        self.0.agent.wait_for_room();
    }

    /// An empty list. The thread that answers the late requests starts with the first one.
    pub fn new(agent: AgentWriter) -> Self {
        Self(Arc::new(RequestsShared {
            agent,
            state: Mutex::default(),
            earlier: Condvar::new(),
        }))
    }

    /// A panic leaves nothing half-changed here, so a poisoned lock is fine.
    fn state(&self) -> MutexGuard<'_, RequestsState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request whose answer is due within `most`, and that the run with this number probes.
    /// Returns its plan with the index of the request, or `None` if there are too many requests.
    pub fn add_check(&self, id: u32, run: u32, check: &Check, most: Duration) -> Option<Arc<Plan>> {
        let mut added = None;
        self.add(id, most, |index| {
            let plan = Plan {
                index,
                ..check.plan.clone()
            };
            let plan = Arc::new(plan);
            added = Some(Arc::clone(&plan));
            let format = check.format.clone();
            Work::Check { run, plan, format }
        });
        added
    }

    /// Adds the request of a batch or discovery whose answer is due within `most`. Returns its
    /// index, or `None` if there are too many requests.
    pub fn add_long(&self, id: u32, most: Duration) -> Option<u32> {
        self.add(id, most, |_| Work::Long)
    }

    fn add(&self, id: u32, most: Duration, work: impl FnOnce(u32) -> Work) -> Option<u32> {
        let mut state = self.state();
        if !state.has_thread {
            let late = self.clone();
            // Without it, late requests are answered when their work ends.
            state.has_thread = thread::Builder::new()
                .name("late answers".into())
                .spawn(move || late.answer_late_ones())
                .is_ok();
        }
        let index = state.add(id, most, work)?;
        let due = state.requests.get(&index)?.due;
        if state.looks.is_none_or(|looks| due < looks) {
            self.0.earlier.notify_one();
        }
        Some(index)
    }

    /// Whether a request has no answer yet.
    pub fn is_open(&self, index: u32) -> bool {
        self.state().requests.contains_key(&index)
    }

    /// Removes a request; false if it has an answer already.
    pub fn remove(&self, index: u32) -> bool {
        self.state().requests.remove(&index).is_some()
    }

    /// Answers a request, unless it has an answer already.
    pub fn answer_check(&self, report: &Report) {
        let request = self.state().requests.remove(&report.plan.index);
        if let Some(UnansweredRequest {
            id,
            work: Work::Check { format, .. },
            ..
        }) = request
        {
            self.send(id, &format, report);
        }
    }

    /// The same with a value, or with the reason why there is none.
    pub fn answer_long(&self, index: u32, value: Result<&str, &str>) {
        let request = self.state().requests.remove(&index);
        match (request, value) {
            (Some(request), Ok(value)) => self.0.agent.value(request.id, value),
            (Some(request), Err(why)) => self.0.agent.error(request.id, why),
            (None, _) => {}
        }
    }

    /// Answers all requests of a run with an error.
    pub fn fail_run(&self, ended: u32, failure: &Failure) {
        let mut ids = Vec::new();
        let is_ended = |work: &Work| matches!(work, Work::Check { run, .. } if *run == ended);
        self.state().requests.retain(|_, request| {
            if is_ended(&request.work) {
                ids.push(request.id);
            }
            !is_ended(&request.work)
        });
        for id in ids {
            self.0.agent.error(id, &failure.text);
        }
    }

    /// Answers a request that is late.
    fn answer_late_one(&self, request: &UnansweredRequest, now: Instant) {
        match &request.work {
            Work::Check { plan, format, .. } => {
                let failure = Failure::new(Status::NotTried, LATE_PROBE);
                let total = now.saturating_duration_since(request.arrived);
                let report = Report::without_connection(Arc::clone(plan), failure, total);
                self.send(request.id, format, &report);
            }
            Work::Long => self.0.agent.error(request.id, LATE_WORK),
        }
    }

    fn send(&self, id: u32, format: &Format, report: &Report) {
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            output::render(report, format, ColorMode::Off)
        }));
        match rendered {
            Ok(text) => self.0.agent.value(id, &text),
            Err(_) => self.0.agent.error(id, &internal_error().text),
        }
    }

    #[allow(clippy::disallowed_methods)]
    fn answer_late_ones(&self) {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let late = state.take_late(now);
            if !late.is_empty() {
                drop(state);
                for request in &late {
                    self.answer_late_one(request, now);
                }
                state = self.state();
                continue;
            }
            state.looks = state.requests.values().map(|request| request.due).min();
            let earlier = &self.0.earlier;
            state = match state.looks {
                None => earlier.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(looks) => {
                    earlier
                        .wait_timeout(state, looks.saturating_duration_since(now))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}
