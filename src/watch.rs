//! The model of `watch`: the state of targets over a long series of probes.
//!
//! It is pure: it does no I/O and reads no clock. Each probe becomes a [`sample::Sample`], in the
//! order of the starts ([`order`]), and the model answers what an operator asks: which target failed
//! first and since when, the [outages](outage), the loss over the last minute, ten minutes and all
//! ([`window`]), the distribution of times ([`histogram`]), and when address or certificate changed.
//!
//! # What counts
//!
//! * A probe is up, down or unknown. Unknown are the statuses that do not show the state of the
//!   target ([`Status::is_unknown`](crate::failure::Status::is_unknown)), a failure of a probe during
//!   which this machine was suspended, and a failure shortly after that, while the network of this
//!   machine is not back yet. An unknown probe starts no outage, ends none and is no loss.
//! * Durations come from the monotonic clock and from the time that this machine was suspended
//!   (`clock_gettime(2)`: `CLOCK_BOOTTIME` minus `CLOCK_MONOTONIC`). The time of day is only shown: a
//!   clock that is set changes no duration and causes no outage.
//! * Memory is bounded, however long a run is: counts, buckets, and lists with a maximum length.

pub mod histogram;
pub mod idle;
pub mod model;
pub mod moment;
pub mod order;
pub mod outage;
pub mod sample;
pub mod series;
pub mod target;
pub mod window;
