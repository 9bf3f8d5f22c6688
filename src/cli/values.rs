//! Option values: empty values and durations.

use std::fmt;
use std::time::Duration;

use crate::escape::escaped_prefix;

/// The longest duration of an option.
const MAX_DURATION: Duration = Duration::from_secs(600);

/// The value of an option, unless it is empty: a Zabbix macro may expand to nothing.
pub fn non_empty(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// Parses a duration: humantime (`2.5s`, `800ms`, `1m`) or seconds (`3`, `0.25`); above 0, at most
/// 600 s.
///
/// # Errors
/// If it is not a duration or out of range.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    let duration = duration_or_zero(text)?;
    if duration.is_zero() {
        Err(ValueError::Zero(escaped_prefix(text, 40)))
    } else {
        Ok(duration)
    }
}

/// Like [`duration`], but 0 is allowed.
///
/// # Errors
/// If it is not a duration or above 600 s.
pub fn duration_or_zero(text: &str) -> Result<Duration, ValueError> {
    match duration_up_to(text, MAX_DURATION) {
        Err(OutOfRange::TooLong) => Err(ValueError::TooLong(escaped_prefix(text, 40))),
        Err(OutOfRange::Invalid(error)) => Err(error),
        Ok(duration) => Ok(duration),
    }
}

/// Parses a duration of a long run, such as `8h`: above 0, at most 30 days.
///
/// # Errors
/// If it is not a duration or out of range.
pub fn long_duration(text: &str) -> Result<Duration, String> {
    match duration_up_to(text, MAX_RUN) {
        Err(OutOfRange::Invalid(error)) => Err(error.to_string()),
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(OutOfRange::TooLong) => Err(format!(
            "`{}` is out of range: the duration of a run is greater than 0 and at most 30 days",
            escaped_prefix(text, 40)
        )),
    }
}

/// The longest duration of a run.
const MAX_RUN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

enum OutOfRange {
    TooLong,
    Invalid(ValueError),
}

fn duration_up_to(text: &str, max: Duration) -> Result<Duration, OutOfRange> {
    if text.is_empty() {
        return Err(OutOfRange::Invalid(ValueError::Empty));
    }
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let parsed = if is_number {
        seconds(text)
    } else {
        with_units(text)
    };
    match parsed {
        Parsed::Duration(duration) if duration <= max => Ok(duration),
        Parsed::Duration(_) | Parsed::Overflow => Err(OutOfRange::TooLong),
        Parsed::Invalid => Err(OutOfRange::Invalid(ValueError::NotADuration(
            escaped_prefix(text, 40),
        ))),
    }
}

enum Parsed {
    Duration(Duration),
    /// A duration that does not fit into a [`Duration`].
    Overflow,
    Invalid,
}

/// Parses decimal seconds. Digits below a nanosecond are truncated.
fn seconds(text: &str) -> Parsed {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Parsed::Invalid;
    }
    let nanos: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    match (whole.parse(), nanos.parse()) {
        (Ok(whole), Ok(nanos)) => Parsed::Duration(Duration::new(whole, nanos)),
        _ => Parsed::Overflow,
    }
}

fn with_units(text: &str) -> Parsed {
    match humantime::parse_duration(text) {
        Ok(duration) => Parsed::Duration(duration),
        Err(humantime::DurationError::NumberOverflow) => Parsed::Overflow,
        Err(_) => Parsed::Invalid,
    }
}

/// Why a value is invalid. The text names the value and the remedy, but not the option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// An empty value.
    Empty,
    /// Neither seconds nor numbers with units.
    NotADuration(String),
    /// 0, where that is not allowed.
    Zero(String),
    /// Above 600 s.
    TooLong(String),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "the duration is empty: write seconds such as `3` or `0.25`, or `800ms`",
            ),
            Self::NotADuration(text) => {
                write!(
                    f,
                    "`{text}` is not a duration: write seconds such as `3` or `0.25`, or `800ms`, `2.5s`, `1m`"
                )
            }
            Self::TooLong(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => write!(
                f,
                "{text} s is more than 600 s; for milliseconds write `{text}ms`"
            ),
            Self::Zero(text) | Self::TooLong(text) => write!(
                f,
                "`{text}` is out of range: a duration is greater than 0 and at most 600 s"
            ),
        }
    }
}

impl std::error::Error for ValueError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_units() {
        for (text, micros) in [
            ("3", 3_000_000),
            ("0.25", 250_000),
            ("00.000001", 1),
            ("600", 600_000_000),
            ("2.5s", 2_500_000),
            ("800ms", 800_000),
            ("1m", 60_000_000),
            ("1m 30s", 90_000_000),
            ("250us", 250),
            ("10m", 600_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn an_invalid_duration_is_named_on_one_line() {
        for text in [
            "-1", "abc", "1e9", "nan", "inf", "３", "３s", "+3", ".5", "5.", "1.2.3", ".", " 3",
            "3 ", "s", "3\n",
        ] {
            let error = duration(text).expect_err(text);
            assert!(
                matches!(error, ValueError::NotADuration(_)),
                "{text:?}: {error:?}"
            );
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        assert_eq!(duration(""), Err(ValueError::Empty));
    }

    #[test]
    fn zero_is_allowed_only_by_duration_or_zero() {
        for text in ["0", "0.0", "0s", "0.0000000001"] {
            assert_eq!(duration(text), Err(ValueError::Zero(text.into())), "{text}");
            assert_eq!(duration_or_zero(text), Ok(Duration::ZERO), "{text}");
        }
    }

    #[test]
    fn the_limit_is_ten_minutes() {
        for text in [
            "600.000000001",
            "601",
            "11m",
            "1M",
            "99999999999999999999999",
            "99999999999999999999y",
            "600s 1ns",
        ] {
            assert_eq!(
                duration(text),
                Err(ValueError::TooLong(text.into())),
                "{text}"
            );
        }
    }
}
