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
use crate::plan::Plan;
use crate::plan::layer::SharedLayer;
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
    /// This reject pattern matched.
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
                for (name, value) in expectation.captures(expect, &self.received, end) {
                    self.captures.retain(|(known, _)| *known != name);
                    self.captures.push((name, value));
                }
                self.matched = end;
                self.expectation = None;
                self.position += 1;
                None
            }
            Outcome::Rejected(index) => Some(Progress::Rejected(
                expect
                    .reject
                    .get(index)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )),
            Outcome::Impossible => Some(Progress::Impossible),
            _ if self.received.raw().len() >= plan.spec.max_bytes => {
                Some(Progress::TooMuch(self.received.raw().len()))
            }
            Outcome::Tentative => Some(Progress::Tentative),
            Outcome::Undecided => Some(Progress::Wait),
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

#[cfg(test)]
mod tests;
