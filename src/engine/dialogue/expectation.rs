//! An expect step that is running: combines the matches of its patterns into one outcome.

use crate::engine::dialogue::budget::Budget;
use crate::engine::dialogue::match_state::{MatchEnd, MatchState};
use crate::engine::dialogue::matcher::Matcher;
use crate::engine::dialogue::received::{Fill, Received};
use crate::plan::pattern::{Haystack, Pattern};
use crate::plan::steps::{Expect, Patterns, Rejection, RejectionTime};

/// The matchers of a step that is running.
#[derive(Debug)]
pub struct Expectation {
    wanted: Vec<Matcher>,
    reject: Vec<Matcher>,
}

/// The outcome of a step so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// More bytes are needed.
    Undecided,
    /// It matched, but further bytes could change that.
    Tentative,
    /// It matched up to this raw offset.
    Matched(usize),
    /// The [`Rejection`] with this index matched.
    Rejected(usize),
    /// It can no longer match.
    Impossible,
    /// The budget was spent before all bytes were compared.
    Behind,
}

/// The name of a group and the bytes that it matched, as the peer sent them.
pub type Capture = (Box<str>, Vec<u8>);

/// Whether further bytes may arrive at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// They may, so that a tentative match waits for them.
    MoreMayCome,
    /// The peer was quiet for long enough: a tentative match counts.
    Quiescent,
    /// The peer closed or the connection is lost: a tentative match counts.
    Closed,
    /// The time of the step is over: a tentative match counts.
    TimeOver,
}

impl Expectation {
    /// Starts a step. `match_end` applies to patterns without captures; those with captures need
    /// the exact end of their match.
    pub fn new(expect: &Expect, match_end: MatchEnd) -> Self {
        let match_end = |pattern: &Pattern| {
            if pattern.names().is_empty() {
                match_end
            } else {
                MatchEnd::Exact
            }
        };
        let wanted = expect
            .wanted
            .patterns()
            .iter()
            .map(|pattern| Matcher::new(pattern, match_end(pattern)));
        let reject = expect
            .reject
            .iter()
            .map(|reject| Matcher::new(&reject.pattern, MatchEnd::Earliest));
        Self {
            wanted: wanted.collect(),
            reject: reject.collect(),
        }
    }

    /// Matches the bytes that are new, and gives the outcome so far.
    ///
    /// Of a reject pattern and the expected answer, the one whose match ends first decides; on a
    /// tie the reject pattern.
    pub fn update(
        &mut self,
        expect: &Expect,
        received: &Received,
        input: Input,
        budget: &mut Budget,
    ) -> Outcome {
        let patterns = expect.wanted.patterns();
        let wanted = states(
            &mut self.wanted,
            patterns,
            received,
            usize::MAX,
            input,
            budget,
        );
        if self.wanted.iter().any(Matcher::is_behind) {
            return Outcome::Behind;
        }
        let state = match expect.wanted {
            Patterns::Any(_) => earliest(&wanted),
            Patterns::All(_) => latest(&wanted),
        };
        // A reject pattern that ends after the match changes nothing.
        let until = match state {
            RawState::Matched(end) => end + 1,
            _ => usize::MAX,
        };
        let rejects = states(
            &mut self.reject,
            expect.reject.iter().map(|reject| &reject.pattern),
            received,
            until,
            input,
            budget,
        );
        if self.reject.iter().any(Matcher::is_behind) {
            return Outcome::Behind;
        }
        let at_once = rejects
            .iter()
            .zip(&expect.reject)
            .enumerate()
            .filter(|(_, (_, reject))| reject.applies == RejectionTime::AtOnce)
            .map(|(index, (state, _))| (index, *state));
        let rejected = at_once
            .clone()
            .filter_map(|(index, state)| Some((state.matched()?, index)))
            .min();
        // The earliest end of a reject pattern whose match is not certain yet.
        let tentative_reject = at_once.filter_map(|(_, state)| state.tentative()).min();
        let when_failed = outcome_when_failed(expect, &rejects);
        match (rejected, state) {
            (Some((at, index)), RawState::Matched(end) | RawState::Tentative(end)) if at <= end => {
                Outcome::Rejected(index)
            }
            (Some((_, index)), RawState::Undecided) => Outcome::Rejected(index),
            (Some((at, index)), RawState::Impossible(since)) if at <= since => {
                Outcome::Rejected(index)
            }
            (_, RawState::Impossible(_)) if when_failed != Outcome::Impossible => when_failed,
            (_, RawState::Matched(end) | RawState::Impossible(end))
                if tentative_reject.is_some_and(|at| at <= end) =>
            {
                Outcome::Tentative
            }
            (_, RawState::Matched(_) | RawState::Tentative(_))
                if received.raw().len() < expect.min_bytes =>
            {
                Outcome::Undecided
            }
            (_, RawState::Matched(end)) => Outcome::Matched(end),
            (_, RawState::Tentative(_)) => Outcome::Tentative,
            // No match can end later, but whether a reject pattern ends here is not known yet.
            (_, RawState::Undecided)
                if tentative_reject.is_some() && received.fill() == Fill::Full =>
            {
                Outcome::Tentative
            }
            (_, RawState::Undecided) => Outcome::Undecided,
            (_, RawState::Impossible(_)) => Outcome::Impossible,
        }
    }

