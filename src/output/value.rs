//! A single value on one line, as a Zabbix item stores it.

use crate::output::metrics::{Metric, Unmeasured, Value};
use crate::output::{json, metrics};
use crate::report::{ConnectionReport, Report};

/// The line of a metric, with its newline. A numeric metric never has an empty line.
pub fn line(report: &Report, metric: &Metric) -> String {
    let mut line = match metric.value(report) {
        Some(value) => format(&value),
        None => match metric.unmeasured {
            Unmeasured::Zero => "0".to_owned(),
            Unmeasured::Empty => String::new(),
            Unmeasured::Reason => reason(report),
        },
    };
    line.push('\n');
    line
}

/// The line of a capture; if the group captured nothing, the reason.
pub fn capture_line(report: &Report, name: &str) -> String {
    let mut line = capture(report, name).unwrap_or_else(|| reason(report));
    line.push('\n');
    line
}

/// The text that the group of this name captured, if it did.
pub fn capture(report: &Report, name: &str) -> Option<String> {
    let mut captures = report
        .connection
        .iter()
        .flat_map(ConnectionReport::captures);
    let (_, value) = captures.rfind(|(known, _)| **known == *name)?;
    Some(metrics::bounded(report, value))
}

/// A value as text: no quotes, no unit, no exponent, never negative.
pub fn format(value: &Value<'_>) -> String {
    let mut text = Vec::new();
    value.write(&mut text);
    json::into_string(text)
}

/// `STATUS_NAME: error`. A numeric item becomes unsupported, with this as its error.
fn reason(report: &Report) -> String {
    match &report.failure {
        Some(failure) => failure.to_string(),
        None => format!("{}: not measured by this probe", report.status().name()),
    }
}
