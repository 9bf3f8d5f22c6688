//! Runs the NFA of a regular expression over bytes as they arrive (Thompson's and Pike's
//! simulation): finds the leftmost match, prefers as Perl does, and keeps what the named groups
//! match.
//!
//! All threads advance by one byte at a time, so the work for one byte and the memory are bounded
//! by the [size of the NFA](Regex::cost), whatever the bytes are, and the run can stop and continue
//! at any byte. An assertion such as `$` depends on the byte that follows. Therefore the states
//! that are reached without a byte are only visited once that byte is known (`Simulation::close`),
//! and a match is found one byte after its end. Where no byte follows yet, the visit is tried for
//! every kind of byte and for the end of the data (`Simulation::at_end`).

use regex_automata::nfa::thompson::State;
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

use crate::engine::dialogue::budget::Budget;
use crate::engine::dialogue::match_state::{MatchEnd, MatchState};
use crate::plan::expression::{Regex, next_state};

/// No offset: the group has not begun or not ended.
const NONE: u32 = u32::MAX;
/// The row of a thread that begins at the current byte: none.
const NO_ROW: usize = usize::MAX;
/// The kinds of bytes that assertions distinguish.
const KINDS: [u8; 4] = [b'\n', b'\r', b'a', b' '];

/// An expression that is being matched.
#[derive(Debug)]
pub struct Simulation {
    /// The number of bytes taken.
    at: usize,
    /// The threads that took the last byte, in the order of preference: the state that each
    /// entered, and its row in `slots`.
    threads: Vec<(StateID, usize)>,
    /// The offsets of the groups of each thread, one row for each.
    slots: Vec<u32>,
    /// Where the best match so far ends.
    end: Option<usize>,
    /// The offsets of its groups.
    groups: Vec<u32>,
    /// The offsets of the groups of the match that ends at the last byte received so far, if any.
    last_groups: Vec<u32>,
    closed: Closed,
}

/// The states that are reached without a byte from those of the threads.
#[derive(Debug, Default)]
struct Closed {
    /// Those that take a byte, in the order of preference.
    states: Vec<StateID>,
    /// The offsets of the groups, one row for each of `states`.
    slots: Vec<u32>,
    /// For each state of the NFA, the number of the last visit.
    visited: Vec<u32>,
    visit: u32,
    stack: Vec<Frame>,
    /// The row of the thread that is followed at present; after a match, the groups of the match.
    row: Vec<u32>,
    /// Whether an assertion was tested that the next byte decides.
    has_looked_ahead: bool,
}

/// What follows a visit.
enum Visited {
    /// The state to visit next.
    Next(StateID),
    /// Nothing: this path ends.
    End,
    /// The match.
    Match,
}

#[derive(Debug)]
enum Frame {
    Visit(StateID),
    /// Restores a slot.
    Restore(usize, u32),
}

impl Simulation {
    /// A simulation before the first byte.
    pub fn new(regex: &Regex) -> Self {
        Self {
            at: 0,
            threads: Vec::new(),
            slots: Vec::new(),
            end: None,
            groups: Vec::new(),
            last_groups: Vec::new(),
            closed: Closed {
                visited: vec![0; regex.nfa.states().len()],
                row: vec![NONE; regex.slots()],
                ..Closed::default()
            },
        }
    }

    /// Takes the bytes that are new, up to `bound`: a match must not end later, but the byte at
    /// `bound` may decide whether one ends there. `None` if the budget is spent before that.
    pub fn feed(
        &mut self,
        regex: &Regex,
        bytes: &[u8],
        bound: usize,
        match_end: MatchEnd,
        budget: &mut Budget,
    ) -> Option<MatchState> {
        let stop = bytes.len().min(bound);
        loop {
            self.skip(regex, bytes, stop, budget);
            let Some(byte) = bytes.get(self.at).filter(|_| self.at < stop) else {
                break;
            };
            if budget.is_spent() {
                return None;
            }
            if self.close(regex, bytes, Some(*byte), budget) {
                self.end = Some(self.at);
                self.groups.clone_from(&self.closed.row);
                if match_end == MatchEnd::Earliest {
                    return Some(MatchState::Matched(self.at));
                }
            }
            self.step(regex, *byte, budget);
            if self.threads.is_empty() && !self.may_begin(regex) {
                let dead = MatchState::Impossible(self.at);
                return Some(self.end.map_or(dead, MatchState::Matched));
            }
        }
        Some(match bytes.get(stop) {
            Some(byte) => self.at_bound(regex, bytes, *byte, match_end, budget),
            None => self.at_end(regex, bytes, match_end, budget),
        })
    }

