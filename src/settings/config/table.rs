//! Reads tables of TOML or JSON, and collects every error with its location and key.

use std::cell::OnceCell;
use std::fmt::Display;
use std::sync::Arc;

use toml::de::DeTable;

use crate::escape::escaped_prefix;
use crate::settings::config::value::{ConfigValue, TableMember};
use crate::settings::error::{Key, Located, Location, SettingsError};
use crate::settings::parse::InvalidValue;
use crate::suggest::did_you_mean;

/// The document that is read, and the errors found in it so far.
#[derive(Debug)]
pub struct Diagnostics<'d> {
    text: SourceText<'d>,
    /// Every error, in the order found.
    pub errors: Vec<SettingsError>,
    syntax: Syntax,
}

#[derive(Debug)]
enum SourceText<'d> {
    /// A TOML file.
    File {
        file: Arc<str>,
        text: &'d str,
        /// The offsets of the line ends. Each of thousands of targets has a line: counting them
        /// from the start each time took a second.
        line_ends: OnceCell<Vec<usize>>,
    },
    /// A JSON object in this line of standard input.
    StdinLine(usize),
}

/// Whether the text is valid TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// It is.
    Valid,
    /// It is not: any value, even a secret, may have been parsed as a key and must not be shown.
    Broken,
}

impl<'d> Diagnostics<'d> {
    /// For a TOML file.
    pub fn of_file(file: &str, text: &'d str) -> Self {
        Self::new(SourceText::File {
            file: file.into(),
            text,
            line_ends: OnceCell::new(),
        })
    }

    /// For a JSON object in this line of standard input.
    pub fn of_stdin_line(line: usize) -> Self {
        Self::new(SourceText::StdinLine(line))
    }

    fn new(text: SourceText<'d>) -> Self {
        Self {
            text,
            errors: Vec::new(),
            syntax: Syntax::Valid,
        }
    }

    /// Takes the errors found so far.
    pub fn take_errors(&mut self) -> Vec<SettingsError> {
        std::mem::take(&mut self.errors)
    }

    /// Whether the text is valid TOML, once it was parsed.
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// The location of a byte of the document.
    pub fn location(&self, offset: usize) -> Location {
        match &self.text {
            SourceText::File {
                file,
                text,
                line_ends,
            } => {
                let ends =
                    line_ends.get_or_init(|| memchr::memchr_iter(b'\n', text.as_bytes()).collect());
                Location::FileLine {
                    file: Arc::clone(file),
                    line: ends.partition_point(|end| *end < offset) + 1,
                }
            }
            SourceText::StdinLine(line) => Location::StdinLine(*line),
        }
    }

    /// Adds an error in a field.
    pub fn error(&mut self, field: &Field<'_>, message: impl Display) {
        self.error_at(field.value.offset(), &field.key, message);
    }

    /// Adds an error in the text of a field.
    pub fn error_in(&mut self, text: &Located, message: impl Display) {
        self.errors.push(text.error(message));
    }

    fn error_at(&mut self, offset: usize, key: &Key, message: impl Display) {
        let location = self.location(offset);
        self.errors.push(SettingsError::at(&location, key, message));
    }

    /// Parses the TOML text. Every syntax error is collected, and what could be parsed is returned.
    pub fn parse_toml(&mut self) -> DeTable<'d> {
        let text = match &self.text {
            SourceText::File { text, .. } => *text,
            SourceText::StdinLine(_) => "",
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            self.error_at(offset, &Key::NONE, escaped_prefix(error.message(), 200));
            self.syntax = Syntax::Broken;
        }
        table.into_inner()
    }

    /// The text of a field; a value of another type is an error.
    pub fn text(&mut self, field: &Field<'_>) -> Option<Located> {
        let text = field.value.text();
        if text.is_none() {
            self.wrong_type(field, "a text");
        }
        text.map(|text| self.located(field, text))
    }

    /// A text that is the value of this field.
    pub fn located(&self, field: &Field<'_>, text: &str) -> Located {
        Located {
            text: text.to_owned(),
            location: self.location(field.value.offset()),
            key: field.key.clone(),
        }
    }

    /// Adds the error that a value is of another type than the expected one.
    pub fn wrong_type(&mut self, field: &Field<'_>, expected: &str) {
        let actual = match field.value.type_name() {
            "null" => "null".to_owned(),
            name if name.starts_with(['a', 'i']) => format!("an {name}"),
            name => format!("a {name}"),
        };
        self.error(field, format_args!("must be {expected}, not {actual}"));
    }
}

/// A value with its key.
#[derive(Debug, Clone)]
pub struct Field<'t> {
    /// The whole path of keys.
    pub key: Key,
    /// The value.
    pub value: ConfigValue<'t>,
}

impl Field<'_> {
    /// The elements of a list, with the keys `key[1]`, `key[2]`, ...; any other value is its only
    /// element.
    pub fn elements(self) -> Vec<Self> {
        match self.value.list() {
            Some(values) => values
                .into_iter()
                .enumerate()
                .map(|(index, value)| Self {
                    key: self.key.element(index),
                    value,
                })
                .collect(),
            None => vec![self],
        }
    }
}

/// Reads one table: each key once, and keys that were not read are errors.
#[derive(Debug)]
pub struct TableReader<'t> {
    key: Key,
    offset: usize,
    members: Vec<TableMember<'t>>,
    known: Vec<&'static str>,
}

