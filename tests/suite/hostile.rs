//! Misbehaving peers: status, deadline and memory bound hold for every kind of pattern.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::config::ConfigFile;
use crate::program::{Ran, check, program};
use crate::scripted_peer::{Peer, close_with_rst};

/// Each kind of pattern as arguments, and bytes that it matches.
const FORMS: [(&[&str], &[u8]); 5] = [
    (&["--expect", "needle"], b"needle"),
    (&["--expect-regex", "n(e|ee)+dle"], b"needle"),
    (&["--expect-hex", "6e 65 ?? 64:6c 65"], b"needle"),
    (
        &["--encoding", "gbk", "--expect", "\u{4f60}\u{597d}"],
        b"\xc4\xe3\xba\xc3",
    ),
    (&["--expect-regex", "(?<found>ne+dle)"], b"needle"),
];

const TIMEOUT: &str = "0.6";
/// The deadline, and what a busy machine may add to it.
const LATEST: Duration = Duration::from_millis(600 + 900);
/// The memory limit in KiB.
const MOST_MEMORY: u64 = 20 * 1024;

/// A run and its peak memory in KiB, as far as it was measured.
fn measured(words: &[&str]) -> (Ran, u64) {
    let start = Instant::now();
    let mut command = program();
    command
        .arg("check")
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    // The kernel keeps the high-water mark, so that sampling misses only a peak at the very end.
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = mark
            .and_then(|mark| mark.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(most);
        sleep(Duration::from_millis(1));
    }
    let took = start.elapsed();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("output is valid UTF-8");
    (
        Ran {
            out: text(output.stdout),
            err: text(output.stderr),
            code: output.status.code(),
            took,
        },
        most,
    )
}

/// Asserts the status, the deadline and the memory of each kind of pattern against this peer; all kinds
/// at the same time, since most of them wait for the deadline.
#[track_caller]
fn holds(status: &str, script: impl Fn(TcpStream, &[u8]) + Send + Clone + 'static) {
    let runs = FORMS.map(|(form, needle)| {
        let script = script.clone();
        let peer = Peer::start(move |stream| script(stream, needle));
        let run = thread::spawn(move || {
            let port = peer.port();
            let arguments = ["127.0.0.1", &port, "-t", TIMEOUT, "-o", "json"];
            measured(&[&arguments[..], form].concat())
        });
        (form, run)
    });
    for (form, run) in runs {
        let (ran, memory) = run.join().unwrap();
        let document = ran.document();
        // A build without optimization may not compare everything in time; that is unknown.
        let is_unknown = cfg!(debug_assertions)
            && status == "mismatch"
            && document["status_name"] == "local_error";
        assert!(
            is_unknown || document["status_name"] == status,
            "{form:?}: {document}"
        );
        assert_eq!(document["up"].as_u64(), Some(u64::from(status == "ok")));
        assert!(
            ran.took < LATEST,
            "{form:?} took {:?}: {document}",
            ran.took
        );
        assert!(memory < MOST_MEMORY, "{form:?} took {memory} KiB");
        // A run that ended at once may have ended before its memory was read.
        assert!(
            memory > 0 || ran.took < Duration::from_millis(100),
            "{form:?} was never measured"
        );
    }
}

/// Sends the same block until the client closes.
fn flood(mut stream: TcpStream, block: &[u8]) {
    while stream.write_all(block).is_ok() {}
}

/// Keeps the connection open until the client closes.
fn hold(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
}

