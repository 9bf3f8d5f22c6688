//! The interpreter of a plan's steps: what to send next, and whether the answer is the expected
//! one.
//!
//! It does no I/O and reads no clock. [`matcher`] matches one pattern, `expectation` combines the
//! patterns of one step, `received` holds the bytes that they are matched against.

mod expectation;
pub mod matcher;
mod received;

pub use expectation::{Capture, Input};

use crate::engine::dialogue::expectation::{Expectation, Outcome};
use crate::engine::dialogue::matcher::MatchEnd;
use crate::engine::dialogue::received::Received;
use crate::failure::Status;
use crate::plan::Plan;
use crate::plan::layer::SharedLayer;
use crate::plan::pattern::Pattern;
use crate::plan::steps::{Expect, Piece, Step, Template};
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
    /// Whether the last answer was accepted although it is incomplete.
    accepted_incomplete: bool,
    captures: Vec<Capture>,
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
    /// A reject pattern matched: its reason, or the pattern.
    Rejected(String),
    /// The expected answer can no longer match.
    Impossible,
    /// This many bytes were received without a match, which is the maximum.
    TooMuch(usize),
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
    pub fn new(plan: &Plan) -> Self {
        let received = Received::new(plan.spec.charset);
        Self {
            position: 0,
            total: 0,
            received,
            matched: 0,
            expectation: None,
            accepted_incomplete: false,
            captures: Vec::new(),
        }
    }

    /// Runs the steps as far as the received bytes allow.
    pub fn advance(&mut self, plan: &Plan, input: Input) -> Progress {
        loop {
            match plan.spec.steps.get(self.position) {
                None => return Progress::Done,
                Some(Step::Send(template)) => return Progress::Send(self.fill(template)),
                Some(Step::StartTls(layer)) => {
                    self.received.forget(std::mem::take(&mut self.matched));
                    return match self.buffered_len() {
                        0 => Progress::StartTls(layer.clone()),
                        bytes => Progress::Injected(bytes),
                    };
                }
                Some(Step::Expect(expect)) => {
                    if let Some(progress) = self.expect(plan, expect, input) {
                        return progress;
                    }
                }
            }
        }
    }

    /// Matches the received bytes against the current step; `None` when the step is done.
    fn expect(&mut self, plan: &Plan, expect: &Expect, input: Input) -> Option<Progress> {
        if self.expectation.is_none() {
            self.received.forget(std::mem::take(&mut self.matched));
            self.expectation = Some(Box::new(Expectation::new(expect, self.match_end(plan))));
        }
        let expectation = self.expectation.as_mut()?;
        match expectation.update(expect, &self.received, input) {
            Outcome::Matched(end) => {
                let captures = expectation.captures(expect, &self.received, end);
                self.matched(expect, end, captures);
                None
            }
            Outcome::Rejected(index) => Some(Progress::Rejected(
                expect.reject.get(index).map(rejection).unwrap_or_default(),
            )),
            Outcome::Impossible => Some(Progress::Impossible),
            _ if self.received.raw().len() >= plan.spec.max_bytes => {
                Some(Progress::TooMuch(self.received.raw().len()))
            }
            Outcome::Tentative => Some(Progress::Tentative),
            Outcome::Undecided if self.accepts_incomplete(expect, input) => None,
            Outcome::Undecided => Some(Progress::Wait),
        }
    }

    /// The current step is met by the bytes up to `end`.
    fn matched(&mut self, expect: &Expect, end: usize, captures: Vec<Capture>) {
        for (name, mut value) in captures {
            if expect.numbers.contains(&name) {
                value = decimal(&value);
            }
            self.captures.retain(|(known, _)| *known != name);
            self.captures.push((name, value));
        }
        self.matched = end;
        self.expectation = None;
        self.position += 1;
    }

    /// Meets the step with what was received, if no more can arrive and that is enough.
    fn accepts_incomplete(&mut self, expect: &Expect, input: Input) -> bool {
        let incomplete = expect.incomplete.as_deref();
        let enough = match input {
            Input::MoreMayCome | Input::Quiescent => None,
            Input::Closed => incomplete.and_then(|incomplete| incomplete.at_close.as_deref()),
            Input::TimeOver => incomplete.and_then(|incomplete| incomplete.at_timeout.as_deref()),
        };
        let Some(enough) = enough else { return false };
        let mut expectation = Expectation::new(enough, MatchEnd::Earliest);
        let Outcome::Matched(end) = expectation.update(enough, &self.received, input) else {
            return false;
        };
        let captures = expectation.captures(enough, &self.received, end);
        self.matched(expect, end, captures);
        self.accepted_incomplete = true;
        true
    }

    /// Whether it is our turn to speak once the dialogue has ended, so that the protocol's farewell
    /// is understood and is no violation. A server whose greeting has not arrived whole logs a
    /// client that speaks, and may block it. `status` is that of the failure, if it failed.
    pub fn is_our_turn(&self, plan: &Plan, status: Option<Status>) -> bool {
        let is_expect = |step: &Step| matches!(step, Step::Expect(_));
        let has_matched = plan.spec.steps.iter().take(self.position).any(is_expect);
        let speaks_first = plan.spec.steps.first().is_some_and(|step| !is_expect(step));
        match status {
            None => (has_matched || speaks_first) && !self.accepted_incomplete,
            // The server has answered our message, though not as expected.
            Some(Status::Rejected) => has_matched || speaks_first,
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

    /// The exact end of a match matters if a later step continues from it, or must know what
    /// follows it.
    fn match_end(&self, plan: &Plan) -> MatchEnd {
        let later = plan.spec.steps.iter().skip(self.position + 1);
        if later
            .into_iter()
            .any(|step| matches!(step, Step::Expect(_) | Step::StartTls(_)))
        {
            MatchEnd::Exact
        } else {
            MatchEnd::Earliest
        }
    }

    /// The bytes of a template, filled with the captures so far. A group that captured nothing is
    /// empty.
    pub fn fill(&self, template: &Template) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &template.0 {
            match piece {
                Piece::Bytes(literal) => bytes.extend_from_slice(literal),
                Piece::Secret(secret) => bytes.extend_from_slice(secret.reveal()),
                Piece::Capture(name) => {
                    let capture = self.captures.iter().rfind(|(known, _)| known == name);
                    bytes.extend(
                        capture
                            .map(|(_, value)| value.as_slice())
                            .unwrap_or_default(),
                    );
                }
            }
        }
        bytes
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

    /// Keeps of the received bytes only what a response shows: nothing is matched any more.
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

    /// The number of bytes that it has since the match before the last one.
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

/// Why an answer is rejected, in words if there are any.
fn rejection(pattern: &Pattern) -> String {
    match &pattern.reason {
        Some(reason) => reason.to_string(),
        None => format!("the answer matches the reject pattern {pattern}"),
    }
}

#[cfg(test)]
mod tests;
