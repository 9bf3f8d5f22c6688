//! Outages: from the first failed probe to the first successful one after it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, Status};
use crate::watch::moment::Moment;

/// A time during which a target was down.
///
/// The failure began after `up_before` and not later than `start`, and ended after `last` and not
/// later than `end`. So both ends are exact to one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Outage {
    /// When the last successful probe before it started; `None` if there was none.
    pub up_before: Option<Moment>,
    /// When the first failed probe started.
    pub start: Moment,
    /// When the last failed probe started.
    pub last: Moment,
    /// When the first successful probe after it had its verdict; `None` while it lasts.
    pub end: Option<Moment>,
    /// The failure of the first probe.
    pub cause: Arc<Failure>,
    /// The statuses of its probes, each once, in the order in which they occurred.
    pub statuses: Vec<Status>,
    /// The number of failed probes.
    pub probes: u64,
    /// The number of probes in it with an unknown result.
    pub unknown: u64,
    /// How long no probe was made during it, because this machine was suspended or this process was
    /// stopped.
    pub unwatched: Duration,
}

impl Outage {
    /// An outage that begins with this failed probe.
    pub fn new(start: Moment, cause: Arc<Failure>, up_before: Option<Moment>) -> Self {
        Self {
            up_before,
            start,
            last: start,
            end: None,
            statuses: vec![cause.status],
            cause,
            probes: 1,
            unknown: 0,
            unwatched: Duration::ZERO,
        }
    }

    /// Adds a failed probe.
    pub fn add(&mut self, start: Moment, failure: &Failure) {
        self.last = start;
        self.probes += 1;
        if !self.statuses.contains(&failure.status) {
            self.statuses.push(failure.status);
        }
    }

    /// Its duration until its end, or until now while it lasts.
    pub fn duration(&self, now: &Moment) -> Duration {
        self.end.as_ref().unwrap_or(now).since(&self.start)
    }
}

/// The outages of a target, in the order of their starts. Their number is limited: beyond it, the
/// oldest ones except the first are only counted.
#[derive(Debug, Clone, Default)]
pub struct OutageList {
    kept: VecDeque<Outage>,
    omitted: u64,
    /// The total duration of those that have ended.
    ended: Duration,
}

impl OutageList {
    /// The most outages that are kept.
    pub const KEPT: usize = 1000;

    /// Begins an outage.
    pub fn begin(&mut self, outage: Outage) {
        if self.kept.len() >= Self::KEPT {
            self.kept.remove(1);
            self.omitted += 1;
        }
        self.kept.push_back(outage);
    }

    /// Ends the current outage, if there is one.
    pub fn end(&mut self, at: Moment) -> Option<&Outage> {
        let outage = self.kept.back_mut().filter(|outage| outage.end.is_none())?;
        outage.end = Some(at);
        self.ended += outage.duration(&at);
        Some(outage)
    }

    /// The outage that lasts.
    pub fn current(&self) -> Option<&Outage> {
        self.kept.back().filter(|outage| outage.end.is_none())
    }

    /// The outage that lasts, to add to it.
    pub fn current_mut(&mut self) -> Option<&mut Outage> {
        self.kept.back_mut().filter(|outage| outage.end.is_none())
    }

    /// The kept outages, the first one first.
    pub fn kept(&self) -> impl DoubleEndedIterator<Item = &Outage> + ExactSizeIterator {
        self.kept.iter()
    }

    /// The first outage of the run.
    pub fn first(&self) -> Option<&Outage> {
        self.kept.front()
    }

    /// The last outage.
    pub fn last(&self) -> Option<&Outage> {
        self.kept.back()
    }

    /// How many there were, including those that were not kept.
    pub fn count(&self) -> u64 {
        self.kept.len() as u64 + self.omitted
    }

    /// How many of them were not kept; they come after the first one.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// The total duration of all of them, that of the current one until now included.
    pub fn total(&self, now: &Moment) -> Duration {
        let current = self.current().map(|outage| outage.duration(now));
        self.ended + current.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::default().after(Duration::from_secs(seconds))
    }

    fn outage(seconds: u64) -> Outage {
        let cause = Arc::new(Failure::new(Status::Refused, "refused"));
        Outage::new(at(seconds), cause, None)
    }

    #[test]
    fn an_outage_ends_once() {
        let mut list = OutageList::default();
        assert!(list.end(at(1)).is_none() && list.current().is_none());
        list.begin(outage(10));
        assert_eq!(list.total(&at(13)), Duration::from_secs(3));
        let current = list.current_mut().unwrap();
        current.add(at(11), &Failure::new(Status::ConnectTimeout, ""));
        current.add(at(12), &Failure::new(Status::Refused, ""));
        assert_eq!(current.statuses, [Status::Refused, Status::ConnectTimeout]);
        assert_eq!(list.end(at(14)).unwrap().probes, 3);
        assert!(list.end(at(15)).is_none(), "it has ended");
        assert_eq!(list.total(&at(99)), Duration::from_secs(4));
    }

    #[test]
    fn the_first_and_the_newest_outages_are_kept() {
        let mut list = OutageList::default();
        for second in 0..5000 {
            list.begin(outage(second * 2));
            list.end(at(second * 2 + 1));
        }
        assert_eq!((list.count(), list.kept().len()), (5000, OutageList::KEPT));
        assert_eq!(list.omitted(), 4000);
        assert_eq!(list.first().unwrap().start, at(0));
        assert_eq!(list.kept().nth(1).unwrap().start, at(8002));
        assert_eq!(list.last().unwrap().start, at(9998));
        assert_eq!(list.total(&at(0)), Duration::from_secs(5000));
    }
}
