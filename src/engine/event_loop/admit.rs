//! Admission: which plan or connect starts next, and what it has to wait for.
//!
//! While a probe waits for our own limits its clock is stopped, so that neither its times nor its
//! deadline depend on our queue.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::pending::{AddressWaiter, ConnectRequest};
use crate::engine::event_loop::sessions::{Sessions, SlotState};
use crate::engine::index::{ConnId, SessionId};
use crate::engine::limits::shared::LimitReached;
use crate::engine::session::Session;
use crate::engine::session::action::{AttemptId, Event};
use crate::engine::stream::OpenError;
use crate::failure::Failure;
use crate::plan::Plan;

/// Backoff after this machine lacked a descriptor, a port or memory.
const EXHAUSTION_BACKOFF: Duration = Duration::from_millis(10);
/// How often addresses are checked whose connections belong to other workers.
const RECHECK_INTERVAL: Duration = Duration::from_millis(5);
/// Most probes with silent lookups that may be in flight in addition to the limit.
const MAX_SILENT: usize = 1 << 14;
/// Most plans that one turn takes from the source to find one that can start.
const PLANS_PER_TURN: usize = 64;

/// Whether a connect used the turn that it had.
#[derive(PartialEq, Eq)]
enum TurnUse {
    /// The turn is over.
    Used,
    /// Its address is not available; the next connect may have the turn.
    Unused,
}

impl EventLoop<'_, '_> {
    /// Starts at most one connect: one that a session asked for, else that of a new plan.
    pub(in crate::engine) fn start_one(&mut self, now: Instant) {
        if self.deadline.is_over() || self.pending.is_paused(now) {
            return;
        }
        self.pending.check_source_time(now);
        self.release_unanswered(now);
        self.recheck_addresses(now);
        self.pending.retry_port(now, now + EXHAUSTION_BACKOFF);
        if !self.pending.has_connect() {
            if let Some(plan) = self.next_plan(now) {
                self.start_session(plan, now);
            }
        }
        while let Some(request) = self.pending.pop_connect() {
            if !is_wanted(&self.sessions, &request) {
                self.pending.port_settled(&request);
                self.pass_on(request.address.ip());
            } else if self.start_connect(request, now) == TurnUse::Used {
                return;
            }
        }
    }

    /// Whether [`EventLoop::start_one`] may have something to do before anything else happens.
    pub(in crate::engine) fn may_start(&self) -> bool {
        let may_start_plan =
            || self.has_capacity() && self.pending.may_have_plan(|| self.resolver.has_capacity());
        !self.deadline.is_over() && (self.pending.has_connect() || may_start_plan())
    }

    /// Whether one more probe may be in flight. Parked sessions do not count, nor do those whose
    /// names have been looked up for longer than most answers take; connections that are not closed
    /// yet do, because they still have their descriptors.
    pub(in crate::engine) fn has_capacity(&self) -> bool {
        let used = (self.sessions.len() + self.connections.closing.len())
            .saturating_sub(self.pending.parked.len());
        used < self.worker.in_flight
            || used.saturating_sub(self.resolver.silent_requests().min(MAX_SILENT))
                < self.worker.in_flight
    }

    /// A plan that can start now.
    fn next_plan(&mut self, now: Instant) -> Option<Arc<Plan>> {
        if !self.has_capacity() {
            return None;
        }
        let shared = self.worker.shared;
        self.resolver.share_limit(self.worker.started());
        if let Some(until) = shared.rate_limited_until(now) {
            self.pending.pause(until);
            return None;
        }
        for _ in 0..PLANS_PER_TURN {
            let resolves = self.resolver.has_capacity();
            if let Some(plan) = if resolves {
                self.pending.pop_unresolved()
            } else {
                None
            } {
                return Some(plan);
            }
            let plan = self.pending.next_plan(|| shared.next_plan(now))?;
            match plan.ip() {
                Some(address) if !shared.is_available(address) => {
                    let (waiter, recheck) = (AddressWaiter::Plan(plan), self.next_recheck(now));
                    self.pending.wait_for_address(address, waiter, recheck);
                }
                None if !resolves => self.pending.wait_for_resolver(plan),
                _ => return Some(plan),
            }
        }
        None
    }

    /// Starts a standby worker if this one is full.
    pub(in crate::engine) fn start_standby_when_full(&self) {
        if !self.has_capacity() {
            self.start_standby();
        }
    }

    fn start_standby(&self) {
        if self.pending.expects_connects() {
            self.worker.start_next();
        }
    }

    fn start_session(&mut self, plan: Arc<Plan>, now: Instant) {
        let mut session = Session::start(plan, self.worker.policy, now, &mut self.actions);
        self.deadline.limit(&mut session);
        let id = self.sessions.insert(session);
        self.apply_actions(id, now);
        let finished = self
            .sessions
            .get(id)
            .filter(|slot| slot.state == SlotState::Finished);
        if let Some(address) = finished.and_then(|slot| slot.session.plan().ip()) {
            self.pass_on(address);
        }
    }

