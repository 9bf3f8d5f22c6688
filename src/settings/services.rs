//! Named services: those of the configuration, then the built-in ones, which are files in the same
//! format.

use std::collections::BTreeMap;

use crate::address::Port;
use crate::escape::escaped_prefix;
use crate::settings::built_in::{FILE_NAME, FILES, names, section};
use crate::settings::config::{Configuration, Service};
use crate::settings::error::{Located, SettingsError};
use crate::settings::overrides::Overrides;
use crate::settings::tls_overrides::TlsStart;
use crate::suggest::did_you_mean;

/// Names that are reserved for the TLS variants of built-in services.
const WITH_TLS: [&str; 11] = [
    "https",
    "smtps",
    "submissions",
    "imaps",
    "pop3s",
    "ftps",
    "nntps",
    "ldaps",
    "ircs",
    "mqtts",
    "amqps",
];

/// Where a service is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceOrigin {
    /// In this program.
    BuiltIn,
    /// In the configuration.
    Config,
}

/// Finds the service of this name.
///
/// # Errors
/// When there is none; a similar name is suggested. The first error in it, if there are any.
pub fn find(config: &Configuration, name: &str) -> Result<Service, SettingsError> {
    if let Some(own) = config.services.get(name) {
        return own.clone();
    }
    if let Some(section) = section(name) {
        let mut read = Configuration::from_text(FILE_NAME, section);
        return read
            .services
            .remove(name)
            .unwrap_or_else(|| Err(SettingsError::first(read.errors)));
    }
    if WITH_TLS.contains(&name) {
        return Err(SettingsError::new(format!(
            "service `{name}` requires TLS, which is not supported yet"
        )));
    }
    let own = config.services.keys().map(String::as_str);
    let mut known: Vec<&str> = own.collect();
    names().for_each(|name| known.push(name));
    let hint = match did_you_mean(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`zbx-tcp services` lists them".to_owned(),
    };
    Err(SettingsError::new(format!(
        "unknown service `{}`: {hint}",
        escaped_prefix(name, 40)
    )))
}

/// The ending of the names of built-in services that start TLS in the middle of the dialogue.
const STARTTLS: &str = "_starttls";

/// The service whose dialogue starts TLS in this protocol. Only built-in ones: those of the
/// configuration may have secrets, which only their own hosts may receive.
///
/// # Errors
/// When there is none; a similar name is suggested.
pub fn starttls(protocol: &Located) -> Result<Service, SettingsError> {
    if let Some(section) = section(&format!("{}{STARTTLS}", protocol.text)) {
        let config = Configuration::from_text(FILE_NAME, section);
        if let Some(service) = config.services.into_values().next() {
            return service;
        }
    }
    let known: Vec<_> = names()
        .filter_map(|name| name.strip_suffix(STARTTLS))
        .collect();
    let hint = match did_you_mean(&protocol.text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", known.join(", ")),
    };
    let name = escaped_prefix(&protocol.text, 40);
    Err(protocol.error(format!("no STARTTLS is known for `{name}`: {hint}")))
}

/// Refuses to start TLS by the dialogue of a protocol before that of a service which was written
/// without TLS: both would expect the greeting.
///
/// # Errors
/// The service has steps, and others were not given.
pub fn reject_starttls(own: &Overrides, service: Option<&Service>) -> Result<(), SettingsError> {
    let start = own.tls.as_ref().and_then(|tls| tls.start.as_ref());
    let (Some(TlsStart::After(protocol)), Some(service)) = (start, service) else {
        return Ok(());
    };
    if own.steps.is_some() || service.overrides.steps.is_none() {
        return Ok(());
    }
    let name = &service.name;
    let other = format!("{name}{STARTTLS}");
    let remedy = match section(&other) {
        Some(_) => format!("use the service `{other}` instead"),
        None => "write `starttls` into the service".to_owned(),
    };
    Err(protocol.error(format!(
        "cannot be combined with the dialogue of the service `{name}`: {remedy}"
    )))
}

/// The port of targets without one, where TLS starts by the dialogue of a protocol.
pub fn starttls_port(overrides: &Overrides) -> Option<Port> {
    match overrides.tls.as_ref()?.start.as_ref()? {
        TlsStart::After(protocol) => starttls(protocol).ok()?.overrides.port,
        TlsStart::AtConnect | TlsStart::Never => None,
    }
}

/// Whether there is a service of this name, usable or not.
pub fn is_known(config: &Configuration, name: &str) -> bool {
    config.services.contains_key(name) || section(name).is_some() || WITH_TLS.contains(&name)
}

/// All services, sorted by name. A service of the configuration replaces the built-in one of the
/// same name.
///
/// # Errors
/// The first error in one of them.
pub fn all(config: &Configuration) -> Result<Vec<(Service, ServiceOrigin)>, SettingsError> {
    let mut all = BTreeMap::new();
    for text in FILES {
        for (name, service) in Configuration::from_text(FILE_NAME, text).services {
            all.insert(name, (service?, ServiceOrigin::BuiltIn));
        }
    }
    for (name, service) in &config.services {
        all.insert(name.clone(), (service.clone()?, ServiceOrigin::Config));
    }
    Ok(all.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::dialogue::dialogue;

    #[test]
    fn an_unknown_service_gets_a_hint() {
        let refused = |name: &str| {
            find(&Configuration::default(), name)
                .unwrap_err()
                .to_string()
        };
        assert!(refused("smpt").contains("did you mean `smtp`?"));
        assert!(refused("https").contains("requires TLS"));
        assert!(refused("\x1b[31m").contains("\\x1b"));
    }

    #[test]
    fn every_built_in_service_is_valid_and_found() {
        for text in FILES {
            let read = Configuration::from_text(FILE_NAME, text);
            assert!(read.errors.is_empty(), "{:?}", read.errors);
            for service in read.services.values().map(|read| read.as_ref().unwrap()) {
                let alone = find(&Configuration::default(), &service.name).unwrap();
                assert_eq!(alone.overrides, service.overrides, "{}", service.name);
                assert!(!service.description.is_empty(), "{}", service.name);
                assert!(
                    dialogue(&service.overrides, None).is_ok(),
                    "{}",
                    service.name
                );
            }
            assert_eq!(
                read.services.len(),
                text.matches("\n[services.").count() + usize::from(text.starts_with("[services."))
            );
        }
    }
}
