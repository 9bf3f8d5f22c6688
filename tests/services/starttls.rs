//! The services that start TLS in the middle of a dialogue, and those that start it at once, with
//! scripted peers that speak real TLS.

mod conversations;
mod mutated;

use std::time::Duration;

use serde_json::Value;

use crate::program::check;
use crate::replies::in_parallel;
use crate::tls_peer::Turn::{FallsSilent, Receives, SaysSplit, Sends, ShutsDown, StartsTls};
use crate::tls_peer::{Heard, Turn, pin, start};
use conversations::{Conversation, QUIT, REJECTED, conversations, mail, receives, sends};

/// The bytes that the program sends in these turns, before TLS and within it.
fn sent(turns: &[Turn]) -> (Vec<u8>, Vec<u8>) {
    let (mut plain, mut encrypted) = (Vec::new(), Vec::new());
    let mut is_secured = false;
    for turn in turns {
        match turn {
            StartsTls => is_secured = true,
            Receives(bytes) if is_secured => encrypted.extend_from_slice(bytes),
            Receives(bytes) => plain.extend_from_slice(bytes),
            _ => {}
        }
    }
    (plain, encrypted)
}

/// A probe of a peer that runs this script: its document, its duration, and what the peer heard.
fn probe(words: &[&str], turns: &[Turn], timeout: &str) -> (Value, Duration, Heard) {
    let (peer, heard) = start(turns.to_vec());
    let port = peer.port();
    let own = [
        "127.0.0.1",
        &port,
        "-t",
        timeout,
        "-o",
        "json",
        "--pin-sha256",
        pin(),
    ];
    let ran = check(&[&own, words].concat());
    let heard = heard
        .recv_timeout(Duration::from_secs(15))
        .unwrap_or_else(|why| panic!("{words:?}: the script does not end: {why}: {}", ran.out));
    (ran.document(), ran.took, heard)
}

/// The error if a probe has not this status, took too long, or the peer heard something else.
fn verify(
    (service, what): (&str, &str),
    turns: &[Turn],
    timeout: &str,
    status: &str,
    expected: &Heard,
) -> Option<String> {
    let (document, took, heard) = probe(&["-s", service], turns, timeout);
    let name = format!("{service}, {what}");
    if document["status_name"] != status {
        return Some(format!("{name}: not {status}: {document}"));
    }
    // The bytes decide, long before a deadline of 5 s.
    if timeout == "5" && took > Duration::from_secs(3) {
        return Some(format!("{name}: took {took:?}"));
    }
    let has_time = document["time"]["tls"].is_f64();
    if has_time != expected.secured {
        return Some(format!("{name}: time.tls: {document}"));
    }
    (heard != *expected).then(|| {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        format!(
            "{name}: it sent {:?} and in TLS {:?} ({heard:?})",
            text(&heard.plain),
            text(&heard.encrypted)
        )
    })
}

/// What a peer hears of a probe that succeeds.
fn heard_when_up(conversation: &Conversation) -> Heard {
    let (plain, mut encrypted) = sent(&conversation.turns);
    encrypted.extend_from_slice(&conversation.quit);
    Heard {
        plain,
        encrypted,
        secured: true,
        closed: true,
    }
}

/// What a peer hears of a probe that fails before TLS, in this turn.
fn heard_when_failed(turns: &[Turn], then: &[u8]) -> Heard {
    let (mut plain, _) = sent(turns);
    plain.extend_from_slice(then);
    Heard {
        plain,
        ..Heard::default()
    }
}

fn go_ahead(turns: &[Turn]) -> usize {
    turns
        .iter()
        .position(|turn| matches!(turn, StartsTls))
        .unwrap()
        - 1
}

