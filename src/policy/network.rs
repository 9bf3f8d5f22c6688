//! One entry of a policy list or of a service's `hosts`: a network and its ports.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::address::cidr::CidrError;
use crate::address::port_list::{PortListError, ranges};
use crate::address::range::AddressSet;
use crate::address::{Port, split_port};

/// A network and ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    addresses: AddressSet,
    /// All ports if empty.
    ports: Vec<RangeInclusive<Port>>,
}

impl Network {
    /// Whether the entry matches this address and port.
    pub fn contains(&self, address: IpAddr, port: Port) -> bool {
        self.addresses.contains(address)
            && (self.ports.is_empty() || self.ports.iter().any(|range| range.contains(&port)))
    }
}

impl Network {
    /// The same entry, which matches only this port if it was written without ports.
    #[must_use]
    pub fn or_port(mut self, port: Port) -> Self {
        if self.ports.is_empty() {
            self.ports.push(port..=port);
        }
        self
    }

    /// Whether it was written without ports.
    pub fn has_all_ports(&self) -> bool {
        self.ports.is_empty()
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Parses `10.0.0.0/8`, `192.0.2.1-50`, `192.0.2.7:22,8000-8010`, `2001:db8::/32`,
    /// `[2001:db8::]/32:443`.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (network, ports) =
            split_port(text).map_err(|_| NetworkError::Network(CidrError::Brackets))?;
        let addresses = network.parse().map_err(NetworkError::Network)?;
        let ports = match ports {
            Some(list) => parse_ports(list)?,
            None => Vec::new(),
        };
        Ok(Self { addresses, ports })
    }
}

/// The ports of a list, at least one: an empty list would mean all ports.
fn parse_ports(list: &str) -> Result<Vec<RangeInclusive<Port>>, NetworkError> {
    let mut ports = Vec::new();
    for range in ranges(list) {
        let range = range.map_err(|error| match error {
            PortListError::Reversed(_) => NetworkError::ReversedRange,
            PortListError::Separator(_) => NetworkError::Separator,
            _ => NetworkError::Port,
        })?;
        // A network has no service.
        if range.service.is_some() {
            return Err(NetworkError::Port);
        }
        ports.push(range.first..=range.last);
    }
    if ports.is_empty() {
        return Err(NetworkError::Port);
    }
    Ok(ports)
}

/// Why an entry is refused; the text contains the remedy, but no part of the entry, which may be a
/// secret that was pasted into the wrong file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkError {
    /// Not a network.
    Network(CidrError),
    /// Not a port.
    Port,
    /// A character other than `,` between two ports.
    Separator,
    /// A range whose end is below its start.
    ReversedRange,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => error.fmt(f),
            Self::Port => {
                f.write_str("a port is not a number from 1 to 65535, or a range such as 8000-8010")
            }
            Self::Separator => f.write_str("ports must be separated by `,`"),
            Self::ReversedRange => {
                f.write_str("a port range is reversed: write the smaller port first")
            }
        }
    }
}

impl std::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(entry: &str, address: &str, port: u16) -> bool {
        let network: Network = entry
            .parse()
            .unwrap_or_else(|error| panic!("{entry}: {error}"));
        network.contains(address.parse().unwrap(), Port::new(port).unwrap())
    }

    #[test]
    fn entries_match_their_ports() {
        for (entry, address, inside, outside) in [
            ("192.0.2.7:22,443", "192.0.2.7", 443, 80),
            ("192.0.2.7: 22, 443,", "192.0.2.7", 443, 80),
            ("192.0.2.0/24:22", "192.0.2.200", 22, 23),
            ("192.0.2.1-50:22", "192.0.2.50", 22, 23),
            ("[2001:db8::1-ff]:443", "2001:db8::80", 443, 444),
            ("192.0.2.7:8000-8010", "192.0.2.7", 8010, 8011),
            ("192.0.2.7:1,8000-8010", "192.0.2.7", 8000, 7999),
            ("[2001:db8::]/32:443", "2001:db8::1", 443, 444),
            ("[2001:db8::7]:443", "2001:db8::7", 443, 444),
            ("[::1]:22", "::1", 22, 23),
        ] {
            assert!(contains(entry, address, inside), "{entry}");
            assert!(!contains(entry, address, outside), "{entry}");
            assert!(!contains(entry, "203.0.113.1", inside), "{entry}");
        }
        for entry in ["10.0.0.0/8", "10.0.0.1", "10.0.0.1:1-65535"] {
            assert!(
                contains(entry, "10.0.0.1", 1) && contains(entry, "10.0.0.1", 65_535),
                "{entry}"
            );
        }
    }

    #[test]
    fn entries_that_are_refused() {
        use CidrError::{Address, Brackets};
        use NetworkError::{Port, ReversedRange, Separator};
        let not_a_network = NetworkError::Network;
        for (entry, expected) in [
            ("mx1.example.org:25", not_a_network(Address)),
            (":22", not_a_network(Address)),
            ("10.0.0.1:", Port),
            ("10.0.0.1:,", Port),
            ("10.0.0.1:0", Port),
            ("10.0.0.1:022", Port),
            ("10.0.0.1:65536", Port),
            ("10.0.0.1:ssh", Port),
            ("10.0.0.1:22/ssh", Port),
            ("10.0.0.1:1-", Port),
            ("10.0.0.1:1-2-3", Port),
            ("10.0.0.1:22 443", Separator),
            ("10.0.0.1:22;443", Separator),
            ("10.0.0.1:443-22", ReversedRange),
            ("2001:db8::/32:443", not_a_network(Brackets)),
            ("[2001:db8::/32]:443", not_a_network(Brackets)),
            ("[10.0.0.1]:22", not_a_network(Brackets)),
            ("[2001:db8::]x", not_a_network(Brackets)),
            ("[2001:db8::]]", not_a_network(Brackets)),
            ("[2001:db8::]/32:", Port),
            ("[2001:db8::]:443/32", Port),
        ] {
            let error = entry.parse::<Network>().expect_err(entry);
            assert_eq!(error, expected, "{entry}");
        }
    }
}
