//! A TCP connection on a non-blocking socket: connect, read, write, close.

mod failures;

use std::io;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::address::Port;
use crate::engine::stream::failures::{
    call_failure, connect_failure, lost_failure, own_kernel_failure,
};
pub use crate::engine::stream::failures::{unsent_failure, watch_failure};
use crate::failure::{Failure, IcmpFact, Status};
use crate::os::errno::{SocketFault, is_shortage, socket_fault};
use crate::os::socket::{TcpExchange, TcpInfo};
use crate::os::{route, socket};
use crate::path_facts::HopAnswer;
use crate::plan::{Close, LocalBind, Plan, ProbeSpec};

/// Most interruptions of one read or write (`EINTR`) that are retried.
const MAX_INTERRUPTIONS: u32 = 16;

/// One connection. The remote address is not stored, because thousands are open at once; callers
/// pass it in.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    is_ipv4: bool,
    /// The errno of this connection, once the kernel has reported it, which it does only once: that
    /// of connect(2), if it failed at once (over loopback, or without a route), or of a call on the
    /// open connection. Received bytes are still there then, and are read before it is reported.
    error: Option<NonZeroI32>,
    reuse: Reuse,
    /// The number of bytes that were written; a probe sends much fewer than 4 GiB.
    written: u32,
}

/// Whether the socket may connect again once this connection is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reuse {
    /// No: the socket has options.
    Never,
    /// If this connect succeeds.
    IfConnected,
    /// Yes: the next connection inherits nothing of this one, such as its retransmission counter.
    Allowed,
}

/// Why no SYN could be sent.
#[derive(Debug)]
pub enum OpenError {
    /// This machine lacks descriptors or memory: retry later.
    Exhausted(Failure),
    /// It lacks a local port for this remote address: retry later; other addresses may have one.
    NoPort(Failure),
    /// A retry would fail as well.
    Final(Failure),
}

/// State of a connect. Source addresses are those that the kernel chose.
#[derive(Debug)]
pub enum ConnectProgress {
    /// No answer yet.
    Pending,
    /// The handshake completed.
    Connected(Option<IpAddr>, Option<TcpInfo>),
    /// The handshake completed, and the connection was lost before we saw that. What the peer sent
    /// can still be read; the error follows it.
    ConnectedThenLost(Option<IpAddr>, Option<TcpInfo>),
    /// It failed.
    Failed(Failure, Option<TcpInfo>),
}

/// The answer to a SYN with a small time to live.
#[derive(Debug)]
pub enum LimitedAnswer {
    /// None yet, or one without a known sender.
    Pending,
    /// This address answered.
    Hop(IpAddr, HopAnswer),
    /// This machine could not send it.
    Failed(Failure),
}

impl Wire {
    /// Opens a socket and sends the SYN.
    ///
    /// # Errors
    /// When this machine lacks a resource, or does not allow the socket's options.
    pub fn open(plan: &Plan, remote: SocketAddr) -> Result<Self, OpenError> {
        let socket = prepared(plan, remote)
            .map_err(|(operation, error)| local_failure(operation, remote, &error))?;
        let error = connect(&socket, plan, remote)?;
        let reuse = if can_reuse_socket(plan) {
            Reuse::IfConnected
        } else {
            Reuse::Never
        };
        Ok(Self {
            socket,
            is_ipv4: remote.is_ipv4(),
            error,
            reuse,
            written: 0,
        })
    }

    /// Opens a socket and sends a SYN with this time to live, from a port that the kernel chooses:
    /// the port of the plan is in use by the SYN that is unanswered.
    ///
    /// # Errors
    /// As for [`Wire::open`].
    pub fn open_limited(plan: &Plan, remote: SocketAddr, hops: u8) -> Result<Self, OpenError> {
        let local = |(operation, error): (_, io::Error)| local_failure(operation, remote, &error);
        let socket = unbound(plan, remote).map_err(local)?;
        let source = LocalBind {
            port: None,
            ..plan.spec.bind.clone()
        };
        bind_source(&socket, plan, &source, remote).map_err(local)?;
        socket::set_time_to_live(socket.as_fd(), remote.ip(), hops)
            .map_err(|e| local(("set the time to live", e)))?;
        // If it fails, the connection is still closed before the SYN would be repeated.
        let _ = socket::limit_syns(socket.as_fd());
        Ok(Self {
            error: connect(&socket, plan, remote)?,
            socket,
            is_ipv4: remote.is_ipv4(),
            reuse: Reuse::Never,
            written: 0,
        })
    }

