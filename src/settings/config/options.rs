//! The options that services, targets and `[defaults]` have in common.

use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::overrides::Overrides;
use crate::settings::parse;
use crate::settings::step_spec::{
    ExpectSpec, LineEnds, PatternKind, PatternSpec, Quantifier, SendSpec, StepSpec,
};

/// Reads every option of a table.
pub fn overrides(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Overrides {
    let steps = steps(diagnostics, table);
    let quit = quit(diagnostics, table);
    let line_ends = table
        .flag(diagnostics, "crlf")
        .map(|crlf| if crlf { LineEnds::CrLf } else { LineEnds::None });
    let (options, errors) = Overrides::parse(&mut |name| table.scalar(diagnostics, name.key));
    diagnostics.errors.extend(errors);
    Overrides {
        steps,
        quit,
        line_ends,
        ..options
    }
}

fn quit(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<SendSpec> {
    let text = table.text(diagnostics, "quit");
    let hex = table.text(diagnostics, "quit_hex");
    if let (Some(_), Some(hex)) = (&text, &hex) {
        diagnostics.error_in(hex, "conflicts with `quit`: give one of them");
    }
    text.map(SendSpec::Text).or(hex.map(SendSpec::Hex))
}

fn steps(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<Vec<StepSpec>> {
    let field = table.take("steps")?;
    let elements = field.clone().elements();
    if elements.is_empty() {
        diagnostics.error(&field, "is an empty list: drop it if a connect is enough");
    }
    let steps = elements.iter().filter_map(|element| {
        let mut table = TableReader::of(diagnostics, element)?;
        let step = step(diagnostics, &mut table);
        table.finish(diagnostics);
        step
    });
    Some(steps.collect())
}

/// The keys of a step that expect one pattern.
const EXPECTS: [(&str, PatternKind); 4] = [
    ("expect", PatternKind::Literal),
    ("expect_prefix", PatternKind::Prefix),
    ("expect_regex", PatternKind::Regex),
    ("expect_hex", PatternKind::Hex),
];
/// The keys of a step that expect several patterns.
const EXPECT_LISTS: [(&str, Quantifier); 2] = [
    ("expect_any", Quantifier::Any),
    ("expect_all", Quantifier::All),
];
/// The keys of a step that reject patterns.
const REJECTS: [(&str, PatternKind); 3] = [
    ("reject", PatternKind::Literal),
    ("reject_regex", PatternKind::Regex),
    ("reject_hex", PatternKind::Hex),
];
/// The keys of a pattern that is a table.
const PATTERN_KINDS: [(&str, PatternKind); 4] = [
    ("text", PatternKind::Literal),
    ("prefix", PatternKind::Prefix),
    ("regex", PatternKind::Regex),
    ("hex", PatternKind::Hex),
];

/// Reads one step: it sends or expects exactly one thing.
fn step(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<StepSpec> {
    let mut sends = Vec::new();
    sends.extend(table.text(diagnostics, "send").map(SendSpec::Text));
    sends.extend(table.text(diagnostics, "send_hex").map(SendSpec::Hex));
    let mut expects = Vec::new();
    for (key, kind) in EXPECTS {
        let text = table.text(diagnostics, key);
        expects.extend(text.map(|text| (Quantifier::Any, vec![PatternSpec { kind, text }])));
    }
    for (key, quantifier) in EXPECT_LISTS {
        let patterns = patterns(diagnostics, table, key);
        expects.extend(patterns.map(|patterns| (quantifier, patterns)));
    }
    let mut reject = Vec::new();
    for (key, kind) in REJECTS {
        for field in table.list(key) {
            let text = diagnostics.text(&field);
            reject.extend(text.map(|text| PatternSpec { kind, text }));
        }
    }
    let min_bytes = table.parsed(diagnostics, "min_bytes", parse::bytes);
    let timeout = table.parsed(diagnostics, "timeout", parse::duration);
    let silence = table.parsed(diagnostics, "silence", parse::duration);
    let is_simple = reject.is_empty() && min_bytes.is_none() && timeout.is_none();
    match (sends.len(), expects.len(), silence) {
        (1, 0, None) if is_simple => sends.pop().map(StepSpec::Send),
        (0, 0, Some(time)) if is_simple => Some(StepSpec::Silence(time)),
        (0, 1, None) => {
            let (quantifier, patterns) = expects.pop()?;
            Some(StepSpec::Expect(ExpectSpec {
                patterns,
                quantifier,
                reject,
                min_bytes: min_bytes.unwrap_or(0),
                timeout,
            }))
        }
        _ => {
            table.error(
                diagnostics,
                "a step sends or expects exactly one thing, or is a `silence`; reject, min_bytes and timeout go with an expectation",
            );
            None
        }
    }
}

/// Reads several patterns: texts, or tables that name the kind of each.
fn patterns(
    diagnostics: &mut Diagnostics<'_>,
    table: &mut TableReader<'_>,
    key: &'static str,
) -> Option<Vec<PatternSpec>> {
    let field = table.take(key)?;
    let elements = field.clone().elements();
    if elements.is_empty() {
        diagnostics.error(&field, "is an empty list: name at least one pattern");
    }
    let patterns: Vec<_> = elements
        .iter()
        .filter_map(|element| pattern(diagnostics, element))
        .collect();
    (!patterns.is_empty()).then_some(patterns)
}

fn pattern(diagnostics: &mut Diagnostics<'_>, field: &Field<'_>) -> Option<PatternSpec> {
    if field.value.members().is_none() {
        let text = diagnostics.text(field)?;
        let kind = PatternKind::Literal;
        return Some(PatternSpec { kind, text });
    }
    let mut table = TableReader::of(diagnostics, field)?;
    let mut patterns = Vec::new();
    for (key, kind) in PATTERN_KINDS {
        let text = table.text(diagnostics, key);
        patterns.extend(text.map(|text| PatternSpec { kind, text }));
    }
    table.finish(diagnostics);
    if patterns.len() != 1 {
        diagnostics.error(
            field,
            "must have exactly one of text, prefix, regex and hex",
        );
    }
    patterns.pop()
}
