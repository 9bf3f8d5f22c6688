//! Reports to bytes: pure functions, one for each format.

pub mod batch_document;
pub mod batch_format;
pub mod compact_report;
pub mod document;
pub mod entry;
pub mod json;
pub mod lld;
pub mod metrics;
pub mod results;
pub mod sender;
pub mod summary;
pub mod table;
#[cfg(test)]
mod test_reports;
pub mod text;
pub mod value;

use std::fmt;

use crate::output::metrics::{METRICS, Metric};
use crate::report::Report;

/// What of a report is printed.
#[derive(Debug, Clone)]
pub enum Format {
    /// One value on one line.
    Metric(&'static Metric),
    /// What the named group of a dialogue captured, on one line.
    Capture(Box<str>),
    /// The whole document on one line.
    Json,
    /// A report for a person.
    Text,
}

impl Format {
    /// The format by the word after `-o`: `json`, `text`, a metric's path, or `captures.NAME`.
    pub fn from_word(word: &str) -> Result<Self, UnknownFormat> {
        if let Some(name) = word.strip_prefix("captures.") {
            return Ok(Self::Capture(name.into()));
        }
        match word {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            path => METRICS
                .iter()
                .find(|metric| metric.path == path)
                .map(Self::Metric)
                .ok_or_else(|| UnknownFormat::new(path)),
        }
    }
}

/// The line (`Text`: the lines) of a report in a format, with its final newline.
pub fn render(report: &Report, format: &Format, paint: text::Paint) -> String {
    match format {
        Format::Metric(metric) => value::line(report, metric),
        Format::Capture(name) => value::capture_line(report, name),
        Format::Json => document::line(report),
        Format::Text => text::report(report, paint),
    }
}

/// A word after `-o` that is no format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat {
    word: String,
    did_you_mean: Option<&'static str>,
}

impl UnknownFormat {
    fn new(word: &str) -> Self {
        let known = ["json", "text"]
            .into_iter()
            .chain(METRICS.iter().map(|metric| metric.path));
        let did_you_mean = crate::suggest::did_you_mean(word, known);
        Self {
            word: crate::escape::escaped_prefix(word, 40),
            did_you_mean,
        }
    }
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown output `{}`: ", self.word)?;
        match self.did_you_mean {
            Some(did_you_mean) => write!(f, "did you mean `{did_you_mean}`?"),
            None => f.write_str("use json, text, up, status, error or a metric such as time.connect (`zbx-tcp check --help` lists them)"),
        }
    }
}

impl std::error::Error for UnknownFormat {}
