//! The summary of a run: counts by verdict, the lag of this process, and the common causes of the
//! failures.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::format_duration;
use crate::fast_fmt;
use crate::output::causes;
use crate::output::causes::FailureGroups;
use crate::output::json::JsonWriter;
use crate::output::shorten::Level;
use crate::plan::Plan;
use crate::report::{Report, RoundTrip};

/// The verdicts of a run, counted as the reports arrive.
#[derive(Debug, Default)]
pub struct Summary {
    /// Targets that are up.
    pub up: usize,
    /// Targets that are down.
    pub down: usize,
    /// Targets whose state is unknown, because this machine could not probe them.
    pub unknown: usize,
    /// How many repeated targets were merged.
    duplicates: usize,
    /// How many entries of the target list are invalid.
    invalid: usize,
    /// What is wrong on this machine: in its configuration or its policy.
    pub error: Option<Box<str>>,
    /// For each connection, the measured connect time less the kernel's round trip time, in
    /// microseconds.
    late: Vec<u32>,
    /// The failures, if their common causes are wanted.
    failures: Option<FailureGroups>,
}

impl Summary {
    /// A summary without verdicts, for a list with these numbers of repeated and invalid entries.
    pub fn new(duplicates: usize, invalid: usize) -> Self {
        Self {
            duplicates,
            invalid,
            ..Self::default()
        }
    }

    /// The same, with the common causes of the failures.
    #[must_use]
    pub fn with_causes(self) -> Self {
        Self {
            failures: Some(FailureGroups::default()),
            ..self
        }
    }

    /// Counts a report.
    pub fn count(&mut self, report: &Report) {
        match report.status() {
            status if status.is_unknown() => self.unknown += 1,
            _ if report.is_up() => self.up += 1,
            _ => self.down += 1,
        }
        if let (Some(failures), true) = (&mut self.failures, report.failure.is_some()) {
            failures.add(report);
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

    /// The number of counted reports.
    pub fn targets(&self) -> usize {
        self.up + self.down + self.unknown
    }

    /// The lag of this process: the 99th percentile (nearest rank) of `time.connect - tcp.rtt` over
    /// the connections that have both; `None` if none has.
    ///
    /// The kernel measures `tcp.rtt`, this process measures `time.connect`. A large difference
    /// without a lost SYN means that this machine was busy, not that the network was slow.
    pub fn lag(&mut self) -> Option<Duration> {
        let rank = (self.late.len() * 99).div_ceil(100);
        let index = rank.checked_sub(1)?;
        let (_, micros, _) = self.late.select_nth_unstable(index);
        Some(Duration::from_micros((*micros).into()))
    }

    /// The common causes of the failures, one line of text for each. `plans` are all targets.
    pub fn cause_lines(&self, plans: &[Arc<Plan>]) -> Vec<String> {
        let causes = self
            .failures
            .as_ref()
            .map(|failures| failures.causes(plans));
        causes::lines(&causes.unwrap_or_default(), self.targets(), plans)
    }

    /// Appends the summary as a JSON object. `plans` are all targets, and `shortened` names what is
    /// left out of the document. What is empty is omitted, and `invalid` if it is 0.
    pub fn write(
        &mut self,
        elapsed: Duration,
        plans: &[Arc<Plan>],
        shortened: &[&str],
        buffer: &mut Vec<u8>,
    ) {
        let mut json = JsonWriter::new(buffer);
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
        if let Some(error) = &self.error {
            json.key("error");
            json.text(error);
        }
        if !shortened.is_empty() {
            json.key("shortened");
            json.open_array();
            for name in shortened {
                json.text(name);
            }
            json.close_array();
        }
        for (name, time) in [("elapsed", Some(elapsed)), ("lag", self.lag())] {
            if let Some(time) = time {
                json.key(name);
                json.value(|buffer| fast_fmt::seconds(buffer, time));
            }
        }
        let failures = self.failures.as_ref();
        let failures = failures.filter(|_| !shortened.contains(&Level::Causes.name()));
        let causes = failures.map(|failures| failures.causes(plans));
        if let Some(causes) = causes.filter(|causes| !causes.is_empty()) {
            json.key("causes");
            json.value(|buffer| causes::write(&causes, self.targets(), plans, buffer));
        }
        json.close_object();
    }

    /// The summary as one line of text: `5 targets: 3 up, 1 down, 1 unknown; took 0.4 ms, lag 12
    /// us`.
    pub fn line(&mut self, elapsed: Duration) -> String {
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
            let entries = if self.invalid == 1 {
                "entry"
            } else {
                "entries"
            };
            let _ = write!(line, "; {} invalid {entries}", self.invalid);
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
    fn lag_is_the_99th_percentile() {
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
    fn the_line_omits_zero_counts() {
        let plan = plan(0, "mx1", None);
        let mut summary = Summary::default();
        assert_eq!(
            summary.line(Duration::ZERO),
            "0 targets: 0 up, 0 down; took 0 us"
        );
        summary.count(&up(&plan, b"", 0));
        assert_eq!(
            summary.line(Duration::from_millis(5)),
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
            summary.line(Duration::from_secs(2)),
            "3 targets: 1 up, 1 down, 1 unknown; 3 repeated; 2 invalid entries; took 2.00 s, lag 0.2 ms"
        );
    }

    #[test]
    fn the_document_counts_invalid_entries() {
        let mut buffer = Vec::new();
        Summary::new(1, 2).write(Duration::from_micros(7), &[], &[], &mut buffer);
        let text = "{\"targets\":0,\"up\":0,\"down\":0,\"unknown\":0,\"duplicates\":1,\"invalid\":2,\"elapsed\":0.000007}";
        assert_eq!(String::from_utf8(buffer).unwrap(), text);
    }
}
