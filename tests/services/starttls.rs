//! The services that start TLS in the middle of a dialogue, and those that start it at once, with
//! scripted peers that speak real TLS.

use std::time::Duration;

use serde_json::Value;

use crate::program::check;
use crate::replies::in_parallel;
use crate::tls_peer::Turn::{FallsSilent, Hears, Says, SaysSplit, ShutsDown, StartsTls};
use crate::tls_peer::{Heard, Turn, pin, start};

/// A conversation in which the service is up, and answers that let it fail before TLS starts.
struct Conversation {
    service: &'static str,
    /// The last turn before [`StartsTls`] lets TLS start, except for MySQL, whose client starts it
    /// without a further answer.
    turns: Vec<Turn>,
    /// What the program sends after its last step, within TLS.
    quit: Vec<u8>,
    /// The number of the turn that is replaced, what the peer says instead, the status, and what
    /// the program sends then.
    failures: Vec<(usize, Vec<u8>, &'static str, Vec<u8>)>,
}

fn hears(bytes: impl AsRef<[u8]>) -> Turn {
    Hears(bytes.as_ref().to_vec())
}

fn says(bytes: impl AsRef<[u8]>) -> Turn {
    Says(bytes.as_ref().to_vec())
}

fn failure(
    turn: usize,
    says: impl AsRef<[u8]>,
    status: &'static str,
    hears: impl AsRef<[u8]>,
) -> (usize, Vec<u8>, &'static str, Vec<u8>) {
    (
        turn,
        says.as_ref().to_vec(),
        status,
        hears.as_ref().to_vec(),
    )
}

const REFUSED: &str = "tls_refused";
const REJECTED: &str = "rejected";
const QUIT: &str = "QUIT\r\n";

fn mail(service: &'static str, hello: &str) -> Conversation {
    let hello = format!("{hello} zbx-tcp.invalid\r\n");
    let offers = "250-mx1\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE 1\r\n";
    Conversation {
        service,
        turns: vec![
            says("220-mx1 ESMTP\r\n220 hello\r\n"),
            hears(&hello),
            says(offers),
            hears("STARTTLS\r\n"),
            says("220 go ahead\r\n"),
            StartsTls,
            hears(&hello),
            says("250-mx1\r\n250 SIZE 1\r\n"),
        ],
        quit: QUIT.into(),
        failures: vec![
            failure(0, "421 busy\r\n", REJECTED, ""),
            failure(0, "220-wait\r\n554 no\r\n", REJECTED, ""),
            failure(2, "250 mx1\r\n", REFUSED, QUIT),
            failure(
                2,
                "250-mx1\r\n250-STARTTLSX\r\n250 XSTARTTLS\r\n",
                REFUSED,
                QUIT,
            ),
            failure(2, "250-STARTTLS later\r\n250 mx1\r\n", REFUSED, QUIT),
            failure(2, "502 5.5.1 unknown\r\n", REFUSED, QUIT),
            failure(2, "550 go away\r\n", REJECTED, QUIT),
            failure(2, "421 going down\r\n", REJECTED, QUIT),
            failure(2, "220 what\r\n", "mismatch", QUIT),
            failure(4, "454 4.7.0 TLS not available\r\n", REFUSED, QUIT),
            failure(4, "501 5.5.4 syntax\r\n", REFUSED, QUIT),
            failure(4, "421 4.3.2 going down\r\n", REJECTED, QUIT),
            failure(4, "250 ok\r\n", "mismatch", QUIT),
        ],
    }
}

/// A greeting of MySQL with these capabilities (the lower half) and this plugin.
fn mysql_greeting(capabilities: [u8; 2], plugin: &str) -> Vec<u8> {
    let mut payload = b"\x0a8.0.36\0".to_vec();
    payload.extend_from_slice(b"\x05\0\0\0abcdefgh\0");
    payload.extend_from_slice(&capabilities);
    payload.extend_from_slice(b"\x21\x02\0\xff\xc7\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0");
    payload.extend_from_slice(plugin.as_bytes());
    payload.push(0);
    mysql_packet(0, &payload)
}

fn mysql_packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[length, 0, 0, number], payload].concat()
}

