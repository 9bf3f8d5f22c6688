//! Each dialogue option, through the program.

use std::time::Duration;

use crate::program::{Ran, check};
use crate::scripted_peer::Act::{self, Receives, Sends, Waits};
use crate::scripted_peer::{Peer, Split};

/// A run against a script, and what the peer received in all.
fn against(acts: &'static [Act], words: &[&str]) -> (Ran, String) {
    let (peer, results) = Peer::scripted(acts.to_vec(), Split::Whole);
    let ran = check(&[&["127.0.0.1", &peer.port()], words].concat());
    let received = results.recv_timeout(Duration::from_secs(8)).unwrap();
    (ran, received.escape_ascii().to_string())
}

/// What the peer received after a run that is up.
#[track_caller]
fn sent(acts: &'static [Act], words: &[&str]) -> String {
    let (ran, received) = against(acts, words);
    ran.prints("1", 0);
    received
}

const GREETS: &[Act] = &[Sends(b"220 mail ready\r\n")];

#[test]
fn bytes_are_sent_in_hex() {
    assert_eq!(
        sent(&[Receives], &["--send-hex", "16 03:01 00ff"]),
        r"\x16\x03\x01\x00\xff"
    );
    assert_eq!(
        sent(&[Receives], &["--crlf", "--send-hex", "41"]),
        "A",
        "--crlf is for texts"
    );
    assert_eq!(
        sent(&[Receives], &["--encoding", "gbk", "--send-hex", "c4e3"]),
        r"\xc4\xe3"
    );
}

#[test]
fn crlf_appends_line_ends_to_sent_texts() {
    assert_eq!(sent(&[Receives], &["--send", "a", "--crlf"]), r"a\r\n");
    assert_eq!(
        sent(GREETS, &["--expect", "220", "--crlf", "--quit", "QUIT"]),
        r"QUIT\r\n"
    );
    assert_eq!(sent(GREETS, &["--expect", "220", "--quit", "QUIT"]), "QUIT");
}

#[test]
fn every_form_of_an_expectation_matches() {
    for words in [
        ["--expect", "mail"],
        ["--expect-prefix", "220 "],
        ["--expect-regex", "m[a-z]+l"],
        ["--expect-regex", r"\A220.*ready$"],
        ["--expect-regex", "(?i)READY"],
        ["--expect-hex", "32 32 30"],
        ["--expect-hex", "6d????6c"],
    ] {
        let (ran, _) = against(GREETS, &words);
        ran.prints("1", 0);
    }
}

#[test]
fn a_prefix_that_can_no_longer_match_fails_at_once() {
    for words in [
        ["--expect-prefix", "250 "],
        ["--expect-regex", r"\A250"],
        ["--expect-regex", r"\A2(5|7)"],
    ] {
        let (ran, _) = against(GREETS, &[&words[..], &["-o", "status"]].concat());
        ran.prints("9", 1);
        assert!(
            ran.took < Duration::from_millis(1500),
            "{words:?} took {:?}",
            ran.took
        );
    }
    // A longer match is still possible, so the program waits.
    for words in [
        ["--expect", "250 "],
        ["--expect-regex", "250"],
        ["--expect-hex", "3235"],
    ] {
        let (ran, _) = against(
            GREETS,
            &[&words[..], &["-o", "status", "-t", "0.4"]].concat(),
        );
        ran.prints("9", 1);
        assert!(
            ran.took >= Duration::from_millis(400),
            "{words:?} took {:?}",
            ran.took
        );
    }
}

#[test]
fn a_rejected_answer_fails_at_once() {
    const BUSY: &[Act] = &[Sends(b"421 too busy\r\n")];
    for guard in [
        ["--reject", "busy"],
        ["--reject-regex", "^4[0-9]{2}"],
        ["--reject-hex", "34 32 ??"],
    ] {
        let words = [&guard[..], &["--expect", "220", "-o", "json"]].concat();
        let (ran, _) = against(BUSY, &words);
        let document = ran.document();
        assert_eq!(
            (document["status"].as_u64(), document["up"].as_u64()),
            (Some(10), Some(0)),
            "{document}"
        );
        assert!(
            document["error"]
                .as_str()
                .unwrap()
                .contains(guard[1].trim_start_matches('^')),
            "{document}"
        );
        assert_eq!(document["response"]["text"], "421 too busy");
        assert!(
            ran.took < Duration::from_millis(1500),
            "{guard:?} took {:?}",
            ran.took
        );
        let (ran, _) = against(GREETS, &words);
        assert_eq!(ran.document()["status"], 0, "{guard:?}");
    }
}

