//! The start of the process, in place of the Rust runtime's.
//!
//! The Rust runtime reads /proc/self/maps to find the end of the stack, in order to report a stack
//! overflow. That is a sixth of the user instructions of a check of an address, and the only file
//! that it would open. This module does the rest of the runtime's work: it replaces closed standard
//! descriptors, ignores SIGPIPE and collects the arguments. A stack overflow ends the process with
//! SIGSEGV either way.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;

/// The first argument after the name of the program.
///
/// # Safety
/// As [`init`].
pub unsafe fn first_argument<'a>(argc: c_int, argv: *const *const c_char) -> Option<&'a CStr> {
    // SAFETY: the index is below `argc`, and the function's contract says what `argv` points to.
    (argc > 1).then(|| unsafe { CStr::from_ptr(*argv.add(1)) })
}

/// Prepares the process and returns its arguments.
///
/// # Errors
/// A standard descriptor is closed, and /dev/null cannot be opened in its place.
///
/// # Safety
/// `argv` must point to `argc` pointers to NUL-terminated strings that live as long as the process.
pub unsafe fn init(argc: c_int, argv: *const *const c_char) -> io::Result<Vec<OsString>> {
    sanitize_stdio()?;
    // A write to a closed pipe then fails with EPIPE instead of ending the process.
    // SAFETY: ignoring a signal installs no handler, so no code runs in signal context.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let argument = |index: usize| {
        // SAFETY: `index` is below `argc`, and the function's contract says what `argv` points to.
        let argument = unsafe { CStr::from_ptr(*argv.add(index)) };
        OsStr::from_bytes(argument.to_bytes()).to_owned()
    };
    Ok((0..usize::try_from(argc).unwrap_or(0))
        .map(argument)
        .collect())
}

/// Opens /dev/null for each standard descriptor that is closed. Otherwise a socket could get that
/// number, and output would be written to the socket.
fn sanitize_stdio() -> io::Result<()> {
    for descriptor in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: F_GETFD changes nothing (fcntl(2)); it fails if the descriptor is closed.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1 {
            // open(2) returns the lowest free number, which is this one. It stays open until the
            // process ends.
            let _ = File::options()
                .read(true)
                .write(true)
                .open("/dev/null")?
                .into_raw_fd();
        }
    }
    Ok(())
}
