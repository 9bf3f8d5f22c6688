//! The error text and status of a failed lookup: which names were queried and what each server did.

use std::fmt::Write;
use std::sync::Arc;

use crate::address::HostName;
use crate::engine::dns::message::RecordKind;
use crate::engine::dns::result::{QueryResult, ServerError, Severity, record_error};
use crate::engine::dns::server::NameServer;
use crate::escape::escaped_prefix;
use crate::failure::{Failure, Status};
use crate::plan::Family;

/// Longest name in an error text, in characters.
pub const MAX_NAME_CHARS: usize = 80;
/// Most candidates that are listed after the one that decided the result.
const MAX_OTHERS: usize = 3;

/// A candidate name whose queries have ended.
#[derive(Debug, Clone)]
pub struct QueriedName {
    /// The full name, without a final dot.
    pub name: Arc<str>,
    /// The result for each record type.
    pub results: Vec<(RecordKind, QueryResult)>,
}

/// Everything known about a lookup that found no address.
#[derive(Debug)]
pub struct LookupFailure<'a> {
    /// The name as written.
    pub name: &'a HostName,
    /// The requested address family.
    pub family: Family,
    /// The servers of resolv.conf.
    pub servers: &'a [NameServer],
    /// The candidate names in the order of the queries.
    pub queried: &'a [QueriedName],
}

/// The result for one candidate name, in ascending order: the greatest class of all candidates
/// decides the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FailureClass {
    /// This machine could not send a query.
    Local,
    Unreachable,
    Silence,
    NxDomain,
    /// Above NXDOMAIN, because the name may exist.
    ServerError,
    NoAddress,
}

impl FailureClass {
    fn of(results: &[(RecordKind, QueryResult)]) -> Self {
        let failed = results
            .iter()
            .any(|(_, result)| matches!(result, QueryResult::Failed(_)));
        let a_is_nxdomain = results.iter().any(|(kind, result)| {
            *kind == RecordKind::A && matches!(result, QueryResult::NxDomain(_))
        });
        let exists = results
            .iter()
            .any(|(_, result)| matches!(result, QueryResult::NoData(_)));
        match (failed, a_is_nxdomain, exists) {
            (false, _, true) => Self::NoAddress,
            (false, _, false) | (true, true, _) => Self::NxDomain,
            (true, false, _) => match errors_by_server(results)
                .iter()
                .map(|(_, error)| error.severity())
                .max()
            {
                Some(Severity::Local) => Self::Local,
                Some(Severity::Unreachable) => Self::Unreachable,
                Some(Severity::Silence) | None => Self::Silence,
                Some(Severity::Response) => Self::ServerError,
            },
        }
    }

    fn status(self) -> Status {
        match self {
            Self::Local => Status::LocalError,
            Self::Silence => Status::ResolveTimeout,
            Self::Unreachable | Self::NxDomain | Self::ServerError | Self::NoAddress => {
                Status::ResolveFailed
            }
        }
    }

    /// For the list of other candidates.
    fn label(self) -> &'static str {
        match self {
            Self::Local => "no socket",
            Self::Unreachable => "no server reachable",
            Self::Silence => "no answer",
            Self::NxDomain => "NXDOMAIN",
            Self::ServerError => "server error",
            Self::NoAddress => "no address",
        }
    }
}

