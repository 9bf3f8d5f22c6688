//! Arguments of `zbx-tcp check`.

use clap::Args;

use crate::cli::probe::ProbeArgs;

/// Probe one target and print a value, a document or a report
///
/// An option with an empty value is ignored, because the value of a Zabbix macro may be empty. If
/// an option is set in several places, the first of these takes precedence: command line, service,
/// `[defaults]` of the configuration.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Host name, IPv4 address or IPv6 address, optionally with a port: `HOST:PORT` or
    /// `[IPV6]:PORT`
    #[arg(value_name = "HOST[:PORT]")]
    pub host: String,

    /// Port, 1 to 65535 [default: the port of the service]
    #[arg(value_name = "PORT")]
    pub port: Option<String>,

    /// Further arguments, which must be empty: an item key may contain a macro with an empty value
    #[arg(hide = true)]
    pub surplus: Vec<String>,

    /// What to print: `up`, `status`, `error` or another metric, `json`, or `text`
    /// [default: text on a terminal, otherwise up]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub probe: ProbeArgs,

    /// Print each step on standard error; requires -o text
    #[arg(short, long)]
    pub verbose: bool,
}
