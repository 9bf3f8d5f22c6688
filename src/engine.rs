//! The only code that probes: one loop for one target and for ten thousand.
//!
//! Each turn admits at most one connect, polls, stamps all events of the wake with one clock reading, delivers them,
//! expires what is due, reports what is over, and then closes it. So a published time is the network's, not that of our
//! own queue.

pub mod dialogue;
pub mod dns;
mod event_loop;
mod inline_vec;
mod limits;
pub mod session;
mod standby;
pub mod stream;
mod threads;
pub mod timers;

use std::io;
use std::time::Duration;

use crate::engine::dns::files::Files;
use crate::engine::dns::{ResolvedAddresses, Resolver, StubResolver};
use crate::engine::event_loop::{Engine, Worker};
use crate::engine::limits::shared::SharedLimits;
use crate::engine::session::action::{Action, Event};
use crate::plan::Plan;
use crate::report::Report;
use crate::source::Source;
pub use limits::Limits;
pub use limits::capacity::Capacity;

/// Takes what the engine finds.
pub trait Sink {
    /// Takes the report of one plan; each plan gets exactly one.
    fn deliver(&mut self, report: Report);

    /// Sees what happens, this long after the probe's start, to explain it to a person; not where several threads probe.
    fn observe(&mut self, _plan: &Plan, _at: Duration, _what: Observed<'_>) {}

    /// The loop has nothing more to do for the moment and is about to wait: what was held back may be passed on.
    fn rest(&mut self) {}
}

/// What a [`Sink`] may observe.
#[derive(Debug)]
pub enum Observed<'a> {
    /// Something happened.
    Event(&'a Event<'a>),
    /// Something is about to be done.
    Action(&'a Action),
    /// The addresses of a name, and who gave them.
    Answer(&'a ResolvedAddresses),
}

/// How names are resolved.
#[derive(Debug, Clone, Default)]
pub enum ResolverKind {
    /// By these files and the name servers in them.
    Stub(Files),
    /// By the same files where the system has them.
    #[default]
    Default,
    /// By the C library, which knows whatever nsswitch.conf names.
    #[cfg(not(target_feature = "crt-static"))]
    System,
}

impl ResolverKind {
    #[cfg_attr(target_feature = "crt-static", allow(unused_variables))]
    fn resolver(self, registry: &mio::Registry) -> io::Result<Box<dyn Resolver>> {
        match self {
            Self::Stub(files) => Ok(Box::new(StubResolver::new(files))),
            Self::Default => Ok(Box::new(StubResolver::new(Files::default()))),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System => Ok(Box::new(dns::system::SystemResolver::new(registry)?)),
        }
    }
}

/// Runs every plan of the source to its report.
///
/// # Errors
/// When this machine gives no event queue (`epoll_create(2)`: descriptors, memory) or no thread; what could not be begun
/// is then lost, so a caller that owes a value reports it itself.
pub fn run<S: Source + Send, K: Sink + Send>(
    source: &mut S,
    sink: &mut K,
    limits: &Limits<'_>,
    names: ResolverKind,
) -> io::Result<()> {
    limits::capacity::make(limits.in_flight);
    let gate = SharedLimits::new(source, limits);
    let mut parts = Worker::of(limits, &gate);
    match parts.as_mut_slice() {
        [whole] => probe(whole, sink, names),
        parts => threads::probe_on(parts, sink, &names),
    }
}

/// The loop of one thread.
fn probe(share: &Worker<'_>, sink: &mut dyn Sink, names: ResolverKind) -> io::Result<()> {
    let mut engine = Engine::new(share, sink, names)?;
    loop {
        engine.admit();
        if engine.is_done() {
            return Ok(());
        }
        let now = engine.poll().inspect_err(|error| engine.give_up(error))?;
        engine.deliver(now);
        engine.expire(now);
        engine.report();
        engine.close(now);
    }
}
