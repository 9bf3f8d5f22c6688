//! `watch --idle`: how long idle connections stay open.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::events;
use crate::program::{program, run};
use crate::scripted_peer::closed_port;
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
fn a_connection_that_nothing_drops_is_alive() {
    let port = holding(None);
    let ran = run(&["watch", "127.0.0.1", &port, "--idle", "2"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)), "{}", ran.out);
    assert!(
        ran.out.contains("\nafter 2.")
            && ran.out.contains(" s     alive: our FIN was acknowledged"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("is still alive after 2.") && ran.out.ends_with(" s.\n"),
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
    let port = closed_port().to_string();
    let ran = run(&["watch", "127.0.0.1", &port, "--idle", "60"]);
    assert_eq!((ran.out.as_str(), ran.code), ("", Some(1)));
    assert!(
        ran.err
            .contains("no connection to hold: connect to 127.0.0.1:"),
        "{}",
        ran.err
    );
}

/// A firewall that drops the state of a connection after 3 s, and then the packets of this
/// connection: the connection tracking of Linux, in a network namespace of its own.
const FIREWALL: &str = r#"
ip link set lo up || exit 77
nft -f - <<'RULES' || exit 77
table inet firewall {
    chain input {
        type filter hook input priority 0
        ct state established accept
        ct state new tcp flags & (syn | ack) == syn accept
        drop
    }
}
RULES
sysctl -q -w net.netfilter.nf_conntrack_tcp_timeout_established=3 net.netfilter.nf_conntrack_tcp_loose=0 || exit 77
log=$(mktemp)
"$0" serve 127.0.0.1:7007 --close hold > "$log" &
server=$!
while ! [ -s "$log" ]; do sleep 0.05; done
rm "$log"
"$0" watch 127.0.0.1 7007 --idle 10 -t 1 -o ndjson
code=$?
kill $server
exit $code
"#;

#[test]
fn a_firewall_with_a_timeout_is_found_between_two_tests() {
    let output = Command::new("unshare")
        .args(["-n", "sh", "-c", FIREWALL])
        .arg(program().get_program())
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) if output.status.code() == Some(1) && !output.stdout.is_empty() => output,
        other => {
            return skip(&format!(
                "no network namespace with nftables (root): {other:?}"
            ));
        }
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let events = events(&text);
    let finding = events.last().unwrap();
    assert_eq!(finding["result"], "silent", "{text}");
    let seconds = |key: &str| finding[key].as_f64().unwrap();
    // The kernel removes an entry up to a second after its timeout, and never before it.
    assert!(
        seconds("alive_after") < 4.2 && seconds("ended_after") >= 3.0,
        "{text}"
    );
    assert!(seconds("ended_after") < 6.0, "{text}");
    assert!(
        finding["sentence"]
            .as_str()
            .unwrap()
            .contains("is dropped, on the path or by the service, after more than")
    );
}
