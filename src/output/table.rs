//! The text table of a batch: a line per target, failures first.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, Status};
use crate::fast_fmt;
use crate::output::certificate;
use crate::output::metrics;
use crate::output::metrics::Value;
use crate::output::text::{BAD, ColorMode, GOOD, UNSURE, colored};
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
    note: Note,
}

/// The reason of a failure, which many rows may share, otherwise the text about the certificate or
/// the response.
#[derive(Debug, Clone)]
enum Note {
    Failure(Arc<Failure>),
    Response(Box<str>),
}

impl Note {
    fn text(&self) -> &str {
        match self {
            Self::Failure(failure) => &failure.text,
            Self::Response(text) => text,
        }
    }
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

    /// Writes a heading, and the targets that are down, unknown and up, in this order.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(
        &self,
        plans: &[Arc<Plan>],
        colors: ColorMode,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut rows: Vec<_> = plans
            .iter()
            .filter_map(|plan| Some((plan, self.row(plan)?)))
            .collect();
        rows.sort_by_key(|(_, row)| row.rank());
        let mut line = Vec::new();
        let widths = rows.iter().map(|(plan, _)| {
            line.clear();
            push_target(&mut line, plan);
            width_of(&line)
        });
        let width = widths.max().unwrap_or(0).max("TARGET".len());
        if !rows.is_empty() {
            writeln!(
                out,
                "{:<STATUS_WIDTH$}  {:<width$}  {:>TIME_WIDTH$}  {:>TIME_WIDTH$}  LOST  WHY",
                "STATUS", "TARGET", "CONNECT", "RTT"
            )?;
        }
        for (plan, row) in rows {
            line.clear();
            row.push_line(&mut line, plan, width, colors);
            out.write_all(line.trim_ascii_end())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn row(&self, plan: &Plan) -> Option<&TableRow> {
        self.0.get(plan.index as usize)?.as_ref()
    }
}

/// Appends the target with its service, since two targets may differ in the service only.
fn push_target(line: &mut Vec<u8>, plan: &Plan) {
    let Some(target) = plan.known_target() else {
        line.extend_from_slice(plan.id().as_bytes());
        return;
    };
    fast_fmt::target(line, target);
    if let Some(service) = &plan.spec.service {
        line.push(b'/');
        line.extend_from_slice(service.as_bytes());
    }
}

/// The width of the longest status, `unexpectedly_open`.
const STATUS_WIDTH: usize = 17;
/// The width of a time of up to 99 seconds.
const TIME_WIDTH: usize = 11;
/// The width of the number of lost SYNs.
const LOST_WIDTH: usize = 4;

/// The number of characters of a text in UTF-8.
fn width_of(text: &[u8]) -> usize {
    let is_start = |byte: &&u8| **byte & 0xc0 != 0x80;
    text.iter().filter(is_start).count()
}

/// Appends what the closure appends, and spaces up to this width. Returns their number.
fn push_left(line: &mut Vec<u8>, width: usize, append: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = line.len();
    append(line);
    let written = width_of(line.get(start..).unwrap_or_default());
    let spaces = width.saturating_sub(written);
    line.resize(line.len() + spaces, b' ');
    spaces
}

/// Appends spaces and what the closure appends, in this width.
fn push_right(line: &mut Vec<u8>, width: usize, append: impl FnOnce(&mut Vec<u8>)) {
    let start = line.len();
    let spaces = push_left(line, width, append);
    let cell = line.get_mut(start..).unwrap_or_default();
    cell.rotate_right(spaces);
}

impl TableRow {
    fn new(report: &Report) -> Self {
        let connection = report.connection.as_ref();
        let tcp = connection.and_then(|connection| connection.tcp);
        Self {
            status: report.status(),
            connect: connection.and_then(|connection| connection.connect),
            rtt: tcp.and_then(|tcp| tcp.rtt).map(RoundTrip::smoothed),
            syn_retransmits: tcp.map(|tcp| tcp.syn_retransmits),
            note: note(report),
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

    /// Appends its line, with the target in this width.
    fn push_line(&self, line: &mut Vec<u8>, plan: &Plan, width: usize, colors: ColorMode) {
        push_left(line, STATUS_WIDTH, |line| {
            line.extend_from_slice(self.status.name().as_bytes());
        });
        if colors == ColorMode::Ansi {
            let status = String::from_utf8_lossy(line);
            *line = colored(colors, self.style(), &status).into_bytes();
        }
        line.extend_from_slice(b"  ");
        push_left(line, width, |line| push_target(line, plan));
        for time in [self.connect, self.rtt] {
            line.extend_from_slice(b"  ");
            push_right(line, TIME_WIDTH, |line| {
                if let Some(time) = time {
                    fast_fmt::milliseconds(line, time);
                }
            });
        }
        line.extend_from_slice(b"  ");
        push_right(line, LOST_WIDTH, |line| {
            if let Some(lost) = self.syn_retransmits.filter(|lost| *lost > 0) {
                fast_fmt::integer(line, lost.into());
            }
        });
        line.extend_from_slice(b"  ");
        let name = plan.meta.as_ref().and_then(|label| label.name.as_deref());
        line.extend_from_slice(name.unwrap_or_default().as_bytes());
        let note = self.note.text();
        if name.is_some() && !note.is_empty() {
            line.extend_from_slice(b": ");
        }
        line.extend_from_slice(note.as_bytes());
    }
}

/// The reason of a failure, otherwise how long the certificate lasts, otherwise the start of the
/// response.
fn note(report: &Report) -> Note {
    if let Some(failure) = &report.failure {
        return Note::Failure(Arc::clone(failure));
    }
    let connection = report.connection.as_ref();
    let certificate = connection
        .and_then(|connection| TlsReport::of(report, connection))
        .and_then(certificate::note);
    if let Some(note) = certificate {
        return Note::Response(note.into());
    }
    let Some(Value::Text(text)) = metrics::response_text(report) else {
        return Note::Response(Box::default());
    };
    let mut start: String = text.chars().take(RESPONSE_SHOWN).collect();
    if start.len() < text.len() {
        start.push_str(" ...");
    }
    Note::Response(start.into())
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
        let text = |colors| {
            let mut text = Vec::new();
            table.write(&plans, colors, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let expected = [
            "STATUS             TARGET                  CONNECT          RTT  LOST  WHY",
            "resolve_failed     mx4:25/smtp                                         no \"such\" name",
            "not_tried          mx3:25/smtp                                         no \"such\" name",
            "ok                 mx1:25/smtp            0.812 ms     0.650 ms        220 mx1 ESMTP",
            &format!(
                "ok                 192.0.2.77:25/smtp     0.812 ms     0.650 ms     2  Mail relay: {} ...",
                "x".repeat(60)
            ),
            "",
        ];
        assert_eq!(text(ColorMode::Off), expected.join("\n"));
        let colored = text(ColorMode::Ansi);
        let line = colored.lines().nth(1).unwrap();
        assert!(
            line.starts_with("\u{1b}[1m\u{1b}[31mresolve_failed   \u{1b}[0m  mx4:25"),
            "{line:?}"
        );
    }
}
