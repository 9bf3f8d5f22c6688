//! Incremental matching of one pattern: each byte is taken once, as it arrives, and the state of
//! the match is known after each.
//!
//! The state shows whether a match can still begin, grow or change, which decides whether the
//! dialogue must wait for further bytes.

use std::ops::Range;

use crate::engine::dialogue::automaton::Simulation;
use crate::engine::dialogue::budget::Budget;
use crate::engine::dialogue::match_state::{MatchEnd, MatchState};
use crate::plan::pattern::{CompiledPattern, Literal, Pattern};

/// A pattern that is being matched.
#[derive(Debug)]
pub struct Matcher {
    run: Run,
    match_end: MatchEnd,
    state: MatchState,
    /// Whether it has not taken all bytes, because the budget was spent.
    is_behind: bool,
    /// The number of bytes at the last call. Where no new ones follow, nothing is computed again:
    /// otherwise the first of many patterns could spend the budget of every turn.
    known: usize,
}

#[derive(Debug)]
enum Run {
    Literal(LiteralRun),
    /// The number of bytes that match.
    Prefix {
        at: usize,
    },
    Regex(Box<Simulation>),
}

impl Matcher {
    /// A matcher before the first byte of a step.
    pub fn new(pattern: &Pattern, match_end: MatchEnd) -> Self {
        let run = match &pattern.compiled {
            CompiledPattern::Literal(_) => Run::Literal(LiteralRun::default()),
            CompiledPattern::Prefix(_) => Run::Prefix { at: 0 },
            CompiledPattern::Regex(regex) => Run::Regex(Box::new(Simulation::new(regex))),
        };
        Self {
            run,
            match_end,
            state: MatchState::Undecided,
            is_behind: true,
            known: 0,
        }
    }

    /// Takes all bytes of the step so far; those that it took before are skipped. No match may end
    /// after `bound`, whatever follows.
    pub fn feed(
        &mut self,
        pattern: &Pattern,
        bytes: &[u8],
        bound: usize,
        budget: &mut Budget,
    ) -> MatchState {
        let is_decided = matches!(
            self.state,
            MatchState::Matched(_) | MatchState::Impossible(_)
        );
        if is_decided || (!self.is_behind && self.known == bytes.len()) {
            return self.state;
        }
        self.known = bytes.len();
        let bounded = bytes.get(..bound).unwrap_or(bytes);
        let fed = match (&mut self.run, &pattern.compiled) {
            _ if budget.is_spent() => None,
            (Run::Literal(run), CompiledPattern::Literal(literal)) => {
                Some(run.feed(literal, bounded, budget))
            }
            (Run::Prefix { at }, CompiledPattern::Prefix(prefix)) => {
                Some(feed_prefix(prefix, bounded, at))
            }
            (Run::Regex(run), CompiledPattern::Regex(regex)) => {
                run.feed(regex, bytes, bound, self.match_end, budget)
            }
            _ => Some(MatchState::Impossible(0)),
        };
        self.is_behind = fed.is_none();
        self.state = fed.unwrap_or(self.state);
        self.state
    }

    /// Whether it has not taken all bytes, because the budget was spent.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// What the named groups of the match that ends here captured.
    pub fn groups(&self, end: usize) -> Vec<Option<Range<usize>>> {
        match &self.run {
            Run::Regex(run) => run
                .groups(end)
                .map(|group| group.map(|(start, end)| start..end))
                .collect(),
            Run::Literal(_) | Run::Prefix { .. } => Vec::new(),
        }
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
    fn feed(&mut self, literal: &Literal, bytes: &[u8], budget: &mut Budget) -> MatchState {
        budget.spend(bytes.len().saturating_sub(self.at) / 4);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::bytes::Charset;

    fn regex(source: &str) -> Pattern {
        Pattern::regex(source, Charset::default()).unwrap()
    }

    fn state(pattern: &Pattern, match_end: MatchEnd, bytes: &[u8]) -> MatchState {
        let mut budget = Budget::one_turn();
        Matcher::new(pattern, match_end).feed(pattern, bytes, usize::MAX, &mut budget)
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

    const SOURCES: [&str; 14] = [
        "ab+",
        "a(?<x>b|ba)c?",
        r"\Aa*b",
        "a$",
        "^b+$",
        "(?<x>a|b)+c",
        "(?<x>a.*)(?<y>b)",
        "ab|abc",
        "(?:(?<x>a)|(?<y>b)|c)+?\r?$",
        r"\b(?<x>[ab]+)\b",
        "(?<x>a*)(?<y>a*)b?a",
        "(?:a|(?<x>ab))(?:c|(?<y>bcd)|)(?<z>\n*)",
        r"(?<x>a\B)|(?<y>a)",
        "[ab]*a(?<x>[ab]{3})c?",
    ];

    /// The end of the match and what its groups captured.
    type Found = Option<(usize, Vec<Option<Range<usize>>>)>;

    /// Matches these bytes cut here, each part with as many turns as it needs, then quiet.
    fn found(pattern: &Pattern, bytes: &[u8], cuts: &[usize], bound: usize, turn: usize) -> Found {
        let mut matcher = Matcher::new(pattern, MatchEnd::Exact);
        for cut in cuts.iter().chain([&bytes.len()]) {
            loop {
                let mut budget = Budget::of(turn);
                matcher.feed(pattern, &bytes[..*cut], bound, &mut budget);
                if !matcher.is_behind() {
                    break;
                }
            }
        }
        match matcher.settle() {
            MatchState::Matched(end) => Some((end, matcher.groups(end))),
            _ => None,
        }
    }

    fn input() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
        let bytes =
            proptest::collection::vec(proptest::sample::select(b"abcd\r\n".to_vec()), 0..30);
        (bytes, proptest::collection::vec(0_usize..30, 0..5)).prop_map(|(bytes, mut cuts)| {
            for cut in &mut cuts {
                *cut = (*cut).min(bytes.len());
            }
            cuts.sort_unstable();
            (bytes, cuts)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn any_split_and_any_turns_find_what_the_library_finds(
            source in 0..SOURCES.len(), (bytes, cuts) in input(), turn in 1_usize..40,
        ) {
            let pattern = regex(SOURCES[source]);
            let split = found(&pattern, &bytes, &cuts, usize::MAX, turn);
            let syntax = regex_automata::util::syntax::Config::new()
                .unicode(false).utf8(false).multi_line(true).crlf(true);
            let library = regex_automata::nfa::thompson::pikevm::PikeVM::builder()
                .syntax(syntax)
                .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
                .build(SOURCES[source])
                .unwrap();
            let mut captures = library.create_captures();
            library.captures(&mut library.create_cache(), &bytes, &mut captures);
            let expected = captures.get_match().map(|found| {
                let groups = pattern.names().iter().map(|name| captures.get_group_by_name(name));
                (found.end(), groups.map(|span| span.map(|span| span.range())).collect())
            });
            prop_assert_eq!(split, expected);
        }

        #[test]
        fn a_bound_does_not_depend_on_the_split(
            source in 0..SOURCES.len(), (bytes, cuts) in input(), bound in 1_usize..20,
        ) {
            let pattern = regex(SOURCES[source]);
            // The dialogue, not the matcher, detects that more bytes than the bound have arrived.
            let whole = found(&pattern, &bytes, &[], bound, 1000);
            let split = found(&pattern, &bytes, &cuts, bound, 1000);
            prop_assert_eq!(&whole, &split);
            prop_assert!(whole.is_none_or(|(end, _)| end <= bound));
        }
    }
}
