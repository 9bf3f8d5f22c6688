//! What services, targets and defaults have in common: the options of `check` by their long names with `_`.

use std::time::Duration;

use crate::cli::values;
use crate::settings::config::table::{Entry, Examined, Table, list, text};
use crate::settings::options::{MOST_ATTEMPTS, MOST_BYTES};
use crate::settings::overrides::{
    ExpectSpec, LineEnds, Overrides, PatternKind, PatternSpec, Quantifier, SendSpec, StepSpec,
};
use crate::settings::words;

/// Reads every option that the table has.
pub fn overrides(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Overrides {
    Overrides {
        port: None,
        steps: steps(found, table),
        quit: goodbye(found, table),
        encoding: table.text(found, "encoding"),
        line_ends: table
            .flag(found, "crlf")
            .map(|crlf| if crlf { LineEnds::CrLf } else { LineEnds::None }),
        max_bytes: table
            .number(found, "max_bytes", 1..MOST_BYTES + 1)
            .and_then(|bytes| usize::try_from(bytes).ok()),
        timeout: duration(found, table, "timeout"),
        addresses: table.parsed(found, "addresses", |word| choice(word, &words::ADDRESSES)),
        source: table.text(found, "source"),
        interface: table.text(found, "interface"),
        count: table
            .number(found, "count", 1..MOST_ATTEMPTS + 1)
            .and_then(|count| u32::try_from(count).ok()),
        interval: duration(found, table, "interval"),
        require: table
            .number(found, "require", 1..MOST_ATTEMPTS + 1)
            .and_then(|count| u32::try_from(count).ok()),
        want: table.parsed(found, "expect_closed", |word| choice(word, &words::CLOSED)),
        close: table.parsed(found, "close", |word| choice(word, &words::CLOSE)),
        secrets: Vec::new(),
    }
}

fn choice<T: Copy>(word: &str, known: &[(&'static str, T)]) -> Result<T, String> {
    words::meaning(word, known).map_err(|remedy| format!("unknown value: {remedy}"))
}

/// A duration: a text such as `"2.5s"`, or a number of seconds.
fn duration(
    found: &mut Examined<'_>,
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Option<Duration> {
    let entry = table.take(key)?;
    read_duration(found, &entry)
}

fn read_duration(found: &mut Examined<'_>, entry: &Entry<'_, '_>) -> Option<Duration> {
    let (path, value) = entry;
    let words = match value.get_ref() {
        toml::de::DeValue::Integer(number) => number.to_string(),
        toml::de::DeValue::Float(number) => number.as_str().to_owned(),
        _ => text(found, entry)?.text,
    };
    values::duration(&words)
        .map_err(|why| found.wrong(&value.span(), path, why))
        .ok()
}

fn goodbye(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Option<SendSpec> {
    let (plain, hex) = (table.text(found, "quit"), table.text(found, "quit_hex"));
    if let (Some(_), Some(hex)) = (&plain, &hex) {
        found.mistakes.push(super::SettingsError::at(
            &hex.place,
            "stands beside `quit`: give one of them",
        ));
    }
    plain.map(SendSpec::Text).or(hex.map(SendSpec::Hex))
}

fn steps(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Option<Vec<StepSpec>> {
    let (path, value) = table.take("steps")?;
    let entries = list(path.clone(), value);
    if entries.is_empty() {
        found.wrong(
            &value.span(),
            &path,
            "is an empty list: drop it where a connect is enough",
        );
    }
    let steps = entries.iter().filter_map(|entry| {
        let mut table = Table::of(found, entry)?;
        let step = step(found, &mut table);
        table.finish(found);
        step
    });
    Some(steps.collect())
}

/// One step: exactly one thing that is sent or expected, and what goes with an expectation.
fn step(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Option<StepSpec> {
    let sends = [
        table.text(found, "send").map(SendSpec::Text),
        table.text(found, "send_hex").map(SendSpec::Hex),
    ];
    let mut expects = Vec::new();
    for (key, form) in EXPECTS {
        let written = table
            .text(found, key)
            .map(|written| (Quantifier::Any, vec![PatternSpec { form, written }]));
        expects.extend(written);
    }
    for (key, how_many) in [
        ("expect_any", Quantifier::Any),
        ("expect_all", Quantifier::All),
    ] {
        expects.extend(patterns(found, table, key).map(|patterns| (how_many, patterns)));
    }
    let mut reject = Vec::new();
    for (key, form) in [
        ("reject", PatternKind::Literal),
        ("reject_regex", PatternKind::Regex),
        ("reject_hex", PatternKind::Hex),
    ] {
        for entry in table.list(key).unwrap_or_default() {
            reject.extend(text(found, &entry).map(|written| PatternSpec { form, written }));
        }
    }
    let min_bytes = table
        .number(found, "min_bytes", 1..MOST_BYTES + 1)
        .and_then(|bytes| usize::try_from(bytes).ok());
    let timeout = duration(found, table, "timeout");
    let mut sends = sends.into_iter().flatten();
    let mut expects = expects.into_iter();
    match (sends.next(), expects.next(), sends.next(), expects.next()) {
        (Some(send), None, None, _)
            if reject.is_empty() && min_bytes.is_none() && timeout.is_none() =>
        {
            Some(StepSpec::Send(send))
        }
        (None, Some((how_many, patterns)), _, None) => Some(StepSpec::Expect(ExpectSpec {
            patterns,
            how_many,
            reject,
            min_bytes: min_bytes.unwrap_or(0),
            timeout,
        })),
        _ => {
            let path = table.path().to_owned();
            found.wrong(
                &table.span().clone(),
                &path,
                "a step sends or expects exactly one thing; reject, min_bytes and timeout go with an expectation",
            );
            None
        }
    }
}

const EXPECTS: [(&str, PatternKind); 4] = [
    ("expect", PatternKind::Literal),
    ("expect_prefix", PatternKind::Prefix),
    ("expect_regex", PatternKind::Regex),
    ("expect_hex", PatternKind::Hex),
];

/// Several patterns: texts, or tables that say which kind each is.
fn patterns(
    found: &mut Examined<'_>,
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Option<Vec<PatternSpec>> {
    let (path, value) = table.take(key)?;
    let entries = list(path.clone(), value);
    let patterns: Vec<_> = entries
        .iter()
        .filter_map(|entry| pattern(found, entry))
        .collect();
    if entries.is_empty() {
        found.wrong(
            &value.span(),
            &path,
            "is an empty list: name at least one pattern",
        );
    }
    (!patterns.is_empty()).then_some(patterns)
}

fn pattern(found: &mut Examined<'_>, entry: &Entry<'_, '_>) -> Option<PatternSpec> {
    if !entry.1.get_ref().is_table() {
        return text(found, entry).map(|written| PatternSpec {
            form: PatternKind::Literal,
            written,
        });
    }
    let mut table = Table::of(found, entry)?;
    let forms = [
        ("text", PatternKind::Literal),
        ("prefix", PatternKind::Prefix),
        ("regex", PatternKind::Regex),
        ("hex", PatternKind::Hex),
    ];
    let mut read: Vec<_> = Vec::new();
    for (key, form) in forms {
        read.extend(
            table
                .text(found, key)
                .map(|written| PatternSpec { form, written }),
        );
    }
    table.finish(found);
    if read.len() != 1 {
        found.wrong(
            &entry.1.span(),
            &entry.0,
            "names one of text, prefix, regex and hex",
        );
    }
    read.pop()
}
