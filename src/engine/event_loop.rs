//! The turns of the loop: admit, poll, stamp, deliver, expire, report.

mod admit;
mod connection;
mod pending;
mod read_write;
mod shutdown;
mod sockets;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::engine::dns::{ResolvedAddresses, Resolver};
use crate::engine::event_loop::connection::{Connection, Numbers, Output, Then};
use crate::engine::event_loop::pending::{ConnectRequest, Held, Shortage, Waiting};
use crate::engine::event_loop::shutdown::End;
use crate::engine::event_loop::sockets::{Idle, PendingClose};
use crate::engine::limits::shared::SharedLimits;
use crate::engine::session::Session;
use crate::engine::session::action::{Action, Actions, AttemptId, Event};
use crate::engine::timers::Timers;
use crate::engine::{Limits, Observed, ResolverKind, Sink};
use crate::os::route;
use crate::plan::LocalBind;

/// The bytes of one read, and how many reads one connection gets before the others have their turn.
const READ_SIZE: usize = 4 * 1024;
const READS_PER_TURN: usize = 16;
/// After this time in one turn of the loop a connection reads once only.
const TURN: Duration = Duration::from_millis(5);
/// The events of one wake.
const EVENTS: usize = 1024;
/// How many timers go off, and how many connections are closed, before the clock is read again and others have their
/// turn: all of them take a few hundred microseconds.
const EXPIRIES: usize = 16;
const CLOSES: usize = 16;
/// How many probes have their room from the start: a table that grows is there twice while it is copied, and room that is
/// not used is no memory yet.
const TABLE: usize = 1 << 16;
/// The token of the descriptor that stops the run; the resolver's have a higher bit, connections count from 0.
const STOP: Token = Token(1 << (usize::BITS - 2));

/// Names a session for as long as the run lasts: its place, and a serial number because places are used again.
type Key = (usize, u32);

/// One thread's part of a run.
pub(in crate::engine) struct Worker<'a> {
    /// What it has in common with the other threads.
    pub gate: &'a SharedLimits<'a>,
    /// Which of them it is, counted from 0.
    pub number: usize,
    /// How many threads there are, those that have not begun included.
    threads: usize,
    /// How many probes it has under way at once.
    in_flight: usize,
    /// When the run ends.
    deadline: Option<Instant>,
    /// The descriptor that ends it sooner.
    stop: Option<BorrowedFd<'a>>,
}

impl<'a> Worker<'a> {
    /// The parts of a run that begins now: one for each thread that has something to do.
    #[allow(clippy::disallowed_methods)]
    pub fn of(limits: &Limits<'a>, gate: &'a SharedLimits<'a>) -> Vec<Self> {
        let all = limits.in_flight.get();
        let threads = limits.threads.saturating_add(limits.spares).get().min(all);
        let deadline = limits.deadline.map(|after| Instant::now() + after);
        let part = |number| {
            let in_flight = all / threads + usize::from(number < all % threads);
            Self {
                gate,
                number,
                threads,
                in_flight,
                deadline,
                stop: limits.stop,
            }
        };
        (0..threads).map(part).collect()
    }

    /// How many threads have begun.
    fn begun(&self) -> usize {
        self.gate.spares.begun().min(self.threads)
    }

    /// The thread behind it begins, if there is one that has not.
    fn call_behind(&self) {
        if self.begun() < self.threads {
            self.gate.spares.call_behind(self.number);
        }
    }
}

/// Everything that one thread of a run has in hand.
pub(in crate::engine) struct Engine<'e, 's> {
    sink: &'e mut dyn Sink,
    share: &'e Worker<'s>,
    end: End,
    poll: Poll,
    events: Events,
    wake: Wake,
    sessions: Slab<Entry>,
    connections: Slab<Connection>,
    idle: Idle,
    timers: Timers,
    resolver: Resolver,
    waiting: Waiting,
    /// Connections that had more to read than their turn allowed.
    unread: VecDeque<Token>,
    /// Connections that are to be closed, whose probes have no further use for them.
    leaving: VecDeque<PendingClose>,
    over: Vec<usize>,
    actions: Actions,
    buffer: Box<[u8]>,
    serial: u32,
    /// How many turns have begun.
    turn: u64,
}

struct Entry {
    session: Session,
    serial: u32,
    connections: Numbers,
    stage: Stage,
}

/// What the last wake brought.
#[derive(PartialEq, Eq)]
enum Wake {
    /// All that had happened.
    Whole,
    /// As much as there is room for; perhaps more has happened.
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its clock runs.
    UnderWay,
    /// It waits for our own limits, and its clock stands still.
    Held,
    /// Its report is to be handed over at the end of the turn.
    Over,
}