#[test]
fn a_reject_applies_to_later_expectations_only() {
    const LATER: &[Act] = &[Sends(b"220 ok\r\n"), Receives, Sends(b"500 error\r\n")];
    let words = [
        "--reject", "error", "--expect", "220", "--send", "x", "--expect", "250", "-o", "json",
    ];
    let document = against(LATER, &words).0.document();
    assert_eq!(
        (document["status"].as_u64(), document["step"].as_u64()),
        (Some(10), Some(3)),
        "{document}"
    );
    let words = [
        "--expect", "500 err", "--reject", "500", "--expect", "or", "-o", "status",
    ];
    against(&[Sends(b"500 error\r\n")], &words).0.prints("0", 0);
}

#[test]
fn the_first_match_of_reject_and_expect_decides() {
    let verdict = |greeting: &'static [Act], reject: &str, expect: &str| {
        against(
            greeting,
            &["--reject", reject, "--expect", expect, "-o", "status"],
        )
        .0
        .out
    };
    assert_eq!(verdict(GREETS, "ready", "220"), "0\n");
    assert_eq!(verdict(GREETS, "220", "ready"), "10\n");
    assert_eq!(
        verdict(GREETS, "ready", "mail ready"),
        "10\n",
        "on a tie the reject"
    );
}

#[test]
fn the_quit_text_is_sent_only_when_it_is_our_turn() {
    const REJECTED_LATER: &[&str] = &["--expect", "220", "--reject", "ready", "--expect", "250"];
    for (words, status, is_sent) in [
        (&["--expect-prefix", "220"][..], "0\n", true),
        (REJECTED_LATER, "10\n", true),
        (&["--send", "hello "], "0\n", true),
        // The conversation has not begun, or it is the server's turn.
        (&["--expect-prefix", "250"], "9\n", false),
        (&["--expect", "250", "-t", "0.3"], "9\n", false),
        (&["--reject", "mail", "--expect", "250"], "10\n", false),
        (
            &["--expect", "220", "--expect", "250", "-t", "0.3"],
            "9\n",
            false,
        ),
        (&[], "0\n", false),
    ] {
        let (ran, received) = against(
            GREETS,
            &[words, &["--quit", r"QUIT\r\n", "-o", "status"]].concat(),
        );
        assert_eq!(ran.out, status, "{words:?}");
        assert_eq!(
            received.ends_with(r"QUIT\r\n"),
            is_sent,
            "{words:?}: the peer received {received:?}"
        );
    }
}

#[test]
fn captures_appear_in_documents_and_as_single_values() {
    const VERSION: &[Act] = &[Sends(b"app 3.7 build 042 load 17 name x-1\n")];
    let source = r"app (?<version>[0-9.]+) build (?<build>[0-9]+) load (?<load>[0-9]+) name (?<name>\S+)( (?<more>.+))?$";
    let document = against(VERSION, &["--expect-regex", source, "-o", "json"])
        .0
        .document();
    let captures = &document["captures"];
    assert_eq!(captures["load"], "17", "{document}");
    assert_eq!(captures["name"], "x-1", "{document}");
    assert!(
        captures.get("more").is_none(),
        "what took no part is absent: {document}"
    );
    for (name, value) in [
        ("version", "3.7"),
        ("build", "042"),
        ("load", "17"),
        ("name", "x-1"),
    ] {
        let output = format!("captures.{name}");
        against(VERSION, &["--expect-regex", source, "-o", &output])
            .0
            .prints(value, 0);
    }
    let ran = against(VERSION, &["--expect-regex", source, "-o", "captures.more"]).0;
    ran.prints("ok: not measured by this probe", 0);
    let ran = against(
        GREETS,
        &["--expect-regex", r"\Aapp (?<v>.*)\r\n", "-o", "captures.v"],
    )
    .0;
    assert!(
        ran.out.starts_with("mismatch: ") && ran.code == Some(1),
        "{}",
        ran.out
    );
}

