//! The address to listen on, as written, and the listening socket.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::str::FromStr;
use std::{fmt, io};

use socket2::{Domain, Protocol, Socket, Type};

use crate::escape::escaped_prefix;
use crate::os::socket::is_family_unsupported;

/// The address to listen on; for port 0 the kernel chooses the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Every IPv4 and IPv6 address of this host.
    Everywhere(u16),
    /// This address only; `[::]` is every IPv6 address and no IPv4 one.
    At(SocketAddr),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, "port {port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    /// Reads `PORT`, `IPV4:PORT` or `[IPV6]:PORT`.
    fn from_str(text: &str) -> Result<Self, ListenError> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return parse_without_colon(text);
        };
        if host.is_empty() {
            return Err(ListenError::NoAddress(escaped_prefix(text, 80)));
        }
        if let Some(inner) = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let port = parse_port(port)?;
            // SocketAddrV6 parses only numeric zones (RFC 4007).
            let address = format!("[{inner}]:{port}")
                .parse()
                .map_err(|_| ListenError::Ipv6(escaped_prefix(text, 80)))?;
            return Ok(Self::At(address));
        }
        if host.contains([':', '[', ']']) {
            return Err(ListenError::Ipv6(escaped_prefix(text, 80)));
        }
        let address: Ipv4Addr = host
            .parse()
            .map_err(|_| ListenError::Name(escaped_prefix(text, 80)))?;
        Ok(Self::At((address, parse_port(port)?).into()))
    }
}

/// Text without a colon: a port, or an address or name whose port is missing.
fn parse_without_colon(text: &str) -> Result<Listen, ListenError> {
    if text.is_empty() {
        return Err(ListenError::Empty);
    }
    if text.parse::<Ipv4Addr>().is_ok() {
        return Err(ListenError::NoPort(escaped_prefix(text, 80)));
    }
    parse_port(text).map(Listen::Everywhere)
}

fn parse_port(text: &str) -> Result<u16, ListenError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.ok_or_else(|| ListenError::Port(escaped_prefix(text, 80)))
}

/// Why an address to listen on is invalid; the text quotes it and names the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenError {
    /// The text is empty.
    Empty,
    /// Not a port.
    Port(String),
    /// An address without a port.
    NoPort(String),
    /// A colon and a port without an address.
    NoAddress(String),
    /// Not `[IPV6]:PORT`.
    Ipv6(String),
    /// A host name, or an IPv4 address that is not in dotted decimal form.
    Name(String),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("the port to listen on is empty: give `PORT` or `ADDR:PORT`")
            }
            Self::Port(text) => write!(
                f,
                "port `{text}` is not a number from 0 to 65535 (0: any free port)"
            ),
            Self::NoPort(text) => write!(f, "`{text}` has no port: write `{text}:PORT`"),
            Self::NoAddress(text) => {
                write!(
                    f,
                    "`{text}` has no address before the colon: to listen on every address, give only the \
                     port"
                )
            }
            Self::Ipv6(text) => write!(
                f,
                "`{text}` is not `[IPV6]:PORT`: write an IPv6 address in brackets such as \
                 `[::1]:8989`, and a zone as the number of the interface"
            ),
            Self::Name(text) => write!(
                f,
                "`{text}` does not begin with an IP address: write an address of this host such as \
                 `127.0.0.1:PORT` or `[::1]:PORT`; to listen on every address, give only the port"
            ),
        }
    }
}

impl std::error::Error for ListenError {}

/// The length of the accept queue (listen(2)): how many established connections wait for accept(2),
/// minus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog(i32);

impl Backlog {
    /// A backlog of this length; `None` if it is negative.
    pub fn new(length: i32) -> Option<Self> {
        (length >= 0).then_some(Self(length))
    }
}

impl Default for Backlog {
    fn default() -> Self {
        Self(128)
    }
}

