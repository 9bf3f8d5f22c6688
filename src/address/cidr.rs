//! Networks such as `192.0.2.0/24` (RFC 4632, RFC 4291 section 2.3): one parser for targets and for
//! the policy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::address::TargetError;

/// The most hosts that a network of the configuration may have.
pub const MAX_HOSTS: usize = 65_536;

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

    /// The number of addresses at the start of the network, and at its end, that are not hosts.
    /// IPv4 networks larger than a /31 (RFC 3021) lose their first and last address, which are the
    /// network and its broadcast address.
    fn edge(&self) -> u128 {
        u128::from(self.base.is_ipv4() && self.host_bits() > 1)
    }

    /// The number of hosts.
    pub fn host_count(&self) -> u128 {
        let size = 1_u128.checked_shl(self.host_bits()).unwrap_or(u128::MAX);
        size - 2 * self.edge()
    }

    /// The number of addresses as a text.
    pub fn size(&self) -> String {
        let bits = self.host_bits();
        1_u64
            .checked_shl(bits)
            .map_or_else(|| format!("2^{bits}"), |count| count.to_string())
    }

    /// The host with this index, below [`host_count`](Self::host_count).
    pub fn host(&self, index: u128) -> IpAddr {
        let offset = index + self.edge();
        // Base and offset share no bits, so the sum fits.
        match self.base {
            IpAddr::V4(base) => {
                let bits = u128::from(base.to_bits()) + offset;
                Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into()
            }
            IpAddr::V6(base) => Ipv6Addr::from_bits(base.to_bits().saturating_add(offset)).into(),
        }
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

/// Why a network is refused; the text contains the remedy, but no part of the network.
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
    /// Not a range.
    Range,
    /// A range whose end is below its start.
    ReversedRange,
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
            Self::Range => f.write_str(
                "not a range such as `192.0.2.1-50`, `10.0.1-3.1-20` or `2001:db8::1-ff`",
            ),
            Self::ReversedRange => {
                f.write_str("a range is reversed: write the smaller number first")
            }
            Self::HostBits => {
                f.write_str("host bits are set: write the first address of the network")
            }
        }
    }
}

impl std::error::Error for CidrError {}

/// Why a text is not a host or a list of hosts; contains the text and the remedy.
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
    /// A network or a range where one host is expected.
    Several(String),
    /// A network with more hosts than allowed.
    TooLarge {
        /// The text.
        text: String,
        /// The number of its addresses.
        count: String,
        /// The most hosts that are allowed.
        max: usize,
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
            Self::Several(text) => write!(
                f,
                "`{text}` is a network or a range: write one host, or use `batch` to probe all its addresses"
            ),
            Self::TooLarge { text, count, max } => write!(
                f,
                "`{text}` has {count} addresses, more than the limit of {max}: use smaller networks"
            ),
        }
    }
}

impl std::error::Error for HostsError {}

#[cfg(test)]
mod tests {
    use super::*;

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