    /// The offsets of the named groups, in the order of [`Regex::names`], of the match that ends
    /// here.
    pub fn groups(&self, end: usize) -> impl Iterator<Item = Option<(usize, usize)>> {
        let slots = if self.end == Some(end) {
            &self.groups
        } else {
            &self.last_groups
        };
        slots.chunks_exact(2).map(|pair| match pair {
            [start, end] if *start != NONE && *end != NONE => {
                Some((*start as usize, *end as usize))
            }
            _ => None,
        })
    }

    /// Whether a match may begin at the current byte.
    fn may_begin(&self, regex: &Regex) -> bool {
        self.end.is_none() && (self.at == 0 || !regex.is_anchored())
    }

    /// Skips bytes that no match begins with.
    fn skip(&mut self, regex: &Regex, bytes: &[u8], stop: usize, budget: &mut Budget) {
        let Some(first) = regex.first_bytes() else {
            return;
        };
        if !self.threads.is_empty() || !self.may_begin(regex) || regex.is_anchored() {
            return;
        }
        let rest = bytes.get(self.at..stop).unwrap_or_default();
        let skipped = rest
            .iter()
            .position(|byte| first.get(usize::from(*byte)) != Some(&false))
            .unwrap_or(rest.len());
        self.at += skipped;
        budget.spend(skipped / 8);
    }

    /// Visits the states that are reached without a byte, where `next` follows, or nothing. Returns
    /// whether a match ends here; its groups are the row of `closed` then.
    fn close(
        &mut self,
        regex: &Regex,
        bytes: &[u8],
        next: Option<u8>,
        budget: &mut Budget,
    ) -> bool {
        let previous = self
            .at
            .checked_sub(1)
            .and_then(|before| bytes.get(before).copied());
        let here = Here {
            previous,
            next,
            at: u32::try_from(self.at).unwrap_or(NONE),
        };
        self.closed.begin();
        let width = regex.slots();
        let begins = self.may_begin(regex) && may_begin_with(regex, next);
        let start = (regex.nfa.start_anchored(), NO_ROW);
        let threads = self.threads.iter().copied();
        for (state, row) in threads.chain(begins.then_some(start)) {
            let slots = row
                .checked_mul(width)
                .and_then(|start| self.slots.get(start..start + width));
            if self.closed.follow(regex, state, slots, here, budget) {
                return true;
            }
        }
        false
    }

    /// Lets every thread take a byte.
    fn step(&mut self, regex: &Regex, byte: u8, budget: &mut Budget) {
        self.threads.clear();
        for (row, state) in self.closed.states.iter().enumerate() {
            if let Some(next) = next_state(regex.nfa.state(*state), byte) {
                self.threads.push((next, row));
            }
        }
        budget.spend(self.closed.states.len());
        std::mem::swap(&mut self.slots, &mut self.closed.slots);
        self.at += 1;
    }

    /// The state at the bound: no match may end later. `byte` is the byte at the bound; an assertion
    /// such as `$` may depend on it.
    fn at_bound(
        &mut self,
        regex: &Regex,
        bytes: &[u8],
        byte: u8,
        match_end: MatchEnd,
        budget: &mut Budget,
    ) -> MatchState {
        if self.close(regex, bytes, Some(byte), budget) {
            self.end = Some(self.at);
            self.groups.clone_from(&self.closed.row);
            if match_end == MatchEnd::Earliest {
                return MatchState::Matched(self.at);
            }
        }
        let mut states = self.closed.states.iter();
        let grows = states.any(|state| next_state(regex.nfa.state(*state), byte).is_some());
        match self.end {
            Some(end) if grows => MatchState::Tentative(end),
            Some(end) => MatchState::Matched(end),
            None => MatchState::Undecided,
        }
    }

    /// The state after all bytes that were received so far.
    fn at_end(
        &mut self,
        regex: &Regex,
        bytes: &[u8],
        match_end: MatchEnd,
        budget: &mut Budget,
    ) -> MatchState {
        let matches = self.close(regex, bytes, None, budget);
        let grows = !self.closed.states.is_empty();
        if !matches {
            let may_live = grows || self.closed.has_looked_ahead;
            return match self.end {
                Some(end) if may_live => MatchState::Tentative(end),
                Some(end) => MatchState::Matched(end),
                None => MatchState::Undecided,
            };
        }
        self.last_groups.clone_from(&self.closed.row);
        let is_certain = !self.closed.has_looked_ahead
            // Which of several threads matches may depend on the next byte, and with it the groups.
            || regex.names.is_empty()
                && KINDS
                    .iter()
                    .all(|kind| self.close(regex, bytes, Some(*kind), budget));
        let is_final = is_certain && !grows && !self.closed.has_looked_ahead;
        if is_final || (is_certain && match_end == MatchEnd::Earliest) {
            MatchState::Matched(self.at)
        } else {
            MatchState::Tentative(self.at)
        }
    }
}

