//! The step interpreter: what to say next, and whether the answer is the expected one. No I/O, no clock.

mod expectation;
pub mod matcher;
mod received;

pub use expectation::{Capture, Input};

use crate::engine::dialogue::expectation::{Expectation, Outcome};
use crate::engine::dialogue::matcher::MatchEnd;
use crate::engine::dialogue::received::Received;
use crate::plan::Plan;
use crate::plan::steps::{Expect, Piece, Step, Template};
use crate::report::Response;

/// Where a dialogue stands.
#[derive(Debug)]
pub struct Dialogue {
    /// Index of the current step.
    at: usize,
    /// Everything received, in bytes.
    total: u64,
    /// What came since the last match of an earlier step.
    received: Received,
    /// Where the last match ended in it; the next expectation reads on from there.
    matched: usize,
    /// The current step, if it expects.
    expectation: Option<Box<Expectation>>,
    captures: Vec<Capture>,
}

/// What the dialogue wants next.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send these bytes, then call [`Dialogue::sent`].
    Send(Vec<u8>),
    /// Wait for the peer.
    Wait,
    /// Wait a moment: what came is enough unless further bytes change it.
    Unsettled,
    /// All steps are done.
    Done,
    /// This reject pattern came.
    Rejected(String),
    /// What was wanted cannot come any more.
    Impossible,
    /// More than this many bytes came without a match.
    TooMuch(usize),
}

/// How an unfinished dialogue stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Our own bytes could not all be sent.
    Sending,
    /// Nothing came since the last match.
    Silent,
    /// This many bytes came since the last match, and they are not what was expected.
    Unmatched(usize),
}

impl Dialogue {
    /// A dialogue before its first step.
    pub fn new(plan: &Plan) -> Self {
        let received = Received::new(plan.spec.charset);
        Self {
            at: 0,
            total: 0,
            received,
            matched: 0,
            expectation: None,
            captures: Vec::new(),
        }
    }

    /// Goes as far as the bytes at hand allow.
    pub fn advance(&mut self, plan: &Plan, moment: Input) -> Progress {
        loop {
            match plan.spec.steps.get(self.at) {
                None => return Progress::Done,
                Some(Step::Send(template)) => return Progress::Send(self.fill(template)),
                Some(Step::Expect(expect)) => {
                    if let Some(progress) = self.expect(plan, expect, moment) {
                        return progress;
                    }
                }
            }
        }
    }

    /// Compares what came with the current step; nothing to report when the step is done.
    fn expect(&mut self, plan: &Plan, expect: &Expect, moment: Input) -> Option<Progress> {
        if self.expectation.is_none() {
            self.received.forget(std::mem::take(&mut self.matched));
            self.expectation = Some(Box::new(Expectation::new(expect, self.extent(plan))));
        }
        let expectation = self.expectation.as_mut()?;
        match expectation.look(expect, &self.received, moment) {
            Outcome::Matched(end) => {
                for (name, value) in expectation.captures(expect, &self.received, end) {
                    self.captures.retain(|(known, _)| *known != name);
                    self.captures.push((name, value));
                }
                self.matched = end;
                self.expectation = None;
                self.at += 1;
                None
            }
            Outcome::Rejected(number) => Some(Progress::Rejected(
                expect
                    .reject
                    .get(number)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )),
            Outcome::Impossible => Some(Progress::Impossible),
            _ if self.received.raw().len() >= plan.spec.max_bytes => {
                Some(Progress::TooMuch(self.received.raw().len()))
            }
            Outcome::Unsettled => Some(Progress::Unsettled),
            Outcome::Open => Some(Progress::Wait),
        }
    }

    /// The exact end of a match matters where a later step reads on from it.
    fn extent(&self, plan: &Plan) -> MatchEnd {
        let later = plan.spec.steps.iter().skip(self.at + 1);
        if later
            .into_iter()
            .any(|step| matches!(step, Step::Expect(_)))
        {
            MatchEnd::Exact
        } else {
            MatchEnd::First
        }
    }

    /// A template's bytes, with what was captured so far.
    pub fn fill(&self, template: &Template) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &template.0 {
            match piece {
                Piece::Bytes(plain) => bytes.extend_from_slice(plain),
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

    /// The bytes of the current send step are with the kernel.
    pub fn sent(&mut self) {
        self.at += 1;
    }

    /// Takes what the peer sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.received.push(bytes);
    }

    /// How many bytes it holds.
    pub fn held(&self) -> usize {
        self.received.raw().len()
    }

    /// How many of them came since the last match.
    pub fn ahead(&self) -> usize {
        self.held().saturating_sub(self.matched)
    }

    /// Index of the current step.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The 1-based number of the current step, else of the last.
    pub fn step(&self, plan: &Plan) -> usize {
        (self.at + 1).min(plan.spec.steps.len())
    }

    /// How the dialogue stands when no more can come.
    pub fn unfinished(&self, plan: &Plan) -> Unfinished {
        match plan.spec.steps.get(self.at) {
            Some(Step::Send(_)) => Unfinished::Sending,
            _ if self.received.raw().is_empty() => Unfinished::Silent,
            _ => Unfinished::Unmatched(self.received.raw().len()),
        }
    }

    /// What the peer said since the last match.
    pub fn heard(&self) -> &[u8] {
        self.received.raw()
    }

    /// What came nearest to the current step, such as ``the first 3 of 4 bytes of `220 ` ``.
    pub fn nearest(&self, plan: &Plan) -> Option<String> {
        let Some(Step::Expect(expect)) = plan.spec.steps.get(self.at) else {
            return None;
        };
        let (bytes, pattern) = self.expectation.as_ref()?.nearest(expect)?;
        Some(match bytes {
            1 => format!("the first byte of {pattern}"),
            _ => format!("the first {bytes} bytes of {pattern}"),
        })
    }

    /// What was captured, in the order of the steps.
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// What the peer said, in the last step that heard anything.
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
