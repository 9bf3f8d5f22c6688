//! The result document: one line of JSON, made from the table of metrics.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::metrics::{METRICS, Read, Value};
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
        write!(writer, "{value:.6}")
    }
}

/// A metric's path and its value.
type Row<'v> = (&'static str, Value<'v>);

struct Document<'r>(&'r Report);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let measured = METRICS.iter().filter_map(|metric| Some((metric.path, metric.value(self.0)?)));
        let mut map = serializer.serialize_map(None)?;
        write_groups(&mut map, &measured.collect::<Vec<_>>())?;
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
    let head = |path: &str| path.split_once('.').map(|(head, _)| head.to_owned());
    for group in rows.chunk_by(|a, b| head(a.0).is_some() && head(a.0) == head(b.0)) {
        match group.first().map(|(path, value)| (head(path), path, value)) {
            Some((Some(head), _, _)) => map.serialize_entry(&head, &Group(group))?,
            Some((None, path, value)) => map.serialize_entry(path, value)?,
            None => {}
        }
    }
    Ok(())
}

struct Group<'g, 'v>(&'g [Row<'v>]);

impl Serialize for Group<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let member = |path: &'static str| path.split_once('.').map_or(path, |(_, member)| member);
        serializer.collect_map(self.0.iter().map(|(path, value)| (member(path), value)))
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
        serializer.collect_map(self.1.iter().map(|(name, value)| (name, self.0.plan.veil(value))))
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
        let failure = trial.verdict(report.plan.want);
        let status = failure.as_ref().map_or(Status::Ok, |failure| failure.status);
        let mut rows = of_connection(trial, &["address", "family", "source"]);
        rows.push(("up", Value::Integer(failure.is_none().into())));
        rows.push(("status", Value::Integer(status.code().into())));
        rows.push(("status_name", Value::Text(status.name().into())));
        rows.push(("error", Value::Text(failure.map_or_else(String::new, |failure| failure.text).into())));
        rows.push(("time.total", Value::Seconds(trial.total)));
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
        Read::Connection(read) => Some((metric.path, read(trial)?)),
        Read::Probe(_) => None,
    });
    measured.collect()
}
