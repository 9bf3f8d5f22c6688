//! Running statistics over the connects of one probe.

use std::time::Duration;

/// How many were sent and succeeded, and how long those took (Welford's method: no sample is stored).
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

    /// Counts an attempt that succeeded and took this long.
    pub fn add_success(&mut self, took: Duration) {
        self.sent += 1;
        self.ok += 1;
        self.min = if self.ok == 1 {
            took
        } else {
            self.min.min(took)
        };
        self.max = self.max.max(took);
        let seconds = took.as_secs_f64();
        let off = seconds - self.mean;
        self.mean += off / f64::from(self.ok);
        self.squares += off * (seconds - self.mean);
    }

    /// How many were sent.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// How many succeeded.
    pub fn ok(&self) -> u32 {
        self.ok
    }

    /// The part of the sent that failed, 0 to 1; absent when none was sent.
    pub fn loss(&self) -> Option<f64> {
        (self.sent > 0).then(|| f64::from(self.sent - self.ok) / f64::from(self.sent))
    }

    /// The shortest; absent when none succeeded, as the others.
    pub fn min(&self) -> Option<Duration> {
        (self.ok > 0).then_some(self.min)
    }

    /// The mean.
    pub fn avg(&self) -> Option<Duration> {
        (self.ok > 0).then(|| Duration::from_secs_f64(self.mean.max(0.0)))
    }

    /// The longest.
    pub fn max(&self) -> Option<Duration> {
        (self.ok > 0).then_some(self.max)
    }

    /// The standard deviation of those that were (the population's, as ping's `mdev`).
    pub fn stddev(&self) -> Option<Duration> {
        (self.ok > 0)
            .then(|| Duration::from_secs_f64((self.squares.max(0.0) / f64::from(self.ok)).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_sent_has_no_statistics() {
        let none = RunningStats::default();
        assert_eq!(
            (none.loss(), none.min(), none.avg(), none.stddev()),
            (None, None, None, None)
        );
    }

    #[test]
    fn known_values() {
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
