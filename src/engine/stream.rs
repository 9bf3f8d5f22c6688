//! A byte stream over a non-blocking socket: open, finish, read, write, leave.
//!
//! This is where errors of the network arise, and where they get their status.

use std::io;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::escape::os_error_text;
use crate::failure::{Failure, IcmpFact, Status, format_duration};
use crate::os::socket::TcpInfo;
use crate::os::{route, socket};
use crate::plan::{Close, LocalBind, Plan, ProbeSpec};

/// One connection. Thousands are open at once: where to is not kept, who asks for something says it.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    is_ipv4: bool,
    /// What connect(2) itself said: over loopback, and where there is no route, the answer can be there at once.
    answered: Option<NonZeroI32>,
    again: Again,
}

/// Whether the socket may serve another connection once this one is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Not as far as is known: it has options of its own, or its connect has not succeeded.
    No,
    /// If the connect succeeds.
    Perhaps,
    /// Nothing is left of this connection that the next one could take for its own.
    Yes,
}

/// Why a connection could not even be begun.
#[derive(Debug)]
pub enum OpenError {
    /// This machine lacks descriptors or memory for now; worth another try.
    Exhausted(Failure),
    /// It lacks a port for this connection for now, though perhaps not for others; worth another try.
    NoPort(Failure),
    /// It is no use.
    Final(Failure),
}

/// How a connect stands.
#[derive(Debug)]
pub enum Finish {
    /// No answer yet.
    Pending,
    /// The handshake completed.
    Connected(Option<IpAddr>, Option<TcpInfo>),
    /// The handshake completed, and the connection is lost already.
    ConnectedThenLost(Option<IpAddr>, Option<TcpInfo>, Failure),
    /// It failed.
    Failed(Failure, Option<TcpInfo>),
}

impl Wire {
    /// Sends the SYN.
    pub fn open(plan: &Plan, remote: SocketAddr) -> Result<Self, OpenError> {
        let socket = prepared(plan, remote)
            .map_err(|(operation, error)| local_failure(operation, remote, &error))?;
        let answered = connect(&socket, plan, remote)?;
        let again = if is_plain(plan) {
            Again::Perhaps
        } else {
            Again::No
        };
        Ok(Self {
            socket,
            is_ipv4: remote.is_ipv4(),
            answered,
            again,
        })
    }

    /// Sends another SYN from a socket that was [reset](Wire::reset); only for plans that [ask for nothing
    /// else](is_plain), and addresses that it [can reach](Wire::can_reach).
    pub fn open_again(&mut self, plan: &Plan, remote: SocketAddr) -> Result<(), OpenError> {
        self.answered = connect(&self.socket, plan, remote)?;
        self.again = Again::Perhaps;
        Ok(())
    }

    /// Whether connect(2) itself said what came of it: a socket that is watched already may wake nobody for that.
    pub fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Resets the open connection and keeps the socket, which costs the kernel half of a new one. False where that
    /// cannot be: then it has to be closed.
    pub fn reset(&self) -> bool {
        if self.again != Again::Yes || socket::disconnect(self.socket.as_fd()).is_err() {
            return false;
        }
        // What the kernel noted of the old connection: that it is reset, and perhaps an ICMP error in the last moment.
        let _ = self.socket.take_error();
        socket::take_icmp_error(self.socket.as_fd()).is_none()
    }

    /// What came of the SYN to this address, `took` after it left.
    pub fn finish(&mut self, plan: &Plan, remote: SocketAddr, took: Duration) -> Finish {
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

    fn finish_without_error(&mut self, plan: &Plan, remote: SocketAddr) -> Finish {
        let info = self.tcp_info();
        // An unfinished handshake has no measured round trip; asked only where a wake came for another reason.
        if info.is_some_and(|info| info.rtt.is_zero()) && self.socket.peer_addr().is_err() {
            return Finish::Pending;
        }
        if !plan.spec.steps.is_empty() {
            // Best effort: should it fail, a passing ICMP error ends the dialogue early, with its true name.
            let _ = socket::unqueue_icmp_errors(self.socket.as_fd(), remote.ip());
        }
        // Kernels before 5.6 go on counting the retransmissions of the old connection (tcp_disconnect()).
        if self.again == Again::Perhaps && info.is_some_and(|info| info.retransmits == 0) {
            self.again = Again::Yes;
        }
        Finish::Connected(self.source(), info)
    }

    fn finish_with_error(&self, remote: SocketAddr, error: &io::Error, took: Duration) -> Finish {
        let info = self.tcp_info();
        let was_open = info.is_some_and(|info| !info.rtt.is_zero());
        // A reset, or an ICMP error for our ACK, of which the error queue has nothing: it was open all the same.
        if was_open {
            return Finish::ConnectedThenLost(self.source(), info, lost_failure(remote, error));
        }
        let icmp = socket::take_icmp_error(self.socket.as_fd());
        Finish::Failed(connect_failure(remote, error, icmp, took), info)
    }

    /// The kernel's facts of this connection.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        socket::tcp_info(self.socket.as_fd()).ok()
    }

