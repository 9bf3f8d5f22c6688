//! Routes that cannot be used: of this machine, and of a router.

use std::time::Duration;

use crate::namespaces::Net;
use crate::program::Ran;
use crate::verdict::{IcmpError, Verdict};

fn json(net: &Net, target: &str) -> Ran {
    net.check(&[target, "80", "-o", "json"])
}

/// The route types for unusable destinations (ip-route(8)), and no route at all.
#[test]
fn unusable_local_routes_are_unreachable() {
    let Some(net) = Net::direct() else { return };
    net.ip(
        "probe",
        &[
            "route add unreachable 10.99.1.0/24",
            "route add blackhole 10.99.2.0/24",
            "route add unreachable fd99:0:0:1::/64",
            "route add blackhole fd99:0:0:2::/64",
        ],
    );
    for (target, errno) in [
        ("10.99.1.1", "EHOSTUNREACH"),
        ("10.99.2.1", "EINVAL"),
        ("10.99.3.1", "ENETUNREACH"),
        ("fd99:0:0:1::1", "EHOSTUNREACH"),
        ("fd99:0:0:2::1", "EINVAL"),
        ("fd99:0:0:3::1", "ENETUNREACH"),
    ] {
        let verdict = Verdict::of(
            json(&net, target),
            4,
            "unreachable",
            &["connect to ", &format!("({errno})")],
        );
        verdict.no_icmp().times(&["total"]).at_once();
    }
}

/// EACCES without an ICMP message is a refusal by this machine, like that of a security module: nothing
/// is known about the target.
#[test]
fn a_local_prohibit_route_is_a_local_error() {
    let Some(net) = Net::direct() else { return };
    net.ip(
        "probe",
        &[
            "route add prohibit 10.99.1.0/24",
            "route add prohibit fd99:0:0:1::/64",
        ],
    );
    for target in ["10.99.1.1", "fd99:0:0:1::1"] {
        let verdict = Verdict::of(
            json(&net, target),
            15,
            "local_error",
            &["permission denied (EACCES)"],
        );
        verdict.no_icmp().times(&["total"]).at_once();
    }
}

#[test]
fn unusable_routes_of_a_router_are_named() {
    let Some(net) = Net::routed() else { return };
    net.ip(
        "router",
        &[
            "route add unreachable 10.99.1.0/24",
            "route add prohibit 10.99.2.0/24",
            "route add unreachable fd99:0:0:1::/64",
            "route add prohibit fd99:0:0:2::/64",
        ],
    );
    for (target, from, kind, code, name) in [
        ("10.99.1.1", "10.77.0.254", 3, 1, "host unreachable"),
        (
            "10.99.2.1",
            "10.77.0.254",
            3,
            13,
            "administratively prohibited",
        ),
        ("10.99.3.1", "10.77.0.254", 3, 0, "network unreachable"),
        // An IPv6 router does not distinguish an unreachable route from none.
        ("fd99:0:0:1::1", "fd77::fe", 1, 0, "no route to destination"),
        (
            "fd99:0:0:2::1",
            "fd77::fe",
            1,
            1,
            "administratively prohibited",
        ),
        ("fd99:0:0:3::1", "fd77::fe", 1, 0, "no route to destination"),
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
fn a_blackhole_route_of_a_router_is_a_timeout() {
    let Some(net) = Net::routed() else { return };
    net.ip(
        "router",
        &[
            "route add blackhole 10.99.1.0/24",
            "route add blackhole fd99:0:0:1::/64",
        ],
    );
    for target in ["10.99.1.1", "fd99:0:0:1::1"] {
        let ran = net.check(&[target, "80", "-o", "json", "-t", "400ms"]);
        let verdict = Verdict::of(ran, 5, "connect_timeout", &["no answer to the SYN"])
            .no_icmp()
            .times(&["total"]);
        verdict.within(Duration::from_millis(400), Duration::from_millis(800));
    }
}

/// Router and target forward the packet to each other until its time to live is over.
#[test]
fn a_routing_loop_is_named() {
    let Some(net) = Net::routed() else { return };
    net.ip(
        "router",
        &[
            "route add 10.99.0.0/16 via 10.77.1.2",
            "route add fd99::/32 via fd77:0:0:1::2",
        ],
    );
    net.sh(
        "target",
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    );
    for (target, kind, words) in [
        ("10.99.1.1", 11, "time to live exceeded"),
        ("fd99::1", 3, "hop limit exceeded"),
    ] {
        let sentence = format!(" says {words} (ICMP type {kind} code 0)");
        let verdict = Verdict::of(json(&net, target), 4, "unreachable", &[&sentence])
            .times(&["total"])
            .at_once();
        assert_eq!(verdict.document()["icmp"]["type"], kind);
        // The hop count decides which of the two reports it.
        let from = verdict.document()["icmp"]["from"].as_str().unwrap();
        let of_the_loop = [
            "10.77.0.254",
            "10.77.1.254",
            "10.77.1.2",
            "fd77::fe",
            "fd77:0:0:1::fe",
            "fd77:0:0:1::2",
        ];
        assert!(of_the_loop.contains(&from), "{from}");
    }
}

#[test]
fn an_interface_that_is_down_is_unreachable() {
    let Some(net) = Net::direct() else { return };
    net.ip("probe", &["link set wire0 down"]);
    for target in ["10.77.0.2", "fd77::2"] {
        let verdict = Verdict::of(json(&net, target), 4, "unreachable", &["(ENETUNREACH)"]);
        verdict.no_icmp().times(&["total"]).at_once();
    }
}
