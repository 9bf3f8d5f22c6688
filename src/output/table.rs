//! A table for a person: a line for each target, failures first.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::Status;
use crate::output::metrics;
use crate::output::metrics::{Metric, Value};
use crate::output::text::{BAD, GOOD, Paint, UNSURE, milliseconds, painted};
use crate::plan::Plan;
use crate::report::{Report, RoundTrip};

/// The rows of a table, by the numbers of their plans.
#[derive(Debug)]
pub struct Table(Vec<Option<Row>>);

#[derive(Debug, Clone)]
struct Row {
    status: Status,
    connect: Option<Duration>,
    rtt: Option<Duration>,
    syn_retransmits: Option<u32>,
    note: Box<str>,
}

/// The most characters of a response that a row shows.
const RESPONSE_SHOWN: usize = 60;

impl Table {
    /// Room for this many.
    pub fn new(targets: usize) -> Self {
        Self(vec![None; targets])
    }

    /// Notes what came of one target.
    pub fn note(&mut self, report: &Report) {
        if let Some(slot) = self.0.get_mut(report.plan.index as usize) {
            *slot = Some(Row::of(report));
        }
    }

    /// The lines: a heading, what is down, what could not be told, what is up, and the sums.
    pub fn lines(&self, plans: &[Arc<Plan>], sums: &str, paint: Paint) -> String {
        let mut rows: Vec<_> = plans
            .iter()
            .filter_map(|plan| Some((plan, self.row(plan)?)))
            .collect();
        rows.sort_by_key(|(_, row)| row.rank());
        let mut page = String::new();
        let targets: Vec<_> = rows.iter().map(|(plan, _)| escaped_prefix(plan)).collect();
        let width = targets
            .iter()
            .map(String::len)
            .max()
            .unwrap_or(0)
            .max("TARGET".len());
        if !rows.is_empty() {
            let heading = format!(
                "{:<STATUS_WIDTH$}  {:<width$}  {:>11}  {:>11}  LOST  WHY",
                "STATUS", "TARGET", "CONNECT", "RTT"
            );
            // Writing to a String cannot fail.
            let _ = writeln!(page, "{heading}");
        }
        for ((plan, row), target) in rows.iter().zip(&targets) {
            let status = painted(
                paint,
                row.style(),
                &format!("{:<STATUS_WIDTH$}", row.status.name()),
            );
            let line = format!("{status}  {target:<width$}  {}", row.cells(plan));
            let _ = writeln!(page, "{}", line.trim_end());
        }
        let _ = writeln!(page, "{sums}");
        page
    }

    fn row(&self, plan: &Plan) -> Option<&Row> {
        self.0.get(plan.index as usize)?.as_ref()
    }
}

/// The target as it may be typed: with its service, which may be all that tells it from another.
fn escaped_prefix(plan: &Plan) -> String {
    match &plan.spec.service {
        Some(service) => format!("{}/{service}", plan.target),
        None => plan.target.to_string(),
    }
}

/// The width of the longest status, `unexpectedly_open`.
const STATUS_WIDTH: usize = 17;

impl Row {
    fn of(report: &Report) -> Self {
        let connection = report.connection.as_ref();
        let tcp = connection.and_then(|connection| connection.tcp);
        Self {
            status: report.status(),
            connect: connection.and_then(|connection| connection.connect),
            rtt: tcp.and_then(|tcp| tcp.rtt).map(RoundTrip::smoothed),
            syn_retransmits: tcp.map(|tcp| tcp.syn_retransmits),
            note: note(report).into(),
        }
    }

    /// What is worst stands first.
    fn rank(&self) -> u8 {
        match self.status {
            Status::Ok => 2,
            status if status.is_unknown() => 1,
            _ => 0,
        }
    }

    fn style(&self) -> anstyle::Style {
        match self.rank() {
            0 => BAD,
            1 => UNSURE,
            _ => GOOD,
        }
    }

    fn cells(&self, plan: &Plan) -> String {
        let time = |time: Option<Duration>| time.map_or_else(String::new, milliseconds);
        let lost = self
            .syn_retransmits
            .filter(|lost| *lost > 0)
            .map_or_else(String::new, |lost| lost.to_string());
        let (connect, rtt) = (time(self.connect), time(self.rtt));
        let name = plan.meta.as_ref().and_then(|label| label.name.as_deref());
        let note = match name {
            Some(name) if self.note.is_empty() => name.to_owned(),
            Some(name) => format!("{name}: {}", self.note),
            None => self.note.to_string(),
        };
        format!("{connect:>11}  {rtt:>11}  {lost:>4}  {note}")
    }
}

/// Why it is not up, else the start of what it said.
fn note(report: &Report) -> String {
    if let Some(failure) = &report.failure {
        return failure.text.clone();
    }
    let said = metrics::METRICS
        .iter()
        .find(|metric| metric.path == "response.text");
    let Some(Value::Text(text)) = said.and_then(|metric: &Metric| metric.value(report)) else {
        return String::new();
    };
    let mut escaped_prefix: String = text.chars().take(RESPONSE_SHOWN).collect();
    if escaped_prefix.len() < text.len() {
        escaped_prefix.push_str(" ...");
    }
    escaped_prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::test_reports::{down, plan, up};
    use crate::plan::TargetMeta;

    #[test]
    fn failures_stand_first_and_columns_below_each_other() {
        let named = TargetMeta {
            name: Some("Mail relay".into()),
            ..TargetMeta::default()
        };
        let plans = [
            plan(0, "mx1", None),
            plan(1, "192.0.2.77", Some(named)),
            plan(2, "mx3", None),
            plan(3, "mx4", None),
        ];
        let mut table = Table::new(plans.len());
        table.note(&down(&plans[3], Status::ResolveFailed));
        table.note(&up(&plans[0], b"220 mx1 ESMTP\r\n", 0));
        table.note(&up(&plans[1], &[b'x'; 100], 2));
        table.note(&down(&plans[2], Status::NotTried));
        let page = table.lines(&plans, "the sums", Paint::Plain);
        let expected = [
            "STATUS             TARGET                  CONNECT          RTT  LOST  WHY",
            "resolve_failed     mx4:25/smtp                                         no \"such\" name",
            "not_tried          mx3:25/smtp                                         no \"such\" name",
            "ok                 mx1:25/smtp            0.812 ms     0.650 ms        220 mx1 ESMTP",
            &format!(
                "ok                 192.0.2.77:25/smtp     0.812 ms     0.650 ms     2  Mail relay: {} ...",
                "x".repeat(60)
            ),
            "the sums\n",
        ];
        assert_eq!(page, expected.join("\n"));
        let painted = table.lines(&plans, "", Paint::Colours);
        let line = painted.lines().nth(1).unwrap();
        assert!(
            line.starts_with("\u{1b}[1m\u{1b}[31mresolve_failed   \u{1b}[0m  mx4:25"),
            "{line:?}"
        );
    }
}
