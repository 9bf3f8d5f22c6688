//! Ranges of addresses as in Zabbix's network discovery: `192.0.2.1-50`, `10.0.1-3.1-20`,
//! `2001:db8::1-ff`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::address::cidr::{Cidr, CidrError};

/// Addresses of which each part, an octet or a group, is in a range of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRange(Parts);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Parts {
    V4([RangeInclusive<u8>; 4]),
    V6([RangeInclusive<u16>; 8]),
}

impl AddressRange {
    /// Whether a text has the form of a range. A host name can have hyphens too, but its last label
    /// is not a number.
    pub fn is_range(text: &str) -> bool {
        let is_v4 = || {
            let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
            text.bytes().all(allowed) && text.matches('.').count() == 3
        };
        text.contains('-') && (text.contains(':') && !text.contains('%') || is_v4())
    }

    /// Whether the range contains this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (&self.0, address) {
            (Parts::V4(parts), IpAddr::V4(address)) => {
                let mut pairs = parts.iter().zip(address.octets());
                pairs.all(|(range, part)| range.contains(&part))
            }
            (Parts::V6(parts), IpAddr::V6(address)) => {
                let mut pairs = parts.iter().zip(address.segments());
                pairs.all(|(range, part)| range.contains(&part))
            }
            _ => false,
        }
    }

    /// The number of addresses.
    pub fn count(&self) -> u128 {
        let product = |count: u128, part: usize| count.saturating_mul(part as u128);
        match &self.0 {
            Parts::V4(parts) => parts.iter().map(ExactSizeIterator::len).fold(1, product),
            Parts::V6(parts) => parts.iter().map(ExactSizeIterator::len).fold(1, product),
        }
    }

    /// The address with this index, below [`count`](Self::count); the last part changes first.
    pub fn address(&self, index: u128) -> IpAddr {
        match &self.0 {
            Parts::V4(parts) => Ipv4Addr::from(parts_at(parts, index)).into(),
            Parts::V6(parts) => Ipv6Addr::from(parts_at(parts, index)).into(),
        }
    }
}

/// The parts of the address with this index.
fn parts_at<T, const N: usize>(ranges: &[RangeInclusive<T>; N], mut index: u128) -> [T; N]
where
    T: Copy + Default,
    RangeInclusive<T>: ExactSizeIterator<Item = T>,
{
    let mut parts = [T::default(); N];
    for (part, range) in parts.iter_mut().zip(ranges).rev() {
        let count = range.len() as u128;
        let at = usize::try_from(index % count).unwrap_or(0);
        *part = range.clone().nth(at).unwrap_or(*range.start());
        index /= count;
    }
    parts
}

impl FromStr for AddressRange {
    type Err = CidrError;

    /// Parses `192.0.2.1-50`, `10.0.1-3.1-20`, `2001:db8::1-ff`, `[2001:db8::1-ff]`.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let text = match text.strip_prefix('[') {
            Some(inner) => inner
                .strip_suffix(']')
                .filter(|inner| inner.contains(':'))
                .ok_or(CidrError::Brackets)?,
            None => text,
        };
        let separator = if text.contains(':') { ':' } else { '.' };
        if separator == ':' && text.contains('.') {
            return Err(CidrError::Range);
        }
        // The address that consists of the first number of each part, and that of the last numbers.
        let ends = |end: fn((&str, &str)) -> String| {
            let parts: Vec<_> = text
                .split(separator)
                .map(|part| part.split_once('-').map_or_else(|| part.to_owned(), end))
                .collect();
            parts.join(separator.encode_utf8(&mut [0; 4]))
        };
        let first = ends(|(first, _)| first.to_owned());
        let last = ends(|(_, last)| last.to_owned());
        let parsed = |text: &str| text.parse::<IpAddr>().map_err(|_| CidrError::Range);
        match (parsed(&first)?, parsed(&last)?) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Ok(Self(Parts::V4(ranges(first.octets(), last.octets())?)))
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                if first.to_ipv4_mapped().is_some() || last.to_ipv4_mapped().is_some() {
                    return Err(CidrError::Mapped);
                }
                Ok(Self(Parts::V6(ranges(first.segments(), last.segments())?)))
            }
            _ => Err(CidrError::Range),
        }
    }
}

