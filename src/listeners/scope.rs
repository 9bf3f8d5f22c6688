//! Where the clients of an address can be.

use std::net::{IpAddr, Ipv4Addr};

/// Where the clients of an address can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressScope {
    /// On this machine only: 127.0.0.0/8 and `::1`.
    Loopback,
    /// On the same link: 169.254.0.0/16 (RFC 3927) and `fe80::/10` (RFC 4291).
    Link,
    /// In private networks: RFC 1918, 100.64.0.0/10 (RFC 6598) and `fc00::/7` (RFC 4193).
    Private,
    /// Everywhere: every other address.
    Public,
    /// Wherever this machine can be reached: the wildcard address.
    Any,
}

impl AddressScope {
    /// The scope of an address; `None` is the wildcard address.
    pub fn of(address: Option<IpAddr>) -> Self {
        match address {
            None => Self::Any,
            Some(address) if address.is_loopback() => Self::Loopback,
            Some(IpAddr::V4(address)) if address.is_link_local() => Self::Link,
            Some(IpAddr::V6(address)) if address.is_unicast_link_local() => Self::Link,
            Some(IpAddr::V4(address)) if address.is_private() || is_shared(address) => {
                Self::Private
            }
            Some(IpAddr::V6(address)) if address.is_unique_local() => Self::Private,
            Some(_) => Self::Public,
        }
    }

    /// One word.
    pub fn text(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Link => "link",
            Self::Private => "private",
            Self::Public => "public",
            Self::Any => "any",
        }
    }
}

/// 100.64.0.0/10.
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_its_scope() {
        for (address, scope) in [
            ("127.0.0.1", "loopback"),
            ("127.255.0.1", "loopback"),
            ("::1", "loopback"),
            ("169.254.1.1", "link"),
            ("fe80::1", "link"),
            ("10.0.0.1", "private"),
            ("172.31.0.1", "private"),
            ("172.32.0.1", "public"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "private"),
            ("100.127.0.1", "private"),
            ("100.128.0.1", "public"),
            ("fd00::1", "private"),
            ("198.51.100.1", "public"),
            ("2001:db8::1", "public"),
        ] {
            let found = AddressScope::of(Some(address.parse().unwrap()));
            assert_eq!(found.text(), scope, "{address}");
        }
        assert_eq!(AddressScope::of(None).text(), "any");
    }
}
