//! The probing thread of the plugin: one run of the engine for all requests.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::commands::internal_error;
use crate::commands::plugin::agent::AgentWriter;
use crate::engine;
use crate::engine::{Limits, ResolverKind, Sink};
use crate::failure::{Failure, Status};
use crate::output;
use crate::output::Format;
use crate::output::text::ColorMode;
use crate::plan::Plan;
use crate::plugin::message::Answer;
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::Check;
use crate::source::{QueueSender, queue};

/// A run of the engine with one policy.
#[derive(Debug)]
pub struct ProbingThread {
    queue: QueueSender,
    requests: Arc<OpenRequests>,
    policy: Arc<Policy>,
    next: u32,
}

/// The requests without an answer, by the index of the plan.
#[derive(Debug, Default)]
struct OpenRequests(Mutex<HashMap<u32, OpenRequestEntry>>);

/// A request without an answer.
#[derive(Debug)]
struct OpenRequestEntry {
    id: u32,
    format: Format,
}

impl OpenRequests {
    fn add(&self, index: u32, request: OpenRequestEntry) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(index, request);
    }

    /// Takes a request; `None` if somebody else answers it.
    fn take(&self, index: u32) -> Option<OpenRequestEntry> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&index)
    }

    fn take_all(&self) -> HashMap<u32, OpenRequestEntry> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut open)
    }
}

impl ProbingThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// This machine has no descriptor or no thread left.
    pub fn start(
        agent: AgentWriter,
        policy: Arc<Policy>,
        limits: Limits<'static>,
    ) -> io::Result<Self> {
        let (mut source, queue) = queue()?;
        let requests = Arc::new(OpenRequests::default());
        let probing = Self {
            queue,
            requests: Arc::clone(&requests),
            policy: Arc::clone(&policy),
            next: 0,
        };
        thread::Builder::new().spawn(move || {
            let mut sink = Answers { agent, requests };
            let ran = catch_unwind(AssertUnwindSafe(|| {
                engine::run(
                    &mut source,
                    &mut sink,
                    &policy,
                    &limits,
                    ResolverKind::default(),
                )
            }));
            // From here on nothing can be added to the queue, so every request is in the list.
            drop(source);
            let failure = match ran {
                Ok(Ok(())) => {
                    Failure::new(Status::NotTried, "the run ended before this probe started")
                }
                Ok(Err(error)) => Failure::new(Status::LocalError, error.to_string()),
                Err(_) => internal_error(),
            };
            for request in sink.requests.take_all().into_values() {
                let text = format!("zbx-tcp: {}", failure.text);
                sink.agent.send(&Answer::error(request.id, &text));
            }
        })?;
        Ok(probing)
    }

    /// Whether it probes under this policy.
    pub fn has_policy(&self, policy: &Arc<Policy>) -> bool {
        Arc::ptr_eq(&self.policy, policy)
    }

    /// Probes, and answers the request with this id. False if the run has ended and the request is
    /// still to be answered.
    pub fn send(&mut self, id: u32, check: &Check) -> bool {
        let index = self.next;
        self.next = index.wrapping_add(1);
        let format = check.format.clone();
        self.requests.add(index, OpenRequestEntry { id, format });
        let plan = Plan {
            index,
            ..check.plan.clone()
        };
        self.queue.send(Arc::new(plan)).is_ok() || self.requests.take(index).is_none()
    }
}

/// Answers the agent.
struct Answers {
    agent: AgentWriter,
    requests: Arc<OpenRequests>,
}

impl Sink for Answers {
    fn deliver(&mut self, report: Report) {
        if let Some(request) = self.requests.take(report.plan.index) {
            let text = output::render(&report, &request.format, ColorMode::Off);
            let value = text.strip_suffix('\n').unwrap_or(&text);
            self.agent.send(&Answer::value(request.id, value));
        }
    }
}
