//! The command line: commands, options and their help texts. [`settings`](crate::settings)
//! interprets the values.
// Doc comments of this module are help texts, where backticks mark what is typed.
#![allow(clippy::doc_markdown)]

pub mod batch;
pub mod check;
pub mod discover;
pub mod doctor;
pub mod help;
pub mod path;
pub mod probe;
pub mod rare;
pub mod serve;
pub mod services;
pub mod steps;
pub mod tls;
pub mod values;
pub mod watch;

use std::ffi::OsString;
use std::mem::ManuallyDrop;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::steps::StepArgs;
use crate::cli::tls::TlsArgs;

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
    /// Probe one or a few targets again and again, and show outages, loss and times
    Watch(Box<watch::WatchArgs>),
    /// Show where on the way to a port the packets end, hop by hop
    Path(Box<path::PathArgs>),
    /// Run a small TCP server, to test a network path or a check
    Serve(serve::ServeArgs),
    /// List named services, validate the configuration (--check), or check a target against the
    /// policy (--policy)
    Services(services::ServicesArgs),
    /// Check how zbx-tcp is set up on this machine: what works, and what to do. Changes nothing
    Doctor(doctor::DoctorArgs),
    /// Show each kind of result with test servers on loopback
    Demo,
}

impl Cli {
    /// Parses the words of the command line of this process; the first is the name of the program.
    /// Options that cannot occur in these words are not built, which saves time.
    ///
    /// # Errors
    /// A usage error, or the request for a help text or the version.
    pub fn of_process(words: &[OsString]) -> Result<Self, clap::Error> {
        rare::omit_unless_used::<TlsArgs>(words);
        rare::omit_unless_used::<StepArgs>(words);
        let parsed = Self::parse_words(words);
        let is_reduced = rare::is_omitted::<TlsArgs>() || rare::is_omitted::<StepArgs>();
        rare::include::<TlsArgs>();
        rare::include::<StepArgs>();
        match parsed {
            // A help text and a suggestion need all options.
            Err(_) if is_reduced => Self::try_parse_from(words),
            parsed => parsed,
        }
    }

    /// Like [`Parser::try_parse_from`], but the tables of the parser stay in memory: to free them
    /// costs a start 18,000 instructions.
    fn parse_words(words: &[OsString]) -> Result<Self, clap::Error> {
        let mut command = ManuallyDrop::new(Self::command());
        let mut matches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}
