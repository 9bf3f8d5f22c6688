//! The result document: one line of JSON, made from the table of metrics.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::metrics::{self, METRICS, Read, Value};
use super::value;
use crate::failure::Status;
use crate::report::{Report, Trial};

/// The document of a report, with its final newline.
pub fn line(report: &Report) -> String {
    let mut bytes = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, PlainDecimals);
    // Neither writing to memory nor these types can fail.
    let _ = Document(report).serialize(&mut serializer);
    bytes.push(b'\n');
    String::from_utf8(bytes).unwrap_or_default()
}

/// Writes every fraction with six digits: a stock printer would write 17 us as `1.7e-05`.
struct PlainDecimals;

impl serde_json::ser::Formatter for PlainDecimals {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(value::decimal(value).as_bytes())
    }
}

/// A metric's group, such as `time`, if it has one; its name there; its value.
type Row<'v> = (Option<&'static str>, &'static str, Value<'v>);

fn row<'v>(path: &'static str, value: Value<'v>) -> Row<'v> {
    // A plain loop: setting up a search for a `char` costs more than these few bytes, in every row of every document.
    let dot = path.bytes().position(|byte| byte == b'.');
    match dot.and_then(|dot| Some((path.get(..dot)?, path.get(dot + 1..)?))) {
        Some((group, name)) => (Some(group), name, value),
        None => (None, path, value),
    }
}

struct Document<'r>(&'r Report);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = Vec::with_capacity(METRICS.len());
        rows.extend(METRICS.iter().filter_map(|metric| Some(row(metric.path, metric.value(self.0)?))));
        let mut map = serializer.serialize_map(None)?;
        write_groups(&mut map, &rows)?;
        let captures = self.0.trial.as_ref().map_or(&[][..], |trial| &trial.captures);
        if !captures.is_empty() {
            map.serialize_entry("captures", &Captures(self.0, captures))?;
        }
        if !self.0.addresses.is_empty() {
            map.serialize_entry("addresses", &AddressList(self.0))?;
        }
        map.end()
    }
}

/// Writes `a.b` paths as members `b` of an object `a`; the rows of a group stand together.
fn write_groups<M: SerializeMap>(map: &mut M, rows: &[Row<'_>]) -> Result<(), M::Error> {
    for group in rows.chunk_by(|a, b| a.0.is_some() && a.0 == b.0) {
        match group.first() {
            Some((Some(name), ..)) => map.serialize_entry(name, &Group(group))?,
            Some((None, name, value)) => map.serialize_entry(name, value)?,
            None => {}
        }
    }
    Ok(())
}

struct Group<'g, 'v>(&'g [Row<'v>]);

impl Serialize for Group<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(_, name, value)| (name, value)))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Seconds(duration) => serializer.serialize_f64(value::micros(*duration) as f64 / 1e6),
            Value::Integer(number) => serializer.serialize_u64(*number),
            Value::Ratio(part) => serializer.serialize_f64(*part),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// What the dialogue captured, by name.
struct Captures<'r>(&'r Report, &'r [(Box<str>, Vec<u8>)]);

impl Serialize for Captures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.1.iter().map(|(name, value)| (name, metrics::bounded(self.0, value))))
    }
}

/// One entry for each address that was tried.
struct AddressList<'r>(&'r Report);

impl Serialize for AddressList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.addresses.len()))?;
        for trial in &self.0.addresses {
            list.serialize_element(&Address(self.0, trial))?;
        }
        list.end()
    }
}

struct Address<'r>(&'r Report, &'r Trial);

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report, trial) = *self;
        let failure = trial.verdict(report.plan.method.want);
        let status = failure.as_ref().map_or(Status::Ok, |failure| failure.status);
        let mut rows = of_connection(trial, &["address", "family", "source"]);
        rows.push(row("up", Value::Integer(failure.is_none().into())));
        rows.push(row("status", Value::Integer(status.code().into())));
        rows.push(row("status_name", Value::Text(status.name().into())));
        rows.push(row("error", Value::Text(failure.map_or_else(String::new, |failure| failure.text).into())));
        rows.push(row("time.total", Value::Seconds(trial.total)));
        rows.extend(of_connection(trial, &["time", "tcp", "icmp"]));
        let mut map = serializer.serialize_map(None)?;
        write_groups(&mut map, &rows)?;
        map.end()
    }
}

/// The rows of these groups that one connection can fill.
fn of_connection<'t>(trial: &'t Trial, heads: &[&str]) -> Vec<Row<'t>> {
    let wanted = METRICS.iter().filter(|metric| heads.iter().any(|head| metric.path.split('.').next() == Some(head)));
    let measured = wanted.filter_map(|metric| match metric.read {
        Read::Connection(read) => Some(row(metric.path, read(trial)?)),
        Read::Probe(_) => None,
    });
    measured.collect()
}
