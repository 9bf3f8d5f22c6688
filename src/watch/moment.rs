//! Points in time of a run.

use std::time::Duration;

/// A point in time, on the three clocks that matter to a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since the start of the run, without the time that this machine was suspended.
    pub running: Duration,
    /// How long this machine has been suspended since the start of the run.
    pub suspended: Duration,
    /// The time of day: microseconds since 1970 (UTC). It may be set at any time, so it is only
    /// shown.
    pub wall: i64,
}

impl Moment {
    /// The time since the start of the run, including the time that this machine was suspended.
    pub fn since_start(&self) -> Duration {
        self.running + self.suspended
    }

    /// The time since an earlier moment, including the time that this machine was suspended.
    pub fn since(&self, earlier: &Self) -> Duration {
        self.since_start().saturating_sub(earlier.since_start())
    }

    /// How long this machine was suspended since an earlier moment.
    pub fn suspended_since(&self, earlier: &Self) -> Duration {
        self.suspended.saturating_sub(earlier.suspended)
    }

    /// By how many microseconds the time of day was set since an earlier moment; negative if it was
    /// set back.
    pub fn clock_step_since(&self, earlier: &Self) -> i64 {
        let shown = self.wall.saturating_sub(earlier.wall);
        let passed = i64::try_from(self.since(earlier).as_micros()).unwrap_or(i64::MAX);
        shown.saturating_sub(passed)
    }

    /// The moment this much later, if the machine runs and its clock is not set.
    pub fn after(&self, time: Duration) -> Self {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Self {
            running: self.running.saturating_add(time),
            suspended: self.suspended,
            wall: self.wall.saturating_add(micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_counts_and_a_clock_step_does_not() {
        let start = Moment {
            running: Duration::from_secs(5),
            suspended: Duration::ZERO,
            wall: 1_000_000,
        };
        let later = start.after(Duration::from_secs(2));
        assert_eq!(later.since(&start), Duration::from_secs(2));
        assert_eq!(later.clock_step_since(&start), 0);
        let resumed = Moment {
            suspended: Duration::from_secs(60),
            wall: later.wall + 60_000_000,
            ..later
        };
        assert_eq!(resumed.since(&start), Duration::from_secs(62));
        assert_eq!(resumed.suspended_since(&start), Duration::from_secs(60));
        assert_eq!(resumed.clock_step_since(&start), 0);
        for step in [-3_600_000_000, 3_600_000_000, i64::MIN / 2, i64::MAX / 2] {
            let set = Moment {
                wall: later.wall + step,
                ..later
            };
            assert_eq!(set.since(&start), Duration::from_secs(2));
            assert_eq!(set.clock_step_since(&start), step);
        }
    }
}
