//! One expecting step at work: which of its patterns came, and which came first.

use crate::engine::dialogue::matcher::{MatchEnd, MatchState, Matcher};
use crate::engine::dialogue::received::Received;
use crate::plan::pattern::{Kind, Pattern};
use crate::plan::steps::{Expect, Wanted};

/// The patterns of a step at work.
#[derive(Debug)]
pub struct Expectation {
    wanted: Vec<Matcher>,
    reject: Vec<Matcher>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It takes more bytes.
    Open,
    /// What came is enough unless further bytes change it.
    Unsettled,
    /// What was wanted came, up to this raw offset.
    Matched(usize),
    /// The reject pattern with this number came.
    Rejected(usize),
    /// What was wanted cannot come any more.
    Impossible,
}

/// What a named group of a pattern matched.
pub type Capture = (Box<str>, Vec<u8>);

/// Whether further bytes may come right away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// They may.
    Flowing,
    /// It is quiet, or over.
    Settled,
}

impl Expectation {
    /// Starts a step; `reads_on` says whether a later step reads on from its match.
    pub fn new(expect: &Expect, reads_on: MatchEnd) -> Self {
        let extent = |pattern: &Pattern| {
            if pattern.names().is_empty() {
                reads_on
            } else {
                MatchEnd::Exact
            }
        };
        let wanted = expect
            .wanted
            .patterns()
            .iter()
            .map(|pattern| Matcher::new(pattern, extent(pattern)));
        let reject = expect
            .reject
            .iter()
            .map(|pattern| Matcher::new(pattern, MatchEnd::First));
        Self {
            wanted: wanted.collect(),
            reject: reject.collect(),
        }
    }

    /// Takes what is new, and says how the step stands.
    pub fn look(&mut self, expect: &Expect, received: &Received, moment: Input) -> Outcome {
        let guards = ends(&mut self.reject, &expect.reject, received, moment);
        let rejected = guards
            .iter()
            .enumerate()
            .filter_map(|(number, end)| Some((end.matched()?, number)))
            .min();
        // A guard that may turn out to have matched this early.
        let doubt = guards.iter().filter_map(|end| end.provisional()).min();
        let lame = self.lame(expect, &guards);
        let ends = ends(&mut self.wanted, expect.wanted.patterns(), received, moment);
        let end = match expect.wanted {
            Wanted::Any(_) => first(&ends),
            Wanted::All(_) => last(&ends),
        };
        match (rejected, end) {
            (Some((at, number)), End::Matched(end) | End::Provisional(end)) if at <= end => {
                Outcome::Rejected(number)
            }
            (Some((_, number)), End::Open) => Outcome::Rejected(number),
            (Some((at, number)), End::Impossible(since)) if at <= since => {
                Outcome::Rejected(number)
            }
            (_, End::Impossible(_)) if lame != Outcome::Impossible => lame,
            (_, End::Matched(end) | End::Impossible(end)) if doubt.is_some_and(|at| at <= end) => {
                Outcome::Unsettled
            }
            (_, End::Matched(_) | End::Provisional(_))
                if received.raw().len() < expect.min_bytes =>
            {
                Outcome::Open
            }
            (_, End::Matched(end)) => Outcome::Matched(end),
            (_, End::Provisional(_)) => Outcome::Unsettled,
            (_, End::Open) => Outcome::Open,
            (_, End::Impossible(_)) => Outcome::Impossible,
        }
    }

    /// What the guards that only match at the start make of a step that has failed already: while one of them can still
    /// come, the step is open, so that a server's own refusal is told from a wrong answer.
    fn lame(&self, expect: &Expect, guards: &[End]) -> Outcome {
        let anchored = guards
            .iter()
            .zip(&expect.reject)
            .enumerate()
            .filter(|(_, (_, pattern))| pattern.is_anchored());
        let ends: Vec<_> = anchored.map(|(number, (end, _))| (number, *end)).collect();
        let came = ends
            .iter()
            .filter_map(|(number, end)| Some((end.matched()?, *number)))
            .min();
        match came {
            Some((_, number)) => Outcome::Rejected(number),
            None if ends.iter().any(|(_, end)| end.provisional().is_some()) => Outcome::Unsettled,
            None if ends.iter().any(|(_, end)| *end == End::Open) => Outcome::Open,
            None => Outcome::Impossible,
        }
    }

