//! Mistakes that only the whole configuration shows: ids that stand twice, services that do not exist, options that
//! contradict each other once services and defaults are merged.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::address::Target;
use crate::settings::build::spec;
use crate::settings::config::{Config, TargetEntry};
use crate::settings::dialogue::dialogue;
use crate::settings::overrides::{Location, Overrides};
use crate::settings::plan::plan;
use crate::settings::{SettingsError, batch, services};

/// Every mistake of the configuration: those of its files, then those of the whole.
pub fn mistakes(config: &Config) -> Vec<SettingsError> {
    let defaults = [Overrides::default()].into_iter();
    let own = defaults.chain(
        config
            .services
            .iter()
            .map(|service| service.overrides.clone()),
    );
    let mut found = config.mistakes.clone();
    found.extend(
        own.filter_map(|own| dialogue(&own.over(config.defaults.clone())).err())
            .flatten(),
    );
    let mut ids = BTreeSet::new();
    for entry in &config.targets {
        if let Some(id) = entry.id.as_ref().filter(|id| !ids.insert(&id.text)) {
            found.push(SettingsError::at(
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
fn target(config: &Config, entry: &TargetEntry) -> Result<(), Vec<SettingsError>> {
    let service = entry.service.as_ref().map(|name| {
        services::find(config, &name.text).map_err(|why| vec![SettingsError::at(&name.place, why)])
    });
    let own = service
        .transpose()?
        .map_or_else(Overrides::default, |service| service.overrides);
    let overrides = entry
        .overrides
        .clone()
        .over(own)
        .over_defaults(config.defaults.clone());
    let Some(port) = entry.ports.first().copied().or(overrides.port) else {
        return Err(vec![SettingsError::at(
            &entry.place,
            "a target needs a `port`: its service has none",
        )]);
    };
    let Some(host) = entry.hosts.first().cloned() else {
        return Ok(());
    };
    let planned = spec(&overrides, None).and_then(|spec| {
        plan(&Arc::new(spec), Target { host, port }, None).map_err(|mistake| vec![mistake])
    });
    let placed = |mistakes: Vec<SettingsError>| {
        mistakes
            .into_iter()
            .map(|mistake| placed(&entry.place, mistake))
            .collect()
    };
    planned.map(drop).map_err(placed)
}

/// A mistake in an option becomes one of the target that has it.
fn placed(place: &Location, mistake: SettingsError) -> SettingsError {
    match bare(&mistake) {
        Some(text) => SettingsError::at(place, text),
        None => mistake,
    }
}

/// What a mistake in an option says, where the option was not typed as one.
pub fn bare(mistake: &SettingsError) -> Option<String> {
    mistake
        .to_string()
        .strip_prefix("--")
        .map(|text| text.replace("--", ""))
}
