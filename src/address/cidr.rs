//! Port lists and networks as the targets they stand for.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use crate::address::{Host, Port, TargetError};
use crate::escape::escaped_prefix;

/// The most hosts that one network may stand for.
pub const MOST_HOSTS: u64 = 65_536;

/// The most ports that one list is read to, repeats included: more than this is no list that anybody wrote.
pub const MOST_READ: usize = 1 << 20;

/// The ports of a list such as `22,80,8000-8010`: in its order, each once.
pub fn ports(list: &str) -> Result<Vec<Port>, ExpandError> {
    let (mut ports, mut seen) = (Vec::new(), BTreeSet::new());
    let mut read = 0;
    for word in list.split(',').map(str::trim) {
        let range = range(word)?;
        read += range.len();
        if read > MOST_READ {
            return Err(ExpandError::TooManyPorts(usize::from(u16::MAX)));
        }
        ports.extend(
            range
                .filter_map(Port::new)
                .filter(|port| seen.insert(*port)),
        );
    }
    Ok(ports)
}

/// The ports of `22` or `8000-8010`.
pub fn range(word: &str) -> Result<RangeInclusive<u16>, ExpandError> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last): (Port, Port) = (first.trim().parse()?, last.trim().parse()?);
    if first > last {
        return Err(ExpandError::Reversed(escaped_prefix(word, 40)));
    }
    Ok(first.get()..=last.get())
}

/// The hosts of a word: one, or those of a network such as `192.0.2.0/28`, its own and its broadcast address left out.
pub fn hosts(word: &str) -> Result<Vec<Host>, ExpandError> {
    hosts_up_to(word, MOST_HOSTS)
}

/// The same, where a network may stand for so many hosts.
pub fn hosts_up_to(word: &str, most: u64) -> Result<Vec<Host>, ExpandError> {
    let Some((address, length)) = word.split_once('/') else {
        return Ok(vec![word.parse()?]);
    };
    let refused = || ExpandError::Network(escaped_prefix(word, 60));
    let address: IpAddr = address
        .trim_matches(['[', ']'])
        .parse()
        .map_err(|_| refused())?;
    let length = length.trim_end_matches(']');
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length: u32 = if digits {
        length.parse().map_err(|_| refused())?
    } else {
        return Err(refused());
    };
    match address {
        IpAddr::V4(v4) if length <= 32 => {
            network(u32::from(v4).into(), 32 - length, word, most, |bits| {
                Ipv4Addr::from(u32::try_from(bits).unwrap_or(u32::MAX)).into()
            })
        }
        IpAddr::V6(v6) if length <= 128 => network(v6.into(), 128 - length, word, most, |bits| {
            Ipv6Addr::from(bits).into()
        }),
        _ => Err(refused()),
    }
}

fn network(
    base: u128,
    host_bits: u32,
    word: &str,
    most: u64,
    address: impl Fn(u128) -> IpAddr,
) -> Result<Vec<Host>, ExpandError> {
    let size = 1_u128.checked_shl(host_bits).unwrap_or(u128::MAX);
    // RFC 3021: a /31 has two hosts; in larger IPv4 networks the first and the last address are not hosts.
    let v4 = address(base).is_ipv4();
    let edges = u128::from(v4 && size > 2);
    if size - 2 * edges > u128::from(most) {
        return Err(ExpandError::TooLarge {
            word: escaped_prefix(word, 60),
            bits: host_bits,
            most,
        });
    }
    if base & (size - 1) != 0 {
        return Err(ExpandError::HostBits(escaped_prefix(word, 60)));
    }
    Ok((base + edges..base + size - edges)
        .map(|bits| Host::Address(address(bits)))
        .collect())
}

/// Why a list or a network is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpandError {
    /// A host or a port in it.
    Target(TargetError),
    /// A range whose end comes first.
    Reversed(String),
    /// A comma of another script, or a semicolon.
    Comma(char),
    /// More ports than this.
    TooManyPorts(usize),
    /// A macro that nobody expanded.
    Macro(String),
    /// A slash without a service.
    NoService(String),
    /// A name in the place of a port.
    NoNumber(String),
    /// Not a network.
    Network(String),
    /// A network with more addresses than allowed.
    TooLarge {
        /// The network.
        word: String,
        /// It has two to the power of this many.
        bits: u32,
        /// The most that are allowed.
        most: u64,
    },
    /// An address inside the network instead of the network's own.
    HostBits(String),
}

impl From<TargetError> for ExpandError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::Reversed(range) => write!(
                f,
                "range `{range}` is reversed: write the smaller port first"
            ),
            Self::Comma(comma) => write!(f, "`{comma}` does not separate ports: write `,`"),
            Self::TooManyPorts(most) => write!(f, "more than {most} ports"),
            Self::Macro(word) => {
                write!(
                    f,
                    "`{word}`: this macro has no value in Zabbix; define it on the host or template"
                )
            }
            Self::NoService(word) => write!(
                f,
                "`{word}` names no service after the slash: write `22/ssh`, or `22`"
            ),
            Self::NoNumber(word) => write!(
                f,
                "`{word}` is no port: write its number first, as in `22/ssh`"
            ),
            Self::Network(word) => write!(
                f,
                "`{word}` is not a network: write `192.0.2.0/24` or `2001:db8::/120`"
            ),
            Self::TooLarge { word, bits, most } => {
                let count = 1_u64
                    .checked_shl(*bits)
                    .map_or_else(|| format!("2^{bits}"), |count| count.to_string());
                write!(
                    f,
                    "`{word}` stands for {count} addresses, more than {most}: write smaller networks"
                )
            }
            Self::HostBits(word) => {
                write!(
                    f,
                    "`{word}` is an address inside a network: write the network's first address"
                )
            }
        }
    }
}

impl std::error::Error for ExpandError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: &str) -> String {
        ports(list)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn port_lists() {
        assert_eq!(listed("22,80,8000-8002"), "22 80 8000 8001 8002");
        assert_eq!(listed(" 80 , 22, 80-81"), "80 22 81");
        assert_eq!(ports("1-65535").unwrap().len(), 65535);
        for bad in [
            "", ",", "0", "80-22", "22-", "-22", "80-70000", "http", "22，80",
        ] {
            assert!(ports(bad).is_err(), "{bad}");
        }
        assert!(
            ports(&["1-65535"; 100_000].join(",")).is_err(),
            "endless repeats end"
        );
    }

    #[test]
    fn networks() {
        let all = |word: &str| {
            hosts(word)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(all("192.0.2.0/30"), "192.0.2.1 192.0.2.2");
        assert_eq!(all("192.0.2.4/31"), "192.0.2.4 192.0.2.5");
        assert_eq!(all("192.0.2.7/32"), "192.0.2.7");
        assert_eq!(all("2001:db8::4/127"), "2001:db8::4 2001:db8::5");
        assert_eq!(all("mx1.example.org"), "mx1.example.org");
        for bad in [
            "10.0.0.0/8",
            "::/0",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+4",
            "x/24",
        ] {
            assert!(hosts(bad).is_err(), "{bad}");
        }
    }
}
