//! What the policy says of one address and port, and on which ground.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be connected to.
    Allowed(Reason),
    /// It may not.
    Denied(Reason),
}

/// On which ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The caller brought a policy of its own.
    NoPolicy,
    /// There is no policy file.
    NoFile,
    /// A rule of the file.
    Rule {
        /// The list that it is in.
        list: ListName,
        /// Its place in the list, counted from 1.
        position: usize,
        /// Its line in the file, counted from 1.
        line: usize,
        /// The inner address that it is about, where an address holds another one.
        inner: Option<IpAddr>,
    },
    /// Nothing denies it, and there are no allow rules.
    NoDenyMatches,
    /// There are allow rules, and none is about this address, or the inner address that it holds.
    NoAllowMatches(Option<IpAddr>),
    /// The file has no rule at all.
    NoLists,
    /// The service's `hosts` have it.
    InHosts(Arc<str>),
    /// The service's `hosts` lack it, or the inner address that it holds.
    NotInHosts(Arc<str>, Option<IpAddr>),
    /// The address stands for any of this machine's own.
    Unspecified,
    /// The file cannot be read or understood; the sentence that says why.
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
    pub fn ground(&self) -> &Reason {
        match self {
            Self::Allowed(ground) | Self::Denied(ground) => ground,
        }
    }
}

impl fmt::Display for Decision {
    /// The verdict and its ground, such as `denied: deny[2] (line 7)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_allowed() {
            "allowed"
        } else {
            "denied"
        };
        match self.ground() {
            ground @ Reason::Rule { line, .. } => {
                write!(f, "{word}: {ground} (line {line} of {})", super::PATH)
            }
            ground => write!(f, "{word}: {ground}"),
        }
    }
}

impl fmt::Display for Reason {
    /// The rule by its list and place, such as `deny[2]`, or what there is instead of a rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str("this run has no policy"),
            Self::NoFile => write!(f, "there is no policy file {}", super::PATH),
            Self::Rule { list, position, inner: None, .. } => write!(f, "{}[{position}]", list.key()),
            Self::Rule { list, position, inner: Some(inner), .. } => {
                write!(f, "{}[{position}], for the {inner} in it", list.key())
            }
            Self::NoDenyMatches => f.write_str("no deny rule matches"),
            Self::NoAllowMatches(None) => f.write_str("no allow rule matches"),
            Self::NoAllowMatches(Some(inner)) => write!(f, "no allow rule matches the {inner} in it"),
            Self::NoLists => write!(f, "{} has neither allow nor deny rules", super::PATH),
            Self::InHosts(service) => write!(f, "services.{service}.hosts has it"),
            Self::NotInHosts(service, None) => write!(f, "services.{service}.hosts lacks it"),
            Self::NotInHosts(service, Some(inner)) => write!(f, "services.{service}.hosts lacks the {inner} in it"),
            Self::Unspecified => {
                f.write_str("it stands for any address of this machine, which no rule can judge: name the address")
            }
            Self::Unusable(why) => f.write_str(why),
        }
    }
}
