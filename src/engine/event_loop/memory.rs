//! The received bytes that the connections of one worker hold, except for the small part that each
//! may always hold. See [`ReceivedBytes`].

use std::collections::HashMap;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::engine::event_loop::sessions::SlotState;
use crate::engine::event_loop::unread::UnreadConnections;
use crate::engine::event_loop::{EventLoop, READ_SIZE};
use crate::engine::index::{ConnId, SessionId};
use crate::engine::limits::memory::ReceivedBytes;
use crate::plan::{ProbeSpec, layer};

/// How often connections are checked that wait for memory of other workers.
const RECHECK_INTERVAL: Duration = Duration::from_millis(5);
/// Bytes that a byte takes at most if it is decoded: itself and three of UTF-8.
const DECODED: usize = 4;

/// The counted memory of one worker.
#[derive(Default)]
pub(in crate::engine) struct ReceiveMemory {
    counted: HashMap<ConnId, Counted, RandomState>,
    /// Connections that wait for memory before they continue to read.
    pub waiters: UnreadConnections,
    /// Since when they wait; the part of the wait by which the clocks of their sessions were
    /// already shifted is not included.
    since: HashMap<ConnId, Instant, RandomState>,
}

impl ReceiveMemory {
    /// Whether all that this connection may ever hold is reserved.
    pub fn is_all_reserved(&self, id: ConnId) -> bool {
        self.counted.get(&id).is_some_and(|counted| counted.is_all)
    }
}

/// What is counted for a connection.
#[derive(Clone, Copy, Default)]
struct Counted {
    bytes: usize,
    /// Whether it is all that the connection may ever hold.
    is_all: bool,
}

impl EventLoop<'_, '_> {
    /// How many bytes this connection may receive now. If this is 0, it waits for memory.
    pub(in crate::engine) fn may_receive(&mut self, id: ConnId, now: Instant) -> usize {
        let received = &self.worker.shared.received;
        if received.has_plenty(READ_SIZE) {
            return READ_SIZE;
        }
        let counted = self.memory.counted.get(&id).copied().unwrap_or_default();
        if counted.is_all {
            return READ_SIZE;
        }
        let Some((held, most)) = self.held(id) else {
            return READ_SIZE;
        };
        if held < received.small {
            return READ_SIZE.min(received.small - held);
        }
        let all = Counted {
            bytes: most.max(counted.bytes),
            is_all: true,
        };
        if received.reserve(all.bytes - counted.bytes) {
            self.memory.counted.insert(id, all);
            return READ_SIZE;
        }
        self.memory.waiters.push_back(id);
        self.memory.since.insert(id, now);
        0
    }

    /// Counts what this connection holds after it has received something.
    pub(in crate::engine) fn count_received(&mut self, id: ConnId) {
        let received = &self.worker.shared.received;
        let held = self.held(id).map_or(0, |(held, _)| held);
        if held <= received.small {
            self.release_received(id);
            return;
        }
        let counted = self.memory.counted.entry(id).or_default();
        if held > counted.bytes {
            received.add(held - counted.bytes);
            counted.bytes = held;
        }
    }

    /// This connection holds nothing any more, and waits for nothing.
    pub(in crate::engine) fn release_received(&mut self, id: ConnId) {
        if self.memory.since.remove(&id).is_some() {
            self.memory.waiters.remove(id);
        }
        if self.memory.counted.is_empty() {
            return;
        }
        if let Some(counted) = self.memory.counted.remove(&id) {
            self.worker.shared.received.release(counted.bytes);
        }
    }

    /// Lets connections continue to read for which there is memory again.
    pub(in crate::engine) fn continue_waiting_for_memory(&mut self, now: Instant) {
        let received = &self.worker.shared.received;
        let mut given = 0;
        while let Some(id) = self.memory.waiters.front() {
            let most = self.held(id).map_or(0, |(_, most)| most);
            if !received.has_plenty(given + READ_SIZE) && !received.has_space(given + most) {
                return;
            }
            given += most;
            self.memory.waiters.pop_front();
            self.take_out_wait(id, now);
            self.memory.since.remove(&id);
            self.connections.unread.push_back(id);
        }
    }

    /// When to check again for memory: its release by other workers causes no event.
    pub(in crate::engine) fn next_memory_check(&self, now: Instant) -> Option<Instant> {
        let is_shared = self.worker.workers > 1;
        (is_shared && !self.memory.waiters.is_empty()).then(|| now + RECHECK_INTERVAL)
    }

    /// Shifts the clock of the session by the time that this connection has waited, because it
    /// waited for a limit of the run. False if the session has other connections, whose time
    /// continues.
    fn take_out_wait(&mut self, id: ConnId, now: Instant) -> bool {
        let Some(since) = self.memory.since.get_mut(&id) else {
            return false;
        };
        let waited = now.saturating_duration_since(*since);
        *since = now;
        let Some(connection) = self.connections.get(id) else {
            return false;
        };
        let (session, attempt) = connection.owner();
        let Some(slot) = self.sessions.get_mut(session) else {
            return false;
        };
        let is_shifted = slot.session.shift_attempt(attempt, waited);
        let (is_running, next_wake) = (slot.state == SlotState::Running, slot.session.next_wake());
        if is_shifted && is_running {
            self.sessions.timers.set(session, next_wake);
        }
        is_shifted
    }

    /// If this session is due only because it waits for memory, shifts its clock by the wait. True
    /// if it is no longer due then.
    pub(in crate::engine) fn is_due_for_lack_of_memory(
        &mut self,
        id: SessionId,
        now: Instant,
    ) -> bool {
        if !self.waits_for_memory(id) {
            return false;
        }
        let connections = self
            .sessions
            .get(id)
            .map(|slot| slot.connections.all())
            .unwrap_or_default();
        for connection in connections {
            self.take_out_wait(connection, now);
        }
        self.sessions
            .get(id)
            .is_some_and(|slot| slot.session.next_wake() > now)
    }

    /// Whether a connection of this session waits for memory.
    pub(in crate::engine) fn waits_for_memory(&self, id: SessionId) -> bool {
        !self.memory.waiters.is_empty()
            && self.sessions.get(id).is_some_and(|slot| {
                let connections = slot.connections.all();
                connections
                    .into_iter()
                    .any(|connection| self.memory.waiters.contains(connection))
            })
    }

    /// How many bytes this connection holds, and the most that it may ever hold.
    fn held(&self, id: ConnId) -> Option<(usize, usize)> {
        let connection = self.connections.get(id)?;
        let (session, attempt) = connection.owner();
        let session = &self.sessions.get(session)?.session;
        let (held, most) = (session.held(attempt)?, most_held(&session.plan().spec));
        Some(match connection.layer() {
            Some(layer) => (held + layer.held(), most + layer::MAX_HELD),
            None => (held, most),
        })
    }
}

/// The most bytes that a connection of this probe holds.
fn most_held(spec: &ProbeSpec) -> usize {
    let each = if spec.charset.is_utf8() { 1 } else { DECODED };
    (spec.max_bytes + READ_SIZE)
        .saturating_mul(each)
        .min(ReceivedBytes::MAX_RESERVED)
}
