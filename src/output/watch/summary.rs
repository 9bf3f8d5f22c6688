//! The summary at the end of a run, and the sentence for a ticket.

use std::fmt::Write;

use crate::output::watch::WatchView;
use crate::output::watch::words::{
    addresses, bare_milliseconds, cause, causes, clock_after, counted, day_and_clock, milliseconds,
    percent, span, zone,
};
use crate::tls_facts::date_text;
use crate::watch::histogram::Histogram;
use crate::watch::outage::Outage;
use crate::watch::target::{Retransmits, TargetModel, TargetState};

/// The most outages of a target that the summary shows: the first one and the last ones.
const OUTAGES_SHOWN: usize = 20;

/// The summary, several lines; the last one is the [`sentence`].
pub fn text(view: &WatchView<'_>) -> String {
    let mut text = String::new();
    for (index, target) in view.model.targets().iter().enumerate() {
        target_lines(&mut text, view, index, target);
    }
    for step in view.model.clock_steps().0 {
        let seconds = std::time::Duration::from_micros(step.micros.unsigned_abs());
        let direction = if step.micros < 0 { "back" } else { "forward" };
        let at = day_and_clock(&step.at, view.utc_offset);
        let _ = writeln!(
            text,
            "The clock of this machine was set {direction} by {} to {at}; durations are not affected.",
            span(seconds)
        );
    }
    let _ = writeln!(text, "{}", sentence(view));
    text
}

fn target_lines(text: &mut String, view: &WatchView<'_>, index: usize, target: &TargetModel) {
    let state = state(view, target);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} {state}", view.label(index));
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "  {label:<11} {value}");
    };
    let counts = target.counts();
    let mut probes = format!(
        "{}: {} up, {} down ({} lost)",
        counted(counts.all(), "probe"),
        counts.up,
        counts.down,
        percent(counts.loss())
    );
    if counts.unknown > 0 {
        let _ = write!(probes, ", {} unknown", counts.unknown);
    }
    line("probes", probes);
    if let Some(times) = times(target.connect()) {
        line("connect", times);
    }
    if let Some(times) = times(target.rtt()) {
        line("round trip", times);
    }
    if let Some(times) = times(target.first_byte()) {
        line("first byte", times);
    }
    if let Some(text) = retransmitted(target.retransmits()) {
        line("lost", text);
    }
    if let Some(diagnosis) = diagnosis(target) {
        line("diagnosis", diagnosis.to_owned());
    }
    if let Some(address) = target.last().and_then(|last| last.address) {
        line("address", address.to_string());
    }
    let (changes, _) = target.address_changes();
    for change in changes {
        let at = day_and_clock(&change.at, view.utc_offset);
        let (after, before) = (addresses(&change.after), addresses(&change.before));
        line("changed", format!("{at}  {after}, before: {before}"));
    }
    if let Some(certificate) = target.certificate() {
        line(
            "certificate",
            format!(
                "{}, valid until {}",
                certificate.subject,
                date_text(certificate.not_after)
            ),
        );
    }
    if !target.unwatched().is_zero() {
        line(
            "not watched",
            format!(
                "for {}: this machine was suspended, or this process was stopped",
                span(target.unwatched())
            ),
        );
    }
    for outage in shown_outages(target) {
        match outage {
            Some(outage) => {
                let start = day_and_clock(&outage.start, view.utc_offset);
                line("outage", outage_text(view, &start, outage));
            }
            None => line("outage", "...".to_owned()),
        }
    }
}

/// The outages to show; `None` where some are left out.
fn shown_outages(target: &TargetModel) -> Vec<Option<&Outage>> {
    let outages = target.outages();
    let mut shown: Vec<_> = outages.kept().map(Some).collect();
    if shown.len() > OUTAGES_SHOWN {
        shown.splice(1..=shown.len() - OUTAGES_SHOWN, [None]);
    }
    shown
}

/// An outage on one line: this text of its start, duration, cause and text.
pub(super) fn outage_text(view: &WatchView<'_>, start: &str, outage: &Outage) -> String {
    let lasting = if outage.end.is_none() { " so far" } else { "" };
    let duration = format!("{}{lasting}", span(outage.duration(&view.now)));
    let mut text = format!(
        "{start}  {duration:<9}  {} ({}): {}",
        causes(&outage.statuses),
        counted(outage.probes, "probe"),
        outage.cause.text
    );
    if !outage.unwatched.is_zero() {
        let _ = write!(text, " [not watched for {} of it]", span(outage.unwatched));
    }
    text
}

