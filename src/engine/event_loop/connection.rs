//! The connection table of one worker.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU16;

use slab::Slab;

use crate::engine::event_loop::unread::UnreadConnections;
use crate::engine::index::{ConnId, SessionId};
use crate::engine::inline_vec::InlineVec;
use crate::engine::session::action::AttemptId;
use crate::engine::stream::Wire;
use crate::plan::Close;
use crate::plan::layer::LayerConnection;

/// The sockets of this worker, whatever their state.
pub(in crate::engine) struct Connections {
    slots: Slab<Connection>,
    /// Idle connections whose sockets are still watched and can connect again; the last one is used
    /// first.
    pub reusable: Vec<ConnId>,
    /// Connections that had more to read than one turn allows.
    pub unread: UnreadConnections,
    /// Connections that their sessions are done with, to be closed.
    pub closing: VecDeque<PendingClose>,
}

/// A socket and the attempt that it belongs to.
pub(in crate::engine) struct Connection {
    /// The socket.
    pub wire: Wire,
    /// State of the connection.
    pub phase: ConnectionPhase,
    /// Whether it counts for the limit of its address.
    pub address_slot: AddressSlot,
    /// Bytes that are not sent yet, and the layer. Boxed because most connections have neither.
    pub output: Option<Box<Output>>,
    session: SessionId,
    attempt: AttemptId,
    /// The number of the SYN, if it is one of a trace.
    pub limited: Option<NonZeroU16>,
}

/// A connection to be closed.
pub(in crate::engine) struct PendingClose {
    /// Which one.
    pub connection: ConnId,
    /// The remote address, whose slot is released then.
    pub address: IpAddr,
    /// Whether it holds that slot.
    pub address_slot: AddressSlot,
    /// FIN or RST.
    pub how: Close,
}

/// What is still to be sent, and the layer that it goes through.
pub(in crate::engine) struct Output {
    /// The bytes for the socket; at least one unless there is a layer.
    pub bytes: Vec<u8>,
    /// What to do once they are sent.
    pub then: AfterOutput,
    /// The layer of the connection; with one, the output is kept when its bytes are sent.
    pub layer: Option<Box<dyn LayerConnection>>,
}

/// What follows the last byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum AfterOutput {
    /// Nothing: the bytes are the layer's own.
    Nothing,
    /// The session gets the event that its bytes are sent.
    Sent,
    /// The same, and a FIN.
    Shutdown,
}

/// Whether a connection counts for the limit of its address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum AddressSlot {
    /// It counts.
    Held,
    /// It does not: its SYN is unanswered for too long.
    Released,
}

/// State of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum ConnectionPhase {
    /// The SYN is sent.
    Connecting,
    /// The handshake is complete.
    Open,
    /// No session uses it: the socket waits to be closed, or to connect again.
    Idle,
}

impl Connections {
    /// An empty table with capacity for this many connections.
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: Slab::with_capacity(capacity),
            reusable: Vec::new(),
            unread: UnreadConnections::default(),
            closing: VecDeque::new(),
        }
    }

    /// Adds a socket that belongs to no attempt yet.
    pub fn insert(&mut self, wire: Wire) -> ConnId {
        ConnId::new(self.slots.insert(Connection {
            wire,
            phase: ConnectionPhase::Idle,
            address_slot: AddressSlot::Held,
            output: None,
            session: SessionId::UNASSIGNED,
            attempt: AttemptId::new(0),
            limited: None,
        }))
    }

    /// The connection with this index.
    pub fn get(&self, id: ConnId) -> Option<&Connection> {
        self.slots.get(id.index())
    }

    /// The connection with this index.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.slots.get_mut(id.index())
    }

    /// Removes a connection; dropping it closes the socket.
    pub fn remove(&mut self, id: ConnId) -> Option<Connection> {
        self.slots.try_remove(id.index())
    }

    /// All connections.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().map(|(_, connection)| connection)
    }

    /// Number of connections that are open or will be closed; reusable sockets do not count.
    pub fn open(&self) -> usize {
        self.slots.len() - self.reusable.len()
    }
}

impl Connection {
    /// Assigns the socket, whose SYN is sent, to this attempt of a session.
    pub fn assign(&mut self, session: SessionId, attempt: AttemptId) {
        (self.session, self.attempt) = (session, attempt);
        self.phase = ConnectionPhase::Connecting;
        self.address_slot = AddressSlot::Held;
    }

    /// Whether the handshake is complete and the connection is in use.
    pub fn is_open(&self) -> bool {
        self.phase == ConnectionPhase::Open
    }

    /// Whether bytes wait to be sent.
    pub fn has_output(&self) -> bool {
        let output = self.output.as_ref();
        output.is_some_and(|output| !output.bytes.is_empty())
    }

    /// Whether its bytes go through a layer.
    pub fn is_layered(&self) -> bool {
        self.layer().is_some()
    }

    /// The layer that its bytes go through.
    pub fn layer(&self) -> Option<&dyn LayerConnection> {
        self.output.as_deref()?.layer.as_deref()
    }

    /// The same, to use it.
    pub fn layer_mut(&mut self) -> Option<&mut (dyn LayerConnection + 'static)> {
        self.output.as_deref_mut()?.layer.as_deref_mut()
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
                *then = AfterOutput::Sent;
            }
            _ => {
                self.output = Some(Box::new(Output {
                    bytes,
                    then: AfterOutput::Sent,
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
                output.then = AfterOutput::Shutdown;
            }
            None => self.wire.shutdown(),
        }
    }

    /// The session and attempt that it belongs to; only of use while it is not idle.
    pub fn owner(&self) -> (SessionId, AttemptId) {
        (self.session, self.attempt)
    }
}

/// The connections of a session, by attempt.
#[derive(Default)]
pub(in crate::engine) struct AttemptConnections(InlineVec<Option<ConnId>>);

impl AttemptConnections {
    /// The connection of this attempt, while it has one.
    pub fn of(&self, attempt: AttemptId) -> Option<ConnId> {
        *self.0.as_slice().get(attempt.index())?
    }

    /// Every connection.
    pub fn all(&self) -> Vec<ConnId> {
        self.0.as_slice().iter().flatten().copied().collect()
    }

    /// Notes the connection of this attempt.
    pub fn put(&mut self, attempt: AttemptId, connection: ConnId) {
        while self.0.as_slice().len() <= attempt.index() {
            self.0.push(None);
        }
        if let Some(slot) = self.0.as_mut_slice().get_mut(attempt.index()) {
            *slot = Some(connection);
        }
    }

    /// Removes the connection of this attempt, and returns it.
    pub fn take(&mut self, attempt: AttemptId) -> Option<ConnId> {
        self.0.as_mut_slice().get_mut(attempt.index())?.take()
    }
}
