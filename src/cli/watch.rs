//! Arguments of `zbx-tcp watch`.

use clap::Args;

use crate::cli::probe::ProbeArgs;

/// Probe one or a few targets again and again, and show outages, loss and times
///
/// On a terminal it shows a live view; elsewhere it prints one line for each probe. SIGINT (Ctrl-C)
/// ends it with a summary, whose last line is a sentence for a ticket.
#[derive(Debug, Args)]
#[command(mut_arg("count", |arg| arg.short('c').help("End after N probes of each target [default: no end]")))]
#[command(mut_arg("interval", |arg| arg.help("Time between the starts of two probes of a target [default: 1s]")))]
#[command(mut_arg("require", |arg| arg.hide(true)))]
pub struct WatchArgs {
    /// `HOST PORT`, or one or more targets as `HOST:PORT`; the port can be omitted if the service
    /// has a default port
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,

    /// Output: `live`, `text` (a line for each probe) or `ndjson` (a line of JSON for each probe and
    /// each event) [default: live on a terminal, otherwise text]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    /// End after this time: `10m`, `8h` or a number of seconds [default: no end]
    #[arg(short = 'w', long, value_name = "DURATION", allow_hyphen_values = true)]
    pub deadline: Option<String>,

    /// Instead of probing, hold connections open without traffic for up to this time, to find out
    /// after how long an idle connection is dropped on the path or closed by the server
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub idle: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub probe: ProbeArgs,
}
