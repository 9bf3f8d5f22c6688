//! Who may be probed: the administrator's lists of networks and ports, applied to resolved addresses.
//!
//! The lists are in [`PATH`], which no option, environment variable or item key can move. A file that cannot be read or
//! understood denies everything; where there is no file, everything is allowed. Error texts never hold a value of the
//! file, so that whoever may run a probe learns nothing from it.
//!
//! A service of the configuration may have a list of its own, of the hosts where it is spoken: who chooses the host of a
//! check would choose who is sent the service's secret.

mod decision;
mod embedded;
mod file;
mod lists;
mod network;

use std::net::IpAddr;
use std::sync::Arc;

pub use decision::{Decision, ListName, Reason};
pub use network::{Network, NetworkError};

use crate::address::Port;
use crate::policy::embedded::itself_and_embedded;
use crate::policy::lists::Lists;

/// Where the policy is.
pub const PATH: &str = "/etc/zbx-tcp/policy.toml";

/// Who may be probed; cheap to clone.
#[derive(Debug, Clone)]
pub struct Policy(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    /// The same verdict for every address.
    Same(Decision),
    /// As the lists say.
    Listed(Lists),
    /// The networks of a service, and no others.
    Service(Arc<str>, Vec<Network>),
}

impl Policy {
    /// Allows everything: for a caller of the library that judges for itself.
    pub fn allow_all() -> Self {
        Self::same(Decision::Allowed(Reason::NoPolicy))
    }

    /// Denies everything, so that a probe resolves a name and then connects to nothing.
    pub fn deny_all() -> Self {
        Self::same(Decision::Denied(Reason::NoPolicy))
    }

    /// The policy of this machine, read from [`PATH`] now; where there is no file that is one open(2).
    ///
    /// Never fails: what cannot be read denies everything, and each decision says why.
    pub fn system() -> Self {
        match file::read(PATH.as_ref()) {
            Ok(Some(text)) => Self::from_text(&text),
            Ok(None) => Self::same(Decision::Allowed(Reason::NoFile)),
            Err(why) => Self::same(Decision::Denied(Reason::Unusable(why.into()))),
        }
    }

    /// The policy that a file with this content is; bytes that are no valid policy deny everything.
    pub fn from_text(text: &[u8]) -> Self {
        match Lists::parse(text) {
            Ok(lists) if lists.are_empty() => Self::same(Decision::Denied(Reason::NoLists)),
            Ok(lists) => Self(Arc::new(Kind::Listed(lists))),
            Err(why) => Self::same(Decision::Denied(Reason::Unusable(why.into()))),
        }
    }

    /// What the configuration says of a service: it is spoken on these networks only.
    pub fn of_service(service: &str, hosts: Vec<Network>) -> Self {
        Self(Arc::new(Kind::Service(service.into(), hosts)))
    }

    /// Whether this address may be connected to on this port, and by which rule.
    ///
    /// An address that holds another one (IPv4-mapped, 6to4, NAT64 ...) is judged as both: it is denied if either is.
    pub fn decide(&self, address: IpAddr, port: Port) -> Decision {
        if let Kind::Same(decision) = &*self.0 {
            return decision.clone();
        }
        let (itself, inner) = itself_and_embedded(address);
        // On Linux a connect to 0.0.0.0 or :: goes to whichever of this machine's own addresses the kernel chooses.
        if itself.is_unspecified() || inner.is_some_and(|inner| inner.is_unspecified()) {
            return Decision::Denied(Reason::Unspecified);
        }
        let verdict = self.judge(itself, port, None);
        match inner.map(|inner| self.judge(inner, port, Some(inner))) {
            Some(denied @ Decision::Denied(_)) if verdict.is_allowed() => denied,
            _ => verdict,
        }
    }

    /// Judges one spelling of an address; `inner` is what the ground tells of it.
    fn judge(&self, address: IpAddr, port: Port, inner: Option<IpAddr>) -> Decision {
        match &*self.0 {
            Kind::Same(decision) => decision.clone(),
            Kind::Listed(lists) => lists.decide(address, port, inner),
            Kind::Service(service, hosts) if hosts.iter().any(|host| host.holds(address, port)) => {
                Decision::Allowed(Reason::InHosts(Arc::clone(service)))
            }
            Kind::Service(service, _) => {
                Decision::Denied(Reason::NotInHosts(Arc::clone(service), inner))
            }
        }
    }

    fn same(decision: Decision) -> Self {
        Self(Arc::new(Kind::Same(decision)))
    }
}

#[cfg(test)]
mod tests;
