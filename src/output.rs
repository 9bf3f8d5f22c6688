//! From reports to bytes: one pure function per output format.

pub mod batch_document;
pub mod batch_format;
pub mod cache_size;
pub mod causes;
mod certificate;
pub mod compact_report;
pub mod document;
pub mod entry;
pub mod faults;
pub mod json;
pub mod listeners;
pub mod lld;
mod metric_value;
pub mod metrics;
mod path;
pub mod path_report;
pub mod results;
pub mod sender;
pub mod shorten;
pub mod summary;
pub mod table;
#[cfg(test)]
mod test_reports;
pub mod text;
pub mod tls;
pub mod value;
pub mod watch;

use std::fmt;

use crate::output::metrics::{METRICS, Metric};
use crate::report::Report;

/// What `check` prints of a report.
#[derive(Debug, Clone)]
pub enum Format {
    /// The value of a metric, on one line.
    Metric(&'static Metric),
    /// The text captured by the named group of a regular expression, on one line.
    Capture(Box<str>),
    /// The document, on one line.
    Json,
    /// A text report for people.
    Text,
}

impl Format {
    /// Whether it has a metric that the kernel is asked for at the end of a dialogue.
    pub fn publishes_exchange(&self) -> bool {
        match self {
            Self::Metric(metric) => metrics::is_of_exchange(metric),
            Self::Capture(_) | Self::Text => false,
            Self::Json => true,
        }
    }

    /// The format by the value of `-o`: `json`, `text`, the path of a metric, or `captures.NAME`.
    ///
    /// # Errors
    /// If there is no such output.
    pub fn parse(value: &str) -> Result<Self, UnknownOutput> {
        if let Some(name) = value.strip_prefix("captures.") {
            return Ok(Self::Capture(name.into()));
        }
        match value {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            path => METRICS
                .iter()
                .find(|metric| metric.path == path)
                .map(Self::Metric)
                .ok_or_else(|| UnknownOutput::new(path)),
        }
    }
}

/// A report in a format, with its final newline. [`ColorMode`](text::ColorMode) applies to
/// [`Format::Text`] only.
pub fn render(report: &Report, format: &Format, colors: text::ColorMode) -> String {
    match format {
        Format::Metric(metric) => value::line(report, metric),
        Format::Capture(name) => value::capture_line(report, name),
        Format::Json => document::line(report),
        Format::Text => text::report(report, colors),
    }
}

/// A value of `-o` that is no output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownOutput {
    /// The value, escaped.
    value: String,
    did_you_mean: Option<&'static str>,
}

impl UnknownOutput {
    fn new(value: &str) -> Self {
        let known = ["json", "text"]
            .into_iter()
            .chain(METRICS.iter().map(|metric| metric.path));
        Self {
            value: crate::escape::escaped_prefix(value, 40),
            did_you_mean: crate::suggest::did_you_mean(value, known),
        }
    }
}

impl fmt::Display for UnknownOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            value,
            did_you_mean,
        } = self;
        write!(f, "unknown output `{value}`: ")?;
        match did_you_mean {
            _ if value.contains(',') => {
                f.write_str("one output at a time; use `json` for several values")
            }
            Some(output) => write!(f, "did you mean `{output}`?"),
            None => f.write_str(
                "use json, text, up, status, error or a metric such as time.connect \
                 (`zbx-tcp check --help` lists them)",
            ),
        }
    }
}

impl std::error::Error for UnknownOutput {}
