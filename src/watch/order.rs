//! Puts the results of probes into the order of their starts.
//!
//! A probe starts at each interval, also while earlier ones still wait for an answer. So a later
//! probe may end first. The model gets them in the order of their starts, because only then is the
//! first failure of an outage its first one.

use std::collections::VecDeque;

use crate::watch::moment::Moment;

/// The probes of one target that have started and whose results were not taken yet.
#[derive(Debug)]
pub struct StartOrder<T> {
    started: VecDeque<StartedProbe<T>>,
}

#[derive(Debug)]
struct StartedProbe<T> {
    number: u32,
    start: Moment,
    result: Option<T>,
}

impl<T> StartOrder<T> {
    /// A probe with this number started.
    pub fn begin(&mut self, number: u32, start: Moment) {
        self.started.push_back(StartedProbe {
            number,
            start,
            result: None,
        });
    }

    /// The probe with this number ended. A number that did not start is ignored.
    pub fn finish(&mut self, number: u32, result: T) {
        let started = self.started.iter_mut().find(|probe| probe.number == number);
        if let Some(probe) = started {
            probe.result = Some(result);
        }
    }

    /// The next result in the order of the starts, with the start; `None` while the oldest probe has
    /// not ended.
    pub fn take(&mut self) -> Option<(u32, Moment, T)> {
        let oldest = self.started.front_mut()?;
        let (number, start, result) = (oldest.number, oldest.start, oldest.result.take()?);
        self.started.pop_front();
        Some((number, start, result))
    }

    /// When the oldest probe without a result started.
    pub fn waiting_since(&self) -> Option<Moment> {
        self.started.front().map(|probe| probe.start)
    }

    /// The number of probes without a result.
    pub fn waiting(&self) -> usize {
        let is_open = |probe: &&StartedProbe<T>| probe.result.is_none();
        self.started.iter().filter(is_open).count()
    }
}

impl<T> Default for StartOrder<T> {
    fn default() -> Self {
        Self {
            started: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_taken_in_the_order_of_the_starts() {
        let mut order = StartOrder::default();
        for number in [7, 9, 12] {
            order.begin(number, Moment::default());
        }
        order.finish(9, "second");
        order.finish(4, "never started");
        assert_eq!((order.take(), order.waiting()), (None, 2));
        order.finish(7, "first");
        let taken: Vec<_> = std::iter::from_fn(|| order.take())
            .map(|(number, _, result)| (number, result))
            .collect();
        assert_eq!(taken, [(7, "first"), (9, "second")]);
        order.finish(12, "third");
        assert_eq!(order.take().map(|taken| taken.2), Some("third"));
        assert_eq!((order.take(), order.waiting_since()), (None, None));
    }
}
