//! The pace of connects: so many in a second, evenly spaced.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How much of a delay is made up for: the loop sleeps in whole milliseconds, and other work may hold it up.
const MAKE_UP: Duration = Duration::from_millis(3);

/// When connects may begin. In any time `t` at most `1 + rate * (t + 3 ms)` do.
#[derive(Debug)]
pub(in crate::engine) struct RateLimiter {
    interval: Duration,
    next: Option<Instant>,
}

impl RateLimiter {
    /// So many in a second.
    pub fn new(rate: NonZeroU32) -> Self {
        Self {
            interval: Duration::from_secs(1) / rate.get(),
            next: None,
        }
    }

    /// The moment to wait for; `None` when one may begin now.
    pub fn wait(&self, now: Instant) -> Option<Instant> {
        self.next.filter(|next| *next > now)
    }

    /// One begins.
    pub fn begin(&mut self, now: Instant) {
        let due = self.next.map_or(now, |next| {
            next.max(now.checked_sub(MAKE_UP).unwrap_or(next))
        });
        self.next = Some(due + self.interval);
    }

    /// The one that began last did not begin after all.
    pub fn take_back(&mut self) {
        self.next = self.next.and_then(|next| next.checked_sub(self.interval));
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    /// Goes through ten seconds of a loop that looks at these moments, in microseconds; when connects began.
    fn begun(rate: u32, looks: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut pace = RateLimiter::new(NonZeroU32::new(rate).unwrap());
        let start = Instant::now();
        let mut begun = Vec::new();
        for micros in looks {
            let now = start + Duration::from_micros(micros);
            while pace.wait(now).is_none() && begun.len() < 100_000 {
                pace.begin(now);
                begun.push(micros);
            }
        }
        begun
    }

    #[test]
    fn they_are_evenly_spaced() {
        let all = begun(1000, 0..100_000);
        assert_eq!(all.len(), 100);
        assert!(
            all.windows(2).all(|pair| pair[1] - pair[0] == 1000),
            "{all:?}"
        );
    }

    #[test]
    fn a_loop_of_whole_milliseconds_keeps_the_rate() {
        let all = begun(2500, (0..10_000).map(|ms| ms * 1000));
        assert!((24_990..=25_003).contains(&all.len()), "{}", all.len());
    }

    #[test]
    fn a_long_delay_is_not_made_up_for() {
        let all = begun(1000, (0..50_000).chain(5_000_000..5_050_000));
        let after = all
            .iter()
            .filter(|at| (5_000_000..5_001_000).contains(*at))
            .count();
        assert!((1..=5).contains(&after), "{after} at once");
    }

    #[test]
    fn what_did_not_begin_costs_no_time() {
        let (mut pace, start) = (
            RateLimiter::new(NonZeroU32::new(10).unwrap()),
            Instant::now(),
        );
        let at = |ms| start + Duration::from_millis(ms);
        pace.begin(at(0));
        pace.begin(at(100));
        pace.take_back();
        assert_eq!(
            (pace.wait(at(99)), pace.wait(at(100))),
            (Some(at(100)), None)
        );
        pace.begin(at(100));
        assert_eq!(pace.wait(at(199)), Some(at(200)));
    }

    #[test]
    fn extreme_rates() {
        assert_eq!(begun(1, (0..10).map(|second| second * 1_000_000)).len(), 10);
        assert_eq!(begun(u32::MAX, 0..1).len(), 100_000);
    }
}
