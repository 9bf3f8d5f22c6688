//! Values that several options share.

use std::fmt;
use std::time::Duration;

use crate::escape::escaped_prefix;

/// The longest duration an option takes.
const LONGEST: Duration = Duration::from_secs(600);

/// An option's value; an empty one was not given, since Zabbix macros expand to nothing.
pub fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// A time span: humantime (`2.5s`, `800ms`, `1m`) or bare seconds (`3`, `0.25`); above 0, at most 600 s.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    let duration = duration_or_zero(text)?;
    if duration.is_zero() {
        Err(ValueError::Zero(escaped_prefix(text, 40)))
    } else {
        Ok(duration)
    }
}

/// The same as [`duration`], where 0 means "at once".
pub fn duration_or_zero(text: &str) -> Result<Duration, ValueError> {
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    let bare = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let parsed = if bare {
        seconds(text)
    } else {
        with_units(text)
    };
    match parsed {
        Parsed::Span(duration) if duration <= LONGEST => Ok(duration),
        Parsed::Span(_) | Parsed::Huge => Err(ValueError::TooLong(escaped_prefix(text, 40))),
        Parsed::Nothing => Err(ValueError::NotADuration(escaped_prefix(text, 40))),
    }
}

enum Parsed {
    Span(Duration),
    Huge,
    Nothing,
}

/// Decimal seconds; digits below a nanosecond count as long as they do not make something of nothing.
fn seconds(text: &str) -> Parsed {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Parsed::Nothing;
    }
    let nanos: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    match (whole.parse(), nanos.parse()) {
        (Ok(whole), Ok(nanos)) => Parsed::Span(Duration::new(whole, nanos)),
        _ => Parsed::Huge,
    }
}

fn with_units(text: &str) -> Parsed {
    match humantime::parse_duration(text) {
        Ok(duration) => Parsed::Span(duration),
        Err(humantime::DurationError::NumberOverflow) => Parsed::Huge,
        Err(_) => Parsed::Nothing,
    }
}

/// Why a value is refused; the text names the value and the remedy, the option is known to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// Nothing at all.
    Empty,
    /// Neither a number of seconds nor numbers with units.
    NotADuration(String),
    /// A span of 0 where something is to last.
    Zero(String),
    /// Above the limit, or too fine or too large to count.
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
            Self::Zero(text) => write!(
                f,
                "`{text}` is no time at all: a duration is above 0 and at most 600 s"
            ),
            Self::TooLong(text) => {
                write!(
                    f,
                    "`{text}` is outside what can be counted here: a duration is above 0 and at most 600 s"
                )
            }
        }
    }
}

impl std::error::Error for ValueError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_duration() {
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
    fn what_is_no_duration_is_named_on_one_line() {
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
    fn zero_is_refused_where_something_is_to_last() {
        for text in ["0", "0.0", "0s", "0.0000000001"] {
            assert_eq!(duration(text), Err(ValueError::Zero(text.into())), "{text}");
            assert_eq!(duration_or_zero(text), Ok(Duration::ZERO), "{text}");
        }
    }

    #[test]
    fn ten_minutes_are_the_limit() {
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
