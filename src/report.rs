//! The measurements of a probe. [`output`](crate::output) decides what is published and how.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, Status};
use crate::path_facts::PathFacts;
use crate::plan::{Expected, OnTimeout, Plan};
use crate::stats::RunningStats;
use crate::tls_facts::TlsFacts;

/// The report of one [`Plan`].
///
/// A batch holds thousands of them until its document is written, so rare parts are boxed and
/// common parts are shared.
#[derive(Debug, Clone)]
pub struct Report {
    /// The plan that was run.
    pub plan: Arc<Plan>,
    /// Why the target is not up; `None` if it is.
    pub failure: Option<Arc<Failure>>,
    /// The time from the probe's start to the verdict.
    pub total: Duration,
    /// The duration of the name lookup; absent for an address and if the lookup failed.
    pub resolve: Option<Duration>,
    /// The representative connection: of several attempts the last successful one, else the last;
    /// of several addresses the one that passed, or whose failure is that of the target.
    pub connection: Option<ConnectionReport>,
    /// One report per address: of all addresses, or, where one that passes is enough, of those that
    /// passed or failed. Empty if only one was to be probed.
    pub addresses: Box<[ConnectionReport]>,
    /// How many addresses the name has; 0 if the host is an address, or was not resolved.
    pub address_count: u32,
    /// The statistics of several attempts, if the plan has several.
    pub attempts: Option<Box<RunningStats>>,
}

impl Report {
    /// The report of a probe that ended without any connection.
    pub fn without_connection(
        plan: Arc<Plan>,
        failure: impl Into<Arc<Failure>>,
        total: Duration,
    ) -> Self {
        Self {
            plan,
            failure: Some(failure.into()),
            total,
            resolve: None,
            connection: None,
            addresses: Box::default(),
            address_count: 0,
            attempts: None,
        }
    }

    /// The failures of the addresses that were probed, if the name has several addresses.
    pub fn address_failures(&self) -> Option<impl Iterator<Item = Arc<Failure>> + '_> {
        let expected = self.plan.spec.expected;
        let probed = match (&self.addresses[..], &self.connection) {
            ([], Some(only)) => std::slice::from_ref(only),
            (addresses, _) => addresses,
        };
        let failures = probed.iter().filter_map(move |one| one.verdict(expected));
        let failures = failures.filter(|failure| failure.status != Status::NotTried);
        (self.address_count > 1).then_some(failures)
    }

    /// The status of the target.
    pub fn status(&self) -> Status {
        self.failure
            .as_ref()
            .map_or(Status::Ok, |failure| failure.status)
    }

    /// Whether the target is up.
    pub fn is_up(&self) -> bool {
        self.failure.is_none()
    }
}

/// The report of one connection.
#[derive(Debug, Clone)]
pub struct ConnectionReport {
    /// The remote address.
    pub address: SocketAddr,
    /// The local address, if the connection was established.
    pub source: Option<IpAddr>,
    /// What ended the connection before all steps were done. [`ConnectionReport::verdict`] returns
    /// whether that is a failure of the probe.
    pub failure: Option<Arc<Failure>>,
    /// The time from the start of this connection to its verdict.
    pub total: Duration,
    /// The duration of the TCP handshake; absent if it did not complete.
    pub connect: Option<Duration>,
    /// The kernel's own measurements.
    pub tcp: Option<TcpFacts>,
    /// The dialogue; absent if there was no layer, no step, and nothing was received.
    pub dialogue: Option<Box<DialogueReport>>,
    /// How far SYNs got, if they were traced.
    pub path: Option<Box<PathFacts>>,
}

/// The report of the dialogue of one connection.
#[derive(Debug, Clone, Default)]
pub struct DialogueReport {
    /// The duration of the handshake of the layer; absent if there was none, or it did not
    /// complete.
    pub handshake: Option<Duration>,
    /// The time from the dialogue's start to its first received byte.
    pub first_byte: Option<Duration>,
    /// The time from the dialogue's start to the verdict; absent if the dialogue failed.
    pub duration: Option<Duration>,
    /// The 1-based number of the step that failed, else of the last one; absent without steps.
    pub step: Option<usize>,
    /// The facts of TLS about the peer, if TLS was used.
    pub tls: Option<Box<TlsFacts>>,
    /// The received bytes.
    pub response: Option<Response>,
    /// The names and bytes of the captured groups, in the order of the steps.
    pub captures: Vec<(Box<str>, Vec<u8>)>,
    /// What became of the bytes that were sent; absent if the kernel was not asked.
    pub exchange: Option<ExchangeFacts>,
}

