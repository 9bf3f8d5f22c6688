//! Error texts of failed connections: operation, address, cause, and what was received instead.

use std::net::SocketAddr;

use crate::engine::dialogue::{Dialogue, Unfinished};
use crate::escape;
use crate::failure::{Failure, Status};
use crate::os::socket::TcpInfo;
use crate::path_facts::{HopAnswer, PathFacts};
use crate::plan::Plan;
use crate::plan::layer::LayerError;
use crate::plan::steps::Step;
use crate::report::Response;

/// The maximum length of a quoted response, in characters.
const EXCERPT: usize = 80;

/// What ended a dialogue before its last step was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Ending {
    /// The deadline of the probe.
    Deadline,
    /// The timeout of the step.
    StepTimeout,
    /// The end of the time that one of several addresses has.
    AddressTimeout,
    /// The peer's FIN.
    PeerClosed,
}

impl Ending {
    /// The event, for a text that continues with `before` or `after`.
    pub fn event(self) -> &'static str {
        match self {
            Self::Deadline => "the deadline passed",
            Self::StepTimeout => "the step timed out",
            Self::AddressTimeout => "its share of the time passed",
            Self::PeerClosed => "the peer closed the connection",
        }
    }

    /// The status if nothing was received since the last match.
    fn silent(self) -> Status {
        match self {
            Self::Deadline | Self::StepTimeout | Self::AddressTimeout => Status::ReadTimeout,
            Self::PeerClosed => Status::Closed,
        }
    }
}

/// The failure of a dialogue that this ended.
pub(in crate::engine) fn unfinished(
    plan: &Plan,
    dialogue: &Dialogue,
    address: SocketAddr,
    ending: Ending,
) -> Failure {
    let prefix = step_prefix(plan, dialogue, address);
    let event = ending.event();
    match dialogue.unfinished(plan) {
        Unfinished::Sending => Failure::new(
            ending.silent(),
            format!("{prefix}{event} before all bytes were sent"),
        ),
        Unfinished::Silent if is_silence(plan, dialogue) => {
            let wanted = wanted(plan, dialogue);
            let text = format!("{prefix}{event}, expected {wanted}");
            Failure::new(ending.silent(), text)
        }
        Unfinished::Silent => {
            let text = format!("{prefix}{event} before anything was received");
            let failure = Failure::new(ending.silent(), text);
            match ending {
                Ending::PeerClosed => with_meaning_of_close(plan, dialogue, failure),
                _ => failure,
            }
        }
        Unfinished::Unmatched(bytes) => {
            if let Some((status, why)) = dialogue.otherwise(plan) {
                let text = format!("{prefix}{why}: {}", quoted(plan, dialogue));
                return Failure::new(status, text);
            }
            let (wanted, excerpt) = (wanted(plan, dialogue), excerpt(plan, dialogue));
            let text = match ending {
                Ending::Deadline => format!(
                    "{prefix}no match before the deadline: received {bytes} bytes without {wanted}: \
                     {excerpt}"
                ),
                Ending::StepTimeout | Ending::AddressTimeout | Ending::PeerClosed => {
                    format!("{prefix}{event} after {bytes} bytes without {wanted}: {excerpt}")
                }
            };
            Failure::new(Status::Mismatch, text)
        }
    }
}

/// The failure, with the meaning of a close without an answer in this service.
pub(in crate::engine) fn with_meaning_of_close(
    plan: &Plan,
    dialogue: &Dialogue,
    failure: Failure,
) -> Failure {
    match dialogue.meaning_of_close(plan) {
        Some(meaning) if dialogue.unfinished(plan) == Unfinished::Silent => {
            failure.with_reason(meaning)
        }
        _ => failure,
    }
}

/// The failure of a dialogue that ends before everything that the peer sent was compared. It may
/// have sent the expected answer, so its state is unknown.
pub(in crate::engine) fn too_slow(
    plan: &Plan,
    dialogue: &Dialogue,
    address: SocketAddr,
    ending: Ending,
) -> Failure {
    let prefix = step_prefix(plan, dialogue, address);
    let (event, wanted) = (ending.event(), wanted(plan, dialogue));
    let text = format!(
        "{prefix}{event} before all received bytes were compared with {wanted}: this machine is too slow: use a simpler expression or fewer bytes"
    );
    Failure::new(Status::LocalError, text)
}

