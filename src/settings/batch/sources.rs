//! Where targets come from: arguments, standard input, the configuration.

use std::collections::BTreeSet;

use crate::escape::escaped_prefix;
use crate::plan::Plan;
use crate::settings::batch::spec_cache::SpecCache;
use crate::settings::batch::stdin;
use crate::settings::batch::target_list::{OnError, TargetList};
use crate::settings::config::Configuration;
use crate::settings::error::SettingsError;
use crate::settings::request::ProbeRequest;
use crate::settings::target_spec::TargetSpec;
use crate::suggest::did_you_mean;

/// The configuration's targets of these groups, or all of them without groups, as a batch would
/// probe them.
///
/// # Errors
/// The first error found.
pub fn configured(config: &Configuration, groups: &[String]) -> Result<Vec<Plan>, SettingsError> {
    let specs = SpecCache::new(config, ProbeRequest::default())?;
    // The limit of a batch is an option of the batch.
    let mut list = TargetList::new(specs, usize::MAX, OnError::Stop);
    add_configured(&mut list, config, &non_empty(groups))?;
    Ok(list.finish()?.plans)
}

/// Adds the targets in the order of the arguments; the configuration's if there are no arguments.
/// `input` reads standard input.
///
/// # Errors
/// The first error, unless erroneous targets are skipped; no targets in any case.
pub fn add(
    list: &mut TargetList<'_>,
    config: &Configuration,
    targets: &[String],
    groups: &[String],
    input: impl FnOnce() -> Result<Vec<u8>, SettingsError>,
) -> Result<(), SettingsError> {
    let (groups, targets) = (non_empty(groups), non_empty(targets));
    let mut input = Some(input);
    for target in &targets {
        if *target == "-" {
            let read = input.take().ok_or_else(|| {
                SettingsError::new(
                    "`-` is given more than once: standard input can be read only once",
                )
            })?;
            stdin::add(list, &read()?)?;
        } else {
            list.add(TargetSpec::from_argument(target, list.max).as_ref())?;
        }
    }
    if targets.is_empty() && groups.is_empty() && config.targets.is_empty() {
        return Err(SettingsError::new(
            "no targets: give targets, give `-` to read standard input, or add [[targets]] to the configuration",
        ));
    }
    if targets.is_empty() || !groups.is_empty() {
        add_configured(list, config, &groups)?;
    }
    Ok(())
}

fn non_empty(texts: &[String]) -> Vec<&str> {
    let texts = texts.iter().map(String::as_str);
    texts.filter(|text| !text.is_empty()).collect()
}

/// Adds the configuration's targets of these groups; all of them without groups.
fn add_configured(
    list: &mut TargetList<'_>,
    config: &Configuration,
    groups: &[&str],
) -> Result<(), SettingsError> {
    let is_in = |target: &TargetSpec, group: &str| target.groups.iter().any(|name| name == group);
    for group in groups {
        if !config.targets.iter().any(|target| is_in(target, group)) {
            let message = unknown_group(config, group);
            return Err(SettingsError::in_option("--group", message));
        }
    }
    let is_wanted =
        |target: &&TargetSpec| groups.is_empty() || groups.iter().any(|group| is_in(target, group));
    config
        .targets
        .iter()
        .filter(is_wanted)
        .try_for_each(|target| list.add(Ok(target)))
}

/// The error of a group without targets. An empty list would make Zabbix delete what it discovered.
fn unknown_group(config: &Configuration, group: &str) -> String {
    /// The most names that are shown.
    const MAX_SHOWN: usize = 20;
    let known: BTreeSet<&str> = config
        .targets
        .iter()
        .flat_map(|target| &target.groups)
        .map(String::as_str)
        .collect();
    let hint = did_you_mean(group, known.iter().copied())
        .map(|near| format!(": did you mean `{}`?", escaped_prefix(near, 40)))
        .unwrap_or_default();
    let shown: Vec<_> = known
        .iter()
        .take(MAX_SHOWN)
        .map(|name| format!("`{}`", escaped_prefix(name, 40)))
        .collect();
    let shown = shown.join(", ");
    let list = match known.len() {
        0 => ": no target has a group".to_owned(),
        count if count > MAX_SHOWN => {
            format!(" (known groups: {shown} and {} more)", count - MAX_SHOWN)
        }
        _ => format!(" (known groups: {shown})"),
    };
    let group = escaped_prefix(group, 40);
    format!("unknown group `{group}`{hint}{list}")
}