impl<'t> TableReader<'t> {
    /// Reads the members of the table that has this key and offset.
    pub fn new(key: Key, offset: usize, members: Vec<TableMember<'t>>) -> Self {
        Self {
            key,
            offset,
            members,
            known: Vec::new(),
        }
    }

    /// Reads a field that should be a table.
    pub fn of(diagnostics: &mut Diagnostics<'_>, field: &Field<'t>) -> Option<Self> {
        let members = field.value.members();
        if members.is_none() {
            diagnostics.wrong_type(field, "a table");
        }
        members.map(|members| Self::new(field.key.clone(), field.value.offset(), members))
    }

    /// The key of the table itself.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The location of the table.
    pub fn location(&self, diagnostics: &Diagnostics<'_>) -> Location {
        diagnostics.location(self.offset)
    }

    /// Adds an error in the table as a whole.
    pub fn error(&self, diagnostics: &mut Diagnostics<'_>, message: impl Display) {
        diagnostics.error_at(self.offset, &self.key, message);
    }

    /// Takes the field with this key.
    pub fn take(&mut self, key: &'static str) -> Option<Field<'t>> {
        self.known.push(key);
        let index = self.members.iter().position(|member| member.name == key)?;
        let member = self.members.swap_remove(index);
        Some(Field {
            key: self.key.member(key),
            value: member.value,
        })
    }

    /// Takes all remaining fields with their names, for tables whose keys are names.
    pub fn take_all(&mut self) -> Vec<(&'t str, Field<'t>)> {
        let members = std::mem::take(&mut self.members);
        let named = members.into_iter().map(|member| {
            let field = Field {
                key: self.key.member(member.name),
                value: member.value,
            };
            (member.name, field)
        });
        named.collect()
    }

    /// Takes a text; an empty one counts as not given.
    pub fn text(
        &mut self,
        diagnostics: &mut Diagnostics<'_>,
        key: &'static str,
    ) -> Option<Located> {
        let field = self.take(key)?;
        diagnostics
            .text(&field)
            .filter(|given| !given.text.is_empty())
    }

    /// Takes a text or a number as text; an empty one counts as not given.
    pub fn scalar(
        &mut self,
        diagnostics: &mut Diagnostics<'_>,
        key: &'static str,
    ) -> Option<Located> {
        let field = self.take(key)?;
        let text = field.value.scalar();
        if text.is_none() {
            diagnostics.wrong_type(&field, "a text or a number");
        }
        text.filter(|text| !text.is_empty())
            .map(|text| diagnostics.located(&field, &text))
    }

    /// Takes and parses a text or a number.
    pub fn parsed<T, E: Into<InvalidValue>>(
        &mut self,
        diagnostics: &mut Diagnostics<'_>,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let given = self.scalar(diagnostics, key)?;
        parse(&given.text)
            .map_err(|why| diagnostics.errors.push(given.invalid(&why.into())))
            .ok()
    }

    /// Takes a boolean.
    pub fn flag(&mut self, diagnostics: &mut Diagnostics<'_>, key: &'static str) -> Option<bool> {
        let field = self.take(key)?;
        let flag = field.value.flag();
        if flag.is_none() {
            diagnostics.wrong_type(&field, "true or false");
        }
        flag
    }

    /// Takes a boolean as the text `true` or `false`.
    pub fn located_flag(
        &mut self,
        diagnostics: &mut Diagnostics<'_>,
        key: &'static str,
    ) -> Option<Located> {
        let field = self.take(key)?;
        let flag = field.value.flag();
        if flag.is_none() {
            diagnostics.wrong_type(&field, "true or false");
        }
        flag.map(|flag| diagnostics.located(&field, if flag { "true" } else { "false" }))
    }

    /// Takes a text or a list of texts; empty texts count as not given.
    pub fn texts(&mut self, diagnostics: &mut Diagnostics<'_>, key: &'static str) -> Vec<Located> {
        let fields = self.list(key);
        let texts = fields.iter().filter_map(|field| diagnostics.text(field));
        texts.filter(|given| !given.text.is_empty()).collect()
    }

    /// Takes the elements of a list; see [`Field::elements`].
    pub fn list(&mut self, key: &'static str) -> Vec<Field<'t>> {
        self.take(key).map(Field::elements).unwrap_or_default()
    }

    /// Adds an error for every key that was not read. Returns for each of them the key that was
    /// probably meant, if there is one.
    pub fn finish(mut self, diagnostics: &mut Diagnostics<'_>) -> Vec<Option<&'static str>> {
        if diagnostics.syntax() == Syntax::Broken {
            return Vec::new();
        }
        self.members.sort_by_key(|member| member.offset);
        let mut meant = Vec::new();
        for member in &self.members {
            let near = did_you_mean(member.name, self.known.iter().copied());
            let hint = match near {
                Some(known) => format!("unknown key: did you mean `{known}`?"),
                None => format!("unknown key: valid keys are {}", self.known.join(", ")),
            };
            diagnostics.error_at(member.offset, &self.key.member(member.name), hint);
            meant.push(near);
        }
        meant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_quickly() {
        // Counted from the start for each, these would take minutes.
        let text = "a\n".repeat(300_000);
        let diagnostics = Diagnostics::of_file("f", &text);
        let line = |offset| match diagnostics.location(offset) {
            Location::FileLine { line, .. } => line,
            other => panic!("{other:?}"),
        };
        for index in 0..300_000 {
            assert_eq!(line(2 * index), index + 1);
        }
        assert_eq!(line(usize::MAX), 300_001);
        assert_eq!(line(1), 1, "a line's end belongs to the line");
    }
}