/// Whether a match may begin before this byte; `None` is the end of the data.
fn may_begin_with(regex: &Regex, next: Option<u8>) -> bool {
    match (regex.first_bytes(), next) {
        (Some(first), Some(next)) => first.get(usize::from(next)) != Some(&false),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// The position at which states are visited.
#[derive(Clone, Copy)]
struct Here {
    previous: Option<u8>,
    next: Option<u8>,
    at: u32,
}

impl Here {
    /// Whether an assertion holds. No assertion depends on more than the two adjacent bytes.
    fn matches(self, regex: &Regex, look: Look) -> bool {
        let around = [
            self.previous.unwrap_or_default(),
            self.next.unwrap_or_default(),
        ];
        let start = usize::from(self.previous.is_none());
        let end = 1 + usize::from(self.next.is_some());
        let around = around.get(start..end).unwrap_or_default();
        let at = usize::from(self.previous.is_some());
        regex.nfa.look_matcher().matches(look, around, at)
    }
}

impl Closed {
    fn begin(&mut self) {
        self.states.clear();
        self.slots.clear();
        self.has_looked_ahead = false;
        self.visit = self.visit.wrapping_add(1);
        if self.visit == 0 {
            self.visited.fill(0);
            self.visit = 1;
        }
    }

    /// Visits the states that a thread reaches, in the order of preference. Returns whether it
    /// matches; what comes after it is of lower preference and is left out.
    fn follow(
        &mut self,
        regex: &Regex,
        start: StateID,
        slots: Option<&[u32]>,
        here: Here,
        budget: &mut Budget,
    ) -> bool {
        match slots {
            Some(slots) => self.row.copy_from_slice(slots),
            None => self.row.fill(NONE),
        }
        let mut visits = 0;
        let mut next = Some(start);
        loop {
            let id = match next.take().map(Frame::Visit).or_else(|| self.stack.pop()) {
                Some(Frame::Visit(id)) => id,
                Some(Frame::Restore(slot, offset)) => {
                    self.set(slot, offset);
                    continue;
                }
                None => break,
            };
            visits += 1;
            match self.visit(regex, id, here) {
                Visited::Next(id) => next = Some(id),
                Visited::End => {}
                Visited::Match => {
                    self.stack.clear();
                    budget.spend(visits * (1 + self.row.len() / 8));
                    return true;
                }
            }
        }
        budget.spend(visits * (1 + self.row.len() / 8));
        false
    }

    /// Visits one state.
    fn visit(&mut self, regex: &Regex, id: StateID, here: Here) -> Visited {
        match self.visited.get_mut(id.as_usize()) {
            Some(last) if *last != self.visit => *last = self.visit,
            _ => return Visited::End,
        }
        match regex.nfa.state(id) {
            State::Look { look, next } => {
                self.has_looked_ahead |= *look != Look::Start;
                if here.matches(regex, *look) {
                    return Visited::Next(*next);
                }
            }
            State::Union { alternates } => {
                let mut visits = alternates.iter().copied();
                let first = visits.next();
                self.stack.extend(visits.rev().map(Frame::Visit));
                if let Some(first) = first {
                    return Visited::Next(first);
                }
            }
            State::BinaryUnion { alt1, alt2 } => {
                self.stack.push(Frame::Visit(*alt2));
                return Visited::Next(*alt1);
            }
            State::Capture { next, slot, .. } => {
                if let Some(kept) = regex.kept_slot(slot.as_usize()) {
                    let before = self.row.get(kept).copied().unwrap_or(NONE);
                    self.stack.push(Frame::Restore(kept, before));
                    self.set(kept, here.at);
                }
                return Visited::Next(*next);
            }
            State::Fail => {}
            State::Match { .. } => return Visited::Match,
            State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => {
                self.states.push(id);
                self.slots.extend_from_slice(&self.row);
            }
        }
        Visited::End
    }

    fn set(&mut self, slot: usize, offset: u32) {
        if let Some(place) = self.row.get_mut(slot) {
            *place = offset;
        }
    }
}
