//! `watch --idle`: how long idle connections live.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::events;
use crate::program::{program, run};
use crate::skip;

/// A listener that holds its clients, and closes each after this time.
fn holding(close_after: Option<Duration>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    thread::spawn(move || {
        let mut held: Vec<(Instant, TcpStream)> = Vec::new();
        listener.set_nonblocking(true).unwrap();
        loop {
            if let Ok((client, _)) = listener.accept() {
                held.push((Instant::now(), client));
            }
            if let Some(time) = close_after {
                held.retain(|(accepted, _)| accepted.elapsed() < time);
            }
            thread::sleep(Duration::from_millis(2));
        }
    });
    port
}

#[test]
fn a_connection_that_nobody_forgets_is_alive() {
    let port = holding(None);
    let ran = run(&["watch", "127.0.0.1", &port, "--idle", "2"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)), "{}", ran.out);
    assert!(
        ran.out
            .contains("after 2.0 s     alive: our FIN was acknowledged"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.ends_with("is still known after 2.0 s.\n"),
        "{}",
        ran.out
    );
    assert!(ran.took >= Duration::from_secs(2) && ran.took < Duration::from_secs(6));
}

#[test]
fn a_server_that_closes_is_found_with_the_time() {
    let port = holding(Some(Duration::from_millis(1500)));
    let ran = run(&["watch", "127.0.0.1", &port, "--idle", "20", "-o", "ndjson"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(1)), "{}", ran.out);
    let events = events(&ran.out);
    let finding = events.last().unwrap();
    assert_eq!(
        (&finding["event"], &finding["result"]),
        (&"idle".into(), &"closed".into())
    );
    let ended = finding["ended_after"].as_f64().unwrap();
    assert!((1.4..1.8).contains(&ended), "{finding}");
    assert!(finding["alive_after"].as_f64().unwrap() < ended);
    assert!(
        ran.took < Duration::from_secs(10),
        "it does not wait for the rest"
    );
}

#[test]
fn a_refused_connection_is_said_at_once() {
    let port = super::closed_port().to_string();
    let ran = run(&["watch", "127.0.0.1", &port, "--idle", "60"]);
    assert_eq!((ran.out.as_str(), ran.code), ("", Some(1)));
    assert!(
        ran.err
            .contains("no connection to hold: connect to 127.0.0.1:"),
        "{}",
        ran.err
    );
}

/// The path forgets all connections after 1.5 s: the interface goes down.
#[test]
fn a_path_that_forgets_is_found_between_two_tests() {
    let script = "ip link set lo up || exit 77\n\
         python3 -c 'import socket,time\n\
s=socket.socket(); s.bind((\"127.0.0.1\",7007)); s.listen(64)\n\
h=[]\n\
s.settimeout(8)\n\
try:\n\
    while True: h.append(s.accept())\n\
except OSError: pass' &\n\
         sleep 0.7\n\
         (sleep 1.5; ip link set lo down) &\n\
         \"$0\" watch 127.0.0.1 7007 --idle 8 -t 1 -o ndjson; code=$?\n\
         kill %1; exit $code";
    let output = Command::new("unshare")
        .args(["-r", "-n", "sh", "-m", "-c", script])
        .arg(program().get_program())
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) if output.status.code() == Some(1) => output,
        other => return skip(&format!("no network namespace: {other:?}")),
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let events = events(&text);
    let finding = events.last().unwrap();
    assert_eq!(finding["result"], "silent", "{text}");
    let (alive, ended) = (
        finding["alive_after"].as_f64().unwrap(),
        finding["ended_after"].as_f64().unwrap(),
    );
    assert!(alive <= 1.6 && (1.2..2.2).contains(&ended), "{text}");
}
