//! Times, durations, loss and causes in words.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use crate::failure::Status;
use crate::tls_facts::date;
use crate::watch::moment::Moment;

/// The offset of the local time from UTC in seconds, east is positive, at this time in seconds since
/// 1970.
pub type UtcOffset = fn(i64) -> i32;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60;

/// A local time of day.
struct LocalTime {
    date: (i64, i64, i64),
    second_of_day: i64,
    micros: i64,
    offset: i64,
}

fn local(moment: &Moment, utc_offset: UtcOffset) -> LocalTime {
    let seconds = moment.wall.div_euclid(SECOND);
    let offset = i64::from(utc_offset(seconds));
    let shown = seconds.saturating_add(offset);
    LocalTime {
        date: date(shown),
        second_of_day: shown.rem_euclid(DAY),
        micros: moment.wall.rem_euclid(SECOND),
        offset,
    }
}

impl LocalTime {
    fn clock(&self) -> String {
        let (minute, second) = (self.second_of_day / 60, self.second_of_day % 60);
        format!("{:02}:{:02}:{second:02}", minute / 60, minute % 60)
    }

    fn day(&self) -> String {
        let (year, month, day) = self.date;
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// Such as `14:03:07`.
pub fn clock(moment: &Moment, utc_offset: UtcOffset) -> String {
    local(moment, utc_offset).clock()
}

/// Such as `2026-11-30 14:03:07`.
pub fn day_and_clock(moment: &Moment, utc_offset: UtcOffset) -> String {
    let local = local(moment, utc_offset);
    format!("{} {}", local.day(), local.clock())
}

/// Such as `2026-11-30 14:03:07.123`.
pub fn exact(moment: &Moment, utc_offset: UtcOffset) -> String {
    let local = local(moment, utc_offset);
    format!(
        "{} {}.{:03}",
        local.day(),
        local.clock(),
        local.micros / 1000
    )
}

/// The time of day, with the date if it is not that of the other moment.
pub fn clock_after(moment: &Moment, other: &Moment, utc_offset: UtcOffset) -> String {
    if local(moment, utc_offset).date == local(other, utc_offset).date {
        clock(moment, utc_offset)
    } else {
        day_and_clock(moment, utc_offset)
    }
}

/// The time zone, such as `+0100`.
pub fn zone(moment: &Moment, utc_offset: UtcOffset) -> String {
    let offset = local(moment, utc_offset).offset;
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// A duration: `0.2 s`, `42.0 s`, `12m 4s`, `2h 3m`, `3d 4h`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        // 59.96 s is not 60.0 s.
        () if minutes == 0 => {
            let tenths = (duration.as_millis() + 50) / 100;
            let tenths = tenths.min(599);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        () if hours == 0 => format!("{minutes}m {}s", seconds % 60),
        () if days == 0 => format!("{hours}h {}m", minutes % 60),
        () => format!("{days}d {}h", hours % 24),
    }
}

/// A time of a connection: `0.213 ms`, `12.3 ms`, `1003 ms`.
pub fn milliseconds(duration: Duration) -> String {
    format!("{} ms", bare_milliseconds(duration))
}

/// The same without the unit.
pub fn bare_milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    match () {
        () if ms < 1.0 => format!("{ms:.3}"),
        () if ms < 10.0 => format!("{ms:.2}"),
        () if ms < 100.0 => format!("{ms:.1}"),
        () => format!("{ms:.0}"),
    }
}

/// A fraction as a percentage: `3.2 %`; `-` if it is not known.
pub fn percent(fraction: Option<f64>) -> String {
    fraction.map_or_else(
        || "-".to_owned(),
        |fraction| format!("{} %", bare_percent(Some(fraction))),
    )
}

/// The same without the unit. A fraction above 0 is never shown as 0, and one below 1 never as 100.
pub fn bare_percent(fraction: Option<f64>) -> String {
    let Some(fraction) = fraction else {
        return "-".to_owned();
    };
    let percent = fraction * 100.0;
    match () {
        () if percent <= 0.0 => "0".to_owned(),
        () if percent >= 100.0 => "100".to_owned(),
        () => format!("{:.1}", percent.clamp(0.1, 99.9)),
    }
}

/// A number with its noun: `1 probe`, `2 probes`.
pub fn counted(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("{number} {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// Addresses, the first four of them.
pub fn addresses(list: &[IpAddr]) -> String {
    const SHOWN: usize = 4;
    let texts: Vec<String> = list.iter().take(SHOWN).map(ToString::to_string).collect();
    let mut text = texts.join(", ");
    if list.len() > SHOWN {
        let _ = write!(text, " and {} more", list.len() - SHOWN);
    }
    text
}

/// The cause of an outage in a few words.
pub fn cause(status: Status) -> &'static str {
    match status {
        Status::Ok => "up",
        Status::ResolveFailed => "name not resolved",
        Status::ResolveTimeout => "no answer from the name servers",
        Status::Refused => "refused",
        Status::Unreachable => "unreachable",
        Status::ConnectTimeout => "no answer to the SYN",
        Status::Reset => "reset",
        Status::Closed => "closed without the expected answer",
        Status::ReadTimeout => "connected, but silent",
        Status::Mismatch => "wrong answer",
        Status::Rejected => "rejected answer",
        Status::TlsFailed => "TLS failed",
        Status::TlsUntrusted => "certificate not trusted",
        Status::TlsRefused => "STARTTLS refused",
        Status::Denied => "denied by the policy",
        Status::LocalError => "this machine could not probe",
        Status::UnexpectedlyOpen => "open, but should be closed",
        Status::NotTried => "not tried",
    }
}

/// The causes of an outage, in their order: `no answer to the SYN, then refused`.
pub fn causes(statuses: &[Status]) -> String {
    let words: Vec<_> = statuses.iter().map(|status| cause(*status)).collect();
    words.join(", then ")
}

/// The letter that marks a probe with this status in a plot.
pub fn mark(status: Status) -> char {
    match status {
        Status::Ok => ' ',
        Status::ResolveFailed | Status::ResolveTimeout => 'N',
        Status::Refused => 'R',
        Status::Unreachable => 'U',
        Status::ConnectTimeout => 'T',
        Status::Reset => 'X',
        Status::Closed => 'C',
        Status::ReadTimeout => 'S',
        Status::Mismatch | Status::Rejected => 'W',
        Status::TlsFailed | Status::TlsUntrusted | Status::TlsRefused => 'L',
        Status::UnexpectedlyOpen => 'O',
        Status::Denied | Status::LocalError | Status::NotTried => '?',
    }
}

/// The meaning of a [`mark`].
pub fn mark_meaning(mark: char) -> &'static str {
    match mark {
        'N' => "name",
        'R' => "refused",
        'U' => "unreachable",
        'T' => "no answer",
        'X' => "reset",
        'C' => "closed",
        'S' => "silent",
        'W' => "wrong answer",
        'L' => "TLS",
        'O' => "open",
        '/' => "not watched",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::STATUSES;

    #[test]
    fn times_are_local() {
        let moment = Moment {
            wall: 1_796_004_187_123_456,
            ..Moment::default()
        };
        assert_eq!(exact(&moment, |_| 0), "2026-11-30 02:03:07.123");
        assert_eq!(day_and_clock(&moment, |_| 19_800), "2026-11-30 07:33:07");
        assert_eq!(clock(&moment, |_| -10_800), "23:03:07");
        assert_eq!(zone(&moment, |_| -10_800), "-0300");
        assert_eq!(zone(&moment, |_| 19_800), "+0530");
        let later = moment.after(Duration::from_secs(22 * 3600));
        assert_eq!(clock_after(&later, &moment, |_| 0), "2026-12-01 00:03:07");
        assert_eq!(clock_after(&moment, &moment, |_| 0), "02:03:07");
        for wall in [i64::MIN, i64::MAX] {
            let moment = Moment {
                wall,
                ..Moment::default()
            };
            assert!(!exact(&moment, |_| i32::MAX).is_empty());
        }
    }

    #[test]
    fn durations_have_two_units() {
        for (ms, text) in [
            (0, "0.0 s"),
            (240, "0.2 s"),
            (59_940, "59.9 s"),
            (59_999, "59.9 s"),
            (60_000, "1m 0s"),
            (724_000, "12m 4s"),
            (7_380_000, "2h 3m"),
            (273_600_000, "3d 4h"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
        for (micros, text) in [
            (213, "0.213 ms"),
            (1234, "1.23 ms"),
            (99_940, "99.9 ms"),
            (1_003_400, "1003 ms"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn a_small_loss_is_not_shown_as_none() {
        for (fraction, text) in [
            (None, "-"),
            (Some(0.0), "0 %"),
            (Some(1e-6), "0.1 %"),
            (Some(0.0318), "3.2 %"),
            (Some(0.999_99), "99.9 %"),
            (Some(1.0), "100 %"),
        ] {
            assert_eq!(percent(fraction), text);
        }
    }

    #[test]
    fn every_status_has_words_and_a_mark() {
        for row in &STATUSES {
            assert!(!cause(row.status).is_empty());
            let mark = mark(row.status);
            assert!(mark.is_ascii());
            assert_eq!(mark == '?', row.status.is_unknown(), "{}", row.name);
            assert_eq!(mark_meaning(mark) == "unknown", mark == '?' || mark == ' ');
        }
    }
}
