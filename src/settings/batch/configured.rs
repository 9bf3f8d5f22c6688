//! Targets of the configuration: all, or those of some groups.

use std::collections::BTreeSet;

use super::super::Mistake;
use super::super::config::{Config, TargetEntry};
use super::super::wishes::Wishes;
use super::listing::{Asked, Listing, bare};
use super::methods::Own;
use crate::nearest::nearest;
use crate::plan::Label;
use crate::printable::shown;

/// Adds the targets of these groups; all, where there are none.
///
/// # Errors
/// When a group is unknown, and the first mistake unless the caller said to keep going.
pub fn add(listing: &mut Listing<'_>, config: &Config, groups: &[&str]) -> Result<(), Mistake> {
    for group in groups {
        if !config
            .targets
            .iter()
            .any(|entry| entry.groups.iter().any(|known| known == group))
        {
            return Err(Mistake::in_option("--group", unknown(config, group)));
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
    let near = nearest(group, known.iter().copied())
        .map(|near| format!("did you mean `{}`? ", shown(near, 40)));
    let listed: Vec<_> = known
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", shown(name, 40)))
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
        shown(group, 40),
        near.unwrap_or_default()
    )
}

fn asked(number: usize, entry: &TargetEntry) -> Asked<'_> {
    let label = Label {
        id: entry.id.as_ref().map(|id| id.text.as_str().into()),
        name: entry.name.as_deref().map(Into::into),
        groups: entry
            .groups
            .iter()
            .map(|group| group.as_str().into())
            .collect(),
        zabbix_host: entry.zabbix_host.as_deref().map(Into::into),
    };
    let label = (label != Label::default()).then(|| Box::new(label));
    Asked {
        place: entry.place.clone(),
        hosts: entry.hosts.clone(),
        ports: bare(&entry.ports),
        service: entry.service.as_ref().map(|service| service.text.as_str()),
        own: own(number, &entry.wishes),
        label,
    }
}

/// Options without a dialogue are compared; each dialogue counts as one of its own.
fn own(number: usize, wishes: &Wishes) -> Own {
    let dialogue = (wishes.steps.is_some() || wishes.quit.is_some()).then_some(number);
    let key = match dialogue {
        Some(number) => number.to_string(),
        None => signature(wishes),
    };
    let key = if key == signature(&Wishes::default()) {
        String::new()
    } else {
        key
    };
    Own {
        wishes: wishes.clone(),
        key,
    }
}

/// The same text for the same options, wherever they stand.
fn signature(wishes: &Wishes) -> String {
    let Wishes {
        encoding,
        line_ends,
        max_bytes,
        timeout,
        addresses,
        source,
        interface,
        ..
    } = wishes;
    let Wishes {
        count,
        interval,
        require,
        want,
        close,
        ..
    } = wishes;
    let texts = [encoding, source, interface]
        .map(|written| written.as_ref().map(|written| written.text.as_str()));
    format!(
        "{texts:?} {line_ends:?} {max_bytes:?} {timeout:?} {addresses:?} {count:?} {interval:?} {require:?} {want:?} {close:?}"
    )
}
