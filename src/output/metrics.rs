//! The table of metrics: what a report publishes, in the order of the document.
//!
//! `-o PATH`, the JSON document, the help text and the reference are all made from it. Fields keep name, type and unit
//! for ever; new ones may come.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::from_utf8;
use std::time::Duration;

use crate::address::Host;
use crate::failure::IcmpFact;
use crate::fast_fmt;
use crate::plan::Plan;
use crate::report::{ConnectionReport, DialogueReport, Report, Response, TcpFacts};
use crate::stats::RunningStats;

/// The version of the document.
pub const SCHEMA: u64 = 1;

/// One published value.
#[derive(Debug)]
pub struct Metric {
    /// Its path in the document, such as `time.connect`.
    pub path: &'static str,
    /// The group of its path, such as `time`, if it has one.
    pub group: Option<&'static str>,
    /// Its name in the group, such as `connect`.
    pub name: &'static str,
    /// Its unit or type, for people.
    pub unit: &'static str,
    /// What it says, for people.
    pub help: &'static str,
    /// What a single value prints where it was not measured.
    pub unmeasured: Unmeasured,
    /// Reads it.
    pub read: Read,
}

/// Where a metric is read.
#[derive(Debug, Clone, Copy)]
pub enum Read {
    /// From what was asked: it is known before the probe.
    Asked(fn(&Plan) -> Option<Value<'_>>),
    /// From the whole probe.
    Probe(fn(&Report) -> Option<Value<'_>>),
    /// From one connection.
    Connection(fn(&ConnectionReport) -> Option<Value<'_>>),
}

/// What a single value prints where it was not measured; in documents it is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmeasured {
    /// `0`: times and counters.
    Zero,
    /// An empty line: texts.
    Empty,
    /// `STATUS_NAME: error`: numbers where 0 would be an alarm or a lie; Zabbix shows it as the item's error.
    Reason,
}

/// A value that was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A time in seconds, microsecond digits.
    Seconds(Duration),
    /// A count or a number.
    Integer(u64),
    /// A part of one.
    Ratio(f64),
    /// A text on one line.
    Text(Cow<'a, str>),
    /// An address, a text.
    Address(IpAddr),
}

impl Value<'_> {
    /// Its text, if it is one; everything else is a number.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Text(text) => Some(Cow::Borrowed(text)),
            Address(address) => Some(address.to_string().into()),
            Seconds(_) | Integer(_) | Ratio(_) => None,
        }
    }

    /// Appends it as it stands on a line of its own: no quotes, no unit, no exponent, never negative.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        match self {
            Seconds(duration) => fast_fmt::seconds(buffer, *duration),
            Integer(count) => fast_fmt::integer(buffer, *count),
            Ratio(part) => fast_fmt::decimal(buffer, *part),
            Text(text) => buffer.extend_from_slice(text.as_bytes()),
            Address(address) => fast_fmt::address(buffer, *address),
        }
    }
}

impl Metric {
    /// Its value in this report, if it was measured.
    pub fn value<'r>(&self, report: &'r Report) -> Option<Value<'r>> {
        match self.read {
            Asked(read) => read(&report.plan),
            Probe(read) => read(report),
            Connection(read) => report.connection.as_ref().and_then(read),
        }
    }
}

use Read::{Asked, Connection, Probe};
use Unmeasured::{Empty, Reason, Zero};
use Value::{Address, Integer, Ratio, Seconds, Text};

