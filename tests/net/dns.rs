//! Name resolution: the result of `check` if the name server is unreachable, silent, slow or returns
//! an error, and which address is chosen.
//!
//! `ip netns exec` mounts the files in /etc/netns/NAME over those in /etc.

use std::time::Duration;

use serde_json::{Value, json};

use crate::background::Background;
use crate::namespaces::Net;
use crate::program::Ran;
use crate::verdict::Verdict;

/// The address of the target and of the name server.
const TARGET: &str = "10.77.0.2";
const SERVER: &str = "nameserver 10.77.0.2\n";

/// A network with this resolv.conf, and `dns_server.py` on the target.
fn served(resolv_conf: &str) -> Option<(Net, Background)> {
    let net = Net::direct()?;
    net.etc("resolv.conf", resolv_conf);
    net.etc("hosts", "");
    let server = net.python("target", "dns_server.py", &[TARGET]);
    Some((net, server))
}

fn json(net: &Net, name: &str, args: &[&str]) -> Ran {
    net.check(&[&[name, "80", "-o", "json"], args].concat())
}

#[track_caller]
fn seconds(value: &Value, least: f64, most: f64) {
    let seconds = value.as_f64().unwrap();
    assert!(
        seconds >= least && seconds < most,
        "{seconds} is not in {least}..{most}"
    );
}

/// Asserts that the lookup failed before the deadline with these parts in its error.
#[track_caller]
fn fails_at_once(net: &Net, name: &str, args: &[&str], parts: &[&str]) {
    let lead = format!("resolve {name}: ");
    let verdict = Verdict::of(
        json(net, name, args),
        1,
        "resolve_failed",
        &[&[lead.as_str()], parts].concat(),
    );
    assert_eq!(verdict.document().get("address"), None);
    verdict.times(&["total"]).no_icmp().at_once();
}

/// Asserts that the lookup ended at the deadline of 700 ms without an answer.
#[track_caller]
fn times_out(net: &Net, name: &str, from: &str) {
    let ran = json(net, name, &["-t", "700ms"]);
    let text = format!("resolve {name}: no answer from {from}");
    let verdict = Verdict::of(ran, 2, "resolve_timeout", &[&text])
        .times(&["total"])
        .no_icmp();
    seconds(&verdict.document()["time"]["total"], 0.7, 0.75);
    verdict.within(Duration::from_millis(700), Duration::from_millis(1100));
}

/// Asserts that the check succeeds with this address.
#[track_caller]
fn is_up_at(net: &Net, name: &str, args: &[&str], address: &str) -> Verdict {
    let verdict =
        Verdict::of(json(net, name, args), 0, "ok", &[]).times(&["total", "resolve", "connect"]);
    let family = if address.contains(':') { 6 } else { 4 };
    assert_eq!(verdict.document()["address"], address);
    assert_eq!(
        (&verdict.document()["host"], &verdict.document()["family"]),
        (&name.into(), &family.into())
    );
    verdict
}

#[test]
fn dropped_queries_time_out_at_the_deadline() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    net.nft("target", "input", &["udp dport 53 drop"]);
    times_out(&net, "v4.example", TARGET);
    net.etc("resolv.conf", "nameserver 10.77.0.2\nnameserver fd77::2\n");
    times_out(&net, "v4.example", "10.77.0.2, fd77::2");
    net.check(&["v4.example", "80", "-t", "300ms"])
        .prints("0", 1);
    net.check(&["v4.example", "80", "-t", "300ms", "-o", "status"])
        .prints("2", 1);
}

#[test]
fn a_silent_name_server_times_out_at_the_deadline() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    times_out(&net, "silent.example", TARGET);
    // An answer after the deadline.
    times_out(&net, "slow-900.v4.example", TARGET);
}

#[test]
fn a_closed_name_server_port_fails_at_once() {
    let Some(net) = Net::direct() else { return };
    net.etc("resolv.conf", "nameserver 10.77.0.2\nnameserver fd77::2\n");
    let both = "connection refused at 10.77.0.2, fd77::2";
    fails_at_once(&net, "v4.example", &[], &["no name server reachable", both]);
}

