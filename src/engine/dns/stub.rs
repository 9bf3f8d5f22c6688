//! The stub resolver: lookups and their sockets inside the engine's poll.
//!
//! Equal lookups in flight are asked once and answer every key, and who asks for a name within a second of its answer
//! gets that. At most 64 lookups hold sockets, four each at worst; the others queue, and their time runs.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Registry, Token};
use slab::Slab;

use crate::address::HostName;
use crate::engine::dns::files::{Files, Known};
use crate::engine::dns::hosts::LocalSource;
use crate::engine::dns::lookup::Lookup;
use crate::engine::dns::query::Wish;
use crate::engine::dns::query_id::Ids;
use crate::engine::dns::resolv_conf::{Config, Over};
use crate::engine::dns::result::io_cause;
use crate::engine::dns::transport::{MAX_MESSAGE, OpenError, Wire};
use crate::engine::dns::{Answer, OWN_TOKENS, ResolvedAddresses, Source};
use crate::escape::escaped_prefix;
use crate::failure::{Failure, Status};
use crate::plan::Family;

/// How many lookups hold sockets at a time.
const MAX_RUNNING: usize = 64;
/// How long an answer serves those who come after it: for them it is as if they had come a moment sooner and waited.
const FRESH: Duration = Duration::from_secs(1);
/// How many answers are kept for that.
const MAX_RECENT: usize = 4096;
/// How many lookups one call starts, so that the loop's other work is not kept waiting.
const MAX_STARTS: usize = 64;

/// Lookups by files and name servers.
#[derive(Debug)]
pub struct Stub {
    known: Known,
    ids: Ids,
    turn: usize,
    next_job: u64,
    jobs: HashMap<u64, Job>,
    by_name: HashMap<(Box<str>, Family), u64>,
    by_key: HashMap<usize, u64>,
    queue: VecDeque<u64>,
    running: usize,
    most_running: usize,
    /// The answers of the last second, by name.
    recent: HashMap<(Box<str>, Family), (Instant, ResolvedAddresses)>,
    /// Set where the queue has to wait for the next turn of the loop.
    again: Option<Instant>,
    timers: BTreeSet<(Instant, u64)>,
    sockets: Slab<Open>,
    /// Where messages arrive; as long as the longest, once there is a socket.
    buffer: Vec<u8>,
    done: VecDeque<Answer>,
    /// When the last answer was found: it must not wait in `done` for something else to happen.
    answered: Option<Instant>,
    /// Whether there was no socket for a question.
    lacked_socket: bool,
}

/// A name that somebody waits for.
#[derive(Debug)]
struct Job {
    name: HostName,
    family: Family,
    config: Arc<Config>,
    since: Instant,
    /// `None` while it is queued.
    lookup: Option<Lookup>,
    waiters: Vec<Waiter>,
    timer: Option<Instant>,
    /// Its sockets by try.
    sockets: Vec<(u32, usize)>,
}

#[derive(Debug)]
struct Waiter {
    key: usize,
    deadline: Instant,
    joined: Joined,
}

/// When a waiter came: whoever came late has not seen all of the silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joined {
    AtTheStart,
    Later,
}

#[derive(Debug)]
struct Open {
    job: u64,
    serial: u32,
    wire: Wire,
}

impl Stub {
    /// Reads nothing yet.
    pub fn new(files: Files) -> Self {
        Self {
            known: Known::new(files),
            ids: Ids::default(),
            turn: 0,
            next_job: 0,
            jobs: HashMap::new(),
            by_name: HashMap::new(),
            by_key: HashMap::new(),
            queue: VecDeque::new(),
            running: 0,
            most_running: MAX_RUNNING,
            recent: HashMap::new(),
            again: None,
            timers: BTreeSet::new(),
            sockets: Slab::new(),
            buffer: Vec::new(),
            done: VecDeque::new(),
            answered: None,
            lacked_socket: false,
        }
    }

    /// See [`Resolver::has_room`](super::Resolver::has_room).
    pub fn has_room(&self) -> bool {
        self.queue.is_empty() && self.running < self.most_running
    }

    /// See [`Resolver::has_lacked_socket`](super::Resolver::has_lacked_socket).
    pub fn has_lacked_socket(&mut self) -> bool {
        std::mem::take(&mut self.lacked_socket)
    }

