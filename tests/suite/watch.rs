//! `watch`: lines, JSON and the summary in a pipe, and how a run ends. The model and the screens have
//! unit tests in `src`.

mod idle;
mod outages;
mod terminal;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::private_etc::Etc;
use crate::program::{finish, program, run};
use crate::scripted_peer::{Peer, closed_port};

/// The lines of a run as JSON.
fn events(out: &str) -> Vec<Value> {
    let parse =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    out.lines().map(parse).collect()
}

/// The events of this kind.
fn named<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["event"] == name)
        .collect()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn each_probe_is_a_line_and_the_summary_is_last() {
    let peer = Peer::greeting(b"220 mx1 ESMTP\r\n");
    let ran = run(&[
        "watch",
        "127.0.0.1",
        &peer.port(),
        "--expect-prefix",
        "220",
        "-c",
        "3",
        "-i",
        "20ms",
    ]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)), "{}", ran.out);
    let lines: Vec<_> = ran.out.lines().collect();
    let label = format!(" 127.0.0.1:{} up, connect ", peer.port());
    for line in &lines[..3] {
        assert!(line.contains(&label), "{line}");
    }
    assert!(
        lines[3].starts_with(&format!("127.0.0.1:{} is up for ", peer.port())),
        "{}",
        ran.out
    );
    let sentence = lines.last().unwrap();
    assert!(
        sentence.contains("had no outage from") && sentence.contains("all 3 probes succeeded"),
        "{sentence}"
    );
    assert_eq!(peer.accepted(), 3);
}

