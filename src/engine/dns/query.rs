//! One question, a name and a record type, put to the servers in turn. No I/O; time is an argument.
//!
//! Waiting: a server is given `timeout` of resolv.conf, but never more than a fair share of what is left, so that the
//! last server is still asked when the deadline is short: the rest divided by the tries that remain. A share is not
//! less than 400 ms (a recursive server needs that for a name it does not know) unless servers that were never asked
//! would lose their turn by it. A server that falls silent is still listened to while the next one is asked; one that
//! gave an error is not asked again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dns::message;
use crate::engine::dns::message::{Kind, Reading};
use crate::engine::dns::resolv_conf::{Config, Over};
use crate::engine::dns::result::{Trouble, Verdict};

/// Unbound's first guess at a round trip is 376 ms; a share below that mostly repeats questions.
const PATIENCE: Duration = Duration::from_millis(400);
/// How soon a socket is asked for again where this machine had none.
const RETRY: Duration = Duration::from_millis(10);
/// So many foreign datagrams are no accident: the server is left.
const MAX_STRANGERS: u32 = 1000;
/// The server that is waited for, and the one before it.
const MAX_OPEN: usize = 2;

/// What a question wants from its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A fresh socket to this server; the message comes from `query`.
    Open {
        /// Names the try in every later event.
        serial: u32,
        /// The server's place in [`Config::servers`].
        server: usize,
        /// How to ask.
        over: Over,
    },
    /// The socket of this try is no longer needed.
    Close {
        /// The try.
        serial: u32,
    },
}

/// Wishes in order, and the numbers of tries.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What the transport has not done yet.
    pub wishes: VecDeque<Wish>,
    next_serial: u32,
}

/// A question and all that is known of it.
#[derive(Debug)]
pub struct Question {
    /// The record type.
    pub kind: Kind,
    name: Arc<str>,
    config: Arc<Config>,
    until: Instant,
    /// Servers still to be asked, in order.
    schedule: VecDeque<usize>,
    /// How many of them were never asked.
    fresh: usize,
    open: Vec<Try>,
    /// The try that is waited for; others in `open` linger.
    current: Option<u32>,
    troubles: Vec<(usize, Trouble)>,
    verdict: Option<(Verdict, Instant)>,
}

#[derive(Debug)]
struct Try {
    serial: u32,
    server: usize,
    over: Over,
    why: Why,
    state: State,
    until: Instant,
    strangers: u32,
}

/// Why a try uses its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Configured,
    AnswerWasTruncated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Wished,
    Blocked(Instant),
    Asked(u16),
}

impl Question {
    /// Asks for the first server at once; `order` lists the servers, each once.
    pub fn new(
        name: Arc<str>,
        kind: Kind,
        config: Arc<Config>,
        order: &[usize],
        now: Instant,
        until: Instant,
        out: &mut Outbox,
    ) -> Self {
        let schedule: VecDeque<usize> = (0..config.attempts)
            .flat_map(|_| order.iter().copied())
            .collect();
        let mut question = Self {
            kind,
            name,
            config,
            until,
            schedule,
            fresh: order.len(),
            open: Vec::new(),
            current: None,
            troubles: Vec::new(),
            verdict: None,
        };
        question.advance(now, out);
        question
    }

    /// How and when it ended, if it has.
    pub fn verdict(&self) -> Option<&(Verdict, Instant)> {
        self.verdict.as_ref()
    }

    /// What is known now, as if it ended now.
    pub fn so_far(&self) -> Verdict {
        if let Some((verdict, _)) = &self.verdict {
            verdict.clone()
        } else {
            let mut troubles = self.troubles.clone();
            for try_ in &self.open {
                note_silence(&mut troubles, try_);
            }
            Verdict::Failed(troubles)
        }
    }

    /// Ends the question sooner.
    pub fn cut(&mut self, until: Instant) {
        self.until = self.until.min(until);
    }

