//! IPv6 addresses that reach an IPv4 address, so that no notation of an address bypasses the
//! policy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address on the wire, and the IPv4 addresses that are embedded in it.
///
/// An IPv4-mapped address (RFC 4291, section 2.5.5.2) becomes its IPv4 address: the kernel sends
/// IPv4 packets.
pub fn with_embedded_ipv4(address: IpAddr) -> (IpAddr, Vec<IpAddr>) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (v4.into(), Vec::new()),
        IpAddr::V6(v6) => (
            v6.into(),
            embedded(v6).into_iter().map(IpAddr::from).collect(),
        ),
    }
}

/// The IPv4 addresses to which a router or tunnel endpoint may translate the IPv6 address.
#[allow(clippy::match_same_arms, reason = "each arm has its own RFC")]
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let last = |a: u16, b: u16| Ipv4Addr::from((u32::from(a) << 16) | u32::from(b));
    let mut found = match address.segments() {
        // The unspecified address and loopback look IPv4-compatible but are not.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // IPv4-compatible (RFC 4291, section 2.5.5.1), deprecated.
        [0, 0, 0, 0, 0, 0, a, b] => vec![last(a, b)],
        // IPv4-translated, of SIIT (RFC 2765, section 2.1).
        [0, 0, 0, 0, 0xffff, 0, a, b] => vec![last(a, b)],
        // The well-known prefix of NAT64 (RFC 6052, section 2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => vec![last(a, b)],
        // The prefix of NAT64 for local use (RFC 8215).
        [0x64, 0xff9b, 1, ..] => local_nat64(address),
        // 6to4 (RFC 3056, section 2).
        [0x2002, a, b, ..] => vec![last(a, b)],
        // Teredo: the server, and the client with all bits inverted (RFC 4380, section 4).
        [0x2001, 0, a, b, _, _, c, d] => vec![last(a, b), last(!c, !d)],
        _ => Vec::new(),
    };
    // ISATAP: an interface identifier under any prefix (RFC 5214, section 6.1).
    if let [_, _, _, _, 0 | 0x200, 0x5efe, a, b] = address.segments() {
        found.push(last(a, b));
    }
    found
}

/// The IPv4 addresses embedded in an address of `64:ff9b:1::/48`, in each layout of RFC 6052,
/// section 2.2: which layout the network uses is not known, and a translator may ignore the other
/// bits. Results that cannot be the address of a host are dropped.
fn local_nat64(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bytes = address.octets();
    // The byte after the first 64 bits belongs to no layout but that of /96.
    let layouts = [
        [6, 7, 9, 10],
        [7, 9, 10, 11],
        [9, 10, 11, 12],
        [12, 13, 14, 15],
    ];
    let read = |layout: [usize; 4]| Ipv4Addr::from(layout.map(|at| bytes[at]));
    let mut found: Vec<_> = layouts.map(read).into();
    found.retain(|address| {
        let [first, rest @ ..] = address.octets();
        (1..=223).contains(&first) && rest != [0, 0, 0]
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_addresses_are_found() {
        for (address, itself, inner) in [
            ("10.0.0.1", "10.0.0.1", ""),
            ("::ffff:10.0.0.1", "10.0.0.1", ""),
            ("::10.0.0.1", "::10.0.0.1", "10.0.0.1"),
            ("::ffff:0:10.0.0.1", "::ffff:0:a00:1", "10.0.0.1"),
            ("64:ff9b::10.0.0.1", "64:ff9b::a00:1", "10.0.0.1"),
            ("2002:a00:1::7", "2002:a00:1::7", "10.0.0.1"),
            ("::1", "::1", ""),
            ("::", "::", ""),
            ("::2", "::2", "0.0.0.2"),
            ("2001:db8::10.0.0.1", "2001:db8::a00:1", ""),
            (
                "2001:0:c000:207:0:ffff:f5ff:fffe",
                "2001:0:c000:207:0:ffff:f5ff:fffe",
                "192.0.2.7 10.0.0.1",
            ),
            ("fe80::5efe:10.0.0.1", "fe80::5efe:a00:1", "10.0.0.1"),
            (
                "2001:db8::200:5efe:10.0.0.1",
                "2001:db8::200:5efe:a00:1",
                "10.0.0.1",
            ),
            (
                "2002:c000:207::5efe:10.0.0.1",
                "2002:c000:207::5efe:a00:1",
                "192.0.2.7 10.0.0.1",
            ),
            ("2001:db8::5eff:10.0.0.1", "2001:db8::5eff:a00:1", ""),
            // The layouts of /48, /56, /64 and /96.
            ("64:ff9b:1:a00:0:100::", "64:ff9b:1:a00:0:100::", "10.0.0.1"),
            ("64:ff9b:1:a:0:1::", "64:ff9b:1:a:0:1::", "10.0.0.1"),
            ("64:ff9b:1:0:a:0:100:0", "64:ff9b:1:0:a:0:100:0", "10.0.0.1"),
            ("64:ff9b:1::10.0.0.1", "64:ff9b:1::a00:1", "10.0.0.1"),
            // One address, and another one where a translator may read it.
            (
                "64:ff9b:1:a00:0:100:c000:207",
                "64:ff9b:1:a00:0:100:c000:207",
                "10.0.0.1 192.0.2.7",
            ),
        ] {
            let (read, found) = with_embedded_ipv4(address.parse().unwrap());
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(
                (read, found.join(" ").as_str()),
                (itself.parse().unwrap(), inner),
                "{address}"
            );
        }
    }
}
