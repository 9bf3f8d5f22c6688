//! The steps of a dialogue as written, before escapes, patterns and references are compiled.

use std::time::Duration;

pub use crate::cli::steps::PatternKind;
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
    /// The time in which nothing may come.
    Silence(Duration),
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SendSpec {
    /// A text with escapes and `${names}`.
    Text(Located),
    /// Bytes in hex.
    Hex(Located),
}

/// Something to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExpectSpec {
    /// The patterns.
    pub patterns: Vec<PatternSpec>,
    /// How many of the patterns must match.
    pub quantifier: Quantifier,
    /// The patterns that fail the step.
    pub reject: Vec<PatternSpec>,
    /// The least number of bytes that must be received.
    pub min_bytes: usize,
    /// The step's own time limit.
    pub timeout: Option<Duration>,
}

impl ExpectSpec {
    /// Waits for one pattern, unless one of `reject` matches first.
    pub fn one(pattern: PatternSpec, reject: Vec<PatternSpec>) -> Self {
        Self {
            patterns: vec![pattern],
            quantifier: Quantifier::Any,
            reject,
            min_bytes: 0,
            timeout: None,
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
