//! The text services against replies to the byte: recorded from real servers, taken from their documentation, or as the
//! RFCs define them; whole and split in odd places.

use std::time::Duration;

use crate::program::{check, finish, program};
use crate::script::{End, SPLITS, Split, Turn, play};

/// What a probe must find.
#[derive(Debug, Clone, Copy)]
struct Case {
    service: &'static str,
    turns: &'static [Turn],
    end: End,
    status: &'static str,
    captures: &'static [(&'static str, &'static str)],
}

use Turn::{Hear, Pause, Say};

/// A server in health; it waits for the client to leave.
const fn well(
    service: &'static str,
    turns: &'static [Turn],
    captures: &'static [(&'static str, &'static str)],
) -> Case {
    Case {
        service,
        turns,
        end: End::Hold,
        status: "ok",
        captures,
    }
}

/// A server that says it is not well, known at once though it stays.
const fn ill(service: &'static str, turns: &'static [Turn]) -> Case {
    Case {
        service,
        turns,
        end: End::Hold,
        status: "rejected",
        captures: &[],
    }
}

/// Something else, known at once though the peer stays.
const fn other(service: &'static str, turns: &'static [Turn]) -> Case {
    Case {
        service,
        turns,
        end: End::Hold,
        status: "mismatch",
        captures: &[],
    }
}

/// Not what was expected, known when the peer leaves.
const fn short(service: &'static str, turns: &'static [Turn]) -> Case {
    Case {
        service,
        turns,
        end: End::Fin,
        status: "mismatch",
        captures: &[],
    }
}

