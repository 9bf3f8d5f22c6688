//! A name server of resolv.conf: its address, its zone, its port.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::{fmt, io};

use crate::address::Host;
use crate::os::route;

/// The port of RFC 1035, section 4.2.
pub const DNS_PORT: u16 = 53;

/// Where questions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address.
    pub address: IpAddr,
    /// The interface of a link-local IPv6 address (RFC 4007), by name or index.
    pub zone: Option<Box<str>>,
    /// 53, but for tests.
    pub port: u16,
}

impl Server {
    /// The server that a `nameserver` line names, unless it is not an address.
    pub fn from_word(word: &str, port: u16) -> Option<Self> {
        if word.starts_with('[') {
            return None;
        }
        match word.parse().ok()? {
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

    /// The address for the kernel; fails where the zone names no interface of this machine.
    pub fn socket_addr(&self) -> io::Result<SocketAddr> {
        match (self.address, &self.zone) {
            (IpAddr::V6(address), Some(zone)) => {
                Ok(SocketAddrV6::new(address, self.port, 0, zone_index(zone)?).into())
            }
            (address, _) => Ok(SocketAddr::new(address, self.port)),
        }
    }
}

impl fmt::Display for Server {
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

/// The index of a zone: an interface's name, or the index itself (RFC 4007, section 11.2).
fn zone_index(zone: &str) -> io::Result<u32> {
    let index = zone.parse().ok();
    index
        .or_else(|| route::interface_index(zone).map(NonZeroU32::get))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface `{zone}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_servers() {
        for (word, port, shown) in [
            ("192.0.2.53", 53, "192.0.2.53"),
            ("192.0.2.53", 5353, "192.0.2.53:5353"),
            ("2001:db8::53", 53, "2001:db8::53"),
            ("fe80::1%eth0", 53, "fe80::1%eth0"),
            ("fe80::1%br-lan.7", 53, "fe80::1%br-lan.7"),
            ("fe80::1%2", 5353, "[fe80::1%2]:5353"),
        ] {
            assert_eq!(Server::from_word(word, port).unwrap().to_string(), shown);
        }
        for word in [
            "",
            "dns.example",
            "192.0.2",
            "[::1]",
            "fe80::1%",
            "192.0.2.53:53",
        ] {
            assert_eq!(Server::from_word(word, 53), None, "{word}");
        }
    }

    #[test]
    fn a_zone_becomes_the_interface_s_index() {
        let scope = |word: &str| match Server::from_word(word, 53).unwrap().socket_addr() {
            Ok(SocketAddr::V6(address)) => Ok(address.scope_id()),
            other => Err(format!("{other:?}")),
        };
        assert_eq!(scope("fe80::1%7"), Ok(7));
        assert_eq!(scope("fe80::1%lo"), Ok(1));
        for word in ["fe80::1%no-such-if0", "fe80::1%..", "fe80::1%."] {
            assert!(scope(word).unwrap_err().contains("no interface"), "{word}");
        }
    }
}
