//! A peer that plays its part once.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use super::Turn;

/// How what the peer says is cut into segments.
#[derive(Debug, Clone, Copy)]
pub enum Pieces {
    Whole,
    Bytes,
    /// In the middle, with a pause, so that the program has seen the first half alone.
    Halves,
}

pub struct Peer {
    pub port: u16,
    thread: JoinHandle<Result<Vec<u8>, String>>,
}

impl Peer {
    /// Plays the turns; then hears the goodbye.
    pub fn play(turns: &[Turn], pieces: Pieces) -> Self {
        let turns: Vec<_> = turns
            .iter()
            .map(|turn| match turn {
                Turn::Hears(bytes) => (true, bytes.clone()),
                Turn::Says(bytes) => (false, bytes.clone()),
            })
            .collect();
        Self::with(move |mut socket| {
            for (hears, bytes) in turns {
                if hears {
                    let mut heard = vec![0; bytes.len()];
                    socket
                        .read_exact(&mut heard)
                        .map_err(|why| format!("the request does not come: {why}"))?;
                    if heard != bytes {
                        return Err(format!(
                            "the request is {:?}",
                            heard.escape_ascii().to_string()
                        ));
                    }
                } else {
                    say(&mut socket, &bytes, pieces).map_err(|why| format!("saying: {why}"))?;
                }
            }
            let mut goodbye = Vec::new();
            socket
                .read_to_end(&mut goodbye)
                .map_err(|why| format!("the goodbye: {why}"))?;
            Ok(goodbye)
        })
    }

    /// Says this at once, whatever it hears.
    pub fn babble(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::with(move |mut socket| {
            socket.write_all(&bytes).map_err(|why| why.to_string())?;
            Ok(hear_all(&mut socket))
        })
    }

    /// Hears and says nothing.
    pub fn silent() -> Self {
        Self::with(|mut socket| Ok(hear_all(&mut socket)))
    }

    /// Accepts and ends its side.
    pub fn closing() -> Self {
        Self::with(|mut socket| {
            socket
                .shutdown(Shutdown::Write)
                .map_err(|why| why.to_string())?;
            Ok(hear_all(&mut socket))
        })
    }

    /// What the program said after the last turn, or what went wrong in it.
    pub fn goodbye(self) -> Result<Vec<u8>, String> {
        self.thread.join().unwrap()
    }

    fn with(part: impl FnOnce(TcpStream) -> Result<Vec<u8>, String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            socket.set_nodelay(true).unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            part(socket)
        });
        Self { port, thread }
    }
}

fn hear_all(socket: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // Whoever was insulted may reset.
    let _ = socket.read_to_end(&mut heard);
    heard
}

fn say(socket: &mut TcpStream, bytes: &[u8], pieces: Pieces) -> std::io::Result<()> {
    match pieces {
        Pieces::Whole => socket.write_all(bytes),
        Pieces::Bytes => bytes.iter().try_for_each(|byte| socket.write_all(&[*byte])),
        Pieces::Halves => {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            socket.write_all(first)?;
            sleep(Duration::from_millis(15));
            socket.write_all(second)
        }
    }
}
