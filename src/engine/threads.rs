//! A run on several threads: each worker has its own event loop and, where the system allows it,
//! its own descriptor table. Some workers may be on [standby](StandbyThreads).
//!
//! The descriptor limit holds for one table, and a thread that leaves the process's table
//! (`CLONE_FILES`, unshare(2)) has the full limit to itself. It gets a copy of the table, so every
//! descriptor that is open at that time stays open in all tables. Therefore all threads leave
//! before any of them opens a connection: otherwise closing it in one table would send no FIN or
//! RST.

use std::sync::{Mutex, PoisonError, RwLock, mpsc};
use std::thread::ScopedJoinHandle;
use std::{io, thread};

use crate::engine::error::PollError;
use crate::engine::event_loop;
use crate::engine::event_loop::worker::Worker;
use crate::engine::limits::Bound;
use crate::engine::resolver_kind::ResolverKind;
use crate::engine::sink::Sink;
use crate::engine::standby::StandbyThreads;
use crate::os::socket;
use crate::report::Report;

/// Runs each worker on a thread of its own, until everything is done. The sink gets one report at a
/// time, and observes nothing.
///
/// # Errors
/// When no worker could run. Where only some can, they do all the work.
pub(super) fn run(
    workers: &[Worker<'_>],
    sink: &mut (dyn Sink + Send),
    resolver: &ResolverKind,
) -> Result<(), PollError> {
    let sink = Mutex::new(sink);
    let (has_own_table, own_tables) = mpsc::channel();
    // Held for writing until all threads have left the process's descriptor table.
    let all_left = RwLock::new(());
    thread::scope(|scope| {
        let leaving = all_left.write();
        let threads: Vec<_> = workers
            .iter()
            .map(|worker| {
                let (mut sink, has_own_table, all_left) =
                    (SharedSink(&sink), has_own_table.clone(), &all_left);
                let work = move || {
                    // Containers may forbid it: then the workers share one limit, and wait for each
                    // other's descriptors.
                    let _ = socket::unshare_descriptors();
                    let _ = has_own_table.send(());
                    drop(all_left.read());
                    worker.shared.standby.wait(worker.index);
                    let _start_all = StartAllOnDrop(&worker.shared.standby);
                    event_loop::run(worker, &mut sink, resolver.clone())
                };
                thread::Builder::new()
                    .name("probe".into())
                    .spawn_scoped(scope, work)
            })
            .collect();
        for _ in threads.iter().filter(|thread| thread.is_ok()) {
            let _ = own_tables.recv();
        }
        drop(leaving);
        // Some threads failed to start: start the standby threads now, since the missing ones will
        // not.
        if let Some(worker) = workers
            .first()
            .filter(|_| threads.iter().any(Result::is_err))
        {
            worker.shared.standby.start_all();
        }
        threads
            .into_iter()
            .map(join)
            .reduce(Result::or)
            .unwrap_or(Ok(()))
    })
}

/// Drop guard: starts all standby threads when a worker ends, also by a panic. They do what is
/// left.
struct StartAllOnDrop<'s>(&'s StandbyThreads);

impl Drop for StartAllOnDrop<'_> {
    fn drop(&mut self) {
        self.0.start_all();
    }
}

/// The result of a thread; resumes its panic.
fn join(thread: io::Result<ScopedJoinHandle<'_, Result<(), PollError>>>) -> Result<(), PollError> {
    thread?
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One sink for several threads.
struct SharedSink<'m, 'k>(&'m Mutex<&'k mut (dyn Sink + Send)>);

impl Sink for SharedSink<'_, '_> {
    fn deliver(&mut self, report: Report) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .deliver(report);
    }

    fn held_back(&mut self, bound: Bound) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .held_back(bound);
    }

    fn measures_exchange(&self) -> bool {
        let sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sink.measures_exchange()
    }

    fn before_wait(&mut self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .before_wait();
    }
}
