//! What somebody asked for, wherever they asked: options, a service, a target, the defaults. Nothing is resolved yet.

use std::fmt;
use std::time::Duration;

use crate::address::Port;
pub use crate::cli::steps::PatternKind;
use crate::escape::escaped_prefix;
use crate::plan::steps::Secret;
use crate::plan::{AddressSelection, Close, Expected};

/// Wishes; what was not asked for is `None`.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The port, where the target names none.
    pub port: Option<Port>,
    /// The dialogue.
    pub steps: Option<Vec<StepSpec>>,
    /// The goodbye.
    pub quit: Option<SendSpec>,
    /// The encoding's label.
    pub encoding: Option<Located>,
    /// Whether text sends end in CR LF.
    pub line_ends: Option<LineEnds>,
    /// The most bytes since the last match.
    pub max_bytes: Option<usize>,
    /// The total deadline.
    pub timeout: Option<Duration>,
    /// How many addresses of a name are tried.
    pub addresses: Option<AddressSelection>,
    /// The source address.
    pub source: Option<Located>,
    /// The interface.
    pub interface: Option<Located>,
    /// `--count`, `--interval` and `--require`.
    pub count: Option<u32>,
    /// From one attempt to the next.
    pub interval: Option<Duration>,
    /// How many must succeed.
    pub require: Option<u32>,
    /// What counts as up.
    pub want: Option<Expected>,
    /// How to leave.
    pub close: Option<Close>,
    /// Secrets that templates may name.
    pub secrets: Vec<(String, Secret)>,
}

impl Overrides {
    /// These wishes, and those of `base` where there are none.
    pub fn over(self, base: Self) -> Self {
        let mut secrets = base.secrets;
        secrets.extend(self.secrets);
        Self {
            port: self.port.or(base.port),
            steps: self.steps.or(base.steps),
            quit: self.quit.or(base.quit),
            encoding: self.encoding.or(base.encoding),
            line_ends: self.line_ends.or(base.line_ends),
            max_bytes: self.max_bytes.or(base.max_bytes),
            timeout: self.timeout.or(base.timeout),
            addresses: self.addresses.or(base.addresses),
            source: self.source.or(base.source),
            interface: self.interface.or(base.interface),
            count: self.count.or(base.count),
            interval: self.interval.or(base.interval),
            require: self.require.or(base.require),
            want: self.want.or(base.want),
            close: self.close.or(base.close),
            secrets,
        }
    }

    /// Those of reaching a target, whatever is said there: what `discover open` has options for.
    pub fn reach(&self) -> Self {
        let Self {
            timeout,
            source,
            interface,
            ..
        } = self.clone();
        Self {
            timeout,
            source,
            interface,
            ..Self::default()
        }
    }

    /// These wishes over the defaults of every probe: how several attempts go is taken from those only where there are
    /// several.
    pub fn over_defaults(self, defaults: Self) -> Self {
        let (interval, require) = (self.interval, self.require);
        match self.over(defaults) {
            several @ Self { count: Some(_), .. } => several,
            one => Self {
                interval,
                require,
                ..one
            },
        }
    }
}

/// A text and where it was written: an option, or a file with line and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where, to begin an error sentence with.
    pub place: Location,
    /// The text.
    pub text: String,
}

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In this option.
    Option(&'static str),
    /// In this word of the command line.
    Word(std::sync::Arc<str>),
    /// In this file, at this line, under this key.
    File {
        /// The file, as it was named.
        file: std::sync::Arc<str>,
        /// The line, from 1.
        line: usize,
        /// The key, such as `services.mail.steps[2].expect`.
        key: String,
    },
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(option) => f.write_str(option),
            Self::Word(word) => write!(f, "target `{}`", escaped_prefix(word, 80)),
            Self::File { file, line, key } if key.is_empty() => write!(f, "{file}:{line}"),
            Self::File { file, line, key } => write!(f, "{file}:{line}: {key}"),
        }
    }
}

/// Whether text sends end in CR LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnds {
    /// They do.
    CrLf,
    /// Nothing is appended.
    None,
}

/// One step as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepSpec {
    /// Something is sent.
    Send(SendSpec),
    /// Something must come.
    Expect(ExpectSpec),
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendSpec {
    /// A text with escapes and `${names}`.
    Text(Located),
    /// Bytes in hex.
    Hex(Located),
}

/// Something that must come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectSpec {
    /// The patterns.
    pub patterns: Vec<PatternSpec>,
    /// How many of them.
    pub how_many: Quantifier,
    /// What must not come.
    pub reject: Vec<PatternSpec>,
    /// The least number of bytes.
    pub min_bytes: usize,
    /// The step's own limit.
    pub timeout: Option<Duration>,
}

/// How many of several patterns must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// One of them.
    Any,
    /// All of them.
    All,
}

/// A pattern as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternSpec {
    /// What kind it is.
    pub form: PatternKind,
    /// The text.
    pub written: Located,
}
