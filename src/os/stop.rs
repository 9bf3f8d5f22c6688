//! Stops an event loop from a signal handler or from another thread.

use std::io;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Stops every event loop that watches it, for good; clones are the same handle.
///
/// It is a socket pair because a signal handler may only write to a descriptor (signal-safety(7)).
/// The byte is never read, so a loop that starts after the stop sees it too.
#[derive(Debug, Clone)]
pub struct StopHandle(Arc<SocketPair>);

#[derive(Debug)]
struct SocketPair {
    watched: UnixStream,
    written: UnixStream,
    /// Set by the first signal.
    stopping: Arc<AtomicBool>,
}

impl StopHandle {
    /// A handle that was not used yet.
    ///
    /// # Errors
    /// The error of socketpair(2), most often that no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let (watched, written) = UnixStream::pair()?;
        written.set_nonblocking(true)?;
        Ok(Self(Arc::new(SocketPair {
            watched,
            written,
            stopping: Arc::default(),
        })))
    }

    /// A handle that SIGINT and SIGTERM use. A second signal ends the process at once with the exit
    /// status `second_signal`, in case the event loop is blocked by a reader that does not read.
    ///
    /// # Errors
    /// As [`new`](Self::new). The signals keep their default action then.
    pub fn on_signals(second_signal: i32) -> io::Result<Self> {
        let stop = Self::new()?;
        // All descriptors first: a signal that is handled without one would have no effect at all.
        let ends = [stop.write_end()?, stop.write_end()?];
        for (signal, end) in [SIGINT, SIGTERM].into_iter().zip(ends) {
            low_level::pipe::register(signal, end)?;
        }
        let stopping = &stop.0.stopping;
        for signal in [SIGINT, SIGTERM] {
            // In this order, so that the first signal does not find the flag that it sets.
            flag::register_conditional_shutdown(signal, second_signal, Arc::clone(stopping))?;
            flag::register(signal, Arc::clone(stopping))?;
        }
        Ok(stop)
    }

    /// Stops the loops; more than once is the same as once.
    pub fn stop(&self) {
        // The only failure is a full buffer, and then the byte that matters is already there.
        let _ = (&self.0.written).write(&[1]);
    }

    /// Whether a signal arrived that it is used by.
    pub fn is_signalled(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// The descriptor to watch; it becomes readable.
    pub fn watched(&self) -> BorrowedFd<'_> {
        self.0.watched.as_fd()
    }

    fn write_end(&self) -> io::Result<OwnedFd> {
        self.0.written.try_clone().map(OwnedFd::from)
    }
}
