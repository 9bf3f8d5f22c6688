//! Percentiles of durations in constant memory.
//!
//! The buckets have a logarithmic scale. A value in microseconds below 64 has its own bucket; above,
//! each power of two is divided into 32 equal buckets. The middle of a bucket is at most 1/64 (1.6 %)
//! away from any value in it.

use std::time::Duration;

/// The buckets per power of two.
const STEPS: u64 = 32;
/// log2 of [`STEPS`].
const STEP_BITS: u32 = 5;
/// The longest duration that has a bucket of its own, in microseconds: 2^30, which is 18 minutes. No
/// probe takes longer than 10 minutes.
const LARGEST: u64 = 1 << 30;
/// The number of buckets.
const BUCKETS: usize = index_of(LARGEST) + 1;

/// The distribution of durations. It takes memory once it has a value.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: Vec<u32>,
    count: u64,
    min: Duration,
    max: Duration,
}

impl Histogram {
    /// Adds a duration.
    pub fn add(&mut self, value: Duration) {
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
            (self.min, self.max) = (value, value);
        }
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
        self.count += 1;
        if let Some(count) = self.counts.get_mut(index_of(micros(value))) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds all durations of another one.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
        self.count += other.count;
        for (count, added) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*added);
        }
    }

    /// Removes all durations; the memory is kept.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.count = 0;
        (self.min, self.max) = (Duration::MAX, Duration::ZERO);
    }

    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The shortest duration, exact; `None` without any.
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.min)
    }

    /// The longest duration, exact; `None` without any.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.max)
    }

    /// The duration that `percent` of all durations do not exceed (nearest rank), to 1.6 %; `None`
    /// without any.
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = (self.count * u64::from(percent.min(100)))
            .div_ceil(100)
            .max(1);
        let mut seen = 0;
        let index = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        })?;
        Some(Duration::from_micros(middle_of(index)).clamp(self.min, self.max))
    }

    /// The jitter: how far the 95th percentile is above the 5th; `None` without durations.
    pub fn jitter(&self) -> Option<Duration> {
        Some(self.percentile(95)?.saturating_sub(self.percentile(5)?))
    }
}

fn micros(value: Duration) -> u64 {
    u64::try_from(value.as_micros()).unwrap_or(u64::MAX)
}

/// The bucket of a value in microseconds.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the largest index is below 1000"
)]
const fn index_of(micros: u64) -> usize {
    let micros = if micros > LARGEST { LARGEST } else { micros };
    if micros < 2 * STEPS {
        return micros as usize;
    }
    // 1 for values from 64 to 127, 2 up to 255, and so on: the bits that are dropped.
    let dropped = micros.ilog2() - STEP_BITS;
    (dropped as u64 * STEPS + (micros >> dropped)) as usize
}

/// The middle of a bucket, in microseconds.
const fn middle_of(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * STEPS {
        return index;
    }
    let dropped = index / STEPS - 1;
    let start = (index % STEPS + STEPS) << dropped;
    start + (1 << dropped) / 2
}

/// The distribution over about the last ten minutes: one histogram for each of the last ten minutes
/// and one for the current minute.
#[derive(Debug, Clone, Default)]
pub struct RecentHistogram {
    minutes: [Histogram; Self::MINUTES],
    /// The minute of the run that was added to last.
    current: u64,
}

impl RecentHistogram {
    const MINUTES: usize = 11;

    /// Adds a duration at this time of the run.
    pub fn add(&mut self, at: Duration, value: Duration) {
        self.advance(at);
        let slot = self.slot(self.current);
        if let Some(minute) = self.minutes.get_mut(slot) {
            minute.add(value);
        }
    }

    /// The distribution at this time of the run.
    pub fn at(&self, at: Duration) -> Histogram {
        let now = (at.as_secs() / 60).max(self.current);
        let mut all = Histogram::default();
        let oldest = now.saturating_sub(Self::MINUTES as u64 - 1);
        for minute in oldest..=self.current {
            if let Some(histogram) = self.minutes.get(self.slot(minute)) {
                all.merge(histogram);
            }
        }
        all
    }

