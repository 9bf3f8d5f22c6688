//! The start of the process in the place of Rust's own, which reads /proc/self/maps to learn where the stack ends.
//!
//! That is the only file that the check of an address would open, and a sixth of its user instructions. What else Rust's
//! start does and a program needs is here; what it does to report a stack overflow is not: that ends by SIGSEGV all the same.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;

/// Makes the process ready, and gives the words of its command line; to be called first, by the C library's `main`.
///
/// # Errors
/// When a standard descriptor is closed and /dev/null cannot be opened in its place.
///
/// # Safety
/// `words` must point to `count` strings, each with its NUL, as exec(3) leaves them.
pub unsafe fn init(count: c_int, words: *const *const c_char) -> io::Result<Vec<OsString>> {
    sanitize_stdio()?;
    // SAFETY: ignoring a signal runs no code. A reader that has left is then an error of the write, not our end.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let word = |number: usize| {
        // SAFETY: the caller vouches for the strings and their number; they live as long as the process.
        let word = unsafe { CStr::from_ptr(*words.add(number)) };
        OsStr::from_bytes(word.to_bytes()).to_owned()
    };
    Ok((0..usize::try_from(count).unwrap_or(0)).map(word).collect())
}

/// Opens /dev/null in the place of each standard descriptor that is closed: a socket that got its number would be
/// written to as if it were standard output.
fn sanitize_stdio() -> io::Result<()> {
    for descriptor in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: F_GETFD only asks (fcntl(2)), and fails where the descriptor is closed.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1 {
            // The lowest number that is free is this one (open(2)); it stays open until the process ends.
            let _ = File::options()
                .read(true)
                .write(true)
                .open("/dev/null")?
                .into_raw_fd();
        }
    }
    Ok(())
}
