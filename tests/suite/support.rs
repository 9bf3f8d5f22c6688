//! What the tests share.

use std::fs::OpenOptions;
use std::io::Write;

/// Says that a test cannot run here; where `CI=true` that is a failure.
///
/// Written past the test runner's capture, and noted for `tests/run`, so that a skip is never silent.
pub fn skip(reason: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {reason}");
    if let Some(path) = std::env::var_os("ZBX_TCP_SKIPS") {
        let mut notes = OpenOptions::new().append(true).open(path).unwrap();
        writeln!(notes, "{name}: {reason}").unwrap();
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "skipped in CI: {reason}"
    );
}
