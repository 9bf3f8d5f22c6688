//! One open connection, as the loop keeps it.

use crate::engine::inline_vec::InlineVec;
use crate::engine::session::action::AttemptId;
use crate::engine::stream::Wire;

/// A connection and whose it is.
pub(in crate::engine) struct Connection {
    /// The bytes.
    pub wire: Wire,
    /// How far it is.
    pub phase: Phase,
    /// What is still to be sent; most connections send nothing.
    pub output: Option<Box<Output>>,
    /// The place of its session: never as many are under way as half the size has no room for.
    place: u32,
    attempt: AttemptId,
}

impl Connection {
    /// Nobody's yet.
    pub fn idle(wire: Wire) -> Self {
        Self {
            wire,
            phase: Phase::Idle,
            output: None,
            place: u32::MAX,
            attempt: AttemptId::new(0),
        }
    }

    /// Its SYN left, for this attempt of the session in this place.
    pub fn begin(&mut self, place: usize, attempt: AttemptId) {
        (self.place, self.attempt, self.phase) = (place as u32, attempt, Phase::Connecting);
    }

    /// The place of its session, and which attempt of it it is.
    pub fn owner(&self) -> (usize, AttemptId) {
        (self.place as usize, self.attempt)
    }
}

/// What is still to be sent.
pub(in crate::engine) struct Output {
    /// The bytes; at least one.
    pub bytes: Vec<u8>,
    /// What follows them.
    pub then: Then,
}

/// What follows the last byte that is to be sent.
#[derive(PartialEq, Eq)]
pub(in crate::engine) enum Then {
    /// Perhaps more.
    Nothing,
    /// Our FIN.
    Shutdown,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Phase {
    /// The SYN left.
    Connecting,
    /// The handshake completed.
    Open,
    /// It is over, and its socket waits for its close or for another connect.
    Idle,
}

/// The numbers of a session's connections, by attempt.
#[derive(Default)]
pub(in crate::engine) struct Numbers(InlineVec<Option<u32>>);

impl Numbers {
    /// The connection of this attempt, while it is open.
    pub fn of(&self, attempt: AttemptId) -> Option<usize> {
        (*self.0.as_slice().get(attempt.index())?).map(|number| number as usize)
    }

    /// Every connection that is open.
    pub fn all(&self) -> Vec<usize> {
        self.0
            .as_slice()
            .iter()
            .flatten()
            .map(|number| *number as usize)
            .collect()
    }

    /// This attempt has this connection now.
    pub fn put(&mut self, attempt: AttemptId, number: usize) {
        while self.0.as_slice().len() <= attempt.index() {
            self.0.push(None);
        }
        if let Some(slot) = self.0.as_mut_slice().get_mut(attempt.index()) {
            *slot = Some(number as u32);
        }
    }

    /// This attempt's connection is to be closed.
    pub fn take(&mut self, attempt: AttemptId) -> Option<usize> {
        self.0
            .as_mut_slice()
            .get_mut(attempt.index())?
            .take()
            .map(|number| number as usize)
    }
}