    /// The message of a try, which is asked with this id from now on; `None` when it is no longer wanted.
    pub fn query(&mut self, serial: u32, id: u16) -> Option<Vec<u8>> {
        let (name, kind) = (self.name.clone(), self.kind);
        let try_ = self.find(serial)?;
        try_.state = State::Asked(id);
        message::query(id, &name, kind)
    }

    /// Whether this try still listens.
    pub fn is_open(&self, serial: u32) -> bool {
        self.open.iter().any(|try_| try_.serial == serial)
    }

    /// A message came for this try.
    pub fn on_message(&mut self, serial: u32, bytes: &mut [u8], now: Instant, out: &mut Outbox) {
        let (name, kind) = (self.name.clone(), self.kind);
        let Some(try_) = self.find(serial) else {
            return;
        };
        let State::Asked(id) = try_.state else { return };
        let (server, over) = (try_.server, try_.over);
        match message::read(bytes, id, &name, kind) {
            Reading::NotOurs if over == Over::Udp && try_.strangers < MAX_STRANGERS => {
                try_.strangers += 1;
            }
            Reading::NotOurs => {
                self.fail(server, Trouble::Malformed("not to our question"), now, out);
            }
            Reading::Truncated if over == Over::Udp => self.ask_over_tcp(server, now, out),
            Reading::Truncated => {
                self.fail(server, Trouble::Malformed("truncated over TCP"), now, out);
            }
            Reading::Malformed(what) => self.fail(server, Trouble::Malformed(what), now, out),
            Reading::Error(code) => self.fail(server, Trouble::Rcode(code), now, out),
            Reading::NoRecursion => self.fail(server, Trouble::NoRecursion, now, out),
            Reading::NxDomain => self.settle(Verdict::NxDomain(server), now, out),
            Reading::NoData => self.settle(Verdict::NoData(server), now, out),
            Reading::Found(found) => self.settle(Verdict::Found(found, server), now, out),
        }
    }

    /// The socket of this try failed, with this cause.
    pub fn on_error(&mut self, serial: u32, cause: String, now: Instant, out: &mut Outbox) {
        let Some(try_) = self.find(serial) else {
            return;
        };
        let trouble = match try_.why {
            Why::Configured => Trouble::Unreachable(cause),
            Why::AnswerWasTruncated => Trouble::TcpFailed(cause),
        };
        let server = try_.server;
        self.fail(server, trouble, now, out);
    }

    /// This machine has no socket for this try now.
    pub fn on_blocked(&mut self, serial: u32, cause: String, now: Instant) {
        let Some(try_) = self.find(serial) else {
            return;
        };
        try_.state = State::Blocked(now + RETRY);
        let server = try_.server;
        note(&mut self.troubles, server, Trouble::Local(cause));
    }

    /// Does what is due by now.
    pub fn expire(&mut self, now: Instant, out: &mut Outbox) {
        if self.verdict.is_some() {
            return;
        }
        if now >= self.until {
            let end = self.so_far();
            return self.settle(end, now, out);
        }
        let Some(place) = self
            .open
            .iter()
            .position(|try_| Some(try_.serial) == self.current)
        else {
            return;
        };
        let Some(try_) = self.open.get_mut(place) else {
            return;
        };
        if now >= try_.until {
            if matches!(try_.state, State::Asked(_)) {
                note_silence(&mut self.troubles, try_);
            } else {
                self.open.remove(place);
            }
            self.advance(now, out);
        } else if matches!(try_.state, State::Blocked(at) if at <= now) {
            try_.state = State::Wished;
            out.wishes.push_back(Wish::Open {
                serial: try_.serial,
                server: try_.server,
                over: try_.over,
            });
        }
    }

    /// When `expire` has something to do.
    pub fn next_wake(&self) -> Option<Instant> {
        if self.verdict.is_some() {
            return None;
        }
        let current = self
            .open
            .iter()
            .find(|try_| Some(try_.serial) == self.current);
        let own = current.map(|try_| match try_.state {
            State::Blocked(at) => at.min(try_.until),
            State::Wished | State::Asked(_) => try_.until,
        });
        Some(own.map_or(self.until, |own| own.min(self.until)))
    }

