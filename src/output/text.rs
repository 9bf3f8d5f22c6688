//! A report for a person: what was tried, where the time went, what failed and what to look at next.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::failure::Status;
use crate::output::metrics::{METRICS, Value};
use crate::plan::Expected;
use crate::report::{ConnectionReport, Report};

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours: standard output is a terminal and `NO_COLOR` is not set.
    Colours,
    /// Plain text.
    Plain,
}

pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// The lines of a report.
pub fn report(report: &Report, paint: Paint) -> String {
    let mut page = Page {
        text: String::new(),
        paint,
    };
    headline(&mut page, report);
    if let Some(failure) = &report.failure {
        page.line("why", &failure.text);
    }
    if let Some(connection) = &report.connection {
        connection_lines(&mut page, report, connection);
    }
    phases(&mut page, report);
    if let Some(connection) = &report.connection {
        kernel(&mut page, connection);
    }
    response(&mut page, report);
    attempts(&mut page, report);
    addresses(&mut page, report);
    if report.failure.is_some() {
        page.line("next", report.status().row().advice);
    }
    page.text
}

struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "  {label:<9} {text}");
    }

    fn painted(&self, style: Style, text: &str) -> String {
        painted(self.paint, style, text)
    }
}

/// A text in this style, where colours are used.
pub(super) fn painted(paint: Paint, style: Style, text: &str) -> String {
    match paint {
        Paint::Colours => format!("{style}{text}{style:#}"),
        Paint::Plain => text.to_owned(),
    }
}

fn headline(page: &mut Page, report: &Report) {
    let (style, verdict) = match report.status() {
        Status::Ok if matches!(report.plan.spec.expected, Expected::Closed(_)) => {
            (GOOD, "is closed, as wanted".to_owned())
        }
        Status::Ok => (GOOD, "is up".to_owned()),
        status if status.is_unknown() => {
            (UNSURE, format!("could not be probed: {}", status.name()))
        }
        Status::UnexpectedlyOpen => (BAD, "is OPEN, but should not be".to_owned()),
        status => (BAD, format!("is DOWN: {}", status.name())),
    };
    let verdict = page.painted(style, &verdict);
    let _ = writeln!(page.text, "{} {verdict}", report.plan.target);
}

fn connection_lines(page: &mut Page, report: &Report, connection: &ConnectionReport) {
    if let (None, Some(cause)) = (&report.failure, &connection.failure) {
        page.line("how", &cause.text);
    }
    let family = if connection.address.is_ipv4() {
        "IPv4"
    } else {
        "IPv6"
    };
    let source = connection
        .source
        .map_or_else(String::new, |source: IpAddr| format!(", from {source}"));
    page.line(
        "address",
        &format!("{} ({family}{source})", connection.address.ip()),
    );
}

/// The width of the longest bar.
const BAR: f64 = 32.0;

/// A bar for each phase: the share of the total.
fn phases(page: &mut Page, report: &Report) {
    let connection = report.connection.as_ref();
    let rows = [
        ("resolve", report.resolve),
        (
            "connect",
            connection.and_then(|connection| connection.connect),
        ),
        (
            "dialogue",
            connection.and_then(|connection| connection.dialogue.as_ref()?.duration),
        ),
    ];
    for (label, took) in rows {
        if let Some(took) = took {
            let bar = page.painted(FAINT, &bar(took, report.total));
            page.line(
                label,
                format!("{:>11}  {bar}", milliseconds(took)).trim_end(),
            );
        }
    }
    page.line("total", &format!("{:>11}", milliseconds(report.total)));
}

fn bar(part: Duration, whole: Duration) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = if whole.is_zero() {
        0.0
    } else {
        (part.as_secs_f64() / whole.as_secs_f64()).min(1.0)
    };
    let eighths = (share * BAR * 8.0).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS.get(eighths % 8).copied().unwrap_or_default()
}

pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1000.0)
}

fn kernel(page: &mut Page, connection: &ConnectionReport) {
    let told = connection
        .tcp
        .as_ref()
        .filter(|tcp| connection.connect.is_some() || tcp.syn_retransmits > 0);
    let Some(tcp) = told else { return };
    let mut text = match tcp.syn_retransmits {
        0 => "no SYN was lost".to_owned(),
        1 => "1 SYN had to be sent again".to_owned(),
        more => format!("{more} SYNs had to be sent again"),
    };
    if let Some(rtt) = tcp.rtt {
        text = format!(
            "round trip {} ± {}, {text}",
            milliseconds(rtt.smoothed()),
            milliseconds(rtt.variance())
        );
    }
    if let Some(mss) = tcp.mss {
        let _ = write!(text, ", segments of {mss} bytes");
    }
    page.line("kernel", &text);
}

/// The most characters of a response that a person wants to see here; `-o response.text` has the rest.
const RESPONSE_SHOWN: usize = 200;

fn response(page: &mut Page, report: &Report) {
    let Some(response) = report
        .connection
        .as_ref()
        .and_then(ConnectionReport::response)
    else {
        return;
    };
    let metric = METRICS.iter().find(|metric| metric.path == "response.text");
    let Some(Value::Text(text)) = metric.and_then(|metric| metric.value(report)) else {
        return;
    };
    let mut shown: String = text.chars().take(RESPONSE_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str(" ...");
    }
    page.line("response", &format!("{} bytes: {shown}", response.bytes));
}

fn attempts(page: &mut Page, report: &Report) {
    let Some(attempts) = &report.attempts else {
        return;
    };
    let loss = attempts.loss().map_or(0.0, |loss| loss * 100.0);
    let mut text = format!(
        "{} of {} succeeded, {loss:.0} % lost",
        attempts.ok(),
        attempts.sent()
    );
    if let (Some(min), Some(avg), Some(max), Some(stddev)) = (
        attempts.min(),
        attempts.avg(),
        attempts.max(),
        attempts.stddev(),
    ) {
        let [min, avg, max, stddev] =
            [min, avg, max, stddev].map(|time| format!("{:.3}", time.as_secs_f64() * 1000.0));
        let _ = write!(
            text,
            ", connect min/avg/max/stddev {min}/{avg}/{max}/{stddev} ms"
        );
    }
    page.line("attempts", &text);
}

fn addresses(page: &mut Page, report: &Report) {
    for connection in &report.addresses {
        let verdict = connection.verdict(report.plan.spec.expected);
        let text = match (&verdict, connection.connect) {
            (Some(failure), _) => page.painted(BAD, failure.status.name()),
            (None, Some(connect)) => format!("ok, {}", milliseconds(connect)),
            (None, None) => "ok".to_owned(),
        };
        page.line("each", &format!("{}: {text}", connection.address.ip()));
    }
}
