//! Error texts of failed connections: operation, address, cause, and what was received instead.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::dialogue::{Dialogue, Unfinished};
use crate::escape;
use crate::failure::{Failure, Status, format_duration};
use crate::os::socket::TcpInfo;
use crate::plan::Plan;
use crate::plan::layer::LayerError;
use crate::plan::steps::Step;
use crate::report::Response;

/// The maximum length of a quoted response, in characters.
const EXCERPT: usize = 80;

/// The failure of a dialogue that cannot continue for this reason. `silent` is its status if
/// nothing was received since the last match.
pub(in crate::engine) fn unfinished(
    plan: &Plan,
    dialogue: &Dialogue,
    address: SocketAddr,
    why: &str,
    silent: Status,
) -> Failure {
    let prefix = step_prefix(plan, dialogue, address);
    match dialogue.unfinished(plan) {
        Unfinished::Sending => {
            Failure::new(silent, format!("{prefix}{why} before all bytes were sent"))
        }
        Unfinished::Silent if is_silence(plan, dialogue) => {
            let wanted = wanted(plan, dialogue);
            Failure::new(silent, format!("{prefix}{why}, expected was {wanted}"))
        }
        Unfinished::Silent => Failure::new(
            silent,
            format!("{prefix}{why} before anything was received"),
        ),
        Unfinished::Unmatched(bytes) => {
            let (wanted, excerpt) = (wanted(plan, dialogue), excerpt(plan, dialogue));
            let text = format!("{prefix}{why} after {bytes} bytes without {wanted}: {excerpt}");
            Failure::new(Status::Mismatch, text)
        }
    }
}

/// The failure of a dialogue that ends before everything that the peer sent was compared. It may
/// have sent what was expected, so this says nothing about it.
pub(in crate::engine) fn too_slow(
    plan: &Plan,
    dialogue: &Dialogue,
    address: SocketAddr,
    why: &str,
) -> Failure {
    let prefix = step_prefix(plan, dialogue, address);
    let wanted = wanted(plan, dialogue);
    let text = format!(
        "{prefix}{why} before all received bytes were compared with {wanted}: this machine is too slow for it, use a simpler expression or fewer bytes"
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

/// `"220 mx1 ready" (matched 1 of 4 bytes)`: the start of what was received, and how close it came.
pub(in crate::engine) fn excerpt(plan: &Plan, dialogue: &Dialogue) -> String {
    let buffer = dialogue.buffer();
    // Redact first: cutting through a secret would leave its start readable.
    let text = plan.spec.redact_prefix(buffer, Response::KEPT);
    let start = escape::truncate_escaped(&text, EXCERPT);
    let more = if start.len() < text.len() || buffer.len() > Response::KEPT {
        "..."
    } else {
        ""
    };
    let nearest = dialogue
        .nearest(plan)
        .map_or_else(String::new, |nearest| format!(" ({nearest})"));
    format!("\"{start}{more}\"{nearest}")
}

/// The failure of a layer, after the start of the text.
pub(in crate::engine) fn layer_failure(prefix: &str, error: &LayerError) -> Failure {
    let status = match error {
        LayerError::Failed(_) => Status::TlsFailed,
        LayerError::Untrusted(_) => Status::TlsUntrusted,
    };
    Failure::new(status, format!("{prefix}{error}"))
}

/// The failure of a connection that could not be opened before the deadline, because of our own
/// limits.
pub(in crate::engine) fn never_opened() -> Failure {
    let text = "the deadline came before the connect began";
    Failure::new(Status::NotTried, text)
}

/// The failure of an unanswered connect. The kernel knows how many SYNs it sent.
pub(in crate::engine) fn unanswered(
    address: SocketAddr,
    info: Option<&TcpInfo>,
    elapsed: Duration,
) -> Failure {
    let elapsed = format_duration(elapsed);
    let text = match info.map(|info| info.retransmits) {
        None => format!("connect to {address}: no answer ({elapsed})"),
        Some(0) => format!("connect to {address}: no answer to our SYN ({elapsed})"),
        Some(retransmits) => format!(
            "connect to {address}: no answer to {} SYNs ({elapsed})",
            retransmits + 1
        ),
    };
    Failure::new(Status::ConnectTimeout, text)
}