#[test]
fn endless_single_bytes_end_at_the_deadline() {
    holds("mismatch", |mut stream, _| {
        while stream.write_all(b"x").is_ok() {
            sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn an_endless_fast_stream_is_bounded() {
    holds("mismatch", |stream, _| flood(stream, &vec![b'n'; 65536]));
    holds("mismatch", |stream, _| flood(stream, &vec![0; 65536]));
    // Without an expectation, and with steps that all match, no byte limit ends the run.
    let peer = Peer::start(|stream| flood(stream, &vec![b'n'; 65536]));
    let sends: &[&str] = &["--send", "hi"];
    for words in [&[], sends] {
        let (ran, memory) =
            measured(&[&["127.0.0.1", &peer.port(), "-t", TIMEOUT], words].concat());
        ran.prints("1", 0);
        assert!(
            ran.took < LATEST && memory < MOST_MEMORY,
            "{:?}, {memory} KiB",
            ran.took
        );
    }
    let many: Vec<&str> = ["--expect-regex", "n+?n"]
        .into_iter()
        .cycle()
        .take(200)
        .collect();
    let (ran, memory) =
        measured(&[&["127.0.0.1", &peer.port(), "-t", TIMEOUT][..], &many].concat());
    ran.prints("1", 0);
    assert!(
        ran.took < LATEST && memory < MOST_MEMORY,
        "{:?}, {memory} KiB",
        ran.took
    );
}

#[test]
fn redaction_of_a_long_reply_is_bounded() {
    // As long as a secret may be, of equal bytes, so that none shows where it starts.
    let config = ConfigFile::new(format!(
        "[services.s]\nport = 7\nhosts = [\"127.0.0.1:1-65535\"]\nsecrets = {{ p = \"{}\", q = \"{}\" }}\nsteps = [{{ send = \"${{p}}${{q}}\" }}, {{ expect = \"never\" }}]\n",
        "n".repeat(60_000),
        "nn"
    ));
    let peer = Peer::start(|stream| flood(stream, &vec![b'n'; 65536]));
    let (port, path) = (peer.port(), config.path());
    let words = [
        "127.0.0.1",
        &port,
        "-s",
        "s",
        "--config",
        &path,
        "--max-bytes",
        "1048576",
        "-t",
        "20",
        "-o",
        "error",
    ];
    let (ran, memory) = measured(&words);
    assert!(
        ran.out
            .contains("without the answer of service s: \"***...\""),
        "{}",
        ran.out
    );
    // The bytes themselves and the base of a process.
    assert!(memory < 16 * 1024 + MOST_MEMORY / 2, "{memory} KiB");
    assert!(ran.took < Duration::from_secs(8), "{:?}", ran.took);
}

#[test]
fn a_reply_of_nul_bytes_is_a_mismatch() {
    holds("mismatch", |mut stream, _| {
        let _ = stream.write_all(&[0; 1000]);
        hold(stream);
    });
}

#[test]
fn a_line_of_a_megabyte_is_bounded_by_max_bytes() {
    let line = |mut stream: TcpStream, needle: &[u8]| {
        let mut line = vec![b'a'; 1_000_000];
        line.extend_from_slice(needle);
        line.push(b'\n');
        let _ = stream.write_all(&line);
        hold(stream);
    };
    holds("mismatch", line);
    for (form, needle) in FORMS {
        let peer = Peer::start(move |stream| line(stream, needle));
        let port = peer.port();
        let words = [
            "127.0.0.1",
            &port,
            "-t",
            "5",
            "--max-bytes",
            "1048576",
            "-o",
            "json",
        ];
        let (ran, memory) = measured(&[&words[..], form].concat());
        let document = ran.document();
        assert_eq!(document["up"], 1, "{form:?}: {document}");
        assert!(document["response"]["text"].as_str().unwrap().len() <= 2048);
        assert!(memory < MOST_MEMORY, "{form:?} took {memory} KiB");
    }
}

#[test]
fn an_incomplete_character_is_a_mismatch() {
    for half in [&b"\xe4\xbd"[..], b"\xc4", b"ok \xf0\x9f\x92", b"\x81"] {
        holds("mismatch", move |mut stream, _| {
            let _ = stream.write_all(half);
            hold(stream);
        });
    }
    let peer = Peer::greeting(b"\xc4\xe3\xba");
    let words = [
        "--encoding",
        "gbk",
        "--expect",
        "\u{4f60}\u{597d}",
        "-t",
        "0.3",
        "-o",
        "response.text",
    ];
    check(&[&["127.0.0.1", &peer.port()], &words[..]].concat()).prints("\u{4f60}\\xba", 1);
}

#[test]
fn a_character_cut_by_the_close_is_a_mismatch() {
    holds("mismatch", |mut stream, needle| {
        drop(stream.write_all(&needle[..needle.len() - 1]));
    });
}

#[test]
fn a_reset_within_the_reply_is_reset() {
    holds("reset", |mut stream, needle| {
        let _ = stream.write_all(&needle[..needle.len() - 1]);
        sleep(Duration::from_millis(50));
        close_with_rst(stream);
    });
}

#[test]
fn a_fin_before_the_first_byte_is_closed() {
    holds("closed", |stream, _| drop(stream));
}

#[test]
fn a_reply_in_segments_of_one_byte_matches() {
    holds("ok", |mut stream, needle| {
        stream.set_nodelay(true).unwrap();
        for byte in [b"\xe4 ", needle, b"\n"].concat() {
            let _ = stream.write_all(&[byte]);
            sleep(Duration::from_millis(5));
        }
        hold(stream);
    });
}

#[test]
fn a_reply_after_the_deadline_is_a_read_timeout() {
    holds("read_timeout", |mut stream, needle| {
        sleep(Duration::from_millis(750));
        let _ = stream.write_all(needle);
    });
}

#[test]
fn a_match_that_could_grow_is_accepted_after_a_pause() {
    let peer = Peer::start(|mut stream| {
        let _ = stream.write_all(b"version 12");
        sleep(Duration::from_millis(10));
        let _ = stream.write_all(b"34");
        hold(stream);
    });
    let words = ["--expect-regex", "(?<v>[0-9]+)", "-o", "json"];
    let document = check(&[&["127.0.0.1", &peer.port()], &words[..]].concat()).document();
    assert_eq!(document["captures"]["v"], "1234", "{document}");
    let dialogue = document["time"]["dialogue"].as_f64().unwrap();
    assert!((0.05..0.5).contains(&dialogue), "{document}");
}

#[test]
fn a_match_that_cannot_grow_is_accepted_at_once() {
    let peer = Peer::greeting(b"version 12\n");
    let words = ["--expect-regex", "(?<v>[0-9]+)", "-o", "json"];
    let document = check(&[&["127.0.0.1", &peer.port()], &words[..]].concat()).document();
    assert_eq!(document["captures"]["v"], "12");
    assert!(
        document["time"]["dialogue"].as_f64().unwrap() < 0.05,
        "{document}"
    );
}

#[test]
fn an_expression_with_backtracking_potential_takes_linear_time() {
    let gbk: &[&str] = &["--encoding", "gbk"];
    for (source, more) in [
        ("(a|aa)+$", &[][..]),
        ("(?<v>(a|aa)+)$", &[]),
        ("(a*)*b", &[]),
        ("[ab]*a[ab]{12}c", &[]),
        ("(?<v>(a|aa)+)b", gbk),
    ] {
        let peer = Peer::start(|stream| flood(stream, &vec![b'a'; 65536]));
        let words = [
            "-t",
            "20",
            "--max-bytes",
            "262144",
            "--expect-regex",
            source,
            "-o",
            "json",
        ];
        let ran = check(&[&["127.0.0.1", &peer.port()], &words[..], more].concat());
        let document = ran.document();
        assert_eq!(document["status_name"], "mismatch", "{source}: {document}");
        // A debug build on a busy machine.
        assert!(
            ran.took < Duration::from_secs(12),
            "{source} {more:?} took {:?}",
            ran.took
        );
    }
}

#[test]
fn an_expression_of_many_states_does_not_outlast_the_deadline() {
    // Random bytes (xorshift), so that the automaton hardly ever finds a cached state.
    let mut state = 88_172_645_463_325_252_u64;
    let block: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state % 2 == 0 { b'a' } else { b'b' }
    })
    .take(1 << 20)
    .collect();
    let peer = Peer::start(move |stream| flood(stream, &block));
    let port = peer.port();
    for source in ["[ab]*a[ab]{200}c", "(?<v>[ab]*a[ab]{200}c)"] {
        let ran = check(&[
            "127.0.0.1",
            &port,
            "-t",
            "1",
            "--expect-regex",
            source,
            "-o",
            "status",
        ]);
        // Unknown if it could not compare everything that arrived before the deadline.
        assert!(["9\n", "15\n"].contains(&ran.out.as_str()), "{}", ran.out);
        assert!(
            ran.took < Duration::from_secs(3),
            "{source} took {:?}",
            ran.took
        );
    }
}

/// The part of the match before the bound counts, as if the peer had paused there.
#[test]
fn a_match_that_grows_forever_ends_at_max_bytes() {
    let peer = Peer::start(|stream| flood(stream, &vec![b'a'; 65536]));
    let port = peer.port();
    let gbk: &[&str] = &["--encoding", "gbk"];
    for more in [&[][..], gbk] {
        let words = ["-t", "8", "--max-bytes", "1000", "-o", "json"];
        let expression = ["--expect-regex", "(?<v>a+)"];
        let words = [&["127.0.0.1", &port], &words[..], &expression, more].concat();
        let document = check(&words).document();
        assert_eq!(document["captures"]["v"], "a".repeat(1000), "{document}");
    }
    let words = ["127.0.0.1", &port, "-t", "8", "--max-bytes", "1048576"];
    let ran = check(&[&words[..], &["--expect-regex", "(?<v>a+)b", "-o", "json"]].concat());
    assert_eq!(
        ran.document()["status_name"],
        "mismatch",
        "{}",
        ran.out.len()
    );
    assert!(ran.took < Duration::from_secs(6), "{:?}", ran.took);
}

/// `-t 2 --max-bytes 16`, with a peer that sends 12 bytes, pauses for 120 ms, and sends more.
#[test]
fn a_pause_before_max_bytes_does_not_change_the_verdict() {
    let scripts: [fn(TcpStream); 3] = [
        |mut stream| drop(stream.write_all(&[b'a'; 40])),
        |mut stream| {
            let _ = stream.write_all(&[b'a'; 12]);
            sleep(Duration::from_millis(120));
            let _ = stream.write_all(&[b'a'; 28]);
        },
        |mut stream| {
            for _ in 0..40 {
                let _ = stream.write_all(b"a");
                sleep(Duration::from_millis(2));
            }
        },
    ];
    for script in scripts {
        let peer = Peer::start(script);
        let words = [
            "-t",
            "2",
            "--max-bytes",
            "16",
            "--expect-regex",
            "(?<v>a+)",
            "-o",
            "json",
        ];
        let document = check(&[&["127.0.0.1", &peer.port()], &words[..]].concat()).document();
        assert_eq!(document["status_name"], "ok", "{document}");
    }
}

#[test]
fn a_long_capture_is_cut() {
    let peer = Peer::start(|mut stream| {
        let _ = stream.write_all(&[&b"<"[..], &vec![b'x'; 100_000], b">"].concat());
        hold(stream);
    });
    let words = ["--expect-regex", r"<(?<v>[^>]+)>", "-o", "json"];
    let document = check(&[&["127.0.0.1", &peer.port()], &words[..]].concat()).document();
    assert_eq!(document["captures"]["v"].as_str().unwrap().len(), 2048);
}

#[test]
fn deadlines_of_concurrent_checks_are_independent() {
    let slow = Peer::start(|mut stream| {
        while stream.write_all(b"\0").is_ok() {
            sleep(Duration::from_millis(20));
        }
    });
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let port = slow.port();
            thread::spawn(move || {
                check(&[
                    "127.0.0.1",
                    &port,
                    "--expect",
                    "x",
                    "-t",
                    TIMEOUT,
                    "-o",
                    "status",
                ])
            })
        })
        .collect();
    for run in runs {
        let ran = run.join().unwrap();
        assert!(ran.took < LATEST, "{:?}", ran.took);
        assert!(["8\n", "9\n"].contains(&ran.out.as_str()), "{}", ran.out);
    }
}

