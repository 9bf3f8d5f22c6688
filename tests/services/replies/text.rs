//! The text services: recorded from real servers, taken from their documentation, or as the RFCs define
//! them.

use super::{Captures, Case, Received};
use crate::scripted_peer::Act::{self, ReceivesBytes, Sends, ShutsDown, Waits};

/// One conversation of the tables below.
struct Reply {
    service: &'static str,
    acts: &'static [Act],
    /// Whether the server closes its direction in the end, or waits for the client to close.
    shuts_down: bool,
    status: &'static str,
    captures: &'static [(&'static str, &'static str)],
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let case = |reply: &Reply| Case {
        service: reply.service,
        name: reply.status,
        acts: [
            reply.acts,
            if reply.shuts_down { &[ShutsDown] } else { &[] },
        ]
        .concat(),
        status: reply.status,
        captures: Captures::Among(reply.captures),
        received: received(reply),
    };
    GOOD.iter().chain(NOT_GOOD).map(case).collect()
}

/// The service is up.
const fn good(
    service: &'static str,
    acts: &'static [Act],
    captures: &'static [(&'static str, &'static str)],
) -> Reply {
    Reply {
        service,
        acts,
        shuts_down: false,
        status: "ok",
        captures,
    }
}

/// The server reports a failure, which decides although the connection stays open.
const fn rejected(service: &'static str, acts: &'static [Act]) -> Reply {
    Reply {
        service,
        acts,
        shuts_down: false,
        status: "rejected",
        captures: &[],
    }
}

/// Not this service, which is known although the connection stays open.
const fn mismatch(service: &'static str, acts: &'static [Act]) -> Reply {
    Reply {
        service,
        acts,
        shuts_down: false,
        status: "mismatch",
        captures: &[],
    }
}

/// Not what was expected, which is known only when the peer closes.
const fn mismatch_at_end(service: &'static str, acts: &'static [Act]) -> Reply {
    Reply {
        service,
        acts,
        shuts_down: true,
        status: "mismatch",
        captures: &[],
    }
}

