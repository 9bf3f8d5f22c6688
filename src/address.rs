//! Hosts, ports and targets, and how they are written.
//!
//! Addresses are accepted in one notation only: RFC 4291 for IPv6, four decimal octets for IPv4.
//! Notations such as `0x7f.1` or `127.1` are refused, so that a policy written for an address
//! cannot be bypassed by writing it differently.

pub mod cidr;
pub mod host_list;
pub mod port_list;
pub mod range;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

/// A TCP port, 1 to 65535 (RFC 9293, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(NonZeroU16);

impl Port {
    /// Port 1.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// The port with this number, unless it is 0.
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// The port's number.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_number && text.len() > 1 && text.starts_with('0') {
            return Err(TargetError::LeadingZero(escaped_prefix(text)));
        }
        let number = text.parse::<u16>().ok().filter(|_| is_number);
        number
            .and_then(Self::new)
            .ok_or_else(|| TargetError::Port(escaped_prefix(text)))
    }
}

/// A DNS host name: ASCII labels of letters, digits, `-` and `_`, at most 63 bytes each and 253 in
/// all (RFC 1035, section 2.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostName(Box<str>);

impl HostName {
    /// The name as written, with its final dot if it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its final dot.
    pub fn relative(&self) -> &str {
        self.0.strip_suffix('.').unwrap_or(&self.0)
    }

    /// Whether the name ends in a dot, so that no search list applies to it.
    pub fn is_absolute(&self) -> bool {
        self.0.ends_with('.')
    }
}

impl FromStr for HostName {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if !name.is_ascii() {
            return Err(TargetError::NotAscii(escaped_prefix(text)));
        }
        if name.len() > 253 {
            return Err(TargetError::NameTooLong(name.len()));
        }
        let mut last = "";
        for label in name.split('.') {
            check_label(label, text)?;
            last = label;
        }
        if looks_numeric(last) {
            return Err(TargetError::OddIpv4(escaped_prefix(text)));
        }
        Ok(Self(text.into()))
    }
}

fn check_label(label: &str, name: &str) -> Result<(), TargetError> {
    if label.len() > 63 {
        return Err(TargetError::LabelTooLong(escaped_prefix(label)));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if label.is_empty()
        || label.starts_with('-')
        || label.ends_with('-')
        || !label.bytes().all(allowed)
    {
        return Err(TargetError::Host(escaped_prefix(name)));
    }
    Ok(())
}

/// A host whose last label is a number is an IPv4 address or invalid (WHATWG URL, section 3.5).
fn looks_numeric(label: &str) -> bool {
    let hex = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(rest) => rest.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// A host as written: an address, or a name to resolve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// An IPv6 address with the zone of RFC 4007: an interface's name or index.
    Zoned(Box<ZonedAddress>),
    /// A name.
    Name(HostName),
}

/// An IPv6 address with its zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ZonedAddress {
    /// The address.
    pub address: Ipv6Addr,
    /// An interface's name or index.
    pub zone: Box<str>,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Zoned(zoned) => write!(f, "{}%{}", zoned.address, zoned.zone),
            Self::Name(name) => f.write_str(name.as_str()),
        }
    }
}

impl FromStr for Host {
    type Err = TargetError;

    /// Parses a host without a port; IPv6 with or without brackets.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Err(TargetError::NoHost);
        }
        if is_url(text) {
            return Err(TargetError::Url(escaped_prefix(text)));
        }
        if text == "*UNKNOWN*" {
            return Err(TargetError::NoInterface);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let inner = rest
                .strip_suffix(']')
                .ok_or_else(|| TargetError::Bracket(escaped_prefix(text)))?;
            return parse_ipv6(inner).ok_or_else(|| TargetError::Ipv6(escaped_prefix(inner)));
        }
        if text.contains(':') || text.contains('%') {
            return parse_ipv6(text).ok_or_else(|| TargetError::Ipv6(escaped_prefix(text)));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        text.parse().map(Self::Name)
    }
}

