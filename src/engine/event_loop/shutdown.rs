//! The end of a run before everything is done: its deadline, its stop descriptor, or a failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::error::PollError;
use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::admit::is_wanted;
use crate::engine::event_loop::connection::{AddressSlot, ConnectionPhase};
use crate::engine::event_loop::pending::WaitedFor;
use crate::engine::limits::Bound;
use crate::engine::session::Session;
use crate::engine::session::action::Event;
use crate::failure::{Failure, Status};
use crate::plan::Plan;
use crate::report::Report;
use crate::source::Next;

/// When and why the run ends.
pub(in crate::engine) struct RunDeadline {
    due: Option<Instant>,
    /// The error of the plans that have not started then.
    reason: &'static str,
    state: RunState,
}

#[derive(PartialEq, Eq)]
enum RunState {
    Running,
    Over,
}

impl RunDeadline {
    /// The run ends at this time, or when everything is done.
    pub fn new(due: Option<Instant>) -> Self {
        Self {
            due,
            reason: "the run reached its deadline before this probe started",
            state: RunState::Running,
        }
    }

    /// Ends the run now.
    pub fn stop(&mut self, now: Instant) {
        if self.state == RunState::Running {
            (self.due, self.reason) = (Some(now), "the run was stopped before this probe started");
        }
    }

    /// When the run has to be ended; `None` once it is.
    pub fn next(&self) -> Option<Instant> {
        self.due.filter(|_| self.state == RunState::Running)
    }

    /// Whether nothing may start any more.
    pub fn is_over(&self) -> bool {
        self.state == RunState::Over
    }

    /// Ends a session at this deadline, if not before.
    pub fn limit(&self, session: &mut Session) {
        if let Some(due) = self.due {
            session.limit_deadline(due);
        }
    }
}

impl EventLoop<'_, '_> {
    /// Once the deadline is over, ends all sessions and reports the plans that have not started.
    /// Everything whose own timeout is not over is reported as not tried.
    pub(in crate::engine) fn end_when_due(&mut self, now: Instant) {
        if self.deadline.next().is_none_or(|due| due > now) {
            return;
        }
        let turn_bound = self.turn_bound();
        self.deadline.state = RunState::Over;
        self.fail_waiting_connects(now);
        for id in self.sessions.ids() {
            self.resume(id, now);
            self.read_rest(id, now);
            self.fail_unsent(id, now);
            if let Some(slot) = self.sessions.get_mut(id) {
                self.deadline.limit(&mut slot.session);
            }
            self.tick(id, now);
            self.report();
        }
        let shared = self.worker.shared;
        let cause = |bound| (bound, Arc::new(held_back(self.deadline.reason, bound)));
        let address = cause(shared.address_bound());
        let lookup = cause(Some(Bound::Lookups));
        let turn = cause(turn_bound);
        for (plan, waited) in self.pending.drain(|| shared.next_plan(now)) {
            let (bound, failure) = match waited {
                WaitedFor::Address => &address,
                WaitedFor::Lookup => &lookup,
                WaitedFor::Turn => &turn,
            };
            self.sink.deliver(not_started(plan, Arc::clone(failure)));
            if let Some(bound) = bound {
                self.sink.held_back(*bound);
            }
        }
    }

    /// The limit that keeps plans in the source, if it is one.
    fn turn_bound(&self) -> Option<Bound> {
        let shared = self.worker.shared;
        if self.has_capacity() {
            shared.rate_bound()
        } else {
            Some(shared.in_flight_bound())
        }
    }

    /// Names the limit in the error of each session whose connect waits for nothing else.
    fn fail_waiting_connects(&mut self, now: Instant) {
        let shared = self.worker.shared;
        let by_address = self.pending.connects_by_address();
        let mut waiting: Vec<_> = by_address
            .map(|request| (request, shared.address_bound()))
            .collect();
        let connects = self.pending.connects();
        waiting.extend(connects.map(|request| (request, shared.rate_bound())));
        for (request, bound) in waiting {
            // If a trace waits for a limit, that is not the reason for which its target was not
            // probed.
            let is_own = request.limited.is_none();
            if let Some(bound) = bound.filter(|_| is_own && is_wanted(&self.sessions, &request)) {
                let reason = format!("connect to {}: {}", request.address, self.deadline.reason);
                let failure = held_back(&reason, Some(bound));
                let blocked = Event::Blocked(request.attempt, failure);
                self.handle(request.session.id, blocked, now);
                self.sink.held_back(bound);
            }
        }
    }

    /// Reports everything that this worker has taken from the source as failed: without an event
    /// queue it cannot go on.
    pub(in crate::engine) fn abort(&mut self, error: &PollError) {
        let text = error.to_string();
        let in_flight = self
            .sessions
            .iter()
            .map(|slot| Arc::clone(slot.session.plan()));
        let waiting = self.pending.drain(|| Next::Done).map(|(plan, _)| plan);
        let failure = Arc::new(Failure::common(Status::LocalError, text));
        for plan in in_flight.chain(waiting) {
            self.sink.deliver(not_started(plan, Arc::clone(&failure)));
        }
    }
}

impl Drop for EventLoop<'_, '_> {
    /// Releases this worker's address slots if it panics, since other workers may wait for them.
    fn drop(&mut self) {
        let shared = self.worker.shared;
        for connection in self
            .connections
            .iter()
            .filter(|connection| connection.phase != ConnectionPhase::Idle)
            .filter(|connection| connection.address_slot == AddressSlot::Held)
        {
            let (session, attempt) = connection.owner();
            let remote = self
                .sessions
                .get(session)
                .and_then(|slot| slot.session.remote(attempt));
            if let Some(remote) = remote {
                shared.release(remote.ip());
            }
        }
        for pending in &self.connections.closing {
            if pending.address_slot == AddressSlot::Held {
                shared.release(pending.address);
            }
        }
    }
}

/// The failure of a plan that did not start, with the limit that is the cause.
fn held_back(reason: &str, bound: Option<Bound>) -> Failure {
    let text = match bound {
        Some(bound) => format!("{reason} ({bound})"),
        None => reason.to_owned(),
    };
    Failure::common(Status::NotTried, text)
}

fn not_started(plan: Arc<Plan>, failure: Arc<Failure>) -> Report {
    Report::without_connection(plan, failure, Duration::ZERO)
}
