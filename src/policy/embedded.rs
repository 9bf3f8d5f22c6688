//! IPv6 addresses that reach an IPv4 address, so that no notation of an address bypasses the
//! policy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address on the wire, and the IPv4 address that is embedded in it, if any.
///
/// An IPv4-mapped address (RFC 4291, section 2.5.5.2) becomes its IPv4 address: the kernel sends
/// IPv4 packets.
pub fn with_embedded_ipv4(address: IpAddr) -> (IpAddr, Option<IpAddr>) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (v4.into(), None),
        IpAddr::V6(v6) => (v6.into(), embedded(v6).map(IpAddr::from)),
    }
}

/// The IPv4 address to which a router or tunnel endpoint translates the IPv6 address.
#[allow(clippy::match_same_arms, reason = "each arm has its own RFC")]
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |a: u16, b: u16| Ipv4Addr::from((u32::from(a) << 16) | u32::from(b));
    match address.segments() {
        // The unspecified address and loopback look IPv4-compatible but are not.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible (RFC 4291, section 2.5.5.1), deprecated.
        [0, 0, 0, 0, 0, 0, a, b] => Some(last(a, b)),
        // The well-known prefix of NAT64 (RFC 6052, section 2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => Some(last(a, b)),
        // 6to4 (RFC 3056, section 2).
        [0x2002, a, b, ..] => Some(last(a, b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_addresses_are_found() {
        for (address, itself, inner) in [
            ("10.0.0.1", "10.0.0.1", None),
            ("::ffff:10.0.0.1", "10.0.0.1", None),
            ("::10.0.0.1", "::10.0.0.1", Some("10.0.0.1")),
            ("64:ff9b::10.0.0.1", "64:ff9b::a00:1", Some("10.0.0.1")),
            ("2002:a00:1::7", "2002:a00:1::7", Some("10.0.0.1")),
            ("::1", "::1", None),
            ("::", "::", None),
            ("::2", "::2", Some("0.0.0.2")),
            ("2001:db8::10.0.0.1", "2001:db8::a00:1", None),
            ("64:ff9b:1::10.0.0.1", "64:ff9b:1::a00:1", None),
        ] {
            let read = |word: &str| word.parse::<IpAddr>().unwrap();
            assert_eq!(
                with_embedded_ipv4(read(address)),
                (read(itself), inner.map(read)),
                "{address}"
            );
        }
    }
}
