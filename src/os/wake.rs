//! Wakes a thread that waits for descriptors, from other threads and from signal handlers.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::low_level;

/// A descriptor that becomes readable; clones are the same. It is an eventfd (eventfd(2)).
#[derive(Debug, Clone)]
pub struct WakeHandle(Arc<File>);

impl WakeHandle {
    /// A handle that was not used yet.
    ///
    /// # Errors
    /// The error of eventfd(2), most often that no descriptor is left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd(2) takes two numbers and returns a new descriptor, which `File` then
        // owns.
        let file = unsafe {
            match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
                -1 => return Err(io::Error::last_os_error()),
                descriptor => File::from_raw_fd(descriptor),
            }
        };
        Ok(Self(Arc::new(file)))
    }

    /// Makes it readable.
    pub fn wake(&self) {
        // The only failure is a full counter, and then it is readable already.
        let _ = (&*self.0).write(&1_u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub fn clear(&self) {
        // It fails if it is unreadable already.
        let _ = (&*self.0).read(&mut [0; 8]);
    }

    /// The descriptor to watch.
    pub fn watched(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// A flag that this signal sets, which also wakes this handle.
    ///
    /// # Errors
    /// The error of sigaction(2).
    pub fn on_signal(&self, signal: i32) -> io::Result<Arc<AtomicBool>> {
        let flag = Arc::new(AtomicBool::new(false));
        let (set, wake) = (Arc::clone(&flag), self.clone());
        let handler = move || {
            set.store(true, Ordering::SeqCst);
            wake.wake();
        };
        // SAFETY: the handler uses an atomic and write(2) only (signal-safety(7)).
        unsafe { low_level::register(signal, handler)? };
        Ok(flag)
    }
}

/// Waits until one of these descriptors can be read, is at its end or has an error, or this time is
/// over (poll(2)); which of them. A signal can end the wait earlier.
pub fn wait_readable<const N: usize>(
    descriptors: [Option<BorrowedFd<'_>>; N],
    time: Duration,
) -> [bool; N] {
    let mut polled = descriptors.map(|descriptor| libc::pollfd {
        // A negative descriptor is ignored.
        fd: descriptor.map_or(-1, |descriptor| descriptor.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    // Rounded up, so that the time is over afterwards.
    let millis = time.as_nanos().div_ceil(1_000_000);
    let millis = i32::try_from(millis).unwrap_or(i32::MAX);
    // SAFETY: the pointer and the length are those of the array.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, millis) };
    polled.map(|descriptor| result > 0 && descriptor.revents != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_readable_until_it_is_cleared() {
        let wake = WakeHandle::new().unwrap();
        let is_readable = || wait_readable([Some(wake.watched()), None], Duration::ZERO);
        assert_eq!(is_readable(), [false, false]);
        wake.wake();
        wake.clone().wake();
        assert_eq!(is_readable(), [true, false]);
        wake.clear();
        wake.clear();
        assert_eq!(is_readable(), [false, false]);
    }
}
