//! The sockets of queries: a new one for each attempt, over UDP or TCP, never blocking.
//!
//! Each socket is connected. The kernel then chooses a random source port, accepts messages from
//! the server only, and reports ICMP errors. Dropping a socket removes it from the poll.

use std::io;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;

use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::dns::resolv_conf::Transport;

use crate::os::errno::{is_local_to_resolver, is_shortage};
use crate::os::socket::{accept_only, dropped_datagrams};

/// Length of the longest DNS message: the length prefix over TCP has two bytes (RFC 1035, section
/// 4.2.2).
pub const MAX_MESSAGE: usize = 65_535;

/// Why a socket could not be opened.
#[derive(Debug)]
pub enum SocketError {
    /// This machine lacks descriptors, memory or ports at the moment; a retry may succeed.
    Exhausted(io::Error),
    /// This machine cannot open it, whichever server is queried.
    Local(io::Error),
    /// The server cannot be reached.
    Failed(io::Error),
}

/// The socket of one attempt.
#[derive(Debug)]
pub enum QuerySocket {
    /// A connected socket. The query was sent.
    Udp(UdpSocket),
    /// A stream that connects, writes the query or reads the answer.
    Tcp(TcpQuery),
}

impl QuerySocket {
    /// Opens a socket and sends the message, or starts to.
    ///
    /// # Errors
    /// If a system call fails at once; over TCP, the connect may also fail later, in `receive`.
    pub fn open(
        registry: &Registry,
        token: Token,
        transport: Transport,
        server: SocketAddr,
        message: &[u8],
    ) -> Result<Self, SocketError> {
        match transport {
            Transport::Udp => open_udp(registry, token, server, message).map(Self::Udp),
            Transport::Tcp => TcpQuery::open(registry, token, server, message).map(Self::Tcp),
        }
        .map_err(SocketError::of)
    }

    /// The next message, or `None` if none has arrived; `buffer` has [`MAX_MESSAGE`] bytes.
    ///
    /// Has to be called until it returns `None`, because the poll is edge-triggered.
    ///
    /// # Errors
    /// If the connection fails, for example on an ICMP error or if the server closes it.
    pub fn receive<'b>(
        &'b mut self,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b mut [u8]>, SocketError> {
        match self {
            Self::Udp(socket) => match retry_on_eintr(|| socket.recv(buffer)) {
                Ok(Some(length)) => Ok(buffer.get_mut(..length)),
                Ok(None) => Ok(None),
                Err(error) => Err(SocketError::of(error)),
            },
            Self::Tcp(stream) => stream.receive(buffer).map_err(SocketError::of),
        }
    }

    /// Whether the kernel dropped datagrams; its filter drops those with another id.
    pub fn has_dropped(&self) -> bool {
        match self {
            Self::Udp(socket) => dropped_datagrams(socket.as_fd()).is_ok_and(|count| count > 0),
            Self::Tcp(_) => false,
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
        Type::DGRAM.nonblocking(),
        Some(Protocol::UDP),
    )?;
    // The filter is set before the socket has a port, so that a flood of forged answers neither
    // fills the receive buffer, in which the right answer would have no space, nor costs CPU time.
    // Some kernels have no such filter; then all answers are compared in this process.
    if let Some(id) = message.first_chunk() {
        let _ = accept_only(&socket, *id);
    }
    socket.connect(&server.into())?;
    let mut socket = UdpSocket::from_std(socket.into());
    registry.register(&mut socket, token, Interest::READABLE)?;
    socket.send(message)?;
    Ok(socket)
}

/// A query over TCP.
#[derive(Debug)]
pub struct TcpQuery {
    socket: TcpStream,
    state: TcpState,
    /// Bytes still to be written of the length prefix and the query.
    outgoing: Vec<u8>,
    /// Bytes received of the length prefix and the answer.
    incoming: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TcpState {
    Connecting,
    Connected,
}

impl TcpQuery {
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
            state: TcpState::Connecting,
            outgoing: [&length, message].concat(),
            incoming: Vec::new(),
        })
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<&mut [u8]>> {
        if !self.is_connected()? {
            return Ok(None);
        }
        self.write()?;
        self.read(buffer)
    }

    fn is_connected(&mut self) -> io::Result<bool> {
        if self.state == TcpState::Connecting {
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            match self.socket.peer_addr() {
                Ok(_) => self.state = TcpState::Connected,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match retry_on_eintr(|| self.socket.write(&self.outgoing))? {
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
            let target = buffer.get_mut(..missing).unwrap_or_default();
            match retry_on_eintr(|| self.socket.read(target))? {
                Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(length) => self.incoming.extend(target.iter().take(length)),
                None => return Ok(None),
            }
        }
    }

    /// The number of bytes that the length prefix still lacks, then the message.
    fn missing(&self) -> usize {
        let received = self.incoming.len();
        match self.incoming.first_chunk() {
            Some(prefix) => 2 + usize::from(u16::from_be_bytes(*prefix)) - received,
            None => 2 - received,
        }
    }
}

/// Most interruptions of one operation that are retried.
const MAX_INTERRUPTIONS: u32 = 100;

/// Repeats an operation that was interrupted by a signal. `None` if it would block. An operation
/// that is always interrupted, as a filter of system calls can make it, is left to the deadline.
fn retry_on_eintr(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    for _ in 0..=MAX_INTERRUPTIONS {
        match operation() {
            Ok(length) => return Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

impl SocketError {
    fn of(error: io::Error) -> Self {
        if is_shortage(&error) {
            Self::Exhausted(error)
        } else if is_local_to_resolver(&error) {
            Self::Local(error)
        } else {
            Self::Failed(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_is_always_interrupted_ends() {
        let mut tries = 0;
        let result = retry_on_eintr(|| {
            tries += 1;
            match tries {
                1..=1000 => Err(io::ErrorKind::Interrupted.into()),
                _ => Ok(1),
            }
        });
        assert_eq!((result.unwrap(), tries), (None, 101));
        let mut interruptions = 3;
        let result = retry_on_eintr(|| {
            if interruptions == 0 {
                return Ok(7);
            }
            interruptions -= 1;
            Err(io::ErrorKind::Interrupted.into())
        });
        assert_eq!(result.unwrap(), Some(7));
    }
}
