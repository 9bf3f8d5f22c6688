//! The options of `batch` and of other commands that probe many targets.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::cli::batch::{BatchArgs, LimitArgs};
use crate::cli::values::non_empty;
use crate::escape::{escaped_prefix, is_deceptive};
use crate::output::batch_format::{
    BatchFormat, BatchOutput, DefaultFields, KeyPart, SenderKey, SenderMetric,
};
use crate::output::metrics::METRICS;
use crate::settings::batch::shard::Shard;
use crate::settings::batch::target_list::OnError;
use crate::settings::config::MAX_TARGETS;
use crate::settings::error::SettingsError;
use crate::settings::options::{duration, option, probe};
use crate::settings::parse;
use crate::settings::request::{ProbeRequest, Transcript};
use crate::suggest::did_you_mean;

/// What a batch is asked for.
#[derive(Debug)]
pub struct BatchRequest {
    /// How targets are probed.
    pub probe: ProbeRequest,
    /// The targets as arguments; `-` is standard input. The configuration's if there are none.
    pub targets: Vec<String>,
    /// The groups of the configuration's targets.
    pub groups: Vec<String>,
    /// What is printed.
    pub wanted: BatchOutput,
    /// What the run may use.
    pub bounds: Bounds,
    /// The seed of the randomized start order; each run has its own without it.
    pub seed: Option<u64>,
    /// The part of the list that is probed.
    pub shard: Option<Shard>,
    /// The most targets, if it was given.
    pub max_targets: Option<usize>,
    /// What happens after an error in one target.
    pub on_error: OnError,
    /// Whether the chosen limits are explained on standard error.
    pub transcript: Transcript,
}

impl BatchRequest {
    /// A batch of these targets that prints a table, with everything else at its default.
    pub fn table(targets: Vec<String>, probe: ProbeRequest) -> Self {
        Self {
            probe,
            targets,
            groups: Vec::new(),
            wanted: BatchOutput {
                format: BatchFormat::Text,
                metrics: Vec::new(),
                zabbix_host: None,
                sender_key: sender_key(DEFAULT_KEY),
                defaults: DefaultFields::Include,
                max_output: None,
            },
            bounds: Bounds::new(Some(DEFAULT_PER_HOST)),
            seed: None,
            shard: None,
            max_targets: None,
            on_error: OnError::Stop,
            transcript: Transcript::Silent,
        }
    }

    /// A batch of the targets in these groups of the configuration that prints a JSON document.
    /// `max_output` is the value of `--max-output`.
    ///
    /// # Errors
    /// When it is no size.
    pub fn groups(
        groups: Vec<String>,
        max_output: &str,
        deadline: Duration,
    ) -> Result<Self, SettingsError> {
        let mut request = Self::table(Vec::new(), ProbeRequest::default());
        request.wanted.format = BatchFormat::Json;
        let given = Some(max_output.to_owned());
        request.wanted.max_output = option(MAX_OUTPUT, &given, parse::output_size)?;
        request.bounds.deadline = deadline;
        Ok(Self { groups, ..request })
    }

    /// The request of these arguments.
    ///
    /// # Errors
    /// The first usage error.
    pub fn from_args(args: &BatchArgs) -> Result<Self, SettingsError> {
        let max_targets = option("--max-targets", &args.max_targets, |text| {
            parse::positive(text, MAX_TARGETS)
        })?;
        Ok(Self {
            wanted: wanted(args)?,
            bounds: bounds(&args.limits, &args.deadline, Some(DEFAULT_PER_HOST))?,
            seed: seed(&args.limits)?,
            shard: option("--shard", &args.shard, str::parse)?,
            max_targets,
            on_error: if args.keep_going {
                OnError::Skip
            } else {
                OnError::Stop
            },
            transcript: if args.verbose {
                Transcript::Shown
            } else {
                Transcript::Silent
            },
            probe: probe(&args.probe)?,
            targets: args.targets.clone(),
            groups: args.group.clone(),
        })
    }
}

/// What a run may use; the program chooses what is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Probes in flight at once.
    pub concurrency: Option<NonZeroUsize>,
    /// Connects started per second; no limit if `None`.
    pub rate: Option<NonZeroU32>,
    /// Probes in flight at once to one resolved address; no limit if `None`.
    pub per_host: Option<NonZeroUsize>,
    /// Probing threads.
    pub threads: Option<NonZeroUsize>,
    /// The time of the whole run, reading the targets included.
    pub deadline: Duration,
}

impl Bounds {
    /// The defaults, with this limit for one address.
    pub fn new(per_host: Option<NonZeroUsize>) -> Self {
        Self {
            concurrency: None,
            rate: None,
            per_host,
            threads: None,
            deadline: DEFAULT_DEADLINE,
        }
    }

