//! `zbx-tcp check`: what is typed. What it means is [`settings`](crate::settings)'s.

use clap::Args;

use crate::cli::probe::ProbeArgs;

/// Probe one target: print one value, one document, or a report
///
/// An empty value of an option means "not given", since a Zabbix macro may expand to nothing.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A name, an IPv4 or an IPv6 address; with a port `HOST:PORT` or `[IPV6]:PORT`
    #[arg(value_name = "HOST[:PORT]")]
    pub host: String,

    /// The port, 1 to 65535
    #[arg(value_name = "PORT")]
    pub port: Option<String>,

    /// What to print: `up`, `status`, `error`, `json`, `text`, or a metric's path [default: text on a terminal, else up]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub probe: ProbeArgs,

    /// Explain each step on standard error, with -o text
    #[arg(short, long)]
    pub verbose: bool,
}
