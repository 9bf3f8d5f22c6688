//! Arguments of `zbx-tcp path`.

use clap::Args;

use crate::cli::probe::NetworkArgs;

/// Show where on the way to a port the packets end, hop by hop
///
/// SYNs with increasing time to live are sent to the port. The router at which the time to live
/// ends answers with an ICMP message. No privilege is needed. Each SYN has a different source port,
/// so a router that distributes connections over several paths may send it on another path than the
/// SYN of a check.
#[derive(Debug, Args)]
#[command(mut_arg("timeout", |arg| arg.help("Deadline of the trace of one port: `5s` or a number of seconds [default: 4 seconds, and 1 more for each round]")))]
#[command(mut_arg("source_port", |arg| arg.hide(true)))]
pub struct PathArgs {
    /// Host name, IPv4 address or IPv6 address, optionally with a port: `HOST:PORT` or
    /// `[IPV6]:PORT`
    #[arg(value_name = "HOST[:PORT]")]
    pub host: String,

    /// Port, 1 to 65535
    #[arg(value_name = "PORT")]
    pub port: Option<String>,

    /// Trace another port of the host, too, and compare the two paths
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    pub against: Option<String>,

    /// Number of rounds, each with one SYN to every hop, 1 to 100 [default: 3]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub rounds: Option<String>,

    /// Look up the names of the routers
    #[arg(long)]
    pub names: bool,

    /// What to print: `text` or `json` [default: text]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
}