    /// See [`Resolver::be_one_of`](super::Resolver::be_one_of).
    pub fn be_one_of(&mut self, threads: usize) {
        self.most_running = MAX_RUNNING.div_ceil(threads.max(1));
    }

    /// See [`Resolver::start`](super::Resolver::start).
    pub fn start(
        &mut self,
        registry: &Registry,
        key: usize,
        name: &HostName,
        family: Family,
        now: Instant,
        deadline: Instant,
    ) {
        self.cancel(key);
        let (config, hosts) = self.known.current(now);
        if let Some(local) = hosts.find(name, family) {
            let from = match local.by {
                LocalSource::HostsFile => Source::HostsFile,
                LocalSource::Rfc6761 => Source::Localhost,
            };
            let addresses = ResolvedAddresses {
                v4: local.v4,
                v6: local.v6,
                from,
                canonical: None,
            };
            return self.deliver(key, Ok(addresses), now);
        }
        let same = (name.as_str().to_ascii_lowercase().into_boxed_str(), family);
        if let Some((_, addresses)) = self
            .recent
            .get(&same)
            .filter(|(since, _)| is_fresh(*since, now))
        {
            let addresses = addresses.clone();
            return self.deliver(key, Ok(addresses), now);
        }
        if let Some(&id) = self.by_name.get(&same) {
            self.by_key.insert(key, id);
            if let Some(job) = self.jobs.get_mut(&id) {
                let joined = if job.lookup.is_some() {
                    Joined::Later
                } else {
                    Joined::AtTheStart
                };
                job.waiters.push(Waiter {
                    key,
                    deadline,
                    joined,
                });
            }
            return self.wake_by(id, deadline);
        }
        self.add_job(
            (name.clone(), family),
            config,
            vec![Waiter {
                key,
                deadline,
                joined: Joined::AtTheStart,
            }],
            now,
        );
        self.pump(registry, now);
    }

    /// See [`Resolver::cancel`](super::Resolver::cancel).
    pub fn cancel(&mut self, key: usize) {
        self.done.retain(|(other, _)| *other != key);
        let Some(id) = self.by_key.remove(&key) else {
            return;
        };
        if let Some(job) = self.jobs.get_mut(&id) {
            job.waiters.retain(|waiter| waiter.key != key);
            if job.waiters.is_empty() {
                // The queue moves on in the next turn, where there is a clock; any time that is over brings that about.
                self.again = Some(job.since);
                self.remove_job(id);
            }
        }
    }

    /// See [`Resolver::ready`](super::Resolver::ready).
    pub fn ready(&mut self, registry: &Registry, token: Token, now: Instant) {
        let Some(open) = self.sockets.get_mut(token.0 & !OWN_TOKENS) else {
            return;
        };
        let (id, serial) = (open.job, open.serial);
        let Some(lookup) = self.jobs.get_mut(&id).and_then(|job| job.lookup.as_mut()) else {
            return;
        };
        while lookup.is_open(serial) {
            match open.wire.pull(&mut self.buffer) {
                Ok(Some(bytes)) => lookup.on_message(serial, bytes, now),
                Ok(None) => break,
                Err(error) => lookup.on_error(serial, io_cause(&error), now),
            }
        }
        self.drive(registry, id, now);
        self.pump(registry, now);
    }

