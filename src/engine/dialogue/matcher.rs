//! Patterns at work: each takes the bytes of a step as they come, once, and knows how it stands.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input};

use crate::plan::pattern::{Kind, Literal, Pattern, Regex};

/// How a pattern stands against what came so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchState {
    /// No match yet; one may come.
    Open,
    /// No match can come any more, since the byte before this offset.
    Impossible(usize),
    /// It matched up to this offset, but further bytes may change that.
    Provisional(usize),
    /// It matched up to this offset, whatever comes.
    Matched(usize),
}

/// Whether the exact end of a match matters: it has captures, or a later step reads on from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchEnd {
    /// The whole match is wanted.
    Exact,
    /// The first byte that completes a match is enough.
    First,
}

/// A pattern at work.
#[derive(Debug)]
pub struct Matcher {
    run: Run,
    extent: MatchEnd,
    standing: MatchState,
}

#[derive(Debug)]
enum Run {
    /// How many bytes of the literal are matched, the most that ever were, and how many bytes were taken.
    Literal {
        matched: usize,
        nearest: usize,
        at: usize,
    },
    Prefix {
        at: usize,
    },
    Regex(Box<RegexRun>),
}

impl Matcher {
    /// Starts at the first byte of a step.
    pub fn new(pattern: &Pattern, extent: MatchEnd) -> Self {
        let (run, standing) = match &pattern.kind {
            Kind::Literal(_) => (
                Run::Literal {
                    matched: 0,
                    nearest: 0,
                    at: 0,
                },
                MatchState::Open,
            ),
            Kind::Prefix(_) => (Run::Prefix { at: 0 }, MatchState::Open),
            Kind::Regex(regex) => match RegexRun::new(&regex.dfa) {
                Some(run) => (Run::Regex(Box::new(run)), MatchState::Open),
                None => (Run::Prefix { at: 0 }, MatchState::Impossible(0)),
            },
        };
        Self {
            run,
            extent,
            standing,
        }
    }

    /// Takes what is new of a step's bytes.
    pub fn feed(&mut self, pattern: &Pattern, bytes: &[u8]) -> MatchState {
        if !matches!(
            self.standing,
            MatchState::Matched(_) | MatchState::Impossible(_)
        ) {
            self.standing = match (&mut self.run, &pattern.kind) {
                (
                    Run::Literal {
                        matched,
                        nearest,
                        at,
                    },
                    Kind::Literal(literal),
                ) => feed_literal(literal, bytes, matched, nearest, at),
                (Run::Prefix { at }, Kind::Prefix(prefix)) => feed_prefix(prefix, bytes, at),
                (Run::Regex(run), Kind::Regex(regex)) => run.feed(regex, bytes, self.extent),
                _ => MatchState::Impossible(0),
            };
        }
        self.standing
    }

    /// No more bytes come for now: what was provisional counts.
    pub fn settle(&mut self) -> MatchState {
        if let MatchState::Provisional(end) = self.standing {
            self.standing = MatchState::Matched(end);
        }
        self.standing
    }

    /// Where it matched, once that is certain.
    pub fn matched(&self) -> Option<usize> {
        match self.standing {
            MatchState::Matched(end) => Some(end),
            MatchState::Open | MatchState::Impossible(_) | MatchState::Provisional(_) => None,
        }
    }

    /// How many bytes of the pattern matched at best, where that can be said.
    pub fn nearest(&self) -> Option<usize> {
        match self.run {
            Run::Literal { nearest, .. } => Some(nearest),
            Run::Prefix { at } => Some(at),
            Run::Regex(_) => None,
        }
    }
}

fn feed_literal(
    literal: &Literal,
    bytes: &[u8],
    matched: &mut usize,
    nearest: &mut usize,
    at: &mut usize,
) -> MatchState {
    while let Some(byte) = bytes.get(*at) {
        *at += 1;
        *matched = literal.step(*matched, *byte);
        *nearest = (*nearest).max(*matched);
        if *matched == literal.bytes.len() {
            return MatchState::Matched(*at);
        }
    }
    MatchState::Open
}

fn feed_prefix(prefix: &[u8], bytes: &[u8], at: &mut usize) -> MatchState {
    while let (Some(wanted), Some(byte)) = (prefix.get(*at), bytes.get(*at)) {
        if wanted != byte {
            return MatchState::Impossible(*at + 1);
        }
        *at += 1;
    }
    if *at == prefix.len() {
        MatchState::Matched(*at)
    } else {
        MatchState::Open
    }
}

