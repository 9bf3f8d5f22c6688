//! The program's own startup code instead of Rust's: standard descriptors, signals, arguments.

use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use super::program;

/// `check` of a listener with these shell redirections: the exit status, and what the listener
/// received.
fn checked_with(redirected: &str) -> (Option<i32>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let script = format!("exec \"$0\" check 127.0.0.1 {port} -o json {redirected}");
    let mut shell = Command::new("/bin/sh");
    let status = shell
        .args(["-c", &script, env!("CARGO_BIN_EXE_zbx-tcp")])
        .status()
        .unwrap();
    let mut heard = Vec::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_end(&mut heard)
        .unwrap();
    (status.code(), heard)
}

#[test]
fn a_socket_never_reuses_a_closed_standard_descriptor() {
    for redirected in [">&-", "<&- >&-", "<&- >&- 2>&-"] {
        assert_eq!(
            checked_with(redirected),
            (Some(0), Vec::new()),
            "{redirected}"
        );
    }
}

#[test]
fn a_broken_pipe_does_not_kill_the_program() {
    let (reader, writer) = UnixStream::pair().unwrap();
    drop(reader);
    let status = program::program()
        .arg("--help")
        .stdout(OwnedFd::from(writer))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn arguments_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let word = std::ffi::OsStr::from_bytes(b"\xff");
    let ran = program::finish(program::program().arg("check").arg(word).arg("25"));
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.err.matches('\n').count(), 1, "{}", ran.err);
}