    /// The answer to a [limited](Wire::open_limited) SYN to this address. An ICMP error may be
    /// queued although the connect is still in progress.
    pub fn limited_answer(&self, remote: SocketAddr) -> LimitedAnswer {
        let error = match self.error {
            Some(errno) => Some(io::Error::from_raw_os_error(errno.get())),
            None => self.socket.take_error().unwrap_or_else(Some),
        };
        match (socket::take_icmp_error(self.socket.as_fd()), error) {
            (Some(icmp), error) => self.hop_answer(icmp, error, remote),
            (None, Some(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                LimitedAnswer::Hop(remote.ip(), HopAnswer::Refused)
            }
            (None, Some(error)) if error.kind() == ErrorKind::ConnectionReset => {
                LimitedAnswer::Hop(remote.ip(), HopAnswer::Refused)
            }
            (None, Some(error)) => LimitedAnswer::Failed(connect_failure(remote, &error, None)),
            (None, None) => match self.socket.peer_addr() {
                Ok(_) => LimitedAnswer::Hop(remote.ip(), HopAnswer::Accepted),
                Err(_) => LimitedAnswer::Pending,
            },
        }
    }

    /// The meaning of an ICMP error that answers a limited SYN.
    fn hop_answer(
        &self,
        icmp: IcmpFact,
        error: Option<io::Error>,
        remote: SocketAddr,
    ) -> LimitedAnswer {
        if self.is_from_own_kernel(&icmp, remote) {
            let error = error.unwrap_or_else(|| io::Error::from_raw_os_error(libc::EHOSTUNREACH));
            return LimitedAnswer::Failed(own_kernel_failure(remote, &error, icmp));
        }
        let answer = if icmp.is_time_exceeded() {
            HopAnswer::TimeExceeded
        } else {
            HopAnswer::Error(icmp)
        };
        match icmp.from {
            Some(from) => LimitedAnswer::Hop(from, answer),
            None => LimitedAnswer::Pending,
        }
    }

    /// Sends another SYN from a socket that was [reset](Wire::reset). Only for plans that
    /// [allow it](can_reuse_socket), and addresses that it [can reach](Wire::can_reach).
    ///
    /// # Errors
    /// When this machine lacks a resource.
    pub fn open_again(&mut self, plan: &Plan, remote: SocketAddr) -> Result<(), OpenError> {
        self.error = connect(&self.socket, plan, remote)?;
        self.reuse = Reuse::IfConnected;
        Ok(())
    }

    /// Whether connect(2) failed at once. A socket that is watched already may cause no event then.
    pub fn is_answered(&self) -> bool {
        self.error.is_some()
    }

    /// Resets the open connection and keeps the socket, at half the cost of a new one. False if
    /// that is not possible; then it has to be closed.
    pub fn reset(&self) -> bool {
        if self.reuse != Reuse::Allowed || socket::disconnect(self.socket.as_fd()).is_err() {
            return false;
        }
        // Discard what the kernel still reports of the old connection: the reset, and perhaps a
        // late ICMP error.
        let _ = self.socket.take_error();
        socket::take_icmp_error(self.socket.as_fd()).is_none()
    }

    /// The state of the connect to this address.
    pub fn finish(&mut self, plan: &Plan, remote: SocketAddr) -> ConnectProgress {
        let info = self.tcp_info();
        if let Some(errno) = self.error {
            let error = io::Error::from_raw_os_error(errno.get());
            return self.finish_with_error(remote, &error, info);
        }
        // A handshake that is not complete has no measured round trip.
        let is_open = info.is_some_and(|info| !info.rtt.is_zero());
        let has_dialogue = !plan.spec.steps.is_empty() || plan.spec.layer.is_some();
        if is_open && has_dialogue {
            self.ignore_icmp_errors(remote);
        }
        match self.socket.take_error() {
            Ok(None) if is_open => self.finish_open(remote, info),
            // The event had another reason, or TCP_INFO is not available. The peer address shows
            // whether the handshake completed.
            Ok(None) => match self.socket.peer_addr() {
                Ok(_) => {
                    if has_dialogue {
                        self.ignore_icmp_errors(remote);
                    }
                    self.finish_open(remote, info)
                }
                Err(error) if error.kind() == ErrorKind::NotConnected => ConnectProgress::Pending,
                Err(error) => {
                    let failure = call_failure("read the peer address", remote, &error);
                    ConnectProgress::Failed(failure, info)
                }
            },
            Ok(Some(error)) => self.finish_with_error(remote, &error, info),
            Err(error) => {
                let failure = call_failure("read the result of the connect", remote, &error);
                ConnectProgress::Failed(failure, info)
            }
        }
    }

    /// On an open connection, ICMP errors are only hints from now on.
    fn ignore_icmp_errors(&self, remote: SocketAddr) {
        // If it fails, a transient ICMP error ends the dialogue early, and is reported as such.
        let _ = socket::unqueue_icmp_errors(self.socket.as_fd(), remote.ip());
    }

    fn finish_open(&mut self, remote: SocketAddr, info: Option<TcpInfo>) -> ConnectProgress {
        let local = self.local_addr();
        if local == Some(remote) {
            return self.fail_self_connect(remote, info);
        }
        // Kernels before 5.6 do not reset the counter of retransmissions (tcp_disconnect()).
        if self.reuse == Reuse::IfConnected && info.is_some_and(|info| info.retransmits == 0) {
            self.reuse = Reuse::Allowed;
        }
        ConnectProgress::Connected(local.and_then(source), info)
    }

    /// A SYN whose source and destination are the same reaches its own socket: TCP completes this
    /// as a simultaneous open (RFC 9293, section 3.5), although nothing listens.
    fn fail_self_connect(&mut self, remote: SocketAddr, info: Option<TcpInfo>) -> ConnectProgress {
        self.reuse = Reuse::Never;
        // A FIN would leave the port in TIME_WAIT, and the service could not bind to it.
        let _ = self.socket.set_linger(Some(Duration::ZERO));
        let text = format!(
            "connect to {remote}: nothing listens there: the connection reached its own socket \
             (self-connect)"
        );
        ConnectProgress::Failed(Failure::new(Status::Refused, text), info)
    }

    fn finish_with_error(
        &mut self,
        remote: SocketAddr,
        error: &io::Error,
        info: Option<TcpInfo>,
    ) -> ConnectProgress {
        // An RST to a SYN is ECONNREFUSED. The handshake may have completed since TCP_INFO was
        // read.
        let info = match error.raw_os_error() {
            Some(libc::ECONNRESET) => self.tcp_info(),
            _ => info,
        };
        let was_open = info.is_some_and(|info| !info.rtt.is_zero());
        // With a measured round trip it was open, and then lost by an RST or an ICMP error.
        if was_open {
            // The error of the socket, not of a call: an ICMPv6 prohibition, whose message is gone.
            let prohibited = io::Error::from_raw_os_error(libc::EHOSTUNREACH);
            let is_prohibited = error.raw_os_error() == Some(libc::EACCES);
            self.keep_error(if is_prohibited { &prohibited } else { error });
            return ConnectProgress::ConnectedThenLost(self.local_addr().and_then(source), info);
        }
        let icmp = socket::take_icmp_error(self.socket.as_fd());
        let failure = match icmp.filter(|icmp| self.is_from_own_kernel(icmp, remote)) {
            Some(icmp) => own_kernel_failure(remote, error, icmp),
            None => connect_failure(remote, error, icmp),
        };
        ConnectProgress::Failed(failure, info)
    }

    /// Whether this machine's own kernel made the ICMP error: if nothing answers ARP or neighbour
    /// discovery, or a local firewall rejects the packet, the kernel sends it from and to the
    /// source address. If the target is an address of this machine, the sender can also be the
    /// target.
    fn is_from_own_kernel(&self, icmp: &IcmpFact, remote: SocketAddr) -> bool {
        let local = self.local_addr().and_then(source);
        icmp.from.is_some() && icmp.from == local && local != Some(remote.ip())
    }

    fn keep_error(&mut self, error: &io::Error) {
        self.error = self
            .error
            .or_else(|| error.raw_os_error().and_then(NonZeroI32::new));
    }

    /// The kernel's statistics of this connection.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        socket::tcp_info(self.socket.as_fd()).ok()
    }

