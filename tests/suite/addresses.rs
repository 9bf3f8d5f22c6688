//! `--addresses`: names with several addresses, from a hosts file, against peers on loopback.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::private_etc::Etc;
use crate::program::{Ran, finish, program};
use crate::scripted_peer::Peer;

/// An `/etc` with this hosts file; `None` where mount namespaces cannot be created here.
fn with_hosts(lines: &str) -> Option<Etc> {
    let etc = Etc::new()?;
    fs::write(etc.path("hosts"), lines).unwrap();
    Some(etc)
}

fn configured(etc: &Etc, text: &str) {
    let path = etc.path("zbx-tcp/config.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// `zbx-tcp batch WORDS` with this standard input.
fn batch(etc: &Etc, words: &[&str], input: &str) -> Ran {
    let file = etc.path("input");
    fs::write(&file, input).unwrap();
    let mut command = etc.command(&[]);
    command.arg(program().get_program()).arg("batch");
    let stdin = Stdio::from(fs::File::open(file).unwrap());
    finish(command.args(words).stdin(stdin).env("LC_ALL", "C"))
}

/// Accepts on this port of another loopback address, and handles each client with `then`.
fn beside(port: &str, address: &str, then: impl Fn(TcpStream) + Send + 'static) {
    let listener = TcpListener::bind(format!("{address}:{port}")).unwrap();
    // Runs until the test program ends.
    std::thread::spawn(move || listener.incoming().flatten().for_each(then));
}

/// Issue 11, D1: it was `refused`.
#[test]
fn localhost_with_a_daemon_on_ipv4_only_is_up() {
    let Some(etc) = with_hosts("::1 localhost\n127.0.0.1 localhost\n") else {
        return;
    };
    let peer = Peer::greeting(b"220 ready\r\n");
    let port = peer.port();
    let document = etc
        .check(&["localhost", &port, "--expect", "220", "-o", "json"])
        .document();
    assert_eq!(document["up"], 1, "{document}");
    assert_eq!(document["address"], "127.0.0.1");
    assert_eq!(
        (&document["addresses_total"], &document["addresses_failed"]),
        (&2.into(), &1.into())
    );
    let error = document["addresses_error"].as_str().unwrap();
    assert!(
        error.starts_with(&format!("connect to [::1]:{port}: connection refused")),
        "{error}"
    );
    assert_eq!(document.get("addresses"), None);
    etc.check(&["localhost", &port, "-o", "addresses_failed"])
        .prints("1", 0);
    etc.check(&["localhost", &port, "-o", "addresses_total"])
        .prints("2", 0);
    let text = etc.check(&["localhost", &port, "-o", "text"]);
    assert!(
        text.out.contains("failed    refused: connect to [::1]"),
        "{}",
        text.out
    );
    assert!(text.out.contains("is up"), "{}", text.out);
    etc.check(&["localhost", &port, "--addresses", "first"])
        .prints("0", 1);
    etc.check(&["localhost", &port, "--addresses", "all", "-o", "status"])
        .prints("3", 1);
    etc.check(&["localhost", &port, "-6", "-o", "status"])
        .prints("3", 1);
}

/// What a single address does not have is `0`, or an empty line.
#[test]
fn one_address_has_no_address_metrics() {
    let Some(etc) = with_hosts("127.0.0.1 one\n") else {
        return;
    };
    let port = Peer::greeting(b"").port();
    for host in ["one", "127.0.0.1"] {
        etc.check(&[host, &port, "-o", "addresses_failed"])
            .prints("0", 1);
        etc.check(&[host, &port, "-o", "addresses_error"])
            .prints("", 1);
        let document = etc.check(&[host, &port, "-o", "json"]).document();
        for metric in ["addresses_total", "addresses_failed", "addresses_error"] {
            assert_eq!(document.get(metric), None, "{document}");
        }
    }
}

#[test]
fn the_first_address_that_passes_the_dialogue_is_the_result() {
    let Some(etc) = with_hosts("127.0.0.1 mail\n127.0.0.2 mail\n") else {
        return;
    };
    let busy = Peer::greeting(b"421 busy\r\n");
    let port = busy.port();
    beside(&port, "127.0.0.2", |mut client| {
        let _ = client.write_all(b"220 ready\r\n");
        let _ = client.read(&mut [0; 64]);
    });
    let words = ["mail", &port, "--expect-prefix", "220", "-o", "json"];
    let document = etc.check(&words).document();
    assert_eq!(
        (&document["up"], &document["address"]),
        (&1.into(), &"127.0.0.2".into())
    );
    assert_eq!(document["response"]["text"], "220 ready");
    let error = document["addresses_error"].as_str().unwrap();
    assert!(
        error.contains("from 127.0.0.1") && error.contains("421 busy"),
        "{error}"
    );
    let counted = etc
        .check(&[&words[..], &["-n", "3", "-i", "0.01"]].concat())
        .document();
    assert_eq!(counted["attempts"]["ok"], 3, "{counted}");
    assert_eq!(counted["addresses_failed"], 1);
}

/// A client must not send data to a second mail server only because the first one needs a second.
#[test]
fn no_data_is_sent_to_a_second_address_while_the_first_is_in_time() {
    let Some(etc) = with_hosts("127.0.0.1 mail\n127.0.0.2 mail\n") else {
        return;
    };
    let slow = Peer::start(|mut client| {
        std::thread::sleep(Duration::from_millis(600));
        let _ = client.write_all(b"220 ready\r\n");
        let _ = client.read(&mut [0; 64]);
    });
    let port = slow.port();
    let other = TcpListener::bind(format!("127.0.0.2:{port}")).unwrap();
    let words = ["mail", &port, "--expect-prefix", "220", "-o", "address"];
    etc.check(&words).prints("127.0.0.1", 0);
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "no connection");
}

/// The program closes the connection to a peer that does not answer, without sending `quit`.
#[test]
fn an_address_that_hangs_does_not_hide_one_that_passes() {
    let Some(etc) = with_hosts("127.0.0.1 mail\n127.0.0.2 mail\n") else {
        return;
    };
    let (sender, received) = std::sync::mpsc::channel();
    let hung = Peer::start(move |mut client| {
        let mut bytes = Vec::new();
        let _ = client.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    let port = hung.port();
    beside(&port, "127.0.0.2", |mut client| {
        let _ = client.write_all(b"220 ready\r\n");
        let _ = client.read(&mut [0; 64]);
    });
    let words = [
        "mail",
        &port,
        "-t",
        "1",
        "--expect-prefix",
        "220",
        "--quit",
        "QUIT",
    ];
    let start = Instant::now();
    let document = etc
        .check(&[&words[..], &["-o", "json"]].concat())
        .document();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(
        (&document["up"], &document["address"]),
        (&1.into(), &"127.0.0.2".into())
    );
    let total = document["time"]["total"].as_f64().unwrap();
    assert!((0.4..1.0).contains(&total), "{document}");
    assert!(
        document["time"]["connect"].as_f64().unwrap() < 0.3,
        "that of one address"
    );
    let hung = received.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(
        hung, b"",
        "no `quit` into a conversation that has not begun"
    );
}

/// Issue 11, A7: it was `ok`.
#[test]
fn more_than_64_addresses_are_reported_and_are_not_up() {
    let name = |count: u8| {
        (1..=count).fold(String::new(), |mut lines, last| {
            let _ = writeln!(lines, "127.0.0.{last} name{count}");
            lines
        })
    };
    let Some(etc) = with_hosts(&(name(64) + &name(65))) else {
        return;
    };
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // Runs until the test program ends.
    std::thread::spawn(move || listener.incoming().flatten().for_each(drop));
    let all =
        |name: &str, output: &str| etc.check(&[name, &port, "--addresses", "all", "-o", output]);
    all("name64", "up").prints("1", 0);
    all("name65", "status").prints("15", 1);
    let text = all("name65", "error").out;
    assert!(
        text.contains("name65 has 65 addresses, and only 64 are probed"),
        "{text}"
    );
    etc.check(&["name65", &port]).prints("1", 0);
    let mut command = etc.command(&[]);
    command.arg(program().get_program());
    finish(command.args(["services", "--policy", "name65", &port])).refuses("65 addresses");
}

#[test]
fn a_denied_address_is_skipped() {
    let Some(etc) = with_hosts("127.0.0.1 both\n127.0.0.2 both\n") else {
        return;
    };
    fs::write(etc.path("zbx-tcp/policy.toml"), "deny = [\"127.0.0.1\"]").unwrap();
    let denied = Peer::greeting(b"");
    let port = denied.port();
    etc.check(&["both", &port, "-o", "status"]).prints("3", 1);
    beside(&port, "127.0.0.2", drop);
    let document = etc.check(&["both", &port, "-o", "json"]).document();
    assert_eq!(
        (&document["status"], &document["addresses_failed"]),
        (&0.into(), &1.into())
    );
    let error = document["addresses_error"].as_str().unwrap();
    assert!(error.contains("denied by policy"), "{error}");
    denied.has_no_connection();
}

#[test]
fn a_port_that_one_address_accepts_is_not_closed() {
    let Some(etc) =
        with_hosts("127.0.0.2 both\n127.0.0.1 both\n127.0.0.2 closed\n127.0.0.3 closed\n")
    else {
        return;
    };
    let peer = Peer::greeting(b"");
    let port = peer.port();
    let closed = |name: &str, words: &[&str]| {
        etc.check(&[&[name, &port, "--expect-closed", "-o", "status"], words].concat())
    };
    closed("both", &[]).prints("16", 1);
    closed("both", &["-n", "3"]).prints("16", 1);
    closed("both", &["--addresses", "first"]).prints("0", 0);
    closed("closed", &[]).prints("0", 0);
    closed("closed", &["-n", "2"]).prints("0", 0);
}

/// `addresses` is an option of `[defaults]`, services, targets and lines of standard input.
#[test]
fn addresses_are_chosen_wherever_options_are_written() {
    let Some(etc) = with_hosts("127.0.0.2 both\n127.0.0.1 both\n") else {
        return;
    };
    let peer = Peer::greeting(b"");
    let port = peer.port();
    let targets = format!(
        "[[targets]]\nid = \"any\"\nhost = \"both\"\nport = {port}\naddresses = \"any\"\n\
         [[targets]]\nid = \"all\"\nhost = \"both\"\nport = {port}\naddresses = \"all\"\n\
         [[targets]]\nid = \"default\"\nhost = \"both\"\nport = {port}\n\
         [[targets]]\nid = \"service\"\nhost = \"both\"\nport = {port}\nservice = \"s\"\n"
    );
    let service = "[services.s]\naddresses = \"any\"\n";
    configured(
        &etc,
        &format!("[defaults]\naddresses = \"first\"\n{service}{targets}"),
    );
    let document: Value = serde_json::from_str(&batch(&etc, &[], "").out).unwrap();
    let ups = ["any", "all", "default", "service"].map(|id| document["targets"][id]["up"].clone());
    assert_eq!(ups, [1, 0, 0, 1], "{document}");
    etc.check(&["both", &port]).prints("0", 1);
    etc.check(&["both", &port, "--addresses", "any"])
        .prints("1", 0);
    let input = format!(
        "both {port}\n{{\"host\":\"both\",\"port\":{port},\"addresses\":\"any\",\"id\":\"json\"}}\n"
    );
    let document: Value = serde_json::from_str(&batch(&etc, &["-"], &input).out).unwrap();
    assert_eq!(document["targets"]["json"]["up"], 1, "{document}");
    assert_eq!(document["targets"][format!("both:{port}")]["up"], 0);
    let sent = batch(
        &etc,
        &[
            "-",
            "--addresses",
            "any",
            "-o",
            "sender",
            "--metrics",
            "up,addresses_failed,addresses_error",
        ],
        &format!("both {port}\n"),
    );
    let lines: Vec<_> = sent.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", sent.out);
    assert!(
        lines[0].ends_with(" 1") && lines[1].ends_with(" 1"),
        "{}",
        sent.out
    );
    assert!(lines[2].contains("connect to 127.0.0.2"), "{}", sent.out);
    configured(&etc, "[defaults]\naddresses = \"some\"\n");
    etc.check(&["both", &port]).refuses("`any`");
}

/// The limits of a run hold for every address of a name.
#[test]
fn many_names_with_a_dead_address_keep_the_limits() {
    let names = (1..=200).fold(String::new(), |mut lines, number| {
        let _ = writeln!(lines, "127.0.0.2 name{number}\n127.0.0.1 name{number}");
        lines
    });
    let Some(etc) = with_hosts(&names) else {
        return;
    };
    let peer = Peer::start(|_| std::thread::sleep(Duration::from_millis(1)));
    let port = peer.port();
    let lines = (1..=200).fold(String::new(), |mut lines, number| {
        let _ = writeln!(lines, "name{number} {port}");
        lines
    });
    let words = [
        "-",
        "--per-host",
        "2",
        "--concurrency",
        "20",
        "--deadline",
        "20",
    ];
    let document: Value = serde_json::from_str(&batch(&etc, &words, &lines).out).unwrap();
    assert_eq!(
        (&document["summary"]["targets"], &document["summary"]["up"]),
        (&200.into(), &200.into())
    );
    for target in document["targets"].as_object().unwrap().values() {
        assert_eq!(
            (&target["address"], &target["addresses_failed"]),
            (&"127.0.0.1".into(), &1.into())
        );
    }
}
