//! Handshakes, reads and writes on the connections.

use std::time::{Duration, Instant};

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::{AfterOutput, ConnectionPhase};
use crate::engine::index::{ConnId, SessionId};
use crate::engine::session::action::Event;
use crate::engine::stream;
use crate::engine::stream::ConnectProgress;
use crate::plan::{Expected, OnTimeout};

/// Most reads of one connection before the others have their turn.
const READS_PER_TURN: usize = 4;
/// After this time in one turn a connection reads no more: a slow regular expression must not delay
/// the other connections, or the deadline.
const READ_TIME_PER_TURN: Duration = Duration::from_millis(1);

/// The same at the expiry of its session, when there is no further turn.
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

    /// Before a session times out for which silence proves that the port is closed, fails the connects
    /// whose SYN never left this machine.
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

    /// Reads what has arrived; the rest in the next turn if it is much.
    pub(in crate::engine) fn read(&mut self, id: ConnId, now: Instant) {
        if !self.read_some(id, now) {
            self.connections.unread.push_back(id);
        }
    }

    /// Reads everything that has arrived, unless that takes too long.
    pub(in crate::engine) fn read_all(&mut self, id: ConnId, now: Instant) {
        while !self.read_some(id, now) {
            if now.elapsed() > READ_TIME_AT_EXPIRY {
                self.leave_unread(id);
                return;
            }
        }
    }

    /// Reads a part of what has arrived; false if there may be more.
    fn read_some(&mut self, id: ConnId, now: Instant) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut is_drained = false;
        for _ in 0..READS_PER_TURN {
            let most = self.may_receive(id);
            if most == 0 {
                is_drained = true;
                break;
            }
            let Some(connection) = self
                .connections
                .get(id)
                .filter(|connection| connection.phase == ConnectionPhase::Open)
            else {
                is_drained = true;
                break;
            };
            let (session, attempt) = connection.owner();
            match connection
                .wire
                .read(buffer.get_mut(..most).unwrap_or_default())
            {
                Ok(None) => {
                    is_drained = true;
                    break;
                }
                Ok(Some(0)) => {
                    self.handle(session, Event::PeerClosed(attempt), now);
                    is_drained = true;
                    break;
                }
                Ok(Some(read)) => {
                    let bytes = buffer.get(..read).unwrap_or_default();
                    if connection.is_layered() {
                        self.read_layer(id, bytes, now);
                    } else {
                        self.handle(session, Event::Received(attempt, bytes), now);
                    }
                    self.count_received(id);
                    if now.elapsed() > READ_TIME_PER_TURN {
                        break;
                    }
                }
                Err(error) => {
                    let slot = self.sessions.get(session);
                    if let Some(remote) = slot.and_then(|slot| slot.session.remote(attempt)) {
                        let failure = connection.wire.lost(remote, &error);
                        self.handle(session, Event::Failed(attempt, failure, None), now);
                    }
                    is_drained = true;
                    break;
                }
            }
        }
        self.buffer = buffer;
        is_drained
    }
}
