//! Handshakes, reads and writes on the connections.

use std::io;
use std::time::{Duration, Instant};

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::{AfterOutput, ConnectionPhase};
use crate::engine::index::{ConnId, SessionId};
use crate::engine::session::action::{AttemptId, Event};
use crate::engine::stream::{ConnectProgress, lost_failure};

/// Most reads of one connection before the others have their turn.
const READS_PER_TURN: usize = 16;
/// After this time in one turn a connection reads no more: a slow regular expression must not delay
/// the other connections, or the deadline.
const READ_TIME_PER_TURN: Duration = Duration::from_millis(5);
/// After this time in one turn, connections that have more to read or to compare wait for the next
/// one: signals and deadlines must not wait for them.
const UNREAD_TIME_PER_TURN: Duration = Duration::from_millis(10);

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
        match connection.phase {
            ConnectionPhase::Connecting => self.finish_connect(id, now),
            ConnectionPhase::Open if event.is_writable() => {
                if let Some((session, sent)) = self.write(id) {
                    self.handle(session, sent, now);
                }
            }
            ConnectionPhase::Open => {}
            ConnectionPhase::Idle => return,
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(id, now);
        }
    }

    /// Handles what happened on a connection without waiting for its event.
    pub(in crate::engine) fn poll_connection(&mut self, id: ConnId, now: Instant) {
        if self
            .connections
            .get(id)
            .is_some_and(|connection| connection.phase == ConnectionPhase::Connecting)
        {
            self.finish_connect(id, now);
        }
        self.read(id, now);
    }

    /// Continues with the connections that had more to read, or to compare, than one turn allows.
    pub(in crate::engine) fn continue_unread(&mut self, now: Instant) {
        for _ in 0..self.connections.unread.len() {
            if now.elapsed() > UNREAD_TIME_PER_TURN {
                return;
            }
            let Some(id) = self.connections.unread.pop_front() else {
                return;
            };
            let Some(connection) = self
                .connections
                .get(id)
                .filter(|connection| connection.phase == ConnectionPhase::Open)
            else {
                continue;
            };
            let (session, attempt) = connection.owner();
            if self.is_behind(session, attempt) {
                self.handle(session, Event::Continued(attempt), now);
            }
            self.read(id, now);
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
        let took = slot.session.connect_elapsed(attempt, now);
        match connection.wire.finish(slot.session.plan(), remote, took) {
            ConnectProgress::Pending => {}
            ConnectProgress::Connected(source, info) => {
                connection.phase = ConnectionPhase::Open;
                self.handle(session, Event::Connected(attempt, source, info), now);
            }
            ConnectProgress::ConnectedThenLost(source, info, failure) => {
                connection.phase = ConnectionPhase::Open;
                self.handle(session, Event::Connected(attempt, source, info), now);
                self.handle(session, Event::Failed(attempt, failure, None), now);
            }
            ConnectProgress::Failed(failure, info) => {
                self.handle(session, Event::Failed(attempt, failure, info), now);
            }
        }
    }

    /// Sends the rest of the output; returns an event once all is sent, or when the connection is
    /// lost.
    pub(in crate::engine) fn write(&mut self, id: ConnId) -> Option<SessionEvent> {
        let connection = self.connections.get_mut(id)?;
        let (session, attempt) = connection.owner();
        let output = connection.output.as_mut()?;
        while !output.bytes.is_empty() {
            match connection.wire.write(&output.bytes) {
                Ok(Some(written)) => drop(output.bytes.drain(..written)),
                Ok(None) => return None,
                Err(error) => return self.lost(session, attempt, &error),
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

    /// The event of a failed read or write.
    fn lost(
        &self,
        session: SessionId,
        attempt: AttemptId,
        error: &io::Error,
    ) -> Option<SessionEvent> {
        let remote = self.sessions.get(session)?.session.remote(attempt)?;
        let failure = lost_failure(remote, error);
        Some((session, Event::Failed(attempt, failure, None)))
    }

    /// Reads what has arrived; the rest in the next turn if it is much.
    pub(in crate::engine) fn read(&mut self, id: ConnId, now: Instant) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut is_drained = false;
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self
                .connections
                .get(id)
                .filter(|connection| connection.phase == ConnectionPhase::Open)
            else {
                is_drained = true;
                break;
            };
            let (session, attempt) = connection.owner();
            if self.is_behind(session, attempt) {
                is_drained = true;
                break;
            }
            let Some(connection) = self.connections.get_mut(id) else {
                break;
            };
            match connection.wire.read(&mut buffer) {
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
                    if now.elapsed() > READ_TIME_PER_TURN {
                        break;
                    }
                }
                Err(error) => {
                    if let Some((session, lost)) = self.lost(session, attempt, &error) {
                        self.handle(session, lost, now);
                    }
                    is_drained = true;
                    break;
                }
            }
        }
        self.buffer = buffer;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.has_unread = !is_drained;
        }
        if !is_drained {
            self.connections.unread.push_back(id);
        }
    }
}
