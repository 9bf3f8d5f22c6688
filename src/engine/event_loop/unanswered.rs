//! SYNs that go unanswered. The limit per address bounds what a host has to serve at once, and a
//! host that does not answer serves nothing: after [`UNANSWERED_COUNTS`] such a SYN no longer
//! counts, so that filtered ports of an address do not keep its open ports waiting. It counts again
//! if the answer arrives later.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::{AddressSlot, ConnectionPhase};
use crate::engine::index::{SessionId, SessionKey};
use crate::engine::session::action::AttemptId;

/// How long an unanswered SYN counts as a connection to its address.
pub const UNANSWERED_COUNTS: Duration = Duration::from_millis(200);

/// The connects that count for their address, by the time until which they do so unanswered. Unused
/// without a limit per address.
#[derive(Default)]
pub(in crate::engine) struct UnansweredConnects(VecDeque<UnansweredSyn>);

/// A SYN, and until when it counts.
struct UnansweredSyn {
    due: Instant,
    session: SessionKey,
    attempt: AttemptId,
    /// Its number, if it is one of a trace.
    limited: Option<NonZeroU16>,
}

impl UnansweredConnects {
    /// The SYN of this attempt, or of its trace, was sent at this time, which is not before that of
    /// any other.
    pub fn push(
        &mut self,
        session: SessionKey,
        attempt: AttemptId,
        limited: Option<NonZeroU16>,
        sent: Instant,
    ) {
        self.0.push_back(UnansweredSyn {
            due: sent + UNANSWERED_COUNTS,
            session,
            attempt,
            limited,
        });
    }

    /// When the first of them no longer counts.
    pub fn next(&self) -> Option<Instant> {
        self.0.front().map(|syn| syn.due)
    }

    fn pop_due(&mut self, now: Instant) -> Option<UnansweredSyn> {
        self.next().filter(|due| *due <= now)?;
        self.0.pop_front()
    }
}

impl EventLoop<'_, '_> {
    /// Releases the address slots of connects that are unanswered for too long.
    pub(in crate::engine) fn release_unanswered(&mut self, now: Instant) {
        while let Some(syn) = self.unanswered.pop_due(now) {
            let (session, attempt) = (syn.session, syn.attempt);
            let Some(slot) = self.sessions.by_key(session) else {
                continue;
            };
            let connection = match syn.limited {
                None => slot.connections.of(attempt),
                Some(number) => self.traces.of(session.id, attempt, number),
            };
            let remote = slot.session.remote(attempt);
            let connection = connection.and_then(|id| self.connections.get_mut(id));
            if let (Some(connection), Some(remote)) = (connection, remote) {
                if connection.phase == ConnectionPhase::Connecting
                    && connection.address_slot == AddressSlot::Held
                {
                    connection.address_slot = AddressSlot::Released;
                    self.worker.shared.release(remote.ip());
                    self.wake_waiter(remote.ip());
                }
            }
        }
    }

    /// When [`EventLoop::release_unanswered`] has something to do that something waits for.
    pub(in crate::engine) fn next_release(&self) -> Option<Instant> {
        let has_waiters = self.pending.has_address_waiters() || self.worker.workers > 1;
        self.unanswered.next().filter(|_| has_waiters)
    }

    /// The connect of this attempt was answered: if its slot was released, it counts again.
    pub(in crate::engine) fn count_answered(&mut self, id: SessionId, attempt: AttemptId) {
        let Some(slot) = self.sessions.get(id) else {
            return;
        };
        let (connection, remote) = (slot.connections.of(attempt), slot.session.remote(attempt));
        let connection = connection.and_then(|id| self.connections.get_mut(id));
        if let (Some(connection), Some(remote)) = (connection, remote) {
            if connection.address_slot == AddressSlot::Released {
                connection.address_slot = AddressSlot::Held;
                self.worker.shared.count(remote.ip());
            }
        }
    }
}
