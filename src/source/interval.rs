//! One plan, repeated at a fixed interval.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::source::{Next, Source};

/// Gives a plan at once and then after each interval, without an end: the run's deadline or its
/// `stop` descriptor ends it.
///
/// The times are multiples of the interval after the first one, so delays do not add up. Intervals
/// that were missed, for example while the machine was suspended, are skipped.
#[derive(Debug)]
pub struct Interval {
    plan: Arc<Plan>,
    every: Duration,
    next: Option<Instant>,
}

impl Interval {
    /// The shortest interval.
    pub const SHORTEST: Duration = Duration::from_millis(1);
    /// The longest interval: a year.
    pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// Gives this plan at this interval; an interval outside [`Interval::SHORTEST`] to
    /// [`Interval::LONGEST`] is changed to the nearer limit.
    pub fn new(plan: Arc<Plan>, interval: Duration) -> Self {
        Self {
            plan,
            every: interval.clamp(Self::SHORTEST, Self::LONGEST),
            next: None,
        }
    }
}

impl Source for Interval {
    fn next(&mut self, now: Instant) -> Next {
        let due = self.next.unwrap_or(now);
        if due > now {
            return Next::At(due);
        }
        let late = now.duration_since(due).as_nanos() % self.every.as_nanos();
        // Less than the interval, which is at most a year, so it fits.
        let late = Duration::from_nanos(u64::try_from(late).unwrap_or(0));
        self.next = Some(now + self.every.saturating_sub(late));
        Next::Plan(Arc::clone(&self.plan))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use crate::source::tests::plan;

    /// Asks at these times, in milliseconds; the times of the plans, and the last time that it
    /// returned.
    fn ask(interval: u64, times: impl IntoIterator<Item = u64>) -> (Vec<u64>, u64) {
        let start = Instant::now();
        let mut source = Interval::new(plan(0), Duration::from_millis(interval));
        let (mut given, mut next) = (Vec::new(), 0);
        for ms in times {
            match source.next(start + Duration::from_millis(ms)) {
                Next::Plan(_) => given.push(ms),
                Next::At(at) => next = u64::try_from((at - start).as_millis()).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        (given, next)
    }

    #[test]
    fn plans_are_due_at_multiples_of_the_interval() {
        assert_eq!(ask(10, 0..35), (vec![0, 10, 20, 30], 40));
    }

    #[test]
    fn lateness_does_not_add_up() {
        assert_eq!(ask(10, [0, 13, 14, 20, 21, 39, 40]).0, [0, 13, 20, 39, 40]);
    }

    #[test]
    fn missed_intervals_are_skipped() {
        assert_eq!(ask(10, [0, 1000, 1001, 1009]), (vec![0, 1000], 1010));
    }

    #[test]
    fn no_interval_is_too_short_or_too_long() {
        assert_eq!(ask(0, [0, 0, 1, 1]), (vec![0, 1], 2));
        let (now, mut source) = (Instant::now(), Interval::new(plan(0), Duration::MAX));
        assert!(matches!(source.next(now), Next::Plan(_)));
        assert!(matches!(source.next(now), Next::At(at) if at == now + Interval::LONGEST));
    }
}
