//! What goes into a session and what comes out of it: events and actions.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::failure::Failure;
use crate::os::socket::TcpInfo;
use crate::policy::Policy;

/// Index of an attempt in its session, in the order of the connects, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(u32);

impl AttemptId {
    /// The attempt with this index.
    ///
    /// # Panics
    /// For an index of 2^32 or more: `--count` is a `u32`.
    // A truncated index would name another attempt.
    #[allow(clippy::expect_used)]
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a session has fewer than 2^32 attempts"))
    }

    /// The index, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What happened to a session.
#[derive(Debug)]
pub enum Event<'a> {
    /// The name's addresses, in the order to try them, at least one; and the policy that each of
    /// them is checked against.
    Resolved(&'a [IpAddr], &'a Policy),
    /// The name has no address, or none in time.
    Unresolved(Failure),
    /// The SYN of this attempt left.
    Opened(AttemptId),
    /// This machine lacks the means for now; the wish stays open.
    Blocked(AttemptId, Failure),
    /// The handshake completed, from this local address.
    Connected(AttemptId, Option<IpAddr>, Option<TcpInfo>),
    /// All bytes of the last send wish are with the kernel.
    Sent(AttemptId),
    /// The peer sent these bytes.
    Received(AttemptId, &'a [u8]),
    /// The peer sent FIN.
    PeerClosed(AttemptId),
    /// The connect failed, or the open connection was lost.
    Failed(AttemptId, Failure, Option<TcpInfo>),
}

/// What a session wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Resolve the plan's host, then say [`Event::Resolved`] or [`Event::Unresolved`].
    Resolve,
    /// Open a connection to this address.
    Open(AttemptId, SocketAddr),
    /// Send these bytes, then say [`Event::Sent`].
    Send(AttemptId, Vec<u8>),
    /// End our half with a FIN.
    Shutdown(AttemptId),
    /// Tell a person who asked for an explanation; nothing is done.
    Explain(AttemptId, String),
    /// Close the descriptor, if it was ever opened; nothing more will be heard of it.
    Close(AttemptId, crate::plan::Close),
}

/// Wishes in the order they are to be fulfilled.
pub type Actions = VecDeque<Action>;
