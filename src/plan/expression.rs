//! Regular expressions, compiled to NFAs (Thompson's construction).
//!
//! The size of the NFA bounds the work for one byte and the memory of one match, whatever the peer
//! sends. [`automaton`](crate::engine::dialogue::automaton) runs it.

mod characters;

use std::fmt;
use std::fmt::Display;

use regex_automata::nfa::thompson::{self, NFA, State};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_syntax::ast::parse::Parser;
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{self, Hir};

use crate::escape::escaped_prefix;

/// A compiled regular expression: ASCII classes; `^` and `$` match at lines (CRLF-aware), `\A`
/// directly after the last match.
pub struct Regex {
    /// The automaton.
    pub nfa: NFA,
    /// The names of its named groups.
    pub names: Vec<Box<str>>,
    /// For each slot of the NFA the slot of [`Regex::slots`] that it is kept in. Groups without a
    /// name are not kept.
    kept: Box<[Option<u8>]>,
    /// For each byte, whether a match may begin with it; `None` if one may begin without a byte.
    first: Option<Box<[bool; 256]>>,
    is_anchored: bool,
    cost: usize,
}

/// What an expression is made of, and `.` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Bytes.
    Bytes,
    /// Characters, encoded as UTF-8.
    Characters,
}

/// The maximum size of the NFA of one expression, in bytes.
const MAX_MEMORY: usize = 64 << 10;
/// The maximum number of named groups of one expression. Each adds to the work for each byte.
const MAX_GROUPS: usize = 64;
/// The slots of groups that cost as much as one state.
const SLOTS_PER_UNIT: usize = 4;

impl Regex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// The reason, on one line, if it is invalid or too large.
    pub fn new(source: &str, alphabet: Alphabet) -> Result<Self, String> {
        let hir = parse(source, alphabet)?;
        let limits = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(MAX_MEMORY));
        let nfa = thompson::Compiler::new()
            .configure(limits)
            .build_from_hir(&hir)
            .map_err(|error| match error.size_limit() {
                Some(limit) => format!(
                    "it needs more than {limit} bytes of memory: use fewer or smaller repetitions"
                ),
                None => reason(&error),
            })?;
        nfa.look_set_any()
            .available()
            .map_err(|error| reason(&error))?;
        let mut names = Vec::new();
        let mut kept = Vec::new();
        for (_, _, name) in nfa.group_info().all_names() {
            let slot = name.and_then(|_| u8::try_from(2 * names.len()).ok());
            kept.extend([slot, slot.map(|slot| slot + 1)]);
            names.extend(name.map(Into::into));
        }
        if names.len() > MAX_GROUPS {
            return Err(format!(
                "it has {} named groups: at most {MAX_GROUPS} are allowed",
                names.len()
            ));
        }
        let size: usize = nfa.states().iter().map(weight).sum();
        let first = first_bytes(&nfa);
        Ok(Self {
            cost: size * (1 + 2 * names.len() / SLOTS_PER_UNIT),
            nfa,
            names,
            kept: kept.into(),
            first,
            is_anchored: hir
                .properties()
                .look_set_prefix()
                .contains(hir::Look::Start),
        })
    }

    /// The most states that one byte can visit, which is the most work that it can cost. Groups
    /// count, because each state keeps where they began and ended.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// The approximate size of the compiled form in memory, in bytes.
    pub fn memory(&self) -> usize {
        self.nfa.memory_usage() + size_of::<Self>() + size_of::<[bool; 256]>()
    }

    /// The number of slots that a match has: the start and the end of each named group.
    pub fn slots(&self) -> usize {
        2 * self.names.len()
    }

    /// The slot of a match that this slot of the NFA is kept in; `None` if it is not kept.
    pub fn kept_slot(&self, slot: usize) -> Option<usize> {
        self.kept.get(slot).copied().flatten().map(usize::from)
    }

    /// Whether it can only match directly after the last match.
    pub fn is_anchored(&self) -> bool {
        self.is_anchored
    }

    /// For each byte, whether a match may begin with it; `None` if one may begin without a byte.
    pub fn first_bytes(&self) -> Option<&[bool; 256]> {
        self.first.as_deref()
    }

    /// Whether it matches where nothing was received.
    pub fn matches_empty(&self) -> bool {
        let matches = |look| self.nfa.look_matcher().matches(look, b"", 0);
        let mut reached = Reached::new(&self.nfa);
        reached.follow(self.nfa.start_anchored(), matches);
        reached.has_matched
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regex")
            .field("cost", &self.cost)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

fn parse(source: &str, alphabet: Alphabet) -> Result<Hir, String> {
    let is_text = alphabet == Alphabet::Characters;
    let mut ast = Parser::new()
        .parse(source)
        .map_err(|error| reason(&error))?;
    if is_text {
        characters::use_ascii_classes(&mut ast);
    }
    let mut translator = TranslatorBuilder::new()
        .unicode(is_text)
        .utf8(false)
        .multi_line(true)
        .crlf(true)
        .build();
    translator
        .translate(source, &ast)
        .map_err(|error| reason(&error))
}

/// The last line of an error: the message without the lines above it that mark the place in the
/// expression.
fn reason(error: &dyn Display) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    escaped_prefix(line.trim_start_matches("error: "), 160)
}

/// The work of visiting a state.
fn weight(state: &State) -> usize {
    match state {
        State::Sparse(sparse) => 1 + sparse.transitions.len() / 8,
        State::Union { alternates } => 1 + alternates.len(),
        State::BinaryUnion { .. } => 2,
        _ => 1,
    }
}

/// The bytes that a match may begin with, whatever is before it.
fn first_bytes(nfa: &NFA) -> Option<Box<[bool; 256]>> {
    let mut reached = Reached::new(nfa);
    reached.follow(nfa.start_anchored(), |_| true);
    if reached.has_matched {
        return None;
    }
    let mut first = Box::new([false; 256]);
    for (byte, slot) in (0..=u8::MAX).zip(first.iter_mut()) {
        *slot = reached
            .consuming
            .iter()
            .any(|state| next_state(state, byte).is_some());
    }
    Some(first)
}

/// The state after this byte, if there is one.
pub fn next_state(state: &State, byte: u8) -> Option<StateID> {
    match state {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(sparse) => sparse.matches_byte(byte),
        State::Dense(dense) => dense.matches_byte(byte),
        _ => None,
    }
}

/// The states that are reached without a byte.
struct Reached<'n> {
    nfa: &'n NFA,
    seen: Vec<bool>,
    consuming: Vec<&'n State>,
    has_matched: bool,
}

impl<'n> Reached<'n> {
    fn new(nfa: &'n NFA) -> Self {
        Self {
            nfa,
            seen: vec![false; nfa.states().len()],
            consuming: Vec::new(),
            has_matched: false,
        }
    }

    fn follow(&mut self, start: StateID, matches: impl Fn(Look) -> bool) {
        let mut rest = vec![start];
        while let Some(id) = rest.pop() {
            match self.seen.get_mut(id.as_usize()) {
                Some(seen @ false) => *seen = true,
                _ => continue,
            }
            match self.nfa.state(id) {
                State::Look { look, next } if matches(*look) => rest.push(*next),
                State::Look { .. } | State::Fail => {}
                State::Union { alternates } => rest.extend_from_slice(alternates),
                State::BinaryUnion { alt1, alt2 } => rest.extend([*alt1, *alt2]),
                State::Capture { next, .. } => rest.push(*next),
                State::Match { .. } => self.has_matched = true,
                consuming => self.consuming.push(consuming),
            }
        }
    }
}
