//! Runs for the tests of the views.

use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, Status};
use crate::output::watch::WatchView;
use crate::watch::model::WatchModel;
use crate::watch::moment::Moment;
use crate::watch::sample::{Sample, SampleResult};
use crate::watch::target::Change;

/// A run whose samples are given by a test.
pub struct ScriptedRun {
    pub model: WatchModel,
    labels: Vec<String>,
    /// The second of the next probe.
    pub second: u64,
}

impl ScriptedRun {
    pub fn new(labels: &[&str]) -> Self {
        Self {
            model: WatchModel::new(labels.len(), Duration::from_secs(1), at(0)),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            second: 0,
        }
    }

    pub fn add(&mut self, target: usize, sample: Sample) -> Vec<Change> {
        self.model.add(target, sample)
    }

    /// Adds a probe of each target in each second, with these statuses.
    pub fn play(&mut self, seconds: u64, status: impl Fn(usize, u64) -> Status) {
        for _ in 0..seconds {
            for target in 0..self.labels.len() {
                self.add(target, sample(self.second, status(target, self.second)));
            }
            self.second += 1;
        }
    }

    pub fn view(&self) -> WatchView<'_> {
        WatchView {
            model: &self.model,
            labels: &self.labels,
            interval: Duration::from_secs(1),
            now: at(self.second),
            utc_offset: |_| 3600,
        }
    }
}

/// This second of a run.
pub fn at(second: u64) -> Moment {
    Moment {
        wall: 1_796_004_187_000_000,
        ..Moment::default()
    }
    .after(Duration::from_secs(second))
}

/// A probe in this second.
pub fn sample(second: u64, status: Status) -> Sample {
    let start = at(second);
    let text = format!("connect to 192.0.2.7:25: it is {}", status.name());
    let failure = Arc::new(Failure::new(status, text));
    let is_up = status == Status::Ok;
    let connect = Duration::from_micros(812 + second % 7 * 10 - second.min(1) * 20 * (second % 3));
    Sample {
        start,
        end: start.after(Duration::from_millis(1)),
        result: match status {
            Status::Ok => SampleResult::Up,
            status if status.is_unknown() => SampleResult::Unknown(failure),
            _ => SampleResult::Down(failure),
        },
        connect: is_up.then_some(if second % 3 == 0 {
            Duration::from_micros(812)
        } else {
            connect
        }),
        rtt: is_up.then_some(Duration::from_micros(650)),
        first_byte: None,
        syn_retransmits: 0,
        data_retransmits: 0,
        address: Some([192, 0, 2, 7].into()),
        source: is_up.then_some([192, 0, 2, 50].into()),
        answer: None,
        certificate: None,
    }
}
