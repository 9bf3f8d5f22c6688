//! The table of metrics: every published value, in the order of the document.
//!
//! `-o PATH`, the JSON document, the help text and the reference are all generated from it. Names,
//! types and units never change; metrics may be added.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;
use std::ops::Range;
use std::str::from_utf8;

use crate::address::Host;
use crate::failure::{IcmpFact, Status};
use crate::output::path;
use crate::output::tls::{self, TlsReport};
use crate::plan::Plan;
use crate::report::{ConnectionReport, DialogueReport, Report, Response, TcpFacts};
use crate::stats::RunningStats;

pub use crate::output::metric_value::Value;

/// The version of the document format.
pub const SCHEMA: u64 = 1;

/// One published value.
#[derive(Debug)]
pub struct Metric {
    /// The path in the document, such as `time.connect`.
    pub path: &'static str,
    /// The first part of the path, such as `time`, if it has two.
    pub group: Option<&'static str>,
    /// The last part of the path, such as `connect`.
    pub name: &'static str,
    /// The unit, or the type if there is none, for documentation.
    pub unit: &'static str,
    /// A description, for documentation.
    pub help: &'static str,
    /// What `-o PATH` prints if the metric was not measured.
    pub unmeasured: Unmeasured,
    /// Returns the value.
    pub getter: Getter,
}

/// How the value of a metric is read; `None` if it was not measured.
#[derive(Debug, Clone, Copy)]
pub enum Getter {
    /// From the plan: the value is known before the probe. These metrics are the first ones.
    FromPlan(fn(&Plan) -> Option<Value<'_>>),
    /// From the report.
    FromReport(fn(&Report) -> Option<Value<'_>>),
    /// From the report of one connection.
    FromConnection(fn(&ConnectionReport) -> Option<Value<'_>>),
    /// From the facts of TLS on one connection. The rows of these metrics are consecutive.
    FromTls(fn(TlsReport<'_>) -> Option<Value<'_>>),
}

/// What `-o PATH` prints if a metric was not measured. In documents it is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmeasured {
    /// `0`: times and counters.
    Zero,
    /// An empty line: texts.
    Empty,
    /// `STATUS_NAME: error`, for numbers where 0 would be misleading. Zabbix shows it as the error
    /// of the item.
    Reason,
}

impl Metric {
    /// The value in this report, if it was measured.
    pub fn value<'r>(&self, report: &'r Report) -> Option<Value<'r>> {
        match self.getter {
            FromPlan(get) => get(&report.plan),
            FromReport(get) => get(report),
            FromConnection(get) => report.connection.as_ref().and_then(get),
            FromTls(get) => TlsReport::of(report, report.connection.as_ref()?).and_then(get),
        }
    }
}

/// The metrics that are read from a plan; they are the first ones.
pub fn of_plan() -> &'static [Metric] {
    METRICS.split_at(PLAN_ROWS).0
}

/// Whether the kernel is asked for this metric at the end of a dialogue.
pub fn is_of_exchange(metric: &Metric) -> bool {
    matches!(metric.path, "tcp.bytes_acked" | "tcp.retransmits")
}

/// The number of metrics that are read from a plan.
const PLAN_ROWS: usize = {
    let mut row = 0;
    while row < METRICS.len() && matches!(METRICS[row].getter, FromPlan(_)) {
        row += 1;
    }
    row
};

/// The other metrics that this report can have, in several parts: those that are read from TLS only
/// if it was spoken.
pub fn of_result(report: &Report) -> [&'static [Metric]; 3] {
    let (before, rest) = METRICS.split_at(TLS_ROWS.start);
    let (_, before) = before.split_at(PLAN_ROWS);
    let (of_tls, after) = rest.split_at(TLS_ROWS.end - TLS_ROWS.start);
    let connection = report.connection.as_ref();
    match connection.and_then(|connection| TlsReport::of(report, connection)) {
        Some(_) => [before, of_tls, after],
        None => [before, &[], after],
    }
}

