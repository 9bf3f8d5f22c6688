//! One value on one line, as a Zabbix item takes it.

use std::time::Duration;

use super::metrics::{self, Metric, Unmeasured, Value};
use crate::report::Report;

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
    let captured = report.trial.iter().flat_map(|trial| &trial.captures).rfind(|(known, _)| **known == *name);
    let mut line = captured.map_or_else(|| reason(report), |(_, value)| metrics::bounded(report, value));
    line.push('\n');
    line
}

/// A value without quotes: no unit, no exponent, never negative.
pub fn plain(value: &Value<'_>) -> String {
    match value {
        Value::Seconds(duration) => seconds(*duration),
        Value::Integer(number) => number.to_string(),
        Value::Ratio(part) => decimal(*part),
        Value::Text(text) => text.clone().into_owned(),
    }
}

/// A time in seconds with microsecond digits, such as `0.000213`.
pub fn seconds(duration: Duration) -> String {
    millionths(micros(duration))
}

/// A number that is not negative, with six digits; a whole number is cheaper to print than the float.
pub fn decimal(number: f64) -> String {
    millionths((number * 1e6).round() as u64)
}

fn millionths(count: u64) -> String {
    format!("{}.{:06}", count / 1_000_000, count % 1_000_000)
}

/// A time in whole microseconds, rounded.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX)
}

/// `STATUS_NAME: error`, which makes a numeric item unsupported with the reason shown.
fn reason(report: &Report) -> String {
    match &report.failure {
        Some(failure) => failure.to_string(),
        None => format!("{}: not measured by this probe", report.status().name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_plain_decimals() {
        for (nanos, text) in [
            (0, "0.000000"),
            (17_000, "0.000017"),
            (499, "0.000000"),
            (500, "0.000001"),
            (999_999_500, "1.000000"),
            (600_000_000_000, "600.000000"),
        ] {
            assert_eq!(seconds(Duration::from_nanos(nanos)), text);
            assert_eq!(decimal(micros(Duration::from_nanos(nanos)) as f64 / 1e6), text);
        }
    }

    #[test]
    fn parts_of_one_are_rounded_to_six_digits() {
        for (part, text) in [(0.0, "0.000000"), (1.0 / 3.0, "0.333333"), (2.0 / 3.0, "0.666667"), (1.0, "1.000000")] {
            assert_eq!(decimal(part), text);
        }
    }
}
