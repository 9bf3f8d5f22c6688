//! What is said of a connection that did not end well: operation, address, cause, and what came instead.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::dialogue::Unfinished;
use crate::engine::session::established::Open;
use crate::escape;
use crate::failure::{Failure, Status, format_duration};
use crate::os::socket::TcpInfo;
use crate::plan::Plan;
use crate::plan::steps::Step;
use crate::report::Response;

/// The most characters of an answer that a sentence quotes.
const EXCERPT: usize = 80;

impl Open {
    /// The failure of a dialogue that cannot go on; `silent` is its status where nothing came since the last match.
    pub(in crate::engine) fn unfinished(&self, plan: &Plan, why: &str, silent: Status) -> Failure {
        let prefix = self.step_prefix(plan);
        match self.dialogue.unfinished(plan) {
            Unfinished::Sending => {
                Failure::new(silent, format!("{prefix}{why} before all bytes were sent"))
            }
            Unfinished::Silent => Failure::new(
                silent,
                format!("{prefix}{why} before anything was received"),
            ),
            Unfinished::Unmatched(bytes) => {
                let (wanted, excerpt) = (self.wanted(plan), self.excerpt(plan));
                let text = format!("{prefix}{why} after {bytes} bytes without {wanted}{excerpt}");
                Failure::new(Status::Mismatch, text)
            }
        }
    }

    /// `expect (step 2) from 192.0.2.7:25: `, to begin a sentence with.
    pub(in crate::engine) fn step_prefix(&self, plan: &Plan) -> String {
        let number = self.dialogue.step(plan);
        match plan.spec.steps.get(number.wrapping_sub(1)) {
            Some(Step::Send(_)) => format!("send (step {number}) to {}: ", self.trial.address),
            Some(Step::Expect(_)) => {
                format!("expect (step {number}) from {}: ", self.trial.address)
            }
            None => format!("{}: ", self.trial.address),
        }
    }

    /// What the current step wants.
    pub(in crate::engine) fn wanted(&self, plan: &Plan) -> String {
        match (
            &plan.spec.service,
            plan.spec.steps.get(self.dialogue.position()),
        ) {
            // A service's expressions are long; `services NAME` and -v show them.
            (Some(service), _) => format!("what service {service} expects here"),
            (None, Some(Step::Expect(expect))) => expect.wanted.to_string(),
            (None, _) => String::new(),
        }
    }

    /// `: "220 mx1 ready"`: the start of what came instead, to end a sentence with.
    pub(in crate::engine) fn excerpt(&self, plan: &Plan) -> String {
        // Secrets go first: a cut through one would leave its start.
        let heard = self.dialogue.heard();
        let text = plan.spec.veil_start(heard, Response::KEPT);
        let start = escape::start(&text, EXCERPT);
        let more = if start.len() < text.len() || heard.len() > Response::KEPT {
            "..."
        } else {
            ""
        };
        let nearest = self
            .dialogue
            .nearest(plan)
            .map_or_else(String::new, |near| format!("; nearest was {near}"));
        format!(": \"{start}{more}\"{nearest}")
    }
}

/// The failure of a connect that nobody answered; the kernel knows how many SYNs it sent.
pub(in crate::engine) fn unanswered(
    address: SocketAddr,
    info: Option<&TcpInfo>,
    waited: Duration,
) -> Failure {
    let text = match info.map(|info| info.retransmits) {
        None => format!(
            "connect to {address}: no answer ({})",
            format_duration(waited)
        ),
        Some(0) => format!(
            "connect to {address}: no answer to our SYN ({})",
            format_duration(waited)
        ),
        Some(again) => format!(
            "connect to {address}: no answer to {} SYNs ({})",
            again + 1,
            format_duration(waited)
        ),
    };
    Failure::new(Status::ConnectTimeout, text)
}
