//! Outputs that nobody reads: a full pipe neither keeps a probe beyond its deadline nor a process
//! beyond a signal.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::program;
use crate::scripted_peer::Peer;

/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(900);
/// How long the reader of a value or a message may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// A pipe that is full and open, and that nobody reads.
struct FullPipe {
    _open: File,
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl FullPipe {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let mut open = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let full = loop {
            if let Err(error) = open.write(&[b'.'; 4096]) {
                break error.kind();
            }
        };
        assert_eq!(full, ErrorKind::WouldBlock);
        Self {
            _open: open,
            path,
            _directory: directory,
        }
    }

    /// A writer whose writes wait.
    fn writer(&self) -> Stdio {
        OpenOptions::new()
            .write(true)
            .open(&self.path)
            .unwrap()
            .into()
    }
}

/// The exit status of a process and when it ended; `None` if it did not within this time.
fn ends(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > within {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        sleep(Duration::from_millis(5));
    }
}

fn read(pipe: Option<impl Read>) -> String {
    let mut text = String::new();
    pipe.unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_transcript_that_nobody_reads_does_not_delay_the_check() {
    let full = FullPipe::new();
    let silent = Peer::start(|mut stream| drop(stream.read(&mut [0; 64])));
    let greeting = Peer::greeting(b"220 ready\r\n");
    for (peer, part, code) in [(&silent, " is DOWN", 1), (&greeting, " is up", 0)] {
        let mut child = program()
            .args(["check", "127.0.0.1", &peer.port(), "-t", "0.6"])
            .args(["-o", "text", "-v", "--expect", "220"])
            .stdout(Stdio::piped())
            .stderr(full.writer())
            .spawn()
            .unwrap();
        let latest = Duration::from_millis(600) + PATIENCE + SLACK;
        let status = ends(&mut child, latest).expect("it waits for the reader of its transcript");
        let out = read(child.stdout.take());
        assert_eq!(status.code(), Some(code), "{out}");
        assert!(out.contains(part), "{out}");
    }
}

/// The lines that wait are written when the reader continues, and their number is bounded.
#[test]
fn a_transcript_that_is_read_late_is_complete() {
    let peer = Peer::greeting(&[b'x'; 200_000]);
    let mut child = program()
        .args(["check", "127.0.0.1", &peer.port(), "-t", "3"])
        .args([
            "-o",
            "text",
            "-v",
            "--expect",
            "xy",
            "--max-bytes",
            "100000",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(500));
    let transcript = read(child.stderr.take());
    child.wait().unwrap();
    assert!(transcript.contains("connected"), "{transcript}");
    assert!(transcript.ends_with(" close\n"), "{transcript}");
}

#[test]
fn a_value_that_nobody_reads_does_not_keep_the_check() {
    let full = FullPipe::new();
    let peer = Peer::greeting(b"220 ready\r\n");
    for format in ["up", "json", "text"] {
        let mut child = program()
            .args([
                "check",
                "127.0.0.1",
                &peer.port(),
                "-t",
                "0.6",
                "-o",
                format,
            ])
            .stdout(full.writer())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let latest = Duration::from_millis(600) + PATIENCE + SLACK;
        let status = ends(&mut child, latest).expect("it waits for the reader of its value");
        let error = read(child.stderr.take());
        assert_eq!(status.code(), Some(2), "{error}");
        assert_eq!(
            error,
            "zbx-tcp: write to standard output: nobody reads it\n"
        );
    }
    // Neither of them is read.
    let mut child = program()
        .args([
            "check",
            "127.0.0.1",
            &peer.port(),
            "-t",
            "0.6",
            "-o",
            "text",
            "-v",
        ])
        .stdout(full.writer())
        .stderr(full.writer())
        .spawn()
        .unwrap();
    let latest = Duration::from_millis(600) + 3 * PATIENCE + SLACK;
    let status = ends(&mut child, latest).expect("it waits for a reader");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn an_error_that_nobody_reads_does_not_keep_a_command() {
    let full = FullPipe::new();
    for words in [
        &["check", "127.0.0.1", "1", "--unknown"][..],
        &["batch", "127.0.0.1:1", "--unknown"],
        &["discover", "open"],
        &["serve", "nowhere:nothing"],
        &["services", "--unknown"],
    ] {
        let mut child = program()
            .args(words)
            .stdout(Stdio::null())
            .stderr(full.writer())
            .spawn()
            .unwrap();
        let status = ends(&mut child, PATIENCE + SLACK);
        let status = status.unwrap_or_else(|| panic!("{words:?} waits for the reader"));
        assert_eq!(status.code(), Some(2), "{words:?}");
    }
}

/// Each of its messages would wait.
#[test]
fn messages_that_nobody_reads_do_not_delay_a_batch() {
    let full = FullPipe::new();
    let peer = Peer::greeting(b"220 ready\r\n");
    let mut child = program()
        .args(["batch", "-", "-v", "--keep-going", "--deadline", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(full.writer())
        .spawn()
        .unwrap();
    let mut list = format!("127.0.0.1 {}\n", peer.port());
    list.extend((0..20).map(|number| format!("wrong {number} of these\n")));
    let stdin = child.stdin.take();
    stdin.unwrap().write_all(list.as_bytes()).unwrap();
    let latest = Duration::from_secs(1) + PATIENCE + SLACK;
    ends(&mut child, latest).expect("it waits for the reader of its messages");
    let document: serde_json::Value = serde_json::from_str(&read(child.stdout.take())).unwrap();
    let summary = &document["summary"];
    assert_eq!(
        (&summary["up"], &summary["invalid"]),
        (&1.into(), &20.into()),
        "{summary}"
    );
}

/// `check` ends by itself; other commands wait for their reader, as a pager is one, but only until a
/// signal.
#[test]
fn the_first_signal_ends_a_command_that_nobody_reads() {
    let full = FullPipe::new();
    let peer = Peer::greeting(b"220 ready\r\n");
    let target = format!("127.0.0.1:{}", peer.port());
    for words in [
        &["serve", "127.0.0.1:0"][..],
        &["batch", &target, "-o", "json"],
        &["batch", &target, "-o", "text"],
        &["batch", &target, "-o", "ndjson"],
        &["batch", &target, "-o", "sender"],
        &["discover", "ports", "127.0.0.1", "1-3"],
        &["discover", "open", "127.0.0.1", &peer.port()],
        &["services"],
        &["demo"],
        &["check", "--help"],
    ] {
        let mut child = program()
            .args(words)
            .stdout(full.writer())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let earlier = ends_by_itself(&mut child, Duration::from_millis(300));
        assert!(!earlier, "{words:?} lost its output");
        let pid = child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let ended = ends(&mut child, SLACK);
        assert!(
            ended.is_some(),
            "{words:?} waits for the reader after a signal"
        );
    }
}

fn ends_by_itself(child: &mut Child, within: Duration) -> bool {
    sleep(within);
    child.try_wait().unwrap().is_some()
}
