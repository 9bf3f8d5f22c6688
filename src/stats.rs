//! Statistics over several connects of one probe.

use std::time::Duration;

/// The numbers of sent and successful attempts, and the distribution of the durations of the
/// successful ones. It uses Welford's method, so no sample is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunningStats {
    sent: u32,
    ok: u32,
    min: Duration,
    max: Duration,
    mean: f64,
    squares: f64,
}

impl RunningStats {
    /// Counts an attempt that failed.
    pub fn add_failure(&mut self) {
        self.sent += 1;
    }

    /// Counts an attempt that succeeded, with its duration.
    pub fn add_success(&mut self, duration: Duration) {
        self.sent += 1;
        self.ok += 1;
        self.min = if self.ok == 1 {
            duration
        } else {
            self.min.min(duration)
        };
        self.max = self.max.max(duration);
        let seconds = duration.as_secs_f64();
        let delta = seconds - self.mean;
        self.mean += delta / f64::from(self.ok);
        self.squares += delta * (seconds - self.mean);
    }

    /// The number of attempts sent.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// The number of attempts that succeeded.
    pub fn ok(&self) -> u32 {
        self.ok
    }

    /// The fraction of the sent attempts that failed, 0 to 1; `None` if none was sent.
    pub fn loss(&self) -> Option<f64> {
        (self.sent > 0).then(|| f64::from(self.sent - self.ok) / f64::from(self.sent))
    }

    /// The shortest duration; `None` if no attempt succeeded.
    pub fn min(&self) -> Option<Duration> {
        (self.ok > 0).then_some(self.min)
    }

    /// The mean duration; `None` if no attempt succeeded.
    pub fn avg(&self) -> Option<Duration> {
        (self.ok > 0).then(|| Duration::from_secs_f64(self.mean.max(0.0)))
    }

    /// The longest duration; `None` if no attempt succeeded.
    pub fn max(&self) -> Option<Duration> {
        (self.ok > 0).then_some(self.max)
    }

    /// The population standard deviation, like the `mdev` of ping; `None` if no attempt succeeded.
    pub fn stddev(&self) -> Option<Duration> {
        (self.ok > 0)
            .then(|| Duration::from_secs_f64((self.squares.max(0.0) / f64::from(self.ok)).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_attempts_there_are_no_statistics() {
        let none = RunningStats::default();
        assert_eq!(
            (none.loss(), none.min(), none.avg(), none.stddev()),
            (None, None, None, None)
        );
    }

    #[test]
    fn statistics_of_known_values() {
        let mut running = RunningStats::default();
        for ms in [2, 4, 4, 4, 5, 5, 7, 9] {
            running.add_success(Duration::from_millis(ms));
        }
        running.add_failure();
        running.add_failure();
        assert_eq!(
            (running.sent(), running.ok(), running.loss()),
            (10, 8, Some(0.2))
        );
        assert_eq!(running.min(), Some(Duration::from_millis(2)));
        assert_eq!(running.max(), Some(Duration::from_millis(9)));
        let near = |value: Option<Duration>, ms: f64| {
            (value.unwrap().as_secs_f64() * 1000.0 - ms).abs() < 1e-6
        };
        assert!(near(running.avg(), 5.0) && near(running.stddev(), 2.0));
    }
}
