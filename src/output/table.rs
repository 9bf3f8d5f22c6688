//! The text table of a batch: a line per target, failures first.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::Status;
use crate::output::certificate;
use crate::output::metrics;
use crate::output::metrics::{Metric, Value};
use crate::output::text::{BAD, ColorMode, GOOD, UNSURE, colored, milliseconds};
use crate::output::tls::TlsReport;
use crate::plan::Plan;
use crate::report::{Report, RoundTrip};

/// The rows of the table, by the number of the plan.
#[derive(Debug)]
pub struct ResultTable(Vec<Option<TableRow>>);

#[derive(Debug, Clone)]
struct TableRow {
    status: Status,
    connect: Option<Duration>,
    rtt: Option<Duration>,
    syn_retransmits: Option<u32>,
    note: Box<str>,
}

/// The most characters of a response in a row.
const RESPONSE_SHOWN: usize = 60;

impl ResultTable {
    /// An empty table for this many targets.
    pub fn new(targets: usize) -> Self {
        Self(vec![None; targets])
    }

    /// Sets the row of a target.
    pub fn set(&mut self, report: &Report) {
        if let Some(slot) = self.0.get_mut(report.plan.index as usize) {
            *slot = Some(TableRow::new(report));
        }
    }

    /// The text: a heading, the targets that are down, unknown and up, in this order, and the
    /// summary line.
    pub fn text(&self, plans: &[Arc<Plan>], summary: &str, colors: ColorMode) -> String {
        let mut rows: Vec<_> = plans
            .iter()
            .filter_map(|plan| Some((plan, self.row(plan)?)))
            .collect();
        rows.sort_by_key(|(_, row)| row.rank());
        let mut text = String::new();
        let targets: Vec<_> = rows.iter().map(|(plan, _)| target(plan)).collect();
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
            let _ = writeln!(text, "{heading}");
        }
        for ((plan, row), target) in rows.iter().zip(&targets) {
            let status = colored(
                colors,
                row.style(),
                &format!("{:<STATUS_WIDTH$}", row.status.name()),
            );
            let line = format!("{status}  {target:<width$}  {}", row.cells(plan));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let _ = writeln!(text, "{summary}");
        text
    }

    fn row(&self, plan: &Plan) -> Option<&TableRow> {
        self.0.get(plan.index as usize)?.as_ref()
    }
}

/// The target with its service, since two targets may differ in the service only.
fn target(plan: &Plan) -> String {
    match &plan.spec.service {
        Some(service) => format!("{}/{service}", plan.target),
        None => plan.target.to_string(),
    }
}

/// The width of the longest status, `unexpectedly_open`.
const STATUS_WIDTH: usize = 17;

impl TableRow {
    fn new(report: &Report) -> Self {
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

    /// The sort key: targets that are down come first.
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

/// The reason of a failure, otherwise how long the certificate lasts, otherwise the start of the
/// response.
fn note(report: &Report) -> String {
    if let Some(failure) = &report.failure {
        return failure.text.clone();
    }
    let connection = report.connection.as_ref();
    let certificate = connection
        .and_then(|connection| TlsReport::of(report, connection))
        .and_then(certificate::note);
    if let Some(note) = certificate {
        return note;
    }
    let metric = metrics::METRICS
        .iter()
        .find(|metric| metric.path == "response.text");
    let Some(Value::Text(text)) = metric.and_then(|metric: &Metric| metric.value(report)) else {
        return String::new();
    };
    let mut start: String = text.chars().take(RESPONSE_SHOWN).collect();
    if start.len() < text.len() {
        start.push_str(" ...");
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::test_reports::{down, plan, up};
    use crate::plan::TargetMeta;

    #[test]
    fn failures_come_first_and_columns_are_aligned() {
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
        let mut table = ResultTable::new(plans.len());
        table.set(&down(&plans[3], Status::ResolveFailed));
        table.set(&up(&plans[0], b"220 mx1 ESMTP\r\n", 0));
        table.set(&up(&plans[1], &[b'x'; 100], 2));
        table.set(&down(&plans[2], Status::NotTried));
        let text = table.text(&plans, "the summary", ColorMode::Off);
        let expected = [
            "STATUS             TARGET                  CONNECT          RTT  LOST  WHY",
            "resolve_failed     mx4:25/smtp                                         no \"such\" name",
            "not_tried          mx3:25/smtp                                         no \"such\" name",
            "ok                 mx1:25/smtp            0.812 ms     0.650 ms        220 mx1 ESMTP",
            &format!(
                "ok                 192.0.2.77:25/smtp     0.812 ms     0.650 ms     2  Mail relay: {} ...",
                "x".repeat(60)
            ),
            "the summary\n",
        ];
        assert_eq!(text, expected.join("\n"));
        let colored = table.text(&plans, "", ColorMode::Ansi);
        let line = colored.lines().nth(1).unwrap();
        assert!(
            line.starts_with("\u{1b}[1m\u{1b}[31mresolve_failed   \u{1b}[0m  mx4:25"),
            "{line:?}"
        );
    }
}
