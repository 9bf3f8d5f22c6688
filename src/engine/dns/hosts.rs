//! hosts(5), and the names of RFC 6761 for which no server is queried.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::HostName;
use crate::plan::Family;

/// The addresses in the hosts file by name in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    entries: HashMap<Box<str>, Vec<IpAddr>>,
}

/// The addresses of a name that is known without a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddresses {
    /// IPv4 addresses in the order of the file.
    pub v4: Vec<Ipv4Addr>,
    /// IPv6 addresses in the order of the file.
    pub v6: Vec<Ipv6Addr>,
    /// Where the addresses are from.
    pub source: LocalSource,
}

/// Where an address is from that is known without a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalSource {
    /// The hosts file.
    HostsFile,
    /// The loopback address of `localhost` (RFC 6761, section 6.3).
    Rfc6761,
}

impl Hosts {
    /// Parses the text of the file. Lines that do not start with an address are skipped, as are
    /// link-local addresses with a zone, because [`LocalAddresses`] has no field for the zone.
    pub fn parse(text: &str) -> Self {
        let mut entries: HashMap<Box<str>, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let mut fields = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            let Some(address) = fields.next().and_then(|field| field.parse::<IpAddr>().ok()) else {
                continue;
            };
            for name in fields {
                let addresses = entries.entry(key(name)).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Self { entries }
    }

    /// The addresses of the requested family, or `None` if a server has to be queried.
    ///
    /// `localhost` and the names below it are always the loopback addresses.
    pub fn find(&self, name: &HostName, family: Family) -> Option<LocalAddresses> {
        let name = key(name.relative());
        let listed = self
            .entries
            .get(&name)
            .map(|all| LocalAddresses::new(all, family, LocalSource::HostsFile));
        if let Some(found) = listed.filter(LocalAddresses::has_any) {
            return Some(found);
        }
        let is_localhost = *name == *"localhost" || name.ends_with(".localhost");
        is_localhost.then(|| {
            LocalAddresses::new(
                &[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                family,
                LocalSource::Rfc6761,
            )
        })
    }
}

impl LocalAddresses {
    fn new(addresses: &[IpAddr], family: Family, source: LocalSource) -> Self {
        let mut local = Self {
            v4: Vec::new(),
            v6: Vec::new(),
            source,
        };
        for address in addresses {
            match (address, family) {
                (IpAddr::V4(address), Family::Any | Family::V4) => local.v4.push(*address),
                (IpAddr::V6(address), Family::Any | Family::V6) => local.v6.push(*address),
                _ => {}
            }
        }
        local
    }

    fn has_any(&self) -> bool {
        !self.v4.is_empty() || !self.v6.is_empty()
    }
}

/// Lower case, without a final dot.
fn key(name: &str) -> Box<str> {
    name.strip_suffix('.')
        .unwrap_or(name)
        .to_ascii_lowercase()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# comment\n127.0.0.1 localhost\n192.0.2.7\tmx1.example.org mx1 # mail\n\n192.0.2.8 MX1\n\
                        192.0.2.7 mx1\n2001:db8::7 mx1 six.\nnonsense here\n999.1.1.1 bad\nfe80::1%lo0 zoned\n192.0.2.9\n::1";

    fn find(name: &str, family: Family) -> Option<String> {
        let local = Hosts::parse(FILE).find(&name.parse().unwrap(), family)?;
        let addresses = local
            .v4
            .iter()
            .map(ToString::to_string)
            .chain(local.v6.iter().map(ToString::to_string));
        Some(addresses.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_in_the_file_are_found() {
        for (name, family, expected) in [
            ("mx1", Family::Any, Some("192.0.2.7 192.0.2.8 2001:db8::7")),
            ("Mx1.", Family::V4, Some("192.0.2.7 192.0.2.8")),
            ("mx1", Family::V6, Some("2001:db8::7")),
            ("MX1.Example.Org", Family::Any, Some("192.0.2.7")),
            ("mx1.example.org", Family::V6, None),
            ("six", Family::Any, Some("2001:db8::7")),
            ("bad", Family::Any, None),
            ("zoned", Family::Any, None),
            ("here", Family::Any, None),
            ("mail", Family::Any, None),
        ] {
            assert_eq!(find(name, family).as_deref(), expected, "{name} {family:?}");
        }
    }

    #[test]
    fn localhost_is_always_the_loopback_address() {
        for (name, family, expected) in [
            ("localhost", Family::Any, Some("127.0.0.1")),
            ("localhost", Family::V6, Some("::1")),
            ("LOCALHOST.", Family::V4, Some("127.0.0.1")),
            ("app.localhost", Family::Any, Some("127.0.0.1 ::1")),
            ("app.LocalHost.", Family::V6, Some("::1")),
            ("notlocalhost", Family::Any, None),
            ("localhost.example", Family::Any, None),
        ] {
            assert_eq!(find(name, family).as_deref(), expected, "{name} {family:?}");
        }
    }
}
