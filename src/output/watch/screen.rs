//! The live view on a terminal.
//!
//! From the top, in the order in which an operator needs it: the state and since when, what failed
//! first, the loss, the times, the address and the certificate, then the plot and the outages. A
//! line that does not fit has a shorter form, and on a low screen the last parts are left out.

use std::fmt::Write;
use std::time::Duration;

use crate::output::watch::WatchView;
use crate::output::watch::plot::{Glyphs, letter, plot};
use crate::output::watch::styled::{ScreenSize, ScreenTone, StyledLine};
use crate::output::watch::summary::{diagnosis, outage_text, retransmitted};
use crate::output::watch::words::{
    addresses, bare_milliseconds, bare_percent, cause, clock, clock_after, counted, mark_meaning,
    milliseconds, percent, span,
};
use crate::tls_facts::date_text;
use crate::watch::outage::Outage;
use crate::watch::target::{TargetModel, TargetState};

use ScreenTone::{Bad, Faint, Good, Plain, Strong, Unsure};

/// What the user has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenOptions {
    /// What the terminal can show.
    pub glyphs: Glyphs,
    /// The number of probes that one point of the plot shows.
    pub zoom: usize,
    /// Whether the view is frozen while the probes continue.
    pub frozen: bool,
}

/// The levels of zoom.
pub const ZOOMS: [usize; 7] = [1, 2, 5, 10, 30, 60, 300];

/// The lines of the screen, at most as many as it has rows.
pub fn lines(view: &WatchView<'_>, size: ScreenSize, options: ScreenOptions) -> Vec<StyledLine> {
    let mut lines = match view.model.targets() {
        [only] => single(view, only, size, options),
        _ => several(view, size, options),
    };
    lines.truncate(size.rows);
    lines
}

/// A line with its shorter form.
struct InfoLine {
    full: StyledLine,
    short: StyledLine,
}

impl InfoLine {
    fn fitting(self, columns: usize) -> StyledLine {
        if self.full.width() <= columns {
            self.full
        } else {
            self.short
        }
    }
}

fn single(
    view: &WatchView<'_>,
    target: &TargetModel,
    size: ScreenSize,
    options: ScreenOptions,
) -> Vec<StyledLine> {
    let mut lines: Vec<_> = info(view, target)
        .into_iter()
        .map(|line| line.fitting(size.columns))
        .collect();
    let outages: Vec<_> = target.outages().kept().map(|outage| (0, outage)).collect();
    let left = size.rows.saturating_sub(lines.len());
    // Plot: at least 2 rows, and the rows of marks and of the axis.
    let plot_rows = left
        .saturating_sub(footer_rows(left, outages.len()) + 2)
        .min(16);
    if plot_rows >= 2 {
        lines.extend(plot_lines(view, target, size.columns, plot_rows, options));
    }
    footer(&mut lines, view, &outages, size, options);
    lines
}

/// How many of these rows the outages and keys take.
fn footer_rows(left: usize, outages: usize) -> usize {
    match (left, outages) {
        (0..=5, 0) => 0,
        (_, 0) => 1,
        (0..=7, _) => 2,
        (left, outages) => (outages + 2).min(left / 2),
    }
}

fn state_tone(state: TargetState) -> ScreenTone {
    match state {
        TargetState::Up => Good,
        TargetState::Down => Bad,
        TargetState::Unknown => Unsure,
        TargetState::Waiting => Faint,
    }
}

fn state_word(state: TargetState) -> &'static str {
    match state {
        TargetState::Up => "UP",
        TargetState::Down => "DOWN",
        TargetState::Unknown => "?",
        TargetState::Waiting => "...",
    }
}

/// For how long a target has been in its state.
fn state_age(view: &WatchView<'_>, target: &TargetModel) -> Option<Duration> {
    let since = match target.state() {
        TargetState::Down => &target.outages().current()?.start,
        TargetState::Up => target.up_since()?,
        TargetState::Unknown | TargetState::Waiting => return None,
    };
    Some(view.now.since(since))
}

/// The lines above the plot.
fn info(view: &WatchView<'_>, target: &TargetModel) -> Vec<InfoLine> {
    let mut lines = vec![headline(view, target)];
    lines.extend(first_failure(view, target));
    lines.push(loss(view, target));
    lines.extend(connect(view, target));
    lines.extend(path(target));
    lines.extend(address(view, target));
    lines.extend(certificate(view, target));
    lines.extend(remarks(view, target));
    lines
}

fn labelled(label: &str, tone: ScreenTone, text: impl Into<String>) -> StyledLine {
    StyledLine::new(Faint, format!("{label:<12}")).and(tone, text)
}

