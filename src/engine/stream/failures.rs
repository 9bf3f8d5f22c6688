//! The failures of a connection, by the errno of the system call and the ICMP message that caused
//! it. Network errors get their status here.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use crate::failure::{Failure, IcmpFact, IcmpVersion, Status};
use crate::os::errno::{SocketFault, connect_fault, named_error_text, socket_fault};
use crate::os::neighbour;
use crate::plan::Plan;

/// The failure of a system call other than connect(2), which says nothing about the peer.
pub(super) fn call_failure(operation: &str, remote: SocketAddr, error: &io::Error) -> Failure {
    let cause = format!(
        "this machine could not {operation}: {}",
        named_error_text(error)
    );
    Failure::new(Status::LocalError, format!("connect to {remote}: {cause}")).sharing(&cause)
}

/// The failure of a socket that could not be watched (`epoll_ctl(2)`).
pub fn watch_failure(remote: SocketAddr, error: &io::Error) -> Failure {
    call_failure("poll the socket", remote, error)
}

/// The failure of a connect, by its errno (connect(2)) and the ICMP message that caused it, if any.
pub(super) fn connect_failure(
    remote: SocketAddr,
    error: &io::Error,
    icmp: Option<IcmpFact>,
) -> Failure {
    let status = match connect_fault(error) {
        SocketFault::Refused => Status::Refused,
        SocketFault::Reset => Status::Reset,
        SocketFault::TimedOut => Status::ConnectTimeout,
        SocketFault::Unreachable => Status::Unreachable,
        // An ICMPv6 prohibition is EACCES.
        SocketFault::Local if icmp.is_some() => Status::Unreachable,
        SocketFault::Local => return call_failure("connect", remote, error),
    };
    let cause = match icmp {
        Some(icmp) => icmp.to_string(),
        None if status == Status::Refused => "connection refused (RST)".to_owned(),
        None => named_error_text(error),
    };
    Failure {
        icmp,
        ..Failure::new(status, format!("connect to {remote}: {cause}"))
    }
}

/// The failure of a connect that an ICMP error of this machine's own kernel ended. No router or
/// host has sent it, so the failure names no sender.
pub(super) fn own_kernel_failure(remote: SocketAddr, error: &io::Error, icmp: IcmpFact) -> Failure {
    match (icmp.version, icmp.kind, icmp.code) {
        (IcmpVersion::V4, 3, 1) | (IcmpVersion::V6, 1, 3) => absent_failure(remote),
        _ => {
            let operation = format!("send (local firewall rule: {})", icmp.meaning());
            call_failure(&operation, remote, error)
        }
    }
}

/// The failure of a connect that is not answered yet, if its SYN has not left this machine.
pub fn unsent_failure(plan: &Plan, remote: SocketAddr) -> Option<Failure> {
    let interface = NonZeroU32::new(plan.scope_id());
    neighbour::is_silent(remote.ip(), interface).then(|| absent_failure(remote))
}

/// The failure of a connect to a host whose link address is not known.
fn absent_failure(remote: SocketAddr) -> Failure {
    let resolution = match remote {
        SocketAddr::V4(_) => "ARP",
        SocketAddr::V6(_) => "neighbour discovery",
    };
    let text = format!(
        "connect to {remote}: the host, or the router to it, did not answer on the local network \
         (no answer to {resolution})"
    );
    Failure::new(Status::Unreachable, text)
}

/// The failure of an open connection, by the errno of a read or a write and the ICMP message that
/// caused it, if any.
pub(super) fn lost_failure(
    remote: SocketAddr,
    error: &io::Error,
    icmp: Option<IcmpFact>,
) -> Failure {
    let cause = named_error_text(error);
    let (status, text) = match (socket_fault(error), icmp) {
        (SocketFault::Reset, _) => (Status::Reset, format!("{remote} reset the open connection")),
        // An ICMPv6 prohibition is EACCES.
        (SocketFault::Local, Some(icmp)) => (
            Status::Reset,
            format!("the connection to {remote} was lost: {icmp}"),
        ),
        (SocketFault::Local, None) => (
            Status::LocalError,
            format!("this machine could not use the open connection to {remote}: {cause}"),
        ),
        (SocketFault::Refused | SocketFault::Unreachable | SocketFault::TimedOut, _) => (
            Status::Reset,
            format!("the connection to {remote} was lost: {cause}"),
        ),
    };
    Failure::new(status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(errno: i32, icmp: Option<IcmpFact>) -> Failure {
        let remote = "192.0.2.7:25".parse().unwrap();
        connect_failure(remote, &io::Error::from_raw_os_error(errno), icmp)
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

    /// A sandbox may refuse any call with any errno.
    #[test]
    fn a_local_error_on_an_open_connection_is_no_reset() {
        let remote = "192.0.2.7:25".parse().unwrap();
        let lost = |errno| lost_failure(remote, &io::Error::from_raw_os_error(errno), None);
        for errno in [
            libc::ECONNRESET,
            libc::EPIPE,
            libc::ETIMEDOUT,
            libc::EHOSTUNREACH,
        ] {
            assert_eq!(lost(errno).status, Status::Reset, "{errno}");
        }
        for errno in [
            libc::EPERM,
            libc::EACCES,
            libc::ENOSYS,
            libc::EINVAL,
            libc::ENOMEM,
            libc::ENOBUFS,
            libc::EBADF,
            libc::EIO,
            libc::ECONNABORTED,
            4095,
        ] {
            assert_eq!(lost(errno).status, Status::LocalError, "{errno}");
        }
        assert_eq!(
            lost(libc::EPERM).text,
            "this machine could not use the open connection to 192.0.2.7:25: \
             operation not permitted (EPERM)"
        );
    }

    #[test]
    fn error_texts_name_operation_address_and_cause() {
        assert_eq!(
            failure(libc::ECONNREFUSED, None).text,
            "connect to 192.0.2.7:25: connection refused (RST)"
        );
        assert_eq!(
            failure(libc::EHOSTUNREACH, None).text,
            "connect to 192.0.2.7:25: no route to host (EHOSTUNREACH)"
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
            "connect to 192.0.2.7:25: 10.0.0.1 says administratively prohibited (ICMP type 3 code 13)"
        );
        // An ICMPv6 prohibition arrives as EACCES; without the message it would be a local error.
        assert_eq!(
            failure(libc::EACCES, Some(icmp)).status,
            Status::Unreachable
        );
    }
}