/// The rows of the metrics that are read from TLS.
const TLS_ROWS: Range<usize> = {
    let mut rows = METRICS.len()..0;
    let mut row = 0;
    while row < METRICS.len() {
        if matches!(METRICS[row].getter, FromTls(_)) {
            if rows.start > row {
                rows.start = row;
            }
            rows.end = row + 1;
        }
        row += 1;
    }
    rows
};

use Getter::{FromConnection, FromPlan, FromReport, FromTls};
use Unmeasured::{Empty, Reason, Zero};
use Value::{Address, Integer, Ratio, Seconds, Text};

/// Every metric.
pub const METRICS: [Metric; 78] = [
    row(
        "schema",
        "version",
        "version of the format of the document",
        Zero,
        FromPlan(|_| Some(Integer(SCHEMA))),
    ),
    row(
        "id",
        "text",
        "target id",
        Empty,
        FromPlan(|p| text(p.meta.as_ref()?.id.as_deref()?)),
    ),
    row(
        "name",
        "text",
        "display name of the target",
        Empty,
        FromPlan(|p| text(p.meta.as_ref()?.name.as_deref()?)),
    ),
    row(
        "host",
        "text",
        "host name or address of the target, as given",
        Empty,
        FromPlan(|p| Some(host(&p.known_target()?.host))),
    ),
    row(
        "port",
        "number",
        "port",
        Zero,
        FromPlan(|p| Some(Integer(p.known_target()?.port.get().into()))),
    ),
    row(
        "service",
        "text",
        "named service",
        Empty,
        FromPlan(|p| text(p.spec.service.as_deref()?)),
    ),
    row(
        "up",
        "0 or 1",
        "1 if every requested check passed, otherwise 0",
        Zero,
        FromReport(|r| Some(Integer(r.is_up().into()))),
    ),
    row(
        "state",
        "0, 1 or 2",
        "0 if down, 1 if up, 2 if unknown: denied, local_error, not_tried",
        Zero,
        FromReport(|r| Some(Integer(state(r.status())))),
    ),
    row(
        "status",
        "number",
        "status number; see the table of statuses",
        Zero,
        FromReport(|r| Some(Integer(r.status().code().into()))),
    ),
    row(
        "status_name",
        "text",
        "name of the status",
        Empty,
        FromReport(|r| text(r.status().name())),
    ),
    row(
        "error",
        "text",
        "reason for the failure, as one sentence; empty if up",
        Empty,
        FromReport(error),
    ),
    row(
        "step",
        "number",
        "number of the dialogue step that failed, otherwise of the last step",
        Zero,
        FromConnection(|t| dialogue(t)?.step.map(|step| Integer(step as u64))),
    ),
    row(
        "address",
        "text",
        "probed address",
        Empty,
        FromConnection(|t| Some(Address(t.address.ip()))),
    ),
    row(
        "family",
        "4 or 6",
        "address family",
        Zero,
        FromConnection(|t| Some(Integer(family(t.address.ip())))),
    ),
    row(
        "source",
        "text",
        "local address of the connection",
        Empty,
        FromConnection(|t| t.source.map(Address)),
    ),
    row(
        "addresses_total",
        "number",
        "number of addresses of the name, if it has several",
        Zero,
        FromReport(|r| (r.address_count > 1).then(|| Integer(r.address_count.into()))),
    ),
    row(
        "addresses_failed",
        "number",
        "number of addresses of the name that were probed and failed",
        Zero,
        FromReport(|r| Some(Integer(r.address_failures()?.count() as u64))),
    ),
    row(
        "addresses_error",
        "text",
        "failed addresses of the name, with the reasons, at most 2 KiB; empty if none failed",
        Empty,
        FromReport(addresses_error),
    ),
    row(
        "time.total",
        "s",
        "time from the start to the result",
        Zero,
        FromReport(|r| Some(Seconds(r.total))),
    ),
    row(
        "time.resolve",
        "s",
        "time to resolve the name",
        Zero,
        FromReport(|r| r.resolve.map(Seconds)),
    ),
    row(
        "time.connect",
        "s",
        "time of the TCP handshake",
        Zero,
        FromConnection(|t| t.connect.map(Seconds)),
    ),
    row(
        "time.tls",
        "s",
        "time of the TLS handshake",
        Zero,
        FromConnection(|t| dialogue(t)?.handshake.map(Seconds)),
    ),
    row(
        "time.first_byte",
        "s",
        "time from the start of the dialogue to the first received byte",
        Zero,
        FromConnection(|t| dialogue(t)?.first_byte.map(Seconds)),
    ),
    row(
        "time.dialogue",
        "s",
        "time from the established connection to the result",
        Zero,
        FromConnection(|t| dialogue(t)?.duration.map(Seconds)),
    ),
    row(
        "tcp.rtt",
        "s",
        "round-trip time, measured by the kernel",
        Zero,
        FromConnection(|t| t.tcp?.rtt.map(|rtt| Seconds(rtt.smoothed()))),
    ),
    row(
        "tcp.rttvar",
        "s",
        "variation of the round-trip time, measured by the kernel",
        Zero,
        FromConnection(|t| t.tcp?.rtt.map(|rtt| Seconds(rtt.variance()))),
    ),
    row(
        "tcp.syn_retransmits",
        "number",
        "number of retransmitted SYNs",
        Zero,
        FromConnection(|t| tcp(t, |f| Some(f.syn_retransmits))),
    ),
    row(
        "tcp.mss",
        "bytes",
        "maximum segment size",
        Zero,
        FromConnection(|t| tcp(t, |f| f.mss)),
    ),
    row(
        "tcp.bytes_acked",
        "bytes",
        "sent bytes that the kernel of the target has acknowledged, after a dialogue or handshake",
        Zero,
        FromConnection(|t| Some(Integer(dialogue(t)?.exchange?.bytes_acked))),
    ),
    row(
        "tcp.retransmits",
        "number",
        "number of retransmitted segments, without SYNs, after a dialogue or handshake",
        Zero,
        FromConnection(|t| Some(Integer(dialogue(t)?.exchange?.retransmits.into()))),
    ),
    row(
        "tls.how",
        "text",
        "how the facts were read: `handshake`, or `hello` if only the unencrypted start of a handshake was possible",
        Empty,
        FromTls(|t| tls::text(t.facts.how.name())),
    ),
    row(
        "tls.proved",
        "0 or 1",
        "1 if the peer proved that it has the key of its certificate",
        Reason,
        FromTls(|t| tls::flag(t.facts.proved)),
    ),
    row(
        "tls.version",
        "text",
        "negotiated version, such as `TLSv1.3`",
        Empty,
        FromTls(|t| tls::text(t.facts.version?.name())),
    ),
    row(
        "tls.cipher",
        "text",
        "negotiated cipher suite, by its IANA name",
        Empty,
        FromTls(|t| t.word(t.facts.cipher.as_deref()?)),
    ),
    row(
        "tls.group",
        "text",
        "key exchange group, such as `X25519`; absent with RSA key exchange",
        Empty,
        FromTls(|t| t.word(t.facts.group.as_deref()?)),
    ),
    row(
        "tls.alpn",
        "text",
        "application protocol that the server selected, with --alpn",
        Empty,
        FromTls(|t| t.words(t.facts.alpn.as_deref()?)),
    ),
    row(
        "tls.verified",
        "0 or 1",
        "1 if a strict client accepts the certificate",
        Reason,
        FromTls(|t| tls::flag(t.facts.is_verified()?)),
    ),
    row(
        "tls.verify_error",
        "text",
        "why the certificate is not trusted, and the remedy; empty if it is",
        Empty,
        FromTls(|t| t.verify_error()),
    ),
    row(
        "tls.faults",
        "list",
        "everything that is wrong with the certificate, the worst first; see the table of faults",
        Empty,
        FromTls(|t| t.faults()),
    ),
    row(
        "tls.subject",
        "text",
        "subject of the certificate (RFC 4514)",
        Empty,
        FromTls(|t| t.words(&t.leaf()?.subject)),
    ),
    row(
        "tls.issuer",
        "text",
        "issuer of the certificate (RFC 4514)",
        Empty,
        FromTls(|t| t.words(&t.leaf()?.issuer)),
    ),
    row(
        "tls.names",
        "list",
        "DNS names and IP addresses that the certificate is for, at most 100",
        Empty,
        FromTls(|t| t.names()),
    ),
    row(
        "tls.names_omitted",
        "number",
        "number of names that `tls.names` leaves out, if there are any",
        Zero,
        FromTls(|t| t.names_omitted()),
    ),
    row(
        "tls.serial",
        "text",
        "serial number of the certificate, in hexadecimal",
        Empty,
        FromTls(|t| t.word(&t.leaf()?.serial)),
    ),
    row(
        "tls.sha256",
        "text",
        "SHA-256 digest of the certificate, in hexadecimal",
        Empty,
        FromTls(|t| tls::digest(&t.facts.chain.first()?.sha256)),
    ),
    row(
        "tls.spki_sha256",
        "text",
        "SHA-256 digest of the public key, in base64, for --pin-sha256",
        Empty,
        FromTls(|t| tls::pin(&t.leaf()?.spki_sha256)),
    ),
    row(
        "tls.key",
        "text",
        "public key of the certificate, such as `RSA-2048`, `ECDSA-P256` or `Ed25519`",
        Empty,
        FromTls(|t| t.word(&t.leaf()?.key)),
    ),
    row(
        "tls.signature",
        "text",
        "signature algorithm of the certificate, such as `sha256WithRSAEncryption`",
        Empty,
        FromTls(|t| t.word(&t.leaf()?.signature)),
    ),
    row(
        "tls.not_before",
        "unix time",
        "first second in which the certificate is valid",
        Reason,
        FromTls(|t| Some(Value::Signed(t.leaf()?.not_before))),
    ),
    row(
        "tls.not_after",
        "unix time",
        "last second in which the certificate is valid",
        Reason,
        FromTls(|t| Some(Value::Signed(t.leaf()?.not_after))),
    ),
    row(
        "tls.days_left",
        "days",
        "days until the certificate expires; negative if it has expired",
        Reason,
        FromTls(|t| t.days_left()),
    ),
    row(
        "tls.lifetime_left",
        "0 to 1",
        "remaining part of the whole lifetime of the certificate",
        Reason,
        FromTls(|t| t.lifetime_left()),
    ),
    row(
        "tls.chain_days_left",
        "days",
        "days until the first certificate of the presented chain expires",
        Reason,
        FromTls(|t| t.chain_days_left()),
    ),
    row(
        "tls.chain",
        "chain",
        "presented certificates, the one of the server first, at most 16",
        Empty,
        FromTls(|t| t.chain()),
    ),
    row(
        "tls.chain_omitted",
        "number",
        "number of certificates that `tls.chain` leaves out, if there are any",
        Zero,
        FromTls(|t| t.chain_omitted()),
    ),
    row(
        "tls.client_cert",
        "0 or 1",
        "1 if the server requires a client certificate; if `tls.how` is `hello`, 1 if it requests one",
        Reason,
        FromTls(|t| tls::flag(t.facts.client_cert?)),
    ),
    row(
        "tls.staple",
        "0 or 1",
        "1 if the server sends an OCSP response (RFC 6066)",
        Reason,
        FromTls(|t| t.verification().and_then(|_| tls::flag(t.facts.staple))),
    ),
    row(
        "tls.roots",
        "roots",
        "trust store: its file, and its number of certificates",
        Empty,
        FromTls(|t| t.roots()),
    ),
    row(
        "tls.oldest",
        "text",
        "oldest version that the server still supports, with --tls-scan",
        Empty,
        FromTls(|t| tls::text(t.facts.oldest?.name())),
    ),
    row(
        "tls.pq",
        "0 or 1",
        "1 if the server prefers a post-quantum group, with --tls-scan",
        Reason,
        FromTls(|t| tls::flag(t.facts.pq?)),
    ),
    row(
        "tls.other_addresses",
        "list",
        "addresses of the name that serve another certificate, with --addresses all",
        Empty,
        FromReport(tls::other_addresses),
    ),
    row(
        "icmp.type",
        "number",
        "type of the ICMP message that ended the connect",
        Reason,
        FromConnection(|t| icmp(t, |f| f.kind)),
    ),
    row(
        "icmp.code",
        "number",
        "code of the ICMP message",
        Reason,
        FromConnection(|t| icmp(t, |f| f.code)),
    ),
    row(
        "icmp.from",
        "text",
        "router or firewall that sent the ICMP message",
        Empty,
        FromConnection(|t| t.failure.as_ref()?.icmp?.from.map(Address)),
    ),
    row(
        "path.hops",
        "hops",
        "routers that answered SYNs with a small time to live, with --path: hop, address, time",
        Empty,
        FromConnection(|t| Some(path::hops(t.path.as_deref()?))),
    ),
    row(
        "path.last_hop",
        "number",
        "number of the last hop that answered",
        Zero,
        FromConnection(|t| Some(Integer(t.path.as_ref()?.last_hop()?.into()))),
    ),
    row(
        "path.last",
        "text",
        "address of the last hop that answered",
        Empty,
        FromConnection(|t| Some(Address(t.path.as_ref()?.last()?.from))),
    ),
    row(
        "path.reached",
        "0 or 1",
        "1 if the target answered one of these SYNs",
        Reason,
        FromConnection(|t| Some(Integer(t.path.as_ref()?.target().is_some().into()))),
    ),
    row(
        "response.bytes",
        "bytes",
        "total number of received bytes",
        Zero,
        FromConnection(|t| t.response().map(|r| Integer(r.bytes))),
    ),
    row(
        "response.text",
        "text",
        "data received in the last step, decoded and escaped, at most 2 KiB",
        Empty,
        FromReport(response_text),
    ),
    row(
        "response.hex",
        "text",
        "first 256 bytes of the response in hex, if it is not printable text",
        Empty,
        FromReport(response_hex),
    ),
    row(
        "attempts.sent",
        "number",
        "number of connection attempts without local errors, with --count",
        Zero,
        FromReport(|r| attempts(r, |a| Some(Integer(a.sent().into())))),
    ),
    row(
        "attempts.ok",
        "number",
        "number of attempts that succeeded",
        Zero,
        FromReport(|r| attempts(r, |a| Some(Integer(a.ok().into())))),
    ),
    row(
        "attempts.loss",
        "0 to 1",
        "fraction of attempts that failed",
        Reason,
        FromReport(|r| attempts(r, |a| a.loss().map(Ratio))),
    ),
    row(
        "attempts.min",
        "s",
        "shortest TCP handshake",
        Zero,
        FromReport(|r| attempts(r, |a| a.min().map(Seconds))),
    ),
    row(
        "attempts.avg",
        "s",
        "mean TCP handshake",
        Zero,
        FromReport(|r| attempts(r, |a| a.avg().map(Seconds))),
    ),
    row(
        "attempts.max",
        "s",
        "longest TCP handshake",
        Zero,
        FromReport(|r| attempts(r, |a| a.max().map(Seconds))),
    ),
    row(
        "attempts.stddev",
        "s",
        "standard deviation of the TCP handshakes",
        Zero,
        FromReport(|r| attempts(r, |a| a.stddev().map(Seconds))),
    ),
];