#[track_caller]
fn none(errors: &[String]) {
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn the_dialogue_goes_on_within_tls_however_the_answers_are_split() {
    let errors = in_parallel(&conversations(), |conversation| {
        let expected = heard_when_up(conversation);
        let mut scripts = vec![conversation.turns.clone()];
        for (index, turn) in conversation.turns.iter().enumerate() {
            let Sends(bytes) = turn else { continue };
            // The go-ahead at every byte, other answers at some.
            let step = if index == go_ahead(&conversation.turns) {
                1
            } else {
                bytes.len().div_ceil(4).max(1)
            };
            for at in (1..bytes.len()).step_by(step) {
                let mut turns = conversation.turns.clone();
                turns[index] = SaysSplit(bytes.clone(), at);
                scripts.push(turns);
            }
        }
        let verify =
            |turns: &Vec<Turn>| verify((conversation.service, "good"), turns, "5", "ok", &expected);
        scripts.iter().filter_map(verify).collect()
    });
    none(&errors);
}

#[test]
fn a_missing_offer_and_a_refusal_have_their_status() {
    let errors = in_parallel(&conversations(), |conversation| {
        let verify = |(turn, bytes, status, then): &(usize, Vec<u8>, &'static str, Vec<u8>)| {
            let before = &conversation.turns[..*turn];
            let turns = [before, &[Sends(bytes.clone())]].concat();
            let expected = heard_when_failed(before, then);
            let what = bytes.escape_ascii().to_string();
            verify(
                (conversation.service, &what),
                &turns,
                "5",
                status,
                &expected,
            )
        };
        conversation.failures.iter().filter_map(verify).collect()
    });
    none(&errors);
}

#[test]
fn bytes_after_the_go_ahead_are_an_injection() {
    let errors = in_parallel(&conversations(), |conversation| {
        let at = go_ahead(&conversation.turns);
        let mut errors = Vec::new();
        // The client of MySQL starts TLS without a go-ahead.
        let Sends(bytes) = &conversation.turns[at] else {
            return errors;
        };
        let last = bytes.last().copied().unwrap_or_default();
        for injected in [&b"250 injected\r\n"[..], b"\x16\x03\x03", b"\0", &[last]] {
            let said = [bytes, injected].concat();
            let turns = [&conversation.turns[..at], &[Sends(said)]].concat();
            let expected = heard_when_failed(&turns, b"");
            let name = (conversation.service, "injected");
            errors.extend(verify(name, &turns, "5", "tls_failed", &expected));
        }
        errors
    });
    none(&errors);
}

/// A missing answer to STARTTLS is a failure of the dialogue, a missing answer to the handshake is
/// a failure of TLS.
#[test]
fn silence_and_close_have_the_status_of_the_phase() {
    let errors = in_parallel(&conversations(), |conversation| {
        let mut errors = Vec::new();
        let start = go_ahead(&conversation.turns) + 1;
        for (index, turn) in conversation.turns.iter().enumerate() {
            let before = &conversation.turns[..index];
            let is_after = index > start;
            if !matches!(turn, Sends(_)) {
                continue;
            }
            let (plain, encrypted) = sent(before);
            let expected = Heard {
                plain,
                encrypted,
                secured: is_after,
                // The dialogue is not finished, and its time is over or the peer has closed the
                // connection.
                closed: false,
            };
            for (end, timeout, status) in [
                (FallsSilent, "0.6", "read_timeout"),
                (ShutsDown, "5", "closed"),
            ] {
                let turns = [before, &[end]].concat();
                let name = (conversation.service, status);
                errors.extend(verify(name, &turns, timeout, status, &expected));
            }
        }
        errors
    });
    none(&errors);
}

#[test]
fn a_telnet_server_that_speaks_and_never_offers_refuses() {
    let wont = receives(b"\xff\xfb\x2e");
    for end in [FallsSilent, ShutsDown] {
        let turns = [wont.clone(), sends(b"\xff\xfd\x18\r\nlogin: "), end];
        let (document, _, heard) = probe(&["-s", "telnet_starttls"], &turns, "0.6");
        assert_eq!(document["status_name"], "tls_refused", "{document}");
        assert!(
            document["error"]
                .as_str()
                .unwrap()
                .contains("does not offer"),
            "{document}"
        );
        assert_eq!(heard.plain, b"\xff\xfb\x2e");
    }
}

/// Each service with a dialogue of its own has a conversation.
#[test]
fn every_service_with_tls_has_a_conversation() {
    let mut names: Vec<_> = conversations().iter().map(|one| one.service).collect();
    names.extend(direct().iter().map(|(service, ..)| *service));
    for file in ["starttls", "tls"] {
        let path = format!(
            "{}/src/plan/services/{file}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(path).unwrap();
        for table in text.split("\n[services.").skip(1) {
            let (name, rest) = table.split_once(']').unwrap();
            let is_own = rest.contains("\nsteps");
            assert!(
                !is_own || names.contains(&name),
                "{name} has no conversation"
            );
        }
    }
}

/// Services whose own dialogue has TLS from the start or none: the service, what it sends, what is
/// answered, the status, and what it sends then.
fn direct() -> Vec<(&'static str, Vec<Turn>, &'static str, &'static str)> {
    fn get(path: &str) -> Turn {
        // The port has five digits.
        receives(format!(
            "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:PORT5\r\nUser-Agent: zbx-tcp\r\n\r\n"
        ))
    }
    let head = || {
        receives(
            "HEAD / HTTP/1.0\r\nHost: 127.0.0.1:PORT5\r\nUser-Agent: zbx-tcp\r\nAccept: */*\r\n\r\n",
        )
    };
    let options = || {
        receives(
            "OPTIONS sips:zbx-tcp@localhost SIP/2.0\r\nVia: SIP/2.0/TLS localhost;branch=z9hG4bKzbxtcp;rport\r\nMax-Forwards: 0\r\nFrom: <sips:zbx-tcp@localhost>;tag=zbxtcp\r\nTo: <sips:zbx-tcp@localhost>\r\nCall-ID: zbx-tcp@localhost\r\nCSeq: 1 OPTIONS\r\nUser-Agent: zbx-tcp\r\nContent-Length: 0\r\n\r\n",
        )
    };
    let tls = |asks: Turn, answer: &str| vec![StartsTls, asks, sends(answer)];
    vec![
        (
            "https",
            tls(head(), "HTTP/1.1 503 Service Unavailable\r\n"),
            "ok",
            "",
        ),
        ("https", tls(head(), "HTTP/2 200\r\n"), "ok", ""),
        ("https", tls(head(), "\0\0\x12\x04\0\0\0\0\0"), "ok", ""),
        ("https", tls(head(), "220 mx1 ESMTP\r\n"), "mismatch", ""),
        (
            "https_head",
            tls(head(), "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"),
            "ok",
            "",
        ),
        (
            "https_head",
            tls(head(), "HTTP/1.1 503 Service Unavailable\r\n\r\n"),
            REJECTED,
            "",
        ),
        (
            "sips",
            tls(options(), "SIP/2.0 483 Too Many Hops\r\nServer: x\r\n\r\n"),
            "ok",
            "",
        ),
        (
            "sips",
            tls(options(), "SIP/2.0 503 Busy\r\n\r\n"),
            REJECTED,
            "",
        ),
        (
            "docker",
            tls(
                get("/_ping"),
                "HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\n\r\nOK",
            ),
            "ok",
            "",
        ),
        (
            "docker",
            tls(get("/_ping"), "HTTP/1.0 500 Internal Server Error\r\n\r\n"),
            REJECTED,
            "",
        ),
        (
            "kubernetes",
            tls(get("/readyz"), "HTTP/1.0 200 OK\r\n\r\nok"),
            "ok",
            "",
        ),
        (
            "kubernetes",
            tls(get("/readyz"), "HTTP/1.0 401 Unauthorized\r\n\r\n"),
            "ok",
            "",
        ),
        (
            "kubernetes",
            tls(get("/readyz"), "HTTP/1.0 500 Internal Server Error\r\n\r\n"),
            REJECTED,
            "",
        ),
        (
            "etcd",
            tls(
                get("/health"),
                "HTTP/1.0 200 OK\r\n\r\n{\"health\":\"true\",\"reason\":\"\"}",
            ),
            "ok",
            "",
        ),
        (
            "etcd",
            tls(get("/health"), "HTTP/1.0 503 Service Unavailable\r\n\r\n"),
            REJECTED,
            "",
        ),
        (
            "vault",
            tls(
                get("/v1/sys/health"),
                "HTTP/1.0 429 Too Many Requests\r\n\r\n{\"sealed\":false,\"version\":\"1.15.2\"}",
            ),
            "ok",
            "",
        ),
        (
            "vault",
            tls(
                get("/v1/sys/health"),
                "HTTP/1.0 503 Service Unavailable\r\n\r\n{}",
            ),
            REJECTED,
            "",
        ),
        (
            "vault",
            tls(get("/v1/sys/health"), "HTTP/1.0 404 Not Found\r\n\r\n"),
            REJECTED,
            "",
        ),
        (
            "smtps",
            vec![StartsTls, sends("220 mx1 ESMTP\r\n")],
            "ok",
            QUIT,
        ),
        ("smtps", vec![StartsTls, sends("554 no\r\n")], REJECTED, ""),
        ("tls", vec![StartsTls], "ok", ""),
        ("syslog_tls", vec![StartsTls], "ok", ""),
    ]
}

#[test]
fn services_with_tls_from_the_start_speak_within_it() {
    let errors = in_parallel(&direct(), |(service, turns, status, quit)| {
        let (plain, encrypted) = sent(turns);
        let secured = turns.contains(&StartsTls);
        let mut expected = Heard {
            plain,
            encrypted,
            secured,
            closed: secured,
        };
        let last = if secured {
            &mut expected.encrypted
        } else {
            &mut expected.plain
        };
        last.extend_from_slice(quit.as_bytes());
        verify((service, status), turns, "5", status, &expected)
            .into_iter()
            .collect()
    });
    none(&errors);
}

#[test]
fn https_reports_an_untrusted_certificate_and_the_others_verify() {
    let status = |words: &[&str]| {
        let (peer, heard) = start(vec![StartsTls, sends("HTTP/1.1 200 OK\r\n\r\n")]);
        let port = peer.port();
        let own = ["127.0.0.1", &port, "-t", "5", "-o", "json"];
        let document = check(&[&own, words].concat()).document();
        let _ = heard.recv_timeout(Duration::from_secs(15)).unwrap();
        document
    };
    let document = status(&["-s", "https"]);
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(document["tls"]["verified"], 0, "{document}");
    for words in [
        &["-s", "https", "--tls"][..],
        &["-s", "https_head"],
        &["-s", "tls"],
    ] {
        assert_eq!(status(words)["status_name"], "tls_untrusted", "{words:?}");
    }
}

/// The name of a protocol, alone or with its service, is the dialogue of `PROTO_starttls`.
#[test]
fn starttls_is_asked_for_by_the_name_of_its_protocol() {
    let conversation = mail("", "EHLO");
    let expected = heard_when_up(&conversation);
    for words in [
        &["--starttls", "smtp"][..],
        &["-s", "smtp", "--starttls", "smtp"],
        &["-s", "submission", "--starttls", "smtp"],
        &["-s", "smtp", "--starttls", "submission"],
        &["-s", "smtp_starttls", "--starttls", "smtp"],
    ] {
        let (document, _, heard) = probe(words, &conversation.turns, "5");
        assert_eq!(document["status_name"], "ok", "{words:?}: {document}");
        assert_eq!(heard, expected, "{words:?}");
    }
    // Steps continue within TLS, with the `quit` of the protocol.
    let turns = [
        &conversation.turns[..=go_ahead(&conversation.turns) + 1],
        &[receives("NOOP\n"), sends("250 ok\r\n")],
    ]
    .concat();
    let words = [
        "--starttls",
        "smtp",
        "--send",
        "NOOP\\n",
        "--expect",
        "250 ",
    ];
    let (document, _, heard) = probe(&words, &turns, "5");
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(heard.encrypted, b"NOOP\nQUIT\r\n");
}

#[test]
fn starttls_of_an_own_service_is_followed_by_its_own_steps() {
    let config = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    let text = r#"
        [services.mine]
        starttls = "smtp"
        port = 2525
        steps = [{ send = "NOOP\r\n" }, { expect_prefix = "250 " }]
        [services.whole]
        starttls = "smtp"
        [services.written]
        steps = [
            { expect = "READY\n" }, { send = "GO\n" },
            { expect_regex = '\AYES\n', reject = [{ regex = '\ANO\n', status = "tls_refused", reason = "it sends no", quit = 'BYE\n' }] },
            { starttls = true },
            { send = "HI\n" }, { expect = "HELLO\n" },
        ]
    "#;
    std::fs::write(config.path(), text).unwrap();
    let config = config.path().to_str().unwrap();
    let mail = mail("", "EHLO");
    let start = go_ahead(&mail.turns) + 1;
    let own = [
        &mail.turns[..=start],
        &[receives("NOOP\r\n"), sends("250 ok\r\n")],
    ]
    .concat();
    let (document, _, heard) = probe(&["-s", "mine", "--config", config], &own, "5");
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(heard.encrypted, b"NOOP\r\nQUIT\r\n");
    let (document, _, heard) = probe(&["-s", "whole", "--config", config], &mail.turns, "5");
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(heard, heard_when_up(&mail));
    let written = |answer: &str| {
        let mut turns = vec![sends("READY\n"), receives("GO\n"), sends(answer)];
        if answer == "YES\n" {
            turns.extend([StartsTls, receives("HI\n"), sends("HELLO\n")]);
        }
        probe(&["-s", "written", "--config", config], &turns, "5")
    };
    let (document, _, heard) = written("YES\n");
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(heard.encrypted, b"HI\n");
    let (document, _, heard) = written("NO\n");
    assert_eq!(document["status_name"], "tls_refused", "{document}");
    let error = document["error"].as_str().unwrap();
    assert!(error.ends_with(": it sends no: \"NO\\n\""), "{error}");
    assert_eq!(heard.plain, b"GO\nBYE\n");
}