    fn start_connect(&mut self, request: ConnectRequest, now: Instant) -> TurnUse {
        let address = request.address.ip();
        let Some(slot) = self.sessions.get(request.session.id) else {
            return TurnUse::Unused;
        };
        let plan = Arc::clone(slot.session.plan());
        match self.worker.shared.acquire(address, now) {
            Ok(()) => {}
            Err(LimitReached::RateLimit(until)) => {
                self.pending.pause(until);
                self.pending.requeue_connect(request);
                return TurnUse::Used;
            }
            Err(LimitReached::AddressLimit) => {
                let (waiter, recheck) = (AddressWaiter::Connect(request), self.next_recheck(now));
                self.pending.wait_for_address(address, waiter, recheck);
                return TurnUse::Unused;
            }
        }
        match request.limited {
            None => self.send_syn(request, &plan, now),
            Some(syn) => self.send_limited(&request, syn, &plan, now),
        }
        TurnUse::Used
    }

    /// Performs a connect that the limits allow.
    fn send_syn(&mut self, request: ConnectRequest, plan: &Plan, now: Instant) {
        let ConnectRequest {
            session,
            attempt,
            address,
            ..
        } = request;
        match self.connect(plan, address) {
            Ok(connection) => {
                self.pending.port_settled(&request);
                if self.worker.shared.limits_addresses() {
                    self.unanswered.push(session, attempt, None, now);
                }
                self.opened(session.id, attempt, connection, now);
            }
            Err(OpenError::Exhausted(why)) => {
                self.start_standby();
                self.blocked(&request, why, now);
                self.pending.queue_connect(request);
                self.pending.pause(now + EXHAUSTION_BACKOFF);
            }
            Err(OpenError::NoPort(why)) => {
                self.blocked(&request, why, now);
                self.pending
                    .wait_for_port(request, now + EXHAUSTION_BACKOFF);
            }
            Err(OpenError::Final(failure)) => {
                self.resume(session.id, now);
                self.handle(session.id, Event::Failed(attempt, failure, None), now);
                self.closed(address.ip());
            }
        }
    }

    /// This machine lacks a resource for this connect.
    fn blocked(&mut self, request: &ConnectRequest, why: Failure, now: Instant) {
        let id = request.session.id;
        self.worker.shared.cancel(request.address.ip());
        let is_parked = self
            .sessions
            .get(id)
            .is_some_and(|slot| slot.state == SlotState::Parked);
        // While other connections of the run use the missing resource, it only waits for the run
        // itself, so its clock stays stopped.
        if self.connections.open() == 0 || !is_parked {
            self.resume(id, now);
            self.handle(id, Event::Blocked(request.attempt, why), now);
        }
    }

    fn opened(&mut self, id: SessionId, attempt: AttemptId, connection: ConnId, now: Instant) {
        let Some(opened) = self.connections.get_mut(connection) else {
            return;
        };
        opened.assign(id, attempt);
        if let Some(slot) = self.sessions.get_mut(id) {
            slot.connections.put(attempt, connection);
        }
        self.resume(id, now);
        self.handle(id, Event::Opened(attempt), now);
    }

    /// Starts the clock of a parked session again.
    pub(in crate::engine) fn resume(&mut self, id: SessionId, now: Instant) {
        let Some(parked) = self.pending.parked.remove(&id) else {
            return;
        };
        if let Some(slot) = self.sessions.get_mut(id) {
            // Only shift the clock if it really waited, for more than one turn; otherwise repeated
            // attempts would keep extending the deadline.
            if self.turn > parked.turn + 1 {
                slot.session
                    .shift_clock(now.saturating_duration_since(parked.since));
            }
            self.deadline.limit(&mut slot.session);
            slot.state = SlotState::Running;
        }
    }

    /// A connection to this address was closed, or could not be opened: releases its slot.
    pub(in crate::engine) fn closed(&mut self, address: IpAddr) {
        self.worker.shared.release(address);
        self.pending.unpause();
        self.wake_waiter(address);
    }

    /// Wakes the next waiter for this address, which has one more slot.
    pub(in crate::engine) fn wake_waiter(&mut self, address: IpAddr) {
        self.pending
            .wake_waiter(address, |request| is_wanted(&self.sessions, request));
    }

    /// Wakes the next waiter for this address, since the last one may not have used its slot.
    fn pass_on(&mut self, address: IpAddr) {
        if self.worker.shared.is_available(address) {
            self.wake_waiter(address);
        }
    }

    /// Checks the addresses that something waits for, because other workers send no event when they
    /// release one.
    fn recheck_addresses(&mut self, now: Instant) {
        let Some(next) = self.next_recheck(now) else {
            return;
        };
        if !self.pending.is_recheck_due(now, next) {
            return;
        }
        let shared = self.worker.shared;
        for address in self.pending.addresses_to_recheck(shared.released()) {
            for _ in 0..shared.available(address).min(self.pending.waiters(address)) {
                self.wake_waiter(address);
            }
        }
    }

    fn next_recheck(&self, now: Instant) -> Option<Instant> {
        (self.worker.workers > 1).then(|| now + RECHECK_INTERVAL)
    }
}

/// Whether the session still waits for this connect.
pub(in crate::engine) fn is_wanted(sessions: &Sessions, request: &ConnectRequest) -> bool {
    sessions
        .by_key(request.session)
        .is_some_and(|slot| match request.limited {
            None => slot.session.awaits_open(request.attempt),
            Some(syn) => slot.session.awaits_syn(request.attempt, syn.number),
        })
}
