//! Connections with a [layer](crate::plan::layer), such as TLS: the bytes of the socket go through
//! it in both directions, and the session only sees application bytes.

use std::time::Instant;

use crate::engine::event_loop::Engine;
use crate::engine::event_loop::connection::{Output, Then};
use crate::engine::session::action::{AttemptId, Event};
use crate::plan::layer::{PeerHalf, SharedLayer};

impl Engine<'_, '_> {
    /// Starts a layer on the connection of this attempt, and sends its first message.
    pub(in crate::engine) fn secure(
        &mut self,
        place: usize,
        attempt: AttemptId,
        layer: &SharedLayer,
        now: Instant,
    ) {
        let Some(entry) = self.sessions.get(place) else {
            return;
        };
        let Some(number) = entry.connections.of(attempt) else {
            return;
        };
        let mut layer = layer.0.start(&entry.session.plan().target.host);
        let mut bytes = Vec::new();
        layer.take_output(&mut bytes);
        if let Some(connection) = self.connections.get_mut(number) {
            connection.output = Some(Box::new(Output {
                bytes,
                then: Then::Nothing,
                layer: Some(layer),
            }));
        }
        if let Some((place, what)) = self.write(number) {
            self.tell(place, what, now);
        }
    }

    /// Passes received bytes through the layer of this connection: its answer is sent, and the
    /// session is told of the end of the handshake, application bytes and errors, in this order.
    pub(in crate::engine) fn read_layer(&mut self, number: usize, wire: &[u8], now: Instant) {
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        let (place, attempt) = connection.owner();
        let Some(output) = connection.output.as_deref_mut() else {
            return;
        };
        let Some(layer) = &mut output.layer else {
            return;
        };
        let was_handshaking = layer.is_handshaking();
        let mut plain = Vec::new();
        let result = layer.read(wire, &mut plain);
        let is_secured = was_handshaking && !layer.is_handshaking();
        // Also after an error: the peer is sent the reason (an alert in TLS).
        layer.take_output(&mut output.bytes);
        let written = self.write(number);
        if is_secured {
            self.handle(place, Event::Secured(attempt), now);
        }
        if !plain.is_empty() {
            self.handle(place, Event::Received(attempt, &plain), now);
        }
        match (result, written) {
            // The error says more than a failure to send the reason for it.
            (Err(error), _) => self.handle(place, Event::LayerFailed(attempt, error), now),
            (Ok(half), written) => {
                if let Some((place, what)) = written {
                    self.handle(place, what, now);
                }
                if half == PeerHalf::Closed {
                    self.handle(place, Event::PeerClosed(attempt), now);
                }
            }
        }
    }
}
