//! `discover`: rows for low-level discovery, and no row at all after an error.

use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc::channel;

use serde_json::{Value, json};

use crate::config::ConfigFile;
use crate::program::{Ran, finish, run};
use crate::scripted_peer::{FullBacklog, Peer, closed_port};

fn ports(host: &str, list: &str) -> Ran {
    run(&["discover", "ports", host, list])
}

/// The rows on the only line; asserts that standard error is empty and IDs are unique.
#[track_caller]
fn rows(ran: &Ran) -> Vec<Value> {
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)));
    assert_eq!(ran.out.matches('\n').count(), 1, "{}", ran.out);
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let ids: std::collections::HashSet<_> = rows
        .iter()
        .map(|row| row["{#TCP.ID}"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), rows.len(), "{}", ran.out);
    rows
}

/// One member of every row, separated by spaces.
#[track_caller]
fn column(ran: &Ran, member: &str) -> String {
    let words = rows(ran).into_iter().map(|row| match &row[member] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_port_of_a_list_is_a_row_with_every_macro() {
    let peer = Peer::greeting(b"x");
    let found = rows(&ports("127.0.0.1", &format!("22/ssh,{}", peer.port())));
    let row = json!({
        "{#TCP.ID}": "127.0.0.1:22", "{#TCP.NAME}": "22/ssh", "{#TCP.HOST}": "127.0.0.1", "{#TCP.PORT}": 22,
        "{#TCP.SERVICE}": "ssh", "{#TCP.GROUP}": "",
    });
    assert_eq!((found.len(), &found[0]), (2, &row));
    assert_eq!(
        (
            found[1]["{#TCP.NAME}"].as_str(),
            found[1]["{#TCP.SERVICE}"].as_str()
        ),
        (Some(&*peer.port()), Some(""))
    );
    peer.has_no_connection();
}

#[test]
fn rows_are_unique_and_in_list_order() {
    let found = ports("h", " 8000-8002, 25 / smtp,22/ssh,8001,22/ssh ,");
    assert_eq!(
        column(&found, "{#TCP.NAME}"),
        "8000 8001 8002 25/smtp 22/ssh"
    );
    let found = ports("::1", "22,22/ssh,22/smtp");
    assert_eq!(column(&found, "{#TCP.ID}"), "::1:22 ::1:22.ssh ::1:22.smtp");
    assert_eq!(column(&ports("[::1]", "22"), "{#TCP.HOST}"), "::1");
    assert_eq!(
        column(&ports("fe80::1%lo", "22"), "{#TCP.ID}"),
        "fe80::1_lo:22"
    );
}

#[test]
fn an_empty_list_is_an_error() {
    for list in ["", " ", ",", " , ,"] {
        for words in [["discover", "ports"], ["discover", "open"]] {
            run(&[&words[..], &["127.0.0.1", list]].concat())
                .refuses("the list of ports is empty: write a list such as `22/ssh,443`");
        }
    }
}

#[test]
fn an_invalid_list_gives_an_error_and_no_row() {
    for (list, text) in [
        ("0", "port list: port `0` is not a number from 1 to 65535"),
        ("22,65536", "port `65536`"),
        ("22,-1", "port ``"),
        (
            "8010-8000",
            "range `8010-8000` is reversed: write the smaller port first",
        ),
        ("22，25", "port list: `，` is not a separator: write `,`"),
        ("22、25", "write `,`"),
        ("22;25", "`;` is not a separator"),
        ("２２", "port `２２`"),
        ("22 25", "` ` is not a separator: write `,`"),
        ("22\n25", "`\\n` is not a separator"),
        ("22/smpt", "unknown service `smpt`: did you mean `smtp`?"),
        ("22/\"ssh\"", "unknown service `\"ssh\"`"),
        ("22/s'sh", "unknown service `s'sh`"),
        ("22/ssh/x", "unknown service `ssh/x`"),
        ("22/", "has no service after the slash"),
        (
            "ssh",
            "`ssh` is not a port: write the port number first, as in `22/ssh`",
        ),
        ("{$TCP.PORTS}", "this macro has no value in Zabbix"),
        ("1-65535", "more than 1000 ports"),
        ("1-1001", "`discover open`"),
    ] {
        ports("127.0.0.1", list).refuses(text);
    }
    assert_eq!(rows(&ports("h", "1-1000")).len(), 1000);
    let long: Vec<_> = (0..10_000).map(|_| "1-65535").collect();
    ports("h", &long.join(",")).refuses("more than 1000 ports");
}

#[test]
fn an_invalid_host_gives_an_error_and_no_row() {
    for (host, text) in [
        ("", "the host is empty"),
        ("*UNKNOWN*", "the host has no interface in Zabbix: add one"),
        ("h:22", "to give a port, write"),
        ("127.1", "four decimal numbers"),
        ("10.0.0.0/8", "is a network or a range: write one host"),
        ("10.0.0.1-5", "is a network or a range: write one host"),
        ("fe80::1", "link-local"),
        ("例子.测试", "xn--"),
    ] {
        ports(host, "22").refuses(text);
    }
    run(&["discover", "ports", "h"]).refuses("<SPEC>");
    run(&["discover"]).refuses("no command");
    run(&["discover", "port", "h", "22"]).refuses("did you mean `ports`?");
}

#[test]
fn services_of_the_configuration_are_accepted() {
    let config = ConfigFile::new("[services.till]\nport = 9\n");
    let found = config.run(&["discover", "ports", "h", "9/till,22/ssh"]);
    assert_eq!(column(&found, "{#TCP.SERVICE}"), "till ssh");
    config
        .run(&["discover", "ports", "h", "9/til"])
        .refuses("did you mean `till`?");
    let broken = ConfigFile::new("[services.till]\nprot = 9\n");
    let found = broken.run(&["discover", "ports", "h", "22"]);
    assert_eq!(column(&found, "{#TCP.PORT}"), "22");
}

#[test]
fn a_service_that_cannot_be_used_keeps_its_row() {
    let listener = Peer::greeting(b"");
    let port = listener.port();
    let broken = ConfigFile::new("[services.till]\nprot = 9\n");
    let list = format!("{port}/till,22/ssh");
    let found = broken.run(&["discover", "ports", "127.0.0.1", &list]);
    assert_eq!(column(&found, "{#TCP.SERVICE}"), "till ssh");
    let open = broken.run(&["discover", "open", "127.0.0.1", &list]);
    for found in [&found, &open] {
        let rows = rows(found);
        let error = rows[0]["{#TCP.ERROR}"].as_str().unwrap();
        assert!(
            error.ends_with("services.till.prot: unknown key: did you mean `port`?"),
            "{error}"
        );
    }
    assert_eq!(rows(&found)[1].get("{#TCP.ERROR}"), None);
    // What names no port or no service could take the place of a row that Zabbix has.
    for list in ["22/ssh,25/stmp", "22/ssh,25x", "22/ssh,smtp"] {
        broken
            .run(&["discover", "ports", "h", list])
            .refuses("port list: ");
    }
}

/// Runs `zbx-tcp discover open 127.0.0.1 LIST ARGUMENTS...`
fn open(list: &str, words: &[&str]) -> Ran {
    run(&[&["discover", "open", "127.0.0.1", list], words].concat())
}

#[test]
fn open_lists_the_ports_that_accept() {
    let (one, two) = (Peer::greeting(b"x"), Peer::greeting(b""));
    let (closed, one_port, two_port) = (closed_port(), one.port(), two.port());
    let found = open(
        &format!("{two_port}/ssh,{closed},{one_port},{two_port}"),
        &[],
    );
    assert_eq!(
        column(&found, "{#TCP.PORT}"),
        format!("{two_port} {one_port} {two_port}")
    );
    assert_eq!(column(&found, "{#TCP.SERVICE}"), "ssh  ");
    open(&closed.to_string(), &[]).prints("[]", 0);
}

#[test]
fn open_accepts_long_lists() {
    // Addresses and ports that no other test uses: another connection would disturb it.
    let listener = std::net::TcpListener::bind("127.77.0.9:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let found = run(&[
        "discover",
        "open",
        "127.77.0.9",
        &format!("1-8000,10000-32767,{port}"),
        "--deadline",
        "60",
    ]);
    assert!(
        column(&found, "{#TCP.PORT}")
            .split(' ')
            .any(|open| open == port.to_string()),
        "{}",
        found.out
    );
    assert!(found.took.as_secs() < 30, "{:?}", found.took);
}

#[test]
fn open_prints_no_rows_if_a_port_is_undetermined() {
    // The event queue uses the last descriptor, and none is left for a socket.
    let script = format!(
        "ulimit -n 4; '{}' discover open 127.0.0.1 1 -t 0.3",
        env!("CARGO_BIN_EXE_zbx-tcp")
    );
    finish(Command::new("sh").args(["-c", &script]))
        .refuses("no rows printed: the state of a port could not be determined");
    let full = FullBacklog::new();
    open(&full.port().to_string(), &["--deadline", "0.5"])
        .refuses("raise --deadline, or list fewer ports");
    open(&format!("1-400,{}", full.port()), &["--rate", "50"])
        .refuses("raise --deadline, or list fewer ports");
    open(&full.port().to_string(), &["-t", "0.3"]).prints("[]", 0);
}

#[test]
fn open_uses_the_defaults_of_its_options() {
    let (from, seen) = channel();
    let peer = Peer::start(move |stream| {
        from.send(stream.peer_addr().unwrap().ip().to_string())
            .unwrap();
    });
    let port = peer.port();
    // Steps and attempts do not apply: a row needs only a connect.
    let rest = "steps = [{ expect = \"never\" }]\nexpect_closed = \"answered\"\ncount = 2\ninterval = \"0.1s\"\n";
    let config = ConfigFile::new(format!(
        "[defaults]\ntimeout = \"0.3s\"\nsource = \"127.0.0.2\"\n{rest}"
    ));
    let open = |port: &str, words: &[&str]| {
        config.run(&[&["discover", "open", "127.0.0.1", port], words].concat())
    };
    assert_eq!(column(&open(&port, &[]), "{#TCP.PORT}"), port);
    assert_eq!(seen.recv().unwrap(), "127.0.0.2");
    assert_eq!(
        column(&open(&port, &["--source", "127.0.0.3"]), "{#TCP.PORT}"),
        port
    );
    assert_eq!(seen.recv().unwrap(), "127.0.0.3");
    // With the built-in timeout of 2 s, half a second would not be enough for a result.
    let full = FullBacklog::new();
    let silent = open(&full.port().to_string(), &["--deadline", "0.5"]);
    silent.prints("[]", 0);
    open(&full.port().to_string(), &["--deadline", "0.5", "-t", "2"]).refuses("raise --deadline");
    open(&port, &["-6"]).refuses("is not an address of the family that `-6` selects");
    let elsewhere = ConfigFile::new("[defaults]\nsource = \"192.0.2.77\"\n");
    elsewhere
        .run(&["discover", "open", "127.0.0.1", &port])
        .refuses("config.toml:2: defaults.source: `192.0.2.77` is not an address of this host");
    // Connections are accepted in order: one caused by an error would be accepted before this one.
    drop(TcpStream::connect(peer.address()).unwrap());
    assert_eq!(seen.recv().unwrap(), "127.0.0.1");
}

#[test]
fn usage_errors_of_open_send_nothing() {
    let peer = Peer::greeting(b"x");
    for (words, text) in [
        (&["--rate", "0"][..], "--rate: `0`"),
        (&["--concurrency", "0"], "--concurrency: `0`"),
        (&["--deadline", "-1"], "--deadline: `-1`"),
        (&["-t", "0"], "--timeout: `0`"),
        (&["-6"], "-6: the target 127.0.0.1 is not an IPv6 address"),
        (&["--source", "192.0.2.77"], "not an address of this host"),
        (&["--expect", "x"], "unexpected argument `--expect`"),
    ] {
        open(&peer.port(), words).refuses(text);
    }
    open("0", &[]).refuses("port `0`");
    run(&["discover", "open", "*UNKNOWN*", "22"]).refuses("no interface");
    peer.has_no_connection();
}

#[test]
fn targets_lists_the_targets_of_the_configuration() {
    let config = ConfigFile::new(
        "[[targets]]\nhost = \"h\"\nport = \"80,81\"\nname = \"web\"\ngroup = [\"web\", \"all\"]\n\
         [[targets]]\nid = \"shell\"\nhost = \"h\"\nservice = \"ssh\"\ngroup = \"all\"\n[[targets]]\nhost = \"::1\"\nport = 9\n",
    );
    let found = config.run(&["discover", "targets"]);
    let first = json!({
        "{#TCP.ID}": "h:80", "{#TCP.NAME}": "web h:80", "{#TCP.HOST}": "h", "{#TCP.PORT}": 80, "{#TCP.SERVICE}": "",
        "{#TCP.GROUP}": "web,all",
    });
    assert_eq!(rows(&found)[0], first);
    assert_eq!(column(&found, "{#TCP.ID}"), "h:80 h:81 shell ::1:9");
    assert_eq!(
        column(&found, "{#TCP.NAME}"),
        "web h:80 web h:81 shell ::1:9"
    );
    assert_eq!(
        column(
            &config.run(&["discover", "targets", "--group", "web"]),
            "{#TCP.PORT}"
        ),
        "80 81"
    );
    assert_eq!(
        column(
            &config.run(&["discover", "targets", "-g", "web", "-g", "all"]),
            "{#TCP.PORT}"
        ),
        "80 81 22"
    );
    assert_eq!(
        rows(&config.run(&["discover", "targets", "--group="])).len(),
        4
    );
    config
        .run(&["discover", "targets", "-g", "al"])
        .refuses("--group: unknown group `al`: did you mean `all`? (known groups:");
    for text in ["", "[services.x]\nport = 1\n"] {
        ConfigFile::new(text)
            .run(&["discover", "targets"])
            .refuses("no targets: add [[targets]] to the configuration");
    }
}

/// The row of this port; `None` if nothing listens there.
fn listener(ran: &Ran, port: u16) -> Option<Value> {
    rows(ran).into_iter().find(|row| row["{#TCP.PORT}"] == port)
}

#[test]
fn listeners_of_this_machine_are_rows_with_every_macro() {
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    let found = listener(&run(&["discover", "listeners"]), port).unwrap();
    assert_eq!(found["{#TCP.ID}"], format!("127.0.0.1:{port}"));
    assert_eq!(found["{#TCP.HOST}"], "127.0.0.1");
    assert_eq!(found["{#TCP.LISTENER.SCOPE}"], "loopback");
    assert_eq!(found["{#TCP.LISTENER.FAMILY}"], "4");
    let process = found["{#TCP.LISTENER.PROCESS}"].as_str().unwrap();
    assert!(!process.is_empty(), "{found}");
    assert_eq!(found["{#TCP.NAME}"], format!("{process} 127.0.0.1:{port}"));
    for (name, value) in found.as_object().unwrap() {
        assert!(
            value.is_string() || name == "{#TCP.PORT}",
            "{name}: {value}"
        );
    }
}

#[test]
fn the_document_of_listeners_has_their_queues() {
    let peer = std::net::TcpListener::bind("[::1]:0").unwrap();
    let local = peer.local_addr().unwrap();
    let _waiting = TcpStream::connect(local).unwrap();
    let ran = run(&["discover", "listeners", "--output=json"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)));
    assert_eq!(ran.out.matches('\n').count(), 1);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let found = &document["listeners"][format!("::1:{}", local.port())];
    assert_eq!((&found["queue"], &found["sockets"]), (&json!(1), &json!(1)));
    assert_eq!(found["backlog"], 128);
    assert_eq!(found["used"], 0.775_194);
    let number = document["summary"]["listeners"].as_u64().unwrap();
    let counts = ["discovery", "listeners"].map(|name| match &document[name] {
        Value::Array(rows) => rows.len(),
        Value::Object(values) => values.len(),
        other => panic!("{other}"),
    });
    assert_eq!(counts.map(|count| count as u64), [number; 2]);
    // An empty value is the default.
    assert!(
        run(&["discover", "listeners", "--output="])
            .out
            .starts_with('[')
    );
}

#[test]
fn wrong_arguments_of_listeners_are_refused() {
    run(&["discover", "listeners", "-o", "xml"])
        .refuses("--output: unknown value `xml`: use `rows` or `json`");
    run(&["discover", "listeners", "-o", "x\ny\u{202e}"]).refuses(r"`x\ny\u{202e}`");
    run(&["discover", "listeners", "-o", "json", "-o", "json"]).refuses("--output");
    run(&["discover", "listeners", "80"]).refuses("80");
}