fn headline(view: &WatchView<'_>, target: &TargetModel) -> InfoLine {
    let state = target.state();
    let age = state_age(view, target).map(span);
    let word = |age: &Option<String>| match age {
        Some(age) => format!("{} {age}", state_word(state)),
        None => state_word(state).to_owned(),
    };
    let running = format!(
        "  every {}, for {}, {}",
        humantime::format_duration(view.interval),
        span(view.now.since(view.model.start())),
        clock(&view.now, view.utc_offset)
    );
    let tone = state_tone(state);
    InfoLine {
        full: StyledLine::new(tone, word(&age))
            .and(Strong, format!("  {}", view.label(0)))
            .and(Faint, running),
        short: StyledLine::new(tone, word(&age)).and(Strong, format!(" {}", view.label(0))),
    }
}

/// What failed first and since when; the text of the last failure.
fn first_failure(view: &WatchView<'_>, target: &TargetModel) -> Vec<InfoLine> {
    let Some(first) = target.outages().first() else {
        return Vec::new();
    };
    let count = target.outages().count();
    let at = clock_after(&first.start, &view.now, view.utc_offset);
    let total = span(target.outages().total(&view.now));
    let mut lines = vec![InfoLine {
        full: labelled(
            "first failed",
            Plain,
            format!(
                " {at}, {}; {}, down {total} in total",
                cause(first.cause.status),
                counted(count, "outage")
            ),
        ),
        short: StyledLine::new(
            Plain,
            format!(
                "1st {} {}",
                clock(&first.start, view.utc_offset),
                cause(first.cause.status)
            ),
        ),
    }];
    if let Some(current) = target.outages().current() {
        let text = current.cause.text.clone();
        lines.push(InfoLine {
            full: labelled("why", Bad, format!(" {text}")),
            short: StyledLine::new(Bad, text),
        });
    }
    lines
}

fn loss(view: &WatchView<'_>, target: &TargetModel) -> InfoLine {
    let recent = |seconds| {
        let window = Duration::from_secs(seconds);
        target.recent_counts(&view.now, window).loss()
    };
    let (minute, ten, counts) = (recent(60), recent(600), target.counts());
    let mut text = format!(
        " 1 min {}   10 min {}   all {} ({} of {})",
        percent(minute),
        percent(ten),
        percent(counts.loss()),
        counts.down,
        counts.up + counts.down
    );
    if counts.unknown > 0 {
        let _ = write!(text, ", {} unknown", counts.unknown);
    }
    let tone = if minute.is_some_and(|loss| loss > 0.0) {
        Bad
    } else {
        Plain
    };
    InfoLine {
        full: labelled("lost", tone, text),
        short: StyledLine::new(Faint, "lost ").and(
            tone,
            format!(
                "{}/{}/{} %",
                bare_percent(minute),
                bare_percent(ten),
                bare_percent(counts.loss())
            ),
        ),
    }
}

fn connect(view: &WatchView<'_>, target: &TargetModel) -> Option<InfoLine> {
    let recent = target.recent_connect(&view.now);
    let times = if recent.count() > 0 {
        &recent
    } else {
        target.connect()
    };
    let percentile = |percent| times.percentile(percent).map(bare_milliseconds);
    let last = target.last().and_then(|last| last.connect);
    let last = last.map_or_else(|| "-".to_owned(), bare_milliseconds);
    let (p50, p95) = (percentile(50)?, percentile(95)?);
    let jitter = bare_milliseconds(times.jitter()?);
    let full = format!(
        " {last} ms   p50 {p50}   p95 {p95}   p99 {}   max {}   jitter {jitter}",
        percentile(99)?,
        bare_milliseconds(target.connect().max()?)
    );
    Some(InfoLine {
        full: labelled("connect", Plain, full),
        short: StyledLine::new(Faint, "conn ").and(Plain, format!("{last} p95 {p95}")),
    })
}

/// The round trip and the retransmissions: whether the service is slow or the path loses packets.
fn path(target: &TargetModel) -> Option<InfoLine> {
    let rtt = target.rtt().percentile(50);
    let retransmits = retransmitted(target.retransmits());
    if rtt.is_none() && retransmits.is_none() {
        return None;
    }
    let rtt = rtt.map_or_else(|| "-".to_owned(), milliseconds);
    let mut text = format!(" {rtt}   ");
    text.push_str(retransmits.as_deref().unwrap_or("nothing retransmitted"));
    if let Some(first_byte) = target.first_byte().percentile(50) {
        let _ = write!(text, "   first byte {}", milliseconds(first_byte));
    }
    let tone = if retransmits.is_some() { Unsure } else { Plain };
    Some(InfoLine {
        full: labelled("round trip", tone, text),
        short: StyledLine::new(Faint, "rtt ")
            .and(tone, format!("{rtt} lost {}", target.retransmits().syns)),
    })
}

