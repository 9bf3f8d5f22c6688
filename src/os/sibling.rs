//! A short-lived process beside this one: another child of this process's parent.
#![allow(unsafe_code)]

use std::time::Duration;

/// Starts a process that is a child of this process's parent, does nothing for this long, and ends.
/// It has none of this process's descriptors, and ends with the parent. Returns whether it started.
///
/// Only for a process with a single thread: the new one has a copy of its memory as it is now.
pub fn wait_beside(time: Duration) -> bool {
    let rest = libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(0),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: clone(2) without a stack and without shared memory is fork(2) with another parent. The
    // new process makes system calls only, which take numbers and a valid pointer, and never
    // returns. This process has no other thread that could hold a lock.
    unsafe {
        let flags = libc::CLONE_PARENT | libc::SIGCHLD;
        match libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) {
            -1 => false,
            0 => {
                // A stopped service must not wait for this process.
                libc::signal(libc::SIGTERM, libc::SIG_DFL);
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
                if libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) == -1 {
                    // Before Linux 5.9.
                    for descriptor in 0..64 {
                        libc::close(descriptor);
                    }
                }
                libc::nanosleep(&raw const rest, std::ptr::null_mut());
                libc::_exit(0)
            }
            _ => true,
        }
    }
}