#[test]
fn an_unreachable_name_server_fails_at_once() {
    let Some((net, _server)) = served("nameserver 10.99.0.1\n") else {
        return;
    };
    fails_at_once(
        &net,
        "v4.example",
        &[],
        &["no name server reachable: network unreachable at 10.99.0.1"],
    );
    net.ip("probe", &["route add unreachable 10.99.0.0/24"]);
    fails_at_once(
        &net,
        "v4.example",
        &[],
        &["no name server reachable: host unreachable at 10.99.0.1"],
    );
    net.etc("resolv.conf", SERVER);
    net.nft(
        "target",
        "input",
        &["udp dport 53 reject with icmp type admin-prohibited"],
    );
    fails_at_once(
        &net,
        "v4.example",
        &[],
        &["no name server reachable: host unreachable at 10.77.0.2"],
    );
}

#[test]
fn an_unreachable_name_server_does_not_prevent_the_next() {
    let Some((net, _server)) = served("nameserver 10.77.0.77\nnameserver 10.77.0.2\n") else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let verdict = is_up_at(&net, "v4.example", &[], TARGET);
    // The wait for the first server depends on the deadline.
    seconds(&verdict.document()["time"]["resolve"], 0.1, 2.4);
    net.etc(
        "resolv.conf",
        "nameserver 10.99.0.1\nnameserver 10.77.0.2\n",
    );
    is_up_at(&net, "v4.example", &[], TARGET).at_once();
}

#[test]
fn the_answer_of_the_name_server_is_the_cause() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    fails_at_once(&net, "gone.example", &[], &["NXDOMAIN (from 10.77.0.2)"]);
    fails_at_once(
        &net,
        "none.example",
        &[],
        &["has no address (from 10.77.0.2)"],
    );
    fails_at_once(&net, "servfail.example", &[], &["SERVFAIL from 10.77.0.2"]);
    fails_at_once(&net, "refused.example", &[], &["REFUSED from 10.77.0.2"]);
    fails_at_once(
        &net,
        "gone.example",
        &["--expect-closed"],
        &["NXDOMAIN (from 10.77.0.2)"],
    );
}

#[test]
fn a_slow_name_server_affects_only_the_resolve_time() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let verdict = is_up_at(&net, "slow-300.v4.example", &[], TARGET);
    let times = &verdict.document()["time"];
    seconds(&times["resolve"], 0.3, 0.7);
    seconds(&times["connect"], 0.0, 0.25);
    seconds(&times["total"], 0.3, 0.9);
    // The lookup counts against the deadline: 400 ms are left for the service.
    let ran = json(
        &net,
        "slow-300.v4.example",
        &["-t", "700ms", "--expect", "220"],
    );
    let verdict = Verdict::of(ran, 8, "read_timeout", &["before anything was received"]);
    seconds(&verdict.document()["time"]["total"], 0.7, 0.75);
    verdict.times(&["total", "resolve", "connect"]);
}

#[test]
fn the_family_with_a_route_is_chosen() {
    let Some((net, server)) = served(SERVER) else {
        return;
    };
    let _listener = net.listen("target", "::", 80, "hold");
    is_up_at(&net, "both.example", &[], "fd77::2");
    let mut queries = [server.line(), server.line()];
    queries.sort();
    assert_eq!(queries, ["query both.example A", "query both.example AAAA"]);
    is_up_at(&net, "both.example", &["-4"], TARGET);
    assert_eq!(server.line(), "query both.example A");
    is_up_at(&net, "both.example", &["-6"], "fd77::2");
    assert_eq!(server.line(), "query both.example AAAA");
    is_up_at(&net, "v4.example", &[], TARGET);
    is_up_at(&net, "v6.example", &[], "fd77::2");
    // There is no route to the IPv6 address of this name.
    is_up_at(&net, "roaming.example", &[], TARGET);
    is_up_at(&net, "both.example", &["--source", "10.77.0.1"], TARGET);
    is_up_at(&net, "both.example", &["--source", "fd77::1"], "fd77::2");
}

