//! Stops an event loop from a signal handler or from another thread.
//!
//! A signal that arrives before the handler is installed has its default action and ends the process
//! without output. [`BlockedSignals`] keeps it pending, if `main` blocks it first. What is left is
//! the time from execve(2) to `main`, in which the kernel and the dynamic loader start the process;
//! no code of the program can run earlier.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level;

use crate::os::socket;

/// What the handler writes: an eventfd takes numbers of 8 bytes (eventfd(2)).
const ONE: [u8; 8] = 1_u64.to_ne_bytes();

/// Descriptors that a run needs besides this one: the event queue and one socket.
const NEEDED_BESIDES: u64 = 2;

/// Most interruptions of one wait that are retried.
const MAX_INTERRUPTIONS: u32 = 1000;

/// Stops every event loop that watches it, for good; clones are the same handle.
///
/// It is an eventfd because a signal handler may only write to a descriptor (signal-safety(7)), and
/// because that is a single descriptor. It is never read, so a loop that starts after the stop sees
/// it too.
#[derive(Debug, Clone)]
pub struct StopHandle(Arc<File>);

/// SIGINT and SIGTERM stay pending until this is dropped; then they are delivered, also if the parent
/// of the process had blocked them: a service manager could not end it otherwise.
#[derive(Debug)]
pub struct BlockedSignals {
    signals: libc::sigset_t,
}

impl BlockedSignals {
    /// Blocks them. Threads must not exist yet: each has its own mask.
    pub fn block() -> Self {
        let mut signals = MaybeUninit::uninit();
        // SAFETY: sigemptyset(3) initializes `signals`; none of the calls fails with these
        // arguments.
        unsafe {
            libc::sigemptyset(signals.as_mut_ptr());
            for signal in [SIGINT, SIGTERM] {
                libc::sigaddset(signals.as_mut_ptr(), signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut());
            let signals = signals.assume_init();
            Self { signals }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is initialized, and no pointer is kept.
        unsafe {
            libc::sigprocmask(
                libc::SIG_UNBLOCK,
                &raw const self.signals,
                std::ptr::null_mut(),
            )
        };
    }
}

/// Whether a descriptor can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writable {
    /// A small write does not block.
    Yes,
    /// Nobody reads.
    No,
}

/// Lets SIGINT and SIGTERM have no effect. Where they cannot be ignored they keep their effect.
pub fn ignore_signals() {
    for signal in [SIGINT, SIGTERM] {
        // SAFETY: the handler does nothing.
        let _ = unsafe { low_level::register(signal, || ()) };
    }
}

impl StopHandle {
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

    /// A handle that SIGINT and SIGTERM use. A second signal ends the process at once with the exit
    /// status `second_signal`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if its descriptor would be one of the last ones, without which
    /// nothing can be probed. The signals keep their default action then.
    pub fn on_signals(second_signal: i32) -> io::Result<Self> {
        Self::on_signals_with(second_signal, || ())
    }

    /// The same; before a second signal ends the process, it calls this function, which must be safe
    /// in a signal handler (signal-safety(7)).
    ///
    /// # Errors
    /// As [`on_signals`](Self::on_signals).
    pub fn on_signals_with(second_signal: i32, before_exit: fn()) -> io::Result<Self> {
        let stop = Self::new()?;
        if !leaves_enough(stop.0.as_raw_fd()) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The handler has its own handle, so that the descriptor is never closed.
            let (stop, stopping) = (stop.clone(), Arc::clone(&stopping));
            let handler = move || {
                if stopping.swap(true, Ordering::SeqCst) {
                    before_exit();
                    low_level::exit(second_signal);
                }
                stop.stop();
            };
            // SAFETY: the handler uses an atomic, write(2) and _exit(2) only (signal-safety(7)).
            unsafe { low_level::register(signal, handler)? };
        }
        Ok(stop)
    }

    /// Stops the loops; more than once is the same as once.
    pub fn stop(&self) {
        // The only failure is a full counter, and then it is readable already.
        let _ = (&*self.0).write(&ONE);
    }

    /// The descriptor to watch; it becomes readable.
    pub fn watched(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Whether it was used.
    pub fn is_stopped(&self) -> bool {
        let [stop] = polled([(self.0.as_raw_fd(), libc::POLLIN)], Some(Duration::ZERO));
        stop
    }

    /// Waits until this descriptor can be written to, or has an error. Once the handle is used it
    /// waits no longer than `patience`.
    pub fn wait_writable(&self, descriptor: BorrowedFd<'_>, patience: Duration) -> Writable {
        let output = (descriptor.as_raw_fd(), libc::POLLOUT);
        let stop = (self.0.as_raw_fd(), libc::POLLIN);
        for _ in 0..MAX_INTERRUPTIONS {
            match polled([output, stop], None) {
                [true, _] => return Writable::Yes,
                [false, true] => return writable_within(descriptor, patience),
                // A signal interrupted it.
                [false, false] => {}
            }
        }
        // The call is refused, so only the write can wait.
        Writable::Yes
    }
}

/// Whether this descriptor can be written to, or has an error, within this time.
pub fn writable_within(descriptor: BorrowedFd<'_>, time: Duration) -> Writable {
    match polled([(descriptor.as_raw_fd(), libc::POLLOUT)], Some(time)) {
        [true] => Writable::Yes,
        [false] => Writable::No,
    }
}

/// Whether this descriptor can be read, is at its end or has an error, within this time.
pub fn readable_within(descriptor: BorrowedFd<'_>, time: Duration) -> bool {
    let [readable] = polled([(descriptor.as_raw_fd(), libc::POLLIN)], Some(time));
    readable
}

/// Waits for one of these events of these descriptors (poll(2)); which of them there were.
fn polled<const N: usize>(wanted: [(RawFd, i16); N], timeout: Option<Duration>) -> [bool; N] {
    let mut polled = wanted.map(|(fd, events)| libc::pollfd {
        fd,
        events,
        revents: 0,
    });
    let timeout = timeout.map_or(-1, |time| i32::try_from(time.as_millis()).unwrap_or(-1));
    // SAFETY: the pointer and the length are those of the array.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, timeout) };
    polled.map(|descriptor| result > 0 && descriptor.revents != 0)
}

/// Whether a process whose newest descriptor has this number can open those that a run needs. The
/// kernel gives the lowest free number.
fn leaves_enough(newest: RawFd) -> bool {
    let needed = u64::try_from(newest).unwrap_or(0) + 1 + NEEDED_BESIDES;
    let has = |limit: io::Result<u64>| limit.is_ok_and(|limit| limit >= needed);
    let soft = || socket::descriptor_limit().map(|limit| limit.soft);
    has(soft()) || (socket::raise_descriptor_limit().is_ok() && has(soft()))
}
