//! One probe as a state machine without I/O: events and the time go in, actions come out.
//!
//! A session resolves the host, opens one connection per attempt ([`attempt`]), and reaches one
//! verdict. If a name has several addresses, [`race`] chooses among them. The session ends when the
//! verdict is fixed and every connection is closed.

pub mod action;
pub mod attempt;
mod established;
mod exchange;
mod inspecting;
mod layer_state;
mod messages;
pub mod race;
mod racing;
mod verdict;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::inline_vec::InlineVec;
use crate::engine::lateness;
use crate::engine::limits::memory;
use crate::engine::session::action::{Action, Actions, AttemptId, Event};
use crate::engine::session::attempt::inspections::AllowedInspections;
use crate::engine::session::attempt::{Attempt, Cutoff, Silence};
use crate::engine::session::race::{AddressRace, AddressRule};
use crate::failure::{Failure, Status};
use crate::os::socket::{TcpExchange, TcpInfo};
use crate::plan::{AddressSelection, Plan, Tracing};
use crate::policy::{Decision, Policy};
use crate::report::Report;

/// The most addresses of one name whose paths are traced.
const MAX_TRACES: usize = 4;

/// One probe. Thousands are in flight at once, so rarely needed state is boxed.
#[derive(Debug)]
pub struct Session {
    plan: Arc<Plan>,
    started: Instant,
    state: SessionState,
    attempts: InlineVec<Attempt>,
    extra: Option<Box<Extra>>,
}