#[test]
fn a_requested_family_is_not_replaced_by_the_other() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _listener = net.listen("target", "::", 80, "hold");
    fails_at_once(
        &net,
        "v4.example",
        &["-6"],
        &["has no IPv6 address (from 10.77.0.2)"],
    );
    fails_at_once(
        &net,
        "v6.example",
        &["-4"],
        &["has no IPv4 address (from 10.77.0.2)"],
    );
    let ran = json(&net, "roaming.example", &["-6"]);
    let verdict = Verdict::of(
        ran,
        4,
        "unreachable",
        &["connect to [2001:db8::2]:80: ", "(ENETUNREACH)"],
    );
    assert_eq!(verdict.document()["address"], "2001:db8::2");
    verdict.times(&["total", "resolve"]).no_icmp().at_once();
}

#[test]
fn without_an_ipv6_route_the_ipv4_address_is_chosen() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    net.sh("probe", "ip -6 addr flush dev wire0");
    let _listener = net.listen("target", TARGET, 80, "hold");
    is_up_at(&net, "both.example", &[], TARGET);
    let ran = json(&net, "v6.example", &[]);
    Verdict::of(
        ran,
        4,
        "unreachable",
        &["connect to [fd77::2]:80: ", "ENETUNREACH"],
    )
    .times(&["total", "resolve"]);
}

/// With IPv6 disabled, a connect fails for lack of a local address, which says nothing about the
/// target.
#[test]
fn with_ipv6_disabled_the_ipv4_address_is_chosen() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    net.sh("probe", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
    let _listener = net.listen("target", TARGET, 80, "hold");
    is_up_at(&net, "both.example", &[], TARGET);
    let ran = json(&net, "v6.example", &["-t", "500ms"]);
    let verdict = Verdict::of(
        ran,
        15,
        "local_error",
        &["connect to [fd77::2]:80: this machine", "(EADDRNOTAVAIL)"],
    );
    verdict
        .times(&["total", "resolve"])
        .no_icmp()
        .within(Duration::ZERO, Duration::from_millis(900));
}

/// Some name servers drop AAAA queries.
#[test]
fn the_addresses_of_one_family_are_used_while_there_is_time() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let verdict = is_up_at(&net, "half.example", &[], TARGET);
    seconds(&verdict.document()["time"]["total"], 0.0, 2.0);
}

#[test]
fn with_all_addresses_a_closed_one_fails_the_check() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    net.ip(
        "target",
        &[
            "addr add 10.77.0.3/24 dev wire0",
            "addr add fd77::3/64 dev wire0 nodad",
        ],
    );
    let _v4 = net.listen("target", TARGET, 80, "hold");
    let _v6 = net.listen("target", "fd77::2", 80, "hold");
    let ran = json(&net, "four.example", &["--addresses", "all"]);
    let verdict = Verdict::of(ran, 3, "refused", &["fd77::3", "RST"]).at_once();
    let document = verdict.document();
    assert_eq!(document["address"], "fd77::3");
    let each: Vec<_> = document["addresses"].as_array().unwrap().iter().collect();
    let actual: Vec<_> = each
        .iter()
        .map(|one| json!([one["address"], one["up"], one["status"]]))
        .collect();
    let expected = [
        json!(["fd77::2", 1, 0]),
        json!(["fd77::3", 0, 3]),
        json!(["10.77.0.2", 1, 0]),
        json!(["10.77.0.3", 0, 3]),
    ];
    assert_eq!(actual, expected);
    for one in each {
        assert_eq!(
            one["time"].get("connect").is_some(),
            one["up"] == 1,
            "{one}"
        );
        assert_eq!(one["error"] == "", one["up"] == 1, "{one}");
    }
    let first = is_up_at(&net, "four.example", &["-4"], TARGET);
    assert_eq!(first.document().get("addresses"), None);
    let _third = net.listen("target", "10.77.0.3", 80, "hold");
    let verdict = is_up_at(&net, "two.example", &["--addresses", "all"], TARGET);
    assert_eq!(verdict.document()["addresses"].as_array().unwrap().len(), 2);
}

/// As with glibc (resolv.conf(5)).
#[test]
fn without_a_valid_line_in_resolv_conf_the_server_is_this_machine() {
    let Some((net, _server)) = served("") else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let garbage =
        "garbage \0 \u{ff}\nnameserver\nnameserver bogus\noptions ndots:x timeout:\nsearch\n";
    for text in ["", garbage] {
        net.etc("resolv.conf", text);
        fails_at_once(
            &net,
            "v4.example",
            &[],
            &["no name server reachable: connection refused at 127.0.0.1"],
        );
    }
    let _local = net.python("probe", "dns_server.py", &["127.0.0.1"]);
    for text in ["", garbage] {
        net.etc("resolv.conf", text);
        is_up_at(&net, "v4.example", &[], TARGET);
    }
}

