//! Every status, each by a target of its own.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{batch, command, status, written};
use crate::private_etc::Etc;
use crate::program::{finish, program};
use crate::scripted_peer::{Act, FullBacklog, Peer, close_with_rst, closed_port, perform};
use crate::support::skip;

/// Starts a name server that answers NXDOMAIN, and nothing for `silent`; its address.
fn name_server() -> Option<Ipv4Addr> {
    // An address of its own for each run of this suite.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 53, high, low.max(1));
    let Ok(socket) = UdpSocket::bind((address, 53)) else {
        skip("no port 53 of loopback for a name server (root)");
        return None;
    };
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let answer = query.get_mut(..length).unwrap();
            if !answer.windows(6).any(|name| name == b"silent") {
                // A response, recursion available, NXDOMAIN (RFC 1035, section 4.1.1).
                (answer[2], answer[3]) = (answer[2] | 0x80, 0x83);
                socket.send_to(answer, from).unwrap();
            }
        }
    });
    Some(address)
}

/// Targets of a configuration, and their expected statuses.
#[derive(Default)]
struct Script {
    config: String,
    expected: Vec<(&'static str, &'static str)>,
}

impl Script {
    fn target(
        &mut self,
        id: &'static str,
        host: &str,
        port: impl std::fmt::Display,
        more: &str,
        expected: &'static str,
    ) {
        writeln!(
            self.config,
            "[[targets]]\nid = '{id}'\nhost = '{host}'\nport = {port}\n{more}"
        )
        .unwrap();
        self.expected.push((id, expected));
    }
}

#[test]
fn every_status_in_one_batch() {
    let Some(etc) = Etc::new() else { return };
    let Some(server) = name_server() else { return };
    fs::write(
        etc.path("resolv.conf"),
        format!("nameserver {server}\noptions attempts:1 timeout:1\n"),
    )
    .unwrap();
    fs::write(etc.path("zbx-tcp/policy.toml"), "deny = ['127.0.0.66']\n").unwrap();
    let greets = || Peer::greeting(b"220 ready\r\n");
    let (ok, expected, other, open) = (greets(), greets(), greets(), greets());
    let (busy, resets) = (Peer::greeting(b"421 busy\r\n"), Peer::start(close_with_rst));
    let leaves = Peer::start(|stream| drop(perform(stream, &[Act::Closes])));
    let silent = Peer::start(|stream| drop(perform(stream, &[])));
    let full = FullBacklog::new();
    // Nothing accepts: the kernel completes the handshake.
    let limited = TcpListener::bind("127.0.0.88:0").unwrap();
    let mut script = Script::default();
    let local = "127.0.0.1";
    script.target("no-name", "nobody.example", 80, "", "resolve_failed");
    script.target(
        "no-answer",
        "silent.example",
        80,
        "timeout = '0.5s'",
        "resolve_timeout",
    );
    script.target("refused", local, closed_port(), "", "refused");
    script.target("unreachable", "224.0.0.1", 80, "", "unreachable");
    script.target(
        "full",
        local,
        full.port(),
        "timeout = '0.5s'",
        "connect_timeout",
    );
    script.target(
        "resets",
        local,
        resets.port(),
        "service = 'greeting'",
        "reset",
    );
    script.target(
        "leaves",
        local,
        leaves.port(),
        "service = 'greeting'",
        "closed",
    );
    script.target(
        "silent",
        local,
        silent.port(),
        "service = 'greeting'\ntimeout = '0.5s'",
        "read_timeout",
    );
    script.target(
        "other",
        local,
        other.port(),
        "service = 'ssh'\ntimeout = '0.5s'",
        "mismatch",
    );
    script.target(
        "busy",
        local,
        busy.port(),
        "service = 'greeting'",
        "rejected",
    );
    script.target("denied", "127.0.0.66", ok.port(), "", "denied");
    script.target(
        "open",
        local,
        open.port(),
        "expect_closed = 'answered'",
        "unexpectedly_open",
    );
    script.target(
        "closed",
        local,
        closed_port(),
        "expect_closed = 'answered'",
        "ok",
    );
    script.target("connects", local, ok.port(), "", "ok");
    script.target(
        "greets",
        local,
        expected.port(),
        "service = 'greeting'",
        "ok",
    );
    let port = limited.local_addr().unwrap().port();
    let service = "[services.greeting]\nsteps = [{expect = '220', reject = '421'}]\n";
    let mut config = format!("{service}{}", script.config);
    for number in 0..17 {
        // Each has a different step, so that none is a duplicate.
        writeln!(
            config,
            "[[targets]]\nid = 'busy-{number}'\nhost = '127.0.0.88'\nport = {port}\nservice = 'greeting'"
        )
        .unwrap();
        writeln!(config, "timeout = '{}s'", 20 + number).unwrap();
    }
    let file = written(&config);
    let mut command = etc.command(&[]);
    command
        .arg(program().get_program())
        .args(["batch", "--deadline", "1.5s"])
        .env("ZBX_TCP_CONFIG", file.path());
    let ran = finish(&mut command);
    let document = ran.batch_document();
    for (id, expected) in &script.expected {
        assert_eq!(
            status(&document, id),
            *expected,
            "{id}: {}",
            document["targets"][id]
        );
    }
    let busy: Vec<_> = (0..17)
        .map(|number| &document["targets"][format!("busy-{number}")])
        .collect();
    assert!(
        busy.iter()
            .all(|target| target["status_name"] == "not_tried"),
        "{busy:?}"
    );
    let waited = |target: &&&Value| target["time"]["connect"].is_number();
    assert_eq!(
        busy.iter().filter(waited).count(),
        16,
        "16 at once to one address: {busy:?}"
    );
    let summary = &document["summary"];
    let counts = ["targets", "up", "down", "unknown", "duplicates"]
        .map(|member| summary[member].as_u64().unwrap());
    assert_eq!(counts, [32, 3, 11, 18, 0]);
    assert!(
        summary["elapsed"].as_f64().unwrap() >= 1.5 && summary["lag"].is_f64(),
        "{summary}"
    );
    assert_eq!(ran.code, Some(1));
}