fn ranges<T: Ord + Copy, const N: usize>(
    first: [T; N],
    last: [T; N],
) -> Result<[RangeInclusive<T>; N], CidrError> {
    if first.iter().zip(&last).any(|(first, last)| first > last) {
        return Err(CidrError::ReversedRange);
    }
    Ok(std::array::from_fn(|at| first[at]..=last[at]))
}

/// Several addresses, as they can be written wherever a network is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressSet {
    /// A network, or a single address.
    Network(Cidr),
    /// A range.
    Range(AddressRange),
}

impl AddressSet {
    /// Whether this address belongs to it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(address),
            Self::Range(range) => range.contains(address),
        }
    }
}

impl FromStr for AddressSet {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        if AddressRange::is_range(text) {
            text.parse().map(Self::Range)
        } else {
            text.parse().map(Self::Network)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_may_be_a_range() {
        for (text, expected) in [
            ("192.0.2.1-3", "192.0.2.1 192.0.2.2 192.0.2.3"),
            ("192.0.2.0-0", "192.0.2.0"),
            ("192.0.2.254-255", "192.0.2.254 192.0.2.255"),
            ("10.0.1-2.8-9", "10.0.1.8 10.0.1.9 10.0.2.8 10.0.2.9"),
            ("2001:db8::9-a", "2001:db8::9 2001:db8::a"),
            ("[2001:db8::fffe-ffff]", "2001:db8::fffe 2001:db8::ffff"),
            ("2001:db8:1-2::7", "2001:db8:1::7 2001:db8:2::7"),
        ] {
            assert!(AddressRange::is_range(text), "{text}");
            let range: AddressRange = text.parse().unwrap();
            let all: Vec<_> = (0..range.count())
                .map(|at| range.address(at).to_string())
                .collect();
            assert_eq!(all.join(" "), expected, "{text}");
            assert!(all.iter().all(|one| range.contains(one.parse().unwrap())));
            assert!(!range.contains("192.0.2.77".parse().unwrap()), "{text}");
            assert!(!range.contains("2001:db8::77".parse().unwrap()), "{text}");
        }
        let all: AddressRange = "0-ffff:0-ffff:0-ffff:0-ffff:0-ffff:0-ffff:0-ffff:0-ffff"
            .parse()
            .unwrap();
        assert_eq!(all.count(), u128::MAX);
    }

    #[test]
    fn names_with_hyphens_are_no_ranges() {
        for text in [
            "a-b.example",
            "1-2",
            "192.0.2.7",
            "db-1.2.3.example",
            "fe80::1%a-b",
        ] {
            assert!(!AddressRange::is_range(text), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_ranges() {
        use CidrError::{Brackets, Mapped, Range, ReversedRange};
        for (text, expected) in [
            ("192.0.2.50-1", ReversedRange),
            ("192.0.2.1-256", Range),
            ("192.0.2.1-", Range),
            ("192.0.2.-5", Range),
            ("192.0.2.1-2-3", Range),
            ("192.0.2.01-5", Range),
            ("192.0.2.1-5/24", Range),
            ("192.0.2.1-192.0.2.5", Range),
            ("[192.0.2.1-5]", Brackets),
            ("2001:db8::1-10000", Range),
            ("2001:db8::2-1", ReversedRange),
            ("64:ff9b::10.0.0.1-5", Range),
            ("::ffff:a00:1-5", Mapped),
        ] {
            assert_eq!(text.parse::<AddressRange>(), Err(expected), "{text}");
        }
    }
}
