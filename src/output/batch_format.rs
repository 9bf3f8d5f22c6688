//! What a batch prints, and in which format.

use crate::output::metrics;
use crate::output::metrics::Metric;

/// What a batch prints.
#[derive(Debug, Clone)]
pub struct BatchOutput {
    /// The format.
    pub format: BatchFormat,
    /// The metrics of each target in `sender` lines, in this order.
    pub metrics: Vec<SenderMetric>,
    /// The Zabbix host of targets without a `zabbix_host` of their own; `None` is written as `-`.
    pub zabbix_host: Option<Box<str>>,
    /// The item key of `sender` lines.
    pub sender_key: SenderKey,
    /// Whether documents contain the fields that have their default value.
    pub defaults: DefaultFields,
    /// The output of `json` is shorter than this number of bytes.
    pub max_output: Option<u64>,
}

impl BatchOutput {
    /// Whether it has a metric that the kernel is asked for at the end of a dialogue.
    pub fn publishes_exchange(&self) -> bool {
        match self.format {
            BatchFormat::Json | BatchFormat::Ndjson => true,
            BatchFormat::Sender => self.metrics.iter().any(|metric| match metric {
                SenderMetric::Metric(metric) => metrics::is_of_exchange(metric),
                SenderMetric::Capture(_) => false,
            }),
            BatchFormat::Text => false,
        }
    }
}

/// What a `sender` line has the value of.
#[derive(Debug, Clone)]
pub enum SenderMetric {
    /// A metric.
    Metric(&'static Metric),
    /// The text captured by the named group of a regular expression: its path, `captures.NAME`.
    Capture(Box<str>),
}

impl SenderMetric {
    /// The prefix of the paths of captures.
    pub const CAPTURES: &'static str = "captures.";

    /// The path in the document.
    pub fn path(&self) -> &str {
        match self {
            Self::Metric(metric) => metric.path,
            Self::Capture(path) => path,
        }
    }
}

/// The format of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchFormat {
    /// One document, targets by their ids.
    Json,
    /// One document per target and line, printed when the probe ends.
    Ndjson,
    /// Input lines of `zabbix_sender(1)`.
    Sender,
    /// A table for people.
    Text,
}

/// Whether a document contains the fields that have their default value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultFields {
    /// All fields are written.
    Include,
    /// Fields at their default are omitted, for a shorter document (`--compact`).
    Omit,
}

/// A pattern of item keys, such as `tcp.target[ID,METRIC]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderKey(pub Vec<KeyPart>);

/// A part of a [`SenderKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// Literal text.
    Text(Box<str>),
    /// The target id.
    Id,
    /// The metric path.
    Metric,
}