    /// See [`Resolver::expire`](super::Resolver::expire).
    pub fn expire(&mut self, registry: &Registry, now: Instant) {
        let mut due = Vec::new();
        while let Some((_, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            due.push(id);
        }
        for id in due {
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            job.timer = None;
            if let Some(lookup) = &mut job.lookup {
                lookup.expire(now);
                self.drive(registry, id, now);
            }
            self.answer_overdue(id, now);
        }
        self.pump(registry, now);
    }

    /// See [`Resolver::next_wake`](super::Resolver::next_wake).
    pub fn next_wake(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let answered = self.answered.filter(|_| !self.done.is_empty());
        [timer, self.again, answered].into_iter().flatten().min()
    }

    /// See [`Resolver::poll_answer`](super::Resolver::poll_answer).
    pub fn poll_answer(&mut self) -> Option<Answer> {
        self.done.pop_front()
    }

    fn add_job(
        &mut self,
        (name, family): (HostName, Family),
        config: Arc<Config>,
        waiters: Vec<Waiter>,
        now: Instant,
    ) {
        let id = self.next_job;
        self.next_job += 1;
        for waiter in &waiters {
            self.by_key.insert(waiter.key, id);
        }
        self.by_name
            .insert((name.as_str().to_ascii_lowercase().into(), family), id);
        let job = Job {
            name,
            family,
            config,
            since: now,
            lookup: None,
            waiters,
            timer: None,
            sockets: Vec::new(),
        };
        self.jobs.insert(id, job);
        self.queue.push_back(id);
        self.set_timer(id);
    }

    /// Starts what is queued, as far as there is room.
    fn pump(&mut self, registry: &Registry, now: Instant) {
        self.again = None;
        for _ in 0..MAX_STARTS {
            if self.running >= self.most_running {
                return;
            }
            let Some(id) = self.queue.pop_front() else {
                return;
            };
            // Whatever was cancelled while it was queued is gone.
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            let latest = job
                .waiters
                .iter()
                .map(|waiter| waiter.deadline)
                .max()
                .unwrap_or(now);
            let lookup = Lookup::new(
                &job.name,
                job.family,
                job.config.clone(),
                self.turn,
                now,
                latest,
            );
            job.lookup = Some(lookup);
            self.turn = self.turn.wrapping_add(1);
            self.running += 1;
            self.drive(registry, id, now);
        }
        if !self.queue.is_empty() && self.running < self.most_running {
            self.again = Some(now);
        }
    }

    /// Carries out the wishes of a lookup, and delivers its outcome.
    fn drive(&mut self, registry: &Registry, id: u64, now: Instant) {
        while let Some(lookup) = self.jobs.get_mut(&id).and_then(|job| job.lookup.as_mut()) {
            match lookup.take_wish() {
                Some(Wish::Open {
                    serial,
                    server,
                    over,
                }) => self.open(registry, (id, serial), server, over, now),
                Some(Wish::Close { serial }) => self.close(id, serial),
                None => match lookup.take_outcome() {
                    Some(outcome) => return self.finish(id, &outcome, now),
                    None => return self.set_timer(id),
                },
            }
        }
    }

    fn open(
        &mut self,
        registry: &Registry,
        (id, serial): (u64, u32),
        server: usize,
        over: Over,
        now: Instant,
    ) {
        self.buffer.resize(MAX_MESSAGE, 0);
        let random = self.ids.draw();
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(lookup) = job.lookup.as_mut().filter(|lookup| lookup.is_open(serial)) else {
            return;
        };
        let Some(server) = job.config.servers.get(server) else {
            return;
        };
        let message = match random {
            Ok(random) => lookup.query(serial, random).unwrap_or_default(),
            Err(error) => {
                return lookup.on_blocked(serial, format!("no random numbers: {error}"), now);
            }
        };
        let place = self.sockets.vacant_entry();
        let token = Token(OWN_TOKENS | place.key());
        let opened = server.socket_addr().map_err(OpenError::Failed);
        match opened.and_then(|address| Wire::open(registry, token, over, address, &message)) {
            Ok(wire) => {
                job.sockets.push((serial, place.key()));
                place.insert(Open {
                    job: id,
                    serial,
                    wire,
                });
            }
            Err(OpenError::Blocked(error)) => {
                self.lacked_socket = true;
                lookup.on_blocked(serial, io_cause(&error), now);
            }
            Err(OpenError::Failed(error)) => lookup.on_error(serial, io_cause(&error), now),
        }
    }

    fn close(&mut self, id: u64, serial: u32) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(place) = job.sockets.iter().position(|(other, _)| *other == serial) {
            let (_, socket) = job.sockets.swap_remove(place);
            self.sockets.try_remove(socket);
        }
    }

