//! `check -v`: writes each step of a probe to standard error as it happens.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::engine::Observed;
use crate::engine::dns::ResolvedAddresses;
use crate::engine::session::action::{
    Action, AttemptId, Event, PeerRefusal, TraceAction, TraceEvent, TraceReply,
};
use crate::os::socket::TcpInfo;
use crate::os::standard_streams::write_error_within;
use crate::plan::{AddressSelection, Close, Plan, redact};

/// The maximum number of bytes that wait for the reader of standard error.
const MAX_UNREAD: usize = 1 << 20;
/// The last line of a transcript that its reader did not read fast enough.
const INCOMPLETE: &[u8] = b"the rest is left out, because standard error was not read\n";

/// Writes the transcript. Secrets are redacted, also those that arrive in several parts.
#[derive(Debug, Default)]
pub struct TranscriptWriter {
    /// The last received bytes of each connection, as many as the longest secret has: a secret may
    /// start there.
    tails: HashMap<AttemptId, Vec<u8>, RandomState>,
    /// The lines that the reader of standard error has not accepted yet.
    unread: Vec<u8>,
    /// Whether lines were left out.
    is_incomplete: bool,
}

impl TranscriptWriter {
    /// Writes the lines of one observation.
    pub fn write(&mut self, plan: &Plan, at: Duration, what: &Observed<'_>) {
        let lines = match what {
            Observed::Event(Event::Received(id, bytes)) => self.received(plan, *id, bytes),
            Observed::Event(event) => event_lines(plan, event),
            Observed::Action(action) => action_lines(plan, action),
            Observed::Answer(addresses) => vec![resolved_line(addresses)],
            Observed::Message(id, text) => vec![format!("{}{text}", attempt(plan, *id))],
        };
        let mut text = String::new();
        for line in lines {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:>11.3} ms  {line}", at.as_secs_f64() * 1000.0);
        }
        self.print(text.as_bytes());
    }

    /// Writes as many lines as the reader accepts, without waiting for it: that would be a part of
    /// the times of the probe.
    fn print(&mut self, lines: &[u8]) {
        if self.unread.len() + lines.len() > MAX_UNREAD {
            self.is_incomplete = true;
        } else if !self.is_incomplete {
            self.unread.extend_from_slice(lines);
        }
        let written = write_error_within(&self.unread, Duration::ZERO);
        self.unread.drain(..written);
    }

    /// Writes the rest of the lines, as far as the reader accepts them within this time. A closed
    /// standard error, or one that nobody reads, loses the transcript, not the result.
    pub fn finish(mut self, time: Duration) {
        if self.is_incomplete {
            self.unread.extend_from_slice(INCOMPLETE);
        }
        write_error_within(&self.unread, time);
    }

    fn received(&mut self, plan: &Plan, id: AttemptId, bytes: &[u8]) -> Vec<String> {
        let what = format!("{}received", attempt(plan, id));
        let tail = self.tails.entry(id).or_default();
        let lines = dump(
            &what,
            plan,
            bytes.len(),
            &redact::redact_continuation(tail, bytes, plan.spec.secrets()),
        );
        tail.extend_from_slice(bytes);
        let longest = plan
            .spec
            .secrets()
            .map(|secret| secret.reveal().len())
            .max()
            .unwrap_or(0);
        tail.drain(..tail.len().saturating_sub(longest));
        lines
    }
}

fn event_lines(plan: &Plan, event: &Event<'_>) -> Vec<String> {
    match event {
        Event::Resolved(addresses, _) => vec![format!(
            "addresses to try, in this order: {}",
            list(addresses)
        )],
        Event::Unresolved(failure) => vec![failure.to_string()],
        Event::Opened(id) => vec![format!("{}SYN sent", attempt(plan, *id))],
        Event::Blocked(id, why) => vec![format!("{}waiting: {}", attempt(plan, *id), why.text)],
        Event::Connected(id, source, info) => {
            let source = source.map_or_else(String::new, |source| format!(" from {source}"));
            vec![format!(
                "{}connected{source}{}",
                attempt(plan, *id),
                facts(info.as_ref())
            )]
        }
        Event::Secured(id, PeerRefusal::Excluded) => {
            vec![format!("{}TLS handshake completed", attempt(plan, *id))]
        }
        Event::Secured(id, PeerRefusal::Possible) => vec![format!(
            "{}TLS handshake completed; the peer requested a client certificate and may still refuse",
            attempt(plan, *id)
        )],
        Event::ProbablyAccepted(id) => vec![format!(
            "{}TLS: received a session ticket; the peer has probably accepted us",
            attempt(plan, *id)
        )],
        Event::LayerDone(id) => vec![format!("{}TLS: nothing is left to do", attempt(plan, *id))],
        Event::LayerFailed(id, error) => vec![format!(
            "{}TLS: {}",
            attempt(plan, *id),
            plan.spec.redact_decoded(&error.cause)
        )],
        Event::Sent(id) => vec![format!(
            "{}all bytes are in the send buffer",
            attempt(plan, *id)
        )],
        Event::Received(id, bytes) => dump(
            &format!("{}received", attempt(plan, *id)),
            plan,
            bytes.len(),
            &plan.spec.redact_bytes(bytes),
        ),
        Event::Continued(_) | Event::Facts(..) | Event::Incomplete(..) => Vec::new(),
        Event::PeerClosed(id) => vec![format!("{}the peer sent FIN", attempt(plan, *id))],
        Event::Trace(id, event) => vec![format!("{}{}", attempt(plan, *id), trace_event(event))],
        Event::Failed(id, failure, info) => {
            vec![format!(
                "{}{failure}{}",
                attempt(plan, *id),
                facts(info.as_ref())
            )]
        }
    }
}

