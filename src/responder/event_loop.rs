//! One event loop for the listener and all its clients.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io, mem};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::responder::connection::{Connection, Turn};
use crate::responder::{Clients, Close, Event, Log, Settings, StopHandle};

const STOP: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// The wait after this machine could not accept, mostly for want of descriptors.
const BREATHER: Duration = Duration::from_millis(10);

/// Why serving ended too early.
#[derive(Debug)]
pub enum RunError {
    /// The log could not be written.
    Log(io::Error),
    /// This machine has no event queue for us, or it broke.
    Queue(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(f, "cannot write what happened: {error}"),
            Self::Queue(error) => write!(f, "cannot wait for clients (epoll): {error}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log(error) | Self::Queue(error) => Some(error),
        }
    }
}

/// Serves until stopped, or until the only client is gone.
pub(super) fn run(
    listener: &TcpListener,
    settings: &Arc<Settings>,
    log: &mut dyn Log,
    stop: &StopHandle,
) -> Result<(), RunError> {
    EventLoop::new(listener, settings, log, stop).and_then(|mut events| events.run())
}

struct EventLoop<'a> {
    poll: Poll,
    listener: &'a TcpListener,
    settings: &'a Arc<Settings>,
    log: &'a mut dyn Log,
    admission: Admission,
    members: Slab<Member>,
    /// Members that can do more now.
    busy: Vec<usize>,
    timers: BTreeSet<(Instant, usize)>,
}

/// A connection as the loop keeps it.
struct Member {
    connection: Connection,
    timer: Option<Instant>,
    busy: bool,
}

/// Whether there is someone to accept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    Quiet,
    Waiting,
    NotBefore(Instant),
    Closed,
}

impl<'a> EventLoop<'a> {
    fn new(
        listener: &'a TcpListener,
        settings: &'a Arc<Settings>,
        log: &'a mut dyn Log,
        stop: &StopHandle,
    ) -> Result<Self, RunError> {
        let poll = Poll::new().map_err(RunError::Queue)?;
        let registry = poll.registry();
        registry
            .register(&mut SourceFd(&stop.watched()), STOP, Interest::READABLE)
            .map_err(RunError::Queue)?;
        if settings.close != Close::NeverAccept {
            let descriptor = listener.as_raw_fd();
            registry
                .register(&mut SourceFd(&descriptor), LISTENER, Interest::READABLE)
                .map_err(RunError::Queue)?;
        }
        let (members, busy, timers) = (Slab::new(), Vec::new(), BTreeSet::new());
        Ok(Self {
            poll,
            listener,
            settings,
            log,
            admission: Admission::Quiet,
            members,
            busy,
            timers,
        })
    }

    fn run(&mut self) -> Result<(), RunError> {
        let mut events = Events::with_capacity(256);
        let mut now = clock();
        while self.admission != Admission::Closed || !self.members.is_empty() {
            match self.poll.poll(&mut events, self.patience(now)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return Err(RunError::Queue(error));
                }
                _ => now = clock(),
            }
            for event in &events {
                match event.token() {
                    STOP => return Ok(()),
                    LISTENER => self.knocked(),
                    Token(key) => self.ready(key, event),
                }
            }
            self.expire(now);
            self.admit(now).map_err(RunError::Log)?;
            self.work(now).map_err(RunError::Log)?;
        }
        Ok(())
    }

    /// How long the queue may wait: until the next deadline, and not at all while there is work.
    fn patience(&self, now: Instant) -> Option<Duration> {
        if !self.busy.is_empty() || self.admission == Admission::Waiting {
            return Some(Duration::ZERO);
        }
        let retry = match self.admission {
            Admission::NotBefore(time) => Some(time),
            _ => None,
        };
        let timer = self.timers.first().map(|(time, _)| *time);
        let next = retry.into_iter().chain(timer).min();
        next.map(|time| time.saturating_duration_since(now))
    }

    fn knocked(&mut self) {
        if self.admission == Admission::Quiet {
            self.admission = Admission::Waiting;
        }
    }

    fn ready(&mut self, key: usize, event: &mio::event::Event) {
        if let Some(member) = self.members.get_mut(key) {
            member.connection.ready(event);
            self.enqueue(key);
        }
    }

    fn enqueue(&mut self, key: usize) {
        if let Some(member) = self.members.get_mut(key) {
            if !mem::replace(&mut member.busy, true) {
                self.busy.push(key);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((time, key)) = self.timers.first().copied() {
            if time > now {
                return;
            }
            self.set_timer(key, None);
            self.enqueue(key);
        }
    }

    fn set_timer(&mut self, key: usize, timer: Option<Instant>) {
        let Some(member) = self.members.get_mut(key) else {
            return;
        };
        if let Some(old) = mem::replace(&mut member.timer, timer) {
            self.timers.remove(&(old, key));
        }
        if let Some(time) = timer {
            self.timers.insert((time, key));
        }
    }

    /// Accepts one client; the next one's turn is after those who are already here.
    fn admit(&mut self, now: Instant) -> io::Result<()> {
        match self.admission {
            Admission::Waiting => {}
            Admission::NotBefore(time) if time <= now => {}
            _ => return Ok(()),
        }
        self.admission = match self.listener.accept() {
            Ok((stream, address)) => return self.welcome(stream, address, now),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Admission::Quiet,
                // The client was gone before its turn, or a signal came: the next one may be there.
                ErrorKind::ConnectionAborted | ErrorKind::Interrupted => Admission::Waiting,
                _ => Admission::NotBefore(now + BREATHER),
            },
        };
        Ok(())
    }

    fn welcome(&mut self, stream: TcpStream, address: SocketAddr, now: Instant) -> io::Result<()> {
        let connection = match Connection::new(stream, address, self.settings, now) {
            Ok(connection) => connection,
            Err(error) => return self.log.note(address, &Event::Failed(&error)),
        };
        let descriptor = connection.descriptor();
        let entry = self.members.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.log.note(connection.address(), &Event::Connected)?;
        if let Err(error) =
            self.poll
                .registry()
                .register(&mut SourceFd(&descriptor), Token(key), interest)
        {
            return self.log.note(connection.address(), &Event::Failed(&error));
        }
        entry.insert(Member {
            connection,
            timer: None,
            busy: false,
        });
        self.enqueue(key);
        self.admission = match self.settings.clients {
            Clients::One => Admission::Closed,
            Clients::Many => Admission::Waiting,
        };
        Ok(())
    }

    /// Gives each busy member one turn, so that nobody waits for another's megabytes.
    fn work(&mut self, now: Instant) -> io::Result<()> {
        for key in mem::take(&mut self.busy) {
            let Some(member) = self.members.get_mut(key) else {
                continue;
            };
            member.busy = false;
            match member.connection.turn(now, self.log)? {
                Turn::Again => self.enqueue(key),
                Turn::Wait(until) => self.set_timer(key, until),
                Turn::Over => {
                    self.set_timer(key, None);
                    self.members.remove(key);
                }
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this loop hands out the time that its clients take as an argument"
)]
fn clock() -> Instant {
    Instant::now()
}
