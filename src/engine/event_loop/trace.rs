//! The SYNs that trace a path: each is a connection of its own, beside that of its attempt.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::ConnectionPhase;
use crate::engine::event_loop::pending::{ConnectRequest, LimitedSyn};
use crate::engine::index::{ConnId, SessionId};
use crate::engine::session::action::{AttemptId, Event, TraceAction, TraceEvent, TraceReply};
use crate::engine::stream::{LimitedAnswer, OpenError, Wire};
use crate::path_facts::HopAnswer;
use crate::plan::{Close, Plan};

/// The most bytes of a target that are read and discarded at once, so that a close sends no RST.
const DISCARDED: usize = 64 * 1024;

/// The connections of all traces of this worker.
#[derive(Default)]
pub(in crate::engine) struct TraceConnections(BTreeMap<(SessionId, AttemptId, NonZeroU16), ConnId>);

impl TraceConnections {
    /// The connection of this SYN, while it has one.
    pub fn of(&self, session: SessionId, attempt: AttemptId, syn: NonZeroU16) -> Option<ConnId> {
        self.0.get(&(session, attempt, syn)).copied()
    }
}

impl EventLoop<'_, '_> {
    /// Does what a trace needs.
    pub(in crate::engine) fn trace(
        &mut self,
        id: SessionId,
        attempt: AttemptId,
        action: TraceAction,
        now: Instant,
    ) {
        match action {
            TraceAction::Request(address) => {
                if self.worker.shared.may_trace(address) {
                    self.notify(id, Event::Trace(attempt, TraceEvent::Permitted), now);
                }
            }
            TraceAction::Syn(number, hops, address) => {
                self.request_connect(id, attempt, address, Some(LimitedSyn { number, hops }));
            }
            TraceAction::Shutdown(number) => {
                let connection = self.traces.of(id, attempt, number);
                if let Some(open) = connection.and_then(|id| self.connections.get_mut(id)) {
                    open.phase = ConnectionPhase::Open;
                    open.wire.shutdown();
                }
            }
            TraceAction::Close(number, how) => self.close_trace(id, attempt, number, how),
        }
    }

    fn close_trace(&mut self, id: SessionId, attempt: AttemptId, syn: NonZeroU16, how: Close) {
        let remote = self
            .sessions
            .get(id)
            .and_then(|slot| slot.session.remote(attempt));
        let connection = self.traces.0.remove(&(id, attempt, syn));
        if let (Some(connection), Some(remote)) = (connection, remote) {
            self.discard_received(connection);
            self.close_later(connection, remote.ip(), how);
        }
    }

    /// Sends a SYN that the limits allow.
    pub(in crate::engine) fn send_limited(
        &mut self,
        request: &ConnectRequest,
        syn: LimitedSyn,
        plan: &Arc<Plan>,
        now: Instant,
    ) {
        let (session, attempt) = (request.session, request.attempt);
        let LimitedSyn { number, hops } = syn;
        let opened = Wire::open_limited(plan, request.address, hops);
        match opened.and_then(|wire| self.watch(wire, request.address)) {
            Ok(connection) => {
                if self.worker.shared.limits_addresses() {
                    self.unanswered.push(session, attempt, Some(number), now);
                }
                if let Some(opened) = self.connections.get_mut(connection) {
                    opened.assign(session.id, attempt);
                    opened.limited = Some(number);
                }
                self.traces
                    .0
                    .insert((session.id, attempt, number), connection);
                self.handle_trace(session.id, attempt, TraceEvent::Sent(number), now);
            }
            Err(
                OpenError::Exhausted(failure)
                | OpenError::NoPort(failure)
                | OpenError::Final(failure),
            ) => {
                self.worker.shared.cancel(request.address.ip());
                self.wake_waiter(request.address.ip());
                let event = TraceEvent::Answered(number, TraceReply::Failed(failure));
                self.handle_trace(session.id, attempt, event, now);
            }
        }
    }

    /// Handles an event of a connection of a trace.
    pub(in crate::engine) fn limited_ready(&mut self, id: ConnId, now: Instant) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let (session, attempt) = connection.owner();
        let slot = self.sessions.get(session);
        let remote = slot.and_then(|slot| slot.session.remote(attempt));
        let (Some(number), Some(remote)) = (connection.limited, remote) else {
            return;
        };
        if connection.phase == ConnectionPhase::Open {
            if self.discard_received(id) {
                self.handle_trace(session, attempt, TraceEvent::PeerClosed(number), now);
            }
            return;
        }
        let reply = match connection.wire.limited_answer(remote) {
            LimitedAnswer::Pending => return,
            LimitedAnswer::Hop(from, answer) => TraceReply::Answer(from, answer),
            LimitedAnswer::Failed(failure) => TraceReply::Failed(failure),
        };
        let is_accepted = matches!(reply, TraceReply::Answer(_, HopAnswer::Accepted));
        let event = TraceEvent::Answered(number, reply);
        self.handle_trace(session, attempt, event, now);
        if is_accepted && self.discard_received(id) {
            self.handle_trace(session, attempt, TraceEvent::PeerClosed(number), now);
        }
    }

    /// Reads and discards what the target sent; returns whether the connection can be closed.
    fn discard_received(&mut self, id: ConnId) -> bool {
        let Some(connection) = self.connections.get(id).filter(|open| open.is_open()) else {
            return false;
        };
        let mut discarded = 0;
        loop {
            match connection.wire.read(&mut self.buffer) {
                Ok(None) => return false,
                Ok(Some(0)) | Err(_) => return true,
                Ok(Some(read)) => discarded += read,
            }
            if discarded > DISCARDED {
                return true;
            }
        }
    }

    fn handle_trace(&mut self, id: SessionId, attempt: AttemptId, event: TraceEvent, now: Instant) {
        self.handle(id, Event::Trace(attempt, event), now);
    }
}
