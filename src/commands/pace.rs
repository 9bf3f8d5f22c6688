//! What a run of many probes may use: what was asked for, else what this machine has.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::engine::{Limits, Room};
use crate::settings::batch::Bounds;

/// The limits of a run, so much of whose time is over, and the sentence that explains the number of probes at once.
pub fn limits(bounds: &Bounds, spent: Duration) -> (Limits<'static>, String) {
    let threads = bounds.threads.unwrap_or(NonZeroUsize::MIN);
    let (in_flight, why) = match bounds.concurrency {
        Some(asked) => (asked, format!("at most {asked} probes at once, as --concurrency says")),
        None => room(bounds, threads),
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

/// As many as this machine has room for.
fn room(bounds: &Bounds, threads: NonZeroUsize) -> (NonZeroUsize, String) {
    let room = Room::of_this_machine();
    let in_flight = match bounds.per_host {
        Some(_) => room.in_flight(threads),
        None => room.to_one_target(threads),
    };
    let why = format!("at most {in_flight} probes at once: there are {room} (--concurrency sets another number)");
    (in_flight, why)
}
