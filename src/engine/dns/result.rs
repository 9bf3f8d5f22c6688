//! What came of one question, and what went wrong with a server.

use std::io;

use crate::engine::dns::message::Found;

/// The end of one question. Servers are numbers in [`Config::servers`](super::config::Config).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// ResolvedAddresses.
    Found(Found, usize),
    /// The name exists and has none of this kind.
    NoData(usize),
    /// The name does not exist.
    NxDomain(usize),
    /// No server gave an answer; what each that was asked did instead.
    Failed(Vec<(usize, Trouble)>),
}

/// Why a server gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// This machine had no socket for the question.
    Local(String),
    /// It stayed silent.
    Silent,
    /// It said "truncated", and was silent over TCP.
    TcpSilent,
    /// The question did not reach it, such as `connection refused`.
    Unreachable(String),
    /// It said "truncated", and TCP ended like this.
    TcpFailed(String),
    /// Its answer cannot be read.
    Malformed(&'static str),
    /// It does not resolve for us.
    NoRecursion,
    /// It answered with this error code of RFC 1035, section 4.1.1.
    Rcode(u8),
}

/// Kinds of trouble, from the least to the most telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tells {
    /// About this machine only.
    Local,
    /// Nobody could be asked.
    Unreachable,
    /// Somebody was asked and did not answer.
    Silence,
    /// Somebody answered, and it was no answer.
    Answer,
}

impl Trouble {
    /// How telling it is; where servers differ, the most telling decides the status.
    pub fn tells(&self) -> Tells {
        match self {
            Self::Local(_) => Tells::Local,
            Self::Unreachable(_) => Tells::Unreachable,
            Self::Silent | Self::TcpSilent => Tells::Silence,
            Self::TcpFailed(_) | Self::Malformed(_) | Self::NoRecursion | Self::Rcode(_) => {
                Tells::Answer
            }
        }
    }

    /// What happened, before `from SERVER` or `at SERVER`.
    pub fn phrase(&self) -> String {
        match self {
            Self::Local(cause) => format!("no socket for a question ({cause})"),
            Self::Silent => "no answer".into(),
            Self::TcpSilent => "a truncated answer, and none over TCP,".into(),
            Self::Unreachable(cause) => cause.clone(),
            Self::TcpFailed(cause) => format!("a truncated answer, and over TCP {cause},"),
            Self::Malformed(what) => format!("a malformed answer ({what})"),
            Self::NoRecursion => "no recursion".into(),
            Self::Rcode(code) => rcode_name(*code),
        }
    }
}

/// The cause of a system error without its number, in the words of this program.
pub fn io_cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::UnexpectedEof => "closed before the answer".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        io::ErrorKind::HostUnreachable => "host unreachable".into(),
        _ => crate::escape::escaped_prefix(&crate::escape::os_error_text(error), 80),
    }
}

/// The mnemonic of the IANA registry "DNS RCODEs".
fn rcode_name(code: u8) -> String {
    let name = match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        _ => return format!("RCODE {code}"),
    };
    name.into()
}
