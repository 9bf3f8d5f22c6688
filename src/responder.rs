//! A small TCP responder, the server side of `serve` and `demo`.
//!
//! [`ResponderConfig`] defines what to do, [`Responder::bind`] opens the listener, and
//! [`Responder::run`] serves all clients in one event loop until its [`StopHandle`] is used. The
//! conversation with one client is a state machine without I/O.

mod client_connection;
mod client_event;
mod config;
mod conversation;
mod listen;
mod serve_loop;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

pub use client_event::{ClientEvent, EventLog, LogLine};
pub use config::{Clients, CloseMode, ReplyMode, ResponderConfig};
pub use listen::{Backlog, BindError, Listen, ListenError};
pub use serve_loop::RunError;

use crate::os::stop::StopHandle;

/// A listening socket with the configuration for its clients.
#[derive(Debug)]
pub struct Responder {
    listener: TcpListener,
    config: Arc<ResponderConfig>,
}

impl Responder {
    /// Opens the listener; from here on the kernel completes handshakes.
    ///
    /// # Errors
    /// The address cannot be bound, with the remedy in the text.
    pub fn bind(config: ResponderConfig) -> Result<Self, BindError> {
        let listener = listen::open(config.listen, config.backlog)?;
        Ok(Self {
            listener,
            config: Arc::new(config),
        })
    }

    /// The bound address, with the port that the kernel chose for port 0.
    ///
    /// # Errors
    /// The error of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients until `stop` is used, or until the connection of the only client
    /// ([`Clients::One`]) has ended.
    ///
    /// # Errors
    /// The log cannot be written, or sockets cannot be polled; a client never causes an error.
    pub fn run(&mut self, log: &mut dyn EventLog, stop: &StopHandle) -> Result<(), RunError> {
        serve_loop::run(&self.listener, &self.config, log, stop)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::sync::mpsc;
    use std::sync::mpsc::{Receiver, Sender};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::plan::bytes::Charset;

    struct ChannelLog(Sender<String>);

    impl EventLog for ChannelLog {
        fn record(&mut self, client: SocketAddr, event: &ClientEvent<'_>) -> io::Result<()> {
            let line = LogLine {
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

    fn responder() -> (Responder, ChannelLog, Receiver<String>) {
        let responder = Responder::bind(ResponderConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            greeting: b"hi".to_vec(),
            reply: ReplyMode::None,
            charset: Charset::default(),
            delay: Duration::ZERO,
            backlog: Backlog::default(),
            close: CloseMode::Hold,
            clients: Clients::Many,
        });
        let (sender, lines) = mpsc::channel();
        (responder.unwrap(), ChannelLog(sender), lines)
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
    fn a_used_handle_stops_a_later_run() {
        let stop = StopHandle::new().unwrap();
        (0..3).for_each(|_| stop.stop());
        let (mut responder, mut log, _lines) = responder();
        assert!(matches!(responder.run(&mut log, &stop), Ok(())));
        assert!(matches!(responder.run(&mut log, &stop), Ok(())));
    }

    #[test]
    fn a_log_error_ends_the_run() {
        let (mut responder, mut log, lines) = responder();
        drop(lines);
        let _client = TcpStream::connect(responder.local_addr().unwrap()).unwrap();
        let error = responder
            .run(&mut log, &StopHandle::new().unwrap())
            .unwrap_err();
        assert!(matches!(error, RunError::Log(_)), "{error}");
    }
}