    /// What the named groups captured: those of the pattern that counts, or of all where all had to come.
    pub fn captures(&self, expect: &Expect, received: &Received, end: usize) -> Vec<Capture> {
        let matched =
            self.wanted
                .iter()
                .zip(expect.wanted.patterns())
                .filter(|(matcher, pattern)| {
                    let ended = matcher
                        .matched()
                        .map(|at| received.raw_offset(pattern.stream, at));
                    ended.is_some_and(|ended| {
                        ended == end || matches!(expect.wanted, Wanted::All(_))
                    })
                });
        let counting = match expect.wanted {
            Wanted::Any(_) => 1,
            Wanted::All(_) => usize::MAX,
        };
        matched
            .take(counting)
            .flat_map(|(_, pattern)| groups(pattern, received))
            .collect()
    }

    /// The pattern that came nearest, and how many of its bytes were seen.
    pub fn nearest<'p>(&self, expect: &'p Expect) -> Option<(usize, &'p Pattern)> {
        let near = self.wanted.iter().zip(expect.wanted.patterns());
        let near = near.filter_map(|(matcher, pattern)| Some((matcher.nearest()?, pattern)));
        near.filter(|(bytes, _)| *bytes > 0)
            .max_by_key(|(bytes, _)| *bytes)
    }
}

/// Where a pattern ends, in raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Impossible(usize),
    Provisional(usize),
    Matched(usize),
}

impl End {
    fn matched(self) -> Option<usize> {
        match self {
            Self::Matched(end) => Some(end),
            Self::Open | Self::Impossible(_) | Self::Provisional(_) => None,
        }
    }

    fn provisional(self) -> Option<usize> {
        match self {
            Self::Provisional(end) => Some(end),
            Self::Open | Self::Impossible(_) | Self::Matched(_) => None,
        }
    }
}

fn ends(
    matchers: &mut [Matcher],
    patterns: &[Pattern],
    received: &Received,
    moment: Input,
) -> Vec<End> {
    let pairs = matchers.iter_mut().zip(patterns);
    let end = pairs.map(|(matcher, pattern)| {
        let mut standing = matcher.feed(pattern, received.stream(pattern.stream));
        if moment == Input::Settled {
            standing = matcher.settle();
        }
        match standing {
            MatchState::Open => End::Open,
            MatchState::Impossible(since) => {
                End::Impossible(received.raw_offset(pattern.stream, since))
            }
            MatchState::Provisional(end) => {
                End::Provisional(received.raw_offset(pattern.stream, end))
            }
            MatchState::Matched(end) => End::Matched(received.raw_offset(pattern.stream, end)),
        }
    });
    end.collect()
}

/// Any of them: the match that ends first, unless one that may still end before it is not settled.
fn first(ends: &[End]) -> End {
    let matched = ends.iter().filter_map(|end| end.matched()).min();
    let unsettled = ends.iter().filter_map(|end| end.provisional()).min();
    match (matched, unsettled) {
        (Some(matched), Some(unsettled)) if unsettled <= matched => End::Provisional(unsettled),
        (Some(matched), _) => End::Matched(matched),
        (None, Some(unsettled)) => End::Provisional(unsettled),
        (None, None) => {
            let since = ends.iter().map(|end| {
                if let End::Impossible(since) = end {
                    Some(*since)
                } else {
                    None
                }
            });
            since
                .collect::<Option<Vec<_>>>()
                .and_then(|since| since.into_iter().max())
                .map_or(End::Open, End::Impossible)
        }
    }
}

/// All of them: the match that ends last.
fn last(ends: &[End]) -> End {
    ends.iter()
        .fold(End::Matched(0), |all, end| match (all, *end) {
            (End::Impossible(a), End::Impossible(b)) => End::Impossible(a.min(b)),
            (End::Impossible(since), _) | (_, End::Impossible(since)) => End::Impossible(since),
            (End::Open, _) | (_, End::Open) => End::Open,
            (End::Matched(a), End::Matched(b)) => End::Matched(a.max(b)),
            (End::Matched(a) | End::Provisional(a), End::Matched(b) | End::Provisional(b)) => {
                End::Provisional(a.max(b))
            }
        })
}

/// The named groups of the leftmost match, as the peer sent them.
fn groups(pattern: &Pattern, received: &Received) -> Vec<Capture> {
    let Kind::Regex(regex) = &pattern.kind else {
        return Vec::new();
    };
    let bytes = received.stream(pattern.stream);
    let mut found = regex.groups.create_captures();
    regex
        .groups
        .captures(&mut regex.groups.create_cache(), bytes, &mut found);
    let named = regex.names.iter().filter_map(|name| {
        let span = found.get_group_by_name(name)?;
        Some((
            name.clone(),
            received.raw_part(pattern.stream, span.range())?,
        ))
    });
    named.collect()
}
