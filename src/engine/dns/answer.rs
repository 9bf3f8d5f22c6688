//! The result of a lookup: addresses, and where they came from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::HostName;
use crate::engine::dns::failure_text::MAX_NAME_CHARS;
use crate::engine::dns::server::NameServer;
use crate::escape::escaped_prefix;
use crate::failure::{Failure, Status};

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
    /// The order in which they are tried.
    pub order: AddressOrder,
}

/// The order in which the addresses of a name are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AddressOrder {
    /// IPv6 first if this machine has a route to the first IPv6 address.
    #[default]
    Ipv6First,
    /// IPv4 first if this machine has a route to the first IPv4 address: gai.conf prefers it.
    Ipv4First,
    /// As returned by getaddrinfo.
    Given(Vec<IpAddr>),
}

impl ResolvedAddresses {
    /// Drops the addresses that mean this machine.
    ///
    /// # Errors
    /// If there are no others: the name is blocked (a DNS sinkhole). A connect would reach this
    /// machine, which says nothing about the target.
    pub fn without_sinkholes(mut self, name: &HostName) -> LookupResult {
        let is_sinkhole = |address: IpAddr| means_this_machine(address);
        let Some(first) = self.all().find(|address| is_sinkhole(*address)) else {
            return Ok(self);
        };
        self.v4.retain(|address| !is_sinkhole((*address).into()));
        self.v6.retain(|address| !is_sinkhole((*address).into()));
        if let AddressOrder::Given(order) = &mut self.order {
            order.retain(|address| !is_sinkhole(*address));
        }
        if self.all().next().is_some() {
            return Ok(self);
        }
        let name = escaped_prefix(name.as_str(), MAX_NAME_CHARS);
        let from = match &self.from {
            AnswerSource::Server(server) => server.to_string(),
            other => format!("the {other}"),
        };
        let text = format!(
            "resolve {name}: the name is blocked: the answer of {from} is {first}, and \
             a connect to it would reach this machine"
        );
        Err(Failure::new(Status::ResolveFailed, text))
    }

    /// All addresses, IPv4 first.
    pub fn all(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v4 = self.v4.iter().copied().map(IpAddr::from);
        v4.chain(self.v6.iter().copied().map(IpAddr::from))
    }
}

/// Whether a connect to this address reaches this machine, although it is not the address of an
/// interface: 0.0.0.0 and ::, and 0.0.0.0 mapped to IPv6 (ip(7), `INADDR_ANY`). Linux has no route
/// for the rest of 0.0.0.0/8.
fn means_this_machine(address: IpAddr) -> bool {
    address.to_canonical().is_unspecified()
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