    /// Answers everybody. Silence is no answer for those who came later and have time left: they get a lookup of
    /// their own.
    fn finish(&mut self, id: u64, outcome: &Result<ResolvedAddresses, Failure>, now: Instant) {
        let Some(job) = self.remove_job(id) else {
            return;
        };
        if let Ok(addresses) = outcome {
            self.remember(
                (job.name.as_str().to_ascii_lowercase().into(), job.family),
                addresses,
                now,
            );
        }
        let silence = outcome
            .as_ref()
            .is_err_and(|failure| failure.status != Status::ResolveFailed);
        let (again, answered): (Vec<Waiter>, Vec<Waiter>) = job
            .waiters
            .into_iter()
            .partition(|waiter| silence && waiter.joined == Joined::Later && waiter.deadline > now);
        for waiter in answered {
            self.deliver(waiter.key, outcome.clone(), now);
        }
        if !again.is_empty() {
            let waiters = again
                .into_iter()
                .map(|waiter| Waiter {
                    joined: Joined::AtTheStart,
                    ..waiter
                })
                .collect();
            self.add_job((job.name, job.family), job.config, waiters, now);
        }
    }

    fn remember(&mut self, name: (Box<str>, Family), addresses: &ResolvedAddresses, now: Instant) {
        if self.recent.len() >= MAX_RECENT {
            self.recent.retain(|_, (since, _)| is_fresh(*since, now));
        }
        if self.recent.len() < MAX_RECENT {
            self.recent.insert(name, (now, addresses.clone()));
        }
    }

    /// Answers those whose deadline has come with what is known now.
    fn answer_overdue(&mut self, id: u64, now: Instant) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let (overdue, kept): (Vec<Waiter>, Vec<Waiter>) = job
            .waiters
            .drain(..)
            .partition(|waiter| waiter.deadline <= now);
        job.waiters = kept;
        if !overdue.is_empty() {
            let answer = match &job.lookup {
                Some(lookup) => lookup.conclude(now),
                None => Err(still_queued(
                    &job.name,
                    now.saturating_duration_since(job.since).as_secs_f64(),
                )),
            };
            let nobody_waits = job.waiters.is_empty();
            for waiter in overdue {
                self.deliver(waiter.key, answer.clone(), now);
            }
            if nobody_waits {
                self.remove_job(id);
            }
        }
        self.set_timer(id);
    }

    fn deliver(&mut self, key: usize, answer: Result<ResolvedAddresses, Failure>, now: Instant) {
        self.by_key.remove(&key);
        self.done.push_back((key, answer));
        self.answered = Some(now);
    }

    fn remove_job(&mut self, id: u64) -> Option<Job> {
        let job = self.jobs.remove(&id)?;
        self.by_name.remove(&(
            job.name.as_str().to_ascii_lowercase().into_boxed_str(),
            job.family,
        ));
        if let Some(at) = job.timer {
            self.timers.remove(&(at, id));
        }
        for (_, socket) in &job.sockets {
            self.sockets.try_remove(*socket);
        }
        if job.lookup.is_some() {
            self.running -= 1;
        }
        Some(job)
    }

    /// Wakes the job for its lookup or for its first deadline, whichever comes sooner.
    fn set_timer(&mut self, id: u64) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let deadline = job.waiters.iter().map(|waiter| waiter.deadline).min();
        let lookup = job.lookup.as_ref().and_then(Lookup::next_wake);
        let wake = [deadline, lookup].into_iter().flatten().min();
        if wake != job.timer {
            if let Some(at) = job.timer {
                self.timers.remove(&(at, id));
            }
            if let Some(at) = wake {
                self.timers.insert((at, id));
            }
            job.timer = wake;
        }
    }

    /// Wakes the job at this time or sooner; unlike [`set_timer`](Self::set_timer) at a cost that no crowd raises.
    fn wake_by(&mut self, id: u64, deadline: Instant) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.timer.is_some_and(|at| at <= deadline) {
            return;
        }
        if let Some(at) = job.timer.replace(deadline) {
            self.timers.remove(&(at, id));
        }
        self.timers.insert((deadline, id));
    }
}

fn is_fresh(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < FRESH
}

fn still_queued(name: &HostName, seconds: f64) -> Failure {
    let name = escaped_prefix(name.as_str(), 80);
    let text = format!(
        "resolve {name}: no question was sent, {MAX_RUNNING} other lookups wait for answers ({seconds:.1} s)"
    );
    Failure::new(Status::ResolveTimeout, text)
}