impl LookupFailure<'_> {
    /// The failure: the candidate of the greatest class decides the status, the others are listed.
    pub fn failure(&self) -> Failure {
        let name = escaped_prefix(self.name.as_str(), MAX_NAME_CHARS);
        let mut text = format!("resolve {name}: ");
        let classes: Vec<FailureClass> = self
            .queried
            .iter()
            .map(|queried| FailureClass::of(&queried.results))
            .collect();
        let class = classes
            .iter()
            .max()
            .copied()
            .unwrap_or(FailureClass::Silence);
        let deciding = classes
            .iter()
            .position(|other| *other == class)
            .unwrap_or_default();
        let mut shared = None;
        if let Some(queried) = self.queried.get(deciding) {
            if self.queried.len() > 1 {
                text.push_str(&escaped_prefix(&queried.name, MAX_NAME_CHARS));
                text.push_str(": ");
            }
            text.push_str(&self.cause(class, &queried.results));
            // An answer about this name says nothing about others.
            if !matches!(class, FailureClass::NxDomain | FailureClass::NoAddress) {
                shared = Some(self.server_errors(class, &queried.results).into());
            }
        }
        self.push_others(&mut text, &classes, deciding);
        Failure {
            shared,
            ..Failure::new(class.status(), text)
        }
    }

    /// Whether a server returned that there is no address, so that more time would not change it.
    pub fn is_conclusive(&self) -> bool {
        let classes = self
            .queried
            .iter()
            .map(|queried| FailureClass::of(&queried.results));
        matches!(
            classes.max(),
            Some(FailureClass::NxDomain | FailureClass::NoAddress)
        )
    }

    /// The failure of a lookup that had too little time on this machine, for this cause.
    pub fn local(&self, cause: &str) -> Failure {
        let name = escaped_prefix(self.name.as_str(), MAX_NAME_CHARS);
        Failure::new(Status::LocalError, format!("resolve {name}: {cause}")).sharing(cause)
    }

    /// Appends the candidates that did not decide the result.
    fn push_others(&self, text: &mut String, classes: &[FailureClass], deciding: usize) {
        let others = self
            .queried
            .iter()
            .zip(classes)
            .enumerate()
            .filter(|(index, _)| *index != deciding)
            .map(|(_, other)| other);
        for (count, (queried, class)) in others.take(MAX_OTHERS).enumerate() {
            let lead = if count == 0 { "; also tried " } else { ", " };
            let name = escaped_prefix(&queried.name, MAX_NAME_CHARS);
            let _ = write!(text, "{lead}{name} ({})", class.label());
        }
        let unlisted = self.queried.len().saturating_sub(1 + MAX_OTHERS);
        if unlisted > 0 {
            let _ = write!(text, " and {unlisted} more");
        }
    }

    fn cause(&self, class: FailureClass, results: &[(RecordKind, QueryResult)]) -> String {
        match class {
            FailureClass::NoAddress => {
                let what = match self.family {
                    Family::Any => "has no address",
                    Family::V4 => "has no IPv4 address",
                    Family::V6 => "has no IPv6 address",
                };
                format!("{what} (from {})", self.answering_server(results))
            }
            FailureClass::NxDomain => format!("NXDOMAIN (from {})", self.answering_server(results)),
            FailureClass::Local
            | FailureClass::Unreachable
            | FailureClass::Silence
            | FailureClass::ServerError => {
                format!("{}{}", self.server_errors(class, results), missing(results))
            }
        }
    }

    /// The server of the first negative answer.
    fn answering_server(&self, results: &[(RecordKind, QueryResult)]) -> String {
        let server = results.iter().find_map(|(_, result)| match result {
            QueryResult::NoData(server) | QueryResult::NxDomain(server) => Some(*server),
            QueryResult::Found(..) | QueryResult::Failed(_) => None,
        });
        server.map(|index| self.server(index)).unwrap_or_default()
    }

    fn server(&self, index: usize) -> String {
        self.servers
            .get(index)
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// The errors, each with all servers that had it.
    fn server_errors(&self, class: FailureClass, results: &[(RecordKind, QueryResult)]) -> String {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for (server, error) in errors_by_server(results) {
            let description = error.description();
            match groups.iter_mut().find(|(known, _)| *known == description) {
                Some((_, servers)) => servers.push(self.server(server)),
                None => groups.push((description, vec![self.server(server)])),
            }
        }
        let groups: Vec<String> = groups
            .iter()
            .map(|(description, servers)| format!("{description} {}", servers.join(", ")))
            .collect();
        let lead = if class == FailureClass::Unreachable {
            "no name server reachable: "
        } else {
            ""
        };
        let errors = if groups.is_empty() {
            "no query was sent".into()
        } else {
            groups.join("; ")
        };
        format!("{lead}{errors}")
    }
}

/// The family that is known to be missing although the query for the other failed.
fn missing(results: &[(RecordKind, QueryResult)]) -> &'static str {
    results
        .iter()
        .find_map(|(kind, result)| match (kind, result) {
            (RecordKind::A, QueryResult::NoData(_)) => Some(", and no IPv4 address"),
            (RecordKind::Aaaa, QueryResult::NoData(_)) => Some(", and no IPv6 address"),
            _ => None,
        })
        .unwrap_or_default()
}

/// The most severe error of each server over all record types.
fn errors_by_server(results: &[(RecordKind, QueryResult)]) -> Vec<(usize, ServerError)> {
    let mut all = Vec::new();
    for (_, result) in results {
        let QueryResult::Failed(errors) = result else {
            continue;
        };
        for (server, error) in errors {
            record_error(&mut all, *server, error.clone());
        }
    }
    all
}
