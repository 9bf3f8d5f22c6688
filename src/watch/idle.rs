//! After how long an idle connection is lost.
//!
//! Several connections are opened at the same time. Nothing is sent on them, not even a keepalive
//! probe, and each of them is tested once, after a different time: a FIN is sent, and the peer's
//! kernel acknowledges it if the connection still exists on the path. A test is traffic, so a
//! connection cannot be tested twice. The idle timeout is between the longest time after which a
//! connection was alive and the shortest after which one was not.

use std::time::Duration;

/// The most connections.
pub const MAX_CONNECTIONS: usize = 16;

/// The times after which connections are tested, ascending, up to `longest`: each is the same factor
/// longer than the one before.
pub fn test_times(longest: Duration) -> Vec<Duration> {
    // The shortest is a second, or a part of a short time.
    let shortest = (longest / 100)
        .clamp(Duration::from_secs(1), Duration::from_secs(30))
        .min(longest / 4);
    let (first, last) = (shortest.as_secs_f64(), longest.as_secs_f64());
    let steps = MAX_CONNECTIONS - 1;
    let factor = (last / first).powf(1.0 / steps as f64);
    let mut times: Vec<Duration> = (0..)
        .take(steps)
        .map(|step| rounded(Duration::from_secs_f64(first * factor.powi(step))))
        .filter(|time| *time < longest)
        .collect();
    times.push(longest);
    times.dedup();
    times
}

/// A time in tenths of a second, or in seconds above a minute.
fn rounded(time: Duration) -> Duration {
    if time >= Duration::from_secs(60) {
        return Duration::from_secs(time.as_secs());
    }
    let tenths = u64::try_from(time.as_millis() / 100).unwrap_or(0);
    Duration::from_millis(tenths.max(1) * 100)
}

/// The result of the test of an idle connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdleResult {
    /// The peer acknowledged our FIN after this time.
    Alive(Duration),
    /// Nothing answered our FIN.
    Silent,
    /// Our FIN was answered by an RST.
    Reset,
    /// The peer, or a proxy on the path, closed the connection while it was idle.
    Closed,
    /// The connection was reset while it was idle.
    ResetIdle,
}

/// The result of one test, and how long the connection had been idle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleTest {
    /// How long it had been idle.
    pub after: Duration,
    /// The result.
    pub result: IdleResult,
}

/// The result of all tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdleFinding {
    /// The longest time after which a connection was alive.
    pub alive: Option<Duration>,
    /// The shortest time after which one was not.
    pub ended: Option<IdleTest>,
}

impl IdleFinding {
    /// The finding of these tests.
    pub fn of(tests: &[IdleTest]) -> Self {
        let is_alive = |test: &&IdleTest| matches!(test.result, IdleResult::Alive(_));
        let ended = tests.iter().filter(|test| !is_alive(test));
        let alive = tests.iter().filter(is_alive).map(|test| test.after);
        Self {
            alive: alive.max(),
            ended: ended.min_by_key(|test| test.after).cloned(),
        }
    }
}

/// Usual timeouts of firewalls, address translation and servers that lie in this range, such as 5
/// minutes.
pub fn usual_timeouts(more_than: Duration, at_most: Duration) -> Vec<Duration> {
    const USUAL: [u64; 14] = [
        10, 15, 20, 30, 60, 90, 120, 180, 240, 300, 600, 900, 1800, 3600,
    ];
    let range = |time: &Duration| *time > more_than && *time <= at_most;
    USUAL
        .map(Duration::from_secs)
        .into_iter()
        .filter(range)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ascend_to_the_longest() {
        for seconds in [0.01, 0.5, 1.0, 2.0, 10.0, 60.0, 600.0, 7200.0, 2_592_000.0] {
            let longest = Duration::from_secs_f64(seconds);
            let times = test_times(longest);
            assert_eq!(times.last(), Some(&longest));
            assert!(
                times.len() <= MAX_CONNECTIONS && times.windows(2).all(|pair| pair[0] < pair[1]),
                "{times:?}"
            );
        }
        let ten_minutes = test_times(Duration::from_secs(600));
        assert_eq!(
            (ten_minutes.len(), ten_minutes[0]),
            (16, Duration::from_secs(6))
        );
        for pair in ten_minutes.windows(2) {
            assert!(pair[1] < pair[0] * 3 / 2, "{pair:?}");
        }
    }

    #[test]
    fn the_answer_is_between_two_tests() {
        let test = |seconds, result| IdleTest {
            after: Duration::from_secs(seconds),
            result,
        };
        let alive = || IdleResult::Alive(Duration::ZERO);
        assert_eq!(IdleFinding::of(&[]), IdleFinding::default());
        let finding = IdleFinding::of(&[
            test(10, alive()),
            test(80, IdleResult::Silent),
            test(20, alive()),
            test(40, IdleResult::Reset),
        ]);
        assert_eq!(finding.alive, Some(Duration::from_secs(20)));
        assert_eq!(finding.ended, Some(test(40, IdleResult::Reset)));
        let range = usual_timeouts(Duration::from_secs(20), Duration::from_secs(60));
        assert_eq!(range, [Duration::from_secs(30), Duration::from_secs(60)]);
    }
}
