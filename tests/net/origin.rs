//! The local end of a probe: `--source`, `--interface`, zones of link-local addresses.

use crate::namespaces::Net;
use crate::verdict::Verdict;

#[test]
fn the_source_is_what_the_target_sees() {
    let Some(net) = Net::direct() else { return };
    net.ip(
        "probe",
        &[
            "addr add 10.77.0.11/24 dev wire0",
            "addr add fd77::11/64 dev wire0 nodad preferred_lft 0",
        ],
    );
    let v4 = net.listen("target", "10.77.0.2", 80, "hold");
    let v6 = net.listen("target", "fd77::2", 80, "hold");
    for (listener, target, source) in [
        (&v4, "10.77.0.2", "10.77.0.1"),
        (&v4, "10.77.0.2", "10.77.0.11"),
        (&v6, "fd77::2", "fd77::1"),
        (&v6, "fd77::2", "fd77::11"),
    ] {
        let verdict = Verdict::of(
            net.check(&[target, "80", "-o", "json", "--source", source]),
            0,
            "ok",
            &[],
        );
        assert_eq!(verdict.document()["source"], source);
        assert_eq!(listener.line(), format!("peer {source}"));
    }
    // Without the option the kernel chooses.
    for (listener, target, source) in [(&v4, "10.77.0.2", "10.77.0.1"), (&v6, "fd77::2", "fd77::1")]
    {
        let verdict = Verdict::of(net.check(&[target, "80", "-o", "json"]), 0, "ok", &[]);
        assert_eq!(verdict.document()["source"], source);
        assert_eq!(listener.line(), format!("peer {source}"));
    }
    net.check(&["10.77.0.2", "80", "--source", "10.77.0.12"])
        .refuses("`10.77.0.12` is not an address of this host");
}

#[test]
fn the_source_is_used_when_the_path_fails() {
    let Some(net) = Net::direct() else { return };
    net.ip("probe", &["addr add 10.77.0.11/24 dev wire0"]);
    net.nft(
        "target",
        "input",
        &["ip saddr 10.77.0.11 reject with icmp type host-prohibited"],
    );
    let ran = net.check(&["10.77.0.2", "80", "-o", "json", "--source", "10.77.0.11"]);
    Verdict::of(
        ran,
        4,
        "unreachable",
        &["host administratively prohibited (ICMP type 3 code 10 from 10.77.0.2)"],
    )
    .icmp(3, 10, "10.77.0.2");
    let ran = net.check(&["10.77.0.2", "80", "-o", "json", "--source", "10.77.0.1"]);
    Verdict::of(ran, 3, "refused", &["RST"]).no_icmp();
}

/// Two machines have the same address, each behind another interface.
#[test]
fn the_interface_selects_the_route() {
    let Some(net) = Net::fork() else { return };
    for (role, wire) in [("target", 0), ("other", 1)] {
        net.ip(
            role,
            &[
                "addr add 10.99.0.1/32 dev lo",
                "addr add fd99::1/128 dev lo nodad",
            ],
        );
        net.ip(
            "probe",
            &[
                &format!(
                    "route add 10.99.0.1 via 10.77.{wire}.2 dev wire{wire} metric {}",
                    wire + 1
                ),
                &format!(
                    "route add fd99::1 via fd77:0:0:{wire}::2 dev wire{wire} metric {}",
                    wire + 1
                ),
            ],
        );
    }
    for (target, sources) in [
        ("10.99.0.1", ["10.77.0.1", "10.77.1.1"]),
        ("fd99::1", ["fd77::1", "fd77:0:0:1::1"]),
    ] {
        let listeners = ["target", "other"].map(|role| net.listen(role, target, 80, "hold"));
        for (wire, listener) in listeners.iter().enumerate() {
            let interface = format!("wire{wire}");
            let ran = net.check(&[target, "80", "-o", "json", "--interface", &interface]);
            let verdict = Verdict::of(ran, 0, "ok", &[]);
            assert_eq!(verdict.document()["source"], sources[wire]);
            assert_eq!(listener.line(), format!("peer {}", sources[wire]));
        }
    }
    net.check(&["10.99.0.1", "80", "--interface", "wire7"])
        .refuses("no interface `wire7` on this host");
}

