//! What a probe found, as measured. What is published of it, and how, is [`output`](crate::output)'s.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, Status};
use crate::plan::{Expected, OnTimeout, Plan};
use crate::stats::RunningStats;

/// What came of one [`Plan`].
///
/// A batch holds thousands until its document is written: what few of them have is boxed, and what stands in two places
/// is shared.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was asked.
    pub plan: Arc<Plan>,
    /// Why it is not up; up where there is none.
    pub failure: Option<Arc<Failure>>,
    /// From the probe's start to the verdict.
    pub total: Duration,
    /// How long the name took; absent for an address, and where it failed.
    pub resolve: Option<Duration>,
    /// The connection that the report describes: the last successful one, else the last.
    pub connection: Option<ConnectionReport>,
    /// Every address that was tried, where all were asked for.
    pub addresses: Box<[ConnectionReport]>,
    /// What came of several attempts, where they were asked for.
    pub attempts: Option<Box<RunningStats>>,
}

impl Report {
    /// The report of a probe that ended before it connected to anything.
    pub fn without_connection(plan: Arc<Plan>, failure: Failure, total: Duration) -> Self {
        let failure = Some(Arc::new(failure));
        Self {
            plan,
            failure,
            total,
            resolve: None,
            connection: None,
            addresses: Box::default(),
            attempts: None,
        }
    }

    /// The verdict.
    pub fn status(&self) -> Status {
        self.failure
            .as_ref()
            .map_or(Status::Ok, |failure| failure.status)
    }

    /// Whether everything asked for was verified.
    pub fn is_up(&self) -> bool {
        self.failure.is_none()
    }
}

/// What one connection was like.
#[derive(Debug, Clone)]
pub struct ConnectionReport {
    /// Where to.
    pub address: SocketAddr,
    /// The local address, once the kernel had chosen it.
    pub source: Option<IpAddr>,
    /// What ended it before all steps were done; whether that is good or bad is [`ConnectionReport::verdict`]'s to say.
    pub failure: Option<Arc<Failure>>,
    /// From the start of this connection to its verdict.
    pub total: Duration,
    /// The handshake, by our clock; absent unless it succeeded.
    pub connect: Option<Duration>,
    /// The kernel's own facts.
    pub tcp: Option<TcpFacts>,
    /// What was said; absent where nothing was.
    pub dialogue: Option<Box<DialogueReport>>,
}

/// What was said on one connection.
#[derive(Debug, Clone, Default)]
pub struct DialogueReport {
    /// From the dialogue's start to its first received byte.
    pub first_byte: Option<Duration>,
    /// From the connection to the verdict; absent unless the dialogue succeeded.
    pub duration: Option<Duration>,
    /// The 1-based number of the failed, else the last, step; absent without steps.
    pub step: Option<usize>,
    /// What the peer said.
    pub response: Option<Response>,
    /// What the named groups of its dialogue captured, in the order of the steps.
    pub captures: Vec<(Box<str>, Vec<u8>)>,
}

impl ConnectionReport {
    /// A connection that was not begun yet.
    pub fn new(address: SocketAddr) -> Self {
        let total = Duration::ZERO;
        Self {
            address,
            source: None,
            failure: None,
            total,
            connect: None,
            tcp: None,
            dialogue: None,
        }
    }

    /// What the peer said, if it said anything.
    pub fn response(&self) -> Option<&Response> {
        self.dialogue.as_ref()?.response.as_ref()
    }

    /// What the named groups of its dialogue captured, in the order of the steps.
    pub fn captures(&self) -> &[(Box<str>, Vec<u8>)] {
        self.dialogue
            .as_ref()
            .map_or(&[], |dialogue| &dialogue.captures)
    }

    /// Why this connection is not what was wanted; `None` if it is.
    pub fn verdict(&self, expected: Expected) -> Option<Arc<Failure>> {
        let Expected::Closed(silence) = expected else {
            return self.failure.clone();
        };
        let Some(failure) = self.failure.as_ref().filter(|_| self.connect.is_none()) else {
            let text = format!(
                "{} accepts connections, but was expected to be closed",
                self.address
            );
            return Some(Arc::new(Failure::new(Status::UnexpectedlyOpen, text)));
        };
        match (failure.status, silence) {
            (Status::Unreachable, _) if failure.icmp.is_none() => Some(Arc::new(
                failure.with_reason("nothing was sent, which does not prove it closed"),
            )),
            (Status::Refused | Status::Unreachable, _)
            | (Status::ConnectTimeout, OnTimeout::CountsAsClosed) => None,
            (Status::ConnectTimeout, OnTimeout::Fails) => {
                let why = "silence does not prove it closed (--expect-closed=filtered accepts it)";
                Some(Arc::new(failure.with_reason(why)))
            }
            _ => Some(Arc::clone(failure)),
        }
    }
}

/// What the kernel knows of a connection (`struct tcp_info` of linux/tcp.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpFacts {
    /// Smoothed round trip time and its variance; withheld after a retransmission, when the figure is not the path's.
    pub rtt: Option<RoundTrip>,
    /// How many SYNs were sent again.
    pub syn_retransmits: u32,
    /// The sending maximum segment size in bytes, once connected.
    pub mss: Option<u32>,
}

/// A round trip time in microseconds, as the kernel counts them (`tcpi_rtt`, `tcpi_rttvar`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    smoothed: u32,
    variance: u32,
}

impl RoundTrip {
    /// From what the kernel said, fractions of a microsecond dropped.
    pub fn new(smoothed: Duration, variance: Duration) -> Self {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        Self {
            smoothed: micros(smoothed),
            variance: micros(variance),
        }
    }

    /// The smoothed round trip time.
    pub fn smoothed(self) -> Duration {
        Duration::from_micros(self.smoothed.into())
    }

    /// Its variance.
    pub fn variance(self) -> Duration {
        Duration::from_micros(self.variance.into())
    }
}

/// What the peer said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// How many bytes it sent in all.
    pub bytes: u64,
    /// The start of the last step's bytes, at most [`Response::KEPT`].
    pub start: Vec<u8>,
}

impl Response {
    /// How many bytes of a step are kept for people: 2 KiB are published at most, and what follows tells where a character
    /// ends.
    pub const KEPT: usize = 2048 + 16;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_can_hold_thousands() {
        assert!(size_of::<Report>() <= 200, "{}", size_of::<Report>());
        assert!(
            size_of::<ConnectionReport>() <= 128,
            "{}",
            size_of::<ConnectionReport>()
        );
    }
}
