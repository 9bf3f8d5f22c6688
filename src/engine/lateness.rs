//! When this process was late: stopped by a signal or a freezer, or without CPU time.
//!
//! A delay of this process must not make a target down. The data in the kernel is read before
//! anything expires, so a peer that answered in time is up, and a peer that never answered is down.
//! The remaining case is a probe that had to send something and was late with it: its peer had less
//! time than the plan allows. The session counts these delays, and if they are long, its result is
//! unknown.

use std::time::Duration;

/// Shorter delays are not counted: the kernel's own times of arrival are exact to one tick (up to
/// 10 ms).
pub const MIN_DELAY: Duration = Duration::from_millis(20);

/// A shorter delay than this does not make a result unknown.
const MUCH: Duration = Duration::from_millis(50);

/// The cause, for error texts.
pub const CAUSE: &str =
    "this process was stopped or had no CPU time, and could not continue before the deadline";

/// Whether the delay is so long that silence says nothing about the peer: half of the time limit.
/// So a peer that needs less than half of its time limit is never reported as down because of a
/// delay, and a busy machine still reports peers that are down.
pub fn is_much(delay: Duration, limit: Duration) -> bool {
    delay >= MUCH && delay.saturating_mul(2) >= limit
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
