//! Where plans come from.

use std::sync::Arc;

use crate::plan::Plan;

/// Gives the engine one plan after the other.
pub trait Source {
    /// The next plan; `None` when there is no more.
    fn next(&mut self) -> Option<Arc<Plan>>;
}

/// One plan.
#[derive(Debug)]
pub struct Once(Option<Arc<Plan>>);

impl Once {
    /// Gives this plan, once.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self(Some(plan))
    }
}

impl Source for Once {
    fn next(&mut self) -> Option<Arc<Plan>> {
        self.0.take()
    }
}

/// A list of plans, in its order.
#[derive(Debug)]
pub struct List<I>(I);

impl<I: Iterator<Item = Arc<Plan>>> List<I> {
    /// Gives what the iterator gives.
    pub fn new(plans: impl IntoIterator<IntoIter = I>) -> Self {
        Self(plans.into_iter())
    }
}

impl<I: Iterator<Item = Arc<Plan>>> Source for List<I> {
    fn next(&mut self) -> Option<Arc<Plan>> {
        self.0.next()
    }
}

/// A list in an order that a seed makes: nobody's subnet gets all the first connects, and every run is the same.
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
        // Fisher and Yates, from the end.
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
    fn next(&mut self) -> Option<Arc<Plan>> {
        let at = usize::try_from(self.order.next()?).ok()?;
        self.plans.get(at).map(Arc::clone)
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): good enough to scatter, and never to keep a secret.
struct SplitMix(u64);

impl SplitMix {
    /// A number below this one.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper half of the product: the bias is below 2^-32 for any list that fits into memory.
        ((u128::from(mixed) * end as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Host, Port, Target};

    fn order(length: u32, seed: u64) -> Vec<u32> {
        let target = Target {
            host: Host::Address([192, 0, 2, 7].into()),
            port: Port::new(80).unwrap(),
        };
        let plan = |number| {
            Arc::new(Plan {
                index: number,
                ..Plan::connect(target.clone())
            })
        };
        let plans: Vec<_> = (0..length).map(plan).collect();
        let mut source = Shuffled::new(&plans, seed);
        std::iter::from_fn(|| source.next())
            .map(|plan| plan.index)
            .collect()
    }

    #[test]
    fn each_plan_is_given_once_in_the_seeds_order() {
        let shuffled = order(1000, 0);
        assert_eq!(shuffled, order(1000, 0));
        assert_ne!(shuffled, order(1000, 1));
        let mut sorted = shuffled.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_eq!((order(0, 7), order(1, 7)), (vec![], vec![0]));
    }

    #[test]
    fn neighbours_are_torn_apart() {
        let shuffled = order(25_600, 0);
        // Of 100 networks of 256 hosts each, how many the first 100 starts touch: about 63 by chance.
        let networks: std::collections::HashSet<_> = shuffled
            .iter()
            .take(100)
            .map(|number| number / 256)
            .collect();
        assert!(networks.len() > 50, "{}", networks.len());
    }
}
