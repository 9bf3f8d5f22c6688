//! What the event loop needs from a resolver.

use std::fmt;
use std::time::Instant;

use mio::{Registry, Token};

use crate::address::HostName;
use crate::engine::dns::answer::FinishedLookup;
use crate::plan::Family;

/// Set in every token that a resolver registers, and in no other token of the event loop.
pub const RESOLVER_TOKENS: usize = 1 << (usize::BITS - 1);

/// Whether events with this token are for [`Resolver::ready`].
pub fn owns_token(token: Token) -> bool {
    token.0 & RESOLVER_TOKENS != 0
}

/// Lookups in flight on one event loop. No method blocks.
///
/// The owner of the poll passes events whose token [belongs to the resolver](owns_token) to
/// [`ready`](Self::ready), calls [`expire`](Self::expire) at the time that
/// [`next_wake`](Self::next_wake) returns, and after each of these calls takes the finished lookups
/// with [`poll_answer`](Self::poll_answer).
pub trait Resolver: fmt::Debug {
    /// Divides the limit on concurrent lookups among this many threads, each with a resolver of its
    /// own.
    fn share_limit(&mut self, threads: usize);

    /// Whether a lookup would start at once. One that is queued spends its own deadline waiting.
    fn has_capacity(&self) -> bool;

    /// How many requests wait for a lookup that has been silent for longer than most answers take.
    /// They need no connection yet, so they do not count as in flight.
    fn silent_requests(&self) -> usize;

    /// Whether this machine lacked a resource for a query since the last call.
    fn ran_out_of_sockets(&mut self) -> bool;

    /// Starts a lookup that ends at `deadline` at the latest. Cancels the lookup that `key` has.
    fn start(
        &mut self,
        registry: &Registry,
        key: usize,
        name: &HostName,
        family: Family,
        now: Instant,
        deadline: Instant,
    );

    /// Drops the lookup of `key`, including a result that was not taken yet.
    fn cancel(&mut self, key: usize);

    /// Handles an event for one of the resolver's tokens. An event for a closed socket is ignored.
    fn ready(&mut self, registry: &Registry, token: Token, now: Instant);

    /// Runs the timers that are due.
    fn expire(&mut self, registry: &Registry, now: Instant);

    /// Runs the timers of this request if they are due. One call of [`expire`](Self::expire) may leave
    /// some, and a request that has reached its deadline needs its result.
    fn expire_request(&mut self, registry: &Registry, key: usize, now: Instant);

    /// When to call [`expire`](Self::expire) and take results; may be in the past.
    fn next_wake(&self) -> Option<Instant>;

    /// The next finished lookup, in the order in which they finished.
    fn poll_answer(&mut self) -> Option<FinishedLookup>;
}
