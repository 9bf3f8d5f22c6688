//! The form of a table of options: each option once, with its names, its type and its parser. The
//! command line, the configuration and JSON lines all read their options by such a table.

use crate::settings::error::Located;
use crate::settings::parse::InvalidValue;

/// The names of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionName {
    /// In configuration files and JSON lines, such as `max_bytes`.
    pub key: &'static str,
    /// On the command line, such as `--max-bytes`.
    pub option: &'static str,
    /// How it is written.
    pub form: OptionForm,
}

/// How an option is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionForm {
    /// With a text or a number.
    Value,
    /// Without a value on the command line; with `true` or `false` in a file.
    Flag,
    /// With a text that may be repeated on the command line; with a text or a list in a file.
    List,
}

/// Where options are read from.
pub trait OptionSource {
    /// The value of an option, if it was given: `true` or `false` for a flag.
    fn value(&mut self, name: OptionName) -> Option<Located>;

    /// The values of a list; empty if it was not given.
    fn list(&mut self, name: OptionName) -> Vec<Located>;
}

/// The value as written.
#[allow(clippy::unnecessary_wraps, reason = "a parser of a table of options")]
pub fn located(given: &Located) -> Result<Located, InvalidValue> {
    Ok(given.clone())
}

/// A parser that only needs the text.
pub fn text<T>(
    parse: impl Fn(&str) -> Result<T, InvalidValue>,
) -> impl Fn(&Located) -> Result<T, InvalidValue> {
    move |given| parse(&given.text)
}

/// Declares a structure of options. Each option is one row: its field and type, its configuration
/// key, its command line option, and the function that parses its value. A flag is `true` or
/// `false`; the values of a list are parsed one by one, and each may be several. Fields after
/// `others` have no simple value and are read by code of their own. Whatever is declared here is
/// merged, compared and hashed.
macro_rules! option_table {
    (
        $(#[$struct_doc:meta])*
        struct $name:ident;
        options {
            $($(#[$doc:meta])* $field:ident: $type:ty = $key:literal, $option:literal, $parse:expr;)*
        }
        flags {
            $($(#[$flag_doc:meta])* $flag:ident = $flag_key:literal, $flag_option:literal;)*
        }
        lists {
            $($(#[$list_doc:meta])* $list:ident: $element:ty = $list_key:literal, $list_option:literal, $parse_list:expr;)*
        }
        others {
            $($(#[$other_doc:meta])* $other:ident: $other_type:ty;)*
        }
    ) => {
        $(#[$struct_doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct $name {
            $($(#[$doc])* pub $field: Option<$type>,)*
            $($(#[$flag_doc])* pub $flag: Option<bool>,)*
            $($(#[$list_doc])* pub $list: Option<Vec<$element>>,)*
            $($(#[$other_doc])* pub $other: Option<$other_type>,)*
            /// Where the options with a simple value were written.
            pub origins: $crate::settings::origins::Origins,
        }

        impl $name {
            /// The names of all options with a simple value.
            pub const NAMES: &[$crate::settings::option_table::OptionName] = &[
                $(Self::name($key, $option, $crate::settings::option_table::OptionForm::Value),)*
                $(Self::name($flag_key, $flag_option, $crate::settings::option_table::OptionForm::Flag),)*
                $(Self::name($list_key, $list_option, $crate::settings::option_table::OptionForm::List),)*
            ];

            const fn name(
                key: &'static str,
                option: &'static str,
                form: $crate::settings::option_table::OptionForm,
            ) -> $crate::settings::option_table::OptionName {
                $crate::settings::option_table::OptionName { key, option, form }
            }

            /// Parses all options with a simple value.
            pub fn parse(
                source: &mut dyn $crate::settings::option_table::OptionSource,
            ) -> (Self, Vec<$crate::settings::error::SettingsError>) {
                use $crate::settings::option_table::OptionForm;
                use $crate::settings::parse::InvalidValue;

                let mut errors = Vec::new();
                let mut origins = $crate::settings::origins::Origins::default();
                let overrides = Self {
                    $($field: source.value(Self::name($key, $option, OptionForm::Value)).and_then(|given| {
                        origins.add($option, $crate::settings::origins::Origin::of(&given));
                        let parsed: Result<$type, InvalidValue> = $parse(&given);
                        parsed.map_err(|why| errors.push(given.invalid(&why))).ok()
                    }),)*
                    $($flag: source.value(Self::name($flag_key, $flag_option, OptionForm::Flag)).map(|given| {
                        origins.add($flag_option, $crate::settings::origins::Origin::of(&given));
                        given.text == "true"
                    }),)*
                    $($list: {
                        let mut list: Vec<$element> = Vec::new();
                        let given = source.list(Self::name($list_key, $list_option, OptionForm::List));
                        for (index, given) in given.iter().enumerate() {
                            if index == 0 {
                                origins.add($list_option, $crate::settings::origins::Origin::of(given));
                            }
                            let parsed: Result<Vec<$element>, InvalidValue> = $parse_list(given);
                            match parsed {
                                Ok(elements) => for element in elements {
                                    if !list.contains(&element) {
                                        list.push(element);
                                    }
                                },
                                Err(why) => errors.push(given.invalid(&why)),
                            }
                        }
                        (!list.is_empty()).then_some(list)
                    },)*
                    ..Self::default()
                };
                (Self { origins, ..overrides }, errors)
            }

            /// These options, each completed by that of `base`.
            fn or_each(self, base: Self) -> Self {
                Self {
                    $($field: self.$field.or(base.$field),)*
                    $($flag: self.$flag.or(base.$flag),)*
                    $($list: self.$list.or(base.$list),)*
                    $($other: self.$other.or(base.$other),)*
                    origins: self.origins.or(base.origins),
                }
            }
        }
    };
}
pub(super) use option_table;
