//! Incremental matching of one pattern: each byte is taken once, as it arrives, and the state of
//! the match is known after each.
//!
//! A regular expression runs as a lazy DFA, whose states tell whether a match can still begin, grow
//! or change. That decides whether the dialogue must wait for further bytes.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input};

use crate::plan::pattern::{CompiledPattern, Literal, Pattern, Regex};

/// The state of a match against the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchState {
    /// No match yet, but one is possible.
    Undecided,
    /// No match is possible any more, since the byte before this offset.
    Impossible(usize),
    /// It matched up to this offset, but further bytes may change that.
    Tentative(usize),
    /// It matched up to this offset, whatever follows.
    Matched(usize),
}

/// Which end of a match is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchEnd {
    /// The end of the whole match: it has captures, or a later step continues from it.
    Exact,
    /// The first byte that completes a match.
    Earliest,
}

/// A pattern that is being matched.
#[derive(Debug)]
pub struct Matcher {
    run: Run,
    match_end: MatchEnd,
    state: MatchState,
}

#[derive(Debug)]
enum Run {
    Literal(LiteralRun),
    /// The number of bytes that match.
    Prefix {
        at: usize,
    },
    Regex(Box<RegexRun>),
}

impl Matcher {
    /// A matcher before the first byte of a step.
    pub fn new(pattern: &Pattern, match_end: MatchEnd) -> Self {
        let (run, state) = match &pattern.compiled {
            CompiledPattern::Literal(_) => {
                (Run::Literal(LiteralRun::default()), MatchState::Undecided)
            }
            CompiledPattern::Prefix(_) => (Run::Prefix { at: 0 }, MatchState::Undecided),
            CompiledPattern::Regex(regex) => match RegexRun::new(&regex.dfa) {
                Some(run) => (Run::Regex(Box::new(run)), MatchState::Undecided),
                None => (Run::Prefix { at: 0 }, MatchState::Impossible(0)),
            },
        };
        Self {
            run,
            match_end,
            state,
        }
    }

    /// Takes all bytes of the step so far; those that it took before are skipped.
    pub fn feed(&mut self, pattern: &Pattern, bytes: &[u8]) -> MatchState {
        if !matches!(
            self.state,
            MatchState::Matched(_) | MatchState::Impossible(_)
        ) {
            self.state = match (&mut self.run, &pattern.compiled) {
                (Run::Literal(run), CompiledPattern::Literal(literal)) => run.feed(literal, bytes),
                (Run::Prefix { at }, CompiledPattern::Prefix(prefix)) => {
                    feed_prefix(prefix, bytes, at)
                }
                (Run::Regex(run), CompiledPattern::Regex(regex)) => {
                    run.feed(regex, bytes, self.match_end)
                }
                _ => MatchState::Impossible(0),
            };
        }
        self.state
    }

    /// No more bytes are expected for now: a tentative match counts.
    pub fn settle(&mut self) -> MatchState {
        if let MatchState::Tentative(end) = self.state {
            self.state = MatchState::Matched(end);
        }
        self.state
    }

    /// Where the match ends, once that is certain.
    pub fn matched(&self) -> Option<usize> {
        match self.state {
            MatchState::Matched(end) => Some(end),
            MatchState::Undecided | MatchState::Impossible(_) | MatchState::Tentative(_) => None,
        }
    }

    /// The most bytes of the pattern that ever matched; `None` for regular expressions.
    pub fn nearest(&self) -> Option<usize> {
        match self.run {
            Run::Literal(LiteralRun { nearest, .. }) => Some(nearest),
            Run::Prefix { at } => Some(at),
            Run::Regex(_) => None,
        }
    }
}

/// The progress of a literal search.
#[derive(Debug, Default)]
struct LiteralRun {
    /// How many bytes of the literal match right now.
    matched: usize,
    /// The most that ever matched.
    nearest: usize,
    /// How many bytes were taken.
    at: usize,
}

impl LiteralRun {
    fn feed(&mut self, literal: &Literal, bytes: &[u8]) -> MatchState {
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            self.matched = literal.step(self.matched, *byte);
            self.nearest = self.nearest.max(self.matched);
            if self.matched == literal.bytes.len() {
                return MatchState::Matched(self.at);
            }
        }
        MatchState::Undecided
    }
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
        MatchState::Undecided
    }
}

/// The progress of a lazy DFA. Its match states are delayed by one byte: one is entered on the byte
/// after the end of the match.
#[derive(Debug)]
struct RegexRun {
    cache: Cache,
    state: LazyStateID,
    at: usize,
    /// Where the best match so far ends.
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

    fn feed(&mut self, regex: &Regex, bytes: &[u8], match_end: MatchEnd) -> MatchState {
        let dfa = &regex.dfa;
        while let Some(byte) = bytes.get(self.at) {
            let Some(next) = next(dfa, &mut self.cache, self.state, *byte) else {
                return MatchState::Impossible(self.at + 1);
            };
            self.state = next;
            if next.is_match() {
                self.end = Some(self.at);
                if match_end == MatchEnd::Earliest {
                    return MatchState::Matched(self.at);
                }
            } else if next.is_dead() {
                return self
                    .end
                    .map_or(MatchState::Impossible(self.at + 1), MatchState::Matched);
            }
            self.at += 1;
        }
        self.state_at_end(&regex.dfa, match_end)
    }

