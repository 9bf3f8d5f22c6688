//! gai.conf(5): which address family is preferred.
//!
//! Only `precedence` lines count; the usual one is `precedence ::ffff:0:0/96 100`, which prefers
//! IPv4. As in glibc, the lines replace the default table (RFC 6724, section 2.1), and a table
//! without an entry for `::/0` gets one with precedence 40. Invalid lines are skipped.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The precedence of `::/0` where the file has none (`sysdeps/posix/getaddrinfo.c`).
const DEFAULT_PRECEDENCE: u32 = 40;
/// The largest accepted precedence (`INT_MAX`, as in glibc).
const MAX_PRECEDENCE: u32 = i32::MAX as u32;
/// Further lines are ignored. The file of a distribution has at most ten.
const MAX_ENTRIES: usize = 1024;

/// The `precedence` lines of gai.conf (`gai.conf(5)`). Empty if the file has no valid line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GaiConf {
    entries: Vec<PrecedenceEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PrecedenceEntry {
    prefix: u128,
    bits: u32,
    precedence: u32,
}

impl GaiConf {
    /// Parses the text of the file.
    pub fn parse(text: &str) -> Self {
        let entries = text.lines().filter_map(PrecedenceEntry::parse);
        Self {
            entries: entries.take(MAX_ENTRIES).collect(),
        }
    }

    /// Whether the IPv4 address has a higher precedence than the IPv6 address. False without
    /// entries: then the default applies, IPv6 first.
    pub fn prefers_ipv4(&self, v4: Ipv4Addr, v6: Ipv6Addr) -> bool {
        !self.entries.is_empty() && self.precedence(v4.to_ipv6_mapped()) > self.precedence(v6)
    }

    /// The precedence of the longest matching prefix.
    fn precedence(&self, address: Ipv6Addr) -> u32 {
        let matching = self.entries.iter().filter(|entry| entry.matches(address));
        // Of equal prefixes the first one counts.
        let longest = matching.rev().max_by_key(|entry| entry.bits);
        longest.map_or(DEFAULT_PRECEDENCE, |entry| entry.precedence)
    }
}

impl PrecedenceEntry {
    /// Parses `precedence PREFIX[/BITS] NUMBER`.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('#').next()?.split_ascii_whitespace();
        if fields.next()? != "precedence" {
            return None;
        }
        let (prefix, precedence) = (fields.next()?, fields.next()?);
        let (address, bits) = match prefix.split_once('/') {
            Some((address, bits)) => (address, bits.parse().ok()?),
            None => (prefix, 128),
        };
        let address: Ipv6Addr = address.parse().ok()?;
        let precedence = precedence.parse().ok()?;
        (bits <= 128 && precedence <= MAX_PRECEDENCE).then_some(Self {
            prefix: address.to_bits(),
            bits,
            precedence,
        })
    }

    fn matches(&self, address: Ipv6Addr) -> bool {
        let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
        (self.prefix ^ address.to_bits()) & mask == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefers_ipv4(text: &str) -> bool {
        let v6 = "2001:db8::7".parse().unwrap();
        GaiConf::parse(text).prefers_ipv4(Ipv4Addr::new(192, 0, 2, 7), v6)
    }

    #[test]
    fn the_precedence_of_ipv4_decides() {
        for (text, expected) in [
            ("", false),
            ("precedence ::ffff:0:0/96 100", true),
            ("\tprecedence\t::ffff:0:0/96\t100 # IPv4\r\n", true),
            ("#precedence ::ffff:0:0/96  100", false),
            // Below that of ::/0, which is 40.
            ("precedence ::ffff:0:0/96 10", false),
            ("precedence ::ffff:0:0/96 40", false),
            ("precedence ::ffff:0:0/96 41", true),
            ("precedence ::ffff:0:0/96 100\nprecedence ::/0 200", false),
            // The longest prefix counts, in any order.
            (
                "precedence ::/0 1\nprecedence ::ffff:0:0/96 100\nprecedence 2001:db8::/32 300",
                false,
            ),
            (
                "precedence ::ffff:192.0.2.0/120 100\nprecedence ::ffff:0:0/96 1",
                true,
            ),
            ("precedence ::ffff:192.0.2.7 100", true),
            ("precedence ::ffff:192.0.2.8 100", false),
            // A default table written out, with IPv4 below.
            (
                "precedence ::1/128 50\nprecedence ::/0 40\nprecedence 2002::/16 30\n\
                 precedence ::/96 20\nprecedence ::ffff:0:0/96 10",
                false,
            ),
            (
                "label ::ffff:0:0/96 100\nscopev4 ::ffff:0:0/96 2\nreload yes",
                false,
            ),
        ] {
            assert_eq!(prefers_ipv4(text), expected, "{text}");
        }
    }

    #[test]
    fn invalid_lines_are_skipped() {
        for line in [
            "precedence",
            "precedence ::ffff:0:0/96",
            "precedence ::ffff:0:0/129 100",
            "precedence ::ffff:0:0/-1 100",
            "precedence ::ffff:0:0/ 100",
            "precedence ::ffff:0:0/96 -1",
            "precedence ::ffff:0:0/96 4294967296",
            "precedence ::ffff:0:0/96 2147483648",
            "precedence 0.0.0.0/0 100",
            "precedence /96 100",
            "precedences ::ffff:0:0/96 100",
            "\u{feff}precedence ::ffff:0:0/96 100",
            "precedence ::ffff:0:0/96\0 100",
        ] {
            assert_eq!(GaiConf::parse(line), GaiConf::default(), "{line}");
            assert!(prefers_ipv4(&format!(
                "{line}\nprecedence ::ffff:0:0/96 100"
            )));
        }
        let many = "precedence ::/0 1\n".repeat(100_000);
        assert_eq!(GaiConf::parse(&many).entries.len(), MAX_ENTRIES);
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "((precedence|[a-z]{0,9})[ \t]*[0-9a-f:./]{0,20}[ /]*[0-9-]{0,12}\n?){0,9}") {
            prefers_ipv4(&text);
        }
    }
}
