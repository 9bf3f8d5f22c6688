//! The layer of an established connection, as far as the session knows it: its times, its facts, and
//! whether the peer has accepted us.
//!
//! A client of TLS 1.3 has completed its handshake before the server has received its certificate.
//! A server that requested one may refuse us later, and may even have sent data before (RFC 8446,
//! section 4.4.2.4), also as an answer to our data: that arrives before the server has verified our
//! certificate. The same is true of its session tickets (section 4.6.1). So a completed dialogue is
//! only a success when the peer has accepted us: data or a ticket was received and no alert within
//! a round trip and [`ALERT_TIME`] after it, or the peer has answered and then closed the layer
//! without an alert.

use std::time::{Duration, Instant};

use crate::engine::session::action::PeerRefusal;
use crate::report::{ConnectionReport, RoundTrip};
use crate::tls_facts::TlsFacts;

/// How long after data or a ticket, and a round trip, a peer that refuses us has sent its alert.
const ALERT_TIME: Duration = Duration::from_millis(100);

/// The state of a layer.
#[derive(Debug)]
pub(in crate::engine) struct LayerState {
    /// When its handshake started.
    since: Instant,
    /// The duration of the handshake, once it has completed.
    pub handshake: Option<Duration>,
    /// What is known of the peer.
    pub facts: Option<Box<TlsFacts>>,
    /// How far the handshake had proceeded at the deadline.
    pub progress: Option<String>,
    /// Whether the peer can still reject the connection after the handshake.
    refusal: PeerRefusal,
    /// When the first application bytes were sent.
    sent: Option<Instant>,
    /// Whether application bytes were received that can answer them, or a session ticket that can
    /// answer the end of our handshake.
    is_answered: bool,
    /// When the first application bytes, or the first session ticket, were received.
    received: Option<Instant>,
    /// Whether the layer is closed once the peer has answered `quit`.
    pub closes_after_answer: bool,
    /// How long an answer, or an alert, takes at least.
    round_trip: Duration,
}

/// Whether a dialogue that is done is a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Acceptance {
    /// The peer has accepted us.
    Given,
    /// It has, unless it refuses us before this time.
    GivenAt(Instant),
    /// Nothing is known.
    Unknown,
}

impl LayerState {
    /// A layer whose handshake starts now, on this connection.
    pub fn new(report: &ConnectionReport, now: Instant) -> Self {
        let rtt = report.tcp.and_then(|tcp| tcp.rtt);
        let round_trip = rtt.map(RoundTrip::smoothed).or(report.connect);
        Self {
            since: now,
            handshake: None,
            facts: None,
            progress: None,
            refusal: PeerRefusal::Excluded,
            sent: None,
            is_answered: false,
            received: None,
            closes_after_answer: false,
            round_trip: round_trip.unwrap_or_default(),
        }
    }

    /// Shifts its times by a time for which the clock of the probe was stopped.
    pub fn shift_clock(&mut self, by: Duration) {
        self.since += by;
        for time in [&mut self.sent, &mut self.received] {
            *time = time.map(|time| time + by);
        }
    }

    /// The handshake completed.
    pub fn completed(&mut self, refusal: PeerRefusal, now: Instant) {
        self.handshake = Some(now.saturating_duration_since(self.since));
        self.refusal = refusal;
    }

    /// Whether the peer can refuse us after the handshake, as far as the layer knows.
    pub fn may_be_refused(&self) -> bool {
        self.refusal == PeerRefusal::Possible
    }

    /// The peer sent a message that usually follows its acceptance of us. It answers the end of our
    /// handshake if it can have been sent after that arrived.
    pub fn probably_accepted(&mut self, now: Instant) {
        self.received.get_or_insert(now);
        let completed = self.handshake.map(|handshake| self.since + handshake);
        self.is_answered |= completed.is_some_and(|completed| self.can_answer(completed, now));
    }

    /// Whether bytes that arrive now can have been sent after ours, sent at this time, arrived.
    fn can_answer(&self, sent: Instant, now: Instant) -> bool {
        let since = now.saturating_duration_since(sent);
        !since.is_zero() && since >= self.round_trip
    }

    /// Application bytes were sent.
    pub fn sent(&mut self, now: Instant) {
        if self.handshake.is_some() {
            self.sent.get_or_insert(now);
        }
    }

    /// Application bytes were received. They answer ours if they can have been sent after those
    /// arrived.
    pub fn received(&mut self, now: Instant) {
        self.received.get_or_insert(now);
        self.is_answered |= self.sent.is_some_and(|sent| self.can_answer(sent, now));
    }

    /// The peer closed the layer without an alert. After an answer that proves that it has accepted
    /// us: no alert can follow.
    pub fn closed(&mut self) {
        if self.is_answered {
            self.refusal = PeerRefusal::Excluded;
        }
    }

    /// Whether a dialogue that is done now is a success.
    pub fn acceptance(&self, now: Instant) -> Acceptance {
        let given = self
            .received
            .map(|received| received + self.round_trip + ALERT_TIME);
        match given {
            _ if !self.may_be_refused() => Acceptance::Given,
            Some(at) if at <= now => Acceptance::Given,
            Some(at) => Acceptance::GivenAt(at),
            None => Acceptance::Unknown,
        }
    }
}