    /// The state when all bytes so far are taken.
    fn state_at_end(&self, dfa: &DFA, match_end: MatchEnd) -> MatchState {
        let here = self.look_ahead(dfa);
        let end = if matches!(here, Lookahead::NoMatch | Lookahead::Dead) {
            self.end
        } else {
            Some(self.at)
        };
        match (end, here) {
            (None, _) => MatchState::Undecided,
            (Some(end), Lookahead::Dead | Lookahead::Final) => MatchState::Matched(end),
            (Some(end), Lookahead::Certain) if match_end == MatchEnd::Earliest => {
                MatchState::Matched(end)
            }
            (Some(end), _) => MatchState::Tentative(end),
        }
    }

    /// Whether a match ends right here, and whether a further byte could change that.
    ///
    /// A full cache is cleared and forgets all states, the current one included; so a copy is used.
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
            _ => is_exhausted(dfa, &mut cache, self.state).then_some(Lookahead::Dead),
        };
        further.unwrap_or(answer)
    }
}

/// What may follow the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookahead {
    /// No match ends here.
    NoMatch,
    /// No match ends here, and none can end later.
    Dead,
    /// A match ends here if nothing follows; a further byte decides.
    Unsure,
    /// A match ends here whatever follows, but it could grow.
    Certain,
    /// A match ends here whatever follows, and it cannot grow.
    Final,
}

/// Tries every class of next byte, and of the byte after it; `None` if the cache cannot tell.
fn explore(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Option<Lookahead> {
    let cleared = cache.clear_count();
    let mut grows = false;
    for unit in dfa.byte_classes().representatives(0..=255) {
        let after = next(dfa, cache, state, unit.as_u8()?)?;
        // The cache was cleared: the current state no longer exists in it.
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

/// Whether no further byte can lead to a match. If the cache is cleared on the way, the answer is
/// no, and a later byte gives the true one.
fn is_exhausted(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> bool {
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

    fn state(pattern: &Pattern, match_end: MatchEnd, bytes: &[u8]) -> MatchState {
        Matcher::new(pattern, match_end).feed(pattern, bytes)
    }

    #[test]
    fn a_regex_knows_when_it_is_decided() {
        use MatchState::{Impossible, Matched, Tentative, Undecided};
        for (source, bytes, first, exact) in [
            ("220 .*\r\n", "220 mx1 ready\r\n", Matched(15), Matched(15)),
            (r"\A220", "421", Impossible(1), Impossible(1)),
            (r"\A220", "22", Undecided, Undecided),
            ("ready", "so ready", Matched(8), Matched(8)),
            ("[0-9]+", "ab12", Matched(3), Tentative(4)),
            ("[0-9]+", "ab12 ", Matched(3), Matched(4)),
            ("ready$", "ready", Tentative(5), Tentative(5)),
            ("ready$", "ready\r\n", Matched(5), Matched(5)),
            ("ready$", "ready not", Undecided, Undecided),
            ("^b", "a\r\nb", Matched(4), Matched(4)),
            ("a(b.*z)?", "abxx", Matched(1), Tentative(1)),
            ("a(b.*z)?", "abxx\n", Matched(1), Matched(1)),
            ("x\0y", "x\0y", Matched(3), Matched(3)),
        ] {
            let pattern = regex(source);
            assert_eq!(
                state(&pattern, MatchEnd::Earliest, bytes.as_bytes()),
                first,
                "{source} {bytes:?} earliest"
            );
            assert_eq!(
                state(&pattern, MatchEnd::Exact, bytes.as_bytes()),
                exact,
                "{source} {bytes:?} exact"
            );
        }
    }

    #[test]
    fn prefixes_and_literals_are_decided_at_their_byte() {
        let prefix = Pattern::prefix("220 ", Charset::default()).unwrap();
        assert_eq!(
            state(&prefix, MatchEnd::Earliest, b"220 x"),
            MatchState::Matched(4)
        );
        assert_eq!(
            state(&prefix, MatchEnd::Earliest, b"22"),
            MatchState::Undecided
        );
        assert_eq!(
            state(&prefix, MatchEnd::Earliest, b"250 "),
            MatchState::Impossible(2)
        );
        let literal = Pattern::literal("aab", Charset::default()).unwrap();
        assert_eq!(
            state(&literal, MatchEnd::Earliest, b"aaaab!"),
            MatchState::Matched(5)
        );
        let hex = Pattern::hex("00 ?? ff").unwrap();
        assert_eq!(
            state(&hex, MatchEnd::Earliest, b"\x00\x00\n\xff"),
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
        fn any_split_ends_in_the_same_state(
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
            let CompiledPattern::Regex(regex) = &pattern.compiled else { unreachable!() };
            let end = regex.groups.find(&mut regex.groups.create_cache(), &bytes[..]).map(|found| found.end());
            let settled = match whole.settle() { MatchState::Matched(end) => Some(end), _ => None };
            prop_assert_eq!(settled, end);
        }
    }
}
