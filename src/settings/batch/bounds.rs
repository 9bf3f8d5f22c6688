//! What a run may use, as it was typed.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::cli::batch::LimitArgs;
use crate::settings::SettingsError;
use crate::settings::batch::Bounds;
use crate::settings::options::{duration, number, number_from};

/// The time of a run: Zabbix gives up at 3 s and then throws the value away.
const DEADLINE: Duration = Duration::from_millis(2500);
/// More than one machine has ports for.
const MOST_IN_FLIGHT: u64 = 10_000_000;
/// More connects a second than any machine starts.
const MOST_RATE: u64 = 1_000_000_000;
/// More than any machine has cores for.
const MOST_THREADS: u64 = 256;

/// The bounds of these options, with so many probes to one address where nobody says otherwise.
///
/// # Errors
/// When one is no number, or none that makes sense.
pub fn bounds(
    pace: &LimitArgs,
    deadline: &Option<String>,
    per_host: Option<NonZeroUsize>,
) -> Result<Bounds, SettingsError> {
    let per_host = match number_from(0, "--per-host", &pace.per_host, MOST_IN_FLIGHT)? {
        None => per_host,
        Some(most) => usize::try_from(most).ok().and_then(NonZeroUsize::new),
    };
    let rate = number("--rate", &pace.rate, MOST_RATE)?;
    Ok(Bounds {
        concurrency: some("--concurrency", &pace.concurrency, MOST_IN_FLIGHT)?,
        rate: rate
            .and_then(|rate| u32::try_from(rate).ok())
            .and_then(NonZeroU32::new),
        per_host,
        threads: some("--threads", &pace.threads, MOST_THREADS)?,
        deadline: duration("--deadline", deadline)?.unwrap_or(DEADLINE),
    })
}

fn some(
    option: &str,
    value: &Option<String>,
    most: u64,
) -> Result<Option<NonZeroUsize>, SettingsError> {
    let number = number(option, value, most)?;
    Ok(number
        .and_then(|number| usize::try_from(number).ok())
        .and_then(NonZeroUsize::new))
}

/// What the order of starts is made from; always the same where nobody says otherwise.
///
/// # Errors
/// When it is no number.
pub fn seed(pace: &LimitArgs) -> Result<u64, SettingsError> {
    Ok(number_from(0, "--seed", &pace.seed, u64::MAX)?.unwrap_or(0))
}
