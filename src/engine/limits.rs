//! What a run may use of this machine, of the network and of the targets.

pub(super) mod capacity;
pub(super) mod rate;
pub(super) mod shared;

use std::num::{NonZeroU32, NonZeroUsize};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What a run may use; [`Limits::one`] or [`Limits::in_flight`], and then the fields that differ.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// How many probes are under way at once, over all threads.
    pub in_flight: NonZeroUsize,
    /// How many connections one address has at once, over all threads. Who waits for it keeps nobody else waiting.
    pub per_address: Option<NonZeroUsize>,
    /// How many connects begin in a second, evenly spaced, over all threads.
    pub rate: Option<NonZeroU32>,
    /// When the run ends, from its start: what is under way then ends with the status of its phase, what never began
    /// is reported [`NotTried`](crate::failure::Status::NotTried).
    pub deadline: Option<Duration>,
    /// As if the deadline had come, once this descriptor can be read; nothing is read from it.
    pub stop: Option<BorrowedFd<'a>>,
    /// How many threads probe, each with descriptors of its own where the system allows it; one is the caller's own.
    pub threads: NonZeroUsize,
    /// How many more begin, one by one, when those before them have no room left.
    pub spares: usize,
}

impl Limits<'_> {
    /// One probe after the other.
    pub fn one() -> Self {
        Self::in_flight(NonZeroUsize::MIN)
    }

    /// So many probes at once, and no other limit.
    pub fn in_flight(in_flight: NonZeroUsize) -> Self {
        let threads = NonZeroUsize::MIN;
        Self {
            in_flight,
            per_address: None,
            rate: None,
            deadline: None,
            stop: None,
            threads,
            spares: 0,
        }
    }
}