/// Rarely needed state, boxed so that the common case, one address and no name, stays small.
#[derive(Debug, Default)]
struct Extra {
    /// The duration of the name lookup.
    resolve: Option<Duration>,
    /// How late it was with what it had to send.
    delay: Duration,
    /// Whether it has more to receive than this run has memory for.
    lacks_memory: bool,
    /// The run's deadline, where it is earlier than the probe's own.
    deadline_limit: Option<Instant>,
    /// Set while [`SessionState::Repeating`].
    remaining: Option<RemainingAttempts>,
    /// How many addresses the name has.
    address_count: usize,
    /// Set from [`SessionState::Racing`] on.
    race: Option<Box<AddressRace>>,
    /// Of several attempts, the only one whose captures are kept.
    captured: Option<usize>,
    /// Set once [`SessionState::Decided`].
    verdict: Option<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionState {
    Resolving,
    /// The first attempt chooses among the addresses of the name.
    Racing,
    /// Some of several attempts have not started yet.
    Repeating,
    /// Every attempt was started.
    Started,
    /// The verdict is fixed; connections may still be open.
    Decided,
}

/// The attempts that have not started yet.
#[derive(Debug)]
struct RemainingAttempts {
    /// The address of the next one.
    address: IpAddr,
    /// The addresses after it; each attempt takes the next if there are several.
    rotation: VecDeque<IpAddr>,
    next: Instant,
    count: u32,
}

/// The result of the probe, and how long after its start it was known.
#[derive(Debug)]
struct Verdict {
    failure: Option<Arc<Failure>>,
    total: Duration,
}

impl Session {
    /// Starts a probe.
    pub fn start(plan: Arc<Plan>, policy: &Policy, now: Instant, actions: &mut Actions) -> Self {
        let ip = plan.ip();
        let mut session = Self {
            plan,
            started: now,
            state: SessionState::Resolving,
            attempts: InlineVec::default(),
            extra: None,
        };
        match ip {
            Some(address) => session.start_attempts(&[address], policy, now, actions),
            None => actions.push_back(Action::Resolve),
        }
        session.decide_if_complete(now);
        session
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// When it started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// When it ends at the latest: its own timeout, or the [limit](Session::limit_deadline) if that
    /// is earlier.
    pub fn deadline(&self) -> Instant {
        let own = self.own_deadline();
        self.extra
            .as_ref()
            .and_then(|extra| extra.deadline_limit)
            .map_or(own, |limit| limit.min(own))
    }

    /// When its own timeout is over.
    fn own_deadline(&self) -> Instant {
        self.started + self.plan.spec.timeout
    }

    /// Whether it only waits for connections to be opened, and only our own limits delay them.
    pub fn is_idle(&self) -> bool {
        let mut active = self
            .attempts()
            .iter()
            .filter(|attempt| !attempt.is_over())
            .peekable();
        active.peek().is_some() && active.all(Attempt::is_queued)
    }

    /// Whether it waits for the addresses of its name.
    pub fn is_resolving(&self) -> bool {
        self.state == SessionState::Resolving
    }

    /// Shifts the clock by the time that it was [idle](Session::is_idle), so that our own queue
    /// counts neither in its times nor against its timeout. A
    /// [deadline limit](Session::limit_deadline) is not shifted.
    pub fn shift_clock(&mut self, by: Duration) {
        self.started += by;
        if let Some(remaining) = self.remaining() {
            remaining.next += by;
        }
    }

    /// Notes that it was late by this much with something that it had to send.
    pub fn add_delay(&mut self, time: Duration) {
        let delay = &mut self.extra().delay;
        *delay = delay.saturating_add(time);
    }

    /// Notes that a handshake completed at this time. Its SYN was sent before, so the delays so far
    /// cannot be longer than the time until then.
    pub fn limit_delay(&mut self, connected: Instant) {
        let most = connected.saturating_duration_since(self.started);
        if let Some(extra) = &mut self.extra {
            extra.delay = extra.delay.min(most);
        }
    }

    /// Shifts the clock by the time that its only attempt waited for memory of the run. False if it
    /// has several.
    pub(in crate::engine) fn shift_attempt(&mut self, id: AttemptId, by: Duration) -> bool {
        let [attempt] = self.attempts.as_mut_slice() else {
            return false;
        };
        if id.index() == 0 {
            self.started += by;
            attempt.shift_clock(by);
        }
        true
    }

    /// Notes that it could not receive everything before its deadline, for lack of memory.
    pub fn lack_memory(&mut self) {
        self.extra().lacks_memory = true;
    }

    /// How many bytes this attempt has received.
    pub(in crate::engine) fn received(&self, id: AttemptId) -> u64 {
        self.attempt(id)
            .map_or(0, |attempt| attempt.received_and_held().0)
    }

    /// How many received bytes this attempt holds.
    pub(in crate::engine) fn held(&self, id: AttemptId) -> Option<usize> {
        self.attempt(id)
            .map(|attempt| attempt.received_and_held().1)
    }

    /// Whether the peer had much less time than the plan allows, so that its silence says nothing.
    fn was_late(&self) -> bool {
        self.extra
            .as_ref()
            .is_some_and(|extra| lateness::is_much(extra.delay, self.plan.spec.timeout))
    }

    /// Makes it end at this time at the latest.
    pub fn limit_deadline(&mut self, deadline: Instant) {
        if deadline < self.deadline() {
            self.extra().deadline_limit = Some(deadline);
        }
    }

    /// Whether the verdict is fixed and every connection is closed.
    pub fn is_over(&self) -> bool {
        self.state == SessionState::Decided && self.attempts().iter().all(Attempt::is_over)
    }

    /// Whether this attempt still waits for its connection to be opened.
    pub fn awaits_open(&self, id: AttemptId) -> bool {
        self.attempt(id).is_some_and(Attempt::is_waiting)
    }

    /// Whether received bytes of this attempt wait to be compared: nothing more is read until then.
    pub fn is_behind(&self, id: AttemptId) -> bool {
        self.attempt(id).is_some_and(Attempt::is_behind)
    }

    /// Whether this SYN of the trace of an attempt still waits to be sent.
    pub fn awaits_syn(&self, id: AttemptId, number: NonZeroU16) -> bool {
        self.attempt(id)
            .is_some_and(|attempt| attempt.awaits_syn(number))
    }

    /// The address and port that this attempt connects to.
    pub fn remote(&self, id: AttemptId) -> Option<SocketAddr> {
        self.attempt(id)
            .map(|attempt| self.plan.remote(attempt.address()))
    }

    /// Whether the next [`Session::tick`] ends the wait for a silent peer, so that the statistics
    /// of the sent bytes are needed.
    pub fn has_silent_peer(&self, now: Instant) -> bool {
        let cutoff = self.cutoff(now);
        self.plan.spec.has_exchange()
            && cutoff != Some(Cutoff::RunEnd)
            && self
                .attempts()
                .iter()
                .any(|attempt| attempt.is_silent(cutoff, now))
    }

    /// Whether the next [`Session::tick`] ends the wait for a peer that does not answer the close.
    pub fn has_unanswered_close(&self, now: Instant) -> bool {
        self.plan.spec.has_exchange()
            && self
                .attempts()
                .iter()
                .any(|attempt| attempt.is_left_alone(now))
    }

    /// Notes what became of the bytes that were sent on the connection of this attempt.
    pub fn measured(&mut self, id: AttemptId, exchange: TcpExchange) {
        if let Some(attempt) = self.attempts.as_mut_slice().get_mut(id.index()) {
            attempt.measured(exchange);
        }
    }

    /// When [`Session::tick`] must be called at the latest.
    pub fn next_wake(&self) -> Instant {
        let wakes = self.attempts().iter().filter_map(Attempt::next_wake);
        let next = wakes.fold(self.deadline(), Instant::min);
        let extra = self.extra.as_ref();
        let next_attempt = match self.state {
            SessionState::Repeating => extra
                .and_then(|extra| extra.remaining.as_ref())
                .map(|remaining| remaining.next),
            SessionState::Racing => extra.and_then(|extra| extra.race.as_ref()?.next_wake()),
            SessionState::Resolving | SessionState::Started | SessionState::Decided => None,
        };
        next_attempt.map_or(next, |attempt| attempt.min(next))
    }

    /// Handles one event.
    pub fn handle(&mut self, event: Event<'_>, now: Instant, actions: &mut Actions) {
        let was_decided = self.state == SessionState::Decided;
        let index = match event {
            // An answer after the resolve deadline changes nothing.
            Event::Resolved(..) | Event::Unresolved(_) if self.state != SessionState::Resolving => {
                None
            }
            Event::Resolved(addresses, policy) => {
                let resolve = now.saturating_duration_since(self.started);
                let addresses = &race::distinct(addresses)[..];
                let extra = self.extra();
                (extra.resolve, extra.address_count) = (Some(resolve), addresses.len());
                self.start_attempts(addresses, policy, now, actions);
                None
            }
            // The lookup had no more time than the run, which says nothing about the name.
            Event::Unresolved(failure)
                if failure.status == Status::ResolveTimeout
                    && self.cutoff(now) == Some(Cutoff::RunEnd) =>
            {
                self.decide(Some(Arc::new(messages::lookup_cut_off(&self.plan))), now);
                None
            }
            Event::Unresolved(failure) => {
                self.decide(Some(Arc::new(failure)), now);
                None
            }
            Event::Opened(id) => self.opened(id, now),
            Event::Trace(id, event) => self.with(id, |attempt, plan| {
                attempt.trace_event(plan, event, now, actions);
            }),
            Event::Blocked(id, why) => self.with(id, |attempt, _| attempt.blocked(why)),
            Event::Connected(id, source, info) => self.with(id, |attempt, plan| {
                attempt.connected(plan, source, info, now, actions);
            }),
            Event::Facts(id, facts) => self.with(id, |attempt, _| attempt.learn(facts)),
            Event::Incomplete(id, progress) => {
                self.with(id, |attempt, _| attempt.incomplete(progress))
            }
            // An inspection only reads facts, and sends nothing after its handshake.
            Event::Secured(id, _) if self.attempt(id).is_some_and(Attempt::is_inspecting) => {
                self.with(id, |attempt, plan| attempt.layer_done(plan, now, actions))
            }
            Event::Secured(id, refusal) => self.with(id, |attempt, plan| {
                attempt.secured(plan, refusal, now, actions);
            }),
            Event::ProbablyAccepted(id) => self.with(id, |attempt, plan| {
                attempt.probably_accepted(plan, now, actions);
            }),
            Event::LayerDone(id) => {
                self.with(id, |attempt, plan| attempt.layer_done(plan, now, actions))
            }
            Event::LayerFailed(id, error) => self.with(id, |attempt, plan| {
                attempt.layer_failed(plan, &error, now, actions);
            }),
            Event::Sent(id) => self.with(id, |attempt, plan| attempt.sent(plan, now, actions)),
            Event::Received(id, bytes) => self.with(id, |attempt, plan| {
                attempt.received(plan, bytes, now, actions);
            }),
            Event::Continued(id) => {
                self.with(id, |attempt, plan| attempt.continued(plan, now, actions))
            }
            Event::PeerClosed(id) => {
                self.with(id, |attempt, plan| attempt.peer_closed(plan, now, actions))
            }
            Event::Failed(id, failure, info) => self.with(id, |attempt, plan| {
                attempt.failed(plan, failure, info, now, actions);
            }),
        };
        if let Some(index) = index {
            self.inspect(index, now, actions);
            self.keep_captures_of_one(index);
        }
        if self.state == SessionState::Racing {
            self.advance_race(now, actions);
        }
        self.decide_if_complete(now);
        if !was_decided {
            self.inspect_reported(now, actions);
        }
    }

    /// Handles the passing of time: starts attempts, ends steps and drains, and ends everything at
    /// the deadline.
    ///
    /// `info` reads the kernel's facts (`TCP_INFO`) of a connection whose SYN is unanswered.
    pub fn tick(
        &mut self,
        now: Instant,
        info: impl Fn(AttemptId) -> Option<TcpInfo>,
        actions: &mut Actions,
    ) {
        if let Some(cutoff) = self.cutoff(now) {
            self.expire(cutoff, now, info, actions);
            return;
        }
        let was_decided = self.state == SessionState::Decided;
        self.start_due(now, actions);
        let silence = self.silence();
        for index in 0..self.attempts().len() {
            if let Some(attempt) = self.attempts.as_mut_slice().get_mut(index) {
                attempt.drive(&self.plan, |attempt, plan| {
                    attempt.tick(plan, silence, now, actions);
                });
            }
            self.inspect(index, now, actions);
        }
        if self.state == SessionState::Racing {
            self.advance_race(now, actions);
        }
        for index in 0..self.attempts().len() {
            self.keep_captures_of_one(index);
        }
        self.decide_if_complete(now);
        if !was_decided {
            self.inspect_reported(now, actions);
        }
    }

    /// The finished report; `None` until [`Session::is_over`].
    pub fn into_report(self) -> Option<Report> {
        let attempts = self.plan.spec.attempts.map(|_| Box::new(self.statistics()));
        let index = self.representative();
        let Extra {
            resolve,
            verdict,
            address_count,
            race,
            ..
        } = *self.extra?;
        let Verdict { failure, total } = verdict?;
        let every_address = self.plan.spec.addresses == AddressSelection::All;
        let (connection, addresses) = match self.attempts {
            InlineVec::One(only) if race.is_none() && !every_address => {
                (only.into_report(), Box::default())
            }
            attempts => {
                let attempts = attempts.into_iter();
                let mut reports: Vec<_> = attempts.map(Attempt::into_report).collect();
                let addresses = match &race {
                    Some(race) => racing::of_addresses(race, &reports, self.plan.spec.expected),
                    None if every_address => reports.iter().flatten().cloned().collect(),
                    None => Box::default(),
                };
                let connection = reports.get_mut(index).and_then(Option::take);
                (connection, addresses)
            }
        };
        Some(Report {
            plan: self.plan,
            failure,
            total,
            resolve,
            connection,
            addresses,
            address_count: u32::try_from(address_count).unwrap_or(u32::MAX),
            attempts,
        })
    }

    /// Whether the peer, or this machine, is the reason if a peer does not answer from now on.
    fn silence(&self) -> Silence {
        if self.extra.as_ref().is_some_and(|extra| extra.lacks_memory) {
            Silence::Unknown(memory::CAUSE)
        } else if self.was_late() {
            Silence::Unknown(lateness::CAUSE)
        } else {
            Silence::OfPeer
        }
    }

    fn attempts(&self) -> &[Attempt] {
        self.attempts.as_slice()
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The attempts that have not started yet, if any.
    fn remaining(&mut self) -> Option<&mut RemainingAttempts> {
        let repeating = self.state == SessionState::Repeating;
        self.extra
            .as_mut()?
            .remaining
            .as_mut()
            .filter(|_| repeating)
    }

    fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts().get(id.index())
    }

    fn next_id(&self) -> AttemptId {
        AttemptId::new(self.attempts().len())
    }

    /// Calls this for the connection of an attempt, with its plan. The index of the attempt, if there
    /// is one.
    fn with(&mut self, id: AttemptId, then: impl FnOnce(&mut Attempt, &Plan)) -> Option<usize> {
        let attempt = self.attempts.as_mut_slice().get_mut(id.index())?;
        attempt.drive(&self.plan, then);
        Some(id.index())
    }

    /// The SYN of this attempt was sent. The paths of a few addresses are traced, but not of
    /// several attempts to one address.
    fn opened(&mut self, id: AttemptId, now: Instant) -> Option<usize> {
        let index = self.with(id, |attempt, _| attempt.opened(now));
        if self.plan.spec.tracing == Tracing::Never {
            return index;
        }
        let most = match self.plan.spec.attempts {
            Some(_) => 1,
            None => MAX_TRACES,
        };
        let traces = self.attempts().iter().filter(|other| other.has_trace());
        let deadline = self.deadline();
        if traces.count() < most {
            self.with(id, |attempt, plan| {
                attempt.prepare_trace(plan, now, deadline);
            });
        }
        index
    }

    /// Drops the captures of all attempts but the last successful one, else the last one, which the
    /// report describes: thousands of attempts may capture much each. `index` is an attempt that
    /// may have ended.
    fn keep_captures_of_one(&mut self, index: usize) {
        let is_ended = |attempt: &Attempt| attempt.is_decided();
        if self.plan.spec.attempts.is_none() || !self.attempts().get(index).is_some_and(is_ended) {
            return;
        }
        let rank = |session: &Self, index: usize| {
            let report = session.attempts().get(index).and_then(Attempt::report);
            (report.is_some_and(|report| report.failure.is_none()), index)
        };
        let kept = self.extra().captured.unwrap_or(index);
        let (keep, drop) = if rank(self, index) >= rank(self, kept) {
            (index, kept)
        } else {
            (kept, index)
        };
        self.extra().captured = Some(keep);
        if drop == keep {
            return;
        }
        if let Some(attempt) = self.attempts.as_mut_slice().get_mut(drop) {
            attempt.drop_captures();
        }
    }

    /// Starts the first attempts; addresses that the policy denies become failed attempts.
    fn start_attempts(
        &mut self,
        addresses: &[IpAddr],
        policy: &Policy,
        now: Instant,
        actions: &mut Actions,
    ) {
        if addresses.len() > 1 {
            if let Some(rule) = AddressRule::of(&self.plan) {
                self.start_race(rule, addresses, policy, now, actions);
                return;
            }
        }
        self.state = SessionState::Started;
        if let Some(address) = addresses.first() {
            let port = self.plan.target.port;
            if let Decision::Denied(why) = self.plan.spec.decide(policy, *address, port) {
                self.attempts.push(Attempt::denied(
                    self.next_id(),
                    &self.plan,
                    *address,
                    &why,
                    now,
                ));
            } else if let Some(attempts) = self.plan.spec.attempts {
                self.extra().remaining = Some(RemainingAttempts {
                    address: *address,
                    rotation: VecDeque::new(),
                    next: now,
                    count: attempts.count.get(),
                });
                self.state = SessionState::Repeating;
            } else {
                self.start_attempt(*address, now, actions);
            }
        }
        self.start_due(now, actions);
    }

    fn start_attempt(&mut self, address: IpAddr, now: Instant, actions: &mut Actions) {
        let attempt = Attempt::new(self.next_id(), &self.plan, address, now, actions);
        self.attempts.push(attempt);
    }

    /// Starts the attempts that are due. The interval counts from start to start: an attempt does
    /// not wait for the end of the one before it.
    fn start_due(&mut self, now: Instant, actions: &mut Actions) {
        let interval = self
            .plan
            .spec
            .attempts
            .map_or(Duration::ZERO, |attempts| attempts.interval);
        while let Some(remaining) = self.remaining() {
            if remaining.next > now {
                return;
            }
            let address = remaining.address;
            if let Some(next) = remaining.rotation.pop_front() {
                remaining.rotation.push_back(address);
                remaining.address = next;
            }
            remaining.next += interval;
            remaining.count -= 1;
            if remaining.count == 0 {
                self.state = SessionState::Started;
            }
            self.start_attempt(address, now, actions);
        }
    }

    /// What ends everything now; `None` before the deadline.
    fn cutoff(&self, now: Instant) -> Option<Cutoff> {
        if now >= self.own_deadline() {
            Some(Cutoff::Timeout)
        } else {
            (now >= self.deadline()).then_some(Cutoff::RunEnd)
        }
    }

    /// Ends everything at the deadline.
    fn expire(
        &mut self,
        cutoff: Cutoff,
        now: Instant,
        info: impl Fn(AttemptId) -> Option<TcpInfo>,
        actions: &mut Actions,
    ) {
        let silence = self.silence();
        if self.state == SessionState::Resolving {
            let failure = match (cutoff, silence) {
                (Cutoff::RunEnd, _) => messages::lookup_cut_off(&self.plan),
                (Cutoff::Timeout, Silence::OfPeer) => {
                    let text = "no answer before the deadline";
                    messages::unresolved(&self.plan, Status::ResolveTimeout, text)
                }
                (Cutoff::Timeout, Silence::Unknown(cause)) => {
                    messages::unresolved(&self.plan, Status::LocalError, cause)
                }
            };
            self.decide(Some(Arc::new(failure)), now);
        } else if self.state == SessionState::Repeating {
            self.state = SessionState::Started;
        }
        let undecided = self.undecided();
        for (index, attempt) in self.attempts.as_mut_slice().iter_mut().enumerate() {
            attempt.drive(&self.plan, |attempt, plan| {
                let info = if attempt.is_connecting() {
                    info(AttemptId::new(index))
                } else {
                    None
                };
                attempt.expire(plan, (cutoff, silence), info, now, actions);
            });
            if attempt.awaits_inspection() {
                attempt.inspect(&self.plan, AllowedInspections::Nothing, now, actions);
            }
        }
        self.expire_race(&undecided, now);
        self.decide_if_complete(now);
    }

    /// Fixes the verdict once every attempt has its own.
    fn decide_if_complete(&mut self, now: Instant) {
        let all_started = self.state == SessionState::Started && !self.attempts().is_empty();
        if all_started && self.attempts().iter().all(Attempt::is_decided) {
            let failure = self.overall_failure(self.cutoff(now));
            self.decide(failure, now);
        }
    }

    /// Fixes the verdict; later calls change nothing.
    fn decide(&mut self, failure: Option<Arc<Failure>>, now: Instant) {
        if self.state != SessionState::Decided {
            let total = now.saturating_duration_since(self.started);
            self.extra().verdict = Some(Verdict { failure, total });
            self.state = SessionState::Decided;
        }
    }
}
