//! One accepted socket: carries out what its client's talk wishes, one step a turn.

use std::io;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event as Readiness;
use socket2::SockRef;

use crate::responder::client::{Client, Parting, Wish};
use crate::responder::{Event, Log, Settings};

/// Bytes of one read, as in the tutorial that this responder serves.
const READ: usize = 1024;

/// One client with its socket.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    client: Client,
    // The queue reports changes only, so what it reported is remembered until a call would block.
    readable: bool,
    writable: bool,
    broken: bool,
}

/// What a turn came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Another one can do more.
    Again,
    /// Nothing more until the socket is ready, or until then.
    Wait(Option<Instant>),
    /// The connection has ended.
    Over,
}

impl Connection {
    /// Takes over an accepted socket.
    pub(super) fn new(
        stream: TcpStream,
        address: SocketAddr,
        settings: &Arc<Settings>,
        now: Instant,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // A held client that vanished without a packet is noticed some day (tcp(7), tcp_keepalive_time).
        SockRef::from(&stream).set_keepalive(true)?;
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let client = Client::new(Arc::clone(settings), now);
        Ok(Self {
            stream,
            address,
            client,
            readable: false,
            writable: true,
            broken: false,
        })
    }

    /// The client, an IPv4 one as plain IPv4.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket's descriptor.
    pub(super) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// The event queue's news of the socket.
    pub(super) fn ready(&mut self, readiness: &Readiness) {
        self.readable |= readiness.is_readable() || readiness.is_read_closed();
        self.writable |= readiness.is_writable() || readiness.is_write_closed();
        self.broken |= readiness.is_error();
    }

    /// Does one step; fails only when the log does.
    pub(super) fn turn(&mut self, now: Instant, log: &mut dyn Log) -> io::Result<Turn> {
        self.client.elapsed(now);
        match self.step(now, log) {
            Ok(turn) => Ok(turn),
            Err(Broken::Log(error)) => Err(error),
            Err(Broken::Socket(error)) => match error.kind() {
                ErrorKind::Interrupted => Ok(Turn::Again),
                _ => log
                    .note(self.address, &Event::Failed(&error))
                    .map(|()| Turn::Over),
            },
        }
    }

    fn step(&mut self, now: Instant, log: &mut dyn Log) -> Result<Turn, Broken> {
        match self.client.wish() {
            Wish::Pause(until) => self.pause(until),
            Wish::Write(_) => self.write(log),
            Wish::Read => self.read(now, Some(log), None),
            Wish::Drain(until) => self.read(now, None, Some(until)),
            Wish::Finish => {
                self.stream
                    .shutdown(Shutdown::Write)
                    .map_err(Broken::Socket)?;
                self.client.finished(now);
                Ok(Turn::Again)
            }
            Wish::Leave(parting) => self.leave(parting, log),
        }
    }

    /// Nothing is read or written now, so only the queue can tell that the client is gone for good.
    fn pause(&mut self, until: Instant) -> Result<Turn, Broken> {
        if self.broken {
            if let Some(error) = self.stream.take_error().map_err(Broken::Socket)? {
                return Err(Broken::Socket(error));
            }
        }
        Ok(Turn::Wait(Some(until)))
    }

    fn write(&mut self, log: &mut dyn Log) -> Result<Turn, Broken> {
        let Wish::Write(bytes) = self.client.wish() else {
            return Ok(Turn::Again);
        };
        if !self.writable {
            return Ok(Turn::Wait(None));
        }
        match self.stream.write(bytes) {
            Ok(count) => {
                if let Some(message) = self.client.wrote(count) {
                    log.note(self.address, &Event::Sent(&message))
                        .map_err(Broken::Log)?;
                }
                Ok(Turn::Again)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(Turn::Wait(None))
            }
            Err(error) => Err(Broken::Socket(error)),
        }
    }

    fn read(
        &mut self,
        now: Instant,
        log: Option<&mut dyn Log>,
        until: Option<Instant>,
    ) -> Result<Turn, Broken> {
        if !self.readable {
            return Ok(Turn::Wait(until));
        }
        let mut buffer = [0; READ];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                if let Some(log) = log.filter(|_| count > 0) {
                    log.note(self.address, &Event::Received(bytes))
                        .map_err(Broken::Log)?;
                }
                self.client.received(bytes, now);
                Ok(Turn::Again)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(Turn::Wait(until))
            }
            Err(error) => Err(Broken::Socket(error)),
        }
    }

    fn leave(&mut self, parting: Parting, log: &mut dyn Log) -> Result<Turn, Broken> {
        let event = match parting {
            Parting::Left => Event::Left,
            Parting::Overstayed => Event::Overstayed,
            Parting::Reset => {
                SockRef::from(&self.stream)
                    .set_linger(Some(Duration::ZERO))
                    .map_err(Broken::Socket)?;
                Event::Reset
            }
        };
        log.note(self.address, &event).map_err(Broken::Log)?;
        Ok(Turn::Over)
    }
}

/// What a step can stumble over.
enum Broken {
    Socket(io::Error),
    Log(io::Error),
}
