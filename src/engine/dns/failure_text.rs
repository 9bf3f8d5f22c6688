//! The sentence of a lookup that failed: what was asked for, what each server did, and the status of it all.

use std::sync::Arc;
use std::time::Duration;

use crate::address::HostName;
use crate::engine::dns::message::Kind;
use crate::engine::dns::query::note;
use crate::engine::dns::result::{Tells, Trouble, Verdict};
use crate::engine::dns::server::Server;
use crate::escape::escaped_prefix;
use crate::failure::{Failure, Status};
use crate::plan::Family;

/// So many characters of a name are shown.
const NAME_CHARS: usize = 80;
/// So many other candidates are named.
const MAX_OTHERS: usize = 3;

/// A name that was asked for, and how its questions ended.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The full name, without a final dot.
    pub name: Arc<str>,
    /// One end for each record type.
    pub ends: Vec<(Kind, Verdict)>,
}

/// All that is known of a lookup without addresses.
#[derive(Debug)]
pub struct Story<'a> {
    /// The name as it was written.
    pub name: &'a HostName,
    /// What was wanted.
    pub family: Family,
    /// The servers of resolv.conf.
    pub servers: &'a [Server],
    /// The candidates, in order.
    pub asked: &'a [Asked],
    /// Since the lookup started.
    pub elapsed: Duration,
}

/// What a candidate came to, from the least to the most telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Local,
    Unreachable,
    Silence,
    NxDomain,
    /// The name may or may not exist: that beats a plain no for another name.
    Error,
    NoAddress,
}

impl Class {
    fn status(self) -> Status {
        match self {
            Self::Local => Status::LocalError,
            Self::Silence => Status::ResolveTimeout,
            Self::Unreachable | Self::NxDomain | Self::Error | Self::NoAddress => {
                Status::ResolveFailed
            }
        }
    }
}

