//! An expect step that is running: combines the matches of its patterns into one outcome.

use crate::engine::dialogue::matcher::{MatchEnd, MatchState, Matcher};
use crate::engine::dialogue::received::Received;
use crate::plan::pattern::{CompiledPattern, Pattern};
use crate::plan::steps::{Expect, Patterns};

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
    /// The reject pattern with this index matched.
    Rejected(usize),
    /// It can no longer match.
    Impossible,
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
    /// Starts a step. Patterns with captures need the exact end of their match, the others the one
    /// that is asked for.
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
            .map(|pattern| Matcher::new(pattern, MatchEnd::Earliest));
        Self {
            wanted: wanted.collect(),
            reject: reject.collect(),
        }
    }

    /// Matches the bytes that are new, and gives the outcome so far.
    ///
    /// Of a reject pattern and the expected answer, the one whose match ends first decides; on a
    /// tie the reject pattern.
    pub fn update(&mut self, expect: &Expect, received: &Received, input: Input) -> Outcome {
        let rejects = states(&mut self.reject, &expect.reject, received, input);
        let rejected = rejects
            .iter()
            .enumerate()
            .filter_map(|(index, state)| Some((state.matched()?, index)))
            .min();
        // The earliest end of a reject pattern whose match is not certain yet.
        let tentative_reject = rejects.iter().filter_map(|state| state.tentative()).min();
        let when_failed = outcome_when_failed(expect, &rejects);
        let wanted = states(&mut self.wanted, expect.wanted.patterns(), received, input);
        let state = match expect.wanted {
            Patterns::Any(_) => earliest(&wanted),
            Patterns::All(_) => latest(&wanted),
        };
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
            (_, RawState::Undecided) => Outcome::Undecided,
            (_, RawState::Impossible(_)) => Outcome::Impossible,
        }
    }

    /// The captures of a match that ends here: those of the pattern that decided, or of all
    /// patterns if all had to match.
    pub fn captures(&self, expect: &Expect, received: &Received, end: usize) -> Vec<Capture> {
        let matched =
            self.wanted
                .iter()
                .zip(expect.wanted.patterns())
                .filter(|(matcher, pattern)| {
                    let ended = matcher
                        .matched()
                        .map(|at| received.raw_offset(pattern.haystack, at));
                    ended.is_some_and(|ended| {
                        ended == end || matches!(expect.wanted, Patterns::All(_))
                    })
                });
        let counting = match expect.wanted {
            Patterns::Any(_) => 1,
            Patterns::All(_) => usize::MAX,
        };
        matched
            .take(counting)
            .flat_map(|(_, pattern)| groups(pattern, received))
            .collect()
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
/// anchored at the start may still match, so that a server's own refusal is told from a wrong
/// answer.
fn outcome_when_failed(expect: &Expect, rejects: &[RawState]) -> Outcome {
    let anchored = rejects
        .iter()
        .zip(&expect.reject)
        .enumerate()
        .filter(|(_, (_, pattern))| pattern.is_anchored());
    let states: Vec<_> = anchored
        .map(|(index, (state, _))| (index, *state))
        .collect();
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

/// Feeds the matchers, and gives the state of each.
fn states(
    matchers: &mut [Matcher],
    patterns: &[Pattern],
    received: &Received,
    input: Input,
) -> Vec<RawState> {
    let pairs = matchers.iter_mut().zip(patterns);
    let states = pairs.map(|(matcher, pattern)| {
        let mut state = matcher.feed(pattern, received.haystack(pattern.haystack));
        if input != Input::MoreMayCome {
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

/// The captures of the leftmost match.
fn groups(pattern: &Pattern, received: &Received) -> Vec<Capture> {
    let CompiledPattern::Regex(regex) = &pattern.compiled else {
        return Vec::new();
    };
    let bytes = received.haystack(pattern.haystack);
    let mut found = regex.groups.create_captures();
    regex
        .groups
        .captures(&mut regex.groups.create_cache(), bytes, &mut found);
    let named = regex.names.iter().filter_map(|name| {
        let span = found.get_group_by_name(name)?;
        Some((
            name.clone(),
            received.raw_part(pattern.haystack, span.range())?,
        ))
    });
    named.collect()
}
