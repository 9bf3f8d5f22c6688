//! Lines of styled text, cut to the size of a terminal.

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

use crate::escape::is_deceptive;
use crate::output::text::{BAD, ColorMode, GOOD, UNSURE};
use crate::output::watch::plot::Glyphs;

/// How a text looks on a screen with colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenTone {
    /// As usual.
    Plain,
    /// Green.
    Good,
    /// Red.
    Bad,
    /// Yellow.
    Unsure,
    /// Less visible.
    Faint,
    /// Bold.
    Strong,
}

impl ScreenTone {
    fn style(self) -> Option<Style> {
        match self {
            Self::Plain => None,
            Self::Good => Some(GOOD),
            Self::Bad => Some(BAD),
            Self::Unsure => Some(UNSURE),
            Self::Faint => Some(Style::new().dimmed()),
            Self::Strong => Some(Style::new().bold()),
        }
    }
}

/// A line of a screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StyledLine(Vec<(ScreenTone, String)>);

impl StyledLine {
    /// A line with one style.
    pub fn new(tone: ScreenTone, text: impl Into<String>) -> Self {
        Self(vec![(tone, text.into())])
    }

    /// The line with more text.
    pub fn and(mut self, tone: ScreenTone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// Appends another line.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The number of cells that it takes.
    pub fn width(&self) -> usize {
        let texts = self.0.iter();
        texts.flat_map(|(_, text)| text.chars()).map(cells).sum()
    }
}

/// The size of a terminal, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenSize {
    /// The columns.
    pub columns: usize,
    /// The rows.
    pub rows: usize,
}

impl ScreenSize {
    /// The size that a terminal reports. Some report 0 if they do not know it, and a size beyond
    /// every screen is not trusted.
    pub fn reported(columns: u16, rows: u16) -> Self {
        let usual = |value: u16, usual: u16, most: u16| match value {
            0 => usual.into(),
            value => value.min(most).into(),
        };
        Self {
            columns: usual(columns, 80, 400),
            rows: usual(rows, 24, 200),
        }
    }
}

fn cells(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// The rows of a screen: the first lines, each cut to the width. There is no control character in
/// them except for the escape sequences of colors.
pub fn rendered(
    lines: &[StyledLine],
    size: ScreenSize,
    colors: ColorMode,
    glyphs: Glyphs,
) -> Vec<String> {
    let row = |line: &StyledLine| row(line, size.columns, colors, glyphs);
    lines.iter().take(size.rows).map(row).collect()
}

fn row(line: &StyledLine, columns: usize, colors: ColorMode, glyphs: Glyphs) -> String {
    let mut row = String::new();
    let mut left = columns;
    for (tone, text) in &line.0 {
        let style = tone.style().filter(|_| colors == ColorMode::Ansi);
        if let Some(style) = style {
            row.push_str(&style.render().to_string());
        }
        for character in text.chars().map(|character| printable(character, glyphs)) {
            let width = cells(character);
            if width > left {
                // A later, narrower character must not take its place.
                left = 0;
                break;
            }
            left -= width;
            row.push(character);
        }
        if let Some(style) = style {
            row.push_str(&style.render_reset().to_string());
        }
    }
    row
}

/// The character, or a replacement for one that the terminal cannot show or that would control it.
fn printable(character: char, glyphs: Glyphs) -> char {
    let is_shown = match glyphs {
        Glyphs::Unicode => !character.is_control() && !is_deceptive(character),
        Glyphs::Ascii => matches!(character, ' '..='~'),
    };
    if is_shown { character } else { '?' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, columns: usize, glyphs: Glyphs) -> String {
        let line = StyledLine::new(ScreenTone::Bad, text);
        let size = ScreenSize { columns, rows: 1 };
        rendered(&[line], size, ColorMode::Off, glyphs).concat()
    }

    #[test]
    fn lines_are_cut_by_cells() {
        assert_eq!(cut("abcdef", 4, Glyphs::Unicode), "abcd");
        assert_eq!(cut("编号编号", 5, Glyphs::Unicode), "编号");
        assert_eq!(cut("编a", 1, Glyphs::Unicode), "");
        assert_eq!(cut("编a", 3, Glyphs::Ascii), "?a");
        assert_eq!(cut("e\u{301}x", 2, Glyphs::Unicode), "e\u{301}x");
    }

    #[test]
    fn nothing_controls_the_terminal() {
        let hostile = "a\x1b[2J\x1b]0;x\x07b\u{9b}31m\u{202e}c\r\n\t";
        assert_eq!(cut(hostile, 80, Glyphs::Unicode), "a?[2J?]0;x?b?31m?c???");
        assert_eq!(cut(hostile, 80, Glyphs::Ascii), "a?[2J?]0;x?b?31m?c???");
    }

    #[test]
    fn colors_are_reset_at_the_end_of_a_cut_line() {
        let line = StyledLine::new(ScreenTone::Bad, "abc").and(ScreenTone::Good, "def");
        let size = ScreenSize {
            columns: 2,
            rows: 1,
        };
        let row = rendered(&[line], size, ColorMode::Ansi, Glyphs::Unicode).concat();
        assert!(
            row.contains("ab") && !row.contains('c') && row.ends_with("\x1b[0m"),
            "{row:?}"
        );
    }

    #[test]
    fn sizes_of_lying_terminals_are_bounded() {
        let size = |columns, rows| {
            let size = ScreenSize::reported(columns, rows);
            (size.columns, size.rows)
        };
        assert_eq!(size(0, 0), (80, 24));
        assert_eq!(size(1, 1), (1, 1));
        assert_eq!(size(u16::MAX, u16::MAX), (400, 200));
        assert_eq!(size(20, 0), (20, 24));
    }
}
