//! The common causes of the failures of a fleet: what the document says is compared with what was broken.

use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};

use crate::namespaces::Net;

/// Two thousand targets behind a router that rejects one network, cannot reach another, and drops
/// the packets to a third; the name server of some names is down; some names have an address in
/// both of the first networks.
#[test]
fn a_fleet_with_overlapping_causes() {
    let Some(net) = Net::routed() else { return };
    net.nft(
        "router",
        "forward",
        &[
            "ip daddr 10.80.0.0/16 reject with icmp type admin-prohibited",
            "ip daddr 10.82.0.0/16 reject with icmp type host-unreachable",
            "ip daddr 10.81.0.0/16 drop",
        ],
    );
    // Without a route, it would reject everything for that reason.
    net.ip("router", &["route add default via 10.77.1.2"]);
    let up = ["10.77.1.2", "1000", "200", "answer"];
    let _up = net.python("target", "faulty_peer.py", &up);
    // Nothing listens there on port 53.
    net.etc(
        "resolv.conf",
        "nameserver 10.77.0.254\noptions timeout:1 attempts:1\n",
    );
    let (mut hosts, mut targets) = ("127.0.0.1 localhost\n".to_owned(), String::new());
    for index in 0..2000_u32 {
        let (high, low) = (index / 250, index % 250 + 1);
        let target = match index {
            0..700 => format!("10.80.{high}.{low}:25"),
            700..900 => {
                writeln!(hosts, "10.82.{high}.{low} both{index}.test").unwrap();
                writeln!(hosts, "10.80.{high}.{low} both{index}.test").unwrap();
                format!("both{index}.test:25")
            }
            900..1200 => format!("10.82.{high}.{low}:25"),
            1200..1600 => format!("name{index}.test:25"),
            1600..1800 => format!("10.81.{high}.{low}:25"),
            _ => format!("10.77.1.2:{}", index - 800),
        };
        writeln!(targets, "{target}").unwrap();
    }
    net.etc("hosts", &hosts);
    let file = std::env::temp_dir().join(format!("zbx-tcp-fleet-{}", std::process::id()));
    fs::write(&file, targets).unwrap();
    // A router sends at most 1000 ICMP messages per second.
    let limits = ["-t", "2s", "--deadline", "30s", "--rate", "500"];
    let from_file = |format: &str| {
        let words = [&["batch", "-", "-o", format][..], &limits].concat();
        net.run_with(&words, fs::File::open(&file).unwrap())
    };
    let ran = from_file("json");
    let document: Value = serde_json::from_str(&ran.out).expect(&ran.out);
    let sent =
        |meaning: &str, code: u8| format!("10.77.0.254 says {meaning} (ICMP type 3 code {code})");
    let cause = |sentence: String, status: u8, count: u32, examples: [&str; 3]| json!({"cause": sentence, "status": status, "targets": count, "of": 2000, "examples": examples});
    let name_server = "no name server reachable: connection refused at 10.77.0.254";
    let expected = json!([
        cause(
            sent("administratively prohibited", 13),
            4,
            900,
            ["10.80.0.1:25", "10.80.0.2:25", "10.80.0.3:25"]
        ),
        cause(
            name_server.to_owned(),
            1,
            400,
            ["name1200.test:25", "name1201.test:25", "name1202.test:25"]
        ),
        cause(
            sent("host unreachable", 1),
            4,
            300,
            ["10.82.3.151:25", "10.82.3.152:25", "10.82.3.153:25"]
        ),
        cause(
            "no answer to SYNs from any target in 10.81.0.0/16".to_owned(),
            5,
            200,
            ["10.81.6.101:25", "10.81.6.102:25", "10.81.6.103:25"]
        ),
    ]);
    assert_eq!(
        document["summary"]["causes"], expected,
        "{}",
        document["summary"]
    );
    assert_eq!(document["summary"]["up"], 200);
    let table = from_file("text").out;
    let foot: Vec<_> = table.lines().rev().take(5).collect();
    assert!(
        foot[0].starts_with("2000 targets: 200 up, 1800 down"),
        "{foot:?}"
    );
    assert!(
        foot[4].starts_with("900 of 2000 targets: unreachable: 10.77.0.254 says"),
        "{foot:?}"
    );
    fs::remove_file(&file).unwrap();
}

/// Without failures, and with failures that share nothing, no cause is named.
#[test]
fn no_cause_is_named_without_one() {
    let Some(net) = Net::routed() else { return };
    let _up = net.python(
        "target",
        "faulty_peer.py",
        &["10.77.1.2", "1000", "3", "answer"],
    );
    for targets in ["10.77.1.2:1000-1002", "10.77.1.2:1000-1009"] {
        let ran = net.batch(&[targets, "-o", "json"]);
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            document["summary"].get("causes"),
            None,
            "{}",
            document["summary"]
        );
    }
}
