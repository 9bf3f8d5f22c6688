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

/// Plans in an order that only a seed knows, so that no network is hit in a burst.
#[derive(Debug)]
pub struct Shuffled<'p> {
    plans: &'p [Arc<Plan>],
    order: std::vec::IntoIter<u32>,
}

impl<'p> Shuffled<'p> {
    /// Gives each plan once; the same seed, the same order.
    pub fn new(plans: &'p [Arc<Plan>], seed: u64) -> Self {
        let mut order: Vec<u32> = (0_u32..).take(plans.len()).collect();
        let mut state = seed;
        // Fisher and Yates' shuffle; its small bias towards low places is of no consequence here.
        for last in (1..order.len()).rev() {
            order.swap(last, (next(&mut state) % (last as u64 + 1)) as usize);
        }
        Self { plans, order: order.into_iter() }
    }
}

impl Source for Shuffled<'_> {
    fn next(&mut self) -> Option<Arc<Plan>> {
        self.plans.get(self.order.next()? as usize).cloned()
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(count: u16, seed: u64) -> Vec<u32> {
        let plan = |number: u16| {
            let target = crate::target::Target::from_words("127.0.0.1", Some("1"), None).unwrap();
            Arc::new(Plan { number: number.into(), ..Plan::connect(target) })
        };
        let plans: Vec<_> = (0..count).map(plan).collect();
        let mut source = Shuffled::new(&plans, seed);
        std::iter::from_fn(|| source.next()).map(|plan| plan.number).collect()
    }

    #[test]
    fn a_shuffled_list_has_every_plan_once() {
        for count in [0, 1, 2, 1000] {
            let mut numbers = order(count, 7);
            numbers.sort_unstable();
            assert_eq!(numbers, (0..count.into()).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(order(1000, 7), order(1000, 7));
        assert_ne!(order(1000, 7), order(1000, 8));
        let neighbours = order(1000, 7).windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
        assert!(neighbours < 20, "{neighbours} of 999 still follow one another");
    }
}
