//! How an attempt uses its [trace](crate::engine::session::attempt::trace): beside its own SYN, or
//! instead of it.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::session::action::{Action, Actions, TraceEvent};
use crate::engine::session::attempt::trace::Trace;
use crate::engine::session::attempt::{Attempt, AttemptState, Cutoff, Silence};
use crate::engine::session::messages;
use crate::path_facts::PathFacts;
use crate::plan::{Plan, Tracing};
use crate::report::ConnectionReport;

impl Attempt {
    /// The state of a new attempt: it asks for a connection, or only traces.
    pub(super) fn first_state(
        &self,
        plan: &Plan,
        now: Instant,
        actions: &mut Actions,
    ) -> AttemptState {
        let remote = plan.remote(self.address);
        match plan.spec.tracing {
            Tracing::Never | Tracing::WhenUnanswered => {
                actions.push_back(Action::Open(self.id, remote));
                AttemptState::Waiting(None)
            }
            Tracing::Rounds(rounds) => {
                let deadline = now + plan.spec.timeout;
                let trace = Trace::in_rounds(self.id, remote, now, deadline, rounds);
                AttemptState::Tracing(Box::new(trace))
            }
        }
    }

    /// The SYN was just sent: traces the path if it goes unanswered, and the plan asks for that.
    pub fn prepare_trace(&mut self, plan: &Plan, now: Instant, deadline: Instant) {
        if plan.spec.tracing != Tracing::WhenUnanswered {
            return;
        }
        if let AttemptState::Connecting(trace) = &mut self.state {
            let remote = plan.remote(self.address);
            *trace = Trace::when_unanswered(self.id, remote, now, deadline).map(Box::new);
        }
    }

    /// Whether it traces the path, has done so, or will do so unless its SYN is answered.
    pub fn has_trace(&self) -> bool {
        match &self.state {
            AttemptState::Connecting(trace) => trace.is_some(),
            AttemptState::Tracing(_) => true,
            AttemptState::Over(report) => report.path.is_some(),
            _ => false,
        }
    }

    /// Whether this SYN of its trace still waits to be sent.
    pub fn awaits_syn(&self, number: NonZeroU16) -> bool {
        self.trace().is_some_and(|trace| trace.awaits(number))
    }

    fn trace(&self) -> Option<&Trace> {
        match &self.state {
            AttemptState::Connecting(trace) => trace.as_deref(),
            AttemptState::Tracing(trace) => Some(trace),
            _ => None,
        }
    }

    fn trace_mut(&mut self) -> Option<&mut Trace> {
        match &mut self.state {
            AttemptState::Connecting(trace) => trace.as_deref_mut(),
            AttemptState::Tracing(trace) => Some(trace),
            _ => None,
        }
    }

    /// When [`Attempt::tick_trace`] must be called at the latest, if at all.
    pub(super) fn trace_wake(&self) -> Option<Instant> {
        self.trace().and_then(Trace::next_wake)
    }

    /// Shifts the times of a trace that has not started by a time for which the clock of the probe
    /// was stopped.
    pub(super) fn shift_trace(&mut self, by: Duration) {
        if let Some(trace) = self.trace_mut() {
            trace.shift_clock(by);
        }
    }

    /// Something happened to its trace.
    pub fn trace_event(
        &mut self,
        plan: &Plan,
        event: TraceEvent,
        now: Instant,
        actions: &mut Actions,
    ) {
        let Some(trace) = self.trace_mut() else {
            return;
        };
        match event {
            TraceEvent::Permitted => trace.permitted(now, actions),
            TraceEvent::Sent(number) => trace.sent(number, now),
            TraceEvent::Answered(number, reply) => trace.answered(number, reply, now, actions),
            TraceEvent::PeerClosed(number) => trace.peer_closed(number, now, actions),
        }
        self.end_complete_trace(plan, now);
    }

    /// Lets its trace handle the passing of time. False if it has none.
    pub(super) fn tick_trace(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) -> bool {
        let Some(trace) = self.trace_mut() else {
            return false;
        };
        trace.tick(now, actions);
        self.end_complete_trace(plan, now);
        true
    }

    /// Ends the trace that runs beside the SYN of this attempt, and returns its result.
    pub(super) fn end_trace(&mut self, actions: &mut Actions) -> Option<Box<PathFacts>> {
        let mut trace = match self.take_state() {
            AttemptState::Connecting(trace) => trace?,
            AttemptState::Tracing(trace) => trace,
            other => {
                self.state = other;
                return None;
            }
        };
        trace.end(actions);
        let (facts, _) = trace.into_facts();
        facts.map(Box::new)
    }

    /// Ends an attempt that only traces, at the deadline.
    pub(super) fn expire_trace(
        &mut self,
        plan: &Plan,
        (cutoff, silence): (Cutoff, Silence),
        now: Instant,
        actions: &mut Actions,
    ) {
        if let AttemptState::Tracing(trace) = &mut self.state {
            trace.end(actions);
            if let (Cutoff::Timeout, Silence::Unknown(cause)) = (cutoff, silence) {
                trace.fail(messages::late("", cause));
            }
        }
        self.end_complete_trace(plan, now);
    }

    /// Ends an attempt that only traces, once its trace has nothing left to do.
    fn end_complete_trace(&mut self, plan: &Plan, now: Instant) {
        self.state = match self.take_state() {
            AttemptState::Tracing(trace) if trace.is_over() => {
                let remote = plan.remote(self.address);
                let (path, failure) = trace.into_facts();
                let failure = messages::end_of_path(remote, path.as_ref(), failure);
                AttemptState::Over(Box::new(ConnectionReport {
                    failure: failure.map(Arc::new),
                    total: now.saturating_duration_since(self.started),
                    path: path.map(Box::new),
                    ..ConnectionReport::new(remote)
                }))
            }
            other => other,
        };
    }
}
