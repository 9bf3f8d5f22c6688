//! ICMP errors that no firewall rule makes, from `tun_responder.py`.

use crate::delay::{FAR, far};
use crate::verdict::Verdict;

/// Codes that no nftables rule makes (RFC 792, RFC 1122, RFC 1812): each is `unreachable` with its own words.
#[test]
fn every_icmp_error_is_named() {
    let Some((net, _far)) = far() else { return };
    for (port, kind, code, words) in [
        ("3005", 3, 5, "source route failed"),
        ("3006", 3, 6, "destination network unknown"),
        ("3007", 3, 7, "destination host unknown"),
        ("3008", 3, 8, "source host isolated"),
        (
            "3011",
            3,
            11,
            "network unreachable for this type of service",
        ),
        ("3012", 3, 12, "host unreachable for this type of service"),
        ("3014", 3, 14, "host precedence violation"),
        ("3015", 3, 15, "precedence cutoff in effect"),
        ("3100", 11, 0, "time to live exceeded"),
        ("3200", 12, 0, "parameter problem"),
    ] {
        let sentence = format!("10.77.9.254 says {words} (ICMP type {kind} code {code}, ");
        let verdict = Verdict::of(
            net.check(&[FAR, port, "-o", "json"]),
            4,
            "unreachable",
            &[&sentence],
        );
        verdict
            .icmp(kind, code, "10.77.9.254")
            .times(&["total"])
            .at_once();
    }
    let ran = net.check(&[FAR, "3003", "-o", "json"]);
    Verdict::of(ran, 3, "refused", &["10.77.9.254 says port unreachable"])
        .icmp(3, 3, "10.77.9.254")
        .at_once();
}

/// A router that only wants smaller packets (RFC 1191) does not refuse anything.
#[test]
fn a_fragmentation_needed_message_is_not_an_error() {
    let Some((net, _far)) = far() else { return };
    let ran = net.check(&[FAR, "3004", "-o", "json", "-t", "400ms"]);
    Verdict::of(ran, 5, "connect_timeout", &["no answer"])
        .no_icmp()
        .times(&["total"]);
}
