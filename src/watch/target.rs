//! What is known of one target.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, Status};
use crate::watch::histogram::{Histogram, RecentHistogram};
use crate::watch::moment::Moment;
use crate::watch::outage::{Outage, OutageList};
use crate::watch::sample::{Sample, SampleResult, SeenCertificate};
use crate::watch::series::{Mark, Point, Series};
use crate::watch::window::{Counts, Window};

/// What a probe changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An outage began.
    OutageBegan,
    /// This outage ended.
    OutageEnded(Outage),
    /// The time before this probe in which no probe was made, if it was longer than usual.
    Unwatched(Duration),
    /// The name has other addresses.
    Addresses(AddressChange),
    /// The server has another certificate; this is the previous one.
    Certificate(SeenCertificate),
}

/// Other addresses of a name. Both lists are in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// When the probe started that found them.
    pub at: Moment,
    /// The addresses before.
    pub before: Arc<[IpAddr]>,
    /// The addresses after.
    pub after: Arc<[IpAddr]>,
}

/// How much was retransmitted, and in how many probes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retransmits {
    /// SYNs.
    pub syns: u64,
    /// Segments of dialogues and handshakes.
    pub segments: u64,
    /// The probes in which something was retransmitted.
    pub probes: u64,
}

/// The state of a target by its last probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    /// No probe has ended.
    Waiting,
    /// It is up.
    Up,
    /// It is down.
    Down,
    /// The result of the last probe is unknown, and there is no current outage.
    Unknown,
}

/// For how long after the end of a suspension a failure is unknown, unless a probe was up since
/// then: the network of this machine may not be back yet.
const NETWORK_RETURN: Duration = Duration::from_secs(10);
/// The most address changes that are kept.
const KEPT_CHANGES: usize = 20;

/// The statistics of one target.
#[derive(Debug, Clone)]
pub struct TargetModel {
    /// The time between the starts of two probes.
    interval: Duration,
    last: Option<Sample>,
    last_up: Option<Moment>,
    /// The end of the last outage, or the first successful probe.
    up_since: Option<Moment>,
    /// Until then, in the running time, failures are unknown.
    returning_until: Option<Duration>,
    counts: Counts,
    window: Window,
    outages: OutageList,
    /// Times of TCP handshakes.
    connect: Histogram,
    recent_connect: RecentHistogram,
    rtt: Histogram,
    first_byte: Histogram,
    /// Retransmitted SYNs.
    syn_retransmits: u64,
    /// Retransmitted segments of dialogues and handshakes.
    data_retransmits: u64,
    /// Probes with a retransmitted SYN or segment.
    retransmitting: u64,
    series: Series,
    answer: Option<Arc<[IpAddr]>>,
    changes: VecDeque<AddressChange>,
    change_count: u64,
    certificate: Option<SeenCertificate>,
    unwatched: Duration,
}

