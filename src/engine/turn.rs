//! The turns of the loop: admit, poll, stamp, deliver, expire, report.

mod traffic;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::connection::{Connection, Phase, Then};
use super::dns::{Addresses, Resolver};
use super::session::{AttemptId, Event, Session, Wish, Wishes};
use super::timers::Timers;
use super::wire::{self, OpenError, Wire};
use super::{Limits, Names, Observed, Sink, sys};
use crate::plan::{Origin, Plan};
use crate::source::Source;

/// How long the engine waits before it asks again for descriptors, ports or memory that this machine lacked.
const EXHAUSTION_PAUSE: Duration = Duration::from_millis(10);
/// The bytes of one read, and how many reads one connection gets before the others have their turn.
const READ_SIZE: usize = 4 * 1024;
const READS_PER_TURN: usize = 16;
/// After this time in one turn of the loop a connection reads once only.
const TURN: Duration = Duration::from_millis(5);
/// The events of one wake.
const EVENTS: usize = 1024;
/// What the usual soft limit of 1024 descriptors leaves for probes.
const USUAL_DESCRIPTORS: usize = 900;

/// Names a session for as long as the run lasts: its place, and a serial number because places are used again.
type Key = (usize, u64);

/// Whether the source may have another plan for us.
#[derive(PartialEq, Eq)]
enum Intake {
    /// There may be one, and room for it.
    Open,
    /// There may be one, and no room.
    Full,
    /// There is none.
    Ended,
}

/// Everything a run has in hand.
pub(super) struct Engine<'k, K> {
    sink: &'k mut K,
    intake: Intake,
    poll: Poll,
    events: Events,
    sessions: Slab<Entry>,
    connections: Slab<Connection>,
    timers: Timers<Key>,
    resolver: Resolver,
    /// Connects that are wished for, and the moment before which none is tried.
    opening: VecDeque<(Key, AttemptId, SocketAddr)>,
    paused_until: Option<Instant>,
    /// Connections that had more to read than their turn allowed.
    unread: VecDeque<Token>,
    over: Vec<usize>,
    wishes: Wishes,
    buffer: Box<[u8]>,
    serial: u64,
}

struct Entry {
    session: Session,
    serial: u64,
    wake: Option<Instant>,
    /// The connection of each attempt.
    connections: Vec<Option<usize>>,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    UnderWay,
    /// Its report is to be handed over at the end of the turn.
    Over,
}

impl<'k, K: Sink> Engine<'k, K> {
    pub(super) fn new(sink: &'k mut K, names: Names, limits: &Limits) -> io::Result<Self> {
        if limits.in_flight.get() > USUAL_DESCRIPTORS {
            // Without it the engine waits for descriptors, which costs time but no target.
            let _ = sys::raise_descriptor_limit();
        }
        let poll = Poll::new()?;
        let resolver = names.resolver(poll.registry())?;
        Ok(Self {
            sink,
            intake: Intake::Open,
            poll,
            events: Events::with_capacity(EVENTS),
            sessions: Slab::new(),
            connections: Slab::new(),
            timers: Timers::default(),
            resolver,
            opening: VecDeque::new(),
            paused_until: None,
            unread: VecDeque::new(),
            over: Vec::new(),
            wishes: Wishes::new(),
            buffer: vec![0; READ_SIZE].into_boxed_slice(),
            serial: 0,
        })
    }

