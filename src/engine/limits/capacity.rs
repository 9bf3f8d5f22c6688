//! How much of a run this machine has room for.

use std::num::NonZeroUsize;
use std::{fmt, thread};

use crate::os::socket;

/// What a process needs besides its connections, name servers' sockets included; a quarter of a limit that is small.
const RESERVE: u64 = 300;

/// No default goes beyond it: each probe that waits for an answer costs the kernel some 5 KiB.
const MOST: usize = 1 << 16;

/// No default has more tables of descriptors: each is a thread.
const MOST_TABLES: usize = 32;

/// The limits that bound how many probes are under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// How many descriptors a process may have, once it has raised its limit (`RLIMIT_NOFILE`, getrlimit(2)).
    pub descriptors: u64,
    /// How many ports the kernel chooses from for connections to one target (`ip_local_port_range`, ip(7)).
    pub ports: u32,
}

impl Capacity {
    /// What this machine has; what it does not tell is taken for Linux's own default.
    pub fn of_this_machine() -> Self {
        let descriptors = socket::descriptor_limit().map_or(1024, |limit| limit.hard);
        Self {
            descriptors,
            ports: port_range().unwrap_or(28_232),
        }
    }

    /// How many probes have descriptors in one table of them.
    pub fn in_a_table(&self) -> NonZeroUsize {
        let each = self.descriptors - RESERVE.min(self.descriptors.div_ceil(4));
        NonZeroUsize::new(usize::try_from(each).unwrap_or(usize::MAX)).unwrap_or(NonZeroUsize::MIN)
    }

    /// How many tables so many probes need, which may be more than is reasonable.
    pub fn tables_for(&self, probes: usize) -> NonZeroUsize {
        let tables = probes
            .min(MOST)
            .div_ceil(self.in_a_table().get())
            .min(MOST_TABLES);
        NonZeroUsize::new(tables).unwrap_or(NonZeroUsize::MIN)
    }

    /// How many probes may be under way at once where nobody says it, with so many tables of descriptors. The kernel
    /// shares a port between targets.
    pub fn in_flight(&self, tables: NonZeroUsize) -> NonZeroUsize {
        let all = self.in_a_table().saturating_mul(tables);
        NonZeroUsize::new(MOST).map_or(all, |most| most.min(all))
    }

    /// The same where all of them may be to one target.
    pub fn to_one_target(&self, tables: NonZeroUsize) -> NonZeroUsize {
        let ports = usize::try_from(self.ports).unwrap_or(usize::MAX);
        NonZeroUsize::new(ports)
            .unwrap_or(NonZeroUsize::MIN)
            .min(self.in_flight(tables))
    }

    /// Whether each thread may have a table of its own, which containers may forbid: one thread tries.
    pub fn has_tables() -> bool {
        let trial = thread::Builder::new()
            .name("trial".into())
            .spawn(socket::unshare_descriptors);
        trial.is_ok_and(|trial| trial.join().is_ok_and(|left| left.is_ok()))
    }
}

impl fmt::Display for Capacity {
    /// Both, as in `20000 descriptors, 28232 ports to each target`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} descriptors, {} ports to each target",
            self.descriptors, self.ports
        )
    }
}

/// Makes sure that so many probes have descriptors, as far as this process may have them.
pub(in crate::engine) fn make(in_flight: NonZeroUsize) {
    let wanted = u64::try_from(in_flight.get())
        .unwrap_or(u64::MAX)
        .saturating_add(RESERVE);
    if in_flight > NonZeroUsize::MIN
        && socket::descriptor_limit().is_ok_and(|limit| limit.soft < wanted)
    {
        // Without it the engine waits for descriptors, which costs time but no target.
        let _ = socket::raise_descriptor_limit();
    }
}

/// How many ports are between the two numbers of the file, both included.
fn port_range() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(|word| word.parse::<u32>().ok());
    let (first, last) = (numbers.next()??, numbers.next()??);
    (last + 1).checked_sub(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_flight(descriptors: u64, ports: u32, tables: usize) -> [usize; 2] {
        let (room, tables) = (
            Capacity { descriptors, ports },
            NonZeroUsize::new(tables).unwrap(),
        );
        [room.in_flight(tables), room.to_one_target(tables)].map(NonZeroUsize::get)
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
            .tables_for(probes)
            .get()
        };
        assert_eq!(
            [0, 1, 19_700, 19_701, 60_000, usize::MAX].map(|probes| tables(20_000, probes)),
            [1, 1, 1, 2, 4, 4]
        );
        assert_eq!(
            (tables(1024, 60_000), tables(16, 100), tables(0, 100)),
            (MOST_TABLES, 9, MOST_TABLES)
        );
    }

    #[test]
    fn this_machine_has_some() {
        let room = Capacity::of_this_machine();
        assert!(
            room.descriptors > 3 && (1..=65_536).contains(&room.ports),
            "{room}"
        );
    }
}
