//! One thread's part of a run.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use crate::engine::index::WorkerIndex;
use crate::engine::limits::Limits;
use crate::engine::limits::shared::SharedLimits;
use crate::policy::Policy;

/// What the event loop of one thread works with.
pub(in crate::engine) struct Worker<'a> {
    /// The source and the limits that it shares with the other workers.
    pub shared: &'a SharedLimits<'a>,
    /// Which addresses may be connected to.
    pub policy: &'a Policy,
    /// Which of the workers it is.
    pub index: WorkerIndex,
    /// Number of workers, those on standby included.
    pub workers: usize,
    /// Most probes that it has in flight at once.
    pub in_flight: usize,
    /// When the run ends.
    pub deadline: Option<Instant>,
    /// Ends the run once it is readable.
    pub stop: Option<BorrowedFd<'a>>,
}

impl<'a> Worker<'a> {
    /// The workers of a run that starts `now`: no more than there may be probes in flight.
    pub fn split(
        limits: &Limits<'a>,
        policy: &'a Policy,
        shared: &'a SharedLimits<'a>,
        now: Instant,
    ) -> Vec<Self> {
        let all = limits.in_flight.get();
        let workers = limits
            .threads
            .saturating_add(limits.standby_threads)
            .get()
            .min(all);
        let deadline = limits.deadline.map(|after| now + after);
        let worker = |index| Self {
            shared,
            policy,
            index: WorkerIndex(index),
            workers,
            in_flight: all / workers + usize::from(index < all % workers),
            deadline,
            stop: limits.stop,
        };
        (0..workers).map(worker).collect()
    }

    /// Number of workers that have started.
    pub fn started(&self) -> usize {
        self.shared.standby.started().min(self.workers)
    }

    /// Starts the next standby worker, if there is one.
    pub fn start_next(&self) {
        if self.started() < self.workers {
            self.shared.standby.start_next(self.index);
        }
    }
}