/// Runs the program, which computes without end if it is a debug build.
fn computes(words: &[&str]) -> Ran {
    let start = Instant::now();
    let output = program()
        .args(words)
        .env("ZBX_TCP_TEST_COMPUTE", "1")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        out: text(output.stdout),
        err: text(output.stderr),
        code: output.status.code(),
        took: start.elapsed(),
    }
}

fn from_line(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|why| panic!("{why}: {}", ran.out))
}

#[cfg(debug_assertions)]
#[test]
fn computing_ends_at_the_deadline_with_a_value() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let port = peer.port();
    let check = [
        "check",
        "127.0.0.1",
        &port,
        "-t",
        "0.3",
        "--expect-regex",
        "a+b",
    ];
    let ran = computes(&check);
    ran.prints("0", 1);
    assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
    let document = computes(&[&check[..], &["-o", "json"]].concat()).document();
    assert_eq!(document["status_name"], "local_error", "{document}");
    let target = format!("127.0.0.1:{port}");
    let batch = ["batch", &target, "127.0.0.1:1", "--expect-regex", "a+b"];
    for deadline in ["0.3s", "1s"] {
        let ran = computes(&[&batch[..], &["--deadline", deadline]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""), "{}", ran.out);
        assert_eq!(from_line(&ran)["summary"]["unknown"], 2, "{}", ran.out);
        assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
    }
}

#[test]
fn a_signal_is_obeyed_while_answers_are_compared() {
    // Each answer takes longer to compare than the run has.
    let peer = Peer::start(|mut stream| {
        let _ = stream.write_all(&vec![b'a'; 262_143]);
        hold(stream);
    });
    let lines: String = (0..20)
        .map(|n| {
            format!(
                "{{\"host\":\"127.0.0.1\",\"port\":{},\"id\":\"t{n}\"}}\n",
                peer.port()
            )
        })
        .collect();
    let mut child = program()
        .args([
            "batch",
            "-",
            "--deadline",
            "20",
            "-t",
            "15",
            "--per-host",
            "0",
        ])
        .args(["--expect-regex", "(?<v>(?:a+b?){120})c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    sleep(Duration::from_millis(1200));
    let stopped = Instant::now();
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .arg(&pid)
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    // A debug build on a busy machine; a release build needs a tenth.
    assert!(
        stopped.elapsed() < Duration::from_secs(3),
        "{:?}",
        stopped.elapsed()
    );
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["summary"]["targets"], 20, "{document}");
    assert!(
        document["summary"]["unknown"].as_u64() >= Some(1),
        "{document}"
    );
}
