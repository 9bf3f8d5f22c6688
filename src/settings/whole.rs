//! Mistakes that only the whole configuration shows: ids that stand twice, services that do not exist, options that
//! contradict each other once services and defaults are merged.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::config::{Config, TargetEntry};
use super::dialogue::dialogue;
use super::method::method;
use super::plan::plan;
use super::wishes::{Place, Wishes};
use super::{Mistake, batch, services};
use crate::target::Target;

/// Every mistake of the configuration: those of its files, then those of the whole.
pub fn mistakes(config: &Config) -> Vec<Mistake> {
    let defaults = [Wishes::default()].into_iter();
    let own = defaults.chain(config.services.iter().map(|service| service.wishes.clone()));
    let mut found = config.mistakes.clone();
    found.extend(
        own.filter_map(|own| dialogue(&own.over(config.defaults.clone())).err())
            .flatten(),
    );
    let mut ids = BTreeSet::new();
    for entry in &config.targets {
        if let Some(id) = entry.id.as_ref().filter(|id| !ids.insert(&id.text)) {
            found.push(Mistake::at(
                &id.place,
                "this id stands twice: ids are unique over all files",
            ));
        }
        found.extend(target(config, entry).err().into_iter().flatten());
    }
    if found.is_empty() {
        // What only the list of all targets shows: two of one host and port that nothing tells apart.
        found.extend(batch::configured(config, &[]).err());
    }
    // One mistake in the defaults is one in every target.
    let mut told = BTreeSet::new();
    found.retain(|mistake| told.insert(mistake.to_string()));
    found
}

/// Makes the plan of a target's first host and port: the others differ in nothing that can be wrong.
fn target(config: &Config, entry: &TargetEntry) -> Result<(), Vec<Mistake>> {
    let service = entry.service.as_ref().map(|name| {
        services::find(config, &name.text).map_err(|why| vec![Mistake::at(&name.place, why)])
    });
    let own = service
        .transpose()?
        .map_or_else(Wishes::default, |service| service.wishes);
    let wishes = entry
        .wishes
        .clone()
        .over(own)
        .over_defaults(config.defaults.clone());
    let Some(port) = entry.ports.first().copied().or(wishes.port) else {
        return Err(vec![Mistake::at(
            &entry.place,
            "a target needs a `port`: its service has none",
        )]);
    };
    let Some(host) = entry.hosts.first().cloned() else {
        return Ok(());
    };
    let planned = method(&wishes, None).and_then(|method| {
        plan(&Arc::new(method), Target { host, port }, None).map_err(|mistake| vec![mistake])
    });
    let placed = |mistakes: Vec<Mistake>| {
        mistakes
            .into_iter()
            .map(|mistake| placed(&entry.place, mistake))
            .collect()
    };
    planned.map(drop).map_err(placed)
}

/// A mistake in an option becomes one of the target that has it.
fn placed(place: &Place, mistake: Mistake) -> Mistake {
    match bare(&mistake) {
        Some(text) => Mistake::at(place, text),
        None => mistake,
    }
}

/// What a mistake in an option says, where the option was not typed as one.
pub fn bare(mistake: &Mistake) -> Option<String> {
    mistake
        .to_string()
        .strip_prefix("--")
        .map(|text| text.replace("--", ""))
}
