//! The result of one query, and the errors of name servers.

use crate::engine::dns::message::AddressRecords;

/// The result of a query for one name and record type. Servers are indices into
/// [`ResolvConf::servers`](crate::engine::dns::resolv_conf::ResolvConf::servers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryResult {
    /// Addresses, and the server that returned them.
    Found(AddressRecords, usize),
    /// The name exists but has no record of this kind.
    NoData(usize),
    /// The name does not exist.
    NxDomain(usize),
    /// No server answered. Each queried server with its most severe error.
    Failed(Vec<(usize, ServerError)>),
}

/// Why a server gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerError {
    /// This machine lacked a resource for the query, such as a descriptor; with the cause.
    Local(String),
    /// No answer.
    Silent,
    /// No answer, but datagrams that do not belong to the query: forged, or for earlier queries.
    OnlyUnrelated,
    /// The UDP answer was truncated, and there was no answer over TCP.
    TcpSilent,
    /// The query could not be delivered; with the cause, such as `connection refused`.
    Unreachable(String),
    /// The UDP answer was truncated, and TCP failed; with the cause.
    TcpFailed(String),
    /// The answer could not be parsed; with the reason.
    Malformed(&'static str),
    /// The server is not authoritative for the name and offers no recursion.
    NoRecursion,
    /// An error code of RFC 1035, section 4.1.1.
    Rcode(u8),
}

/// The severity of an error, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// This machine could not send a query.
    Local,
    /// The server could not be reached.
    Unreachable,
    /// The server was queried and did not answer.
    Silence,
    /// The server answered, but not with a result.
    Response,
}

impl ServerError {
    /// If servers or queries failed differently, the most severe error decides.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Local(_) => Severity::Local,
            Self::Unreachable(_) => Severity::Unreachable,
            Self::Silent | Self::OnlyUnrelated | Self::TcpSilent => Severity::Silence,
            Self::TcpFailed(_) | Self::Malformed(_) | Self::NoRecursion | Self::Rcode(_) => {
                Severity::Response
            }
        }
    }

    /// The error with the preposition that the name of the server follows, such as
    /// `SERVFAIL from` or `connection refused at`.
    pub fn description(&self) -> String {
        match self {
            Self::Local(cause) => format!("could not open a socket ({cause}) for"),
            Self::Silent => "no answer from".into(),
            Self::OnlyUnrelated => "only answers with a wrong id or question from".into(),
            Self::TcpSilent => "a truncated answer, and no answer over TCP, from".into(),
            Self::Unreachable(cause) => format!("{cause} at"),
            Self::TcpFailed(cause) => format!("a truncated answer, and over TCP {cause}, from"),
            Self::Malformed(reason) => format!("a malformed answer ({reason}) from"),
            Self::NoRecursion => "recursion is not available from".into(),
            Self::Rcode(code) => format!("{} from", rcode_name(*code)),
        }
    }
}

/// Keeps one error per server: the most severe, and the latest of equally severe ones. Silence does
/// not replace unrelated datagrams, which may be the reason for it.
pub fn record_error(errors: &mut Vec<(usize, ServerError)>, server: usize, error: ServerError) {
    match errors.iter_mut().find(|(known, _)| *known == server) {
        Some((_, known)) if known.severity() > error.severity() => {}
        Some((_, ServerError::OnlyUnrelated)) if error == ServerError::Silent => {}
        Some((_, known)) => *known = error,
        None => errors.push((server, error)),
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
