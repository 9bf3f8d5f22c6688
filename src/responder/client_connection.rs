//! One accepted socket: performs the actions of its conversation, one step at a time.

use std::io;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use socket2::SockRef;

use crate::responder::client_event::{ClientEvent, EventLog};
use crate::responder::config::ResponderConfig;
use crate::responder::conversation::{CloseReason, Conversation, NextAction};

/// The size of one read, as in the tutorial's server that this responder has to equal.
const READ_SIZE: usize = 1024;

/// The socket of one client, with its conversation.
#[derive(Debug)]
pub(super) struct ClientConnection {
    stream: TcpStream,
    address: SocketAddr,
    conversation: Conversation,
    // epoll reports changes only, so readiness is remembered until a call would block.
    is_readable: bool,
    is_writable: bool,
    has_error: bool,
}

/// The result of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StepResult {
    /// Another step can be taken at once.
    Continue,
    /// The next step is due when the socket is ready, or then.
    Wait(Option<Instant>),
    /// The connection has ended.
    Done,
}

impl ClientConnection {
    /// Takes over an accepted socket.
    pub(super) fn new(
        stream: TcpStream,
        address: SocketAddr,
        config: &Arc<ResponderConfig>,
        now: Instant,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // With --close hold this is the only way to notice a client that vanished without a packet
        // (tcp(7)).
        SockRef::from(&stream).set_keepalive(true)?;
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let conversation = Conversation::new(Arc::clone(config), now);
        Ok(Self {
            stream,
            address,
            conversation,
            is_readable: false,
            is_writable: true,
            has_error: false,
        })
    }

    /// The client's address; an IPv4-mapped one as IPv4.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket's descriptor, for `mio`.
    pub(super) fn raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Notes what epoll reported for the socket.
    pub(super) fn on_ready(&mut self, event: &Event) {
        self.is_readable |= event.is_readable() || event.is_read_closed();
        self.is_writable |= event.is_writable() || event.is_write_closed();
        self.has_error |= event.is_error();
    }

    /// Takes one step; fails only if the log does.
    pub(super) fn step(&mut self, now: Instant, log: &mut dyn EventLog) -> io::Result<StepResult> {
        self.conversation.on_time(now);
        match self.perform(now, log) {
            Ok(step) => Ok(step),
            Err(StepError::Log(error)) => Err(error),
            Err(StepError::Socket(error)) => match error.kind() {
                ErrorKind::Interrupted => Ok(StepResult::Continue),
                _ => log
                    .record(self.address, &ClientEvent::Failed(&error))
                    .map(|()| StepResult::Done),
            },
        }
    }

    fn perform(&mut self, now: Instant, log: &mut dyn EventLog) -> Result<StepResult, StepError> {
        match self.conversation.next_action() {
            NextAction::Wait(until) => self.wait(until),
            NextAction::Write(_) => self.write(log),
            NextAction::Read => self.read(now, Some(log), None),
            NextAction::Drain(until) => self.read(now, None, Some(until)),
            NextAction::Shutdown => {
                self.stream
                    .shutdown(Shutdown::Write)
                    .map_err(StepError::Socket)?;
                self.conversation.on_shutdown(now);
                Ok(StepResult::Continue)
            }
            NextAction::Close(reason) => self.close(reason, log),
        }
    }

    /// While nothing is read or written, a reset by the client shows only as an error event.
    fn wait(&mut self, until: Instant) -> Result<StepResult, StepError> {
        if self.has_error {
            if let Some(error) = self.stream.take_error().map_err(StepError::Socket)? {
                return Err(StepError::Socket(error));
            }
        }
        Ok(StepResult::Wait(Some(until)))
    }

    fn write(&mut self, log: &mut dyn EventLog) -> Result<StepResult, StepError> {
        let NextAction::Write(bytes) = self.conversation.next_action() else {
            return Ok(StepResult::Continue);
        };
        if !self.is_writable {
            return Ok(StepResult::Wait(None));
        }
        match self.stream.write(bytes) {
            Ok(count) => {
                if let Some(message) = self.conversation.on_written(count) {
                    log.record(self.address, &ClientEvent::Sent(&message))
                        .map_err(StepError::Log)?;
                }
                Ok(StepResult::Continue)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_writable = false;
                Ok(StepResult::Wait(None))
            }
            Err(error) => Err(StepError::Socket(error)),
        }
    }

    /// Reads once; logs the bytes unless `log` is `None`, which it is in a drain that ends at
    /// `until`.
    fn read(
        &mut self,
        now: Instant,
        log: Option<&mut dyn EventLog>,
        until: Option<Instant>,
    ) -> Result<StepResult, StepError> {
        if !self.is_readable {
            return Ok(StepResult::Wait(until));
        }
        let mut buffer = [0; READ_SIZE];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                if let Some(log) = log.filter(|_| count > 0) {
                    log.record(self.address, &ClientEvent::Received(bytes))
                        .map_err(StepError::Log)?;
                }
                self.conversation.on_read(bytes, now);
                Ok(StepResult::Continue)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_readable = false;
                Ok(StepResult::Wait(until))
            }
            Err(error) => Err(StepError::Socket(error)),
        }
    }

    /// Logs the end; the descriptor is closed when this value is dropped.
    fn close(
        &mut self,
        reason: CloseReason,
        log: &mut dyn EventLog,
    ) -> Result<StepResult, StepError> {
        let event = match reason {
            CloseReason::ClosedByClient => ClientEvent::ClosedByClient,
            CloseReason::DrainTimedOut => ClientEvent::DrainTimedOut,
            CloseReason::Reset => {
                SockRef::from(&self.stream)
                    .set_linger(Some(Duration::ZERO))
                    .map_err(StepError::Socket)?;
                ClientEvent::Reset
            }
        };
        log.record(self.address, &event).map_err(StepError::Log)?;
        Ok(StepResult::Done)
    }
}

/// Why a step failed.
enum StepError {
    Socket(io::Error),
    Log(io::Error),
}
