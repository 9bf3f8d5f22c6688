//! The options of every command that probes: how a target is probed, and what counts as up.

use clap::Args;

use crate::cli::steps::StepArgs;

/// How a target is probed.
#[derive(Debug, Default, Args)]
pub struct ProbeArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reach: NetworkArgs,

    /// A named service: its port, what it says and expects; `zbx-tcp services` lists them
    #[arg(short, long, value_name = "NAME")]
    pub service: Option<String>,

    /// Try the `first` address of a name, or `all`: up only if all are [default: first]
    #[arg(long, value_name = "WHICH")]
    pub addresses: Option<String>,

    /// Connect this many times inside the deadline: loss, min, avg, max, stddev
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true)]
    pub count: Option<String>,

    /// From the start of one connect to the next, with --count [default: 0.2s]
    #[arg(short, long, value_name = "DURATION", allow_hyphen_values = true)]
    pub interval: Option<String>,

    /// How many of --count must succeed [default: 1]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub require: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub steps: StepArgs,

    /// The encoding of sent and received text, by its WHATWG label such as gbk [default: utf-8]
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<String>,

    /// Append CR LF to each text that is sent
    #[arg(long)]
    pub crlf: bool,

    /// The most bytes to read without a match [default: 262144]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_bytes: Option<String>,

    /// How to leave: `fin` reads what the peer has to say first, `rst` leaves at once [default: fin]
    #[arg(long, value_name = "HOW")]
    pub close: Option<String>,

    /// Up means: nothing accepts here; a timeout counts only with `=filtered`
    #[arg(long, value_name = "filtered", num_args = 0..=1, require_equals = true, default_missing_value = "answered")]
    pub expect_closed: Option<String>,
}

/// How a target is reached, whatever is said there.
#[derive(Debug, Default, Args)]
pub struct NetworkArgs {
    /// The total deadline, name resolution and closing included: `2.5s`, `800ms`, or seconds [default: 2.5s]
    #[arg(short, long, value_name = "DURATION", allow_hyphen_values = true)]
    pub timeout: Option<String>,

    /// IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// IPv6 only
    #[arg(short = '6')]
    pub ipv6: bool,

    /// Connect from this address of this host
    #[arg(long, value_name = "IP")]
    pub source: Option<String>,

    /// Connect through this interface
    #[arg(long, value_name = "IF")]
    pub interface: Option<String>,

    /// How names are resolved: `stub`, or `system` for what only nsswitch knows (not in static builds) [default: stub]
    #[arg(long, value_name = "HOW")]
    pub resolver: Option<String>,

    /// The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}
