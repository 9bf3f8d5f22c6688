//! One lookup: a name through the search list, for one or both families. No I/O; time and ids are arguments.
//!
//! Whoever drives it carries out its wishes, reports what the sockets say, and calls `expire` when `next_wake` has come.
//! It ends by its deadline, with what is known then.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::address::HostName;
use crate::engine::dns::failure_text::{Asked, Story};
use crate::engine::dns::message::Kind;
use crate::engine::dns::query::{Outbox, Question, Wish};
use crate::engine::dns::resolv_conf::{Aaaa, Config};
use crate::engine::dns::result::{Tells, Trouble, Verdict};
use crate::engine::dns::{ResolvedAddresses, Source};
use crate::failure::Failure;
use crate::plan::Family;

/// How long the other family may still come after the first (the Resolution Delay of RFC 8305, section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// A lookup from its first question to its answer.
#[derive(Debug)]
pub struct Lookup {
    name: HostName,
    family: Family,
    config: Arc<Config>,
    order: Vec<usize>,
    candidates: Vec<Arc<str>>,
    /// The candidate that is asked for now.
    at: usize,
    questions: Vec<Question>,
    past: Vec<Asked>,
    start: Instant,
    deadline: Instant,
    outbox: Outbox,
    outcome: Option<Result<ResolvedAddresses, Failure>>,
}

impl Lookup {
    /// Starts; `turn` counts lookups, for `options rotate`.
    pub fn new(
        name: &HostName,
        family: Family,
        config: Arc<Config>,
        turn: usize,
        now: Instant,
        deadline: Instant,
    ) -> Self {
        let mut order: Vec<usize> = (0..config.servers.len()).collect();
        if config.rotate {
            let first = turn.checked_rem(order.len()).unwrap_or_default();
            order.rotate_left(first);
        }
        let candidates = config.candidates(name).into_iter().map(Arc::from).collect();
        let mut lookup = Self {
            name: name.clone(),
            family,
            config,
            order,
            candidates,
            at: 0,
            questions: Vec::new(),
            past: Vec::new(),
            start: now,
            deadline,
            outbox: Outbox::default(),
            outcome: None,
        };
        lookup.ask(now);
        lookup.step(now);
        lookup
    }

    /// The next thing to do for it.
    pub fn take_wish(&mut self) -> Option<Wish> {
        self.outbox.wishes.pop_front()
    }

    /// The message of a try, asked with this random id; `None` when the try is over.
    pub fn query(&mut self, serial: u32, id: u16) -> Option<Vec<u8>> {
        self.questions
            .iter_mut()
            .find(|question| question.is_open(serial))?
            .query(serial, id)
    }

    /// Whether this try still listens.
    pub fn is_open(&self, serial: u32) -> bool {
        self.questions
            .iter()
            .any(|question| question.is_open(serial))
    }

    /// A message came for this try; the bytes are changed while they are read.
    pub fn on_message(&mut self, serial: u32, bytes: &mut [u8], now: Instant) {
        self.with(serial, now, |question, out| {
            question.on_message(serial, bytes, now, out);
        });
    }

    /// The socket of this try failed.
    pub fn on_error(&mut self, serial: u32, cause: String, now: Instant) {
        self.with(serial, now, |question, out| {
            question.on_error(serial, cause, now, out);
        });
    }

    /// This machine has no socket for this try now; the wish comes again.
    pub fn on_blocked(&mut self, serial: u32, cause: String, now: Instant) {
        self.with(serial, now, |question, _| {
            question.on_blocked(serial, cause, now);
        });
    }

    /// Does what is due by now.
    pub fn expire(&mut self, now: Instant) {
        for question in &mut self.questions {
            question.expire(now, &mut self.outbox);
        }
        self.step(now);
    }

    /// When `expire` has something to do; `None` once it is over.
    pub fn next_wake(&self) -> Option<Instant> {
        if self.outcome.is_some() {
            return None;
        }
        let own = self.questions.iter().filter_map(Question::next_wake).min();
        Some(own.map_or(self.deadline, |own| own.min(self.deadline)))
    }

    /// The answer, once.
    pub fn take_outcome(&mut self) -> Option<Result<ResolvedAddresses, Failure>> {
        self.outcome.take()
    }

    /// What is known now, as if the deadline were now.
    pub fn conclude(&self, now: Instant) -> Result<ResolvedAddresses, Failure> {
        let ends: Vec<(Kind, Verdict)> = self
            .questions
            .iter()
            .map(|question| (question.kind, question.so_far()))
            .collect();
        if let Some(addresses) = self.addresses(&ends) {
            return Ok(addresses);
        }
        let mut asked = self.past.clone();
        if let Some(name) = self.candidates.get(self.at) {
            asked.push(Asked {
                name: name.clone(),
                ends,
            });
        }
        let elapsed = now.saturating_duration_since(self.start);
        Err(Story {
            name: &self.name,
            family: self.family,
            servers: &self.config.servers,
            asked: &asked,
            elapsed,
        }
        .failure())
    }

