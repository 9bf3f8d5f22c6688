//! What comes and goes on the connections: handshakes, bytes, ends.

use std::io;
use std::time::Instant;

use mio::Token;

use crate::engine::event_loop::connection::{Phase, Then};
use crate::engine::event_loop::{Engine, READS_PER_TURN, TURN};
use crate::engine::session::action::{AttemptId, Event};
use crate::engine::stream::{Finish, lost_failure};

impl Engine<'_, '_> {
    /// An event came for this connection.
    pub(in crate::engine) fn connection_ready(
        &mut self,
        number: usize,
        event: &mio::event::Event,
        now: Instant,
    ) {
        let Some(connection) = self.connections.get(number) else {
            return;
        };
        match connection.phase {
            Phase::Connecting => self.finish_connect(number, now),
            Phase::Open if event.is_writable() => {
                if let Some((place, what)) = self.write(number) {
                    self.handle(place, what, now);
                }
            }
            Phase::Open => {}
            Phase::Idle => return,
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(number, now);
        }
    }

    /// Takes what happened on this connection, of which no event has come yet.
    pub(in crate::engine) fn look_at(&mut self, number: usize, now: Instant) {
        if self
            .connections
            .get(number)
            .is_some_and(|connection| connection.phase == Phase::Connecting)
        {
            self.finish_connect(number, now);
        }
        self.read(number, now);
    }

    fn finish_connect(&mut self, number: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        let (place, attempt) = connection.owner();
        let Some(entry) = self.sessions.get(place) else {
            return;
        };
        let Some(remote) = entry.session.remote(attempt) else {
            return;
        };
        let took = entry.session.connect_elapsed(attempt, now);
        match connection.wire.finish(entry.session.plan(), remote, took) {
            Finish::Pending => {}
            Finish::Connected(source, info) => {
                connection.phase = Phase::Open;
                self.handle(place, Event::Connected(attempt, source, info), now);
            }
            Finish::ConnectedThenLost(source, info, failure) => {
                connection.phase = Phase::Open;
                self.handle(place, Event::Connected(attempt, source, info), now);
                self.handle(place, Event::Failed(attempt, failure, None), now);
            }
            Finish::Failed(failure, info) => {
                self.handle(place, Event::Failed(attempt, failure, info), now);
            }
        }
    }

    /// Sends what is left to send of the last wish; for whom something came of that, and what.
    pub(in crate::engine) fn write(&mut self, number: usize) -> Option<(usize, Event<'static>)> {
        let connection = self.connections.get_mut(number)?;
        let (place, attempt) = connection.owner();
        let output = connection.output.as_mut()?;
        while !output.bytes.is_empty() {
            match connection.wire.write(&output.bytes) {
                Ok(Some(written)) => drop(output.bytes.drain(..written)),
                Ok(None) => return None,
                Err(error) => return self.lost(place, attempt, &error),
            }
        }
        let then = std::mem::replace(&mut output.then, Then::Nothing);
        if output.layer.is_none() {
            connection.output = None;
        }
        if then == Then::Shutdown {
            connection.wire.shutdown();
        }
        (then != Then::Nothing).then_some((place, Event::Sent(attempt)))
    }

    /// A read or a write failed.
    fn lost(
        &self,
        place: usize,
        attempt: AttemptId,
        error: &io::Error,
    ) -> Option<(usize, Event<'static>)> {
        let remote = self.sessions.get(place)?.session.remote(attempt)?;
        Some((
            place,
            Event::Failed(attempt, lost_failure(remote, error), None),
        ))
    }

    /// Reads what there is, at most a turn's worth.
    pub(in crate::engine) fn read(&mut self, number: usize, now: Instant) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut finished = false;
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.connections.get(number) else {
                finished = true;
                break;
            };
            if connection.phase != Phase::Open {
                finished = true;
                break;
            }
            let (place, attempt) = connection.owner();
            match connection.wire.read(&mut buffer) {
                Ok(None) => {
                    finished = true;
                    break;
                }
                Ok(Some(0)) => {
                    self.handle(place, Event::PeerClosed(attempt), now);
                    finished = true;
                    break;
                }
                Ok(Some(read)) => {
                    let bytes = buffer.get(..read).unwrap_or_default();
                    if connection.is_layered() {
                        self.read_layer(number, bytes, now);
                    } else {
                        self.handle(place, Event::Received(attempt, bytes), now);
                    }
                    // A costly expression must not keep the others, or the deadline, waiting.
                    if now.elapsed() > TURN {
                        break;
                    }
                }
                Err(error) => {
                    if let Some((place, what)) = self.lost(place, attempt, &error) {
                        self.handle(place, what, now);
                    }
                    finished = true;
                    break;
                }
            }
        }
        self.buffer = buffer;
        if !finished {
            self.unread.push_back(Token(number));
        }
    }
}