/// `expect (step 2) from 192.0.2.7:25: `, the start of an error text about the current step.
pub(in crate::engine) fn step_prefix(
    plan: &Plan,
    dialogue: &Dialogue,
    address: SocketAddr,
) -> String {
    let number = dialogue.step(plan);
    match plan.spec.steps.get(number.wrapping_sub(1)) {
        Some(Step::Send(_)) => format!("send (step {number}) to {address}: "),
        Some(Step::StartTls(_)) => format!("TLS handshake (step {number}) with {address}: "),
        Some(Step::Expect(_) | Step::Silence(_)) => {
            format!("expect (step {number}) from {address}: ")
        }
        None => format!("{address}: "),
    }
}

/// What the current step expects, such as `` `220 ` or `OK` ``.
pub(in crate::engine) fn wanted(plan: &Plan, dialogue: &Dialogue) -> String {
    match (&plan.spec.service, plan.spec.steps.get(dialogue.position())) {
        (_, Some(Step::Silence(time))) => {
            format!("silence for {}", humantime::format_duration(*time))
        }
        // The expressions of a service are long; `services NAME` and `-v` show them.
        (Some(service), _) => format!("the answer of service {service}"),
        (None, Some(Step::Expect(expect))) => expect.wanted.to_string(),
        (None, _) => String::new(),
    }
}

fn is_silence(plan: &Plan, dialogue: &Dialogue) -> bool {
    matches!(
        plan.spec.steps.get(dialogue.position()),
        Some(Step::Silence(_))
    )
}

/// `"220 mx1 ready" (matched 1 of 4 bytes)`: the start of what was received, and how much of the
/// expected answer is in it.
pub(in crate::engine) fn excerpt(plan: &Plan, dialogue: &Dialogue) -> String {
    let nearest = dialogue
        .nearest(plan)
        .map_or_else(String::new, |nearest| format!(" ({nearest})"));
    format!("{}{nearest}", quoted(plan, dialogue))
}

/// `"220 mx1 ready"`: the start of what was received.
pub(in crate::engine) fn quoted(plan: &Plan, dialogue: &Dialogue) -> String {
    let buffer = dialogue.buffer();
    // Redact first: cutting through a secret would leave its start readable.
    let text = plan.spec.redact_prefix(buffer, Response::KEPT);
    let start = escape::truncate_escaped(&text, EXCERPT);
    let more = if start.len() < text.len() || buffer.len() > Response::KEPT {
        "..."
    } else {
        ""
    };
    format!("\"{start}{more}\"")
}

/// The failure of a layer, after the start of the text. The cause may quote the peer, such as the
/// names of its certificate.
pub(in crate::engine) fn layer_failure(plan: &Plan, prefix: &str, error: &LayerError) -> Failure {
    let cause = plan.spec.redact_decoded(&error.cause);
    Failure::new(error.status, format!("{prefix}{cause}"))
}

/// The failure of a peer that demanded a client certificate, and sent nothing afterwards before this
/// event ended the connection.
pub(in crate::engine) fn not_accepted(prefix: &str, event: &str) -> Failure {
    let text = format!("{prefix}{event}; {NOT_ACCEPTED}");
    Failure::new(Status::TlsFailed, text)
}

/// The failure of a dialogue whose peer may not have accepted us. Without an answer, the status is
/// that of a failed handshake.
pub(in crate::engine) fn perhaps_refused(failure: Failure) -> Failure {
    match failure.status {
        Status::ReadTimeout | Status::Closed | Status::Reset => {
            let text = format!("{}; {NOT_ACCEPTED}", failure.text);
            Failure::new(Status::TlsFailed, text)
        }
        _ => failure,
    }
}

const NOT_ACCEPTED: &str =
    "the peer requested a client certificate, and has neither accepted nor refused this client";

/// The failure of a connection that could not be opened before the deadline, because of our own
/// limits.
pub(in crate::engine) fn never_opened() -> Failure {
    let text = "the deadline passed before the connect started";
    Failure::new(Status::NotTried, text)
}

/// The failure of a lookup without an answer.
pub(in crate::engine) fn unresolved(plan: &Plan, status: Status, cause: &str) -> Failure {
    Failure::new(status, format!("resolve {}: {cause}", plan.target.host))
}

/// The failure of a lookup that the end of the run cut off.
pub(in crate::engine) fn lookup_cut_off(plan: &Plan) -> Failure {
    let prefix = format!("resolve {}: ", plan.target.host);
    cut_off(plan, &prefix, "while the lookup was in progress")
}

/// The failure of a connect that the end of the run cut off.
pub(in crate::engine) fn connect_cut_off(plan: &Plan, address: SocketAddr) -> Failure {
    let prefix = format!("connect to {address}: ");
    cut_off(plan, &prefix, "while the connect was in progress")
}

