//! Why a run could not go on.

use std::{fmt, io};

/// This machine cannot poll sockets (`epoll_create1(2)`, `epoll_wait(2)`: no descriptors or no
/// memory), or cannot start a thread.
#[derive(Debug)]
pub struct PollError(io::Error);

impl From<io::Error> for PollError {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot poll sockets: {}", self.0)
    }
}

impl std::error::Error for PollError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