/// An event queue and one socket are enough, whatever else takes descriptors.
#[test]
fn two_free_descriptors_are_enough() {
    let peer = Peer::greeting(b"");
    let targets = [
        format!("127.0.0.1:{}", peer.port()),
        format!("localhost:{}", peer.port()),
    ];
    let file = written("");
    for limit in 5..=16 {
        let mut command = std::process::Command::new("prlimit");
        command
            .arg(format!("--nofile={limit}"))
            .arg(program().get_program())
            .args(["batch", "-4", "--deadline", "5s"]);
        let ran = finish(
            command
                .args(&targets)
                .env_clear()
                .env("ZBX_TCP_CONFIG", file.path()),
        );
        let document = ran.batch_document();
        for target in &targets {
            assert_eq!(status(&document, target), "ok", "{limit}: {document}");
        }
    }
}

#[test]
fn without_descriptors_every_target_is_a_local_error() {
    let peer = Peer::greeting(b"");
    let target = format!("127.0.0.1:{}", peer.port());
    let file = written("");
    let mut command = std::process::Command::new("prlimit");
    command
        .arg("--nofile=4")
        .arg(program().get_program())
        .args(["batch", "--deadline", "0.5s"]);
    let ran = finish(
        command
            .args([&target, "127.0.0.1:1"])
            .env_clear()
            .env("ZBX_TCP_CONFIG", file.path()),
    );
    let document = ran.batch_document();
    let mut statuses = [status(&document, &target), status(&document, "127.0.0.1:1")];
    statuses.sort_unstable();
    // The second is not started while the first waits for a descriptor.
    assert!(
        [["local_error", "local_error"], ["local_error", "not_tried"]].contains(&statuses),
        "{document}"
    );
    assert_eq!(
        (document["summary"]["unknown"].as_u64(), ran.code),
        (Some(2), Some(1))
    );
}

#[test]
fn targets_are_in_input_order() {
    let peers: Vec<_> = (0..30).map(|_| Peer::greeting(b"")).collect();
    let mut targets: Vec<_> = peers
        .iter()
        .map(|peer| format!("127.0.0.1:{}", peer.port()))
        .collect();
    targets.rotate_left(11);
    let mut words: Vec<_> = targets.iter().map(String::as_str).collect();
    words.extend([words[3], words[7]]);
    for more in [
        &["--seed", "1"][..],
        &["--seed", "2", "--threads", "2"],
        &["--compact"],
    ] {
        let ran = batch("", &[&words, more].concat());
        let document = ran.batch_document();
        let (discovery, entries) = ran.out.split_once("\"targets\":{\"").unwrap();
        let places = |text: &str, before: &str| {
            targets
                .iter()
                .map(|id| text.find(&format!("{before}\"{id}\"")).unwrap())
                .collect::<Vec<_>>()
        };
        let rows = places(discovery, "\"{#TCP.ID}\":");
        assert!(
            rows.is_sorted() && places(&format!("\"{entries}"), "").is_sorted(),
            "{}",
            ran.out
        );
        assert_eq!(
            (
                document["summary"]["up"].as_u64(),
                document["summary"]["duplicates"].as_u64()
            ),
            (Some(30), Some(2))
        );
        assert_eq!(ran.code, Some(0));
    }
}

