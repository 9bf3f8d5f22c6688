//! What came of a whole run, in a few numbers.

use std::time::Duration;

use super::json::Writer;
use super::number;
use crate::report::{Report, RoundTrip};

/// The verdicts of a run, counted as they come.
#[derive(Debug, Default)]
pub struct Summary {
    /// Targets that are up.
    pub up: usize,
    /// Targets that are down.
    pub down: usize,
    /// Targets of which we could not tell.
    pub unknown: usize,
    /// How long our clock saw each handshake take beyond the kernel's round trip time, in microseconds.
    late: Vec<u32>,
}

impl Summary {
    /// Counts one more.
    pub fn count(&mut self, report: &Report) {
        match report.status() {
            status if status.is_unknown() => self.unknown += 1,
            _ if report.is_up() => self.up += 1,
            _ => self.down += 1,
        }
        let trial = report.trial.as_ref();
        let connect = trial.and_then(|trial| trial.connect);
        let rtt = trial.and_then(|trial| trial.tcp?.rtt).map(RoundTrip::smoothed);
        if let (Some(connect), Some(rtt)) = (connect, rtt) {
            let micros = number::micros(connect.saturating_sub(rtt));
            self.late.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    /// How many were counted.
    pub fn targets(&self) -> usize {
        self.up + self.down + self.unknown
    }

    /// How late this process was: the 99th percentile (nearest rank) of `time.connect - tcp.rtt` over the connections
    /// that have both; absent where none has.
    ///
    /// The kernel's figure does not wait for our turn, our clock does: far above the round trip time without a lost SYN
    /// it says that this machine was busy, not that the network was slow.
    pub fn lag(&mut self) -> Option<Duration> {
        let rank = (self.late.len() * 99).div_ceil(100);
        let place = rank.checked_sub(1)?;
        let (_, micros, _) = self.late.select_nth_unstable(place);
        Some(Duration::from_micros((*micros).into()))
    }

    /// Appends it as an object of a document.
    pub fn write(&mut self, duplicates: usize, elapsed: Duration, buffer: &mut Vec<u8>) {
        let mut json = Writer::new(buffer);
        json.open_object();
        let counts = [("targets", self.targets()), ("up", self.up), ("down", self.down), ("unknown", self.unknown)];
        for (name, count) in counts.into_iter().chain([("duplicates", duplicates)]) {
            json.key(name);
            json.value(|buffer| number::integer(buffer, count as u64));
        }
        for (name, time) in [("elapsed", Some(elapsed)), ("lag", self.lag())] {
            if let Some(time) = time {
                json.key(name);
                json.value(|buffer| number::seconds(buffer, time));
            }
        }
        json.close_object();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_the_value_that_all_but_one_in_a_hundred_stay_below() {
        let lag = |late: Vec<u32>| Summary { late, ..Summary::default() }.lag().map(|lag| lag.as_micros());
        assert_eq!(lag(Vec::new()), None);
        assert_eq!(lag(vec![7]), Some(7));
        assert_eq!(lag((1..=100).rev().collect()), Some(99));
        assert_eq!(lag((1..=101).collect()), Some(100));
        assert_eq!(lag((1..=10_000).collect()), Some(9_900));
    }
}
