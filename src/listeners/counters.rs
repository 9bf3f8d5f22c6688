//! Counters of this network namespace (`proc_pid_net(5)`), and the range of ephemeral ports.

use std::ops::RangeInclusive;

/// Connections that no listener of the network namespace could take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListenCounters {
    /// Because an accept queue was full (`ListenOverflows`).
    pub overflows: Option<u64>,
    /// For any reason, a full queue included (`ListenDrops`).
    pub drops: Option<u64>,
}

impl ListenCounters {
    /// From the content of /proc/net/netstat: for each protocol a line of names and a line of
    /// values.
    pub fn read(netstat: &[u8]) -> Self {
        let text = String::from_utf8_lossy(netstat);
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
        let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
            return Self::default();
        };
        let words = || {
            names
                .split_ascii_whitespace()
                .zip(values.split_ascii_whitespace())
        };
        let counter = |wanted: &str| {
            let (_, value) = words().find(|(name, _)| *name == wanted)?;
            value.parse().ok()
        };
        Self {
            overflows: counter("ListenOverflows"),
            drops: counter("ListenDrops"),
        }
    }
}

/// The ports in the content of `/proc/sys/net/ipv4/ip_local_port_range`.
pub fn port_range(file: &[u8]) -> Option<RangeInclusive<u16>> {
    let mut words = std::str::from_utf8(file).ok()?.split_ascii_whitespace();
    let (first, last) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let text = b"TcpExt: SyncookiesSent ListenOverflows ListenDrops New\nTcpExt: 1 22 333 4\nIpExt: ListenDrops\nIpExt: 5\n";
        let found = ListenCounters::read(text);
        assert_eq!((found.overflows, found.drops), (Some(22), Some(333)));
    }

    #[test]
    fn what_is_missing_or_cut_off_is_absent() {
        let absent = ListenCounters::default();
        for text in [
            "",
            "TcpExt: ListenDrops ListenOverflows\n",
            "TcpExt: A ListenDrops\nTcpExt: 1\n",
            "TcpExt: ListenDrops\nTcpExt: -1\n",
            "IpExt: ListenDrops\nIpExt: 1\n",
        ] {
            assert_eq!(ListenCounters::read(text.as_bytes()), absent, "{text:?}");
        }
    }

    #[test]
    fn a_range_has_two_ports() {
        assert_eq!(port_range(b"32768\t60999\n"), Some(32_768..=60_999));
        for text in ["", "1", "a b", "1 99999"] {
            assert_eq!(port_range(text.as_bytes()), None, "{text}");
        }
    }
}
