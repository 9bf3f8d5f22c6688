//! What the test binaries share: running the program, scripted peers, a private `/etc`, and skips.
#![allow(dead_code, reason = "each test binary uses only a part")]

pub mod fixed_ports;
pub mod private_etc;
pub mod program;
pub mod rerun;
pub mod scripted_peer;

use std::fs::OpenOptions;
use std::io::Write;

/// Reports that a test cannot run here; with `CI=true` that is a failure.
///
/// Written to standard error directly, past the test runner's capture, and recorded for `tests/run`, so
/// that no skip goes unnoticed.
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
