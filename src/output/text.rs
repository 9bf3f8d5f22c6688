//! The text report of a check: the verdict, the time of each phase, and what to look at next after
//! a failure.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::failure::Status;
use crate::fast_fmt;
use crate::output::certificate;
use crate::output::certificate::{CertificateLine, Tone};
use crate::output::json;
use crate::output::metrics;
use crate::output::metrics::Value;
use crate::output::tls::{self, TlsReport};
use crate::path_facts::HopAnswer;
use crate::plan::Expected;
use crate::report::{ConnectionReport, Report};

/// Whether text is colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorMode {
    /// ANSI escape sequences: standard output is a terminal and `NO_COLOR` is not set.
    Ansi,
    /// No escape sequences.
    Off,
}

pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// The text report, several lines.
pub fn report(report: &Report, colors: ColorMode) -> String {
    let mut out = TextReport {
        text: String::new(),
        colors,
    };
    headline(&mut out, report);
    if let Some(failure) = &report.failure {
        out.line("why", &failure.text);
    }
    if let Some(connection) = &report.connection {
        connection_lines(&mut out, report, connection);
    }
    phases(&mut out, report);
    if let Some(connection) = &report.connection {
        kernel(&mut out, connection);
        hops(&mut out, connection);
        certificate_lines(&mut out, report, connection);
    }
    response(&mut out, report);
    attempts(&mut out, report);
    addresses(&mut out, report);
    if report.failure.is_some() {
        out.line("next", report.status().row().advice);
    }
    out.text
}

struct TextReport {
    text: String,
    colors: ColorMode,
}

impl TextReport {
    fn line(&mut self, label: &str, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "  {label:<9} {text}");
    }

    fn colored(&self, style: Style, text: &str) -> String {
        colored(self.colors, style, text)
    }
}

/// A text in this style, unless colors are off.
pub(super) fn colored(colors: ColorMode, style: Style, text: &str) -> String {
    match colors {
        ColorMode::Ansi => format!("{style}{text}{style:#}"),
        ColorMode::Off => text.to_owned(),
    }
}

fn headline(out: &mut TextReport, report: &Report) {
    let (style, verdict) = match report.status() {
        Status::Ok if matches!(report.plan.spec.expected, Expected::Closed(_)) => {
            (GOOD, "is closed, as expected".to_owned())
        }
        Status::Ok => (GOOD, "is up".to_owned()),
        status if status.is_unknown() => {
            (UNSURE, format!("could not be probed: {}", status.name()))
        }
        Status::UnexpectedlyOpen => (BAD, "is OPEN, but should not be".to_owned()),
        status => (BAD, format!("is DOWN: {}", status.name())),
    };
    let verdict = out.colored(style, &verdict);
    let _ = writeln!(out.text, "{} {verdict}", report.plan.target);
}

fn connection_lines(out: &mut TextReport, report: &Report, connection: &ConnectionReport) {
    if let (None, Some(cause)) = (&report.failure, &connection.failure) {
        out.line("how", &cause.text);
    }
    let family = if connection.address.is_ipv4() {
        "IPv4"
    } else {
        "IPv6"
    };
    let source = connection
        .source
        .map_or_else(String::new, |source: IpAddr| format!(", from {source}"));
    out.line(
        "address",
        &format!("{} ({family}{source})", connection.address.ip()),
    );
}

/// The width of a full bar, in characters.
const BAR_WIDTH: u8 = 32;

/// A line for each phase, with a bar that shows its share of the total time.
fn phases(out: &mut TextReport, report: &Report) {
    let connection = report.connection.as_ref();
    let rows = [
        ("resolve", report.resolve),
        (
            "connect",
            connection.and_then(|connection| connection.connect),
        ),
        (
            "tls",
            connection.and_then(|connection| connection.dialogue.as_ref()?.handshake),
        ),
        (
            "dialogue",
            connection.and_then(|connection| connection.dialogue.as_ref()?.duration),
        ),
    ];
    for (label, took) in rows {
        if let Some(took) = took {
            let bar = out.colored(FAINT, &bar(took, report.total));
            out.line(
                label,
                format!("{:>11}  {bar}", milliseconds(took)).trim_end(),
            );
        }
    }
    out.line("total", &format!("{:>11}", milliseconds(report.total)));
}

fn bar(part: Duration, whole: Duration) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let most = u128::from(BAR_WIDTH) * 8;
    let rounded = (part.as_nanos() * most + whole.as_nanos() / 2).checked_div(whole.as_nanos());
    let eighths = usize::try_from(rounded.unwrap_or(0).min(most)).unwrap_or(0);
    "█".repeat(eighths / 8) + EIGHTHS.get(eighths % 8).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    let mut buffer = Vec::new();
    fast_fmt::milliseconds(&mut buffer, duration);
    json::into_string(buffer)
}

