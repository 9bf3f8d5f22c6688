//! One probe, as far as the model needs it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, Status};
use crate::report::{ConnectionReport, Report, RoundTrip};
use crate::tls_facts::TlsFacts;
use crate::watch::moment::Moment;

/// One probe of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it started.
    pub start: Moment,
    /// When its verdict was known.
    pub end: Moment,
    /// Its result.
    pub result: SampleResult,
    /// The time of the TCP handshake, whatever came after it.
    pub connect: Option<Duration>,
    /// The round-trip time that the kernel measured.
    pub rtt: Option<Duration>,
    /// The time from the connection, or the end of the TLS handshake, to the first byte of the
    /// answer.
    pub first_byte: Option<Duration>,
    /// The number of retransmitted SYNs.
    pub syn_retransmits: u32,
    /// The number of retransmitted segments of a dialogue or a handshake.
    pub data_retransmits: u32,
    /// The address that was connected to.
    pub address: Option<IpAddr>,
    /// The local address.
    pub source: Option<IpAddr>,
    /// All addresses of the name, in ascending order; `None` if nothing was resolved.
    pub answer: Option<Arc<[IpAddr]>>,
    /// The certificate, if one was received.
    pub certificate: Option<SeenCertificate>,
}

/// The state of the target in a probe.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleResult {
    /// It is up.
    Up,
    /// It is down.
    Down(Arc<Failure>),
    /// Its state could not be determined.
    Unknown(Arc<Failure>),
}

/// The certificate of a server, as far as a change of it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCertificate {
    /// The subject, escaped.
    pub subject: Box<str>,
    /// The issuer, escaped.
    pub issuer: Box<str>,
    /// The SHA-256 digest of the certificate.
    pub sha256: [u8; 32],
    /// The end of its validity, in seconds since 1970.
    pub not_after: i64,
}

/// How much longer than its timeout a probe may take until it is delivered: the graceful close, and
/// a busy machine.
const DELIVERY: Duration = Duration::from_secs(2);

impl Sample {
    /// The sample of a report that was delivered at this moment. `answer` holds the addresses that
    /// the name was resolved to, in ascending order.
    pub fn of(
        report: &Report,
        start: Moment,
        delivered: Moment,
        answer: Option<Arc<[IpAddr]>>,
    ) -> Self {
        let connection = report.connection.as_ref();
        let tcp = connection.and_then(|connection| connection.tcp);
        let dialogue = connection.and_then(|connection| connection.dialogue.as_ref());
        let closing = delivered
            .running
            .saturating_sub(start.running.saturating_add(report.total));
        let closing_micros = i64::try_from(closing.as_micros()).unwrap_or(i64::MAX);
        let end = Moment {
            running: delivered.running.saturating_sub(closing),
            suspended: delivered.suspended,
            wall: delivered.wall.saturating_sub(closing_micros),
        };
        let taken = delivered.running.saturating_sub(start.running);
        let connected =
            connection.filter(|connection| connection.connect.is_some() || report.is_up());
        Self {
            start,
            end,
            result: result(report, end.suspended_since(&start), taken),
            connect: connection.and_then(|connection| connection.connect),
            rtt: connected
                .and(tcp)
                .and_then(|tcp| tcp.rtt)
                .map(RoundTrip::smoothed),
            first_byte: dialogue.and_then(|dialogue| dialogue.first_byte),
            syn_retransmits: tcp.map_or(0, |tcp| tcp.syn_retransmits),
            data_retransmits: dialogue
                .and_then(|dialogue| dialogue.exchange)
                .map_or(0, |exchange| exchange.retransmits),
            address: connection.map(|connection| connection.address.ip()),
            source: connection.and_then(|connection| connection.source),
            answer,
            certificate: connection.and_then(certificate),
        }
    }
}

/// The shortest suspension that counts; the two clocks are not read at the same time.
const SUSPENSION: Duration = Duration::from_millis(100);

/// The result of a probe during which this machine was suspended for this time, and which was
/// delivered after this time.
fn result(report: &Report, suspended: Duration, taken: Duration) -> SampleResult {
    let Some(failure) = &report.failure else {
        return SampleResult::Up;
    };
    let local = |why: &str| {
        let text = format!("{why}: {}", failure.text);
        SampleResult::Unknown(Arc::new(Failure::new(Status::LocalError, text)))
    };
    if failure.status.is_unknown() {
        SampleResult::Unknown(Arc::clone(failure))
    } else if suspended >= SUSPENSION {
        local("this machine was suspended during the probe")
    } else if taken > report.plan.spec.timeout.saturating_add(DELIVERY) {
        local("this process was stopped during the probe")
    } else {
        SampleResult::Down(Arc::clone(failure))
    }
}

fn certificate(connection: &ConnectionReport) -> Option<SeenCertificate> {
    let facts: &TlsFacts = connection.dialogue.as_ref()?.tls.as_ref()?;
    let leaf = facts
        .chain
        .first()
        .filter(|leaf| leaf.unreadable.is_none())?;
    Some(SeenCertificate {
        subject: leaf.subject.clone(),
        issuer: leaf.issuer.clone(),
        sha256: leaf.sha256,
        not_after: leaf.not_after,
    })
}
