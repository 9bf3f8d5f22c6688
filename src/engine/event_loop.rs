//! The event loop of one worker, and its turns: admit, poll, deliver, expire, report, close.
//!
//! The tables and their indices are in `docs/architecture.md`.

mod admit;
mod connection;
mod delays;
mod io;
mod layered;
mod memory;
mod pending;
mod poller;
mod sessions;
mod shutdown;
mod sockets;
mod trace;
mod unanswered;
mod unread;
pub(super) mod worker;

pub use unanswered::UNANSWERED_COUNTS;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::address::Host;
use crate::engine::dns::{AddressOrder, ResolvedAddresses, Resolver, owns_token};
use crate::engine::error::PollError;
use crate::engine::event_loop::connection::Connections;
use crate::engine::event_loop::delays::Delays;
use crate::engine::event_loop::io::measure;
use crate::engine::event_loop::memory::ReceiveMemory;
use crate::engine::event_loop::pending::{ConnectRequest, LimitedSyn, Parked, Pending, Shortage};
use crate::engine::event_loop::poller::{EVENTS, Poller, SOURCE, STOP};
use crate::engine::event_loop::sessions::{Sessions, SlotState};
use crate::engine::event_loop::shutdown::RunDeadline;
use crate::engine::event_loop::trace::TraceConnections;
use crate::engine::event_loop::unanswered::UnansweredConnects;
use crate::engine::event_loop::worker::Worker;
use crate::engine::index::{ConnId, SessionId, SessionKey};
use crate::engine::limits::Limits;
use crate::engine::limits::shared::SharedLimits;
use crate::engine::resolver_kind::ResolverKind;
use crate::engine::session::action::{Action, Actions, AttemptId, Event};
use crate::engine::sink::{Observed, Sink};
use crate::os::route;
use crate::plan::LocalBind;
use crate::policy::Policy;

/// Bytes of one read.
const READ_SIZE: usize = 4 * 1024;
/// Most preallocated slots of a table. Preallocated because growing would copy the table; untouched
/// capacity costs no resident memory.
const MAX_PREALLOCATED: usize = 1 << 16;
/// Most timers handled before the clock is read again: takes a few hundred microseconds.
const TIMERS_PER_TURN: usize = 16;

/// The workers of a run that starts now.
#[allow(clippy::disallowed_methods)]
pub(super) fn workers<'a>(
    limits: &Limits<'a>,
    policy: &'a Policy,
    shared: &'a SharedLimits<'a>,
) -> Vec<Worker<'a>> {
    Worker::split(limits, policy, shared, Instant::now())
}

/// Runs the event loop of one worker until everything is done.
///
/// # Errors
/// When this machine cannot poll sockets. The plans that the worker had taken are reported then.
pub(super) fn run(
    worker: &Worker<'_>,
    sink: &mut dyn Sink,
    resolver: ResolverKind,
) -> Result<(), PollError> {
    let mut event_loop = EventLoop::new(worker, sink, resolver)?;
    loop {
        event_loop.admit();
        if event_loop.is_done() {
            return Ok(());
        }
        let now = event_loop
            .poll()
            .inspect_err(|error| event_loop.abort(error))?;
        event_loop.deliver(now);
        event_loop
            .collect_before_expiry(now)
            .inspect_err(|error| event_loop.abort(error))?;
        event_loop.expire(now);
        event_loop.report();
        event_loop.close_finished(now);
    }
}

/// The state of one worker.
struct EventLoop<'e, 's> {
    /// Takes the reports.
    sink: &'e mut dyn Sink,
    /// The worker's part of the run, and what it shares with the others.
    worker: &'e Worker<'s>,
    /// When the run ends.
    deadline: RunDeadline,
    /// The event queue.
    poller: Poller,
    /// Probes that have started, by [`SessionId`].
    sessions: Sessions,
    /// Sockets, by [`ConnId`].
    connections: Connections,
    /// Connects and plans that wait.
    pending: Pending,
    /// Connects that count for their address until they are unanswered for too long.
    unanswered: UnansweredConnects,
    /// The connections that trace paths.
    traces: TraceConnections,
    /// What is counted of the received bytes.
    memory: ReceiveMemory,
    /// Resolves names; its lookups are keyed by [`SessionId::index`].
    resolver: Box<dyn Resolver>,
    /// Actions of the session that is being driven; empty between calls.
    actions: Actions,
    /// Filled by one read; kept to allocate it once.
    buffer: Box<[u8]>,
    /// Number of turns so far.
    turn: u64,
    /// How late it is.
    delays: Delays,
    /// What the sink [wants](Sink::measures_exchange).
    measures_exchange: bool,
}