/// The address, if the target is a name, and when it changed.
fn address(view: &WatchView<'_>, target: &TargetModel) -> Option<InfoLine> {
    let answer = target.answer()?;
    let used = target.last().and_then(|last| last.address);
    let used = used.map_or_else(|| addresses(answer), |used| used.to_string());
    let (mut changes, count) = target.address_changes();
    let mut text = format!(" {used}");
    let tone = if let Some(change) = changes.next_back() {
        let at = clock(&change.at, view.utc_offset);
        let (after, before) = (addresses(&change.after), addresses(&change.before));
        let _ = write!(text, "; new at {at}: {after}, before: {before}");
        if count > 1 {
            let _ = write!(text, " ({})", counted(count, "change"));
        }
        Unsure
    } else {
        if answer.len() > 1 {
            let _ = write!(text, " of {}", addresses(answer));
        }
        Plain
    };
    Some(InfoLine {
        full: labelled("address", tone, text),
        short: StyledLine::new(tone, used),
    })
}

fn certificate(view: &WatchView<'_>, target: &TargetModel) -> Option<InfoLine> {
    const DAY: i64 = 24 * 60 * 60;
    let certificate = target.certificate()?;
    let left = certificate.not_after - view.now.wall.div_euclid(1_000_000);
    let days = left.div_euclid(DAY);
    let tone = match days {
        ..0 => Bad,
        0..14 => Unsure,
        _ => Plain,
    };
    let when = if days < 0 {
        format!("expired {}", date_text(certificate.not_after))
    } else {
        format!("{days} days left")
    };
    Some(InfoLine {
        full: labelled(
            "certificate",
            tone,
            format!(" {when}, {}", certificate.subject),
        ),
        short: StyledLine::new(Faint, "cert ").and(tone, when),
    })
}

/// Events of this machine, and whether the path loses packets or the service is slow.
fn remarks(view: &WatchView<'_>, target: &TargetModel) -> Vec<InfoLine> {
    let remark = |tone, text: &str| InfoLine {
        full: StyledLine::new(tone, text),
        short: StyledLine::new(tone, text),
    };
    let mut lines: Vec<_> = diagnosis(target)
        .map(|text| remark(Unsure, text))
        .into_iter()
        .collect();
    lines.extend(
        machine_remarks(view, target.unwatched())
            .iter()
            .map(|text| remark(Faint, text)),
    );
    lines
}

fn machine_remarks(view: &WatchView<'_>, unwatched: Duration) -> Vec<String> {
    let mut texts = Vec::new();
    if !unwatched.is_zero() {
        texts.push(format!(
            "not watched for {}: suspended or stopped",
            span(unwatched)
        ));
    }
    let (steps, _) = view.model.clock_steps();
    if let Some(step) = steps.last() {
        let by = span(Duration::from_micros(step.micros.unsigned_abs()));
        let direction = if step.micros < 0 { "back" } else { "forward" };
        texts.push(format!("the clock was set {direction} by {by}"));
    }
    texts
}

/// The width of the labels left of a plot.
const SCALE_WIDTH: usize = 9;

fn plot_lines(
    view: &WatchView<'_>,
    target: &TargetModel,
    columns: usize,
    rows: usize,
    options: ScreenOptions,
) -> Vec<StyledLine> {
    let margin = if columns >= 40 { SCALE_WIDTH } else { 0 };
    let width = columns - margin;
    let points = target
        .series()
        .last(width * options.glyphs.points_per_cell(), options.zoom);
    let drawn = plot(&points, width, rows, options.glyphs);
    let top = milliseconds(drawn.scale);
    let left = |row: usize| match (margin, row) {
        (0, _) => String::new(),
        (_, 0) => format!("{top:>8} "),
        _ => " ".repeat(margin),
    };
    let mut lines: Vec<_> = drawn
        .rows
        .iter()
        .enumerate()
        .map(|(row, text)| StyledLine::new(Faint, left(row)).and(Plain, text.clone()))
        .collect();
    lines.push(StyledLine::new(Faint, left(1)).and(Bad, drawn.marks.clone()));
    let shown = view.interval * u32::try_from(points.len() * options.zoom).unwrap_or(u32::MAX);
    lines.push(axis(&drawn.marks, shown, margin, width));
    lines
}

