//! Arguments of `zbx-tcp check`.

use clap::Args;

use crate::cli::probe::ProbeArgs;

/// Probe one target: print a value, a document or a report
///
/// An option with an empty value is ignored, since a Zabbix macro may be empty. Precedence of options: command line,
/// service, `[defaults]` of the configuration.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A name, an IPv4 or an IPv6 address; with a port: `HOST:PORT` or `[IPV6]:PORT`
    #[arg(value_name = "HOST[:PORT]")]
    pub host: String,

    /// The port, 1 to 65535 [default: the port of the service]
    #[arg(value_name = "PORT")]
    pub port: Option<String>,

    /// Output: `up`, `status`, `error`, `json`, `text` or another metric [default: text on a terminal, else up]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub probe: ProbeArgs,

    /// Show each step on standard error; requires -o text
    #[arg(short, long)]
    pub verbose: bool,
}
