//! From wishes to plans: the one place where defaults and options meet.
//!
//! Whatever a caller got wrong is said here, before anything is sent.

pub mod batch;
mod check;
pub mod config;
mod dialogue;
pub mod discover;
mod method;
mod options;
mod plan;
mod probe;
pub mod services;
pub mod whole;
pub mod wishes;
mod words;

use std::fmt;

pub use check::{Check, Transcript, check};
pub use probe::{ResolverChoice, configuration, named};
use wishes::Place;

/// A mistake of the caller: one line that names what, where and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake(String);

impl Mistake {
    /// A mistake in the value of this option.
    pub fn in_option(option: &str, why: impl fmt::Display) -> Self {
        Self(format!("{option}: {why}"))
    }

    /// A mistake in what was written at this place.
    pub fn at(place: &Place, why: impl fmt::Display) -> Self {
        Self(format!("{place}: {why}"))
    }

    /// A mistake that no single option made.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}
