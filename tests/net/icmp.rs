//! ICMP errors that nftables cannot send, from `tun_responder.py`.

use crate::delay::{FAR, far};
use crate::verdict::{IcmpError, Verdict};

/// RFC 792, RFC 1122 and RFC 1812: each is `unreachable` with its name, but an unreachable port is `refused`.
#[test]
fn every_icmp_error_is_named() {
    let Some((net, _far)) = far() else { return };
    for (port, kind, code, name) in [
        ("3003", 3, 3, "port unreachable"),
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
        IcmpError {
            from: "10.77.9.254",
            kind,
            code,
            name,
        }
        .answers(&net, FAR, port);
    }
}

/// A router that only asks for smaller packets (RFC 1191) refuses nothing.
#[test]
fn a_fragmentation_needed_message_is_not_an_error() {
    let Some((net, _far)) = far() else { return };
    let ran = net.check(&[FAR, "3004", "-o", "json", "-t", "400ms"]);
    Verdict::of(ran, 5, "connect_timeout", &["no answer"])
        .no_icmp()
        .times(&["total"]);
}
