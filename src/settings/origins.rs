//! Where each option was written, for errors that only the merged options show.

use std::fmt::Display;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::settings::error::{Key, Located, Location, SettingsError};

/// Where an option was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    location: Location,
    key: Key,
}

impl Origin {
    /// The place of this value.
    pub fn of(given: &Located) -> Self {
        Self {
            location: given.location.clone(),
            key: given.key.clone(),
        }
    }

    /// An error in the option.
    pub fn error(&self, message: impl Display) -> SettingsError {
        SettingsError::at(&self.location, &self.key, message)
    }

    /// Whether it was written in a file, which only the administrator of this machine can do.
    pub fn is_in_file(&self) -> bool {
        matches!(self.location, Location::File(_) | Location::FileLine { .. })
    }

    fn is_command_line(&self) -> bool {
        self.location == Location::CommandLine
    }
}

/// The origins of options, by the names of the options on the command line.
///
/// Two are always equal: where an option was written does not change what it means.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<(&'static str, Arc<Origin>)>);

impl Origins {
    /// Adds the origin of an option.
    pub fn add(&mut self, option: &'static str, origin: Origin) {
        self.0.push((option, Arc::new(origin)));
    }

    /// The origins of options that take precedence, completed by those of others.
    #[must_use]
    pub fn or(mut self, base: Self) -> Self {
        for (option, origin) in base.0 {
            if self.get(option).is_none() {
                self.0.push((option, origin));
            }
        }
        self
    }

    /// The origin of an option that was given.
    pub fn get(&self, option: &str) -> Option<&Arc<Origin>> {
        let found = self.0.iter().find(|(name, _)| *name == option);
        found.map(|(_, origin)| origin)
    }

    /// Whether an option was given outside the command line, where another value takes precedence.
    pub fn can_be_overridden(&self, option: &str) -> bool {
        self.get(option)
            .is_some_and(|origin| !origin.is_command_line())
    }

    /// An error in an option.
    pub fn error(&self, option: &'static str, message: impl Display) -> SettingsError {
        match self.get(option) {
            Some(origin) => origin.error(message),
            None => SettingsError::in_option(option, message),
        }
    }

    /// How to refer to `other` in an error about `option`: as it was written, with its place if
    /// that is another one; else by the name that it would have beside `option`.
    pub fn name_beside(&self, option: &str, other: &'static str) -> String {
        let key = || other.trim_start_matches('-').replace('-', "_");
        match (self.get(option), self.get(other)) {
            (Some(one), Some(two))
                if two.is_command_line() || one.location.has_file(&two.location) =>
            {
                format!("`{}`", two.key)
            }
            (_, Some(two)) => match two.location.to_string() {
                place if place.is_empty() => format!("`{}`", two.key),
                place => format!("`{}` ({})", two.key, place.trim_end_matches(": ")),
            },
            (Some(one), None) if !one.is_command_line() => format!("`{}`", key()),
            (_, None) => format!("`{other}`"),
        }
    }
}

impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origins {}

impl Hash for Origins {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
