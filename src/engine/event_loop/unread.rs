//! Connections with more to read than one turn allows. They share the time that the turns have left,
//! one after the other, so that peers that send much do not keep the loop from the others: from
//! starting connects, and from reading short answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::event_loop::EventLoop;
use crate::engine::index::ConnId;

/// After this time in one turn, the rest of them waits for the next turn.
const TIME_PER_TURN: Duration = Duration::from_millis(5);
/// The same while connects wait to be started, of which there is one in each turn.
const TIME_PER_TURN_WITH_CONNECTS: Duration = Duration::from_micros(500);
/// A connection that has received more than this waits for its turn also when more arrives.
const MUCH: u64 = 16 * 1024;

/// Connections in the order of their turns; each is in it once.
#[derive(Default)]
pub(in crate::engine) struct UnreadConnections {
    queue: VecDeque<ConnId>,
    /// Whether a connection is in the queue, by its index.
    is_queued: Vec<bool>,
}

impl UnreadConnections {
    /// Adds a connection at the end, if it is not there.
    pub fn push_back(&mut self, id: ConnId) {
        if id.index() >= self.is_queued.len() {
            self.is_queued.resize(id.index() + 1, false);
        }
        if let Some(is_queued @ false) = self.is_queued.get_mut(id.index()) {
            *is_queued = true;
            self.queue.push_back(id);
        }
    }

    /// Takes the first one out.
    pub fn pop_front(&mut self) -> Option<ConnId> {
        let first = self.queue.pop_front()?;
        if let Some(is_queued) = self.is_queued.get_mut(first.index()) {
            *is_queued = false;
        }
        Some(first)
    }

    /// The first one.
    pub fn front(&self) -> Option<ConnId> {
        self.queue.front().copied()
    }

    /// Whether this one is in the queue.
    pub fn contains(&self, id: ConnId) -> bool {
        self.is_queued.get(id.index()) == Some(&true)
    }

    /// Number of connections in the queue.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl EventLoop<'_, '_> {
    /// Continues with the connections that had more to read than one turn allows: with at least one,
    /// and with the others as long as there is time.
    pub(in crate::engine) fn continue_unread(&mut self, now: Instant) {
        let time = if self.may_start() {
            TIME_PER_TURN_WITH_CONNECTS
        } else {
            TIME_PER_TURN
        };
        for _ in 0..self.connections.unread.len() {
            let Some(id) = self.connections.unread.pop_front() else {
                return;
            };
            self.read(id, now);
            if now.elapsed() > time {
                return;
            }
        }
    }

    /// Whether an event of this connection only says what is known: that there is more to read. If
    /// it has received much, it is given a turn for that.
    pub(in crate::engine) fn waits_to_read(&mut self, id: ConnId, now: Instant) -> bool {
        if self.connections.unread.contains(id) || self.memory.waiters.contains(id) {
            return self.is_only_read(id);
        }
        let has_received_much = |open: &ConnId| {
            let (session, attempt) = self.connections.get(*open)?.owner();
            let session = &self.sessions.get(session)?.session;
            (session.deadline() > now && session.received(attempt) > MUCH).then_some(())
        };
        if has_received_much(&id).is_none() || !self.is_only_read(id) {
            return false;
        }
        self.connections.unread.push_back(id);
        true
    }

    /// Whether the connection is open and has nothing to send.
    fn is_only_read(&self, id: ConnId) -> bool {
        let connection = self.connections.get(id);
        connection.is_some_and(|connection| connection.is_open() && !connection.has_output())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_queued_once() {
        let mut unread = UnreadConnections::default();
        for index in [3, 1, 3, 2, 1] {
            unread.push_back(ConnId::new(index));
        }
        assert!(unread.contains(ConnId::new(1)) && !unread.contains(ConnId::new(0)));
        let order: Vec<_> = std::iter::from_fn(|| unread.pop_front())
            .map(ConnId::index)
            .collect();
        assert_eq!(order, [3, 1, 2]);
        assert!(unread.is_empty() && !unread.contains(ConnId::new(1)));
    }
}
