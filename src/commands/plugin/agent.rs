//! The agent's end of the socket: answers and lines for its log.

use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::os::socket::send_at_once;
use crate::plugin::frame::write_frame;
use crate::plugin::message::{Answer, LogSeverity};

/// How many bytes may wait for an agent that does not read before no more of its requests are read.
const MAX_WAITING: usize = 4 << 20;

/// Sends messages to the agent, from any thread and without blocking.
///
/// A message is written immediately if the socket accepts it. A separate thread, which starts when
/// it is first needed, writes the data that the socket does not accept.
#[derive(Debug, Clone)]
pub struct AgentWriter(Arc<WriterShared>);

#[derive(Debug)]
struct WriterShared {
    stream: UnixStream,
    state: Mutex<WriterState>,
    /// Notified after each change of the state.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct WriterState {
    /// The data that the socket has not accepted yet.
    waiting: Vec<u8>,
    /// How many bytes the thread has taken from `waiting` and is writing.
    in_write: usize,
    /// The agent has closed the socket.
    is_closed: bool,
    /// The thread runs.
    has_thread: bool,
}

impl WriterShared {
    /// A panic leaves nothing half-changed here, so a poisoned lock is fine.
    fn state(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, WriterState>) -> MutexGuard<'s, WriterState> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the waiting data, until the agent closes the socket.
    fn write_waiting(&self) {
        let mut state = self.state();
        while !state.is_closed {
            if state.waiting.is_empty() {
                state = self.wait(state);
                continue;
            }
            let bytes = std::mem::take(&mut state.waiting);
            state.in_write = bytes.len();
            drop(state);
            let written = (&self.stream).write_all(&bytes);
            state = self.state();
            state.in_write = 0;
            if written.is_err() {
                state.close();
            }
            self.changed.notify_all();
        }
    }
}

impl WriterState {
    fn close(&mut self) {
        self.is_closed = true;
        self.waiting = Vec::new();
    }
}

impl AgentWriter {
    /// Writes to this socket.
    pub fn new(stream: UnixStream) -> Self {
        Self(Arc::new(WriterShared {
            stream,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Sends a message.
    pub fn send(&self, answer: &Answer<'_>) {
        let mut bytes = Vec::new();
        write_frame(&answer.body(), &mut bytes);
        let mut state = self.0.state();
        if state.is_closed {
            return;
        }
        let mut unwritten = &bytes[..];
        if state.waiting.is_empty() && state.in_write == 0 {
            match send_at_once(self.0.stream.as_fd(), unwritten) {
                Ok(count) => unwritten = unwritten.get(count..).unwrap_or_default(),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                // The reading thread detects that the agent has closed the socket.
                Err(_) => return state.close(),
            }
        }
        if unwritten.is_empty() {
            return;
        }
        if !state.has_thread {
            let shared = Arc::clone(&self.0);
            let writing = thread::Builder::new()
                .name("writer".into())
                .spawn(move || shared.write_waiting());
            if writing.is_err() {
                // Then this thread waits for the agent.
                if (&self.0.stream).write_all(unwritten).is_err() {
                    state.close();
                }
                return;
            }
            state.has_thread = true;
        }
        state.waiting.extend_from_slice(unwritten);
        self.0.changed.notify_all();
    }

    /// Answers a request with a value, as the agent takes it from a command: without white space at
    /// its end.
    pub fn value(&self, id: u32, text: &str) {
        let text = text.trim_end_matches([' ', '\t', '\r', '\n']);
        self.send(&Answer::value(id, text));
    }

    /// Answers a request that has no value because of a failure of this program or machine.
    pub fn error(&self, id: u32, text: &str) {
        self.send(&Answer::error(id, &format!("zbx-tcp: {text}")));
    }

    /// Writes a line into the agent's log.
    pub fn log(&self, severity: LogSeverity, text: &str) {
        self.send(&Answer::log(severity, text));
    }

    /// Waits while too many bytes wait for the agent, so that an agent that does not read cannot
    /// fill this machine's memory.
    pub fn wait_for_room(&self) {
        let mut state = self.0.state();
        while !state.is_closed && state.waiting.len() + state.in_write > MAX_WAITING {
            state = self.0.wait(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::plugin::frame::FrameReader;

    #[test]
    fn messages_arrive_in_their_order_whenever_the_agent_reads() {
        let (ours, mut agents) = UnixStream::pair().unwrap();
        let writer = AgentWriter::new(ours);
        let text = "x".repeat(10_000);
        let (sent, all_sent) = channel();
        thread::spawn(move || {
            for id in 0..2000 {
                writer.send(&Answer::value(id, &text));
            }
            sent.send(()).unwrap();
            writer.wait_for_room();
            sent.send(()).unwrap();
        });
        // No data is read, but only the thread that waits for room is blocked.
        all_sent.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(all_sent.recv_timeout(Duration::from_millis(50)).is_err());
        let (mut frames, mut buffer, mut next) = (FrameReader::default(), vec![0; 65_536], 0);
        while next < 2000 {
            let length = agents.read(&mut buffer).unwrap();
            frames.push(&buffer[..length]);
            while let Some(body) = frames.next_body().unwrap() {
                let message: serde_json::Value = serde_json::from_slice(body).unwrap();
                assert_eq!(message["id"], next);
                next += 1;
            }
        }
        all_sent.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn an_agent_that_ends_without_reading_frees_who_waits() {
        let (ours, agents) = UnixStream::pair().unwrap();
        let writer = AgentWriter::new(ours);
        let text = "x".repeat(MAX_WAITING);
        writer.send(&Answer::value(1, &text));
        writer.send(&Answer::value(2, &text));
        let waiting = thread::spawn({
            let writer = writer.clone();
            move || writer.wait_for_room()
        });
        drop(agents);
        waiting.join().unwrap();
        writer.send(&Answer::value(3, &text));
        assert!(writer.0.state().waiting.is_empty());
    }
}