fn parse_ipv6(text: &str) -> Option<Host> {
    let Some((address, zone)) = text.split_once('%') else {
        return text
            .parse::<Ipv6Addr>()
            .ok()
            .map(|address| Host::Address(address.into()));
    };
    let address = address.parse().ok()?;
    // IFNAMSIZ of linux/if.h is 16 with the final NUL.
    let named = !zone.is_empty()
        && zone.len() < 16
        && zone.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    named.then(|| {
        Host::Zoned(Box::new(ZonedAddress {
            address,
            zone: zone.into(),
        }))
    })
}

/// A host and the port to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The host as written.
    pub host: Host,
    /// The port.
    pub port: Port,
}

impl Target {
    /// Parses arguments: `HOST PORT`, `HOST:PORT`, or `HOST` with the default port of a service.
    /// Each can begin with `tcp://`.
    ///
    /// An empty port counts as not given, since a Zabbix macro may expand to nothing.
    ///
    /// # Errors
    /// When the host or the port is invalid, missing or given twice.
    pub fn from_arguments(
        host: &str,
        port: Option<&str>,
        default: Option<Port>,
    ) -> Result<Self, TargetError> {
        let port = port.filter(|port| !port.is_empty());
        let host = without_scheme(host)?;
        match (split_port(host)?, port) {
            ((_, Some(_)), Some(_)) => Err(TargetError::TwoPorts(escaped_prefix(host))),
            ((host, Some(port)), None) | ((host, None), Some(port)) => Ok(Self {
                host: host.parse()?,
                port: port.parse()?,
            }),
            ((host, None), None) => {
                let parsed: Host = host.parse()?;
                let port = default.ok_or_else(|| TargetError::without_port(&parsed))?;
                Ok(Self { host: parsed, port })
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(_)) | Host::Zoned(..) => {
                write!(f, "[{}]:{}", self.host, self.port)
            }
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Whether a text has a scheme. Nearly every target has no slash, which is faster to find.
pub fn is_url(text: &str) -> bool {
    text.contains('/') && text.contains("://")
}

/// The text after `tcp://`, or the whole text if it is no URL.
///
/// # Errors
/// When it is a URL with another scheme.
pub fn without_scheme(text: &str) -> Result<&str, TargetError> {
    let split = is_url(text).then(|| text.split_once("://")).flatten();
    match split {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tcp") => {
            Ok(rest.strip_suffix('/').unwrap_or(rest))
        }
        Some(_) => Err(TargetError::Url(escaped_prefix(text))),
        None => Ok(text),
    }
}

/// Splits `HOST:PORT`, `[V6]:PORT`, `NETWORK:PORT` and `[V6]/LENGTH:PORT` at the port, without
/// checking the parts.
///
/// Two colons outside brackets are an IPv6 address without a port.
///
/// # Errors
/// When a bracket does not close, or is not followed by `/` or `:`.
pub fn split_port(text: &str) -> Result<(&str, Option<&str>), TargetError> {
    let Some(inside) = text.strip_prefix('[') else {
        return Ok(match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        });
    };
    let refused = || TargetError::Bracket(escaped_prefix(text));
    let (_, after) = inside.split_once(']').ok_or_else(refused)?;
    if !(after.is_empty() || after.starts_with([':', '/'])) {
        return Err(refused());
    }
    let port_length = after.find(':').map_or(0, |colon| after.len() - colon);
    let (host, port) = text.split_at(text.len() - port_length);
    Ok((host, port.strip_prefix(':')))
}

/// Why a host or a port is refused; the message names it and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// Not a port.
    Port(String),
    /// A port with leading zeros, which some programs read as octal.
    LeadingZero(String),
    /// A port inside the host, and a second one.
    TwoPorts(String),
    /// No port, and no service that has one.
    NoPort(String),
    /// The same for an IPv6 address.
    NoPortIpv6(String),
    /// A URL.
    Url(String),
    /// An empty host.
    NoHost,
    /// `*UNKNOWN*`, which Zabbix writes for a host without an interface.
    NoInterface,
    /// A bracket that does not close, or is followed by something other than a port.
    Bracket(String),
    /// Not an IPv6 address.
    Ipv6(String),
    /// An address in a notation that programs interpret differently.
    OddIpv4(String),
    /// A name that is not ASCII.
    NotAscii(String),
    /// More than 253 bytes.
    NameTooLong(usize),
    /// A label of more than 63 bytes.
    LabelTooLong(String),
    /// Not a host name.
    Host(String),
}