    /// The index of the [`Rejection`] that applies, because the expected answer can no longer
    /// arrive.
    pub fn otherwise(&self, expect: &Expect) -> Option<usize> {
        let matched = self.reject.iter().zip(&expect.reject).enumerate();
        let matched = matched.filter(|(_, (matcher, reject))| {
            reject.applies == RejectionTime::Otherwise && matcher.matched().is_some()
        });
        matched.map(|(index, _)| index).next()
    }

    /// The captures of a match that ends here: those of the pattern that decided, or of all
    /// patterns if all had to match.
    pub fn captures(&self, expect: &Expect, received: &Received, end: usize) -> Vec<Capture> {
        let mut captures = Vec::new();
        for (matcher, pattern) in self.wanted.iter().zip(expect.wanted.patterns()) {
            let Some(ended) = matcher.matched() else {
                continue;
            };
            let is_any = matches!(expect.wanted, Patterns::Any(_));
            if is_any && received.raw_offset(pattern.haystack, ended) != end {
                continue;
            }
            let groups = pattern.names().iter().zip(matcher.groups(ended));
            captures.extend(groups.filter_map(|(name, group)| {
                let part = received.raw_part(pattern.haystack, group?)?;
                Some((name.clone(), part))
            }));
            if is_any {
                break;
            }
        }
        captures
    }

    /// The pattern that matched the most bytes, and how many.
    pub fn nearest<'p>(&self, expect: &'p Expect) -> Option<(usize, &'p Pattern)> {
        let near = self.wanted.iter().zip(expect.wanted.patterns());
        let near = near.filter_map(|(matcher, pattern)| Some((matcher.nearest()?, pattern)));
        near.filter(|(bytes, _)| *bytes > 0)
            .max_by_key(|(bytes, _)| *bytes)
    }
}

/// The outcome of a step whose expected answer can no longer match. Reject patterns that are
/// anchored at the start may still match, so that a refusal by the server is distinguished from a
/// wrong answer. Of those that apply [otherwise](RejectionTime::Otherwise), any match counts.
fn outcome_when_failed(expect: &Expect, rejects: &[RawState]) -> Outcome {
    let counts = |state: &RawState, reject: &Rejection| {
        let is_otherwise = reject.applies == RejectionTime::Otherwise;
        reject.pattern.is_anchored() || is_otherwise && state.matched().is_some()
    };
    let counted = rejects
        .iter()
        .zip(&expect.reject)
        .enumerate()
        .filter(|(_, (state, reject))| counts(state, reject));
    let states: Vec<_> = counted.map(|(index, (state, _))| (index, *state)).collect();
    let matched = states
        .iter()
        .filter_map(|(index, state)| Some((state.matched()?, *index)))
        .min();
    match matched {
        Some((_, index)) => Outcome::Rejected(index),
        None if states.iter().any(|(_, state)| state.tentative().is_some()) => Outcome::Tentative,
        None if states
            .iter()
            .any(|(_, state)| *state == RawState::Undecided) =>
        {
            Outcome::Undecided
        }
        None => Outcome::Impossible,
    }
}

