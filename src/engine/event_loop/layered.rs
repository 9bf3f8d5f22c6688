//! Connections with a [layer](crate::plan::layer), such as TLS: the bytes of the socket go through
//! it in both directions, and the session only sees application bytes.

use std::time::Instant;

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::{AfterOutput, Output};
use crate::engine::index::{ConnId, SessionId};
use crate::engine::session::action::{AttemptId, Event};
use crate::plan::layer::{PeerHalf, SharedLayer};

impl EventLoop<'_, '_> {
    /// Starts a layer on the connection of this attempt, and sends its first message.
    pub(in crate::engine) fn secure(
        &mut self,
        id: SessionId,
        attempt: AttemptId,
        layer: &SharedLayer,
        now: Instant,
    ) {
        let Some(slot) = self.sessions.get(id) else {
            return;
        };
        let Some(connection) = slot.connections.of(attempt) else {
            return;
        };
        let mut layer = match layer.0.start(&slot.session.plan().target.host) {
            Ok(layer) => layer,
            Err(error) => return self.handle(id, Event::LayerFailed(attempt, error), now),
        };
        let mut bytes = Vec::new();
        layer.take_output(&mut bytes);
        if let Some(open) = self.connections.get_mut(connection) {
            open.output = Some(Box::new(Output {
                bytes,
                then: AfterOutput::Nothing,
                layer: Some(layer),
            }));
        }
        if let Some((session, sent)) = self.write(connection) {
            self.notify(session, sent, now);
        }
    }

    /// Passes received bytes through the layer of this connection: its answer is sent, and the
    /// session is told of the end of the handshake, application bytes and errors, in this order.
    pub(in crate::engine) fn read_layer(&mut self, connection: ConnId, wire: &[u8], now: Instant) {
        let Some(open) = self.connections.get_mut(connection) else {
            return;
        };
        let (session, attempt) = open.owner();
        let Some(output) = open.output.as_deref_mut() else {
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
        if !output.bytes.is_empty() {
            self.sends(session);
        }
        let written = self.write(connection);
        if is_secured {
            self.handle(session, Event::Secured(attempt), now);
        }
        if !plain.is_empty() {
            self.handle(session, Event::Received(attempt, &plain), now);
        }
        match (result, written) {
            // The error says more than a failure to send the reason for it.
            (Err(error), _) => self.handle(session, Event::LayerFailed(attempt, error), now),
            (Ok(half), written) => {
                if let Some((session, sent)) = written {
                    self.handle(session, sent, now);
                }
                if half != PeerHalf::Open {
                    self.handle(session, Event::PeerClosed(attempt), now);
                }
            }
        }
    }
}
