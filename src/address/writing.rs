//! Hosts, addresses and ports as text at a buffer's end. A list of thousands is written several times; the formatting of
//! the standard library says the same, for ten times the instructions.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

use crate::address::{Host, Port};

/// A host, as its [`Display`](std::fmt::Display) writes it.
pub fn host(buffer: &mut Vec<u8>, host: &Host) {
    match host {
        Host::Address(ip) => address(buffer, *ip),
        Host::Name(name) => buffer.extend_from_slice(name.as_str().as_bytes()),
        // Writing to memory cannot fail.
        Host::Zoned(..) => drop(write!(buffer, "{host}")),
    }
}

/// An address as it is usually written (RFC 5952 for IPv6).
pub fn address(buffer: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => ipv4(buffer, v4),
        IpAddr::V6(v6) => drop(write!(buffer, "{v6}")),
    }
}

/// A port.
pub fn port(buffer: &mut Vec<u8>, port: Port) {
    buffer.extend_from_slice(itoa::Buffer::new().format(port.get()).as_bytes());
}

fn ipv4(buffer: &mut Vec<u8>, address: Ipv4Addr) {
    // Each octet is written with a dot behind it and room for all three digits; the next begins after the dot.
    let mut text = [0; 19];
    let mut end = 0;
    for octet in address.octets() {
        let Octet {
            text: digits,
            length,
        } = OCTETS[usize::from(octet)];
        if let Some(place) = text.get_mut(end..end + 4) {
            place.copy_from_slice(&digits);
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
        let [hundreds, tens, ones] = [number / 100, number / 10 % 10, number % 10];
        let [hundreds, tens, ones] = [b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8];
        all[number] = match number {
            ..10 => Octet {
                text: [ones, b'.', 0, 0],
                length: 2,
            },
            10..100 => Octet {
                text: [tens, ones, b'.', 0],
                length: 3,
            },
            _ => Octet {
                text: [hundreds, tens, ones, b'.'],
                length: 4,
            },
        };
        number += 1;
    }
    all
};

/// What is appended to a buffer that is not empty.
#[cfg(test)]
pub fn appended(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut buffer = b"left alone ".to_vec();
    write(&mut buffer);
    String::from_utf8(buffer)
        .unwrap()
        .strip_prefix("left alone ")
        .unwrap()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_in_every_place() {
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
    fn hosts_and_ports_are_written_as_they_are_displayed() {
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
}