/// A lazy DFA part of the way. A state that matches is entered one byte after the match ended.
#[derive(Debug)]
struct RegexRun {
    cache: Cache,
    state: LazyStateID,
    at: usize,
    /// Where the best match so far ended.
    end: Option<usize>,
}

impl RegexRun {
    fn new(dfa: &DFA) -> Option<Self> {
        let mut cache = dfa.create_cache();
        let state = start(dfa, &mut cache)?;
        Some(Self {
            cache,
            state,
            at: 0,
            end: None,
        })
    }

    fn feed(&mut self, regex: &Regex, bytes: &[u8], extent: MatchEnd) -> MatchState {
        let dfa = &regex.dfa;
        while let Some(byte) = bytes.get(self.at) {
            let Some(next) = next(dfa, &mut self.cache, self.state, *byte) else {
                return MatchState::Impossible(self.at + 1);
            };
            self.state = next;
            if next.is_match() {
                self.end = Some(self.at);
                if extent == MatchEnd::First {
                    return MatchState::Matched(self.at);
                }
            } else if next.is_dead() {
                return self
                    .end
                    .map_or(MatchState::Impossible(self.at + 1), MatchState::Matched);
            }
            self.at += 1;
        }
        self.stand_at_the_end(&regex.dfa, extent)
    }

    /// What can be said when all bytes at hand are taken.
    fn stand_at_the_end(&self, dfa: &DFA, extent: MatchEnd) -> MatchState {
        let here = self.look_ahead(dfa);
        let end = if matches!(here, Lookahead::NoMatch | Lookahead::Nothing) {
            self.end
        } else {
            Some(self.at)
        };
        match (end, here) {
            (Some(end), Lookahead::Nothing) => MatchState::Matched(end),
            (None, _) => MatchState::Open,
            (Some(end), Lookahead::Certain | Lookahead::Final) if extent == MatchEnd::First => {
                MatchState::Matched(end)
            }
            (Some(end), Lookahead::Final) => MatchState::Matched(end),
            (Some(end), _) => MatchState::Provisional(end),
        }
    }

    /// Whether a match ends right here, and whether a further byte could change that.
    ///
    /// A cache that is full forgets its states, the current one among them, so that a copy is asked.
    fn look_ahead(&self, dfa: &DFA) -> Lookahead {
        let mut cache = self.cache.clone();
        let answer = match dfa.next_eoi_state(&mut cache, self.state) {
            Ok(at_end) if at_end.is_match() => Lookahead::Unsure,
            _ => Lookahead::NoMatch,
        };
        if cache.clear_count() != self.cache.clear_count() {
            return answer;
        }
        let further = match answer {
            Lookahead::Unsure => explore(dfa, &mut cache, self.state),
            _ => is_spent(dfa, &mut cache, self.state).then_some(Lookahead::Nothing),
        };
        further.unwrap_or(answer)
    }
}

/// What stands at the end of the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookahead {
    /// No match ends here.
    NoMatch,
    /// No match ends here, and none can end later.
    Nothing,
    /// One does if nothing follows; a further byte decides.
    Unsure,
    /// One does whatever follows, but it could grow.
    Certain,
    /// One does whatever follows, and it cannot grow.
    Final,
}

