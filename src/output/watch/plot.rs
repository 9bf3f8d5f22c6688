//! A plot of connect times: an area of braille patterns, two probes a cell, or of ASCII characters,
//! one probe a cell; below it a row of marks for the probes that failed.

use std::time::Duration;

use crate::output::watch::words::mark;
use crate::watch::series::{Mark, Point};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// The characters of Unicode.
    Unicode,
    /// Those of ASCII only.
    Ascii,
}

impl Glyphs {
    /// The number of probes that one cell shows.
    pub(super) fn points_per_cell(self) -> usize {
        match self {
            Self::Unicode => 2,
            Self::Ascii => 1,
        }
    }

    /// The number of heights that a cell can show.
    fn levels_per_cell(self) -> usize {
        match self {
            Self::Unicode => 4,
            Self::Ascii => 3,
        }
    }
}

/// A plot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// The rows of the area, the top one first.
    pub rows: Vec<String>,
    /// The row of marks: a letter where a probe failed, a space elsewhere.
    pub marks: String,
    /// The time that the height of the area stands for.
    pub scale: Duration,
}

/// The plot of these points in an area of this size in cells. The newest point is at the right.
pub fn plot(points: &[Point], columns: usize, rows: usize, glyphs: Glyphs) -> Plot {
    let scale = scale(points);
    let per_cell = glyphs.points_per_cell();
    let width = columns * per_cell;
    let points = points
        .get(points.len().saturating_sub(width)..)
        .unwrap_or_default();
    let missing = width - points.len();
    let point = |index: usize| points.get(index.checked_sub(missing)?);
    let levels = rows * glyphs.levels_per_cell();
    let heights: Vec<usize> = (0..width)
        .map(|index| point(index).map_or(0, |point| height(point, scale, levels)))
        .collect();
    let row = |row: usize| -> String {
        // The levels below this row.
        let below = (rows - 1 - row) * glyphs.levels_per_cell();
        heights
            .chunks(per_cell)
            .map(|cell| glyph(cell, below, glyphs))
            .collect()
    };
    let marks = (0..columns).map(|cell| {
        let points = (cell * per_cell..(cell + 1) * per_cell).filter_map(point);
        let worst = points.max_by_key(|point| point.mark.rank());
        worst.map_or(' ', |point| letter(point.mark))
    });
    Plot {
        rows: (0..rows).map(row).collect(),
        marks: marks.collect(),
        scale,
    }
}

/// The letter of a point.
pub(super) fn letter(point: Mark) -> char {
    match point {
        Mark::Up => ' ',
        Mark::Gap => '/',
        Mark::Failed(status) => mark(status),
    }
}

/// A round time that is above the 95th percentile of these points with some room, so that a single
/// long time, such as that of a lost SYN, does not flatten all others.
fn scale(points: &[Point]) -> Duration {
    let mut times: Vec<_> = points.iter().filter_map(Point::connect).collect();
    times.sort_unstable();
    let index = (times.len() * 95).div_ceil(100).saturating_sub(1);
    let time = times.get(index).copied().unwrap_or(Duration::ZERO);
    let wanted = time.as_micros().saturating_mul(5) / 4;
    let mut power = 10_u128;
    loop {
        for step in [1, 2, 5] {
            if power * step >= wanted {
                let micros = u64::try_from(power * step).unwrap_or(u64::MAX);
                return Duration::from_micros(micros);
            }
        }
        power = power.saturating_mul(10);
    }
}

/// The height of a point in levels; a time above the scale is cut at the top.
fn height(point: &Point, scale: Duration, levels: usize) -> usize {
    let Some(time) = point.connect() else {
        return 0;
    };
    let part = time.as_micros() * levels as u128 / scale.as_micros().max(1);
    usize::try_from(part)
        .unwrap_or(levels)
        .clamp(1, levels.max(1))
}

/// The character of a cell with columns of these heights, above this many levels.
fn glyph(heights: &[usize], below: usize, glyphs: Glyphs) -> char {
    let level = |index: usize| {
        let height = heights.get(index).copied().unwrap_or(0);
        height.saturating_sub(below)
    };
    match glyphs {
        Glyphs::Unicode => {
            // The dots of a column from the bottom (Unicode, Braille Patterns).
            const LEFT: [u32; 5] = [0, 0x40, 0x44, 0x46, 0x47];
            const RIGHT: [u32; 5] = [0, 0x80, 0xa0, 0xb0, 0xb8];
            let dots =
                |table: [u32; 5], level: usize| table.get(level.min(4)).copied().unwrap_or(0);
            let pattern = dots(LEFT, level(0)) | dots(RIGHT, level(1));
            match pattern {
                0 => ' ',
                pattern => char::from_u32(0x2800 + pattern).unwrap_or(' '),
            }
        }
        Glyphs::Ascii => match level(0) {
            0 => ' ',
            1 => '.',
            2 => ':',
            _ => '|',
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;

    fn up(micros: u64) -> Point {
        Point::new(Mark::Up, Some(Duration::from_micros(micros)))
    }

    fn failed(status: Status) -> Point {
        Point::new(Mark::Failed(status), None)
    }

    #[test]
    fn the_newest_probe_is_at_the_right() {
        let points: Vec<_> = (1..=8).map(|step| up(step * 100)).collect();
        let drawn = plot(&points, 6, 2, Glyphs::Unicode);
        assert_eq!(drawn.scale, Duration::from_millis(1));
        assert_eq!(
            drawn.rows,
            ["     \u{28e0}", "  \u{28c0}\u{28f4}\u{28ff}\u{28ff}"]
        );
        assert_eq!(drawn.marks, "      ");
        let ascii = plot(&points[..], 4, 1, Glyphs::Ascii);
        assert_eq!(ascii.rows, ["..::"]);
    }

    #[test]
    fn failed_probes_have_marks_and_no_height() {
        let points = [
            up(500),
            failed(Status::Refused),
            failed(Status::ConnectTimeout),
            Point::new(Mark::Gap, None),
            failed(Status::LocalError),
            up(500),
        ];
        let drawn = plot(&points, 3, 1, Glyphs::Unicode);
        assert_eq!(drawn.marks, "RT?");
        let ascii = plot(&points, 6, 1, Glyphs::Ascii);
        assert_eq!(ascii.marks, " RT/? ");
        assert_eq!(ascii.rows[0].chars().nth(1), Some(' '));
    }

    #[test]
    fn one_long_time_does_not_flatten_the_others() {
        let mut points = vec![up(800); 99];
        points.push(up(1_003_000));
        let drawn = plot(&points, 50, 1, Glyphs::Unicode);
        assert_eq!(drawn.scale, Duration::from_millis(1));
        assert_eq!(drawn.rows[0].chars().last(), Some('\u{28fe}'));
    }

    #[test]
    fn every_size_is_drawn() {
        let points = [up(0), up(u64::from(u32::MAX)), failed(Status::Reset)];
        for columns in 0..5 {
            for rows in 0..4 {
                for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
                    for points in [&points[..], &[]] {
                        let drawn = plot(points, columns, rows, glyphs);
                        assert_eq!(drawn.rows.len(), rows);
                        let lines = drawn.rows.iter().chain([&drawn.marks]);
                        assert!(
                            lines
                                .into_iter()
                                .all(|line| line.chars().count() == columns)
                        );
                    }
                }
            }
        }
    }
}
