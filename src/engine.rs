//! The only code that probes: one event loop for one target and for ten thousand.
//!
//! Each turn starts at most one connect, polls, reads the clock once for all events of the wake,
//! delivers them, handles timers, hands over reports, and only then closes sockets. So published
//! times do not include the time that other probes of the run need. `docs/architecture.md` explains
//! the loop, its limits and its threads.

pub mod dialogue;
pub mod dns;
mod error;
mod event_loop;
mod index;
mod inline_vec;
mod lateness;
mod limits;
mod resolver_kind;
pub mod session;
mod sink;
mod standby;
pub mod stream;
mod threads;
mod timers;

use crate::engine::limits::shared::SharedLimits;
use crate::policy::Policy;
use crate::source::Source;
pub use error::PollError;
pub use event_loop::UNANSWERED_COUNTS;
pub use limits::capacity::Capacity;
pub use limits::{Bound, Limits};
pub use resolver_kind::ResolverKind;
pub use sink::{Observed, Sink};

/// Probes every plan of the source, and hands one report for each to the sink.
///
/// The policy is checked for each resolved address, just before the connect.
///
/// # Errors
/// When this machine cannot poll sockets or start a thread. The plans that the source still has are
/// not reported then; the caller reports them itself.
pub fn run<S: Source + Send, K: Sink + Send>(
    source: &mut S,
    sink: &mut K,
    policy: &Policy,
    limits: &Limits<'_>,
    resolver: ResolverKind,
) -> Result<(), PollError> {
    limits::capacity::raise_fd_limit(limits.in_flight);
    let shared = SharedLimits::new(source, limits)?;
    let mut workers = event_loop::workers(limits, policy, &shared);
    match workers.as_mut_slice() {
        [only] => event_loop::run(only, sink, resolver),
        workers => threads::run(workers, sink, &resolver),
    }
}
