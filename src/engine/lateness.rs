//! When this process was late: stopped by a signal or a freezer, or without processor time.
//!
//! A peer must not be called down for what only we missed. What the kernel holds is collected
//! before anything expires, so a peer that answered in time is up, and one that never answered is
//! down. In between is the probe that had to send something and was late with it: its peer did not
//! have the time that the plan allows. It counts how late it was, and if that is much its result is
//! unknown.

use std::time::Duration;

/// Shorter delays are not counted: the kernel's own times of arrival are exact to one tick (up to
/// 10 ms).
pub const MIN_DELAY: Duration = Duration::from_millis(20);

/// Less lost time than this does not make a result unknown.
const MUCH: Duration = Duration::from_millis(50);

/// The cause, for error texts.
pub const CAUSE: &str =
    "this process was stopped or had no CPU time, and could not continue before the deadline";

/// Whether this much lost time is so much of the time limit that silence says nothing about the
/// peer: half of it. A peer that needs less than half of its time limit is never called down then,
/// and one that is down is still reported by a busy machine.
pub fn is_much(lost: Duration, limit: Duration) -> bool {
    lost >= MUCH && lost.saturating_mul(2) >= limit
}

/// The delay if it counts, else zero.
pub fn counted(delay: Duration) -> Duration {
    if delay >= MIN_DELAY {
        delay
    } else {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_time_limit_is_much() {
        let ms = Duration::from_millis;
        assert!(is_much(ms(1250), ms(2500)));
        assert!(!is_much(ms(1249), ms(2500)));
        assert!(!is_much(ms(49), ms(90)));
        assert!(!is_much(Duration::ZERO, Duration::ZERO));
        assert!(is_much(Duration::MAX, ms(2500)));
        assert_eq!(counted(ms(19)), Duration::ZERO);
        assert_eq!(counted(ms(20)), ms(20));
    }
}
