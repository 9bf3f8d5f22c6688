//! Parsers of option values, the same for the command line, the configuration and JSON lines.

use std::time::Duration;

use crate::address::Port;
use crate::address::cidr::HostsError;
use crate::address::port_list::PortListError;
use crate::cli::values;
use crate::escape::escaped_prefix;
use crate::plan::{AddressSelection, Close, Expected, Family, OnTimeout, Tracing};

/// The values of `--addresses`.
const ADDRESSES: [(&str, AddressSelection); 3] = [
    ("any", AddressSelection::Any),
    ("first", AddressSelection::First),
    ("all", AddressSelection::All),
];
/// The values of `--family`.
const FAMILY: [(&str, Family); 2] = [("4", Family::V4), ("6", Family::V6)];
/// The values of `--close`.
const CLOSE: [(&str, Close); 2] = [("fin", Close::Fin), ("rst", Close::Rst)];
/// The values of `--path`.
const TRACING: [(&str, Tracing); 2] = [("on", Tracing::WhenUnanswered), ("off", Tracing::Never)];
/// The values of `--expect-closed`.
const EXPECT_CLOSED: [(&str, Expected); 2] = [
    ("answered", Expected::Closed(OnTimeout::Fails)),
    ("filtered", Expected::Closed(OnTimeout::CountsAsClosed)),
];
/// The statuses that a match of a reject pattern may have, and whether they mean that the peer
/// refuses TLS.
const REJECT_STATUS: [(&str, bool); 2] = [("rejected", false), ("tls_refused", true)];
/// The most connects of one probe.
const MAX_ATTEMPTS: u64 = 10_000;
/// The most bytes that may be held while waiting for a match.
const MAX_BYTES: u64 = 1 << 20;

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidValue {
    /// Not a number from `min` to `max`.
    NotANumber {
        /// The least number.
        min: u64,
        /// The greatest number.
        max: u64,
    },
    /// None of these values.
    Unknown(Vec<&'static str>),
    /// What the value is or is not, such as `is not a name`; and what to write.
    Invalid(&'static str),
    /// A complete message.
    Other(String),
}

impl InvalidValue {
    /// The message, with the value if it may be shown.
    pub fn message(&self, value: Option<&str>) -> String {
        let shown = value.map(|value| format!("`{}` ", escaped_prefix(value, 40)));
        let shown = shown.unwrap_or_default();
        match self {
            Self::NotANumber { min, max } => {
                format!("{shown}is not a number from {min} to {max}")
            }
            Self::Unknown(known) => {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                let list = match known.split_last() {
                    Some((last, others)) if !others.is_empty() => {
                        format!("{} or {last}", others.join(", "))
                    }
                    _ => known.concat(),
                };
                let value = format!("unknown value {shown}");
                format!("{}: use {list}", value.trim_end())
            }
            Self::Invalid(what) => format!("{shown}{what}"),
            Self::Other(message) => message.clone(),
        }
    }
}

impl From<String> for InvalidValue {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl From<HostsError> for InvalidValue {
    fn from(error: HostsError) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<PortListError> for InvalidValue {
    fn from(error: PortListError) -> Self {
        Self::Other(error.to_string())
    }
}

/// The least size of an output: that of a summary.
const MIN_OUTPUT: u64 = 1 << 10;
/// The greatest size of an output.
const MAX_OUTPUT: u64 = 1 << 30;

/// Parses a size of the output in bytes, such as `524288`, `512K` or `16M`; the units are those of
/// Zabbix, powers of 1024.
///
/// # Errors
/// When it is no size, or too small for a summary.
pub fn output_size(text: &str) -> Result<u64, InvalidValue> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (text.get(..text.len() - 1), 1 << 10),
        Some(b'M' | b'm') => (text.get(..text.len() - 1), 1 << 20),
        Some(b'G' | b'g') => (text.get(..text.len() - 1), 1 << 30),
        _ => (Some(text), 1),
    };
    let count = number(digits.unwrap_or_default(), 0, MAX_OUTPUT).ok();
    count
        .and_then(|count| count.checked_mul(unit))
        .filter(|size| (MIN_OUTPUT..=MAX_OUTPUT).contains(size))
        .ok_or(InvalidValue::Invalid(
            "is not a size from 1K to 1G: write a number of bytes, or a number with K, M or G, such as 512K",
        ))
}

/// Parses a decimal number from `min` to `max`.
///
/// # Errors
/// When it is anything else.
pub fn number(text: &str, min: u64, max: u64) -> Result<u64, InvalidValue> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| is_number && (min..=max).contains(number))
        .ok_or(InvalidValue::NotANumber { min, max })
}