    fn find(&mut self, serial: u32) -> Option<&mut Try> {
        self.open.iter_mut().find(|try_| try_.serial == serial)
    }

    /// The server is out of the game for this question.
    fn fail(&mut self, server: usize, trouble: Trouble, now: Instant, out: &mut Outbox) {
        note(&mut self.troubles, server, trouble);
        self.schedule.retain(|other| *other != server);
        self.close_tries_of(server, out);
        if self.current.is_none() {
            self.advance(now, out);
        }
    }

    fn close_tries_of(&mut self, server: usize, out: &mut Outbox) {
        let (gone, kept) = self.open.drain(..).partition(|try_| try_.server == server);
        self.open = kept;
        let gone: Vec<Try> = gone;
        for try_ in gone {
            self.current = self.current.filter(|current| *current != try_.serial);
            out.wishes.push_back(Wish::Close {
                serial: try_.serial,
            });
        }
    }

    fn ask_over_tcp(&mut self, server: usize, now: Instant, out: &mut Outbox) {
        self.close_tries_of(server, out);
        self.begin(server, (Over::Tcp, Why::AnswerWasTruncated), now, out);
    }

    /// Asks the next server, or ends.
    fn advance(&mut self, now: Instant, out: &mut Outbox) {
        self.current = None;
        if let Some(server) = self.schedule.pop_front() {
            self.begin(server, (self.config.over, Why::Configured), now, out)
        } else {
            let end = self.so_far();
            self.settle(end, now, out);
        }
    }

    fn begin(&mut self, server: usize, (over, why): (Over, Why), now: Instant, out: &mut Outbox) {
        let until = now + self.wait(now);
        if why == Why::Configured {
            self.fresh = self.fresh.saturating_sub(1);
        }
        while self.open.len() >= MAX_OPEN {
            let oldest = self.open.remove(0);
            out.wishes.push_back(Wish::Close {
                serial: oldest.serial,
            });
        }
        let serial = out.next_serial;
        out.next_serial = serial.wrapping_add(1);
        self.open.push(Try {
            serial,
            server,
            over,
            why,
            state: State::Wished,
            until,
            strangers: 0,
        });
        self.current = Some(serial);
        out.wishes.push_back(Wish::Open {
            serial,
            server,
            over,
        });
    }

    /// How long the try that begins now may take; see the head of this file.
    fn wait(&self, now: Instant) -> Duration {
        let rest = self.until.saturating_duration_since(now);
        let share = |among: usize| rest / u32::try_from(among.max(1)).unwrap_or(u32::MAX);
        let fair = share(self.schedule.len() + 1);
        fair.max(share(self.fresh).min(PATIENCE))
            .min(self.config.timeout)
    }

    fn settle(&mut self, verdict: Verdict, now: Instant, out: &mut Outbox) {
        for try_ in self.open.drain(..) {
            out.wishes.push_back(Wish::Close {
                serial: try_.serial,
            });
        }
        self.current = None;
        self.verdict = Some((verdict, now));
    }
}

fn note_silence(troubles: &mut Vec<(usize, Trouble)>, try_: &Try) {
    let trouble = match (try_.state, try_.why) {
        (State::Asked(_), Why::Configured) => Trouble::Silent,
        (State::Asked(_), Why::AnswerWasTruncated) => Trouble::TcpSilent,
        (State::Wished | State::Blocked(_), _) => return,
    };
    note(troubles, try_.server, trouble);
}

/// Keeps the most telling trouble of each server, of equals the last.
pub fn note(troubles: &mut Vec<(usize, Trouble)>, server: usize, trouble: Trouble) {
    match troubles.iter_mut().find(|(known, _)| *known == server) {
        Some((_, known)) if known.tells() > trouble.tells() => {}
        Some((_, known)) => *known = trouble,
        None => troubles.push((server, trouble)),
    }
}