    /// The part of the deadline in which a run of this number of targets may still probe. The rest
    /// is the time to report those that were not tried, and to print all results.
    pub fn probing_time(&self, targets: usize) -> Duration {
        let targets = u32::try_from(targets).unwrap_or(u32::MAX);
        self.deadline.saturating_sub(REPORT_TIME * targets)
    }
}

/// The time to report and print one target, measured with a million of them in each format.
const REPORT_TIME: Duration = Duration::from_micros(2);

/// The default deadline of a run: after 3 s, its default timeout, Zabbix discards the value.
pub const DEFAULT_DEADLINE: Duration = Duration::from_millis(2500);
/// The default number of connections to one address, low enough not to disturb a server.
const DEFAULT_PER_HOST: NonZeroUsize = NonZeroUsize::new(16).unwrap();
/// The most probes in flight; no machine has ports for more.
const MAX_IN_FLIGHT: u64 = 10_000_000;
/// The most connects per second; no machine starts more.
const MAX_RATE: u64 = 1_000_000_000;
/// The most threads.
const MAX_THREADS: u64 = 256;

/// Reads the limits of a run; `per_host` is the default of `--per-host`.
///
/// # Errors
/// The first usage error.
pub fn bounds(
    args: &LimitArgs,
    deadline: &Option<String>,
    per_host: Option<NonZeroUsize>,
) -> Result<Bounds, SettingsError> {
    let limit = |text: &str| parse::number(text, 0, MAX_IN_FLIGHT);
    let given_per_host = option("--per-host", &args.per_host, limit)?;
    let rate = |text: &str| parse::positive(text, MAX_RATE);
    let count = |max| move |text: &str| parse::positive(text, max);
    let concurrency = option("--concurrency", &args.concurrency, count(MAX_IN_FLIGHT))?;
    let threads = option("--threads", &args.threads, count(MAX_THREADS))?;
    let default = Bounds::new(per_host);
    Ok(Bounds {
        concurrency: concurrency.and_then(NonZeroUsize::new),
        rate: option("--rate", &args.rate, rate)?.and_then(NonZeroU32::new),
        per_host: match given_per_host {
            // 0 is no limit.
            Some(given) => usize::try_from(given).ok().and_then(NonZeroUsize::new),
            None => default.per_host,
        },
        threads: threads.and_then(NonZeroUsize::new),
        deadline: duration("--deadline", deadline)?.unwrap_or(default.deadline),
    })
}

/// Reads the seed of the randomized start order, if it is given.
///
/// # Errors
/// When it is not a number.
pub fn seed(args: &LimitArgs) -> Result<Option<u64>, SettingsError> {
    option("--seed", &args.seed, |text| {
        parse::number(text, 0, u64::MAX)
    })
}

const MAX_OUTPUT: &str = "--max-output";

const FORMATS: [(&str, BatchFormat); 4] = [
    ("json", BatchFormat::Json),
    ("ndjson", BatchFormat::Ndjson),
    ("sender", BatchFormat::Sender),
    ("text", BatchFormat::Text),
];
/// The default of `--metrics`.
const DEFAULT_METRICS: [&str; 6] = [
    "up",
    "status",
    "time.connect",
    "time.total",
    "tcp.rtt",
    "tcp.syn_retransmits",
];
/// The default of `--sender-key`.
const DEFAULT_KEY: &str = "tcp.target[ID,METRIC]";
/// The longest name of a host in Zabbix, in characters.
const MAX_HOST_LENGTH: usize = 128;

/// Reads what is printed.
fn wanted(args: &BatchArgs) -> Result<BatchOutput, SettingsError> {
    let format = option("--output", &args.output, |text| {
        parse::choice(text, &FORMATS)
    })?
    .unwrap_or(BatchFormat::Json);
    reject_unused(args, format)?;
    let metrics = metrics(non_empty(&args.metrics))?;
    let sender_key = sender_key(non_empty(&args.sender_key).unwrap_or(DEFAULT_KEY));
    if metrics.len() > 1 && !sender_key.0.contains(&KeyPart::Metric) {
        return Err(SettingsError::in_option(
            "--sender-key",
            "must contain METRIC: otherwise all metrics would have the same item key",
        ));
    }
    Ok(BatchOutput {
        format,
        metrics,
        zabbix_host: option("--zabbix-host", &args.zabbix_host, zabbix_host)?,
        sender_key,
        defaults: if args.compact {
            DefaultFields::Omit
        } else {
            DefaultFields::Include
        },
        max_output: option(MAX_OUTPUT, &args.max_output, parse::output_size)?,
    })
}

