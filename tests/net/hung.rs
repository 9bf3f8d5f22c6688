//! A peer that is silent after the connect: it hangs, or was cut off, and how the statistics of the
//! kernel show this.
//!
//! `ZBX_TCP_SILENT_RUNS=200 cargo test --test net hung` repeats each fault 200 times, at the same time, and prints the
//! counts; the usual number is 5.

use std::io::Write;

use serde_json::Value;

use crate::background::Background;
use crate::namespaces::Net;

/// The first of the ports of the faulty service.
const FIRST: u16 = 1000;

const TARGET: &str = "10.77.0.2";
const TARGET6: &str = "fd77::2";
/// The target behind the router.
const FAR: &str = "10.77.1.2";
const FAR6: &str = "fd77:0:0:1::2";

/// How often each fault is probed.
fn runs() -> u16 {
    let runs = std::env::var("ZBX_TCP_SILENT_RUNS");
    runs.map_or(5, |runs| runs.parse().expect("a number"))
}

fn peer(net: &Net, address: &str, manner: &str) -> Background {
    let (first, count) = (FIRST.to_string(), runs().to_string());
    net.python(
        "target",
        "faulty_peer.py",
        &[address, &first, &count, manner],
    )
}

/// Probes every port of the service at the same time; asserts the status and the fault of each.
#[track_caller]
fn all_are(net: &Net, address: &str, steps: &[&str], status: u64, fault: &str) -> Vec<Value> {
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let last = FIRST + runs() - 1;
    let target = format!("{host}:{FIRST}-{last}");
    let limits = [
        "-o",
        "json",
        "-t",
        "2.5s",
        "--deadline",
        "20s",
        "--per-host",
        "0",
    ];
    let ran = net.batch(&[&[&*target][..], &limits, steps].concat());
    let document: Value = serde_json::from_str(&ran.out).expect("a document");
    let results: Vec<_> = document["targets"]
        .as_object()
        .expect("targets")
        .values()
        .cloned()
        .collect();
    assert_eq!(results.len(), usize::from(runs()));
    let is_expected = |result: &&Value| {
        let error = result["error"].as_str().unwrap_or_default();
        let ends = error.ends_with(&fault.replace('%', "")) && (status == 0) == error.is_empty();
        let has_all = fault.split('%').all(|part| error.contains(part));
        result["status"] == status && (ends || (fault.contains('%') && has_all))
    };
    let right = results.iter().filter(is_expected).count();
    if std::env::var_os("ZBX_TCP_SILENT_RUNS").is_some() {
        let count = format!("{address} {fault:?}: {right} of {}\n", results.len());
        std::io::stderr().write_all(count.as_bytes()).unwrap();
    }
    if let Some(wrong) = results.iter().find(|result| !is_expected(result)) {
        panic!("expected {status} {fault:?}: {wrong}");
    }
    results
}

const HELLO: [&str; 4] = ["--send", "hello\\n", "--expect", "answer\\r\\n"];
const HANGS: &str = "; the peer acknowledged our 6 bytes and says nothing: the service hangs";

/// Asserts that the peer acknowledged the six bytes of [`HELLO`], without a retransmission.
fn all_acknowledged(results: &[Value]) {
    for result in results {
        let tcp = &result["tcp"];
        assert_eq!(
            (&tcp["bytes_acked"], &tcp["retransmits"]),
            (&6.into(), &0.into()),
            "{result}"
        );
    }
}

#[test]
fn a_working_service_acknowledges_everything() {
    let Some(net) = Net::direct() else { return };
    for target in [TARGET, TARGET6] {
        let _peer = peer(&net, target, "answer");
        all_acknowledged(&all_are(&net, target, &HELLO, 0, ""));
    }
}

#[test]
fn a_frozen_process_hangs() {
    let Some(net) = Net::direct() else { return };
    for target in [TARGET, TARGET6] {
        let peer = peer(&net, target, "answer");
        peer.freeze();
        all_acknowledged(&all_are(&net, target, &HELLO, 8, HANGS));
    }
}

/// If nothing was sent, nothing is known about the path.
#[test]
fn a_frozen_process_that_speaks_first_sent_nothing() {
    let Some(net) = Net::direct() else { return };
    let peer = peer(&net, TARGET, "answer");
    peer.freeze();
    all_are(
        &net,
        TARGET,
        &["--expect", "220"],
        8,
        "the deadline passed before anything was received",
    );
}

