//! The values of metrics.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::fast_fmt;

/// A value that was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A time, written in seconds with six decimal places.
    Seconds(Duration),
    /// A number without a fraction.
    Integer(u64),
    /// The same, which may be negative.
    Signed(i64),
    /// A number of seconds, written in days with four decimal places.
    Days(i64),
    /// A fraction from 0 to 1.
    Ratio(f64),
    /// Text on one line.
    Text(Cow<'a, str>),
    /// Texts; as a single value they are joined by commas.
    List(Vec<Cow<'a, str>>),
    /// A list or an object, in JSON.
    Json(String),
    /// An address, written as text.
    Address(IpAddr),
}

use Value::{Address, Days, Integer, Json, List, Ratio, Seconds, Signed, Text};

impl Value<'_> {
    /// The text; `None` for numbers.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Text(text) => Some(Cow::Borrowed(text)),
            List(texts) => Some(texts.join(",").into()),
            Json(json) => Some(Cow::Borrowed(json)),
            Address(address) => Some(address.to_string().into()),
            Seconds(_) | Integer(_) | Signed(_) | Days(_) | Ratio(_) => None,
        }
    }

    /// Appends the value without quotes: no unit, no exponent.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        match self {
            Seconds(duration) => fast_fmt::seconds(buffer, *duration),
            Integer(count) => fast_fmt::integer(buffer, *count),
            Signed(number) => signed(buffer, *number),
            Days(seconds) => days(buffer, *seconds),
            Ratio(fraction) => fast_fmt::decimal(buffer, *fraction),
            Text(text) => buffer.extend_from_slice(text.as_bytes()),
            List(texts) => buffer.extend_from_slice(texts.join(",").as_bytes()),
            Json(json) => buffer.extend_from_slice(json.as_bytes()),
            Address(address) => fast_fmt::address(buffer, *address),
        }
    }
}

fn signed(buffer: &mut Vec<u8>, number: i64) {
    if number < 0 {
        buffer.push(b'-');
    }
    fast_fmt::integer(buffer, number.unsigned_abs());
}

/// Days with four decimal places, rounded down: never more than what is left, and negative from the
/// first second on.
fn days(buffer: &mut Vec<u8>, seconds: i64) {
    const PLACES: i128 = 10_000;
    let count = (i128::from(seconds) * PLACES).div_euclid(86_400);
    if count < 0 {
        buffer.push(b'-');
    }
    let count = count.unsigned_abs();
    let whole = u64::try_from(count / PLACES.unsigned_abs()).unwrap_or(u64::MAX);
    fast_fmt::integer(buffer, whole);
    let fraction = format!(".{:04}", count % PLACES.unsigned_abs());
    buffer.extend_from_slice(fraction.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value<'_>) -> String {
        let mut buffer = Vec::new();
        value.write(&mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn days_are_rounded_down() {
        for (seconds, text) in [
            (0, "0.0000"),
            (1, "0.0000"),
            (9, "0.0001"),
            (86_399, "0.9999"),
            (86_400, "1.0000"),
            (160 * 3600, "6.6666"),
            (47 * 86_400 - 1, "46.9999"),
            (398 * 86_400, "398.0000"),
            (-1, "-0.0001"),
            (-86_400, "-1.0000"),
            (-86_401, "-1.0001"),
            (i64::MAX, "106751991167300.6459"),
            (i64::MIN, "-106751991167300.6460"),
        ] {
            assert_eq!(written(&Days(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn numbers_and_lists_are_plain() {
        for (value, text) in [
            (Signed(i64::MIN), "-9223372036854775808"),
            (Signed(0), "0"),
            (Signed(1_790_000_000), "1790000000"),
            (List(vec!["a".into(), "b".into()]), "a,b"),
            (List(Vec::new()), ""),
            (Json("[{}]".to_owned()), "[{}]"),
        ] {
            assert_eq!(written(&value), text);
        }
    }
}
