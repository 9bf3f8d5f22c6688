//! The steps of a dialogue as written, before escapes, patterns and references are compiled.

use std::sync::Arc;
use std::time::Duration;

pub use crate::cli::steps::PatternKind;
use crate::plan::steps::{RejectionTime, Secret};
use crate::settings::error::Located;

/// Whether sent texts end in CR LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEnds {
    /// CR LF is appended.
    CrLf,
    /// Nothing is appended.
    None,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StepSpec {
    /// Something to send.
    Send(SendSpec),
    /// Something to wait for.
    Expect(ExpectSpec),
    /// The time in which nothing may be received.
    Silence(Duration),
    /// The start of TLS.
    StartTls,
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SendSpec {
    /// A text with escapes and `${names}`.
    Text(Located),
    /// Bytes in hex.
    Hex(Located),
    /// A text of a service, whose `${names}` may also be the service's secrets. No other text can
    /// refer to them: a user who can choose `--send` may not be allowed to read the configuration.
    OfService(Located, Secrets),
}

/// The secrets of a service, by their names.
pub type Secrets = Arc<[(String, Secret)]>;

impl SendSpec {
    /// The same, where a text may refer to these secrets.
    pub fn with_secrets(self, secrets: &Secrets) -> Self {
        match self {
            Self::Text(text) => Self::OfService(text, Arc::clone(secrets)),
            other => other,
        }
    }

    /// The secrets that it may refer to.
    pub fn secrets(&self) -> &[(String, Secret)] {
        match self {
            Self::OfService(_, secrets) => secrets,
            Self::Text(_) | Self::Hex(_) => &[],
        }
    }
}

/// Something to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExpectSpec {
    /// The patterns.
    pub patterns: Vec<PatternSpec>,
    /// How many of the patterns must match.
    pub quantifier: Quantifier,
    /// The patterns that fail the step.
    pub reject: Vec<RejectSpec>,
    /// The least number of bytes that must be received.
    pub min_bytes: usize,
    /// The step's own time limit.
    pub timeout: Option<Duration>,
    /// The groups that capture numbers.
    pub numbers: Vec<Located>,
    /// What applies if the answer is incomplete.
    pub incomplete: Option<Box<IncompleteSpec>>,
}

/// What applies to an answer that ends before it matched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IncompleteSpec {
    /// The regular expression that is sufficient if the peer closes.
    pub at_close: Option<Located>,
    /// The regular expression that is sufficient if the time of the step is over.
    pub at_timeout: Option<Located>,
    /// What it means if the peer closes without an answer.
    pub if_closed: Option<Located>,
}

impl ExpectSpec {
    /// Waits for one pattern, unless one of `reject` matches first.
    pub fn one(pattern: PatternSpec, reject: Vec<RejectSpec>) -> Self {
        Self {
            patterns: vec![pattern],
            quantifier: Quantifier::Any,
            reject,
            min_bytes: 0,
            timeout: None,
            numbers: Vec::new(),
            incomplete: None,
        }
    }
}

/// A pattern that fails the step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RejectSpec {
    /// The pattern.
    pub pattern: PatternSpec,
    /// When a match counts.
    pub applies: RejectionTime,
    /// Whether a match means that the peer offers no TLS or refuses it.
    pub refuses_tls: bool,
    /// What a match means, in words.
    pub reason: Option<Located>,
    /// What is sent before closing, instead of the `quit` of the dialogue.
    pub quit: Option<SendSpec>,
}

impl RejectSpec {
    /// Rejects an answer with this pattern as soon as it matches.
    pub fn one(pattern: PatternSpec) -> Self {
        Self {
            pattern,
            applies: RejectionTime::AtOnce,
            refuses_tls: false,
            reason: None,
            quit: None,
        }
    }
}

/// How many of several patterns must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// One of them.
    Any,
    /// All of them.
    All,
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PatternSpec {
    /// Its kind.
    pub kind: PatternKind,
    /// Its text.
    pub text: Located,
}
