//! Numbers, addresses and ports appended to a byte buffer, without `core::fmt`.
//!
//! Batch output consists mostly of these. `core::fmt` writes the same text, for about ten times
//! the instructions and, for floats, in a form that Zabbix does not accept (`1.7e-05`).

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::address::{Host, Port, Target};

/// Appends an integer in decimal.
pub fn integer(buffer: &mut Vec<u8>, number: u64) {
    buffer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a duration in seconds with six decimals, such as `0.000213`; never an exponent.
pub fn seconds(buffer: &mut Vec<u8>, duration: Duration) {
    millionths(buffer, micros(duration));
}

/// Appends a number with six decimals; it must not be negative.
pub fn decimal(buffer: &mut Vec<u8>, number: f64) {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the number is not negative"
    )]
    millionths(buffer, (number * 1e6).round() as u64);
}

/// Appends a duration in milliseconds with three decimals, such as `0.213 ms`.
pub fn milliseconds(buffer: &mut Vec<u8>, duration: Duration) {
    let micros = micros(duration);
    integer(buffer, micros / 1000);
    let digit = |unit: u64| digit(micros / unit % 10);
    buffer.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    buffer.extend_from_slice(b" ms");
}

fn millionths(buffer: &mut Vec<u8>, count: u64) {
    const ONE: u64 = 1_000_000;
    let (whole, mut rest) = (count / ONE, count % ONE);
    if whole == 0 {
        buffer.push(b'0');
    } else {
        integer(buffer, whole);
    }
    let mut fraction = *b".000000";
    for place in fraction.iter_mut().skip(1).rev() {
        *place = digit(rest % 10);
        rest /= 10;
    }
    buffer.extend_from_slice(&fraction);
}

/// A duration in whole microseconds, rounded.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX)
}

/// Appends a byte as two lower-case hexadecimal digits.
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

/// Appends a host in the form of its [`Display`](std::fmt::Display).
pub fn host(buffer: &mut Vec<u8>, host: &Host) {
    match host {
        Host::Address(ip) => address(buffer, *ip),
        Host::Name(name) => buffer.extend_from_slice(name.as_str().as_bytes()),
        // Writing to memory cannot fail.
        Host::Zoned(..) => drop(write!(buffer, "{host}")),
    }
}

/// Appends an address in its usual form (RFC 5952 for IPv6).
pub fn address(buffer: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => ipv4(buffer, v4),
        IpAddr::V6(v6) => drop(write!(buffer, "{v6}")),
    }
}

/// Appends a target in the form of its [`Display`](std::fmt::Display).
pub fn target(buffer: &mut Vec<u8>, target: &Target) {
    let in_brackets = matches!(target.host, Host::Address(IpAddr::V6(_)) | Host::Zoned(..));
    if in_brackets {
        buffer.push(b'[');
    }
    host(buffer, &target.host);
    if in_brackets {
        buffer.push(b']');
    }
    buffer.push(b':');
    port(buffer, target.port);
}

/// Appends a port number.
pub fn port(buffer: &mut Vec<u8>, port: Port) {
    integer(buffer, port.get().into());
}

fn ipv4(buffer: &mut Vec<u8>, address: Ipv4Addr) {
    // Each octet is copied with a trailing dot and as four bytes; the next one starts behind the
    // dot.
    let mut text = [0; 19];
    let mut end = 0;
    for octet in address.octets() {
        let Octet {
            text: digits,
            length,
        } = OCTETS[usize::from(octet)];
        if let Some(slot) = text.get_mut(end..end + 4) {
            slot.copy_from_slice(&digits);
        }
        end += usize::from(length);
    }
    buffer.extend_from_slice(text.get(..end.saturating_sub(1)).unwrap_or_default());
}

/// The digits of an octet and a dot.
#[derive(Clone, Copy)]
struct Octet {
    text: [u8; 4],
    length: u8,
}

