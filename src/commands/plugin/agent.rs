//! The agent's end of the socket: answers and lines for its log.

use std::io;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::plugin::frame::write_frame;
use crate::plugin::message::{Answer, LogSeverity};

/// Sends messages to the agent, from any thread and without waiting for the agent to read. There
/// are as many messages as the agent has requests open, and a line of its log now and then.
#[derive(Debug, Clone)]
pub struct AgentWriter(Sender<Vec<u8>>);

impl AgentWriter {
    /// Writes to this socket.
    ///
    /// # Errors
    /// This machine cannot start a thread.
    pub fn start(mut stream: UnixStream) -> io::Result<Self> {
        let (sender, messages) = channel::<Vec<u8>>();
        thread::Builder::new().spawn(move || {
            for message in messages {
                // The reading thread sees that the agent is gone.
                if stream.write_all(&message).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Sends a message.
    pub fn send(&self, answer: &Answer<'_>) {
        let mut bytes = Vec::new();
        write_frame(&answer.body(), &mut bytes);
        let _ = self.0.send(bytes);
    }

    /// Writes a line into the agent's log.
    pub fn log(&self, severity: LogSeverity, text: &str) {
        self.send(&Answer::log(severity, text));
    }
}
