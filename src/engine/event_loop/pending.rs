//! What waits for its turn in one thread: connects, and plans that are not begun yet.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;

use crate::engine::event_loop::Key;
use crate::engine::session::action::AttemptId;
use crate::plan::Plan;

/// How many plans of the source are put aside before the others have to wait with them.
const MOST_ASIDE: usize = 1 << 16;

/// A connect that is wished for.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct ConnectRequest {
    pub key: Key,
    pub attempt: AttemptId,
    pub address: SocketAddr,
    pub lack: Shortage,
}

/// What kept a connect from beginning so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Shortage {
    /// Our own limits, if anything.
    Nothing,
    /// There was no port for it.
    Port,
}

/// Since when a session waits for our own limits.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Held {
    pub since: Instant,
    /// The turn in which it began to wait.
    pub turn: u64,
}

/// Who waits for an address that has as many connections as it may.
pub(in crate::engine) enum Waiter {
    Plan(Arc<Plan>),
    Connect(ConnectRequest),
}

/// Whether the source may have another plan.
#[derive(Default, PartialEq, Eq)]
enum Supply {
    #[default]
    Open,
    Ended,
}

/// Everything that waits.
#[derive(Default)]
pub(in crate::engine) struct Waiting {
    /// The places of sessions that wait for our own limits; they are not under way.
    pub held: HashMap<usize, Held>,
    supply: Supply,
    /// The moment before which nothing is begun.
    paused_until: Option<Instant>,
    /// Connects whose turn comes next.
    connects: VecDeque<ConnectRequest>,
    /// Connects for which there was no port, and when the next of them tries again.
    portless: VecDeque<ConnectRequest>,
    retry: Option<Instant>,
    /// Plans whose address has room again.
    freed: VecDeque<Arc<Plan>>,
    /// Plans whose names wait for the resolver.
    names: VecDeque<Arc<Plan>>,
    by_address: HashMap<IpAddr, VecDeque<Waiter>, RandomState>,
    /// How many plans are in `by_address`.
    aside: usize,
    /// When addresses are looked at again whose connections are another thread's.
    look: Option<Instant>,
    /// How many connections of all threads had ended then.
    seen: Option<u64>,
}

impl Waiting {
    /// Begins nothing before this moment.
    pub fn pause(&mut self, until: Instant) {
        self.paused_until = Some(until);
    }

    /// Something was given back that may be what lacked.
    pub fn unpause(&mut self) {
        self.paused_until = None;
    }

    /// Whether nothing may begin now; a pause that is over is forgotten.
    pub fn is_paused(&mut self, now: Instant) -> bool {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        self.paused_until.is_some()
    }

    /// When something can be done that no event will announce; nothing is looked at in a pause.
    pub fn next_look(&self) -> Option<Instant> {
        let retry = self.retry.filter(|_| !self.portless.is_empty());
        self.paused_until
            .or_else(|| [self.look, retry].into_iter().flatten().min())
    }

    /// Whether a connect may begin, not considering the pace and the addresses.
    pub fn has_connect(&self) -> bool {
        let has_retry = self.retry.is_none() && !self.portless.is_empty();
        self.paused_until.is_none() && (!self.connects.is_empty() || has_retry)
    }

    /// Whether there may be a plan to begin; those that wait for their names only if the resolver has room.
    pub fn may_have_plan(&self, resolver_has_room: impl FnOnce() -> bool) -> bool {
        let supplied = self.supply == Supply::Open && self.aside + self.names.len() < MOST_ASIDE;
        let any = || {
            !self.freed.is_empty() || supplied || (!self.names.is_empty() && resolver_has_room())
        };
        self.paused_until.is_none() && any()
    }

    /// Whether every plan was begun.
    pub fn is_done(&self) -> bool {
        self.supply == Supply::Ended
            && self.freed.is_empty()
            && self.names.is_empty()
            && self.aside == 0
    }

    /// Whether further connects are likely.
    pub fn may_have_more(&self) -> bool {
        self.supply == Supply::Open
            || !self.connects.is_empty()
            || !self.portless.is_empty()
            || !self.freed.is_empty()
            || self.aside > 0
    }

    /// Lets a connect wait for its turn.
    pub fn connect(&mut self, opening: ConnectRequest) {
        self.connects.push_back(opening);
    }

    /// Gives a connect its place at the head back.
    pub fn connect_first(&mut self, opening: ConnectRequest) {
        self.connects.push_front(opening);
    }

