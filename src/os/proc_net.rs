//! The listening TCP sockets from /proc/net/tcp and /proc/net/tcp6 (`proc_pid_net(5)`), where
//! [`sock_diag`](crate::os::sock_diag) is not available: these files contain neither the backlog
//! nor the dropped connections.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::os::listen_socket::{ListenSocket, MAX_SOCKETS};

/// The most bytes of a file that are read: half a million sockets.
const MAX_BYTES: u64 = 96 << 20;
/// The longest line; the kernel writes 150 bytes.
const MAX_LINE: u64 = 512;

/// All listening sockets of the files `tcp` and `tcp6` in this directory, /proc/net.
///
/// # Errors
/// The file `tcp` cannot be read, or a file is longer than this module reads.
pub fn listen_sockets(directory: &Path) -> io::Result<Vec<ListenSocket>> {
    let mut sockets = Vec::new();
    for name in ["tcp", "tcp6"] {
        match File::open(directory.join(name)) {
            Ok(file) => read_sockets(BufReader::new(file), &mut sockets)?,
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && name == "tcp6" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

/// Appends the listening sockets of these lines.
fn read_sockets(mut file: impl BufRead, sockets: &mut Vec<ListenSocket>) -> io::Result<()> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, "it has too many sockets");
    let (mut line, mut total) = (Vec::new(), 0);
    loop {
        line.clear();
        let length = io::Read::take(&mut file, MAX_LINE).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        total += length as u64;
        sockets.extend(std::str::from_utf8(&line).ok().and_then(listen_socket));
        if total > MAX_BYTES || sockets.len() > MAX_SOCKETS {
            return Err(too_long());
        }
    }
}

/// The socket of a line; `None` for the heading and for sockets that do not listen.
fn listen_socket(line: &str) -> Option<ListenSocket> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    let (_remote, state) = (words.next()?, words.next()?);
    let (_sent, queue) = words.next()?.split_once(':')?;
    let (uid, inode) = (words.nth(2)?, words.nth(1)?);
    let port = u16::from_str_radix(port, 16).ok()?;
    if state != "0A" || port == 0 {
        return None;
    }
    Some(ListenSocket {
        address: ip(address)?,
        port,
        is_v6_only: None,
        interface: None,
        uid: uid.parse().ok()?,
        inode: inode.parse().ok()?,
        cookie: 0,
        cgroup: None,
        queue: u32::from_str_radix(queue, 16).ok()?,
        backlog: None,
        drops: None,
    })
}

/// An address in 32-bit words, each in the byte order of this machine.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut octets = [0; 16];
            for (octet, byte) in octets.iter_mut().zip(words.as_flattened()) {
                *octet = *byte;
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let local = listener.local_addr().unwrap();
            let all = listen_sockets(Path::new("/proc/net")).unwrap();
            let found: Vec<_> = all.iter().filter(|s| s.port == local.port()).collect();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].address, found[0].queue), (local.ip(), 0));
            assert_eq!((found[0].backlog, found[0].drops), (None, None));
            assert!(found[0].inode > 0);
        }
    }

    #[test]
    fn headings_other_states_and_cut_lines_are_no_listeners() {
        let word = u32::from_ne_bytes([127, 0, 0, 1]);
        let line = format!(
            "   0: {word:08X}:0016 00000000:0000 0A 00000000:00000007 00:00000000 00000000   998        0 4711 1 ffff 100 0 0 10 0\n"
        );
        let found = listen_socket(&line).unwrap();
        assert_eq!((found.port, found.queue), (22, 7));
        assert_eq!((found.uid, found.inode), (998, 4711));
        assert_eq!(listen_socket(&line.replace(" 0A ", " 01 ")), None);
        let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(listen_socket(heading), None);
        for length in 0..line.find(" 4711").unwrap() {
            assert_eq!(listen_socket(&line[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_missing_directory_is_an_error_and_a_missing_tcp6_is_not() {
        let directory = tempfile::tempdir().unwrap();
        assert!(listen_sockets(directory.path()).is_err());
        std::fs::write(directory.path().join("tcp"), "heading\n").unwrap();
        assert_eq!(listen_sockets(directory.path()).unwrap(), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
            let mut sockets = Vec::new();
            prop_assert!(read_sockets(&*bytes, &mut sockets).is_ok());
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[0-9A-F: ü]{0,200}") {
            let _ = listen_socket(&text);
        }
    }
}
