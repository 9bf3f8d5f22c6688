//! Handshakes, reads and writes on the connections.

use std::time::{Duration, Instant};

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::{
    AfterOutput, Connection, ConnectionPhase, Connections,
};
use crate::engine::event_loop::sessions::SessionSlot;
use crate::engine::index::{ConnId, SessionId};
use crate::engine::session::action::{AttemptId, Event};
use crate::engine::stream;
use crate::engine::stream::ConnectProgress;
use crate::plan::{Expected, OnTimeout};

/// The longest time that a connection is read at the expiry of its session, when it has no further
/// turn. A slow regular expression must not delay the other connections.
const READ_TIME_AT_EXPIRY: Duration = Duration::from_millis(50);

/// What happened on a connection, for its session.
pub(in crate::engine) type SessionEvent = (SessionId, Event<'static>);

impl EventLoop<'_, '_> {
    /// Handles an event of a connection.
    pub(in crate::engine) fn connection_ready(
        &mut self,
        id: ConnId,
        event: &mio::event::Event,
        now: Instant,
    ) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if connection.limited.is_some() {
            if connection.phase != ConnectionPhase::Idle {
                self.limited_ready(id, now);
            }
            return;
        }
        let phase = connection.phase;
        if phase == ConnectionPhase::Idle || !self.begin_event(id, now) {
            return;
        }
        match phase {
            ConnectionPhase::Connecting => self.finish_connect(id, now),
            ConnectionPhase::Open if event.is_writable() => {
                if let Some((session, sent)) = self.write(id) {
                    self.handle(session, sent, now);
                }
            }
            ConnectionPhase::Open | ConnectionPhase::Idle => {}
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(id, now);
        }
        self.end_event();
    }

    /// Continues to compare what this connection has received, if the last turn was not enough.
    pub(in crate::engine) fn compare_rest(&mut self, id: ConnId, now: Instant) {
        if let Some((session, attempt)) = self.open_owner(id) {
            if self.is_behind(session, attempt) {
                self.handle(session, Event::Continued(attempt), now);
            }
        }
    }

    /// Whether received bytes wait to be compared; they are in the list of unread connections then.
    fn is_behind(&self, session: SessionId, attempt: AttemptId) -> bool {
        self.sessions
            .get(session)
            .is_some_and(|slot| slot.session.is_behind(attempt))
    }

    fn finish_connect(&mut self, id: ConnId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let (session, attempt) = connection.owner();
        let Some(slot) = self.sessions.get(session) else {
            return;
        };
        let Some(remote) = slot.session.remote(attempt) else {
            return;
        };
        match connection.wire.finish(slot.session.plan(), remote) {
            ConnectProgress::Pending => {}
            ConnectProgress::Connected(source, info) => {
                connection.phase = ConnectionPhase::Open;
                self.connected(session, info, now);
                self.handle(session, Event::Connected(attempt, source, info), now);
            }
            ConnectProgress::ConnectedThenLost(source, info) => {
                connection.phase = ConnectionPhase::Open;
                self.handle(session, Event::Connected(attempt, source, info), now);
                // The error comes last, after what the peer sent.
                self.read(id, now);
            }
            ConnectProgress::Failed(failure, info) => {
                self.handle(session, Event::Failed(attempt, failure, info), now);
            }
        }
    }

    /// Before a session times out for which silence proves that the port is closed, fails the
    /// connects whose SYN never left this machine.
    pub(in crate::engine) fn fail_unsent(&mut self, id: SessionId, now: Instant) {
        let Some(slot) = self.sessions.get(id) else {
            return;
        };
        let silence_counts =
            slot.session.plan().spec.expected == Expected::Closed(OnTimeout::CountsAsClosed);
        if !silence_counts || slot.session.deadline() > now {
            return;
        }
        for connection in slot.connections.all() {
            self.fail_if_unsent(connection, now);
        }
    }

    fn fail_if_unsent(&mut self, id: ConnId, now: Instant) {
        let Some(connection) = self
            .connections
            .get(id)
            .filter(|connection| connection.phase == ConnectionPhase::Connecting)
        else {
            return;
        };
        let (session, attempt) = connection.owner();
        let slot = self.sessions.get(session);
        let failure = slot.and_then(|slot| {
            let remote = slot.session.remote(attempt)?;
            stream::unsent_failure(slot.session.plan(), remote)
        });
        if let Some(failure) = failure {
            let info = connection.wire.tcp_info();
            self.handle(session, Event::Failed(attempt, failure, info), now);
        }
    }

    /// Before the wait for silent peers ends, notes what became of the bytes that were sent to them.
    pub(in crate::engine) fn measure_silent(&mut self, id: SessionId, now: Instant) {
        let Some(slot) = self.sessions.get_mut(id) else {
            return;
        };
        // An unanswered close is only written to the transcript.
        let is_observed = || self.sink.observes() && slot.session.has_unanswered_close(now);
        if !slot.session.has_silent_peer(now) && !is_observed() {
            return;
        }
        for connection in slot.connections.all() {
            if let Some(open) = self.connections.get(connection) {
                let (_, attempt) = open.owner();
                measure(slot, &self.connections, attempt);
            }
        }
    }

    /// Sends the rest of the output; returns an event once all is sent. If the connection is lost,
    /// what the peer sent before is read first; the error follows it.
    pub(in crate::engine) fn write(&mut self, id: ConnId) -> Option<SessionEvent> {
        let connection = self.connections.get_mut(id)?;
        let (session, attempt) = connection.owner();
        let output = connection.output.as_mut()?;
        while !output.bytes.is_empty() {
            match connection.wire.write(&output.bytes) {
                Ok(Some(written)) => drop(output.bytes.drain(..written)),
                Ok(None) => return None,
                Err(_) => {
                    self.connections.unread.push_back(id);
                    return None;
                }
            }
        }
        let then = std::mem::replace(&mut output.then, AfterOutput::Nothing);
        if output.layer.is_none() {
            connection.output = None;
        }
        if then == AfterOutput::Shutdown {
            connection.wire.shutdown();
        }
        (then != AfterOutput::Nothing).then_some((session, Event::Sent(attempt)))
    }

    /// Reads once; if there may be more, the rest is read after the other connections had their
    /// turn.
    pub(in crate::engine) fn read(&mut self, id: ConnId, now: Instant) {
        if !self.read_some(id, now) {
            self.connections.unread.push_back(id);
        }
    }

    /// Reads everything that has arrived, unless that takes too long.
    pub(in crate::engine) fn read_all(&mut self, id: ConnId, now: Instant) {
        while !self.read_some(id, now) || self.is_compared_later(id) {
            if now.elapsed() > READ_TIME_AT_EXPIRY {
                self.leave_unread(id);
                return;
            }
            self.compare_rest(id, now);
        }
    }

    /// Whether received bytes of this connection wait to be compared.
    fn is_compared_later(&self, id: ConnId) -> bool {
        self.open_owner(id)
            .is_some_and(|(session, attempt)| self.is_behind(session, attempt))
    }

    /// The session and attempt of this connection, if it is open.
    fn open_owner(&self, id: ConnId) -> Option<(SessionId, AttemptId)> {
        let open = self.connections.get(id).filter(|open| open.is_open());
        open.map(Connection::owner)
    }

    /// Reads once; false if there may be more.
    fn read_some(&mut self, id: ConnId, now: Instant) -> bool {
        let Some((session, attempt)) = self.open_owner(id) else {
            return true;
        };
        if self.is_behind(session, attempt) {
            return true;
        }
        let most = self.may_receive(id, now);
        if most == 0 {
            return true;
        }
        let Some(connection) = self.connections.get_mut(id) else {
            return true;
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let bytes = buffer.get_mut(..most).unwrap_or_default();
        let is_drained = match connection.wire.read(bytes) {
            Ok(None) => true,
            Ok(Some(0)) => {
                if connection.is_layered() {
                    self.end_layer(id, None, now);
                } else {
                    self.handle(session, Event::PeerClosed(attempt), now);
                }
                true
            }
            Ok(Some(read)) => {
                let bytes = bytes.get(..read).unwrap_or_default();
                if connection.is_layered() {
                    self.read_layer(id, bytes, now);
                } else {
                    self.handle(session, Event::Received(attempt, bytes), now);
                }
                self.count_received(id);
                false
            }
            Err(error) => {
                let slot = self.sessions.get(session);
                if let Some(remote) = slot.and_then(|slot| slot.session.remote(attempt)) {
                    let failure = connection.wire.lost(remote, &error);
                    if connection.is_layered() {
                        self.end_layer(id, Some(failure), now);
                    } else {
                        self.handle(session, Event::Failed(attempt, failure, None), now);
                    }
                }
                true
            }
        };
        self.buffer = buffer;
        is_drained
    }
}

/// Notes what became of the bytes that were sent on the open connection of this attempt, if it has a
/// dialogue or a layer.
pub(in crate::engine) fn measure(
    slot: &mut SessionSlot,
    connections: &Connections,
    attempt: AttemptId,
) {
    if !slot.session.plan().spec.has_exchange() {
        return;
    }
    let open = slot.connections.of(attempt);
    let open = open.and_then(|connection| connections.get(connection));
    let open = open.filter(|connection| connection.is_open());
    if let Some(exchange) = open.and_then(|open| open.wire.exchange()) {
        slot.session.measured(attempt, exchange);
    }
}
