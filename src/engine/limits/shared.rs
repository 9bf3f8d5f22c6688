//! What the workers of a run share: the source of plans, and the limits that hold over all of them.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;

use crate::engine::limits::memory::ReceivedBytes;
use crate::engine::limits::rate::RateLimiter;
use crate::engine::limits::traces::TraceLimit;
use crate::engine::limits::{Bound, Limits};
use crate::engine::standby::StandbyThreads;
use crate::source::{Next, Source};

/// A semaphore for each address, the rate limiter, the memory and the source, for all workers.
pub(in crate::engine) struct SharedLimits<'s> {
    /// Which workers have started.
    pub standby: StandbyThreads,
    /// The received bytes that are held.
    pub received: ReceivedBytes,
    inner: Mutex<Inner<'s>>,
    in_flight: NonZeroUsize,
    per_address: Option<NonZeroUsize>,
    rate: Option<NonZeroU32>,
    traces: Option<Mutex<TraceLimit>>,
    wake_fd: Option<OwnedFd>,
}

struct Inner<'s> {
    source: &'s mut (dyn Source + Send),
    rate: Option<RateLimiter>,
    /// Connections of each address that has any; empty without a limit per address.
    connections: HashMap<IpAddr, u32, RandomState>,
    /// Number of connections released so far.
    released: u64,
}

/// Why a connect may not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum LimitReached {
    /// The rate limiter allows the next one at this time.
    RateLimit(Instant),
    /// The address has reached its limit of connections.
    AddressLimit,
}

impl<'s> SharedLimits<'s> {
    /// The shared part of a run that starts now.
    ///
    /// # Errors
    /// When the source's descriptor cannot be duplicated (dup(2)).
    pub fn new(source: &'s mut (dyn Source + Send), limits: &Limits<'_>) -> io::Result<Self> {
        // Duplicated because the source itself is locked while it is used.
        let wake_fd = source
            .wake_fd()
            .map(|fd| fd.try_clone_to_owned())
            .transpose()?;
        let inner = Inner {
            source,
            rate: limits.rate.map(RateLimiter::new),
            connections: HashMap::default(),
            released: 0,
        };
        Ok(Self {
            standby: StandbyThreads::new(limits.threads),
            received: ReceivedBytes::new(limits.in_flight),
            inner: Mutex::new(inner),
            in_flight: limits.in_flight,
            per_address: limits.per_address,
            rate: limits.rate,
            traces: limits.traces.map(TraceLimit::new).map(Mutex::new),
            wake_fd,
        })
    }

    /// Asks the source for a plan.
    pub fn next_plan(&self, now: Instant) -> Next {
        let next = self.inner().source.next(now);
        debug_assert!(
            self.wake_fd.is_some() || !matches!(next, Next::Pending),
            "nothing would wake the engine for this source"
        );
        next
    }

    /// See [`Source::wake_fd`].
    pub fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.wake_fd.as_ref().map(AsFd::as_fd)
    }

    /// The time before which the rate limiter allows no connect; `None` if it allows one now.
    pub fn rate_limited_until(&self, now: Instant) -> Option<Instant> {
        self.inner().rate.as_ref()?.wait_until(now)
    }

    /// The limit of probes in flight, as the cause of a wait.
    pub fn in_flight_bound(&self) -> Bound {
        Bound::InFlight(self.in_flight)
    }

    /// The limit per address, as the cause of a wait.
    pub fn address_bound(&self) -> Option<Bound> {
        self.per_address.map(Bound::PerAddress)
    }

    /// The rate limit, as the cause of a wait.
    pub fn rate_bound(&self) -> Option<Bound> {
        self.rate.map(Bound::Rate)
    }

    /// Whether the path to this address may be traced, which counts then.
    pub fn may_trace(&self, address: IpAddr) -> bool {
        self.traces.as_ref().is_none_or(|traces| {
            let mut traces = traces.lock().unwrap_or_else(PoisonError::into_inner);
            traces.take(address)
        })
    }

    /// Whether there is a limit per address.
    pub fn limits_addresses(&self) -> bool {
        self.per_address.is_some()
    }

    /// Counts a connection to this address that was [released](SharedLimits::release) before it was
    /// closed, whether or not the address has a slot for it.
    pub fn count(&self, address: IpAddr) {
        if self.limits_addresses() {
            *self.inner().connections.entry(address).or_default() += 1;
        }
    }

    /// Whether this address may have one more connection.
    pub fn is_available(&self, address: IpAddr) -> bool {
        self.available(address) > 0
    }

    /// How many more connections this address may have.
    pub fn available(&self, address: IpAddr) -> usize {
        self.per_address.map_or(usize::MAX, |most| {
            most.get()
                .saturating_sub(self.inner().connections_of(address))
        })
    }

    /// Number of connections released so far. While it does not change, no address becomes
    /// available.
    pub fn released(&self) -> u64 {
        self.inner().released
    }

    /// Takes a connection slot of the address and a token of the rate limiter. Pair it with
    /// [`SharedLimits::release`] or [`SharedLimits::cancel`].
    ///
    /// # Errors
    /// When a limit does not allow the connect now; nothing is taken then.
    pub fn acquire(&self, address: IpAddr, now: Instant) -> Result<(), LimitReached> {
        let mut inner = self.inner();
        if let Some(until) = inner.rate.as_ref().and_then(|rate| rate.wait_until(now)) {
            return Err(LimitReached::RateLimit(until));
        }
        if let Some(most) = self.per_address {
            if inner.connections_of(address) >= most.get() {
                return Err(LimitReached::AddressLimit);
            }
            *inner.connections.entry(address).or_default() += 1;
        }
        if let Some(rate) = &mut inner.rate {
            rate.take(now);
        }
        Ok(())
    }

    /// Cancels an [`acquire`](SharedLimits::acquire) whose connect could not start: releases the
    /// slot and refunds the token.
    pub fn cancel(&self, address: IpAddr) {
        if let Some(rate) = &mut self.inner().rate {
            rate.refund();
        }
        self.release(address);
    }

    /// Releases the slot of a connection to this address that is closed, or no longer counts.
    pub fn release(&self, address: IpAddr) {
        if self.per_address.is_none() {
            return;
        }
        let mut inner = self.inner();
        inner.released += 1;
        if let Some(count) = inner.connections.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                inner.connections.remove(&address);
            }
        }
    }

    /// A worker that panicked leaves nothing half-changed here, so a poisoned lock is fine.
    fn inner(&self) -> MutexGuard<'_, Inner<'s>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner<'_> {
    fn connections_of(&self, address: IpAddr) -> usize {
        self.connections
            .get(&address)
            .map_or(0, |count| *count as usize)
    }
}
