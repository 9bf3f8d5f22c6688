//! Firewalls: on the target, on a router, on this machine.

use std::time::Duration;

use crate::namespaces::Net;
use crate::program::Ran;
use crate::verdict::{IcmpError, Verdict};

const TARGET: &str = "10.77.0.2";
const TARGET6: &str = "fd77::2";
/// The target behind the router.
const FAR: &str = "10.77.1.2";
const FAR6: &str = "fd77:0:0:1::2";

/// nftables' name, the port that it rejects here, the ICMP code (RFC 792, RFC 1812), and our name.
const REJECTS: [(&str, u16, u8, &str); 7] = [
    ("net-unreachable", 100, 0, "network unreachable"),
    ("host-unreachable", 101, 1, "host unreachable"),
    ("prot-unreachable", 102, 2, "protocol unreachable"),
    ("port-unreachable", 103, 3, "port unreachable"),
    (
        "net-prohibited",
        109,
        9,
        "network administratively prohibited",
    ),
    (
        "host-prohibited",
        110,
        10,
        "host administratively prohibited",
    ),
    ("admin-prohibited", 113, 13, "administratively prohibited"),
];

/// The same for `ICMPv6` (RFC 4443).
const REJECTS6: [(&str, u16, u8, &str); 6] = [
    ("no-route", 200, 0, "no route to destination"),
    ("admin-prohibited", 201, 1, "administratively prohibited"),
    ("addr-unreachable", 203, 3, "address unreachable"),
    ("port-unreachable", 204, 4, "port unreachable"),
    (
        "policy-fail",
        205,
        5,
        "source address failed ingress/egress policy",
    ),
    ("reject-route", 206, 6, "reject route to destination"),
];

/// Adds every kind of reject, and a drop, at a hook of a namespace.
fn reject_all(net: &Net, role: &str, hook: &str) {
    let v4 =
        REJECTS.map(|(kind, port, ..)| format!("tcp dport {port} reject with icmp type {kind}"));
    let v6 =
        REJECTS6.map(|(kind, port, ..)| format!("tcp dport {port} reject with icmpv6 type {kind}"));
    let mut rules: Vec<&str> = v4.iter().chain(&v6).map(String::as_str).collect();
    rules.push("tcp dport 300 reject with tcp reset");
    rules.push("tcp dport 301 drop");
    net.nft(role, hook, &rules);
}

/// Asserts that every reject is reported as what it is, and as sent by `from`.
fn every_reject_is_named(net: &Net, target: &str, from: &str) {
    let (rows, kind) = if target.contains('.') {
        (&REJECTS[..], 3)
    } else {
        (&REJECTS6[..], 1)
    };
    for (_, port, code, name) in rows {
        IcmpError {
            from,
            kind,
            code: *code,
            name,
        }
        .answers(net, target, &port.to_string());
    }
}

/// A target that rejects.
fn target_rejects() -> Option<Net> {
    let net = Net::direct()?;
    reject_all(&net, "target", "input");
    Some(net)
}

/// A router that rejects.
fn router_rejects() -> Option<Net> {
    let net = Net::routed()?;
    reject_all(&net, "router", "forward");
    Some(net)
}

/// A local firewall that rejects.
fn local_firewall_rejects() -> Option<Net> {
    let net = Net::direct()?;
    reject_all(&net, "probe", "output");
    Some(net)
}

fn json(net: &Net, target: &str, port: &str) -> Ran {
    net.check(&[target, port, "-o", "json"])
}

#[track_caller]
fn times_out(net: &Net, target: &str, port: &str) {
    let ran = net.check(&[target, port, "-o", "json", "-t", "1.3s"]);
    let verdict = Verdict::of(ran, 5, "connect_timeout", &["no answer to 2 SYNs"])
        .no_icmp()
        .times(&["total"]);
    let verdict = verdict.within(Duration::from_millis(1300), Duration::from_millis(1700));
    assert_eq!(
        verdict.document()["tcp"],
        serde_json::json!({"syn_retransmits": 1})
    );
}

#[test]
fn a_drop_is_a_timeout_at_the_deadline() {
    let Some(net) = target_rejects() else { return };
    times_out(&net, TARGET, "301");
    times_out(&net, TARGET6, "301");
}

#[test]
fn a_drop_by_a_router_is_a_timeout_at_the_deadline() {
    let Some(net) = router_rejects() else { return };
    times_out(&net, FAR, "301");
    times_out(&net, FAR6, "301");
}

#[test]
fn a_dropped_syn_ack_is_a_timeout_too() {
    let Some(net) = Net::direct() else { return };
    let listener = net.listen("target", TARGET, 80, "hold");
    net.nft("target", "output", &["tcp sport 80 drop"]);
    times_out(&net, TARGET, "80");
    drop(listener);
}

#[test]
fn a_tcp_reset_by_a_router_is_refused() {
    let Some(net) = router_rejects() else { return };
    for target in [FAR, FAR6] {
        let ran = json(&net, target, "300");
        Verdict::of(ran, 3, "refused", &["connection refused (RST)"])
            .no_icmp()
            .times(&["total"])
            .at_once();
    }
}

#[test]
fn rejects_by_the_target_are_named() {
    let Some(net) = target_rejects() else { return };
    every_reject_is_named(&net, TARGET, TARGET);
}

/// An `ICMPv6` prohibition is EACCES, like a missing local permission, and is `unreachable` nevertheless.
#[test]
fn rejects_by_the_target_in_ipv6_are_named() {
    let Some(net) = target_rejects() else { return };
    every_reject_is_named(&net, TARGET6, TARGET6);
}

