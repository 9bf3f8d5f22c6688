//! The received bytes that a run holds, over all workers.
//!
//! A few bytes may be held for every probe, because most answers are short and none may wait behind
//! long ones. Whatever a probe holds beyond that is counted here. Up to [`SHARED`] bytes, every
//! probe may read. Beyond that, a probe continues to read only if the maximum that it can hold is
//! reserved for it: otherwise each of thousands could hold a part of a long answer, and none could
//! get the rest.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes that all probes hold beyond their [small](ReceivedBytes::small) parts.
const COUNTED: usize = 48 << 20;
/// Up to this many bytes are held without a reservation.
const SHARED: usize = 24 << 20;
/// Most bytes of all small parts.
const SMALL: usize = 16 << 20;
/// Most bytes of one small part.
const SMALL_EACH: usize = 4096;

/// Why a peer was not read in time, for error texts.
pub(in crate::engine) const CAUSE: &str = "the received data of this run reached the limit of 64 MiB, and the rest could not be read before the deadline";

/// The counted bytes of a run.
#[derive(Debug)]
pub(in crate::engine) struct ReceivedBytes {
    counted: AtomicUsize,
    /// Bytes that each probe may hold uncounted.
    pub small: usize,
}

impl ReceivedBytes {
    /// Most bytes that can be reserved at once.
    pub const MAX_RESERVED: usize = COUNTED;

    /// No counted bytes, for a run with this many probes in flight.
    pub fn new(in_flight: NonZeroUsize) -> Self {
        Self {
            counted: AtomicUsize::new(0),
            small: (SMALL / in_flight).clamp(64, SMALL_EACH),
        }
    }

    /// Whether this many more bytes may be received without a reservation.
    pub fn has_plenty(&self, more: usize) -> bool {
        self.counted.load(Ordering::Relaxed) + more <= SHARED
    }

    /// Whether this many bytes can be reserved.
    pub fn has_space(&self, bytes: usize) -> bool {
        self.counted.load(Ordering::Relaxed) + bytes <= COUNTED
    }

    /// Reserves this many bytes; false if fewer are left.
    pub fn reserve(&self, bytes: usize) -> bool {
        let add = |counted: usize| Some(counted + bytes).filter(|sum| *sum <= COUNTED);
        self.counted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    /// Counts this many bytes, which were received.
    pub fn add(&self, bytes: usize) {
        self.counted.fetch_add(bytes, Ordering::Relaxed);
    }

    /// This many bytes are no longer held, or reserved.
    pub fn release(&self, bytes: usize) {
        self.counted.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_small_parts_and_all_counted_bytes_are_64_mib() {
        for in_flight in [1, 100, 20_000, 1 << 16] {
            let bytes = ReceivedBytes::new(NonZeroUsize::new(in_flight).unwrap());
            assert!(bytes.small >= 64);
            assert!(bytes.small * in_flight + COUNTED <= 64 << 20);
        }
    }

    #[test]
    fn no_more_is_reserved_than_there_is() {
        let bytes = ReceivedBytes::new(NonZeroUsize::MIN);
        assert!(bytes.has_plenty(SHARED) && !bytes.has_plenty(SHARED + 1));
        assert!(bytes.reserve(SHARED) && !bytes.has_plenty(1));
        assert!(bytes.reserve(COUNTED - SHARED) && !bytes.reserve(1) && !bytes.has_space(1));
        bytes.release(5);
        assert!(bytes.has_space(5) && !bytes.has_space(6));
        assert!(!bytes.reserve(6) && bytes.reserve(5));
    }
}
