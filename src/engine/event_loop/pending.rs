//! What waits in one worker: connects that a session asked for, and plans that have not started.
//!
//! A connect waits for its turn (one per turn of the loop), for an address, or for a port. A plan
//! waits in the source, for an address, or for the resolver. Every wait is ended by an event, by a
//! call, or at one of the times of [`Pending::next_retry`].

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::index::{SessionId, SessionKey};
use crate::engine::session::action::AttemptId;
use crate::plan::Plan;
use crate::source::Next;
use foldhash::fast::RandomState;

/// Most plans taken from the source that wait; with more, the source has to wait as well.
const MAX_WAITING_PLANS: usize = 1 << 16;

/// A connect that a session asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct ConnectRequest {
    /// The session.
    pub session: SessionKey,
    /// The attempt of the session.
    pub attempt: AttemptId,
    /// Where to connect.
    pub address: SocketAddr,
    /// The resource that it lacked last.
    pub shortage: Shortage,
    /// The SYN of the trace, if the connect is part of one; `None` for the connect of the attempt
    /// itself.
    pub limited: Option<LimitedSyn>,
}

/// A SYN of a trace.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct LimitedSyn {
    /// Its number in the trace.
    pub number: NonZeroU16,
    /// Its time to live.
    pub hops: u8,
}

/// The resource that a connect lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Shortage {
    /// Nothing, or only what our own limits did not allow.
    Nothing,
    /// A local port.
    Port,
}

/// Since when a session is [parked](crate::engine::event_loop::sessions::SlotState::Parked).
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Parked {
    /// The time at which its clock stopped.
    pub since: Instant,
    /// The turn of the loop in which it did.
    pub turn: u64,
}

/// Waits for an address that has reached its limit of connections.
pub(in crate::engine) enum AddressWaiter {
    /// A plan that has not started.
    Plan(Arc<Plan>),
    /// A connect of a session.
    Connect(ConnectRequest),
}

/// What a plan that has not started waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum WaitedFor {
    /// Its address had reached its limit of connections.
    Address,
    /// The limit of simultaneous lookups was reached.
    Lookup,
    /// It was not taken from the source.
    Turn,
}

/// The last result of the source.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Supply {
    /// It may have a plan: it is asked as soon as there is capacity.
    #[default]
    Ready,
    /// It has no plan before this time.
    At(Instant),
    /// It has no plan before its descriptor is readable.
    Pending,
    /// It has no plan any more.
    Done,
}

/// Everything that waits in one worker.
#[derive(Default)]
pub(in crate::engine) struct Pending {
    /// Sessions that wait for our own limits only. They do not count as in flight.
    pub parked: HashMap<SessionId, Parked, RandomState>,
    supply: Supply,
    /// Nothing starts before this time.
    paused_until: Option<Instant>,
    /// Connects that start next, one per turn.
    connects: VecDeque<ConnectRequest>,
    /// Connects for which there was no local port, and when the next of them is tried again.
    portless: VecDeque<ConnectRequest>,
    retry_port: Option<Instant>,
    /// Plans whose address is available again.
    available: VecDeque<Arc<Plan>>,
    /// Plans whose names wait for the resolver.
    unresolved: VecDeque<Arc<Plan>>,
    by_address: HashMap<IpAddr, VecDeque<AddressWaiter>, RandomState>,
    /// Number of plans in `by_address`.
    plans_by_address: usize,
    /// When addresses are checked whose connections belong to other workers.
    recheck: Option<Instant>,
    /// Number of connections that all workers had released at the last check.
    released: Option<u64>,
}

impl Pending {
    /// Starts nothing before this time.
    pub fn pause(&mut self, until: Instant) {
        self.paused_until = Some(until);
    }

    /// A resource was released: retry immediately.
    pub fn unpause(&mut self) {
        self.paused_until = None;
    }

    /// Whether nothing may start now. Ends a pause that is over.
    pub fn is_paused(&mut self, now: Instant) -> bool {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        self.paused_until.is_some()
    }