static OCTETS: [Octet; 256] = {
    let mut all = [Octet {
        text: *b"0.\0\0",
        length: 2,
    }; 256];
    let mut number = 1;
    while number < 256 {
        let digits = number as u64;
        let [hundreds, tens, ones] = [
            digit(digits / 100),
            digit(digits / 10 % 10),
            digit(digits % 10),
        ];
        let (text, length) = match number {
            ..10 => ([ones, b'.', 0, 0], 2),
            10..100 => ([tens, ones, b'.', 0], 3),
            _ => ([hundreds, tens, ones, b'.'], 4),
        };
        all[number] = Octet { text, length };
        number += 1;
    }
    all
};

/// The ASCII digit of a number below 10.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the number is below 10; `try_from` is not available in constants"
)]
const fn digit(number: u64) -> u8 {
    b'0' + number as u8
}

/// What `write` appends to a buffer that is not empty.
#[cfg(test)]
pub(crate) fn appended(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut buffer = b"existing ".to_vec();
    write(&mut buffer);
    String::from_utf8(buffer)
        .unwrap()
        .strip_prefix("existing ")
        .unwrap()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_six_decimals() {
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
    fn milliseconds_have_three_decimals() {
        for (nanos, text) in [
            (0, "0.000 ms"),
            (499, "0.000 ms"),
            (500, "0.001 ms"),
            (812_000, "0.812 ms"),
            (999_999_500, "1000.000 ms"),
            (99_000_000_000, "99000.000 ms"),
        ] {
            assert_eq!(
                appended(|buffer| milliseconds(buffer, Duration::from_nanos(nanos))),
                text
            );
        }
    }

    #[test]
    fn targets_are_written_like_their_display() {
        for text in [
            "mx1:25",
            "192.0.2.7:443",
            "[2001:db8::1]:80",
            "[fe80::1%lo]:1",
        ] {
            let parsed = Target::from_arguments(text, None, None).unwrap();
            let written = appended(|buffer| target(buffer, &parsed));
            assert_eq!(written, parsed.to_string());
            assert_eq!(written, text);
        }
    }

    #[test]
    fn fractions_are_rounded_to_six_decimals() {
        for (fraction, text) in [
            (0.0, "0.000000"),
            (1.0 / 3.0, "0.333333"),
            (2.0 / 3.0, "0.666667"),
            (1.0, "1.000000"),
        ] {
            assert_eq!(appended(|buffer| decimal(buffer, fraction)), text);
        }
    }

    #[test]
    fn every_byte_has_two_hexadecimal_digits() {
        for byte in 0..=255 {
            assert_eq!(appended(|buffer| hex(buffer, byte)), format!("{byte:02x}"));
        }
    }

    #[test]
    fn every_octet_at_every_position() {
        for octet in 0..=255 {
            for octets in [
                [octet, 0, 10, 255],
                [1, octet, 99, 100],
                [199, 200, octet, 9],
                [255, 255, 255, octet],
            ] {
                let ip = IpAddr::from(octets);
                assert_eq!(appended(|buffer| address(buffer, ip)), ip.to_string());
            }
        }
    }

    #[test]
    fn hosts_and_ports_equal_their_display() {
        for text in [
            "192.0.2.7",
            "2001:db8::1",
            "::ffff:192.0.2.7",
            "fe80::1%eth0",
            "mx1.example.org.",
        ] {
            let parsed: Host = text.parse().unwrap();
            assert_eq!(appended(|buffer| host(buffer, &parsed)), parsed.to_string());
        }
        for number in [1, 80, 65_535] {
            assert_eq!(
                appended(|buffer| port(buffer, Port::new(number).unwrap())),
                number.to_string()
            );
        }
    }

    proptest! {
        #[test]
        fn numbers_equal_their_display(number: u64, micros in 0..u64::MAX / 1_000_000) {
            prop_assert_eq!(appended(|buffer| integer(buffer, number)), number.to_string());
            let fraction = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            prop_assert_eq!(
                appended(|buffer| seconds(buffer, Duration::from_micros(micros))),
                fraction
            );
        }
    }
}
