//! `zbx-tcp batch`: many targets in one process, each with its verdict, printed as one document or line by line.

mod input;
mod progress;
mod sink;

use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::cli::batch::BatchArgs;
use crate::commands::batch::sink::Gathering;
use crate::commands::{CommandResult, Exit, internal_error, limits, log_line, paint, print_with};
use crate::engine;
use crate::engine::Limits;
use crate::failure::{Failure, Status};
use crate::os::stop::StopHandle;
use crate::output::batch_document;
use crate::output::batch_format::FleetFormat;
use crate::output::text::Paint;
use crate::policy::Policy;
use crate::settings::batch::Fleet;
use crate::settings::{Transcript, batch};
use crate::source::Shuffled;

/// Probes every target and prints what was asked for.
#[allow(clippy::disallowed_methods)]
pub fn run(args: &BatchArgs) -> CommandResult {
    let start = Instant::now();
    let fleet = batch::batch(args, Policy::system(), input::read)?;
    say_what_was_left_out(&fleet);
    // Without descriptors for it the signals keep their default action; a value is owed all the same.
    let stop = StopHandle::on_signals(Exit::Down.code().into()).ok();
    let mut gathering = Gathering::new(&fleet, stop.as_ref());
    let unreported = probe(&fleet, stop.as_ref(), start, &mut gathering);
    gathering.complete(&unreported);
    let exit = if gathering.all_up() && fleet.invalid.count == 0 {
        Exit::Up
    } else {
        Exit::Down
    };
    Ok(publish(gathering, &fleet, start, exit))
}

/// What a person sees of a fleet, and how many of its targets are up.
pub struct Shown {
    /// The table.
    pub page: String,
    /// How many are up.
    pub up: usize,
    /// How many are down.
    pub down: usize,
}

/// Probes a fleet that is printed as text, whatever it says of its output.
#[allow(clippy::disallowed_methods)]
pub fn show(fleet: &Fleet, paint: Paint) -> Shown {
    let start = Instant::now();
    let mut gathering = Gathering::new(fleet, None);
    let unreported = probe(fleet, None, start, &mut gathering);
    gathering.complete(&unreported);
    let sums = gathering.summary.sentence(start.elapsed());
    let page = gathering.table(&sums, paint);
    Shown {
        page,
        up: gathering.summary.up,
        down: gathering.summary.down,
    }
}

/// Runs the engine; what to report of targets that it did not get to.
#[allow(clippy::disallowed_methods)]
fn probe(
    fleet: &Fleet,
    stop: Option<&StopHandle>,
    start: Instant,
    gathering: &mut Gathering<'_>,
) -> Failure {
    let (limits, why) = limits::limits(&fleet.bounds, &fleet.plans, start.elapsed());
    let limits = Limits {
        stop: stop.map(StopHandle::watched),
        ..limits
    };
    if fleet.transcript == Transcript::Shown {
        why.iter().for_each(|why| log_line(why));
    }
    let mut source = Shuffled::new(&fleet.plans, fleet.seed);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(debug_assertions)]
        super::panic_if_tested();
        engine::run(&mut source, gathering, &limits, fleet.resolver.names())
    }));
    match ran {
        Ok(Ok(())) => Failure::new(Status::NotTried, "the run ended before its turn"),
        Ok(Err(error)) => Failure::new(
            Status::LocalError,
            format!("this machine could not wait for the network: {error}"),
        ),
        Err(_) => internal_error(),
    }
}

fn say_what_was_left_out(fleet: &Fleet) {
    if fleet.transcript == Transcript::Silent || fleet.invalid.count == 0 {
        return;
    }
    log_line(&format!(
        "{} entries are no targets and were left out:",
        fleet.invalid.count
    ));
    for mistake in &fleet.invalid.first {
        log_line(&mistake.to_string());
    }
}

/// Prints what is printed at the end.
#[allow(clippy::disallowed_methods)]
fn publish(mut gathering: Gathering<'_>, fleet: &Fleet, start: Instant, exit: Exit) -> Exit {
    let elapsed = start.elapsed();
    match fleet.wanted.format {
        FleetFormat::Text => {
            let sums = gathering.summary.sentence(elapsed);
            let page = gathering.table(&sums, paint());
            print_with(exit, |out| out.write_all(page.as_bytes()))
        }
        FleetFormat::Ndjson => print_with(exit, |_| gathering.end()),
        FleetFormat::Sender => print_with(exit, |out| gathering.lines(BufWriter::new(out))),
        FleetFormat::Json => {
            let mut bytes = 0;
            let exit = print_with(exit, |out| match gathering.document(elapsed) {
                Some(document) => document.write(out).map(|written| bytes = written),
                None => Ok(()),
            });
            if let Some(warning) =
                batch_document::oversize(bytes).filter(|_| fleet.transcript == Transcript::Shown)
            {
                log_line(&warning);
            }
            exit
        }
    }
}
