//! The live view: keys, size, and what is written to the terminal.

use std::fmt::Write;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCONT, SIGTSTP, SIGWINCH};

use crate::os::terminal::LiveTerminal;
use crate::os::wake::WakeHandle;
use crate::output::text::ColorMode;
use crate::output::watch::screen::{ScreenOptions, ZOOMS};
use crate::output::watch::{Glyphs, ScreenSize, WatchView, rendered, screen};

/// A live view on the terminal.
pub struct LiveView {
    terminal: Option<LiveTerminal>,
    colors: ColorMode,
    options: ScreenOptions,
    /// The rows that the terminal shows; empty if it has to be drawn completely.
    shown: Vec<String>,
    size: ScreenSize,
    /// Whether keys can be read.
    has_keys: bool,
    resized: Arc<AtomicBool>,
    suspended: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ViewKey {
    Quit,
    Freeze,
    ZoomIn,
    ZoomOut,
    Redraw,
}

impl LiveView {
    /// Starts the view.
    ///
    /// # Errors
    /// Standard output is not a terminal, or signals cannot be handled.
    pub fn begin(glyphs: Glyphs, colors: ColorMode, wake: &WakeHandle) -> io::Result<Self> {
        let resized = wake.on_signal(SIGWINCH)?;
        let suspended = wake.on_signal(SIGTSTP)?;
        let continued = wake.on_signal(SIGCONT)?;
        let terminal = LiveTerminal::begin()?;
        Ok(Self {
            size: size_of(&terminal),
            terminal: Some(terminal),
            colors,
            options: ScreenOptions {
                glyphs,
                zoom: 1,
                frozen: false,
            },
            shown: Vec::new(),
            has_keys: true,
            resized,
            suspended,
            continued,
        })
    }

    /// The descriptor that is readable when a key was pressed.
    pub fn keys(&self) -> Option<BorrowedFd<'_>> {
        let terminal = self.terminal.as_ref().filter(|_| self.has_keys)?;
        terminal.keys()
    }

    /// Handles signals and keys, and draws the view; false if the user wants to end it, or the
    /// terminal is gone.
    pub fn show(&mut self, view: &WatchView<'_>) -> bool {
        self.handle_signals();
        if !self.handle_keys() {
            return false;
        }
        if self.options.frozen && !self.shown.is_empty() {
            return true;
        }
        self.draw(view)
    }

    /// Ends the view and restores the terminal.
    pub fn end(&mut self) {
        self.terminal = None;
    }

    fn handle_signals(&mut self) {
        let Some(terminal) = &self.terminal else {
            return;
        };
        if self.suspended.swap(false, Ordering::SeqCst) {
            terminal.suspend();
        }
        if self.continued.swap(false, Ordering::SeqCst) {
            terminal.resume();
            self.resized.store(true, Ordering::SeqCst);
        }
        if self.resized.swap(false, Ordering::SeqCst) {
            self.size = size_of(terminal);
            self.shown.clear();
        }
    }

    fn handle_keys(&mut self) -> bool {
        let Some(terminal) = self.terminal.as_ref().filter(|_| self.has_keys) else {
            return true;
        };
        if terminal.keys().is_none() {
            return true;
        }
        let Some(bytes) = terminal.read_keys() else {
            // The terminal is gone.
            self.has_keys = false;
            return false;
        };
        for key in keys(&bytes) {
            match key {
                ViewKey::Quit => return false,
                ViewKey::Freeze => {
                    self.options.frozen = !self.options.frozen;
                    self.shown.clear();
                }
                ViewKey::ZoomIn => {
                    self.zoom(|zoom| ZOOMS.into_iter().rev().find(|other| *other < zoom));
                }
                ViewKey::ZoomOut => self.zoom(|zoom| ZOOMS.into_iter().find(|other| *other > zoom)),
                ViewKey::Redraw => self.shown.clear(),
            }
        }
        true
    }

