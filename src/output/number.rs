//! Numbers and addresses as digits at a buffer's end, without a String each.

use std::io::Write;
use std::net::IpAddr;
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
    integer(buffer, count / ONE);
    let point = buffer.len();
    // Written above one million the fraction keeps its leading zeros; its first digit gives its place to the point.
    integer(buffer, ONE + count % ONE);
    if let Some(first) = buffer.get_mut(point) {
        *first = b'.';
    }
}

/// A time in whole microseconds, rounded.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX)
}

/// An address as it is usually written (RFC 5952 for IPv6).
pub fn address(buffer: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    buffer.push(b'.');
                }
                integer(buffer, octet.into());
            }
        }
        // Writing to memory cannot fail.
        IpAddr::V6(v6) => drop(write!(buffer, "{v6}")),
    }
}

/// A byte as two lower-case hexadecimal digits.
pub fn hex(buffer: &mut Vec<u8>, byte: u8) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    buffer.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut buffer = b"left alone ".to_vec();
        write(&mut buffer);
        String::from_utf8(buffer).unwrap().strip_prefix("left alone ").unwrap().to_owned()
    }

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
            assert_eq!(written(|buffer| seconds(buffer, Duration::from_nanos(nanos))), text);
        }
    }

    #[test]
    fn parts_of_one_are_rounded_to_six_digits() {
        for (part, text) in [(0.0, "0.000000"), (1.0 / 3.0, "0.333333"), (2.0 / 3.0, "0.666667"), (1.0, "1.000000")] {
            assert_eq!(written(|buffer| decimal(buffer, part)), text);
        }
    }

    #[test]
    fn every_byte_in_hexadecimal() {
        for byte in 0..=255 {
            assert_eq!(written(|buffer| hex(buffer, byte)), format!("{byte:02x}"));
        }
    }

    proptest! {
        #[test]
        fn numbers_and_addresses_are_written_as_the_standard_library_writes_them(
            number: u64, micros in 0..u64::MAX / 1_000_000, v4: [u8; 4], v6: [u16; 8],
        ) {
            prop_assert_eq!(written(|buffer| integer(buffer, number)), number.to_string());
            let fraction = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            prop_assert_eq!(written(|buffer| seconds(buffer, Duration::from_micros(micros))), fraction);
            for ip in [IpAddr::from(v4), IpAddr::from(v6)] {
                prop_assert_eq!(written(|buffer| address(buffer, ip)), ip.to_string());
            }
        }
    }
}
