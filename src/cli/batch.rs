//! Arguments of `zbx-tcp batch`.

use clap::Args;

use crate::cli::probe::ProbeArgs;

/// Probe many targets in one run and print a document, lines or a table
///
/// If an option is set in several places, the first of these takes precedence: target, command
/// line, service, `[defaults]` of the configuration.
#[derive(Debug, Args)]
#[command(mut_arg("timeout", |arg| arg.help("Deadline of each target: `2s`, `800ms` or a number of seconds [default: 2s]")))]
#[command(mut_arg("service", |arg| arg.help("Service for targets without one; `zbx-tcp services` lists all services")))]
pub struct BatchArgs {
    /// Target as `HOST:PORT`. HOST can be a network or a range (`192.0.2.1-50`), and PORT can be a
    /// list such as `22/ssh,8000-8010`. With `-`, targets are read from standard input, one per
    /// line, as `HOST:PORT`, `HOST PORT [SERVICE]` or a JSON object [default: the targets of the
    /// configuration]
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,

    /// Probe the targets of this group of the configuration; can be repeated
    #[arg(short, long, value_name = "NAME")]
    pub group: Vec<String>,

    /// Output format: `json`, `ndjson` (one line when a probe ends), `sender` (for zabbix_sender -T
    /// -N -i -) or `text` [default: json]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    /// Metrics for -o sender, separated by commas; `captures.NAME` is allowed [default:
    /// up,status,time.connect,time.total,tcp.rtt,tcp.syn_retransmits]
    #[arg(long, value_name = "LIST")]
    pub metrics: Option<String>,

    /// Zabbix host for targets without one, for -o sender [default: -]
    #[arg(long, value_name = "NAME")]
    pub zabbix_host: Option<String>,

    /// Item key for -o sender; ID and METRIC are replaced [default: `tcp.target[ID,METRIC]`]
    #[arg(long, value_name = "KEY")]
    pub sender_key: Option<String>,

    /// Omit redundant fields, and fields that have their default value
    #[arg(long)]
    pub compact: bool,

    /// Print fewer details if the document would not be shorter than SIZE, such as `512K` for Zabbix
    /// 6.0 or `16M` for 7.0; `summary.shortened` lists what was left out [default: `max_output` of
    /// the configuration, otherwise no limit]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_output: Option<String>,

    /// Deadline of the run; unfinished targets have the status `not_tried` [default: 2.5s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub deadline: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub limits: LimitArgs,

    /// Probe only shard I of N; a target always belongs to the same shard
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,

    /// Maximum number of targets; a value above 65536 is allowed only up to `max_targets` of the
    /// configuration [default: `max_targets`, otherwise 65536]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_targets: Option<String>,

    /// Skip and count invalid targets
    #[arg(long)]
    pub keep_going: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub probe: ProbeArgs,

    /// Print the limits in use and the skipped targets on standard error
    #[arg(short, long)]
    pub verbose: bool,
}

/// Limits of a run.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Maximum number of probes in flight [default: as many as descriptors and ports allow]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub concurrency: Option<String>,

    /// Maximum number of connects per second [default: no limit]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub rate: Option<String>,

    /// Maximum number of probes in flight per address; 0 means no limit [default: 16]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub per_host: Option<String>,

    /// Number of threads, each with its own descriptor table [default: 1, and more if descriptors
    /// run out]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub threads: Option<String>,

    /// Seed of the randomized start order [default: different in each run]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,
}
