//! The policy's decision about one address and port, with its reason.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::policy::file::PATH;

/// Whether an address may be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be connected to.
    Allowed(Reason),
    /// It may not.
    Denied(Reason),
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The run was given a fixed policy instead of the file.
    NoPolicy,
    /// There is no policy file.
    NoFile,
    /// A rule of the file.
    Rule {
        /// The list that it is in.
        list: ListName,
        /// Its index in the list, counted from 1.
        position: usize,
        /// Its line in the file, counted from 1.
        line: usize,
        /// The embedded IPv4 address, if the rule matches that one.
        embedded: Option<IpAddr>,
    },
    /// No deny rule matches, and there are no allow rules.
    NoDenyMatches,
    /// There are allow rules and none matches the address, or this address embedded in it.
    NoAllowMatches(Option<IpAddr>),
    /// The file has no rules.
    NoLists,
    /// It is in the `hosts` of this service.
    InHosts(Arc<str>),
    /// It, or this address embedded in it, is not in the `hosts` of this service.
    NotInHosts(Arc<str>, Option<IpAddr>),
    /// The unspecified address, `0.0.0.0` or `::`.
    Unspecified,
    /// The file cannot be read or parsed; the sentence says why.
    Unusable(Arc<str>),
}

/// A list of the policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListName {
    /// `allow`
    Allow,
    /// `deny`
    Deny,
}

impl ListName {
    /// Its key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Decision {
    /// Whether the address may be connected to.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Why.
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Allowed(reason) | Self::Denied(reason) => reason,
        }
    }
}

impl fmt::Display for Decision {
    /// The decision and its reason, such as `denied: deny[2] (line 7)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_allowed() {
            "allowed"
        } else {
            "denied"
        };
        match self.reason() {
            reason @ Reason::Rule { line, .. } => {
                write!(f, "{word}: {reason} (line {line} of {PATH})")
            }
            reason => write!(f, "{word}: {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    /// The rule by its list and index, such as `deny[2]`, or the reason why no rule decided.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str("this run has no policy"),
            Self::NoFile => write!(f, "there is no policy file {PATH}"),
            Self::Rule { list, position, embedded: None, .. } => write!(f, "{}[{position}]", list.key()),
            Self::Rule { list, position, embedded: Some(embedded), .. } => {
                write!(f, "{}[{position}], for the embedded address {embedded}", list.key())
            }
            Self::NoDenyMatches => f.write_str("no deny rule matches"),
            Self::NoAllowMatches(None) => f.write_str("no allow rule matches"),
            Self::NoAllowMatches(Some(embedded)) => {
 write!(f, "no allow rule matches the embedded address {embedded}")
},
            Self::NoLists => write!(f, "{PATH} has neither allow nor deny rules"),
            Self::InHosts(service) => write!(f, "allowed by services.{service}.hosts"),
            Self::NotInHosts(service, None) => write!(f, "not listed in services.{service}.hosts"),
            Self::NotInHosts(service, Some(embedded)) => write!(f, "the embedded address {embedded} is not listed in services.{service}.hosts"),
            Self::Unspecified => {
                f.write_str("this address means any address of the machine, so no rule can match it: use a specific address")
            }
            Self::Unusable(why) => f.write_str(why),
        }
    }
}
