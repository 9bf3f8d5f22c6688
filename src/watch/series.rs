//! The last probes of a target, for a plot.

use std::collections::VecDeque;
use std::time::Duration;

use crate::failure::Status;

/// One probe in a plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// What it was.
    pub mark: Mark,
    /// The connect time in microseconds, if it connected.
    micros: Option<u32>,
}

/// What a point of a plot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A probe that was up.
    Up,
    /// A probe with another status.
    Failed(Status),
    /// No probe was made for some time.
    Gap,
}

impl Mark {
    /// How important it is where only one of several marks can be shown.
    pub fn rank(self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Gap => 1,
            Self::Failed(status) if status.is_unknown() => 2,
            Self::Failed(_) => 3,
        }
    }
}

impl Point {
    /// A point of a probe.
    pub fn new(mark: Mark, connect: Option<Duration>) -> Self {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        Self {
            mark,
            micros: connect.map(micros),
        }
    }

    /// The connect time.
    pub fn connect(&self) -> Option<Duration> {
        self.micros
            .map(|micros| Duration::from_micros(micros.into()))
    }

    /// This point and a later one as one: the more important mark and the longer time.
    fn joined(self, other: Self) -> Self {
        Self {
            mark: if other.mark.rank() > self.mark.rank() {
                other.mark
            } else {
                self.mark
            },
            micros: self.micros.max(other.micros),
        }
    }
}

/// The last points, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct Series {
    points: VecDeque<Point>,
    /// How many points there were, those that were dropped included.
    count: u64,
}

impl Series {
    /// The most points that are kept.
    pub const KEPT: usize = 8192;

    /// Adds a point.
    pub fn push(&mut self, point: Point) {
        if self.points.len() >= Self::KEPT {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.count += 1;
    }

    /// The last `length` points, or groups of `group` points each, the oldest first. The groups do
    /// not change while points are added: only the last one may be incomplete.
    pub fn last(&self, length: usize, group: usize) -> Vec<Point> {
        let group = group.max(1);
        let group_size = group as u64;
        // Points of the last, incomplete group.
        let partial = usize::try_from(self.count % group_size).unwrap_or(0);
        let newest = if partial == 0 { group } else { partial };
        let wanted = length
            .saturating_sub(1)
            .saturating_mul(group)
            .saturating_add(newest);
        if length == 0 || self.points.is_empty() {
            return Vec::new();
        }
        let skipped = self.points.len().saturating_sub(wanted);
        let first = self.count - (self.points.len() - skipped) as u64;
        let mut grouped: Vec<Point> = Vec::new();
        for (number, point) in (first..).zip(self.points.iter().skip(skipped)) {
            match grouped.last_mut() {
                Some(last) if number % group_size != 0 => *last = last.joined(*point),
                _ => grouped.push(*point),
            }
        }
        grouped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(micros: u64) -> Point {
        Point::new(Mark::Up, Some(Duration::from_micros(micros)))
    }

    #[test]
    fn the_last_points_are_given() {
        let mut series = Series::default();
        assert!(series.last(5, 1).is_empty());
        for micros in 0..10 {
            series.push(up(micros));
        }
        assert_eq!(series.last(3, 1), [up(7), up(8), up(9)]);
        assert_eq!(series.last(100, 0).len(), 10);
        assert!(series.last(0, 1).is_empty());
    }

    #[test]
    fn groups_keep_their_points() {
        let mut series = Series::default();
        for micros in 0..10 {
            series.push(up(micros));
        }
        assert_eq!(series.last(3, 4), [up(3), up(7), up(9)]);
        series.push(Point::new(Mark::Failed(Status::Refused), None));
        let refused = Point::new(
            Mark::Failed(Status::Refused),
            Some(Duration::from_micros(9)),
        );
        assert_eq!(series.last(3, 4), [up(3), up(7), refused]);
        series.push(up(1));
        series.push(up(2));
        assert_eq!(series.last(3, 4), [up(7), refused, up(2)]);
        assert_eq!(series.last(usize::MAX, usize::MAX).len(), 1);
    }

    #[test]
    fn the_length_is_limited() {
        let mut series = Series::default();
        for micros in 0..20_000 {
            series.push(up(micros));
        }
        let all = series.last(usize::MAX, 1);
        assert_eq!((all.len(), all[0]), (Series::KEPT, up(20_000 - 8192)));
    }
}