/// Every metric.
pub const METRICS: [Metric; 36] = [
    row(
        "schema",
        "version",
        "version of this document",
        Zero,
        Asked(|_| Some(Integer(SCHEMA))),
    ),
    row(
        "id",
        "text",
        "what a list of targets calls it",
        Empty,
        Asked(|p| text(p.label.as_ref()?.id.as_deref()?)),
    ),
    row(
        "name",
        "text",
        "its name for people",
        Empty,
        Asked(|p| text(p.label.as_ref()?.name.as_deref()?)),
    ),
    row(
        "host",
        "text",
        "the host as it was given",
        Empty,
        Asked(|p| Some(host(&p.target.host))),
    ),
    row(
        "port",
        "number",
        "the port",
        Zero,
        Asked(|p| Some(Integer(p.target.port.get().into()))),
    ),
    row(
        "service",
        "text",
        "the named service",
        Empty,
        Asked(|p| text(p.spec.service.as_deref()?)),
    ),
    row(
        "up",
        "0 or 1",
        "1 when everything asked for was verified",
        Zero,
        Probe(|r| Some(Integer(r.is_up().into()))),
    ),
    row(
        "status",
        "number",
        "what came of it; see the table of statuses",
        Zero,
        Probe(|r| Some(Integer(r.status().code().into()))),
    ),
    row(
        "status_name",
        "text",
        "the status's name",
        Empty,
        Probe(|r| text(r.status().name())),
    ),
    row(
        "error",
        "text",
        "why it is not up, in one sentence; empty when it is",
        Empty,
        Probe(error),
    ),
    row(
        "step",
        "number",
        "the failed, else the last, step of the dialogue",
        Zero,
        Connection(|t| said(t)?.step.map(|step| Integer(step as u64))),
    ),
    row(
        "address",
        "text",
        "the address that was tried",
        Empty,
        Connection(|t| Some(Address(t.address.ip()))),
    ),
    row(
        "family",
        "4 or 6",
        "its family",
        Zero,
        Connection(|t| Some(Integer(family(t.address.ip())))),
    ),
    row(
        "source",
        "text",
        "the local address",
        Empty,
        Connection(|t| t.source.map(Address)),
    ),
    row(
        "time.total",
        "s",
        "from start to verdict",
        Zero,
        Probe(|r| Some(Seconds(r.total))),
    ),
    row(
        "time.resolve",
        "s",
        "the name's resolution",
        Zero,
        Probe(|r| r.resolve.map(Seconds)),
    ),
    row(
        "time.connect",
        "s",
        "the TCP handshake",
        Zero,
        Connection(|t| t.connect.map(Seconds)),
    ),
    row(
        "time.first_byte",
        "s",
        "from the dialogue's start to its first byte",
        Zero,
        Connection(|t| said(t)?.first_byte.map(Seconds)),
    ),
    row(
        "time.dialogue",
        "s",
        "from the connection to the verdict",
        Zero,
        Connection(|t| said(t)?.took.map(Seconds)),
    ),
    row(
        "tcp.rtt",
        "s",
        "the kernel's round trip time",
        Zero,
        Connection(|t| t.tcp?.rtt.map(|rtt| Seconds(rtt.smoothed()))),
    ),
    row(
        "tcp.rttvar",
        "s",
        "its variance",
        Zero,
        Connection(|t| t.tcp?.rtt.map(|rtt| Seconds(rtt.variance()))),
    ),
    row(
        "tcp.syn_retransmits",
        "number",
        "SYNs that had to be sent again",
        Zero,
        Connection(|t| tcp(t, |f| Some(f.syn_retransmits))),
    ),
    row(
        "tcp.mss",
        "bytes",
        "the maximum segment size",
        Zero,
        Connection(|t| tcp(t, |f| f.mss)),
    ),
    row(
        "icmp.type",
        "number",
        "the ICMP message that ended the connect: its type",
        Reason,
        Connection(|t| icmp(t, |f| f.kind)),
    ),
    row(
        "icmp.code",
        "number",
        "its code",
        Reason,
        Connection(|t| icmp(t, |f| f.code)),
    ),
    row(
        "icmp.from",
        "text",
        "the router or firewall that sent it",
        Empty,
        Connection(|t| t.failure.as_ref()?.icmp?.from.map(Address)),
    ),
    row(
        "response.bytes",
        "bytes",
        "received in all",
        Zero,
        Connection(|t| t.response().map(|r| Integer(r.bytes))),
    ),
    row(
        "response.text",
        "text",
        "the last step's bytes, decoded and escaped, at most 2 KiB",
        Empty,
        Probe(response_text),
    ),
    row(
        "response.hex",
        "text",
        "its first 256 bytes, where they are no clean text",
        Empty,
        Probe(response_hex),
    ),
    row(
        "attempts.sent",
        "number",
        "connects begun, with --count",
        Zero,
        Probe(|r| attempts(r, |a| Some(Integer(a.sent().into())))),
    ),
    row(
        "attempts.ok",
        "number",
        "connects that succeeded",
        Zero,
        Probe(|r| attempts(r, |a| Some(Integer(a.ok().into())))),
    ),
    row(
        "attempts.loss",
        "0 to 1",
        "the part of the sent that failed",
        Reason,
        Probe(|r| attempts(r, |a| a.loss().map(Ratio))),
    ),
    row(
        "attempts.min",
        "s",
        "the shortest handshake",
        Zero,
        Probe(|r| attempts(r, |a| a.min().map(Seconds))),
    ),
    row(
        "attempts.avg",
        "s",
        "the mean",
        Zero,
        Probe(|r| attempts(r, |a| a.avg().map(Seconds))),
    ),
    row(
        "attempts.max",
        "s",
        "the longest",
        Zero,
        Probe(|r| attempts(r, |a| a.max().map(Seconds))),
    ),
    row(
        "attempts.stddev",
        "s",
        "the standard deviation",
        Zero,
        Probe(|r| attempts(r, |a| a.stddev().map(Seconds))),
    ),
];