/// The state of a target, with its duration.
pub(super) fn state(view: &WatchView<'_>, target: &TargetModel) -> String {
    let since = |word: &str, since| format!("{word} for {}", span(view.now.since(since)));
    match (
        target.state(),
        target.outages().current(),
        target.up_since(),
    ) {
        (TargetState::Down, Some(outage), _) => since("is DOWN", &outage.start),
        (TargetState::Up, _, Some(up)) => since("is up", up),
        (TargetState::Waiting, ..) => "has no result yet".to_owned(),
        _ => "is unknown".to_owned(),
    }
}

/// Percentiles on one line; `None` without times.
fn times(histogram: &Histogram) -> Option<String> {
    let percentile = |percent| histogram.percentile(percent).map(bare_milliseconds);
    Some(format!(
        "min {}, p50 {}, p95 {}, p99 {}, max {} ms; jitter (p95 - p5) {}",
        bare_milliseconds(histogram.min()?),
        percentile(50)?,
        percentile(95)?,
        percentile(99)?,
        bare_milliseconds(histogram.max()?),
        milliseconds(histogram.jitter()?)
    ))
}

/// What was retransmitted, in words; `None` if nothing was.
pub(super) fn retransmitted(retransmits: Retransmits) -> Option<String> {
    let Retransmits {
        syns,
        segments,
        probes,
    } = retransmits;
    let parts = [(syns, "SYN"), (segments, "segment")];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| counted(count, noun))
        .collect();
    let probes = counted(probes, "probe");
    (!parts.is_empty()).then(|| format!("{} retransmitted in {probes}", parts.join(" and ")))
}

/// Whether the path loses packets or the service is slow, if one of them is clear.
pub(super) fn diagnosis(target: &TargetModel) -> Option<&'static str> {
    let retransmitting = target.retransmits().probes;
    let probes = target.counts().all();
    if retransmitting >= 2 && retransmitting * 100 >= probes {
        return Some("packets are lost on the way, or the accept queue of the service is full");
    }
    let first_byte = target.first_byte().percentile(50)?;
    let round_trip = target
        .rtt()
        .percentile(50)
        .or(target.connect().percentile(50))?;
    let is_slow = first_byte.as_millis() >= 100 && first_byte > round_trip * 10;
    is_slow.then_some("the service is slow: its first byte takes far longer than a round trip")
}

/// One sentence for a ticket: what failed first and since when, the outages, the loss, the state,
/// and when and how it was measured.
pub fn sentence(view: &WatchView<'_>) -> String {
    match view.model.targets() {
        [only] => single(view, only),
        _ => several(view),
    }
}

/// `from 2026-11-30 13:51:03 to 14:03:07 +0100`.
fn period(view: &WatchView<'_>) -> String {
    let start = view.model.start();
    format!(
        "from {} to {} {}",
        day_and_clock(start, view.utc_offset),
        clock_after(&view.now, start, view.utc_offset),
        zone(&view.now, view.utc_offset)
    )
}

fn single(view: &WatchView<'_>, target: &TargetModel) -> String {
    let counts = target.counts();
    let label = view.label(0);
    let period = period(view);
    if counts.all() == 0 {
        return format!("{label}: no probe ended {period}.");
    }
    let every = humantime::format_duration(view.interval);
    let mut text = match target.outages().count() {
        0 if counts.up == 0 => format!(
            "{label} could not be probed {period}: {} said nothing about it",
            counted(counts.unknown, "probe")
        ),
        0 => format!("{label} had no outage {period}"),
        1 => format!("{label} had 1 outage {period}: "),
        count => format!("{label} had {count} outages {period}: "),
    };
    text.push_str(&listed(view, target));
    let (known, down) = (counts.up + counts.down, counts.down);
    if known > 0 {
        let failed = if down == 0 {
            format!("; all {} succeeded", counted(known, "probe"))
        } else {
            format!(
                "; {down} of {} failed ({})",
                counted(known, "probe"),
                percent(counts.loss())
            )
        };
        let _ = write!(text, "{failed}, one every {every}");
    }
    if let Some(source) = target.last().and_then(|last| last.source) {
        let _ = write!(text, " from {source}");
    }
    if let (Some(median), Some(high)) = (
        target.connect().percentile(50),
        target.connect().percentile(95),
    ) {
        let _ = write!(
            text,
            "; connect time {} (p95 {})",
            milliseconds(median),
            milliseconds(high)
        );
    }
    if target.outages().count() > 0 {
        let _ = write!(text, "; it {} now", state(view, target));
    }
    text.push('.');
    text
}

