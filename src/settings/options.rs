//! The options of a probe as wishes.

use std::time::Duration;

use super::wishes::{
    ExpectWish, Form, HowMany, LineEnds, PatternWish, Place, SendWish, StepWish, Wishes, Written,
};
use super::{Mistake, words};
use crate::cli::probe::{ProbeArgs, ReachArgs};
use crate::cli::steps::{StepArgs, StepKind};
use crate::cli::values::{self, given};
use crate::printable::shown;

/// The most attempts: more than anybody needs inside a deadline of minutes.
pub const MOST_ATTEMPTS: u64 = 10_000;
/// The most bytes that may be held while waiting for a match.
pub const MOST_BYTES: u64 = 16 << 20;

/// What the options ask for.
pub fn wishes(args: &ProbeArgs) -> Result<Wishes, Mistake> {
    let (steps, quit) = dialogue(&args.steps)?;
    let reach = reach(&args.reach)?;
    Ok(Wishes {
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
pub fn reach(args: &ReachArgs) -> Result<Wishes, Mistake> {
    Ok(Wishes {
        timeout: duration("--timeout", &args.timeout)?,
        source: written("--source", &args.source),
        interface: written("--interface", &args.interface),
        ..Wishes::default()
    })
}

fn written(option: &'static str, value: &Option<String>) -> Option<Written> {
    given(value).map(|text| Written {
        place: Place::Option(option),
        text: text.to_owned(),
    })
}

/// A duration.
pub fn duration(option: &str, value: &Option<String>) -> Result<Option<Duration>, Mistake> {
    given(value)
        .map(values::duration)
        .transpose()
        .map_err(|why| Mistake::in_option(option, why))
}

/// One of a few known words.
pub fn choice<T: Copy>(
    option: &str,
    value: &Option<String>,
    known: &[(&'static str, T)],
) -> Result<Option<T>, Mistake> {
    let Some(word) = given(value) else {
        return Ok(None);
    };
    let refused = |remedy| {
        Mistake::in_option(
            option,
            format!("unknown value `{}`: {remedy}", shown(word, 40)),
        )
    };
    words::meaning(word, known).map(Some).map_err(refused)
}

/// A number from 1.
pub fn number(option: &str, value: &Option<String>, most: u64) -> Result<Option<u64>, Mistake> {
    number_from(1, option, value, most)
}

/// A number from this one.
pub fn number_from(
    least: u64,
    option: &str,
    value: &Option<String>,
    most: u64,
) -> Result<Option<u64>, Mistake> {
    let Some(word) = given(value) else {
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
        Mistake::in_option(
            option,
            format!(
                "`{}` is not a number from {least} to {most}",
                shown(word, 40)
            ),
        )
    };
    number.map(Some).ok_or_else(refused)
}

/// The dialogue in the order it was typed: a reject guards every expectation after it, the goodbye comes last.
fn dialogue(args: &StepArgs) -> Result<(Option<Vec<StepWish>>, Option<SendWish>), Mistake> {
    let (mut steps, mut quit, mut guards) = (Vec::new(), None, Vec::new());
    let mut idle_guard = None;
    for (kind, text) in &args.0 {
        if quit.is_some() {
            let why = if *kind == StepKind::Quit {
                "is given twice"
            } else {
                "comes after --quit, which is the end"
            };
            return Err(Mistake::in_option(
                kind.option(),
                format!("{why}: give --quit once, last"),
            ));
        }
        let written = Written {
            place: Place::Option(kind.option()),
            text: text.clone(),
        };
        match kind {
            StepKind::Send => steps.push(StepWish::Send(SendWish::Text(written))),
            StepKind::SendHex => steps.push(StepWish::Send(SendWish::Hex(written))),
            StepKind::Quit => quit = Some(SendWish::Text(written)),
            StepKind::Expect(form) => {
                idle_guard = None;
                steps.push(StepWish::Expect(expectation(*form, written, &guards)));
            }
            StepKind::Reject(form) => {
                idle_guard = Some(kind.option());
                guards.push(PatternWish {
                    form: *form,
                    written,
                });
            }
        }
    }
    match idle_guard {
        Some(option) => Err(Mistake::in_option(
            option,
            "guards the expectations after it, and there is none: put it before one",
        )),
        None => Ok(((!steps.is_empty()).then_some(steps), quit)),
    }
}

fn expectation(form: Form, written: Written, guards: &[PatternWish]) -> ExpectWish {
    let patterns = vec![PatternWish { form, written }];
    ExpectWish {
        patterns,
        how_many: HowMany::Any,
        reject: guards.to_vec(),
        min_bytes: 0,
        timeout: None,
    }
}
