//! A TCP connection on a non-blocking socket: connect, read, write, close.
//!
//! Network errors arise here, and get their status here.

use std::io;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::failure::{Failure, IcmpFact, Status, format_duration};
use crate::os::errno::{is_shortage, named_error_text};
use crate::os::socket::TcpInfo;
use crate::os::{route, socket};
use crate::plan::{Close, LocalBind, Plan, ProbeSpec};

/// One connection. The remote address is not stored, because thousands are open at once; callers
/// pass it in.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    is_ipv4: bool,
    /// The errno of connect(2), if it failed at once: over loopback, or without a route.
    answered: Option<NonZeroI32>,
    reuse: Reuse,
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
    /// The handshake completed, and the connection was lost before we saw that.
    ConnectedThenLost(Option<IpAddr>, Option<TcpInfo>, Failure),
    /// It failed.
    Failed(Failure, Option<TcpInfo>),
}

impl Wire {
    /// Opens a socket and sends the SYN.
    ///
    /// # Errors
    /// When this machine lacks a resource, or does not allow the socket's options.
    pub fn open(plan: &Plan, remote: SocketAddr) -> Result<Self, OpenError> {
        let socket = prepared(plan, remote)
            .map_err(|(operation, error)| local_failure(operation, remote, &error))?;
        let answered = connect(&socket, plan, remote)?;
        let reuse = if can_reuse_socket(plan) {
            Reuse::IfConnected
        } else {
            Reuse::Never
        };
        Ok(Self {
            socket,
            is_ipv4: remote.is_ipv4(),
            answered,
            reuse,
        })
    }

    /// Sends another SYN from a socket that was [reset](Wire::reset). Only for plans that
    /// [allow it](can_reuse_socket), and addresses that it [can reach](Wire::can_reach).
    ///
    /// # Errors
    /// When this machine lacks a resource.
    pub fn open_again(&mut self, plan: &Plan, remote: SocketAddr) -> Result<(), OpenError> {
        self.answered = connect(&self.socket, plan, remote)?;
        self.reuse = Reuse::IfConnected;
        Ok(())
    }

    /// Whether connect(2) failed at once. A socket that is watched already may cause no event then.
    pub fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Resets the open connection and keeps the socket, at half the cost of a new one. False if that
    /// is not possible; then it has to be closed.
    pub fn reset(&self) -> bool {
        if self.reuse != Reuse::Allowed || socket::disconnect(self.socket.as_fd()).is_err() {
            return false;
        }
        // Discard what the kernel still reports of the old connection: the reset, and perhaps a late
        // ICMP error.
        let _ = self.socket.take_error();
        socket::take_icmp_error(self.socket.as_fd()).is_none()
    }

    /// The state of the connect to this address, `took` after its SYN was sent.
    pub fn finish(&mut self, plan: &Plan, remote: SocketAddr, took: Duration) -> ConnectProgress {
        if let Some(errno) = self.answered {
            return self.finish_with_error(
                remote,
                &io::Error::from_raw_os_error(errno.get()),
                took,
            );
        }
        match self.socket.take_error() {
            Ok(None) => self.finish_without_error(plan, remote),
            Ok(Some(error)) | Err(error) => self.finish_with_error(remote, &error, took),
        }
    }

    fn finish_without_error(&mut self, plan: &Plan, remote: SocketAddr) -> ConnectProgress {
        let info = self.tcp_info();
        // A handshake that is not complete has no measured round trip: the event had another reason.
        // Only then is the peer address asked for, which tells for sure.
        if info.is_some_and(|info| info.rtt.is_zero()) && self.socket.peer_addr().is_err() {
            return ConnectProgress::Pending;
        }
        if !plan.spec.steps.is_empty() || plan.spec.layer.is_some() {
            // If it fails, a transient ICMP error ends the dialogue early, and is reported as such.
            let _ = socket::unqueue_icmp_errors(self.socket.as_fd(), remote.ip());
        }
        // Kernels before 5.6 do not reset the counter of retransmissions (tcp_disconnect()).
        if self.reuse == Reuse::IfConnected && info.is_some_and(|info| info.retransmits == 0) {
            self.reuse = Reuse::Allowed;
        }
        ConnectProgress::Connected(self.source(), info)
    }

    fn finish_with_error(
        &self,
        remote: SocketAddr,
        error: &io::Error,
        took: Duration,
    ) -> ConnectProgress {
        let info = self.tcp_info();
        let was_open = info.is_some_and(|info| !info.rtt.is_zero());
        // With a measured round trip it was open, and then lost by an RST or an ICMP error.
        if was_open {
            return ConnectProgress::ConnectedThenLost(
                self.source(),
                info,
                lost_failure(remote, error),
            );
        }
        let icmp = socket::take_icmp_error(self.socket.as_fd());
        ConnectProgress::Failed(connect_failure(remote, error, icmp, took), info)
    }

    /// The kernel's statistics of this connection.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        socket::tcp_info(self.socket.as_fd()).ok()
    }

    /// The local address that the kernel chose.
    fn source(&self) -> Option<IpAddr> {
        let address = self.socket.local_addr().ok()?.as_socket()?;
        Some(address.ip()).filter(|ip| !ip.is_unspecified())
    }

    /// Reads available bytes: 0 is the peer's FIN; `None` means that there is nothing yet.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if_ready(io::Read::read(&mut &self.socket, buffer))
    }

    /// Writes what fits into the send buffer; `None` means that nothing does yet.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        if_ready(io::Write::write(&mut &self.socket, bytes))
    }

    /// Sends our FIN.
    pub fn shutdown(&self) {
        // Fails if the peer has reset the connection; the next read reports that.
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
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

/// The result of a non-blocking read or write; `None` if it has to be retried later.
fn if_ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
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
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(None),
        Err(error) if is_shortage(&error) => Err(exhausted(plan, remote, &error)),
        Err(error) => Ok(error.raw_os_error().and_then(NonZeroI32::new)),
    }
}