/// The line below a plot: how long ago its left end is, and the meaning of the marks.
fn axis(marks: &str, shown: Duration, margin: usize, width: usize) -> StyledLine {
    let start = format!("-{}", span(shown));
    let meanings = legend(marks.chars());
    let room = width.saturating_sub(start.len() + "now".len());
    let middle: String = if meanings.len() + 4 <= room {
        format!("   {meanings}")
    } else {
        String::new()
    };
    let gap = " ".repeat(room.saturating_sub(middle.len()));
    StyledLine::new(Faint, format!("{}{start}", " ".repeat(margin)))
        .and(Bad, middle)
        .and(Faint, format!("{gap}now"))
}

/// The meaning of each mark that occurs.
fn legend(marks: impl Iterator<Item = char>) -> String {
    let mut seen: Vec<char> = Vec::new();
    for mark in marks.filter(|mark| *mark != ' ') {
        if !seen.contains(&mark) {
            seen.push(mark);
        }
    }
    let texts: Vec<_> = seen
        .into_iter()
        .map(|mark| format!("{mark} {}", mark_meaning(mark)))
        .collect();
    texts.join(", ")
}

/// The outages, the newest first, and the keys in the last row.
fn footer(
    lines: &mut Vec<StyledLine>,
    view: &WatchView<'_>,
    outages: &[(usize, &Outage)],
    size: ScreenSize,
    options: ScreenOptions,
) {
    let left = size.rows.saturating_sub(lines.len());
    let rows = left.saturating_sub(usize::from(left > 1 && size.rows > 8));
    let with_names = view.model.targets().len() > 1;
    for (index, outage) in outages.iter().rev().take(rows) {
        let name = if with_names { view.label(*index) } else { "" };
        lines.push(outage_line(view, name, outage, size.columns));
    }
    if size.rows > 8 && lines.len() < size.rows {
        while lines.len() + 1 < size.rows {
            lines.push(StyledLine::default());
        }
        lines.push(keys(size.columns, options));
    }
}

fn outage_line(view: &WatchView<'_>, name: &str, outage: &Outage, columns: usize) -> StyledLine {
    let tone = if outage.end.is_none() { Bad } else { Plain };
    let name = if name.is_empty() {
        String::new()
    } else {
        format!("{name} ")
    };
    if columns >= 60 {
        let start = clock_after(&outage.start, &view.now, view.utc_offset);
        return StyledLine::new(Faint, "outage  ")
            .and(tone, name + &outage_text(view, &start, outage));
    }
    let text = format!(
        "{} {} {name}{}",
        clock(&outage.start, view.utc_offset),
        span(outage.duration(&view.now)),
        cause(outage.cause.status)
    );
    StyledLine::new(tone, text)
}

fn keys(columns: usize, options: ScreenOptions) -> StyledLine {
    if options.frozen {
        return StyledLine::new(Unsure, "FROZEN").and(Faint, "  space continue   q quit");
    }
    let zoom = format!(
        "   + - zoom (1 point = {})",
        counted(options.zoom as u64, "probe")
    );
    let all = format!("q quit   space freeze{zoom}");
    let text = if all.len() <= columns {
        all
    } else {
        "q quit".to_owned()
    };
    StyledLine::new(Faint, text)
}

fn several(view: &WatchView<'_>, size: ScreenSize, options: ScreenOptions) -> Vec<StyledLine> {
    let targets = view.model.targets();
    let mut lines = vec![overview(view, size.columns)];
    if size.rows > 4 {
        lines.extend(failed_first(view));
        let unwatched = targets.iter().map(TargetModel::unwatched).max();
        let remarks = machine_remarks(view, unwatched.unwrap_or_default());
        lines.extend(remarks.into_iter().map(|text| StyledLine::new(Faint, text)));
    }
    let outages = view.model.outages();
    let left = size.rows.saturating_sub(lines.len());
    let rows_for_targets = left.saturating_sub(footer_rows(left, outages.len()).min(left / 3));
    let shown = shown_targets(targets, rows_for_targets);
    let each = rows_for_targets / shown.len().max(1);
    // The heading, at least 2 rows of a plot, and the marks.
    let plot_rows = if each >= 4 { (each - 2).min(8) } else { 0 };
    let label_width = shown
        .iter()
        .map(|index| view.label(*index).chars().count())
        .max()
        .unwrap_or(0)
        .min(size.columns / 3);
    for index in &shown {
        let Some(target) = targets.get(*index) else {
            continue;
        };
        let mut line = target_line(view, *index, target, label_width, size.columns);
        if plot_rows == 0 {
            let room = size.columns.saturating_sub(line.width() + 1);
            line.append(mark_strip(target, room, options));
            lines.push(line);
            continue;
        }
        lines.push(line);
        let mut plot = plot_lines(view, target, size.columns, plot_rows, options);
        // One axis for all, below the last plot.
        let axis = plot.pop();
        lines.extend(plot);
        if Some(index) == shown.last() && each > plot_rows + 2 {
            lines.extend(axis);
        }
    }
    if shown.len() < targets.len() {
        let more = (targets.len() - shown.len()) as u64;
        lines.push(StyledLine::new(
            Faint,
            format!("and {}", counted(more, "more target")),
        ));
    }
    footer(&mut lines, view, &outages, size, options);
    lines
}