const fn row(
    path: &'static str,
    unit: &'static str,
    help: &'static str,
    unmeasured: Unmeasured,
    getter: Getter,
) -> Metric {
    let (group, name) = parts(path);
    Metric {
        path,
        group,
        name,
        unit,
        help,
        unmeasured,
        getter,
    }
}

/// Splits a path into group and name. A loop, because `str::split_once` is not const.
const fn parts(path: &'static str) -> (Option<&'static str>, &'static str) {
    let mut index = 0;
    while index < path.len() {
        if path.as_bytes()[index] == b'.' {
            let (group, name) = path.as_bytes().split_at(index);
            let (_, name) = name.split_at(1);
            if let (Ok(group), Ok(name)) = (from_utf8(group), from_utf8(name)) {
                return (Some(group), name);
            }
        }
        index += 1;
    }
    (None, path)
}

/// A host as a value, in the notation that was given.
pub(super) fn host(host: &Host) -> Value<'_> {
    match host {
        Host::Address(address) => Address(*address),
        Host::Zoned(..) => Text(host.to_string().into()),
        Host::Name(name) => Text(name.as_str().into()),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a getter returns an Option, and nearly all texts are returned by one"
)]
fn text<'a>(text: impl Into<Cow<'a, str>>) -> Option<Value<'a>> {
    Some(Text(text.into()))
}

