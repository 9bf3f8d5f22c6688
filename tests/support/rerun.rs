//! Tests that need a process of their own: the test program runs one of its tests again.

use std::process::Command;

/// Runs one test of this test program again, through `command`; asserts that it passes.
///
/// The test sees by a variable that `command` sets that it runs again.
#[track_caller]
pub fn passes_again(command: &mut Command, test: &str) {
    let ran = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && printed.contains("1 passed"),
        "{printed}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// A command that runs its arguments with this limit of open files.
pub fn with_open_files(limit: u32) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]);
    command
}
