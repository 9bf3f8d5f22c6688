//! The command line: commands, options and their help texts. [`settings`](crate::settings)
//! interprets the values.
// Doc comments of this module are help texts, where backticks mark what is typed.
#![allow(clippy::doc_markdown)]

pub mod batch;
pub mod check;
pub mod discover;
pub mod help;
pub mod probe;
pub mod serve;
pub mod services;
pub mod steps;
pub mod tls;
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

/// The commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Probe one target and print a value, a document or a report
    Check(Box<check::CheckArgs>),
    /// Probe many targets in one run and print a document, lines or a table
    Batch(Box<batch::BatchArgs>),
    /// Print rows for Zabbix low-level discovery, as one line of JSON
    Discover(discover::DiscoverArgs),
    /// Run a small TCP server, to test a network path or a check
    Serve(serve::ServeArgs),
    /// List named services, validate the configuration (--check), or check a target against the
    /// policy (--policy)
    Services(services::ServicesArgs),
    /// Show each kind of result with test servers on loopback
    Demo,
}