impl<'e, 's> EventLoop<'e, 's> {
    #[allow(clippy::disallowed_methods)]
    fn new(
        worker: &'e Worker<'s>,
        sink: &'e mut dyn Sink,
        resolver: ResolverKind,
    ) -> Result<Self, PollError> {
        let poller = Poller::new(worker)?;
        let resolver = resolver.resolver(poller.registry())?;
        let capacity = worker.in_flight.min(MAX_PREALLOCATED);
        let now = Instant::now();
        Ok(Self {
            measures_exchange: sink.measures_exchange(),
            sink,
            worker,
            deadline: RunDeadline::new(worker.deadline),
            poller,
            sessions: Sessions::new(capacity, now),
            connections: Connections::new(capacity),
            pending: Pending::default(),
            unanswered: UnansweredConnects::default(),
            traces: TraceConnections::default(),
            memory: ReceiveMemory::default(),
            resolver,
            actions: Actions::new(),
            buffer: vec![0; READ_SIZE].into_boxed_slice(),
            turn: 0,
            delays: Delays::new(now),
        })
    }

    /// Begins a turn, and starts at most one connect in it.
    #[allow(clippy::disallowed_methods)]
    fn admit(&mut self) {
        self.turn += 1;
        let now = Instant::now();
        self.worked_until(now);
        self.start_one(now);
    }

    /// Whether nothing is left to do.
    fn is_done(&self) -> bool {
        self.sessions.is_empty() && self.pending.is_done() && self.connections.closing.is_empty()
    }

    /// Waits for events, or only fetches them if there is other work, and reads the clock.
    #[allow(clippy::disallowed_methods)]
    fn poll(&mut self) -> Result<Instant, PollError> {
        self.continue_waiting_for_memory(self.delays.read_at);
        let has_work = !self.connections.unread.is_empty()
            || !self.connections.closing.is_empty()
            || !self.sessions.finished.is_empty()
            || self.may_start();
        let next = [
            self.next_expiry(),
            self.pending.next_retry(),
            self.next_release(),
            self.next_memory_check(self.delays.read_at),
        ];
        let timeout = match next.into_iter().flatten().min() {
            _ if has_work => Some(Duration::ZERO),
            Some(next) => {
                let now = Instant::now();
                self.worked_until(now);
                Some(next.saturating_duration_since(now))
            }
            None => None,
        };
        if timeout != Some(Duration::ZERO) {
            self.start_standby_when_full();
            self.sink.before_wait();
        }
        self.poller.wait(timeout)?;
        let now = Instant::now();
        // The resolver's may be any time in the past.
        let timers = [self.sessions.timers.next(), self.deadline.next()];
        self.woke(now, timeout, timers.into_iter().flatten().min());
        Ok(now)
    }

    /// When something expires next: a timer of a session or of the resolver, or the run.
    fn next_expiry(&self) -> Option<Instant> {
        let times = [
            self.sessions.timers.next(),
            self.resolver.next_wake(),
            self.deadline.next(),
        ];
        times.into_iter().flatten().min()
    }

    /// Before anything expires, handles all events that the kernel holds: those that did not fit
    /// into the last wake, and those that came after it but before the clock was read, however long
    /// this process was stopped in between.
    fn collect_before_expiry(&mut self, now: Instant) -> Result<(), PollError> {
        if self.next_expiry().is_none_or(|next| next > now) {
            return Ok(());
        }
        // Each wake brings the events of other descriptors, until one has room left.
        for _ in 0..=self.connections.open() / EVENTS + 1 {
            self.poller.wait(Some(Duration::ZERO))?;
            self.deliver_events(now);
            if !self.poller.is_behind() {
                break;
            }
        }
        Ok(())
    }

    /// Handles what the last turn left unread, and the events of the last wake.
    fn deliver(&mut self, now: Instant) {
        self.continue_unread(now);
        self.deliver_events(now);
    }

    /// Handles the events of the last wake.
    fn deliver_events(&mut self, now: Instant) {
        let events = self.poller.take();
        for event in &events {
            let token = event.token();
            if owns_token(token) {
                self.resolver.ready(self.poller.registry(), token, now);
            } else if token == STOP {
                self.deadline.stop(now);
            } else if token == SOURCE {
                self.pending.source_is_ready();
            } else if !self.waits_to_read(ConnId::new(token.0), now) {
                self.connection_ready(ConnId::new(token.0), event, now);
            }
        }
        self.poller.put_back(events);
        self.take_answers(now);
    }

