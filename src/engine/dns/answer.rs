//! The result of a lookup: addresses, and where they came from.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::engine::dns::server::NameServer;
use crate::failure::Failure;

/// The result of one lookup.
pub type LookupResult = Result<ResolvedAddresses, Failure>;

/// A finished lookup: the key that was passed to
/// [`Resolver::start`](crate::engine::dns::Resolver::start), and the result.
pub type FinishedLookup = (usize, LookupResult);

/// The addresses of a name, at least one. Each family is in the order of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedAddresses {
    /// IPv4 addresses; empty if the name has none or only IPv6 was requested.
    pub v4: Vec<Ipv4Addr>,
    /// IPv6 addresses; empty if the name has none or only IPv4 was requested.
    pub v6: Vec<Ipv6Addr>,
    /// Where the addresses came from.
    pub from: AnswerSource,
    /// The name that owns the addresses, if it differs from the name as written: a search domain
    /// was appended, or CNAMEs were followed. Escaped for printing, not validated otherwise.
    pub canonical: Option<String>,
}

/// Where the addresses of a name came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerSource {
    /// The hosts file.
    HostsFile,
    /// Built in: `localhost` is always the loopback address (RFC 6761, section 6.3).
    Localhost,
    /// A name server.
    Server(NameServer),
    /// The C library, as configured in nsswitch.conf.
    System,
}

impl fmt::Display for AnswerSource {
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
    /// Addresses, source, canonical name:
    /// `192.0.2.7, 2001:db8::7 from 192.0.2.53 as mx1.example.org`.
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
