//! Where the engine gets its plans: one plan, a list, an interval, a queue.

mod interval;
mod queue;

use std::hash::BuildHasher;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
pub use interval::Interval;
pub use queue::{Queue, QueueClosed, QueueSender, queue};

use crate::plan::Plan;

/// What a [`Source`] has for the engine now.
#[derive(Debug)]
pub enum Next {
    /// The next plan.
    Plan(Arc<Plan>),
    /// No plan before this time, which is later than the time that was passed in.
    At(Instant),
    /// No plan before [`Source::wake_fd`] is readable.
    Pending,
    /// No plan any more; the run ends when its last probe does.
    Done,
}

/// Gives the engine one plan after the other. Every plan that it gives gets exactly one report.
///
/// With several threads the source is behind a lock, and each thread asks it in turn.
pub trait Source {
    /// The next plan, or when to ask again. The engine asks only while it has capacity for a plan,
    /// and at the end of the run until the answer is something else than a plan.
    fn next(&mut self, now: Instant) -> Next;

    /// A descriptor that is readable whenever [`Source::next`] would give a plan or [`Next::Done`]
    /// after it gave [`Next::Pending`]. Needed by sources that give `Pending`, and asked for once,
    /// at the start of the run.
    ///
    /// The engine only polls it. To lose no wake-up, the source makes it unreadable when it gives
    /// `Pending` and at no other time: another thread of the run may not have seen it readable yet.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Next {
    /// The next plan of a source that has all its plans from the start.
    fn from_list(plan: Option<Arc<Plan>>) -> Self {
        plan.map_or(Self::Done, Self::Plan)
    }
}

/// A single plan.
#[derive(Debug)]
pub struct Once(Option<Arc<Plan>>);

impl Once {
    /// Gives this plan, once.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self(Some(plan))
    }
}

impl Source for Once {
    fn next(&mut self, _now: Instant) -> Next {
        Next::from_list(self.0.take())
    }
}

/// A list of plans, in its order.
#[derive(Debug)]
pub struct List<I>(I);

impl<I: Iterator<Item = Arc<Plan>>> List<I> {
    /// Gives the items of the iterator.
    pub fn new(plans: impl IntoIterator<IntoIter = I>) -> Self {
        Self(plans.into_iter())
    }
}

impl<I: Iterator<Item = Arc<Plan>>> Source for List<I> {
    fn next(&mut self, _now: Instant) -> Next {
        Next::from_list(self.0.next())
    }
}

/// A list in a pseudo-random order that depends on a seed only: no single subnet gets all the first
/// connects, and a run with a known seed is repeatable.
#[derive(Debug)]
pub struct Shuffled<'p> {
    plans: &'p [Arc<Plan>],
    order: std::vec::IntoIter<u32>,
}

impl<'p> Shuffled<'p> {
    /// Gives these plans, at most 2^32, in the order of this seed.
    pub fn new(plans: &'p [Arc<Plan>], seed: u64) -> Self {
        let mut order: Vec<u32> = (0..).take(plans.len()).collect();
        let mut random = SplitMix(seed);
        // The Fisher-Yates shuffle, from the end.
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last + 1));
        }
        Self {
            plans,
            order: order.into_iter(),
        }
    }
}

impl Source for Shuffled<'_> {
    fn next(&mut self, _now: Instant) -> Next {
        let index = self.order.next().map(|index| index as usize);
        Next::from_list(
            index
                .and_then(|index| self.plans.get(index))
                .map(Arc::clone),
        )
    }
}

/// A seed that differs from run to run, so that runs that are too short do not always skip the same
/// targets.
pub fn random_seed() -> u64 {
    // From the addresses of the process and its number. A filter of system calls can forbid the
    // random bytes of the kernel, and the standard library panics then.
    RandomState::default().hash_one(std::process::id())
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): good enough to shuffle, not for secrets.
struct SplitMix(u64);

impl SplitMix {
    /// A number below `end`.
    // The result is below `end`, which is a `usize`.
    #[allow(clippy::cast_possible_truncation)]
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper half of the product: the bias is below 2^-32 for any list that fits into
        // memory.
        ((u128::from(mixed) * end as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Host, Port, Target};

    /// A plan with this index.
    pub(super) fn plan(number: u32) -> Arc<Plan> {
        let target = Target {
            host: Host::Address([192, 0, 2, 7].into()),
            port: Port::new(80).unwrap(),
        };
        Arc::new(Plan {
            index: number,
            ..Plan::connect(target)
        })
    }

    /// Asks a source until it gives no plan; the indices of its plans.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn plans(source: &mut impl Source, now: Instant) -> (Vec<u32>, Next) {
        let mut given = Vec::new();
        loop {
            match source.next(now) {
                Next::Plan(plan) => given.push(plan.index),
                other => return (given, other),
            }
        }
    }

    #[allow(clippy::disallowed_methods)]
    fn order(length: u32, seed: u64) -> Vec<u32> {
        let all: Vec<_> = (0..length).map(plan).collect();
        let (given, next) = plans(&mut Shuffled::new(&all, seed), Instant::now());
        assert!(matches!(next, Next::Done), "{next:?}");
        given
    }

    #[test]
    fn each_plan_is_given_once_in_the_order_of_the_seed() {
        let shuffled = order(1000, 0);
        assert_eq!(shuffled, order(1000, 0));
        assert_ne!(shuffled, order(1000, 1));
        let mut sorted = shuffled.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_eq!((order(0, 7), order(1, 7)), (vec![], vec![0]));
    }

    #[test]
    fn adjacent_plans_are_spread() {
        let shuffled = order(25_600, 0);
        // The number of networks that the first 100 plans are in, of 100 networks with 256 hosts
        // each: about 63 by chance.
        let networks: std::collections::HashSet<_> = shuffled
            .iter()
            .take(100)
            .map(|number| number / 256)
            .collect();
        assert!(networks.len() > 50, "{}", networks.len());
    }
}
