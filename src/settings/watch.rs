//! The settings of `watch`: a request and the configuration become one plan for each target.

use std::sync::Arc;
use std::time::Duration;

use crate::address::host_list::one_target;
use crate::cli::values;
use crate::cli::values::non_empty;
use crate::cli::watch::WatchArgs;
use crate::escape::escaped_prefix;
use crate::plan::Plan;
use crate::settings::build::{FamilyOrigin, plan, spec, with_service};
use crate::settings::config::Configuration;
use crate::settings::error::SettingsError;
use crate::settings::options::{duration, option, probe};
use crate::settings::overrides::Overrides;
use crate::settings::parse;
use crate::settings::request::{ProbeRequest, ResolverChoice};
use crate::settings::services;
use crate::settings::starttls;
use crate::settings::tls_build::TlsLayers;

/// The most targets of a run.
pub const MAX_TARGETS: usize = 64;
/// The most probes that a run starts in a second.
pub const MAX_RATE: u128 = 1000;
/// The shortest interval.
const SHORTEST: Duration = Duration::from_millis(10);
/// The default interval.
const INTERVAL: Duration = Duration::from_secs(1);
/// The most probes of each target.
const MAX_COUNT: u64 = 1_000_000_000;

/// What `watch` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchFormat {
    /// A live view on a terminal.
    Live,
    /// A line of text for each probe.
    Text,
    /// A line of JSON for each probe and each event.
    Ndjson,
}

const FORMATS: [(&str, WatchFormat); 3] = [
    ("live", WatchFormat::Live),
    ("text", WatchFormat::Text),
    ("ndjson", WatchFormat::Ndjson),
];

/// What is asked for.
#[derive(Debug)]
pub struct WatchRequest {
    /// The targets as words.
    pub words: Vec<String>,
    /// How they are probed.
    pub probe: ProbeRequest,
    /// What is printed, if it was given.
    pub format: Option<WatchFormat>,
    /// The time between the starts of two probes of a target.
    pub interval: Duration,
    /// How many probes of each target are made.
    pub count: Option<u64>,
    /// When the run ends.
    pub deadline: Option<Duration>,
    /// For how long connections are held idle.
    pub idle: Option<Duration>,
}

impl WatchRequest {
    /// The request of these arguments.
    ///
    /// # Errors
    /// The first usage error.
    pub fn from_args(mut args: WatchArgs) -> Result<Self, SettingsError> {
        if non_empty(&args.probe.require).is_some() {
            let message = "cannot be used here: `watch` shows the loss of all probes";
            return Err(SettingsError::in_option("--require", message));
        }
        let count = args.probe.count.take();
        let count = option("--count", &count, |text| parse::positive(text, MAX_COUNT))?;
        let interval = args.probe.interval.take();
        let interval = duration("--interval", &interval)?.unwrap_or(INTERVAL);
        if interval < SHORTEST {
            let message = format!(
                "{} is too short: at least {}",
                humantime::format_duration(interval),
                humantime::format_duration(SHORTEST)
            );
            return Err(SettingsError::in_option("--interval", message));
        }
        Ok(Self {
            format: option("--output", &args.output, |text| {
                parse::choice(text, &FORMATS)
            })?,
            interval,
            count,
            deadline: option("--deadline", &args.deadline, values::long_duration)?,
            idle: option("--idle", &args.idle, values::long_duration)?,
            probe: probe(&args.probe)?,
            words: args.targets,
        })
    }
}

/// Everything that a `watch` needs.
#[derive(Debug)]
pub struct Watch {
    /// One plan for each target, in the order in which they were given.
    pub plans: Vec<Arc<Plan>>,
    /// What is printed, if it was given.
    pub format: Option<WatchFormat>,
    /// How names are resolved.
    pub resolver: ResolverChoice,
    /// The time between the starts of two probes of a target.
    pub interval: Duration,
    /// How many probes of each target are made.
    pub count: Option<u64>,
    /// When the run ends.
    pub deadline: Option<Duration>,
    /// For how long connections are held idle.
    pub idle: Option<Duration>,
}

/// Merges a request with its service and the configuration.
///
/// # Errors
/// The first error found; nothing was sent.
pub fn watch(request: WatchRequest, config: &Configuration) -> Result<Watch, SettingsError> {
    let service = request
        .probe
        .service
        .map(|name| services::find(config, &name))
        .transpose()
        .map_err(|why| why.or_in_option("--service"))?;
    let overrides = starttls::merged(
        request.probe.overrides,
        service.as_ref(),
        config.defaults.clone(),
    )?;
    // Each probe is one attempt, whatever the configuration says: `watch` repeats it.
    let overrides = Overrides {
        count: None,
        interval: None,
        require: None,
        ..overrides
    };
    let words = target_words(&request.words)?;
    let spec = spec(&overrides, &mut TlsLayers::default()).map_err(SettingsError::first)?;
    let spec = Arc::new(with_service(spec, service.as_ref()));
    let family = FamilyOrigin::of(&overrides);
    let mut plans: Vec<Arc<Plan>> = Vec::new();
    for (host, port) in words {
        let target = one_target(host, port, overrides.port).map_err(SettingsError::new)?;
        if plans.iter().any(|plan| plan.target == target) {
            let message = format!("the target {target} is given twice");
            return Err(SettingsError::new(message));
        }
        plans.push(Arc::new(plan(&spec, target, &family)?));
    }
    reject_high_rate(plans.len(), request.interval)?;
    Ok(Watch {
        plans,
        format: request.format,
        resolver: request.probe.resolver,
        interval: request.interval,
        count: request.count,
        deadline: request.deadline,
        idle: request.idle,
    })
}

