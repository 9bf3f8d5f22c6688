//! Ends a run that still computes after it should have ended, and prints the values known so far.
//! The engine limits the work for each answer, so this happens only because of a defect.
//!
//! A slow run is not ended: only the CPU time since its last report counts.

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::commands::Exit;
use crate::engine::Sink;
use crate::os::computing::computed;
use crate::os::stop::StopHandle;
use crate::report::Report;

/// How long a run may compute after its end without a report. A debug build is ten times slower.
const GRACE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 50 });
/// The time between two checks of the run.
const TICK: Duration = Duration::from_millis(25);

/// When a run is ended, and how.
pub struct Watchdog<'s, G> {
    /// The time at which the run should end.
    pub due: Instant,
    /// Ends the run earlier.
    pub stop: Option<&'s StopHandle>,
    /// Prints what is known, and returns the exit status of the process.
    pub give_up: G,
}

impl<G> Watchdog<'_, G> {
    /// Runs `probe`, and ends the process if it does not end.
    pub fn guard<K, T>(self, sink: &mut K, probe: impl FnOnce(&mut WatchedSink<'_, K>) -> T) -> T
    where
        K: Sink + Send,
        G: FnOnce(&mut K) -> Exit + Send,
    {
        let shared = WatchedRun {
            sink: Mutex::new(sink),
            reports: AtomicUsize::new(0),
        };
        let (running, ended) = mpsc::channel();
        thread::scope(|scope| {
            let Self { due, stop, give_up } = self;
            let (shared, ended) = (&shared, ended);
            let watch = move || {
                if wait(&ended, due, stop, &shared.reports) == RunEnd::Computes {
                    let exit = give_up(*shared.lock());
                    process::exit(exit.code().into());
                }
            };
            // If the thread cannot be started, the run continues without it: the engine limits its
            // work.
            let _ = thread::Builder::new()
                .name("watchdog".into())
                .spawn_scoped(scope, watch);
            let result = probe(&mut WatchedSink(shared));
            drop(running);
            result
        })
    }
}

/// A sink that the watchdog can take over.
struct WatchedRun<'k, K> {
    sink: Mutex<&'k mut K>,
    /// The number of reports so far.
    reports: AtomicUsize,
}

impl<'k, K> WatchedRun<'k, K> {
    fn lock(&self) -> MutexGuard<'_, &'k mut K> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands reports to the sink of a run that is watched.
pub struct WatchedSink<'s, K>(&'s WatchedRun<'s, K>);

impl<K: Sink> Sink for WatchedSink<'_, K> {
    fn deliver(&mut self, report: Report) {
        self.0.reports.fetch_add(1, Ordering::Relaxed);
        self.0.lock().deliver(report);
    }

    fn measures_exchange(&self) -> bool {
        self.0.lock().measures_exchange()
    }

    fn before_wait(&mut self) {
        self.0.lock().before_wait();
    }
}

/// How the wait for a run ended.
#[derive(PartialEq, Eq)]
enum RunEnd {
    Ended,
    /// It still computes after its end.
    Computes,
}

/// Waits until the run has ended, or has computed for too long after its end.
#[allow(clippy::disallowed_methods)]
fn wait(
    ended: &Receiver<()>,
    due: Instant,
    stop: Option<&StopHandle>,
    reports: &AtomicUsize,
) -> RunEnd {
    let mut last = None;
    loop {
        match ended.recv_timeout(TICK) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return RunEnd::Ended,
        }
        let is_over = Instant::now() >= due || stop.is_some_and(StopHandle::is_stopped);
        if !is_over {
            continue;
        }
        let (count, now) = (reports.load(Ordering::Relaxed), computed());
        match last {
            Some((known, since)) if known == count => {
                if now.saturating_sub(since) > GRACE {
                    return RunEnd::Computes;
                }
            }
            _ => last = Some((count, now)),
        }
    }
}
