//! The end of a run before everything is done: its deadline, its stop descriptor, or a failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::error::PollError;
use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::ConnectionPhase;
use crate::engine::session::Session;
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
            reason: "the deadline of the run came before its turn",
            state: RunState::Running,
        }
    }

    /// Ends the run now.
    pub fn stop(&mut self, now: Instant) {
        if self.state == RunState::Running {
            (self.due, self.reason) = (Some(now), "the run was stopped before its turn");
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
    /// Once the deadline is over, ends all sessions with the status of their phase, and reports the
    /// plans that have not started as not tried.
    pub(in crate::engine) fn end_when_due(&mut self, now: Instant) {
        if self.deadline.next().is_none_or(|due| due > now) {
            return;
        }
        self.deadline.state = RunState::Over;
        for id in self.sessions.ids() {
            self.resume(id, now);
            self.drain_socket_events(id, now);
            if let Some(slot) = self.sessions.get_mut(id) {
                self.deadline.limit(&mut slot.session);
            }
            self.tick(id, now);
            self.report();
        }
        let shared = self.worker.shared;
        for plan in self.pending.drain(|| shared.next_plan(now)) {
            let failure = Failure::new(Status::NotTried, self.deadline.reason);
            self.sink.deliver(not_started(plan, failure));
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
        for plan in in_flight.chain(self.pending.drain(|| Next::Done)) {
            let failure = Failure::new(Status::LocalError, text.as_str());
            self.sink.deliver(not_started(plan, failure));
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
            shared.release(pending.address);
        }
    }
}

fn not_started(plan: Arc<Plan>, failure: Failure) -> Report {
    Report::without_connection(plan, failure, Duration::ZERO)
}
