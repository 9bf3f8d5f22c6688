//! `zbx-tcp check`: what is typed. What it means is [`settings`](crate::settings)'s.

use clap::Args;

use super::probe::ProbeArgs;
use crate::output::metrics::METRICS;

/// Probe one target: print one value, one document, or a report
///
/// An empty value of an option means "not given", since a Zabbix macro may expand to nothing.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
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

const EXIT_STATUS: &str = "Exit status: 0 up, 1 down, 2 mistake of the caller.";

/// What `check --help` says below the options. Only a call for help pays for it.
pub fn long_help() -> String {
    let mut text = format!("{EXIT_STATUS}\n\nMetrics for --output:\n");
    for metric in &METRICS {
        text.push_str(&format!("  {:<20} {} ({})\n", metric.path, metric.help, metric.unit));
    }
    text
}
