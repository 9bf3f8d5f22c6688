//! A name server of resolv.conf: address, zone and port.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::{fmt, io};

use crate::address::Host;
use crate::os::socket::interface_index;

/// The port of RFC 1035, section 4.2.
pub const DNS_PORT: u16 = 53;

/// A server that queries are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// The IP address.
    pub address: IpAddr,
    /// The interface of a link-local IPv6 address (RFC 4007), by name or index.
    pub zone: Option<Box<str>>,
    /// [`DNS_PORT`], except in tests.
    pub port: u16,
}

impl NameServer {
    /// Parses the argument of a `nameserver` line: an IP address with an optional zone.
    pub fn parse(text: &str, port: u16) -> Option<Self> {
        if text.starts_with('[') {
            return None;
        }
        match text.parse().ok()? {
            Host::Address(address) => Some(Self {
                address,
                zone: None,
                port,
            }),
            Host::Zoned(zoned) => Some(Self {
                address: zoned.address.into(),
                zone: Some(zoned.zone),
                port,
            }),
            Host::Name(_) => None,
        }
    }

    /// The socket address.
    ///
    /// # Errors
    /// If the zone is not an interface of this machine.
    pub fn socket_addr(&self) -> io::Result<SocketAddr> {
        match (self.address, &self.zone) {
            (IpAddr::V6(address), Some(zone)) => {
                Ok(SocketAddrV6::new(address, self.port, 0, scope_id(zone)?).into())
            }
            (address, _) => Ok(SocketAddr::new(address, self.port)),
        }
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self
            .zone
            .as_deref()
            .map(|zone| format!("%{zone}"))
            .unwrap_or_default();
        match (self.port, self.address) {
            (DNS_PORT, address) => write!(f, "{address}{zone}"),
            (port, IpAddr::V4(address)) => write!(f, "{address}:{port}"),
            (port, IpAddr::V6(address)) => write!(f, "[{address}{zone}]:{port}"),
        }
    }
}

/// The index of an interface given by index or by name.
fn scope_id(zone: &str) -> io::Result<u32> {
    if let Ok(index) = zone.parse() {
        return Ok(index);
    }
    interface_index(zone)
        .map(NonZeroU32::get)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface `{zone}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_ip_addresses_with_an_optional_zone() {
        for (text, port, printed) in [
            ("192.0.2.53", 53, "192.0.2.53"),
            ("192.0.2.53", 5353, "192.0.2.53:5353"),
            ("2001:db8::53", 53, "2001:db8::53"),
            ("fe80::1%eth0", 53, "fe80::1%eth0"),
            ("fe80::1%br-lan.7", 53, "fe80::1%br-lan.7"),
            ("fe80::1%2", 5353, "[fe80::1%2]:5353"),
        ] {
            assert_eq!(NameServer::parse(text, port).unwrap().to_string(), printed);
        }
        for text in [
            "",
            "dns.example",
            "192.0.2",
            "[::1]",
            "fe80::1%",
            "192.0.2.53:53",
        ] {
            assert_eq!(NameServer::parse(text, 53), None, "{text}");
        }
    }

    #[test]
    fn a_zone_becomes_an_interface_index() {
        let scope = |text: &str| match NameServer::parse(text, 53).unwrap().socket_addr() {
            Ok(SocketAddr::V6(address)) => Ok(address.scope_id()),
            other => Err(format!("{other:?}")),
        };
        assert_eq!(scope("fe80::1%7"), Ok(7));
        assert_eq!(scope("fe80::1%lo"), Ok(1));
        for text in ["fe80::1%no-such-if0", "fe80::1%..", "fe80::1%."] {
            assert!(scope(text).unwrap_err().contains("no interface"), "{text}");
        }
    }
}
