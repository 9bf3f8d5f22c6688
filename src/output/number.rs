//! Numbers as digits at a buffer's end, without a String each.

use std::time::Duration;

/// A whole number.
pub fn integer(buffer: &mut Vec<u8>, number: u64) {
    buffer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A time in seconds with microsecond digits, such as `0.000213`; never an exponent.
pub fn seconds(buffer: &mut Vec<u8>, time: Duration) {
    millionths(buffer, micros(time));
}

/// A number that is not negative, with six digits; a whole number is cheaper to print than the float.
pub fn decimal(buffer: &mut Vec<u8>, number: f64) {
    millionths(buffer, (number * 1e6).round() as u64);
}

fn millionths(buffer: &mut Vec<u8>, count: u64) {
    const ONE: u64 = 1_000_000;
    let (whole, mut rest) = (count / ONE, (count % ONE) as u32);
    if whole == 0 {
        buffer.push(b'0');
    } else {
        integer(buffer, whole);
    }
    let mut fraction = *b".000000";
    for digit in fraction.iter_mut().skip(1).rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    buffer.extend_from_slice(&fraction);
}

/// A time in whole microseconds, rounded.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX)
}

/// A byte as two lower-case hexadecimal digits.
pub fn hex(buffer: &mut Vec<u8>, byte: u8) {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        }
    };
    buffer.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::writing::appended;

    #[test]
    fn times_are_plain_decimals() {
        for (nanos, text) in [
            (0, "0.000000"),
            (17_000, "0.000017"),
            (499, "0.000000"),
            (500, "0.000001"),
            (999_999_500, "1.000000"),
            (600_000_000_000, "600.000000"),
        ] {
            assert_eq!(
                appended(|buffer| seconds(buffer, Duration::from_nanos(nanos))),
                text
            );
        }
    }

    #[test]
    fn parts_of_one_are_rounded_to_six_digits() {
        for (part, text) in [
            (0.0, "0.000000"),
            (1.0 / 3.0, "0.333333"),
            (2.0 / 3.0, "0.666667"),
            (1.0, "1.000000"),
        ] {
            assert_eq!(appended(|buffer| decimal(buffer, part)), text);
        }
    }

    #[test]
    fn every_byte_in_hexadecimal() {
        for byte in 0..=255 {
            assert_eq!(appended(|buffer| hex(buffer, byte)), format!("{byte:02x}"));
        }
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_writes_them(
            number: u64, micros in 0..u64::MAX / 1_000_000,
        ) {
            prop_assert_eq!(appended(|buffer| integer(buffer, number)), number.to_string());
            let fraction = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            prop_assert_eq!(appended(|buffer| seconds(buffer, Duration::from_micros(micros))), fraction);
        }
    }
}
