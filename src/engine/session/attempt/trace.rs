//! The trace of an attempt: SYNs with a small time to live, to the address and port of the attempt,
//! which show how far its own SYN gets.
//!
//! Each router on the way discards the SYN whose time to live ends there, and answers with ICMP
//! time exceeded. The SYNs are sent in the order of the hops at short intervals, without waiting
//! for the answers. Each SYN is a connection of its own, so its source port is another one: a
//! router that distributes flows over several paths may send it on another path.
//!
//! Each hop gets one SYN. A packet may be lost, so hops without an answer get a second SYN, but
//! only up to [`BEHIND`] hops behind the last router that answered, and at most [`MAX_REPEATS`]
//! hops. Each connection is closed before the kernel would repeat its SYN. The answer of the
//! target, and an ICMP error other than time exceeded, ends the trace there: no SYN goes to hops
//! behind it.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, Instant};

use crate::engine::session::action::{Action, Actions, AttemptId, TraceAction, TraceReply};
use crate::engine::session::established::DRAIN;
use crate::failure::Failure;
use crate::path_facts::{Hop, HopAnswer, PathFacts, Repetition};
use crate::plan::Close;

/// The most hops of a path, as in other programs that trace paths.
pub const MAX_HOPS: u8 = 30;
/// The most hops that get a second SYN because the first one may have been lost.
pub const MAX_REPEATS: usize = 5;
/// How many hops behind the last router that answered get a second SYN: one of them may be a router
/// that answers no SYN at all.
const BEHIND: u8 = 3;
/// The initial retransmission timeout (RFC 6298, section 2): an answer that takes longer is late.
pub const RETRANSMISSION: Duration = Duration::from_secs(1);
/// When a SYN is given up: before the kernel would repeat it.
const LIFETIME: Duration = Duration::from_millis(900);
/// The time from one SYN to the next, if there is enough time.
const INTERVAL: Duration = Duration::from_millis(25);
/// The time of a trace is divided into at least this many intervals.
const INTERVALS: u32 = 60;
/// A trace with less time is not started.
const LEAST_TIME: Duration = Duration::from_millis(100);
/// A router that answers at this many hops in a row would answer at all others, too.
const LONGEST_ROW: usize = 8;
/// The time from the start of one round to that of the next. Linux sends 6 ICMP errors to one host
/// at once, and then one each second (`net.ipv4.icmp_ratelimit`).
const SHORT_ROUND: Duration = Duration::from_millis(250);
const LONG_ROUND: Duration = Duration::from_secs(1);
/// The most rounds that may start at the shorter time.
const SHORT_ROUNDS: u32 = 5;

/// A running trace.
#[derive(Debug)]
pub(in crate::engine) struct Trace {
    id: AttemptId,
    remote: SocketAddr,
    progress: TraceProgress,
    /// How many SYNs each hop gets; `None` for a trace that only repeats SYNs that may be lost.
    rounds: Option<NonZeroU32>,
    interval: Duration,
    /// No SYN is sent before this time.
    not_before: Instant,
    /// All SYNs; the number of one is its index, from 1.
    syns: Vec<TraceSyn>,
    /// The hop behind which no SYN is sent.
    end: u8,
    /// The number of the current round, from 0.
    round: u32,
    round_started: Instant,
    /// The hop of this round that is next.
    next_hop: u8,
    repeats: usize,
    /// Why this machine could not send a SYN, if it could not.
    failure: Option<Failure>,
    facts: PathFacts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TraceProgress {
    /// It starts at this time.
    StartsAt(Instant),
    /// It waits for the permission of the run.
    Requested,
    /// SYNs are sent.
    Running,
    /// No SYN is sent any more; connections of the target may still be open.
    Complete,
}

#[derive(Debug, Clone, Copy)]
struct TraceSyn {
    hop: u8,
    state: SynState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SynState {
    /// It waits for the limits of the run.
    Queued,
    /// It was sent at this time, and is unanswered.
    Sent(Instant),
    /// The target accepted it; its FIN is awaited until this time.
    Draining(Instant),
    /// Its connection is closed.
    Closed,
}

/// What to send next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextSyn {
    /// A SYN to this hop, not before this time.
    Syn(u8, Instant),
    /// The first SYN of the next round, not before this time.
    Round(Instant),
    /// Nothing before an answer, or before a SYN is given up.
    WaitForAnswers,
    /// Nothing any more.
    Complete,
}

impl Trace {
    /// The trace of an attempt whose own SYN was sent now. It starts once that has gone unanswered
    /// for one retransmission, or for half of the time that is left. `None` if there is too little
    /// time.
    pub fn when_unanswered(
        id: AttemptId,
        remote: SocketAddr,
        now: Instant,
        deadline: Instant,
    ) -> Option<Self> {
        let left = deadline.saturating_duration_since(now);
        let after = RETRANSMISSION.min(left / 2);
        let is_long = left.saturating_sub(after) >= LEAST_TIME;
        is_long.then(|| Self::new(id, remote, now + after, deadline, None))
    }

