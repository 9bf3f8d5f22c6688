//! What can be typed: commands, options and their help texts.
// Doc comments of this module are help texts: what they quote is for a person.
#![allow(clippy::doc_markdown)]

pub mod batch;
pub mod check;
pub mod discover;
pub mod help;
pub mod probe;
pub mod serve;
pub mod services;
pub mod steps;
pub mod values;

use clap::{Parser, Subcommand};

/// The version, with the commit and the kind of build; see `build.rs`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("ZBX_TCP_BUILD"), ")");

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "zbx-tcp", version = VERSION, about, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Probe one target: print one value, one document, or a report
    Check(Box<check::CheckArgs>),
    /// Probe many targets at once: print one document, lines, or a table
    Batch(Box<batch::BatchArgs>),
    /// Rows for Zabbix's low-level discovery, as one line of JSON
    Discover(discover::DiscoverArgs),
    /// A small TCP responder, to test a path or a check before the real service exists
    Serve(serve::ServeArgs),
    /// What named services exist, and what each says and expects
    Services(services::ServicesArgs),
    /// See every kind of result on loopback, in two seconds, without root
    Demo,
}