    /// What became of the bytes that were sent; `None` if the kernel does not know.
    pub fn exchange(&self) -> Option<TcpExchange> {
        socket::tcp_exchange(self.socket.as_fd(), self.written.into()).ok()?
    }

    /// The local address and port.
    fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// Reads available bytes: 0 is the peer's FIN; `None` means that there is nothing yet.
    ///
    /// # Errors
    /// When the connection is lost and everything that was received before has been read.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let read = if_ready(|| io::Read::read(&mut &self.socket, buffer))?;
        match (read, self.error) {
            (None | Some(0), Some(errno)) => Err(io::Error::from_raw_os_error(errno.get())),
            _ => Ok(read),
        }
    }

    /// Writes what fits into the send buffer; `None` means that nothing does yet.
    ///
    /// # Errors
    /// When the connection is lost. [`Wire::read`] reports the error once more, after the bytes
    /// that were received before it.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let written = if_ready(|| match io::Write::write(&mut &self.socket, bytes) {
            Ok(0) => Err(io::Error::from_raw_os_error(libc::EIO)),
            result => result,
        });
        match &written {
            Ok(bytes) => {
                let bytes = u32::try_from(bytes.unwrap_or_default()).unwrap_or(u32::MAX);
                self.written = self.written.saturating_add(bytes);
            }
            Err(error) => self.keep_error(error),
        }
        written
    }

    /// The failure of this connection, by the error of a [read](Wire::read).
    pub fn lost(&self, remote: SocketAddr, error: &io::Error) -> Failure {
        let icmp = match socket_fault(error) {
            SocketFault::Local => socket::take_icmp_error(self.socket.as_fd()),
            _ => None,
        };
        let icmp = icmp.filter(|icmp| !self.is_from_own_kernel(icmp, remote));
        lost_failure(remote, error, icmp)
    }

    /// Sends our FIN.
    pub fn shutdown(&self) {
        // Fails if the peer has reset the connection; the next read reports that.
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Whether the peer's kernel has acknowledged our FIN.
    pub fn is_fin_acknowledged(&self) -> bool {
        socket::is_fin_acknowledged(self.socket.as_fd()).unwrap_or(false)
    }

    /// Closes the socket.
    pub fn close(self, how: Close) {
        if how == Close::Rst {
            // If it fails, a FIN is sent instead.
            let _ = self.socket.set_linger(Some(Duration::ZERO));
        }
    }

    /// Whether the address is of the socket's address family.
    pub fn can_reach(&self, remote: SocketAddr) -> bool {
        self.is_ipv4 == remote.is_ipv4()
    }

    /// The descriptor, for `mio`.
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The result of a non-blocking read or write; `None` if it has to be retried once the socket is
/// ready. After an interruption it is retried at once, because no event would follow.
fn if_ready(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    let mut interruptions = 0;
    loop {
        match operation() {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error)
                if error.kind() == ErrorKind::Interrupted && interruptions < MAX_INTERRUPTIONS =>
            {
                interruptions += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The source address to report: the kernel's choice, once it has made one.
fn source(local: SocketAddr) -> Option<IpAddr> {
    Some(local.ip()).filter(|ip| !ip.is_unspecified())
}

/// Whether the socket of this plan's connection may be reused: it ends with RST, and has neither a
/// dialogue nor socket options.
pub fn can_reuse_socket(plan: &Plan) -> bool {
    let ProbeSpec {
        close,
        layer,
        steps,
        bind,
        ..
    } = &*plan.spec;
    *close == Close::Rst && layer.is_none() && steps.is_empty() && *bind == LocalBind::default()
}

/// Sends the SYN; returns the errno if the connect failed at once.
fn connect(
    socket: &Socket,
    plan: &Plan,
    remote: SocketAddr,
) -> Result<Option<NonZeroI32>, OpenError> {
    match socket.connect(&remote.into()) {
        Ok(()) => Ok(None),
        Err(error) if is_in_progress(&error) => Ok(None),
        Err(error) if is_shortage(&error) => Err(exhausted(plan, remote, &error)),
        Err(error) => Ok(error.raw_os_error().and_then(NonZeroI32::new)),
    }
}

/// Whether the kernel continues this connect(2) in the background, which it also does after an
/// interruption.
fn is_in_progress(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINPROGRESS | libc::EINTR | libc::EALREADY)
    )
}

/// A socket with its options set. The error has the operation that failed.
fn prepared(plan: &Plan, remote: SocketAddr) -> Result<Socket, (&'static str, io::Error)> {
    let socket = unbound(plan, remote)?;
    bind_source(&socket, plan, &plan.spec.bind, remote)?;
    Ok(socket)
}

/// The same without its source address.
fn unbound(plan: &Plan, remote: SocketAddr) -> Result<Socket, (&'static str, io::Error)> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new_raw(Domain::for_address(remote), kind, Some(Protocol::TCP))
        .map_err(|e| ("open a socket", e))?;
    // If it fails, only the sender of an ICMP error is not reported.
    let _ = socket::queue_icmp_errors(socket.as_fd(), remote.ip());
    if let Some(interface) = &plan.spec.bind.interface {
        socket
            .bind_device(Some(interface.name.as_bytes()))
            .map_err(|e| ("bind to the interface", e))?;
    }
    Ok(socket)
}

/// Binds the socket to this source address and port, if there is any.
fn bind_source(
    socket: &Socket,
    plan: &Plan,
    bind: &LocalBind,
    remote: SocketAddr,
) -> Result<(), (&'static str, io::Error)> {
    let (source, port) = match (bind.source, bind.port) {
        (None, None) => return Ok(()),
        (Some(source), port) => (source, port),
        (None, port) if remote.is_ipv4() => (Ipv4Addr::UNSPECIFIED.into(), port),
        (None, port) => (Ipv6Addr::UNSPECIFIED.into(), port),
    };
    let number = port.map_or(0, Port::get);
    let local = match source {
        IpAddr::V6(v6) if v6.is_unspecified() => SocketAddr::new(source, number),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, number, 0, plan.scope_id()).into(),
        IpAddr::V4(_) => SocketAddr::new(source, number),
    };
    let (operation, prepared) = match port {
        // Another connection from this port, to another target or in TIME_WAIT, does not matter.
        Some(_) => ("bind to the source port", socket.set_reuse_address(true)),
        None => (
            "bind to the source address",
            socket::bind_address_without_port(socket.as_fd()),
        ),
    };
    prepared
        .and_then(|()| socket.bind(&local.into()))
        .map_err(|e| (operation, e))
}

/// The error of a connect(2) that lacked a resource. Without a route there is no source address,
/// and a retry would not help.
fn exhausted(plan: &Plan, remote: SocketAddr, error: &io::Error) -> OpenError {
    match local_failure("connect", remote, error) {
        OpenError::NoPort(failure)
            if !route::has_route(remote.ip(), plan.spec.bind.interface_name()) =>
        {
            OpenError::Final(failure)
        }
        other => other,
    }
}

fn local_failure(operation: &str, remote: SocketAddr, error: &io::Error) -> OpenError {
    let failure = call_failure(operation, remote, error);
    match error.raw_os_error() {
        Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN) => OpenError::NoPort(failure),
        _ if is_shortage(error) => OpenError::Exhausted(failure),
        _ => OpenError::Final(failure),
    }
}
