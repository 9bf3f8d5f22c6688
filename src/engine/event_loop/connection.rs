//! One open connection, as the loop keeps it.

use crate::engine::inline_vec::InlineVec;
use crate::engine::session::action::AttemptId;
use crate::engine::stream::Wire;
use crate::plan::layer::LayerConnection;

/// A connection and whose it is.
pub(in crate::engine) struct Connection {
    /// The bytes.
    pub wire: Wire,
    /// How far it is.
    pub phase: Phase,
    /// What is still to be sent, and the layer; most connections send nothing and have no layer.
    pub output: Option<Box<Output>>,
    /// The place of its session: never as many are under way as half the size has no room for.
    place: u32,
    attempt: AttemptId,
}

impl Connection {
    /// Nobody's yet.
    pub fn idle(wire: Wire) -> Self {
        Self {
            wire,
            phase: Phase::Idle,
            output: None,
            place: u32::MAX,
            attempt: 0,
        }
    }

    /// Its SYN left, for this attempt of the session in this place.
    pub fn begin(&mut self, place: usize, attempt: AttemptId) {
        (self.place, self.attempt, self.phase) = (place as u32, attempt, Phase::Connecting);
    }

    /// Whether its bytes go through a layer.
    pub fn is_layered(&self) -> bool {
        self.output
            .as_ref()
            .is_some_and(|output| output.layer.is_some())
    }

    /// Queues bytes of the session, through the layer if there is one.
    pub fn queue(&mut self, bytes: Vec<u8>) {
        match self.output.as_deref_mut() {
            Some(Output {
                bytes: wire,
                then,
                layer: Some(layer),
            }) => {
                layer.write(&bytes);
                layer.take_output(wire);
                *then = Then::Sent;
            }
            _ => {
                self.output = Some(Box::new(Output {
                    bytes,
                    then: Then::Sent,
                    layer: None,
                }));
            }
        }
    }

    /// Sends our FIN after the queued bytes; a layer closes its own direction before.
    pub fn shutdown(&mut self) {
        match self.output.as_deref_mut() {
            Some(output) => {
                if let Some(layer) = &mut output.layer {
                    layer.close();
                    layer.take_output(&mut output.bytes);
                }
                output.then = Then::Shutdown;
            }
            None => self.wire.shutdown(),
        }
    }

    /// The place of its session, and which attempt of it it is.
    pub fn owner(&self) -> (usize, AttemptId) {
        (self.place as usize, self.attempt)
    }
}

/// What is still to be sent, and the layer that it goes through.
pub(in crate::engine) struct Output {
    /// The bytes for the socket; at least one unless there is a layer.
    pub bytes: Vec<u8>,
    /// What follows them.
    pub then: Then,
    /// The layer of the connection; with one, the output is kept when its bytes are sent.
    pub layer: Option<Box<dyn LayerConnection>>,
}

/// What follows the last byte that is to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Then {
    /// Nothing: they are the layer's own.
    Nothing,
    /// The session is told that its bytes are sent.
    Sent,
    /// The same, and our FIN.
    Shutdown,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Phase {
    /// The SYN left.
    Connecting,
    /// The handshake completed.
    Open,
    /// It is over, and its socket waits for its close or for another connect.
    Idle,
}

/// The numbers of a session's connections, by attempt.
#[derive(Default)]
pub(in crate::engine) struct Numbers(InlineVec<Option<u32>>);

impl Numbers {
    /// The connection of this attempt, while it is open.
    pub fn of(&self, attempt: AttemptId) -> Option<usize> {
        (*self.0.as_slice().get(attempt as usize)?).map(|number| number as usize)
    }

    /// Every connection that is open.
    pub fn all(&self) -> Vec<usize> {
        self.0
            .as_slice()
            .iter()
            .flatten()
            .map(|number| *number as usize)
            .collect()
    }

    /// This attempt has this connection now.
    pub fn put(&mut self, attempt: AttemptId, number: usize) {
        while self.0.as_slice().len() <= attempt as usize {
            self.0.push(None);
        }
        if let Some(slot) = self.0.as_mut_slice().get_mut(attempt as usize) {
            *slot = Some(number as u32);
        }
    }

    /// This attempt's connection is to be closed.
    pub fn take(&mut self, attempt: AttemptId) -> Option<usize> {
        self.0
            .as_mut_slice()
            .get_mut(attempt as usize)?
            .take()
            .map(|number| number as usize)
    }
}