impl TargetModel {
    /// A target that is probed at this interval.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            last_up: None,
            up_since: None,
            returning_until: None,
            counts: Counts::default(),
            window: Window::default(),
            outages: OutageList::default(),
            connect: Histogram::default(),
            recent_connect: RecentHistogram::default(),
            rtt: Histogram::default(),
            first_byte: Histogram::default(),
            syn_retransmits: 0,
            data_retransmits: 0,
            retransmitting: 0,
            series: Series::default(),
            answer: None,
            changes: VecDeque::new(),
            change_count: 0,
            certificate: None,
            unwatched: Duration::ZERO,
        }
    }

    /// Adds the next probe, in the order of the starts, and returns what it changed.
    pub fn add(&mut self, sample: Sample) -> Vec<Change> {
        let sample = self.judged(sample);
        let mut changes = Vec::new();
        self.note_gap(&sample, &mut changes);
        self.note_result(&sample, &mut changes);
        self.note_times(&sample);
        self.note_addresses(&sample, &mut changes);
        self.note_certificate(&sample, &mut changes);
        self.last = Some(sample);
        changes
    }

    /// The sample; it is unknown if it failed before the network of this machine is certain to be
    /// back.
    fn judged(&mut self, sample: Sample) -> Sample {
        let last = self.last.as_ref().map(|last| last.end).unwrap_or_default();
        // The run may have been suspended before the first probe, too.
        if sample.end.suspended_since(&last) >= Duration::from_millis(100) {
            self.returning_until = Some(sample.end.running + NETWORK_RETURN);
        }
        let is_returning = self
            .returning_until
            .is_some_and(|until| sample.start.running < until);
        match &sample.result {
            SampleResult::Up => {
                self.returning_until = None;
                sample
            }
            SampleResult::Down(failure) if is_returning => {
                let text = format!("this machine was just resumed: {}", failure.text);
                let failure = Arc::new(Failure::new(Status::LocalError, text));
                Sample {
                    result: SampleResult::Unknown(failure),
                    ..sample
                }
            }
            SampleResult::Down(_) | SampleResult::Unknown(_) => sample,
        }
    }

    /// Notes the time without probes before this one.
    fn note_gap(&mut self, sample: &Sample, changes: &mut Vec<Change>) {
        let Some(last) = &self.last else { return };
        let since = sample.start.since(&last.start);
        let usual = self.interval.saturating_mul(2) + Duration::from_secs(1);
        if since <= usual {
            return;
        }
        let gap = since.saturating_sub(self.interval);
        self.unwatched += gap;
        if let Some(outage) = self.outages.current_mut() {
            outage.unwatched += gap;
        }
        self.series.push(Point::new(Mark::Gap, None));
        changes.push(Change::Unwatched(gap));
    }

    fn note_result(&mut self, sample: &Sample, changes: &mut Vec<Change>) {
        let mut counts = Counts::default();
        let mark = match &sample.result {
            SampleResult::Up => {
                counts.up = 1;
                if let Some(ended) = self.outages.end(sample.end) {
                    changes.push(Change::OutageEnded(ended.clone()));
                    self.up_since = Some(sample.end);
                }
                self.up_since.get_or_insert(sample.end);
                self.last_up = Some(sample.start);
                Mark::Up
            }
            SampleResult::Down(failure) => {
                counts.down = 1;
                if let Some(outage) = self.outages.current_mut() {
                    outage.add(sample.start, failure);
                } else {
                    let outage = Outage::new(sample.start, Arc::clone(failure), self.last_up);
                    self.outages.begin(outage);
                    changes.push(Change::OutageBegan);
                }
                Mark::Failed(failure.status)
            }
            SampleResult::Unknown(failure) => {
                counts.unknown = 1;
                if let Some(outage) = self.outages.current_mut() {
                    outage.unknown += 1;
                }
                Mark::Failed(failure.status)
            }
        };
        self.counts.up += counts.up;
        self.counts.down += counts.down;
        self.counts.unknown += counts.unknown;
        self.window.add(sample.start.since_start(), counts);
        self.series.push(Point::new(mark, sample.connect));
    }

    fn note_times(&mut self, sample: &Sample) {
        if let Some(connect) = sample.connect {
            self.connect.add(connect);
            self.recent_connect.add(sample.start.since_start(), connect);
        }
        if let Some(rtt) = sample.rtt {
            self.rtt.add(rtt);
        }
        if let Some(first_byte) = sample.first_byte {
            self.first_byte.add(first_byte);
        }
        self.syn_retransmits += u64::from(sample.syn_retransmits);
        self.data_retransmits += u64::from(sample.data_retransmits);
        let is_lossy = sample.syn_retransmits > 0 || sample.data_retransmits > 0;
        self.retransmitting += u64::from(is_lossy);
    }

    fn note_addresses(&mut self, sample: &Sample, changes: &mut Vec<Change>) {
        let Some(after) = &sample.answer else { return };
        match &self.answer {
            Some(before) if before == after => return,
            Some(before) => {
                let change = AddressChange {
                    at: sample.start,
                    before: Arc::clone(before),
                    after: Arc::clone(after),
                };
                if self.changes.len() >= KEPT_CHANGES {
                    self.changes.pop_front();
                }
                self.changes.push_back(change.clone());
                self.change_count += 1;
                changes.push(Change::Addresses(change));
            }
            None => {}
        }
        self.answer = Some(Arc::clone(after));
    }

    fn note_certificate(&mut self, sample: &Sample, changes: &mut Vec<Change>) {
        let Some(seen) = &sample.certificate else {
            return;
        };
        match self.certificate.replace(seen.clone()) {
            Some(before) if before.sha256 != seen.sha256 => {
                changes.push(Change::Certificate(before));
            }
            _ => {}
        }
    }

    /// The state by the last probe. A probe with an unknown result does not end an outage.
    pub fn state(&self) -> TargetState {
        if self.outages.current().is_some() {
            return TargetState::Down;
        }
        match self.last.as_ref().map(|last| &last.result) {
            None => TargetState::Waiting,
            Some(SampleResult::Up) => TargetState::Up,
            Some(SampleResult::Down(_)) => TargetState::Down,
            Some(SampleResult::Unknown(_)) => TargetState::Unknown,
        }
    }

    /// The last probe.
    pub fn last(&self) -> Option<&Sample> {
        self.last.as_ref()
    }

    /// Since when it is up: the end of the last outage, or the first successful probe.
    pub fn up_since(&self) -> Option<&Moment> {
        self.up_since.as_ref()
    }

    /// The counts of the whole run.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The counts of the last `window` before now, at most ten minutes.
    pub fn recent_counts(&self, now: &Moment, window: Duration) -> Counts {
        self.window.counts(now.since_start(), window)
    }

    /// The outages.
    pub fn outages(&self) -> &OutageList {
        &self.outages
    }

    /// The times of TCP handshakes of the whole run.
    pub fn connect(&self) -> &Histogram {
        &self.connect
    }

    /// The times of TCP handshakes of about the last ten minutes.
    pub fn recent_connect(&self, now: &Moment) -> Histogram {
        self.recent_connect.at(now.since_start())
    }

    /// The round-trip times that the kernel measured.
    pub fn rtt(&self) -> &Histogram {
        &self.rtt
    }

    /// The times to the first byte of an answer.
    pub fn first_byte(&self) -> &Histogram {
        &self.first_byte
    }

    /// What was retransmitted.
    pub fn retransmits(&self) -> Retransmits {
        Retransmits {
            syns: self.syn_retransmits,
            segments: self.data_retransmits,
            probes: self.retransmitting,
        }
    }

    /// The last probes for a plot.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The addresses of the name.
    pub fn answer(&self) -> Option<&Arc<[IpAddr]>> {
        self.answer.as_ref()
    }

    /// The last changes of the addresses, the oldest first, and how many there were in total.
    pub fn address_changes(&self) -> (impl DoubleEndedIterator<Item = &AddressChange>, u64) {
        (self.changes.iter(), self.change_count)
    }

    /// The certificate that was seen last.
    pub fn certificate(&self) -> Option<&SeenCertificate> {
        self.certificate.as_ref()
    }

    /// How long no probe was made.
    pub fn unwatched(&self) -> Duration {
        self.unwatched
    }
}

#[cfg(test)]
mod tests;
