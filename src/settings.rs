//! From what was asked for to plans: the only code that merges options, services, configuration and
//! defaults.
//!
//! A front end makes a request ([`options`] makes those of the command line), [`config`] reads the
//! configuration, and [`check()`], [`batch`] and [`discover`] turn the two into
//! [`Plan`](crate::plan::Plan)s. Every usage or configuration error is a [`SettingsError`] and is
//! found before anything is sent.

pub mod batch;
mod build;
mod built_in;
mod check;
pub mod config;
mod cost;
mod dialogue;
pub mod discover;
mod error;
mod option_table;
pub mod options;
mod origins;
pub mod overrides;
pub mod parse;
pub mod path;
pub mod request;
mod secret_tls;
pub mod services;
mod starttls;
pub mod step_spec;
mod target_spec;
mod tls_build;
pub mod tls_overrides;
mod tls_values;
pub mod validate;
pub mod watch;

pub use check::{Check, check, unprobed};
pub use error::{Key, Located, Location, SettingsError};
