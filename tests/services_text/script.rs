//! A peer that plays one conversation to the byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

/// What the peer does next.
#[derive(Debug, Clone, Copy)]
pub enum Turn {
    /// It sends this.
    Say(&'static [u8]),
    /// It waits until it has heard so many bytes in all.
    Hear(usize),
    /// It thinks for so many milliseconds.
    Pause(u64),
}

/// How the peer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It waits for the client to leave.
    Hold,
    /// FIN.
    Fin,
    /// RST.
    Rst,
}

/// Into which segments its bytes fall.
#[derive(Debug, Clone, Copy)]
pub enum Split {
    /// Each turn in one.
    Whole,
    /// Each byte in a write of its own.
    Bytes,
    /// Cut once, with a pause, after the first byte.
    First,
    /// The same in the middle.
    Middle,
    /// The same before the last byte.
    Last,
}

pub const SPLITS: [Split; 5] = [
    Split::Whole,
    Split::Bytes,
    Split::First,
    Split::Middle,
    Split::Last,
];

/// Plays it to the first client; its port, and what the client said in all.
pub fn play(turns: Vec<Turn>, split: Split, end: End) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let mut heard = Vec::new();
        for turn in turns {
            match turn {
                Turn::Say(bytes) => say(&mut stream, bytes, split),
                Turn::Hear(count) => hear(&mut stream, &mut heard, count),
                Turn::Pause(time) => sleep(Duration::from_millis(time)),
            }
        }
        leave(stream, &mut heard, end);
        heard
    });
    (port, thread)
}

/// The client may have left already: it decides as early as it can.
fn say(stream: &mut TcpStream, bytes: &[u8], split: Split) {
    let cut = match split {
        Split::Whole => bytes.len(),
        Split::Bytes => {
            for byte in bytes {
                let _ = stream.write_all(&[*byte]);
            }
            return;
        }
        Split::First => 1.min(bytes.len()),
        Split::Middle => bytes.len() / 2,
        Split::Last => bytes.len().saturating_sub(1),
    };
    let _ = stream.write_all(&bytes[..cut]);
    if cut < bytes.len() {
        sleep(Duration::from_millis(5));
        let _ = stream.write_all(&bytes[cut..]);
    }
}

fn hear(stream: &mut TcpStream, heard: &mut Vec<u8>, count: usize) {
    let mut buffer = [0; 4096];
    while heard.len() < count {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => heard.extend_from_slice(&buffer[..read]),
            // A machine that is stopped and goes on interrupts reads that have a time limit (signal(7)).
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    ErrorKind::ConnectionReset,
                    "the client neither leaves nor resets"
                );
                return;
            }
        }
    }
}

fn leave(stream: TcpStream, heard: &mut Vec<u8>, end: End) {
    let mut stream = stream;
    match end {
        End::Rst => {
            socket2::Socket::from(stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            return;
        }
        End::Fin => stream
            .shutdown(std::net::Shutdown::Write)
            .unwrap_or_default(),
        End::Hold => {}
    }
    hear(&mut stream, heard, usize::MAX);
}