/// The fixed part of SSLRequest and of the login.
fn mysql_flags(capabilities: &[u8; 4]) -> Vec<u8> {
    [&capabilities[..], b"\0\0\0\x01\x21", &[0; 23]].concat()
}

fn mysql_login(number: u8, capabilities: &[u8; 4], plugin: &str) -> Vec<u8> {
    let user = format!("zbx_tcp\0\0{plugin}\0");
    mysql_packet(
        number,
        &[&mysql_flags(capabilities), user.as_bytes()].concat(),
    )
}

fn mysql() -> Conversation {
    const WITH_TLS: &[u8; 4] = b"\x01\x8a\x08\0";
    const WITHOUT: &[u8; 4] = b"\x01\x82\x08\0";
    let (native, sha2) = ("mysql_native_password", "caching_sha2_password");
    let without = |plugin| {
        let login = mysql_login(1, WITHOUT, plugin);
        failure(0, mysql_greeting([0xff, 0xf7], plugin), REFUSED, login)
    };
    let error = |code: u16, text: &str, status| {
        let [low, high] = code.to_le_bytes();
        let payload = [&[0xff, low, high], text.as_bytes()].concat();
        failure(0, mysql_packet(0, &payload), status, "")
    };
    Conversation {
        service: "mysql_starttls",
        turns: vec![
            says(mysql_greeting([0xff, 0xff], sha2)),
            hears(mysql_packet(1, &mysql_flags(WITH_TLS))),
            StartsTls,
            hears(mysql_login(2, WITH_TLS, sha2)),
            says(mysql_packet(3, b"\xff\x15\x04#28000Access denied")),
        ],
        quit: b"\0\0\0\x04".to_vec(),
        failures: vec![
            without(native),
            without(sha2),
            error(1130, "Host '192.0.2.1' is not allowed to connect", REJECTED),
            error(1129, "Host '192.0.2.1' is blocked", REJECTED),
            error(1040, "Too many connections", REJECTED),
            error(1042, "Can't get hostname", REJECTED),
            failure(0, "220 mail.example.org ESMTP\r\n", "mismatch", ""),
        ],
    }
}

const LDAP_REQUEST: &[u8] = b"0\x1d\x02\x01\x01w\x18\x80\x161.3.6.1.4.1.1466.20037";
const LDAP_SEARCH: &[u8] = b"05\x02\x01\x01c0\x04\0\x0a\x01\0\x0a\x01\0\x02\x01\x01\x02\x01\x05\x01\x01\0\x87\x0bobjectClass0\x10\x04\x0enamingContexts";
const LDAP_UNBIND: &[u8] = b"0\x05\x02\x01\x02B\0";

/// The answer to StartTLS with this result code, text and name.
fn ldap_answer(code: u8, text: &str, name: &str) -> Vec<u8> {
    let length = |bytes: usize| u8::try_from(bytes).unwrap();
    let mut response = [
        &[0x0a, 1, code, 4, 0, 4, length(text.len())],
        text.as_bytes(),
    ]
    .concat();
    if !name.is_empty() {
        response.extend_from_slice(&[0x8a, length(name.len())]);
        response.extend_from_slice(name.as_bytes());
    }
    let message = [&[2, 1, 1, 0x78, length(response.len())], &response[..]].concat();
    [&[0x30, length(message.len())], &message[..]].concat()
}

