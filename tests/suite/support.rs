//! What the tests share.

use std::io::Write;

/// Says that a test cannot run here; where CI is set, that is a failure.
///
/// Written past the test runner's capture, so that a skip is never silent.
pub fn skip(reason: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {reason}");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "skipped in CI: {reason}");
}
