//! Names to addresses, inside the engine's poll: nothing here blocks, and every lookup ends by its deadline.
//!
//! [`Stub`](stub::Stub) is the default: the hosts file, then the servers of resolv.conf, by a state machine without I/O
//! ([`lookup`], [`question`]) over a thin transport ([`transport`]). It tells an NXDOMAIN from a SERVFAIL from silence,
//! which getaddrinfo does not, and works in static builds. `System` is getaddrinfo on helper threads.
//!
//! What is not read: nsswitch.conf, `sortlist`, and the variables `RES_OPTIONS` and LOCALDOMAIN, so that a probe started by
//! hand resolves as the one that Zabbix starts.

pub mod failure_text;
pub mod files;
pub mod hosts;
pub mod lookup;
pub mod message;
pub mod query;
pub mod query_id;
pub mod resolv_conf;
pub mod result;
pub mod server;
pub mod stub;
#[cfg(not(target_feature = "crt-static"))]
pub mod system;
pub mod transport;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use mio::{Registry, Token};

use crate::address::HostName;
use crate::engine::dns::files::Files;
use crate::engine::dns::server::Server;
use crate::failure::Failure;
use crate::plan::Family;

/// The bit that all tokens of the resolver have, and no other token of the engine.
const OWN_TOKENS: usize = 1 << (usize::BITS - 1);

/// A finished lookup: the engine's key, and what came of it.
pub type Answer = (usize, Result<ResolvedAddresses, Failure>);

/// The addresses of a name, each family in the order of its answer; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedAddresses {
    /// IPv4 addresses; empty where there are none or none were wanted.
    pub v4: Vec<Ipv4Addr>,
    /// IPv6 addresses; empty where there are none or none were wanted.
    pub v6: Vec<Ipv6Addr>,
    /// Who knew them.
    pub from: Source,
    /// The name that has them, where that is not the name as written: a search domain was appended, or CNAMEs were
    /// followed. Printable and one line, but not otherwise checked.
    pub canonical: Option<String>,
}

/// Who knew the addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The hosts file.
    HostsFile,
    /// Nobody was asked: the name means this machine (RFC 6761, section 6.3).
    Localhost,
    /// A name server.
    Server(Server),
    /// The C library, by whatever nsswitch.conf says.
    System,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostsFile => f.write_str("hosts file"),
            Self::Localhost => f.write_str("this machine"),
            Self::Server(server) => server.fmt(f),
            Self::System => f.write_str("system resolver"),
        }
    }
}

impl fmt::Display for ResolvedAddresses {
    /// The addresses, who gave them, and whose they are: `192.0.2.7, 2001:db8::7 from 192.0.2.53 as mx1.example.org`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v4 = self.v4.iter().map(ToString::to_string);
        let all: Vec<String> = v4.chain(self.v6.iter().map(ToString::to_string)).collect();
        write!(f, "{} from {}", all.join(", "), self.from)?;
        match &self.canonical {
            Some(name) => write!(f, " as {name}"),
            None => Ok(()),
        }
    }
}

/// Lookups in flight. The owner of the poll routes events by [`Resolver::owns`], calls [`expire`](Resolver::expire) when
/// [`next_wake`](Resolver::next_wake) has come, and after each call takes what is finished.
#[derive(Debug)]
pub enum Resolver {
    /// Files and name servers.
    Stub(Box<stub::Stub>),
    /// The C library.
    #[cfg(not(target_feature = "crt-static"))]
    System(Box<system::System>),
}

impl Default for Resolver {
    /// The stub resolver with the files of this machine.
    fn default() -> Self {
        Self::new(Files::default())
    }
}

impl Resolver {
    /// The stub resolver; reads nothing before the first name.
    pub fn new(files: Files) -> Self {
        Self::Stub(Box::new(stub::Stub::new(files)))
    }

    /// The C library's resolver; fails where this machine has no pipe left.
    #[cfg(not(target_feature = "crt-static"))]
    pub fn system(registry: &Registry) -> std::io::Result<Self> {
        Ok(Self::System(Box::new(system::System::new(registry)?)))
    }

    /// Whether an event with this token is the resolver's.
    pub fn owns(token: Token) -> bool {
        token.0 & OWN_TOKENS != 0
    }

    /// Makes it one of so many: together they ask no more at a time than one would alone.
    pub fn be_one_of(&mut self, threads: usize) {
        match self {
            Self::Stub(stub) => stub.be_one_of(threads),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.be_one_of(threads),
        }
    }

    /// Whether a lookup would be begun at once; the time of one that has to wait runs all the same.
    pub fn has_room(&self) -> bool {
        match self {
            Self::Stub(stub) => stub.has_room(),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.has_room(),
        }
    }

    /// Whether this machine had no socket for a question since this was asked last.
    pub fn has_lacked_socket(&mut self) -> bool {
        match self {
            Self::Stub(stub) => stub.has_lacked_socket(),
            // What the C library opens and lacks is its own.
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(_) => false,
        }
    }

    /// Looks this name up for `key`, until `deadline`; a lookup that `key` still has is cancelled.
    pub fn start(
        &mut self,
        registry: &Registry,
        key: usize,
        name: &HostName,
        family: Family,
        now: Instant,
        deadline: Instant,
    ) {
        match self {
            Self::Stub(stub) => stub.start(registry, key, name, family, now, deadline),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.start(key, name, family, now, deadline),
        }
    }

    /// Forgets the lookup of `key`, and its answer if nobody took it.
    pub fn cancel(&mut self, key: usize) {
        match self {
            Self::Stub(stub) => stub.cancel(key),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.cancel(key),
        }
    }

    /// An event came for one of the resolver's tokens; one for a socket that is gone does no harm.
    pub fn ready(&mut self, registry: &Registry, token: Token, now: Instant) {
        match self {
            Self::Stub(stub) => stub.ready(registry, token, now),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.ready(),
        }
    }

    /// Does what is due by now.
    pub fn expire(&mut self, registry: &Registry, now: Instant) {
        match self {
            Self::Stub(stub) => stub.expire(registry, now),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.expire(now),
        }
    }

    /// When [`expire`](Resolver::expire) has something to do or an answer waits; may be over already.
    pub fn next_wake(&self) -> Option<Instant> {
        match self {
            Self::Stub(stub) => stub.next_wake(),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.next_wake(),
        }
    }

    /// The next finished lookup, in the order in which they finished.
    pub fn poll_answer(&mut self) -> Option<Answer> {
        match self {
            Self::Stub(stub) => stub.poll_answer(),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System(system) => system.poll_answer(),
        }
    }
}
