//! The event queue of one worker.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::engine::event_loop::worker::Worker;
use crate::engine::index::ConnId;

/// Most events of one wake.
pub(in crate::engine) const EVENTS: usize = 1024;
/// The token of the descriptor that stops the run. The resolver's tokens have a higher bit;
/// connections count from 0.
pub(in crate::engine) const STOP: Token = Token(1 << (usize::BITS - 2));
/// The token of the source's wake descriptor.
pub(in crate::engine) const SOURCE: Token = Token(STOP.0 + 1);
/// What a connection is polled for.
const CONNECTION: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The poll and the events of the last wake.
pub(in crate::engine) struct Poller {
    poll: Poll,
    events: Events,
    wake: Wake,
}

/// Whether the last wake returned all events.
#[derive(PartialEq, Eq)]
enum Wake {
    /// All events that there were.
    Complete,
    /// As many as fit; there may be more.
    Full,
}

impl Poller {
    /// An event queue with the descriptors that end the run and wake the source, if there are any.
    ///
    /// # Errors
    /// When the process has no descriptor left, or the kernel no memory.
    pub fn new(worker: &Worker<'_>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let watch = |fd: Option<BorrowedFd<'_>>, token| match fd {
            Some(fd) => {
                let fd = fd.as_raw_fd();
                poll.registry()
                    .register(&mut SourceFd(&fd), token, Interest::READABLE)
            }
            None => Ok(()),
        };
        watch(worker.stop, STOP)?;
        watch(worker.shared.wake_fd(), SOURCE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            wake: Wake::Complete,
        })
    }

    /// For the resolver, which watches sockets of its own.
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits for events, at most this long. After an interruption, such as a stop and its
    /// continuation, fetches the events that there are.
    ///
    /// # Errors
    /// Those of `epoll_wait(2)`.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            // Without a wait there is nothing to interrupt.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.poll.poll(&mut self.events, Some(Duration::ZERO))
            }
            result => result,
        }
    }

    /// Takes the events of the last wake, to be given back with [`Poller::put_back`].
    pub fn take(&mut self) -> Events {
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        self.wake = if events.iter().count() < EVENTS {
            Wake::Complete
        } else {
            Wake::Full
        };
        events
    }

    /// Reuses the memory of these events.
    pub fn put_back(&mut self, events: Events) {
        self.events = events;
    }

    /// Whether there may be more events than the last wake returned.
    pub fn is_behind(&self) -> bool {
        self.wake == Wake::Full
    }

    /// Watches the socket of a connection.
    pub fn watch(&self, fd: RawFd, connection: ConnId) -> io::Result<()> {
        let token = Token(connection.index());
        self.registry()
            .register(&mut SourceFd(&fd), token, CONNECTION)
    }

    /// Watches the socket of a connection that is watched already: the kernel then reports its
    /// state once more.
    pub fn watch_again(&self, fd: RawFd, connection: ConnId) -> io::Result<()> {
        let token = Token(connection.index());
        self.registry()
            .reregister(&mut SourceFd(&fd), token, CONNECTION)
    }
}
