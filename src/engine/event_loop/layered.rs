//! Connections with a [layer](crate::plan::layer), such as TLS: the bytes of the socket go through
//! it in both directions, and the session only sees application bytes.

use std::time::Instant;

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::{AfterOutput, Connection, Output};
use crate::engine::index::{ConnId, SessionId};
use crate::engine::session::action::{AttemptId, Event, PeerRefusal};
use crate::engine::sink::Observed;
use crate::failure::{Failure, Status};
use crate::plan::layer::{LayerConnection, PeerHalf, SharedLayer};

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
        if self.sink.observes() {
            layer.keep_messages();
        }
        let mut bytes = Vec::new();
        layer.take_output(&mut bytes);
        if let Some(open) = self.connections.get_mut(connection) {
            open.output = Some(Box::new(Output {
                bytes,
                then: AfterOutput::Nothing,
                layer: Some(layer),
            }));
        }
        self.observe_messages(connection, now);
        let sent = self.write(connection);
        let open = self.connections.get_mut(connection);
        if let Some(Err(error)) = open
            .and_then(Connection::layer_mut)
            .map(LayerConnection::prepare)
        {
            return self.handle(id, Event::LayerFailed(attempt, error), now);
        }
        if let Some((session, sent)) = sent {
            self.notify(session, sent, now);
        }
    }

    /// Passes received bytes through the layer of this connection: sends its answer, and passes
    /// facts, the end of the handshake, application bytes and errors to the session, in this order.
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
        let before = LayerStage::of(layer.as_ref());
        let was_probably_accepted = layer.is_probably_accepted();
        let mut plain = Vec::new();
        let result = layer.read(wire, &mut plain);
        let after = LayerStage::of(layer.as_ref());
        // Also after an error: the peer is sent the reason (an alert in TLS).
        layer.take_output(&mut output.bytes);
        let is_secured = before == LayerStage::Handshaking && after != before;
        let is_probably_accepted = after == LayerStage::MayBeRefused
            && !was_probably_accepted
            && layer.is_probably_accepted()
            && result.is_ok();
        let facts = if is_secured || is_probably_accepted || result != Ok(PeerHalf::Open) {
            layer.facts()
        } else {
            None
        };
        if !output.bytes.is_empty() {
            self.sends(session);
        }
        self.observe_messages(connection, now);
        let written = self.write(connection);
        if let Some(facts) = facts {
            self.deliver_layered(connection, Event::Facts(attempt, facts), now);
        }
        if is_secured {
            let refusal = match after {
                LayerStage::MayBeRefused => PeerRefusal::Possible,
                LayerStage::Handshaking | LayerStage::Secured => PeerRefusal::Excluded,
            };
            self.deliver_layered(connection, Event::Secured(attempt, refusal), now);
        }
        if is_probably_accepted {
            self.deliver_layered(connection, Event::ProbablyAccepted(attempt), now);
        }
        // What a peer sent before it refused us is no answer.
        let was_uncertain = before == LayerStage::MayBeRefused || after == LayerStage::MayBeRefused;
        if was_uncertain && result.is_err() {
            plain.clear();
        }
        if !plain.is_empty() {
            self.deliver_layered(connection, Event::Received(attempt, &plain), now);
        }
        // The error has more details than a failure to send the alert for it.
        if let Some((_, sent)) = written.filter(|_| result.is_ok()) {
            self.deliver_layered(connection, sent, now);
        }
        match result {
            Ok(PeerHalf::Open) => {}
            Ok(PeerHalf::Closed) => {
                self.deliver_layered(connection, Event::PeerClosed(attempt), now);
            }
            Ok(PeerHalf::Done) => {
                self.deliver_layered(connection, Event::LayerDone(attempt), now);
            }
            Err(error) => {
                self.deliver_layered(connection, Event::LayerFailed(attempt, error), now);
            }
        }
    }

    /// The peer closed this connection, or it was lost: its layer decides first what that means.
    pub(in crate::engine) fn end_layer(
        &mut self,
        connection: ConnId,
        lost: Option<Failure>,
        now: Instant,
    ) {
        let Some(open) = self.connections.get_mut(connection) else {
            return;
        };
        let (_, attempt) = open.owner();
        // After a failure of this machine, the state of the peer is unknown.
        let is_by_peer = |lost: &Failure| lost.status == Status::Reset;
        let asks = lost.as_ref().is_none_or(is_by_peer);
        let end = open
            .layer_mut()
            .filter(|layer| LayerStage::of(*layer) != LayerStage::Secured)
            .map(|layer| {
                let result = if asks {
                    layer.peer_closed()
                } else {
                    Ok(PeerHalf::Closed)
                };
                (result, layer.facts())
            });
        let (result, facts) = end.unwrap_or((Ok(PeerHalf::Closed), None));
        self.observe_messages(connection, now);
        if let Some(facts) = facts {
            self.deliver_layered(connection, Event::Facts(attempt, facts), now);
        }
        let event = match (result, lost) {
            (Err(error), _) => Event::LayerFailed(attempt, error),
            (Ok(PeerHalf::Done), _) => Event::LayerDone(attempt),
            (Ok(_), None) => Event::PeerClosed(attempt),
            (Ok(_), Some(failure)) => Event::Failed(attempt, failure, None),
        };
        self.deliver_layered(connection, event, now);
    }

    /// Before a session ends at its deadline, passes to it the progress of the handshakes of its
    /// connections, and their facts.
    pub(in crate::engine) fn end_handshakes(&mut self, id: SessionId, now: Instant) {
        let Some(slot) = self.sessions.get(id) else {
            return;
        };
        if slot.session.deadline() > now || !slot.session.plan().spec.has_layer() {
            return;
        }
        for connection in slot.connections.all() {
            let Some(open) = self.connections.get_mut(connection) else {
                continue;
            };
            let (_, attempt) = open.owner();
            let Some(layer) = open.layer_mut().filter(|layer| layer.is_handshaking()) else {
                continue;
            };
            let (facts, progress) = (layer.facts(), layer.progress());
            if let Some(facts) = facts {
                self.deliver_layered(connection, Event::Facts(attempt, facts), now);
            }
            if let Some(progress) = progress {
                self.deliver_layered(connection, Event::Incomplete(attempt, progress), now);
            }
        }
    }

    /// Lets the session of this connection handle an event, unless it is done with the connection:
    /// a further one of the same attempt must not get it.
    fn deliver_layered(&mut self, connection: ConnId, event: Event<'_>, now: Instant) {
        let open = self.connections.get(connection);
        if let Some(open) = open.filter(|open| open.is_open()) {
            let (session, _) = open.owner();
            self.handle(session, event, now);
        }
    }

    /// Hands the messages of the layer to the transcript, if one is written.
    fn observe_messages(&mut self, connection: ConnId, now: Instant) {
        if !self.sink.observes() {
            return;
        }
        let Some(open) = self.connections.get_mut(connection) else {
            return;
        };
        let (session, attempt) = open.owner();
        let messages = open.layer_mut().map(LayerConnection::take_messages);
        let Some(slot) = self.sessions.get(session) else {
            return;
        };
        let at = now.saturating_duration_since(slot.session.started());
        for message in messages.into_iter().flatten() {
            let what = Observed::Message(attempt, &message);
            self.sink.observe(slot.session.plan(), at, what);
        }
    }
}

/// How far a layer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LayerStage {
    Handshaking,
    MayBeRefused,
    Secured,
}

impl LayerStage {
    fn of(layer: &dyn LayerConnection) -> Self {
        if layer.is_handshaking() {
            Self::Handshaking
        } else if layer.may_be_refused() {
            Self::MayBeRefused
        } else {
            Self::Secured
        }
    }
}
