//! The listening TCP sockets of this network namespace, from the kernel (`sock_diag(7)`).
//!
//! No privilege is required. The kernel sends the sockets in several answers, and sockets can come
//! and go between them; [`listen_sockets`] reads them again if the kernel reports this.

mod message;

use std::io::{self, Read, Write};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

pub use message::{DumpError, DumpReader};

use crate::os::listen_socket::ListenSocket;

/// How often the sockets are read if they change meanwhile, or an answer is damaged.
const ATTEMPTS: u32 = 3;
/// Longest answer to one read. The kernel sends at most 32 KiB.
const MAX_ANSWER: usize = 65_536;
/// How long the kernel may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// All listening sockets, each once, in no particular order.
///
/// # Errors
/// The kernel has no `sock_diag`, refuses it, or its answers were incomplete several times.
pub fn listen_sockets() -> Result<Vec<ListenSocket>, DumpError> {
    repeated(|reader| {
        for family in [libc::AF_INET, libc::AF_INET6] {
            dump(family, reader)?;
        }
        Ok(())
    })
}

/// Reads until no change was reported. What was seen in any attempt is returned: a socket must not
/// be missing because others were closed.
fn repeated(
    mut read: impl FnMut(&mut DumpReader) -> Result<(), DumpError>,
) -> Result<Vec<ListenSocket>, DumpError> {
    let mut all = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let mut reader = DumpReader::default();
        match read(&mut reader) {
            Err(error @ (DumpError::Damaged(_) | DumpError::NoEnd)) if attempt == ATTEMPTS => {
                return Err(error);
            }
            Err(DumpError::Damaged(_) | DumpError::NoEnd) => continue,
            other => other?,
        }
        let is_complete = !reader.is_interrupted();
        all.extend(reader.into_sockets());
        if is_complete {
            break;
        }
    }
    // Sorting is stable, so the newest values would be last.
    all.reverse();
    all.sort_by_key(|socket| socket.cookie);
    all.dedup_by(|next, first| next.cookie == first.cookie && first.cookie != 0);
    Ok(all)
}

/// Asks for the sockets of an address family, on a netlink socket of its own.
fn dump(family: i32, reader: &mut DumpReader) -> Result<(), DumpError> {
    let kind = Type::RAW.cloexec();
    let protocol = Some(Protocol::from(libc::NETLINK_SOCK_DIAG));
    let mut socket = Socket::new_raw(Domain::from(libc::AF_NETLINK), kind, protocol)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    socket.write_all(&message::request(family))?;
    receive(reader, |buffer| socket.read(buffer))
}

/// Most interruptions of one list (`EINTR`) after which it is read on.
const MAX_INTERRUPTIONS: u32 = 100;

/// Reads answers up to the end of the list.
fn receive(
    reader: &mut DumpReader,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Result<(), DumpError> {
    let mut buffer = vec![0; MAX_ANSWER];
    let mut interruptions = 0;
    loop {
        let length = match read(&mut buffer) {
            Err(error)
                if error.kind() == io::ErrorKind::Interrupted
                    && interruptions < MAX_INTERRUPTIONS =>
            {
                interruptions += 1;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(DumpError::NoEnd);
            }
            other => other?,
        };
        if length == 0 {
            return Err(DumpError::NoEnd);
        }
        if reader.add(buffer.get(..length).unwrap_or_default())? {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::message::samples::{done, interrupted, socket};
    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let local = listener.local_addr().unwrap();
            let all = listen_sockets().unwrap();
            let found: Vec<_> = all.iter().filter(|s| s.port == local.port()).collect();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].address, found[0].queue), (local.ip(), 0));
            assert_eq!((found[0].backlog, found[0].drops), (Some(128), Some(0)));
            assert!(found[0].inode > 0 && found[0].cookie > 0);
        }
    }

    /// Feeds these answers, then nothing.
    fn fed(answers: &[Vec<u8>], reader: &mut DumpReader) -> Result<(), DumpError> {
        let mut answers = answers.iter();
        receive(reader, |buffer| match answers.next() {
            Some(answer) => {
                buffer[..answer.len()].copy_from_slice(answer);
                Ok(answer.len())
            }
            None => Err(io::ErrorKind::WouldBlock.into()),
        })
    }

    #[test]
    fn an_answer_without_an_end_is_asked_for_again_and_then_an_error() {
        let mut asked = 0;
        let answer = repeated(|reader| {
            asked += 1;
            fed(&[socket(1, 22)], reader)
        });
        assert!(matches!(answer, Err(DumpError::NoEnd)), "{answer:?}");
        assert_eq!(asked, 3);
    }

    #[test]
    fn a_damaged_answer_is_asked_for_again() {
        let mut asked = 0;
        let answer = repeated(|reader| {
            asked += 1;
            let mut first = socket(1, 22);
            if asked == 1 {
                first.truncate(50);
            }
            fed(&[first, done()], reader)
        });
        assert_eq!((asked, answer.unwrap().len()), (2, 1));
    }

    #[test]
    fn sockets_of_an_interrupted_answer_are_kept_once() {
        let mut asked = 0;
        let answer = repeated(|reader| {
            asked += 1;
            match asked {
                // 22 is missed by the second attempt, and 24 by the first.
                1 => fed(&[socket(1, 22), socket(2, 23), interrupted()], reader),
                _ => fed(&[socket(2, 23), socket(3, 24), done()], reader),
            }
        });
        let mut ports: Vec<_> = answer.unwrap().iter().map(|found| found.port).collect();
        ports.sort_unstable();
        assert_eq!((asked, ports), (2, vec![22, 23, 24]));
        // Interruptions without end are not an error.
        let answer = repeated(|reader| fed(&[socket(1, 22), interrupted()], reader));
        assert_eq!(answer.unwrap().len(), 1);
    }
}
