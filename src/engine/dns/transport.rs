//! One question on its way: a fresh socket per try, over UDP or TCP, never blocking.
//!
//! Each socket is connected, so that the kernel picks a random source port, lets only the server's messages in, and
//! reports ICMP errors. Dropping a socket takes it out of the poll.

use std::io;
use std::io::{Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::dns::resolv_conf::Over;

/// The longest DNS message: the length prefix of TCP has two bytes (RFC 1035, section 4.2.2).
pub const MAX_MESSAGE: usize = 65_535;

/// Why a socket could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// This machine lacks something now: descriptors, memory, ports. Worth another try.
    Blocked(io::Error),
    /// The server cannot be reached.
    Failed(io::Error),
}

/// An open question.
#[derive(Debug)]
pub enum Wire {
    /// A connected datagram socket; the question is sent.
    Udp(UdpSocket),
    /// A stream: connecting, writing the question or reading the answer.
    Tcp(Stream),
}

impl Wire {
    /// Sends this message from a fresh socket, or starts to.
    pub fn open(
        registry: &Registry,
        token: Token,
        over: Over,
        server: SocketAddr,
        message: &[u8],
    ) -> Result<Self, OpenError> {
        match over {
            Over::Udp => open_udp(registry, token, server, message).map(Self::Udp),
            Over::Tcp => Stream::open(registry, token, server, message).map(Self::Tcp),
        }
        .map_err(sorted)
    }

    /// The next message, if one has come; `buffer` has [`MAX_MESSAGE`] bytes.
    ///
    /// Call it until it gives none: the poll reports each arrival once.
    pub fn pull<'b>(&'b mut self, buffer: &'b mut [u8]) -> io::Result<Option<&'b mut [u8]>> {
        match self {
            Self::Udp(socket) => match patiently(|| socket.recv(buffer))? {
                Some(length) => Ok(buffer.get_mut(..length)),
                None => Ok(None),
            },
            Self::Tcp(stream) => stream.pull(buffer),
        }
    }
}

fn open_udp(
    registry: &Registry,
    token: Token,
    server: SocketAddr,
    message: &[u8],
) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(server),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    socket.connect(&server.into())?;
    let mut socket = UdpSocket::from_std(socket.into());
    registry.register(&mut socket, token, Interest::READABLE)?;
    socket.send(message)?;
    Ok(socket)
}

/// A question over TCP.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    phase: Phase,
    /// What is still to be written: the length and the message.
    outgoing: Vec<u8>,
    /// What has come: the length and a part of the message.
    incoming: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Connected,
}

impl Stream {
    fn open(
        registry: &Registry,
        token: Token,
        server: SocketAddr,
        message: &[u8],
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(server)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let length = u16::try_from(message.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        Ok(Self {
            socket,
            phase: Phase::Connecting,
            outgoing: [&length, message].concat(),
            incoming: Vec::new(),
        })
    }

    fn pull(&mut self, buffer: &mut [u8]) -> io::Result<Option<&mut [u8]>> {
        if !self.is_connected()? {
            return Ok(None);
        }
        self.write()?;
        self.read(buffer)
    }

    fn is_connected(&mut self) -> io::Result<bool> {
        if self.phase == Phase::Connecting {
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            match self.socket.peer_addr() {
                Ok(_) => self.phase = Phase::Connected,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match patiently(|| self.socket.write(&self.outgoing))? {
                Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                Some(written) => drop(self.outgoing.drain(..written)),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<&mut [u8]>> {
        loop {
            let missing = self.missing();
            if missing == 0 {
                return Ok(self.incoming.get_mut(2..));
            }
            let room = buffer.get_mut(..missing).unwrap_or_default();
            match patiently(|| self.socket.read(room))? {
                Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(length) => self.incoming.extend(room.iter().take(length)),
                None => return Ok(None),
            }
        }
    }

    /// How many bytes the length prefix, then the message, still lacks.
    fn missing(&self) -> usize {
        let have = self.incoming.len();
        match self.incoming.first_chunk() {
            Some(prefix) => 2 + usize::from(u16::from_be_bytes(*prefix)) - have,
            None => 2 - have,
        }
    }
}

/// The result, or `None` where the socket has nothing yet.
fn patiently(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match operation() {
            Ok(length) => return Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Which errors say something about this machine: socket(2), connect(2), send(2), `epoll_ctl(2)`.
fn sorted(error: io::Error) -> OpenError {
    match error.raw_os_error() {
        Some(
            libc::EMFILE
            | libc::ENFILE
            | libc::ENOBUFS
            | libc::ENOMEM
            | libc::EAGAIN
            | libc::ENOSPC
            | libc::EADDRNOTAVAIL,
        ) => OpenError::Blocked(error),
        _ => OpenError::Failed(error),
    }
}
