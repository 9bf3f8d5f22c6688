//! A layer between the TCP connection and the dialogue, such as TLS.
//!
//! A layer does no I/O: it converts received bytes to application bytes and back. The event loop
//! moves the bytes, the session decides when the layer starts and what a failure means.

use std::fmt;
use std::sync::Arc;

use crate::address::Host;

/// The configuration of a layer, which starts it on each connection.
pub trait Layer: fmt::Debug + Send + Sync {
    /// Starts the layer on a connection to this host, as the client. It is handshaking then, and
    /// its [output](LayerConnection::take_output) is the first message of the handshake.
    fn start(&self, host: &Host) -> Box<dyn LayerConnection>;
}

/// A layer on one connection.
pub trait LayerConnection {
    /// Whether the handshake has not completed yet.
    fn is_handshaking(&self) -> bool;

    /// Takes received bytes, and appends the application bytes in them to `plain`.
    ///
    /// # Errors
    /// If the handshake fails, or the bytes are invalid. The layer has failed then; its output may
    /// be an alert for the peer.
    fn read(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError>;

    /// Takes application bytes to send. The handshake has completed.
    fn write(&mut self, plain: &[u8]);

    /// Closes our direction: nothing is written after this.
    fn close(&mut self);

    /// Appends the bytes that must be sent to the peer since the last call.
    fn take_output(&mut self, wire: &mut Vec<u8>);
}

/// The peer's direction of a layered connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerHalf {
    /// More application bytes may follow.
    Open,
    /// The peer closed its direction within the layer (`close_notify` in TLS); its FIN may follow
    /// later.
    Closed,
}

/// Why a layer failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerError {
    /// The handshake failed, or received bytes are invalid; with the cause.
    Failed(String),
    /// The peer's certificate is not trusted; with the cause.
    Untrusted(String),
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) | Self::Untrusted(cause) => f.write_str(cause),
        }
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
