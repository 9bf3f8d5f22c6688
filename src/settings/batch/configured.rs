//! Targets of the configuration: all, or those of some groups.

use std::collections::BTreeSet;

use crate::escape::escaped_prefix;
use crate::plan::TargetMeta;
use crate::settings::SettingsError;
use crate::settings::batch::listing::{Asked, Listing, bare};
use crate::settings::batch::methods::Own;
use crate::settings::config::{Config, TargetEntry};
use crate::settings::overrides::Overrides;
use crate::suggest::did_you_mean;

/// Adds the targets of these groups; all, where there are none.
///
/// # Errors
/// When a group is unknown, and the first mistake unless the caller said to keep going.
pub fn add(
    listing: &mut Listing<'_>,
    config: &Config,
    groups: &[&str],
) -> Result<(), SettingsError> {
    for group in groups {
        if !config
            .targets
            .iter()
            .any(|entry| entry.groups.iter().any(|known| known == group))
        {
            return Err(SettingsError::in_option("--group", unknown(config, group)));
        }
    }
    let wanted = |entry: &TargetEntry| {
        groups.is_empty()
            || entry
                .groups
                .iter()
                .any(|group| groups.contains(&group.as_str()))
    };
    for (number, entry) in config
        .targets
        .iter()
        .enumerate()
        .filter(|(_, entry)| wanted(entry))
    {
        listing.add(Ok(asked(number, entry)))?;
    }
    Ok(())
}

/// An empty list would delete what discovery found, so a group that nobody has is a mistake.
fn unknown(config: &Config, group: &str) -> String {
    /// More names help nobody.
    const SHOWN: usize = 20;
    let known: BTreeSet<&str> = config
        .targets
        .iter()
        .flat_map(|entry| &entry.groups)
        .map(String::as_str)
        .collect();
    let near = did_you_mean(group, known.iter().copied())
        .map(|near| format!("did you mean `{}`? ", escaped_prefix(near, 40)));
    let listed: Vec<_> = known
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", escaped_prefix(name, 40)))
        .collect();
    let listed = match listed.len() {
        0 => "no target has a group".to_owned(),
        count if count < known.len() => format!(
            "known are {} and {} more",
            listed.join(", "),
            known.len() - count
        ),
        _ => format!("known are {}", listed.join(", ")),
    };
    format!(
        "unknown group `{}`: {}{listed}",
        escaped_prefix(group, 40),
        near.unwrap_or_default()
    )
}

fn asked(number: usize, entry: &TargetEntry) -> Asked<'_> {
    let label = TargetMeta {
        id: entry.id.as_ref().map(|id| id.text.as_str().into()),
        name: entry.name.as_deref().map(Into::into),
        groups: entry
            .groups
            .iter()
            .map(|group| group.as_str().into())
            .collect(),
        zabbix_host: entry.zabbix_host.as_deref().map(Into::into),
    };
    let label = (label != TargetMeta::default()).then(|| Box::new(label));
    Asked {
        place: entry.place.clone(),
        hosts: entry.hosts.clone(),
        ports: bare(&entry.ports),
        service: entry.service.as_ref().map(|service| service.text.as_str()),
        own: own(number, &entry.overrides),
        label,
    }
}

/// Options without a dialogue are compared; each dialogue counts as one of its own.
fn own(number: usize, overrides: &Overrides) -> Own {
    let dialogue = (overrides.steps.is_some() || overrides.quit.is_some()).then_some(number);
    let key = match dialogue {
        Some(number) => number.to_string(),
        None => signature(overrides),
    };
    let key = if key == signature(&Overrides::default()) {
        String::new()
    } else {
        key
    };
    Own {
        overrides: overrides.clone(),
        key,
    }
}

/// The same text for the same options, wherever they stand.
fn signature(overrides: &Overrides) -> String {
    let Overrides {
        encoding,
        line_ends,
        max_bytes,
        timeout,
        addresses,
        source,
        interface,
        ..
    } = overrides;
    let Overrides {
        count,
        interval,
        require,
        want,
        close,
        ..
    } = overrides;
    let texts = [encoding, source, interface]
        .map(|written| written.as_ref().map(|written| written.text.as_str()));
    format!(
        "{texts:?} {line_ends:?} {max_bytes:?} {timeout:?} {addresses:?} {count:?} {interval:?} {require:?} {want:?} {close:?}"
    )
}
