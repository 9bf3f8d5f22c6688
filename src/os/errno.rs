//! Errors of the operating system: which ones mean that this machine lacks a resource, and their
//! texts.

use std::io;

use crate::escape::escaped_prefix;

/// Longest text of an unlisted error in [`short_cause`], in characters.
const MAX_CAUSE_CHARS: usize = 80;

/// Errors that mean that this machine lacks a resource at the moment. A retry may succeed.
///
/// From socket(2), bind(2), connect(2), send(2) and `epoll_ctl(2)`: descriptors, memory, ports,
/// watched descriptors.
const SHORTAGES: [i32; 8] = [
    libc::EMFILE,
    libc::ENFILE,
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::EADDRNOTAVAIL,
    libc::EADDRINUSE,
    libc::EAGAIN,
    libc::ENOSPC,
];

/// Whether the error is a temporary lack of descriptors, memory or ports on this machine, which
/// says nothing about the peer.
pub fn is_shortage(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|errno| SHORTAGES.contains(&errno))
}

/// Which side an error of a TCP socket concerns. All errors that the network does not cause concern
/// this machine: a sandbox may return any errno, and a system call may fail in new ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketFault {
    /// The peer refused the connection: RST, or ICMP port unreachable.
    Refused,
    /// The peer reset the open connection.
    Reset,
    /// There is no route, or an ICMP error says so.
    Unreachable,
    /// The kernel gave up retransmitting.
    TimedOut,
    /// This machine failed; the error says nothing about the peer.
    Local,
}

/// Which side this error of a TCP socket concerns. The kernel makes the errnos of the network from
/// segments (`tcp_reset()` in `net/ipv4/tcp_input.c`), routes and ICMP messages (`icmp_err_convert`
/// in net/ipv4/icmp.c, `icmpv6_err_convert()` in net/ipv6/icmp.c).
///
/// `EACCES` is an error of this machine here. It can also mean that an `ICMPv6` message prohibits
/// the connection; the caller decides this by the message.
pub fn socket_fault(error: &io::Error) -> SocketFault {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => SocketFault::Refused,
        Some(libc::ECONNRESET | libc::EPIPE) => SocketFault::Reset,
        Some(libc::ETIMEDOUT) => SocketFault::TimedOut,
        Some(
            libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::ENONET
            | libc::ENOPROTOOPT
            | libc::EPROTO
            | libc::EOPNOTSUPP
            | libc::EMSGSIZE,
        ) => SocketFault::Unreachable,
        _ => SocketFault::Local,
    }
}

/// As [`socket_fault`], for connect(2) and the first send(2): there `EINVAL` is the error of a
/// blackhole route.
pub fn connect_fault(error: &io::Error) -> SocketFault {
    match error.raw_os_error() {
        Some(libc::EINVAL) => SocketFault::Unreachable,
        _ => socket_fault(error),
    }
}

/// Whether an error on a socket of the resolver says nothing about the name server. An error without
/// an errno is the end of a stream.
pub fn is_local_to_resolver(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && connect_fault(error) == SocketFault::Local
}

/// The text of strerror(3) in lower case, without the number that std appends.
pub fn os_error_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or(&text)
        .to_lowercase()
}

/// The text of strerror(3) with the name of the errno, such as
/// `no route to host (EHOSTUNREACH)`.
pub fn named_error_text(error: &io::Error) -> String {
    let text = os_error_text(error);
    let Some(errno) = error.raw_os_error() else {
        return format!("{text} (no errno)");
    };
    match ERRNO_NAMES.iter().find(|(known, _)| *known == errno) {
        Some((_, name)) => format!("{text} ({name})"),
        None => format!("{text} (errno {errno})"),
    }
}

/// A short cause for an error text that names the peer itself. Frequent network errors have the
/// same text with every C library.
pub fn short_cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::UnexpectedEof => "connection closed before the answer".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        io::ErrorKind::HostUnreachable => "host unreachable".into(),
        _ => escaped_prefix(&os_error_text(error), MAX_CAUSE_CHARS),
    }
}

/// The errors that connect(2) and socket(2) document, and those that the kernel makes of ICMP
/// messages (net/ipv4/icmp.c).
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

    fn error(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }

    #[test]
    fn texts_have_no_number_but_a_name() {
        assert_eq!(
            os_error_text(&error(libc::EMFILE)),
            os_error_text(&error(libc::EMFILE)).to_lowercase()
        );
        assert!(!os_error_text(&error(libc::EMFILE)).contains("os error"));
        assert!(named_error_text(&error(libc::EHOSTUNREACH)).ends_with(" (EHOSTUNREACH)"));
        assert!(
            named_error_text(&error(libc::EXDEV)).ends_with(&format!("(errno {})", libc::EXDEV))
        );
        assert!(named_error_text(&io::Error::other("x")).ends_with("x (no errno)"));
    }

    /// Any errno, known or unknown, is about this machine unless the network causes it.
    #[test]
    fn local_errors_never_make_the_peer_down() {
        let network = [
            (libc::ECONNREFUSED, SocketFault::Refused),
            (libc::ECONNRESET, SocketFault::Reset),
            (libc::EPIPE, SocketFault::Reset),
            (libc::ETIMEDOUT, SocketFault::TimedOut),
            (libc::EHOSTUNREACH, SocketFault::Unreachable),
            (libc::ENETUNREACH, SocketFault::Unreachable),
            (libc::EHOSTDOWN, SocketFault::Unreachable),
            (libc::ENONET, SocketFault::Unreachable),
            (libc::ENOPROTOOPT, SocketFault::Unreachable),
            (libc::EPROTO, SocketFault::Unreachable),
            (libc::EOPNOTSUPP, SocketFault::Unreachable),
            (libc::EMSGSIZE, SocketFault::Unreachable),
        ];
        for errno in 1..=4095 {
            let expected = network
                .iter()
                .find(|(known, _)| *known == errno)
                .map_or(SocketFault::Local, |(_, fault)| *fault);
            assert_eq!(socket_fault(&error(errno)), expected, "{errno}");
        }
        let other = io::Error::other("not from the system");
        assert_eq!(socket_fault(&other), SocketFault::Local);
        for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EAFNOSUPPORT] {
            assert!(is_local_to_resolver(&error(errno)), "{errno}");
        }
        for errno in [libc::ECONNREFUSED, libc::ENETUNREACH, libc::EINVAL] {
            assert!(!is_local_to_resolver(&error(errno)), "{errno}");
        }
        assert!(!is_local_to_resolver(&other));
    }

    #[test]
    fn short_causes_do_not_depend_on_the_c_library() {
        for (errno, cause) in [
            (libc::ECONNREFUSED, "connection refused"),
            (libc::EHOSTUNREACH, "host unreachable"),
            (libc::ENETUNREACH, "network unreachable"),
        ] {
            assert_eq!(short_cause(&error(errno)), cause);
        }
    }

    #[test]
    fn only_a_lack_of_resources_is_a_shortage() {
        for errno in SHORTAGES {
            assert!(is_shortage(&error(errno)), "{errno}");
        }
        for errno in [libc::ECONNREFUSED, libc::EACCES, libc::ENETUNREACH] {
            assert!(!is_shortage(&error(errno)), "{errno}");
        }
        assert!(!is_shortage(&io::Error::other("not from the system")));
    }
}
