//! The CPU time of a thread. Unlike elapsed time, it does not grow while other threads run, so it
//! measures work.
#![allow(unsafe_code)]

use std::time::Duration;

/// The CPU time that this thread has used (`CLOCK_THREAD_CPUTIME_ID`, `clock_gettime(2)`).
pub fn of_this_thread() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local value. The call fails for unknown clocks only, and the time
    // is zero then.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let start = of_this_thread();
        let mut sum = 0_u64;
        while of_this_thread() < start + Duration::from_millis(2) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }
}
