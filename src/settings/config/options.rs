//! The options that services, targets and `[defaults]` have in common.

use crate::plan::steps::RejectionTime;
use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::config::tls::tls;
use crate::settings::error::Located;
use crate::settings::option_table::{OptionName, OptionSource};
use crate::settings::overrides::Overrides;
use crate::settings::parse;
use crate::settings::step_spec::{
    ExpectSpec, IncompleteSpec, LineEnds, PatternKind, PatternSpec, Quantifier, RejectSpec,
    SendSpec, StepSpec,
};

/// Reads every option of a table.
pub fn overrides(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Overrides {
    let steps = steps(diagnostics, table);
    let quit = quit(diagnostics, table);
    let line_ends = table
        .flag(diagnostics, "crlf")
        .map(|crlf| if crlf { LineEnds::CrLf } else { LineEnds::None });
    let tls = tls(diagnostics, table);
    let (options, errors) = Overrides::parse(&mut Keys { diagnostics, table });
    diagnostics.errors.extend(errors);
    Overrides {
        tls,
        steps,
        quit,
        line_ends,
        ..options
    }
}

/// Reads the options of a table.
struct Keys<'k, 'd, 't> {
    diagnostics: &'k mut Diagnostics<'d>,
    table: &'k mut TableReader<'t>,
}

impl OptionSource for Keys<'_, '_, '_> {
    fn value(&mut self, name: OptionName) -> Option<Located> {
        self.table.scalar(self.diagnostics, name.key)
    }

    fn list(&mut self, name: OptionName) -> Vec<Located> {
        self.table.texts(self.diagnostics, name.key)
    }
}

fn quit(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<SendSpec> {
    let text = table.text(diagnostics, "quit");
    let hex = table.text(diagnostics, "quit_hex");
    if let (Some(_), Some(hex)) = (&text, &hex) {
        diagnostics.error_in(hex, "cannot be combined with `quit`: remove one of them");
    }
    text.map(SendSpec::Text).or(hex.map(SendSpec::Hex))
}

fn steps(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<Vec<StepSpec>> {
    let field = table.take("steps")?;
    let elements = field.clone().elements();
    if elements.is_empty() {
        diagnostics.error(
            &field,
            "is an empty list: remove the key if no dialogue is needed",
        );
    }
    let last = elements.len().saturating_sub(1);
    let mut starts_tls = false;
    let steps = elements.iter().enumerate().filter_map(|(index, element)| {
        let mut table = TableReader::of(diagnostics, element)?;
        let step = step(diagnostics, &mut table)?;
        if index != last {
            only_in_the_last_step(diagnostics, &step);
        }
        if step == StepSpec::StartTls {
            if index == 0 {
                diagnostics.error(element, "`starttls` cannot be the first step: write `tls = true` beside `steps` to start TLS directly after the connect");
            } else if starts_tls {
                diagnostics.error(element, "TLS has started in an earlier step: remove one of the two");
            }
            starts_tls = true;
        }
        table.finish(diagnostics);
        Some(step)
    });
    Some(steps.collect())
}

/// Reports keys of a step that end the dialogue, in a step that others follow.
fn only_in_the_last_step(diagnostics: &mut Diagnostics<'_>, step: &StepSpec) {
    let StepSpec::Expect(expect) = step else {
        return;
    };
    let Some(incomplete) = &expect.incomplete else {
        return;
    };
    for key in [&incomplete.at_close, &incomplete.at_timeout]
        .into_iter()
        .flatten()
    {
        diagnostics.error_in(key, "is allowed only in the last step");
    }
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
            reject.extend(rejected(diagnostics, &field, kind));
        }
    }
    for field in table.list("otherwise") {
        let read = rejected(diagnostics, &field, PatternKind::Literal);
        reject.extend(read.map(|read| RejectSpec {
            applies: RejectionTime::Otherwise,
            ..read
        }));
    }
    let incomplete = incomplete(diagnostics, table);
    let starttls = starttls(diagnostics, table);
    let min_bytes = table.parsed(diagnostics, "min_bytes", parse::bytes);
    let timeout = table.parsed(diagnostics, "timeout", parse::duration);
    let silence = table.parsed(diagnostics, "silence", parse::duration);
    let numbers: Vec<_> = table
        .list("numbers")
        .iter()
        .filter_map(|field| diagnostics.text(field))
        .collect();
    let is_simple = reject.is_empty()
        && min_bytes.is_none()
        && timeout.is_none()
        && numbers.is_empty()
        && incomplete.is_none();
    match (sends.len(), expects.len(), silence, starttls) {
        (1, 0, None, None) if is_simple => sends.pop().map(StepSpec::Send),
        (0, 0, Some(time), None) if is_simple => Some(StepSpec::Silence(time)),
        (0, 0, None, Some(())) if is_simple => Some(StepSpec::StartTls),
        (0, 1, None, None) => {
            let (quantifier, patterns) = expects.pop()?;
            Some(StepSpec::Expect(ExpectSpec {
                patterns,
                quantifier,
                reject,
                min_bytes: min_bytes.unwrap_or(0),
                timeout,
                numbers,
                incomplete,
            }))
        }
        _ => {
            table.error(
                diagnostics,
                "a step must have exactly one `send...` or `expect...` key, or `silence` or `starttls`; `reject...`, `otherwise`, `min_bytes` and `timeout` require an `expect...` key",
            );
            None
        }
    }
}

