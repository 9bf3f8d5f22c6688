//! One open connection, as the loop keeps it.

use std::time::Instant;

use super::session::AttemptId;
use super::wire::Wire;

/// A connection and whose it is.
pub(super) struct Connection {
    /// The bytes.
    pub wire: Wire,
    /// The place of its session.
    pub owner: usize,
    /// Which attempt of the session it is.
    pub attempt: AttemptId,
    /// How far it is.
    pub phase: Phase,
    /// What is still to be sent.
    pub output: Vec<u8>,
    /// What follows it.
    pub then: Then,
}

/// What follows the last byte that is to be sent.
#[derive(PartialEq, Eq)]
pub(super) enum Then {
    /// Perhaps more.
    Nothing,
    /// Our FIN.
    Shutdown,
}

/// How far it is.
pub(super) enum Phase {
    /// The SYN left at this moment.
    Connecting(Instant),
    /// The handshake completed.
    Open,
    /// It is over, and its socket waits for another connect.
    Idle,
}