impl TargetError {
    fn without_port(host: &Host) -> Self {
        match host {
            Host::Address(IpAddr::V6(_)) | Host::Zoned(..) => Self::NoPortIpv6(host.to_string()),
            _ => Self::NoPort(host.to_string()),
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(text) => write!(f, "port `{text}` is not a number from 1 to 65535"),
            Self::LeadingZero(text) => write!(f, "port `{text}` has a leading zero: remove it"),
            Self::TwoPorts(text) => write!(f, "`{text}` already contains a port: remove one of the two ports"),
            Self::NoPort(host) => {
                write!(f, "no port for `{host}`: write `{host}:PORT` or `{host} PORT`, or use a service with a default port")
            }
            Self::NoPortIpv6(host) => write!(
                f,
                "`{host}` is an IPv6 address without a port: write `{host} PORT` or `[ADDRESS]:PORT`, or use a service with a default port"
            ),
            Self::Url(text) => {
                let (scheme, rest) = text.split_once("://").unwrap_or_default();
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                write!(
                    f,
                    "`{text}` is a URL: write the host and the port, such as `{host}`, and select the protocol by a service, such as `--service {scheme}`"
                )
            }
            Self::NoHost => f.write_str("the host is empty: give a name or an address"),
            Self::NoInterface => f.write_str(
                "host `*UNKNOWN*`: the host has no interface in Zabbix: add one, or use a macro for the host",
            ),
            Self::Bracket(text) => {
                write!(f, "`{text}` is invalid: write an IPv6 address in brackets as `[ADDRESS]` or `[ADDRESS]:PORT`")
            }
            Self::Ipv6(text) => {
                write!(f, "`{text}` is not an IPv6 address: to give a port, write `[ADDRESS]:PORT` or `ADDRESS PORT`")
            }
            Self::OddIpv4(text) => {
                write!(f, "`{text}` is not an IPv4 address: write four decimal numbers such as `192.0.2.7`")
            }
            Self::NotAscii(text) => {
                write!(f, "host `{text}` is not ASCII: write an internationalized name in its `xn--` form (IDNA)")
            }
            Self::NameTooLong(length) => write!(f, "a host name of {length} bytes is too long: DNS allows 253"),
            Self::LabelTooLong(label) => write!(f, "label `{label}` is too long: DNS allows 63 bytes"),
            Self::Host(text) => {
                write!(f, "`{text}` is not a host name: a host name consists of letters, digits, `-`, `_` and dots")
            }
        }
    }
}

impl std::error::Error for TargetError {}

