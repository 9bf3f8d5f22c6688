//! Takes the reports of a run: what is printed of each is kept or printed at once, and the report is gone.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::commands::batch::progress::Progress;
use crate::engine::Sink;
use crate::failure::Failure;
use crate::os::stop::StopHandle;
use crate::output::batch_document::Document;
use crate::output::batch_format::{Defaults, FleetFormat};
use crate::output::results::Found;
use crate::output::summary::Summary;
use crate::output::table::Table;
use crate::output::text::Paint;
use crate::output::{entry, sender};
use crate::report::Report;
use crate::settings::batch::Fleet;

/// Where the reports go.
pub struct Gathering<'f> {
    /// The verdicts.
    pub summary: Summary,
    fleet: &'f Fleet,
    /// Which targets have their report.
    reported: Vec<bool>,
    shape: Shape<'f>,
}

/// What is kept of a report, or done with it.
enum Shape<'f> {
    /// What is printed at the end, in input order.
    Kept(Found),
    /// A line at once.
    Streamed(Stream<'f>),
    /// A row for the end, and a bar until then.
    Listed(Table, Option<Progress>),
}

impl<'f> Gathering<'f> {
    /// Nothing has come yet.
    pub fn new(fleet: &'f Fleet, stop: Option<&'f StopHandle>) -> Self {
        let targets = fleet.plans.len();
        let shape = match fleet.wanted.format {
            FleetFormat::Json | FleetFormat::Sender => Shape::Kept(Found::new(targets)),
            FleetFormat::Ndjson => Shape::Streamed(Stream {
                stop,
                buffer: Vec::new(),
                failed: None,
            }),
            FleetFormat::Text => Shape::Listed(Table::new(targets), Progress::new(targets)),
        };
        let summary = Summary::new(fleet.duplicates, fleet.invalid.count);
        Self {
            summary,
            fleet,
            reported: vec![false; targets],
            shape,
        }
    }

    /// Gives this failure to every target that the run left without a report: each has one.
    pub fn complete(&mut self, failure: &Failure) {
        for plan in &self.fleet.plans {
            if self.reported.get(plan.number as usize) == Some(&false) {
                self.deliver(Report::without_trial(
                    Arc::clone(plan),
                    failure.clone(),
                    Duration::ZERO,
                ));
            }
        }
    }

    /// Whether every target is up.
    pub fn all_up(&self) -> bool {
        self.summary.up == self.fleet.plans.len()
    }

    /// Writes the lines of all, in input order.
    pub fn lines(&self, mut out: impl Write) -> io::Result<()> {
        let Shape::Kept(found) = &self.shape else {
            return Ok(());
        };
        for plan in &self.fleet.plans {
            out.write_all(found.bytes(plan.number).unwrap_or_default())?;
        }
        out.flush()
    }

    /// The document of all.
    pub fn document(&mut self, elapsed: Duration) -> Option<Document<'_>> {
        let Shape::Kept(found) = &self.shape else {
            return None;
        };
        Some(Document {
            plans: &self.fleet.plans,
            found,
            summary: &mut self.summary,
            elapsed,
            defaults: self.fleet.wanted.defaults,
        })
    }

    /// The table of all; the bar is gone.
    pub fn table(&mut self, sums: &str, paint: Paint) -> String {
        let Shape::Listed(table, progress) = &mut self.shape else {
            return String::new();
        };
        *progress = None;
        table.lines(&self.fleet.plans, sums, paint)
    }

    /// Prints what lines are left, and says whether any could not be printed.
    pub fn end(&mut self) -> io::Result<()> {
        let Shape::Streamed(stream) = &mut self.shape else {
            return Ok(());
        };
        stream.flush();
        stream.failed.take().map_or(Ok(()), Err)
    }
}

impl Sink for Gathering<'_> {
    fn deliver(&mut self, report: Report) {
        let number = report.plan.number;
        match self.reported.get_mut(number as usize) {
            Some(reported @ false) => *reported = true,
            _ => return,
        }
        self.summary.count(&report);
        let wanted = &self.fleet.wanted;
        match &mut self.shape {
            Shape::Kept(found) if wanted.format == FleetFormat::Sender => {
                found.keep_bytes(number, |buffer| {
                    sender::write(&report, since_1970(), wanted, buffer);
                });
            }
            Shape::Kept(found) => found.keep_entry(&report, wanted.defaults),
            Shape::Streamed(stream) => stream.line(&report, wanted.defaults),
            Shape::Listed(table, progress) => {
                table.note(&report);
                if let Some(progress) = progress {
                    progress.show(&self.summary);
                }
            }
        }
    }

    fn rest(&mut self) {
        if let Shape::Streamed(stream) = &mut self.shape {
            stream.flush();
        }
    }
}

/// The time of a verdict for a value that is sent; a clock before 1970 is one that was never set.
#[allow(clippy::disallowed_methods)]
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// How many bytes of lines are printed at once while there is no time to rest.
const FULL: usize = 32 * 1024;

/// Lines that are printed as they come: many in one write while there is more to do, the last before every wait.
struct Stream<'f> {
    stop: Option<&'f StopHandle>,
    buffer: Vec<u8>,
    failed: Option<io::Error>,
}

impl Stream<'_> {
    fn line(&mut self, report: &Report, defaults: Defaults) {
        entry::write(report, defaults, &mut self.buffer);
        self.buffer.push(b'\n');
        if self.buffer.len() >= FULL {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.failed.is_none() && !self.buffer.is_empty() {
            let mut out = io::stdout().lock();
            self.failed = out.write_all(&self.buffer).and_then(|()| out.flush()).err();
            // Nobody would hear of what is still to come.
            if let (Some(_), Some(stop)) = (&self.failed, self.stop) {
                stop.stop();
            }
        }
        self.buffer.clear();
    }
}