/// The hosts and ports of these words: `HOST PORT`, or a target in each word. Empty words are
/// ignored, because a macro may expand to nothing.
fn target_words(words: &[String]) -> Result<Vec<(&str, Option<&str>)>, SettingsError> {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let [host, port] = words[..] {
        if is_number(port) || port.is_empty() {
            return Ok(vec![(host, Some(port))]);
        }
    }
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(SettingsError::new(
            "no target: write `HOST PORT`, or targets as `HOST:PORT`",
        ));
    }
    if words.len() > MAX_TARGETS {
        return Err(SettingsError::new(format!(
            "{} targets are more than the limit of {MAX_TARGETS}: give fewer targets, or use \
             `zbx-tcp batch`",
            words.len()
        )));
    }
    if let Some(number) = words.iter().skip(1).find(|word| is_number(word)) {
        return Err(SettingsError::new(format!(
            "`{}` is not a target: write each of several targets as `HOST:PORT`",
            escaped_prefix(number, 40)
        )));
    }
    Ok(words.into_iter().map(|word| (word, None)).collect())
}

fn reject_high_rate(targets: usize, interval: Duration) -> Result<(), SettingsError> {
    let micros = interval.as_micros().max(1);
    let rate = targets as u128 * 1_000_000 / micros;
    if rate <= MAX_RATE {
        return Ok(());
    }
    Err(SettingsError::in_option(
        "--interval",
        format!(
            "{targets} targets with an interval of {} are {rate} probes a second, and the limit is \
             {MAX_RATE}: raise the interval, or give fewer targets",
            humantime::format_duration(interval)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parsed(arguments: &[&str]) -> Result<Watch, String> {
        let words = ["zbx-tcp", "watch"].iter().chain(arguments);
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let Command::Watch(args) = cli.command else {
            panic!("not a watch");
        };
        let request = WatchRequest::from_args(*args).map_err(|error| error.to_string())?;
        watch(request, &Configuration::default()).map_err(|error| error.to_string())
    }

    fn targets(arguments: &[&str]) -> Vec<String> {
        let plans = parsed(arguments).unwrap().plans;
        plans.iter().map(|plan| plan.target.to_string()).collect()
    }

    #[test]
    fn targets_are_host_and_port_or_several() {
        assert_eq!(targets(&["a", "22"]), ["a:22"]);
        assert_eq!(targets(&["a:22", ""]), ["a:22"]);
        assert_eq!(targets(&["::1", "22"]), ["[::1]:22"]);
        assert_eq!(
            targets(&["a:22", "", "b:443", "[::1]:80"]),
            ["a:22", "b:443", "[::1]:80"]
        );
        assert_eq!(targets(&["a", "b", "--service", "ssh"]), ["a:22", "b:22"]);
        assert_eq!(targets(&["a", "--service", "ssh"]), ["a:22"]);
    }

    #[test]
    fn wrong_targets_are_refused() {
        for (arguments, expected) in [
            (&["a"][..], "port"),
            (&["", ""], "host"),
            (&["", "", ""], "no target"),
            (&["a:22", "443", "b:1"], "`443` is not a target"),
            (&["a:22", "a:22"], "given twice"),
            (&["10.0.0.0/24:22"], "is a network or a range"),
            (&["a:22", "b:0"], "0"),
            (&["a:22", "--require", "2"], "--require"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn the_number_of_targets_and_their_rate_are_limited() {
        let words: Vec<String> = (0..65).map(|index| format!("h{index}:1")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let error = parsed(&words).unwrap_err();
        assert!(
            error.starts_with("65 targets are more than the limit of 64"),
            "{error}"
        );
        assert_eq!(targets(&words[..64]).len(), 64);
        let mut fast = words[..64].to_vec();
        fast.extend(["-i", "10ms"]);
        let error = parsed(&fast).unwrap_err();
        assert!(error.contains("6400 probes a second"), "{error}");
        assert!(
            parsed(&["a:1", "-i", "9ms"])
                .unwrap_err()
                .contains("at least 10ms")
        );
        assert!(parsed(&["a:1", "-i", "10ms"]).is_ok());
    }

    #[test]
    fn the_options_of_a_run() {
        let watch = parsed(&["a:1", "-c", "5", "-i", "200ms", "-w", "8h", "-o", "ndjson"]).unwrap();
        assert_eq!(
            (watch.count, watch.interval),
            (Some(5), Duration::from_millis(200))
        );
        assert_eq!(watch.deadline, Some(Duration::from_secs(8 * 3600)));
        assert_eq!(watch.format, Some(WatchFormat::Ndjson));
        assert!(watch.plans[0].spec.attempts.is_none());
        let default = parsed(&["a:1", "--count", "", "-i", "", "-w", ""]).unwrap();
        assert_eq!((default.count, default.interval), (None, INTERVAL));
        for (arguments, expected) in [
            (&["a:1", "-c", "0"][..], "--count"),
            (&["a:1", "-c", "-1"], "--count"),
            (&["a:1", "-w", "0"], "out of range"),
            (&["a:1", "-w", "31d"], "at most 30 days"),
            (&["a:1", "-w", "99999999999999999999d"], "at most 30 days"),
            (&["a:1", "-w", "soon"], "not a duration"),
            (&["a:1", "--idle", "x"], "--idle"),
            (&["a:1", "-o", "json"], "`live`, `text` or `ndjson`"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }
}
