//! Whether this machine has the link address of the next hop to a host: the neighbour table of the
//! kernel (rtnetlink(7)).
//!
//! A SYN to a host that does not answer ARP or neighbour discovery never leaves this machine, and
//! the kernel reports this only after three seconds.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use socket2::{Domain, Socket, Type};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct rtmsg`, and of `struct ndmsg`.
const BODY: usize = 12;
/// Longest answer to one request.
const MAX_ANSWER: usize = 8192;

/// Whether the next hop to this address, through this interface if there is one, has not answered.
/// False if this is unknown.
pub fn is_silent(address: IpAddr, interface: Option<NonZeroU32>) -> bool {
    look_up(address, interface).unwrap_or(false)
}

fn look_up(address: IpAddr, interface: Option<NonZeroU32>) -> io::Result<bool> {
    let kind = Type::RAW.nonblocking().cloexec();
    let mut socket = Socket::new_raw(Domain::from(libc::AF_NETLINK), kind, None)?;
    let destination = bytes(address);
    let mut route = vec![family(address), bits(address)];
    route.resize(BODY, 0);
    attribute(&mut route, libc::RTA_DST, &destination);
    if let Some(index) = interface {
        attribute(&mut route, libc::RTA_OIF, &index.get().to_ne_bytes());
    }
    let route = ask(&mut socket, libc::RTM_GETROUTE, libc::RTM_NEWROUTE, &route)?;
    let Some(link) = find(&route, libc::RTA_OIF) else {
        return Ok(false);
    };
    let hop = find(&route, libc::RTA_GATEWAY).unwrap_or(&destination);

    let mut neighbour = vec![family(address), 0, 0, 0];
    neighbour.extend_from_slice(link);
    neighbour.resize(BODY, 0);
    attribute(&mut neighbour, libc::NDA_DST, hop);
    let (request, answer) = (libc::RTM_GETNEIGH, libc::RTM_NEWNEIGH);
    let neighbour = ask(&mut socket, request, answer, &neighbour)?;
    let state = neighbour.get(8..).and_then(<[u8]>::first_chunk);
    let state = u16::from_ne_bytes(*state.unwrap_or(&[0, 0]));
    Ok(state & (libc::NUD_INCOMPLETE | libc::NUD_FAILED) != 0)
}

/// Sends a request and returns the body of its answer.
fn ask(socket: &mut Socket, request: u16, answer: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let flags = u16::try_from(libc::NLM_F_REQUEST).unwrap_or_default();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(request.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    // Sequence number and port: this socket has one request at a time.
    message.resize(HEADER, 0);
    message.extend_from_slice(body);
    socket.write_all(&message)?;
    let mut buffer = vec![0; MAX_ANSWER];
    let length = socket.read(&mut buffer)?;
    buffer.truncate(length);
    let kind = buffer.get(4..).and_then(<[u8]>::first_chunk);
    if kind.map(|kind| u16::from_ne_bytes(*kind)) != Some(answer) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(buffer.split_off(HEADER.min(length)))
}

/// Appends a `struct rtattr`.
fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// The value of an attribute of this kind, behind the body.
fn find(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = message.get(BODY..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        if kind == wanted {
            return rest.get(4..length);
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn family(address: IpAddr) -> u8 {
    let family = match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    u8::try_from(family).unwrap_or_default()
}

fn bits(address: IpAddr) -> u8 {
    let bits = match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    };
    u8::try_from(bits).unwrap_or_default()
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_needs_no_neighbour() {
        for address in ["127.0.0.1", "::1"] {
            assert!(!is_silent(address.parse().unwrap(), None));
        }
    }

    #[test]
    fn attributes_are_found_behind_the_body() {
        let mut message = vec![0; BODY];
        attribute(&mut message, 1, b"abc");
        attribute(&mut message, 5, b"gate");
        assert_eq!(find(&message, 1), Some(b"abc".as_slice()));
        assert_eq!(find(&message, 5), Some(b"gate".as_slice()));
        assert_eq!(find(&message, 4), None);
        for length in 0..message.len() {
            let _ = find(&message[..length], 5);
        }
        // A length of zero must not stop the search.
        message[BODY..BODY + 2].fill(0);
        assert_eq!(find(&message, 9), None);
    }
}
