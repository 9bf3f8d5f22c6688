//! `zbx-tcp batch`: many targets in one process, each with its verdict, printed as one document or line by line.

mod gathering;
mod input;
mod progress;
mod stop;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::{Done, Exit, explain, internal_error, paint, print_with};
use crate::cli::batch::BatchArgs;
use crate::engine::{self, Limits, sys};
use crate::failure::{Failure, Status};
use crate::output::wanted::FleetFormat;
use crate::output::{fleet, table};
use crate::policy::Policy;
use crate::settings::Transcript;
use crate::settings::batch::{self, Fleet};
use crate::source::Shuffled;
use gathering::Gathering;
use stop::Stop;

/// Probes every target and prints what was asked for.
#[allow(clippy::disallowed_methods)]
pub fn run(args: &BatchArgs) -> Done {
    let start = Instant::now();
    let fleet = batch::batch(args, Policy::system(), input::read)?;
    say_what_was_left_out(&fleet);
    // Without descriptors for it the signals keep their default action; a value is owed all the same.
    let stop = Stop::on_signals().ok();
    let mut gathering = Gathering::new(&fleet, stop.as_ref());
    let unreported = probe(&fleet, stop.as_ref(), start, &mut gathering);
    gathering.complete(&unreported);
    let exit = if gathering.all_up() && fleet.invalid.count == 0 { Exit::Good } else { Exit::Bad };
    Ok(publish(gathering, &fleet, start, exit))
}

/// Runs the engine; what to report of targets that it did not get to.
#[allow(clippy::disallowed_methods)]
fn probe(fleet: &Fleet, stop: Option<&Stop>, start: Instant, gathering: &mut Gathering<'_>) -> Failure {
    let limits = Limits {
        per_address: fleet.bounds.per_host,
        rate: fleet.bounds.rate,
        deadline: Some(fleet.bounds.deadline.saturating_sub(start.elapsed())),
        stop: stop.map(Stop::watched),
        threads: fleet.bounds.threads.unwrap_or(NonZeroUsize::MIN),
        ..Limits::in_flight(in_flight(fleet))
    };
    let mut source = Shuffled::new(&fleet.plans, fleet.seed);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(debug_assertions)]
        super::panic_if_tested();
        engine::run(&mut source, gathering, &limits, fleet.resolver.names())
    }));
    match ran {
        Ok(Ok(())) => Failure::new(Status::NotTried, "the run ended before its turn"),
        Ok(Err(error)) => {
            Failure::new(Status::LocalError, format!("this machine could not wait for the network: {error}"))
        }
        Err(_) => internal_error(),
    }
}

/// Descriptors that are not for probes: the three of every program, the signals', the loops' and the resolver's.
const RESERVED: u64 = 64;

/// How many probes are in flight at once: what was asked for, else as many as this machine has descriptors for.
///
/// Ports are no limit: without a bind the kernel shares them between destinations, and one destination has few at once.
fn in_flight(fleet: &Fleet) -> NonZeroUsize {
    if let Some(asked) = fleet.bounds.concurrency {
        return asked;
    }
    let descriptors = sys::raise_descriptor_limit().unwrap_or(1024);
    let room = descriptors.saturating_sub(RESERVED).max(descriptors / 2);
    let threads = fleet.bounds.threads.map_or(1, NonZeroUsize::get);
    let room = usize::try_from(room).unwrap_or(usize::MAX).saturating_mul(threads);
    if fleet.transcript == Transcript::Shown {
        let text = format!("at most {room} probes at once: so many does the limit of {descriptors} descriptors allow");
        explain(&format!("{text} (--concurrency sets another number)"));
    }
    NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN)
}

fn say_what_was_left_out(fleet: &Fleet) {
    if fleet.transcript == Transcript::Silent || fleet.invalid.count == 0 {
        return;
    }
    explain(&format!("{} entries are no targets and were left out:", fleet.invalid.count));
    for mistake in &fleet.invalid.first {
        explain(&mistake.to_string());
    }
}

/// Prints what is printed at the end.
#[allow(clippy::disallowed_methods)]
fn publish(mut gathering: Gathering<'_>, fleet: &Fleet, start: Instant, exit: Exit) -> Exit {
    let elapsed = start.elapsed();
    match fleet.wanted.format {
        FleetFormat::Text => {
            let sums = table::sums(&mut gathering.summary, fleet.duplicates, elapsed);
            let page = gathering.table(&sums, paint());
            print_with(exit, |out| out.write_all(page.as_bytes()))
        }
        FleetFormat::Ndjson => print_with(exit, |_| gathering.end()),
        FleetFormat::Sender => {
            print_with(exit, |out| fleet.plans.iter().try_for_each(|plan| out.write_all(gathering.found(plan.number))))
        }
        FleetFormat::Json => {
            let mut bytes = 0;
            let exit = print_with(exit, |out| match gathering.document(elapsed) {
                Some(document) => document.write(out).map(|written| bytes = written),
                None => Ok(()),
            });
            if let Some(warning) = fleet::oversize(bytes).filter(|_| fleet.transcript == Transcript::Shown) {
                explain(&warning);
            }
            exit
        }
    }
}
