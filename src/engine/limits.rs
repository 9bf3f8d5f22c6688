//! What a run may use of this machine, the network and the targets.

pub(super) mod capacity;
pub(super) mod memory;
pub(super) mod rate;
pub(super) mod shared;
mod traces;

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The limits of a run; start from [`Limits::one`] or [`Limits::in_flight`].
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// Most probes in flight at once, over all threads.
    pub in_flight: NonZeroUsize,
    /// Most connections to one address at once, over all threads. Probes that wait for an address
    /// do not delay probes of other addresses.
    pub per_address: Option<NonZeroUsize>,
    /// Rate limit: connects per second, evenly spaced, over all threads.
    pub rate: Option<NonZeroU32>,
    /// Most targets whose path is traced, spread over their networks.
    pub traces: Option<NonZeroUsize>,
    /// Time from the start of the run to its end. Plans that were not started then, and probes in
    /// flight whose own timeout is not over, are reported
    /// [`NotTried`](crate::failure::Status::NotTried).
    pub deadline: Option<Duration>,
    /// Ends the run like the deadline once this descriptor is readable; nothing is read from it.
    pub stop: Option<BorrowedFd<'a>>,
    /// Probing threads, each with its own descriptor table where the system allows it. A single
    /// thread is the caller's own.
    pub threads: NonZeroUsize,
    /// Additional threads that start one by one when those before them are full.
    pub standby_threads: usize,
}

/// The limit of a run because of which a plan had not started when the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// [`Limits::in_flight`].
    InFlight(NonZeroUsize),
    /// [`Limits::per_address`].
    PerAddress(NonZeroUsize),
    /// [`Limits::rate`].
    Rate(NonZeroU32),
    /// How many names are looked up at once.
    Lookups,
}

impl fmt::Display for Bound {
    /// For example `--per-host 16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight(most) => write!(f, "--concurrency {most}"),
            Self::PerAddress(most) => write!(f, "--per-host {most}"),
            Self::Rate(rate) => write!(f, "--rate {rate}"),
            Self::Lookups => f.write_str("lookups of other names were in progress"),
        }
    }
}

impl Limits<'_> {
    /// One probe at a time.
    pub fn one() -> Self {
        Self::in_flight(NonZeroUsize::MIN)
    }

    /// This many probes at once, and no other limit.
    pub fn in_flight(in_flight: NonZeroUsize) -> Self {
        let threads = NonZeroUsize::MIN;
        Self {
            in_flight,
            per_address: None,
            rate: None,
            traces: None,
            deadline: None,
            stop: None,
            threads,
            standby_threads: 0,
        }
    }
}
