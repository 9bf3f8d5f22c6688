//! The result document: one line of JSON, made from the table of metrics.

use crate::failure::Status;
use crate::fast_fmt;
use crate::output::json::Writer;
use crate::output::metrics;
use crate::output::metrics::{METRICS, Metric, Read, Value};
use crate::report::{ConnectionReport, Report};

/// The document of a report, with its final newline.
pub fn line(report: &Report) -> String {
    let mut bytes = Vec::with_capacity(USUAL_LENGTH);
    write(report, &mut bytes);
    bytes.push(b'\n');
    // The parts are all texts, so the whole is.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The length of most documents.
const USUAL_LENGTH: usize = 512;

/// Appends the document of a report: one JSON object, without a newline.
pub fn write(report: &Report, buffer: &mut Vec<u8>) {
    buffer.reserve(USUAL_LENGTH);
    let mut document = Rows::open(buffer);
    for metric in &METRICS {
        if let Some(value) = metric.value(report) {
            document.row(metric.group, metric.name, &value);
        }
    }
    document.end(report);
}

/// Appends what is no single metric, and ends the document.
fn write_lists(report: &Report, json: &mut Writer<'_>) {
    let captures = report
        .connection
        .as_ref()
        .map_or(&[][..], ConnectionReport::captures);
    if !captures.is_empty() {
        json.key("captures");
        json.open_object();
        for (name, captured) in captures {
            json.any_key(name);
            json.text(&metrics::bounded(report, captured));
        }
        json.close_object();
    }
    if !report.addresses.is_empty() {
        json.key("addresses");
        json.open_array();
        for connection in &report.addresses {
            json.value(|buffer| write_address(report, connection, buffer));
        }
        json.close_array();
    }
}

/// One entry for each address that was tried.
fn write_address(report: &Report, connection: &ConnectionReport, buffer: &mut Vec<u8>) {
    let failure = connection.verdict(report.plan.spec.want);
    let status = failure
        .as_ref()
        .map_or(Status::Ok, |failure| failure.status);
    let error = failure.as_ref().map_or("", |failure| &failure.text);
    let mut entry = Rows::open(buffer);
    entry.connection(connection, |metric| {
        matches!(metric.path, "address" | "family" | "source")
    });
    entry.row(None, "up", &Value::Integer(failure.is_none().into()));
    entry.row(None, "status", &Value::Integer(status.code().into()));
    entry.row(None, "status_name", &Value::Text(status.name().into()));
    entry.row(None, "error", &Value::Text(error.into()));
    entry.row(Some("time"), "total", &Value::Seconds(connection.total));
    entry.connection(connection, |metric| {
        matches!(metric.group, Some("time" | "tcp" | "icmp"))
    });
    entry.close_group().close_object();
}

/// An object of metrics: those of one group, such as `time`, come one after the other and become an object in it.
pub(super) struct Rows<'b> {
    json: Writer<'b>,
    group: Option<&'static str>,
}

impl<'b> Rows<'b> {
    /// The beginning of an object.
    pub(super) fn open(buffer: &'b mut Vec<u8>) -> Self {
        let mut json = Writer::new(buffer);
        json.open_object();
        Self { json, group: None }
    }

    /// The rest of an object whose beginning was written with its last comma.
    pub(super) fn resume(buffer: &'b mut Vec<u8>) -> Self {
        Self {
            json: Writer::new(buffer),
            group: None,
        }
    }

    /// Appends a metric; those of a group come one after the other.
    pub(super) fn row(
        &mut self,
        group: Option<&'static str>,
        name: &'static str,
        value: &Value<'_>,
    ) {
        if group != self.group {
            self.close_group();
            if let Some(group) = group {
                self.json.key(group);
                self.json.open_object();
            }
            self.group = group;
        }
        self.json.key(name);
        write_value(&mut self.json, value);
    }

    /// Appends what is no single metric of the report, and ends the object.
    pub(super) fn end(&mut self, report: &Report) {
        let json = self.close_group();
        write_lists(report, json);
        json.close_object();
    }

    /// The rows of these metrics that one connection can fill.
    fn connection(&mut self, connection: &ConnectionReport, wanted: impl Fn(&Metric) -> bool) {
        for metric in METRICS.iter().filter(|metric| wanted(metric)) {
            let Read::Connection(read) = metric.read else {
                continue;
            };
            if let Some(value) = read(connection) {
                self.row(metric.group, metric.name, &value);
            }
        }
    }

    /// Ends the group that is open; what is written now stands beside it.
    fn close_group(&mut self) -> &mut Writer<'b> {
        if self.group.take().is_some() {
            self.json.close_object();
        }
        &mut self.json
    }
}

/// Texts as strings, everything else as a bare number.
pub(super) fn write_value(json: &mut Writer<'_>, value: &Value<'_>) {
    match value {
        Value::Text(text) => json.text(text),
        Value::Address(address) => json.value(|buffer| {
            buffer.push(b'"');
            fast_fmt::address(buffer, *address);
            buffer.push(b'"');
        }),
        Value::Seconds(_) | Value::Integer(_) | Value::Ratio(_) => {
            json.value(|buffer| value.write(buffer));
        }
    }
}

#[cfg(test)]
mod tests;
