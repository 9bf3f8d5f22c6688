//! Bounds of what a probe may cost: work, memory, bytes sent. They hold whatever the peer sends, so
//! they are checked before anything is sent.

use std::time::Duration;

use crate::plan::pattern::Pattern;
use crate::plan::steps::{Expect, Step, Template};
use crate::plan::{AddressSelection, ProbeSpec};

/// The most work for all bytes of one step, in the unit of [`Pattern::cost`]: about a second of
/// computing time.
const MAX_WORK: usize = 256 << 20;
/// The most work for one byte of a step; the memory of its patterns in use grows with it.
const MAX_WORK_PER_BYTE: usize = 64 << 10;
/// The most received bytes of a probe that are held at once, on all of its connections.
const MAX_HELD: usize = 24 << 20;

/// Why a probe may cost too much.
#[derive(Debug, PartialEq, Eq)]
pub struct Excess {
    /// The option that causes it, if it is a single one.
    pub option: Option<&'static str>,
    /// What is too much, and what to do.
    pub message: String,
}

impl Excess {
    fn of(option: &'static str, message: String) -> Self {
        Self {
            option: Some(option),
            message,
        }
    }
}

/// Refuses a dialogue that may cost too much.
///
/// # Errors
/// The first excess.
pub fn reject_excess(spec: &ProbeSpec) -> Result<(), Excess> {
    reject_work(&spec.steps, spec.max_bytes)?;
    reject_held_bytes(spec)?;
    reject_sends(spec)?;
    reject_long_silence(spec)
}

/// Refuses steps whose patterns may cost too much computing time, with this bound of received bytes.
///
/// # Errors
/// The first excess.
pub fn reject_work(steps: &[Step], max_bytes: usize) -> Result<(), Excess> {
    (1..).zip(steps).try_for_each(|(number, step)| match step {
        Step::Expect(expect) => reject_work_of_step(number, expect, max_bytes),
        _ => Ok(()),
    })
}

fn reject_work_of_step(number: usize, expect: &Expect, max_bytes: usize) -> Result<(), Excess> {
    let per_byte: usize = expect.compared().map(Pattern::cost).sum();
    if per_byte > MAX_WORK_PER_BYTE {
        let message = format!(
            "step {number}: the patterns have {per_byte} states, more than the limit of {MAX_WORK_PER_BYTE}: use simpler or fewer patterns"
        );
        return Err(Excess {
            option: None,
            message,
        });
    }
    if per_byte.saturating_mul(max_bytes) > MAX_WORK {
        let message = format!(
            "{max_bytes} bytes are too many for step {number}, whose patterns have {per_byte} states: use simpler patterns, or at most {} bytes",
            MAX_WORK / per_byte
        );
        return Err(Excess::of("--max-bytes", message));
    }
    if expect.min_bytes > max_bytes {
        let message = format!(
            "{max_bytes} bytes are less than the `min_bytes` of step {number}, so the step can never match"
        );
        return Err(Excess::of("--max-bytes", message));
    }
    Ok(())
}

fn reject_held_bytes(spec: &ProbeSpec) -> Result<(), Excess> {
    let Some(attempts) = spec.attempts else {
        return Ok(());
    };
    let interval = attempts.interval.max(Duration::from_micros(1));
    let fit = spec.timeout.as_micros() / interval.as_micros() + 1;
    let at_once = usize::try_from(fit)
        .unwrap_or(usize::MAX)
        .min(attempts.count.get() as usize);
    if spec.steps.is_empty() || at_once.saturating_mul(spec.max_bytes) <= MAX_HELD {
        return Ok(());
    }
    let message = format!(
        "{at_once} simultaneous attempts may receive {} bytes each: use fewer attempts, or at most {} bytes",
        spec.max_bytes,
        MAX_HELD / at_once
    );
    Err(Excess::of("--max-bytes", message))
}

/// Captures are only known later, so the dialogue checks sends again.
fn reject_sends(spec: &ProbeSpec) -> Result<(), Excess> {
    let sends = spec.steps.iter().filter_map(|step| match step {
        Step::Send(template) => Some(template),
        _ => None,
    });
    let bytes = sends
        .map(Template::least_len)
        .fold(0, usize::saturating_add);
    // Only one `quit` is sent.
    let rejections = spec.steps.iter().flat_map(|step| match step {
        Step::Expect(expect) => expect.reject.as_slice(),
        _ => &[],
    });
    let quits = rejections.filter_map(|reject| reject.quit.as_ref());
    let longest = quits.chain(&spec.quit).map(Template::least_len).max();
    let bytes = bytes.saturating_add(longest.unwrap_or(0));
    let most = spec.max_sent();
    if bytes <= most {
        return Ok(());
    }
    let (option, times) = match (spec.attempts, spec.addresses) {
        (Some(attempts), _) => (
            "--count",
            format!(" in each of {} attempts", attempts.count),
        ),
        (None, AddressSelection::All) => ("--addresses", " to each address".to_owned()),
        (None, _) => ("--send", String::new()),
    };
    let message = format!("the dialogue sends {bytes} bytes{times}: at most {most} are allowed");
    Err(Excess::of(option, message))
}

fn reject_long_silence(spec: &ProbeSpec) -> Result<(), Excess> {
    let silences = spec.steps.iter().filter_map(|step| match step {
        Step::Silence(time) => Some(*time),
        _ => None,
    });
    let silence = silences.fold(Duration::ZERO, Duration::saturating_add);
    if silence < spec.timeout {
        return Ok(());
    }
    let message = format!(
        "{} of silence do not fit into the deadline: raise the timeout",
        humantime::format_duration(silence)
    );
    Err(Excess::of("--expect-silence", message))
}