    /// The trace of an attempt that does nothing else.
    pub fn in_rounds(
        id: AttemptId,
        remote: SocketAddr,
        now: Instant,
        deadline: Instant,
        rounds: NonZeroU32,
    ) -> Self {
        Self::new(id, remote, now, deadline, Some(rounds))
    }

    fn new(
        id: AttemptId,
        remote: SocketAddr,
        starts: Instant,
        deadline: Instant,
        rounds: Option<NonZeroU32>,
    ) -> Self {
        let time = deadline.saturating_duration_since(starts);
        Self {
            id,
            remote,
            progress: TraceProgress::StartsAt(starts),
            rounds,
            interval: INTERVAL.min(time / INTERVALS),
            not_before: starts,
            syns: Vec::new(),
            end: MAX_HOPS,
            round: 0,
            round_started: starts,
            next_hop: 1,
            repeats: 0,
            failure: None,
            facts: PathFacts::new(remote.ip()),
        }
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.progress == TraceProgress::Complete && self.open().next().is_none()
    }

    /// Whether this SYN still waits to be sent.
    pub fn awaits(&self, number: NonZeroU16) -> bool {
        self.syn(number)
            .is_some_and(|syn| syn.state == SynState::Queued)
    }

    /// Shifts the start by a time for which the clock of the probe was stopped.
    pub fn shift_clock(&mut self, by: Duration) {
        if let TraceProgress::StartsAt(at) = &mut self.progress {
            *at += by;
        }
    }

    /// Stores why there is no result.
    pub fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    /// What was seen, if any SYN was sent; and why this machine could not send one, or could not use
    /// an answer.
    pub fn into_facts(self) -> (Option<PathFacts>, Option<Failure>) {
        let is_sent = !self.facts.sent.is_empty();
        (is_sent.then_some(self.facts), self.failure)
    }

    /// When [`Trace::tick`] must be called at the latest, if at all.
    pub fn next_wake(&self) -> Option<Instant> {
        let next_syn = match self.progress {
            TraceProgress::StartsAt(at) => return Some(at),
            TraceProgress::Requested => return None,
            TraceProgress::Running if !self.has_queued() => match self.choice() {
                NextSyn::Syn(_, at) | NextSyn::Round(at) => Some(at),
                // Completed when the choice changes to this.
                NextSyn::WaitForAnswers | NextSyn::Complete => None,
            },
            TraceProgress::Running | TraceProgress::Complete => None,
        };
        let ends = self.open().filter_map(|(_, syn)| match syn.state {
            SynState::Sent(at) => Some(at + LIFETIME),
            SynState::Draining(until) => Some(until),
            SynState::Queued | SynState::Closed => None,
        });
        ends.chain(next_syn).min()
    }

    /// Handles the passing of time.
    pub fn tick(&mut self, now: Instant, actions: &mut Actions) {
        if let TraceProgress::StartsAt(at) = self.progress {
            if at <= now {
                self.progress = TraceProgress::Requested;
                self.push(TraceAction::Request(self.remote.ip()), actions);
            }
            return;
        }
        for (number, syn) in self.numbered() {
            let is_over = match syn.state {
                SynState::Sent(at) => at + LIFETIME <= now,
                SynState::Draining(until) => until <= now,
                SynState::Queued | SynState::Closed => false,
            };
            if is_over {
                self.close(number, actions);
            }
        }
        self.send_next(now, actions);
    }

    /// The run permits the trace.
    pub fn permitted(&mut self, now: Instant, actions: &mut Actions) {
        if self.progress == TraceProgress::Requested {
            self.progress = TraceProgress::Running;
            (self.not_before, self.round_started) = (now, now);
            self.send_next(now, actions);
        }
    }

    /// This SYN was sent.
    pub fn sent(&mut self, number: NonZeroU16, now: Instant) {
        let Some(syn) = self.syn_mut(number) else {
            return;
        };
        if syn.state == SynState::Queued {
            syn.state = SynState::Sent(now);
            let hop = syn.hop;
            self.facts.count_sent(hop);
            self.not_before = now + self.interval;
        }
    }

