//! hosts(5), and the names of RFC 6761 for which no server is queried.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::fast::RandomState;

use crate::address::HostName;
use crate::plan::Family;

/// Most addresses of one name. A DNS message has at most 4094.
const MAX_ADDRESSES: usize = 4096;
/// How many names are searched for in the text before it is indexed.
const SEARCHES: u32 = 8;
/// Longest name in the index; no host name is longer.
const MAX_NAME: usize = 255;

/// The text of the hosts file. A single name is searched for in the text; after several names the
/// text gets an index, so that the cost of a name does not depend on the size of the file.
#[derive(Debug, Default)]
pub struct Hosts {
    /// Not more than 4 GiB.
    text: Vec<u8>,
    searches: u32,
    index: Option<NameIndex>,
}

/// The hash of each name, and the offset of its line, in ascending order.
#[derive(Debug)]
struct NameIndex {
    hasher: RandomState,
    entries: Vec<(u64, u32)>,
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
    /// The hosts file with this text, of which only what is searched for is parsed. Lines that do
    /// not start with an address are skipped, as are link-local addresses with a zone, because
    /// [`LocalAddresses`] has no field for the zone.
    pub fn new(text: Vec<u8>) -> Self {
        Self {
            text,
            searches: 0,
            index: None,
        }
    }

    /// The addresses of the requested family, or `None` if a server has to be queried.
    ///
    /// `localhost` and the names below it are always the loopback addresses.
    pub fn find(&mut self, name: &HostName, family: Family) -> Option<LocalAddresses> {
        let name = name.relative().to_ascii_lowercase();
        let listed = LocalAddresses::new(&self.listed(&name), family, LocalSource::HostsFile);
        if listed.has_any() {
            return Some(listed);
        }
        let is_localhost = name == "localhost" || name.ends_with(".localhost");
        is_localhost.then(|| {
            LocalAddresses::new(
                &[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                family,
                LocalSource::Rfc6761,
            )
        })
    }

    /// The addresses of a name in lower case, in the order of the file, each once.
    fn listed(&mut self, name: &str) -> Vec<IpAddr> {
        self.searches = self.searches.saturating_add(1);
        if self.index.is_none() && self.searches > SEARCHES {
            self.index = Some(NameIndex::new(&self.text));
        }
        let mut found = UniqueAddresses::default();
        let mut look_at = |line: &[u8]| {
            if names(line).any(|other| other.eq_ignore_ascii_case(name.as_bytes())) {
                found.extend(address(line));
            }
        };
        match &self.index {
            None => lines(&self.text).for_each(|(_, line)| look_at(line)),
            Some(index) => {
                let offsets = index.offsets(name.as_bytes());
                let rest = |offset| self.text.get(offset as usize..).unwrap_or_default();
                let first = |offset| lines(rest(offset)).next();
                offsets
                    .filter_map(first)
                    .for_each(|(_, line)| look_at(line));
            }
        }
        found.list
    }
}

impl NameIndex {
    fn new(text: &[u8]) -> Self {
        let hasher = RandomState::default();
        let mut entries = Vec::new();
        for (offset, line) in lines(text) {
            let Ok(offset) = u32::try_from(offset) else {
                break;
            };
            if address(line).is_some() {
                entries.extend(names(line).filter_map(|name| Some((hash(&hasher, name)?, offset))));
            }
        }
        entries.sort_unstable();
        entries.dedup();
        Self { hasher, entries }
    }

    /// The lines that may have this name, in the order of the file.
    fn offsets(&self, name: &[u8]) -> impl Iterator<Item = u32> {
        let hash = hash(&self.hasher, name).unwrap_or_default();
        let start = self.entries.partition_point(|(other, _)| *other < hash);
        let rest = self.entries.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |(other, _)| *other == hash)
            .map(|(_, offset)| *offset)
    }
}

/// The hash of a name in lower case; `None` if it is longer than any host name.
fn hash(hasher: &RandomState, name: &[u8]) -> Option<u64> {
    let mut buffer = [0; MAX_NAME];
    let lower_case = buffer.get_mut(..name.len())?;
    lower_case.copy_from_slice(name);
    lower_case.make_ascii_lowercase();
    Some(hasher.hash_one(&*lower_case))
}