/// Why the listener cannot be opened; the text names the address and the remedy.
#[derive(Debug)]
pub struct BindError {
    listen: Listen,
    source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: ", self.listen)?;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => f.write_str(
                "the port is in use by another program: stop that program, or choose another port (0: any \
                     free port)",
            ),
            io::ErrorKind::PermissionDenied => f.write_str(
                "this port requires a privilege: choose a port from 1024, or grant \
                 CAP_NET_BIND_SERVICE",
            ),
            io::ErrorKind::AddrNotAvailable => f.write_str(
                "this host has no such address: `ip address` lists the addresses; to listen on every \
                     address, give only the port",
            ),
            _ => write!(f, "{}", self.source),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A non-blocking listening socket with `SO_REUSEADDR`, so that connections in `TIME_WAIT` do not
/// prevent a restart.
pub(super) fn open(listen: Listen, backlog: Backlog) -> Result<TcpListener, BindError> {
    let opened = match listen {
        Listen::At(address) => open_at(address, Families::One, backlog),
        Listen::Everywhere(port) => match open_at(
            (Ipv6Addr::UNSPECIFIED, port).into(),
            Families::Both,
            backlog,
        ) {
            Err(error) if lacks_ipv6(&error) => {
                open_at((Ipv4Addr::UNSPECIFIED, port).into(), Families::One, backlog)
            }
            opened => opened,
        },
    };
    opened.map_err(|source| BindError { listen, source })
}

/// Whether an IPv6 socket also accepts IPv4 clients (`IPV6_V6ONLY` of ipv6(7)).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Families {
    One,
    Both,
}

fn open_at(address: SocketAddr, families: Families, backlog: Backlog) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(families == Families::One)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog.0)?;
    Ok(socket.into())
}

/// Whether the kernel has no IPv6, or no IPv6 address is configured.
fn lacks_ipv6(error: &io::Error) -> bool {
    is_family_unsupported(error) || error.kind() == io::ErrorKind::AddrNotAvailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_parsed() {
        assert_eq!("8989".parse(), Ok(Listen::Everywhere(8989)));
        assert_eq!("0".parse(), Ok(Listen::Everywhere(0)));
        for word in [
            "127.0.0.1:8989",
            "0.0.0.0:0",
            "[::1]:8989",
            "[fe80::1%2]:65535",
        ] {
            assert_eq!(
                word.parse(),
                Ok(Listen::At(word.parse().unwrap())),
                "{word}"
            );
        }
    }

    #[test]
    fn errors_name_the_remedy() {
        for (word, hint) in [
            ("", "PORT"),
            ("65536", "65535"),
            ("http", "65535"),
            ("-1", "65535"),
            ("+80", "65535"),
            ("８０", "65535"),
            ("127.0.0.1", "`127.0.0.1:PORT`"),
            ("127.0.0.1:", "65535"),
            ("127.0.0.1:http", "65535"),
            (":8989", "every address"),
            ("localhost:8989", "begin with an IP address"),
            ("127.1:8989", "begin with an IP address"),
            ("*:8989", "give only the port"),
            ("::1:8989", "[::1]:8989"),
            ("[::1]", "[::1]:8989"),
            ("[::1:8989", "[::1]:8989"),
            ("[127.0.0.1]:80", "[::1]:8989"),
            ("[fe80::1%eth0]:80", "number of the interface"),
            ("a\nb:80", "begin with an IP address"),
        ] {
            let error = word.parse::<Listen>().expect_err(word).to_string();
            assert!(!error.contains('\n'), "{word:?}: {error:?}");
            assert!(error.contains(hint), "{word:?}: {error}");
        }
    }

    #[test]
    fn bind_errors_name_address_and_remedy() {
        let text = |errno| {
            let listen = Listen::At("127.0.0.1:80".parse().unwrap());
            BindError {
                listen,
                source: io::Error::from_raw_os_error(errno),
            }
            .to_string()
        };
        for (errno, remedy) in [
            (libc::EADDRINUSE, "0: any free port"),
            (libc::EACCES, "1024"),
            (libc::EADDRNOTAVAIL, "ip address"),
        ] {
            let text = text(errno);
            assert!(
                text.starts_with("cannot listen on 127.0.0.1:80: ") && text.contains(remedy),
                "{text}"
            );
        }
    }
}
