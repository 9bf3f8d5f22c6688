//! Named services: those of the configuration, then the built-in ones, which are files in the same
//! format.

use std::collections::BTreeMap;

use crate::escape::escaped_prefix;
use crate::settings::built_in::{FILE_NAME, FILES, names, section};
use crate::settings::config::{Configuration, Service};
use crate::settings::error::SettingsError;
use crate::suggest::did_you_mean;

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
        let found = read.services.remove(name);
        let found = found.unwrap_or_else(|| Err(SettingsError::first(read.errors)))?;
        return Ok(Service {
            has_own_steps: false,
            ..found
        });
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

/// Whether there is a service of this name, usable or not.
pub fn is_known(config: &Configuration, name: &str) -> bool {
    config.services.contains_key(name) || section(name).is_some()
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
