//! A TOML table under examination: typed reads, and every mistake with its file, line and key.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::escape::escaped_prefix;
use crate::settings::SettingsError;
use crate::settings::overrides::{Located, Location};
use crate::suggest::did_you_mean;

/// A file's text, for line numbers, and the mistakes found in it so far.
pub struct Examined<'f> {
    file: Arc<str>,
    text: &'f str,
    /// Where its lines end. Each of thousands of targets has a place: counting from the start each time took a second.
    line_ends: OnceCell<Vec<usize>>,
    /// Every mistake, in the order found.
    pub mistakes: Vec<SettingsError>,
    syntax: Syntax,
    /// The line of everything, where the text is a rewritten line of something else.
    line: Option<usize>,
}

/// Whether a text is TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// It is.
    Sound,
    /// It is not: what a writer meant for a value, a secret even, may have been taken for a key.
    Broken,
}

impl<'f> Examined<'f> {
    /// A file that is about to be examined.
    pub fn new(file: &str, text: &'f str) -> Self {
        let line_ends = OnceCell::new();
        Self {
            file: file.into(),
            text,
            line_ends,
            mistakes: Vec::new(),
            syntax: Syntax::Sound,
            line: None,
        }
    }

    /// What stands in one line of a file, written as a text of its own.
    pub fn line(file: &str, line: usize, text: &'f str) -> Self {
        Self {
            line: Some(line),
            ..Self::new(file, text)
        }
    }

    /// Whether the text is TOML, once it was parsed.
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// The place of a key and what it stands for.
    pub fn place(&self, span: &Range<usize>, key: &str) -> Location {
        let line = self.line.unwrap_or_else(|| {
            let ends = self
                .line_ends
                .get_or_init(|| self.text.match_indices('\n').map(|(at, _)| at).collect());
            ends.partition_point(|end| *end < span.start) + 1
        });
        Location::File {
            file: Arc::clone(&self.file),
            line,
            key: key.to_owned(),
        }
    }

    /// Notes a mistake at a place.
    pub fn wrong(&mut self, span: &Range<usize>, key: &str, why: impl std::fmt::Display) {
        self.mistakes
            .push(SettingsError::at(&self.place(span, key), why));
    }

    /// The tables of the whole text; what cannot be parsed is noted, the rest is examined all the same.
    pub fn parse(&mut self) -> DeTable<'f> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.wrong(&span, "", escaped_prefix(error.message(), 200));
            self.syntax = Syntax::Broken;
        }
        table.into_inner()
    }
}

/// One table: each key is read once, and what is left over is a mistake.
pub struct Table<'t, 'f> {
    path: String,
    span: Range<usize>,
    entries: Vec<(
        &'t Spanned<std::borrow::Cow<'f, str>>,
        &'t Spanned<DeValue<'f>>,
    )>,
    known: Vec<&'static str>,
}

/// A value and the key it stands under.
pub type Entry<'t, 'f> = (String, &'t Spanned<DeValue<'f>>);

impl<'t, 'f> Table<'t, 'f> {
    /// A table with the path of its keys, such as `services.mail`.
    pub fn new(path: &str, span: Range<usize>, table: &'t DeTable<'f>) -> Self {
        Self {
            path: path.to_owned(),
            span,
            entries: table.iter().collect(),
            known: Vec::new(),
        }
    }

