//! What a responder is asked to do.

use std::time::Duration;

use crate::plan::bytes::Charset;
use crate::responder::listen::{Backlog, Listen};

/// What a responder does, from the address it listens on to how it closes connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponderConfig {
    /// The address to listen on.
    pub listen: Listen,
    /// The bytes that each client is sent first; may be empty.
    pub greeting: Vec<u8>,
    /// The answer to what a client sends.
    pub reply: ReplyMode,
    /// How received and sent bytes are decoded for the log.
    pub charset: Charset,
    /// The pause before the greeting and before each reply.
    pub delay: Duration,
    /// The length of the kernel's accept queue.
    pub backlog: Backlog,
    /// How a connection is closed.
    pub close: CloseMode,
    /// How many clients are served.
    pub clients: Clients,
}

/// The answer to what a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyMode {
    /// No answer: the client's bytes are read and logged until it closes.
    None,
    /// These bytes, once, after the first read that returns data; then the connection is closed.
    Once(Vec<u8>),
    /// The same bytes, until the client closes its side.
    Echo,
}

/// How a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseMode {
    /// FIN, then remaining input is drained, so that unread bytes do not turn the close into a
    /// reset.
    Fin,
    /// RST, by `SO_LINGER` with a time of 0 (socket(7)).
    Rst,
    /// Not by the responder: the connection stays open until the client closes it.
    Hold,
    /// accept(2) is never called.
    NeverAccept,
}

/// How many clients are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// The first one, until its connection has ended.
    One,
    /// All, concurrently.
    Many,
}