#[test]
fn without_files_the_server_is_this_machine() {
    let Some(net) = Net::direct() else { return };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let args = ["v4.example", "80", "-o", "json"];
    let parts = ["resolve v4.example: no name server reachable: connection refused at 127.0.0.1"];
    Verdict::of(
        net.check_without("/etc", &args),
        1,
        "resolve_failed",
        &parts,
    )
    .times(&["total"])
    .at_once();
    let _local = net.python("probe", "dns_server.py", &["127.0.0.1"]);
    let verdict = Verdict::of(net.check_without("/etc", &args), 0, "ok", &[]);
    assert_eq!(verdict.document()["address"], TARGET);
}

#[test]
fn the_hosts_file_has_precedence() {
    let Some((net, server)) = served("search example\nnameserver 10.77.0.2\n") else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    net.etc(
        "hosts",
        "10.77.0.2 here there.example # 10.77.0.9 elsewhere\n10.77.0.3 v4.example\n",
    );
    is_up_at(&net, "here", &[], TARGET);
    is_up_at(&net, "there.example", &[], TARGET);
    let ran = json(&net, "v4.example", &["-t", "300ms"]);
    assert_eq!(
        Verdict::of(ran, 5, "connect_timeout", &["10.77.0.3:80"]).document()["address"],
        "10.77.0.3"
    );
    net.etc("hosts", "");
    // The search list completes it to v4.example.
    is_up_at(&net, "v4", &["-4"], TARGET);
    assert_eq!(server.line(), "query v4.example A");
}

#[test]
fn name_servers_may_have_ipv6_addresses() {
    let Some(net) = Net::direct() else { return };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let server = net.python("target", "dns_server.py", &["::"]);
    for address in ["fd77::2", "fe80::2%wire0"] {
        net.etc("resolv.conf", &format!("nameserver {address}\n"));
        is_up_at(&net, "v4.example", &["-4"], TARGET);
        assert_eq!(server.line(), "query v4.example A");
        fails_at_once(
            &net,
            "gone.example",
            &["-4"],
            &[&format!("NXDOMAIN (from {address})")],
        );
        assert_eq!(server.line(), "query gone.example A");
    }
}

/// Nothing may be up or down because a name was sent to this machine: the listener here must not be
/// reached.
#[test]
fn a_name_that_resolves_to_this_machine_by_a_sinkhole_is_not_probed() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _here = net.listen("probe", "::", 80, "hold");
    let _target = net.listen("target", TARGET, 80, "hold");
    net.etc("hosts", "0.0.0.0 ads.example\n");
    let blocked = "the name is blocked: the answer of";
    for (name, from) in [
        ("blocked.example", TARGET),
        ("ads.example", "the hosts file"),
    ] {
        let parts = [blocked, from, "is 0.0.0.0, and a connect to it"];
        fails_at_once(&net, name, &[], &parts);
        if HAS_SYSTEM_RESOLVER {
            fails_at_once(
                &net,
                name,
                &["--resolver", "system"],
                &[blocked, "the system resolver is", "and a connect to it"],
            );
        }
    }
    is_up_at(&net, "partly.example", &[], TARGET);
    if HAS_SYSTEM_RESOLVER {
        is_up_at(&net, "partly.example", &["--resolver", "system"], TARGET);
    }
    // An address that the user wrote is probed.
    net.check(&["0.0.0.0", "80"]).prints("1", 0);
}

const HAS_SYSTEM_RESOLVER: bool = cfg!(not(target_feature = "crt-static"));

