//! The interpreter of a plan's steps: what to send next, and whether the answer is the expected
//! one.
//!
//! It does no I/O and reads no clock. [`matcher`] matches one pattern, [`automaton`] those that are
//! regular expressions, `expectation` combines the patterns of one step, `received` holds the bytes
//! that they are matched against. Work is done in small parts ([`budget`]), because a peer chooses
//! how much there is.

pub mod automaton;
pub mod budget;
mod expectation;
pub mod match_state;
pub mod matcher;
mod received;

use std::borrow::Cow;
use std::net::SocketAddr;

pub use expectation::{Capture, Input};

use crate::engine::dialogue::budget::Budget;
use crate::engine::dialogue::expectation::{Expectation, Outcome};
use crate::engine::dialogue::match_state::MatchEnd;
use crate::engine::dialogue::received::{Fill, Received};
use crate::failure::Status;
use crate::plan::Plan;
use crate::plan::layer::SharedLayer;
use crate::plan::steps::{Expect, Piece, Rejection, Step, Template};
use crate::report::Response;

/// The state of a dialogue.
#[derive(Debug)]
pub struct Dialogue {
    /// Index of the current step.
    position: usize,
    /// The number of bytes received in total.
    total: u64,
    /// The bytes received since the match before the last one; the next expectation drops the first
    /// `matched` of them.
    received: Received,
    /// Where the last match ended in `received`.
    matched: usize,
    /// The patterns of the current step, once it has compared anything.
    expectation: Option<Box<Expectation>>,
    /// The patterns that are sufficient for the current step if no more can arrive, once they were
    /// compared.
    enough: Option<Box<Expectation>>,
    /// Whether the last answer was accepted although it is incomplete.
    accepted_incomplete: bool,
    /// Index of the [`Rejection`] of the current step that failed it.
    rejected_by: Option<usize>,
    captures: Vec<Capture>,
    /// The number of bytes sent.
    sent: usize,
    /// The address of the peer.
    address: SocketAddr,
    /// Whether received bytes wait to be compared, because the last turn was over.
    is_behind: bool,
}

/// What a dialogue needs in order to continue, or how it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send these bytes, then call [`Dialogue::sent`].
    Send(Vec<u8>),
    /// Start this layer, then call [`Dialogue::secured`].
    StartTls(SharedLayer),
    /// Wait for the peer.
    Wait,
    /// Wait for a short time of quiet: the step has matched, but further bytes could change the
    /// match.
    Tentative,
    /// All steps are done.
    Done,
    /// A reject pattern matched: the status, and its reason or the pattern.
    Rejected(Status, String),
    /// The expected answer can no longer match.
    Impossible,
    /// Wait for the time of a [`Step::Silence`], then call [`Dialogue::was_silent`].
    Silence,
    /// Silence was expected, and this many bytes were received.
    NotSilent(usize),
    /// Received bytes are left to compare; call [`Dialogue::advance`] again, after other
    /// connections were served.
    Behind,
    /// No match ends within this many bytes, which is the maximum.
    TooMuch(usize),
    /// The step matched, but its groups captured so many bytes that they are not kept.
    CapturedTooMuch(usize),
    /// With the next send, this many bytes would be sent in total, which is more than the limit.
    SendsTooMuch(usize),
    /// This many bytes were received after the answer that lets the layer start.
    Injected(usize),
}

/// The state of a dialogue that ends before its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Some of our own bytes were not sent.
    Sending,
    /// Nothing was received since the last match.
    Silent,
    /// This many bytes were received since the last match, and they do not match.
    Unmatched(usize),
}

impl Dialogue {
    /// A dialogue before its first step.
    pub fn new(plan: &Plan, address: SocketAddr) -> Self {
        let received = Received::new(plan.spec.charset, plan.spec.max_bytes);
        Self {
            position: 0,
            total: 0,
            received,
            matched: 0,
            expectation: None,
            enough: None,
            accepted_incomplete: false,
            rejected_by: None,
            captures: Vec::new(),
            sent: 0,
            address,
            is_behind: false,
        }
    }

    /// Runs the steps as far as the received bytes allow, for one turn.
    pub fn advance(&mut self, plan: &Plan, input: Input) -> Progress {
        let progress = self.run(plan, input, &mut Budget::one_turn());
        self.is_behind = progress == Progress::Behind;
        progress
    }