const WELL: &[Case] = &[
    // OpenSSH 9.2p1 of Debian 12, Dropbear, Cisco IOS, and a server with lines before its identification.
    well("ssh", &[Say(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n")], &[("protocol", "2.0"), ("version", "OpenSSH_9.2p1")]),
    well("ssh", &[Say(b"SSH-2.0-dropbear_2022.83\r\n")], &[("version", "dropbear_2022.83")]),
    well("ssh", &[Say(b"SSH-1.99-Cisco-1.25\n")], &[("protocol", "1.99"), ("version", "Cisco-1.25")]),
    well("ssh", &[Say(b"Authorised use only.\r\n\r\nSSH-2.0-x\r\n")], &[("version", "x")]),
    // Postfix 3.7.11, Exchange, Exim with lines of its own, and the shortest that RFC 5321 and Zabbix take.
    well("smtp", &[Say(b"220 mail.example.org ESMTP Postfix\r\n")], &[("host", "mail.example.org"), ("greeting", "ESMTP Postfix")]),
    well(
        "smtp",
        &[Say(b"220 EX01.example.org Microsoft ESMTP MAIL Service ready at Mon, 1 Jan 2024 10:00:00 +0000\r\n")],
        &[("host", "EX01.example.org")],
    ),
    well(
        "smtp",
        &[Say(b"220-host.example.org ESMTP Exim 4.96 #2\r\n220-No bulk mail here.\r\n220 and no 421 either.\r\n")],
        &[("host", "host.example.org"), ("greeting", "ESMTP Exim 4.96 #2")],
    ),
    well("smtp", &[Say(b"220\r\n")], &[]),
    well("submission", &[Say(b"220 mail.example.org ESMTP Postfix (Debian/GNU)\r\n")], &[("greeting", "ESMTP Postfix (Debian/GNU)")]),
    // Dovecot 2.3.19.
    well("lmtp", &[Say(b"220 mail Dovecot (Debian) ready.\r\n")], &[("host", "mail"), ("greeting", "Dovecot (Debian) ready.")]),
    // vsftpd 3.0.3, ProFTPD, Pure-FTPd, and RFC 959's delay and free lines.
    well("ftp", &[Say(b"220 (vsFTPd 3.0.3)\r\n")], &[("greeting", "(vsFTPd 3.0.3)")]),
    well("ftp", &[Say(b"220 ProFTPD Server (Debian) [::ffff:192.0.2.1]\r\n")], &[("greeting", "ProFTPD Server (Debian) [::ffff:192.0.2.1]")]),
    well(
        "ftp",
        &[Say(b"220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220-You are user number 1 of 50 allowed.\r\n220 You will be disconnected after 15 minutes of inactivity.\r\n")],
        &[("greeting", "You will be disconnected after 15 minutes of inactivity.")],
    ),
    well("ftp", &[Say(b"120 Ready in 1 minute\r\n220-Welcome\r\n500 users so far\r\n 220 is not the end\r\n220 Go\r\n")], &[("greeting", "Go")]),
    // Dovecot 2.3.19, Cyrus, and an APOP challenge.
    well("pop3", &[Say(b"+OK Dovecot (Debian) ready.\r\n")], &[("greeting", "Dovecot (Debian) ready.")]),
    well("pop", &[Say(b"+OK\r\n")], &[("greeting", "")]),
    well("pop", &[Say(b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n")], &[]),
    well(
        "imap",
        &[Say(b"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN] Dovecot (Debian) ready.\r\n")],
        &[("capabilities", "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN"), ("greeting", "Dovecot (Debian) ready.")],
    ),
    well("imap", &[Say(b"* OK IMAP4rev1 Service Ready\r\n")], &[("greeting", "IMAP4rev1 Service Ready")]),
    // sn 0.3.8, INN, and a server that takes no articles.
    well("nntp", &[Say(b"200 Hi, you can post (sn version 0.3.8)\r\n")], &[("code", "200"), ("greeting", "Hi, you can post (sn version 0.3.8)")]),
    well("nntp", &[Say(b"200 news.example.org InterNetNews NNRP server INN 2.7.1 ready (posting ok)\r\n")], &[("code", "200")]),
    well("nntp", &[Say(b"201 Reader Service Ready, posting prohibited\r\n")], &[("code", "201")]),
    // nginx 1.22.1, Apache, a redirect without a Server field, and a server that does not know HEAD.
    well(
        "http_head",
        &[Hear(53), Say(b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 12:32:41 GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")],
        &[("code", "200"), ("reason", "OK"), ("server", "nginx/1.22.1")],
    ),
    well("http_head", &[Hear(53), Say(b"HTTP/1.1 401 Unauthorized\r\nDate: x\r\nSERVER:Apache/2.4.57 (Debian)\r\n\r\n")], &[("code", "401"), ("server", "Apache/2.4.57 (Debian)")]),
    well("http_head", &[Hear(53), Say(b"HTTP/1.0 301 Moved Permanently\nLocation: https://example.org/\n\n")], &[("code", "301"), ("reason", "Moved Permanently")]),
    well("http_head", &[Hear(53), Say(b"HTTP/1.0 501 Not Implemented\r\n\r\n")], &[("code", "501")]),
    // inetutils-telnetd 2.4, Cisco IOS, BusyBox, and a terminal server that knows no options.
    well(
        "telnet",
        &[
            Say(b"\xff\xfb%\xff\xfb&\xff\xfd\x18\xff\xfd \xff\xfd#\xff\xfd'\xff\xfd$"),
            Hear(45),
            // Longer than any quiet that could pass for its end.
            Pause(120),
            Say(b"\xff\xfb\x03\xff\xfd\x01\xff\xfd\"\xff\xfd\x1f\xff\xfb\x05\xff\xfd!"),
            Hear(66),
            Say(b"\xff\xfb\x01\xff\xfd\x06\xff\xfd\x00vm login: "),
        ],
        &[],
    ),
    well("telnet", &[Say(b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x18\xff\xfd\x1f\r\n\r\nUser Access Verification\r\n\r\nUsername: ")], &[]),
    well("telnet", &[Say(b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03"), Say(b"\r\nbox login: ")], &[]),
    well("telnet", &[Say(b"Password:")], &[]),
    // ngIRCd 26.1, a server that looks the client up first, and one of RFC 2812 alone.
    well("irc", &[Hear(8), Say(b":irc.example.org CAP * LS :multi-prefix\r\n")], &[("host", "irc.example.org")]),
    well("irc", &[Say(b":irc.example.org NOTICE * :*** Looking up your hostname\r\n"), Hear(8), Say(b":irc.example.org CAP * LS :sasl\r\n")], &[("host", "irc.example.org")]),
    well("irc", &[Hear(8), Say(b":irc.example.org 451 * :You have not registered\r\n")], &[("host", "irc.example.org")]),
    // Prosody 0.12.3, and ejabberd, which serves a stream without `to`.
    well(
        "xmpp",
        &[Hear(120), Say(b"<?xml version='1.0'?><stream:stream xml:lang='en' xmlns:stream='http://etherx.jabber.org/streams' id='' xmlns='jabber:client'><stream:error><improper-addressing xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>A &apos;to&apos; attribute is required on stream headers</text></stream:error></stream:stream>")],
        &[],
    ),
    well("xmpp", &[Hear(120), Say(b"<?xml version='1.0'?><stream:stream id='1' version='1.0' xml:lang='en' xmlns:stream='http://etherx.jabber.org/streams' from='example.org' xmlns='jabber:client'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>")], &[]),
    // Kamailio 5.6.3, and a registrar that takes its time.
    well(
        "sip",
        &[Hear(269), Say(b"SIP/2.0 483 Too Many Hops\r\nVia: SIP/2.0/TCP localhost;branch=z9hG4bKzbxtcp;rport=60412;received=127.0.0.1\r\nCSeq: 1 OPTIONS\r\nServer: kamailio (5.6.3 (x86_64/linux))\r\nContent-Length: 0\r\n\r\n")],
        &[("code", "483"), ("reason", "Too Many Hops"), ("server", "kamailio (5.6.3 (x86_64/linux))")],
    ),
    well("sip", &[Hear(269), Say(b"SIP/2.0 100 Trying\r\nContent-Length: 0\r\n\r\nSIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n")], &[("code", "200")]),
    // rtsp-server-perl 0.06, GStreamer.
    well("rtsp", &[Hear(52), Say(b"RTSP/1.0 200 OK\r\nPublic: OPTIONS, DESCRIBE, TEARDOWN, SETUP, PLAY, STOP\r\nCSeq: 1\r\nSession: 2\r\n\r\n")], &[("code", "200")]),
    well("rtsp", &[Hear(52), Say(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: GStreamer RTSP server\r\n\r\n")], &[("server", "GStreamer RTSP server")]),
    well("whois", &[Hear(13), Say(b"No match for domain \"EXAMPLE.COM\".\r\n")], &[]),
    well("whois", &[Hear(13), Say(b"\r\n% This is a whois server.\n\ndomain: EXAMPLE.COM\n")], &[]),
    // Debian's fingerd 0.17, and one that keeps the list to itself.
    well("finger", &[Hear(2), Say(b"No one logged on.\r\n")], &[]),
    well("finger", &[Hear(2), Say(b"Finger online user list denied\r\n")], &[]),
];

const NOT_WELL: &[Case] = &[
    ill("ssh", &[Say(b"Exceeded MaxStartups\r\n")]),
    ill("ssh", &[Say(b"Not allowed at this time\r\n")]),
    short("ssh", &[Say(b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    ill("smtp", &[Say(b"421 4.3.2 All server ports are busy\r\n")]),
    ill("smtp", &[Say(b"554 No SMTP service here\r\n")]),
    other("smtp", &[Say(b"SSH-2.0-OpenSSH_9.2p1\r\n")]),
    other("smtp", &[Say(b"221 bye\r\n")]),
    other("smtp", &[Say(b"220-a b\r\n250 c\r\n")]),
    short("smtp", &[Say(b"220-mail.example.org ESMTP\r\n")]),
    ill("submission", &[Say(b"421 mail.example.org Service not available\r\n")]),
    ill("lmtp", &[Say(b"421 4.3.2 Shutting down\r\n")]),
    other("lmtp", &[Say(b"* OK ready\r\n")]),
    ill("ftp", &[Say(b"421 There are too many connected users, please try later.\r\n")]),
    ill("ftp", &[Say(b"500 OOPS: vsftpd: refusing to run with writable root inside chroot()\r\n")]),
    ill("ftp", &[Say(b"120 Ready in 1 minute\r\n421 Not today\r\n")]),
    other("ftp", &[Say(b"230 Logged in\r\n")]),
    short("ftp", &[Say(b"220-Welcome\r\nto nothing\r\n")]),
    ill("pop", &[Say(b"-ERR [SYS/TEMP] try later\r\n")]),
    ill("pop3", &[Say(b"-ERR\r\n")]),
    other("pop3", &[Say(b"+NO\r\n")]),
    ill("imap", &[Say(b"* BYE Temporary problem, please try again later\r\n")]),
    other("imap", &[Say(b"* PREAUTH [CAPABILITY IMAP4rev1] Logged in as monitor\r\n")]),
    ill("nntp", &[Say(b"400 Service going down: maintenance\r\n")]),
    // INN 2.7.1's reader while its server is down.
    ill("nntp", &[Say(b"400 NNTP server unavailable.  Try later!\r\n")]),
    ill("nntp", &[Say(b"502 You have no permission to talk.  Goodbye.\r\n")]),
    other("nntp", &[Say(b"205 bye\r\n")]),
    ill("http_head", &[Hear(53), Say(b"HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n")]),
    ill("http_head", &[Hear(53), Say(b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n")]),
    other("http_head", &[Hear(53), Say(b"<html><body>It works</body></html>\n")]),
    short("http_head", &[Hear(53), Say(b"HTTP/1.1 200 OK\r\nServer: nginx\r\n")]),
    short("telnet", &[Say(b"\xff\xfb\x01% Connection limit reached\r\n")]),
    ill("irc", &[Hear(8), Say(b"ERROR :Closing Link: (Trying to reconnect too fast.)\r\n")]),
    short("irc", &[Say(b":irc.example.org NOTICE * :*** Looking up your hostname\r\n")]),
    ill("xmpp", &[Hear(120), Say(b"<stream:stream id='1' xmlns='jabber:client'><stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")]),
    short("xmpp", &[Hear(120), Say(b"<?xml version='1.0'?><html/>")]),
    ill("sip", &[Hear(269), Say(b"SIP/2.0 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n")]),
    ill("sip", &[Hear(269), Say(b"SIP/2.0 100 Trying\r\n\r\nSIP/2.0 500 Server Internal Error\r\n\r\n")]),
    other("sip", &[Hear(269), Say(b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    ill("rtsp", &[Hear(52), Say(b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n")]),
    other("rtsp", &[Hear(52), Say(b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    ill("whois", &[Hear(13), Say(b"WHOIS LIMIT EXCEEDED - SEE THE WEB SITE FOR DETAILS\r\n")]),
    short("whois", &[Hear(13), Say(b"\r\n\r\n")]),
    short("finger", &[Hear(2), Say(b"\r\n")]),
];

/// What a peer that stays hears when the verdict stands, whatever it is.
fn goodbye(service: &str) -> &'static [u8] {
    match service {
        "ssh" => b"SSH-2.0-zbx-tcp\r\n",
        "smtp" | "submission" | "lmtp" | "ftp" | "pop" | "pop3" | "nntp" | "irc" => b"QUIT\r\n",
        "imap" => b"a1 LOGOUT\r\n",
        "xmpp" => b"</stream:stream>",
        "telnet" => b"\xff\xfd\x12",
        _ => b"",
    }
}

/// Long before this deadline a verdict stands that the bytes decide.
const DEADLINE: &str = "5";
const EARLY: Duration = Duration::from_secs(3);

#[track_caller]
fn meets(case: &Case, split: Split) {
    let (port, peer) = play(case.turns.to_vec(), split, case.end);
    let words = [
        "check",
        "127.0.0.1",
        &port.to_string(),
        "-s",
        case.service,
        "-t",
        DEADLINE,
        "-o",
        "json",
    ];
    let ran = finish(program().args(words));
    let document = ran.document();
    let said = peer.join().unwrap();
    let what = format!("{case:?} {split:?}: {document}");
    assert_eq!(document["status_name"], case.status, "{what}");
    assert!(ran.took < EARLY, "{:?} {what}", ran.took);
    for (name, value) in case.captures {
        assert_eq!(document["captures"][name], *value, "{what}");
    }
    // To a peer that has left there is nothing to say.
    let parts = case.end == End::Fin || said.ends_with(goodbye(case.service));
    assert!(parts, "it said {:?} {what}", String::from_utf8_lossy(&said));
}

/// Each case in each split, a few at a time.
fn all_meet(cases: &[Case]) {
    let parts = cases.chunks(cases.len().div_ceil(4));
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || {
                for case in part {
                    SPLITS.iter().for_each(|split| meets(case, *split));
                }
            });
        }
    });
}

#[test]
fn servers_in_health_are_up() {
    all_meet(WELL);
}

#[test]
fn servers_that_are_not_well_are_told_from_others() {
    all_meet(NOT_WELL);
}

/// The services of the table, each with the start of its first reply.
fn each_service() -> Vec<&'static Case> {
    let mut services: Vec<&Case> = Vec::new();
    for case in WELL {
        if services.iter().all(|known| known.service != case.service) {
            services.push(case);
        }
    }
    assert_eq!(services.len(), 17, "a service has no reply in the table");
    services
}

/// A probe of a peer that plays this; its document.
fn against(service: &str, turns: Vec<Turn>, end: End, timeout: &str) -> serde_json::Value {
    let (port, peer) = play(turns, Split::Whole, end);
    let document = check(&[
        "127.0.0.1",
        &port.to_string(),
        "-s",
        service,
        "-t",
        timeout,
        "-o",
        "json",
    ])
    .document();
    peer.join().unwrap();
    document
}

#[test]
fn silence_and_partings_are_told_apart() {
    for case in each_service() {
        let outcomes = [
            (End::Hold, vec![], "read_timeout"),
            (End::Fin, vec![], "closed"),
            (End::Rst, vec![], "reset"),
            (
                End::Fin,
                vec![Say(b"\x00\xfe\x16\x03\x01garbage")],
                "mismatch",
            ),
        ];
        for (end, turns, status) in outcomes {
            let document = against(case.service, turns, end, "0.5");
            assert_eq!(document["status_name"], status, "{end:?} {document}");
        }
    }
}

#[test]
fn the_start_of_a_reply_is_no_reply() {
    for case in each_service() {
        let start = |turn: &Turn| match turn {
            Say(bytes) => Say(&bytes[..bytes.len() / 3]),
            other => *other,
        };
        let (last, before) = case.turns.split_last().unwrap();
        let turns = before.iter().copied().chain([start(last)]).collect();
        let document = against(case.service, turns, End::Fin, "2");
        assert_eq!(document["up"], 0, "{document}");
        assert!(
            matches!(
                document["status_name"].as_str(),
                Some("mismatch" | "closed")
            ),
            "{document}"
        );
    }
}