/// There is a route, but not through this interface.
#[test]
fn an_interface_without_a_route_is_unreachable() {
    let Some(net) = Net::fork() else { return };
    let ran = net.check(&["fd77::2", "80", "-o", "json", "--interface", "wire1"]);
    // A global address is shown without a zone.
    let parts = ["connect to [fd77::2]:80: ", "(ENETUNREACH)"];
    Verdict::of(ran, 4, "unreachable", &parts)
        .no_icmp()
        .at_once();
}

/// A host keeps its IPv4 address while the interface is down, but not its IPv6 address.
#[test]
fn sources_and_interfaces_that_are_down() {
    let Some(net) = Net::fork() else { return };
    let listener = net.listen("target", "10.77.0.2", 80, "hold");
    net.ip("probe", &["link set wire1 down"]);
    let ran = net.check(&[
        "10.77.0.2",
        "80",
        "-o",
        "json",
        "--source",
        "10.77.1.1",
        "-t",
        "400ms",
    ]);
    // The target's answer takes another route than the interface that is down.
    let verdict = Verdict::of(ran, 0, "ok", &[]);
    assert_eq!(verdict.document()["source"], "10.77.1.1");
    assert_eq!(listener.line(), "peer 10.77.1.1");
    net.check(&["fd77::2", "80", "--source", "fd77:0:0:1::1"])
        .refuses("`fd77:0:0:1::1` is not an address of this host");
    for target in ["10.77.0.2", "fd77::2"] {
        let ran = net.check(&[target, "80", "-o", "json", "--interface", "wire1"]);
        Verdict::of(ran, 4, "unreachable", &["(ENETUNREACH)"])
            .no_icmp()
            .at_once();
    }
}

/// Of a name with addresses in both families only the IPv4 one has a route through this interface.
#[test]
fn the_family_is_that_of_a_route_through_the_interface() {
    let Some(net) = Net::fork() else { return };
    net.etc("hosts", "fd77::2 dual\n10.99.0.1 dual\n");
    net.ip("other", &["addr add 10.99.0.1/32 dev lo"]);
    net.ip("probe", &["route add 10.99.0.1 via 10.77.1.2"]);
    let _target = net.listen("target", "fd77::2", 80, "hold");
    let _other = net.listen("other", "10.99.0.1", 80, "hold");
    for (words, address) in [
        (&["--interface", "wire1"][..], "10.99.0.1"),
        (&["--interface", "wire0"], "fd77::2"),
        (&[], "fd77::2"),
        (&["--interface", "wire1", "-4"], "10.99.0.1"),
    ] {
        let verdict = Verdict::of(
            net.check(&[&["dual", "80", "-o", "json"], words].concat()),
            0,
            "ok",
            &[],
        );
        assert_eq!(verdict.document()["address"], address, "{words:?}");
    }
}

#[test]
fn a_link_local_address_needs_its_zone() {
    let Some(net) = Net::direct() else { return };
    let listener = net.listen("target", "::", 80, "hold");
    for words in [
        &["fe80::2%wire0", "80"][..],
        &["[fe80::2%wire0]:80"],
        &["fe80::2", "80", "--interface", "wire0"],
        &["fe80::2%wire0", "80", "--source", "fe80::1"],
        &[
            "fe80::2",
            "80",
            "--interface",
            "wire0",
            "--source",
            "fe80::1",
        ],
    ] {
        let verdict = Verdict::of(net.check(&[words, &["-o", "json"]].concat()), 0, "ok", &[]);
        assert_eq!(
            (&verdict.document()["source"], &verdict.document()["family"]),
            (&"fe80::1".into(), &6.into())
        );
        assert_eq!(listener.line(), "peer fe80::1");
    }
    Verdict::of(
        net.check(&["fe80::2%wire0", "81", "-o", "json"]),
        3,
        "refused",
        &["RST"],
    )
    .no_icmp();
    net.check(&["fe80::2", "80"])
        .refuses("`fe80::2` is link-local: write `fe80::2%eth0`");
    net.check(&["fe80::2%wire7", "80"])
        .refuses("zone `wire7`: this host has no such interface");
}
