//! Deadlines: the earliest first, outdated ones told apart by the caller.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Moments at which keys want to be woken. A key may be in it several times; whether a wake is outdated, its owner knows.
#[derive(Debug)]
pub struct Timers<K: Ord + Copy>(BinaryHeap<Reverse<(Instant, K)>>);

impl<K: Ord + Copy> Default for Timers<K> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<K: Ord + Copy> Timers<K> {
    /// Wakes `key` at this moment.
    pub fn set(&mut self, at: Instant, key: K) {
        self.0.push(Reverse((at, key)));
    }

    /// The earliest moment.
    pub fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// The next key whose moment has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, key))| key)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn earliest_first_and_only_when_due() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        for (ms, key) in [(30, 'c'), (10, 'a'), (20, 'b')] {
            timers.set(at(ms), key);
        }
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(5)), None);
        assert_eq!(
            (timers.pop_due(at(20)), timers.pop_due(at(20)), timers.pop_due(at(20))),
            (Some('a'), Some('b'), None)
        );
    }
}
