//! Lines for a pipe or a file. A reader that stops reading delays no probe: up to 1 MiB is kept, and
//! further lines are dropped and counted.

use std::io;

use crate::commands::stoppable_output::StoppableOutput;
use crate::commands::watch::feed::TrackedProbe;
use crate::os::clock;
use crate::output::watch::{lines, ndjson};
use crate::settings::watch::WatchFormat;

/// The most bytes that wait for the reader.
const MOST: usize = 1 << 20;

/// The lines that were not written yet.
#[derive(Debug, Default)]
pub struct LineStreamer {
    pending: Vec<u8>,
    dropped: u64,
    is_closed: bool,
}

impl LineStreamer {
    /// Adds the lines of a probe.
    pub fn add(&mut self, format: WatchFormat, label: &str, probe: &TrackedProbe) {
        let TrackedProbe {
            number,
            sample,
            changes,
            report,
            ..
        } = probe;
        let text = if format == WatchFormat::Ndjson {
            let mut text = ndjson::probe_line(*number, label, sample, report);
            for change in changes {
                text.push_str(&ndjson::change_line(label, sample, change));
            }
            text
        } else {
            lines::line(label, sample, changes, clock::utc_offset)
        };
        if self.pending.len() + text.len() > MOST {
            self.dropped += 1;
            return;
        }
        self.note_dropped(format);
        self.pending.extend_from_slice(text.as_bytes());
    }

    /// Adds a note with the number of dropped lines, at their place.
    fn note_dropped(&mut self, format: WatchFormat) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped == 0 {
            return;
        }
        let note = if format == WatchFormat::Ndjson {
            format!("{{\"event\":\"dropped\",\"probes\":{dropped}}}\n")
        } else {
            format!("({dropped} lines were dropped, because nobody read them)\n")
        };
        self.pending.extend_from_slice(note.as_bytes());
    }

    /// Writes what the reader accepts without waiting; false once there is no reader.
    pub fn flush(&mut self) -> bool {
        match StoppableOutput::write_available(&self.pending) {
            Ok(written) => {
                self.pending.drain(..written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                self.pending.clear();
                self.is_closed = true;
            }
        }
        !self.is_closed
    }

    /// Whether lines wait for the reader.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The lines that were not written.
    pub fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}