    /// This SYN was answered, or could not be sent.
    pub fn answered(
        &mut self,
        number: NonZeroU16,
        reply: TraceReply,
        now: Instant,
        actions: &mut Actions,
    ) {
        let Some(syn) = self.syn(number) else {
            return;
        };
        let SynState::Sent(sent) = syn.state else {
            if let TraceReply::Failed(failure) = reply {
                self.not_sent(number, failure, now, actions);
            }
            return;
        };
        match reply {
            TraceReply::Answer(from, answer) => {
                self.facts.add(Hop {
                    hop: syn.hop,
                    from,
                    time: now.saturating_duration_since(sent),
                    answer,
                });
                self.accept_or_close(number, answer, now, actions);
                self.limit(syn.hop, answer, actions);
            }
            TraceReply::Failed(failure) => {
                self.failure = Some(failure);
                self.close(number, actions);
            }
        }
        self.send_next(now, actions);
    }

    /// The target closed the connection of this SYN.
    pub fn peer_closed(&mut self, number: NonZeroU16, now: Instant, actions: &mut Actions) {
        self.close(number, actions);
        self.send_next(now, actions);
    }

    /// Ends it: closes every connection.
    pub fn end(&mut self, actions: &mut Actions) {
        self.progress = TraceProgress::Complete;
        for (number, _) in self.numbered() {
            self.close(number, actions);
        }
    }

    /// Sends FIN on a connection that the target accepted, and closes any other.
    fn accept_or_close(
        &mut self,
        number: NonZeroU16,
        answer: HopAnswer,
        now: Instant,
        actions: &mut Actions,
    ) {
        if answer != HopAnswer::Accepted {
            return self.close(number, actions);
        }
        if let Some(syn) = self.syn_mut(number) {
            syn.state = SynState::Draining(now + DRAIN);
        }
        self.push(TraceAction::Shutdown(number), actions);
    }

    /// Handles an answer of this hop: if it ends the path, no SYN is sent to later hops.
    fn limit(&mut self, hop: u8, answer: HopAnswer, actions: &mut Actions) {
        if answer != HopAnswer::TimeExceeded {
            self.end = self.end.min(hop);
        } else if self.ends_in_repetition() {
            self.end = self
                .end
                .min(self.facts.hops.last().map_or(hop, |last| last.hop));
        }
        for (number, syn) in self.numbered() {
            let is_unanswered = matches!(syn.state, SynState::Queued | SynState::Sent(_));
            if is_unanswered && syn.hop > self.end {
                self.close(number, actions);
            }
        }
    }

    /// Whether further hops would only show the same routers again.
    fn ends_in_repetition(&self) -> bool {
        match self.facts.repetition() {
            None => false,
            Some(Repetition::Loop { .. }) => true,
            Some(Repetition::Row { first, last }) => {
                usize::from(last.saturating_sub(first)) >= LONGEST_ROW
            }
        }
    }

    /// This machine could not send a SYN. Another one would probably fail as well.
    fn not_sent(
        &mut self,
        number: NonZeroU16,
        failure: Failure,
        now: Instant,
        actions: &mut Actions,
    ) {
        self.failure = Some(failure);
        self.close(number, actions);
        if self.progress == TraceProgress::Running {
            self.progress = TraceProgress::Complete;
        }
        self.send_next(now, actions);
    }

    /// Sends the next SYN if it is time, and nothing waits for the limits of the run.
    fn send_next(&mut self, now: Instant, actions: &mut Actions) {
        if self.progress != TraceProgress::Running || self.has_queued() {
            return;
        }
        let hop = match self.choice() {
            NextSyn::Complete => {
                self.progress = TraceProgress::Complete;
                return;
            }
            NextSyn::Syn(hop, at) if at <= now => hop,
            NextSyn::Round(at) if at <= now => {
                self.round += 1;
                self.round_started = now;
                1
            }
            NextSyn::Syn(..) | NextSyn::Round(_) | NextSyn::WaitForAnswers => return,
        };
        let number = u16::try_from(self.syns.len() + 1).ok();
        let Some(number) = number.and_then(NonZeroU16::new) else {
            self.progress = TraceProgress::Complete;
            return;
        };
        if self.rounds.is_none() && hop < self.next_hop {
            self.repeats += 1;
        } else {
            self.next_hop = hop + 1;
        }
        let state = SynState::Queued;
        self.syns.push(TraceSyn { hop, state });
        self.push(TraceAction::Syn(number, hop, self.remote), actions);
    }

