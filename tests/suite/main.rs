//! Behaviour through the public surface: one binary, a module for each subject.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agentd;
mod bad_config;
mod bad_input;
mod check;
mod config;
mod dns;
mod engine;
mod etc;
mod house;
mod peer;
mod policy;
mod program;
mod readme;
mod secrets;
mod serve;
mod session;
mod support;
mod templates;
mod tutorial;
