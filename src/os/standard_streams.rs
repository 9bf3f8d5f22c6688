//! Standard output and standard error, unbuffered, and without waiting for ever for their readers.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::os::stop::{Writable, writable_within};

/// Standard output.
// SAFETY: nothing closes it; if it is not open, system calls return EBADF.
pub const OUTPUT: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(libc::STDOUT_FILENO) };
/// Standard error.
// SAFETY: as above.
const ERROR: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };

/// The maximum number of bytes of one write: a pipe that is ready accepts this many without
/// blocking (`PIPE_BUF`, pipe(7)).
const CHUNK: usize = 4096;

/// How long the reader of standard error may take to read the messages of this process.
const PATIENCE: Duration = Duration::from_millis(500);

/// Set once the reader of standard error did not read in time: nothing waits for it again.
static ERROR_IS_UNREAD: AtomicBool = AtomicBool::new(false);

/// Writes a part of these bytes to standard output; how much that was. A pipe that is ready does
/// not block it.
///
/// # Errors
/// Those of write(2).
pub fn write_output(bytes: &[u8]) -> io::Result<usize> {
    write(OUTPUT, bytes)
}

/// Writes these bytes to standard output, as long as its reader continues before `patience` is over
/// each time.
///
/// # Errors
/// Those of write(2), and `TimedOut` if the reader does not continue.
pub fn write_output_within(bytes: &[u8], patience: Duration) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        if writable_within(OUTPUT, patience) == Writable::No {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let written = match write_output(rest) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            written => written?,
        };
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Writes a message to standard error. What its reader does not read within half a second is lost,
/// as is what a closed standard error does not accept.
pub fn write_message(bytes: &[u8]) {
    let patience = if ERROR_IS_UNREAD.load(Ordering::Relaxed) {
        Duration::ZERO
    } else {
        PATIENCE
    };
    if write_error_within(bytes, patience) < bytes.len() {
        ERROR_IS_UNREAD.store(true, Ordering::Relaxed);
    }
}

/// Writes as many of these bytes to standard error as its reader accepts within this time, which
/// may be zero; returns their number. A closed standard error accepts all.
#[allow(clippy::disallowed_methods)]
pub fn write_error_within(bytes: &[u8], time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut rest = bytes;
    while !rest.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        if writable_within(ERROR, left) == Writable::No {
            break;
        }
        match write(ERROR, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return bytes.len(),
        }
    }
    bytes.len() - rest.len()
}

fn write(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let bytes = bytes.get(..CHUNK).unwrap_or(bytes);
    // SAFETY: the pointer and the length are those of the slice.
    let written =
        unsafe { libc::write(descriptor.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}
