//! One entry of a list: a network and the ports it is about.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::address::Port;

/// A network (RFC 4632, RFC 4291 section 2.3) and ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
    /// Empty where all ports are meant.
    ports: Vec<RangeInclusive<Port>>,
}

impl Network {
    /// Whether the entry is about this address and port.
    pub fn holds(&self, address: IpAddr, port: Port) -> bool {
        let inside = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                same_start(wide(base), wide(address), self.prefix)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                same_start(base.to_bits(), address.to_bits(), self.prefix)
            }
            _ => false,
        };
        inside && (self.ports.is_empty() || self.ports.iter().any(|range| range.contains(&port)))
    }
}

/// An IPv4 address as the highest bits of a number, so that both families count prefixes from the same end.
fn wide(address: Ipv4Addr) -> u128 {
    u128::from(address.to_bits()) << 96
}

fn same_start(a: u128, b: u128, prefix: u8) -> bool {
    (a ^ b) & mask(prefix) == 0
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Reads `10.0.0.0/8`, `192.0.2.7:22,8000-8010`, `2001:db8::/32`, `[2001:db8::]/32:443`.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let Parts {
            address,
            prefix,
            ports,
        } = split(text)?;
        let base: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let prefix = read_prefix(base, prefix)?;
        let ports = match ports {
            Some(list) => list.split(',').map(read_ports).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Self {
            base,
            prefix,
            ports,
        })
    }
}

/// An entry as written.
struct Parts<'t> {
    address: &'t str,
    prefix: Option<&'t str>,
    ports: Option<&'t str>,
}

/// Takes an entry apart; a bare IPv6 network has no ports, since its colons say nothing.
fn split(text: &str) -> Result<Parts<'_>, NetworkError> {
    let is_bare_ipv6 = !text.starts_with('[') && text.matches(':').count() > 1;
    let (address, rest) = match text.strip_prefix('[') {
        Some(inside) => inside.split_once(']').ok_or(NetworkError::Bracket)?,
        None if is_bare_ipv6 => text.split_at(text.find('/').unwrap_or(text.len())),
        None => text.split_at(text.find(['/', ':']).unwrap_or(text.len())),
    };
    // IPv4 needs no brackets; in them it is more likely a slip than a wish.
    let is_misplaced = text.starts_with('[') && (!address.contains(':') || address.contains('/'));
    if is_misplaced || (is_bare_ipv6 && rest.contains(':')) {
        return Err(NetworkError::Bracket);
    }
    let (prefix, ports) = match rest.split_once(':') {
        Some((prefix, ports)) => (prefix, Some(ports)),
        None => (rest, None),
    };
    match prefix.strip_prefix('/') {
        None if !prefix.is_empty() => Err(NetworkError::Address),
        prefix => Ok(Parts {
            address,
            prefix,
            ports,
        }),
    }
}

/// The prefix length, the whole address where there is none; all bits behind it are zero.
fn read_prefix(base: IpAddr, word: Option<&str>) -> Result<u8, NetworkError> {
    let (bits, longest) = match base {
        IpAddr::V4(v4) => (wide(v4), 32),
        IpAddr::V6(v6) if is_mapped(v6) => return Err(NetworkError::Mapped),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let Some(word) = word else { return Ok(longest) };
    match number(word).and_then(|number| u8::try_from(number).ok()) {
        Some(prefix) if prefix <= longest && bits & !mask(prefix) != 0 => {
            Err(NetworkError::HostBits)
        }
        Some(prefix) if prefix <= longest => Ok(prefix),
        _ => Err(NetworkError::Prefix(longest)),
    }
}

/// Whether it is written as an IPv4-mapped network, or its prefix (RFC 4291, section 2.5.5.2).
fn is_mapped(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0, 0, 0, 0, 0, 0xffff, _, _])
}

fn read_ports(text: &str) -> Result<RangeInclusive<Port>, NetworkError> {
    let port = |word: &str| number(word).and_then(Port::new).ok_or(NetworkError::Port);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        Err(NetworkError::Range)
    } else {
        Ok(first..=last)
    }
}

/// A decimal number without sign, space or leading zero.
fn number(word: &str) -> Option<u16> {
    let plain =
        word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    if plain { word.parse().ok() } else { None }
}

/// Why an entry is refused; the text says the remedy, and holds nothing of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkError {
    /// No address before the prefix and the ports.
    Address,
    /// Brackets that are missing or stand elsewhere.
    Bracket,
    /// An IPv4-mapped IPv6 network.
    Mapped,
    /// No prefix length up to this.
    Prefix(u8),
    /// Bits behind the prefix are set.
    HostBits,
    /// No port.
    Port,
    /// A range that ends before it begins.
    Range,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str(
                "not an address or network such as \"10.0.0.0/8\" or \"192.0.2.7:22,443\"",
            ),
            Self::Bracket => {
                f.write_str("an IPv6 network with ports is written \"[2001:db8::]/32:443\"")
            }
            Self::Mapped => {
                f.write_str("an IPv4-mapped network is written as the IPv4 network that it is")
            }
            Self::Prefix(longest) => {
                write!(f, "the prefix length is not a number from 0 to {longest}")
            }
            Self::HostBits => {
                f.write_str("bits behind the prefix are set: write the network's first address")
            }
            Self::Port => {
                f.write_str("a port is not a number from 1 to 65535, or a range such as 8000-8010")
            }
            Self::Range => f.write_str("a port range ends before it begins"),
        }
    }
}

