//! Arguments of `zbx-tcp discover`.

use clap::{Args, Subcommand};

use crate::cli::batch::LimitArgs;
use crate::cli::probe::NetworkArgs;
use crate::cli::tls::TlsArgs;

/// Print rows for Zabbix low-level discovery, as one line of JSON
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// The command.
    #[command(subcommand)]
    pub command: DiscoverCommand,
}

/// The discovery commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DiscoverCommand {
    /// Print a row for each port of a list, without network traffic
    Ports(PortsArgs),
    /// Print a row for each port of a list that accepts connections now
    Open(Box<OpenArgs>),
    /// Print a row for each target of the configuration
    Targets(TargetsArgs),
    /// Print a row for each address and port on which this machine listens
    Listeners(ListenersArgs),
}

/// Print a row for each port of a list, without network traffic
#[derive(Debug, Args)]
pub struct PortsArgs {
    /// Host name, IPv4 address or IPv6 address
    #[arg(value_name = "HOST")]
    pub host: String,

    /// Ports and ranges, each with an optional service: `22/ssh,25/smtp,8000-8010`
    #[arg(value_name = "SPEC")]
    pub spec: String,

    /// Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and
    /// conf.d/*.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}

/// Print a row for each port of a list that accepts connections now
///
/// If the state of a port cannot be determined, an error is printed instead of the rows, because
/// Zabbix would delete the items of missing ports.
#[derive(Debug, Args)]
#[command(mut_arg("timeout", |arg| arg.help("Deadline of each port: `2s`, `800ms` or a number of seconds [default: 2s]")))]
#[command(mut_arg("per_host", |arg| arg.help("Maximum number of probes in flight per address; 0 means no limit [default: 0]")))]
pub struct OpenArgs {
    /// Host name, IPv4 address or IPv6 address
    #[arg(value_name = "HOST")]
    pub host: String,

    /// Ports and ranges, each with an optional service: `22/ssh,1-1024`
    #[arg(value_name = "SPEC")]
    pub spec: String,

    /// Deadline of the run [default: 2.5s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub deadline: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub limits: LimitArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub tls: TlsArgs,
}

/// Print a row for each target of the configuration
#[derive(Debug, Args)]
pub struct TargetsArgs {
    /// Print only the targets of this group; can be repeated
    #[arg(short, long, value_name = "NAME")]
    pub group: Vec<String>,

    /// Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and
    /// conf.d/*.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}

/// Print a row for each address and port on which this machine listens
///
/// The sockets are those of this network namespace, from the kernel. Process names are known only
/// for processes of the same user, or to root.
#[derive(Debug, Args)]
pub struct ListenersArgs {
    /// `rows` for a discovery rule, or `json` for a document with the rows and, for each listener,
    /// its accept queue and dropped connections [default: rows]
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
}
