//! Deadlines of sessions, the earliest first; each session has at most one.

use std::time::{Duration, Instant};

use crate::engine::index::SessionId;

/// A binary heap that knows the position of each session in it, so that a deadline that was not
/// needed can be removed at once and leaves no memory behind.
#[derive(Debug)]
pub(in crate::engine) struct Timers {
    epoch: Instant,
    heap: Vec<Timer>,
    /// The heap position of each session, by session index; [`NOWHERE`] if it has no timer.
    positions: Vec<u32>,
}

/// A session and its deadline, in nanoseconds after the epoch: half the size of an `Instant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    after: u64,
    session: SessionId,
}

const NOWHERE: u32 = u32::MAX;

impl Timers {
    /// No timers. An earlier deadline than `epoch` counts as `epoch`.
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            heap: Vec::new(),
            positions: Vec::new(),
        }
    }

    /// Sets the deadline of a session; replaces the one that it had.
    pub fn set(&mut self, session: SessionId, at: Instant) {
        let timer = Timer {
            after: self.after(at),
            session,
        };
        if let Some(position) = self.position(session) {
            self.sift(position, timer);
        } else {
            self.heap.push(timer);
            self.sift(self.heap.len() - 1, timer);
        }
    }

    /// Removes the deadline of a session, if it has one.
    pub fn clear(&mut self, session: SessionId) {
        let Some(position) = self.position(session) else {
            return;
        };
        if let Some(entry) = self.positions.get_mut(session.index()) {
            *entry = NOWHERE;
        }
        if let Some(last) = self.heap.pop() {
            if last.session != session {
                self.sift(position, last);
            }
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.heap
            .first()
            .map(|first| self.epoch + Duration::from_nanos(first.after))
    }

    /// Removes the earliest deadline if it is over, and returns its session.
    pub fn pop_due(&mut self, now: Instant) -> Option<SessionId> {
        let first = *self.heap.first()?;
        if first.after > self.after(now) {
            return None;
        }
        self.clear(first.session);
        Some(first.session)
    }

    fn after(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    fn position(&self, session: SessionId) -> Option<usize> {
        self.positions
            .get(session.index())
            .filter(|position| **position != NOWHERE)
            .map(|position| *position as usize)
    }

    /// Puts a timer at this position of the heap, then moves it towards the root or the leaves
    /// until the order is right.
    fn sift(&mut self, position: usize, timer: Timer) {
        let mut hole = position;
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

    fn parent(&self, position: usize) -> Option<(usize, Timer)> {
        let above = position.checked_sub(1)? / 2;
        Some((above, *self.heap.get(above)?))
    }

    fn least_child(&self, position: usize) -> Option<(usize, Timer)> {
        let child = |below: usize| Some((below, *self.heap.get(below)?));
        [child(2 * position + 1), child(2 * position + 2)]
            .into_iter()
            .flatten()
            .min_by_key(|(_, timer)| *timer)
    }

    // The heap has at most one timer for each session, and a `SessionId` is a `u32`.
    #[allow(clippy::cast_possible_truncation)]
    fn put(&mut self, position: usize, timer: Timer) {
        if let Some(entry) = self.heap.get_mut(position) {
            *entry = timer;
        }
        let index = timer.session.index();
        if self.positions.len() <= index {
            self.positions.resize(index + 1, NOWHERE);
        }
        if let Some(entry) = self.positions.get_mut(index) {
            *entry = position as u32;
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
    fn timers_fire_in_order_and_only_when_due() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::new(start);
        for (ms, session) in [(30, 2), (10, 0), (20, 1)] {
            timers.set(SessionId::new(session), at(ms));
        }
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(5)), None);
        assert_eq!(
            [at(20), at(20), at(20)].map(|now| timers.pop_due(now)),
            [Some(SessionId::new(0)), Some(SessionId::new(1)), None]
        );
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set(SessionId, u64),
        Clear(SessionId),
        Pop(u64),
    }

    fn steps() -> impl Strategy<Value = Step> {
        let session = || (0..20_usize).prop_map(SessionId::new);
        prop_oneof![
            3 => (session(), 0..100_u64).prop_map(|(session, ms)| Step::Set(session, ms)),
            1 => session().prop_map(Step::Clear),
            1 => (0..100_u64).prop_map(Step::Pop),
        ]
    }

    proptest! {
        #[test]
        fn each_session_fires_once_at_its_last_deadline(
            steps in proptest::collection::vec(steps(), 0..200),
        ) {
            let start = Instant::now();
            let at = |ms| start + Duration::from_millis(ms);
            let (mut timers, mut expected) = (Timers::new(start), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Set(session, ms) => {
                        timers.set(session, at(ms));
                        expected.insert(session, ms);
                    }
                    Step::Clear(session) => {
                        timers.clear(session);
                        expected.remove(&session);
                    }
                    Step::Pop(ms) => {
                        let by_time = expected.iter().map(|(session, ms)| (*ms, *session));
                        let first = by_time.min().filter(|(due, _)| *due <= ms);
                        prop_assert_eq!(timers.pop_due(at(ms)), first.map(|(_, session)| session));
                        first.map(|(_, session)| expected.remove(&session));
                    }
                }
                prop_assert_eq!(timers.next(), expected.values().min().map(|ms| at(*ms)));
            }
        }
    }
}