/// The targets to show in these rows: all if they fit, otherwise those that are not up first.
fn shown_targets(targets: &[TargetModel], rows: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..targets.len()).collect();
    if targets.len() > rows {
        let is_up = |index: &usize| {
            let target = targets.get(*index);
            target.is_some_and(|target| target.state() == TargetState::Up)
        };
        order.sort_by_key(is_up);
        // One row says how many more there are.
        order.truncate(rows.saturating_sub(1));
    }
    order
}

fn overview(view: &WatchView<'_>, columns: usize) -> StyledLine {
    let model = view.model;
    let (down, up) = (model.count(TargetState::Down), model.count(TargetState::Up));
    let all = model.targets().len();
    let (tone, word) = if down > 0 {
        (Bad, format!("DOWN {down} of {all}"))
    } else if up == all {
        (Good, format!("UP all {all}"))
    } else {
        (Unsure, format!("? {} of {all}", all - up))
    };
    let rest = format!(
        "   {up} up, every {}, for {}, {}",
        humantime::format_duration(view.interval),
        span(view.now.since(model.start())),
        clock(&view.now, view.utc_offset)
    );
    let line = StyledLine::new(tone, word);
    if line.width() + rest.len() <= columns {
        line.and(Faint, rest)
    } else {
        line
    }
}

/// Which targets failed first.
fn failed_first(view: &WatchView<'_>) -> Option<StyledLine> {
    let failed = view.model.failed_targets();
    let (first, outage) = failed.first()?;
    let mut text = format!(
        "failed first: {} at {} ({})",
        view.label(*first),
        clock(&outage.start, view.utc_offset),
        cause(outage.cause.status)
    );
    for (index, later) in failed.iter().skip(1).take(3) {
        let _ = write!(
            text,
            ", {} {} later",
            view.label(*index),
            span(later.start.since(&outage.start))
        );
    }
    Some(StyledLine::new(Strong, text))
}

/// A target on one line.
fn target_line(
    view: &WatchView<'_>,
    index: usize,
    target: &TargetModel,
    label_width: usize,
    columns: usize,
) -> StyledLine {
    let state = target.state();
    let label: String = view.label(index).chars().take(label_width).collect();
    let mut line = StyledLine::new(state_tone(state), format!("{:<4} ", state_word(state)))
        .and(Strong, format!("{label:<label_width$}"));
    let age = state_age(view, target).map_or_else(String::new, span);
    let window = |seconds| {
        let counts = target.recent_counts(&view.now, Duration::from_secs(seconds));
        bare_percent(counts.loss())
    };
    let loss = format!(
        "  lost {}/{}/{} %",
        window(60),
        window(600),
        bare_percent(target.counts().loss())
    );
    let recent = target.recent_connect(&view.now);
    let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), bare_milliseconds);
    let connect = format!(
        "  {} p95 {} jit {} ms",
        time(target.last().and_then(|last| last.connect)),
        time(recent.percentile(95)),
        time(recent.jitter())
    );
    let parts = [
        (Plain, format!("  {age:<8}")),
        (Plain, format!("{loss:<22}")),
        (Plain, connect),
    ];
    for (tone, text) in parts {
        if line.width() + text.trim_end().len() <= columns {
            line = line.and(tone, text);
        }
    }
    line
}

/// The marks of the last probes, a dot for each that was up.
fn mark_strip(target: &TargetModel, room: usize, options: ScreenOptions) -> StyledLine {
    let points = target.series().last(room.min(120), options.zoom);
    let marks: String = points
        .iter()
        .map(|point| match letter(point.mark) {
            ' ' => '.',
            letter => letter,
        })
        .collect();
    StyledLine::new(Plain, " ").and(Faint, marks)
}

#[cfg(test)]
mod tests;
