//! Services over a network: open, closed, silent, resetting, and transient errors of an open connection.

use std::time::Duration;

use crate::namespaces::Net;
use crate::verdict::Verdict;

#[test]
fn open_and_closed_in_both_families() {
    let Some(net) = Net::routed() else { return };
    for (target, family, source) in [
        ("10.77.1.2", 4, "10.77.0.1"),
        ("fd77:0:0:1::2", 6, "fd77::1"),
    ] {
        let _listener = net.listen("target", target, 80, "greet");
        let ran = net.check(&[target, "80", "-o", "json", "--expect", "hello\\r\\n"]);
        let verdict = Verdict::of(ran, 0, "ok", &[]).no_icmp().at_once();
        let verdict = verdict.times(&["total", "connect", "first_byte", "dialogue"]);
        let document = verdict.document();
        assert_eq!(
            (&document["address"], &document["family"]),
            (&target.into(), &family.into())
        );
        assert_eq!(
            (&document["source"], &document["response"]["text"]),
            (&source.into(), &"220 hello".into())
        );
        let ran = net.check(&[target, "81", "-o", "json"]);
        Verdict::of(ran, 3, "refused", &["connection refused (RST)"])
            .no_icmp()
            .times(&["total"])
            .at_once();
    }
}

/// A server must not receive an RST (some block clients that send one), except with `--close rst`.
#[test]
fn a_graceful_close_sends_no_rst() {
    let Some(net) = Net::direct() else { return };
    let _v4 = net.listen("target", "10.77.0.2", 80, "greet");
    let _v6 = net.listen("target", "fd77::2", 80, "greet");
    net.nft("target", "input", &["tcp flags & rst == rst counter"]);
    for target in ["10.77.0.2", "fd77::2"] {
        for words in [
            &[][..],
            &["--expect", "2"],
            &["--expect", "wrong", "-t", "300ms"],
            &["-n", "3", "-i", "10ms"],
        ] {
            net.check(&[&[target, "80"], words].concat());
        }
    }
    assert_eq!(net.counted("target", "input"), 0);
    net.check(&["10.77.0.2", "80", "--close", "rst"])
        .prints("1", 0);
    assert_eq!(net.counted("target", "input"), 1);
}

#[test]
fn a_silent_service_is_a_read_timeout() {
    let Some(net) = Net::direct() else { return };
    let _listener = net.listen("target", "10.77.0.2", 80, "hold");
    let ran = net.check(&[
        "10.77.0.2",
        "80",
        "-o",
        "json",
        "-t",
        "500ms",
        "--expect",
        "220",
    ]);
    let verdict = Verdict::of(
        ran,
        8,
        "read_timeout",
        &["expect (step 1) from 10.77.0.2:80: the deadline passed"],
    );
    verdict
        .no_icmp()
        .times(&["total", "connect"])
        .within(Duration::from_millis(500), Duration::from_millis(900));
}

#[test]
fn a_service_that_resets_is_reset_or_open() {
    let Some(net) = Net::direct() else { return };
    let _listener = net.listen("target", "10.77.0.2", 80, "rst");
    let ran = net.check(&["10.77.0.2", "80", "-o", "json", "--expect", "220"]);
    let verdict = Verdict::of(ran, 6, "reset", &["10.77.0.2:80 reset the open connection"])
        .no_icmp()
        .at_once();
    verdict.times(&["total", "connect"]);
    // It accepted, which is enough for a plain connect.
    let verdict = Verdict::of(net.check(&["10.77.0.2", "80", "-o", "json"]), 0, "ok", &[]);
    verdict.no_icmp().at_once().times(&["total", "connect"]);
}

/// On an open connection an ICMP error is only a hint (RFC 5927): lost data is retransmitted.
#[test]
fn a_transient_icmp_error_does_not_end_a_dialogue() {
    let Some(net) = Net::direct() else { return };
    let _v4 = net.listen("target", "10.77.0.2", 80, "answer");
    let _v6 = net.listen("target", "fd77::2", 80, "answer");
    // The first two data packets of each family: an error that arrives while the program is sending is
    // never fatal, but that for the retransmission could be.
    net.nft(
        "target",
        "input",
        &[
            "tcp flags & (syn | psh) == psh ip daddr 10.77.0.2 quota until 120 bytes reject with icmp type host-unreachable",
            "tcp flags & (syn | psh) == psh ip6 daddr fd77::2 quota until 160 bytes reject with icmpv6 type admin-prohibited",
        ],
    );
    for target in ["10.77.0.2", "fd77::2"] {
        let ran = net.check(&[
            target, "80", "-o", "json", "--send", "question", "--expect", "answer",
        ]);
        let verdict = Verdict::of(ran, 0, "ok", &[]).no_icmp();
        let dialogue = verdict.document()["time"]["dialogue"].as_f64().unwrap();
        assert!(dialogue >= 0.3, "nothing was lost: {}", verdict.document());
        assert_eq!(verdict.document()["tcp"]["syn_retransmits"], 0);
    }
}

/// The firewall lets SYN and SYN-ACK pass and rejects our ACK: the port is open, and must be reported neither
/// as closed nor as a missing local permission (EACCES, in IPv6).
#[test]
fn a_rejected_ack_does_not_undo_the_connect() {
    let Some(net) = Net::direct() else { return };
    let _listener = net.listen("target", "::", 80, "greet");
    net.nft(
        "target",
        "input",
        &["tcp flags & (syn | ack | psh | fin | rst) == ack reject with icmpx admin-prohibited"],
    );
    for target in ["10.77.0.2", "fd77::2"] {
        let verdict = Verdict::of(net.check(&[target, "80", "-o", "json"]), 0, "ok", &[]);
        verdict.times(&["total", "connect"]).no_icmp().at_once();
        let ran = net.check(&[target, "80", "-o", "json", "--expect-closed"]);
        Verdict::of(ran, 16, "unexpectedly_open", &["accepts connections"]).at_once();
        // The error ends the dialogue, or arrives when it is only a hint.
        let document = net
            .check(&[target, "80", "-o", "json", "-t", "400ms", "--expect", "220"])
            .document();
        let status = document["status_name"].as_str().unwrap();
        assert!(["reset", "read_timeout"].contains(&status), "{document}");
        assert!(document["time"]["connect"].is_f64(), "{document}");
    }
}

/// The firewall lets the handshake pass and drops later packets.
#[test]
fn a_path_that_breaks_after_the_handshake_is_a_read_timeout() {
    let Some(net) = Net::direct() else { return };
    let _listener = net.listen("target", "10.77.0.2", 80, "answer");
    net.nft("target", "input", &["tcp flags & psh == psh drop"]);
    let words = [
        "10.77.0.2",
        "80",
        "-o",
        "json",
        "-t",
        "600ms",
        "--send",
        "question",
        "--expect",
        "answer",
    ];
    let verdict = Verdict::of(
        net.check(&words),
        8,
        "read_timeout",
        &["expect (step 2) from 10.77.0.2:80: the deadline passed"],
    );
    verdict
        .no_icmp()
        .times(&["total", "connect"])
        .within(Duration::from_millis(600), Duration::from_secs(1));
}