#[test]
fn captures_go_into_later_sends() {
    const CHALLENGE: &[Act] = &[Sends(b"nonce <a\\b\xff>\n"), Receives, Sends(b"fine\n")];
    let words = [
        "--expect-regex",
        "<(?<nonce>[^>]+)>",
        "--send",
        r"re ${nonce}\n",
        "--expect",
        "fine",
        "--quit",
        "${nonce}!",
    ];
    assert_eq!(sent(CHALLENGE, &words), r"re a\\b\xff\na\\b\xff!");
    assert_eq!(sent(&[Receives], &["--send", r"\x24{nonce}"]), "${nonce}");
    assert_eq!(sent(&[Receives], &["--send", "$nonce}"]), "$nonce}");
}

#[test]
fn captures_are_decoded() {
    const GBK: &[Act] = &[Sends(b"\xc4\xe3 name=\xc4\xe3\xba\xc3;")];
    let words = [
        "--encoding",
        "gbk",
        "--expect-regex",
        "name=(?<name>[^;]+);",
        "-o",
        "captures.name",
    ];
    against(GBK, &words).0.prints("\u{4f60}\u{597d}", 0);
    let (_, received) = against(GBK, &[&words[..], &["--send", "re ${name}"]].concat());
    assert_eq!(
        received, r"re \xc4\xe3\xba\xc3",
        "a capture is sent as it came"
    );
}

#[test]
fn max_bytes_counts_since_the_last_match() {
    const LINES: &[Act] = &[Sends(b"0123456789"), Waits(100), Sends(b"abcdefghij")];
    let ok = [
        "--max-bytes",
        "12",
        "--expect",
        "9",
        "--expect",
        "j",
        "-o",
        "status",
    ];
    against(LINES, &ok).0.prints("0", 0);
    let (ran, _) = against(
        LINES,
        &["--max-bytes", "12", "--expect", "NOPE", "-o", "json"],
    );
    assert_eq!(ran.document()["status_name"], "mismatch");
    assert!(ran.took < Duration::from_millis(1500), "{:?}", ran.took);
}

#[test]
fn options_extend_a_named_service() {
    // The given port is used instead of the port of the service. `--quit` replaces the `quit` of
    // the service, and has the line ends of the service.
    let (ran, received) = against(
        GREETS,
        &[
            "--service",
            "smtp",
            "--quit",
            "BYE",
            "-t",
            "0.5",
            "-o",
            "json",
        ],
    );
    let document = ran.document();
    assert_eq!(document["service"], "smtp");
    assert!(received.ends_with(r"BYE\r\n"), "{received}: {document}");
}

#[test]
fn max_bytes_does_not_depend_on_the_segments() {
    for split in Split::ALL {
        for (max, expected) in [("4", "9"), ("14", "9"), ("15", "0")] {
            let (peer, _) = Peer::scripted(vec![Sends(b"SSH-2.0-OpenSSH"), Waits(50)], split);
            let port = peer.port();
            let words = ["127.0.0.1", &port, "--max-bytes", max, "-o", "status"];
            let ran = check(&[&words[..], &["--expect", "OpenSSH"]].concat());
            assert_eq!(ran.out.trim(), expected, "{split:?} {max}");
        }
    }
}

#[test]
fn a_text_may_begin_with_a_hyphen() {
    const ERR: &[Act] = &[Receives, Sends(b"-ERR no\r\n")];
    let words = [
        "--send", "--x y", "--reject", "-ERR", "--expect", "+OK", "-o", "status",
    ];
    let (ran, received) = against(ERR, &words);
    ran.prints("10", 1);
    assert_eq!(received, "--x y");
    let words = [
        "--send",
        "x",
        "--expect",
        "-ERR",
        "--expect-regex",
        "-*n[a-z]",
        "--quit",
        "-",
    ];
    assert_eq!(sent(ERR, &words), "x-");
    // The steps keep their order, whatever their texts look like.
    const TWICE: &[Act] = &[Receives, Sends(b"-1"), Receives, Sends(b"-2")];
    let words = [
        "--send",
        "-a",
        "--expect=-1",
        "--send=-b",
        "--reject",
        "-1",
        "--expect",
        "-2",
    ];
    assert_eq!(sent(TWICE, &words), "-a-b");
}

