//! The end of a run before everything is done: its deadline, or somebody who stops it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::event_loop::Engine;
use crate::engine::event_loop::connection::Phase;
use crate::engine::event_loop::sockets::PendingClose;
use crate::engine::session::Session;
use crate::failure::{Failure, Status};
use crate::plan::Plan;
use crate::report::Report;

/// When and why the run ends.
pub(in crate::engine) struct End {
    due: Option<Instant>,
    why: &'static str,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Ahead,
    Come,
}

impl End {
    /// The run ends then, or when everything is done.
    pub fn at(due: Option<Instant>) -> Self {
        Self {
            due,
            why: "the deadline of the run came before its turn",
            stage: Stage::Ahead,
        }
    }

    /// The run ends now.
    pub fn come(&mut self, now: Instant) {
        if self.stage == Stage::Ahead {
            (self.due, self.why) = (Some(now), "the run was stopped before its turn");
        }
    }

    /// When there is something to end.
    pub fn next(&self) -> Option<Instant> {
        self.due.filter(|_| self.stage == Stage::Ahead)
    }

    /// Whether it has.
    pub fn has_come(&self) -> bool {
        self.stage == Stage::Come
    }

    /// Makes a probe end by then.
    pub fn cut(&self, session: &mut Session) {
        if let Some(due) = self.due {
            session.limit_deadline(due);
        }
    }
}

impl Engine<'_, '_> {
    /// At the end of the run, what is under way ends with the status of its phase, and the rest was not tried.
    pub(in crate::engine) fn end_when_due(&mut self, now: Instant) {
        if self.end.next().is_none_or(|due| due > now) {
            return;
        }
        self.end.stage = Stage::Come;
        let places: Vec<usize> = self.sessions.iter().map(|(place, _)| place).collect();
        for place in places {
            self.resume(place, now);
            self.hear_out(place, now);
            if let Some(entry) = self.sessions.get_mut(place) {
                self.end.cut(&mut entry.session);
            }
            self.tick(place, now);
        }
        let gate = self.share.gate;
        for plan in self.waiting.end(|| gate.next_plan()) {
            self.sink.deliver(untried(plan, self.end.why));
        }
    }
}

impl Engine<'_, '_> {
    /// Everything is over, because this machine has no events for us any more.
    pub(in crate::engine) fn give_up(&mut self, error: &io::Error) {
        let text = format!("this machine could not wait for the network: {error}");
        let under_way = self
            .sessions
            .iter()
            .map(|(_, entry)| Arc::clone(entry.session.plan()));
        for plan in under_way.chain(self.waiting.end(|| None)) {
            let failure = Failure::new(Status::LocalError, text.as_str());
            self.sink
                .deliver(Report::without_connection(plan, failure, Duration::ZERO));
        }
    }
}

impl Drop for Engine<'_, '_> {
    /// What is open when a thread ends by a fault would keep the others from its addresses for ever.
    fn drop(&mut self) {
        for (_, connection) in self
            .connections
            .iter()
            .filter(|(_, connection)| connection.phase != Phase::Idle)
        {
            let (place, attempt) = connection.owner();
            if let Some(remote) = self
                .sessions
                .get(place)
                .and_then(|entry| entry.session.remote(attempt))
            {
                self.share.gate.end(remote.ip());
            }
        }
        for address in self.leaving.iter().map(PendingClose::address) {
            self.share.gate.end(address);
        }
    }
}

fn untried(plan: Arc<Plan>, why: &str) -> Report {
    Report::without_connection(plan, Failure::new(Status::NotTried, why), Duration::ZERO)
}
