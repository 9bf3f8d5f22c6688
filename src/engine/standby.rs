//! Threads that wait until those before them have no descriptors left, and bring their own.
//!
//! Where answers come, one thread is enough, and its clock is truest alone. Where none comes, each probe keeps a
//! descriptor until its time is over, and the next thread is there for its table of them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Which threads of a run have begun: the first ones at once, each other one when it is called.
#[derive(Debug)]
pub(in crate::engine) struct StandbyThreads {
    begun: AtomicUsize,
    /// Held while `begun` changes, so that no call is missed.
    changing: Mutex<()>,
    changed: Condvar,
}

impl StandbyThreads {
    /// So many begin at once.
    pub fn behind(first: NonZeroUsize) -> Self {
        Self {
            begun: AtomicUsize::new(first.get()),
            changing: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// How many have begun; more than there are, once the run ends.
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// The thread of this number, counted from 0, has no room left: the one behind it begins.
    pub fn call_behind(&self, number: usize) {
        self.begin(number.saturating_add(2));
    }

    /// Nobody waits any longer.
    pub fn call_all(&self) {
        self.begin(usize::MAX);
    }

    /// Waits until the thread of this number is called.
    pub fn wait(&self, number: usize) {
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that panicked leaves nothing half-done here.
        drop(
            self.changed
                .wait_while(changing, |()| self.begun() <= number),
        );
    }

    fn begin(&self, threads: usize) {
        if self.begun() < threads {
            let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            self.begun.fetch_max(threads, Ordering::Relaxed);
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
    fn each_is_called_by_the_one_before_it() {
        let spares = StandbyThreads::behind(NonZeroUsize::MIN);
        let (begin, begun) = mpsc::channel();
        thread::scope(|scope| {
            for number in 0..5 {
                let (spares, begin) = (&spares, begin.clone());
                scope.spawn(move || {
                    spares.wait(number);
                    begin.send(number).unwrap();
                });
            }
            let next = || begun.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(next(), 0);
            for number in 0..2 {
                spares.call_behind(number);
                spares.call_behind(0);
                assert_eq!((next(), spares.begun()), (number + 1, number + 2));
            }
            assert!(begun.try_recv().is_err(), "nobody called the others");
            spares.call_all();
            let mut rest = [next(), next()];
            rest.sort_unstable();
            assert_eq!(rest, [3, 4]);
        });
    }
}
