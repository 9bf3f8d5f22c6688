//! Absent hosts: address resolution (ARP, IPv6 neighbour discovery) gets no answer.

use std::time::Duration;

use crate::namespaces::Net;
use crate::verdict::{IcmpError, Verdict};

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
    let verdict = Verdict::of(
        ran,
        4,
        "unreachable",
        &["host unreachable (ICMP type 3 code 1 from 10.77.0.1, "],
    )
    .times(&["total"]);
    verdict
        .icmp(3, 1, "10.77.0.1")
        .within(Duration::from_secs(2), Duration::from_millis(4500));
}

#[test]
fn an_absent_host_is_a_timeout_before_address_resolution_fails() {
    let Some(net) = Net::direct() else { return };
    for target in ["10.77.0.77", "fd77::77"] {
        let ran = net.check(&[target, "80", "-o", "json", "-t", "500ms"]);
        let verdict =
            Verdict::of(ran, 5, "connect_timeout", &["no answer to the SYN ("]).times(&["total"]);
        verdict
            .no_icmp()
            .within(Duration::from_millis(500), Duration::from_millis(900));
    }
}

#[test]
fn an_absent_host_is_unreachable() {
    let Some(net) = Net::direct() else { return };
    shorten_address_resolution(&net, "probe", "wire0");
    for (target, from, kind, code, name) in [
        ("10.77.0.77", "10.77.0.1", 3, 1, "host unreachable"),
        ("fd77::77", "fd77::1", 1, 3, "address unreachable"),
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