#[test]
fn an_outage_is_the_exit_status() {
    let port = closed_port().to_string();
    let ran = run(&["watch", "127.0.0.1", &port, "-c", "2", "-i", "10ms"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(1)));
    assert!(
        ran.out.contains("DOWN refused: connect to 127.0.0.1:"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("[the outage begins]"), "{}", ran.out);
    assert!(ran.out.trim_end().ends_with(" now."), "{}", ran.out);
}

#[test]
fn several_targets_are_compared() {
    let (peer, closed) = (Peer::greeting(b""), closed_port());
    let (up, down) = (
        format!("127.0.0.1:{}", peer.port()),
        format!("127.0.0.1:{closed}"),
    );
    let ran = run(&["watch", &up, &down, "-c", "3", "-i", "50ms", "-o", "ndjson"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(1)));
    let events = events(&ran.out);
    let probes = named(&events, "probe");
    assert_eq!(probes.len(), 6);
    for (target, state) in [(&up, 1), (&down, 0)] {
        let own: Vec<_> = probes
            .iter()
            .filter(|probe| probe["target"] == **target)
            .collect();
        let numbers: Vec<_> = own
            .iter()
            .map(|probe| probe["probe"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert!(
            own.iter()
                .all(|probe| probe["state"] == state && probe["schema"] == 1)
        );
    }
    assert_eq!(named(&events, "outage_start").len(), 1);
    let summaries = named(&events, "summary");
    assert_eq!((summaries.len(), &summaries[1]["down"]), (2, &3.into()));
    let sentence = events.last().unwrap()["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with(&format!("{down} failed first, at ")),
        "{sentence}"
    );
    assert!(
        sentence.contains(&format!("; no outage of {up};")),
        "{sentence}"
    );
}

#[test]
fn a_signal_ends_a_run_with_its_summary() {
    let peer = Peer::greeting(b"");
    for name in ["-INT", "-TERM"] {
        let mut child = program()
            .args(["watch", "127.0.0.1", &peer.port(), "-i", "50ms"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        for _ in 0..3 {
            out.read_line(&mut text).unwrap();
        }
        let sent = Instant::now();
        signal(&child, name);
        out.read_to_string(&mut text).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
        assert!(
            sent.elapsed() < Duration::from_secs(2),
            "{:?}",
            sent.elapsed()
        );
        assert!(
            text.trim_end().ends_with('.') && text.contains("had no outage"),
            "{text}"
        );
    }
}

#[test]
fn a_reader_that_does_not_read_delays_nothing() {
    let port = closed_port().to_string();
    let child = program()
        .args(["watch", "127.0.0.1", &port, "-i", "10ms", "-o", "ndjson"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A pipe has 64 KiB, and a line more than 300 bytes.
    std::thread::sleep(Duration::from_secs(4));
    let sent = Instant::now();
    signal(&child, "-TERM");
    let mut child = child;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        assert!(sent.elapsed() < Duration::from_secs(2), "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(code, Some(1));
}

#[test]
fn a_closed_reader_ends_the_run() {
    let peer = Peer::greeting(b"");
    let mut child = program()
        .args(["watch", "127.0.0.1", &peer.port(), "-i", "20ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0));
}

#[test]
fn a_deadline_ends_a_run_and_invents_nothing() {
    // The last probes are still waiting for an answer: they are not counted.
    let full = crate::scripted_peer::FullBacklog::new();
    let port = full.port().to_string();
    let ran = run(&[
        "watch",
        "127.0.0.1",
        &port,
        "-i",
        "100ms",
        "-w",
        "1",
        "-o",
        "ndjson",
    ]);
    assert_eq!(ran.code, Some(1), "no probe ended");
    assert!(ran.took < Duration::from_secs(3), "{:?}", ran.took);
    let events = events(&ran.out);
    assert_eq!(named(&events, "probe").len(), 0, "{}", ran.out);
    assert_eq!(named(&events, "summary")[0]["outage_count"], 0);
    assert!(
        events.last().unwrap()["sentence"]
            .as_str()
            .unwrap()
            .contains("no probe ended")
    );
}

#[test]
fn a_hostile_answer_does_not_reach_the_terminal() {
    let peer = Peer::greeting(b"500 \x1b[2J\x1b]0;owned\x07\xc2\x9b31m\xe2\x80\xae\r\nevil\0\r\n");
    for output in ["text", "ndjson"] {
        let ran = run(&[
            "watch",
            "127.0.0.1",
            &peer.port(),
            "--expect-prefix",
            "220",
            "-c",
            "2",
            "-i",
            "10ms",
            "-o",
            output,
        ]);
        assert_eq!(ran.code, Some(1));
        let is_hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.out.contains(is_hostile), "{:?}", ran.out);
    }
}

#[test]
fn a_policy_denies_without_an_outage() {
    let Some(etc) = Etc::new() else { return };
    std::fs::write(etc.path("zbx-tcp/policy.toml"), "deny = [\"127.0.0.1\"]").unwrap();
    let peer = Peer::greeting(b"");
    let ran = finish(etc.command(&[]).arg(program().get_program()).args([
        "watch",
        "127.0.0.1",
        &peer.port(),
        "-c",
        "2",
        "-i",
        "10ms",
    ]));
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert!(
        ran.out.contains("unknown denied: ") && !ran.out.contains("DOWN"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("could not be probed"), "{}", ran.out);
    peer.has_no_connection();
}

#[test]
fn usage_errors_are_one_line() {
    let many: Vec<String> = (0..5000).map(|index| format!("h{index}:1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    run(&[&["watch"], &many[..]].concat()).refuses("5000 targets are more than the limit of 64");
    for (arguments, expected) in [
        (&["watch"][..], "missing argument"),
        (&["watch", "a:1", "-i", "0"], "--interval"),
        (&["watch", "a:1", "-i", "1ms"], "at least 10ms"),
        (&["watch", "a:1", "-c", "0"], "--count"),
        (&["watch", "a:1", "-c", "99999999999999999999"], "--count"),
        (&["watch", "a:1", "-w", "\u{1b}[31m"], "is not a duration"),
        (
            &["watch", "a:1", "-o", "live"],
            "`live` requires a terminal",
        ),
        (&["watch", "a:1", "-o", "tap"], "`live`, `text` or `ndjson`"),
        (&["watch", "a:1", "--require", "1"], "--require"),
        (&["watch", "a:1", "a:1"], "given twice"),
        (&["watch", "a:1", "2"], "two ports"),
        (&["watch", "a:1", "b:2", "3"], "`3` is not a target"),
        (
            &["watch", "a:1", "b:2", "--idle", "1"],
            "one target at a time",
        ),
        (&["watch", "a", "--service", "ssh", "--idle", "1"], "--idle"),
        (&["watch", "a:1", "--idle", "99d"], "at most 30 days"),
    ] {
        run(arguments).refuses(expected);
    }
}