fn ldap(go_ahead: Vec<u8>) -> Conversation {
    Conversation {
        service: "ldap_starttls",
        turns: vec![
            hears(LDAP_REQUEST),
            says(go_ahead),
            StartsTls,
            hears(LDAP_SEARCH),
            says(b"0\x0c\x02\x01\x01e\x07\x0a\x01\0\x04\0\x04\0"),
        ],
        quit: LDAP_UNBIND.to_vec(),
        failures: vec![
            failure(
                1,
                ldap_answer(2, "unsupported extended operation", ""),
                REFUSED,
                LDAP_UNBIND,
            ),
            failure(
                1,
                ldap_answer(52, "TLS is not initialised", ""),
                REFUSED,
                LDAP_UNBIND,
            ),
            failure(
                1,
                b"0\x0c\x02\x01\0x\x07\x0a\x01\x02\x04\0\x04\0",
                REJECTED,
                LDAP_UNBIND,
            ),
        ],
    }
}

const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' id='1' version='1.0' xmlns:stream='http://etherx.jabber.org/streams'>";
const FEATURES: &str = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";

fn xmpp(service: &'static str, namespace: &str) -> Conversation {
    let open = format!(
        "<?xml version='1.0'?><stream:stream to='127.0.0.1' version='1.0' xmlns='{namespace}' xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    let end = "</stream:stream>";
    let answer = |features: &str| format!("{STREAM}{features}");
    Conversation {
        service,
        turns: vec![
            hears(&open),
            says(answer(FEATURES)),
            hears("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            says("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            StartsTls,
            hears(&open),
            says(answer("<stream:features/>")),
        ],
        quit: end.into(),
        failures: vec![
            failure(1, answer("<stream:features/>"), REFUSED, end),
            failure(
                1,
                answer(
                    "<stream:features xmlns='a/b'><mechanisms xmlns='urn:x'><mechanism>PLAIN</mechanism></mechanisms><sub/></stream:features>",
                ),
                REFUSED,
                end,
            ),
            failure(
                1,
                answer(
                    "<stream:error><host-unknown xmlns='urn:x'/></stream:error></stream:stream>",
                ),
                REJECTED,
                end,
            ),
            failure(
                3,
                "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>",
                REFUSED,
                end,
            ),
        ],
    }
}

fn text_protocols() -> Vec<Conversation> {
    vec![
        mail("smtp_starttls", "EHLO"),
        mail("submission_starttls", "EHLO"),
        mail("lmtp_starttls", "LHLO"),
        Conversation {
            service: "imap_starttls",
            turns: vec![
                says("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
                hears("a1 STARTTLS\r\n"),
                says("* OK still here\r\na1 OK Begin TLS negotiation now.\r\n"),
                StartsTls,
                hears("a2 CAPABILITY\r\n"),
                says("* CAPABILITY IMAP4rev1\r\na2 OK done\r\n"),
            ],
            quit: "a3 LOGOUT\r\n".into(),
            failures: vec![
                failure(0, "* BYE busy\r\n", REJECTED, ""),
                failure(0, "* PREAUTH welcome\r\n", REFUSED, "a3 LOGOUT\r\n"),
                failure(2, "a1 BAD unknown command\r\n", REFUSED, "a3 LOGOUT\r\n"),
                failure(2, "* OK x\r\na1 NO not now\r\n", REFUSED, "a3 LOGOUT\r\n"),
                failure(2, "* BYE going down\r\n", REJECTED, "a3 LOGOUT\r\n"),
            ],
        },
        Conversation {
            service: "pop3_starttls",
            turns: vec![
                says("+OK ready\r\n"),
                hears("STLS\r\n"),
                says("+OK Begin TLS negotiation\r\n"),
                StartsTls,
                hears("CAPA\r\n"),
                says("+OK\r\nTOP\r\nSASL PLAIN\r\n.\r\n"),
            ],
            quit: QUIT.into(),
            failures: vec![
                failure(0, "-ERR busy\r\n", REJECTED, ""),
                failure(2, "-ERR unknown command\r\n", REFUSED, QUIT),
            ],
        },
        Conversation {
            service: "ftp_starttls",
            turns: vec![
                says("220-Welcome\r\n220 ready\r\n"),
                hears("AUTH TLS\r\n"),
                says("234 Proceed with negotiation.\r\n"),
                StartsTls,
                hears("PBSZ 0\r\n"),
                says("200 PBSZ set to 0.\r\n"),
            ],
            quit: QUIT.into(),
            failures: vec![
                failure(0, "421 too many\r\n", REJECTED, ""),
                failure(2, "530 Please login with USER and PASS.\r\n", REFUSED, QUIT),
                failure(2, "431 no certificate\r\n", REFUSED, QUIT),
                failure(2, "421 going down\r\n", REJECTED, QUIT),
            ],
        },
        Conversation {
            service: "nntp_starttls",
            turns: vec![
                says("200 ready\r\n"),
                hears("STARTTLS\r\n"),
                says("382 Continue with TLS negotiation\r\n"),
                StartsTls,
                hears("CAPABILITIES\r\n"),
                says("101 list\r\nVERSION 2\r\n.\r\n"),
            ],
            quit: QUIT.into(),
            failures: vec![
                failure(0, "400 busy\r\n", REJECTED, ""),
                failure(0, "502 not you\r\n", REJECTED, ""),
                failure(2, "580 Can not initiate TLS negotiation\r\n", REFUSED, QUIT),
                failure(2, "500 What?\r\n", REFUSED, QUIT),
                failure(2, "400 going down\r\n", REJECTED, QUIT),
            ],
        },
        Conversation {
            service: "sieve_starttls",
            turns: vec![
                says(
                    "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"SIEVE\" \"fileinto\"\r\n\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\nOK \"ready\"\r\n",
                ),
                hears("STARTTLS\r\n"),
                says("OK \"Begin TLS negotiation now.\"\r\n"),
                StartsTls,
                says(
                    "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"SASL\" \"PLAIN\"\r\nOK \"TLS\"\r\n",
                ),
            ],
            quit: "LOGOUT\r\n".into(),
            failures: vec![
                failure(0, "BYE \"busy\"\r\n", REJECTED, ""),
                failure(
                    0,
                    "\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"PLAIN\"\r\nOK\r\n",
                    REFUSED,
                    "LOGOUT\r\n",
                ),
                failure(2, "NO \"not now\"\r\n", REFUSED, "LOGOUT\r\n"),
                failure(2, "BYE\r\n", REJECTED, "LOGOUT\r\n"),
            ],
        },
        xmpp("xmpp_starttls", "jabber:client"),
        xmpp("xmpp-server_starttls", "jabber:server"),
        Conversation {
            service: "irc_starttls",
            turns: vec![
                hears("CAP LS\r\n"),
                says(
                    ":irc.example NOTICE * :*** Looking up your hostname...\r\n:irc.example CAP * LS :multi-prefix tls userhost-in-names\r\n",
                ),
                hears("STARTTLS\r\n"),
                says(
                    ":irc.example NOTICE * :*** No ident\r\n:irc.example 670 * :STARTTLS successful\r\n",
                ),
                StartsTls,
                hears("CAP LS\r\n"),
                says(":irc.example CAP * LS :multi-prefix\r\n"),
            ],
            quit: QUIT.into(),
            failures: vec![
                failure(
                    1,
                    ":irc.example CAP * LS :multi-prefix tlsx xtls\r\n",
                    REFUSED,
                    QUIT,
                ),
                failure(1, ":irc.example CAP * LS :\r\n", REFUSED, QUIT),
                failure(
                    1,
                    ":irc.example 421 * CAP :Unknown command\r\n",
                    REFUSED,
                    QUIT,
                ),
                failure(
                    1,
                    ":irc.example 451 * :You have not registered\r\n",
                    REFUSED,
                    QUIT,
                ),
                failure(1, "ERROR :Closing Link\r\n", REJECTED, QUIT),
                failure(3, ":irc.example 691 * :STARTTLS failed\r\n", REFUSED, QUIT),
                failure(
                    3,
                    ":irc.example 421 * STARTTLS :Unknown command\r\n",
                    REFUSED,
                    QUIT,
                ),
                failure(3, "ERROR :Closing Link\r\n", REJECTED, QUIT),
            ],
        },
    ]
}

/// The conversations of all services that start TLS in the middle of the dialogue.
fn conversations() -> Vec<Conversation> {
    let rdp = |negotiation: &[u8]| {
        let length = u8::try_from(11 + negotiation.len()).unwrap();
        let head = [3, 0, 0, length, length - 5, 0xd0, 0, 0, 0x12, 0x34, 0];
        [&head, negotiation].concat()
    };
    let mut all = text_protocols();
    all.extend([
        ldap(ldap_answer(0, "", "")),
        // 389 Directory Server.
        ldap(ldap_answer(
            0,
            "Start TLS request accepted.Server willing to negotiate SSL.",
            "1.3.6.1.4.1.1466.20037",
        )),
        // Active Directory writes lengths of four bytes.
        ldap(b"0\x84\0\0\0\x28\x02\x01\x01x\x84\0\0\0\x1f\x0a\x01\0\x04\0\x04\0\x8a\x161.3.6.1.4.1.1466.20037".to_vec()),
        Conversation {
            service: "telnet_starttls",
            turns: vec![
                hears(b"\xff\xfb\x2e"),
                says(b"\xff\xfd\x18\xff\xfd\x2e"),
                hears(b"\xff\xfa\x2e\x01\xff\xf0"),
                says(b"\xff\xfa\x2e\x01\xff\xf0"),
                StartsTls,
            ],
            quit: Vec::new(),
            failures: vec![failure(1, b"\xff\xfe\x2e", REFUSED, "")],
        },
        Conversation {
            service: "postgres_starttls",
            turns: vec![hears(b"\0\0\0\x08\x04\xd2\x16\x2f"), says("S"), StartsTls],
            quit: Vec::new(),
            failures: vec![
                failure(1, "N", REFUSED, ""),
                failure(1, b"E\0\0\0\x20SFATAL\0", REJECTED, ""),
                failure(1, "HTTP/1.1 400 Bad Request\r\n", "mismatch", ""),
            ],
        },
        mysql(),
        Conversation {
            service: "rdp_starttls",
            turns: vec![
                hears(b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"),
                says(rdp(b"\x02\x1f\x08\0\x02\0\0\0")),
                StartsTls,
            ],
            quit: Vec::new(),
            failures: vec![
                failure(1, rdp(b""), REFUSED, ""),
                failure(1, rdp(b"\x02\0\x08\0\0\0\0\0"), REFUSED, ""),
                failure(1, rdp(b"\x03\0\x08\0\x02\0\0\0"), REFUSED, ""),
                failure(1, rdp(b"\x03\0\x08\0\x03\0\0\0"), REFUSED, ""),
                failure(1, rdp(b"\x03\0\x08\0\x05\0\0\0"), REFUSED, ""),
            ],
        },
    ]);
    all
}

/// The bytes that the program sends in these turns, before TLS and within it.
fn sent(turns: &[Turn]) -> (Vec<u8>, Vec<u8>) {
    let (mut plain, mut encrypted) = (Vec::new(), Vec::new());
    let mut is_secured = false;
    for turn in turns {
        match turn {
            StartsTls => is_secured = true,
            Hears(bytes) if is_secured => encrypted.extend_from_slice(bytes),
            Hears(bytes) => plain.extend_from_slice(bytes),
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
            let Says(bytes) = turn else { continue };
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
            let turns = [before, &[Says(bytes.clone())]].concat();
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
        let Says(bytes) = &conversation.turns[at] else {
            return errors;
        };
        let last = bytes.last().copied().unwrap_or_default();
        for injected in [&b"250 injected\r\n"[..], b"\x16\x03\x03", b"\0", &[last]] {
            let said = [bytes, injected].concat();
            let turns = [&conversation.turns[..at], &[Says(said)]].concat();
            let expected = heard_when_failed(&turns, b"");
            let name = (conversation.service, "injected");
            errors.extend(verify(name, &turns, "5", "tls_failed", &expected));
        }
        errors
    });
    none(&errors);
}

/// A go-ahead that never comes is not yet TLS, a handshake that is not answered is.
#[test]
fn silence_and_close_have_the_status_of_the_phase() {
    let errors = in_parallel(&conversations(), |conversation| {
        let mut errors = Vec::new();
        let start = go_ahead(&conversation.turns) + 1;
        for (index, turn) in conversation.turns.iter().enumerate() {
            let before = &conversation.turns[..index];
            let is_after = index > start;
            if !matches!(turn, Says(_)) {
                continue;
            }
            let (plain, encrypted) = sent(before);
            let expected = Heard {
                plain,
                encrypted,
                secured: is_after,
                // The conversation is not finished, and its time is over or the peer has left.
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
    let wont = hears(b"\xff\xfb\x2e");
    for end in [FallsSilent, ShutsDown] {
        let turns = [wont.clone(), says(b"\xff\xfd\x18\r\nlogin: "), end];
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
        hears(format!(
            "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:PORT5\r\nUser-Agent: zbx-tcp\r\n\r\n"
        ))
    }
    let head = || {
        hears(
            "HEAD / HTTP/1.0\r\nHost: 127.0.0.1:PORT5\r\nUser-Agent: zbx-tcp\r\nAccept: */*\r\n\r\n",
        )
    };
    let options = || {
        hears(
            "OPTIONS sips:zbx-tcp@localhost SIP/2.0\r\nVia: SIP/2.0/TLS localhost;branch=z9hG4bKzbxtcp;rport\r\nMax-Forwards: 0\r\nFrom: <sips:zbx-tcp@localhost>;tag=zbxtcp\r\nTo: <sips:zbx-tcp@localhost>\r\nCall-ID: zbx-tcp@localhost\r\nCSeq: 1 OPTIONS\r\nUser-Agent: zbx-tcp\r\nContent-Length: 0\r\n\r\n",
        )
    };
    let tls = |asks: Turn, answer: &str| vec![StartsTls, asks, says(answer)];
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
            vec![StartsTls, says("220 mx1 ESMTP\r\n")],
            "ok",
            QUIT,
        ),
        ("smtps", vec![StartsTls, says("554 no\r\n")], REJECTED, ""),
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
        let (peer, heard) = start(vec![StartsTls, says("HTTP/1.1 200 OK\r\n\r\n")]);
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
    // Steps go on within TLS, with the farewell of the protocol.
    let turns = [
        &conversation.turns[..=go_ahead(&conversation.turns) + 1],
        &[hears("NOOP\n"), says("250 ok\r\n")],
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
            { expect_regex = '\AYES\n', reject = [{ regex = '\ANO\n', status = "tls_refused", reason = "it says no", quit = 'BYE\n' }] },
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
        &[hears("NOOP\r\n"), says("250 ok\r\n")],
    ]
    .concat();
    let (document, _, heard) = probe(&["-s", "mine", "--config", config], &own, "5");
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(heard.encrypted, b"NOOP\r\nQUIT\r\n");
    let (document, _, heard) = probe(&["-s", "whole", "--config", config], &mail.turns, "5");
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(heard, heard_when_up(&mail));
    let written = |answer: &str| {
        let mut turns = vec![says("READY\n"), hears("GO\n"), says(answer)];
        if answer == "YES\n" {
            turns.extend([StartsTls, hears("HI\n"), says("HELLO\n")]);
        }
        probe(&["-s", "written", "--config", config], &turns, "5")
    };
    let (document, _, heard) = written("YES\n");
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(heard.encrypted, b"HI\n");
    let (document, _, heard) = written("NO\n");
    assert_eq!(document["status_name"], "tls_refused", "{document}");
    let error = document["error"].as_str().unwrap();
    assert!(error.ends_with(": it says no: \"NO\\n\""), "{error}");
    assert_eq!(heard.plain, b"GO\nBYE\n");
}