/// The failure of a handshake of a layer that the end of the run cut off.
pub(in crate::engine) fn handshake_cut_off(plan: &Plan, prefix: &str) -> Failure {
    cut_off(plan, prefix, "while the handshake was in progress")
}

/// The failure of a dialogue that the end of the run cut off.
pub(in crate::engine) fn dialogue_cut_off(
    plan: &Plan,
    dialogue: &Dialogue,
    address: SocketAddr,
) -> Failure {
    let phase = match dialogue.unfinished(plan) {
        Unfinished::Sending => "while bytes were being sent",
        Unfinished::Silent | Unfinished::Unmatched(_) => "while waiting for the answer",
    };
    cut_off(plan, &step_prefix(plan, dialogue, address), phase)
}

/// The failure of a probe of several attempts, where the end of the run cut off those that could
/// have been enough.
pub(in crate::engine) fn attempts_cut_off(plan: &Plan) -> Failure {
    let prefix = format!("connect to {}: ", plan.target);
    cut_off(plan, &prefix, "before all attempts were made")
}

/// A failure from which the state of the target is unknown. The text has no measured time, so that
/// it is the same in each run.
fn cut_off(plan: &Plan, prefix: &str, phase: &str) -> Failure {
    let timeout = humantime::format_duration(plan.spec.timeout);
    let text = format!("{prefix}the run ended {phase}, before the timeout of {timeout}");
    let cause = format!("the run ended before the timeout of {timeout}");
    Failure::new(Status::NotTried, text).sharing(&cause)
}

/// The failure of a connection that this process handled too late, after the start of the text.
pub(in crate::engine) fn late(prefix: &str, cause: &str) -> Failure {
    Failure::new(Status::LocalError, format!("{prefix}{cause}")).sharing(cause)
}

/// The failure of an unanswered connect. The kernel knows how many SYNs it sent.
pub(in crate::engine) fn unanswered(address: SocketAddr, info: Option<&TcpInfo>) -> Failure {
    let text = match info.map(|info| info.retransmits) {
        None => format!("connect to {address}: no answer"),
        Some(0) => format!("connect to {address}: no answer to the SYN"),
        Some(retransmits) => {
            format!(
                "connect to {address}: no answer to {} SYNs",
                retransmits + 1
            )
        }
    };
    Failure::new(Status::ConnectTimeout, text)
}

/// The failure of an unanswered connect, with how far the SYNs got.
pub(in crate::engine) fn with_path(failure: &Failure, path: &PathFacts) -> Failure {
    Failure {
        text: format!("{}; {}", failure.text, path.sentence()),
        ..failure.clone()
    }
}

/// The failure of a trace, by where the path ends; `None` if the target accepted a SYN. `local` is
/// why this machine could not send a SYN, if it could not.
pub(in crate::engine) fn end_of_path(
    address: SocketAddr,
    path: Option<&PathFacts>,
    local: Option<Failure>,
) -> Option<Failure> {
    let end = path.and_then(PathFacts::last);
    let (status, icmp) = match end.map(|end| end.answer) {
        Some(HopAnswer::Accepted) => return None,
        Some(HopAnswer::Refused) => {
            let text = format!("connect to {address}: connection refused (RST)");
            return Some(Failure::new(Status::Refused, text));
        }
        // An unreachable port is refused, as where it ends a connect.
        Some(HopAnswer::Error(icmp)) if icmp.is_port_unreachable() => (Status::Refused, Some(icmp)),
        Some(HopAnswer::Error(icmp)) => (Status::Unreachable, Some(icmp)),
        Some(HopAnswer::TimeExceeded) | None => match local {
            Some(local) if end.is_none() || local.status.is_unknown() => return Some(local),
            _ => (Status::ConnectTimeout, None),
        },
    };
    let Some(path) = path else {
        let text = format!("connect to {address}: the deadline passed before the trace started");
        return Some(Failure::new(Status::NotTried, text));
    };
    let text = match icmp {
        Some(_) => format!("connect to {address}: {}", path.sentence()),
        None => format!("connect to {address}: no answer; {}", path.sentence()),
    };
    Some(Failure {
        icmp,
        ..Failure::new(status, text)
    })
}

/// The failure of a connect that was unanswered when another address answered.
pub(in crate::engine) fn given_up(address: SocketAddr) -> Failure {
    let text = format!("connect to {address}: no answer before another address answered");
    Failure::new(Status::ConnectTimeout, text)
}
