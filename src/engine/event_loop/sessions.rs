//! The session table of one worker.

use std::time::Instant;

use slab::Slab;

use crate::engine::event_loop::connection::AttemptConnections;
use crate::engine::index::{SessionId, SessionKey};
use crate::engine::session::Session;
use crate::engine::timers::Timers;

/// The sessions that have started and are not reported yet, and their timers.
pub(in crate::engine) struct Sessions {
    slots: Slab<SessionSlot>,
    /// When each running session must be woken.
    pub timers: Timers,
    /// Sessions to report at the end of the turn.
    pub finished: Vec<SessionId>,
    /// The serial number of the last session.
    serial: u32,
}

/// A session and what the loop knows of it.
pub(in crate::engine) struct SessionSlot {
    /// The probe.
    pub session: Session,
    /// See [`SessionKey`].
    pub serial: u32,
    /// The connections of its attempts.
    pub connections: AttemptConnections,
    /// Whether its clock runs.
    pub state: SlotState,
}

/// Whether the clock of a session runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum SlotState {
    /// Its clock runs.
    Running,
    /// It waits for our own limits only, and its clock is stopped.
    Parked,
    /// Its report is handed over at the end of the turn.
    Finished,
}

impl Sessions {
    /// An empty table with capacity for this many sessions; no timer is before `now`.
    pub fn new(capacity: usize, now: Instant) -> Self {
        Self {
            slots: Slab::with_capacity(capacity),
            timers: Timers::new(now),
            finished: Vec::new(),
            serial: 0,
        }
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a running session.
    pub fn insert(&mut self, session: Session) -> SessionId {
        self.serial = self.serial.wrapping_add(1);
        SessionId::new(self.slots.insert(SessionSlot {
            session,
            serial: self.serial,
            connections: AttemptConnections::default(),
            state: SlotState::Running,
        }))
    }

    /// The session with this index.
    pub fn get(&self, id: SessionId) -> Option<&SessionSlot> {
        self.slots.get(id.index())
    }

    /// The session with this index.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut SessionSlot> {
        self.slots.get_mut(id.index())
    }

    /// The session with this key; `None` if it is gone, also when another one has its index.
    pub fn by_key(&self, key: SessionKey) -> Option<&SessionSlot> {
        self.get(key.id).filter(|slot| slot.serial == key.serial)
    }

    /// Removes a session.
    pub fn remove(&mut self, id: SessionId) -> Option<SessionSlot> {
        self.slots.try_remove(id.index())
    }

    /// The indices of all sessions.
    pub fn ids(&self) -> Vec<SessionId> {
        self.slots
            .iter()
            .map(|(index, _)| SessionId::new(index))
            .collect()
    }

    /// All sessions.
    pub fn iter(&self) -> impl Iterator<Item = &SessionSlot> {
        self.slots.iter().map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event_loop::connection::Connection;

    /// Laid out like a slot of a slab.
    #[allow(dead_code)]
    enum Slot<T> {
        Vacant(usize),
        Occupied(T),
    }

    #[test]
    fn slots_are_small_enough_for_thousands() {
        let sizes = [
            size_of::<Slot<SessionSlot>>(),
            size_of::<Slot<Connection>>(),
        ];
        assert!(sizes[0] <= 120 && sizes[1] <= 40, "{sizes:?}");
    }
}
