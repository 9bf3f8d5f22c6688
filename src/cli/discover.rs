//! `zbx-tcp discover`: what is typed.

use clap::{Args, Subcommand};

use crate::cli::batch::LimitArgs;
use crate::cli::probe::NetworkArgs;

/// Rows for Zabbix's low-level discovery, as one line of JSON
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// What is discovered.
    #[command(subcommand)]
    pub what: What,
}

/// What is discovered.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum What {
    /// A row for each port of a list, without touching the network
    Ports(PortsArgs),
    /// A row for each port of a list that accepts now
    Open(Box<OpenArgs>),
    /// A row for each target of the configuration
    Targets(TargetsArgs),
}

/// A row for each port of a list, without touching the network
#[derive(Debug, Args)]
pub struct PortsArgs {
    /// A name, an IPv4 or an IPv6 address
    #[arg(value_name = "HOST")]
    pub host: String,

    /// Ports, each with a service if it has one: `22/ssh,25/smtp,8000-8010`
    #[arg(value_name = "SPEC")]
    pub spec: String,

    /// The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}

/// A row for each port of a list that accepts now
///
/// Where one port cannot be told, there are no rows but a mistake: a shorter list would delete what was discovered.
#[derive(Debug, Args)]
#[command(mut_arg("timeout", |arg| arg.help("The deadline of each port: `2s`, `800ms`, or seconds [default: 2s]")))]
#[command(mut_arg("per_host", |arg| arg.help("Probes in flight at once to one address; 0 is no limit [default: 0]")))]
pub struct OpenArgs {
    /// A name, an IPv4 or an IPv6 address
    #[arg(value_name = "HOST")]
    pub host: String,

    /// Ports, each with a service if it has one: `22/ssh,1-1024`; an empty list gives no rows
    #[arg(value_name = "SPEC")]
    pub spec: String,

    /// The time of the whole run [default: 2.5s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub deadline: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub pace: LimitArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub reach: NetworkArgs,
}

/// A row for each target of the configuration
#[derive(Debug, Args)]
pub struct TargetsArgs {
    /// Only those of this group; may be given more than once
    #[arg(short, long, value_name = "NAME")]
    pub group: Vec<String>,

    /// The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}