    /// Hands the answers of the resolver to their sessions.
    fn take_answers(&mut self, now: Instant) {
        if self.resolver.ran_out_of_sockets() {
            self.close_reusable();
        }
        self.delays.event = self.delays.timer;
        while let Some((key, answer)) = self.resolver.poll_answer() {
            let id = SessionId::new(key);
            let Some(slot) = self.sessions.get(id) else {
                continue;
            };
            match answer {
                Ok(addresses) => {
                    let plan = slot.session.plan();
                    if self.sink.observes() {
                        let at = now.saturating_duration_since(slot.session.started());
                        self.sink.observe(plan, at, Observed::Answer(&addresses));
                    }
                    let sorted = in_order(&addresses, &plan.spec.bind);
                    let resolved = Event::Resolved(&sorted, self.worker.policy);
                    self.handle(id, resolved, now);
                }
                Err(failure) => self.handle(id, Event::Unresolved(failure), now),
            }
        }
        self.end_event();
    }

    /// Handles timers: those of the resolver, up to [`TIMERS_PER_TURN`] sessions, the run's.
    fn expire(&mut self, now: Instant) {
        self.resolver.expire(self.poller.registry(), now);
        self.take_answers(now);
        for _ in 0..TIMERS_PER_TURN {
            let Some(id) = self.sessions.timers.pop_due(now) else {
                break;
            };
            if self.is_due_for_lack_of_memory(id, now) {
                continue;
            }
            self.read_rest(id, now);
            self.fail_unsent(id, now);
            self.delays.event = self.delays.timer;
            self.tick(id, now);
            self.end_event();
            // One by one: the reports of thousands that end at once need not all be in memory.
            self.report();
        }
        self.end_when_due(now);
    }

    /// Before a session times out, takes the result of its lookup, and reads the data that its
    /// connections have left unread because there was too much: the expected answer may have
    /// arrived in time.
    fn read_rest(&mut self, id: SessionId, now: Instant) {
        let slot = self.sessions.get(id);
        if slot.is_some_and(|slot| slot.session.is_resolving()) {
            let registry = self.poller.registry();
            self.resolver.expire_request(registry, id.index(), now);
            return self.take_answers(now);
        }
        if self.waits_for_memory(id) {
            if let Some(slot) = self.sessions.get_mut(id) {
                slot.session.lack_memory();
            }
            return;
        }
        if self.connections.unread.is_empty() {
            return;
        }
        let Some(slot) = self.sessions.get(id) else {
            return;
        };
        for connection in slot.connections.all() {
            self.read_all(connection, now);
        }
    }

    /// Lets a session handle its timers.
    fn tick(&mut self, id: SessionId, now: Instant) {
        self.end_handshakes(id, now);
        self.measure_silent(id, now);
        let Some(slot) = self
            .sessions
            .get_mut(id)
            .filter(|slot| slot.state != SlotState::Finished)
        else {
            return;
        };
        let (of_session, connections) = (&slot.connections, &self.connections);
        let info = |attempt: AttemptId| {
            let connection = of_session.of(attempt)?;
            connections.get(connection)?.wire.tcp_info()
        };
        slot.state = SlotState::Running;
        slot.session.tick(now, info, &mut self.actions);
        self.apply_actions(id, now);
    }

    /// Hands over the reports of finished sessions.
    fn report(&mut self) {
        let mut finished = std::mem::take(&mut self.sessions.finished);
        for id in finished.drain(..) {
            if let Some(slot) = self.sessions.remove(id) {
                if slot.session.plan().ip().is_none() {
                    self.resolver.cancel(id.index());
                }
                if let Some(report) = slot.session.into_report() {
                    self.sink.deliver(report);
                }
            }
        }
        self.sessions.finished = finished;
    }

    /// Lets a session handle an event, and performs its actions.
    fn handle(&mut self, id: SessionId, event: Event<'_>, now: Instant) {
        self.notify(id, event, now);
        self.apply_actions(id, now);
    }

    /// Lets a session handle an event; its actions are left for [`EventLoop::apply_actions`].
    fn notify(&mut self, id: SessionId, event: Event<'_>, now: Instant) {
        if let Event::Connected(attempt, ..) = event {
            self.count_answered(id, attempt);
        }
        let Some(slot) = self.sessions.get_mut(id) else {
            return;
        };
        if self.sink.observes() {
            let at = now.saturating_duration_since(slot.session.started());
            let what = Observed::Event(&event);
            self.sink.observe(slot.session.plan(), at, what);
        }
        slot.session.handle(event, now, &mut self.actions);
    }

