//! The traces of one host as one line of JSON.

use crate::escape::with_visible_characters;
use crate::fast_fmt;
use crate::output::json::{self as text, JsonWriter};
use crate::output::metrics::{SCHEMA, Value};
use crate::output::path_report::conclusion;
use crate::output::path_report::rows::{HopRow, NamesOfRouters, PathReport, path, rows};
use crate::path_facts::HopAnswer;
use crate::report::Report;

/// The traces as one JSON object, with its final newline.
pub fn json(report: &PathReport<'_>) -> String {
    let mut buffer = Vec::new();
    let mut json = JsonWriter::new(&mut buffer);
    json.open_object();
    number(&mut json, "schema", SCHEMA);
    json.key("host");
    json.text(&report.first.plan.target.host.to_string());
    if let Some(connection) = &report.first.connection {
        let address = connection.address.ip();
        json.key("address");
        value(&mut json, &Value::Address(address));
        number(&mut json, "family", if address.is_ipv4() { 4 } else { 6 });
    }
    json.key("ports");
    json.open_array();
    for one in report.reports() {
        write_port(&mut json, one, report.names);
    }
    json.close_array();
    json.key("conclusion");
    json.text(&conclusion::of(report).unwrap_or_default());
    json.close_object();
    buffer.push(b'\n');
    text::into_string(buffer)
}

fn write_port(json: &mut JsonWriter<'_>, report: &Report, names: &NamesOfRouters) {
    let status = report.status();
    json.open_object();
    number(json, "port", report.plan.target.port.get().into());
    number(json, "up", report.is_up().into());
    number(json, "status", status.code().into());
    json.key("status_name");
    json.text(status.name());
    json.key("error");
    json.text(report.failure.as_ref().map_or("", |failure| &failure.text));
    if let Some(facts) = path(report) {
        number(json, "reached", facts.target().is_some().into());
        if let (Some(hop), Some(last)) = (facts.last_hop(), facts.last()) {
            number(json, "last_hop", hop.into());
            json.key("last");
            value(json, &Value::Address(last.from));
        }
        number(json, "several_paths", facts.has_several_paths().into());
        let (rows, silent) = rows(facts);
        json.key("hops");
        json.open_array();
        for row in &rows {
            write_hop(json, row, names);
        }
        json.close_array();
        number(json, "silent_hops", silent as u64);
    }
    json.close_object();
}

fn write_hop(json: &mut JsonWriter<'_>, row: &HopRow, names: &NamesOfRouters) {
    json.open_object();
    number(json, "hop", row.hop.into());
    number(json, "sent", row.sent.into());
    number(json, "answered", row.answered.into());
    json.key("loss");
    value(json, &Value::Ratio(row.loss()));
    for (name, time) in ["min", "avg", "max"]
        .into_iter()
        .zip(row.times.into_iter().flatten())
    {
        json.key(name);
        value(json, &Value::Seconds(time));
    }
    json.key("from");
    json.open_array();
    for (address, answer) in &row.from {
        json.open_object();
        json.key("address");
        value(json, &Value::Address(*address));
        if let Some(name) = names.get(address) {
            json.key("name");
            json.text(&with_visible_characters(name));
        }
        json.key("answer");
        json.text(match answer {
            HopAnswer::TimeExceeded => "time_exceeded",
            HopAnswer::Error(_) => "error",
            HopAnswer::Refused => "refused",
            HopAnswer::Accepted => "accepted",
        });
        if let HopAnswer::Error(icmp) = answer {
            number(json, "type", icmp.kind.into());
            number(json, "code", icmp.code.into());
        }
        json.close_object();
    }
    json.close_array();
    json.close_object();
}

fn number(json: &mut JsonWriter<'_>, key: &'static str, number: u64) {
    json.key(key);
    json.value(|buffer| fast_fmt::integer(buffer, number));
}

fn value(json: &mut JsonWriter<'_>, value: &Value<'_>) {
    crate::output::document::write_value(json, value);
}
