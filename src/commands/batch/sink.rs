//! Receives the reports of a run. Each report is stored, printed, or added to the table at once,
//! and then dropped.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::commands::batch::progress::ProgressBar;
use crate::commands::stoppable_output::StoppableOutput;
use crate::engine::{Bound, Sink};
use crate::failure::{Failure, Status};
use crate::os::stop::StopHandle;
use crate::output::batch_document::{BatchDocument, Discovery};
use crate::output::batch_format::{BatchFormat, DefaultFields};
use crate::output::results::ResultStore;
use crate::output::summary::Summary;
use crate::output::table::ResultTable;
use crate::output::text::ColorMode;
use crate::output::{entry, sender};
use crate::report::Report;
use crate::settings::batch::{Batch, Rows};

/// The sink of a batch.
pub struct BatchSink<'b> {
    /// The counts and the lag.
    pub summary: Summary,
    batch: &'b Batch,
    /// How many targets were not tried because of each limit.
    pub held_back: BTreeMap<Bound, usize>,
    /// Which targets have a report, by the number of the plan.
    reported: Vec<bool>,
    mode: Mode<'b>,
}

/// What is done with a report.
enum Mode<'b> {
    /// It is stored, to be printed at the end in input order.
    Store(ResultStore),
    /// It is printed at once.
    Stream(LineStream<'b>),
    /// It becomes a row of the table; a progress bar is shown until the end.
    Table(ResultTable, Option<ProgressBar>),
}

impl<'b> BatchSink<'b> {
    /// A sink with the reports of the targets that are not probed because of an error. `stop` ends the run if standard output is closed.
    pub fn new(batch: &'b Batch, stop: Option<&'b StopHandle>) -> Self {
        let targets = batch.plans.len();
        let mode = match batch.wanted.format {
            BatchFormat::Json | BatchFormat::Sender => Mode::Store(ResultStore::new(targets)),
            BatchFormat::Ndjson => Mode::Stream(LineStream {
                stop,
                buffer: Vec::new(),
                flush_at: BUFFER_SIZE,
                error: None,
            }),
            BatchFormat::Text => Mode::Table(ResultTable::new(targets), ProgressBar::new(targets)),
        };
        let summary = Summary::new(batch.duplicates, batch.invalid.count);
        // Only these outputs have a place for them.
        let summary = match batch.wanted.format {
            BatchFormat::Json | BatchFormat::Text => summary.with_causes(),
            BatchFormat::Sender | BatchFormat::Ndjson => summary,
        };
        let mut sink = Self {
            summary,
            batch,
            held_back: BTreeMap::new(),
            reported: vec![false; targets],
            mode,
        };
        sink.report_invalid();
        sink
    }

    /// Reports the targets that are not probed because of an error.
    fn report_invalid(&mut self) {
        for plan in &self.batch.plans {
            if let Some(error) = plan.error() {
                let failure = Failure::new(Status::LocalError, error);
                self.deliver(Report::without_connection(
                    Arc::clone(plan),
                    failure,
                    Duration::ZERO,
                ));
            }
        }
    }

    /// Reports this failure for every target without a report, so that each target has one.
    pub fn complete(&mut self, failure: &Failure) {
        let failure = Arc::new(failure.clone());
        for plan in &self.batch.plans {
            if self.reported.get(plan.index as usize) == Some(&false) {
                self.deliver(Report::without_connection(
                    Arc::clone(plan),
                    Arc::clone(&failure),
                    Duration::ZERO,
                ));
            }
        }
    }

    /// Whether every target is up.
    pub fn all_up(&self) -> bool {
        self.summary.up == self.batch.plans.len()
    }

    /// Writes the lines of all targets for `zabbix_sender`, in input order.
    pub fn write_sender_lines(&self, mut out: impl Write) -> io::Result<()> {
        let Mode::Store(results) = &self.mode else {
            return Ok(());
        };
        for plan in &self.batch.plans {
            out.write_all(results.bytes(plan.index).unwrap_or_default())?;
        }
        out.flush()
    }

