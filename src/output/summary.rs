//! What came of a whole run, in a few numbers.

use std::fmt::Write;
use std::time::Duration;

use crate::failure::format_duration;
use crate::fast_fmt;
use crate::output::json::Writer;
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
    /// How many targets stood there again and are one entry.
    duplicates: usize,
    /// How many entries were left out because there is a mistake in them.
    invalid: usize,
    /// How long our clock saw each handshake take beyond the kernel's round trip time, in microseconds.
    late: Vec<u32>,
}

impl Summary {
    /// Nothing was counted yet, of a list with so many repeats and so many mistakes.
    pub fn new(duplicates: usize, invalid: usize) -> Self {
        Self {
            duplicates,
            invalid,
            ..Self::default()
        }
    }

    /// Counts one more.
    pub fn count(&mut self, report: &Report) {
        match report.status() {
            status if status.is_unknown() => self.unknown += 1,
            _ if report.is_up() => self.up += 1,
            _ => self.down += 1,
        }
        let connection = report.connection.as_ref();
        let connect = connection.and_then(|connection| connection.connect);
        let rtt = connection
            .and_then(|connection| connection.tcp?.rtt)
            .map(RoundTrip::smoothed);
        if let (Some(connect), Some(rtt)) = (connect, rtt) {
            let micros = fast_fmt::micros(connect.saturating_sub(rtt));
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

    /// Appends it as an object of a document; `invalid` is in it where there were mistakes.
    pub fn write(&mut self, elapsed: Duration, buffer: &mut Vec<u8>) {
        let mut json = Writer::new(buffer);
        json.open_object();
        let counts = [
            ("targets", self.targets()),
            ("up", self.up),
            ("down", self.down),
            ("unknown", self.unknown),
        ];
        let invalid = Some(("invalid", self.invalid)).filter(|(_, count)| *count > 0);
        for (name, count) in counts
            .into_iter()
            .chain([("duplicates", self.duplicates)])
            .chain(invalid)
        {
            json.key(name);
            json.value(|buffer| fast_fmt::integer(buffer, count as u64));
        }
        for (name, time) in [("elapsed", Some(elapsed)), ("lag", self.lag())] {
            if let Some(time) = time {
                json.key(name);
                json.value(|buffer| fast_fmt::seconds(buffer, time));
            }
        }
        json.close_object();
    }

    /// As one line for a person: `5 targets: 3 up, 1 down, 1 unknown; took 0.4 ms, lag 12 us`.
    pub fn sentence(&mut self, elapsed: Duration) -> String {
        let targets = self.targets();
        let mut line = format!("{targets} target{}: ", if targets == 1 { "" } else { "s" });
        // Writing to a String cannot fail.
        let _ = write!(line, "{} up, {} down", self.up, self.down);
        if self.unknown > 0 {
            let _ = write!(line, ", {} unknown", self.unknown);
        }
        if self.duplicates > 0 {
            let _ = write!(line, "; {} repeated", self.duplicates);
        }
        if self.invalid > 0 {
            let _ = write!(line, "; {} left out for their mistakes", self.invalid);
        }
        let _ = write!(line, "; took {}", format_duration(elapsed));
        if let Some(lag) = self.lag() {
            let _ = write!(line, ", lag {}", format_duration(lag));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::test_reports::{down, plan, up};

    #[test]
    fn lag_is_the_value_that_all_but_one_in_a_hundred_stay_below() {
        let lag = |late: Vec<u32>| {
            Summary {
                late,
                ..Summary::default()
            }
            .lag()
            .map(|lag| lag.as_micros())
        };
        assert_eq!(lag(Vec::new()), None);
        assert_eq!(lag(vec![7]), Some(7));
        assert_eq!(lag((1..=100).rev().collect()), Some(99));
        assert_eq!(lag((1..=101).collect()), Some(100));
        assert_eq!(lag((1..=10_000).collect()), Some(9_900));
    }

    #[test]
    fn the_sentence_names_what_there_is() {
        let plan = plan(0, "mx1", None);
        let mut summary = Summary::default();
        assert_eq!(
            summary.sentence(Duration::ZERO),
            "0 targets: 0 up, 0 down; took 0 us"
        );
        summary.count(&up(&plan, b"", 0));
        assert_eq!(
            summary.sentence(Duration::from_millis(5)),
            "1 target: 1 up, 0 down; took 5.0 ms, lag 0.2 ms"
        );
        let mut summary = Summary::new(3, 2);
        for report in [
            up(&plan, b"", 0),
            down(&plan, Status::Refused),
            down(&plan, Status::Denied),
        ] {
            summary.count(&report);
        }
        assert_eq!(
            summary.sentence(Duration::from_secs(2)),
            "3 targets: 1 up, 1 down, 1 unknown; 3 repeated; 2 left out for their mistakes; took 2.00 s, lag 0.2 ms"
        );
    }

    #[test]
    fn a_document_says_what_was_left_out() {
        let mut buffer = Vec::new();
        Summary::new(1, 2).write(Duration::from_micros(7), &mut buffer);
        let text = "{\"targets\":0,\"up\":0,\"down\":0,\"unknown\":0,\"duplicates\":1,\"invalid\":2,\"elapsed\":0.000007}";
        assert_eq!(String::from_utf8(buffer).unwrap(), text);
    }
}