#[test]
fn a_missing_text_is_not_the_next_option() {
    let peer = Peer::greeting(b"220 ready\r\n");
    for next in [
        "--expect",
        "--expect=220",
        "-o",
        "-4",
        "--timeout",
        "--help",
    ] {
        let words = ["127.0.0.1", &peer.port(), "--send", next];
        check(&words).refuses(&format!(
            "--send: requires a value, but `{next}` is an option"
        ));
    }
    peer.has_no_connection();
}

#[test]
fn silence_can_be_expected() {
    let silent = |acts: &'static [Act], more: &[&str]| {
        let words = [&["--expect-silence", "300ms", "-o", "status"], more].concat();
        let (ran, _) = against(acts, &words);
        let took = ran.took;
        (ran.out.trim().to_owned(), took)
    };
    let (status, took) = silent(&[Waits(600)], &[]);
    assert!(
        status == "0" && took >= Duration::from_millis(300),
        "{took:?}"
    );
    for (acts, status) in [
        // A proxy that accepts connections for a server that is down.
        (&[Waits(50), Act::Closes][..], "7"),
        (&[Waits(50), Act::Resets], "6"),
        (&[Waits(50), Sends(b"x"), Waits(500)], "9"),
    ] {
        assert_eq!(silent(acts, &[]).0, status, "{acts:?}");
    }
    const TALKS: &[Act] = &[Sends(b"hello"), Waits(600)];
    let words = [
        "--expect",
        "hello",
        "--expect-silence",
        "300ms",
        "-o",
        "json",
    ];
    let document = against(TALKS, &words).0.document();
    assert_eq!(
        (document["status"].as_u64(), document["step"].as_u64()),
        (Some(0), Some(2))
    );
    let words = [
        "--expect",
        "hell",
        "--expect-silence",
        "300ms",
        "-o",
        "error",
    ];
    let (ran, _) = against(TALKS, &words);
    assert!(
        ran.out.contains("expected silence for 300ms, got \"o\""),
        "{}",
        ran.out
    );
}

#[test]
fn sends_name_the_target() {
    let (ran, received) = against(
        &[Receives],
        &["--send", "${host} ${port} ${address} ${authority}"],
    );
    ran.prints("1", 0);
    let port = received.split(' ').nth(1).unwrap();
    assert_eq!(
        received,
        format!("127.0.0.1 {port} 127.0.0.1 127.0.0.1:{port}")
    );
    let words = [
        "--expect-regex",
        "(?<host>[a-z]+) ready",
        "--send",
        "${host}",
    ];
    assert_eq!(
        sent(&[Sends(b"220 mail ready\r\n"), Receives], &words),
        "mail",
        "captures come first"
    );
}

#[test]
fn http_head_sends_a_host() {
    const HTTP: &[Act] = &[Receives, Sends(b"HTTP/1.1 200 OK\r\n\r\n")];
    let received = sent(HTTP, &["--service", "http_head"]);
    assert!(received.contains(r"\r\nHost: 127.0.0.1:"), "{received}");
}

#[test]
fn utf_16_is_sent_and_matched() {
    const ANSWER: &[Act] = &[Receives, Sends(b"o\0k\0 \0\x60\x4f\r\0\n\0")];
    let words = [
        "--encoding",
        "utf-16le",
        "--crlf",
        "--send",
        "a\u{4f60}",
        "--expect-regex",
        r"ok (?<who>.)\r\n",
        "--send",
        "${who}",
    ];
    assert_eq!(sent(ANSWER, &words), r"a\x00`O\r\x00\n\x00`O\r\x00\n\x00");
}
