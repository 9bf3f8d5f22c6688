//! One value on one line, as a Zabbix item takes it.

use crate::output::metrics;
use crate::output::metrics::{Metric, Unmeasured, Value};
use crate::report::{ConnectionReport, Report};

/// The line of a single metric, with its final newline; never empty where the item is a number.
pub fn line(report: &Report, metric: &Metric) -> String {
    let mut line = match metric.value(report) {
        Some(value) => plain(&value),
        None => match metric.unmeasured {
            Unmeasured::Zero => "0".to_owned(),
            Unmeasured::Empty => String::new(),
            Unmeasured::Reason => reason(report),
        },
    };
    line.push('\n');
    line
}

/// The line of a capture; where there is none, the reason.
pub fn capture_line(report: &Report, name: &str) -> String {
    let captured = report
        .connection
        .iter()
        .flat_map(ConnectionReport::captures)
        .rfind(|(known, _)| **known == *name);
    let mut line = captured.map_or_else(
        || reason(report),
        |(_, value)| metrics::bounded(report, value),
    );
    line.push('\n');
    line
}

/// A value without quotes: no unit, no exponent, never negative.
pub fn plain(value: &Value<'_>) -> String {
    let mut text = Vec::new();
    value.write(&mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// `STATUS_NAME: error`, which makes a numeric item unsupported with the reason shown.
fn reason(report: &Report) -> String {
    match &report.failure {
        Some(failure) => failure.to_string(),
        None => format!("{}: not measured by this probe", report.status().name()),
    }
}
