//! Errors that only the whole configuration shows: duplicate ids, unknown services, options that
//! contradict each other once services and defaults are merged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::address::Target;
use crate::escape::escaped_prefix;
use crate::settings::batch::{self, SpecCache};
use crate::settings::build::{in_target, plan, service_errors};
use crate::settings::config::Configuration;
use crate::settings::error::SettingsError;
use crate::settings::overrides::Overrides;
use crate::settings::request::ProbeRequest;
use crate::settings::starttls;
use crate::settings::target_spec::TargetSpec;
use crate::settings::tls_build::{self, TlsLayers};

/// Every error of the configuration: those of its files, then those of the whole.
///
/// `is_late` returns whether this time has passed since the start.
pub fn errors(config: &Configuration, is_late: impl Fn(Duration) -> bool) -> Vec<SettingsError> {
    let mut errors = config.errors.clone();
    let services = config
        .services
        .values()
        .filter_map(|read| read.as_ref().ok());
    let mut layers = TlsLayers::default();
    for service in std::iter::once(None).chain(services.map(Some)) {
        let merged = starttls::merged(Overrides::default(), service, config.defaults.clone());
        match merged {
            Ok(merged) => {
                errors.extend(service_errors(&merged));
                errors.extend(tls_build::errors(&merged, &mut layers));
            }
            Err(error) => errors.push(error),
        }
    }
    let mut ids = BTreeSet::new();
    for target in config.targets.iter().filter_map(|read| read.as_ref().ok()) {
        if let Some(id) = target.id.as_ref().filter(|id| !ids.insert(&id.text)) {
            errors.push(id.error("duplicate id: ids must be unique in all files"));
        }
    }
    errors.extend(target_errors(config));
    if errors.is_empty() && !config.targets.is_empty() {
        // Two targets with the same host and port, and without any other difference, are only found
        // in the list of all targets.
        errors.extend(batch::list_errors(config, is_late));
    }
    // An error in the defaults is found once for every service and target.
    let mut seen = BTreeSet::new();
    errors.retain(|error| seen.insert(error.to_string()));
    errors
}

/// What is allowed in the configuration, and confusing in Zabbix: names that several targets have.
/// The graphs of a discovery rule have these names, and Zabbix creates only the first of them.
pub fn warnings(config: &Configuration) -> Vec<String> {
    /// The most names that are shown.
    const MAX_SHOWN: usize = 20;
    let mut named: BTreeMap<&str, Vec<&TargetSpec>> = BTreeMap::new();
    for target in config.targets.iter().filter_map(|read| read.as_ref().ok()) {
        if let Some(name) = &target.name {
            named.entry(name).or_default().push(target);
        }
    }
    let repeated = named.iter().filter(|(_, targets)| targets.len() > 1);
    let warning = |(name, targets): (&&str, &Vec<&TargetSpec>)| {
        let first = targets.first()?;
        let second = targets.get(1)?;
        let name = escaped_prefix(name, 60);
        let others = match targets.len() {
            2 => String::new(),
            count => format!(" ({count} targets in all)"),
        };
        let why = format!(
            "warning: has the same name `{name}` as {}{others}: give each target a different `name`",
            first.key
        );
        Some(second.error(why).to_string())
    };
    repeated.filter_map(warning).take(MAX_SHOWN).collect()
}

/// The errors of every target with its service and the defaults.
fn target_errors(config: &Configuration) -> Vec<SettingsError> {
    let specs = SpecCache::new(config, ProbeRequest::default());
    let mut specs = match specs {
        Ok(specs) => specs,
        Err(error) => return vec![error],
    };
    let mut errors = Vec::new();
    for target in config.targets.iter().filter_map(|read| read.as_ref().ok()) {
        let mut services: Vec<_> = target
            .ports
            .iter()
            .map(|entry| entry.service.as_deref())
            .collect();
        services.dedup();
        if services.is_empty() {
            services.push(None);
        }
        for service in services {
            errors.extend(spec_errors(&mut specs, target, service));
        }
    }
    errors
}

/// The errors of a target's first host and port: the others do not differ in anything that could be
/// wrong.
fn spec_errors(
    specs: &mut SpecCache<'_>,
    target: &TargetSpec,
    service: Option<&str>,
) -> Vec<SettingsError> {
    let cached = match specs.get(target, service) {
        Ok(cached) => cached,
        Err(errors) => return errors,
    };
    let port = target.ports.first().map(|entry| entry.port);
    let Some(port) = port.or(cached.port) else {
        return vec![target.error("a target needs a `port`: its service has none")];
    };
    let host = target.hosts.first();
    let plan = plan(&cached.spec, Target { host, port }, &cached.family);
    let error = plan.err().map(|error| in_target(target, error));
    error.into_iter().collect()
}