    /// The document of the batch, with `-o json`.
    pub fn document(&mut self, elapsed: Duration) -> Option<BatchDocument<'_>> {
        let Mode::Store(results) = &self.mode else {
            return None;
        };
        Some(BatchDocument {
            plans: &self.batch.plans,
            results,
            summary: &mut self.summary,
            elapsed,
            defaults: self.batch.wanted.defaults,
            discovery: match self.batch.rows {
                Rows::Complete => Discovery::Include,
                Rows::Incomplete => Discovery::Omit,
            },
        })
    }

    /// Writes the table, the common causes of the failures and this summary line, with `-o text`.
    /// Erases the progress bar.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write_table(
        &mut self,
        summary: &str,
        colors: ColorMode,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Mode::Table(table, progress) = &mut self.mode else {
            return Ok(());
        };
        *progress = None;
        let plans = &self.batch.plans;
        table.write(plans, colors, out)?;
        for line in self.summary.cause_lines(plans) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{summary}")
    }

    /// Prints the buffered lines, with `-o ndjson`.
    ///
    /// # Errors
    /// The first error of writing any line.
    pub fn finish_stream(&mut self) -> io::Result<()> {
        let Mode::Stream(stream) = &mut self.mode else {
            return Ok(());
        };
        stream.finish()
    }
}

impl Sink for BatchSink<'_> {
    fn deliver(&mut self, report: Report) {
        let number = report.plan.index;
        match self.reported.get_mut(number as usize) {
            Some(reported @ false) => *reported = true,
            _ => return,
        }
        self.summary.count(&report);
        let output = &self.batch.wanted;
        match &mut self.mode {
            Mode::Store(results) if output.format == BatchFormat::Sender => {
                results.store_bytes(number, |buffer| {
                    sender::write(&report, since_epoch(), output, buffer);
                });
            }
            Mode::Store(results) => results.store_entry(&report, output.defaults),
            Mode::Stream(stream) => stream.push(&report, output.defaults),
            Mode::Table(table, progress) => {
                table.set(&report);
                if let Some(progress) = progress {
                    progress.show(&self.summary);
                }
            }
        }
    }

    fn held_back(&mut self, bound: Bound) {
        *self.held_back.entry(bound).or_default() += 1;
    }

    fn measures_exchange(&self) -> bool {
        self.batch.wanted.publishes_exchange()
    }

    fn before_wait(&mut self) {
        if let Mode::Stream(stream) = &mut self.mode {
            stream.flush();
        }
    }
}

/// The time of a verdict, since the Unix epoch. A clock before 1970 was never set and counts as
/// 1970.
#[allow(clippy::disallowed_methods)]
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// The buffer is written when it has this many bytes, even if the engine does not wait.
const BUFFER_SIZE: usize = 32 * 1024;

/// Lines that are printed during the run. They are buffered while the engine is busy and written
/// before it waits, as far as the reader reads.
struct LineStream<'b> {
    stop: Option<&'b StopHandle>,
    buffer: Vec<u8>,
    /// The length of the buffer at which it is written next.
    flush_at: usize,
    /// The first write error; nothing is written after it.
    error: Option<io::Error>,
}

impl LineStream<'_> {
    fn push(&mut self, report: &Report, defaults: DefaultFields) {
        entry::write(report, defaults, &mut self.buffer);
        self.buffer.push(b'\n');
        if self.buffer.len() >= self.flush_at {
            self.flush();
            self.flush_at = self.buffer.len() + BUFFER_SIZE;
        }
    }

    /// Writes what the reader takes without delay: the run does not wait for it.
    fn flush(&mut self) {
        if self.error.is_none() && !self.buffer.is_empty() {
            match StoppableOutput::write_available(&self.buffer) {
                Ok(written) => drop(self.buffer.drain(..written)),
                Err(error) => {
                    self.error = Some(error);
                    // Without a reader, the rest of the run is useless.
                    if let Some(stop) = self.stop {
                        stop.stop();
                    }
                }
            }
        }
        if self.error.is_some() {
            self.buffer.clear();
        }
    }

    /// Writes the rest, and waits for the reader.
    fn finish(&mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => StoppableOutput::new(self.stop).write_all(&self.buffer),
        }
    }
}
