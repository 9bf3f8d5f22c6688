//! A run on several threads: each has its own loop and, where the system allows it, its own descriptors. Some may
//! [wait](Spares) until they are needed.
//!
//! The limit on descriptors holds for a table of them, and a thread that leaves the process's table has a full limit to
//! itself (`CLONE_FILES`, unshare(2)). What was open before is open in every table, so all threads leave before any of
//! them opens a connection: else its close would not be the last, and no FIN or RST would be sent.

use std::sync::{Mutex, PoisonError, RwLock, mpsc};
use std::thread::ScopedJoinHandle;
use std::{io, thread};

use crate::engine::event_loop::Worker;
use crate::engine::standby::StandbyThreads;
use crate::engine::{ResolverKind, Sink, probe};
use crate::os::socket;
use crate::report::Report;

/// Probes on so many threads until everything is done. The sink gets reports, one at a time, and sees nothing of what
/// happens meanwhile.
///
/// # Errors
/// When no thread could probe; where only some can, they do everything.
pub(super) fn probe_on(
    parts: &[Worker<'_>],
    sink: &mut (dyn Sink + Send),
    names: &ResolverKind,
) -> io::Result<()> {
    let sink = Mutex::new(sink);
    let (left, leaves) = mpsc::channel();
    let everybody_left = RwLock::new(());
    thread::scope(|scope| {
        let not_yet = everybody_left.write();
        let begun: Vec<_> = parts
            .iter()
            .map(|part| {
                let (mut sink, left, everybody_left) =
                    (Locked(&sink), left.clone(), &everybody_left);
                let work = move || {
                    // Containers may forbid it: then the threads have one limit, and wait for each other's descriptors.
                    let _ = socket::unshare_descriptors();
                    let _ = left.send(());
                    drop(everybody_left.read());
                    part.gate.spares.wait(part.number);
                    // However it ends, the others do what is left.
                    let _others = CallAll(&part.gate.spares);
                    probe(part, &mut sink, names.clone())
                };
                thread::Builder::new()
                    .name("probe".into())
                    .spawn_scoped(scope, work)
            })
            .collect();
        for _ in begun.iter().filter(|thread| thread.is_ok()) {
            let _ = leaves.recv();
        }
        drop(not_yet);
        // Who is not there calls nobody.
        if let Some(part) = parts.first().filter(|_| begun.iter().any(Result::is_err)) {
            part.gate.spares.call_all();
        }
        begun
            .into_iter()
            .map(ended)
            .reduce(Result::or)
            .unwrap_or(Ok(()))
    })
}

/// Whoever still waits begins when this goes: who has ended calls nobody any more.
struct CallAll<'s>(&'s StandbyThreads);

impl Drop for CallAll<'_> {
    fn drop(&mut self) {
        self.0.call_all();
    }
}

/// What came of a thread; its panic is ours.
fn ended(thread: io::Result<ScopedJoinHandle<'_, io::Result<()>>>) -> io::Result<()> {
    thread?
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A sink of several threads.
struct Locked<'m, 'k>(&'m Mutex<&'k mut (dyn Sink + Send)>);

impl Sink for Locked<'_, '_> {
    fn deliver(&mut self, report: Report) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .deliver(report);
    }

    fn rest(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rest();
    }
}