/// Options must have an effect on the format.
fn reject_unused(args: &BatchArgs, format: BatchFormat) -> Result<(), SettingsError> {
    let of_sender = [
        ("--metrics", &args.metrics),
        ("--zabbix-host", &args.zabbix_host),
        ("--sender-key", &args.sender_key),
    ];
    let unused = of_sender
        .into_iter()
        .find(|(_, value)| non_empty(value).is_some());
    match (unused, format) {
        (Some((option, _)), BatchFormat::Json | BatchFormat::Ndjson | BatchFormat::Text) => {
            Err(SettingsError::in_option(option, "requires `-o sender`"))
        }
        (_, BatchFormat::Ndjson | BatchFormat::Sender | BatchFormat::Text)
            if non_empty(&args.max_output).is_some() =>
        {
            Err(SettingsError::in_option(MAX_OUTPUT, "requires `-o json`"))
        }
        (_, BatchFormat::Sender | BatchFormat::Text) if args.compact => Err(
            SettingsError::in_option("--compact", "requires `-o json` or `-o ndjson`"),
        ),
        _ => Ok(()),
    }
}

fn metrics(list: Option<&str>) -> Result<Vec<SenderMetric>, SettingsError> {
    let paths: Vec<&str> = match list {
        Some(list) => list
            .split(',')
            .map(str::trim)
            .filter(|path| !path.is_empty())
            .collect(),
        None => DEFAULT_METRICS.to_vec(),
    };
    let mut metrics: Vec<SenderMetric> = Vec::new();
    for path in paths {
        let metric = sender_metric(path)?;
        if !metrics.iter().any(|known| known.path() == metric.path()) {
            metrics.push(metric);
        }
    }
    if metrics.is_empty() {
        return Err(SettingsError::in_option("--metrics", "contains no metric"));
    }
    Ok(metrics)
}

/// A metric or a capture. Which names the targets capture is not known yet; a name that no target
/// captures is refused later, by [`reject_unknown_captures`](super::reject_unknown_captures).
fn sender_metric(path: &str) -> Result<SenderMetric, SettingsError> {
    if let Some(name) = path.strip_prefix(SenderMetric::CAPTURES) {
        // Other characters have a special meaning in item keys.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_plain) {
            let path = escaped_prefix(path, 40);
            return Err(SettingsError::in_option(
                "--metrics",
                format!(
                    "`{path}`: a name after `captures.` can contain only letters, digits and `_`"
                ),
            ));
        }
        return Ok(SenderMetric::Capture(path.into()));
    }
    METRICS
        .iter()
        .find(|metric| metric.path == path)
        .map(SenderMetric::Metric)
        .ok_or_else(|| unknown_metric(path))
}

fn unknown_metric(path: &str) -> SettingsError {
    let hint = match did_you_mean(path, METRICS.iter().map(|metric| metric.path)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`zbx-tcp check --help` lists them".to_owned(),
    };
    SettingsError::in_option(
        "--metrics",
        format!("unknown metric `{}`: {hint}", escaped_prefix(path, 40)),
    )
}

/// The parts of a key; `ID` and `METRIC` are replaced only as whole words.
fn sender_key(pattern: &str) -> SenderKey {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let after_word = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        let word_length = rest.len() - after_word.len();
        let (head, tail) = rest.split_at(word_length.max(first.len_utf8()));
        rest = tail;
        let part = match head {
            "ID" => KeyPart::Id,
            "METRIC" => KeyPart::Metric,
            _ => {
                text.push_str(head);
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(KeyPart::Text(std::mem::take(&mut text).into()));
        }
        parts.push(part);
    }
    if !text.is_empty() {
        parts.push(KeyPart::Text(text.into()));
    }
    SenderKey(parts)
}

fn zabbix_host(name: &str) -> Result<Box<str>, String> {
    let is_bad = |character: char| character.is_control() || is_deceptive(character);
    if name.chars().any(is_bad) || name.chars().count() > MAX_HOST_LENGTH {
        let name = escaped_prefix(name, 40);
        return Err(format!(
            "`{name}` is not a host name of Zabbix: it must be a single line of at most {MAX_HOST_LENGTH} characters"
        ));
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_of_a_key_are_replaced() {
        let parts = |pattern: &str| {
            let part = |part: &KeyPart| match part {
                KeyPart::Text(text) => text.to_string(),
                KeyPart::Id => "<id>".to_owned(),
                KeyPart::Metric => "<metric>".to_owned(),
            };
            sender_key(pattern)
                .0
                .iter()
                .map(part)
                .collect::<Vec<_>>()
                .join("|")
        };
        assert_eq!(parts(DEFAULT_KEY), "tcp.target[|<id>|,|<metric>|]");
        assert_eq!(parts("VALID.METRIC"), "VALID.|<metric>");
        assert_eq!(parts("ID_é\"IDS\""), "<id>|_é\"IDS\"");
        assert_eq!(parts(""), "");
    }
}
