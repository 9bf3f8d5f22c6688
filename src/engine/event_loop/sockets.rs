//! Opening and closing connections, and reusing sockets.
//!
//! A connection that ends with RST and needs no socket options is disconnected
//! (`connect(AF_UNSPEC)`, connect(2)) instead of closed, and its socket connects again: half the
//! cost of a new socket. `docs/architecture.md` lists what that requires.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::engine::event_loop::EventLoop;
use crate::engine::event_loop::connection::{AddressSlot, ConnectionPhase, PendingClose};
use crate::engine::index::ConnId;
use crate::engine::stream;
use crate::engine::stream::{OpenError, Wire};
use crate::plan::{Close, Plan};

/// Most connections closed before the clock is read again: takes a few hundred microseconds.
const CLOSES_PER_TURN: usize = 16;

impl EventLoop<'_, '_> {
    /// Sends a SYN, from a reusable socket if there is one.
    pub(in crate::engine) fn connect(
        &mut self,
        plan: &Plan,
        address: SocketAddr,
    ) -> Result<ConnId, OpenError> {
        if stream::can_reuse_socket(plan) {
            if let Some(connection) = self.connect_again(plan, address) {
                return Ok(connection);
            }
        }
        let opened = Wire::open(plan, address);
        if !self.connections.reusable.is_empty() && matches!(opened, Err(OpenError::Exhausted(_))) {
            self.close_reusable();
            return self.watch(Wire::open(plan, address)?, address);
        }
        self.watch(opened?, address)
    }

    /// Closes all reusable sockets: something else needs their descriptors.
    pub(in crate::engine) fn close_reusable(&mut self) {
        for connection in std::mem::take(&mut self.connections.reusable) {
            self.connections.remove(connection);
        }
    }

    /// Connects from the reusable socket that was used last; closes it if that is not possible.
    fn connect_again(&mut self, plan: &Plan, address: SocketAddr) -> Option<ConnId> {
        let connection = self.connections.reusable.pop()?;
        let wire = &mut self.connections.get_mut(connection)?.wire;
        let poller = &self.poller;
        if wire.can_reach(address)
            && wire.open_again(plan, address).is_ok()
            // A connect(2) that has its result already causes no event on a socket that is watched.
            && (!wire.is_answered() || poller.watch_again(wire.raw_fd(), connection).is_ok())
        {
            return Some(connection);
        }
        self.connections.remove(connection);
        None
    }

    /// Watches a socket whose SYN was sent.
    pub(in crate::engine) fn watch(
        &mut self,
        wire: Wire,
        address: SocketAddr,
    ) -> Result<ConnId, OpenError> {
        let fd = wire.raw_fd();
        let connection = self.connections.insert(wire);
        self.poller.watch(fd, connection).map_err(|error| {
            self.connections.remove(connection);
            OpenError::Final(stream::watch_failure(address, &error))
        })?;
        Ok(connection)
    }

    /// Schedules a connection to be closed. A close costs more than a verdict, so the verdicts of
    /// this turn come first.
    pub(in crate::engine) fn close_later(
        &mut self,
        connection: ConnId,
        address: IpAddr,
        how: Close,
    ) {
        self.release_received(connection);
        if let Some(closing) = self.connections.get_mut(connection) {
            closing.phase = ConnectionPhase::Idle;
            let address_slot = closing.address_slot;
            self.connections.closing.push_back(PendingClose {
                connection,
                address,
                address_slot,
                how,
            });
        }
    }

    /// Closes up to [`CLOSES_PER_TURN`] finished connections, and none while timers are due.
    pub(in crate::engine) fn close_finished(&mut self, now: Instant) {
        if self.sessions.timers.next().is_some_and(|next| next <= now) {
            return;
        }
        for _ in 0..CLOSES_PER_TURN {
            let Some(pending) = self.connections.closing.pop_front() else {
                return;
            };
            self.close(&pending);
        }
    }

    /// Closes a connection, or resets it and keeps the socket for another connect.
    fn close(&mut self, pending: &PendingClose) {
        let Some(closing) = self.connections.get(pending.connection) else {
            return;
        };
        if pending.how == Close::Rst && self.pending.expects_connects() && closing.wire.reset() {
            self.connections.reusable.push(pending.connection);
        } else if let Some(closing) = self.connections.remove(pending.connection) {
            closing.wire.close(pending.how);
        }
        match pending.address_slot {
            AddressSlot::Held => self.closed(pending.address),
            AddressSlot::Released => self.pending.unpause(),
        }
    }
}
