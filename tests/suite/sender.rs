//! `batch -o sender` through the real `zabbix_sender`: every value arrives unchanged.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::program::{Ran, finish, program};
use crate::scripted_peer::{Peer, closed_port};
use crate::support::skip;
use crate::trapper::Trapper;

/// Values with seconds and nanoseconds, by host and key.
type Arrived = HashMap<(String, String), (String, u64, u64)>;

/// Passes these lines to `zabbix_sender`; the values that a trapper receives.
fn sent(lines: &str, host: &str) -> Option<Arrived> {
    if Command::new("zabbix_sender").arg("-V").output().is_err() {
        skip("no zabbix_sender (Debian's package zabbix-agent)");
        return None;
    }
    let trapper = Trapper::start();
    let mut sender = Command::new("zabbix_sender");
    sender.args([
        "-z",
        "127.0.0.1",
        "-p",
        &trapper.port(),
        "-s",
        host,
        "-T",
        "-N",
        "-i",
        "-",
    ]);
    let mut child = sender
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let count = lines.lines().count();
    assert!(
        ended.status.success()
            && said.contains(&format!("sent: {count}; skipped: 0; total: {count}")),
        "{said}"
    );
    let text = |value: &serde_json::Value, member: &str| value[member].as_str().unwrap().to_owned();
    let number = |value: &serde_json::Value, member: &str| value[member].as_u64().unwrap();
    let values = trapper.values();
    assert_eq!(values.len(), count);
    let row = |value: serde_json::Value| {
        let key = (text(&value, "host"), text(&value, "key"));
        (
            key,
            (
                text(&value, "value"),
                number(&value, "clock"),
                number(&value, "ns"),
            ),
        )
    };
    Some(values.into_iter().map(row).collect())
}

fn sender(config: &str, words: &[&str]) -> Ran {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), config).unwrap();
    let ran = finish(
        program()
            .args(["batch", "-o", "sender"])
            .args(words)
            .env("ZBX_TCP_CONFIG", file.path()),
    );
    assert_eq!(ran.err, "");
    ran
}

const SECOND: u64 = 1_000_000_000;

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64
}

#[test]
fn every_value_arrives_byte_for_byte() {
    let greeting = "220 \"quoted\" back\\slash \\n 你好 é 😀\t|\r\nsecond line \\\r\n";
    let odd = Peer::greeting(greeting.as_bytes());
    let raw = Peer::greeting(b"\xff\x00\x01\"\\\n");
    let closed = closed_port();
    let config = format!(
        "[[targets]]\nid = 'odd'\nhost = '127.0.0.1'\nport = {}\nzabbix_host = 'Größe \"A\" \\ 1'\n\
         [[targets]]\nid = 'raw'\nhost = '127.0.0.1'\nport = {}\n\
         [[targets]]\nhost = '127.0.0.1'\nport = {closed}\nzabbix_host = 'plain'\n",
        odd.port(),
        raw.port()
    );
    let before = now();
    let metrics =
        "up,status,status_name,error,time.connect,response.text,response.hex,response.bytes";
    let ran = sender(&config, &["--metrics", metrics]);
    assert_eq!(ran.code, Some(1));
    let Some(values) = sent(&ran.out, "given by -s") else {
        return;
    };
    let value = |host: &str, id: &str, metric: &str| {
        let key = (host.to_owned(), format!("tcp.target[{id},{metric}]"));
        values.get(&key).map(|(value, ..)| value.as_str())
    };
    let odd = |metric| value("Größe \"A\" \\ 1", "odd", metric);
    assert_eq!(
        (odd("up"), odd("status"), odd("error"), odd("status_name")),
        (Some("1"), Some("0"), Some(""), Some("ok"))
    );
    let text = "220 \"quoted\" back\\\\slash \\\\n 你好 é 😀\\t|\\r\\nsecond line \\\\";
    assert_eq!(
        (odd("response.text"), odd("response.bytes")),
        (Some(text), Some(&*greeting.len().to_string()))
    );
    assert!(
        odd("time.connect").unwrap().starts_with("0.0"),
        "{:?}",
        odd("time.connect")
    );
    let raw = |metric| value("given by -s", "raw", metric);
    assert_eq!(
        (raw("response.text"), raw("response.hex")),
        (Some("\\xff\\x00\\x01\"\\\\"), Some("ff0001225c0a"))
    );
    let id = format!("127.0.0.1:{closed}");
    let down = |metric| value("plain", &id, metric);
    assert_eq!(
        (down("up"), down("status"), down("status_name")),
        (Some("0"), Some("3"), Some("refused"))
    );
    assert!(
        down("error")
            .unwrap()
            .starts_with(&format!("connect to {id}: connection refused")),
        "{:?}",
        down("error")
    );
    assert_eq!(
        (down("time.connect"), down("response.text")),
        (None, None),
        "what was not measured is left out"
    );
    let after = now();
    for (_, clock, ns) in values.values() {
        let at = clock * SECOND + ns;
        assert!(
            before <= at && at <= after && *ns < SECOND,
            "{before} {at} {after}"
        );
    }
}

#[test]
fn default_metrics_and_a_custom_item_key() {
    let peer = Peer::greeting(b"");
    let target = format!("127.0.0.1:{}", peer.port());
    let ran = sender(
        "",
        &[
            &target,
            "--zabbix-host",
            "h 1",
            "--sender-key",
            "net.a b[ID,\"x\",METRIC]",
        ],
    );
    assert_eq!(ran.code, Some(0));
    let Some(values) = sent(&ran.out, "unused") else {
        return;
    };
    let mut keys: Vec<_> = values.into_keys().collect();
    keys.sort_unstable();
    let mut expected = [
        "up",
        "status",
        "time.connect",
        "time.total",
        "tcp.rtt",
        "tcp.syn_retransmits",
    ]
    .map(|metric| {
        (
            "h 1".to_owned(),
            format!("net.a b[{target},\"x\",{metric}]"),
        )
    });
    expected.sort_unstable();
    assert_eq!(keys, expected);
}