/// Reads `starttls = true`. With another value the step has the key all the same.
fn starttls(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<()> {
    let field = table.take("starttls")?;
    if field.value.flag() != Some(true) {
        let why = "must be true in a step; `starttls = \"smtp\"` belongs beside `steps`";
        diagnostics.error(&field, why);
    }
    Some(())
}

/// Reads the keys for an incomplete answer.
fn incomplete(
    diagnostics: &mut Diagnostics<'_>,
    table: &mut TableReader<'_>,
) -> Option<Box<IncompleteSpec>> {
    let spec = IncompleteSpec {
        at_close: table.text(diagnostics, "at_close_regex"),
        at_timeout: table.text(diagnostics, "at_timeout_regex"),
        if_closed: table.text(diagnostics, "if_closed"),
    };
    let keys = [&spec.at_close, &spec.at_timeout, &spec.if_closed];
    let is_given = keys.iter().any(|key| key.is_some());
    is_given.then(|| Box::new(spec))
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
        diagnostics.error(&field, "is an empty list: write at least one pattern");
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
    let pattern = pattern_table(diagnostics, field, &mut table);
    table.finish(diagnostics);
    pattern
}

/// Reads one pattern to reject: a text, whose kind is that of its key, or a table that names the
/// kind and may give the reason in words.
fn rejected(
    diagnostics: &mut Diagnostics<'_>,
    field: &Field<'_>,
    kind: PatternKind,
) -> Option<RejectSpec> {
    if field.value.members().is_none() {
        let text = diagnostics.text(field)?;
        return Some(RejectSpec::one(PatternSpec { kind, text }));
    }
    let mut table = TableReader::of(diagnostics, field)?;
    let reason = table.text(diagnostics, "reason");
    let status = table.parsed(diagnostics, "status", parse::reject_status);
    let quit = quit(diagnostics, &mut table);
    let pattern = pattern_table(diagnostics, field, &mut table);
    table.finish(diagnostics);
    Some(RejectSpec {
        refuses_tls: status.unwrap_or(false),
        reason,
        quit,
        ..RejectSpec::one(pattern?)
    })
}

fn pattern_table(
    diagnostics: &mut Diagnostics<'_>,
    field: &Field<'_>,
    table: &mut TableReader<'_>,
) -> Option<PatternSpec> {
    let mut patterns = Vec::new();
    for (key, kind) in PATTERN_KINDS {
        let text = table.text(diagnostics, key);
        patterns.extend(text.map(|text| PatternSpec { kind, text }));
    }
    if patterns.len() != 1 {
        diagnostics.error(
            field,
            "must have exactly one of text, prefix, regex and hex",
        );
    }
    patterns.pop()
}
