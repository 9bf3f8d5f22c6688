//! Conversations with servers that start TLS in the middle of a dialogue.

use crate::tls_peer::Turn::{self, Receives, Sends, StartsTls};

/// A conversation in which the service is up, and answers that let it fail before TLS starts.
pub struct Conversation {
    pub service: &'static str,
    /// The last turn before [`StartsTls`] lets TLS start, except for `MySQL`, whose client starts it
    /// without a further answer.
    pub turns: Vec<Turn>,
    /// What the program sends after its last step, within TLS.
    pub quit: Vec<u8>,
    /// The number of the turn that is replaced, what the peer sends instead, the status, and what
    /// the program sends then.
    pub failures: Vec<(usize, Vec<u8>, &'static str, Vec<u8>)>,
}

pub fn receives(bytes: impl AsRef<[u8]>) -> Turn {
    Receives(bytes.as_ref().to_vec())
}

pub fn sends(bytes: impl AsRef<[u8]>) -> Turn {
    Sends(bytes.as_ref().to_vec())
}

fn failure(
    turn: usize,
    sends: impl AsRef<[u8]>,
    status: &'static str,
    receives: impl AsRef<[u8]>,
) -> (usize, Vec<u8>, &'static str, Vec<u8>) {
    (
        turn,
        sends.as_ref().to_vec(),
        status,
        receives.as_ref().to_vec(),
    )
}

pub const REFUSED: &str = "tls_refused";
pub const REJECTED: &str = "rejected";
pub const QUIT: &str = "QUIT\r\n";

pub fn mail(service: &'static str, hello: &str) -> Conversation {
    let hello = format!("{hello} zbx-tcp.invalid\r\n");
    let offers = "250-mx1\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE 1\r\n";
    Conversation {
        service,
        turns: vec![
            sends("220-mx1 ESMTP\r\n220 hello\r\n"),
            receives(&hello),
            sends(offers),
            receives("STARTTLS\r\n"),
            sends("220 go ahead\r\n"),
            StartsTls,
            receives(&hello),
            sends("250-mx1\r\n250 SIZE 1\r\n"),
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

/// A greeting of `MySQL` with these capabilities (the lower half) and this plugin.
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

/// The fixed part of `SSLRequest` and of the login.
fn mysql_flags(capabilities: [u8; 4]) -> Vec<u8> {
    [&capabilities[..], b"\0\0\0\x01\x21", &[0; 23]].concat()
}

fn mysql_login(number: u8, capabilities: [u8; 4], plugin: &str) -> Vec<u8> {
    let user = format!("zbx_tcp\0\0{plugin}\0");
    mysql_packet(
        number,
        &[&mysql_flags(capabilities), user.as_bytes()].concat(),
    )
}

fn mysql() -> Conversation {
    const WITH_TLS: [u8; 4] = *b"\x01\x8a\x08\0";
    const WITHOUT: [u8; 4] = *b"\x01\x82\x08\0";
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
            sends(mysql_greeting([0xff, 0xff], sha2)),
            receives(mysql_packet(1, &mysql_flags(WITH_TLS))),
            StartsTls,
            receives(mysql_login(2, WITH_TLS, sha2)),
            sends(mysql_packet(3, b"\xff\x15\x04#28000Access denied")),
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

/// The answer to `StartTLS` with this result code, text and name.
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
            receives(LDAP_REQUEST),
            sends(go_ahead),
            StartsTls,
            receives(LDAP_SEARCH),
            sends(b"0\x0c\x02\x01\x01e\x07\x0a\x01\0\x04\0\x04\0"),
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
            receives(&open),
            sends(answer(FEATURES)),
            receives("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            sends("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            StartsTls,
            receives(&open),
            sends(answer("<stream:features/>")),
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

fn mail_and_files() -> Vec<Conversation> {
    vec![
        mail("smtp_starttls", "EHLO"),
        mail("submission_starttls", "EHLO"),
        mail("lmtp_starttls", "LHLO"),
        Conversation {
            service: "imap_starttls",
            turns: vec![
                sends("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
                receives("a1 STARTTLS\r\n"),
                sends("* OK still here\r\na1 OK Begin TLS negotiation now.\r\n"),
                StartsTls,
                receives("a2 CAPABILITY\r\n"),
                sends("* CAPABILITY IMAP4rev1\r\na2 OK done\r\n"),
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
                sends("+OK ready\r\n"),
                receives("STLS\r\n"),
                sends("+OK Begin TLS negotiation\r\n"),
                StartsTls,
                receives("CAPA\r\n"),
                sends("+OK\r\nTOP\r\nSASL PLAIN\r\n.\r\n"),
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
                sends("220-Welcome\r\n220 ready\r\n"),
                receives("AUTH TLS\r\n"),
                sends("234 Proceed with negotiation.\r\n"),
                StartsTls,
                receives("PBSZ 0\r\n"),
                sends("200 PBSZ set to 0.\r\n"),
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
                sends("200 ready\r\n"),
                receives("STARTTLS\r\n"),
                sends("382 Continue with TLS negotiation\r\n"),
                StartsTls,
                receives("CAPABILITIES\r\n"),
                sends("101 list\r\nVERSION 2\r\n.\r\n"),
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
    ]
}

fn others_of_text() -> Vec<Conversation> {
    vec![
        Conversation {
            service: "sieve_starttls",
            turns: vec![
                sends(
                    "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"SIEVE\" \"fileinto\"\r\n\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\nOK \"ready\"\r\n",
                ),
                receives("STARTTLS\r\n"),
                sends("OK \"Begin TLS negotiation now.\"\r\n"),
                StartsTls,
                sends(
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
                receives("CAP LS\r\n"),
                sends(
                    ":irc.example NOTICE * :*** Looking up your hostname...\r\n:irc.example CAP * LS :multi-prefix tls userhost-in-names\r\n",
                ),
                receives("STARTTLS\r\n"),
                sends(
                    ":irc.example NOTICE * :*** No ident\r\n:irc.example 670 * :STARTTLS successful\r\n",
                ),
                StartsTls,
                receives("CAP LS\r\n"),
                sends(":irc.example CAP * LS :multi-prefix\r\n"),
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
pub fn conversations() -> Vec<Conversation> {
    let rdp = |negotiation: &[u8]| {
        let length = u8::try_from(11 + negotiation.len()).unwrap();
        let head = [3, 0, 0, length, length - 5, 0xd0, 0, 0, 0x12, 0x34, 0];
        [&head, negotiation].concat()
    };
    let mut all = mail_and_files();
    all.extend(others_of_text());
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
                receives(b"\xff\xfb\x2e"),
                sends(b"\xff\xfd\x18\xff\xfd\x2e"),
                receives(b"\xff\xfa\x2e\x01\xff\xf0"),
                sends(b"\xff\xfa\x2e\x01\xff\xf0"),
                StartsTls,
            ],
            quit: Vec::new(),
            failures: vec![failure(1, b"\xff\xfe\x2e", REFUSED, "")],
        },
        Conversation {
            service: "postgres_starttls",
            turns: vec![receives(b"\0\0\0\x08\x04\xd2\x16\x2f"), sends("S"), StartsTls],
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
                receives(b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"),
                sends(rdp(b"\x02\x1f\x08\0\x02\0\0\0")),
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
