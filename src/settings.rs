//! From wishes to plans: the one place where defaults and options meet.
//!
//! Whatever a caller got wrong is said here, before anything is sent.

pub mod batch;
mod build;
mod check;
pub mod config;
mod dialogue;
pub mod discover;
mod options;
pub mod overrides;
mod plan;
mod probe;
pub mod services;
pub mod validate;
mod words;

use std::fmt;

use crate::settings::overrides::Location;
pub use check::{Check, Transcript, check};
pub use probe::{ResolverChoice, configuration, named};

/// A mistake of the caller: one line that names what, where and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(String);

impl SettingsError {
    /// A mistake in the value of this option.
    pub fn in_option(option: &str, why: impl fmt::Display) -> Self {
        Self(format!("{option}: {why}"))
    }

    /// A mistake in what was written at this place.
    pub fn at(place: &Location, why: impl fmt::Display) -> Self {
        Self(format!("{place}: {why}"))
    }

    /// A mistake that no single option made.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}