/// Up to three outages; of more, the first, the longest and the last.
fn listed(view: &WatchView<'_>, target: &TargetModel) -> String {
    let outages = target.outages();
    let describe = |outage: &Outage| {
        let at = clock_after(&outage.start, view.model.start(), view.utc_offset);
        let so_far = if outage.end.is_none() { " so far" } else { "" };
        let duration = span(outage.duration(&view.now));
        format!("{at} for {duration}{so_far} ({})", causes(&outage.statuses))
    };
    if outages.count() <= 3 {
        let all: Vec<_> = outages.kept().map(describe).collect();
        return all.join(", ");
    }
    let longest = outages
        .kept()
        .max_by_key(|outage| outage.duration(&view.now));
    let parts = [
        ("the first at", outages.first()),
        ("the longest at", longest),
        ("the last at", outages.last()),
    ];
    let described: Vec<_> = parts
        .into_iter()
        .filter_map(|(which, outage)| Some(format!("{which} {}", describe(outage?))))
        .collect();
    format!(
        "{}; {} down in total",
        described.join(", "),
        span(outages.total(&view.now))
    )
}

/// The most targets that the sentence names.
const NAMED: usize = 5;

fn several(view: &WatchView<'_>) -> String {
    let targets = view.model.targets();
    let failed = view.model.failed_targets();
    let every = humantime::format_duration(view.interval);
    let mut text = String::new();
    let first_start = failed.first().map(|(_, outage)| outage.start);
    for (position, (index, outage)) in failed.iter().take(NAMED).enumerate() {
        let count = targets
            .get(*index)
            .map_or(0, |target| target.outages().count());
        let duration = span(outage.duration(&view.now));
        let lasting = if outage.end.is_none() { " so far" } else { "" };
        let why = cause(outage.cause.status);
        let label = view.label(*index);
        let _ = if position == 0 {
            let at = clock_after(&outage.start, view.model.start(), view.utc_offset);
            write!(
                text,
                "{label} failed first, at {at} for {duration}{lasting} ({why})"
            )
        } else {
            let later = first_start.map_or(std::time::Duration::ZERO, |first| {
                outage.start.since(&first)
            });
            write!(
                text,
                ", then {label} {} later for {duration}{lasting} ({why})",
                span(later)
            )
        };
        if count > 1 {
            let _ = write!(text, " and {} more", counted(count - 1, "time"));
        }
    }
    if failed.len() > NAMED {
        let _ = write!(
            text,
            ", then {} more",
            counted((failed.len() - NAMED) as u64, "target")
        );
    }
    let steady: Vec<_> = (0..targets.len())
        .filter(|index| failed.iter().all(|(other, _)| other != index))
        .collect();
    if failed.is_empty() {
        let _ = write!(text, "None of {} targets had an outage", targets.len());
    } else if !steady.is_empty() {
        let names: Vec<_> = steady
            .iter()
            .take(NAMED)
            .map(|index| view.label(*index))
            .collect();
        let more = steady.len() - names.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let _ = write!(text, "; no outage of {}{more}", names.join(", "));
    }
    let down = view.model.count(TargetState::Down);
    if down > 0 {
        let verb = if down == 1 { "is" } else { "are" };
        let _ = write!(text, "; {down} of {} {verb} down now", targets.len());
    }
    let _ = write!(text, "; each was probed every {every} {}.", period(view));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::watch::test_views::ScriptedRun;

    /// Down from the first second of one of these pairs until the second one.
    fn down_in(ranges: &[(u64, u64)], second: u64) -> Status {
        if ranges
            .iter()
            .any(|(from, to)| (*from..*to).contains(&second))
        {
            Status::Refused
        } else {
            Status::Ok
        }
    }

    #[test]
    fn the_sentence_of_a_healthy_target() {
        let mut run = ScriptedRun::new(&["mx1:25"]);
        assert_eq!(
            sentence(&run.view()),
            "mx1:25: no probe ended from 2026-11-30 03:03:07 to 03:03:07 +0100."
        );
        run.play(100, |_, _| Status::Ok);
        assert_eq!(
            sentence(&run.view()),
            "mx1:25 had no outage from 2026-11-30 03:03:07 to 03:04:47 +0100; all 100 probes \
             succeeded, one every 1s from 192.0.2.50; connect time 0.808 ms (p95 0.840 ms)."
        );
    }

    #[test]
    fn the_sentence_of_an_outage() {
        let mut run = ScriptedRun::new(&["mx1:25"]);
        run.play(100, |_, second| down_in(&[(10, 15)], second));
        assert_eq!(
            sentence(&run.view()),
            "mx1:25 had 1 outage from 2026-11-30 03:03:07 to 03:04:47 +0100: 03:03:17 for 5.0 s \
             (refused); 5 of 100 probes failed (5.0 %), one every 1s from 192.0.2.50; connect time \
             0.808 ms (p95 0.840 ms); it is up for 1m 24s now."
        );
    }

    #[test]
    fn many_outages_are_summed_up() {
        let mut run = ScriptedRun::new(&["mx1:25"]);
        run.play(100, |_, second| {
            down_in(&[(10, 11), (20, 22), (30, 39), (98, 100)], second)
        });
        let text = sentence(&run.view());
        assert!(text.contains("had 4 outages"), "{text}");
        assert!(
            text.contains(
                "the first at 03:03:17 for 1.0 s (refused), the longest at 03:03:37 for 9.0 s \
                 (refused), the last at 03:04:45 for 2.0 s so far (refused); 14.0 s down in total"
            ),
            "{text}"
        );
        assert!(text.ends_with("; it is DOWN for 2.0 s now."), "{text}");
    }

    #[test]
    fn nothing_is_claimed_where_nothing_is_known() {
        let mut run = ScriptedRun::new(&["mx1:25"]);
        run.play(3, |_, _| Status::Denied);
        assert_eq!(
            sentence(&run.view()),
            "mx1:25 could not be probed from 2026-11-30 03:03:07 to 03:03:10 +0100: 3 probes said \
             nothing about it."
        );
        run.play(1, |_, _| Status::Ok);
        assert!(sentence(&run.view()).contains("all 1 probe succeeded"));
    }

    #[test]
    fn the_sentence_names_what_failed_first() {
        let mut run = ScriptedRun::new(&["a:22", "b:443", "gw:80"]);
        run.play(60, |target, second| match target {
            0 => Status::Ok,
            1 => down_in(&[(12, 30)], second),
            _ => down_in(&[(10, 60)], second),
        });
        assert_eq!(
            sentence(&run.view()),
            "gw:80 failed first, at 03:03:17 for 50.0 s so far (refused), then b:443 2.0 s later \
             for 18.0 s (refused); no outage of a:22; 1 of 3 is down now; each was probed every 1s \
             from 2026-11-30 03:03:07 to 03:04:07 +0100."
        );
        let healthy = ScriptedRun::new(&["a:22", "b:443"]);
        assert!(sentence(&healthy.view()).starts_with("None of 2 targets had an outage; each"));
    }

    #[test]
    fn the_summary_lists_the_first_and_the_last_outages() {
        let mut run = ScriptedRun::new(&["a:22", "b:443"]);
        run.play(200, |target, second| {
            if target == 0 && second % 2 == 1 {
                Status::Reset
            } else {
                Status::Ok
            }
        });
        let text = text(&run.view());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "a:22 is DOWN for 1.0 s", "{text}");
        assert_eq!(
            lines[1],
            "  probes      200 probes: 100 up, 100 down (50.0 % lost)"
        );
        assert_eq!(
            text.matches("\n  outage ").count(),
            OUTAGES_SHOWN + 1,
            "{text}"
        );
        assert!(
            text.contains("\nb:443 is up for 3m 19s\n  probes      200 probes: 200 up"),
            "{text}"
        );
        assert!(text.ends_with(".\n"));
    }
}
