//! `zbx-tcp batch`: probes many targets in one process and prints one document, lines or a table.

mod input;
mod progress;
mod sink;
mod watchdog;

use std::io;
use std::io::{BufWriter, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::cli::batch::BatchArgs;
use crate::cli::values::non_empty;
use crate::commands::batch::sink::BatchSink;
use crate::commands::batch::watchdog::Watchdog;
use crate::commands::stoppable_output::StoppableOutput;
use crate::commands::{
    CommandResult, Exit, color_mode, internal_error, limits, log_line, print, print_to,
    resolver_kind, still_computing,
};
use crate::engine;
use crate::engine::{Limits, Sink};
use crate::failure::{Failure, Status};
use crate::os::stop::StopHandle;
use crate::output::batch_format::BatchFormat;
use crate::output::text::ColorMode;
use crate::output::{batch_document, cache_size};
use crate::policy::Policy;
use crate::settings::SettingsError;
use crate::settings::batch;
use crate::settings::batch::{Batch, BatchRequest};
use crate::settings::config::Configuration;
use crate::settings::parse;
use crate::settings::request::Transcript;
use crate::source::{Shuffled, random_seed};

/// Probes every target and prints the result in the requested format. `stop` ends the run.
///
/// # Errors
/// A usage or configuration error; nothing was sent.
#[allow(clippy::disallowed_methods)]
pub fn run(args: &BatchArgs, stop: Option<&StopHandle>) -> CommandResult {
    let start = Instant::now();
    let request = BatchRequest::from_args(args)?;
    let (format, max_output) = (request.wanted.format, request.wanted.max_output);
    let batch = match prepare(args, request, stop, start) {
        Err(error) if format == BatchFormat::Json && error.is_in_configuration() => {
            return Ok(print_without_targets(&error, max_output, start));
        }
        prepared => prepared?,
    };
    log_invalid_entries(&batch);
    let mut sink = BatchSink::new(&batch, stop);
    let policy = Policy::system();
    sink.summary.error = machine_error(&batch, &policy, None);
    let unreported = if batch.plans.iter().any(|plan| plan.spec.has_expressions()) {
        let watchdog = Watchdog {
            due: start + batch.bounds.deadline,
            stop,
            give_up: |sink: &mut BatchSink<'_>| {
                sink.complete(&still_computing());
                let exit = exit(sink, &batch);
                print_results(sink, &batch, StoppableOutput::new(stop), start, exit)
            },
        };
        watchdog.guard(&mut sink, |sink| probe(&batch, &policy, stop, start, sink))
    } else {
        probe(&batch, &policy, stop, start, &mut sink)
    };
    sink.complete(&unreported);
    log_held_back(&batch, &sink);
    let exit = exit(&sink, &batch);
    Ok(print_results(
        &mut sink,
        &batch,
        StoppableOutput::new(stop),
        start,
        exit,
    ))
}

/// Reads the configuration and builds the list of targets.
#[allow(clippy::disallowed_methods)]
fn prepare(
    args: &BatchArgs,
    request: BatchRequest,
    stop: Option<&StopHandle>,
    start: Instant,
) -> Result<Batch, SettingsError> {
    let config = Configuration::load(
        non_empty(&args.probe.network.config),
        batch::parts(&args.targets, &args.group),
    )?;
    let is_late = |time| start.elapsed() >= time;
    batch::batch(request, &config, is_late, |timeout| {
        input::read(timeout, stop)
    })
}

/// What is wrong on this machine: in the list of targets, with the configuration in force, or in
/// the policy.
fn machine_error(batch: &Batch, policy: &Policy, config: Option<&str>) -> Option<Box<str>> {
    let of_policy = || policy.error().map(str::to_owned);
    let in_list = batch.invalid.in_configuration();
    let error = in_list.or_else(|| config.map(str::to_owned));
    error.or_else(of_policy).map(Into::into)
}

/// Prints the document of a run whose targets are not known, because of an error in the
/// configuration. On a terminal, the error is also printed as text.
#[allow(clippy::disallowed_methods)]
fn print_without_targets(error: &SettingsError, max_output: Option<u64>, start: Instant) -> Exit {
    let error = error.to_string();
    if io::stderr().is_terminal() {
        log_line(&error);
    }
    let document = batch_document::without_targets(&error, start.elapsed(), max_output);
    print(document.as_bytes(), Exit::Usage)
}

fn exit(sink: &BatchSink<'_>, batch: &Batch) -> Exit {
    if sink.all_up() && batch.invalid.count == 0 {
        Exit::Up
    } else {
        Exit::Down
    }
}

/// The results of a batch as text.
pub struct TextResults {
    /// The table and the summary line.
    pub text: String,
    /// How many targets are up.
    pub up: usize,
    /// How many targets are down.
    pub down: usize,
}

/// Probes a batch whose format is [`BatchFormat::Text`], and returns the text instead of printing
/// it.
#[allow(clippy::disallowed_methods)]
pub fn text_results(batch: &Batch, policy: &Policy, colors: ColorMode) -> TextResults {
    let start = Instant::now();
    let mut sink = BatchSink::new(batch, None);
    let unreported = probe(batch, policy, None, start, &mut sink);
    sink.complete(&unreported);
    let summary = sink.summary.line(start.elapsed());
    let mut text = Vec::new();
    // Writing to a vector cannot fail.
    let _ = sink.write_table(&summary, colors, &mut text);
    TextResults {
        text: String::from_utf8_lossy(&text).into_owned(),
        up: sink.summary.up,
        down: sink.summary.down,
    }
}