fn trace_event(event: &TraceEvent) -> String {
    match event {
        TraceEvent::Permitted => "trace the path, because the SYN is unanswered".to_owned(),
        TraceEvent::Sent(syn) => format!("SYN {syn} of the trace sent"),
        TraceEvent::Answered(syn, TraceReply::Answer(from, answer)) => {
            format!("SYN {syn} of the trace: {from}: {answer}")
        }
        TraceEvent::Answered(syn, TraceReply::Failed(failure)) => {
            format!("SYN {syn} of the trace: {failure}")
        }
        TraceEvent::PeerClosed(syn) => format!("SYN {syn} of the trace: the peer sent FIN"),
    }
}

fn action_lines(plan: &Plan, action: &Action) -> Vec<String> {
    match action {
        Action::Resolve => vec![format!("resolve {}", plan.target.host)],
        Action::Open(id, address) => vec![format!("{}connect to {address}", attempt(plan, *id))],
        Action::Secure(id, _) => vec![format!("{}start the TLS handshake", attempt(plan, *id))],
        Action::Send(id, bytes) => dump(
            &format!("{}send", attempt(plan, *id)),
            plan,
            bytes.len(),
            &plan.spec.redact_bytes(bytes),
        ),
        Action::Trace(id, TraceAction::Syn(number, hop, address)) => vec![format!(
            "{}SYN {number} of the trace, to {address}: time to live {hop}",
            attempt(plan, *id)
        )],
        Action::Continue(_) | Action::Trace(..) => Vec::new(),
        Action::Explain(id, text) => vec![format!("{}{text}", attempt(plan, *id))],
        Action::Shutdown(id) => vec![format!(
            "{}the result is known; send FIN and read until the peer closes",
            attempt(plan, *id)
        )],
        Action::Close(id, Close::Fin) => vec![format!("{}close", attempt(plan, *id))],
        Action::Close(id, Close::Rst) => vec![format!(
            "{}the result is known; close with RST",
            attempt(plan, *id)
        )],
    }
}

fn resolved_line(addresses: &ResolvedAddresses) -> String {
    let v4 = addresses.v4.iter().copied().map(IpAddr::from);
    let all: Vec<_> = addresses
        .v6
        .iter()
        .copied()
        .map(IpAddr::from)
        .chain(v4)
        .collect();
    let canonical = addresses
        .canonical
        .as_ref()
        .map_or_else(String::new, |name| format!(" as {name}"));
    format!("{}{canonical}, answered by {}", list(&all), addresses.from)
}

fn list(addresses: &[IpAddr]) -> String {
    addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// `#2 ` if the probe may have several connections, otherwise nothing.
fn attempt(plan: &Plan, id: AttemptId) -> String {
    let several = plan.spec.attempts.is_some() || plan.spec.addresses == AddressSelection::All;
    if several || id.index() > 0 {
        format!("#{} ", id.index() + 1)
    } else {
        String::new()
    }
}

fn facts(info: Option<&TcpInfo>) -> String {
    let Some(info) = info else {
        return String::new();
    };
    let rtt = info.rtt.as_micros();
    format!(
        " (kernel: round trip {rtt} us, {} retransmitted, segments of {} bytes)",
        info.retransmits, info.mss
    )
}

/// The most bytes of a transfer that are shown.
const MAX_SHOWN: usize = 512;

/// A transfer of `length` bytes as text and as hex rows of 16 bytes. `redacted` are the bytes
/// without secrets.
fn dump(what: &str, plan: &Plan, length: usize, redacted: &[u8]) -> Vec<String> {
    let start = redacted
        .get(..redacted.len().min(MAX_SHOWN))
        .unwrap_or_default();
    let mut lines = vec![format!(
        "{what} {length} bytes: {}",
        plan.spec.redact(start)
    )];
    for (row, chunk) in plan.spec.redact_bytes(start).chunks(16).enumerate() {
        let hex: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(format!("  {:04x}  {}", row * 16, hex.join(" ")));
    }
    if start.len() < redacted.len() {
        lines.push(format!(
            "  ... and {} more bytes",
            redacted.len() - start.len()
        ));
    }
    lines
}
