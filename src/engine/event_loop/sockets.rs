//! Opening and leaving connections, and the sockets that serve one after the other.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Token};

use crate::engine::event_loop::connection::{Connection, Phase};
use crate::engine::event_loop::{CLOSES, Engine};
use crate::engine::stream;
use crate::engine::stream::{OpenError, Wire};
use crate::plan::{Close, Plan};

/// What a socket is watched for.
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The numbers of connections that are over, with a socket that is watched and can connect again.
#[derive(Default)]
pub(in crate::engine) struct Idle(Vec<usize>);

/// A connection that is to be closed: its number, where to, and how.
pub(in crate::engine) struct PendingClose {
    number: usize,
    address: IpAddr,
    how: Close,
}

impl PendingClose {
    /// Where to.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl Engine<'_, '_> {
    /// Sends a SYN, from a socket that is there already if it can be; the connection's number.
    pub(in crate::engine) fn connect(
        &mut self,
        plan: &Plan,
        address: SocketAddr,
    ) -> Result<usize, OpenError> {
        if stream::is_plain(plan) {
            if let Some(number) = self.connect_again(plan, address) {
                return Ok(number);
            }
        }
        let opened = Wire::open(plan, address);
        if !self.idle.0.is_empty() && matches!(opened, Err(OpenError::Exhausted(_))) {
            self.close_idle();
            return self.watch(Wire::open(plan, address)?, address);
        }
        self.watch(opened?, address)
    }

    /// Closes the sockets that wait for another connect: they have the descriptors that somebody lacks.
    pub(in crate::engine) fn close_idle(&mut self) {
        std::mem::take(&mut self.idle)
            .0
            .into_iter()
            .for_each(|number| drop(self.connections.try_remove(number)));
    }

    /// The same from the last socket that became free, which is dropped where it cannot.
    fn connect_again(&mut self, plan: &Plan, address: SocketAddr) -> Option<usize> {
        let number = self.idle.0.pop()?;
        let wire = &mut self.connections.get_mut(number)?.wire;
        let registry = self.poll.registry();
        let watch_anew = |wire: &Wire| {
            registry.reregister(&mut SourceFd(&wire.raw_fd()), Token(number), INTEREST)
        };
        if wire.can_reach(address)
            && wire.open_again(plan, address).is_ok()
            && (!wire.is_answered() || watch_anew(wire).is_ok())
        {
            return Some(number);
        }
        self.connections.try_remove(number);
        None
    }

    fn watch(&mut self, wire: Wire, address: SocketAddr) -> Result<usize, OpenError> {
        let fd = wire.raw_fd();
        let number = self.connections.insert(Connection::idle(wire));
        match self
            .poll
            .registry()
            .register(&mut SourceFd(&fd), Token(number), INTEREST)
        {
            Ok(()) => Ok(number),
            Err(error) => {
                self.connections.try_remove(number);
                Err(OpenError::Final(stream::watch_failure(address, &error)))
            }
        }
    }

    /// Notes that a connection to this address is over. The verdicts of others do not wait for the close, which costs more
    /// than they do.
    pub(in crate::engine) fn leave_later(&mut self, number: usize, address: IpAddr, how: Close) {
        if let Some(connection) = self.connections.get_mut(number) {
            connection.phase = Phase::Idle;
            self.leaving.push_back(PendingClose {
                number,
                address,
                how,
            });
        }
    }

    /// Closes connections that are over: none while others are due, and not so many that who is due next has to wait.
    pub(in crate::engine) fn close(&mut self, now: Instant) {
        if self.timers.next().is_some_and(|next| next <= now) {
            return;
        }
        for _ in 0..CLOSES {
            let Some(PendingClose {
                number,
                address,
                how,
            }) = self.leaving.pop_front()
            else {
                return;
            };
            self.leave(number, address, how);
        }
    }

    /// Ends a connection to this address; its socket is kept where another connect can use it.
    fn leave(&mut self, number: usize, address: IpAddr, how: Close) {
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        if how == Close::Rst && self.waiting.may_have_more() && connection.wire.reset() {
            self.idle.0.push(number);
        } else {
            let connection = self.connections.remove(number);
            connection.wire.close(how);
        }
        self.closed(address);
    }

    /// How many connections are open, or about to be.
    pub(in crate::engine) fn open_connections(&self) -> usize {
        self.connections.len() - self.idle.0.len()
    }
}
