//! The way to end a responder from a signal handler or another thread.

use std::io;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Ends every [`run`](super::Responder::run) that was given it, for good; its clones are the same handle.
///
/// A socket pair and not an event of the loop, because a signal handler may only write to a descriptor
/// (signal-safety(7)). The byte is never read: a loop that starts after the stop sees it too.
#[derive(Debug, Clone)]
pub struct StopHandle(Arc<Pair>);

#[derive(Debug)]
struct Pair {
    watched: UnixStream,
    written: UnixStream,
}

impl StopHandle {
    /// A handle that was not used yet.
    pub fn new() -> io::Result<Self> {
        let (watched, written) = UnixStream::pair()?;
        written.set_nonblocking(true)?;
        Ok(Self(Arc::new(Pair { watched, written })))
    }

    /// Ends the loops; more than once is the same as once.
    pub fn stop(&self) {
        // The only failure is a full buffer, and then the byte that matters is already there.
        let _ = (&self.0.written).write(&[1]);
    }

    /// A descriptor on which any written byte stops, for signal handlers.
    pub fn trigger(&self) -> io::Result<OwnedFd> {
        self.0.written.try_clone().map(OwnedFd::from)
    }

    /// The descriptor that becomes readable.
    pub(super) fn watched(&self) -> RawFd {
        self.0.watched.as_raw_fd()
    }
}
