//! Named services: the users' own first, then the built-in ones, which are data in the same format.

use crate::escape::escaped_prefix;
use crate::settings::SettingsError;
use crate::settings::config::{Config, Service};
use crate::suggest::did_you_mean;

/// The built-in services.
const BUILT_IN: [&str; 2] = [
    include_str!("../plan/services/text.toml"),
    include_str!("../plan/services/binary.toml"),
];

/// Names that are kept for the TLS twins of built-in services.
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

/// Where a service comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This program.
    BuiltIn,
    /// The configuration.
    Config,
}

/// The service of this name.
///
/// # Errors
/// When there is none; the nearest one is suggested.
pub fn find(config: &Config, name: &str) -> Result<Service, SettingsError> {
    if let Some(own) = config.services.iter().find(|service| service.name == name) {
        return Ok(own.clone());
    }
    if let Some(section) = section(name) {
        let mut read = Config::from_text("built-in services", section);
        return match (read.services.pop(), read.mistakes.pop()) {
            (Some(service), None) => Ok(service),
            (_, mistake) => {
                Err(mistake
                    .unwrap_or_else(|| SettingsError::new("a built-in service cannot be read")))
            }
        };
    }
    if WITH_TLS.contains(&name) {
        return Err(SettingsError::new(format!(
            "service `{name}` needs TLS, which this version does not speak yet"
        )));
    }
    let own = config.services.iter().map(|service| service.name.as_str());
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

/// Every service and where it comes from, sorted by name; a user's own hides the built-in one of its name.
pub fn all(config: &Config) -> Vec<(Service, Origin)> {
    let mut all: Vec<_> = config
        .services
        .iter()
        .map(|service| (service.clone(), Origin::Config))
        .collect();
    for text in BUILT_IN {
        for service in Config::from_text("built-in services", text).services {
            if !all.iter().any(|(known, _)| known.name == service.name) {
                all.push((service, Origin::BuiltIn));
            }
        }
    }
    all.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    all
}

/// The text of one built-in service: a check reads no more than the one it was asked for.
fn section(name: &str) -> Option<&'static str> {
    let header = format!("[services.{name}]\n");
    BUILT_IN.iter().find_map(|text| {
        let at = if text.starts_with(&header) {
            0
        } else {
            text.find(&format!("\n{header}"))? + 1
        };
        let section = text.get(at..)?;
        let end = section
            .find("\n[services.")
            .map_or(section.len(), |end| end + 1);
        section.get(..end)
    })
}

fn names() -> impl Iterator<Item = &'static str> {
    let headers = BUILT_IN.iter().flat_map(|text| text.lines());
    headers.filter_map(|line| line.strip_prefix("[services.")?.strip_suffix(']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_not_there_gets_a_hint() {
        let refused = |name: &str| find(&Config::default(), name).unwrap_err().to_string();
        assert!(refused("smpt").contains("did you mean `smtp`?"));
        assert!(refused("https").contains("needs TLS"));
        assert!(refused("\x1b[31m").contains("\\x1b"));
    }

    #[test]
    fn every_built_in_service_is_sound_and_found_alone() {
        for text in BUILT_IN {
            let read = Config::from_text("built-in", text);
            assert!(read.mistakes.is_empty(), "{:?}", read.mistakes);
            for service in &read.services {
                let alone = find(&Config::default(), &service.name).unwrap();
                assert_eq!(
                    format!("{:?}", alone.overrides.port),
                    format!("{:?}", service.overrides.port),
                    "{}",
                    service.name
                );
                assert!(!service.description.is_empty(), "{}", service.name);
            }
            assert_eq!(
                read.services.len(),
                text.matches("\n[services.").count() + usize::from(text.starts_with("[services."))
            );
        }
    }
}