/// The [`MatchState`] of a pattern, with offsets into the raw bytes so that patterns of different
/// haystacks can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RawState {
    Undecided,
    Impossible(usize),
    Tentative(usize),
    Matched(usize),
}

impl RawState {
    fn matched(self) -> Option<usize> {
        match self {
            Self::Matched(end) => Some(end),
            Self::Undecided | Self::Impossible(_) | Self::Tentative(_) => None,
        }
    }

    fn tentative(self) -> Option<usize> {
        match self {
            Self::Tentative(end) => Some(end),
            Self::Undecided | Self::Impossible(_) | Self::Matched(_) => None,
        }
    }
}

/// Feeds the matchers, and gives the state of each. Patterns of the received bytes are only fed
/// those before `until`.
fn states<'p>(
    matchers: &mut [Matcher],
    patterns: impl IntoIterator<Item = &'p Pattern>,
    received: &Received,
    until: usize,
    input: Input,
    budget: &mut Budget,
) -> Vec<RawState> {
    let pairs = matchers.iter_mut().zip(patterns);
    let states = pairs.map(|(matcher, pattern)| {
        let (bytes, bound) = (
            received.haystack(pattern.haystack),
            received.bound(pattern.haystack),
        );
        let bytes = match pattern.haystack {
            Haystack::Raw => bytes.get(..until).unwrap_or(bytes),
            Haystack::Text => bytes,
        };
        let mut state = matcher.feed(pattern, bytes, bound, budget);
        // Of a match that continues past the bound, the part before it counts, as it does if the
        // peer pauses there: the result does not depend on a pause.
        let is_settled = input != Input::MoreMayCome || received.fill() == Fill::Past;
        if is_settled && !matcher.is_behind() {
            state = matcher.settle();
        }
        match state {
            MatchState::Undecided => RawState::Undecided,
            MatchState::Impossible(since) => {
                RawState::Impossible(received.raw_offset(pattern.haystack, since))
            }
            MatchState::Tentative(end) => {
                RawState::Tentative(received.raw_offset(pattern.haystack, end))
            }
            MatchState::Matched(end) => {
                RawState::Matched(received.raw_offset(pattern.haystack, end))
            }
        }
    });
    states.collect()
}

/// The state of "any of these": the match that ends first, unless a tentative one ends before it.
fn earliest(states: &[RawState]) -> RawState {
    let matched = states.iter().filter_map(|state| state.matched()).min();
    let tentative = states.iter().filter_map(|state| state.tentative()).min();
    match (matched, tentative) {
        (Some(matched), Some(tentative)) if tentative <= matched => RawState::Tentative(tentative),
        (Some(matched), _) => RawState::Matched(matched),
        (None, Some(tentative)) => RawState::Tentative(tentative),
        (None, None) => {
            let since = states.iter().map(|state| {
                if let RawState::Impossible(since) = state {
                    Some(*since)
                } else {
                    None
                }
            });
            since
                .collect::<Option<Vec<_>>>()
                .and_then(|since| since.into_iter().max())
                .map_or(RawState::Undecided, RawState::Impossible)
        }
    }
}

/// The state of "all of these": the match that ends last.
fn latest(states: &[RawState]) -> RawState {
    use RawState::{Impossible, Matched, Tentative, Undecided};
    states
        .iter()
        .fold(Matched(0), |all, state| match (all, *state) {
            (Impossible(a), Impossible(b)) => Impossible(a.min(b)),
            (Impossible(since), _) | (_, Impossible(since)) => Impossible(since),
            (Undecided, _) | (_, Undecided) => Undecided,
            (Matched(a), Matched(b)) => Matched(a.max(b)),
            (Matched(a) | Tentative(a), Matched(b) | Tentative(b)) => Tentative(a.max(b)),
        })
}