    /// The local address that the kernel chose.
    fn source(&self) -> Option<IpAddr> {
        let address = self.socket.local_addr().ok()?.as_socket()?;
        Some(address.ip()).filter(|ip| !ip.is_unspecified())
    }

    /// Reads what there is: 0 is the peer's FIN, `None` nothing for now.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if_ready(io::Read::read(&mut &self.socket, buffer))
    }

    /// Writes what fits: `None` if nothing does for now.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        if_ready(io::Write::write(&mut &self.socket, bytes))
    }

    /// Sends our FIN; the peer may have left already, which is its right.
    pub fn shutdown(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Closes the descriptor.
    pub fn close(self, how: Close) {
        if how == Close::Rst {
            // Without it the close is a FIN, which is no harm.
            let _ = self.socket.set_linger(Some(Duration::ZERO));
        }
    }

    /// Whether the address is of the socket's family.
    pub fn can_reach(&self, remote: SocketAddr) -> bool {
        self.is_ipv4 == remote.is_ipv4()
    }

    /// The descriptor, for `mio`.
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// What a read or a write came to; `None` where it is to be tried again later.
fn if_ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether this plan asks nothing of the socket but a connection, and to end it with RST.
pub fn is_plain(plan: &Plan) -> bool {
    let ProbeSpec {
        close,
        steps,
        origin,
        ..
    } = &*plan.spec;
    *close == Close::Rst && steps.is_empty() && *origin == LocalBind::default()
}

/// Sends the SYN; an errno that is an answer.
fn connect(
    socket: &Socket,
    plan: &Plan,
    remote: SocketAddr,
) -> Result<Option<NonZeroI32>, OpenError> {
    match socket.connect(&remote.into()) {
        Ok(()) => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(None),
        Err(error) if is_exhaustion(&error) => Err(exhausted(plan, remote, &error)),
        Err(error) => Ok(error.raw_os_error().and_then(NonZeroI32::new)),
    }
}

/// A socket with its options, ready to connect; or the operation that failed.
fn prepared(plan: &Plan, remote: SocketAddr) -> Result<Socket, (&'static str, io::Error)> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new_raw(Domain::for_address(remote), kind, Some(Protocol::TCP))
        .map_err(|e| ("open a socket", e))?;
    // Only the sender of an ICMP error is lost without it.
    let _ = socket::queue_icmp_errors(socket.as_fd(), remote.ip());
    if let Some(interface) = &plan.spec.origin.interface {
        socket
            .bind_device(Some(interface.name.as_bytes()))
            .map_err(|e| ("bind to the interface", e))?;
    }
    if let Some(source) = plan.spec.origin.source {
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

/// Lack of descriptors, ports, or memory: it passes, and is waited out inside the deadline.
fn is_exhaustion(error: &io::Error) -> bool {
    let lacks = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::EADDRNOTAVAIL,
        libc::EADDRINUSE,
        libc::EAGAIN,
    ];
    error
        .raw_os_error()
        .is_some_and(|errno| lacks.contains(&errno))
}

/// The failure of a socket that could not be watched (`epoll_ctl(2)`).
pub fn watch_failure(remote: SocketAddr, error: &io::Error) -> Failure {
    let text = format!(
        "connect to {remote}: this machine could not watch the socket: {}",
        errno_text(error)
    );
    Failure::new(Status::LocalError, text)
}

/// Without a route, no source address is to be had however long one waits; with one, a port may become free.
fn exhausted(plan: &Plan, remote: SocketAddr, error: &io::Error) -> OpenError {
    match local_failure("connect", remote, error) {
        OpenError::NoPort(failure)
            if !route::has_route(remote.ip(), plan.spec.origin.interface_name()) =>
        {
            OpenError::Final(failure)
        }
        other => other,
    }
}

fn local_failure(operation: &str, remote: SocketAddr, error: &io::Error) -> OpenError {
    let text = format!(
        "connect to {remote}: this machine could not {operation}: {}",
        errno_text(error)
    );
    let failure = Failure::new(Status::LocalError, text);
    match error.raw_os_error() {
        Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN) => OpenError::NoPort(failure),
        _ if is_exhaustion(error) => OpenError::Exhausted(failure),
        _ => OpenError::Final(failure),
    }
}

/// The failure of a connect, by its errno (connect(2)) and the ICMP message behind it.
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
        _ if is_exhaustion(error) => Status::LocalError,
        _ => Status::Unreachable,
    };
    let cause = match (icmp, errno) {
        (Some(icmp), _) => says(icmp),
        (None, libc::ECONNREFUSED) => "connection refused (RST".to_owned(),
        (None, _) => {
            let text = errno_text(error);
            text.strip_suffix(')').unwrap_or(&text).to_owned()
        }
    };
    Failure {
        status,
        text: format!("connect to {remote}: {cause}, {})", format_duration(took)),
        icmp,
    }
}

