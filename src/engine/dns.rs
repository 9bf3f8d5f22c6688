//! dns
#![allow(missing_docs)]
pub mod config;
pub mod explain;
pub mod hosts;
pub mod lookup;
pub mod message;
pub mod question;
pub mod server;
pub mod verdict;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use server::Server;

/// The addresses of a name, each family in the order of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
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
