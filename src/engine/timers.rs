//! Deadlines, the earliest first; each key has at most one.

use std::time::{Duration, Instant};

/// Moments at which keys want to be woken: a binary heap that knows where in it each key is, so that a deadline which
/// was not needed leaves nothing behind.
#[derive(Debug)]
pub struct Timers {
    epoch: Instant,
    heap: Vec<Timer>,
    /// Where in the heap each key is, else [`NOWHERE`]; keys are small numbers, and there are fewer than 2^32.
    places: Vec<u32>,
}

/// A key and its moment, in nanoseconds after the epoch: half the size of an `Instant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    after: u64,
    key: usize,
}

const NOWHERE: u32 = u32::MAX;

impl Timers {
    /// Without any; no moment is before this one.
    pub fn starting(epoch: Instant) -> Self {
        Self {
            epoch,
            heap: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Wakes `key` at this moment, and not when it was to be woken before.
    pub fn set(&mut self, key: usize, at: Instant) {
        let timer = Timer {
            after: self.after(at),
            key,
        };
        if let Some(place) = self.place(key) {
            self.settle(place, timer)
        } else {
            self.heap.push(timer);
            self.settle(self.heap.len() - 1, timer);
        }
    }

    /// Does not wake `key`.
    pub fn clear(&mut self, key: usize) {
        let Some(place) = self.place(key) else { return };
        if let Some(entry) = self.places.get_mut(key) {
            *entry = NOWHERE;
        }
        if let Some(last) = self.heap.pop() {
            if last.key != key {
                self.settle(place, last);
            }
        }
    }

    /// The earliest moment.
    pub fn next(&self) -> Option<Instant> {
        self.heap
            .first()
            .map(|first| self.epoch + Duration::from_nanos(first.after))
    }

    /// The next key whose moment has come; it is not woken again.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let first = *self.heap.first()?;
        if first.after > self.after(now) {
            return None;
        }
        self.clear(first.key);
        Some(first.key)
    }

    fn after(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    fn place(&self, key: usize) -> Option<usize> {
        self.places
            .get(key)
            .filter(|place| **place != NOWHERE)
            .map(|place| *place as usize)
    }

    /// Puts a timer at this place of the heap, or where the order wants it: towards the root, else towards the leaves.
    fn settle(&mut self, place: usize, timer: Timer) {
        let mut hole = place;
        while let Some((above, parent)) = self.parent(hole).filter(|(_, parent)| timer < *parent) {
            self.put(hole, parent);
            hole = above;
        }
        while let Some((below, child)) = self.least_child(hole).filter(|(_, child)| *child < timer)
        {
            self.put(hole, child);
            hole = below;
        }
        self.put(hole, timer);
    }

    fn parent(&self, place: usize) -> Option<(usize, Timer)> {
        let above = place.checked_sub(1)? / 2;
        Some((above, *self.heap.get(above)?))
    }

    fn least_child(&self, place: usize) -> Option<(usize, Timer)> {
        let child = |below: usize| Some((below, *self.heap.get(below)?));
        [child(2 * place + 1), child(2 * place + 2)]
            .into_iter()
            .flatten()
            .min_by_key(|(_, timer)| *timer)
    }

    fn put(&mut self, place: usize, timer: Timer) {
        if let Some(entry) = self.heap.get_mut(place) {
            *entry = timer;
        }
        if self.places.len() <= timer.key {
            self.places.resize(timer.key + 1, NOWHERE);
        }
        if let Some(entry) = self.places.get_mut(timer.key) {
            *entry = place as u32;
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn earliest_first_and_only_when_due() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::starting(start);
        for (ms, key) in [(30, 2), (10, 0), (20, 1)] {
            timers.set(key, at(ms));
        }
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(5)), None);
        assert_eq!(
            (
                timers.pop_due(at(20)),
                timers.pop_due(at(20)),
                timers.pop_due(at(20))
            ),
            (Some(0), Some(1), None)
        );
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set(usize, u64),
        Clear(usize),
        Pop(u64),
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..20_usize, 0..100_u64).prop_map(|(key, ms)| Step::Set(key, ms)),
            1 => (0..20_usize).prop_map(Step::Clear),
            1 => (0..100_u64).prop_map(Step::Pop),
        ]
    }

    proptest! {
        #[test]
        fn each_key_is_woken_once_at_its_last_moment(steps in proptest::collection::vec(steps(), 0..200)) {
            let start = Instant::now();
            let at = |ms| start + Duration::from_millis(ms);
            let (mut timers, mut expected) = (Timers::starting(start), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Set(key, ms) => {
                        timers.set(key, at(ms));
                        expected.insert(key, ms);
                    }
                    Step::Clear(key) => {
                        timers.clear(key);
                        expected.remove(&key);
                    }
                    Step::Pop(ms) => {
                        let first = expected.iter().map(|(key, ms)| (*ms, *key)).min().filter(|(due, _)| *due <= ms);
                        prop_assert_eq!(timers.pop_due(at(ms)), first.map(|(_, key)| key));
                        first.map(|(_, key)| expected.remove(&key));
                    }
                }
                prop_assert_eq!(timers.next(), expected.values().min().map(|ms| at(*ms)));
            }
        }
    }
}
