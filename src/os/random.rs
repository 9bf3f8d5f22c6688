//! Random bytes from the kernel.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::io::Read;

/// Fills the buffer, at most 256 bytes, with random bytes (getrandom(2)) and does not block.
///
/// A system call, because the C library's function cannot be looked up in a static build, and a
/// chroot may have no /dev/urandom. That file is read only if the call fails: the kernel has none, or
/// a filter refuses it.
///
/// # Errors
/// `EAGAIN` soon after the boot, when the kernel has no random bytes yet.
pub fn fill(buffer: &mut [u8]) -> io::Result<()> {
    // SAFETY: the kernel writes at most the passed length into the buffer.
    let written = unsafe {
        libc::syscall(
            libc::SYS_getrandom,
            buffer.as_mut_ptr(),
            buffer.len(),
            libc::GRND_NONBLOCK,
        )
    };
    // Up to 256 bytes are never returned in part (getrandom(2)).
    if usize::try_from(written).is_ok_and(|written| written == buffer.len()) {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Err(error),
        _ => File::open("/dev/urandom")?.read_exact(buffer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_buffer_is_filled() {
        let mut buffer = [0; 256];
        fill(&mut buffer).unwrap();
        // All zeroes in one of these parts has a probability of 2^-124.
        assert!(buffer.chunks(16).all(|part| part != [0; 16]), "{buffer:?}");
        fill(&mut []).unwrap();
    }
}