#[test]
fn data_that_a_firewall_drops_is_lost() {
    let Some(net) = Net::direct() else { return };
    // An acknowledgement without data has 52 bytes in IPv4, and 72 in IPv6.
    net.nft(
        "target",
        "input",
        &[
            "meta nfproto ipv4 tcp dport 1000-1999 meta length > 60 drop",
            "meta nfproto ipv6 tcp dport 1000-1999 meta length > 80 drop",
        ],
    );
    let steps = ["--send", "a line of 20 bytes.\\n", "--expect", "answer"];
    for target in [TARGET, TARGET6] {
        let _peer = peer(&net, target, "answer");
        let fault =
            "; our 20 bytes were not acknowledged (% retransmits): packets are lost on the way";
        for result in all_are(&net, target, &steps, 8, fault) {
            let tcp = &result["tcp"];
            assert_eq!(tcp["bytes_acked"], 0, "{result}");
            assert!(tcp["retransmits"].as_u64() >= Some(2), "{result}");
        }
    }
}

#[test]
fn without_acknowledgements_packets_are_lost() {
    let Some(net) = Net::direct() else { return };
    net.nft(
        "probe",
        "input",
        &["tcp sport 1000-1999 tcp flags & syn == 0 drop"],
    );
    for target in [TARGET, TARGET6] {
        let _peer = peer(&net, target, "answer");
        let fault =
            "; our 6 bytes were not acknowledged (% retransmits): packets are lost on the way";
        all_are(&net, target, &HELLO, 8, fault);
    }
}

#[test]
fn a_service_that_does_not_read_closes_its_window() {
    let Some(net) = Net::direct() else { return };
    let long = "x".repeat(100_000);
    for target in [TARGET, TARGET6] {
        let _peer = peer(&net, target, "deaf");
        let fault =
            "; the peer takes no more of our bytes (zero window): the service does not read them";
        all_are(
            &net,
            target,
            &["--send", &long, "--expect", "answer"],
            8,
            fault,
        );
    }
}

/// A line of 3000 bytes, after a small exchange: two full segments and a small one.
fn long_exchange(long: &str) -> [&str; 8] {
    let [send, hello, expect, answer] = HELLO;
    [
        send, hello, expect, answer, "--send", long, "--expect", "answer",
    ]
}

/// A router whose next link has an MTU of 1300 bytes, in one direction.
fn narrow() -> Option<Net> {
    let net = Net::routed()?;
    // Segments leave one by one, as from a network card.
    net.ip("probe", &["link set wire0 gso_max_segs 1"]);
    net.ip("router", &["link set wire1 mtu 1300"]);
    Some(net)
}

#[test]
fn a_path_mtu_black_hole_is_named() {
    let Some(net) = narrow() else { return };
    net.nft(
        "router",
        "output",
        &[
            "icmp type destination-unreachable drop",
            "icmpv6 type packet-too-big drop",
        ],
    );
    let long = format!("{}\\n", "x".repeat(2999));
    for target in [FAR, FAR6] {
        let _peer = peer(&net, target, "answer");
        let fault = "; 3000 of our 3006 bytes were not acknowledged (% retransmits): packets of 1500 bytes are lost, \
                     smaller ones arrive, and no router reported a smaller MTU: path MTU black hole";
        all_are(&net, target, &long_exchange(&long), 8, fault);
    }
}

#[test]
fn with_icmp_the_path_mtu_is_found() {
    let Some(net) = narrow() else { return };
    let long = format!("{}\\n", "x".repeat(2999));
    for target in [FAR, FAR6] {
        let _peer = peer(&net, target, "answer");
        for result in all_are(&net, target, &long_exchange(&long), 0, "") {
            let tcp = &result["tcp"];
            assert_eq!(tcp["bytes_acked"], 3006, "{result}");
        }
    }
}

/// A router reports its MTU, and behind it is a link with a smaller one whose router reports nothing.
#[test]
fn a_black_hole_behind_a_reported_path_mtu_is_named() {
    let Some(net) = narrow() else { return };
    net.nft(
        "target",
        "input",
        &["tcp dport 1000-1999 meta length > 1250 drop"],
    );
    let long = format!("{}\\n", "x".repeat(2999));
    let _peer = peer(&net, FAR, "answer");
    let fault = "; 3000 of our 3006 bytes were not acknowledged (% retransmits): packets of 1300 bytes are lost, \
                 smaller ones arrive, although a router reported this path MTU: path MTU black hole";
    // Later connections know the path MTU from the first.
    let target = format!("{FAR}:{FIRST}");
    let ran = net.check(&[&[&*target, "-o", "json"][..], &long_exchange(&long)].concat());
    let document = ran.document();
    let error = document["error"].as_str().unwrap();
    for part in fault.split('%') {
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}