impl Story<'_> {
    /// The failure: the most telling candidate decides, the others are named.
    pub fn failure(&self) -> Failure {
        let mut text = format!(
            "resolve {}: ",
            escaped_prefix(self.name.as_str(), NAME_CHARS)
        );
        let classes: Vec<Class> = self.asked.iter().map(|asked| class(&asked.ends)).collect();
        let best = classes.iter().max().copied().unwrap_or(Class::Silence);
        let place = classes
            .iter()
            .position(|class| *class == best)
            .unwrap_or_default();
        if let Some(asked) = self.asked.get(place) {
            if self.asked.len() > 1 {
                text.push_str(&format!("{}: ", escaped_prefix(&asked.name, NAME_CHARS)));
            }
            text.push_str(&self.sentence(best, &asked.ends));
        }
        self.push_others(&mut text, &classes, place);
        Failure::new(best.status(), text)
    }

    fn push_others(&self, text: &mut String, classes: &[Class], best: usize) {
        let others: Vec<(&Asked, &Class)> = self
            .asked
            .iter()
            .zip(classes)
            .enumerate()
            .filter(|(at, _)| *at != best)
            .map(|(_, other)| other)
            .collect();
        for (count, (asked, class)) in others.iter().take(MAX_OTHERS).enumerate() {
            let lead = if count == 0 { "; also tried " } else { ", " };
            text.push_str(&format!(
                "{lead}{} ({})",
                escaped_prefix(&asked.name, NAME_CHARS),
                short(**class)
            ));
        }
        if others.len() > MAX_OTHERS {
            text.push_str(&format!(" and {} more", others.len() - MAX_OTHERS));
        }
    }

    fn sentence(&self, class: Class, ends: &[(Kind, Verdict)]) -> String {
        match class {
            Class::NoAddress => {
                let what = match self.family {
                    Family::Any => "has no address",
                    Family::V4 => "has no IPv4 address",
                    Family::V6 => "has no IPv6 address",
                };
                format!("{what} (from {})", self.who_said(ends))
            }
            Class::NxDomain => format!("NXDOMAIN (from {})", self.who_said(ends)),
            Class::Local | Class::Unreachable | Class::Silence | Class::Error => {
                self.troubles(class, ends)
            }
        }
    }

    /// The server of the first answer.
    fn who_said(&self, ends: &[(Kind, Verdict)]) -> String {
        let said = ends.iter().find_map(|(_, end)| match end {
            Verdict::NoData(server) | Verdict::NxDomain(server) => Some(*server),
            Verdict::Found(..) | Verdict::Failed(_) => None,
        });
        said.map(|server| self.server(server)).unwrap_or_default()
    }

    fn server(&self, server: usize) -> String {
        self.servers
            .get(server)
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Each trouble with the servers that had it.
    fn troubles(&self, class: Class, ends: &[(Kind, Verdict)]) -> String {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for (server, trouble) in merged(ends) {
            let phrase = trouble.phrase() + link(&trouble);
            match groups.iter_mut().find(|(known, _)| *known == phrase) {
                Some((_, servers)) => servers.push(self.server(server)),
                None => groups.push((phrase, vec![self.server(server)])),
            }
        }
        let words: Vec<String> = groups
            .iter()
            .map(|(phrase, servers)| format!("{phrase} {}", servers.join(", ")))
            .collect();
        let lead = if class == Class::Unreachable {
            "no name server reachable: "
        } else {
            ""
        };
        let tail = if class == Class::Silence {
            format!(" ({:.1} s)", self.elapsed.as_secs_f64())
        } else {
            String::new()
        };
        let known = ends.iter().find_map(|(kind, end)| match (kind, end) {
            (Kind::A, Verdict::NoData(_)) => Some(", and no IPv4 address"),
            (Kind::Aaaa, Verdict::NoData(_)) => Some(", and no IPv6 address"),
            _ => None,
        });
        let what = if words.is_empty() {
            "no question was sent".into()
        } else {
            words.join("; ")
        };
        format!("{lead}{what}{}{tail}", known.unwrap_or_default())
    }
}

/// How a trouble is tied to its server.
fn link(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Local(_) => " for",
        Trouble::Unreachable(_) => " at",
        _ => " from",
    }
}

/// The most telling trouble of each server over all questions.
fn merged(ends: &[(Kind, Verdict)]) -> Vec<(usize, Trouble)> {
    let mut all = Vec::new();
    for (_, end) in ends {
        let Verdict::Failed(troubles) = end else {
            continue;
        };
        for (server, trouble) in troubles {
            note(&mut all, *server, trouble.clone());
        }
    }
    all
}

fn class(ends: &[(Kind, Verdict)]) -> Class {
    let failed = ends
        .iter()
        .any(|(_, end)| matches!(end, Verdict::Failed(_)));
    let a_is_nx = ends
        .iter()
        .any(|(kind, end)| *kind == Kind::A && matches!(end, Verdict::NxDomain(_)));
    let exists = ends
        .iter()
        .any(|(_, end)| matches!(end, Verdict::NoData(_)));
    match (failed, a_is_nx, exists) {
        (false, _, true) => Class::NoAddress,
        (false, _, false) | (true, true, _) => Class::NxDomain,
        (true, false, _) => match merged(ends)
            .iter()
            .map(|(_, trouble)| trouble.tells())
            .max()
        {
            Some(Tells::Local) => Class::Local,
            Some(Tells::Unreachable) => Class::Unreachable,
            Some(Tells::Silence) | None => Class::Silence,
            Some(Tells::Answer) => Class::Error,
        },
    }
}

fn short(class: Class) -> &'static str {
    match class {
        Class::Local => "no socket",
        Class::Unreachable => "no server reachable",
        Class::Silence => "no answer",
        Class::NxDomain => "NXDOMAIN",
        Class::Error => "server error",
        Class::NoAddress => "no address",
    }
}