impl ConnectionReport {
    /// Whether the certificate of the peer has a fault because of which a strict client refuses it.
    pub fn is_untrusted(&self) -> bool {
        let facts = self
            .dialogue
            .as_ref()
            .and_then(|dialogue| dialogue.tls.as_ref());
        let verification = facts.and_then(|facts| facts.verification.as_ref());
        verification.is_some_and(|verification| !verification.is_verified())
    }

    /// The report of a connection to this address before anything was measured.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            source: None,
            failure: None,
            total: Duration::ZERO,
            connect: None,
            tcp: None,
            dialogue: None,
            path: None,
        }
    }

    /// The received bytes, if there were any.
    pub fn response(&self) -> Option<&Response> {
        self.dialogue.as_ref()?.response.as_ref()
    }

    /// The names and bytes of the captured groups, in the order of the steps.
    pub fn captures(&self) -> &[(Box<str>, Vec<u8>)] {
        self.dialogue
            .as_ref()
            .map_or(&[], |dialogue| &dialogue.captures)
    }

    /// Why this connection is not as expected; `None` if it is.
    pub fn verdict(&self, expected: Expected) -> Option<Arc<Failure>> {
        let Expected::Closed(on_timeout) = expected else {
            return self.failure.clone();
        };
        let Some(failure) = self.failure.as_ref().filter(|_| self.connect.is_none()) else {
            let text = format!(
                "{} accepts connections, but was expected to be closed",
                self.address
            );
            return Some(Arc::new(Failure::new(Status::UnexpectedlyOpen, text)));
        };
        match (failure.status, on_timeout) {
            (Status::Unreachable, _) if failure.icmp.is_none() => Some(Arc::new(
                failure.with_reason("nothing was sent, so the state of the port is unknown"),
            )),
            (Status::Refused | Status::Unreachable, _)
            | (Status::ConnectTimeout, OnTimeout::CountsAsClosed) => None,
            (Status::ConnectTimeout, OnTimeout::Fails) => {
                let why = "this does not prove that the port is closed (--expect-closed=filtered accepts it)";
                Some(Arc::new(failure.with_reason(why)))
            }
            _ => Some(Arc::clone(failure)),
        }
    }
}

/// The kernel's measurements of a connection (`struct tcp_info` of linux/tcp.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpFacts {
    /// The smoothed round-trip time and its variance; omitted after a retransmission, because it is
    /// not the round-trip time of the path then.
    pub rtt: Option<RoundTrip>,
    /// The number of retransmitted SYNs.
    pub syn_retransmits: u32,
    /// The sending maximum segment size in bytes, once connected.
    pub mss: Option<u32>,
}

/// The kernel's counts of the bytes that were sent after the connect (`struct tcp_info` of
/// linux/tcp.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeFacts {
    /// The bytes that the peer's kernel has acknowledged, without SYN and FIN.
    pub bytes_acked: u64,
    /// The number of retransmitted segments, without SYNs.
    pub retransmits: u32,
}

/// A round-trip time in the kernel's unit, microseconds (`tcpi_rtt`, `tcpi_rttvar`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// Not zero, so that an optional one needs no more space.
    smoothed: NonZeroU32,
    variance: u32,
}

impl RoundTrip {
    /// From the kernel's values; fractions of a microsecond are truncated, and a smoothed time below
    /// one microsecond counts as one.
    pub fn new(smoothed: Duration, variance: Duration) -> Self {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        Self {
            smoothed: NonZeroU32::new(micros(smoothed)).unwrap_or(NonZeroU32::MIN),
            variance: micros(variance),
        }
    }

    /// The smoothed round-trip time.
    pub fn smoothed(self) -> Duration {
        Duration::from_micros(self.smoothed.get().into())
    }

    /// Its variance.
    pub fn variance(self) -> Duration {
        Duration::from_micros(self.variance.into())
    }
}

/// The bytes that the peer sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The total number of bytes.
    pub bytes: u64,
    /// The start of the last step's bytes, at most [`Response::KEPT`].
    pub start: Vec<u8>,
}

impl Response {
    /// The number of bytes of a step that are kept. At most 2 KiB are published; the bytes after
    /// them show where a character ends.
    pub const KEPT: usize = 2048 + 16;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_small_enough_for_large_batches() {
        assert!(size_of::<Report>() <= 208, "{}", size_of::<Report>());
        assert!(
            size_of::<ConnectionReport>() <= 128,
            "{}",
            size_of::<ConnectionReport>()
        );
    }
}
