//! Typed indices of the engine's tables, so that an index into the wrong table does not compile.
//!
//! `docs/architecture.md` shows which table owns which index.

/// Index of a session in the session table of its worker. Reused once the session is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::engine) struct SessionId(u32);

/// A session of this worker, unique for the whole run: its index, which is reused, and a serial
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct SessionKey {
    /// Index in the session table.
    pub id: SessionId,
    /// Serial number of the session that has the index.
    pub serial: u32,
}

/// Index of a connection in the connection table of its worker, and the token of its socket. Reused
/// once the socket is closed, or when the socket connects again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::engine) struct ConnId(u32);

/// Index of a worker thread in the run, from 0; standby threads come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::engine) struct WorkerIndex(pub usize);

impl SessionId {
    /// The owner of a connection that no session has been given yet; never in the session table.
    pub const UNASSIGNED: Self = Self(u32::MAX);

    /// The session with this index in the table.
    ///
    /// # Panics
    /// If the index is 2^32 or more. That many sessions do not fit into memory.
    // A truncated index would name another session.
    #[allow(clippy::expect_used)]
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("fewer than 2^32 sessions"))
    }

    /// The index in the table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ConnId {
    /// The connection with this index in the table.
    ///
    /// # Panics
    /// If the index is 2^32 or more. A process has fewer descriptors.
    // A truncated index would name another connection.
    #[allow(clippy::expect_used)]
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("fewer than 2^32 connections"))
    }

    /// The index in the table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
