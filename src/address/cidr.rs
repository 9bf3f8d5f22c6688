//! Networks such as `192.0.2.0/24` (RFC 4632, RFC 4291 section 2.3): one parser for targets and for
//! the policy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::address::{Host, TargetError};
use crate::escape::escaped_prefix;

/// The most hosts that a network of the configuration may have.
pub const MAX_HOSTS: u64 = 65_536;

/// A network; all bits after its prefix are zero. A single address has the longest prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether the network contains this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let difference = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => high_bits(base) ^ high_bits(address),
            (IpAddr::V6(base), IpAddr::V6(address)) => base.to_bits() ^ address.to_bits(),
            _ => return false,
        };
        difference & mask(self.prefix) == 0
    }

    /// The number of bits after the prefix.
    fn host_bits(&self) -> u32 {
        let bits = if self.base.is_ipv4() { 32 } else { 128 };
        bits - u32::from(self.prefix)
    }

    /// The hosts, or `None` if there are more than `max`. IPv4 networks larger than a /31 (RFC
    /// 3021) lose their first and last address, which are the network and its broadcast address.
    fn hosts(&self, max: u64) -> Option<Vec<Host>> {
        let size = 1_u128.checked_shl(self.host_bits()).unwrap_or(u128::MAX);
        let edges = u128::from(self.base.is_ipv4() && size > 2);
        if size - 2 * edges > u128::from(max) {
            return None;
        }
        let offsets = edges..size - edges;
        let hosts = match self.base {
            IpAddr::V4(base) => {
                let base = u128::from(base.to_bits());
                // Base and offset share no bits, so the sum fits.
                let address = |offset| u32::try_from(base + offset).unwrap_or(u32::MAX);
                offsets
                    .map(|offset| Host::Address(Ipv4Addr::from_bits(address(offset)).into()))
                    .collect()
            }
            IpAddr::V6(base) => offsets
                .map(|offset| Ipv6Addr::from_bits(base.to_bits() + offset))
                .map(|address| Host::Address(address.into()))
                .collect(),
        };
        Some(hosts)
    }
}

/// An IPv4 address as the highest bits of a number, so that both families count prefixes from the
/// same end.
fn high_bits(address: Ipv4Addr) -> u128 {
    u128::from(address.to_bits()) << 96
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Parses `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`, `[2001:db8::]/32`.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (written, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address = match written.strip_prefix('[') {
            // IPv4 needs no brackets: in them it is more likely a typing error.
            Some(inner) => inner
                .strip_suffix(']')
                .filter(|inner| inner.contains(':'))
                .ok_or(CidrError::Brackets)?,
            None => written,
        };
        if length.is_some_and(|length| length.contains(':')) {
            return Err(CidrError::Brackets);
        }
        let base: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let (bits, longest) = match base {
            IpAddr::V4(v4) => (high_bits(v4), 32),
            IpAddr::V6(v6) if is_mapped(v6) => return Err(CidrError::Mapped),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let prefix = match length {
            Some(length) => parse_prefix(length, longest).ok_or(CidrError::Prefix(longest))?,
            None => longest,
        };
        if bits & !mask(prefix) != 0 {
            return Err(CidrError::HostBits);
        }
        Ok(Self { base, prefix })
    }
}

/// A decimal number up to `longest`, without sign, blank or leading zero.
fn parse_prefix(text: &str, longest: u8) -> Option<u8> {
    let is_number =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse()
        .ok()
        .filter(|prefix| is_number && *prefix <= longest)
}

/// Whether it is an IPv4-mapped address, or the prefix of those (RFC 4291, section 2.5.5.2).
fn is_mapped(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0, 0, 0, 0, 0, 0xffff, _, _])
}

/// The hosts of a text: a name or an address, or all hosts of a network with at most `max`.
///
/// # Errors
/// When it is neither a host nor a network, or the network is too large.
pub fn hosts(text: &str, max: u64) -> Result<Vec<Host>, HostsError> {
    if !text.contains('/') {
        return Ok(vec![text.parse()?]);
    }
    let shown = || escaped_prefix(text, 60);
    let network: Cidr = text.parse().map_err(|error| HostsError::Network {
        text: shown(),
        error,
    })?;
    network.hosts(max).ok_or_else(|| HostsError::TooLarge {
        text: shown(),
        host_bits: network.host_bits(),
        max,
    })
}