/// A text for an error message, escaped and at most 80 characters long.
fn escaped_prefix(text: &str) -> String {
    crate::escape::escaped_prefix(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, port: Option<&str>) -> Result<String, TargetError> {
        Target::from_arguments(host, port, None).map(|target| target.to_string())
    }

    #[test]
    fn valid_targets() {
        for (host, port, expected) in [
            ("127.0.0.1", Some("22"), "127.0.0.1:22"),
            ("127.0.0.1:22", None, "127.0.0.1:22"),
            ("127.0.0.1:22", Some(""), "127.0.0.1:22"),
            ("mx1.example.org.", Some("25"), "mx1.example.org.:25"),
            ("_a-b.c_d", Some("1"), "_a-b.c_d:1"),
            ("::1", Some("65535"), "[::1]:65535"),
            ("[::1]", Some("80"), "[::1]:80"),
            ("[2001:db8::7]:443", None, "[2001:db8::7]:443"),
            ("::ffff:192.0.2.7", Some("80"), "[::ffff:192.0.2.7]:80"),
            ("::1:80", Some("443"), "[::1:80]:443"),
            ("fe80::1%eth0", Some("22"), "[fe80::1%eth0]:22"),
            ("[fe80::1%2]:22", None, "[fe80::1%2]:22"),
            ("1and1.example", Some("80"), "1and1.example:80"),
            ("tcp://h:80", None, "h:80"),
            ("TCP://h:80/", None, "h:80"),
            ("tcp://h", Some("80"), "h:80"),
            ("tcp://[::1]:80", None, "[::1]:80"),
        ] {
            assert_eq!(
                target(host, port).as_deref(),
                Ok(expected),
                "{host} {port:?}"
            );
        }
    }

    #[test]
    fn invalid_targets() {
        for (host, port) in [
            ("h", Some("0")),
            ("h", Some("65536")),
            ("h", Some("70000")),
            ("h", Some("http")),
            ("h", Some("80x")),
            ("h", Some("+80")),
            ("h", Some(" 80")),
            ("h", Some("８０")),
            ("h", Some("080")),
            ("h:", None),
            ("h", None),
            ("h", Some("")),
            ("h:80", Some("80")),
            ("", Some("80")),
            ("[::1", None),
            ("[::1", Some("80")),
            ("::1:80", None),
            ("[::1]80", None),
            ("[]", Some("80")),
            ("[127.0.0.1]:80", None),
            ("1:2:3:4:5:6:7:8:80", None),
            ("fe80::1%", Some("22")),
            ("fe80::1%a/b", Some("22")),
            ("127.0.0.1%lo", Some("22")),
            ("0x7f.1", Some("80")),
            ("127.1", Some("80")),
            ("2130706433", Some("80")),
            ("010.0.0.1", Some("80")),
            ("1.2.3.4.5", Some("80")),
            ("256.1.1.1", Some("80")),
            ("0x7f000001", Some("80")),
            ("a..b", Some("80")),
            (".a", Some("80")),
            (".", Some("80")),
            ("a b", Some("80")),
            ("-a", Some("80")),
            ("a-.b", Some("80")),
            ("a\0b", Some("80")),
            ("a\nb", Some("80")),
            ("例子.测试", Some("80")),
            ("*UNKNOWN*", Some("80")),
            ("http://h/", None),
            ("http://h:80/", Some("80")),
            ("://h", Some("80")),
            ("tcp://", Some("80")),
            ("tcp://tcp://h", Some("80")),
            ("tcp://h:80/x", None),
            ("tcp://h/x", Some("80")),
        ] {
            let error = target(host, port)
                .expect_err(&format!("{host:?} {port:?}"))
                .to_string();
            assert!(!error.contains(['\n', '\0']), "{error:?}");
        }
    }

    #[test]
    fn the_length_of_names_is_limited() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(longest.len(), 253);
        assert!(longest.parse::<HostName>().is_ok());
        assert!(format!("{longest}.").parse::<HostName>().is_ok());
        assert_eq!(
            format!("{longest}c").parse::<HostName>(),
            Err(TargetError::NameTooLong(254))
        );
        assert!(matches!(
            "a".repeat(64).parse::<HostName>(),
            Err(TargetError::LabelTooLong(_))
        ));
    }

    #[test]
    fn an_ipv6_address_with_an_ambiguous_port_gets_a_hint() {
        let error = target("::1:80", None).unwrap_err().to_string();
        assert!(error.contains("[ADDRESS]:PORT"), "{error}");
    }
}
