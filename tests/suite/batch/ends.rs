//! What ends a run early: signals, a broken pipe, an internal error.

use std::fmt::Write;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{batch, command, status, written};
use crate::program::Ran;
use crate::scripted_peer::{FullBacklog, Peer, closed_port};

/// Runs a batch and does something meanwhile; the result of the run.
fn run_while(config: &str, words: &[&str], meanwhile: impl FnOnce(&mut Child)) -> Ran {
    let file = written(config);
    let mut command = command(file.path(), words);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    meanwhile(&mut child);
    let since = Instant::now();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        out: text(output.stdout),
        err: text(output.stderr),
        code: output.status.code(),
        took: since.elapsed(),
    }
}

fn signal(child: &Child, name: &str) {
    assert!(
        Command::new("kill")
            .args(["-s", name, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

/// Waits until a condition is true.
#[track_caller]
fn wait_until(mut what: impl FnMut() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it never happened"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_prints_the_results_so_far() {
    for (name, threads) in [("TERM", "1"), ("INT", "2")] {
        let peers: Vec<_> = (0..5).map(|_| Peer::greeting(b"hello")).collect();
        let full = FullBacklog::new();
        let busy = TcpListener::bind("127.0.0.87:0").unwrap();
        let mut config = "[services.greeting]\nsteps = [{expect = '220'}]\n".to_owned();
        for peer in &peers {
            writeln!(
                config,
                "[[targets]]\nhost = '127.0.0.1'\nport = {}",
                peer.port()
            )
            .unwrap();
        }
        writeln!(
            config,
            "[[targets]]\nid = 'full'\nhost = '127.0.0.1'\nport = {}",
            full.port()
        )
        .unwrap();
        for number in 0..17 {
            let port = busy.local_addr().unwrap().port();
            writeln!(
                config,
                "[[targets]]\nid = 'c{number}'\nhost = '127.0.0.87'\nport = {port}"
            )
            .unwrap();
            writeln!(config, "service = 'greeting'\ntimeout = '{}s'", 30 + number).unwrap();
        }
        let words = [
            "--deadline",
            "60s",
            "--timeout",
            "50s",
            "--threads",
            threads,
        ];
        let ran = run_while(&config, &words, |child| {
            let held: Vec<_> = (0..16).map(|_| busy.accept().unwrap()).collect();
            wait_until(|| peers.iter().all(|peer| peer.accepted() == 1));
            signal(child, name);
            thread::spawn(move || {
                thread::sleep(Duration::from_secs(10));
                drop(held);
            });
        });
        assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
        let document = ran.batch_document();
        let up = |peer: &Peer| status(&document, &format!("127.0.0.1:{}", peer.port())) == "ok";
        assert!(peers.iter().all(up), "{document}");
        assert_eq!(status(&document, "full"), "not_tried", "{document}");
        let busy: Vec<_> = (0..17)
            .map(|number| &document["targets"][format!("c{number}")])
            .collect();
        assert!(
            busy.iter()
                .all(|target| target["status_name"] == "not_tried"),
            "{busy:?}"
        );
        let waited = |target: &&&serde_json::Value| {
            let error = target["error"].as_str().unwrap();
            error.contains("the run ended while waiting for the answer, before the timeout of")
        };
        assert_eq!(busy.iter().filter(waited).count(), 16, "{busy:?}");
        assert_eq!(ran.code, Some(1));
    }
}

#[test]
fn a_broken_pipe_of_a_batch_is_not_an_error() {
    let peers: Vec<_> = (0..3).map(|_| Peer::greeting(b"hello")).collect();
    let up: Vec<_> = peers
        .iter()
        .map(|peer| format!("127.0.0.1:{}", peer.port()))
        .collect();
    let down = format!("127.0.0.1:{}", closed_port());
    let many = format!("127.4.0.0/22:{}", closed_port());
    for format in ["json", "ndjson", "sender", "text"] {
        let mut words: Vec<_> = up
            .iter()
            .map(String::as_str)
            .chain(["-o", format, "--deadline", "30s"])
            .collect();
        let gone = |child: &mut Child| drop(child.stdout.take());
        let ran = run_while("", &words, gone);
        // A broken pipe ends the run, and targets that were not reached are not up.
        let allowed: &[i32] = if format == "ndjson" { &[0, 1] } else { &[0] };
        assert!(
            allowed.contains(&ran.code.unwrap()) && ran.err.is_empty(),
            "{format}: {:?} {}",
            ran.code,
            ran.err
        );
        words.push(&down);
        let ran = run_while("", &words, gone);
        assert_eq!((ran.err.as_str(), ran.code), ("", Some(1)), "{format}");
        words.push(&many);
        let ran = run_while("", &words, |child| {
            let mut out = child.stdout.take().unwrap();
            out.read_exact(&mut [0; 100]).unwrap();
        });
        assert_eq!(
            (ran.err.as_str(), ran.code),
            ("", Some(1)),
            "{format}, half-way"
        );
    }
}

#[test]
fn a_full_disk_is_reported() {
    let down = format!("127.0.0.1:{}", closed_port());
    for format in ["json", "ndjson", "sender", "text"] {
        let file = written("");
        let mut command = command(file.path(), &[&down, "-o", format]);
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.starts_with("zbx-tcp: write to standard output: No space left"),
            "{format}: {text}"
        );
        assert_eq!(
            (text.matches('\n').count(), output.status.code()),
            (1, Some(2)),
            "{format}"
        );
    }
}

#[test]
#[cfg(debug_assertions)]
fn an_internal_error_gives_every_target_a_value() {
    let targets = ["127.0.0.1:1", "127.0.0.1:2"];
    let file = written("");
    let run = |format| {
        let mut command = command(file.path(), &targets);
        crate::program::finish(command.args(["-o", format]).env("ZBX_TCP_TEST_PANIC", "1"))
    };
    let ran = run("json");
    let document = ran.batch_document();
    for id in targets {
        assert_eq!(status(&document, id), "local_error");
        assert!(
            document["targets"][id]["error"]
                .as_str()
                .unwrap()
                .starts_with("internal error of zbx-tcp"),
            "{document}"
        );
    }
    assert_eq!(
        (document["summary"]["unknown"].as_u64(), ran.code),
        (Some(2), Some(1))
    );
    assert_eq!(run("ndjson").out.lines().count(), 2);
    assert_eq!(
        run("sender").out.lines().count(),
        6,
        "up, status and time.total of each"
    );
}

#[test]
fn a_batch_without_targets_is_a_document() {
    let ran = batch(
        "[[targets]]\nhost = 'h'\nport = 1\ngroup = 'other'\n",
        &["--group", "other", "--shard", "2/2"],
    );
    let first = batch(
        "[[targets]]\nhost = 'h'\nport = 1\ngroup = 'other'\n",
        &["--group", "other", "--shard", "1/2"],
    );
    let counts =
        [&ran, &first].map(|ran| ran.batch_document()["summary"]["targets"].as_u64().unwrap());
    assert_eq!(counts[0] + counts[1], 1, "a target is in one of two shards");
}

/// The handler of the signals is there before the list is read, which can take long.
#[test]
fn a_signal_before_the_list_is_read_ends_the_run() {
    for name in ["TERM", "INT"] {
        let file = written("");
        let mut command = command(file.path(), &["-", "--deadline", "20s"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Open, so that the list does not end.
        let input = child.stdin.take();
        wait_until(|| handles_signals(&child));
        signal(&child, name);
        let since = Instant::now();
        let output = child.wait_with_output().unwrap();
        drop(input);
        assert!(since.elapsed() < Duration::from_secs(5));
        assert_eq!(output.stdout, b"");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "zbx-tcp: standard input: a signal ended the run before the list was read\n"
        );
        assert_eq!(output.status.code(), Some(2));
    }
}

/// A parent such as a service manager may have blocked SIGTERM before it started the batch.
#[test]
fn a_signal_that_the_parent_blocked_ends_the_run() {
    let full = FullBacklog::new();
    let target = format!("127.0.0.1:{}", full.port());
    let blocking = "import os, signal, sys\n\
                    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])\n\
                    os.execv(sys.argv[1], sys.argv[1:])";
    for name in ["TERM", "INT"] {
        let child = Command::new("python3")
            .args(["-c", blocking, env!("CARGO_BIN_EXE_zbx-tcp"), "batch"])
            .args([&target, "--timeout", "20", "--deadline", "20"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until(|| handles_signals(&child));
        signal(&child, name);
        let since = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(since.elapsed() < Duration::from_secs(5), "{name}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(status(&document, &target), "not_tried", "{name}");
    }
}

/// A signal during the first system call of `main`: strace(1) sends it then.
#[test]
fn a_signal_at_the_start_of_main_prints_every_target() {
    let full = FullBacklog::new();
    let target = format!("127.0.0.1:{}", full.port());
    for name in ["TERM", "INT"] {
        let since = Instant::now();
        let mut command = Command::new("strace");
        let output = command
            .args(["-qq", "-o", "/dev/null", "-e"])
            .arg(format!("inject=fcntl:signal={name}:when=1"))
            .args([env!("CARGO_BIN_EXE_zbx-tcp"), "batch", &target])
            .args(["--timeout", "20", "--deadline", "20"])
            .output();
        let Ok(output) = output else {
            return crate::support::skip("strace is not installed");
        };
        let error = String::from_utf8_lossy(&output.stderr);
        if error.contains("ptrace") {
            return crate::support::skip(&error);
        }
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: {output:?}"));
        assert_eq!(
            status(&document, &target),
            "not_tried",
            "{name}: {document}"
        );
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(since.elapsed() < Duration::from_secs(5), "{name}");
    }
}

/// Whether SIGTERM has a handler (`SigCgt` of proc(5)).
fn handles_signals(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() & (1 << 14) != 0
}

/// One signal is enough, although nobody reads the output, and whatever the format.
#[test]
fn a_signal_ends_a_batch_whose_output_nobody_reads() {
    let port = closed_port();
    let mut config = String::new();
    for number in 0..2000 {
        writeln!(
            config,
            "[[targets]]\nhost = '127.3.{}.{}'\nport = {port}",
            number / 250,
            number % 250 + 1
        )
        .unwrap();
    }
    let file = written(&config);
    for format in ["json", "ndjson", "sender", "text"] {
        let mut child = command(file.path(), &["-o", format, "--deadline", "1s"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_secs(2));
        assert!(child.try_wait().unwrap().is_none(), "{format}: it waits");
        signal(&child, "TERM");
        let since = Instant::now();
        wait_until(|| child.try_wait().unwrap().is_some());
        assert!(since.elapsed() < Duration::from_secs(2), "{format}");
        assert_eq!(child.wait().unwrap().code(), Some(1), "{format}");
    }
}

/// A reader that does not read does not delay the run: every target has its own result at the end.
#[test]
fn a_slow_reader_of_lines_does_not_delay_the_run() {
    let peer = Peer::greeting(b"hello");
    let mut config = String::new();
    for number in 0..1500 {
        writeln!(
            config,
            "[[targets]]\nhost = '127.3.{}.{}'\nport = {}",
            number / 250,
            number % 250 + 1,
            closed_port()
        )
        .unwrap();
    }
    writeln!(
        config,
        "[[targets]]\nid = 'last'\nhost = '127.0.0.1'\nport = {}",
        peer.port()
    )
    .unwrap();
    let ran = run_while(&config, &["-o", "ndjson", "--deadline", "2s"], |_| {
        thread::sleep(Duration::from_secs(3));
    });
    let lines: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1501);
    let known = |line: &serde_json::Value| line["status_name"] != "not_tried";
    assert!(lines.iter().all(known), "the reader held it up");
}