impl<'e, 's> Engine<'e, 's> {
    #[allow(clippy::disallowed_methods)]
    pub(in crate::engine) fn new(
        share: &'e Worker<'s>,
        sink: &'e mut dyn Sink,
        names: ResolverKind,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let resolver = names.resolver(poll.registry())?;
        if let Some(stop) = share.stop {
            poll.registry()
                .register(&mut SourceFd(&stop.as_raw_fd()), STOP, Interest::READABLE)?;
        }
        Ok(Self {
            sink,
            end: End::at(share.deadline),
            share,
            poll,
            events: Events::with_capacity(EVENTS),
            wake: Wake::Whole,
            sessions: Slab::with_capacity(share.in_flight.min(TABLE)),
            connections: Slab::with_capacity(share.in_flight.min(TABLE)),
            idle: Idle::default(),
            timers: Timers::starting(Instant::now()),
            resolver,
            waiting: Waiting::default(),
            unread: VecDeque::new(),
            leaving: VecDeque::new(),
            over: Vec::new(),
            actions: Actions::new(),
            buffer: vec![0; READ_SIZE].into_boxed_slice(),
            serial: 0,
            turn: 0,
        })
    }

    /// Begins at most one connect.
    #[allow(clippy::disallowed_methods)]
    pub(in crate::engine) fn admit(&mut self) {
        self.turn += 1;
        self.begin_next(Instant::now());
    }

    /// Whether there is nothing left to do.
    pub(in crate::engine) fn is_done(&self) -> bool {
        self.sessions.is_empty() && self.waiting.is_done() && self.leaving.is_empty()
    }

