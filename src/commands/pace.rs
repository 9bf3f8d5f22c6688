//! What a run of many probes may use: what was asked for, else what this machine has.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::engine::{Limits, sys};
use crate::settings::batch::Bounds;

/// Descriptors that are not for probes: the three of every program, the signals', the loops' and the resolver's.
const RESERVED: u64 = 64;
/// What soft limits usually are, where the system does not say.
const USUAL: u64 = 1024;

/// The limits of a run, so much of whose time is over, and the sentence that explains the number of probes at once.
pub fn limits(bounds: &Bounds, spent: Duration) -> (Limits<'static>, String) {
    let threads = bounds.threads.unwrap_or(NonZeroUsize::MIN);
    let (in_flight, why) = match bounds.concurrency {
        Some(asked) => (asked, format!("at most {asked} probes at once, as --concurrency says")),
        None => descriptors(threads),
    };
    let limits = Limits {
        per_address: bounds.per_host,
        rate: bounds.rate,
        deadline: Some(bounds.deadline.saturating_sub(spent)),
        threads,
        ..Limits::in_flight(in_flight)
    };
    (limits, why)
}

/// As many as there are descriptors. Ports are no limit: the kernel shares them between destinations, and each of those
/// has few probes at once.
fn descriptors(threads: NonZeroUsize) -> (NonZeroUsize, String) {
    let limit = sys::raise_descriptor_limit().unwrap_or(USUAL);
    let room = limit.saturating_sub(RESERVED).max(limit / 2);
    let room = usize::try_from(room).unwrap_or(usize::MAX).saturating_mul(threads.get());
    let why = format!(
        "at most {room} probes at once: so many does the limit of {limit} descriptors allow (--concurrency sets another number)"
    );
    (NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN), why)
}