/// Why a network is refused; the text names the remedy and holds nothing of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CidrError {
    /// Not an address before the prefix length.
    Address,
    /// Brackets are missing or misplaced.
    Brackets,
    /// An IPv4-mapped IPv6 network.
    Mapped,
    /// Not a prefix length up to this.
    Prefix(u8),
    /// Bits after the prefix are set.
    HostBits,
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str(
                "not an address or network such as `192.0.2.7`, `10.0.0.0/8` or `2001:db8::/32`",
            ),
            Self::Brackets => {
                f.write_str("an IPv6 network with ports is written `[2001:db8::]/32:443`")
            }
            Self::Mapped => f.write_str("an IPv4-mapped network: write it as an IPv4 network"),
            Self::Prefix(longest) => {
                write!(f, "the prefix length is not a number from 0 to {longest}")
            }
            Self::HostBits => {
                f.write_str("host bits are set: write the first address of the network")
            }
        }
    }
}

impl std::error::Error for CidrError {}

/// Why a text names no hosts; it names the text and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostsError {
    /// Not a host.
    Host(TargetError),
    /// Not a network.
    Network {
        /// The text.
        text: String,
        /// What is wrong with it.
        error: CidrError,
    },
    /// A network with more hosts than allowed.
    TooLarge {
        /// The text.
        text: String,
        /// The number of bits after its prefix.
        host_bits: u32,
        /// The most hosts that are allowed.
        max: u64,
    },
}

impl From<TargetError> for HostsError {
    fn from(error: TargetError) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for HostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(f),
            Self::Network { text, error } => write!(f, "`{text}`: {error}"),
            Self::TooLarge {
                text,
                host_bits,
                max,
            } => {
                let count = 1_u64
                    .checked_shl(*host_bits)
                    .map_or_else(|| format!("2^{host_bits}"), |count| count.to_string());
                write!(
                    f,
                    "`{text}` has {count} addresses, more than the limit of {max}: use smaller networks"
                )
            }
        }
    }
}

impl std::error::Error for HostsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_networks() {
        for (text, expected) in [
            ("192.0.2.0/30", "192.0.2.1 192.0.2.2"),
            ("192.0.2.4/31", "192.0.2.4 192.0.2.5"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("2001:db8::4/127", "2001:db8::4 2001:db8::5"),
            ("[2001:db8::4]/127", "2001:db8::4 2001:db8::5"),
            ("mx1.example.org", "mx1.example.org"),
            ("[::1]", "::1"),
        ] {
            let all: Vec<_> = hosts(text, MAX_HOSTS)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(all.join(" "), expected, "{text}");
        }
        assert_eq!(hosts("10.0.0.0/16", MAX_HOSTS).unwrap().len(), 65_534);
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/64"] {
            assert!(
                matches!(hosts(text, MAX_HOSTS), Err(HostsError::TooLarge { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn networks_contain_their_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.6/31", "192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("2001:db8::7", "2001:db8::7", "2001:db8::8"),
            ("[2001:db8::]/32", "2001:db8::", "2001:db7:ffff::"),
        ] {
            let parsed: Cidr = network.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network}");
        }
    }

    #[test]
    fn texts_that_are_not_networks() {
        use CidrError::{Address, Brackets, HostBits, Mapped, Prefix};
        for (text, expected) in [
            ("", Address),
            ("secret", Address),
            ("x/24", Address),
            ("10.0.0", Address),
            ("010.0.0.1", Address),
            ("0x7f.1", Address),
            (" 10.0.0.1", Address),
            ("/8", Address),
            ("fe80::1%eth0", Address),
            ("10.0.0.0/", Prefix(32)),
            ("10.0.0.0/33", Prefix(32)),
            ("10.0.0.0/-1", Prefix(32)),
            ("10.0.0.0/+8", Prefix(32)),
            ("10.0.0.0/08", Prefix(32)),
            ("127.0.0.0/030", Prefix(32)),
            ("10.0.0.0/255.0.0.0", Prefix(32)),
            ("10.0.0.0/8/8", Prefix(32)),
            ("10.0.0.0/264", Prefix(32)),
            ("2001:db8::/129", Prefix(128)),
            ("10.0.0.1/8", HostBits),
            ("10.0.0.1/0", HostBits),
            ("2001:db8::1/32", HostBits),
            ("::ffff:10.0.0.0/104", Mapped),
            ("::ffff:10.0.0.1", Mapped),
            ("[::ffff:0:0]/96", Mapped),
            ("2001:db8::/32:443", Brackets),
            ("[fd00::/127]", Brackets),
            ("[2001:db8::", Brackets),
            ("[10.0.0.1]", Brackets),
            ("[10.0.0.0]/8", Brackets),
            ("[]", Brackets),
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(expected), "{text}");
        }
    }
}