    /// Clears the minutes since the last one.
    fn advance(&mut self, at: Duration) {
        let now = at.as_secs() / 60;
        let first = (self.current + 1).max((now + 1).saturating_sub(Self::MINUTES as u64));
        for minute in first..=now {
            let slot = self.slot(minute);
            if let Some(histogram) = self.minutes.get_mut(slot) {
                histogram.clear();
            }
        }
        self.current = self.current.max(now);
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::unused_self,
        reason = "the remainder is below 11"
    )]
    fn slot(&self, minute: u64) -> usize {
        (minute % Self::MINUTES as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_near_the_middle_of_its_bucket() {
        let mut last = 0;
        for exponent in 0..=30_u32 {
            for offset in [0, 1, 3, 7, 77, 1234, 99_999] {
                let value = (1_u64 << exponent) + offset % (1 << exponent);
                let index = index_of(value);
                assert!(index < BUCKETS, "{value}");
                let error = middle_of(index).abs_diff(value);
                assert!(error * 64 <= value, "{value}: {}", middle_of(index));
            }
            let index = index_of(1 << exponent);
            assert!(index >= last, "the buckets ascend");
            last = index;
        }
        for pair in (0..5000_u64).collect::<Vec<_>>().windows(2) {
            let step = index_of(pair[1]) - index_of(pair[0]);
            assert!(step <= 1, "no bucket is skipped: {pair:?}");
        }
        assert_eq!(index_of(u64::MAX), BUCKETS - 1);
        const { assert!(BUCKETS < 1000) };
    }

    #[test]
    fn percentiles_of_known_values() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(50), histogram.jitter()), (None, None));
        for ms in (1..=100).rev() {
            histogram.add(Duration::from_millis(ms));
        }
        for (percent, ms) in [
            (0, 1.0),
            (5, 5.0),
            (50, 50.0),
            (95, 95.0),
            (100, 100.0),
            (255, 100.0),
        ] {
            let value = histogram.percentile(percent).unwrap().as_secs_f64() * 1000.0;
            assert!(
                (value - ms).abs() <= ms / 64.0,
                "p{percent} is {value}, not {ms}"
            );
        }
        let jitter = histogram.jitter().unwrap().as_secs_f64() * 1000.0;
        assert!((jitter - 90.0).abs() < 2.0, "{jitter}");
        assert_eq!(histogram.min(), Some(Duration::from_millis(1)));
        assert_eq!(histogram.max(), Some(Duration::from_millis(100)));
    }

    #[test]
    fn percentiles_are_within_the_values() {
        let mut histogram = Histogram::default();
        histogram.add(Duration::from_nanos(1_000_700));
        for percent in [0, 50, 100] {
            assert_eq!(
                histogram.percentile(percent),
                Some(Duration::from_nanos(1_000_700))
            );
        }
        histogram.add(Duration::MAX);
        histogram.add(Duration::ZERO);
        assert_eq!(histogram.percentile(0), Some(Duration::ZERO));
        assert!(histogram.percentile(100).unwrap() >= Duration::from_secs(1000));
        assert_eq!(histogram.max(), Some(Duration::MAX));
    }

    #[test]
    fn old_minutes_are_dropped() {
        let (mut recent, minute) = (RecentHistogram::default(), |m: u64| {
            Duration::from_secs(m * 60)
        });
        for m in 0..30 {
            recent.add(minute(m), Duration::from_millis(m + 1));
        }
        let now = recent.at(minute(29));
        assert_eq!(now.count(), 11);
        assert_eq!(now.min(), Some(Duration::from_millis(20)));
        assert_eq!(recent.at(minute(35)).count(), 5);
        assert_eq!(recent.at(minute(1000)).count(), 0);
        // After a long suspension nothing of the time before it is left.
        recent.add(minute(1_000_000), Duration::from_millis(7));
        assert_eq!(recent.at(minute(1_000_000)).count(), 1);
    }
}
