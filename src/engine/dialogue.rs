//! The step interpreter: what to say next, and whether the answer is the expected one. No I/O, no clock.

use memchr::memmem;

use crate::plan::Step;
use crate::report::Response;

/// Where a dialogue stands.
#[derive(Debug, Clone, Default)]
pub struct Dialogue {
    /// Index of the current step.
    at: usize,
    /// What came since the last match of an earlier step.
    pending: Vec<u8>,
    /// How far `pending` was searched in vain.
    searched: usize,
    /// Where the last match ended in `pending`; the next expect reads on from there.
    matched: usize,
    /// Everything received, in bytes.
    received: u64,
}

/// What the dialogue wants next.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Send these bytes, then call [`Dialogue::sent`].
    Send(&'a [u8]),
    /// Wait for the peer.
    Wait,
    /// All steps are done.
    Done,
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
    /// Goes as far as the bytes at hand allow.
    pub fn advance<'a>(&mut self, steps: &'a [Step], max_bytes: usize) -> Progress<'a> {
        loop {
            match steps.get(self.at) {
                None => return Progress::Done,
                Some(Step::Send(bytes)) => return Progress::Send(bytes),
                Some(Step::Expect(wanted)) => match self.search(wanted) {
                    Some(end) => {
                        self.matched = end;
                        self.at += 1;
                    }
                    None if self.pending.len() >= max_bytes => return Progress::TooMuch(max_bytes),
                    None => return Progress::Wait,
                },
            }
        }
    }

    /// The bytes of the current send step are with the kernel.
    pub fn sent(&mut self) {
        self.at += 1;
    }

    /// Takes what the peer sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        self.pending.extend_from_slice(bytes);
    }

    /// How many bytes it holds.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    /// The 1-based number of the current step, else of the last.
    pub fn step(&self, steps: &[Step]) -> usize {
        (self.at + 1).min(steps.len())
    }

    /// How the dialogue stands when no more can come.
    pub fn unfinished(&self, steps: &[Step]) -> Unfinished {
        match steps.get(self.at) {
            Some(Step::Send(_)) => Unfinished::Sending,
            _ if self.pending.is_empty() => Unfinished::Silent,
            _ => Unfinished::Unmatched(self.pending.len()),
        }
    }

    /// What the peer said, in the last step that heard anything.
    pub fn response(&self) -> Option<Response> {
        let kept = self.pending.len().min(Response::KEPT);
        let start = self.pending.get(..kept).unwrap_or_default().to_vec();
        (self.received > 0).then_some(Response { bytes: self.received, start })
    }

    /// Where in `pending` a match of these bytes ends; what an earlier step matched is dropped first.
    fn search(&mut self, wanted: &[u8]) -> Option<usize> {
        if self.matched > 0 {
            self.pending.drain(..std::mem::take(&mut self.matched));
            self.searched = 0;
        }
        let from = self.searched.saturating_sub(wanted.len().saturating_sub(1));
        let found = memmem::find(self.pending.get(from..).unwrap_or_default(), wanted);
        self.searched = self.pending.len();
        found.map(|at| from + at + wanted.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn send(bytes: &[u8]) -> Step {
        Step::Send(bytes.to_vec())
    }

    fn expect(bytes: &[u8]) -> Step {
        Step::Expect(bytes.to_vec())
    }

    /// Runs the steps against these segments; how it ended, and the step it stands at.
    fn run(steps: &[Step], segments: &[&[u8]], max: usize) -> (bool, usize, Dialogue) {
        let mut dialogue = Dialogue::default();
        let mut segments = segments.iter();
        loop {
            match dialogue.advance(steps, max) {
                Progress::Send(_) => dialogue.sent(),
                Progress::Done => return (true, dialogue.step(steps), dialogue),
                Progress::TooMuch(_) => return (false, dialogue.step(steps), dialogue),
                Progress::Wait => match segments.next() {
                    Some(bytes) => dialogue.feed(bytes),
                    None => return (false, dialogue.step(steps), dialogue),
                },
            }
        }
    }

    #[test]
    fn a_match_may_span_segments_and_hold_nul() {
        let (done, _, dialogue) = run(&[expect(b"b\0c")], &[b"ab", b"\0", b"cd"], 100);
        assert!(done);
        assert_eq!(dialogue.response(), Some(Response { bytes: 5, start: b"ab\0cd".to_vec() }));
    }

    #[test]
    fn the_next_expect_reads_on_after_the_match() {
        let twice = [expect(b"ok"), expect(b"ok")];
        assert!(run(&twice, &[b"okok"], 100).0);
        let (done, step, dialogue) = run(&twice, &[b"ok"], 100);
        assert_eq!((done, step, dialogue.unfinished(&twice)), (false, 2, Unfinished::Silent));
    }

    #[test]
    fn what_ends_it_is_told_apart() {
        let steps = [send(b"hi"), expect(b"ok")];
        assert_eq!(Dialogue::default().unfinished(&steps), Unfinished::Sending);
        assert_eq!(run(&steps, &[], 10).2.unfinished(&steps), Unfinished::Silent);
        assert_eq!(run(&steps, &[b"no"], 10).2.unfinished(&steps), Unfinished::Unmatched(2));
        let mut flooded = run(&steps, &[b"nonononono"], 10).2;
        assert_eq!(flooded.advance(&steps, 10), Progress::TooMuch(10));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_verdict(
            bytes in proptest::collection::vec(0_u8..3, 0..60),
            wanted in proptest::collection::vec(proptest::collection::vec(0_u8..3, 1..4), 1..4),
            cuts in proptest::collection::vec(0_usize..60, 0..6),
        ) {
            let steps: Vec<Step> = wanted.iter().map(|w| expect(w)).collect();
            let whole = run(&steps, &[&bytes], 1000);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let split = run(&steps, &parts, 1000);
            prop_assert_eq!((whole.0, whole.1), (split.0, split.1));
        }
    }
}