fn error(report: &Report) -> Option<Value<'_>> {
    text(report.failure.as_ref().map_or("", |failure| &failure.text))
}

/// The state of the target as a number, which a dashboard can show as a color.
pub fn state(status: Status) -> u64 {
    match status {
        Status::Ok => 1,
        _ if status.is_unknown() => 2,
        _ => 0,
    }
}

/// The failures of the addresses, as many as fit.
fn addresses_error(report: &Report) -> Option<Value<'_>> {
    let mut all = String::new();
    for failure in report.address_failures()? {
        if all.len() + failure.text.len() > TEXT_LIMIT {
            all.push_str("; ...");
            break;
        }
        if !all.is_empty() {
            all.push_str("; ");
        }
        all.push_str(&failure.text);
    }
    text(all)
}

fn family(address: IpAddr) -> u64 {
    if address.is_ipv4() { 4 } else { 6 }
}

fn dialogue(connection: &ConnectionReport) -> Option<&DialogueReport> {
    connection.dialogue.as_deref()
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

/// The maximum length of `response.text` and of each capture, in bytes.
const TEXT_LIMIT: usize = 2048;
/// The most bytes in `response.hex`.
const HEX_LIMIT: usize = 256;

fn response(report: &Report) -> Option<&Response> {
    report.connection.as_ref()?.response()
}

/// The start of the response of the last step, as printable text.
pub(super) fn response_text(report: &Report) -> Option<Value<'_>> {
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

/// Received bytes as printable text, at most 2 KiB, with secrets redacted.
pub fn bounded(report: &Report, bytes: &[u8]) -> String {
    // Secrets are redacted before the text is truncated: half of a secret would not be recognized.
    let mut printable = report.plan.spec.redact_prefix(bytes, TEXT_LIMIT);
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
    let mut digits = String::new();
    for byte in report
        .plan
        .spec
        .redact_bytes(&response.start)
        .iter()
        .take(HEX_LIMIT)
    {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    text(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_a_group_are_consecutive() {
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
            "a group must be one object of the document"
        );
    }

    #[test]
    fn the_metrics_of_a_plan_are_the_first_and_those_of_tls_consecutive() {
        for (row, metric) in METRICS.iter().enumerate() {
            assert_eq!(
                matches!(metric.getter, FromPlan(_)),
                row < PLAN_ROWS,
                "{}",
                metric.path
            );
            assert_eq!(
                matches!(metric.getter, FromTls(_)),
                TLS_ROWS.contains(&row),
                "{}",
                metric.path
            );
        }
    }

    #[test]
    fn published_paths_exist() {
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