    /// Waits for events, not at all where something can be done without them, and reads the clock.
    #[allow(clippy::disallowed_methods)]
    pub(in crate::engine) fn poll(&mut self) -> io::Result<Instant> {
        let is_late = !self.unread.is_empty() || !self.leaving.is_empty() || !self.over.is_empty();
        let busy = self.may_begin() || is_late;
        let wakes = [
            self.timers.next(),
            self.resolver.next_wake(),
            self.waiting.next_look(),
            self.end.next(),
        ];
        let timeout = match wakes.into_iter().flatten().min() {
            _ if busy => Some(Duration::ZERO),
            Some(next) => Some(next.saturating_duration_since(Instant::now())),
            None => None,
        };
        if timeout != Some(Duration::ZERO) {
            self.call_another_when_full();
            self.sink.rest();
        }
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(Instant::now()),
        }
    }

    pub(in crate::engine) fn deliver(&mut self, now: Instant) {
        for token in std::mem::take(&mut self.unread) {
            self.read(token.0, now);
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        self.wake = if events.iter().count() < EVENTS {
            Wake::Whole
        } else {
            Wake::Full
        };
        for event in &events {
            let token = event.token();
            if Resolver::owns(token) {
                self.resolver.ready(self.poll.registry(), token, now);
            } else if token == STOP {
                self.end.come(now);
            } else {
                self.connection_ready(token.0, event, now);
            }
        }
        self.events = events;
        self.take_answers(now);
    }

    /// Tells sessions what their names resolve to.
    fn take_answers(&mut self, now: Instant) {
        if self.resolver.has_lacked_socket() {
            self.close_idle();
        }
        while let Some((place, answer)) = self.resolver.poll_answer() {
            let Some(entry) = self.sessions.get(place) else {
                continue;
            };
            match answer {
                Ok(addresses) => {
                    let at = now.saturating_duration_since(entry.session.started());
                    self.sink
                        .observe(entry.session.plan(), at, Observed::Answer(&addresses));
                    let chosen = in_order(&addresses, &entry.session.plan().spec.origin);
                    self.handle(place, Event::Resolved(&chosen), now);
                }
                Err(failure) => self.handle(place, Event::Unresolved(failure), now),
            }
        }
    }

    pub(in crate::engine) fn expire(&mut self, now: Instant) {
        self.resolver.expire(self.poll.registry(), now);
        self.take_answers(now);
        for _ in 0..EXPIRIES {
            let Some(place) = self.timers.pop_due(now) else {
                break;
            };
            self.hear_out(place, now);
            self.tick(place, now);
            // One after the other, so that they do not all lie in memory when thousands end at once.
            self.report();
        }
        self.end_when_due(now);
    }

    /// Where more events were there than one wake takes, what a session waits for may be among the rest: its time was
    /// enough, ours was not.
    fn hear_out(&mut self, place: usize, now: Instant) {
        if self.wake == Wake::Full {
            let Some(entry) = self.sessions.get(place) else {
                return;
            };
            for number in entry.connections.all() {
                self.look_at(number, now);
            }
        }
    }

    /// Tells a session the time.
    fn tick(&mut self, place: usize, now: Instant) {
        let Some(entry) = self
            .sessions
            .get_mut(place)
            .filter(|entry| entry.stage != Stage::Over)
        else {
            return;
        };
        let (connections, all) = (&entry.connections, &self.connections);
        let info = |attempt: AttemptId| {
            let number = connections.of(attempt)?;
            all.get(number)?.wire.tcp_info()
        };
        entry.stage = Stage::UnderWay;
        entry.session.tick(now, info, &mut self.actions);
        self.settle(place, now);
    }

    /// Hands over the reports of what is over.
    pub(in crate::engine) fn report(&mut self) {
        let mut over = std::mem::take(&mut self.over);
        for place in over.drain(..) {
            if let Some(entry) = self.sessions.try_remove(place) {
                if entry.session.plan().ip().is_none() {
                    self.resolver.cancel(place);
                }
                if let Some(report) = entry.session.into_report() {
                    self.sink.deliver(report);
                }
            }
        }
        self.over = over;
    }

    /// Tells a session what happened, and does what it wishes.
    fn handle(&mut self, place: usize, event: Event<'_>, now: Instant) {
        self.tell(place, event, now);
        self.settle(place, now);
    }

    /// Tells a session what happened; its wishes wait for [`Engine::settle`].
    fn tell(&mut self, place: usize, event: Event<'_>, now: Instant) {
        let Some(entry) = self.sessions.get_mut(place) else {
            return;
        };
        let at = now.saturating_duration_since(entry.session.started());
        self.sink
            .observe(entry.session.plan(), at, Observed::Event(&event));
        entry.session.handle(event, now, &mut self.actions);
    }

    /// Fulfils the wishes of a session and notes when it wants to be woken.
    fn settle(&mut self, place: usize, now: Instant) {
        while let Some(wish) = self.actions.pop_front() {
            if let Some(entry) = self.sessions.get(place) {
                let at = now.saturating_duration_since(entry.session.started());
                self.sink
                    .observe(entry.session.plan(), at, Observed::Action(&wish));
            }
            self.fulfil(place, wish, now);
        }
        let Some(entry) = self.sessions.get_mut(place) else {
            return;
        };
        match entry.stage {
            Stage::Over => {}
            _ if entry.session.is_over() => {
                entry.stage = Stage::Over;
                self.timers.clear(place);
                self.over.push(place);
            }
            // Who has no time left waits for nothing any more.
            Stage::UnderWay if entry.session.is_idle() && entry.session.deadline() > now => {
                entry.stage = Stage::Held;
                self.timers.clear(place);
                self.waiting.held.insert(
                    place,
                    Held {
                        since: now,
                        turn: self.turn,
                    },
                );
            }
            Stage::UnderWay => self.timers.set(place, entry.session.next_wake()),
            Stage::Held => {}
        }
    }

    fn fulfil(&mut self, place: usize, wish: Action, now: Instant) {
        let Some(entry) = self.sessions.get_mut(place) else {
            return;
        };
        match wish {
            Action::Resolve => {
                let (plan, deadline) = (entry.session.plan(), entry.session.deadline());
                if let crate::address::Host::Name(name) = &plan.target.host {
                    self.resolver.start(
                        self.poll.registry(),
                        place,
                        name,
                        plan.spec.family,
                        now,
                        deadline,
                    );
                }
            }
            Action::Open(attempt, address) => {
                let key = (place, entry.serial);
                self.waiting.connect(ConnectRequest {
                    key,
                    attempt,
                    address,
                    lack: Shortage::Nothing,
                });
            }
            Action::Send(attempt, bytes) => {
                let Some(number) = entry.connections.of(attempt) else {
                    return;
                };
                if let Some(connection) = self.connections.get_mut(number) {
                    connection.output = Some(Box::new(Output {
                        bytes,
                        then: Then::Nothing,
                    }));
                }
                // What is wished for then comes after this wish, not inside it: steps are many, the stack is not.
                if let Some((place, what)) = self.write(number) {
                    self.tell(place, what, now);
                }
            }
            Action::Explain(..) => {}
            Action::Shutdown(attempt) => {
                let number = entry.connections.of(attempt);
                let Some(connection) = number.and_then(|number| self.connections.get_mut(number))
                else {
                    return;
                };
                match &mut connection.output {
                    Some(output) => output.then = Then::Shutdown,
                    None => connection.wire.shutdown(),
                }
            }
            Action::Close(attempt, how) => {
                let remote = entry.session.remote(attempt);
                if let (Some(number), Some(remote)) = (entry.connections.take(attempt), remote) {
                    self.leave_later(number, remote.ip(), how);
                }
            }
        }
    }
}

/// A name's addresses in the order to try them: IPv6 first where this machine has a route to it from this origin.
fn in_order(addresses: &ResolvedAddresses, origin: &LocalBind) -> Vec<IpAddr> {
    let v4 = addresses.v4.iter().copied().map(IpAddr::from);
    let v6 = addresses.v6.iter().copied().map(IpAddr::from);
    let v6_first = addresses
        .v6
        .first()
        .is_some_and(|address| route::has_route((*address).into(), origin.interface_name()));
    if v6_first {
        v6.chain(v4).collect()
    } else {
        v4.chain(v6).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a slab keeps its elements.
    #[allow(dead_code)]
    enum Slot<T> {
        Free(usize),
        Taken(T),
    }

    #[test]
    fn thousands_can_be_under_way() {
        assert!(
            size_of::<Slot<Entry>>() <= 120,
            "{}",
            size_of::<Slot<Entry>>()
        );
        assert!(
            size_of::<Slot<Connection>>() <= 32,
            "{}",
            size_of::<Slot<Connection>>()
        );
    }
}