impl std::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(entry: &str, address: &str, port: u16) -> bool {
        let network: Network = entry
            .parse()
            .unwrap_or_else(|error| panic!("{entry}: {error}"));
        network.holds(address.parse().unwrap(), Port::new(port).unwrap())
    }

    #[test]
    fn entries_hold_what_they_say() {
        for (entry, inside, outside) in [
            ("10.0.0.0/8", ("10.255.255.255", 1), ("11.0.0.0", 1)),
            ("0.0.0.0/0", ("255.255.255.255", 65535), ("::1", 1)),
            ("::/0", ("2001:db8::1", 65535), ("10.0.0.1", 1)),
            ("192.0.2.7", ("192.0.2.7", 9), ("192.0.2.6", 9)),
            ("192.0.2.7/32", ("192.0.2.7", 9), ("192.0.2.8", 9)),
            ("192.0.2.6/31", ("192.0.2.7", 9), ("192.0.2.8", 9)),
            ("192.0.2.7:22,443", ("192.0.2.7", 443), ("192.0.2.7", 80)),
            ("192.0.2.0/24:22", ("192.0.2.200", 22), ("192.0.2.200", 23)),
            (
                "192.0.2.7:8000-8010",
                ("192.0.2.7", 8010),
                ("192.0.2.7", 8011),
            ),
            (
                "192.0.2.7:1,8000-8010",
                ("192.0.2.7", 8000),
                ("192.0.2.7", 7999),
            ),
            ("192.0.2.7:1-65535", ("192.0.2.7", 65535), ("192.0.2.8", 1)),
            ("2001:db8::/32", ("2001:db8:ffff::", 1), ("2001:db9::", 1)),
            ("2001:db8::7", ("2001:db8::7", 1), ("2001:db8::8", 1)),
            ("[2001:db8::]/32", ("2001:db8::", 1), ("2001:db7:ffff::", 1)),
            (
                "[2001:db8::]/32:443",
                ("2001:db8::1", 443),
                ("2001:db8::1", 444),
            ),
            (
                "[2001:db8::7]:443",
                ("2001:db8::7", 443),
                ("2001:db8::7", 444),
            ),
            ("[::1]:22", ("::1", 22), ("::1", 23)),
        ] {
            assert!(holds(entry, inside.0, inside.1), "{entry} lacks {inside:?}");
            assert!(
                !holds(entry, outside.0, outside.1),
                "{entry} holds {outside:?}"
            );
        }
    }

    #[test]
    fn entries_that_are_refused() {
        use NetworkError::*;
        for (entry, expected) in [
            ("", Address),
            ("secret", Address),
            ("mx1.example.org:25", Address),
            ("10.0.0", Address),
            ("010.0.0.1", Address),
            ("0x7f.1", Address),
            (" 10.0.0.1", Address),
            (":22", Address),
            ("/8", Address),
            ("fe80::1%eth0", Address),
            ("10.0.0.0/", Prefix(32)),
            ("10.0.0.0/33", Prefix(32)),
            ("10.0.0.0/-1", Prefix(32)),
            ("10.0.0.0/+8", Prefix(32)),
            ("10.0.0.0/08", Prefix(32)),
            ("10.0.0.0/255.0.0.0", Prefix(32)),
            ("10.0.0.0/8/8", Prefix(32)),
            ("10.0.0.0/264", Prefix(32)),
            ("2001:db8::/129", Prefix(128)),
            ("10.0.0.1/8", HostBits),
            ("10.0.0.1/0", HostBits),
            ("2001:db8::1/32", HostBits),
            ("::ffff:10.0.0.0/104", Mapped),
            ("::ffff:10.0.0.1", Mapped),
            ("[::ffff:0:0]/96:22", Mapped),
            ("10.0.0.1:", Port),
            ("10.0.0.1:0", Port),
            ("10.0.0.1:65536", Port),
            ("10.0.0.1:ssh", Port),
            ("10.0.0.1:22,", Port),
            ("10.0.0.1:22, 443", Port),
            ("10.0.0.1:1-", Port),
            ("10.0.0.1:1-2-3", Port),
            ("10.0.0.1:443-22", Range),
            ("2001:db8::/32:443", Bracket),
            ("[2001:db8::/32]:443", Bracket),
            ("[2001:db8::", Bracket),
            ("[10.0.0.1]:22", Bracket),
            ("[]:22", Bracket),
            ("[2001:db8::]x", Address),
            ("[2001:db8::]]", Address),
            ("[2001:db8::]/32:", Port),
            ("[2001:db8::]:443/32", Port),
        ] {
            let error = entry.parse::<Network>().expect_err(entry);
            assert_eq!(error, expected, "{entry}");
        }
    }
}