#[test]
fn two_threads_give_the_results_of_one() {
    let peers: Vec<_> = (0..10).map(|_| Peer::greeting(b"hello\r\n")).collect();
    let mut config =
        "[services.hello]\nsteps = [{expect = 'hello'}]\n[services.bye]\nsteps = [{expect_prefix = 'bye'}]\n"
            .to_owned();
    for (number, peer) in peers.iter().enumerate() {
        let service = ["hello", "bye"][number % 2];
        writeln!(
            config,
            "[[targets]]\nhost = '127.0.0.1'\nport = {}\nservice = '{service}'",
            peer.port()
        )
        .unwrap();
        writeln!(
            config,
            "[[targets]]\nhost = '127.0.1.{number}'\nport = {}",
            closed_port()
        )
        .unwrap();
    }
    let said = |threads| {
        let ran = batch(&config, &["--threads", threads]);
        let mut document = ran.batch_document();
        for target in document["targets"].as_object_mut().unwrap().values_mut() {
            let target = target.as_object_mut().unwrap();
            target.retain(|member, _| !matches!(member.as_str(), "time" | "tcp"));
            // The text contains a time.
            let error = target["error"]
                .as_str()
                .unwrap()
                .split(", ")
                .next()
                .unwrap()
                .to_owned();
            target.insert("error".to_owned(), error.into());
        }
        document["summary"]
            .as_object_mut()
            .unwrap()
            .retain(|member, _| !matches!(member.as_str(), "elapsed" | "lag"));
        (document, ran.code)
    };
    let one = said("1");
    assert_eq!(one.0["summary"]["up"], 5);
    assert_eq!(one, said("2"));
}

/// How long the peers of [`an_unchanged_failure_has_an_unchanged_text`] wait, in milliseconds.
static DELAY: AtomicU64 = AtomicU64::new(0);

/// A peer that waits before it does this.
fn slow(script: impl Fn(TcpStream) + Send + 'static) -> Peer {
    Peer::start(move |stream| {
        thread::sleep(Duration::from_millis(DELAY.load(Ordering::SeqCst)));
        script(stream);
    })
}

/// Otherwise Zabbix would store a failure again at each check. Times are in fields of their own.
#[test]
fn an_unchanged_failure_has_an_unchanged_text() {
    let says = |text: &'static [u8]| {
        slow(move |stream| drop(perform(stream, &[Act::Sends(text), Act::Receives])))
    };
    let closes = || slow(|stream| drop(perform(stream, &[Act::Closes])));
    let partly = slow(|stream| drop(perform(stream, &[Act::Sends(b"22"), Act::Closes])));
    let silent = Peer::start(|stream| drop(perform(stream, &[Act::Receives])));
    let (full, local) = (FullBacklog::new(), "127.0.0.1");
    let mut script = Script::default();
    let greeting = "service = 'greeting'";
    let peers = [
        ("resets", slow(close_with_rst), greeting, "reset"),
        ("leaves", closes(), greeting, "closed"),
        ("partly", partly, greeting, "mismatch"),
        (
            "other",
            says(b"SSH-2.0-x\r\n"),
            "service = 'greeting'\ntimeout = '0.7s'",
            "mismatch",
        ),
        (
            "prefix",
            says(b"SSH-2.0-x\r\n"),
            "steps = [{ expect_prefix = '220' }]",
            "mismatch",
        ),
        ("busy", says(b"421 busy\r\n"), greeting, "rejected"),
        (
            "silent",
            silent,
            "service = 'greeting'\ntimeout = '0.7s'",
            "read_timeout",
        ),
        ("plain", says(b"220 x\r\n"), "tls = true", "tls_failed"),
        ("no-hello", closes(), "tls = true", "tls_failed"),
        (
            "no-tls",
            says(b"220 x\r\n250 x\r\n"),
            "starttls = 'smtp'",
            "tls_refused",
        ),
        (
            "open",
            says(b""),
            "expect_closed = 'answered'",
            "unexpectedly_open",
        ),
    ];
    for (id, peer, more, expected) in &peers {
        script.target(id, local, peer.port(), more, expected);
    }
    let closed = closed_port();
    script.target("refused", local, closed, "", "refused");
    script.target(
        "attempts",
        local,
        closed,
        "count = 3\ninterval = '0.01s'",
        "refused",
    );
    script.target("unreachable", "224.0.0.1", 80, "", "unreachable");
    script.target(
        "full",
        local,
        full.port(),
        "timeout = '0.7s'",
        "connect_timeout",
    );
    script.target(
        "filtered",
        local,
        full.port(),
        "timeout = '0.7s'\nexpect_closed = 'answered'",
        "connect_timeout",
    );
    script.target("invalid", local, closed, "timeout = 'x'", "local_error");
    script.target("cut", local, full.port(), "timeout = '20s'", "not_tried");
    let service = "[services.greeting]\nsteps = [{expect = '220', reject = '421'}]\n";
    let config = format!("{service}{}", script.config);
    let file = written(&config);
    let mut texts: Vec<Vec<(String, Value)>> = Vec::new();
    for delay in [0, 7, 130] {
        DELAY.store(delay, Ordering::SeqCst);
        let ran = finish(&mut command(file.path(), &["--deadline", "2s"]));
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        for (id, expected) in &script.expected {
            let target = &document["targets"][id];
            assert_eq!(status(&document, id), *expected, "{id}: {target}");
            assert_ne!(target["error"], "", "{id}: {target}");
        }
        let text =
            |(id, _): &(&str, &str)| ((*id).to_owned(), document["targets"][id]["error"].clone());
        texts.push(script.expected.iter().map(text).collect());
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
}
