//! The event loop of the listener and all its clients.

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

use crate::os::stop::StopHandle;
use crate::responder::client_connection::{ClientConnection, StepResult};
use crate::responder::client_event::{ClientEvent, EventLog};
use crate::responder::config::{Clients, CloseMode, ResponderConfig};

const STOP: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// The pause after accept(2) failed, most often for lack of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// Why serving ended early.
#[derive(Debug)]
pub enum RunError {
    /// The log could not be written.
    Log(io::Error),
    /// Sockets cannot be polled.
    Poll(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(f, "cannot write the log: {error}"),
            Self::Poll(error) => write!(f, "cannot poll sockets (epoll): {error}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log(error) | Self::Poll(error) => Some(error),
        }
    }
}

/// Serves until stopped, or until the connection of the only client has ended.
pub(super) fn run(
    listener: &TcpListener,
    config: &Arc<ResponderConfig>,
    log: &mut dyn EventLog,
    stop: &StopHandle,
) -> Result<(), RunError> {
    ServeLoop::new(listener, config, log, stop)?.run()
}

struct ServeLoop<'a> {
    poll: Poll,
    listener: &'a TcpListener,
    config: &'a Arc<ResponderConfig>,
    log: &'a mut dyn EventLog,
    accept_state: AcceptState,
    clients: Slab<Client>,
    /// The keys of clients that can take a step now.
    ready: Vec<usize>,
    /// When a client takes a step even if its socket is not ready, with its key.
    timers: BTreeSet<(Instant, usize)>,
}

/// A client with its entries in `timers` and `ready`.
struct Client {
    connection: ClientConnection,
    timer: Option<Instant>,
    is_queued: bool,
}

/// Whether accept(2) is called in this turn of the loop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AcceptState {
    /// The accept queue is empty; epoll reports the next client.
    Idle,
    /// A client may be in the accept queue.
    Ready,
    /// accept(2) failed, and is retried then.
    RetryAt(Instant),
    /// No further client is accepted.
    Closed,
}

impl<'a> ServeLoop<'a> {
    fn new(
        listener: &'a TcpListener,
        config: &'a Arc<ResponderConfig>,
        log: &'a mut dyn EventLog,
        stop: &StopHandle,
    ) -> Result<Self, RunError> {
        let poll = Poll::new().map_err(RunError::Poll)?;
        let registry = poll.registry();
        registry
            .register(
                &mut SourceFd(&stop.watched().as_raw_fd()),
                STOP,
                Interest::READABLE,
            )
            .map_err(RunError::Poll)?;
        if config.close != CloseMode::NeverAccept {
            let descriptor = listener.as_raw_fd();
            registry
                .register(&mut SourceFd(&descriptor), LISTENER, Interest::READABLE)
                .map_err(RunError::Poll)?;
        }
        Ok(Self {
            poll,
            listener,
            config,
            log,
            accept_state: AcceptState::Idle,
            clients: Slab::new(),
            ready: Vec::new(),
            timers: BTreeSet::new(),
        })
    }

    fn run(&mut self) -> Result<(), RunError> {
        let mut events = Events::with_capacity(256);
        let mut now = clock();
        while self.accept_state != AcceptState::Closed || !self.clients.is_empty() {
            match self.poll.poll(&mut events, self.poll_timeout(now)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return Err(RunError::Poll(error));
                }
                _ => now = clock(),
            }
            for event in &events {
                match event.token() {
                    STOP => return Ok(()),
                    LISTENER => self.on_listener_ready(),
                    Token(key) => self.on_client_ready(key, event),
                }
            }
            self.expire(now);
            self.accept(now).map_err(RunError::Log)?;
            self.step_clients(now).map_err(RunError::Log)?;
        }
        Ok(())
    }

    /// How long to poll: until the next timer, and not at all while a step can be taken.
    fn poll_timeout(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() || self.accept_state == AcceptState::Ready {
            return Some(Duration::ZERO);
        }
        let retry = match self.accept_state {
            AcceptState::RetryAt(time) => Some(time),
            _ => None,
        };
        let timer = self.timers.first().map(|(time, _)| *time);
        let next = retry.into_iter().chain(timer).min();
        next.map(|time| time.saturating_duration_since(now))
    }

    fn on_listener_ready(&mut self) {
        if self.accept_state == AcceptState::Idle {
            self.accept_state = AcceptState::Ready;
        }
    }

    fn on_client_ready(&mut self, key: usize, event: &mio::event::Event) {
        if let Some(client) = self.clients.get_mut(key) {
            client.connection.on_ready(event);
            self.enqueue(key);
        }
    }

    fn enqueue(&mut self, key: usize) {
        if let Some(client) = self.clients.get_mut(key) {
            if !mem::replace(&mut client.is_queued, true) {
                self.ready.push(key);
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
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        if let Some(old) = mem::replace(&mut client.timer, timer) {
            self.timers.remove(&(old, key));
        }
        if let Some(time) = timer {
            self.timers.insert((time, key));
        }
    }

    /// Accepts at most one client, so that accepted clients are served between two new ones.
    fn accept(&mut self, now: Instant) -> io::Result<()> {
        match self.accept_state {
            AcceptState::Ready => {}
            AcceptState::RetryAt(time) if time <= now => {}
            _ => return Ok(()),
        }
        self.accept_state = match self.listener.accept() {
            Ok((stream, address)) => return self.on_accept(stream, address, now),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => AcceptState::Idle,
                // The client closed before it was accepted, or a signal arrived: another client may
                // be waiting.
                ErrorKind::ConnectionAborted | ErrorKind::Interrupted => AcceptState::Ready,
                _ => AcceptState::RetryAt(now + ACCEPT_RETRY),
            },
        };
        Ok(())
    }

    fn on_accept(
        &mut self,
        stream: TcpStream,
        address: SocketAddr,
        now: Instant,
    ) -> io::Result<()> {
        let connection = match ClientConnection::new(stream, address, self.config, now) {
            Ok(connection) => connection,
            Err(error) => return self.log.record(address, &ClientEvent::Failed(&error)),
        };
        let descriptor = connection.raw_fd();
        let entry = self.clients.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.log
            .record(connection.address(), &ClientEvent::Connected)?;
        if let Err(error) =
            self.poll
                .registry()
                .register(&mut SourceFd(&descriptor), Token(key), interest)
        {
            return self
                .log
                .record(connection.address(), &ClientEvent::Failed(&error));
        }
        entry.insert(Client {
            connection,
            timer: None,
            is_queued: false,
        });
        self.enqueue(key);
        self.accept_state = match self.config.clients {
            Clients::One => AcceptState::Closed,
            Clients::Many => AcceptState::Ready,
        };
        Ok(())
    }

    /// Reads or writes once for each ready client, so that a large transfer does not delay the
    /// others.
    fn step_clients(&mut self, now: Instant) -> io::Result<()> {
        for key in mem::take(&mut self.ready) {
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            client.is_queued = false;
            match client.connection.step(now, self.log)? {
                StepResult::Continue => self.enqueue(key),
                StepResult::Wait(until) => self.set_timer(key, until),
                StepResult::Done => {
                    self.set_timer(key, None);
                    self.clients.remove(key);
                }
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only clock of the responder; everything below takes the time as an argument"
)]
fn clock() -> Instant {
    Instant::now()
}
