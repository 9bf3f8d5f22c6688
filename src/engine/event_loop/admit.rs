//! Beginning: which plan is next, which connect, and what keeps them waiting.
//!
//! While a probe waits for our own limits its clock stands still, so that neither its times nor its deadline tell of
//! our queue.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::event_loop::connection::Numbers;
use crate::engine::event_loop::pending::{ConnectRequest, Waiter};
use crate::engine::event_loop::{Engine, Entry, Stage};
use crate::engine::limits::shared::Wait;
use crate::engine::session::Session;
use crate::engine::session::action::{AttemptId, Event};
use crate::engine::stream::OpenError;
use crate::failure::Failure;
use crate::plan::Plan;

/// How long the engine waits before it asks again for descriptors, a port or memory that this machine lacked.
const EXHAUSTION_PAUSE: Duration = Duration::from_millis(10);
/// How often an address is looked at whose connections are another thread's.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How many plans one turn takes up, to begin one of them.
const LOOKS_PER_TURN: usize = 64;

/// What came of the turn of a connect.
#[derive(PartialEq, Eq)]
enum Turn {
    /// It was used.
    Used,
    /// Its address is busy; the next connect may have it.
    Left,
}

impl Engine<'_, '_> {
    /// Begins at most one connect: one that is wished for, else that of a new plan.
    pub(in crate::engine) fn begin_next(&mut self, now: Instant) {
        if self.end.has_come() || self.waiting.is_paused(now) {
            return;
        }
        self.look_again(now);
        self.waiting.try_for_port(now, now + EXHAUSTION_PAUSE);
        if !self.waiting.has_connect() {
            if let Some(plan) = self.next_plan(now) {
                self.start(plan, now);
            }
        }
        while let Some(opening) = self.waiting.next_connect() {
            if !self.is_wished(&opening) {
                self.waiting.has_port(&opening);
                self.pass_on(opening.address.ip());
            } else if self.open(opening, now) == Turn::Used {
                return;
            }
        }
    }

    /// Whether [`Engine::begin_next`] may have something to do before anything else happens.
    pub(in crate::engine) fn may_begin(&self) -> bool {
        let begins_plan =
            || self.has_room() && self.waiting.may_have_plan(|| self.resolver.has_capacity());
        !self.end.has_come() && (self.waiting.has_connect() || begins_plan())
    }

    fn has_room(&self) -> bool {
        (self.sessions.len() + self.leaving.len()).saturating_sub(self.waiting.held.len())
            < self.share.in_flight
    }

    /// A plan that can begin now.
    fn next_plan(&mut self, now: Instant) -> Option<Arc<Plan>> {
        if !self.has_room() {
            return None;
        }
        self.resolver.share_limit(self.share.begun());
        if let Some(until) = self.share.gate.pace(now) {
            self.waiting.pause(until);
            return None;
        }
        for _ in 0..LOOKS_PER_TURN {
            let resolves = self.resolver.has_capacity();
            if let Some(plan) = if resolves {
                self.waiting.next_name()
            } else {
                None
            } {
                return Some(plan);
            }
            let plan = self.waiting.next_plan(|| self.share.gate.next_plan())?;
            match plan.ip() {
                Some(address) if !self.share.gate.has_room(address) => {
                    self.waiting
                        .for_address(address, Waiter::Plan(plan), self.next_look(now));
                }
                None if !resolves => self.waiting.for_resolver(plan),
                _ => return Some(plan),
            }
        }
        None
    }

    /// Where there is no room, a thread that has some may begin what is left.
    pub(in crate::engine) fn call_another_when_full(&self) {
        if !self.has_room() {
            self.call_another();
        }
    }

    fn call_another(&self) {
        if self.waiting.may_have_more() {
            self.share.call_behind();
        }
    }

    fn start(&mut self, plan: Arc<Plan>, now: Instant) {
        let mut session = Session::start(plan, now, &mut self.actions);
        self.end.cut(&mut session);
        self.serial = self.serial.wrapping_add(1);
        let stage = Stage::UnderWay;
        let entry = Entry {
            session,
            serial: self.serial,
            connections: Numbers::default(),
            stage,
        };
        let place = self.sessions.insert(entry);
        self.settle(place, now);
        let over = self
            .sessions
            .get(place)
            .filter(|entry| entry.stage == Stage::Over);
        if let Some(address) = over.and_then(|entry| entry.session.plan().ip()) {
            self.pass_on(address);
        }
    }

    /// Whether the session still waits for this connect.
    fn is_wished(&self, opening: &ConnectRequest) -> bool {
        is_wished(&self.sessions, opening)
    }

