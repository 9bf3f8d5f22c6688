//! How many targets of a run are traced, spread over their networks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;

use foldhash::fast::RandomState;

/// The most targets of one network.
const PER_NETWORK: usize = 4;

/// Chooses the targets of a run that are traced.
///
/// Which targets will be silent is not known when the first of them is chosen. So one network gets
/// at most [`PER_NETWORK`] traces, and once half of all are taken, only networks without any get
/// one.
#[derive(Debug)]
pub(super) struct TraceLimit {
    most: usize,
    taken: usize,
    by_network: HashMap<IpAddr, usize, RandomState>,
}

impl TraceLimit {
    /// At most this many.
    pub fn new(most: NonZeroUsize) -> Self {
        Self {
            most: most.get(),
            taken: 0,
            by_network: HashMap::default(),
        }
    }

    /// Whether a target with this address is traced; it counts then.
    pub fn take(&mut self, address: IpAddr) -> bool {
        if self.taken >= self.most {
            return false;
        }
        let of_network = self.by_network.entry(network(address)).or_default();
        let is_allowed =
            *of_network == 0 || (*of_network < PER_NETWORK && self.taken < self.most.div_ceil(2));
        if is_allowed {
            *of_network += 1;
            self.taken += 1;
        }
        is_allowed
    }
}

/// The /24 of an IPv4 address, the /48 of an IPv6 address: networks of this size are usually
/// reached by one path.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) & 0xffff_ff00).to_be_bytes()),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & (u128::MAX << 80)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(most: usize, addresses: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut limit = TraceLimit::new(NonZeroUsize::new(most).unwrap());
        let addresses = addresses.into_iter();
        addresses
            .filter(|address| limit.take(address.parse().unwrap()))
            .collect()
    }

    #[test]
    fn one_network_gets_a_few() {
        for network in ["10.0.0.", "2001:db8:1:"] {
            let (start, end) = if network.contains(':') {
                (network, "::1")
            } else {
                (network, "")
            };
            let all = (1..=200).map(|host| format!("{start}{host}{end}"));
            assert_eq!(taken(32, all).len(), PER_NETWORK, "{network}");
        }
    }

    #[test]
    fn every_network_gets_one_while_there_are_enough() {
        // 4 networks of 250 targets each, in order, and then 100 networks of one.
        let large = (0..4).flat_map(|net| (1..=250).map(move |host| format!("10.0.{net}.{host}")));
        let small = (0..100).map(|net| format!("10.1.{net}.1"));
        let taken = taken(32, large.chain(small));
        assert_eq!(taken.len(), 32);
        let of_large = taken.iter().filter(|address| address.starts_with("10.0."));
        assert_eq!(of_large.count(), 16);
    }

    #[test]
    fn no_more_than_the_limit() {
        let all = (0..200).map(|net| format!("10.0.{net}.1"));
        assert_eq!(taken(32, all).len(), 32);
        assert_eq!(taken(1, ["::1", "::2"].map(str::to_owned)).len(), 1);
    }
}