const fn row(
    path: &'static str,
    unit: &'static str,
    help: &'static str,
    unmeasured: Unmeasured,
    read: Read,
) -> Metric {
    let (group, name) = parts(path);
    Metric {
        path,
        group,
        name,
        unit,
        help,
        unmeasured,
        read,
    }
}

/// The group and the name of a path.
const fn parts(path: &'static str) -> (Option<&'static str>, &'static str) {
    let mut at = 0;
    while at < path.len() {
        if path.as_bytes()[at] == b'.' {
            let (group, name) = path.as_bytes().split_at(at);
            let (_, name) = name.split_at(1);
            if let (Ok(group), Ok(name)) = (from_utf8(group), from_utf8(name)) {
                return (Some(group), name);
            }
        }
        at += 1;
    }
    (None, path)
}

/// A host as it was given.
pub(super) fn host(host: &Host) -> Value<'_> {
    match host {
        Host::Address(address) => Address(*address),
        Host::Zoned(..) => Text(host.to_string().into()),
        Host::Name(name) => Text(name.as_str().into()),
    }
}

fn text<'a>(text: impl Into<Cow<'a, str>>) -> Option<Value<'a>> {
    Some(Text(text.into()))
}

fn error(report: &Report) -> Option<Value<'_>> {
    text(report.failure.as_ref().map_or("", |failure| &failure.text))
}

fn family(address: IpAddr) -> u64 {
    if address.is_ipv4() { 4 } else { 6 }
}

fn said(connection: &ConnectionReport) -> Option<&DialogueReport> {
    connection.exchange.as_deref()
}

fn tcp(
    connection: &ConnectionReport,
    read: fn(&TcpFacts) -> Option<u32>,
) -> Option<Value<'static>> {
    connection
        .tcp
        .as_ref()
        .and_then(read)
        .map(|number| Integer(number.into()))
}

fn icmp(connection: &ConnectionReport, read: fn(&IcmpFact) -> u8) -> Option<Value<'static>> {
    connection
        .failure
        .as_ref()?
        .icmp
        .as_ref()
        .map(|fact| Integer(read(fact).into()))
}

fn attempts(
    report: &Report,
    read: fn(&RunningStats) -> Option<Value<'static>>,
) -> Option<Value<'static>> {
    report.attempts.as_deref().and_then(read)
}

/// The most bytes of `response.text`, and of each capture.
const TEXT_LIMIT: usize = 2048;
/// The most bytes that `response.hex` shows.
const HEX_LIMIT: usize = 256;

fn response(report: &Report) -> Option<&Response> {
    report.connection.as_ref()?.response()
}

fn response_text(report: &Report) -> Option<Value<'_>> {
    let response = response(report)?;
    let end = response
        .start
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    text(bounded(
        report,
        response.start.get(..end).unwrap_or_default(),
    ))
}

/// The printable form of what a peer sent, secrets hidden, at most 2 KiB.
pub fn bounded(report: &Report, bytes: &[u8]) -> String {
    // A secret that is cut in half would be shown: it is hidden before anything is cut. No byte becomes less than one.
    let mut printable = report.plan.spec.veil_start(bytes, TEXT_LIMIT);
    if let Some((cut, _)) = printable
        .char_indices()
        .find(|(at, character)| at + character.len_utf8() > TEXT_LIMIT)
    {
        printable.truncate(cut);
    }
    printable
}

fn response_hex(report: &Report) -> Option<Value<'_>> {
    let response = response(report)?;
    if report.plan.spec.charset.is_clean_text(&response.start) {
        return None;
    }
    let mut digits = Vec::new();
    for byte in report
        .plan
        .spec
        .hide(&response.start)
        .iter()
        .take(HEX_LIMIT)
    {
        fast_fmt::hex(&mut digits, *byte);
    }
    text(String::from_utf8(digits).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique_and_groups_are_whole() {
        let paths: Vec<_> = METRICS.iter().map(|metric| metric.path).collect();
        let mut groups: Vec<_> = paths
            .iter()
            .map(|path| path.split('.').next().unwrap())
            .collect();
        groups.dedup();
        let mut unique = groups.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(
            groups.len(),
            unique.len(),
            "a group of the document is written once, in one place"
        );
    }

    #[test]
    fn published_paths_stay() {
        let paths: Vec<_> = METRICS.iter().map(|metric| metric.path).collect();
        for path in [
            "up",
            "status",
            "error",
            "time.connect",
            "tcp.syn_retransmits",
            "response.text",
            "attempts.loss",
        ] {
            assert!(paths.contains(&path), "{path}");
        }
    }
}
