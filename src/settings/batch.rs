//! The settings of `batch`: many targets, few methods.

mod as_toml;
mod bounds;
mod configured;
mod gather;
mod json;
mod lines;
mod listing;
mod methods;
mod printed;
mod shard;
pub mod unique;
mod words;

use std::collections::HashSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use crate::cli::batch::BatchArgs;
use crate::output::batch_format::{BatchFormat, BatchOutput, KeyPart};
use crate::plan::Plan;
use crate::settings::batch::listing::{AfterMistake, Listing};
use crate::settings::batch::methods::Methods;
use crate::settings::options::number;
use crate::settings::probe::resolver;
use crate::settings::{ResolverChoice, SettingsError, Transcript, configuration};
pub use bounds::{bounds, seed};
pub use gather::configured;
pub use methods::TIMEOUT;

/// Everything a `batch` needs.
#[derive(Debug)]
pub struct Fleet {
    /// The probes in input order; a plan's number is its index, and its label has an id where that is not `host:port`.
    pub plans: Vec<Arc<Plan>>,
    /// How many targets stood there again and are one entry.
    pub duplicates: usize,
    /// What was left out because it was wrong, where the caller said to keep going.
    pub invalid: Invalid,
    /// What is printed.
    pub wanted: BatchOutput,
    /// What the run may use.
    pub bounds: Bounds,
    /// What the order of starts is made from.
    pub seed: u64,
    /// How names are resolved.
    pub resolver: ResolverChoice,
    /// Whether the choices made are explained.
    pub transcript: Transcript,
}

/// Entries that are no targets.
#[derive(Debug, Default)]
pub struct Invalid {
    /// How many there were.
    pub count: usize,
    /// What was wrong with the first of them, at most [`Invalid::KEPT`].
    pub first: Vec<SettingsError>,
}

impl Invalid {
    /// How many mistakes are kept to be shown.
    pub const KEPT: usize = 20;
}

/// What a run may use; what is `None` is the program's to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Probes in flight at once.
    pub concurrency: Option<NonZeroUsize>,
    /// Connects started in a second; no limit where it is absent.
    pub rate: Option<NonZeroU32>,
    /// Probes in flight at once to one resolved address; no limit where it is absent.
    pub per_host: Option<NonZeroUsize>,
    /// Threads that probe.
    pub threads: Option<NonZeroUsize>,
    /// The time of the whole run, reading the targets included.
    pub deadline: Duration,
}

/// Connections of a good guest to one address.
const PER_HOST: NonZeroUsize = NonZeroUsize::new(16).unwrap();
/// More targets than these were hardly meant.
const MOST_TARGETS: usize = 65_536;
/// More than memory has room for.
const MOST_ALLOWED: u64 = 1 << 24;

/// What the options of `batch` mean; `input` reads standard input, for at most the time of the run.
///
/// # Errors
/// The first mistake found; nothing was sent.
pub fn batch(
    args: &BatchArgs,
    input: impl FnOnce(Duration) -> Result<Vec<u8>, SettingsError>,
) -> Result<Fleet, SettingsError> {
    let wanted = printed::wanted(args)?;
    let (bounds, seed) = (
        bounds(&args.limits, &args.deadline, Some(PER_HOST))?,
        seed(&args.limits)?,
    );
    let shard = shard::shard(&args.shard)?;
    let resolver = resolver(&args.probe.network)?;
    let most = number("--max-targets", &args.max_targets, MOST_ALLOWED)?;
    let most = most
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(MOST_TARGETS);
    let after = if args.keep_going {
        AfterMistake::KeepGoing
    } else {
        AfterMistake::Stop
    };
    let config = configuration(&args.probe.network.config)?;
    let mut listing = Listing::new(Methods::new(&config, &args.probe)?, most, after);
    gather::gather(args, &config, &mut listing, || input(bounds.deadline))?;
    let (mut plans, duplicates, invalid) = listing.finish()?;
    refuse_nothing_left(&plans, &invalid)?;
    if let Some(shard) = shard {
        plans.retain(|plan| shard.has(&plan.id()));
        (0..)
            .zip(&mut plans)
            .for_each(|(number, plan)| plan.index = number);
    }
    refuse_shared_items(&wanted, &plans)?;
    let transcript = if args.verbose {
        Transcript::Shown
    } else {
        Transcript::Silent
    };
    let mut plans: Vec<_> = plans.into_iter().map(Arc::new).collect();
    // It is collected in the place of what was longer, and stays until the end.
    plans.shrink_to_fit();
    Ok(Fleet {
        plans,
        duplicates,
        invalid,
        wanted,
        bounds,
        seed,
        resolver,
        transcript,
    })
}

/// An empty document would delete whatever was discovered.
fn refuse_nothing_left(plans: &[Plan], invalid: &Invalid) -> Result<(), SettingsError> {
    match invalid.first.first() {
        Some(mistake) if plans.is_empty() => Err(SettingsError::new(format!(
            "no target is without a mistake; the first of {}: {mistake}",
            invalid.count
        ))),
        _ => Ok(()),
    }
}

/// Values of several targets must not become those of one item.
fn refuse_shared_items(wanted: &BatchOutput, plans: &[Plan]) -> Result<(), SettingsError> {
    if wanted.format != BatchFormat::Sender || wanted.sender_key.0.contains(&KeyPart::Id) {
        return Ok(());
    }
    let host = |plan: &Plan| {
        plan.meta
            .as_ref()
            .and_then(|label| label.zabbix_host.clone())
    };
    let hosts: HashSet<_> = plans.iter().map(host).collect();
    if hosts.len() == plans.len() {
        return Ok(());
    }
    Err(SettingsError::in_option(
        "--sender-key",
        "has no word ID, so all targets of a host would share one item",
    ))
}

#[cfg(test)]
mod tests;