    /// When to check again the resources whose release causes no event.
    pub fn next_retry(&self) -> Option<Instant> {
        let retry_port = self.retry_port.filter(|_| !self.portless.is_empty());
        let supply = match self.supply {
            Supply::At(at) => Some(at),
            Supply::Ready | Supply::Pending | Supply::Done => None,
        };
        // During a pause, nothing else is checked.
        self.paused_until.or_else(|| {
            [self.recheck, retry_port, supply]
                .into_iter()
                .flatten()
                .min()
        })
    }

    /// Whether a connect may start now, as far as is known here.
    pub fn has_connect(&self) -> bool {
        let has_portless = self.retry_port.is_none() && !self.portless.is_empty();
        self.paused_until.is_none() && (!self.connects.is_empty() || has_portless)
    }

    /// Whether a plan may start now, as far as is known here.
    pub fn may_have_plan(&self, resolver_has_capacity: impl FnOnce() -> bool) -> bool {
        let any = || {
            !self.available.is_empty()
                || self.asks_source()
                || (!self.unresolved.is_empty() && resolver_has_capacity())
        };
        self.paused_until.is_none() && any()
    }

    /// Whether the source is to be asked.
    fn asks_source(&self) -> bool {
        self.supply == Supply::Ready
            && self.plans_by_address + self.unresolved.len() < MAX_WAITING_PLANS
    }

    /// Whether the source is done, and every plan of it that this worker took has started.
    pub fn is_done(&self) -> bool {
        self.supply == Supply::Done
            && self.available.is_empty()
            && self.unresolved.is_empty()
            && self.plans_by_address == 0
    }

    /// Whether further connects are likely.
    pub fn expects_connects(&self) -> bool {
        self.supply == Supply::Ready
            || !self.connects.is_empty()
            || !self.portless.is_empty()
            || !self.available.is_empty()
            || self.plans_by_address > 0
    }

    /// The source may have a plan again: it is asked again.
    pub fn source_is_ready(&mut self) {
        if self.supply != Supply::Done {
            self.supply = Supply::Ready;
        }
    }

    /// Asks the source again at the time that it returned.
    pub fn check_source_time(&mut self, now: Instant) {
        if matches!(self.supply, Supply::At(at) if at <= now) {
            self.supply = Supply::Ready;
        }
    }

    /// Queues a connect for its turn.
    pub fn queue_connect(&mut self, request: ConnectRequest) {
        self.connects.push_back(request);
    }

    /// Puts a connect that had its turn back to the front.
    pub fn requeue_connect(&mut self, request: ConnectRequest) {
        self.connects.push_front(request);
    }

    /// Lets a connect wait for a local port, to be tried again at this time. It is not tried
    /// whenever a connection ends, because the kernel searches all ports before the connect fails.
    pub fn wait_for_port(&mut self, request: ConnectRequest, until: Instant) {
        self.portless.push_back(ConnectRequest {
            shortage: Shortage::Port,
            ..request
        });
        self.retry_port = Some(until);
    }

    /// Queues one connect that waits for a port, if it is time; the following one has to wait until
    /// `next`.
    pub fn retry_port(&mut self, now: Instant, next: Instant) {
        if self.retry_port.is_none_or(|at| at <= now) {
            if let Some(request) = self.portless.pop_front() {
                self.connects.push_back(request);
                self.retry_port = Some(next);
            }
        }
    }

    /// This connect waits for no port any more. If it did, there may be one for the following
    /// connect as well: retry immediately.
    pub fn port_settled(&mut self, request: &ConnectRequest) {
        if request.shortage == Shortage::Port {
            self.retry_port = None;
        }
    }

    /// The next connect.
    pub fn pop_connect(&mut self) -> Option<ConnectRequest> {
        self.connects.pop_front()
    }

    /// The plan that has waited longest for the resolver.
    pub fn pop_unresolved(&mut self) -> Option<Arc<Plan>> {
        self.unresolved.pop_front()
    }

    /// The next plan: one whose address is available again, else the source's.
    pub fn next_plan(&mut self, source: impl FnOnce() -> Next) -> Option<Arc<Plan>> {
        if let Some(plan) = self.available.pop_front() {
            return Some(plan);
        }
        if !self.asks_source() {
            return None;
        }
        self.supply = match source() {
            Next::Plan(plan) => return Some(plan),
            Next::At(at) => Supply::At(at),
            Next::Pending => Supply::Pending,
            Next::Done => Supply::Done,
        };
        None
    }

