//! How many probes this machine can have in flight.

use std::num::NonZeroUsize;
use std::{fmt, thread};

use crate::os::socket;

/// Descriptors reserved for everything but connections, name server sockets included; at most a
/// quarter of the limit.
const RESERVE: u64 = 300;

/// Upper bound of the default: each probe that waits for an answer costs the kernel about 5 KiB.
const MAX_IN_FLIGHT: usize = 1 << 16;

/// Upper bound of the default: each descriptor table is a thread.
const MAX_FD_TABLES: usize = 32;

/// The limits of this machine that bound how many probes are in flight at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Most descriptors of one table, once the limit is raised (`RLIMIT_NOFILE`, getrlimit(2)).
    pub descriptors: u64,
    /// Ports that the kernel chooses from for connections to one target (`ip_local_port_range`,
    /// ip(7)).
    pub ports: u32,
}

impl Capacity {
    /// The capacity of this machine; a limit that cannot be read is taken to be Linux's default.
    pub fn of_this_machine() -> Self {
        let descriptors = socket::descriptor_limit().map_or(1024, |limit| limit.hard);
        Self {
            descriptors,
            ports: port_range().unwrap_or(28_232),
        }
    }

    /// How many probes one descriptor table has room for.
    pub fn per_fd_table(&self) -> NonZeroUsize {
        let each = self.descriptors - RESERVE.min(self.descriptors.div_ceil(4));
        NonZeroUsize::new(usize::try_from(each).unwrap_or(usize::MAX)).unwrap_or(NonZeroUsize::MIN)
    }

    /// How many descriptor tables this many probes need, within the bounds of the default.
    pub fn fd_tables_for(&self, probes: usize) -> NonZeroUsize {
        let tables = probes
            .min(MAX_IN_FLIGHT)
            .div_ceil(self.per_fd_table().get())
            .min(MAX_FD_TABLES);
        NonZeroUsize::new(tables).unwrap_or(NonZeroUsize::MIN)
    }

    /// The default limit of probes in flight with this many descriptor tables. Ports do not bound
    /// it: the kernel uses one port for several targets at once.
    pub fn in_flight(&self, tables: NonZeroUsize) -> NonZeroUsize {
        let all = self.per_fd_table().saturating_mul(tables);
        NonZeroUsize::new(MAX_IN_FLIGHT).map_or(all, |most| most.min(all))
    }

    /// Like [`Capacity::in_flight`], where all probes may be of one target.
    pub fn to_one_target(&self, tables: NonZeroUsize) -> NonZeroUsize {
        let ports = usize::try_from(self.ports).unwrap_or(usize::MAX);
        NonZeroUsize::new(ports)
            .unwrap_or(NonZeroUsize::MIN)
            .min(self.in_flight(tables))
    }

    /// Whether a thread may have its own descriptor table, which containers may forbid. Tries it in
    /// a thread.
    pub fn can_unshare_fds() -> bool {
        let trial = thread::Builder::new()
            .name("trial".into())
            .spawn(socket::unshare_descriptors);
        trial.is_ok_and(|trial| trial.join().is_ok_and(|unshared| unshared.is_ok()))
    }
}

impl fmt::Display for Capacity {
    /// For example `20000 descriptors, 28232 ports to each target`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} descriptors, {} ports to each target",
            self.descriptors, self.ports
        )
    }
}

/// Raises the descriptor limit of the process, as far as it may, if this many probes need it.
pub(in crate::engine) fn raise_fd_limit(in_flight: NonZeroUsize) {
    let wanted = u64::try_from(in_flight.get())
        .unwrap_or(u64::MAX)
        .saturating_add(RESERVE);
    if in_flight > NonZeroUsize::MIN
        && socket::descriptor_limit().is_ok_and(|limit| limit.soft < wanted)
    {
        // If it fails, probes wait for descriptors of others, which costs time but no target.
        let _ = socket::raise_descriptor_limit();
    }
}

/// Number of ports between the two in the file, both included.
fn port_range() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ports = text.split_whitespace().map(|word| word.parse::<u32>().ok());
    let (first, last) = (ports.next()??, ports.next()??);
    (last + 1).checked_sub(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_flight(descriptors: u64, ports: u32, tables: usize) -> [usize; 2] {
        let (capacity, tables) = (
            Capacity { descriptors, ports },
            NonZeroUsize::new(tables).unwrap(),
        );
        [capacity.in_flight(tables), capacity.to_one_target(tables)].map(NonZeroUsize::get)
    }

    #[test]
    fn descriptors_and_ports_bound_the_probes() {
        assert_eq!(in_flight(1024, 28_232, 1), [768; 2]);
        assert_eq!(in_flight(20_000, 28_232, 1), [19_700; 2]);
        assert_eq!(in_flight(20_000, 28_232, 2), [39_400, 28_232]);
        assert_eq!(in_flight(16, 28_232, 1), [12; 2]);
        assert_eq!(
            (in_flight(0, 28_232, 1), in_flight(1, 1, 1)),
            ([1; 2], [1; 2])
        );
        assert_eq!(in_flight(u64::MAX, 28_232, 8), [65_536, 28_232]);
    }

    #[test]
    fn as_many_tables_as_the_probes_need() {
        let tables = |descriptors, probes| {
            Capacity {
                descriptors,
                ports: 28_232,
            }
            .fd_tables_for(probes)
            .get()
        };
        assert_eq!(
            [0, 1, 19_700, 19_701, 60_000, usize::MAX].map(|probes| tables(20_000, probes)),
            [1, 1, 1, 2, 4, 4]
        );
        assert_eq!(
            (tables(1024, 60_000), tables(16, 100), tables(0, 100)),
            (MAX_FD_TABLES, 9, MAX_FD_TABLES)
        );
    }

    #[test]
    fn this_machine_has_capacity() {
        let capacity = Capacity::of_this_machine();
        assert!(
            capacity.descriptors > 3 && (1..=65_536).contains(&capacity.ports),
            "{capacity}"
        );
    }
}