    /// Performs the actions of a session, then sets its timer, parks it, or finishes it.
    fn apply_actions(&mut self, id: SessionId, now: Instant) {
        while let Some(action) = self.actions.pop_front() {
            if self.sink.observes() {
                if let Some(slot) = self.sessions.get(id) {
                    let at = now.saturating_duration_since(slot.session.started());
                    let what = Observed::Action(&action);
                    self.sink.observe(slot.session.plan(), at, what);
                }
            }
            self.acts(id, &action);
            self.perform(id, action, now);
        }
        let Some(slot) = self.sessions.get_mut(id) else {
            return;
        };
        match slot.state {
            SlotState::Finished => {}
            _ if slot.session.is_over() => {
                slot.state = SlotState::Finished;
                self.sessions.timers.clear(id);
                self.sessions.finished.push(id);
            }
            // Not at its deadline: it cannot wait any longer.
            SlotState::Running if slot.session.is_idle() && slot.session.deadline() > now => {
                slot.state = SlotState::Parked;
                self.sessions.timers.clear(id);
                let parked = Parked {
                    since: now,
                    turn: self.turn,
                };
                self.pending.parked.insert(id, parked);
            }
            SlotState::Running => {
                let next_wake = slot.session.next_wake();
                self.sessions.timers.set(id, next_wake);
            }
            SlotState::Parked => {}
        }
    }

    /// Queues a connect of this session; with a small time to live if it is the SYN of a trace.
    fn request_connect(
        &mut self,
        id: SessionId,
        attempt: AttemptId,
        address: SocketAddr,
        limited: Option<LimitedSyn>,
    ) {
        let Some(slot) = self.sessions.get(id) else {
            return;
        };
        let session = SessionKey {
            id,
            serial: slot.serial,
        };
        self.pending.queue_connect(ConnectRequest {
            session,
            attempt,
            address,
            shortage: Shortage::Nothing,
            limited,
        });
    }

    fn perform(&mut self, id: SessionId, action: Action, now: Instant) {
        let Some(slot) = self.sessions.get_mut(id) else {
            return;
        };
        match action {
            Action::Resolve => {
                let (plan, deadline) = (slot.session.plan(), slot.session.deadline());
                if let Host::Name(name) = &plan.target.host {
                    let (registry, family) = (self.poller.registry(), plan.spec.family);
                    self.resolver
                        .start(registry, id.index(), name, family, now, deadline);
                }
            }
            Action::Open(attempt, address) => self.request_connect(id, attempt, address, None),
            Action::Secure(attempt, layer) => self.secure(id, attempt, &layer, now),
            Action::Send(attempt, bytes) => {
                let Some(connection) = slot.connections.of(attempt) else {
                    return;
                };
                if let Some(connection) = self.connections.get_mut(connection) {
                    connection.queue(bytes);
                }
                // The actions that follow from it are performed after this one, not inside it: a
                // dialogue of many steps must not deepen the stack.
                if let Some((session, sent)) = self.write(connection) {
                    self.notify(session, sent, now);
                }
            }
            Action::Continue(attempt) => {
                if let Some(connection) = slot.connections.of(attempt) {
                    self.connections.unread.push_back(connection);
                }
            }
            Action::Trace(attempt, action) => self.trace(id, attempt, action, now),
            // Only observed by the sink.
            Action::Explain(..) => {}
            Action::Shutdown(attempt) => {
                let Some(connection) = slot.connections.of(attempt) else {
                    return;
                };
                if let Some(open) = self.connections.get_mut(connection) {
                    open.shutdown();
                }
                if let Some((session, sent)) = self.write(connection) {
                    self.notify(session, sent, now);
                }
            }
            Action::Close(attempt, how) => {
                let remote = slot.session.remote(attempt);
                if self.measures_exchange {
                    measure(slot, &self.connections, attempt);
                }
                if let (Some(connection), Some(remote)) = (slot.connections.take(attempt), remote) {
                    self.close_later(connection, remote.ip(), how);
                }
            }
        }
    }
}

/// The addresses of a name in the order to try them: that of the resolver, or the preferred family
/// first where this machine has a route to its first address, from this source address or
/// interface.
fn in_order(addresses: &ResolvedAddresses, origin: &LocalBind) -> Vec<IpAddr> {
    let v4 = addresses.v4.iter().copied().map(IpAddr::from);
    let v6 = addresses.v6.iter().copied().map(IpAddr::from);
    let has_route = |first: Option<IpAddr>| {
        first.is_some_and(|address| route::has_route(address, origin.interface_name()))
    };
    let ipv6_first = match &addresses.order {
        AddressOrder::Given(order) => return order.clone(),
        AddressOrder::Ipv6First => has_route(v6.clone().next()),
        AddressOrder::Ipv4First => !has_route(v4.clone().next()),
    };
    if ipv6_first {
        v6.chain(v4).collect()
    } else {
        v4.chain(v6).collect()
    }
}
