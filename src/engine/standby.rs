//! Standby threads: workers that start only when the workers before them are full.
//!
//! If targets answer, one thread is enough, and gives the most accurate times. If targets do not
//! answer, each probe holds a descriptor until its deadline; a worker without free descriptors
//! starts the next standby thread, which has its own descriptor table.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::engine::index::WorkerIndex;

/// How many workers of a run have started: the first ones at once, the others one by one.
#[derive(Debug)]
pub(in crate::engine) struct StandbyThreads {
    started: AtomicUsize,
    /// Held while `started` changes, so that no notification is lost.
    changing: Mutex<()>,
    changed: Condvar,
}

impl StandbyThreads {
    /// All workers but the first `active` ones are on standby.
    pub fn new(active: NonZeroUsize) -> Self {
        Self {
            started: AtomicUsize::new(active.get()),
            changing: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Number of started workers; `usize::MAX` once the run ends.
    pub fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// Starts the worker after this one, which is full.
    pub fn start_next(&self, worker: WorkerIndex) {
        self.start(worker.0.saturating_add(2));
    }

    /// Starts all workers.
    pub fn start_all(&self) {
        self.start(usize::MAX);
    }

    /// Blocks until this worker is started.
    pub fn wait(&self, worker: WorkerIndex) {
        // A poisoned lock is fine: it guards no data.
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        drop(
            self.changed
                .wait_while(changing, |()| self.started() <= worker.0),
        );
    }

    fn start(&self, workers: usize) {
        if self.started() < workers {
            let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            self.started.fetch_max(workers, Ordering::Relaxed);
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_worker_starts_the_one_after_it() {
        let standby = StandbyThreads::new(NonZeroUsize::MIN);
        let (sender, started) = mpsc::channel();
        thread::scope(|scope| {
            for index in 0..5 {
                let (standby, sender) = (&standby, sender.clone());
                scope.spawn(move || {
                    standby.wait(WorkerIndex(index));
                    sender.send(index).unwrap();
                });
            }
            let next = || started.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(next(), 0);
            for index in 0..2 {
                standby.start_next(WorkerIndex(index));
                standby.start_next(WorkerIndex(0));
                assert_eq!((next(), standby.started()), (index + 1, index + 2));
            }
            assert!(started.try_recv().is_err(), "the others stay on standby");
            standby.start_all();
            let mut rest = [next(), next()];
            rest.sort_unstable();
            assert_eq!(rest, [3, 4]);
        });
    }
}
