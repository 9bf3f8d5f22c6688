//! What is known of all targets of a run.

use std::time::Duration;

use crate::watch::moment::Moment;
use crate::watch::outage::Outage;
use crate::watch::sample::Sample;
use crate::watch::target::{Change, TargetModel, TargetState};

/// The model of a run.
#[derive(Debug, Clone)]
pub struct WatchModel {
    targets: Vec<TargetModel>,
    start: Moment,
    /// The last moment at which the clocks were compared.
    compared: Moment,
    clock_steps: Vec<ClockStep>,
    clock_step_count: u64,
}

/// The time of day was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// When it was noticed; the time of day is the new one.
    pub at: Moment,
    /// By how many microseconds; negative if it was set back.
    pub micros: i64,
}

/// The smallest step of the clock that is noted, in microseconds; a time service slews less.
const CLOCK_STEP: i64 = 1_000_000;
/// The most clock steps that are kept.
const KEPT_STEPS: usize = 10;

impl WatchModel {
    /// A run of this many targets that starts now.
    pub fn new(targets: usize, interval: Duration, start: Moment) -> Self {
        Self {
            targets: vec![TargetModel::new(interval); targets],
            start,
            compared: start,
            clock_steps: Vec::new(),
            clock_step_count: 0,
        }
    }

    /// Adds a probe of this target; the probes of a target come in the order of their starts.
    pub fn add(&mut self, target: usize, sample: Sample) -> Vec<Change> {
        let target = self.targets.get_mut(target);
        target.map_or_else(Vec::new, |target| target.add(sample))
    }

    /// Compares the clocks, to notice that the time of day was set.
    pub fn compare_clocks(&mut self, now: Moment) {
        let micros = now.clock_step_since(&self.compared);
        self.compared = now;
        if micros.saturating_abs() >= CLOCK_STEP {
            self.clock_step_count += 1;
            if self.clock_steps.len() >= KEPT_STEPS {
                self.clock_steps.remove(0);
            }
            self.clock_steps.push(ClockStep { at: now, micros });
        }
    }

    /// The start of the run.
    pub fn start(&self) -> &Moment {
        &self.start
    }

    /// The targets, in the order in which they were given.
    pub fn targets(&self) -> &[TargetModel] {
        &self.targets
    }

    /// The last steps of the clock, the oldest first, and how many there were.
    pub fn clock_steps(&self) -> (&[ClockStep], u64) {
        (&self.clock_steps, self.clock_step_count)
    }

    /// The targets that failed, by the start of their first outage: which failed first.
    pub fn failed_targets(&self) -> Vec<(usize, &Outage)> {
        let first = |(index, target): (usize, &'_ TargetModel)| {
            Some((index, target.outages().first()?.start))
        };
        let mut failed: Vec<_> = self.targets.iter().enumerate().filter_map(first).collect();
        failed.sort_by_key(|(index, start)| (start.since_start(), *index));
        let outage = |(index, _): (usize, Moment)| {
            Some((index, self.targets.get(index)?.outages().first()?))
        };
        failed.into_iter().filter_map(outage).collect()
    }

    /// The kept outages of all targets, by their starts.
    pub fn outages(&self) -> Vec<(usize, &Outage)> {
        let mut all: Vec<_> = self
            .targets
            .iter()
            .enumerate()
            .flat_map(|(index, target)| target.outages().kept().map(move |outage| (index, outage)))
            .collect();
        all.sort_by_key(|(index, outage)| (outage.start.since_start(), *index));
        all
    }

    /// Whether every probe of every target was up, and each target had one.
    pub fn all_up(&self) -> bool {
        let is_up = |target: &TargetModel| {
            let counts = target.counts();
            counts.up > 0 && counts.up == counts.all()
        };
        self.targets.iter().all(is_up)
    }

    /// How many targets are in this state.
    pub fn count(&self, state: TargetState) -> usize {
        let targets = self.targets.iter();
        targets.filter(|target| target.state() == state).count()
    }
}
