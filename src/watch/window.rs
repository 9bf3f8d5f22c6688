//! Counts of probes over the last seconds, minutes, and all.

use std::time::Duration;

/// How many probes there were, by their result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Up.
    pub up: u64,
    /// Down.
    pub down: u64,
    /// Unknown: the state of the target could not be determined.
    pub unknown: u64,
}

impl Counts {
    /// All probes, those with an unknown result included.
    pub fn all(&self) -> u64 {
        self.up + self.down + self.unknown
    }

    /// The fraction of the probes with a known result that were down, 0 to 1; `None` if there are
    /// none.
    pub fn loss(&self) -> Option<f64> {
        let known = self.up + self.down;
        (known > 0).then(|| self.down as f64 / known as f64)
    }
}

/// Counts per second over the last ten minutes. A window begins at a full second.
#[derive(Debug, Clone)]
pub struct Window {
    seconds: Vec<SecondCounts>,
}

/// The counts of one second of the run. At most 1000 probes start in a second.
#[derive(Debug, Clone, Copy, Default)]
struct SecondCounts {
    /// The second, plus 1; 0 means that the slot was not used yet.
    second: u64,
    up: u16,
    down: u16,
    unknown: u16,
}

impl Window {
    /// The longest window.
    pub const LONGEST: Duration = Duration::from_secs(600);

    /// Adds counts of one probe that started at this time of the run. Probes are added in the order
    /// of their starts.
    pub fn add(&mut self, at: Duration, counts: Counts) {
        let second = at.as_secs() + 1;
        let slot = self.slot(second);
        let Some(slot) = self.seconds.get_mut(slot) else {
            return;
        };
        if slot.second != second {
            *slot = SecondCounts {
                second,
                ..SecondCounts::default()
            };
        }
        let add = |count: &mut u16, more: u64| {
            *count = count.saturating_add(u16::try_from(more).unwrap_or(u16::MAX));
        };
        add(&mut slot.up, counts.up);
        add(&mut slot.down, counts.down);
        add(&mut slot.unknown, counts.unknown);
    }

    /// The counts of the probes that started in the last `window` before this time of the run.
    pub fn counts(&self, now: Duration, window: Duration) -> Counts {
        let last = now.as_secs() + 1;
        let first = (last + 1).saturating_sub(window.min(Self::LONGEST).as_secs().max(1));
        let mut counts = Counts::default();
        for slot in &self.seconds {
            if (first.max(1)..=last).contains(&slot.second) {
                counts.up += u64::from(slot.up);
                counts.down += u64::from(slot.down);
                counts.unknown += u64::from(slot.unknown);
            }
        }
        counts
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the remainder is below the length"
    )]
    fn slot(&self, second: u64) -> usize {
        (second % self.seconds.len().max(1) as u64) as usize
    }
}

impl Default for Window {
    #[allow(clippy::cast_possible_truncation, reason = "it is 600")]
    fn default() -> Self {
        Self {
            seconds: vec![SecondCounts::default(); Self::LONGEST.as_secs() as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Counts = Counts {
        up: 1,
        down: 0,
        unknown: 0,
    };
    const DOWN: Counts = Counts {
        up: 0,
        down: 1,
        unknown: 0,
    };

    #[test]
    fn loss_is_of_the_known_results() {
        assert_eq!(Counts::default().loss(), None);
        let counts = Counts {
            up: 3,
            down: 1,
            unknown: 96,
        };
        assert_eq!((counts.loss(), counts.all()), (Some(0.25), 100));
    }

    #[test]
    fn a_window_has_the_last_seconds_only() {
        let (mut window, at) = (Window::default(), Duration::from_secs);
        for second in 0..2000 {
            window.add(at(second), if second % 10 == 0 { DOWN } else { UP });
        }
        let minute = window.counts(at(1999), at(60));
        assert_eq!((minute.up, minute.down), (54, 6));
        let ten = window.counts(at(1999), at(600));
        assert_eq!((ten.up, ten.down), (540, 60));
        assert_eq!(window.counts(at(1999), Duration::MAX), ten);
        assert_eq!(window.counts(at(1999 + 59), at(60)).all(), 1);
        assert_eq!(window.counts(at(1999 + 60), at(60)).all(), 0);
        assert_eq!(window.counts(at(100_000), at(600)).all(), 0);
        // After a pause of exactly the length of the ring, the old counts are gone.
        window.add(at(1999 + 600), UP);
        assert_eq!(window.counts(at(1999 + 600), at(60)), UP);
    }

    #[test]
    fn the_first_second_counts() {
        let mut window = Window::default();
        window.add(Duration::ZERO, DOWN);
        assert_eq!(window.counts(Duration::ZERO, Duration::from_secs(1)), DOWN);
        assert_eq!(window.counts(Duration::ZERO, Duration::from_secs(60)), DOWN);
    }
}
