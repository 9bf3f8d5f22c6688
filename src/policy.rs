//! Which addresses may be probed: the administrator's lists of networks and ports, applied to
//! resolved addresses.
//!
//! The lists are in [`PATH`], which no option, environment variable or item key can change. A file
//! that cannot be read or parsed denies everything; without a file everything is allowed. Error
//! texts never contain a value of the file, since users who may run a probe need not be allowed to
//! read it.
//!
//! A service of the configuration may have a list of its own, `hosts`. Without it, a user who
//! chooses the host of a check could send the secrets of the service to any host.

mod decision;
mod embedded;
mod file;
mod lists;
mod network;

use std::net::IpAddr;
use std::sync::Arc;

pub use decision::{Decision, ListName, Reason};
pub use file::PATH;
pub use network::{Network, NetworkError};

use crate::address::Port;
use crate::policy::embedded::with_embedded_ipv4;
use crate::policy::lists::Lists;

/// Which addresses may be probed; cheap to clone.
#[derive(Debug, Clone)]
pub struct Policy(Arc<Rules>);

#[derive(Debug)]
enum Rules {
    /// The same decision for every address.
    Same(Decision),
    /// The lists of the policy file.
    Listed(Lists),
    /// The `hosts` of a service.
    Service(Arc<str>, Vec<Network>),
}

impl Policy {
    /// Allows everything, for users of the library that check addresses themselves.
    pub fn allow_all() -> Self {
        Self::same(Decision::Allowed(Reason::NoPolicy))
    }

    /// Denies everything: a probe resolves the name and then connects to nothing.
    pub fn deny_all() -> Self {
        Self::same(Decision::Denied(Reason::NoPolicy))
    }

    /// The policy of this machine, read from [`PATH`]; one open(2) if there is no file.
    ///
    /// Never fails: a file that cannot be read denies everything, and each decision has the reason.
    pub fn system() -> Self {
        match file::read(PATH.as_ref()) {
            Ok(Some(text)) => Self::from_text(&text),
            Ok(None) => Self::same(Decision::Allowed(Reason::NoFile)),
            Err(why) => Self::same(Decision::Denied(Reason::Unusable(why.into()))),
        }
    }

    /// Why the file is unusable, if it is; everything is denied then.
    pub fn error(&self) -> Option<&str> {
        match &*self.0 {
            Rules::Same(Decision::Denied(Reason::Unusable(why))) => Some(why),
            _ => None,
        }
    }

    /// Parses the content of a policy file; an invalid one denies everything.
    pub fn from_text(text: &[u8]) -> Self {
        match Lists::parse(text) {
            Ok(lists) if lists.are_empty() => Self::same(Decision::Denied(Reason::NoLists)),
            Ok(lists) => Self(Arc::new(Rules::Listed(lists))),
            Err(why) => Self::same(Decision::Denied(Reason::Unusable(why.into()))),
        }
    }

    /// The `hosts` of a service: only these networks are allowed.
    pub fn of_service(service: &str, hosts: Vec<Network>) -> Self {
        Self(Arc::new(Rules::Service(service.into(), hosts)))
    }

    /// Whether this address and port may be connected to, and by which rule.
    ///
    /// An IPv6 address with embedded IPv4 addresses (6to4, NAT64 ...) is denied if one of them is.
    pub fn decide(&self, address: IpAddr, port: Port) -> Decision {
        if let Rules::Same(decision) = &*self.0 {
            return decision.clone();
        }
        let (address, embedded) = with_embedded_ipv4(address);
        // On Linux a connect to 0.0.0.0 or :: reaches one of this machine's own addresses, as the
        // kernel chooses.
        if address.is_unspecified() || embedded.iter().any(IpAddr::is_unspecified) {
            return Decision::Denied(Reason::Unspecified);
        }
        let decision = self.decide_one(address, port, None);
        if !decision.is_allowed() {
            return decision;
        }
        embedded
            .into_iter()
            .map(|embedded| self.decide_one(embedded, port, Some(embedded)))
            .find(|decision| !decision.is_allowed())
            .unwrap_or(decision)
    }

    /// Decides about one address; `embedded` is the same address if the reason must name it.
    fn decide_one(&self, address: IpAddr, port: Port, embedded: Option<IpAddr>) -> Decision {
        match &*self.0 {
            Rules::Same(decision) => decision.clone(),
            Rules::Listed(lists) => lists.decide(address, port, embedded),
            Rules::Service(service, hosts)
                if hosts.iter().any(|host| host.contains(address, port)) =>
            {
                Decision::Allowed(Reason::InHosts(Arc::clone(service)))
            }
            Rules::Service(service, _) => {
                Decision::Denied(Reason::NotInHosts(Arc::clone(service), embedded))
            }
        }
    }

    fn same(decision: Decision) -> Self {
        Self(Arc::new(Rules::Same(decision)))
    }
}

#[cfg(test)]
mod tests;
