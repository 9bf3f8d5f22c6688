//! `check` against every kind of peer that needs no root and no network.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::time::Duration;

use crate::program::{Ran, check, finish, program};
use crate::scripted_peer::{FullBacklog, Peer, close_with_rst, closed_port};

#[test]
fn up_is_exactly_one_line() {
    let peer = Peer::greeting(b"hello\r\n");
    check(&["127.0.0.1", &peer.port()]).prints("1", 0);
    check(&[&peer.address().to_string()]).prints("1", 0);
    check(&["127.0.0.1", &peer.port(), "-o", "status"]).prints("0", 0);
    check(&["127.0.0.1", &peer.port(), "-o", "error"]).prints("", 0);
    let shell = format!(
        "'{}' check 127.0.0.1 {} 2>&1 | od -An -c",
        env!("CARGO_BIN_EXE_zbx-tcp"),
        peer.port()
    );
    let ran = finish(std::process::Command::new("sh").args(["-c", &shell]));
    assert_eq!(ran.out.split_whitespace().collect::<Vec<_>>(), ["1", "\\n"]);
}

#[test]
fn a_closed_port_is_refused_with_its_reason() {
    let port = closed_port().to_string();
    check(&["127.0.0.1", &port]).prints("0", 1);
    check(&["127.0.0.1", &port, "-o", "status"]).prints("3", 1);
    check(&["127.0.0.1", &port, "-o", "time.connect"]).prints("0", 1);
    let document = check(&["127.0.0.1", &port, "-o", "json"]).document();
    assert_eq!(document["status_name"], "refused");
    let error = document["error"].as_str().unwrap();
    assert!(
        error.starts_with(&format!(
            "connect to 127.0.0.1:{port}: connection refused (RST)"
        )),
        "{error}"
    );
    assert!(document["time"].get("connect").is_none());
    assert!(document.get("response").is_none() && document.get("icmp").is_none());
}

