//! Messages of `sock_diag(7)`: the request for listening TCP sockets, and the reader of its answers,
//! without I/O. Layouts: linux/netlink.h, `linux/inet_diag.h`, `linux/sock_diag.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::{fmt, io};

use crate::os::errno::os_error_text;
use crate::os::listen_socket::{ListenSocket, MAX_SOCKETS};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct inet_diag_msg`.
const BODY: usize = 72;
/// Length of `struct inet_diag_req_v2`.
const REQUEST: usize = 56;
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// The state of a listening socket, `TCP_LISTEN` of `linux/tcp_states.h`.
const LISTEN: u8 = 10;
/// The number of our only request on a socket.
const SEQUENCE: u32 = 1;
/// `INET_DIAG_SKMEMINFO`.
const SKMEMINFO: u16 = 7;
/// `INET_DIAG_SKV6ONLY`.
const SKV6ONLY: u16 = 11;
/// `INET_DIAG_CGROUP_ID`.
const CGROUP_ID: u16 = 21;
/// `SK_MEMINFO_DROPS`, an index of the 32-bit numbers of `INET_DIAG_SKMEMINFO`.
const DROPS: usize = 8;
/// The bits of an attribute's type that are flags.
const TYPE_FLAGS: u16 = 0xc000;

/// Why the list of sockets is not complete.
#[derive(Debug)]
pub enum DumpError {
    /// The system's error.
    Os(io::Error),
    /// An answer does not have the form of linux/netlink.h.
    Damaged(&'static str),
    /// The end of the list did not come.
    NoEnd,
    /// There are more than [`MAX_SOCKETS`].
    TooMany,
}

impl From<io::Error> for DumpError {
    fn from(error: io::Error) -> Self {
        Self::Os(error)
    }
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os(error) => f.write_str(&os_error_text(error)),
            Self::Damaged(what) => write!(f, "invalid answer of the kernel: {what}"),
            Self::NoEnd => f.write_str("the answer of the kernel has no end"),
            Self::TooMany => write!(f, "more than {MAX_SOCKETS} listening sockets"),
        }
    }
}

impl std::error::Error for DumpError {}

/// The request for all listening TCP sockets of an address family.
pub fn request(family: i32) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + REQUEST);
    let length = u32::try_from(HEADER + REQUEST).unwrap_or_default();
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).unwrap_or_default();
    message.extend(length.to_ne_bytes());
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(SEQUENCE.to_ne_bytes());
    message.resize(HEADER, 0);
    let byte = |number: i32| u8::try_from(number).unwrap_or_default();
    let extensions = 1 << (SKMEMINFO - 1);
    message.extend([byte(family), byte(libc::IPPROTO_TCP), extensions, 0]);
    message.extend((1_u32 << LISTEN).to_ne_bytes());
    // No condition on addresses and ports.
    message.resize(HEADER + REQUEST, 0);
    message
}

/// Collects the sockets of answers.
#[derive(Debug, Default)]
pub struct DumpReader {
    sockets: Vec<ListenSocket>,
    is_interrupted: bool,
}

impl DumpReader {
    /// Reads one answer, which has any number of messages. True if it was the last one.
    ///
    /// # Errors
    /// The kernel reports an error, the answer is damaged, or there are too many sockets.
    pub fn add(&mut self, answer: &[u8]) -> Result<bool, DumpError> {
        let mut rest = answer;
        while !rest.is_empty() {
            let message =
                DiagMessage::first(rest).ok_or(DumpError::Damaged("a message is cut off"))?;
            rest = rest
                .get(message.length.next_multiple_of(4)..)
                .unwrap_or_default();
            if message.sequence != SEQUENCE {
                continue;
            }
            self.is_interrupted |= i32::from(message.flags) & libc::NLM_F_DUMP_INTR != 0;
            match i32::from(message.kind) {
                libc::NLMSG_ERROR | libc::NLMSG_DONE => {
                    // Each begins with 0, or with the errno as a negative number.
                    let code = message.body.first_chunk();
                    let code = code.map_or(0, |bytes| i32::from_ne_bytes(*bytes));
                    return match code {
                        0 => Ok(i32::from(message.kind) == libc::NLMSG_DONE),
                        code => Err(
                            io::Error::from_raw_os_error(code.checked_neg().unwrap_or(0)).into(),
                        ),
                    };
                }
                libc::NLMSG_OVERRUN => return Err(DumpError::Damaged("messages were lost")),
                _ if message.kind == BY_FAMILY => self.push(message.body)?,
                _ => {}
            }
        }
        Ok(false)
    }

    /// Whether sockets came or went while the kernel made the list.
    pub fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// The sockets.
    pub fn into_sockets(self) -> Vec<ListenSocket> {
        self.sockets
    }

    fn push(&mut self, body: &[u8]) -> Result<(), DumpError> {
        if body.len() < BODY {
            return Err(DumpError::Damaged("a socket is cut off"));
        }
        if self.sockets.len() >= MAX_SOCKETS {
            return Err(DumpError::TooMany);
        }
        self.sockets.extend(listen_socket(body));
        Ok(())
    }
}

/// The first message of an answer.
struct DiagMessage<'a> {
    length: usize,
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

impl<'a> DiagMessage<'a> {
    /// `None` if it is cut off.
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        Some(Self {
            length,
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            body: bytes.get(HEADER..length)?,
        })
    }
}

/// The socket of a `struct inet_diag_msg` with attributes; `None` if it is not a listening TCP
/// socket with a port.
fn listen_socket(body: &[u8]) -> Option<ListenSocket> {
    let family = i32::from(*body.first()?);
    let address = match family {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*body.get(8..)?.first_chunk::<4>()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*body.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    let port = u16::from_be_bytes(*body.get(4..)?.first_chunk()?);
    if *body.get(1)? != LISTEN || port == 0 {
        return None;
    }
    let cookie = [u32_at(body, 44)?, u32_at(body, 48)?].map(u64::from);
    let mut socket = ListenSocket {
        address,
        port,
        is_v6_only: None,
        interface: NonZeroU32::new(u32_at(body, 40)?),
        uid: u32_at(body, 64)?,
        inode: u32_at(body, 68)?.into(),
        cookie: cookie[1] << 32 | cookie[0],
        cgroup: None,
        queue: u32_at(body, 56)?,
        backlog: Some(u32_at(body, 60)?),
        drops: None,
    };
    for (kind, value) in attributes(body.get(BODY..)?) {
        match kind {
            SKMEMINFO => socket.drops = u32_at(value, DROPS * 4),
            SKV6ONLY => socket.is_v6_only = value.first().map(|byte| *byte != 0),
            CGROUP_ID => {
                socket.cgroup = value.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
            }
            _ => {}
        }
    }
    Some(socket)
}

/// The attributes behind a body, up to the first that is cut off.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & !TYPE_FLAGS;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Messages for tests.
#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
pub mod samples {
    use super::*;

    /// A message of this type.
    pub fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(SEQUENCE.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// The end of a list.
    pub fn done() -> Vec<u8> {
        message(libc::NLMSG_DONE as u16, 2, &[0; 4])
    }

    /// The end of a list that changed.
    pub fn interrupted() -> Vec<u8> {
        message(
            libc::NLMSG_DONE as u16,
            2 | libc::NLM_F_DUMP_INTR as u16,
            &[0; 4],
        )
    }

    /// An attribute.
    pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// A `struct inet_diag_msg` of an IPv4 listener on 127.0.0.1.
    pub fn body(cookie: u32, port: u16) -> Vec<u8> {
        let mut body = vec![0; BODY];
        body[0] = libc::AF_INET as u8;
        body[1] = LISTEN;
        body[4..6].copy_from_slice(&port.to_be_bytes());
        body[8..12].copy_from_slice(&[127, 0, 0, 1]);
        body[44..48].copy_from_slice(&cookie.to_ne_bytes());
        body[56..60].copy_from_slice(&3_u32.to_ne_bytes());
        body[60..64].copy_from_slice(&128_u32.to_ne_bytes());
        body[64..68].copy_from_slice(&33_u32.to_ne_bytes());
        body[68..72].copy_from_slice(&4711_u32.to_ne_bytes());
        body
    }

    /// A message with that body.
    pub fn socket(cookie: u32, port: u16) -> Vec<u8> {
        message(BY_FAMILY, 2, &body(cookie, port))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::samples::*;
    use super::*;

    fn read(answer: &[u8]) -> (Result<bool, DumpError>, Vec<ListenSocket>) {
        let mut reader = DumpReader::default();
        let result = reader.add(answer);
        (result, reader.into_sockets())
    }

    fn with_attributes(attributes: &[Vec<u8>]) -> ListenSocket {
        let body = [body(1, 22), attributes.concat()].concat();
        let (result, mut sockets) = read(&message(BY_FAMILY, 2, &body));
        assert!(!result.unwrap());
        sockets.remove(0)
    }

    #[test]
    fn every_field_is_read() {
        let mut memory = [0_u8; 36];
        memory[32..].copy_from_slice(&9_u32.to_ne_bytes());
        let found = with_attributes(&[
            attribute(SKMEMINFO, &memory),
            attribute(SKV6ONLY, &[1]),
            attribute(CGROUP_ID, &77_u64.to_ne_bytes()),
        ]);
        let expected = ListenSocket {
            address: [127, 0, 0, 1].into(),
            port: 22,
            is_v6_only: Some(true),
            interface: None,
            uid: 33,
            inode: 4711,
            cookie: 1,
            cgroup: Some(77),
            queue: 3,
            backlog: Some(128),
            drops: Some(9),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn unknown_flagged_and_short_attributes_are_ignored() {
        let found = with_attributes(&[
            attribute(999, b"unknown"),
            attribute(SKMEMINFO, &[0; 32]),
            attribute(CGROUP_ID, &[1, 2, 3]),
            attribute(SKV6ONLY | 0x8000, &[0]),
            // The last one announces more than there is.
            vec![200, 0, 1, 0],
        ]);
        assert_eq!((found.drops, found.cgroup), (None, None));
        assert_eq!(found.is_v6_only, Some(false));
        // A length of 0 must not stop the reader.
        assert_eq!(with_attributes(&[vec![0; 8]]).port, 22);
    }

    #[test]
    fn sockets_in_other_states_and_families_are_ignored() {
        for (at, byte) in [(0, 1), (1, 1), (5, 0)] {
            let mut wrong = body(1, 22);
            wrong[at] = byte;
            let (result, sockets) = read(&message(BY_FAMILY, 2, &wrong));
            assert!(!result.unwrap());
            assert_eq!(sockets, []);
        }
    }

    #[test]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn errors_of_the_kernel_are_reported() {
        for kind in [libc::NLMSG_ERROR, libc::NLMSG_DONE] {
            let code = -libc::EACCES;
            let (result, _) = read(&message(kind as u16, 0, &code.to_ne_bytes()));
            assert!(result.unwrap_err().to_string().contains("ermission denied"));
            let (result, _) = read(&message(kind as u16, 0, &i32::MIN.to_ne_bytes()));
            assert!(result.is_err());
        }
        assert!(read(&done()).0.unwrap());
    }

    #[test]
    fn answers_to_other_requests_are_ignored() {
        let mut other = socket(1, 22);
        other[8] = 9;
        let (result, sockets) = read(&[other, socket(2, 23), done()].concat());
        assert!(result.unwrap());
        assert_eq!(sockets.len(), 1);
    }

    #[test]
    fn every_cut_of_an_answer_is_noticed() {
        let answer = [socket(1, 22), socket(2, 23), done()].concat();
        let ends = [0, HEADER + BODY, 2 * (HEADER + BODY)];
        for length in 0..answer.len() {
            let (result, _) = read(&answer[..length]);
            match result {
                Ok(is_last) => assert!(!is_last && ends.contains(&length), "{length}"),
                Err(error) => assert!(matches!(error, DumpError::Damaged(_)), "{length}"),
            }
        }
    }

    #[test]
    fn the_number_of_sockets_is_limited() {
        let mut reader = DumpReader::default();
        let hundred: Vec<u8> = (0..100).flat_map(|cookie| socket(cookie, 22)).collect();
        for _ in 0..MAX_SOCKETS / 100 {
            assert!(!reader.add(&hundred).unwrap());
        }
        assert!(matches!(
            reader.add(&socket(1, 22)),
            Err(DumpError::TooMany)
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
        }

        #[test]
        fn changed_bytes_of_an_answer_do_no_harm(
            changes in prop::collection::vec((0_usize..260, any::<u8>()), 1..8)
        ) {
            let body = [body(1, 22), attribute(SKMEMINFO, &[7; 36]), attribute(CGROUP_ID, &[1; 8])];
            let mut answer = [message(BY_FAMILY, 2, &body.concat()), socket(2, 23), done()].concat();
            for (at, byte) in changes {
                let length = answer.len();
                answer[at % length] = byte;
            }
            let (_, sockets) = read(&answer);
            prop_assert!(sockets.len() <= 4);
        }
    }
}
