//! How much of a run this machine has room for.

use std::fmt;
use std::num::NonZeroUsize;

use super::sys;

/// What a process needs besides its connections, name servers' sockets included; a quarter of a limit that is small.
const RESERVE: u64 = 300;

/// No default goes beyond it: each probe that waits for an answer costs the kernel some 5 KiB.
const MOST: usize = 1 << 16;

/// The limits that bound how many probes are under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many descriptors a process may have, once it has raised its limit (`RLIMIT_NOFILE`, getrlimit(2)).
    pub descriptors: u64,
    /// How many ports the kernel chooses from for connections to one target (`ip_local_port_range`, ip(7)).
    pub ports: u32,
}

impl Room {
    /// What this machine has; what it does not tell is taken for Linux's own default.
    pub fn of_this_machine() -> Self {
        let descriptors = sys::descriptor_limit().map_or(1024, |limit| limit.most);
        Self { descriptors, ports: port_range().unwrap_or(28_232) }
    }

    /// How many probes may be under way at once where nobody says it, each thread with descriptors of its own. The
    /// kernel shares a port between targets.
    pub fn in_flight(&self, threads: NonZeroUsize) -> NonZeroUsize {
        let each = self.descriptors - RESERVE.min(self.descriptors.div_ceil(4));
        let all = usize::try_from(each).unwrap_or(usize::MAX).saturating_mul(threads.get());
        NonZeroUsize::new(all.min(MOST)).unwrap_or(NonZeroUsize::MIN)
    }

    /// The same where all of them may be to one target.
    pub fn to_one_target(&self, threads: NonZeroUsize) -> NonZeroUsize {
        let ports = usize::try_from(self.ports).unwrap_or(usize::MAX);
        NonZeroUsize::new(ports).unwrap_or(NonZeroUsize::MIN).min(self.in_flight(threads))
    }
}

impl fmt::Display for Room {
    /// Both, as in `20000 descriptors, 28232 ports to each target`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} descriptors, {} ports to each target", self.descriptors, self.ports)
    }
}

/// Makes sure that so many probes have descriptors, as far as this process may have them.
pub(super) fn make(in_flight: NonZeroUsize) {
    let wanted = u64::try_from(in_flight.get()).unwrap_or(u64::MAX).saturating_add(RESERVE);
    if in_flight > NonZeroUsize::MIN && sys::descriptor_limit().is_ok_and(|limit| limit.now < wanted) {
        // Without it the engine waits for descriptors, which costs time but no target.
        let _ = sys::raise_descriptor_limit();
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

    fn in_flight(descriptors: u64, ports: u32, threads: usize) -> [usize; 2] {
        let (room, threads) = (Room { descriptors, ports }, NonZeroUsize::new(threads).unwrap());
        [room.in_flight(threads), room.to_one_target(threads)].map(NonZeroUsize::get)
    }

    #[test]
    fn descriptors_and_ports_bound_the_probes() {
        assert_eq!(in_flight(1024, 28_232, 1), [768; 2]);
        assert_eq!(in_flight(20_000, 28_232, 1), [19_700; 2]);
        assert_eq!(in_flight(20_000, 28_232, 2), [39_400, 28_232]);
        assert_eq!(in_flight(16, 28_232, 1), [12; 2]);
        assert_eq!((in_flight(0, 28_232, 1), in_flight(1, 1, 1)), ([1; 2], [1; 2]));
        assert_eq!(in_flight(u64::MAX, 28_232, 8), [65_536, 28_232]);
    }

    #[test]
    fn this_machine_has_some() {
        let room = Room::of_this_machine();
        assert!(room.descriptors > 3 && (1..=65_536).contains(&room.ports), "{room}");
    }
}
