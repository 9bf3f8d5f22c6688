//! Parsers of option values, the same for the command line, the configuration and JSON lines.

use std::time::Duration;

use crate::cli::values;
use crate::escape::escaped_prefix;
use crate::plan::{AddressSelection, Close, Expected, OnTimeout};

/// The values of `--addresses`.
const ADDRESSES: [(&str, AddressSelection); 2] = [
    ("first", AddressSelection::First),
    ("all", AddressSelection::All),
];
/// The values of `--close`.
const CLOSE: [(&str, Close); 2] = [("fin", Close::Fin), ("rst", Close::Rst)];
/// The values of `--expect-closed`.
const EXPECT_CLOSED: [(&str, Expected); 2] = [
    ("answered", Expected::Closed(OnTimeout::Fails)),
    ("filtered", Expected::Closed(OnTimeout::CountsAsClosed)),
];
/// The most connects of one probe.
const MAX_ATTEMPTS: u64 = 10_000;
/// The most bytes that may be held while waiting for a match.
const MAX_BYTES: u64 = 16 << 20;

/// Parses a decimal number from `min` to `max`.
///
/// # Errors
/// When it is anything else.
pub fn number(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| is_number && (min..=max).contains(number))
        .ok_or_else(|| {
            let text = escaped_prefix(text, 40);
            format!("`{text}` is not a number from {min} to {max}")
        })
}

/// Parses a number from 1 to `max`, for types that hold all of those.
///
/// # Errors
/// When it is anything else.
pub fn positive<T: TryFrom<u64>>(text: &str, max: u64) -> Result<T, String> {
    let number = number(text, 1, max)?;
    T::try_from(number).map_err(|_| format!("`{number}` is too large for this machine"))
}

/// Parses a duration above zero.
///
/// # Errors
/// When it is anything else.
pub fn duration(text: &str) -> Result<Duration, String> {
    values::duration(text).map_err(|why| why.to_string())
}

/// Parses one of a few known values.
///
/// # Errors
/// When it is none of them; the text lists them.
pub fn choice<T: Copy>(text: &str, known: &[(&'static str, T)]) -> Result<T, String> {
    let value = known.iter().find(|(name, _)| *name == text);
    value.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
        let text = escaped_prefix(text, 40);
        format!("unknown value `{text}`: use {}", names.join(" or "))
    })
}

/// Parses `--addresses`.
///
/// # Errors
/// When the value is unknown.
pub fn addresses(text: &str) -> Result<AddressSelection, String> {
    choice(text, &ADDRESSES)
}

/// Parses `--close`.
///
/// # Errors
/// When the value is unknown.
pub fn close(text: &str) -> Result<Close, String> {
    choice(text, &CLOSE)
}

/// Parses `--expect-closed`.
///
/// # Errors
/// When the value is unknown.
pub fn expect_closed(text: &str) -> Result<Expected, String> {
    choice(text, &EXPECT_CLOSED)
}

/// Parses `--count` and `--require`.
///
/// # Errors
/// When it is not a number, or out of range.
pub fn attempts(text: &str) -> Result<u32, String> {
    positive(text, MAX_ATTEMPTS)
}

/// Parses `--max-bytes` and `min_bytes`.
///
/// # Errors
/// When it is not a number, or out of range.
pub fn bytes(text: &str) -> Result<usize, String> {
    positive(text, MAX_BYTES)
}
