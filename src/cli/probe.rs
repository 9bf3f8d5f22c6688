//! Options of the commands that probe.

use clap::Args;

use crate::cli::rare::Rare;
use crate::cli::steps::StepArgs;
use crate::cli::tls::TlsArgs;

/// Options of a probe: the network, the dialogue, and what counts as up.
#[derive(Debug, Default, Args)]
pub struct ProbeArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,

    /// Use the port and the dialogue of this named service; `zbx-tcp services` lists all services
    #[arg(short, long, value_name = "NAME")]
    pub service: Option<String>,

    /// Which addresses of a name must be up: `any` (tried in order), `first` or `all` [default:
    /// any]
    #[arg(long, value_name = "WHICH")]
    pub addresses: Option<String>,

    /// Connect N times within the deadline to measure loss and connect times
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true)]
    pub count: Option<String>,

    /// Time between the starts of consecutive attempts; requires --count [default: 0.2s]
    #[arg(short, long, value_name = "DURATION", allow_hyphen_values = true)]
    pub interval: Option<String>,

    /// Number of attempts that must succeed; requires --count [default: 1]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub require: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub tls: Rare<TlsArgs>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub steps: Rare<StepArgs>,

    /// Encoding of sent and received text: a WHATWG label such as gbk [default: utf-8]
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<String>,

    /// Append CR LF to every text that is sent
    #[arg(long)]
    pub crlf: bool,

    /// Fail if N bytes are received without a match [default: 262144]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_bytes: Option<String>,

    /// How to close the connection: `fin` (gracefully) or `rst` (reset) [default: fin]
    #[arg(long, value_name = "HOW")]
    pub close: Option<String>,

    /// Expect a closed port: up if it refuses connections; with `=filtered`, also if it does not
    /// answer
    #[arg(long, value_name = "filtered", num_args = 0..=1, require_equals = true, default_missing_value = "answered")]
    pub expect_closed: Option<String>,

    /// If the target does not answer, find out how far the packets get: `on` or `off` [default: on
    /// for a report on a terminal]
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub path: Option<String>,
}

/// Options of the network and of name resolution.
#[derive(Debug, Default, Args)]
pub struct NetworkArgs {
    /// Deadline of the probe: `2.5s`, `800ms` or a number of seconds [default: 2.5s]
    #[arg(short, long, value_name = "DURATION", allow_hyphen_values = true)]
    pub timeout: Option<String>,

    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6')]
    pub ipv6: bool,

    /// Use only this address family, `4` or `6`: the same as -4 or -6, but the value can be empty
    #[arg(long, value_name = "FAMILY")]
    pub family: Option<String>,

    /// Connect from this local address
    #[arg(long, value_name = "IP")]
    pub source: Option<String>,

    /// Connect from this local port. After the check, the kernel blocks the port for this target
    /// for a minute, except with --close rst
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    pub source_port: Option<String>,

    /// Connect through this network interface
    #[arg(long, value_name = "IF")]
    pub interface: Option<String>,

    /// Resolver: `stub` (built-in), or `system` (nsswitch; not available in static builds)
    /// [default: stub]
    #[arg(long, value_name = "HOW")]
    pub resolver: Option<String>,

    /// Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and
    /// conf.d/*.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}