    /// Puts a connect aside until then. The kernel looks through all ports before it says that there is none: that is
    /// not asked whenever a connection ends.
    pub fn for_port(&mut self, opening: ConnectRequest, until: Instant) {
        self.portless.push_back(ConnectRequest {
            lack: Shortage::Port,
            ..opening
        });
        self.retry = Some(until);
    }

    /// Gives one connect that lacked a port its turn, if it is time; the next has it then.
    pub fn try_for_port(&mut self, now: Instant, next: Instant) {
        if self.retry.is_none_or(|at| at <= now) {
            if let Some(opening) = self.portless.pop_front() {
                self.connects.push_back(opening);
                self.retry = Some(next);
            }
        }
    }

    /// A connect needs no port any more: if it lacked one, there may be another for the next.
    pub fn has_port(&mut self, opening: &ConnectRequest) {
        if opening.lack == Shortage::Port {
            self.retry = None;
        }
    }

    /// The connect whose turn it is.
    pub fn next_connect(&mut self) -> Option<ConnectRequest> {
        self.connects.pop_front()
    }

    /// The plan that waits longest for the resolver.
    pub fn next_name(&mut self) -> Option<Arc<Plan>> {
        self.names.pop_front()
    }

    /// The next plan: one whose address has room again, else one of the source.
    pub fn next_plan(&mut self, supply: impl FnOnce() -> Option<Arc<Plan>>) -> Option<Arc<Plan>> {
        if let Some(plan) = self.freed.pop_front() {
            return Some(plan);
        }
        if self.supply == Supply::Ended || self.aside + self.names.len() >= MOST_ASIDE {
            return None;
        }
        let plan = supply();
        if plan.is_none() {
            self.supply = Supply::Ended;
        }
        plan
    }

    /// Puts a plan aside until the resolver has room.
    pub fn for_resolver(&mut self, plan: Arc<Plan>) {
        self.names.push_back(plan);
    }

    /// Puts somebody aside until this address has room, which is looked at by then if other threads may give it back.
    pub fn for_address(&mut self, address: IpAddr, waiter: Waiter, look: Option<Instant>) {
        self.look = self.look.or(look);
        self.aside += usize::from(matches!(waiter, Waiter::Plan(_)));
        self.by_address
            .entry(address)
            .or_default()
            .push_back(waiter);
    }

    /// This address has room: whoever waits longest for it is next, unless the wish is gone.
    pub fn free(&mut self, address: IpAddr, is_wished: impl Fn(&ConnectRequest) -> bool) {
        let Some(waiters) = self.by_address.get_mut(&address) else {
            return;
        };
        while let Some(waiter) = waiters.pop_front() {
            match waiter {
                Waiter::Plan(plan) => {
                    self.aside -= 1;
                    self.freed.push_back(plan);
                    break;
                }
                Waiter::Connect(opening) if is_wished(&opening) => {
                    self.connects.push_back(opening);
                    break;
                }
                Waiter::Connect(_) => {}
            }
        }
        if waiters.is_empty() {
            self.by_address.remove(&address);
        }
    }

    /// Whether it is time to look at the addresses that somebody waits for; the next look is then.
    pub fn is_time_to_look(&mut self, now: Instant, next: Instant) -> bool {
        if self.by_address.is_empty() {
            self.look = None;
            return false;
        }
        let is_time = self.look.is_none_or(|at| at <= now);
        if is_time {
            self.look = Some(next);
        }
        is_time
    }

    /// The addresses that somebody waits for, unless as many connections have ended as at the last look.
    pub fn addresses_to_look_at(&mut self, ended: u64) -> Vec<IpAddr> {
        if self.seen.replace(ended) == Some(ended) {
            return Vec::new();
        }
        self.by_address.keys().copied().collect()
    }

    /// How many wait for this address.
    pub fn waiters(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).map_or(0, VecDeque::len)
    }

    /// Nothing waits any more: the plans that were not begun, those of the source last.
    pub fn end(
        &mut self,
        supply: impl FnMut() -> Option<Arc<Plan>>,
    ) -> impl Iterator<Item = Arc<Plan>> {
        let Self {
            freed,
            names,
            by_address,
            ..
        } = std::mem::take(self);
        self.supply = Supply::Ended;
        let aside = by_address
            .into_values()
            .flatten()
            .filter_map(|waiter| match waiter {
                Waiter::Plan(plan) => Some(plan),
                Waiter::Connect(_) => None,
            });
        freed
            .into_iter()
            .chain(names)
            .chain(aside)
            .chain(std::iter::from_fn(supply))
    }
}
