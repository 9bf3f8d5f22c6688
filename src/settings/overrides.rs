//! Option overrides: what was asked for on the command line, by a service, by a target or in
//! `[defaults]`, before it is merged. [`Overrides`] holds every option once, with its names, its
//! type and its parser; the command line, the configuration and JSON lines all read them from that
//! one table.

use std::time::Duration;

use crate::address::Port;
use crate::plan::{AddressSelection, Close, Expected, Family};
use crate::settings::error::{Located, SettingsError};
use crate::settings::origins::{Origin, Origins};
use crate::settings::parse::{self, InvalidValue};
use crate::settings::step_spec::{LineEnds, Secrets, SendSpec, StepSpec};

/// The names of an option with a simple value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionName {
    /// In configuration files and JSON lines, such as `max_bytes`.
    pub key: &'static str,
    /// On the command line, such as `--max-bytes`.
    pub option: &'static str,
}

/// Declares [`Overrides`]. Each option is one row: its field and type, its configuration key, its
/// command line option, and the function that parses its value. Fields after `others` have no
/// simple value and are read by code of their own. Whatever is declared here is merged, compared
/// and hashed.
macro_rules! overrides {
    (
        options {
            $($(#[$doc:meta])* $field:ident: $type:ty = $key:literal, $option:literal, $parse:expr;)*
        }
        others {
            $($(#[$other_doc:meta])* $other:ident: $other_type:ty;)*
        }
    ) => {
        /// Options that were given; `None` if an option was not.
        ///
        /// Equal overrides, wherever they were written, are one key of the cache of
        /// [`ProbeSpec`](crate::plan::ProbeSpec)s.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct Overrides {
            $($(#[$doc])* pub $field: Option<$type>,)*
            $($(#[$other_doc])* pub $other: Option<$other_type>,)*
            /// Where the options with a simple value were written.
            pub origins: Origins,
        }

        impl Overrides {
            /// The names of all options with a simple value.
            pub const NAMES: &[OptionName] = &[$(OptionName { key: $key, option: $option },)*];

            /// Parses all options with a simple value; `value` returns the value of one if it was
            /// given.
            pub fn parse(
                value: &mut dyn FnMut(OptionName) -> Option<Located>,
            ) -> (Self, Vec<SettingsError>) {
                let (mut errors, mut origins) = (Vec::new(), Origins::default());
                let overrides = Self {
                    $($field: value(OptionName { key: $key, option: $option }).and_then(|given| {
                        origins.add($option, Origin::of(&given));
                        let parsed: Result<$type, InvalidValue> = $parse(&given);
                        parsed.map_err(|why| errors.push(given.invalid(&why))).ok()
                    }),)*
                    ..Self::default()
                };
                (Self { origins, ..overrides }, errors)
            }

            /// These overrides, completed by those of `base`.
            pub fn or(self, base: Self) -> Self {
                Self {
                    $($field: self.$field.or(base.$field),)*
                    $($other: self.$other.or(base.$other),)*
                    origins: self.origins.or(base.origins),
                }
            }
        }
    };
}

overrides! {
    options {
        /// The encoding's label; it is looked up later.
        encoding: Located = "encoding", "--encoding", located;
        /// The most bytes received since the last match.
        max_bytes: usize = "max_bytes", "--max-bytes", text(parse::bytes);
        /// The total deadline.
        timeout: Duration = "timeout", "--timeout", text(parse::duration);
        /// How many addresses of a name are tried.
        addresses: AddressSelection = "addresses", "--addresses", text(parse::addresses);
        /// The address family.
        family: Family = "family", "--family", text(parse::family);
        /// The source address; whether this machine has it is checked later.
        source: Located = "source", "--source", located;
        /// The source port.
        source_port: Port = "source_port", "--source-port", text(parse::port);
        /// The interface; whether this machine has it is checked later.
        interface: Located = "interface", "--interface", located;
        /// The number of connects.
        count: u32 = "count", "--count", text(parse::attempts);
        /// The time from the start of one connect to the start of the next.
        interval: Duration = "interval", "--interval", text(parse::duration);
        /// How many connects must succeed.
        require: u32 = "require", "--require", text(parse::attempts);
        /// What counts as up.
        want: Expected = "expect_closed", "--expect-closed", text(parse::expect_closed);
        /// How a connection is closed.
        close: Close = "close", "--close", text(parse::close);
    }
    others {
        /// The port of targets without one.
        port: Port;
        /// The steps of the dialogue.
        steps: Vec<StepSpec>;
        /// What is sent before closing.
        quit: SendSpec;
        /// Whether sent texts end in CR LF.
        line_ends: LineEnds;
        /// The secrets of the service, which only the service's own texts can send.
        secrets: Secrets;
    }
}

/// The value as written.
#[allow(clippy::unnecessary_wraps, reason = "a parser of the table above")]
fn located(given: &Located) -> Result<Located, InvalidValue> {
    Ok(given.clone())
}

/// A parser that only needs the text.
fn text<T>(
    parse: impl Fn(&str) -> Result<T, InvalidValue>,
) -> impl Fn(&Located) -> Result<T, InvalidValue> {
    move |given| parse(&given.text)
}

impl Overrides {
    /// Only the options that `discover open` has.
    pub fn network_only(&self) -> Self {
        Self {
            timeout: self.timeout,
            family: self.family,
            source: self.source.clone(),
            source_port: self.source_port,
            interface: self.interface.clone(),
            origins: self.origins.clone(),
            ..Self::default()
        }
    }

    /// These overrides over `[defaults]`: the defaults of `interval` and `require` apply only if
    /// there is a `count`.
    pub fn or_defaults(self, defaults: Self) -> Self {
        let (interval, require) = (self.interval, self.require);
        match self.or(defaults) {
            repeated @ Self { count: Some(_), .. } => repeated,
            single => Self {
                interval,
                require,
                ..single
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;
    use crate::settings::error::{Key, Location};

    #[test]
    fn equal_options_are_equal_wherever_they_were_written() {
        let given = |line, text: &str| {
            let quit = Located {
                text: text.to_owned(),
                location: Location::StdinLine(line),
                key: Key::from("quit"),
            };
            Overrides {
                quit: Some(SendSpec::Text(quit)),
                ..Overrides::default()
            }
        };
        let hasher = RandomState::new();
        assert_eq!(given(1, "BYE"), given(2, "BYE"));
        assert_eq!(
            hasher.hash_one(given(1, "BYE")),
            hasher.hash_one(given(2, "BYE"))
        );
        assert_ne!(given(1, "BYE"), given(1, "QUIT"));
    }

    #[test]
    fn keys_are_the_long_options() {
        for OptionName { key, option } in Overrides::NAMES {
            assert_eq!(format!("--{}", key.replace('_', "-")), *option);
        }
    }
}
