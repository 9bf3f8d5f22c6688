//! Absent hosts: address resolution (ARP, IPv6 neighbour discovery) gets no answer.

use std::time::Duration;

use crate::namespaces::Net;
use crate::verdict::{IcmpError, Verdict};

/// Addresses of the link that no host has, and the protocol that gets no answer.
const TARGETS: [(&str, &str); 2] = [("10.77.0.77", "ARP"), ("fd77::77", "neighbour discovery")];

/// The sentence about a host that does not answer.
fn absent(target: &str, resolution: &str) -> String {
    let shown = if target.contains(':') {
        format!("[{target}]")
    } else {
        target.to_owned()
    };
    format!(
        "connect to {shown}:80: the host, or the router to it, did not answer on the local network \
         (no answer to {resolution})"
    )
}

/// Shortens address resolution in a namespace: three requests of 50 ms instead of one second each.
fn shorten_address_resolution(net: &Net, role: &str, wire: &str) {
    net.sh(
        role,
        &format!(
            "for v in ipv4 ipv6; do echo 50 > /proc/sys/net/$v/neigh/{wire}/retrans_time_ms; done"
        ),
    );
}

/// After about three seconds the kernel gives up and sends the ICMP error to itself.
#[test]
fn an_absent_host_is_unreachable_after_address_resolution_fails() {
    let Some(net) = Net::direct() else { return };
    let ran = net.check(&["10.77.0.77", "80", "-o", "json", "-t", "5s"]);
    let verdict = Verdict::of(ran, 4, "unreachable", &[&absent("10.77.0.77", "ARP")]);
    verdict
        .times(&["total"])
        .no_icmp()
        .within(Duration::from_secs(2), Duration::from_millis(4500));
}

#[test]
fn an_absent_host_is_a_timeout_before_address_resolution_fails() {
    let Some(net) = Net::direct() else { return };
    for target in ["10.77.0.77", "fd77::77"] {
        let ran = net.check(&[target, "80", "-o", "json", "-t", "500ms"]);
        let verdict =
            Verdict::of(ran, 5, "connect_timeout", &["no answer to the SYN"]).times(&["total"]);
        verdict
            .no_icmp()
            .within(Duration::from_millis(500), Duration::from_millis(900));
    }
}

#[test]
fn an_absent_host_is_unreachable() {
    let Some(net) = Net::direct() else { return };
    shorten_address_resolution(&net, "probe", "wire0");
    for (target, resolution) in TARGETS {
        let ran = net.check(&[target, "80", "-o", "json"]);
        let sentence = absent(target, resolution);
        Verdict::of(ran, 4, "unreachable", &[&sentence])
            .times(&["total"])
            .no_icmp()
            .at_once();
    }
}

/// The ICMP error of our own kernel is no message from the network: nothing was sent.
#[test]
fn an_absent_host_is_not_proved_closed() {
    let Some(net) = Net::direct() else { return };
    let is_not_closed = |words: &[&str]| {
        for (target, resolution) in TARGETS {
            let ran = net.check(&[&[target, "80", "-o", "json"], words].concat());
            let sentence = absent(target, resolution);
            let parts = [sentence.as_str(), "so the state of the port is unknown"];
            Verdict::of(ran, 4, "unreachable", &parts).no_icmp();
        }
    };
    // The kernel gives up after three seconds; before, it has still not sent the SYN.
    is_not_closed(&["--expect-closed=filtered", "-t", "400ms"]);
    shorten_address_resolution(&net, "probe", "wire0");
    is_not_closed(&["--expect-closed=filtered"]);
    is_not_closed(&["--expect-closed"]);
}

/// A gateway that does not answer is reported like an absent host; a host that drops packets is
/// filtered.
#[test]
fn silence_counts_as_filtered_only_if_the_syn_left() {
    let Some(net) = Net::direct() else { return };
    net.nft("target", "input", &["tcp dport 80 drop"]);
    net.ip(
        "probe",
        &[
            "route add 10.99.1.0/24 via 10.77.0.77",
            "route add fd99::/64 via fd77::77",
        ],
    );
    let option = "--expect-closed=filtered";
    for target in ["10.77.0.2", "fd77::2"] {
        let words = [target, "80", "-o", "json", option, "-t", "400ms"];
        Verdict::of(net.check(&words), 0, "ok", &[]);
    }
    for target in ["10.99.1.1", "fd99::1"] {
        let words = [target, "80", "-o", "json", option, "-t", "400ms"];
        let parts = ["or the router to it, did not answer"];
        Verdict::of(net.check(&words), 4, "unreachable", &parts);
    }
}

#[test]
fn an_absent_host_behind_a_router_is_reported_by_the_router() {
    let Some(net) = Net::routed() else { return };
    shorten_address_resolution(&net, "router", "wire1");
    for (target, from, kind, code, name) in [
        ("10.77.1.77", "10.77.0.254", 3, 1, "host unreachable"),
        ("fd77:0:0:1::77", "fd77::fe", 1, 3, "address unreachable"),
    ] {
        IcmpError {
            from,
            kind,
            code,
            name,
        }
        .answers(&net, target, "80");
    }
}
