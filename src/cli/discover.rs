//! `zbx-tcp discover`: what is typed.

use clap::{Args, Subcommand};

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
}

/// A row for each port of a list, without touching the network
#[derive(Debug, Args)]
pub struct PortsArgs {
    /// A name, an IPv4 or an IPv6 address
    #[arg(value_name = "HOST")]
    pub host: String,

    /// Ports, each with a service if it has one: `22/ssh,25/smtp,8000-8010`; an empty list gives no rows
    #[arg(value_name = "SPEC")]
    pub spec: String,

    /// The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}
