//! What the threads of a run have in common: the plans to come, and the limits that hold over all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;

use crate::engine::Limits;
use crate::engine::limits::rate::RateLimiter;
use crate::engine::standby::StandbyThreads;
use crate::plan::Plan;
use crate::source::Source;

/// Who may begin what, and when.
pub(in crate::engine) struct SharedLimits<'s> {
    /// Who has begun.
    pub spares: StandbyThreads,
    inner: Mutex<Inner<'s>>,
    per_address: Option<NonZeroUsize>,
}

struct Inner<'s> {
    source: &'s mut (dyn Source + Send),
    pace: Option<RateLimiter>,
    /// How many connections each address has; only where that is limited.
    busy: HashMap<IpAddr, u32, RandomState>,
    /// How many connections have ended.
    ended: u64,
}

/// Why a connect may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Wait {
    /// The pace allows the next one then.
    Until(Instant),
    /// Its address has as many connections as it may.
    ForAddress,
}

impl<'s> SharedLimits<'s> {
    /// Everything is still to come.
    pub fn new(source: &'s mut (dyn Source + Send), limits: &Limits<'_>) -> Self {
        let inner = Inner {
            source,
            pace: limits.rate.map(RateLimiter::new),
            busy: HashMap::default(),
            ended: 0,
        };
        Self {
            spares: StandbyThreads::behind(limits.threads),
            inner: Mutex::new(inner),
            per_address: limits.per_address,
        }
    }

    /// The next plan of the source.
    pub fn next_plan(&self) -> Option<Arc<Plan>> {
        self.inner().source.next()
    }

    /// The moment before which no connect may begin, if there is one.
    pub fn pace(&self, now: Instant) -> Option<Instant> {
        self.inner().pace.as_ref()?.wait(now)
    }

    /// Whether this address may have one more connection.
    pub fn has_room(&self, address: IpAddr) -> bool {
        self.room(address) > 0
    }

    /// How many more connections this address may have.
    pub fn room(&self, address: IpAddr) -> usize {
        self.per_address.map_or(usize::MAX, |most| {
            most.get().saturating_sub(self.inner().connections(address))
        })
    }

    /// How many connections have ended: while it stays the same, no address has more room than it had.
    pub fn ended(&self) -> u64 {
        self.inner().ended
    }

    /// Begins a connect, if it may; what begins ends with [`SharedLimits::end`] or [`SharedLimits::take_back`].
    pub fn begin(&self, address: IpAddr, now: Instant) -> Result<(), Wait> {
        let mut inner = self.inner();
        if let Some(until) = inner.pace.as_ref().and_then(|pace| pace.wait(now)) {
            return Err(Wait::Until(until));
        }
        if let Some(most) = self.per_address {
            if inner.connections(address) >= most.get() {
                return Err(Wait::ForAddress);
            }
            *inner.busy.entry(address).or_default() += 1;
        }
        if let Some(pace) = &mut inner.pace {
            pace.begin(now);
        }
        Ok(())
    }

    /// What began could not be begun after all: its place and its time are another's.
    pub fn take_back(&self, address: IpAddr) {
        if let Some(pace) = &mut self.inner().pace {
            pace.take_back();
        }
        self.end(address);
    }

    /// A connection of this address is closed.
    pub fn end(&self, address: IpAddr) {
        if self.per_address.is_none() {
            return;
        }
        let mut inner = self.inner();
        inner.ended += 1;
        if let Some(count) = inner.busy.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                inner.busy.remove(&address);
            }
        }
    }

    /// A thread that panicked leaves nothing half-done here.
    fn inner(&self) -> MutexGuard<'_, Inner<'s>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner<'_> {
    fn connections(&self, address: IpAddr) -> usize {
        self.busy.get(&address).map_or(0, |count| *count as usize)
    }
}