#[test]
fn a_document_has_what_was_measured() {
    let peer = Peer::greeting(b"hello\r\n");
    let document = check(&["127.0.0.1", &peer.port(), "-o", "json"]).document();
    assert_eq!(
        (document["up"].as_u64(), document["status"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(
        (document["address"].as_str(), document["family"].as_u64()),
        (Some("127.0.0.1"), Some(4))
    );
    assert_eq!(document["source"], "127.0.0.1");
    assert_eq!(document["tcp"]["syn_retransmits"], 0);
    assert_eq!(document["response"]["text"], "hello");
    assert_eq!(document["response"]["bytes"], 7);
    let connect = document["time"]["connect"].as_f64().unwrap();
    assert!(connect > 0.0 && connect < 2.5, "{connect}");
    assert!(document["tcp"]["rtt"].as_f64().unwrap() <= connect);
    for absent in ["resolve", "tls", "dialogue", "first_byte"] {
        assert!(document["time"].get(absent).is_none(), "{absent}");
    }
}

#[test]
fn times_are_plain_decimals_of_seconds() {
    let peer = Peer::greeting(b"");
    let ran = check(&["127.0.0.1", &peer.port(), "-o", "time.connect"]);
    let (whole, digits) = ran.out.trim_end().split_once('.').unwrap();
    assert_eq!((whole, digits.len()), ("0", 6), "{}", ran.out);
    assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
}

#[test]
fn an_unanswered_syn_is_a_connect_timeout() {
    let full = FullBacklog::new();
    let ran = check(&[
        "127.0.0.1",
        &full.port().to_string(),
        "-t",
        "1.3s",
        "-o",
        "json",
    ]);
    let document = ran.document();
    assert_eq!(document["status_name"], "connect_timeout");
    assert_eq!(document["tcp"]["syn_retransmits"], 1, "{}", ran.out);
    assert!(
        document["error"]
            .as_str()
            .unwrap()
            .contains("no answer to 2 SYNs"),
        "{}",
        ran.out
    );
    assert!(document["time"].get("connect").is_none());
    assert!(
        ran.took >= Duration::from_millis(1300) && ran.took < Duration::from_millis(1800),
        "{:?}",
        ran.took
    );
}

#[test]
fn a_lost_syn_adds_to_the_connect_time() {
    let full = FullBacklog::new();
    let port = full.port().to_string();
    let opener = full.open_after(Duration::from_millis(400));
    let document = check(&["127.0.0.1", &port, "-o", "json"]).document();
    assert_eq!(
        (
            document["up"].as_u64(),
            document["tcp"]["syn_retransmits"].as_u64()
        ),
        (Some(1), Some(1))
    );
    let connect = document["time"]["connect"].as_f64().unwrap();
    assert!((0.9..2.0).contains(&connect), "{connect}");
    assert!(
        document["tcp"].get("rtt").is_none(),
        "withheld after a retransmission"
    );
    opener.join().unwrap();
}

#[test]
fn a_reset_after_the_handshake_counts_as_accepted() {
    let peer = Peer::start(close_with_rst);
    for _ in 0..20 {
        let document = check(&["127.0.0.1", &peer.port(), "-o", "json"]).document();
        assert_eq!(document["up"], 1, "{document}");
        assert!(document["time"]["connect"].is_f64());
    }
    let document = check(&["127.0.0.1", &peer.port(), "--expect", "x", "-o", "json"]).document();
    assert_eq!(document["status_name"], "reset", "{document}");
    assert!(
        document["time"]["connect"].is_f64(),
        "a reset connection was open: {document}"
    );
}

/// How the client closed, as the peer saw it: the bytes before, and whether it was a reset.
fn leaving(words: &[&str], greeting: &'static [u8]) -> Result<usize, std::io::ErrorKind> {
    let (ran, end) = with_its_end(words, greeting);
    ran.prints("1", 0);
    end
}

/// The same, with the bytes that the client sent.
fn with_its_end(
    words: &[&str],
    greeting: &'static [u8],
) -> (Ran, Result<usize, std::io::ErrorKind>) {
    let (tell, told) = mpsc::channel();
    let peer = Peer::start(move |mut stream| {
        // A client that closes with RST may be gone before the greeting is written.
        let greeted = stream.write_all(greeting);
        let mut total = 0;
        let end = loop {
            if greeted.is_err() {
                break Err(std::io::ErrorKind::ConnectionReset);
            }
            match stream.read(&mut [0; 256]) {
                Ok(0) => break Ok(total),
                Ok(read) => total += read,
                Err(error) => break Err(error.kind()),
            }
        };
        tell.send(end).unwrap();
    });
    let port = peer.port();
    let ran = check(&[&["127.0.0.1", &port], words].concat());
    (ran, told.recv_timeout(Duration::from_secs(5)).unwrap())
}

#[test]
fn the_default_close_is_a_fin_after_the_greeting() {
    assert_eq!(leaving(&[], b"220 ready\r\n"), Ok(0));
    assert_eq!(leaving(&["--close", "fin"], b""), Ok(0));
    assert_eq!(leaving(&["--expect", "220"], b"220-a\r\n220 b\r\n"), Ok(0));
    assert_eq!(
        leaving(&["--close", "rst"], b"220 ready\r\n"),
        Err(std::io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn at_the_deadline_it_closes_as_configured() {
    for (close, expected) in [
        ("rst", Err(std::io::ErrorKind::ConnectionReset)),
        ("fin", Ok(0)),
    ] {
        let (ran, end) = with_its_end(
            &[
                "--close",
                close,
                "--expect",
                "x",
                "-t",
                "0.3",
                "-o",
                "status_name",
            ],
            b"220 ready\r\n",
        );
        ran.prints("mismatch", 1);
        assert_eq!(end, expected, "{close}");
    }
}

#[test]
fn a_graceful_close_is_bounded() {
    let peer = Peer::start(|stream| {
        std::thread::sleep(Duration::from_millis(600));
        drop(stream);
    });
    let ran = check(&["127.0.0.1", &peer.port()]);
    ran.prints("1", 0);
    assert!(
        ran.took >= Duration::from_millis(100) && ran.took < Duration::from_millis(500),
        "{:?}",
        ran.took
    );
}

#[test]
fn send_and_expect_failures_have_their_own_statuses() {
    let silent = Peer::start(|mut stream| drop(stream.read(&mut [0; 16])));
    let ran = check(&[
        "127.0.0.1",
        &silent.port(),
        "--expect",
        "x",
        "-t",
        "0.3",
        "-o",
        "json",
    ]);
    assert_eq!(
        (ran.document()["status_name"].as_str(), ran.code),
        (Some("read_timeout"), Some(1))
    );

    let leaver = Peer::start(drop);
    let document = check(&["127.0.0.1", &leaver.port(), "--expect", "x", "-o", "json"]).document();
    assert_eq!(
        (document["status_name"].as_str(), document["step"].as_u64()),
        (Some("closed"), Some(1))
    );

    let liar = Peer::greeting(b"SSH-2.0-OpenSSH\r\n");
    let document = check(&[
        "127.0.0.1",
        &liar.port(),
        "--expect",
        "220 ",
        "-t",
        "0.3",
        "-o",
        "json",
    ])
    .document();
    assert_eq!(document["status_name"], "mismatch");
    assert_eq!(document["response"]["text"], "SSH-2.0-OpenSSH");
    assert!(document["time"]["connect"].is_f64() && document["time"]["first_byte"].is_f64());
    assert!(document["time"].get("dialogue").is_none());
}

#[test]
fn steps_run_in_the_order_given() {
    let peer = Peer::start(|mut stream| {
        let mut line = [0; 64];
        for answer in ["one\n", "two\n"] {
            let read = stream.read(&mut line).unwrap_or(0);
            let _ = stream.write_all(&[&line[..read], answer.as_bytes()].concat());
        }
        let _ = stream.read(&mut line);
    });
    let words = [
        "--send",
        "a",
        "--expect",
        r"aone\n",
        "--send",
        r"b\x00",
        "--expect",
        r"b\0two\n",
        "-o",
        "json",
    ];
    let document = check(&[&["127.0.0.1", &peer.port()][..], &words].concat()).document();
    assert_eq!(
        (document["up"].as_u64(), document["step"].as_u64()),
        (Some(1), Some(4)),
        "{document}"
    );
    assert_eq!(document["response"]["text"], r"b\x00two");
    assert_eq!(document["response"]["hex"], "620074776f0a");
}

#[test]
fn a_send_without_expect_shows_the_reply() {
    let peer = Peer::start(|mut stream| {
        let _ = stream.read(&mut [0; 16]);
        let _ = stream.write_all(b"thanks\n");
        let _ = stream.shutdown(Shutdown::Write);
    });
    check(&[
        "127.0.0.1",
        &peer.port(),
        "--send",
        "hi",
        "-o",
        "response.text",
    ])
    .prints("thanks", 0);
}

#[test]
fn an_endless_reply_is_read_up_to_max_bytes() {
    let peer = Peer::start(|mut stream| {
        let block = vec![b'x'; 65536];
        while stream.write_all(&block).is_ok() {}
    });
    let ran = check(&["127.0.0.1", &peer.port(), "--expect", "y", "-o", "json"]);
    let document = ran.document();
    assert_eq!(document["status_name"], "mismatch");
    assert!(
        document["response"]["bytes"].as_u64().unwrap() < 512 * 1024,
        "{document}"
    );
    assert!(document["response"]["text"].as_str().unwrap().len() <= 2048);
    let ran = check(&["127.0.0.1", &peer.port()]);
    ran.prints("1", 0);
}

#[test]
fn count_measures_loss_and_spread() {
    let peer = Peer::greeting(b"x");
    let ran = check(&[
        "127.0.0.1",
        &peer.port(),
        "-n",
        "4",
        "-i",
        "50ms",
        "-o",
        "json",
    ]);
    let attempts = &ran.document()["attempts"];
    assert_eq!(
        (
            attempts["sent"].as_u64(),
            attempts["ok"].as_u64(),
            attempts["loss"].as_f64()
        ),
        (Some(4), Some(4), Some(0.0))
    );
    let of = |name: &str| attempts[name].as_f64().unwrap();
    assert!(
        0.0 < of("min")
            && of("min") <= of("avg")
            && of("avg") <= of("max")
            && of("stddev") <= of("max")
    );
    assert!(
        ran.took >= Duration::from_millis(150),
        "three intervals: {:?}",
        ran.took
    );
    assert_eq!(peer.accepted(), 4);

    let port = closed_port().to_string();
    let document = check(&["127.0.0.1", &port, "-n", "3", "-i", "1ms", "-o", "json"]).document();
    assert_eq!(
        (
            document["status"].as_u64(),
            document["attempts"]["loss"].as_f64()
        ),
        (Some(3), Some(1.0))
    );
    assert!(document["attempts"].get("avg").is_none());
}

#[test]
fn require_asks_for_more_than_one() {
    let full = FullBacklog::new();
    let port = full.port().to_string();
    let opener = full.open_after(Duration::from_millis(100));
    // The first SYN is lost and retransmitted after a second, later than this deadline.
    let words = [
        "127.0.0.1",
        &port,
        "-n",
        "2",
        "-i",
        "300ms",
        "-t",
        "800ms",
        "-o",
        "json",
    ];
    let document = check(&[&words[..], &["--require", "2"]].concat()).document();
    opener.join().unwrap();
    assert_eq!(document["status_name"], "connect_timeout", "{document}");
    let attempts = &document["attempts"];
    assert_eq!(
        (attempts["sent"].as_u64(), attempts["ok"].as_u64()),
        (Some(2), Some(1)),
        "{document}"
    );
    assert!(
        document["error"]
            .as_str()
            .unwrap()
            .starts_with("1 of 2 attempts succeeded, 2 are required"),
        "{document}"
    );
}

#[test]
fn attempts_cut_by_the_deadline_are_not_counted() {
    let full = FullBacklog::new();
    let words = ["-n", "5", "-i", "100ms", "-t", "300ms", "-o", "json"];
    let document =
        check(&[&["127.0.0.1", &full.port().to_string()][..], &words].concat()).document();
    assert_eq!(document["status_name"], "connect_timeout");
    assert_eq!(
        (
            document["attempts"]["sent"].as_u64(),
            document["attempts"]["loss"].as_f64()
        ),
        (Some(1), Some(1.0)),
        "{document}"
    );
}

#[test]
fn expect_closed_inverts_the_result() {
    let port = closed_port().to_string();
    check(&["127.0.0.1", &port, "--expect-closed"]).prints("1", 0);
    check(&["127.0.0.1", &port, "--expect-closed", "-o", "error"]).prints("", 0);
    let peer = Peer::greeting(b"x");
    check(&["127.0.0.1", &peer.port(), "--expect-closed", "-o", "status"]).prints("16", 1);
    let full = FullBacklog::new();
    let filtered = full.port().to_string();
    check(&[
        "127.0.0.1",
        &filtered,
        "--expect-closed",
        "-t",
        "0.2",
        "-o",
        "status",
    ])
    .prints("5", 1);
    check(&[
        "127.0.0.1",
        &filtered,
        "--expect-closed=filtered",
        "-t",
        "0.2",
    ])
    .prints("1", 0);
    // An empty value counts as not given, so this expects an open port.
    check(&["127.0.0.1", &port, "--expect-closed="]).prints("0", 1);
}

#[test]
fn empty_values_count_as_not_given() {
    let peer = Peer::greeting(b"x");
    let empty = [
        "-o",
        "",
        "--timeout=",
        "--count",
        "",
        "--source=",
        "--interface=",
        "--send",
        "",
        "--expect=",
        "--close",
        "",
    ];
    check(&[&["127.0.0.1", &peer.port()][..], &empty].concat()).prints("1", 0);
    check(&[
        &peer.address().to_string(),
        "",
        "--encoding=",
        "--addresses=",
        "--resolver=",
        "--interval=",
    ])
    .prints("1", 0);
}

#[test]
fn the_text_report_advises_what_to_do() {
    let port = closed_port().to_string();
    let ran = check(&["127.0.0.1", &port, "-o", "text"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(1)));
    assert!(
        ran.out.contains("is DOWN: refused") && ran.out.contains("\n  next "),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains('\x1b'), "colours on a pipe");
}

#[test]
fn verbose_explains_on_standard_error() {
    let peer = Peer::greeting(b"hello\r\n");
    let ran = check(&[
        "127.0.0.1",
        &peer.port(),
        "-o",
        "text",
        "-v",
        "--expect",
        "hello",
    ]);
    assert!(ran.out.contains("is up"), "{}", ran.out);
    for part in [
        "connect to 127.0.0.1",
        "connected from 127.0.0.1",
        r"received 7 bytes: hello\r\n",
        "68 65 6c 6c 6f 0d 0a",
        "step 1: matched `hello`",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
}

#[test]
fn ipv6_needs_no_brackets() {
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else {
        return crate::support::skip("no IPv6 on loopback");
    };
    let port = listener.local_addr().unwrap().port().to_string();
    check(&["::1", &port, "-o", "family"]).prints("6", 0);
    check(&[&format!("[::1]:{port}"), "-6", "-o", "address"]).prints("::1", 0);
    check(&[
        "::ffff:127.0.0.1",
        &closed_port().to_string(),
        "-o",
        "address",
    ])
    .prints("127.0.0.1", 1);
}

#[test]
fn source_and_interface_are_used() {
    let peer = Peer::greeting(b"x");
    check(&[
        "127.0.0.1",
        &peer.port(),
        "--source",
        "127.0.0.9",
        "-o",
        "source",
    ])
    .prints("127.0.0.9", 0);
    check(&["127.0.0.1", &peer.port(), "--interface", "lo"]).prints("1", 0);
}

/// With these limits neither resolver can send anything.
#[test]
fn a_name_without_descriptors_is_a_local_error() {
    for (limit, words) in [("4", &[][..]), ("5", &["--resolver", "system"])] {
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -n \"$0\"; exec \"$@\"", limit])
            .args([env!("CARGO_BIN_EXE_zbx-tcp"), "check", "name.invalid", "1"])
            .args(["-t", "0.5", "-o", "error"])
            .args(words)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(text.contains("too many open files"), "{limit}: {output:?}");
    }
}

/// Otherwise a range would be sent to the name server as a name.
#[test]
fn a_range_or_a_network_is_not_one_host() {
    for words in [
        &["127.0.0.1-5", "22"][..],
        &["127.0.0.1-5:22"],
        &["tcp://127.0.0.1-5:22"],
        &["127.0.0.0/30", "22"],
        &["2001:db8::1-ff", "22"],
    ] {
        check(words).refuses("is a network or a range: write one host, or use `batch`");
    }
}

#[test]
fn sigterm_ends_a_check_at_once() {
    let full = FullBacklog::new();
    let port = full.port().to_string();
    let mut child = program()
        .args(["check", "127.0.0.1", &port])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    let status = child.wait().unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(
        status.signal(),
        Some(15),
        "SIGTERM keeps its default action"
    );
}

#[test]
fn a_family_can_be_given_as_a_value() {
    let peer = Peer::greeting(b"");
    let port = peer.port();
    for family in ["--family=4", "--family="] {
        check(&["localhost", &port, family, "-o", "family"]).prints("4", 0);
    }
    check(&["localhost", &port, "--family=6", "-o", "up"]).prints("0", 1);
    check(&["127.0.0.1", &port, "--family=6"])
        .refuses("--family: the target 127.0.0.1 is not an IPv6 address");
    check(&["h", "1", "--family=5"]).refuses("--family: unknown value `5`: use `4` or `6`");
    check(&["h", "1", "--family=4", "-6"]).refuses("--family: cannot be combined with `-6`");
    check(&["127.0.0.1", &port, "--family=4", "-4"]).prints("1", 0);
}

#[test]
fn the_source_port_is_used() {
    let target = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = target.local_addr().unwrap().port().to_string();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let source = free.local_addr().unwrap().port().to_string();
    drop(free);
    for words in [&["--close", "rst"][..], &["--source", "127.0.0.1"]] {
        let own = ["127.0.0.1", &port, "--source-port", &source];
        check(&[&own, words].concat()).prints("1", 0);
        let (_, from) = target.accept().unwrap();
        assert_eq!(from.port().to_string(), source);
    }
    // A port that cannot be used says nothing about the target.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port().to_string();
    let words = ["127.0.0.1", &port, "--source-port", &taken, "-t", "0.3"];
    let source = ["--source", "127.0.0.1", "-o", "status"];
    check(&[&words[..], &source].concat()).prints("15", 1);
    for bad in ["0", "65536", "-1", "x"] {
        check(&["h", "1", "--source-port", bad]).refuses("--source-port: ");
    }
}

#[test]
fn a_url_is_a_target_or_gets_a_remedy() {
    let peer = Peer::greeting(b"");
    let url = format!("tcp://127.0.0.1:{}", peer.port());
    check(&[&url]).prints("1", 0);
    check(&["tcp://127.0.0.1/", &peer.port()]).prints("1", 0);
    check(&["http://127.0.0.1/status", &peer.port()])
        .refuses("is a URL: write the host and the port, such as `127.0.0.1`, and select the protocol by a service, such as `--service http`");
    let batch = finish(program().args(["batch", &url, "-o", "ndjson"]));
    assert_eq!((batch.err.as_str(), batch.code), ("", Some(0)));
    finish(program().args(["batch", "https://127.0.0.1:1"])).refuses("`--service https`");
}

#[test]
fn an_empty_third_argument_is_ignored() {
    let peer = Peer::greeting(b"");
    check(&["127.0.0.1", &peer.port(), ""]).prints("1", 0);
    check(&["127.0.0.1", &peer.port(), "", "", "-o", "status"]).prints("0", 0);
    check(&["127.0.0.1", &peer.port(), "x"]).refuses("unexpected argument `x`; see --help");
    check(&["127.0.0.1", &peer.port(), "", "ssh"]).refuses("unexpected argument `ssh`");
}
