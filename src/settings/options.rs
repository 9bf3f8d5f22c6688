//! The options of a probe as wishes.

use std::time::Duration;

use crate::cli::probe::{NetworkArgs, ProbeArgs};
use crate::cli::steps::{StepArgs, StepKind};
use crate::cli::values;
use crate::cli::values::non_empty;
use crate::escape::escaped_prefix;
use crate::settings::overrides::{
    ExpectSpec, LineEnds, Located, Location, Overrides, PatternKind, PatternSpec, Quantifier,
    SendSpec, StepSpec,
};
use crate::settings::{SettingsError, words};

/// The most attempts: more than anybody needs inside a deadline of minutes.
pub const MOST_ATTEMPTS: u64 = 10_000;
/// The most bytes that may be held while waiting for a match.
pub const MOST_BYTES: u64 = 16 << 20;

/// What the options ask for.
pub fn overrides(args: &ProbeArgs) -> Result<Overrides, SettingsError> {
    let (steps, quit) = dialogue(&args.steps)?;
    let reach = reach(&args.network)?;
    Ok(Overrides {
        steps,
        quit,
        encoding: written("--encoding", &args.encoding),
        line_ends: args.crlf.then_some(LineEnds::CrLf),
        max_bytes: number("--max-bytes", &args.max_bytes, MOST_BYTES)?
            .and_then(|bytes| usize::try_from(bytes).ok()),
        addresses: choice("--addresses", &args.addresses, &words::ADDRESSES)?,
        count: number("--count", &args.count, MOST_ATTEMPTS)?
            .and_then(|count| u32::try_from(count).ok()),
        interval: duration("--interval", &args.interval)?,
        require: number("--require", &args.require, MOST_ATTEMPTS)?
            .and_then(|count| u32::try_from(count).ok()),
        want: choice("--expect-closed", &args.expect_closed, &words::CLOSED)?,
        close: choice("--close", &args.close, &words::CLOSE)?,
        ..reach
    })
}

/// What the options of reaching a target ask for.
pub fn reach(args: &NetworkArgs) -> Result<Overrides, SettingsError> {
    Ok(Overrides {
        timeout: duration("--timeout", &args.timeout)?,
        source: written("--source", &args.source),
        interface: written("--interface", &args.interface),
        ..Overrides::default()
    })
}

fn written(option: &'static str, value: &Option<String>) -> Option<Located> {
    non_empty(value).map(|text| Located {
        place: Location::Option(option),
        text: text.to_owned(),
    })
}

/// A duration.
pub fn duration(option: &str, value: &Option<String>) -> Result<Option<Duration>, SettingsError> {
    non_empty(value)
        .map(values::duration)
        .transpose()
        .map_err(|why| SettingsError::in_option(option, why))
}

/// One of a few known words.
pub fn choice<T: Copy>(
    option: &str,
    value: &Option<String>,
    known: &[(&'static str, T)],
) -> Result<Option<T>, SettingsError> {
    let Some(word) = non_empty(value) else {
        return Ok(None);
    };
    let refused = |remedy| {
        SettingsError::in_option(
            option,
            format!("unknown value `{}`: {remedy}", escaped_prefix(word, 40)),
        )
    };
    words::meaning(word, known).map(Some).map_err(refused)
}

/// A number from 1.
pub fn number(
    option: &str,
    value: &Option<String>,
    most: u64,
) -> Result<Option<u64>, SettingsError> {
    number_from(1, option, value, most)
}

/// A number from this one.
pub fn number_from(
    least: u64,
    option: &str,
    value: &Option<String>,
    most: u64,
) -> Result<Option<u64>, SettingsError> {
    let Some(word) = non_empty(value) else {
        return Ok(None);
    };
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits {
        word.parse::<u64>()
            .ok()
            .filter(|number| (least..=most).contains(number))
    } else {
        None
    };
    let refused = || {
        SettingsError::in_option(
            option,
            format!(
                "`{}` is not a number from {least} to {most}",
                escaped_prefix(word, 40)
            ),
        )
    };
    number.map(Some).ok_or_else(refused)
}

/// The dialogue in the order it was typed: a reject guards every expectation after it, the goodbye comes last.
fn dialogue(args: &StepArgs) -> Result<(Option<Vec<StepSpec>>, Option<SendSpec>), SettingsError> {
    let (mut steps, mut quit, mut guards) = (Vec::new(), None, Vec::new());
    let mut idle_guard = None;
    for (kind, text) in &args.0 {
        if quit.is_some() {
            let why = if *kind == StepKind::Quit {
                "is given twice"
            } else {
                "comes after --quit, which is the end"
            };
            return Err(SettingsError::in_option(
                kind.option(),
                format!("{why}: give --quit once, last"),
            ));
        }
        let written = Located {
            place: Location::Option(kind.option()),
            text: text.clone(),
        };
        match kind {
            StepKind::Send => steps.push(StepSpec::Send(SendSpec::Text(written))),
            StepKind::SendHex => steps.push(StepSpec::Send(SendSpec::Hex(written))),
            StepKind::Quit => quit = Some(SendSpec::Text(written)),
            StepKind::Expect(form) => {
                idle_guard = None;
                steps.push(StepSpec::Expect(expectation(*form, written, &guards)));
            }
            StepKind::Reject(form) => {
                idle_guard = Some(kind.option());
                guards.push(PatternSpec {
                    form: *form,
                    written,
                });
            }
        }
    }
    match idle_guard {
        Some(option) => Err(SettingsError::in_option(
            option,
            "guards the expectations after it, and there is none: put it before one",
        )),
        None => Ok(((!steps.is_empty()).then_some(steps), quit)),
    }
}

fn expectation(form: PatternKind, written: Located, guards: &[PatternSpec]) -> ExpectSpec {
    let patterns = vec![PatternSpec { form, written }];
    ExpectSpec {
        patterns,
        how_many: Quantifier::Any,
        reject: guards.to_vec(),
        min_bytes: 0,
        timeout: None,
    }
}