    /// Begins at most one connect: one that is wished for, else that of a new plan.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn admit<S: Source>(&mut self, source: &mut S, limits: &Limits) {
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| until > now) {
            return;
        }
        self.paused_until = None;
        if self.intake != Intake::Ended {
            let room = self.sessions.len() < limits.in_flight.get();
            self.intake = if room { Intake::Open } else { Intake::Full };
        }
        if self.opening.is_empty() && self.intake == Intake::Open {
            match source.next() {
                Some(plan) => self.start(plan, now),
                None => self.intake = Intake::Ended,
            }
        }
        while let Some((key, attempt, address)) = self.opening.pop_front() {
            if self.is_wished(key, attempt) {
                self.open(key, attempt, address, now);
                return;
            }
        }
    }

    fn start(&mut self, plan: Arc<Plan>, now: Instant) {
        let session = Session::start(plan, now, &mut self.wishes);
        self.serial += 1;
        let stage = Stage::UnderWay;
        let entry = Entry { session, serial: self.serial, wake: None, connections: Vec::with_capacity(1), stage };
        let place = self.sessions.insert(entry);
        self.settle(place, now);
    }

    /// Whether the session still waits for this connect.
    fn is_wished(&self, (place, serial): Key, attempt: AttemptId) -> bool {
        self.sessions.get(place).is_some_and(|entry| entry.serial == serial && entry.session.waits_for(attempt))
    }

    fn open(&mut self, key: Key, attempt: AttemptId, address: SocketAddr, now: Instant) {
        let (place, _) = key;
        let Some(entry) = self.sessions.get(place) else { return };
        match Wire::open(entry.session.plan(), address) {
            Ok(wire) => self.opened(place, attempt, address, wire, now),
            Err(OpenError::Exhausted(why)) => {
                self.handle(place, Event::Blocked(attempt, why), now);
                self.opening.push_back((key, attempt, address));
                self.paused_until = Some(now + EXHAUSTION_PAUSE);
            }
            Err(OpenError::Final(failure)) => self.handle(place, Event::Failed(attempt, failure, None), now),
        }
    }

    fn opened(&mut self, place: usize, attempt: AttemptId, address: SocketAddr, wire: Wire, now: Instant) {
        let fd = wire.raw_fd();
        let connection = Connection {
            wire,
            owner: place,
            attempt,
            phase: Phase::Connecting(now),
            output: Vec::new(),
            then: Then::Nothing,
        };
        let number = self.connections.insert(connection);
        if let Some(entry) = self.sessions.get_mut(place) {
            entry.connections.resize(entry.connections.len().max(attempt + 1), None);
            if let Some(slot) = entry.connections.get_mut(attempt) {
                *slot = Some(number);
            }
        }
        self.handle(place, Event::Opened(attempt), now);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut SourceFd(&fd), Token(number), interest) {
            let failure = wire::watch_failure(address, &error);
            self.handle(place, Event::Failed(attempt, failure, None), now);
        }
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_done(&self) -> bool {
        self.intake == Intake::Ended && self.sessions.is_empty()
    }

    /// Waits for events, not at all where something can be done without them, and reads the clock.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn poll(&mut self) -> io::Result<Instant> {
        let may_open = self.paused_until.is_none() && (self.intake == Intake::Open || !self.opening.is_empty());
        let busy = may_open || !self.unread.is_empty();
        let wakes = [self.timers.next(), self.resolver.next_wake(), self.paused_until];
        let timeout = match wakes.into_iter().flatten().min() {
            _ if busy => Some(Duration::ZERO),
            Some(next) => Some(next.saturating_duration_since(Instant::now())),
            None => None,
        };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(Instant::now()),
        }
    }

    pub(super) fn deliver(&mut self, now: Instant) {
        for token in std::mem::take(&mut self.unread) {
            self.read(token.0, now);
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let token = event.token();
            if Resolver::owns(token) {
                self.resolver.ready(self.poll.registry(), token, now);
            } else {
                self.connection_ready(token.0, event, now);
            }
        }
        self.events = events;
        self.take_answers(now);
    }

    /// Tells sessions what their names resolve to.
    fn take_answers(&mut self, now: Instant) {
        while let Some((place, answer)) = self.resolver.poll_answer() {
            let Some(entry) = self.sessions.get(place) else { continue };
            match answer {
                Ok(addresses) => {
                    let at = now.saturating_duration_since(entry.session.started());
                    self.sink.observe(entry.session.plan(), at, Observed::Answer(&addresses));
                    let chosen = in_order(&addresses, &entry.session.plan().method.origin);
                    self.handle(place, Event::Resolved(&chosen), now);
                }
                Err(failure) => self.handle(place, Event::Unresolved(failure), now),
            }
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.resolver.expire(self.poll.registry(), now);
        self.take_answers(now);
        while let Some((place, serial)) = self.timers.pop_due(now) {
            let Some(entry) = self.sessions.get_mut(place) else { continue };
            if entry.serial != serial || entry.wake.is_none_or(|wake| wake > now) {
                continue;
            }
            let (connections, all) = (&entry.connections, &self.connections);
            let info = |attempt: AttemptId| {
                let number = (*connections.get(attempt)?)?;
                all.get(number)?.wire.tcp_info()
            };
            entry.session.tick(now, info, &mut self.wishes);
            entry.wake = None;
            self.settle(place, now);
        }
    }

    /// Hands over the reports of what is over.
    pub(super) fn report(&mut self) {
        for place in std::mem::take(&mut self.over) {
            if let Some(entry) = self.sessions.try_remove(place) {
                if entry.session.plan().literal().is_none() {
                    self.resolver.cancel(place);
                }
                if let Some(report) = entry.session.into_report() {
                    self.sink.deliver(report);
                }
            }
        }
    }

    /// Tells a session what happened, and does what it wishes.
    fn handle(&mut self, place: usize, event: Event<'_>, now: Instant) {
        let Some(entry) = self.sessions.get_mut(place) else { return };
        let at = now.saturating_duration_since(entry.session.started());
        self.sink.observe(entry.session.plan(), at, Observed::Event(&event));
        entry.session.handle(event, now, &mut self.wishes);
        self.settle(place, now);
    }

    /// Fulfils the wishes of a session and notes when it wants to be woken.
    fn settle(&mut self, place: usize, now: Instant) {
        while let Some(wish) = self.wishes.pop_front() {
            if let Some(entry) = self.sessions.get(place) {
                let at = now.saturating_duration_since(entry.session.started());
                self.sink.observe(entry.session.plan(), at, Observed::Wish(&wish));
            }
            self.fulfil(place, wish, now);
        }
        let Some(entry) = self.sessions.get_mut(place) else { return };
        if entry.session.is_over() {
            if entry.stage == Stage::UnderWay {
                entry.stage = Stage::Over;
                self.over.push(place);
            }
            return;
        }
        let wake = entry.session.next_wake();
        if entry.wake.is_none_or(|set| wake < set) {
            entry.wake = Some(wake);
            self.timers.set(wake, (place, entry.serial));
        }
    }

    fn fulfil(&mut self, place: usize, wish: Wish, now: Instant) {
        let Some(entry) = self.sessions.get_mut(place) else { return };
        match wish {
            Wish::Resolve => {
                let (plan, deadline) = (entry.session.plan(), entry.session.deadline());
                if let crate::target::Host::Name(name) = &plan.target.host {
                    self.resolver.start(self.poll.registry(), place, name, plan.method.family, now, deadline);
                }
            }
            Wish::Open(attempt, address) => self.opening.push_back(((place, entry.serial), attempt, address)),
            Wish::Send(attempt, bytes) => {
                let Some(number) = entry.connections.get(attempt).copied().flatten() else { return };
                if let Some(connection) = self.connections.get_mut(number) {
                    connection.output = bytes;
                    self.write(number, now);
                }
            }
            Wish::Explain(..) => {}
            Wish::Shutdown(attempt) => {
                let number = entry.connections.get(attempt).copied().flatten();
                match number.and_then(|number| self.connections.get_mut(number)) {
                    Some(connection) if connection.output.is_empty() => connection.wire.shutdown(),
                    Some(connection) => connection.then = Then::Shutdown,
                    None => {}
                }
            }
            Wish::Close(attempt, how) => {
                let number = entry.connections.get_mut(attempt).and_then(Option::take);
                if let Some(connection) = number.and_then(|number| self.connections.try_remove(number)) {
                    connection.wire.close(how);
                }
            }
        }
    }
}

/// A name's addresses in the order to try them: IPv6 first where this machine has a route to it from this origin.
fn in_order(addresses: &Addresses, origin: &Origin) -> Vec<IpAddr> {
    let v4 = addresses.v4.iter().copied().map(IpAddr::from);
    let v6 = addresses.v6.iter().copied().map(IpAddr::from);
    let v6_first = addresses.v6.first().is_some_and(|address| wire::has_route((*address).into(), origin));
    if v6_first { v6.chain(v4).collect() } else { v4.chain(v6).collect() }
}
