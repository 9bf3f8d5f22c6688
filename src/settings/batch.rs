//! The settings of `batch`: many targets, few specs.

mod dedup;
mod invalid;
mod json_object;
mod options;
mod shard;
mod sources;
mod spec_cache;
mod stdin;
mod target_list;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::escape::escaped_prefix;
use crate::output::batch_format::{BatchFormat, BatchOutput, KeyPart, SenderMetric};
use crate::plan::Plan;
use crate::settings::batch::target_list::TargetList;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::error::SettingsError;
use crate::settings::request::{ResolverChoice, Transcript};
pub use dedup::{Draft, DraftOrigin, assign_ids, without_repeats};
pub use invalid::{Invalid, Rows};
pub use options::{BatchRequest, Bounds, bounds, seed};
pub use shard::Shard;
use sources::non_empty;
pub use sources::{configured, list_errors, parts};
pub use spec_cache::{SpecCache, TARGET_TIMEOUT};
pub use target_list::OnError;

/// Everything a `batch` needs.
#[derive(Debug)]
pub struct Batch {
    /// The probes in input order. A plan's number is its index; its label has an id unless that is
    /// `host:port`.
    pub plans: Vec<Arc<Plan>>,
    /// How many targets were repeats of others.
    pub duplicates: usize,
    /// The entries with errors.
    pub invalid: Invalid,
    /// Whether every target has its row for low-level discovery.
    pub rows: Rows,
    /// What is printed.
    pub wanted: BatchOutput,
    /// What the run may use.
    pub bounds: Bounds,
    /// The seed of the randomized start order; each run has its own without it.
    pub seed: Option<u64>,
    /// How names are resolved.
    pub resolver: ResolverChoice,
    /// Whether the chosen limits are explained on standard error.
    pub transcript: Transcript,
}

impl Batch {
    /// The targets that are probed: those without an error.
    pub fn valid_plans(&self) -> Cow<'_, [Arc<Plan>]> {
        let is_valid = |plan: &&Arc<Plan>| plan.error().is_none();
        if self.plans.iter().all(|plan| is_valid(&plan)) {
            return Cow::Borrowed(&self.plans);
        }
        self.plans.iter().filter(is_valid).cloned().collect()
    }
}

/// Merges a request with the configuration and builds the list of targets. `is_late` returns
/// whether this time has passed since the start of the run; `input` reads standard input, for at
/// most the time of the run.
///
/// # Errors
/// The first error found; nothing was sent. An error in one target of the configuration is its
/// result instead.
pub fn batch(
    request: BatchRequest,
    config: &Configuration,
    is_late: impl Fn(Duration) -> bool,
    input: impl FnOnce(Duration) -> Result<Vec<u8>, SettingsError>,
) -> Result<Batch, SettingsError> {
    let parts = parts(&request.targets, &request.groups);
    let has_arguments = !non_empty(&request.targets).is_empty();
    let built = build(request, config, is_late, input);
    match parts {
        // Only the configuration can have too many targets, or none.
        ConfigParts::Targets if !has_arguments => built.map_err(SettingsError::or_in_configuration),
        _ => built,
    }
}

fn build(
    request: BatchRequest,
    config: &Configuration,
    is_late: impl Fn(Duration) -> bool,
    input: impl FnOnce(Duration) -> Result<Vec<u8>, SettingsError>,
) -> Result<Batch, SettingsError> {
    let BatchRequest {
        probe,
        targets,
        groups,
        mut wanted,
        bounds,
        seed,
        shard,
        max_targets,
        on_error,
        transcript,
    } = request;
    let resolver = probe.resolver;
    wanted.max_output = wanted.max_output.or(config.max_output);
    let specs = SpecCache::new(config, probe)?;
    let limit = config.target_limit(max_targets)?;
    let is_late = |targets| is_late(bounds.probing_time(targets));
    let mut list = TargetList::new(specs, limit, on_error, &is_late);
    sources::add(&mut list, config, &targets, &groups, || {
        input(bounds.deadline)
    })?;
    let list = list.finish()?;
    let mut plans = list.plans;
    sources::keep_groups(&mut plans, &groups);
    reject_nothing_left(&plans, &list.invalid, &wanted)?;
    if let Some(shard) = shard {
        plans.retain(|plan| shard.contains(&plan.id()));
        (0..)
            .zip(&mut plans)
            .for_each(|(number, plan)| plan.index = number);
    }
    reject_shared_items(&wanted, &plans)?;
    reject_unknown_captures(&wanted, &plans)?;
    let mut plans: Vec<_> = plans.into_iter().map(Arc::new).collect();
    // `collect` reuses the allocation of the longer elements, which would be kept until the end of
    // the run.
    plans.shrink_to_fit();
    Ok(Batch {
        plans,
        duplicates: list.duplicates,
        invalid: list.invalid,
        rows: list.rows,
        wanted,
        bounds,
        seed,
        resolver,
        transcript,
    })
}

/// An empty list of rows would make Zabbix delete what it discovered. Only a document can do without
/// rows, and say why.
fn reject_nothing_left(
    plans: &[Plan],
    invalid: &Invalid,
    wanted: &BatchOutput,
) -> Result<(), SettingsError> {
    if wanted.format == BatchFormat::Json && invalid.in_configuration().is_some() {
        return Ok(());
    }
    match invalid.first.first() {
        Some(error) if plans.is_empty() => Err(SettingsError::new(format!(
            "no target is valid (invalid: {}); first error: {error}",
            invalid.count
        ))),
        _ => Ok(()),
    }
}

/// Values of several targets must not become those of one item.
fn reject_shared_items(wanted: &BatchOutput, plans: &[Plan]) -> Result<(), SettingsError> {
    if wanted.format != BatchFormat::Sender || wanted.sender_key.0.contains(&KeyPart::Id) {
        return Ok(());
    }
    let host = |plan: &Plan| {
        plan.meta
            .as_ref()
            .and_then(|label| label.zabbix_host.clone())
    };
    let hosts: HashSet<_, RandomState> = plans.iter().map(host).collect();
    if hosts.len() == plans.len() {
        return Ok(());
    }
    Err(SettingsError::in_option(
        "--sender-key",
        "must contain ID: otherwise all targets of a host would have the same item key",
    ))
}

/// A capture that no target has would never have a value.
fn reject_unknown_captures(wanted: &BatchOutput, plans: &[Plan]) -> Result<(), SettingsError> {
    for metric in &wanted.metrics {
        let SenderMetric::Capture(path) = metric else {
            continue;
        };
        let name = path
            .strip_prefix(SenderMetric::CAPTURES)
            .unwrap_or_default();
        // The options of a target that is not probed are not known.
        let has =
            |plan: &Plan| plan.error().is_some() || plan.spec.captures().any(|known| known == name);
        if !plans.is_empty() && !plans.iter().any(has) {
            let name = escaped_prefix(name, 40);
            return Err(SettingsError::in_option(
                "--metrics",
                format!("no step of any target captures `{name}`: add a group `(?<{name}>...)`"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
