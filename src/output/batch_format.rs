//! What of a fleet's reports is printed, and in which format.

use crate::output::metrics::Metric;

/// What a batch prints.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The format.
    pub format: FleetFormat,
    /// The values of each target that `sender` lines carry, in this order.
    pub metrics: Vec<&'static Metric>,
    /// The host in Zabbix of targets that name none; `-` where there is none either.
    pub zabbix_host: Option<Box<str>>,
    /// The item key of `sender` lines.
    pub sender_key: SenderKey,
    /// What documents do with members at their default.
    pub defaults: Defaults,
}

/// How a batch is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetFormat {
    /// One document, targets by their ids.
    Json,
    /// One document for each target, as it ends.
    Ndjson,
    /// Input lines of `zabbix_sender(1)`.
    Sender,
    /// A table for people.
    Text,
}

/// What happens to members of a document that are at their default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// They are written.
    Written,
    /// They are left out, for a shorter document.
    LeftOut,
}

/// A pattern of item keys, such as `tcp.target[ID,METRIC]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderKey(pub Vec<KeyPart>);

/// A part of a [`SenderKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// Written as it is.
    Text(Box<str>),
    /// The target's id.
    Id,
    /// The metric's path.
    Metric,
}
