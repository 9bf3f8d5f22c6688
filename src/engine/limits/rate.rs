//! The rate limiter: connects per second, evenly spaced.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How much lateness is compensated: the loop sleeps in whole milliseconds, and other work may
/// delay it.
const CATCH_UP: Duration = Duration::from_millis(3);

/// Allows at most `1 + rate * (t + 3 ms)` connects in any time `t`.
#[derive(Debug)]
pub(in crate::engine) struct RateLimiter {
    interval: Duration,
    next: Option<Instant>,
}

impl RateLimiter {
    /// Allows this many connects per second.
    pub fn new(rate: NonZeroU32) -> Self {
        Self {
            interval: Duration::from_secs(1) / rate.get(),
            next: None,
        }
    }

    /// The earliest time of the next connect; `None` if one is allowed now.
    pub fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.next.filter(|next| *next > now)
    }

    /// Takes a token: a connect starts now.
    pub fn take(&mut self, now: Instant) {
        let due = self.next.map_or(now, |next| {
            next.max(now.checked_sub(CATCH_UP).unwrap_or(next))
        });
        self.next = Some(due + self.interval);
    }

    /// Returns the last token: its connect could not start.
    pub fn refund(&mut self) {
        self.next = self.next.and_then(|next| next.checked_sub(self.interval));
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    /// Simulates a loop that asks at these times, in microseconds; the times at which connects
    /// start.
    fn starts(rate: u32, asks: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut limiter = RateLimiter::new(NonZeroU32::new(rate).unwrap());
        let start = Instant::now();
        let mut starts = Vec::new();
        for micros in asks {
            let now = start + Duration::from_micros(micros);
            while limiter.wait_until(now).is_none() && starts.len() < 100_000 {
                limiter.take(now);
                starts.push(micros);
            }
        }
        starts
    }

    #[test]
    fn connects_are_evenly_spaced() {
        let all = starts(1000, 0..100_000);
        assert_eq!(all.len(), 100);
        assert!(
            all.windows(2).all(|pair| pair[1] - pair[0] == 1000),
            "{all:?}"
        );
    }

    #[test]
    fn a_loop_with_millisecond_sleeps_keeps_the_rate() {
        let all = starts(2500, (0..10_000).map(|ms| ms * 1000));
        assert!((24_990..=25_003).contains(&all.len()), "{}", all.len());
    }

    #[test]
    fn a_long_delay_is_not_made_up_for() {
        let all = starts(1000, (0..50_000).chain(5_000_000..5_050_000));
        let after = all
            .iter()
            .filter(|at| (5_000_000..5_001_000).contains(*at))
            .count();
        assert!((1..=5).contains(&after), "{after} at once");
    }

    #[test]
    fn a_refunded_token_costs_no_time() {
        let mut limiter = RateLimiter::new(NonZeroU32::new(10).unwrap());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        limiter.take(at(0));
        limiter.take(at(100));
        limiter.refund();
        assert_eq!(
            (limiter.wait_until(at(99)), limiter.wait_until(at(100))),
            (Some(at(100)), None)
        );
        limiter.take(at(100));
        assert_eq!(limiter.wait_until(at(199)), Some(at(200)));
    }

    #[test]
    fn extreme_rates() {
        assert_eq!(
            starts(1, (0..10).map(|second| second * 1_000_000)).len(),
            10
        );
        assert_eq!(starts(u32::MAX, 0..1).len(), 100_000);
    }
}
