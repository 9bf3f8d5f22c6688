//! A small TCP responder: what `serve` and the demonstration answer with.
//!
//! [`Settings`] say what to do, [`Responder::bind`] opens the listener, and [`Responder::run`] serves every client in
//! one event loop until its [`StopHandle`] is used. The talk with one client is a state machine without I/O.

mod client;
mod connection;
mod event;
mod event_loop;
mod listen;
mod stop;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

pub use event::{Event, Line, Log};
pub use event_loop::RunError;
pub use listen::{Backlog, BindError, Listen, ListenError};
pub use stop::StopHandle;

use crate::plan::bytes::Charset;

/// What a responder does, from the address it listens on to the way it says goodbye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where clients are awaited.
    pub listen: Listen,
    /// What each client is told first; nothing when empty.
    pub greeting: Vec<u8>,
    /// What follows what a client says.
    pub answer: Answer,
    /// How received and sent bytes are shown.
    pub charset: Charset,
    /// The pause before the greeting and before each answer.
    pub delay: Duration,
    /// How many clients the kernel keeps waiting.
    pub backlog: Backlog,
    /// How a connection ends.
    pub close: Close,
    /// How many clients are served.
    pub clients: Clients,
}

/// What follows what a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: what a client says is read until it leaves.
    None,
    /// These bytes, once, to whatever one read gives; then the connection is closed.
    Reply(Vec<u8>),
    /// The same bytes, until the client has said everything.
    Echo,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// FIN, then what is still coming is read, so that no client gets an RST for its unread bytes.
    Fin,
    /// RST, by `SO_LINGER` with a time of 0 (socket(7)).
    Rst,
    /// Not by us: the connection stays until the client leaves.
    Hold,
    /// It never begins: the listener does not call accept.
    NeverAccept,
}

/// How many clients are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// The first one, to its end.
    One,
    /// Whoever comes, side by side.
    Many,
}

/// A listening socket with the settings of its clients.
#[derive(Debug)]
pub struct Responder {
    listener: TcpListener,
    settings: Arc<Settings>,
}

impl Responder {
    /// Opens the listener; from here on the kernel completes handshakes.
    pub fn bind(settings: Settings) -> Result<Self, BindError> {
        let listener = listen::open(settings.listen, settings.backlog)?;
        Ok(Self {
            listener,
            settings: Arc::new(settings),
        })
    }

    /// The address that was bound, with the port that the kernel chose where none was given.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients until `stop` is used, or until the one client of [`Clients::One`] is gone.
    ///
    /// Fails only when the log cannot be written or this machine has no event queue; what clients do never ends it.
    pub fn run(&mut self, log: &mut dyn Log, stop: &StopHandle) -> Result<(), RunError> {
        event_loop::run(&self.listener, &self.settings, log, stop)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::sync::mpsc;
    use std::sync::mpsc::{Receiver, Sender};
    use std::thread;

    use super::*;

    struct Notes(Sender<String>);

    impl Log for Notes {
        fn note(&mut self, client: SocketAddr, event: &Event<'_>) -> io::Result<()> {
            let line = Line {
                client,
                event,
                charset: Charset::default(),
            }
            .to_string();
            self.0
                .send(line)
                .map_err(|_| io::ErrorKind::BrokenPipe.into())
        }
    }

    fn responder() -> (Responder, Notes, Receiver<String>) {
        let responder = Responder::bind(Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            greeting: b"hi".to_vec(),
            answer: Answer::None,
            charset: Charset::default(),
            delay: Duration::ZERO,
            backlog: Backlog::default(),
            close: Close::Hold,
            clients: Clients::Many,
        });
        let (sender, lines) = mpsc::channel();
        (responder.unwrap(), Notes(sender), lines)
    }

    #[test]
    fn one_handle_stops_responders_on_other_threads() {
        let stop = StopHandle::new().unwrap();
        let running: Vec<_> = (0..2)
            .map(|_| {
                let ((mut responder, mut log, lines), stop) = (responder(), stop.clone());
                let client = TcpStream::connect(responder.local_addr().unwrap()).unwrap();
                let thread = thread::spawn(move || responder.run(&mut log, &stop));
                assert!(lines.recv().unwrap().ends_with(" connected"));
                (thread, client, lines)
            })
            .collect();
        stop.stop();
        for (thread, ..) in running {
            assert!(matches!(thread.join().unwrap(), Ok(())));
        }
    }

    #[test]
    fn a_used_handle_stops_what_starts_later() {
        let stop = StopHandle::new().unwrap();
        (0..3).for_each(|_| stop.stop());
        let (mut responder, mut log, _lines) = responder();
        assert!(matches!(responder.run(&mut log, &stop), Ok(())));
        assert!(matches!(responder.run(&mut log, &stop), Ok(())));
    }

    #[test]
    fn a_log_that_fails_is_the_end() {
        let (mut responder, mut log, lines) = responder();
        drop(lines);
        let _client = TcpStream::connect(responder.local_addr().unwrap()).unwrap();
        let error = responder
            .run(&mut log, &StopHandle::new().unwrap())
            .unwrap_err();
        assert!(matches!(error, RunError::Log(_)), "{error}");
    }
}