    /// Lets a plan wait until the resolver has capacity.
    pub fn wait_for_resolver(&mut self, plan: Arc<Plan>) {
        self.unresolved.push_back(plan);
    }

    /// Lets a plan or a connect wait until the address is available. Other workers send no event
    /// when they release it, so it is checked at the time `recheck`.
    pub fn wait_for_address(
        &mut self,
        address: IpAddr,
        waiter: AddressWaiter,
        recheck: Option<Instant>,
    ) {
        self.recheck = self.recheck.or(recheck);
        self.plans_by_address += usize::from(matches!(waiter, AddressWaiter::Plan(_)));
        self.by_address
            .entry(address)
            .or_default()
            .push_back(waiter);
    }

    /// The address has one more slot: wakes the plan or connect that has waited longest for it.
    /// Skips connects that their sessions no longer want.
    pub fn wake_waiter(&mut self, address: IpAddr, is_wanted: impl Fn(&ConnectRequest) -> bool) {
        let Some(waiters) = self.by_address.get_mut(&address) else {
            return;
        };
        while let Some(waiter) = waiters.pop_front() {
            match waiter {
                AddressWaiter::Plan(plan) => {
                    self.plans_by_address -= 1;
                    self.available.push_back(plan);
                    break;
                }
                AddressWaiter::Connect(request) if is_wanted(&request) => {
                    self.connects.push_back(request);
                    break;
                }
                AddressWaiter::Connect(_) => {}
            }
        }
        if waiters.is_empty() {
            self.by_address.remove(&address);
        }
    }

    /// Whether it is time to check the addresses that something waits for; the next check is then
    /// at `next`.
    pub fn is_recheck_due(&mut self, now: Instant, next: Instant) -> bool {
        if self.by_address.is_empty() {
            self.recheck = None;
            return false;
        }
        let is_due = self.recheck.is_none_or(|at| at <= now);
        if is_due {
            self.recheck = Some(next);
        }
        is_due
    }

    /// The addresses that something waits for; none if no connection was released since the last
    /// check.
    pub fn addresses_to_recheck(&mut self, released: u64) -> Vec<IpAddr> {
        if self.released.replace(released) == Some(released) {
            return Vec::new();
        }
        self.by_address.keys().copied().collect()
    }

    /// Whether anything waits for an address.
    pub fn has_address_waiters(&self) -> bool {
        !self.by_address.is_empty()
    }

    /// How many plans and connects wait for this address.
    pub fn waiters(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).map_or(0, VecDeque::len)
    }

    /// The connects that wait for their address.
    pub fn connects_by_address(&self) -> impl Iterator<Item = ConnectRequest> {
        let waiters = self.by_address.values().flatten();
        waiters.filter_map(|waiter| match waiter {
            AddressWaiter::Plan(_) => None,
            AddressWaiter::Connect(request) => Some(*request),
        })
    }

    /// The connects that wait for their turn.
    pub fn connects(&self) -> impl Iterator<Item = ConnectRequest> {
        self.connects.iter().copied()
    }

    /// Ends all waiting: returns the plans that have not started, with what they waited for, and
    /// then the plans that the source returns until it returns no further plan.
    pub fn drain(
        &mut self,
        mut source: impl FnMut() -> Next,
    ) -> impl Iterator<Item = (Arc<Plan>, WaitedFor)> {
        let Self {
            available,
            unresolved,
            by_address,
            ..
        } = std::mem::take(self);
        self.supply = Supply::Done;
        let by_address = by_address
            .into_values()
            .flatten()
            .filter_map(|waiter| match waiter {
                AddressWaiter::Plan(plan) => Some(plan),
                AddressWaiter::Connect(_) => None,
            });
        let rest = std::iter::from_fn(move || match source() {
            Next::Plan(plan) => Some(plan),
            Next::At(_) | Next::Pending | Next::Done => None,
        });
        let waited = |waited| move |plan| (plan, waited);
        let by_address = available.into_iter().chain(by_address);
        by_address
            .map(waited(WaitedFor::Address))
            .chain(unresolved.into_iter().map(waited(WaitedFor::Lookup)))
            .chain(rest.map(waited(WaitedFor::Turn)))
    }
}
