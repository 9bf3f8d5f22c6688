//! The names of the services of Zabbix's `net.tcp.service`: if `zabbix_agentd` or agent 2 reports a
//! service as up, it is up here.

use std::process::Command;

use crate::program::check;
use crate::replies::{in_parallel, probe};
use crate::scripted_peer::Act::{self, Sends, ShutsDown, Waits};
use crate::scripted_peer::{Peer, Split};
use crate::server::{Home, installed};
use crate::tls_peer::{self, Turn};

/// Greetings at and around what Zabbix accepts.
const GREETINGS: &[(&str, &[Act])] = &[
    ("tcp", &[]),
    ("tcp", &[ShutsDown]),
    ("http", &[]),
    (
        "http",
        &[Sends(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")],
    ),
    ("ssh", &[Sends(b"SSH-2.0-\r\n")]),
    ("ssh", &[Sends(b"SSH-2.0\r\n")]),
    ("ssh", &[Sends(b"SSH-2.0x\r\n")]),
    ("ssh", &[Sends(b"SSH-2.0-x")]),
    ("ssh", &[Sends(b"SSH-2.0-x\r")]),
    ("ssh", &[Sends(b"SSH-2.0"), ShutsDown]),
    ("ssh", &[Sends(b"Hello\r\nSSH-2.0-x\r\n")]),
    ("ssh", &[Sends(b"SSH- 2. 0-x\r\n")]),
    ("ssh", &[Sends(b"SSH-+2.-0-x\r\n")]),
    ("ssh", &[Sends(b" SSH-2.0-x\r\n")]),
    ("ssh", &[Sends(b"SSH-2.x\r\n")]),
    ("ssh", &[Sends(b"SSH-99999999999.1-x\r\n")]),
    ("smtp", &[Sends(b"220\r\n")]),
    ("smtp", &[Sends(b"220\n")]),
    ("smtp", &[Sends(b"220 \r\n")]),
    ("smtp", &[Sends(b"220 x")]),
    ("smtp", &[Sends(b"220 x"), ShutsDown]),
    ("smtp", &[Sends(b"220"), ShutsDown]),
    ("smtp", &[Sends(b"220x\r\n")]),
    ("smtp", &[Sends(b"220\tx\r\n")]),
    ("smtp", &[Sends(b"220-x\r\n220 y\r\n")]),
    (
        "smtp",
        &[Sends(b"220-x\r\n"), Waits(300), Sends(b"220 y\r\n")],
    ),
    ("smtp", &[Sends(b"220-x\r\n220\r\n")]),
    ("smtp", &[Sends(b"220-x\r\n221 y\r\n")]),
    ("smtp", &[Sends(b"220-x\r\n")]),
    ("ftp", &[Sends(b"220 x\r\n")]),
    ("ftp", &[Sends(b"220\r\n")]),
    ("ftp", &[Sends(b"220 x")]),
    ("ftp", &[Sends(b"220 x"), ShutsDown]),
    ("ftp", &[Sends(b"Hello\r\n220 x\r\n")]),
    (
        "ftp",
        &[Sends(b"Hello\r\n"), Waits(300), Sends(b"220 x\r\n")],
    ),
    ("ftp", &[Sends(b"220-x\r\n y\r\n220 z\r\n")]),
    (
        "ftp",
        &[Sends(b"120 Wait\r\n"), Waits(300), Sends(b"220 x\r\n")],
    ),
    ("ftp", &[Sends(b"220-x\r\n")]),
    ("pop", &[Sends(b"+OK\r\n")]),
    ("pop", &[Sends(b"+OKx\r\n")]),
    ("pop", &[Sends(b"+OK")]),
    ("pop", &[Sends(b"+OK"), ShutsDown]),
    ("pop", &[Sends(b"+ok\r\n")]),
    ("pop", &[Sends(b"-ERR\r\n")]),
    ("imap", &[Sends(b"* OK\r\n")]),
    ("imap", &[Sends(b"* OKx\r\n")]),
    ("imap", &[Sends(b"* OK")]),
    ("imap", &[Sends(b"* OK"), ShutsDown]),
    ("imap", &[Sends(b"* PREAUTH x\r\n")]),
    ("nntp", &[Sends(b"200 x\r\n")]),
    ("nntp", &[Sends(b"201\r\n")]),
    ("nntp", &[Sends(b"200-x\r\n")]),
    ("nntp", &[Sends(b"2001\r\n")]),
    ("nntp", &[Sends(b"200")]),
    ("nntp", &[Sends(b"201"), ShutsDown]),
    ("nntp", &[Sends(b"205 x\r\n")]),
    ("telnet", &[Sends(b"login: ")]),
    ("telnet", &[Sends(b"Benutzer:")]),
    ("telnet", &[Sends(b"PIN:   ")]),
    (
        "telnet",
        &[Sends(b"\xff\xfd\x18\xff\xfb\x01\xff\xfb\x03Name:")],
    ),
    ("telnet", &[Sends(b"\xff\xff:")]),
    ("telnet", &[Sends(b"a\r\0b:")]),
    ("telnet", &[Sends(b"a:\r\n")]),
    ("telnet", &[Sends(b"a: b\r\n> ")]),
    ("telnet", &[Sends(b"a: "), ShutsDown]),
    ("telnet", &[Sends(b"Name:\x1b[0m")]),
    ("telnet", &[Sends(b"Us"), Waits(300), Sends(b"er:")]),
    ("telnet", &[Sends(b"Press any key:")]),
    ("telnet", &[Sends(b"> ")]),
];

/// Whether `net.tcp.service` of one of these agents, each with its configuration, returns 1.
fn is_up_for_zabbix(agents: &[(&str, String)], service: &str, port: &str) -> bool {
    agents.iter().any(|(program, configuration)| {
        let key = format!("net.tcp.service[{service},127.0.0.1,{port}]");
        let output = Command::new(program)
            .args(["-c", configuration, "-t", &key])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = text.trim_end().rsplit('|').next().unwrap_or_default();
        // Agent 2 prints -1 for a telnet server that closes.
        assert!(
            ["0]", "1]", "-1]"].contains(&value),
            "{program} does not know {key}: {text}"
        );
        value == "1]"
    })
}

/// Both agents with their configurations; `None` if one is not installed.
fn agents(home: &Home) -> Option<[(&'static str, String); 2]> {
    let programs = [
        ("/usr/sbin/zabbix_agentd", "zabbix-agent"),
        ("/usr/sbin/zabbix_agent2", "zabbix-agent2"),
    ];
    let settings = "LogType=console\nServer=127.0.0.1\nTimeout=1\n";
    let are_installed = programs
        .iter()
        .all(|(program, package)| installed(program, package));
    are_installed
        .then(|| programs.map(|(program, package)| (program, home.write(package, settings))))
}

/// The certificate of the peer is its own issuer: Zabbix does not verify it.
#[test]
fn what_zabbix_calls_up_over_https_is_up() {
    let home = Home::new();
    let Some(agents) = agents(&home) else { return };
    let answers = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        (
            "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            true,
        ),
        ("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", true),
        ("220 mail.example.org ESMTP\r\n", false),
        ("", false),
    ];
    for (answer, expected) in answers {
        let mut turns = vec![Turn::StartsTls, Turn::HearsRequest];
        turns.extend([Turn::Sends(answer.into()), Turn::ShutsDown]);
        let (peer, _) = tls_peer::start(turns);
        let port = peer.port();
        let is_up = is_up_for_zabbix(&agents, "https", &port);
        assert_eq!(is_up, expected, "{answer:?} for Zabbix");
        let words = ["127.0.0.1", &port, "-s", "https", "-t", "2", "-o", "json"];
        let document = check(&words).document();
        assert_eq!(document["up"] == 1, expected, "{answer:?}: {document}");
        assert_eq!(document["tls"]["verified"], 0, "{document}");
    }
}

#[test]
fn what_zabbix_calls_up_is_up() {
    let home = Home::new();
    let Some(agents) = agents(&home) else { return };
    let results = in_parallel(GREETINGS, |(service, acts)| {
        let (peer, _) = Peer::scripted(acts.to_vec(), Split::Whole);
        let is_up = is_up_for_zabbix(&agents, service, &peer.port());
        drop(peer);
        let (document, ..) = probe(service, acts, Split::Whole, "1");
        let is_stricter = is_up && document["up"] != 1;
        let stricter = is_stricter.then(|| format!("{service} {acts:?}: {document}"));
        vec![(is_up, stricter)]
    });
    let stricter: Vec<_> = results
        .iter()
        .filter_map(|(_, stricter)| stricter.as_deref())
        .collect();
    assert!(stricter.is_empty(), "{}", stricter.join("\n"));
    // The agents did answer.
    let up = results.iter().filter(|(is_up, _)| *is_up).count();
    assert!(up > 45 && up < GREETINGS.len() - 8, "{up}");
}