#[test]
fn gai_conf_prefers_a_family_with_a_route() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _v4 = net.listen("target", TARGET, 80, "hold");
    let _v6 = net.listen("target", "fd77::2", 80, "hold");
    is_up_at(&net, "both.example", &[], "fd77::2");
    net.etc("gai.conf", "precedence ::ffff:0:0/96  100\n");
    is_up_at(&net, "both.example", &[], TARGET);
    is_up_at(&net, "v6.example", &[], "fd77::2");
    if HAS_SYSTEM_RESOLVER {
        is_up_at(&net, "both.example", &["--resolver", "system"], TARGET);
        net.etc("gai.conf", "");
        is_up_at(&net, "both.example", &["--resolver", "system"], "fd77::2");
    }
    net.etc("gai.conf", "precedence ::ffff:0:0/96  100\n");
    net.sh("probe", "ip -4 addr flush dev wire0");
    let _local = net.python("probe", "dns_server.py", &["::1"]);
    net.etc("resolv.conf", "nameserver ::1\n");
    is_up_at(&net, "both.example", &[], "fd77::2");
}

/// A static program read /dev/urandom, which a chroot may lack, although the kernel has getrandom(2).
#[test]
fn a_lookup_needs_no_device_file() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let ran = net.check_without("/dev", &["v4.example", "80", "-o", "json"]);
    let verdict = Verdict::of(ran, 0, "ok", &[]);
    assert_eq!(verdict.document()["address"], TARGET);
}

/// The answer of getaddrinfo has all families, in its own order, and whatever the C library took for an
/// answer.
#[test]
fn the_addresses_of_the_system_resolver_are_filtered() {
    if !HAS_SYSTEM_RESOLVER {
        return;
    }
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _v4 = net.listen("target", TARGET, 80, "hold");
    let _v6 = net.listen("target", "fd77::2", 80, "hold");
    let system = |more: &'static str| ["--resolver", "system", more];
    is_up_at(&net, "both.example", &system("-4"), TARGET);
    is_up_at(&net, "both.example", &system("-6"), "fd77::2");
    is_up_at(&net, "v4.example", &system("-4"), TARGET);
    for (name, family, text) in [
        ("v4.example", "-6", "has no IPv6 address (system resolver)"),
        ("v6.example", "-4", "has no IPv4 address (system resolver)"),
    ] {
        fails_at_once(&net, name, &system(family), &[text]);
    }
    // A name of both families, of which one is blocked, is not probed at this machine.
    net.etc(
        "hosts",
        "0.0.0.0 half.blocked\nfd77::2 half.blocked\n::1 home\n",
    );
    let _here = net.listen("probe", "::", 80, "hold");
    is_up_at(&net, "half.blocked", &["--resolver", "system"], "fd77::2");
    fails_at_once(
        &net,
        "half.blocked",
        &system("-4"),
        &["the name is blocked"],
    );
    // As many as the socket of the C library has room for.
    is_up_at(&net, "forged-100.v4.example", &system("-4"), TARGET);
}

/// getaddrinfo cannot be cancelled, and a silent server holds its threads for many seconds.
#[test]
fn silent_names_do_not_starve_healthy_ones_of_the_system_resolver() {
    if !HAS_SYSTEM_RESOLVER {
        return;
    }
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let silent = (0..150).map(|number| format!("silent-{number}.example:80"));
    let healthy = (0..20).map(|number| format!("slow-{number}.v4.example:80"));
    let targets: Vec<String> = silent.chain(healthy).collect();
    let mut words = vec!["-4", "--resolver", "system"];
    words.extend(targets.iter().map(String::as_str));
    let document: Value = serde_json::from_str(&net.batch(&words).out).unwrap();
    assert_eq!(document["summary"]["up"], 20, "{}", document["summary"]);
}

/// A silent lookup that kept its sockets until its deadline left none for other names.
#[test]
fn silent_names_do_not_keep_the_descriptors_from_healthy_ones() {
    let Some((net, _server)) = served(SERVER) else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "hold");
    let silent = (0..600).map(|number| format!("silent-{number}.example:80"));
    let healthy = (0..20).map(|number| format!("slow-{number}.v4.example:80"));
    let targets: Vec<String> = silent.chain(healthy).collect();
    let mut words = vec!["-t", "6", "--deadline", "8"];
    words.extend(targets.iter().map(String::as_str));
    let document: Value = serde_json::from_str(&net.batch_of(100, &words).out).unwrap();
    let summary = &document["summary"];
    assert_eq!(
        (&summary["up"], &summary["targets"]),
        (&json!(20), &json!(620)),
        "{summary}"
    );
    // They were queried for a small part of their time.
    assert_eq!(summary["down"], 0, "{summary}");
}