    fn with(&mut self, serial: u32, now: Instant, event: impl FnOnce(&mut Question, &mut Outbox)) {
        if let Some(question) = self
            .questions
            .iter_mut()
            .find(|question| question.is_open(serial))
        {
            event(question, &mut self.outbox);
            self.step(now);
        }
    }

    /// Puts the questions for the current candidate.
    ///
    /// A candidate that is not the last has half of the time that is left, so that a silent one leaves some to the next.
    fn ask(&mut self, now: Instant) {
        let Some(name) = self.candidates.get(self.at).cloned() else {
            return;
        };
        let last = self.at + 1 == self.candidates.len();
        let rest = self.deadline.saturating_duration_since(now);
        let until = if last { self.deadline } else { now + rest / 2 };
        let kinds: &[Kind] = match (self.family, self.config.aaaa) {
            (Family::Any, Aaaa::Ask) => &[Kind::A, Kind::Aaaa],
            (Family::V4, _) | (Family::Any, Aaaa::Skip) => &[Kind::A],
            (Family::V6, _) => &[Kind::Aaaa],
        };
        let put = |kind: &Kind| {
            Question::new(
                name.clone(),
                *kind,
                self.config.clone(),
                &self.order,
                now,
                until,
                &mut self.outbox,
            )
        };
        self.questions = kinds.iter().map(put).collect();
    }

    /// Draws the consequences of whatever has just happened.
    fn step(&mut self, now: Instant) {
        while self.outcome.is_none() {
            self.stop_waiting_for_the_other_family(now);
            if self
                .questions
                .iter()
                .any(|question| question.verdict().is_none())
            {
                return;
            }
            let ends: Vec<(Kind, Verdict)> = self
                .questions
                .iter()
                .map(|question| (question.kind, question.so_far()))
                .collect();
            let over = self.at + 1 >= self.candidates.len()
                || now >= self.deadline
                || nobody_to_ask(&ends);
            if over || self.addresses(&ends).is_some() {
                self.outcome = Some(self.conclude(now));
                return;
            }
            if let Some(name) = self.candidates.get(self.at).cloned() {
                self.past.push(Asked { name, ends });
            }
            self.at += 1;
            self.ask(now);
        }
    }

    /// Once one family has addresses, or A says that the name does not exist, the other is waited for until half of
    /// the time is over and at least [`RESOLUTION_DELAY`]. An NXDOMAIN for AAAA alone says little (RFC 4074, section 4.2).
    fn stop_waiting_for_the_other_family(&mut self, now: Instant) {
        let tells = |question: &Question| match question.verdict() {
            Some((Verdict::Found(..), at)) => Some(*at),
            Some((Verdict::NxDomain(_), at)) if question.kind == Kind::A => Some(*at),
            _ => None,
        };
        let Some(told) = self.questions.iter().find_map(tells) else {
            return;
        };
        let half = self.start + self.deadline.saturating_duration_since(self.start) / 2;
        let until = half.max(told + RESOLUTION_DELAY);
        for question in &mut self.questions {
            question.cut(until);
            question.expire(now, &mut self.outbox);
        }
    }

    /// The addresses of all families that have some.
    fn addresses(&self, ends: &[(Kind, Verdict)]) -> Option<ResolvedAddresses> {
        let mut all: Option<ResolvedAddresses> = None;
        let written = self.name.relative();
        for (_, end) in ends {
            let Verdict::Found(found, server) = end else {
                continue;
            };
            let Some(server) = self.config.servers.get(*server) else {
                continue;
            };
            let asked = self.candidates.get(self.at).map(ToString::to_string);
            let canonical = found
                .canonical
                .clone()
                .or(asked)
                .filter(|name| !name.eq_ignore_ascii_case(written));
            let all = all.get_or_insert_with(|| ResolvedAddresses {
                v4: Vec::new(),
                v6: Vec::new(),
                from: Source::Server(server.clone()),
                canonical: canonical.map(|name| crate::escape::escaped_prefix(&name, 255)),
            });
            for address in &found.addresses {
                match address {
                    IpAddr::V4(address) => all.v4.push(*address),
                    IpAddr::V6(address) => all.v6.push(*address),
                }
            }
        }
        all
    }
}

/// Whether no server can be reached at all, so that other names need not be tried.
fn nobody_to_ask(ends: &[(Kind, Verdict)]) -> bool {
    let unreachable = |(_, trouble): &(usize, Trouble)| trouble.tells() <= Tells::Unreachable;
    ends.iter().all(
        |(_, end)| matches!(end, Verdict::Failed(troubles) if troubles.iter().all(unreachable)),
    )
}

#[cfg(test)]
mod tests;