    /// What to send next.
    fn choice(&self) -> NextSyn {
        let last_of_round = match self.round {
            0 => self.end,
            // Of the hops behind the last router that answered, only two get further SYNs, since
            // the answer of the first one may be lost.
            _ => self.end.min(self.last_hop() + 2),
        };
        if self.next_hop <= last_of_round {
            return NextSyn::Syn(self.next_hop, self.not_before);
        }
        match self.rounds {
            None => self.next_repeat(),
            Some(rounds) => self.next_round(rounds),
        }
    }

    /// When the next round starts: when all SYNs of this one are answered, or had enough time.
    fn next_round(&self, rounds: NonZeroU32) -> NextSyn {
        let unanswered = self.open().filter_map(|(_, syn)| match syn.state {
            SynState::Sent(at) => Some(at + self.patience()),
            SynState::Draining(until) => Some(until),
            SynState::Queued | SynState::Closed => None,
        });
        let answered = unanswered.max();
        if self.round + 1 >= rounds.get() {
            return match answered {
                None => NextSyn::Complete,
                Some(_) => NextSyn::WaitForAnswers,
            };
        }
        let gap = if rounds.get() <= SHORT_ROUNDS {
            SHORT_ROUND
        } else {
            LONG_ROUND
        };
        let next = self.round_started + gap;
        NextSyn::Round(next.max(self.not_before).max(answered.unwrap_or(next)))
    }

    /// The hop that gets a second SYN, since its first one may be lost.
    fn next_repeat(&self) -> NextSyn {
        let last = self.last_hop();
        let behind = (last + 1..=last + BEHIND).filter(|hop| *hop <= self.end);
        let others = (1..=last).filter(|hop| *hop < self.end);
        let mut candidates = behind.chain(others);
        let is_lost = |hop: &u8| {
            let sent = usize::from(*hop).checked_sub(1);
            let sent = sent.and_then(|index| self.facts.sent.get(index));
            sent == Some(&1) && !self.facts.hops.iter().any(|other| other.hop == *hop)
        };
        let has_open = self.open().next().is_some();
        match candidates.find(is_lost) {
            Some(hop) if self.repeats < MAX_REPEATS => {
                let first = self.syns.iter().find(|syn| syn.hop == hop);
                let late_at = match first.map(|syn| syn.state) {
                    Some(SynState::Sent(at)) => at + self.patience(),
                    _ => self.not_before,
                };
                NextSyn::Syn(hop, late_at.max(self.not_before))
            }
            _ if has_open => NextSyn::WaitForAnswers,
            _ => NextSyn::Complete,
        }
    }

    /// How long to wait for an answer: derived from the slowest one so far.
    fn patience(&self) -> Duration {
        let slowest = self.facts.hops.iter().map(|hop| hop.time).max();
        let least = self.interval * 8;
        let patience = slowest.map_or(least, |slowest| (slowest * 3).max(least));
        patience.min(LIFETIME)
    }

    /// The farthest hop that answered, or 0.
    fn last_hop(&self) -> u8 {
        self.facts.last().map_or(0, |last| last.hop)
    }

    fn has_queued(&self) -> bool {
        self.open().any(|(_, syn)| syn.state == SynState::Queued)
    }

    fn close(&mut self, number: NonZeroU16, actions: &mut Actions) {
        let Some(syn) = self.syn_mut(number) else {
            return;
        };
        let state = std::mem::replace(&mut syn.state, SynState::Closed);
        if matches!(state, SynState::Sent(_) | SynState::Draining(_)) {
            self.push(TraceAction::Close(number, Close::Fin), actions);
        }
    }

    fn push(&self, action: TraceAction, actions: &mut Actions) {
        actions.push_back(Action::Trace(self.id, action));
    }

    fn syn(&self, number: NonZeroU16) -> Option<TraceSyn> {
        let index = usize::from(number.get()).checked_sub(1)?;
        self.syns.get(index).copied()
    }

    fn syn_mut(&mut self, number: NonZeroU16) -> Option<&mut TraceSyn> {
        let index = usize::from(number.get()).checked_sub(1)?;
        self.syns.get_mut(index)
    }

    /// The SYNs whose connections are not closed.
    fn open(&self) -> impl Iterator<Item = (NonZeroU16, TraceSyn)> + '_ {
        let numbers = (1..=u16::MAX).filter_map(NonZeroU16::new);
        let numbered = numbers.zip(self.syns.iter().copied());
        numbered.filter(|(_, syn)| syn.state != SynState::Closed)
    }

    /// The same as a list, so that the SYNs can be changed meanwhile.
    fn numbered(&self) -> Vec<(NonZeroU16, TraceSyn)> {
        self.open().collect()
    }
}

#[cfg(test)]
mod tests;
