//! Standard output of a command that a signal stops. If the reader stops reading, this neither delays
//! a run nor keeps the process alive after a signal.

use std::io;
use std::io::Write;
use std::time::Duration;

use crate::os::standard_streams::{OUTPUT, write_output};
use crate::os::stop::{StopHandle, Writable, writable_within};

/// How long the reader may take to continue after a signal. The process ends within 100 ms in
/// total.
const PATIENCE: Duration = Duration::from_millis(60);

/// Writes to standard output until a signal arrives; after it, as long as the reader reads.
pub struct StoppableOutput<'s> {
    stop: Option<&'s StopHandle>,
    /// Whether the reader did not read after a signal: no further write waits for it.
    is_abandoned: bool,
}

impl<'s> StoppableOutput<'s> {
    /// Unbuffered output.
    pub fn new(stop: Option<&'s StopHandle>) -> Self {
        Self {
            stop,
            is_abandoned: false,
        }
    }

    /// Writes as many of these bytes as possible without waiting; returns their number.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn write_available(bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() && writable_within(OUTPUT, Duration::ZERO) == Writable::Yes {
            let written = write_output(rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(bytes.len() - rest.len())
    }
}

impl Write for StoppableOutput<'_> {
    /// Writes a part.
    ///
    /// # Errors
    /// Those of write(2), and `TimedOut` if a signal arrived and the reader does not read.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(stop) = self.stop {
            self.is_abandoned =
                self.is_abandoned || stop.wait_writable(OUTPUT, PATIENCE) == Writable::No;
            if self.is_abandoned {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        write_output(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