fn kernel(out: &mut TextReport, connection: &ConnectionReport) {
    let facts = connection
        .tcp
        .as_ref()
        .filter(|tcp| connection.connect.is_some() || tcp.syn_retransmits > 0);
    let Some(tcp) = facts else { return };
    let mut text = match tcp.syn_retransmits {
        0 => "no SYN was lost".to_owned(),
        1 => "1 SYN was retransmitted".to_owned(),
        more => format!("{more} SYNs were retransmitted"),
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
    out.line("kernel", &text);
}

/// The hops that answered, if the path was traced.
fn hops(out: &mut TextReport, connection: &ConnectionReport) {
    let Some(path) = connection.path.as_deref() else {
        return;
    };
    let width = path.hops.iter().map(|hop| hop.from.to_string().len()).max();
    let width = width.unwrap_or(0);
    for (index, hop) in path.hops.iter().enumerate() {
        let label = if index == 0 { "path" } else { "" };
        let more = match hop.answer {
            HopAnswer::TimeExceeded => String::new(),
            other => format!("  {other}"),
        };
        let from = hop.from.to_string();
        let time = milliseconds(hop.time);
        let text = format!("{:>2}  {from:<width$}  {time:>11}{more}", hop.hop);
        out.line(label, text.trim_end());
    }
}

fn certificate_lines(out: &mut TextReport, report: &Report, connection: &ConnectionReport) {
    let Some(tls) = TlsReport::of(report, connection) else {
        return;
    };
    let share = |part: u64, whole: u64| {
        let drawn = bar(Duration::from_secs(part), Duration::from_secs(whole));
        out.colored(FAINT, &drawn)
    };
    for CertificateLine { label, text, tone } in certificate::lines(tls, share) {
        let text = match tone {
            Tone::Plain => text,
            Tone::Good => out.colored(GOOD, &text),
            Tone::Bad => out.colored(BAD, &text),
            Tone::Unsure => out.colored(UNSURE, &text),
        };
        out.line(label, &text);
    }
}

/// The most characters of a response that are shown; `-o response.text` prints more.
const RESPONSE_SHOWN: usize = 200;

fn response(out: &mut TextReport, report: &Report) {
    let Some(response) = report
        .connection
        .as_ref()
        .and_then(ConnectionReport::response)
    else {
        return;
    };
    let Some(Value::Text(text)) = metrics::response_text(report) else {
        return;
    };
    let mut start: String = text.chars().take(RESPONSE_SHOWN).collect();
    if start.len() < text.len() {
        start.push_str(" ...");
    }
    out.line("response", &format!("{} bytes: {start}", response.bytes));
}

fn attempts(out: &mut TextReport, report: &Report) {
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
    out.line("attempts", &text);
}

/// The most failed addresses that are shown; `-o addresses_error` prints more.
const FAILED_SHOWN: usize = 8;

/// A line for each address that must pass. Where one is enough, for each that failed.
fn addresses(out: &mut TextReport, report: &Report) {
    if !report.plan.spec.needs_every_address() {
        return failed_addresses(out, report);
    }
    for connection in &report.addresses {
        let verdict = connection.verdict(report.plan.spec.expected);
        let text = match (&verdict, connection.connect) {
            (Some(failure), _) => out.colored(BAD, failure.status.name()),
            (None, Some(connect)) => format!("ok, {}", milliseconds(connect)),
            (None, None) => "ok".to_owned(),
        };
        out.line("each", &format!("{}: {text}", connection.address.ip()));
    }
    let others = match tls::other_addresses(report) {
        Some(Value::List(others)) if !others.is_empty() => others.join(", "),
        _ => return,
    };
    let shown = report.connection.as_ref();
    let shown = shown.map_or_else(String::new, |shown| shown.address.ip().to_string());
    let text = format!("{others}: another certificate than on {shown}");
    let text = out.colored(UNSURE, &text);
    out.line("differs", &text);
}

fn failed_addresses(out: &mut TextReport, report: &Report) {
    let shown = report.failure.as_ref().and(report.connection.as_ref());
    let mut failed = report.addresses.iter().filter_map(|connection| {
        let failure = connection.failure.as_ref()?;
        let is_shown = shown.is_some_and(|shown| shown.address == connection.address);
        (!is_shown).then_some(failure)
    });
    for failure in failed.by_ref().take(FAILED_SHOWN) {
        let status = out.colored(BAD, failure.status.name());
        out.line("failed", &format!("{status}: {}", failure.text));
    }
    match failed.count() {
        0 => {}
        more => out.line("failed", &format!("... and {more} more addresses")),
    }
}
