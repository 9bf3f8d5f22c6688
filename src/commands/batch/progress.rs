//! A bar on the terminal's standard error while a run is under way.

use std::io;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::output::summary::Summary;

/// The least time between two drawings.
const PAUSE: Duration = Duration::from_millis(100);
/// The bar's width.
const WIDTH: usize = 30;

/// The bar; it is taken away when it is dropped.
#[derive(Debug)]
pub struct Progress {
    targets: usize,
    drawn: Option<Instant>,
}

impl Progress {
    /// A bar for so many targets, where standard error is a terminal.
    pub fn new(targets: usize) -> Option<Self> {
        io::stderr().is_terminal().then_some(Self {
            targets,
            drawn: None,
        })
    }

    /// Draws how far it is, unless it was drawn just now.
    #[allow(clippy::disallowed_methods)]
    pub fn show(&mut self, summary: &Summary) {
        let now = Instant::now();
        if self
            .drawn
            .is_some_and(|drawn| now.duration_since(drawn) < PAUSE)
        {
            return;
        }
        self.drawn = Some(now);
        // A terminal that is gone is no error of the run.
        let _ = io::stderr().write_all(line(summary, self.targets).as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn line(summary: &Summary, targets: usize) -> String {
    let done = summary.targets();
    let filled = (done * WIDTH).checked_div(targets).unwrap_or(0).min(WIDTH);
    let bar = "#".repeat(filled) + &".".repeat(WIDTH - filled);
    format!(
        "\r\x1b[K[{bar}] {done} of {targets}, {} up, {} down",
        summary.up, summary.down
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_and_stays_on_its_line() {
        let summary = |up| {
            let mut summary = Summary::default();
            summary.up = up;
            summary
        };
        let at = |up, targets| line(&summary(up), targets);
        assert_eq!(
            at(0, 10),
            "\r\x1b[K[..............................] 0 of 10, 0 up, 0 down"
        );
        assert_eq!(
            at(5, 10),
            "\r\x1b[K[###############...............] 5 of 10, 5 up, 0 down"
        );
        assert_eq!(
            at(10, 10),
            "\r\x1b[K[##############################] 10 of 10, 10 up, 0 down"
        );
    }
}