/// A socket with its options set. The error has the operation that failed.
fn prepared(plan: &Plan, remote: SocketAddr) -> Result<Socket, (&'static str, io::Error)> {
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
    if let Some(source) = plan.spec.bind.source {
        let local = match source {
            IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, plan.scope_id()).into(),
            IpAddr::V4(_) => SocketAddr::new(source, 0),
        };
        socket::bind_address_without_port(socket.as_fd())
            .map_err(|e| ("bind to the source address", e))?;
        socket
            .bind(&local.into())
            .map_err(|e| ("bind to the source address", e))?;
    }
    Ok(socket)
}

/// The failure of a socket that could not be watched (`epoll_ctl(2)`).
pub fn watch_failure(remote: SocketAddr, error: &io::Error) -> Failure {
    let text = format!(
        "connect to {remote}: this machine could not poll the socket: {}",
        named_error_text(error)
    );
    Failure::new(Status::LocalError, text)
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
    let text = format!(
        "connect to {remote}: this machine could not {operation}: {}",
        named_error_text(error)
    );
    let failure = Failure::new(Status::LocalError, text);
    match error.raw_os_error() {
        Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN) => OpenError::NoPort(failure),
        _ if is_shortage(error) => OpenError::Exhausted(failure),
        _ => OpenError::Final(failure),
    }
}

/// The failure of a connect, by its errno (connect(2)) and the ICMP message that caused it, if any.
fn connect_failure(
    remote: SocketAddr,
    error: &io::Error,
    icmp: Option<IcmpFact>,
    took: Duration,
) -> Failure {
    let errno = error.raw_os_error().unwrap_or(0);
    let status = match errno {
        libc::ECONNREFUSED => Status::Refused,
        libc::ECONNRESET => Status::Reset,
        libc::ETIMEDOUT => Status::ConnectTimeout,
        _ if icmp.is_some() => Status::Unreachable,
        libc::EACCES | libc::EPERM | libc::EAFNOSUPPORT | libc::ENODEV => Status::LocalError,
        _ if is_shortage(error) => Status::LocalError,
        _ => Status::Unreachable,
    };
    let cause = match (icmp, errno) {
        (Some(icmp), _) => icmp_cause(icmp),
        (None, libc::ECONNREFUSED) => "connection refused (RST".to_owned(),
        (None, _) => {
            let text = named_error_text(error);
            text.strip_suffix(')').unwrap_or(&text).to_owned()
        }
    };
    Failure {
        status,
        text: format!("connect to {remote}: {cause}, {})", format_duration(took)),
        icmp,
    }
}

/// `administratively prohibited (ICMP type 3 code 13 from 10.0.0.1`, without the closing bracket.
fn icmp_cause(icmp: IcmpFact) -> String {
    let from = icmp
        .from
        .map_or_else(String::new, |from| format!(" from {from}"));
    format!(
        "{} (ICMP type {} code {}{from}",
        icmp.meaning(),
        icmp.kind,
        icmp.code
    )
}

/// The failure of an open connection, by the errno of a read or a write.
pub fn lost_failure(remote: SocketAddr, error: &io::Error) -> Failure {
    let text = match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE) => format!("{remote} reset the open connection"),
        _ => format!(
            "the connection to {remote} was lost: {}",
            named_error_text(error)
        ),
    };
    Failure::new(Status::Reset, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::IcmpVersion;

    fn failure(errno: i32, icmp: Option<IcmpFact>) -> Failure {
        let remote = "192.0.2.7:25".parse().unwrap();
        connect_failure(
            remote,
            &io::Error::from_raw_os_error(errno),
            icmp,
            Duration::from_micros(400),
        )
    }

    #[test]
    fn errnos_map_to_statuses() {
        for (errno, status) in [
            (libc::ECONNREFUSED, Status::Refused),
            (libc::EHOSTUNREACH, Status::Unreachable),
            (libc::ENETUNREACH, Status::Unreachable),
            (libc::ENOPROTOOPT, Status::Unreachable),
            (libc::EINVAL, Status::Unreachable),
            (libc::ETIMEDOUT, Status::ConnectTimeout),
            (libc::EACCES, Status::LocalError),
            (libc::EPERM, Status::LocalError),
            (libc::EADDRNOTAVAIL, Status::LocalError),
            (libc::EMFILE, Status::LocalError),
        ] {
            assert_eq!(failure(errno, None).status, status, "{errno}");
        }
    }

    #[test]
    fn error_texts_name_operation_address_and_cause() {
        assert_eq!(
            failure(libc::ECONNREFUSED, None).text,
            "connect to 192.0.2.7:25: connection refused (RST, 0.4 ms)"
        );
        assert_eq!(
            failure(libc::EHOSTUNREACH, None).text,
            "connect to 192.0.2.7:25: no route to host (EHOSTUNREACH, 0.4 ms)"
        );
        let from = Some("10.0.0.1".parse().unwrap());
        let icmp = IcmpFact {
            kind: 3,
            code: 13,
            from,
            version: IcmpVersion::V4,
        };
        assert_eq!(
            failure(libc::EHOSTUNREACH, Some(icmp)).text,
            "connect to 192.0.2.7:25: administratively prohibited (ICMP type 3 code 13 from 10.0.0.1, 0.4 ms)"
        );
        // An ICMPv6 prohibition arrives as EACCES; without the message it would be a local error.
        assert_eq!(
            failure(libc::EACCES, Some(icmp)).status,
            Status::Unreachable
        );
    }
}
