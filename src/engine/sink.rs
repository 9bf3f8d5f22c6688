//! Where reports go.

use std::time::Duration;

use crate::engine::dns::ResolvedAddresses;
use crate::engine::limits::Bound;
use crate::engine::session::action::{Action, AttemptId, Event};
use crate::plan::Plan;
use crate::report::Report;

/// Takes the results of a run.
pub trait Sink {
    /// Takes the report of one plan; each plan gets exactly one.
    fn deliver(&mut self, report: Report);

    /// Sees the steps of a probe, for the transcript; `at` is the time since the probe's start. Only
    /// called if the sink [observes](Sink::observes), and not where several threads probe.
    fn observe(&mut self, _plan: &Plan, _at: Duration, _what: Observed<'_>) {}

    /// Whether the steps are to be observed.
    fn observes(&self) -> bool {
        false
    }

    /// Whether the kernel is asked, at the end of each dialogue, what became of the bytes that were
    /// sent ([`ExchangeFacts`](crate::report::ExchangeFacts)). It is always asked if a peer is
    /// silent.
    fn measures_exchange(&self) -> bool {
        false
    }

    /// A plan that is reported as not tried had not started because of this limit.
    fn held_back(&mut self, _bound: Bound) {}

    /// Called before the loop waits for events: a good time to flush.
    fn before_wait(&mut self) {}
}

/// What a [`Sink`] may observe.
#[derive(Debug)]
pub enum Observed<'a> {
    /// An event, before the session handles it.
    Event(&'a Event<'a>),
    /// An action, before it is performed.
    Action(&'a Action),
    /// The answer of the resolver.
    Answer(&'a ResolvedAddresses),
    /// A message of the layer of a connection, such as TLS.
    Message(AttemptId, &'a str),
}
