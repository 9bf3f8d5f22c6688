//! What somebody asked for, wherever they asked: options, a service, a target, the defaults. Nothing is resolved yet.

use std::fmt;
use std::time::Duration;

pub use crate::cli::steps::Form;
use crate::plan::steps::Secret;
use crate::plan::{Addresses, Close, Want};
use crate::printable::shown;
use crate::target::Port;

/// Wishes; what was not asked for is `None`.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The port, where the target names none.
    pub port: Option<Port>,
    /// The dialogue.
    pub steps: Option<Vec<StepWish>>,
    /// The goodbye.
    pub quit: Option<SendWish>,
    /// The encoding's label.
    pub encoding: Option<Written>,
    /// Whether text sends end in CR LF.
    pub line_ends: Option<LineEnds>,
    /// The most bytes since the last match.
    pub max_bytes: Option<usize>,
    /// The total deadline.
    pub timeout: Option<Duration>,
    /// How many addresses of a name are tried.
    pub addresses: Option<Addresses>,
    /// The source address.
    pub source: Option<Written>,
    /// The interface.
    pub interface: Option<Written>,
    /// `--count`, `--interval` and `--require`.
    pub count: Option<u32>,
    /// From one attempt to the next.
    pub interval: Option<Duration>,
    /// How many must succeed.
    pub require: Option<u32>,
    /// What counts as up.
    pub want: Option<Want>,
    /// How to leave.
    pub close: Option<Close>,
    /// Secrets that templates may name.
    pub secrets: Vec<(String, Secret)>,
}

impl Wishes {
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
pub struct Written {
    /// Where, to begin an error sentence with.
    pub place: Place,
    /// The text.
    pub text: String,
}

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(option) => f.write_str(option),
            Self::Word(word) => write!(f, "target `{}`", shown(word, 80)),
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
pub enum StepWish {
    /// Something is sent.
    Send(SendWish),
    /// Something must come.
    Expect(ExpectWish),
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendWish {
    /// A text with escapes and `${names}`.
    Text(Written),
    /// Bytes in hex.
    Hex(Written),
}

/// Something that must come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectWish {
    /// The patterns.
    pub patterns: Vec<PatternWish>,
    /// How many of them.
    pub how_many: HowMany,
    /// What must not come.
    pub reject: Vec<PatternWish>,
    /// The least number of bytes.
    pub min_bytes: usize,
    /// The step's own limit.
    pub timeout: Option<Duration>,
}

/// How many of several patterns must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowMany {
    /// One of them.
    Any,
    /// All of them.
    All,
}

/// A pattern as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternWish {
    /// What kind it is.
    pub form: Form,
    /// The text.
    pub written: Written,
}