    /// Whether received bytes wait to be compared, because the last turn was over.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    fn run(&mut self, plan: &Plan, input: Input, budget: &mut Budget) -> Progress {
        loop {
            if budget.is_spent() {
                return Progress::Behind;
            }
            match plan.spec.steps.get(self.position) {
                None => return Progress::Done,
                Some(Step::Send(template)) => return self.send(plan, template),
                Some(Step::StartTls(layer)) => {
                    self.forget_matched(budget);
                    return match self.buffered_len() {
                        0 => Progress::StartTls(layer.clone()),
                        bytes => Progress::Injected(bytes),
                    };
                }
                Some(Step::Silence(_)) => {
                    self.forget_matched(budget);
                    return match self.buffered_len() {
                        0 => Progress::Silence,
                        bytes => Progress::NotSilent(bytes),
                    };
                }
                Some(Step::Expect(expect)) => {
                    if let Some(progress) = self.expect(plan, expect, input, budget) {
                        return progress;
                    }
                }
            }
        }
    }

    fn send(&mut self, plan: &Plan, template: &Template) -> Progress {
        let bytes = self.sent.saturating_add(self.filled_len(plan, template));
        // Without captures the number of bytes is known when the plan is made.
        if template.has_captures() && bytes > plan.spec.max_sent() {
            return Progress::SendsTooMuch(bytes);
        }
        self.sent = bytes;
        Progress::Send(self.fill(plan, template))
    }

    /// Matches the received bytes against the current step; `None` when the step is done.
    fn expect(
        &mut self,
        plan: &Plan,
        expect: &Expect,
        input: Input,
        budget: &mut Budget,
    ) -> Option<Progress> {
        if self.expectation.is_none() {
            self.forget_matched(budget);
            self.expectation = Some(Box::new(Expectation::new(expect, self.match_end(plan))));
        }
        let expectation = self.expectation.as_mut()?;
        match expectation.update(expect, &self.received, input, budget) {
            Outcome::Matched(end) => {
                let captures = expectation.captures(expect, &self.received, end);
                self.matched(expect, end, captures, budget)
            }
            Outcome::Rejected(index) => self.rejected(expect, index),
            Outcome::Impossible => Some(Progress::Impossible),
            Outcome::Behind => Some(Progress::Behind),
            outcome => match (self.received.fill(), outcome) {
                (Fill::Past, _) | (Fill::Full, Outcome::Undecided) => {
                    Some(Progress::TooMuch(plan.spec.max_bytes))
                }
                (_, Outcome::Tentative) => Some(Progress::Tentative),
                _ => self.accept_incomplete(expect, input, budget),
            },
        }
    }

    /// Completes the current step: the bytes up to `end` match.
    fn matched(
        &mut self,
        expect: &Expect,
        end: usize,
        captures: Vec<Capture>,
        budget: &mut Budget,
    ) -> Option<Progress> {
        for (name, mut value) in captures {
            if expect.numbers.contains(&name) {
                value = decimal(&value);
            }
            self.captures.retain(|(known, _)| *known != name);
            self.captures.push((name, value));
        }
        let captured = self.captures.iter().map(|(_, value)| value.len()).sum();
        if captured > Self::MAX_CAPTURED {
            self.captures.clear();
            return Some(Progress::CapturedTooMuch(captured));
        }
        self.matched = end;
        (self.expectation, self.enough) = (None, None);
        self.position += 1;
        budget.spend(Self::COST_OF_STEP);
        None
    }

    /// The step is failed by the [`Rejection`] with this index.
    fn rejected(&mut self, expect: &Expect, index: usize) -> Option<Progress> {
        let reject = expect.reject.get(index)?;
        self.rejected_by = Some(index);
        Some(Progress::Rejected(reject.status(), rejection(reject)))
    }

    /// Completes the step if no more can arrive and the received bytes are sufficient.
    fn accept_incomplete(
        &mut self,
        expect: &Expect,
        input: Input,
        budget: &mut Budget,
    ) -> Option<Progress> {
        let incomplete = expect.incomplete.as_deref();
        let enough = match input {
            Input::MoreMayCome | Input::Quiescent => None,
            Input::Closed => incomplete.and_then(|incomplete| incomplete.at_close.as_deref()),
            Input::TimeOver => incomplete.and_then(|incomplete| incomplete.at_timeout.as_deref()),
        };
        let Some(enough) = enough else {
            return Some(Progress::Wait);
        };
        let expectation = self
            .enough
            .get_or_insert_with(|| Box::new(Expectation::new(enough, MatchEnd::Earliest)));
        match expectation.update(enough, &self.received, input, budget) {
            Outcome::Matched(end) => {
                let captures = expectation.captures(enough, &self.received, end);
                self.accepted_incomplete = true;
                self.matched(expect, end, captures, budget)
            }
            Outcome::Behind => Some(Progress::Behind),
            _ => Some(Progress::Wait),
        }
    }

    /// Whether it is the client's turn after the dialogue has ended, so that the protocol allows
    /// `quit`. A server that has not sent its complete greeting logs a client that sends data, and
    /// may block it. `status` is that of the failure, if it failed.
    pub fn is_our_turn(&self, plan: &Plan, status: Option<Status>) -> bool {
        let is_expect = |step: &Step| matches!(step, Step::Expect(_));
        let has_matched = plan.spec.steps.iter().take(self.position).any(is_expect);
        let mut spoken = plan.spec.steps.iter().filter(|step| !is_silence(step));
        let speaks_first = spoken.next().is_some_and(|step| !is_expect(step));
        match status {
            None => (has_matched || speaks_first) && !self.accepted_incomplete,
            // The server has answered our message, though not as expected.
            Some(Status::Rejected) => has_matched || speaks_first,
            // The server can go on without TLS.
            Some(Status::TlsRefused) => true,
            Some(Status::Mismatch) => has_matched && self.buffered_len() < plan.spec.max_bytes,
            // It is the server's turn, or the connection is lost.
            Some(_) => false,
        }
    }

    /// What it means if the peer closes in the current step before it has sent anything.
    pub fn meaning_of_close<'p>(&self, plan: &'p Plan) -> Option<&'p str> {
        match plan.spec.steps.get(self.position) {
            Some(Step::Expect(expect)) => expect.incomplete.as_ref()?.if_closed.as_deref(),
            _ => None,
        }
    }

    /// The most bytes that all groups may capture. Groups may capture the same bytes, so this is
    /// not bounded by the received bytes.
    pub const MAX_CAPTURED: usize = 1 << 20;
    /// The work of a step that compares nothing, in the unit of [`Budget`].
    const COST_OF_STEP: usize = 100;

    /// Drops what the last step matched.
    fn forget_matched(&mut self, budget: &mut Budget) {
        let decoded = self.received.forget(std::mem::take(&mut self.matched));
        budget.spend(decoded);
    }

    /// The exact end of a match matters if a later step continues from it, or must know what
    /// follows it.
    fn match_end(&self, plan: &Plan) -> MatchEnd {
        let later = plan.spec.steps.iter().skip(self.position + 1);
        if later.into_iter().any(|step| !matches!(step, Step::Send(_))) {
            MatchEnd::Exact
        } else {
            MatchEnd::Earliest
        }
    }

    fn capture(&self, name: &str) -> &[u8] {
        let capture = self.captures.iter().rfind(|(known, _)| **known == *name);
        capture
            .map(|(_, value)| value.as_slice())
            .unwrap_or_default()
    }

    /// A part of a template, filled with what is known by now. A group that captured nothing is
    /// empty.
    fn filled<'p>(&'p self, plan: &Plan, piece: &'p Piece) -> Cow<'p, [u8]> {
        match piece {
            Piece::Bytes(literal) => Cow::Borrowed(literal),
            Piece::Secret(secret) => Cow::Borrowed(secret.reveal()),
            Piece::Capture(name) => Cow::Borrowed(self.capture(name)),
            Piece::Target(part) => {
                let text = part.text(&plan.target, self.address);
                // Every encoding has the characters of hosts and addresses.
                let encoded = plan.spec.charset.encode(&text);
                Cow::Owned(encoded.unwrap_or_else(|_| text.into_bytes()))
            }
        }
    }

    /// The number of bytes of a filled template.
    fn filled_len(&self, plan: &Plan, template: &Template) -> usize {
        let lengths = template
            .0
            .iter()
            .map(|piece| self.filled(plan, piece).len());
        lengths.fold(0, usize::saturating_add)
    }

    /// The bytes of a template, filled with what is known by now.
    fn fill(&self, plan: &Plan, template: &Template) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &template.0 {
            bytes.extend_from_slice(&self.filled(plan, piece));
        }
        bytes
    }

    /// The bytes of `quit`; `None` without it, or if they are too many to send.
    pub fn quit(&self, plan: &Plan) -> Option<Vec<u8>> {
        let quit = self.quit_of_rejection(plan).or(plan.spec.quit.as_ref())?;
        let bytes = self.sent.saturating_add(self.filled_len(plan, quit));
        let fits = !quit.has_captures() || bytes <= plan.spec.max_sent();
        fits.then(|| self.fill(plan, quit))
    }

    /// The `quit` of the [`Rejection`] that failed the current step, if it has one of its own.
    fn quit_of_rejection<'p>(&self, plan: &'p Plan) -> Option<&'p Template> {
        match plan.spec.steps.get(self.position) {
            Some(Step::Expect(expect)) => expect.reject.get(self.rejected_by?)?.quit.as_ref(),
            _ => None,
        }
    }

    /// The peer was silent for the time of the current [`Step::Silence`].
    pub fn was_silent(&mut self) {
        self.position += 1;
    }

    /// The kernel took all bytes of the current send step; continues with the next step.
    pub fn sent(&mut self) {
        self.position += 1;
    }

    /// The handshake of the current [`Step::StartTls`] completed; continues with the next step.
    pub fn secured(&mut self) {
        self.position += 1;
    }

    /// Takes received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.received.push(bytes);
    }

    /// Drops the received bytes that the report does not show, because nothing is matched any more.
    pub fn finish(&mut self) {
        self.received.keep(Response::KEPT);
    }

    /// Takes bytes received after [`Dialogue::finish`], of which a response shows the first ones.
    pub fn feed_finished(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let shown = Response::KEPT
            .saturating_sub(self.buffered_len())
            .min(bytes.len());
        self.received.push(bytes.get(..shown).unwrap_or_default());
    }

    /// The number of bytes received in total.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The memory of the received bytes, decoded ones and captures included.
    pub fn held(&self) -> usize {
        let captures = self.captures.iter().map(|(_, value)| value.len());
        self.received.held() + captures.sum::<usize>()
    }

    /// The number of bytes received since the match before the last one.
    pub fn buffered_len(&self) -> usize {
        self.received.raw().len()
    }

    /// The number of bytes received since the last match.
    pub fn unmatched_len(&self) -> usize {
        self.buffered_len().saturating_sub(self.matched)
    }

    /// Index of the current step.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The 1-based number of the current step; of the last one when all are done.
    pub fn step(&self, plan: &Plan) -> usize {
        (self.position + 1).min(plan.spec.steps.len())
    }

    /// The state of the dialogue when it cannot continue.
    pub fn unfinished(&self, plan: &Plan) -> Unfinished {
        match plan.spec.steps.get(self.position) {
            Some(Step::Send(_)) => Unfinished::Sending,
            _ if self.received.raw().is_empty() => Unfinished::Silent,
            _ => Unfinished::Unmatched(self.received.raw().len()),
        }
    }

    /// The status and the reason of a [`Rejection`] that applies to the current step because the
    /// expected answer can no longer arrive.
    pub fn otherwise(&self, plan: &Plan) -> Option<(Status, String)> {
        let Some(Step::Expect(expect)) = plan.spec.steps.get(self.position) else {
            return None;
        };
        let index = self.expectation.as_ref()?.otherwise(expect)?;
        let reject = expect.reject.get(index)?;
        Some((reject.status(), rejection(reject)))
    }

    /// The bytes received since the last match, which the current step is matched against.
    pub fn buffer(&self) -> &[u8] {
        self.received.raw()
    }

    /// How much of the current step's pattern matched at best, such as `matched 3 of 4 bytes`;
    /// names the pattern if the step has several. `None` if nothing matched, or for regular
    /// expressions.
    pub fn nearest(&self, plan: &Plan) -> Option<String> {
        let Some(Step::Expect(expect)) = plan.spec.steps.get(self.position) else {
            return None;
        };
        let (matched, pattern) = self.expectation.as_ref()?.nearest(expect)?;
        let length = pattern.length()?;
        Some(match expect.wanted.patterns() {
            [_] => format!("matched {matched} of {length} bytes"),
            _ => format!("matched {matched} of {length} bytes of {pattern}"),
        })
    }

    /// The captured groups, in the order of the steps.
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// The response to report: the bytes since the last match, and the total length. `None` if
    /// nothing was received.
    pub fn response(&self) -> Option<Response> {
        let raw = self.received.raw();
        let start = raw
            .get(..raw.len().min(Response::KEPT))
            .unwrap_or_default()
            .to_vec();
        (self.total > 0).then_some(Response {
            bytes: self.total,
            start,
        })
    }
}

/// A big-endian number in decimal; more than eight bytes are no number and stay as they are.
fn decimal(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() > 8 {
        return bytes.to_vec();
    }
    let number = bytes
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number.to_string().into_bytes()
}

fn is_silence(step: &Step) -> bool {
    matches!(step, Step::Silence(_))
}

/// Why an answer is rejected: the reason in the configuration, otherwise the pattern.
fn rejection(reject: &Rejection) -> String {
    match &reject.reason {
        Some(reason) => reason.to_string(),
        None => format!("the answer matches the reject pattern {}", reject.pattern),
    }
}

#[cfg(test)]
mod tests;