#[test]
fn rejects_by_a_router_are_named() {
    let Some(net) = router_rejects() else { return };
    every_reject_is_named(&net, FAR, "10.77.0.254");
}

#[test]
fn rejects_by_a_router_in_ipv6_are_named() {
    let Some(net) = router_rejects() else { return };
    every_reject_is_named(&net, FAR6, "fd77::fe");
}

#[test]
fn the_text_report_names_the_rejecting_router() {
    let Some(net) = router_rejects() else { return };
    let text = net.check(&[FAR, "113", "-o", "text"]).out;
    for part in [
        "is DOWN: unreachable",
        "10.77.0.254 says administratively prohibited (ICMP type 3 code 13)",
        "the router or firewall that rejected the connection",
    ] {
        assert!(text.contains(part), "{text}");
    }
    net.check(&[FAR, "113"]).prints("0", 1);
    net.check(&[FAR, "113", "-o", "status"]).prints("4", 1);
    net.check(&[FAR, "113", "-o", "icmp.from"])
        .prints("10.77.0.254", 1);
    net.check(&[FAR, "113", "-o", "icmp.code"]).prints("13", 1);
}

/// The kernel reports a drop by the local firewall to UDP sockets (EPERM) only: a TCP socket retransmits.
#[test]
fn a_drop_by_the_local_firewall_is_a_timeout() {
    let Some(net) = local_firewall_rejects() else {
        return;
    };
    times_out(&net, TARGET, "301");
    times_out(&net, TARGET6, "301");
}

/// The kernel sends itself the ICMP error of its own firewall, which says nothing about the target.
/// Its error "host unreachable" means that a host does not answer ARP.
#[test]
fn rejects_by_the_local_firewall_are_local_errors() {
    let Some(net) = local_firewall_rejects() else {
        return;
    };
    for (target, rows, silent) in [(TARGET, &REJECTS[..], 1), (TARGET6, &REJECTS6[..], 3)] {
        for (_, port, code, name) in rows {
            let port = port.to_string();
            let (status, status_name, sentence) = if *code == silent {
                let sentence = "did not answer on the local network".to_owned();
                (4, "unreachable", sentence)
            } else {
                let sentence = format!("could not send (local firewall rule: {name})");
                (15, "local_error", sentence)
            };
            Verdict::of(json(&net, target, &port), status, status_name, &[&sentence])
                .no_icmp()
                .at_once();
            let words = [target, &port, "-o", "json", "--expect-closed"];
            Verdict::of(net.check(&words), status, status_name, &[&sentence]);
        }
    }
    Verdict::of(json(&net, TARGET, "300"), 3, "refused", &["RST"])
        .no_icmp()
        .at_once();
}

/// A path that rejects every other connect.
#[test]
fn a_lossy_path_is_counted_in_the_attempts() {
    let Some(net) = Net::direct() else { return };
    let _listener = net.listen("target", TARGET, 80, "hold");
    net.nft(
        "target",
        "input",
        &["tcp dport 80 tcp flags syn numgen inc mod 2 1 reject with icmp type host-prohibited"],
    );
    let words = [TARGET, "80", "-o", "json", "-n", "4", "-i", "100ms"];
    let verdict = Verdict::of(net.check(&words), 0, "ok", &[])
        .no_icmp()
        .times(&["total", "connect"]);
    let attempts = &verdict.document()["attempts"];
    assert_eq!(
        (&attempts["sent"], &attempts["ok"], &attempts["loss"]),
        (&4.into(), &2.into(), &0.5.into())
    );
    let parts = [
        "2 of 4 attempts succeeded, 3 are required",
        "10.77.0.2 says host administratively prohibited (ICMP type 3 code 10)",
    ];
    Verdict::of(
        net.check(&[&words[..], &["--require", "3"]].concat()),
        4,
        "unreachable",
        &parts,
    );
}

#[test]
fn a_reject_satisfies_expect_closed() {
    let Some(net) = router_rejects() else { return };
    for (target, port, kind, code, from) in [
        (FAR, "113", 3, 13, "10.77.0.254"),
        (FAR, "103", 3, 3, "10.77.0.254"),
        (FAR6, "201", 1, 1, "fd77::fe"),
    ] {
        let ran = net.check(&[target, port, "-o", "json", "--expect-closed"]);
        Verdict::of(ran, 0, "ok", &[])
            .icmp(kind, code, from)
            .times(&["total"])
            .at_once();
    }
    let ran = net.check(&[FAR, "300", "-o", "json", "--expect-closed"]);
    Verdict::of(ran, 0, "ok", &[])
        .no_icmp()
        .times(&["total"])
        .at_once();
}

#[test]
fn a_drop_satisfies_only_expect_closed_filtered() {
    let Some(net) = target_rejects() else { return };
    let least = Duration::from_millis(300);
    let ran = net.check(&[
        TARGET,
        "301",
        "-o",
        "json",
        "-t",
        "300ms",
        "--expect-closed",
    ]);
    Verdict::of(ran, 5, "connect_timeout", &["no answer to the SYN"])
        .no_icmp()
        .within(least, least * 3);
    let ran = net.check(&[
        TARGET,
        "301",
        "-o",
        "json",
        "-t",
        "300ms",
        "--expect-closed=filtered",
    ]);
    Verdict::of(ran, 0, "ok", &[])
        .no_icmp()
        .within(least, least * 3);
    let listener = net.listen("target", TARGET, 80, "hold");
    let ran = net.check(&[TARGET, "80", "-o", "json", "--expect-closed=filtered"]);
    Verdict::of(
        ran,
        16,
        "unexpectedly_open",
        &["10.77.0.2:80 accepts connections, but was expected to be closed"],
    )
    .times(&["total", "connect"])
    .at_once();
    drop(listener);
}
