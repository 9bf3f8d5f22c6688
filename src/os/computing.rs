//! A limit for endless computation: ends a check that still computes after its deadline, and
//! measures the CPU time of this process.
//!
//! It counts CPU time, not elapsed time: a process that was stopped, or had no CPU time, must first
//! read what its peers have sent in the meantime.
#![allow(unsafe_code)]

use std::io;
use std::mem::zeroed;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use libc::c_int;

use crate::os::standard_streams::write_output_within;

/// How long a check may compute after its deadline. A debug build is ten times slower.
const GRACE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 50 });

/// How long the reader of standard output may take to continue.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is printed, and with which status the process ends.
struct LastValue {
    bytes: Box<[u8]>,
    exit_status: c_int,
}

/// Read by the signal handler. Never freed once it is set, since a handler may be using it.
static LAST_VALUE: AtomicPtr<LastValue> = AtomicPtr::new(ptr::null_mut());

/// Ends the process if it computes for more than 50 ms after a deadline; dropped, it does nothing
/// more. It costs no thread: a timer signal at the deadline starts a second timer, which counts
/// computing time.
#[derive(Debug)]
pub struct ComputeAlarm(());

impl ComputeAlarm {
    /// Starts the timer. The process then prints these bytes to standard output, and ends with this
    /// status.
    ///
    /// # Errors
    /// Those of sigaction(2) and setitimer(2).
    pub fn start(deadline: Duration, bytes: Vec<u8>, exit_status: u8) -> io::Result<Self> {
        let value = LastValue {
            bytes: bytes.into(),
            exit_status: exit_status.into(),
        };
        LAST_VALUE.store(Box::into_raw(Box::new(value)), Ordering::Release);
        handle(libc::SIGPROF, end_process)?;
        handle(libc::SIGALRM, count_computing)?;
        set_timer(libc::ITIMER_REAL, deadline)?;
        Ok(Self(()))
    }
}

impl Drop for ComputeAlarm {
    fn drop(&mut self) {
        // The handler of ITIMER_REAL starts ITIMER_PROF, so ITIMER_REAL must be stopped first.
        let _ = set_timer(libc::ITIMER_REAL, Duration::ZERO);
        let _ = set_timer(libc::ITIMER_PROF, Duration::ZERO);
    }
}

/// The time that all threads of this process have computed, with the time of the kernel for them.
pub fn computed() -> Duration {
    // SAFETY: the kernel fills the struct, for which all zeros is a value (clock_gettime(2)).
    let time = unsafe {
        let mut time: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time);
        time
    };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn handle(signal: c_int, handler: extern "C" fn(c_int)) -> io::Result<()> {
    // SAFETY: all zeros is an empty mask. The handlers only call functions that signal-safety(7)
    // allows, and setitimer(2), which is a system call and nothing else.
    let result = unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A timer of zero is stopped.
fn set_timer(timer: c_int, after: Duration) -> io::Result<()> {
    let value = libc::timeval {
        tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        tv_usec: after.subsec_micros().into(),
    };
    let once = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: value,
    };
    // SAFETY: the pointer is valid during the call; the old value is not asked for. The constants
    // have another type in some C libraries.
    let result = unsafe { libc::setitimer(timer as _, &raw const once, ptr::null_mut()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn count_computing(_signal: c_int) {
    let _ = set_timer(libc::ITIMER_PROF as c_int, GRACE);
}

extern "C" fn end_process(_signal: c_int) {
    // SAFETY: the pointer was stored by `start`, before the timer began, and is never freed.
    let Some(value) = (unsafe { LAST_VALUE.load(Ordering::Acquire).as_ref() }) else {
        return;
    };
    // It calls poll(2) and write(2) only. There is nobody to report an error to.
    let _ = write_output_within(&value.bytes, PATIENCE);
    // SAFETY: it does not return, and runs no handlers of exit(3).
    unsafe { libc::_exit(value.exit_status) }
}
