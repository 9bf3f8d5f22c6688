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
