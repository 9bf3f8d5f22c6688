//! A listening TCP socket, as the kernel describes it.

use std::net::IpAddr;
use std::num::NonZeroU32;

/// The most sockets that are read; they need about 16 MiB.
pub const MAX_SOCKETS: usize = 200_000;

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSocket {
    /// The local address, as the socket was bound.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// Whether an IPv6 socket refuses IPv4 (`IPV6_V6ONLY`); `None` if unknown.
    pub is_v6_only: Option<bool>,
    /// The interface that the socket is bound to.
    pub interface: Option<NonZeroU32>,
    /// The user that created the socket.
    pub uid: u32,
    /// The inode, the number in `socket:[NUMBER]` of /proc/PID/fd.
    pub inode: u64,
    /// The identifier of this socket as long as the system runs; 0 if unknown.
    pub cookie: u64,
    /// The control group (version 2) of the process that created the socket.
    pub cgroup: Option<u64>,
    /// Connections that wait to be accepted.
    pub queue: u32,
    /// The backlog of listen(2). A queue is full when it holds one connection more.
    pub backlog: Option<u32>,
    /// Connections that this socket dropped.
    pub drops: Option<u32>,
}
