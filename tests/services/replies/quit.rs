//! What a server receives from a probe that fails: nothing before its complete greeting has
//! arrived, and no `quit` while it is the server's turn.

use super::{Case, all_cases, in_parallel, probe, services, text};
use crate::scripted_peer::Act::{self, Sends, Waits};
use crate::scripted_peer::Split;

/// Services whose server speaks first.
const GREETED: &[&str] = &[
    "ssh",
    "smtp",
    "submission",
    "lmtp",
    "ftp",
    "pop",
    "pop3",
    "imap",
    "nntp",
    "sieve",
    "vnc",
    "mysql",
    "mysql_login",
];

/// The bytes of `quit`; empty if the probe only closes the connection.
fn quit(service: &str) -> &'static [u8] {
    match service {
        "redis" => b"*1\r\n$4\r\nQUIT\r\n",
        "memcached" => b"quit\r\n",
        "mysql" => b"\x00\x00\x00\x03",
        "mysql_login" => b"\x01\x00\x00\x00\x01",
        "ldap" => b"0\x05\x02\x01\x02B\x00",
        "mqtt" => b"\xe0\x00",
        "vnc" => b"RFB 003.003\n",
        other => text::quit(other),
    }
}

/// Probes a peer that runs this script and is silent after it; an error if it received what it should not.
fn complaint(service: &str, what: &str, acts: &[Act]) -> Option<String> {
    let (document, _, received) = probe(service, acts, Split::Whole, "0.4");
    let quit = quit(service);
    let is_decided = document["up"] == 1 && ["mysql", "xmpp", "xmpp-server"].contains(&service);
    let is_wrong = if is_decided {
        false
    } else if GREETED.contains(&service) {
        !received.is_empty()
    } else {
        !quit.is_empty() && received.ends_with(quit)
    };
    is_wrong.then(|| {
        let received = received.escape_ascii();
        format!("{service}, {what}: it sent \"{received}\": {document}")
    })
}

#[test]
fn no_quit_is_sent_to_a_silent_peer() {
    let errors = in_parallel(&services(&all_cases()), |service| {
        complaint(service, "silent", &[]).into_iter().collect()
    });
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn nothing_is_sent_into_half_a_greeting() {
    let cases: Vec<Case> = all_cases()
        .into_iter()
        .filter(|case| case.status == "ok")
        .collect();
    let errors = in_parallel(&cases, |case| {
        let first = case.acts.iter().position(|act| matches!(act, Sends(_)));
        let Some((at, Sends(bytes))) = first.map(|at| (at, case.acts[at])) else {
            return Vec::new();
        };
        // Half of the first line, so that no line is complete.
        let line = bytes.iter().position(|byte| *byte == b'\n');
        let half = &bytes[..line.unwrap_or(bytes.len()) / 2];
        let acts = [&case.acts[..at], &[Sends(half)]].concat();
        // The start of a prompt or of a binary message may be a whole one.
        if ["telnet", "finger", "whois"].contains(&case.service) {
            return Vec::new();
        }
        complaint(case.service, case.name, &acts)
            .into_iter()
            .collect()
    });
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// The bytes of `quit` are also sent to a server that is silent after its greeting, and only once.
#[test]
fn quit_is_sent_after_a_whole_greeting() {
    for service in GREETED.iter().filter(|name| !name.starts_with("mysql")) {
        let case = all_cases()
            .into_iter()
            .find(|case| case.service == *service && case.status == "ok")
            .unwrap();
        let (document, _, received) = probe(service, &case.acts, Split::Whole, "2");
        assert_eq!(document["up"], 1, "{document}");
        assert_eq!(
            received.escape_ascii().to_string(),
            quit(service).escape_ascii().to_string(),
            "{service}"
        );
    }
}

/// Nothing is sent to a server that refuses the client before its greeting; its text is in the
/// error.
#[test]
fn nothing_is_sent_after_a_rejected_greeting() {
    let cases: Vec<Case> = all_cases()
        .into_iter()
        .filter(|case| case.status == "rejected" && GREETED.contains(&case.service))
        .filter(|case| matches!(case.acts.first(), Some(Sends(_))))
        .filter(|case| case.acts.len() == 1)
        .collect();
    assert!(cases.len() > 10, "{}", cases.len());
    let errors = in_parallel(&cases, |case| {
        let (document, _, received) = probe(case.service, &case.acts, Split::Whole, "2");
        let error = document["error"].as_str().unwrap();
        let is_right = received.is_empty() && !error.contains("reject pattern");
        let received = received.escape_ascii();
        let text = format!("{}: it sent \"{received}\": {error}", case.service);
        (!is_right).then_some(text).into_iter().collect()
    });
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Postfix's postscreen sends unknown clients the first line of its greeting, and the rest only
/// after a pause.
#[test]
fn a_first_line_that_makes_us_wait_is_up_and_gets_no_quit() {
    const TEASER: &[u8] = b"220-mail.example.org ESMTP Postfix\r\n";
    for service in ["smtp", "submission", "lmtp"] {
        let (document, took, received) = probe(service, &[Sends(TEASER)], Split::Whole, "0.6");
        assert_eq!(document["status_name"], "ok", "{document}");
        assert_eq!(document["captures"]["host"], "mail.example.org");
        assert!(
            took.as_secs_f64() > 0.5,
            "the rest may still come: {took:?}"
        );
        assert!(received.is_empty(), "{received:?}");
        // A server that never sends the rest is not up.
        let acts = [Sends(TEASER), Act::ShutsDown];
        let (document, ..) = probe(service, &acts, Split::Whole, "2");
        assert_eq!(document["status_name"], "mismatch", "{document}");
        // A client that waits long enough receives the rest, and sends `quit`.
        let acts = [
            Sends(TEASER),
            Waits(300),
            Sends(b"220 mail.example.org ESMTP Postfix\r\n"),
        ];
        let (document, _, received) = probe(service, &acts, Split::Whole, "3");
        assert_eq!(document["status_name"], "ok", "{document}");
        assert_eq!(received, b"QUIT\r\n");
    }
}

/// The peer sent it, so it counts, even if the connection is reset in the same moment.
#[test]
fn the_start_of_a_greeting_counts_before_a_reset() {
    for (service, greeting) in [
        ("ssh", &b"SSH-2.0-x"[..]),
        ("pop", b"+OK"),
        ("imap", b"* OK"),
        ("telnet", b"Name:"),
    ] {
        for _ in 0..5 {
            let (document, ..) = probe(service, &[Sends(greeting), Act::Resets], Split::Whole, "2");
            assert_eq!(document["status_name"], "ok", "{service}: {document}");
        }
    }
}
