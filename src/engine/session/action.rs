//! The events that go into a session, and the actions that come out of it.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use crate::failure::Failure;
use crate::os::socket::TcpInfo;
use crate::path_facts::HopAnswer;
use crate::plan::layer::{LayerError, SharedLayer};
use crate::policy::Policy;
use crate::tls_facts::TlsFacts;

/// Index of an attempt in its session, in the order of the connects, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(u32);

impl AttemptId {
    /// The attempt with this index.
    ///
    /// # Panics
    /// If the index is 2^32 or more. The number of attempts is a `u32` (`--count`).
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

/// Something that happened, to be handled by a session.
#[derive(Debug)]
pub enum Event<'a> {
    /// The addresses of the name, in the order to try them, at least one; and the policy that each
    /// of them is checked against.
    Resolved(&'a [IpAddr], &'a Policy),
    /// The lookup of the name failed or timed out.
    Unresolved(Failure),
    /// The SYN of this attempt was sent.
    Opened(AttemptId),
    /// This machine lacks a resource for this attempt; [`Action::Open`] stays pending.
    Blocked(AttemptId, Failure),
    /// The TCP handshake completed. With the local address and the kernel's statistics, if known.
    Connected(AttemptId, Option<IpAddr>, Option<TcpInfo>),
    /// The facts of the layer about the peer so far. This event precedes the one that causes it,
    /// such as the end of the handshake.
    Facts(AttemptId, Box<TlsFacts>),
    /// The time of the probe is over, and the layer reports how far its handshake is.
    Incomplete(AttemptId, String),
    /// The handshake of the layer completed. All later bytes are application data.
    Secured(AttemptId, PeerRefusal),
    /// The peer sent a message that usually follows its acceptance of us; it may still refuse us:
    /// see [`PeerRefusal::Possible`].
    ProbablyAccepted(AttemptId),
    /// The layer has done what the plan asks for, and nothing can follow.
    LayerDone(AttemptId),
    /// The handshake of the layer failed, or received bytes are invalid in it.
    LayerFailed(AttemptId, LayerError),
    /// The kernel took all bytes of the last [`Action::Send`].
    Sent(AttemptId),
    /// The peer sent these bytes.
    Received(AttemptId, &'a [u8]),
    /// Other connections were served after [`Action::Continue`]; the comparison may go on.
    Continued(AttemptId),
    /// The peer sent FIN.
    PeerClosed(AttemptId),
    /// The connect failed, or the established connection was lost.
    Failed(AttemptId, Failure, Option<TcpInfo>),
    /// Something happened to the trace of this attempt.
    Trace(AttemptId, TraceEvent),
}

/// What happened to a trace. SYNs are named by their number, from 1.
#[derive(Debug)]
pub enum TraceEvent {
    /// The run permits it, after [`TraceAction::Request`]. It may never do so.
    Permitted,
    /// This SYN was sent.
    Sent(NonZeroU16),
    /// This SYN was answered, or could not be sent.
    Answered(NonZeroU16, TraceReply),
    /// The target closed the connection of this SYN.
    PeerClosed(NonZeroU16),
}

/// What became of a SYN of a trace.
#[derive(Debug)]
pub enum TraceReply {
    /// This address answered.
    Answer(IpAddr, HopAnswer),
    /// This machine could not send it, or could not use the answer.
    Failed(Failure),
}

/// Whether the peer may refuse us after a handshake that has completed for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRefusal {
    /// It may: it demanded a client certificate, and has not answered ours, or that we have none
    /// (RFC 8446, section 4.4.2.4). A failure, [`Event::ProbablyAccepted`] or data follows, or
    /// silence.
    Possible,
    /// It may not.
    Excluded,
}

/// Something that the event loop must do for a session.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Resolve the plan's host, then deliver [`Event::Resolved`] or [`Event::Unresolved`].
    Resolve,
    /// Open a connection to this address.
    Open(AttemptId, SocketAddr),
    /// Start this layer on the connection, then deliver [`Event::Secured`] or
    /// [`Event::LayerFailed`].
    Secure(AttemptId, SharedLayer),
    /// Send these bytes, then deliver [`Event::Sent`].
    Send(AttemptId, Vec<u8>),
    /// Deliver [`Event::Continued`] in the next turn: received bytes are left to compare.
    Continue(AttemptId),
    /// Close our direction with FIN.
    Shutdown(AttemptId),
    /// Something to do for the trace of this attempt.
    Trace(AttemptId, TraceAction),
    /// A message for the transcript (`-v`); nothing is done.
    Explain(AttemptId, String),
    /// Close the descriptor, if there is one. No event of this attempt follows.
    Close(AttemptId, crate::plan::Close),
}

/// What a trace needs. SYNs are named by their number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceAction {
    /// Deliver [`TraceEvent::Permitted`], unless a trace to this address would exceed the number of
    /// traces of a run.
    Request(IpAddr),
    /// Send a SYN with this time to live, then deliver [`TraceEvent::Sent`], and
    /// [`TraceEvent::Answered`] if there is an answer.
    Syn(NonZeroU16, u8, SocketAddr),
    /// Send FIN, then deliver [`TraceEvent::PeerClosed`] once the target has sent its own.
    Shutdown(NonZeroU16),
    /// Close the descriptor of this SYN. No event of it follows.
    Close(NonZeroU16, crate::plan::Close),
}

/// Actions, in the order to perform them.
pub type Actions = VecDeque<Action>;
