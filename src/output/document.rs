//! The result document: one line of JSON, generated from the table of metrics.

use crate::failure::Status;
use crate::fast_fmt;
use crate::output::json::JsonWriter;
use crate::output::metrics::{Getter, METRICS, Metric, Value};
use crate::output::tls::TlsReport;
use crate::output::{json, metrics};
use crate::report::{ConnectionReport, Report};

/// The document of a report, with its final newline.
pub fn line(report: &Report) -> String {
    let mut bytes = Vec::with_capacity(USUAL_LENGTH);
    write(report, &mut bytes);
    bytes.push(b'\n');
    json::into_string(bytes)
}

/// The initial capacity of a document's buffer; most documents are shorter.
const USUAL_LENGTH: usize = 512;

/// Appends the document of a report: one JSON object, without a newline.
pub fn write(report: &Report, buffer: &mut Vec<u8>) {
    buffer.reserve(USUAL_LENGTH);
    let mut document = FieldWriter::new(buffer);
    let of_result = metrics::of_result(report).into_iter().flatten();
    for metric in metrics::of_plan().iter().chain(of_result) {
        if let Some(value) = metric.value(report) {
            document.field(metric.group, metric.name, &value);
        }
    }
    document.finish(report);
}

/// Appends the fields that are not metrics: captures and the list of addresses.
fn write_lists(report: &Report, json: &mut JsonWriter<'_>) {
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
    if !report.addresses.is_empty() && report.plan.spec.needs_every_address() {
        json.key("addresses");
        json.open_array();
        for connection in &report.addresses {
            json.value(|buffer| write_address(report, connection, buffer));
        }
        json.close_array();
    }
}

/// Appends one entry of `addresses`.
fn write_address(report: &Report, connection: &ConnectionReport, buffer: &mut Vec<u8>) {
    let failure = connection.verdict(report.plan.spec.expected);
    let status = failure
        .as_ref()
        .map_or(Status::Ok, |failure| failure.status);
    let error = failure.as_ref().map_or("", |failure| &failure.text);
    let mut entry = FieldWriter::new(buffer);
    entry.connection(report, connection, |metric| {
        matches!(metric.path, "address" | "family" | "source")
    });
    entry.field(None, "up", &Value::Integer(failure.is_none().into()));
    entry.field(None, "state", &Value::Integer(metrics::state(status)));
    entry.field(None, "status", &Value::Integer(status.code().into()));
    entry.field(None, "status_name", &Value::Text(status.name().into()));
    entry.field(None, "error", &Value::Text(error.into()));
    entry.field(Some("time"), "total", &Value::Seconds(connection.total));
    entry.connection(report, connection, |metric| {
        // The lists are long, and there may be 64 addresses.
        matches!(metric.group, Some("time" | "tcp" | "tls" | "icmp" | "path")) && !is_long(metric)
    });
    entry.close_group().close_object();
}

/// Whether the peer chooses how many elements this list has.
pub(super) fn is_long(metric: &Metric) -> bool {
    matches!(
        metric.path,
        "tls.names" | "tls.names_omitted" | "tls.chain" | "tls.chain_omitted"
    )
}

/// Writes metrics as the fields of a JSON object. Consecutive metrics of one group, such as `time`,
/// become a nested object.
pub(super) struct FieldWriter<'b> {
    json: JsonWriter<'b>,
    /// The group whose object is open.
    group: Option<&'static str>,
}

impl<'b> FieldWriter<'b> {
    /// Opens the object.
    pub(super) fn new(buffer: &'b mut Vec<u8>) -> Self {
        let mut json = JsonWriter::new(buffer);
        json.open_object();
        Self { json, group: None }
    }

    /// Continues an object whose first fields are written, including the comma after them.
    pub(super) fn resume(buffer: &'b mut Vec<u8>) -> Self {
        Self {
            json: JsonWriter::new(buffer),
            group: None,
        }
    }

    /// Appends a field. The fields of a group must be consecutive.
    pub(super) fn field(
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

    /// Appends the fields that are not metrics, and closes the object.
    pub(super) fn finish(&mut self, report: &Report) {
        let json = self.close_group();
        write_lists(report, json);
        json.close_object();
    }

    /// Appends the selected metrics that are read from a connection.
    fn connection(
        &mut self,
        report: &Report,
        connection: &ConnectionReport,
        is_selected: impl Fn(&Metric) -> bool,
    ) {
        let tls = TlsReport::of(report, connection);
        for metric in METRICS.iter().filter(|metric| is_selected(metric)) {
            let value = match metric.getter {
                Getter::FromConnection(get) => get(connection),
                Getter::FromTls(get) => tls.and_then(get),
                Getter::FromPlan(_) | Getter::FromReport(_) => None,
            };
            if let Some(value) = value {
                self.field(metric.group, metric.name, &value);
            }
        }
    }

    /// Closes the open group; what is written next is a field of the outer object.
    fn close_group(&mut self) -> &mut JsonWriter<'b> {
        if self.group.take().is_some() {
            self.json.close_object();
        }
        &mut self.json
    }
}

/// Appends a value: texts and addresses as strings, lists as arrays, all others as numbers.
pub(super) fn write_value(json: &mut JsonWriter<'_>, value: &Value<'_>) {
    match value {
        Value::Text(text) => json.text(text),
        Value::Address(address) => json.value(|buffer| {
            buffer.push(b'"');
            fast_fmt::address(buffer, *address);
            buffer.push(b'"');
        }),
        Value::List(texts) => {
            json.open_array();
            for text in texts {
                json.text(text);
            }
            json.close_array();
        }
        Value::Seconds(_)
        | Value::Integer(_)
        | Value::Signed(_)
        | Value::Days(_)
        | Value::Ratio(_)
        | Value::Json(_) => {
            json.value(|buffer| value.write(buffer));
        }
    }
}

#[cfg(test)]
mod tests;