const GOOD: &[Reply] = &[
    // OpenSSH 9.2p1 of Debian 12, Dropbear, Cisco IOS, and a server with lines before its identification.
    good("ssh", &[Sends(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n")], &[("protocol", "2.0"), ("version", "OpenSSH_9.2p1")]),
    good("ssh", &[Sends(b"SSH-2.0-dropbear_2022.83\r\n")], &[("version", "dropbear_2022.83")]),
    good("ssh", &[Sends(b"SSH-1.99-Cisco-1.25\n")], &[("protocol", "1.99"), ("version", "Cisco-1.25")]),
    good("ssh", &[Sends(b"Authorised use only.\r\n\r\nSSH-2.0-x\r\n")], &[("version", "x")]),
    // What RFC 4253 allows and more: Cisco's and Huawei's versions with spaces, IPSSH, OpenSSH for Windows,
    // a lone hyphen, no version at all, a comment.
    good("ssh", &[Sends(b"SSH-2.0-\r\n")], &[("protocol", "2.0")]),
    good("ssh", &[Sends(b"SSH-2.0\r\n")], &[("protocol", "2.0")]),
    good("ssh", &[Sends(b"SSH-1.99--\n")], &[("version", "-")]),
    good("ssh", &[Sends(b"SSH-2.0-OpenSSH_for_Windows_9.5\r\n")], &[("version", "OpenSSH_for_Windows_9.5")]),
    good("ssh", &[Sends(b"SSH-2.0-IPSSH-6.6.0 comment here\r\n")], &[("version", "IPSSH-6.6.0")]),
    good("ssh", &[Sends(b"SSH- 2.0-x\r\n")], &[]),
    // Postfix 3.7.11, Exchange, Exim with lines of its own, and the shortest that RFC 5321 and Zabbix take.
    good("smtp", &[Sends(b"220 mail.example.org ESMTP Postfix\r\n")], &[("host", "mail.example.org"), ("greeting", "ESMTP Postfix")]),
    good(
        "smtp",
        &[Sends(b"220 EX01.example.org Microsoft ESMTP MAIL Service ready at Mon, 1 Jan 2024 10:00:00 +0000\r\n")],
        &[("host", "EX01.example.org")],
    ),
    good(
        "smtp",
        &[Sends(b"220-host.example.org ESMTP Exim 4.96 #2\r\n220-No bulk mail here.\r\n220 and no 421 either.\r\n")],
        &[("host", "host.example.org"), ("greeting", "ESMTP Exim 4.96 #2")],
    ),
    good("smtp", &[Sends(b"220\r\n")], &[]),
    // Sendmail, qmail, Exim 4.96, Haraka, a server without a host name, and lines without a CR.
    good(
        "smtp",
        &[Sends(b"220-mail.example.org ESMTP Sendmail 8.17.1.9/8.17.1.9; Mon, 1 Jan 2024 10:00:00 GMT\r\n220 ESMTP spoken here\r\n")],
        &[("host", "mail.example.org")],
    ),
    good("smtp", &[Sends(b"220 mail.example.org ESMTP\r\n")], &[("greeting", "ESMTP")]),
    good("smtp", &[Sends(b"220 \r\n")], &[]),
    good("smtp", &[Sends(b"220-a\n220-\n220\n")], &[("host", "a")]),
    good("submission", &[Sends(b"220 mail.example.org ESMTP Postfix (Debian/GNU)\r\n")], &[("greeting", "ESMTP Postfix (Debian/GNU)")]),
    // Dovecot 2.3.19.
    good("lmtp", &[Sends(b"220 mail Dovecot (Debian) ready.\r\n")], &[("host", "mail"), ("greeting", "Dovecot (Debian) ready.")]),
    // vsftpd 3.0.3, ProFTPD, Pure-FTPd, and RFC 959's delay and free lines.
    good("ftp", &[Sends(b"220 (vsFTPd 3.0.3)\r\n")], &[("greeting", "(vsFTPd 3.0.3)")]),
    good("ftp", &[Sends(b"220 ProFTPD Server (Debian) [::ffff:192.0.2.1]\r\n")], &[("greeting", "ProFTPD Server (Debian) [::ffff:192.0.2.1]")]),
    good(
        "ftp",
        &[Sends(b"220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220-You are user number 1 of 50 allowed.\r\n220 You will be disconnected after 15 minutes of inactivity.\r\n")],
        &[("greeting", "You will be disconnected after 15 minutes of inactivity.")],
    ),
    good("ftp", &[Sends(b"120 Ready in 1 minute\r\n220-Welcome\r\n500 users so far\r\n 220 is not the end\r\n220 Go\r\n")], &[("greeting", "Go")]),
    // ProFTPD 1.3.8 with DisplayConnect, IIS, a proxy that speaks first, and a greeting without a text.
    good("ftp", &[Sends(b"220-Welcome\r\n220 ProFTPD Server ready.\r\n")], &[("greeting", "ProFTPD Server ready.")]),
    good("ftp", &[Sends(b"220-Microsoft FTP Service\r\n    Contoso\r\n220 Ready\r\n")], &[("greeting", "Ready")]),
    good("ftp", &[Sends(b"Connected through a proxy.\r\n220 Ready\r\n")], &[("greeting", "Ready")]),
    good("ftp", &[Sends(b"220\r\n")], &[]),
    // Courier, Cyrus, Exchange, and what RFC 1939 does not define.
    good("pop", &[Sends(b"+OK Hello there.\r\n")], &[("greeting", "Hello there.")]),
    good("pop3", &[Sends(b"+OK mail Cyrus POP3 3.6.1-Debian-3.6.1-4 server ready <1.2@mail>\r\n")], &[]),
    good("pop3", &[Sends(b"+OK The Microsoft Exchange POP3 service is ready. [QQBC]\r\n")], &[]),
    good("pop", &[Sends(b"+OKready\r\n")], &[("greeting", "ready")]),
    // Courier, Cyrus and Exchange.
    good(
        "imap",
        &[Sends(b"* OK [CAPABILITY IMAP4rev1 UIDPLUS ACL2=UNION] Courier-IMAP ready. Copyright 1998-2021 Double Precision, Inc.  See COPYING for distribution information.\r\n")],
        &[("capabilities", "IMAP4rev1 UIDPLUS ACL2=UNION")],
    ),
    good("imap", &[Sends(b"* OK [CAPABILITY IMAP4rev1 LITERAL+ ID] mail Cyrus IMAP 3.6.1 server ready\r\n")], &[("greeting", "mail Cyrus IMAP 3.6.1 server ready")]),
    good("imap", &[Sends(b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n")], &[]),
    good("imap", &[Sends(b"* OK\r\n")], &[]),
    // Dovecot's Pigeonhole, Cyrus, and the least that RFC 5804 allows.
    good(
        "sieve",
        &[Sends(b"\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"SIEVE\" \"fileinto reject\"\r\n\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\nOK \"Dovecot ready.\"\r\n")],
        &[("server", "Dovecot Pigeonhole")],
    ),
    good("sieve", &[Sends(b"\"SASL\" \"PLAIN\"\r\n\"IMPLEMENTATION\" \"Cyrus timsieved\"\r\nok\r\n")], &[("server", "Cyrus timsieved")]),
    good("sieve", &[Sends(b"OK\r\n")], &[]),
    good("nntp", &[Sends(b"200-Welcome\r\n")], &[("code", "200")]),
    good("nntp", &[Sends(b"201\r\n")], &[("code", "201")]),
    // Dovecot 2.3.19, Cyrus, and an APOP challenge.
    good("pop3", &[Sends(b"+OK Dovecot (Debian) ready.\r\n")], &[("greeting", "Dovecot (Debian) ready.")]),
    good("pop", &[Sends(b"+OK\r\n")], &[("greeting", "")]),
    good("pop", &[Sends(b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n")], &[]),
    good(
        "imap",
        &[Sends(b"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN] Dovecot (Debian) ready.\r\n")],
        &[("capabilities", "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN"), ("greeting", "Dovecot (Debian) ready.")],
    ),
    good("imap", &[Sends(b"* OK IMAP4rev1 Service Ready\r\n")], &[("greeting", "IMAP4rev1 Service Ready")]),
    // sn 0.3.8, INN, and a server that takes no articles.
    good("nntp", &[Sends(b"200 Hi, you can post (sn version 0.3.8)\r\n")], &[("code", "200"), ("greeting", "Hi, you can post (sn version 0.3.8)")]),
    good("nntp", &[Sends(b"200 news.example.org InterNetNews NNRP server INN 2.7.1 ready (posting ok)\r\n")], &[("code", "200")]),
    good("nntp", &[Sends(b"201 Reader Service Ready, posting prohibited\r\n")], &[("code", "201")]),
    // nginx 1.22.1, Apache, a redirect without a Server field, and a server that does not know HEAD.
    good(
        "http_head",
        &[ReceivesBytes(53), Sends(b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 12:32:41 GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")],
        &[("code", "200"), ("reason", "OK"), ("server", "nginx/1.22.1")],
    ),
    good("http_head", &[ReceivesBytes(53), Sends(b"HTTP/1.1 401 Unauthorized\r\nDate: x\r\nSERVER:Apache/2.4.57 (Debian)\r\n\r\n")], &[("code", "401"), ("server", "Apache/2.4.57 (Debian)")]),
    good("http_head", &[ReceivesBytes(53), Sends(b"HTTP/1.0 301 Moved Permanently\nLocation: https://example.org/\n\n")], &[("code", "301"), ("reason", "Moved Permanently")]),
    good("http_head", &[ReceivesBytes(53), Sends(b"HTTP/1.0 501 Not Implemented\r\n\r\n")], &[("code", "501")]),
    // inetutils-telnetd 2.4, Cisco IOS, BusyBox, and a terminal server that knows no options.
    good(
        "telnet",
        &[
            Sends(b"\xff\xfb%\xff\xfb&\xff\xfd\x18\xff\xfd \xff\xfd#\xff\xfd'\xff\xfd$"),
            ReceivesBytes(45),
            // Longer than the pause after which a reply counts as complete.
            Waits(120),
            Sends(b"\xff\xfb\x03\xff\xfd\x01\xff\xfd\"\xff\xfd\x1f\xff\xfb\x05\xff\xfd!"),
            ReceivesBytes(21),
            Sends(b"\xff\xfb\x01\xff\xfd\x06\xff\xfd\x00vm login: "),
        ],
        &[],
    ),
    good("telnet", &[Sends(b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x18\xff\xfd\x1f\r\n\r\nUser Access Verification\r\n\r\nUsername: ")], &[]),
    good("telnet", &[Sends(b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03"), Sends(b"\r\nbox login: ")], &[]),
    good("telnet", &[Sends(b"Password:")], &[]),
    // Prompts of a Siemens and of a Lancom device, of a telephone system, and of HP ProCurve; the colon
    // need not be the end.
    good("telnet", &[Sends(b"\r\nBenutzer:")], &[]),
    good("telnet", &[Sends(b"PIN:")], &[]),
    good("telnet", &[Sends(b"\xff\xfb\x03\xff\xfb\x01Enter your code : ")], &[]),
    good("telnet", &[Sends(b"\x1b[24;1HPress any key to continue")], &[]),
    good("telnet", &[Sends(b"\x1b[2JHit <Enter>")], &[]),
    good("telnet", &[Sends(b"Name:\x1b[0m")], &[]),
    // A subnegotiation and the number of an option hold no text.
    good("telnet", &[Sends(b"\xff\xfa\x18\x01:\xff\xf0\r\nlogin: ")], &[]),
    good("telnet", &[Sends(b"\xff\xfd\x18\xff\xff:")], &[]),
    // ngIRCd 26.1, a server that looks the client up first, and one of RFC 2812 alone.
    good("irc", &[ReceivesBytes(8), Sends(b":irc.example.org CAP * LS :multi-prefix\r\n")], &[("host", "irc.example.org")]),
    good("irc", &[Sends(b":irc.example.org NOTICE * :*** Looking up your hostname\r\n"), ReceivesBytes(8), Sends(b":irc.example.org CAP * LS :sasl\r\n")], &[("host", "irc.example.org")]),
    good("irc", &[ReceivesBytes(8), Sends(b":irc.example.org 451 * :You have not registered\r\n")], &[("host", "irc.example.org")]),
    // Prosody 0.12.3, and ejabberd, which serves a stream without `to`.
    good(
        "xmpp",
        &[ReceivesBytes(120), Sends(b"<?xml version='1.0'?><stream:stream xml:lang='en' xmlns:stream='http://etherx.jabber.org/streams' id='' xmlns='jabber:client'><stream:error><improper-addressing xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>A &apos;to&apos; attribute is required on stream headers</text></stream:error></stream:stream>")],
        &[],
    ),
    good("xmpp-server", &[ReceivesBytes(120), Sends(b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' id='1' xmlns:stream='http://etherx.jabber.org/streams'><stream:features><dialback xmlns='urn:xmpp:features:dialback'/></stream:features>")], &[]),
    good("xmpp-server", &[ReceivesBytes(120), Sends(b"<stream:stream xmlns='jabber:server' id='1'><stream:error><host-unknown/></stream:error></stream:stream>")], &[]),
    good("xmpp", &[ReceivesBytes(120), Sends(b"<?xml version='1.0'?><stream:stream id='1' version='1.0' xml:lang='en' xmlns:stream='http://etherx.jabber.org/streams' from='example.org' xmlns='jabber:client'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>")], &[]),
    // Kamailio 5.6.3, and a registrar that takes its time.
    good(
        "sip",
        &[ReceivesBytes(269), Sends(b"SIP/2.0 483 Too Many Hops\r\nVia: SIP/2.0/TCP localhost;branch=z9hG4bKzbxtcp;rport=60412;received=127.0.0.1\r\nCSeq: 1 OPTIONS\r\nServer: kamailio (5.6.3 (x86_64/linux))\r\nContent-Length: 0\r\n\r\n")],
        &[("code", "483"), ("reason", "Too Many Hops"), ("server", "kamailio (5.6.3 (x86_64/linux))")],
    ),
    good("sip", &[ReceivesBytes(269), Sends(b"SIP/2.0 100 Trying\r\nContent-Length: 0\r\n\r\nSIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n")], &[("code", "200")]),
    // rtsp-server-perl 0.06, GStreamer.
    good("rtsp", &[ReceivesBytes(52), Sends(b"RTSP/1.0 200 OK\r\nPublic: OPTIONS, DESCRIBE, TEARDOWN, SETUP, PLAY, STOP\r\nCSeq: 1\r\nSession: 2\r\n\r\n")], &[("code", "200")]),
    good("rtsp", &[ReceivesBytes(52), Sends(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: GStreamer RTSP server\r\n\r\n")], &[("server", "GStreamer RTSP server")]),
    good("whois", &[ReceivesBytes(13), Sends(b"No match for domain \"EXAMPLE.COM\".\r\n")], &[]),
    good("whois", &[ReceivesBytes(13), Sends(b"\r\n% This is a whois server.\n\ndomain: EXAMPLE.COM\n")], &[]),
    // Debian's fingerd 0.17, and one that does not send the list.
    good("finger", &[ReceivesBytes(2), Sends(b"No one logged on.\r\n")], &[]),
    good("finger", &[ReceivesBytes(2), Sends(b"Finger online user list denied\r\n")], &[]),
];

const NOT_GOOD: &[Reply] = &[
    rejected("ssh", &[Sends(b"Exceeded MaxStartups\r\n")]),
    rejected("ssh", &[Sends(b"Not allowed at this time\r\n")]),
    mismatch_at_end("ssh", &[Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    rejected("smtp", &[Sends(b"421 4.3.2 All server ports are busy\r\n")]),
    rejected("smtp", &[Sends(b"554 No SMTP service here\r\n")]),
    mismatch("smtp", &[Sends(b"SSH-2.0-OpenSSH_9.2p1\r\n")]),
    mismatch("smtp", &[Sends(b"221 bye\r\n")]),
    mismatch("smtp", &[Sends(b"220-a b\r\n250 c\r\n")]),
    mismatch_at_end("smtp", &[Sends(b"220-mail.example.org ESMTP\r\n")]),
    // postscreen: the refusal of a blocked client follows the first line.
    rejected("smtp", &[Sends(b"220-mail.example.org ESMTP Postfix\r\n550 5.7.1 Service unavailable; client [192.0.2.1] blocked\r\n")]),
    rejected("smtp", &[Sends(b"521 5.3.2 mail.example.org does not accept mail\r\n")]),
    rejected("submission", &[Sends(b"421 mail.example.org Service not available\r\n")]),
    rejected("lmtp", &[Sends(b"421 4.3.2 Shutting down\r\n")]),
    mismatch("lmtp", &[Sends(b"* OK ready\r\n")]),
    rejected("ftp", &[Sends(b"421 There are too many connected users, please try later.\r\n")]),
    rejected("ftp", &[Sends(b"500 OOPS: vsftpd: refusing to run with writable root inside chroot()\r\n")]),
    rejected("ftp", &[Sends(b"120 Ready in 1 minute\r\n421 Not today\r\n")]),
    // Zabbix waits for a line that begins with 220.
    mismatch_at_end("ftp", &[Sends(b"230 Logged in\r\n")]),
    mismatch_at_end("ftp", &[Sends(b"220-Welcome\r\nto nothing\r\n")]),
    rejected("pop", &[Sends(b"-ERR [SYS/TEMP] try later\r\n")]),
    rejected("pop3", &[Sends(b"-ERR\r\n")]),
    mismatch("pop3", &[Sends(b"+NO\r\n")]),
    rejected("imap", &[Sends(b"* BYE Temporary problem, please try again later\r\n")]),
    mismatch("imap", &[Sends(b"* PREAUTH [CAPABILITY IMAP4rev1] Logged in as monitor\r\n")]),
    rejected("nntp", &[Sends(b"400 Service going down: maintenance\r\n")]),
    // INN 2.7.1's reader while its server is down.
    rejected("nntp", &[Sends(b"400 NNTP server unavailable.  Try later!\r\n")]),
    rejected("nntp", &[Sends(b"502 You have no permission to talk.  Goodbye.\r\n")]),
    mismatch("nntp", &[Sends(b"205 bye\r\n")]),
    rejected("http_head", &[ReceivesBytes(53), Sends(b"HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n")]),
    rejected("http_head", &[ReceivesBytes(53), Sends(b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n")]),
    mismatch("http_head", &[ReceivesBytes(53), Sends(b"<html><body>It works</body></html>\n")]),
    mismatch_at_end("http_head", &[ReceivesBytes(53), Sends(b"HTTP/1.1 200 OK\r\nServer: nginx\r\n")]),
    mismatch_at_end("telnet", &[Sends(b"\xff\xfb\x01% Connection limit reached\r\n")]),
    mismatch_at_end("telnet", &[Sends(b"x\xff\xfd:\xff\xfa\x18:\xff\xf0\r\n> ")]),
    // Apache on port 23, and MySQL.
    rejected("telnet", &[Sends(b"HTTP/1.1 400 Bad Request\r\nDate: Mon, 1 Jan 2024 10:00:00 GMT\r\n\r\n")]),
    rejected("telnet", &[Sends(b"J\x00\x00\x00\x0a8.0.36\x00")]),
    rejected("irc", &[ReceivesBytes(8), Sends(b"ERROR :Closing Link: (Trying to reconnect too fast.)\r\n")]),
    mismatch_at_end("irc", &[Sends(b":irc.example.org NOTICE * :*** Looking up your hostname\r\n")]),
    rejected("xmpp", &[ReceivesBytes(120), Sends(b"<stream:stream id='1' xmlns='jabber:client'><stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")]),
    rejected("xmpp-server", &[ReceivesBytes(120), Sends(b"<stream:stream xmlns='jabber:server' id='1'><stream:error><policy-violation/></stream:error></stream:stream>")]),
    rejected("sieve", &[Sends(b"BYE \"Too many connections\"\r\n")]),
    rejected("sieve", &[Sends(b"NO (TRYLATER) \"not now\"\r\n")]),
    mismatch("sieve", &[Sends(b"* OK ready\r\n")]),
    mismatch_at_end("xmpp", &[ReceivesBytes(120), Sends(b"<?xml version='1.0'?><html/>")]),
    rejected("sip", &[ReceivesBytes(269), Sends(b"SIP/2.0 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n")]),
    rejected("sip", &[ReceivesBytes(269), Sends(b"SIP/2.0 100 Trying\r\n\r\nSIP/2.0 500 Server Internal Error\r\n\r\n")]),
    mismatch("sip", &[ReceivesBytes(269), Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    rejected("rtsp", &[ReceivesBytes(52), Sends(b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n")]),
    mismatch("rtsp", &[ReceivesBytes(52), Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    rejected("whois", &[ReceivesBytes(13), Sends(b"WHOIS LIMIT EXCEEDED - SEE THE WEB SITE FOR DETAILS\r\n")]),
    mismatch_at_end("whois", &[ReceivesBytes(13), Sends(b"\r\n\r\n")]),
    mismatch_at_end("finger", &[ReceivesBytes(2), Sends(b"\r\n")]),
];

/// What the probe sends: `quit` only if the service is up, or if the server refuses in the middle
/// of a conversation.
fn received(reply: &Reply) -> Received {
    let quit = quit(reply.service);
    let has_begun = ["irc", "xmpp", "xmpp-server", "telnet"].contains(&reply.service);
    if reply.shuts_down {
        Received::Anything
    } else if reply.status == "ok" || reply.status == "rejected" && has_begun {
        Received::EndsWith(quit)
    } else if quit.is_empty() {
        Received::Anything
    } else {
        Received::EndsWithout(quit)
    }
}

/// The bytes of `quit`.
pub fn quit(service: &str) -> &'static [u8] {
    match service {
        "ssh" => b"SSH-2.0-zbx-tcp\r\n",
        "smtp" | "submission" | "lmtp" | "ftp" | "pop" | "pop3" | "nntp" | "irc" => b"QUIT\r\n",
        "imap" => b"a1 LOGOUT\r\n",
        "xmpp" | "xmpp-server" => b"</stream:stream>",
        "sieve" => b"LOGOUT\r\n",
        "telnet" => b"\xff\xfd\x12",
        _ => b"",
    }
}
