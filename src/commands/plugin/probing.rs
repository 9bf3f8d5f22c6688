//! The probing thread of the plugin: one run of the engine for all requests.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crate::commands::internal_error;
use crate::commands::plugin::requests::OpenRequests;
use crate::engine;
use crate::engine::{Limits, ResolverKind, Sink};
use crate::failure::{Failure, Status};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::source::{QueueSender, queue};

/// A run of the engine with one policy. It ends when this is dropped and its last probe has ended.
#[derive(Debug)]
pub struct ProbingThread {
    queue: QueueSender,
    policy: Arc<Policy>,
    run: u32,
}

impl ProbingThread {
    /// Starts the thread of the run with this number.
    ///
    /// # Errors
    /// This machine has no free descriptor, or cannot start a thread.
    pub fn start(
        run: u32,
        requests: OpenRequests,
        policy: Arc<Policy>,
        limits: Limits<'static>,
    ) -> io::Result<Self> {
        let (mut source, queue) = queue()?;
        let probing = Self {
            queue,
            policy: Arc::clone(&policy),
            run,
        };
        thread::Builder::new()
            .name("probes".into())
            .spawn(move || {
                let mut sink = Answers(&requests);
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
                requests.fail_run(run, &failure);
            })?;
        Ok(probing)
    }

    /// The number of the run.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Whether it probes under this policy.
    pub fn has_policy(&self, policy: &Arc<Policy>) -> bool {
        Arc::ptr_eq(&self.policy, policy)
    }

    /// Probes. False if the run has ended.
    pub fn send(&self, plan: Arc<Plan>) -> bool {
        self.queue.send(plan).is_ok()
    }
}

/// Answers the agent.
struct Answers<'r>(&'r OpenRequests);

impl Sink for Answers<'_> {
    fn deliver(&mut self, report: Report) {
        #[cfg(debug_assertions)]
        crate::commands::panic_if_tested_at(&format!("port {}", report.plan.target.port));
        self.0.answer_check(&report);
    }

    /// Most requests are for documents.
    fn measures_exchange(&self) -> bool {
        true
    }
}