    fn zoom(&mut self, next: impl FnOnce(usize) -> Option<usize>) {
        self.options.zoom = next(self.options.zoom).unwrap_or(self.options.zoom);
    }

    /// Writes the rows that changed.
    fn draw(&mut self, view: &WatchView<'_>) -> bool {
        let Some(terminal) = &self.terminal else {
            return true;
        };
        let lines = screen::lines(view, self.size, self.options);
        let mut rows = rendered(&lines, self.size, self.colors, self.options.glyphs);
        rows.resize(self.size.rows, String::new());
        let frame = frame(&self.shown, &rows);
        if frame.is_empty() {
            return true;
        }
        match terminal.write(frame.as_bytes()) {
            Ok(true) => self.shown = rows,
            // The terminal is stopped or slow: the next frame draws everything.
            Ok(false) => self.shown.clear(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.shown.clear(),
            Err(_) => return false,
        }
        true
    }
}

fn size_of(terminal: &LiveTerminal) -> ScreenSize {
    let (columns, rows) = terminal.size();
    ScreenSize::reported(columns, rows)
}

/// The escape sequences and texts that draw the rows that differ. If no rows are shown, they clear
/// the screen first; CAN ends an escape sequence of which only a part was written before.
fn frame(shown: &[String], rows: &[String]) -> String {
    let mut frame = String::new();
    if shown.is_empty() {
        frame.push_str("\x18\x1b[0m\x1b[2J");
    }
    for (index, row) in rows.iter().enumerate() {
        let is_shown = match shown.get(index) {
            Some(shown) => shown == row,
            None => row.is_empty(),
        };
        if !is_shown {
            // Moves to the start of the row and clears it.
            let _ = write!(frame, "\x1b[{};1H\x1b[K{row}", index + 1);
        }
    }
    frame
}

/// The keys in these bytes. Escape sequences, such as those of arrow keys, are skipped.
fn keys(bytes: &[u8]) -> Vec<ViewKey> {
    let mut keys = Vec::new();
    let mut bytes = bytes.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            // CSI and SS3: parameters, then a final byte (ECMA-48).
            0x1b => {
                if let Some(b'[' | b'O') = bytes.next() {
                    let is_parameter = |byte: &u8| matches!(byte, 0x20..=0x3f);
                    while bytes.next_if(is_parameter).is_some() {}
                    bytes.next();
                }
            }
            // Ctrl-C causes a signal, unless the terminal was set otherwise.
            b'q' | b'Q' | 0x03 => keys.push(ViewKey::Quit),
            b' ' | b'p' => keys.push(ViewKey::Freeze),
            b'+' | b'=' => keys.push(ViewKey::ZoomIn),
            b'-' => keys.push(ViewKey::ZoomOut),
            // Ctrl-L.
            0x0c => keys.push(ViewKey::Redraw),
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changed_rows_are_written() {
        let rows = |texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| (*text).to_owned()).collect()
        };
        let first = rows(&["a", "b", ""]);
        assert_eq!(
            frame(&[], &first),
            "\x18\x1b[0m\x1b[2J\x1b[1;1H\x1b[Ka\x1b[2;1H\x1b[Kb"
        );
        assert_eq!(frame(&first, &first), "");
        assert_eq!(frame(&first, &rows(&["a", "", ""])), "\x1b[2;1H\x1b[K");
    }

    #[test]
    fn keys_are_bytes_outside_of_escape_sequences() {
        assert_eq!(
            keys(b"+- q"),
            [
                ViewKey::ZoomIn,
                ViewKey::ZoomOut,
                ViewKey::Freeze,
                ViewKey::Quit
            ]
        );
        assert_eq!(keys(b"\x1b[A\x1bOq\x1b[1;5q\x1b[200~"), []);
        assert_eq!(keys(b"\x1b"), []);
        assert_eq!(keys(b"\x1b[\x0c"), []);
        assert_eq!(keys(b"\x0c\xff\x00"), [ViewKey::Redraw]);
    }
}
