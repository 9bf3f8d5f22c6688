//! The hosts of one text: a name, an address, or all addresses of a network or a range. They are
//! not stored, because a file can contain millions.

use std::net::IpAddr;

use crate::address::cidr::{Cidr, HostsError};
use crate::address::range::{AddressRange, AddressSet};
use crate::address::{Host, Port, Target, is_url, split_port, without_scheme};
use crate::escape::escaped_prefix;

/// The host of a text.
///
/// # Errors
/// If the text is not a host. A network or a range is an error too, because otherwise it would be
/// sent to a name server as a name.
pub fn one_host(text: &str) -> Result<Host, HostsError> {
    if is_several(text) {
        return Err(HostsError::Several(escaped_prefix(text, 60)));
    }
    Ok(text.parse()?)
}

/// The target of arguments, as [`Target::from_arguments`] parses them.
///
/// # Errors
/// As [`Target::from_arguments`], and when the host is a network or a range.
pub fn one_target(
    host: &str,
    port: Option<&str>,
    default: Option<Port>,
) -> Result<Target, HostsError> {
    let (text, _) = without_scheme(host).and_then(split_port)?;
    if is_several(text) {
        return Err(HostsError::Several(escaped_prefix(text, 60)));
    }
    Ok(Target::from_arguments(host, port, default)?)
}

/// Whether a text is a network or has the form of a range.
fn is_several(text: &str) -> bool {
    AddressRange::is_range(text) || (text.contains('/') && text.parse::<Cidr>().is_ok())
}

/// One or more hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostList(HostSource);

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostSource {
    One(Host),
    Network(Cidr),
    Range(AddressRange),
}

impl HostList {
    /// The hosts of a text: a name or an address, or all hosts of a network or a range with at most
    /// `max`.
    ///
    /// # Errors
    /// When it is none of these, or has more hosts.
    pub fn parse(text: &str, max: usize) -> Result<Self, HostsError> {
        let is_range = AddressRange::is_range(text);
        if (!text.contains('/') && !is_range) || is_url(text) {
            return Ok(Self(HostSource::One(text.parse()?)));
        }
        let shown = || escaped_prefix(text, 60);
        let addresses: AddressSet = text.parse().map_err(|error| HostsError::Network {
            text: shown(),
            error,
        })?;
        let too_large = |count: String| HostsError::TooLarge {
            text: shown(),
            count,
            max,
        };
        match addresses {
            AddressSet::Network(network) if network.host_count() > max as u128 => {
                Err(too_large(network.size()))
            }
            AddressSet::Range(range) if range.count() > max as u128 => {
                Err(too_large(range.count().to_string()))
            }
            AddressSet::Network(network) => Ok(Self(HostSource::Network(network))),
            AddressSet::Range(range) => Ok(Self(HostSource::Range(range))),
        }
    }

    /// The number of hosts, at least one.
    pub fn count(&self) -> usize {
        let count = match &self.0 {
            HostSource::One(_) => 1,
            HostSource::Network(network) => network.host_count(),
            HostSource::Range(range) => range.count(),
        };
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// The first host.
    pub fn first(&self) -> Host {
        self.host(0)
    }

    /// The hosts.
    pub fn iter(&self) -> impl Iterator<Item = Host> {
        (0..self.count()).map(|index| self.host(index))
    }

    fn host(&self, index: usize) -> Host {
        let address = |address: IpAddr| Host::Address(address);
        match &self.0 {
            HostSource::One(host) => host.clone(),
            HostSource::Network(network) => address(network.host(index as u128)),
            HostSource::Range(range) => address(range.address(index as u128)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 65_536;

    #[test]
    fn hosts_of_networks_and_ranges() {
        for (text, expected) in [
            ("192.0.2.0/30", "192.0.2.1 192.0.2.2"),
            ("192.0.2.4/31", "192.0.2.4 192.0.2.5"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("2001:db8::4/127", "2001:db8::4 2001:db8::5"),
            ("[2001:db8::4]/127", "2001:db8::4 2001:db8::5"),
            ("192.0.2.0-2", "192.0.2.0 192.0.2.1 192.0.2.2"),
            ("[2001:db8::4-5]", "2001:db8::4 2001:db8::5"),
            ("mx-1.example.org", "mx-1.example.org"),
            ("[::1]", "::1"),
        ] {
            let hosts = HostList::parse(text, MAX).unwrap();
            let all: Vec<_> = hosts.iter().map(|host| host.to_string()).collect();
            assert_eq!(all.join(" "), expected, "{text}");
            assert_eq!(
                (hosts.count(), hosts.first().to_string()),
                (all.len(), all[0].clone())
            );
        }
        let large = |text: &str| HostList::parse(text, MAX).map(|hosts| hosts.count());
        assert_eq!(large("10.0.0.0/16"), Ok(65_534));
        assert_eq!(large("10.0.0-255.0-255"), Ok(65_536));
        for text in [
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/64",
            "10.0-1.0-255.0-255",
        ] {
            assert!(
                matches!(large(text), Err(HostsError::TooLarge { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn several_hosts_are_not_one() {
        for text in [
            "192.0.2.1-5",
            "192.0.2.0/24",
            "2001:db8::/64",
            "2001:db8::1-ff",
        ] {
            let error = one_host(text).unwrap_err().to_string();
            let target = one_target(text, Some("22"), None).unwrap_err().to_string();
            for error in [error, target] {
                assert!(error.contains("use `batch`"), "{text}: {error}");
            }
        }
        let with_port = one_target("192.0.2.1-5:22", None, None).unwrap_err();
        assert!(
            with_port.to_string().contains("`192.0.2.1-5`"),
            "{with_port}"
        );
        for text in ["192.0.2.7", "db-1.2.3.example", "1-2", "2001:db8::7"] {
            assert!(one_host(text).is_ok(), "{text}");
            assert!(one_target(text, Some("22"), None).is_ok(), "{text}");
        }
    }
}
