//! What ends a run before its time: SIGINT, SIGTERM, or a reader that has left.

use std::io;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// The exit status of a run that a second signal ends at once: nothing was verified.
const NOT_UP: i32 = 1;

/// A descriptor that can be read once the run is to end; a socket pair, because a signal handler may only write to a
/// descriptor (signal-safety(7)).
#[derive(Debug)]
pub struct Stop {
    watched: UnixStream,
    written: UnixStream,
}

impl Stop {
    /// The first signal ends the run, and what is known is printed; the second one ends the process, should nobody read.
    pub fn on_signals() -> io::Result<Self> {
        let (watched, written) = UnixStream::pair()?;
        written.set_nonblocking(true)?;
        // All descriptors first: half of it would leave a signal without any effect.
        let ends = [written.try_clone()?, written.try_clone()?];
        for (signal, end) in [SIGINT, SIGTERM].into_iter().zip(ends) {
            low_level::pipe::register(signal, OwnedFd::from(end))?;
        }
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, NOT_UP, Arc::clone(&stopping))?;
            flag::register(signal, Arc::clone(&stopping))?;
        }
        Ok(Self { watched, written })
    }

    /// Ends the run.
    pub fn stop(&self) {
        // The only failure is a full buffer, and then the byte that matters is already there.
        let _ = (&self.written).write(&[1]);
    }

    /// The descriptor to watch.
    pub fn watched(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }
}
