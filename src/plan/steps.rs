//! The steps of a dialogue: what is sent, and what must and must not come.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::plan::bytes::Charset;
use crate::plan::pattern::Pattern;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These bytes are sent.
    Send(Template),
    /// Something must come.
    Expect(Expect),
}

/// Bytes to send, with places for what is only known later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(pub Vec<Piece>);

/// A part of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What the named group of an earlier step captured.
    Capture(Box<str>),
    /// A secret, shown to nobody.
    Secret(Secret),
}

impl Template {
    /// Nothing but these bytes.
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

/// Bytes that no output, log, error or debug text shows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The secret as it is sent in a charset: a text is encoded, other bytes stay as they are.
    ///
    /// Nothing where the charset lacks one of its characters.
    pub fn in_charset(&self, charset: Charset) -> Option<Self> {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !charset.is_utf8() => charset.encode(text).ok().map(Self::new),
            _ => Some(self.clone()),
        }
    }

    /// The bytes, to be sent and to be hidden.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// What must come, and what must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// What must come.
    pub wanted: Wanted,
    /// What fails the step the moment it comes.
    pub reject: Vec<Pattern>,
    /// How many bytes must have come since the last match before a match counts.
    pub min_bytes: usize,
    /// How long this step may take.
    pub timeout: Option<Duration>,
}

impl Expect {
    /// One pattern must come.
    pub fn one(pattern: Pattern) -> Self {
        Self {
            wanted: Wanted::Any(vec![pattern]),
            reject: Vec::new(),
            min_bytes: 0,
            timeout: None,
        }
    }
}

/// What must come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One of these patterns; the one that ends first counts.
    Any(Vec<Pattern>),
    /// All of these patterns, in any order.
    All(Vec<Pattern>),
}

impl Wanted {
    /// The patterns.
    pub fn patterns(&self) -> &[Pattern] {
        match self {
            Self::Any(patterns) | Self::All(patterns) => patterns,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Any(_) => " or ",
            Self::All(_) => " and ",
        };
        let patterns: Vec<_> = self.patterns().iter().map(ToString::to_string).collect();
        f.write_str(&patterns.join(word))
    }
}