/// The JSON document of a batch whose configuration cannot be read.
/// `max_output` is its limit, if that is a size.
pub fn without_targets(error: &str, max_output: &str) -> String {
    let max_output = parse::output_size(max_output).ok();
    batch_document::without_targets(error, Duration::ZERO, max_output)
}

/// The JSON document of the targets in this group of the configuration; of all without a group.
/// `config_error` is why a newer configuration is not in force.
///
/// # Errors
/// A usage error; nothing was sent. An error in the configuration is no error of this function: the
/// document contains it.
#[allow(clippy::disallowed_methods)]
pub fn json(
    group: &str,
    max_output: &str,
    deadline: Duration,
    config: &Configuration,
    config_error: Option<&str>,
    policy: &Policy,
) -> Result<String, SettingsError> {
    let start = Instant::now();
    let request = BatchRequest::groups(vec![group.to_owned()], max_output, deadline)?;
    let is_late = |time| start.elapsed() >= time;
    // The targets are those of the configuration.
    let batch = match batch::batch(request, config, is_late, |_| Ok(Vec::new())) {
        Err(error) if error.is_in_configuration() => {
            return Ok(without_targets(&error.to_string(), max_output));
        }
        batch => batch?,
    };
    let mut sink = BatchSink::new(&batch, None);
    sink.summary.error = machine_error(&batch, policy, config_error);
    let unreported = probe(&batch, policy, None, start, &mut sink);
    sink.complete(&unreported);
    let mut bytes = Vec::new();
    if let Some(document) = sink.document(start.elapsed()) {
        document
            .write(batch.wanted.max_output, &mut bytes)
            .map_err(|error| SettingsError::new(error.to_string()))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs the engine. Returns the failure to report for targets that the run did not reach.
#[allow(clippy::disallowed_methods)]
fn probe(
    batch: &Batch,
    policy: &Policy,
    stop: Option<&StopHandle>,
    start: Instant,
    sink: &mut (impl Sink + Send),
) -> Failure {
    let (limits, reasons) = limits::limits(&batch.bounds, &batch.plans, start.elapsed());
    let limits = Limits {
        stop: stop.map(StopHandle::watched),
        ..limits
    };
    if batch.transcript == Transcript::Shown {
        for reason in &reasons {
            log_line(reason);
        }
    }
    let seed = batch.seed.unwrap_or_else(random_seed);
    if batch.transcript == Transcript::Shown && batch.plans.len() > 1 {
        log_line(&format!("start order of the targets: --seed {seed}"));
    }
    let valid = batch.valid_plans();
    let mut source = Shuffled::new(&valid, seed);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(debug_assertions)]
        super::panic_if_tested();
        #[cfg(debug_assertions)]
        super::compute_if_tested();
        engine::run(
            &mut source,
            sink,
            policy,
            &limits,
            resolver_kind(batch.resolver),
        )
    }));
    match ran {
        Ok(Ok(())) => Failure::common(Status::NotTried, "the run ended before this probe started"),
        Ok(Err(error)) => Failure::common(Status::LocalError, error.to_string()),
        Err(_) => internal_error(),
    }
}

/// Names the limits that kept targets from being tried.
fn log_held_back(batch: &Batch, sink: &BatchSink<'_>) {
    if batch.transcript == Transcript::Silent {
        return;
    }
    for (bound, count) in &sink.held_back {
        let targets = if *count == 1 {
            "target was"
        } else {
            "targets were"
        };
        log_line(&format!(
            "{count} {targets} not tried before the run ended: {bound}"
        ));
    }
}

fn log_invalid_entries(batch: &Batch) {
    if batch.transcript == Transcript::Silent || batch.invalid.count == 0 {
        return;
    }
    let count = batch.invalid.count;
    let entries = if count == 1 { "entry" } else { "entries" };
    log_line(&format!("{count} invalid {entries}:"));
    for error in &batch.invalid.first {
        log_line(&error.to_string());
    }
}

/// Prints the results, except for the lines of `ndjson` that were printed during the run.
#[allow(clippy::disallowed_methods)]
fn print_results(
    sink: &mut BatchSink<'_>,
    batch: &Batch,
    mut output: StoppableOutput<'_>,
    start: Instant,
    exit: Exit,
) -> Exit {
    let elapsed = start.elapsed();
    match batch.wanted.format {
        BatchFormat::Text => {
            let summary = sink.summary.line(elapsed);
            print_to(&mut output, exit, |out| {
                let mut out = BufWriter::new(out);
                sink.write_table(&summary, color_mode(), &mut out)?;
                out.flush()
            })
        }
        BatchFormat::Ndjson => print_to(&mut output, exit, |_| sink.finish_stream()),
        BatchFormat::Sender => print_to(&mut output, exit, |out| {
            sink.write_sender_lines(BufWriter::new(out))
        }),
        BatchFormat::Json => {
            let mut bytes = 0;
            let max = batch.wanted.max_output;
            let exit = print_to(&mut output, exit, |out| match sink.document(elapsed) {
                Some(document) => document.write(max, out).map(|written| bytes = written),
                None => Ok(()),
            });
            if batch.transcript == Transcript::Shown {
                let warning = batch_document::size_warning(bytes);
                let lines = warning.into_iter();
                for line in lines.chain(cache_size::lines(batch.plans.len())) {
                    log_line(&line);
                }
            }
            exit
        }
    }
}
