//! `zbx-tcp batch`: what is typed.

use clap::Args;

use crate::cli::probe::ProbeArgs;

/// Probe many targets at once: print one document, lines, or a table
///
/// What is said of one target counts over the options of the run, and these over its service and the defaults.
#[derive(Debug, Args)]
#[command(mut_arg("timeout", |arg| arg.help("The deadline of each target: `2s`, `800ms`, or seconds [default: 2s]")))]
#[command(mut_arg("service", |arg| arg.help("The service of targets that name none; `zbx-tcp services` lists them")))]
pub struct BatchArgs {
    /// `HOST:PORT`, where HOST may be a network and PORT a list such as `22/ssh,8000-8010`; `-` reads standard input:
    /// lines `HOST:PORT`, `HOST PORT [SERVICE]`, or JSON objects [default: the configuration's targets]
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,

    /// The configuration's targets of this group; may be given more than once
    #[arg(short, long, value_name = "NAME")]
    pub group: Vec<String>,

    /// What to print: `json`, `ndjson` (each as it ends), `sender` (for zabbix_sender -T -N -i -), `text` [default: json]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    /// The metrics of -o sender [default: up,status,time.connect,time.total,tcp.rtt,tcp.syn_retransmits]
    #[arg(long, value_name = "LIST")]
    pub metrics: Option<String>,

    /// The host in Zabbix of targets that name none, with -o sender [default: -]
    #[arg(long, value_name = "NAME")]
    pub zabbix_host: Option<String>,

    /// The item key of -o sender [default: `tcp.target[ID,METRIC]`]
    #[arg(long, value_name = "KEY")]
    pub sender_key: Option<String>,

    /// Leave out what is at its default
    #[arg(long)]
    pub compact: bool,

    /// The time of the whole run: what was not reached by then is `not_tried` [default: 2.5s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub deadline: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub pace: LimitArgs,

    /// Only the targets of the I-th of N parts; a target stays in its part
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,

    /// The most targets [default: 65536]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_targets: Option<String>,

    /// Leave out targets with a mistake in them, and count them
    #[arg(long)]
    pub keep_going: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub probe: ProbeArgs,

    /// Explain the choices made on standard error
    #[arg(short, long)]
    pub verbose: bool,
}

/// How fast many targets are probed.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Probes in flight at once [default: what descriptors and ports allow]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub concurrency: Option<String>,

    /// Connects started in a second [default: no limit]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub rate: Option<String>,

    /// Probes in flight at once to one address; 0 is no limit [default: 16]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub per_host: Option<String>,

    /// Threads that probe, each with descriptors of its own [default: 1, and others when it has none left]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub threads: Option<String>,

    /// What the order of starts is made from; the same seed gives the same order [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,
}
