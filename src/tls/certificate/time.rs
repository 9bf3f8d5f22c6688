//! The times of a certificate (X.680, RFC 5280 section 4.1.2.5).

use crate::tls::certificate::der::{GENERALIZED_TIME, UTC_TIME};
use crate::tls_facts::days_since_1970;

/// Seconds since 1970 of a `UTCTime` or `GeneralizedTime`. The forms that DER forbids are accepted:
/// without seconds, with a fraction, with a time zone. A `UTCTime` is in the years 1950 to 2049.
pub fn seconds(tag: u8, content: &[u8]) -> Option<i64> {
    let mut digits = Digits { rest: content };
    let year = match tag {
        UTC_TIME => {
            let year = digits.number(2)?;
            if year < 50 { 2000 + year } else { 1900 + year }
        }
        GENERALIZED_TIME => digits.number(4)?,
        _ => return None,
    };
    let month = digits.number(2)?;
    let day = digits.number(2)?;
    let days = days_since_1970(year, month, day)?;
    let hour = digits.number(2).filter(|hour| *hour < 24)?;
    let minute = digits.number(2).filter(|minute| *minute < 60)?;
    let second = match digits.rest.first() {
        Some(b'0'..=b'9') => digits.number(2).filter(|second| *second < 60)?,
        _ => 0,
    };
    if let Some(after) = digits.rest.strip_prefix(b".") {
        let end = after.iter().position(|byte| !byte.is_ascii_digit())?;
        digits.rest = after.get(end..)?;
    }
    let offset = digits.zone()?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    fn number(&mut self, length: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        digits.iter().try_fold(0, |sum, digit| {
            let value = digit.is_ascii_digit().then(|| i64::from(digit - b'0'));
            value.map(|value| sum * 10 + value)
        })
    }

    /// The offset of the time zone in seconds.
    fn zone(mut self) -> Option<i64> {
        let (sign, rest) = self.rest.split_first()?;
        self.rest = rest;
        let sign = match sign {
            b'Z' => return rest.is_empty().then_some(0),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hour = self.number(2).filter(|hour| *hour < 24)?;
        let minute = self.number(2).filter(|minute| *minute < 60)?;
        self.rest
            .is_empty()
            .then_some(sign * (hour * 3600 + minute * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_times() {
        for (text, expected) in [
            ("700101000000Z", Some(0)),
            ("691231235959Z", Some(-1)),
            ("500101000000Z", Some(-631_152_000)),
            ("491231235959Z", Some(2_524_607_999)),
            ("261126120000Z", Some(1_795_694_400)),
            ("2611261200Z", Some(1_795_694_400)),
            ("261126130000+0100", Some(1_795_694_400)),
            ("261126103000-0130", Some(1_795_694_400)),
            ("19691231235959Z", Some(-1)),
            ("00010101000000Z", Some(-62_135_596_800)),
            ("00000101000000Z", Some(-62_167_219_200)),
            ("99991231235959Z", Some(253_402_300_799)),
            ("20261126120000.123Z", Some(1_795_694_400)),
            ("20240229000000Z", Some(1_709_164_800)),
            ("20230229000000Z", None),
            ("20260230000000Z", None),
            ("20261301000000Z", None),
            ("20260001000000Z", None),
            ("20260100000000Z", None),
            ("20260101240000Z", None),
            ("20260101006000Z", None),
            ("20260101000060Z", None),
            ("20260101000000", None),
            ("20260101000000.", None),
            ("20260101000000Zx", None),
            ("20260101000000+01", None),
            ("20260101000000+2500", None),
            ("123450101000000Z", None),
            ("+1000101000000Z", None),
            ("2026 101000000Z", None),
            ("", None),
        ] {
            let tag = if text.find(['Z', '+', '-', '.']).unwrap_or(text.len()) > 12 {
                GENERALIZED_TIME
            } else {
                UTC_TIME
            };
            assert_eq!(seconds(tag, text.as_bytes()), expected, "{text}");
        }
        assert_eq!(seconds(0x04, b"700101000000Z"), None);
    }
}
