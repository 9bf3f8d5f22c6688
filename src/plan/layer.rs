//! A layer between the TCP connection and the dialogue, such as TLS.
//!
//! A layer does no I/O: it converts received bytes to application bytes and back. The event loop
//! moves the bytes, the session decides when the layer starts and what a failure means.

use std::fmt;
use std::sync::Arc;

use crate::address::Host;
use crate::failure::Status;
use crate::tls_facts::TlsFacts;

/// The configuration of a layer, which starts it on each connection.
pub trait Layer: fmt::Debug + Send + Sync {
    /// Starts the layer on a connection to this host, as the client. It is handshaking then, and
    /// its [output](LayerConnection::take_output) is the first message of the handshake.
    ///
    /// # Errors
    /// If this machine cannot start it: [`Status::LocalError`].
    fn start(&self, host: &Host) -> Result<Box<dyn LayerConnection>, LayerError>;

    /// The further connection that reads what the connections before it could not, if one is
    /// needed. Called after each connection has ended, with the results so far.
    fn inspection(&self, _so_far: &Inspected<'_>) -> Option<Inspection> {
        None
    }
}

/// The results of the connections so far.
#[derive(Debug)]
pub struct Inspected<'f> {
    /// The verdict of the first connection, without inspections.
    pub status: Status,
    /// The facts, those of inspections [included](TlsFacts::add).
    pub facts: Option<&'f TlsFacts>,
    /// How many inspections were made.
    pub inspections: usize,
}

/// A further connection to the same address, which only reads facts. Its dialogue is run up to the
/// start of the layer, and it ends when the layer is done, fails, or has completed its handshake.
#[derive(Debug)]
pub struct Inspection {
    /// The layer that reads them; it ends with [`PeerHalf::Done`] or an error.
    pub layer: SharedLayer,
    /// Whether its result replaces the verdict of the first connection, if that is
    /// [`Status::TlsFailed`]; any other verdict is final. It cannot be a success if the plan has
    /// steps after the start of the layer, since none of them is run.
    pub decides: bool,
}

/// The most received bytes that a layer holds for one connection.
pub const MAX_HELD: usize = 256 * 1024;

/// A layer on one connection.
pub trait LayerConnection {
    /// Whether the handshake has not completed yet.
    fn is_handshaking(&self) -> bool;

    /// Whether the peer may still refuse us, although the handshake has completed for us: a server
    /// of TLS 1.3 has requested a client certificate. It never becomes true after the handshake. A
    /// probe that would succeed waits for a sign that the peer has accepted us, and for the time in
    /// which a refusal would follow.
    fn may_be_refused(&self) -> bool {
        false
    }

    /// Whether the peer has sent a message that usually follows its acceptance of us, such as a
    /// session ticket. It proves nothing: a server may send it before it has received our
    /// certificate (RFC 8446, section 4.6.1).
    fn is_probably_accepted(&self) -> bool {
        false
    }

    /// Takes received bytes, and appends the application bytes in them to `plain`.
    ///
    /// # Errors
    /// If the handshake fails, or the bytes are invalid. The layer has failed then; its output may
    /// be an alert for the peer.
    fn read(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError>;

    /// The peer closed or reset the connection during the handshake, or while it [may refuse
    /// us](LayerConnection::may_be_refused). [`PeerHalf::Done`] if that is a success; otherwise it
    /// is a failure of the handshake, with a specific text.
    ///
    /// # Errors
    /// If the layer knows more than that the peer closed the connection.
    fn peer_closed(&mut self) -> Result<PeerHalf, LayerError> {
        Ok(PeerHalf::Closed)
    }

    /// Takes application bytes to send. The handshake has completed.
    fn write(&mut self, plain: &[u8]);

    /// Closes our direction: nothing is written after this.
    fn close(&mut self);

    /// Appends the bytes that must be sent to the peer since the last call.
    fn take_output(&mut self, wire: &mut Vec<u8>);

    /// How many received bytes it holds: an incomplete message of the handshake, or certificates.
    /// At most [`MAX_HELD`]; the memory of a run is limited.
    fn held(&self) -> usize {
        0
    }

    /// Called when our first message has been sent. Does slow work for the answer now, while the
    /// answer is in transit, so that less of it counts as time of the handshake.
    ///
    /// # Errors
    /// If this machine cannot continue: [`Status::LocalError`].
    fn prepare(&mut self) -> Result<(), LayerError> {
        Ok(())
    }

    /// What is known of the peer so far; also after a failure. Called when the handshake completes,
    /// when the peer has [probably accepted us](Self::is_probably_accepted), after an error, [`PeerHalf::Closed`] or [`PeerHalf::Done`],
    /// and at the deadline.
    fn facts(&self) -> Option<Box<TlsFacts>> {
        None
    }

    /// How much of an incomplete handshake was received, for the error text at the deadline: it
    /// follows `not complete before the deadline: `.
    fn progress(&self) -> Option<String> {
        None
    }

    /// A transcript is written (`-v`): messages are kept for
    /// [`take_messages`](LayerConnection::take_messages) from now on. Called at most once, directly
    /// after the start; without it no message needs to be made.
    fn keep_messages(&mut self) {}

    /// Takes the messages for the transcript since the last call.
    fn take_messages(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// The peer's direction of a layered connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerHalf {
    /// More application bytes may follow.
    Open,
    /// The peer closed its direction within the layer (`close_notify` in TLS); its FIN may follow
    /// later.
    Closed,
    /// The layer has done what the plan requires, and nothing can follow: the probe has succeeded,
    /// even if steps are left.
    Done,
}

/// Why a layer failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerError {
    /// What that means for the probe.
    pub status: Status,
    /// The cause, without the address.
    pub cause: String,
}

impl LayerError {
    /// The handshake failed, or received bytes are invalid.
    pub fn failed(cause: impl Into<String>) -> Self {
        Self::new(Status::TlsFailed, cause)
    }

    /// The peer's certificate is not trusted.
    pub fn untrusted(cause: impl Into<String>) -> Self {
        Self::new(Status::TlsUntrusted, cause)
    }

    /// A failure with this status.
    pub fn new(status: Status, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self { status, cause }
    }
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for LayerError {}

/// A layer that many plans share. Two are equal if they are the same layer.
#[derive(Debug, Clone)]
pub struct SharedLayer(pub Arc<dyn Layer>);

impl PartialEq for SharedLayer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedLayer {}
