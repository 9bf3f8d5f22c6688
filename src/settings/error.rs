//! Usage and configuration errors, and where each of them is.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::escape::escaped_prefix;
use crate::settings::parse::InvalidValue;

/// A usage or configuration error; nothing was sent.
///
/// It is displayed on one line, as `--timeout: text`, `config.toml:7: targets[2].port: text` or
/// `-:3: port: text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// Where the setting was given.
    pub location: Location,
    /// The option or the configuration key; empty if the error is not about a single one.
    pub key: Key,
    /// What is wrong, and what to do.
    pub message: String,
}

impl SettingsError {
    /// An error that is not about a single option.
    pub fn new(message: impl fmt::Display) -> Self {
        Self::at(&Location::CommandLine, &Key::NONE, message)
    }

    /// An error in the value of an option of the command line, named with its dashes.
    pub fn in_option(option: &'static str, message: impl fmt::Display) -> Self {
        Self::at(&Location::CommandLine, &Key::from(option), message)
    }

    /// An error in the setting of this location and key.
    pub fn at(location: &Location, key: &Key, message: impl fmt::Display) -> Self {
        Self {
            location: location.clone(),
            key: key.clone(),
            message: message.to_string(),
        }
    }

    /// The same error in this option of the command line, unless it is in a file.
    #[must_use]
    pub fn or_in_option(self, option: &'static str) -> Self {
        match self.location {
            Location::CommandLine => Self::in_option(option, self),
            _ => self,
        }
    }

    /// Whether it is in the configuration: its owner can correct it, and not the caller.
    pub fn is_in_configuration(&self) -> bool {
        matches!(
            self.location,
            Location::File(_) | Location::FileLine { .. } | Location::Configuration
        )
    }

    /// The same error, as one of the configuration as a whole if it has no other location.
    #[must_use]
    pub fn or_in_configuration(self) -> Self {
        match self.location {
            Location::CommandLine if self.key.is_none() => Self {
                location: Location::Configuration,
                ..self
            },
            _ => self,
        }
    }

    /// The first of several errors: a command that only needs to fail shows one, `services --check`
    /// shows all.
    pub fn first(errors: Vec<Self>) -> Self {
        let first = errors.into_iter().next();
        first.unwrap_or_else(|| Self::new("unknown configuration error"))
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.location.fmt(f)?;
        if !self.key.is_none() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SettingsError {}

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The command line.
    CommandLine,
    /// A target of the command line, which is this argument.
    Target(Arc<str>),
    /// A line of standard input, counted from 1.
    StdinLine(usize),
    /// The configuration as a whole.
    Configuration,
    /// A file as a whole.
    File(Arc<str>),
    /// A line of a file, counted from 1.
    FileLine {
        /// The file's path.
        file: Arc<str>,
        /// The line.
        line: usize,
    },
}

impl Location {
    /// Whether both are in the same file or line of standard input.
    pub fn has_file(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::FileLine { file, .. }, Self::FileLine { file: other, .. }) => file == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for Location {
    /// The location with a colon and a blank after it; nothing for the command line and the
    /// configuration as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine | Self::Configuration => Ok(()),
            Self::Target(text) => write!(f, "target `{}`: ", escaped_prefix(text, 80)),
            Self::StdinLine(line) => write!(f, "-:{line}: "),
            Self::File(file) => write!(f, "{}: ", escaped_prefix(file, 200)),
            Self::FileLine { file, line } => write!(f, "{file}:{line}: "),
        }
    }
}

/// An option with its dashes, such as `--timeout`, or a path of configuration keys, such as
/// `services.mail.steps[2].expect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(Cow<'static, str>);

impl Key {
    /// No key: the setting as a whole.
    pub const NONE: Self = Self(Cow::Borrowed(""));

    /// Whether there is no key.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of a member of the table that has this key.
    pub fn member(&self, name: &str) -> Self {
        let name = escaped_prefix(name, 60);
        Self(if self.is_none() {
            name.into()
        } else {
            format!("{}.{name}", self.0).into()
        })
    }

    /// The key of an element of the list that has this key; `index` counts from 0 and is displayed
    /// from 1.
    pub fn element(&self, index: usize) -> Self {
        Self(format!("{}[{}]", self.0, index + 1).into())
    }
}

impl From<&'static str> for Key {
    fn from(key: &'static str) -> Self {
        Self(key.into())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text with its location, for errors that are only found later.
///
/// Two are equal if their texts are: where an option was written does not change what it means.
#[derive(Debug, Clone)]
pub struct Located {
    /// The text.
    pub text: String,
    /// Where it was written.
    pub location: Location,
    /// Its option or configuration key.
    pub key: Key,
}

impl Located {
    /// The value of an option of the command line.
    pub fn in_option(option: &'static str, text: &str) -> Self {
        Self {
            text: text.to_owned(),
            location: Location::CommandLine,
            key: Key::from(option),
        }
    }

    /// An error because this text is not a valid value.
    ///
    /// Values of a file are not shown, since a secret may have been written under the wrong key.
    pub fn invalid(&self, why: &InvalidValue) -> SettingsError {
        let value = match self.location {
            Location::File(_) | Location::FileLine { .. } => None,
            _ => Some(self.text.as_str()),
        };
        self.error(why.message(value))
    }

    /// An error in this text.
    pub fn error(&self, message: impl fmt::Display) -> SettingsError {
        SettingsError::at(&self.location, &self.key, message)
    }
}

impl PartialEq for Located {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Located {}

impl Hash for Located {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_displayed_with_its_location_and_key() {
        let file = |line| Location::FileLine {
            file: "c.toml".into(),
            line,
        };
        let key = Key::NONE.member("targets").element(1).member("port");
        for (error, expected) in [
            (SettingsError::new("text"), "text"),
            (
                SettingsError::in_option("--timeout", "text"),
                "--timeout: text",
            ),
            (
                SettingsError::at(&Location::Target("h\n".into()), &Key::NONE, "text"),
                "target `h\\n`: text",
            ),
            (
                SettingsError::at(&Location::StdinLine(3), &Key::from("port"), "text"),
                "-:3: port: text",
            ),
            (
                SettingsError::at(&Location::File("c.toml".into()), &Key::NONE, "text"),
                "c.toml: text",
            ),
            (
                SettingsError::at(&file(7), &key, "text"),
                "c.toml:7: targets[2].port: text",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }
}
