//! The progress bar of a batch, on standard error if that is a terminal.

use std::io;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::os::standard_streams::write_error_within;
use crate::output::summary::Summary;

/// The minimum time between two updates.
const UPDATE_INTERVAL: Duration = Duration::from_millis(100);
/// The width of the bar in characters.
const WIDTH: usize = 30;

/// The progress bar. It is erased when dropped.
#[derive(Debug)]
pub struct ProgressBar {
    targets: usize,
    /// The time of the last update.
    drawn: Option<Instant>,
}

impl ProgressBar {
    /// A bar for this many targets; `None` if standard error is not a terminal.
    pub fn new(targets: usize) -> Option<Self> {
        io::stderr().is_terminal().then_some(Self {
            targets,
            drawn: None,
        })
    }

    /// Updates the bar, unless the last update is too recent.
    #[allow(clippy::disallowed_methods)]
    pub fn show(&mut self, summary: &Summary) {
        let now = Instant::now();
        if self
            .drawn
            .is_some_and(|drawn| now.duration_since(drawn) < UPDATE_INTERVAL)
        {
            return;
        }
        self.drawn = Some(now);
        // A closed or stopped terminal does not affect the run.
        let line = line(summary, self.targets);
        write_error_within(line.as_bytes(), Duration::ZERO);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            write_error_within(b"\r\x1b[K", Duration::ZERO);
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
    fn the_bar_grows_on_one_line() {
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
