//! The steps of a dialogue: what is sent, what is expected, and what is rejected.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
    /// Starts a layer in the middle of the dialogue (STARTTLS). The step before it must match the
    /// whole answer: bytes after the match were not sent by a peer that waits for the handshake, so
    /// they are an injection and fail the step (RFC 3207, section 6).
    StartTls(SharedLayer),
}

/// Bytes to send, with placeholders for captures and secrets.
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
            Piece::Bytes(_) | Piece::Capture(_) => None,
        })
    }
}

/// Secret bytes; no output, log, error or debug text shows them.
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
    /// The patterns that fail the step as soon as one of them matches.
    pub reject: Vec<Pattern>,
    /// The number of bytes that must be received since the last match before a match counts.
    pub min_bytes: usize,
    /// The timeout of this step, if it has one of its own.
    pub timeout: Option<Duration>,
    /// The groups whose captured bytes are a big-endian number; it is reported in decimal.
    pub numbers: Box<[Box<str>]>,
    /// What is enough, and what to say, if the answer does not arrive whole.
    pub incomplete: Option<Box<IncompleteAnswer>>,
}

/// What an expectation makes of an answer that ended before it matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncompleteAnswer {
    /// Meets the expectation if the peer closes or resets the connection.
    pub at_close: Option<Box<Expect>>,
    /// Meets the expectation if its time is over.
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
