//! Unbuffered standard output.
#![allow(unsafe_code)]

use std::io;

/// Writes a part of these bytes with one write(2); how much that was.
///
/// # Errors
/// Those of write(2).
pub fn write(bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of the slice.
    let written = unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}