/// Parses a number from 1 to `max`, which the type can represent.
///
/// # Errors
/// When it is anything else.
pub fn positive<T: TryFrom<u64>>(text: &str, max: u64) -> Result<T, InvalidValue> {
    let number = number(text, 1, max)?;
    T::try_from(number).map_err(|_| InvalidValue::NotANumber { min: 1, max })
}

/// Parses a duration above zero.
///
/// # Errors
/// When it is anything else.
pub fn duration(text: &str) -> Result<Duration, InvalidValue> {
    values::duration(text).map_err(|why| InvalidValue::Other(why.to_string()))
}

/// Parses one of a few known values.
///
/// # Errors
/// When it is none of them.
pub fn choice<T: Copy>(text: &str, known: &[(&'static str, T)]) -> Result<T, InvalidValue> {
    let value = known.iter().find(|(name, _)| *name == text);
    value
        .map(|(_, value)| *value)
        .ok_or_else(|| InvalidValue::Unknown(known.iter().map(|(name, _)| *name).collect()))
}

/// Parses `--addresses`.
///
/// # Errors
/// When the value is unknown.
pub fn addresses(text: &str) -> Result<AddressSelection, InvalidValue> {
    choice(text, &ADDRESSES)
}

/// Parses `--family`.
///
/// # Errors
/// When the value is unknown.
pub fn family(text: &str) -> Result<Family, InvalidValue> {
    choice(text, &FAMILY)
}

/// Parses a port.
///
/// # Errors
/// When it is not a number from 1 to 65535.
pub fn port(text: &str) -> Result<Port, InvalidValue> {
    let invalid = InvalidValue::NotANumber {
        min: 1,
        max: 65_535,
    };
    let number = number(text, 1, 65_535)?;
    let number = u16::try_from(number).ok();
    number.and_then(Port::new).ok_or(invalid)
}

/// Parses `--close`.
///
/// # Errors
/// When the value is unknown.
pub fn close(text: &str) -> Result<Close, InvalidValue> {
    choice(text, &CLOSE)
}

/// Parses `--path`.
///
/// # Errors
/// When the value is unknown.
pub fn tracing(text: &str) -> Result<Tracing, InvalidValue> {
    choice(text, &TRACING)
}

/// Parses `--expect-closed`.
///
/// # Errors
/// When the value is unknown.
pub fn expect_closed(text: &str) -> Result<Expected, InvalidValue> {
    choice(text, &EXPECT_CLOSED)
}

/// Parses the `status` of a reject pattern: whether a match means that the peer refuses TLS.
///
/// # Errors
/// When the value is unknown.
pub fn reject_status(text: &str) -> Result<bool, InvalidValue> {
    choice(text, &REJECT_STATUS)
}

/// Parses `--count` and `--require`.
///
/// # Errors
/// When it is not a number, or out of range.
pub fn attempts(text: &str) -> Result<u32, InvalidValue> {
    positive(text, MAX_ATTEMPTS)
}

/// Parses `--max-bytes` and `min_bytes`.
///
/// # Errors
/// When it is not a number, or out of range.
pub fn bytes(text: &str) -> Result<usize, InvalidValue> {
    positive(text, MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_units_of_zabbix() {
        for (text, size) in [
            ("1024", 1 << 10),
            ("1K", 1 << 10),
            ("512K", 512 << 10),
            ("512k", 512 << 10),
            ("16M", 16 << 20),
            ("1g", 1 << 30),
            ("1073741824", 1 << 30),
        ] {
            assert_eq!(output_size(text), Ok(size), "{text}");
        }
        for bad in [
            "",
            "K",
            "0",
            "1",
            "1023",
            "0K",
            "-1K",
            "+1K",
            "1.5K",
            "512KB",
            "512KiB",
            "512 K",
            " 512K",
            "2G",
            "1T",
            "99999999999999999999",
            "18446744073709551615G",
            "0x400",
            "1e9",
            "５１２K",
            "512К",
            "nan",
        ] {
            assert!(output_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_shown_only_where_they_may_be() {
        let error = attempts("hunter2").unwrap_err();
        assert_eq!(error.message(None), "is not a number from 1 to 10000");
        assert_eq!(
            error.message(Some("hunter2")),
            "`hunter2` is not a number from 1 to 10000"
        );
        let error = close("hunter2").unwrap_err();
        assert_eq!(error.message(None), "unknown value: use `fin` or `rst`");
        assert_eq!(
            error.message(Some("hunter2")),
            "unknown value `hunter2`: use `fin` or `rst`"
        );
    }
}