/// `10.0.0.1 says administratively prohibited (ICMP type 3 code 13`, its bracket left open.
fn says(icmp: IcmpFact) -> String {
    let from = icmp
        .from
        .map_or_else(|| "someone on the path".to_owned(), |from| from.to_string());
    format!(
        "{from} says {} (ICMP type {} code {}",
        icmp.meaning(),
        icmp.kind,
        icmp.code
    )
}

/// The failure of an open connection, by the errno of a read or a write.
pub fn lost_failure(remote: SocketAddr, error: &io::Error) -> Failure {
    let text = match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE) => format!("{remote} reset the open connection"),
        _ => format!("the connection to {remote} was lost: {}", errno_text(error)),
    };
    Failure::new(Status::Reset, text)
}

/// The system's own words with the errno's name, such as `no route to host (EHOSTUNREACH)`.
fn errno_text(error: &io::Error) -> String {
    let words = os_error_text(error);
    let Some(errno) = error.raw_os_error() else {
        return format!("{words} (no errno)");
    };
    match ERRNO_NAMES.iter().find(|(number, _)| *number == errno) {
        Some((_, name)) => format!("{words} ({name})"),
        None => format!("{words} (errno {errno})"),
    }
}

/// The names that connect(2) and socket(2) document, and those that ICMP errors become (net/ipv4/icmp.c).
const ERRNO_NAMES: [(i32, &str); 24] = [
    (libc::EACCES, "EACCES"),
    (libc::EADDRINUSE, "EADDRINUSE"),
    (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
    (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::ECONNREFUSED, "ECONNREFUSED"),
    (libc::ECONNRESET, "ECONNRESET"),
    (libc::EHOSTDOWN, "EHOSTDOWN"),
    (libc::EHOSTUNREACH, "EHOSTUNREACH"),
    (libc::EINVAL, "EINVAL"),
    (libc::EMFILE, "EMFILE"),
    (libc::EMSGSIZE, "EMSGSIZE"),
    (libc::ENETDOWN, "ENETDOWN"),
    (libc::ENETUNREACH, "ENETUNREACH"),
    (libc::ENFILE, "ENFILE"),
    (libc::ENOBUFS, "ENOBUFS"),
    (libc::ENODEV, "ENODEV"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::ENONET, "ENONET"),
    (libc::ENOPROTOOPT, "ENOPROTOOPT"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::EPERM, "EPERM"),
    (libc::EPROTO, "EPROTO"),
    (libc::ETIMEDOUT, "ETIMEDOUT"),
];

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
    fn errnos_have_their_status() {
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
    fn sentences_name_operation_address_and_cause() {
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
            "connect to 192.0.2.7:25: 10.0.0.1 says administratively prohibited (ICMP type 3 code 13, 0.4 ms)"
        );
        // ICMPv6 prohibitions arrive as EACCES, which without the message would be this machine's own refusal.
        assert_eq!(
            failure(libc::EACCES, Some(icmp)).status,
            Status::Unreachable
        );
    }
}
