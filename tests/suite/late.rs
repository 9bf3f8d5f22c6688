//! Answers that arrive while the program does not run, and errors that arrive together with them: what the
//! kernel holds decides, not the moment at which the program wakes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::freezer::Freezer;
use crate::program::{check, program};
use crate::scripted_peer::{Act, FullBacklog, Peer, Split, close_with_rst};

/// The cause in errors about targets whose answer this machine was too late for.
const LATE: &str = "this process was stopped or had no CPU time";

/// A running `zbx-tcp` that can be stopped.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = program();
        let command = command.args(arguments).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let kill = kill.args([&format!("-{name}"), &self.0.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    /// Stops it while this happens.
    fn stopped(self, during: impl FnOnce()) -> Value {
        self.signal("STOP");
        during();
        self.signal("CONT");
        self.document()
    }

    /// Freezes it while this happens.
    fn frozen(self, freezer: &Freezer, during: impl FnOnce()) -> Value {
        freezer.add(self.0.id());
        freezer.freeze();
        during();
        freezer.thaw();
        self.document()
    }

    fn document(self) -> Value {
        let output = self.0.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

/// A check with a time limit of one second, and its connection.
fn connected(dialogue: &[&str]) -> (Running, TcpStream) {
    let (listener, port) = listener();
    let words = ["check", "127.0.0.1", &port, "-t", "1", "-o", "json"];
    let running = Running::start(&[&words[..], dialogue].concat());
    let (stream, _) = listener.accept().unwrap();
    (running, stream)
}

fn wait(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

#[track_caller]
fn has_status(document: &Value, status: u64, part: &str) {
    let error = document["error"].as_str().unwrap();
    assert!(
        document["status"] == status && error.contains(part),
        "{document}"
    );
}

const MAIL: [&str; 6] = ["--expect", "220", "--send", "EHLO x", "--expect", "250"];

#[test]
fn an_answer_that_arrived_with_the_reset_is_read() {
    let (peer, _) = Peer::scripted(vec![Act::Sends(b"220 hi\r\n"), Act::Resets], Split::Whole);
    for _ in 0..40 {
        check(&["127.0.0.1", &peer.port(), "--expect", "220"]).prints("1", 0);
    }
}

/// Had the bytes been sent a moment earlier, they would have been lost on the way, and the same answer would
/// have been received.
#[test]
fn an_answer_that_arrived_before_a_failed_send_is_read() {
    let (peer, _) = Peer::scripted(vec![Act::Sends(b"220 hi\r\n"), Act::Resets], Split::Whole);
    for _ in 0..40 {
        let port = peer.port();
        check(&["127.0.0.1", &port, "--send", "x", "--expect", "220"]).prints("1", 0);
        // Nothing that it sent is the second answer.
        let words = ["127.0.0.1", &port, "-o", "status", "--expect", "220"];
        check(&[&words[..], &["--send", "x", "--expect", "250"]].concat()).prints("6", 1);
    }
}

#[test]
fn the_whole_answer_is_read_before_a_reset_during_a_dialogue() {
    let dialogue = [
        "--send", "A", "--expect", "1", "--send", "B", "--expect", "2",
    ];
    let (running, mut stream) = connected(&dialogue);
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
    let document = running.stopped(|| {
        let answer = [b"1".as_slice(), &[b'.'; 20_000], b"2"].concat();
        stream.write_all(&answer).unwrap();
        close_with_rst(stream);
        wait(50);
    });
    has_status(&document, 0, "");
}

#[test]
fn a_reset_without_the_answer_is_a_reset() {
    let (peer, _) = Peer::scripted(vec![Act::Sends(b"22"), Act::Resets], Split::Whole);
    for _ in 0..10 {
        check(&["127.0.0.1", &peer.port(), "-o", "status", "--expect", "220"]).prints("6", 1);
    }
}

#[test]
fn an_answer_in_time_is_seen_after_a_stop() {
    let (running, mut stream) = connected(&["--expect", "220"]);
    let document = running.stopped(|| {
        stream.write_all(b"220 hi\r\n").unwrap();
        wait(1300);
    });
    has_status(&document, 0, "");
}

#[test]
fn an_answer_after_the_deadline_of_a_stopped_check_is_unknown() {
    let (running, mut stream) = connected(&["--expect", "220"]);
    let document = running.stopped(|| {
        wait(1300);
        stream.write_all(b"220 hi\r\n").unwrap();
        wait(200);
    });
    has_status(&document, 15, LATE);
}

#[test]
fn a_peer_that_is_silent_during_a_stop_is_a_read_timeout() {
    let (running, _stream) = connected(&["--expect", "220"]);
    has_status(
        &running.stopped(|| wait(1300)),
        8,
        "before anything was received",
    );
}

#[test]
fn a_wrong_answer_during_a_stop_is_a_mismatch() {
    let (running, mut stream) = connected(&["--expect-prefix", "220"]);
    let document = running.stopped(|| {
        stream.write_all(b"500 no\r\n").unwrap();
        wait(1300);
    });
    has_status(&document, 9, "expected");
}

#[test]
fn a_dialogue_that_a_stop_kept_from_going_on_is_unknown() {
    let (running, mut stream) = connected(&MAIL);
    let document = running.stopped(|| {
        stream.write_all(b"220 hi\r\n").unwrap();
        wait(1300);
    });
    has_status(&document, 15, LATE);
}

/// It goes on shortly before the deadline: the peer has too little time for its answer.
#[test]
fn a_peer_that_had_too_little_time_after_a_stop_is_unknown() {
    let (running, mut stream) = connected(&MAIL);
    let document = running.stopped(|| {
        stream.write_all(b"220 hi\r\n").unwrap();
        wait(850);
    });
    has_status(&document, 15, LATE);
    drop(stream);
}

#[test]
fn unanswered_syns_are_counted_by_the_kernel_during_a_stop() {
    let full = FullBacklog::new();
    let port = full.port().to_string();
    let running = Running::start(&["check", "127.0.0.1", &port, "-t", "1.5", "-o", "json"]);
    wait(300);
    has_status(&running.stopped(|| wait(1500)), 5, "no answer to 2 SYNs");
}

#[test]
fn answers_in_time_are_seen_after_a_stop_of_a_batch() {
    let document = batch_of_forty(|running, during| running.stopped(during));
    assert_eq!(document["summary"]["up"], 40, "{document}");
}

/// The document of a batch of 40 peers that all answer in time while it is paused.
fn batch_of_forty(paused: impl FnOnce(Running, &mut dyn FnMut()) -> Value) -> Value {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let targets = (1..=40).map(|host| format!("127.0.0.{host}:{port}"));
    let targets = targets.collect::<Vec<_>>();
    let words = ["batch", "-t", "1", "--deadline", "1.2", "--expect", "220"];
    let targets = targets.iter().map(String::as_str);
    let running = Running::start(&words.into_iter().chain(targets).collect::<Vec<_>>());
    let mut streams: Vec<_> = (0..40).map(|_| listener.accept().unwrap().0).collect();
    paused(running, &mut || {
        for stream in &mut streams {
            stream.write_all(b"220 hi\r\n").unwrap();
        }
        wait(1500);
    })
}

/// Unlike SIGSTOP, a freezer interrupts no system call: the process only sees that time has passed.
#[test]
fn a_frozen_process_decides_by_what_arrived_meanwhile() {
    let freezers = Freezer::all();
    if freezers.is_empty() {
        return crate::support::skip("no cgroup with a freezer can be made here");
    }
    for freezer in &freezers {
        let (running, mut stream) = connected(&["--expect", "220"]);
        let in_time = running.frozen(freezer, || {
            stream.write_all(b"220 hi\r\n").unwrap();
            wait(1300);
        });
        has_status(&in_time, 0, "");
        let (running, mut stream) = connected(&["--expect", "220"]);
        let too_late = running.frozen(freezer, || {
            wait(1300);
            stream.write_all(b"220 hi\r\n").unwrap();
            wait(200);
        });
        has_status(&too_late, 15, LATE);
        let (running, _stream) = connected(&["--expect", "220"]);
        let silent = running.frozen(freezer, || wait(1300));
        has_status(&silent, 8, "before anything was received");
        let document = batch_of_forty(|running, during| running.frozen(freezer, during));
        assert_eq!(document["summary"]["up"], 40, "{document}");
    }
}

/// A sandbox that refuses a system call says nothing about the peer.
#[test]
fn system_calls_that_a_sandbox_refuses_are_local_errors() {
    let peer = Peer::greeting(b"220 hi\r\n");
    let script = format!("{}/tests/suite/refuse_call.py", env!("CARGO_MANIFEST_DIR"));
    for call in [
        "recvfrom",
        "sendto",
        "getsockopt",
        "connect",
        "socket",
        "epoll_ctl",
    ] {
        for errno in ["EPERM", "ENOSYS"] {
            let output = Command::new("python3")
                .args([&script, call, errno, env!("CARGO_BIN_EXE_zbx-tcp"), "check"])
                .args(["127.0.0.1", &peer.port(), "-o", "json", "-t", "1"])
                .args(["--send", "x", "--expect", "220"])
                .output();
            let Ok(output) = output else {
                return crate::support::skip("python3 is not installed");
            };
            let error = String::from_utf8_lossy(&output.stderr);
            if error.contains("no filter") {
                return crate::support::skip(&error);
            }
            let document: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{call} {errno}: {output:?}"));
            assert_eq!(document["status"], 15, "{call} {errno}: {document}");
        }
    }
}

/// An address needs no randomness, and the order of a batch needs no good one.
#[test]
fn an_address_is_probed_without_random_bytes() {
    let peer = Peer::greeting(b"220 hi\r\n");
    let target = format!("127.0.0.1:{}", peer.port());
    for errno in ["EIO", "EACCES"] {
        for words in [
            &["check", &target, "--expect", "220", "-o", "up"][..],
            &["batch", &target, "-o", "ndjson"],
        ] {
            let Some(output) = refused("getrandom", errno, words, b"") else {
                return;
            };
            assert_eq!(
                output.status.code(),
                Some(0),
                "{errno} {words:?}: {output:?}"
            );
        }
    }
}

/// The tables of the standard library panic without random bytes.
#[test]
fn nothing_but_tls_needs_random_bytes() {
    let peer = Peer::greeting(b"220 hi\r\n");
    let (port, target) = (peer.port(), format!("127.0.0.1:{}", peer.port()));
    let expression = ["--expect-regex", "(?<code>[0-9]+) [a-z]+"];
    let check = ["check", &target, "-o", "captures.code"];
    let batch = ["batch", &target, "-o", "ndjson"];
    for (words, part) in [
        ([&check[..], &expression].concat(), "220\n"),
        ([&batch[..], &expression].concat(), "\"code\":\"220\""),
        (vec!["check", "localhost", &port, "--expect", "220"], "1\n"),
        (vec!["check", &target, "-s", "smtp", "-o", "status"], "\n"),
        (vec!["services"], "smtp"),
        (vec!["discover", "listeners"], "["),
        (vec!["discover", "ports", "127.0.0.1", "1-9"], "127.0.0.1:9"),
        (vec!["discover", "open", "127.0.0.1", &port], "127.0.0.1"),
    ] {
        let Some(output) = refused("getrandom", "EIO", &words, b"") else {
            return;
        };
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains(part), "{words:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{words:?}: {output:?}");
    }
    let words = ["check", &target, "--tls", "-o", "status"];
    if let Some(output) = refused("getrandom", "EIO", &words, b"") {
        assert_eq!(output.stdout, b"15\n", "{output:?}");
    }
}

#[test]
fn a_list_is_read_without_a_thread() {
    let peer = Peer::greeting(b"220 hi\r\n");
    let list = format!("127.0.0.1:{}\n", peer.port());
    let words = ["batch", "-", "-o", "json"];
    let Some(output) = refused("clone3", "EAGAIN", &words, list.as_bytes()) else {
        return;
    };
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(document["summary"]["up"], 1, "{document}");
}

/// Runs the program where this call fails; `None` where that is not possible.
fn refused(call: &str, errno: &str, words: &[&str], input: &[u8]) -> Option<std::process::Output> {
    let script = format!("{}/tests/suite/refuse_call.py", env!("CARGO_MANIFEST_DIR"));
    let child = Command::new("python3")
        .args([&script, call, errno, env!("CARGO_BIN_EXE_zbx-tcp")])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        crate::support::skip("python3 is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("no filter") {
        crate::support::skip(&error);
        return None;
    }
    Some(output)
}
