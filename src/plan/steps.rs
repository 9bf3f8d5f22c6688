//! The steps of a dialogue: what is sent, what is expected, and what is rejected.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Host, Port, Target};
use crate::failure::Status;
use crate::plan::bytes::Charset;
use crate::plan::layer::SharedLayer;
use crate::plan::pattern::Pattern;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sends bytes.
    Send(Template),
    /// Waits for an answer that matches.
    Expect(Expect),
    /// Waits for this time, during which the peer must neither send anything nor close the
    /// connection.
    Silence(Duration),
    /// Starts a layer in the middle of the dialogue (STARTTLS). The step before it must match the
    /// whole answer: a peer waits for the handshake after this answer, so bytes after the match are
    /// an injection and fail the step (RFC 3207, section 6).
    StartTls(SharedLayer),
}

/// Bytes to send, with placeholders for values that are only known later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(pub Vec<Piece>);

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes that the named group of an earlier step captured.
    Capture(Box<str>),
    /// A secret, which is redacted in every output.
    Secret(Secret),
    /// The target.
    Target(TargetPart),
}

/// A part of the target that a template can insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetPart {
    /// The host as in a URL: an IPv6 address in brackets, without a zone.
    Host,
    /// The port.
    Port,
    /// The address that was connected to.
    Address,
    /// The host as in a URL, and the port unless it is this one.
    Authority(Option<Port>),
}

impl TargetPart {
    /// Its text for a connection to this address.
    pub fn text(self, target: &Target, address: SocketAddr) -> String {
        let host = || match &target.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Host::Zoned(zoned) => format!("[{}]", zoned.address),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Name(name) => name.relative().to_owned(),
        };
        match self {
            Self::Host => host(),
            Self::Port => target.port.to_string(),
            Self::Address => address.ip().to_string(),
            Self::Authority(usual) if usual == Some(target.port) => host(),
            Self::Authority(_) => format!("{}:{}", host(), target.port),
        }
    }
}

impl Template {
    /// A template of these bytes only.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(vec![Piece::Bytes(bytes.into())])
    }

    /// The secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> + Clone {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Secret(secret) => Some(secret),
            Piece::Bytes(_) | Piece::Capture(_) | Piece::Target(_) => None,
        })
    }

    /// Whether it has parts that the peer chooses.
    pub fn has_captures(&self) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Capture(_)))
    }

    /// The number of bytes that it has at least.
    pub fn least_len(&self) -> usize {
        let lengths = self.0.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Secret(secret) => secret.reveal().len(),
            Piece::Capture(_) | Piece::Target(_) => 0,
        });
        lengths.fold(0, usize::saturating_add)
    }
}

/// Secret bytes; no output, log, error or debug text contains them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The secret as it is sent in an encoding: a text is encoded, other bytes stay as they are.
    /// `None` if the encoding lacks one of its characters.
    pub fn in_charset(&self, charset: Charset) -> Option<Self> {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !charset.is_utf8() => charset.encode(text).ok().map(Self::new),
            _ => Some(self.clone()),
        }
    }

    /// The bytes, for sending and for redacting.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// An expected answer, and the answers that are rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The patterns that must match.
    pub wanted: Patterns,
    /// The patterns that fail the step.
    pub reject: Vec<Rejection>,
    /// The number of bytes that must be received since the last match before a match counts.
    pub min_bytes: usize,
    /// The timeout of this step, if it has one of its own.
    pub timeout: Option<Duration>,
    /// The groups whose captured bytes are a big-endian number; it is reported in decimal.
    pub numbers: Box<[Box<str>]>,
    /// What applies if the answer is incomplete.
    pub incomplete: Option<Box<IncompleteAnswer>>,
}

/// What applies to an answer that ended before it matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncompleteAnswer {
    /// Fulfils the expectation if the peer closes or resets the connection.
    pub at_close: Option<Box<Expect>>,
    /// Fulfils the expectation at the timeout.
    pub at_timeout: Option<Box<Expect>>,
    /// What it means if the peer closes before it has sent anything, for the error text.
    pub if_closed: Option<Box<str>>,
}

impl Expect {
    /// Expects one pattern.
    pub fn one(pattern: Pattern) -> Self {
        Self {
            wanted: Patterns::Any(vec![pattern]),
            reject: Vec::new(),
            min_bytes: 0,
            timeout: None,
            numbers: Box::default(),
            incomplete: None,
        }
    }

    /// All patterns that an answer may be compared with.
    pub fn compared(&self) -> impl Iterator<Item = &Pattern> {
        let enough = self.incomplete.iter().flat_map(|incomplete| {
            let enough = [&incomplete.at_close, &incomplete.at_timeout];
            enough.into_iter().flatten()
        });
        let enough = enough.flat_map(|enough| enough.wanted.patterns());
        let rejected = self.reject.iter().map(|reject| &reject.pattern);
        self.wanted.patterns().iter().chain(rejected).chain(enough)
    }
}

/// A pattern that fails a step, and what its match means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The pattern.
    pub pattern: Pattern,
    /// When its match counts.
    pub applies: RejectionTime,
    /// Whether a match means that the peer offers no TLS, or refuses it.
    pub refuses_tls: bool,
    /// What a match means, in words, for the error text.
    pub reason: Option<Box<str>>,
    /// What is sent before closing, instead of the `quit` of the plan.
    pub quit: Option<Template>,
}

/// When the match of a [`Rejection`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionTime {
    /// At once, unless the expected answer ends before it.
    AtOnce,
    /// If the expected answer can no longer match, or no longer arrive.
    Otherwise,
}

impl From<Pattern> for Rejection {
    /// A match at once is [`Status::Rejected`].
    fn from(pattern: Pattern) -> Self {
        Self {
            pattern,
            applies: RejectionTime::AtOnce,
            refuses_tls: false,
            reason: None,
            quit: None,
        }
    }
}

impl Rejection {
    /// The status of the failure.
    pub fn status(&self) -> Status {
        if self.refuses_tls {
            Status::TlsRefused
        } else {
            Status::Rejected
        }
    }
}

/// The patterns that must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patterns {
    /// One of these patterns; the one whose match ends first counts.
    Any(Vec<Pattern>),
    /// All of these patterns, in any order.
    All(Vec<Pattern>),
}

impl Patterns {
    /// The patterns, in the order of the configuration.
    pub fn patterns(&self) -> &[Pattern] {
        match self {
            Self::Any(patterns) | Self::All(patterns) => patterns,
        }
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Any(_) => " or ",
            Self::All(_) => " and ",
        };
        let patterns: Vec<_> = self.patterns().iter().map(ToString::to_string).collect();
        f.write_str(&patterns.join(word))
    }
}