    /// A value that should be a table.
    pub fn of(found: &mut Examined<'_>, (path, value): &Entry<'t, 'f>) -> Option<Self> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            found.wrong(&value.span(), path, wrong_type("a table", value.get_ref()));
        }
        table.map(|table| Self::new(path, value.span(), table))
    }

    /// The path of the table itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the table stands.
    pub fn span(&self) -> &Range<usize> {
        &self.span
    }

    /// Makes these keys known to hints: somebody else has read them.
    pub fn know(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    /// The value under a key.
    pub fn take(&mut self, key: &'static str) -> Option<Entry<'t, 'f>> {
        self.known.push(key);
        let at = self
            .entries
            .iter()
            .position(|(name, _)| name.get_ref() == key)?;
        let (_, value) = self.entries.remove(at);
        Some((self.key(key), value))
    }

    /// Every entry that is left, for tables whose keys are names.
    pub fn take_all(&mut self) -> Vec<(String, Entry<'t, 'f>)> {
        let entries = std::mem::take(&mut self.entries);
        let named = entries.into_iter().map(|(name, value)| {
            (
                name.get_ref().to_string(),
                (self.key(name.get_ref()), value),
            )
        });
        named.collect()
    }

    /// A text.
    pub fn text(&mut self, found: &mut Examined<'_>, key: &'static str) -> Option<Located> {
        let entry = self.take(key)?;
        text(found, &entry).filter(|written| !written.text.is_empty())
    }

    /// A number up to this one; a text of digits will do.
    pub fn number(
        &mut self,
        found: &mut Examined<'_>,
        key: &'static str,
        range: Range<u64>,
    ) -> Option<u64> {
        let (path, value) = self.take(key)?;
        let digits = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::String(text) => text,
            _ => "",
        };
        let number = digits
            .parse::<u64>()
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            found.wrong(
                &value.span(),
                &path,
                format!("is not a number from {} to {}", range.start, range.end - 1),
            );
        }
        number
    }

    /// Yes or no.
    pub fn flag(&mut self, found: &mut Examined<'_>, key: &'static str) -> Option<bool> {
        let (path, value) = self.take(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            found.wrong(
                &value.span(),
                &path,
                wrong_type("true or false", value.get_ref()),
            );
        }
        flag
    }

    /// What a text means.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        found: &mut Examined<'_>,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let written = self.text(found, key)?;
        parse(&written.text)
            .map_err(|why| found.mistakes.push(SettingsError::at(&written.place, why)))
            .ok()
    }

    /// The entries of a list, each with its key `path[1]`, `path[2]`, ...; anything else than a list is its only entry.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<Entry<'t, 'f>>> {
        self.take(key).map(|(path, value)| list(path, value))
    }

    /// Notes every key that nobody read, unless it may be none.
    pub fn finish(self, found: &mut Examined<'_>) {
        if found.syntax() == Syntax::Broken {
            return;
        }
        for (name, _) in &self.entries {
            let key = escaped_prefix(name.get_ref(), 60);
            let hint = match did_you_mean(name.get_ref(), self.known.iter().copied()) {
                Some(known) => format!("unknown key: did you mean `{known}`?"),
                None => format!("unknown key: known are {}", self.known.join(", ")),
            };
            found.wrong(&name.span(), &self.key(&key), hint);
        }
    }

    fn key(&self, name: &str) -> String {
        let name = escaped_prefix(name, 60);
        if self.path.is_empty() {
            name
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

/// The entries of a list, as [`Table::list`] reads it.
pub fn list<'t, 'f>(path: String, value: &'t Spanned<DeValue<'f>>) -> Vec<Entry<'t, 'f>> {
    match value.get_ref().as_array() {
        Some(array) => array
            .iter()
            .enumerate()
            .map(|(at, value)| (format!("{path}[{}]", at + 1), value))
            .collect(),
        None => vec![(path, value)],
    }
}

/// A value that should be a text.
pub fn text(found: &mut Examined<'_>, (path, value): &Entry<'_, '_>) -> Option<Located> {
    match value.get_ref() {
        DeValue::String(text) => Some(Located {
            place: found.place(&value.span(), path),
            text: text.to_string(),
        }),
        other => {
            found.wrong(&value.span(), path, wrong_type("a text", other));
            None
        }
    }
}

fn wrong_type(wanted: &str, value: &DeValue<'_>) -> String {
    format!("is {}, not {wanted}", value.type_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_many_lines_is_known_by_its_number() {
        // Counted from the start for each, these would take minutes.
        let text = "a\n".repeat(300_000);
        let found = Examined::new("f", &text);
        for number in 0..300_000 {
            let at = 2 * number;
            let Location::File { line, .. } = found.place(&(at..at + 1), "a") else {
                panic!()
            };
            assert_eq!(line, number + 1);
        }
        assert!(matches!(
            found.place(&(usize::MAX..usize::MAX), "a"),
            Location::File { line: 300_001, .. }
        ));
        assert!(
            matches!(found.place(&(1..2), "a"), Location::File { line: 1, .. }),
            "a line's end is in the line"
        );
    }
}