/// Addresses in the order in which they were added, each once.
#[derive(Default)]
struct UniqueAddresses {
    list: Vec<IpAddr>,
    seen: HashSet<IpAddr, RandomState>,
}

impl UniqueAddresses {
    fn extend(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address.filter(|_| self.list.len() < MAX_ADDRESSES) {
            if self.seen.insert(address) {
                self.list.push(address);
            }
        }
    }
}

/// The lines of the text without comments, each with its offset.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut offset = 0;
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let start = offset;
        let end = memchr::memchr(b'\n', text);
        rest = end.and_then(|end| text.get(end + 1..));
        offset += end.unwrap_or_default() + 1;
        let line = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
        let comment = memchr::memchr(b'#', line).unwrap_or(line.len());
        Some((start, line.get(..comment).unwrap_or_default()))
    })
}

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|field| !field.is_empty())
}

/// The address of a line.
fn address(line: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(fields(line).next()?).ok()?.parse().ok()
}

/// The names of a line, without a final dot.
fn names(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let without_dot = |name| <[u8]>::strip_suffix(name, b".").unwrap_or(name);
    fields(line).skip(1).map(without_dot)
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const FILE: &str = "# comment\n127.0.0.1 localhost\n192.0.2.7\tmx1.example.org mx1 # mail\n\n192.0.2.8 MX1\n\
                        192.0.2.7 mx1\n2001:db8::7 mx1 six.\nnonsense here\n999.1.1.1 bad\nfe80::1%lo0 zoned\n192.0.2.9\n::1";

    fn find(name: &str, family: Family) -> Option<String> {
        let mut hosts = Hosts::new(FILE.into());
        let searched = find_in(&mut hosts, name, family);
        hosts.searches = SEARCHES;
        assert_eq!(find_in(&mut hosts, name, family), searched, "with an index");
        assert!(hosts.index.is_some());
        searched
    }

    fn find_in(hosts: &mut Hosts, name: &str, family: Family) -> Option<String> {
        let local = hosts.find(&name.parse().unwrap(), family)?;
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

    #[test]
    fn the_cost_of_a_name_is_bounded() {
        let repeated = "192.0.2.7 mx1\n".repeat(50_000);
        let mut distinct = String::new();
        for number in 0..50_000_u32 {
            let address = Ipv4Addr::from(0x0a00_0000 + number);
            writeln!(distinct, "{address} mx1").unwrap();
        }
        for (text, count) in [(repeated, 1), (distinct, MAX_ADDRESSES)] {
            let mut hosts = Hosts::new(text.into());
            for _ in 0..=SEARCHES {
                let found = hosts.find(&"mx1".parse().unwrap(), Family::V4).unwrap();
                assert_eq!(found.v4.len(), count);
            }
        }
    }

    #[test]
    fn unusual_files_are_searched_and_indexed_alike() {
        let long = format!("192.0.2.1 {}\n192.0.2.2 mx1", "x".repeat(100_000));
        let files: [&[u8]; 8] = [
            b"",
            b"\n",
            b"192.0.2.2 mx1",
            b"\r\n192.0.2.2\x0cmx1\r\n",
            b"\xff\xfe mx1\n192.0.2.2 \xff mx1\n",
            b"192.0.2.1 #mx1\n192.0.2.2 MX1#",
            b"mx1\n192.0.2.1\n192.0.2.2 mx1 mx1 mx1.\n192.0.2.2 mx1\n",
            long.as_bytes(),
        ];
        for (number, file) in files.into_iter().enumerate() {
            let mut hosts = Hosts::new(file.into());
            let expected = (number > 1).then(|| "192.0.2.2".to_owned());
            for _ in 0..SEARCHES * 2 {
                assert_eq!(
                    find_in(&mut hosts, "mx1", Family::Any),
                    expected,
                    "{number}"
                );
            }
            for name in ["mx", "x1", "mx1.mx1", "192.0.2.2x"] {
                assert_eq!(
                    find_in(&mut hosts, name, Family::Any),
                    None,
                    "{number} {name}"
                );
            }
        }
    }
}
