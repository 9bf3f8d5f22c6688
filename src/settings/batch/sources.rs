//! Where targets come from: arguments, standard input, the configuration.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::escape::escaped_prefix;
use crate::plan::Plan;
use crate::settings::batch::invalid::Rows;
use crate::settings::batch::options::DEFAULT_DEADLINE;
use crate::settings::batch::spec_cache::SpecCache;
use crate::settings::batch::stdin;
use crate::settings::batch::target_list::{FinishedList, OnError, TargetList};
use crate::settings::config::{ConfigParts, Configuration, InvalidTarget};
use crate::settings::error::{Key, Location, SettingsError};
use crate::settings::request::ProbeRequest;
use crate::settings::target_spec::TargetSpec;
use crate::suggest::did_you_mean;

/// The error of a list without targets. An empty list would make Zabbix delete what it discovered.
const NO_TARGETS: &str = "no targets: give targets, give `-` to read standard input, or add [[targets]] to the configuration";

/// The configuration's targets of these groups, or all of them without groups, as a batch would
/// probe them. Those with an error have it.
///
/// `is_late` returns whether this time has passed since the start.
///
/// # Errors
/// An error that concerns all targets, or hides which ids some of them have; or the list is not
/// complete at the deadline of a batch.
pub fn configured(
    config: &Configuration,
    groups: &[String],
    is_late: impl Fn(Duration) -> bool,
) -> Result<Vec<Plan>, SettingsError> {
    let FinishedList {
        mut plans,
        invalid,
        rows,
        ..
    } = configured_list(config, groups, is_late)?;
    if let (Rows::Incomplete, Some(error)) = (rows, invalid.first.into_iter().next()) {
        return Err(error);
    }
    if plans.is_empty() {
        return Err(SettingsError::new(
            "no targets: add [[targets]] to the configuration",
        ));
    }
    keep_groups(&mut plans, groups);
    Ok(plans)
}

/// The errors in the list of all targets of the configuration, the first few of them.
pub fn list_errors(
    config: &Configuration,
    is_late: impl Fn(Duration) -> bool,
) -> Vec<SettingsError> {
    match configured_list(config, &[], is_late) {
        Ok(list) => list.invalid.first,
        Err(error) => vec![error],
    }
}

fn configured_list(
    config: &Configuration,
    groups: &[String],
    is_late: impl Fn(Duration) -> bool,
) -> Result<FinishedList, SettingsError> {
    let specs = SpecCache::new(config, ProbeRequest::default())?;
    let is_late = |_| is_late(DEFAULT_DEADLINE);
    let limit = config.target_limit(None)?;
    let mut list = TargetList::new(specs, limit, OnError::Stop, &is_late);
    add_configured(&mut list, config, &non_empty(groups))?;
    list.finish()
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
            list.add(TargetSpec::from_argument(target, list.limit).as_ref())?;
        }
    }
    if targets.is_empty() && groups.is_empty() && config.targets.is_empty() {
        return Err(SettingsError::new(NO_TARGETS));
    }
    if targets.is_empty() || !groups.is_empty() {
        add_configured(list, config, &groups)?;
    }
    Ok(())
}

/// Leaves only the groups that were asked for, if any were: a tag of Zabbix with several groups in
/// its value is found by none of them.
pub fn keep_groups(plans: &mut [Plan], asked: &[String]) {
    let asked = non_empty(asked);
    if asked.is_empty() {
        return;
    }
    for meta in plans.iter_mut().filter_map(|plan| plan.meta.as_mut()) {
        if meta.groups.len() > 1 {
            let groups = std::mem::take(&mut meta.groups).into_vec();
            meta.groups = groups
                .into_iter()
                .filter(|group| asked.iter().any(|asked| **asked == **group))
                .collect();
        }
    }
}

/// The parts of the configuration that a batch with these arguments and groups uses.
pub fn parts(targets: &[String], groups: &[String]) -> ConfigParts {
    if non_empty(targets).is_empty() || !non_empty(groups).is_empty() {
        ConfigParts::Targets
    } else {
        ConfigParts::Services
    }
}

/// The texts without empty ones: macros of Zabbix without a value.
pub fn non_empty(texts: &[String]) -> Vec<&str> {
    let texts = texts.iter().map(String::as_str);
    texts.filter(|text| !text.is_empty()).collect()
}

/// Adds the configuration's targets of these groups; all of them without groups.
fn add_configured(
    list: &mut TargetList<'_>,
    config: &Configuration,
    groups: &[&str],
) -> Result<(), SettingsError> {
    let is_in = |names: &[String], group: &str| names.iter().any(|name| name == group);
    let is_wanted =
        |names: &[String]| groups.is_empty() || groups.iter().any(|group| is_in(names, group));
    for group in groups {
        if !all_groups(config).any(|name| name == *group) {
            return Err(unknown_group(config, group));
        }
    }
    for target in &config.targets {
        let groups_of = match target {
            Ok(target) => Some(&target.groups[..]),
            Err(invalid) => invalid.groups.as_deref(),
        };
        if groups_of.is_none_or(is_wanted) {
            list.add_configured(target, groups)?;
        }
    }
    Ok(())
}

/// The groups of all targets, also of those with an error.
fn all_groups(config: &Configuration) -> impl Iterator<Item = &str> {
    let groups = config.targets.iter().filter_map(|target| match target {
        Ok(target) => Some(&target.groups),
        Err(invalid) => invalid.groups.as_ref(),
    });
    groups.flatten().map(String::as_str)
}

/// The error of a group without targets. An empty list would make Zabbix delete what it discovered.
fn unknown_group(config: &Configuration, group: &str) -> SettingsError {
    /// The most names that are shown.
    const MAX_SHOWN: usize = 20;
    let known: BTreeSet<&str> = all_groups(config).collect();
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
    // A target that has one error may have another one in the name of its group.
    let invalid = config.targets.iter().find_map(|one| one.as_ref().err());
    let error = invalid.map_or_else(String::new, |invalid| {
        format!("; a target has an error: {}", invalid.error)
    });
    let message = format!("unknown group `{group}`{hint}{list}{error}");
    let hides_groups = |target: &Result<_, InvalidTarget>| {
        target
            .as_ref()
            .is_err_and(|invalid| invalid.groups.is_none())
    };
    if config.targets.iter().any(hides_groups) {
        return SettingsError::at(&Location::Configuration, &Key::from("--group"), message);
    }
    SettingsError::in_option("--group", message)
}