/// Tries every kind of next byte, and of the one after it.
fn explore(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Option<Lookahead> {
    let cleared = cache.clear_count();
    let mut grows = false;
    for unit in dfa.byte_classes().representatives(0..=255) {
        let after = next(dfa, cache, state, unit.as_u8()?)?;
        // Its states are forgotten, so that nothing can be asked about the current one.
        if cache.clear_count() != cleared {
            return None;
        }
        if !after.is_match() {
            return Some(Lookahead::Unsure);
        }
        for unit in dfa.byte_classes().representatives(0..=255) {
            if grows {
                break;
            }
            grows = !next(dfa, cache, after, unit.as_u8()?)?.is_dead();
            if cache.clear_count() != cleared {
                return None;
            }
        }
    }
    Some(if grows {
        Lookahead::Certain
    } else {
        Lookahead::Final
    })
}

/// Whether every further byte is in vain. A full cache that forgets on the way only costs a later answer.
fn is_spent(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> bool {
    let cleared = cache.clear_count();
    let mut units = dfa
        .byte_classes()
        .representatives(0..=255)
        .filter_map(regex_automata::util::alphabet::Unit::as_u8);
    units.all(|byte| {
        cache.clear_count() == cleared
            && next(dfa, cache, state, byte).is_some_and(|after| after.is_dead())
    })
}

fn start(dfa: &DFA, cache: &mut Cache) -> Option<LazyStateID> {
    dfa.start_state_forward(cache, &Input::new("").anchored(Anchored::No))
        .ok()
}

fn next(dfa: &DFA, cache: &mut Cache, state: LazyStateID, byte: u8) -> Option<LazyStateID> {
    dfa.next_state(cache, state, byte).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::bytes::Charset;

    fn regex(source: &str) -> Pattern {
        Pattern::regex(source, Charset::default()).unwrap()
    }

    fn stand(pattern: &Pattern, extent: MatchEnd, bytes: &[u8]) -> MatchState {
        Matcher::new(pattern, extent).feed(pattern, bytes)
    }

    #[test]
    fn a_regex_knows_when_it_is_decided() {
        use MatchState::{Impossible, Matched, Open, Provisional};
        for (source, bytes, first, exact) in [
            ("220 .*\r\n", "220 mx1 ready\r\n", Matched(15), Matched(15)),
            (r"\A220", "421", Impossible(1), Impossible(1)),
            (r"\A220", "22", Open, Open),
            ("ready", "so ready", Matched(8), Matched(8)),
            ("[0-9]+", "ab12", Matched(3), Provisional(4)),
            ("[0-9]+", "ab12 ", Matched(3), Matched(4)),
            ("ready$", "ready", Provisional(5), Provisional(5)),
            ("ready$", "ready\r\n", Matched(5), Matched(5)),
            ("ready$", "ready not", Open, Open),
            ("^b", "a\r\nb", Matched(4), Matched(4)),
            ("a(b.*z)?", "abxx", Matched(1), Provisional(1)),
            ("a(b.*z)?", "abxx\n", Matched(1), Matched(1)),
            ("x\0y", "x\0y", Matched(3), Matched(3)),
        ] {
            let pattern = regex(source);
            assert_eq!(
                stand(&pattern, MatchEnd::First, bytes.as_bytes()),
                first,
                "{source} {bytes:?} first"
            );
            assert_eq!(
                stand(&pattern, MatchEnd::Exact, bytes.as_bytes()),
                exact,
                "{source} {bytes:?} exact"
            );
        }
    }

    #[test]
    fn prefixes_and_literals_are_decided_at_their_byte() {
        let prefix = Pattern::prefix("220 ", Charset::default()).unwrap();
        assert_eq!(
            stand(&prefix, MatchEnd::First, b"220 x"),
            MatchState::Matched(4)
        );
        assert_eq!(stand(&prefix, MatchEnd::First, b"22"), MatchState::Open);
        assert_eq!(
            stand(&prefix, MatchEnd::First, b"250 "),
            MatchState::Impossible(2)
        );
        let literal = Pattern::literal("aab", Charset::default()).unwrap();
        assert_eq!(
            stand(&literal, MatchEnd::First, b"aaaab!"),
            MatchState::Matched(5)
        );
        let hex = Pattern::hex("00 ?? ff").unwrap();
        assert_eq!(
            stand(&hex, MatchEnd::First, b"\x00\x00\n\xff"),
            MatchState::Matched(4)
        );
    }

    const SOURCES: [&str; 8] = [
        "ab+",
        "a(b|ba)c?",
        r"\Aa*b",
        "a$",
        "^b+$",
        "(a|b)+c",
        "a.*b",
        "ab|abc",
    ];

    proptest! {
        #[test]
        fn any_split_ends_in_the_same_standing(
            source in 0..SOURCES.len(),
            bytes in proptest::collection::vec(proptest::sample::select(b"abc\r\n".to_vec()), 0..30),
            cuts in proptest::collection::vec(0_usize..30, 0..5),
        ) {
            let pattern = regex(SOURCES[source]);
            let mut whole = Matcher::new(&pattern, MatchEnd::Exact);
            whole.feed(&pattern, &bytes);
            let mut split = Matcher::new(&pattern, MatchEnd::Exact);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            for cut in cuts {
                split.feed(&pattern, &bytes[..cut]);
            }
            prop_assert_eq!(whole.settle(), split.settle());
            // The same end as the library finds in the whole.
            let Kind::Regex(regex) = &pattern.kind else { unreachable!() };
            let end = regex.groups.find(&mut regex.groups.create_cache(), &bytes[..]).map(|found| found.end());
            let settled = match whole.settle() { MatchState::Matched(end) => Some(end), _ => None };
            prop_assert_eq!(settled, end);
        }
    }
}
