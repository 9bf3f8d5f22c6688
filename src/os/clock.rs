//! Clocks that the standard library does not offer: the one that also runs while the machine is
//! suspended, and the local time.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::time::Duration;

/// The clocks, read at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// `CLOCK_MONOTONIC`: stands still while the machine is suspended.
    pub monotonic: Duration,
    /// `CLOCK_BOOTTIME`: runs while the machine is suspended.
    pub boot: Duration,
    /// `CLOCK_REALTIME` in microseconds since 1970; it can be set.
    pub wall: i64,
}

/// How far apart the readings of the clocks may be.
const APART: Duration = Duration::from_millis(1);
/// How often the clocks are read again because this process was interrupted between them.
const RETRIES: u32 = 10;

/// Reads the clocks (`clock_gettime(2)`).
pub fn read() -> ClockReading {
    let mut reading = read_once();
    for _ in 0..RETRIES {
        if read_clock(libc::CLOCK_MONOTONIC).saturating_sub(reading.monotonic) < APART {
            break;
        }
        reading = read_once();
    }
    reading
}

fn read_once() -> ClockReading {
    let monotonic = read_clock(libc::CLOCK_MONOTONIC);
    let boot = read_clock(libc::CLOCK_BOOTTIME);
    let wall = read_clock(libc::CLOCK_REALTIME);
    ClockReading {
        monotonic,
        boot,
        wall: i64::try_from(wall.as_micros()).unwrap_or(i64::MAX),
    }
}

/// The time of a clock; zero if the kernel does not have it.
fn read_clock(clock: libc::clockid_t) -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the pointer is to a local, for which all zeroes is a value.
    let time = unsafe {
        libc::clock_gettime(clock, time.as_mut_ptr());
        time.assume_init()
    };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos.min(999_999_999))
}

/// The offset of the local time from UTC in seconds at this time, in seconds since 1970; east is
/// positive (`localtime_r(3)`). 0 if there is none.
#[allow(
    deprecated,
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    clippy::cast_possible_truncation,
    reason = "time_t and tm_gmtoff have other sizes elsewhere"
)]
pub fn utc_offset(at: i64) -> i32 {
    let at = at as libc::time_t;
    let mut local = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to locals that outlive the call; all zeroes is a value of `tm`.
    let offset = unsafe {
        if libc::localtime_r(&raw const at, local.as_mut_ptr()).is_null() {
            return 0;
        }
        local.assume_init().tm_gmtoff
    };
    i32::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_advance() {
        let first = read();
        std::thread::sleep(Duration::from_millis(20));
        let second = read();
        let passed = second.monotonic.saturating_sub(first.monotonic);
        assert!(passed >= Duration::from_millis(20), "{passed:?}");
        let suspended = second.boot.saturating_sub(first.boot).abs_diff(passed);
        assert!(suspended < Duration::from_millis(10), "{suspended:?}");
        // After 2020.
        assert!(first.wall > 1_577_836_800_000_000);
    }

    #[test]
    fn offsets_are_those_of_a_day_at_most() {
        for at in [0, 1_796_004_187, i64::MIN, i64::MAX] {
            assert!(utc_offset(at).abs() <= 26 * 3600);
        }
    }
}
