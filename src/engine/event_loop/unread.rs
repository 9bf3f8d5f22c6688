//! Connections with more to read or to compare than one turn allows. They get the time that the
//! turns have left, so that peers that send large answers do not delay other work: starting
//! connects and reading short answers.
//!
//! They take turns as long as they have not received much more than a short answer. Connections
//! with very long answers are read one after the other, each to its end: reading them at the same
//! time would take as long, and would need memory for all of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::event_loop::{EventLoop, READ_SIZE};
use crate::engine::index::ConnId;
use crate::os::cpu_time;

/// After this CPU time in one turn, the other connections wait for the next turn.
const TIME_PER_TURN: Duration = Duration::from_millis(5);
/// The same while connects wait to be started, of which there is one in each turn.
const TIME_PER_TURN_WITH_CONNECTS: Duration = Duration::from_micros(50);
/// A connection that has received more than this waits for its turn also when more arrives: as much
/// as one read returns.
const MUCH: u64 = READ_SIZE as u64 - 1;
/// A connection that has received more than this keeps its turn until it has read everything that
/// has arrived.
const VERY_MUCH: u64 = 32 * 1024;

/// Connections in the order of their turns; each is in it once.
#[derive(Default)]
pub(in crate::engine) struct UnreadConnections {
    queue: VecDeque<ConnId>,
    /// Whether a connection is in the queue, by its index.
    is_queued: Vec<bool>,
    /// CPU time that they used beyond that of their turns, while connects waited.
    overdrawn: Duration,
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

    /// Takes this one out.
    pub fn remove(&mut self, id: ConnId) {
        if let Some(is_queued @ true) = self.is_queued.get_mut(id.index()) {
            *is_queued = false;
            self.queue.retain(|queued| *queued != id);
        }
    }

    /// Moves the last one to the front.
    pub fn last_to_front(&mut self) {
        if let Some(last) = self.queue.pop_back() {
            self.queue.push_front(last);
        }
    }

    /// The last one.
    pub fn back(&self) -> Option<ConnId> {
        self.queue.back().copied()
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
    /// Continues with the connections that had more to read or to compare than one turn allows.
    pub(in crate::engine) fn continue_unread(&mut self, now: Instant) {
        if self.connections.unread.is_empty() {
            return;
        }
        if !self.may_start() {
            self.connections.unread.overdrawn = Duration::ZERO;
            self.continue_unread_for(TIME_PER_TURN, now);
            return;
        }
        // One comparison can take longer than all of the time; then the next turns have none.
        let time = TIME_PER_TURN_WITH_CONNECTS;
        let overdrawn = self.connections.unread.overdrawn;
        self.connections.unread.overdrawn = overdrawn.saturating_sub(time);
        if overdrawn.is_zero() {
            let used = self.continue_unread_for(time, now);
            self.connections.unread.overdrawn = used.saturating_sub(time);
        }
    }

    /// Continues with at least one connection, and with the others within this CPU time.
    /// Returns the CPU time that was used.
    fn continue_unread_for(&mut self, time: Duration, now: Instant) -> Duration {
        let start = cpu_time::of_this_thread();
        let mut used = Duration::ZERO;
        for _ in 0..self.connections.unread.len() {
            let Some(id) = self.connections.unread.pop_front() else {
                break;
            };
            self.compare_rest(id, now);
            self.read(id, now);
            if self.connections.unread.back() == Some(id) && self.keeps_its_turn(id) {
                self.connections.unread.last_to_front();
            }
            used = cpu_time::of_this_thread().saturating_sub(start);
            if used > time {
                break;
            }
        }
        used
    }

    /// Whether nothing else is read before this connection is done.
    fn keeps_its_turn(&self, id: ConnId) -> bool {
        self.memory.is_all_reserved(id) || self.received(id) > VERY_MUCH
    }

    /// How many bytes this connection has received.
    fn received(&self, id: ConnId) -> u64 {
        let Some(connection) = self.connections.get(id) else {
            return 0;
        };
        let (session, attempt) = connection.owner();
        let slot = self.sessions.get(session);
        slot.map_or(0, |slot| slot.session.received(attempt))
    }

    /// Whether an event of this connection can be ignored, because it is known that there is more
    /// to read. A connection that has received much is then queued.
    pub(in crate::engine) fn waits_to_read(&mut self, id: ConnId, now: Instant) -> bool {
        if self.connections.unread.contains(id) || self.memory.waiters.contains(id) {
            return self.is_only_read(id);
        }
        if self.received(id) <= MUCH || !self.is_only_read(id) || self.is_overdue(id, now) {
            return false;
        }
        self.connections.unread.push_back(id);
        true
    }

    /// Whether the session of this connection should have ended.
    fn is_overdue(&self, id: ConnId, now: Instant) -> bool {
        self.connections.get(id).is_some_and(|connection| {
            let (session, _) = connection.owner();
            let slot = self.sessions.get(session);
            slot.is_some_and(|slot| slot.session.deadline() <= now)
        })
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
        unread.push_back(ConnId::new(5));
        unread.push_back(ConnId::new(6));
        unread.last_to_front();
        assert_eq!(unread.front(), Some(ConnId::new(6)));
        assert_eq!(unread.back(), Some(ConnId::new(5)));
        while unread.pop_front().is_some() {}
        assert!(unread.is_empty() && !unread.contains(ConnId::new(1)));
    }
}