    fn open(&mut self, opening: ConnectRequest, now: Instant) -> Turn {
        let (place, address) = (opening.key.0, opening.address);
        let Some(entry) = self.sessions.get(place) else {
            return Turn::Left;
        };
        let plan = Arc::clone(entry.session.plan());
        match self.share.gate.begin(address.ip(), now) {
            Ok(()) => {}
            Err(Wait::Until(until)) => {
                self.waiting.pause(until);
                self.waiting.connect_first(opening);
                return Turn::Used;
            }
            Err(Wait::ForAddress) => {
                self.waiting.for_address(
                    address.ip(),
                    Waiter::Connect(opening),
                    self.next_look(now),
                );
                return Turn::Left;
            }
        }
        self.send_syn(opening, &plan, now);
        Turn::Used
    }

    /// Begins a connect that may begin.
    fn send_syn(&mut self, opening: ConnectRequest, plan: &Plan, now: Instant) {
        let ConnectRequest {
            key: (place, _),
            attempt,
            address,
            ..
        } = opening;
        match self.connect(plan, address) {
            Ok(number) => {
                self.waiting.has_port(&opening);
                self.opened(place, attempt, number, now);
            }
            Err(OpenError::Exhausted(why)) => {
                self.call_another();
                self.blocked(&opening, why, now);
                self.waiting.connect(opening);
                self.waiting.pause(now + EXHAUSTION_PAUSE);
            }
            Err(OpenError::NoPort(why)) => {
                self.blocked(&opening, why, now);
                self.waiting.for_port(opening, now + EXHAUSTION_PAUSE);
            }
            Err(OpenError::Final(failure)) => {
                self.resume(place, now);
                self.handle(place, Event::Failed(attempt, failure, None), now);
                self.closed(address.ip());
            }
        }
    }

    /// This machine lacks something for this connect.
    fn blocked(&mut self, opening: &ConnectRequest, why: Failure, now: Instant) {
        let ConnectRequest {
            key: (place, _),
            attempt,
            address,
            ..
        } = *opening;
        self.share.gate.take_back(address.ip());
        let is_held = self
            .sessions
            .get(place)
            .is_some_and(|entry| entry.stage == Stage::Held);
        // Who waits for what other connections of ours have is in our own queue.
        if self.open_connections() == 0 || !is_held {
            self.resume(place, now);
            self.handle(place, Event::Blocked(attempt, why), now);
        }
    }

    fn opened(&mut self, place: usize, attempt: AttemptId, number: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        connection.begin(place, attempt);
        if let Some(entry) = self.sessions.get_mut(place) {
            entry.connections.put(attempt, number);
        }
        self.resume(place, now);
        self.handle(place, Event::Opened(attempt), now);
    }

    /// Lets the clock of a session that waited for our own limits run again. Whose turn came at once has not waited: of
    /// many attempts each would put the deadline off by a moment.
    pub(in crate::engine) fn resume(&mut self, place: usize, now: Instant) {
        let Some(held) = self.waiting.held.remove(&place) else {
            return;
        };
        if let Some(entry) = self.sessions.get_mut(place) {
            if self.turn > held.turn + 1 {
                entry
                    .session
                    .postpone(now.saturating_duration_since(held.since));
            }
            self.end.cut(&mut entry.session);
            entry.stage = Stage::UnderWay;
        }
    }

    /// A connection of this address was closed, or could not be opened after all.
    pub(in crate::engine) fn closed(&mut self, address: IpAddr) {
        self.share.gate.end(address);
        self.waiting.unpause();
        self.free(address);
    }

    fn free(&mut self, address: IpAddr) {
        self.waiting
            .free(address, |opening| is_wished(&self.sessions, opening));
    }

    /// Whose turn at this address it was may not have used it: the next has it then.
    fn pass_on(&mut self, address: IpAddr) {
        if self.share.gate.has_room(address) {
            self.free(address);
        }
    }

    /// Other threads tell nobody when they close a connection, so addresses that are waited for are looked at.
    fn look_again(&mut self, now: Instant) {
        let Some(next) = self.next_look(now) else {
            return;
        };
        if !self.waiting.is_time_to_look(now, next) {
            return;
        }
        let ended = self.share.gate.ended();
        for address in self.waiting.addresses_to_look_at(ended) {
            for _ in 0..self
                .share
                .gate
                .room(address)
                .min(self.waiting.waiters(address))
            {
                self.free(address);
            }
        }
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        (self.share.threads > 1).then(|| now + LOOK_AGAIN)
    }
}

fn is_wished(sessions: &slab::Slab<Entry>, opening: &ConnectRequest) -> bool {
    let (place, serial) = opening.key;
    let entry = sessions.get(place).filter(|entry| entry.serial == serial);
    entry.is_some_and(|entry| entry.session.waits_for(opening.attempt))
}
