//! Where clients are awaited: the address as written, and the socket bound to it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::str::FromStr;
use std::{fmt, io};

use socket2::{Domain, Protocol, Socket, Type};

use crate::escape::escaped_prefix;

/// Where clients are awaited; port 0 lets the kernel choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// On every IPv4 and IPv6 address of this host.
    Everywhere(u16),
    /// On this address only; `[::]` is every IPv6 address and no IPv4 one.
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
    fn from_str(word: &str) -> Result<Self, ListenError> {
        let Some((host, port)) = word.rsplit_once(':') else {
            return read_lone(word);
        };
        if host.is_empty() {
            return Err(ListenError::NoAddress(escaped_prefix(word, 80)));
        }
        if let Some(inner) = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let port = read_port(port)?;
            // SocketAddrV6 reads the zone of RFC 4007 as a number.
            let address = format!("[{inner}]:{port}")
                .parse()
                .map_err(|_| ListenError::Ipv6(escaped_prefix(word, 80)))?;
            return Ok(Self::At(address));
        }
        if host.contains([':', '[', ']']) {
            return Err(ListenError::Ipv6(escaped_prefix(word, 80)));
        }
        let address: Ipv4Addr = host
            .parse()
            .map_err(|_| ListenError::Name(escaped_prefix(word, 80)))?;
        Ok(Self::At((address, read_port(port)?).into()))
    }
}

/// A word without a colon: a port, or an address or name whose port is missing.
fn read_lone(word: &str) -> Result<Listen, ListenError> {
    if word.is_empty() {
        return Err(ListenError::Empty);
    }
    if word.parse::<Ipv4Addr>().is_ok() {
        return Err(ListenError::NoPort(escaped_prefix(word, 80)));
    }
    read_port(word).map(Listen::Everywhere)
}

fn read_port(text: &str) -> Result<u16, ListenError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.ok_or_else(|| ListenError::Port(escaped_prefix(text, 80)))
}

/// Why an address to listen on is refused; the text names the word and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenError {
    /// Nothing at all.
    Empty,
    /// The word is not a port.
    Port(String),
    /// An address without a port.
    NoPort(String),
    /// A port behind a colon that nothing precedes.
    NoAddress(String),
    /// Not `[IPV6]:PORT`.
    Ipv6(String),
    /// A name, or an address in another spelling.
    Name(String),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("the port to listen on is empty: give `PORT`, or `ADDR:PORT`")
            }
            Self::Port(text) => write!(
                f,
                "port `{text}` is not a number from 0 to 65535 (0: any free one)"
            ),
            Self::NoPort(word) => write!(f, "`{word}` has no port: write `{word}:PORT`"),
            Self::NoAddress(word) => {
                write!(
                    f,
                    "`{word}` has no address before the colon: a port alone listens on every address"
                )
            }
            Self::Ipv6(word) => write!(
                f,
                "`{word}` is not `[IPV6]:PORT`: write an IPv6 address in brackets such as `[::1]:8989`, a zone as the \
                 interface's number"
            ),
            Self::Name(word) => write!(
                f,
                "`{word}` does not begin with an address: names are not resolved here, write one of this host's such \
                 as `127.0.0.1:PORT` or `[::1]:PORT`, or the port alone for all"
            ),
        }
    }
}

impl std::error::Error for ListenError {}

/// How many established clients the kernel keeps until they are accepted (listen(2)); 0 leaves room for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog(i32);

impl Backlog {
    /// The backlog of this length, unless it is negative.
    pub fn new(length: i32) -> Option<Self> {
        (length >= 0).then_some(Self(length))
    }
}

impl Default for Backlog {
    fn default() -> Self {
        Self(128)
    }
}

/// Why nobody can be awaited there; the text names the address and the remedy.
#[derive(Debug)]
pub struct BindError {
    listen: Listen,
    source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: ", self.listen)?;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                f.write_str("another program listens there; stop it, choose another port, or 0 for any free one")
            }
            io::ErrorKind::PermissionDenied => f.write_str(
                "this port is reserved for the system; choose one from 1024 up, or grant CAP_NET_BIND_SERVICE",
            ),
            io::ErrorKind::AddrNotAvailable => {
                f.write_str("this host has no such address; see `ip address`, or give the port alone for every address")
            }
            _ => write!(f, "{}", self.source),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A non-blocking listening socket with `SO_REUSEADDR`, so that a restart does not wait for `TIME_WAIT` to pass.
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

/// Whether an IPv6 socket takes IPv4 clients too (`IPV6_V6ONLY` of ipv6(7)).
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

/// A kernel without IPv6, or with every IPv6 address switched off.
fn lacks_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
        || error.kind() == io::ErrorKind::AddrNotAvailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_of_writing_it() {
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
    fn refused_words_say_what_to_write() {
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
            ("localhost:8989", "names are not resolved"),
            ("127.1:8989", "names are not resolved"),
            ("*:8989", "the port alone for all"),
            ("::1:8989", "[::1]:8989"),
            ("[::1]", "[::1]:8989"),
            ("[::1:8989", "[::1]:8989"),
            ("[127.0.0.1]:80", "[::1]:8989"),
            ("[fe80::1%eth0]:80", "interface's number"),
            ("a\nb:80", "names are not resolved"),
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
            (libc::EADDRINUSE, "0 for any"),
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
