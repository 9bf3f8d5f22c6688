//! Chains of routers: the result of a trace, compared with the path that the test has made.

mod random;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::background::Background;
use crate::namespaces::Net;
use crate::program::{Ran, finish};
use crate::verdict::Verdict;

/// The most SYNs of a trace: one for each hop, and five that may be lost.
const MOST_SYNS: u32 = 35;

/// The address of the n-th node of a chain, counted from the probe: that of its left end.
fn node(number: usize) -> String {
    format!("10.77.{}.2", number - 1)
}

fn node6(number: usize) -> String {
    match number - 1 {
        0 => "fd77::2".to_owned(),
        wire => format!("fd77:0:0:{wire}::2"),
    }
}

/// Traces with the options, as JSON.
fn trace(net: &Net, words: &[&str]) -> Ran {
    net.check(&[words, &["--path", "-o", "json"]].concat())
}

/// The hops of a document, as pairs of number and address.
fn hops(document: &Value) -> Vec<(u64, String)> {
    let hops = document["path"]["hops"].as_array().expect("hops");
    let pair = |hop: &Value| {
        let (number, from) = (hop["hop"].as_u64(), hop["from"].as_str());
        (number.unwrap(), from.unwrap().to_owned())
    };
    hops.iter().map(pair).collect()
}

/// Rules that count the SYNs of traces from `probe` by this port, one for each time to live. The SYN
/// of an attempt has a longer life.
fn count_syns(net: &Net, port: u16) {
    let rule = |hop: u8| {
        let limit = format!("tcp dport {port} tcp flags & (syn | ack) == syn");
        [
            format!("{limit} ip ttl {hop} counter comment \"{hop}\""),
            format!("{limit} ip6 hoplimit {hop} counter comment \"{hop}\""),
        ]
    };
    let rules: Vec<_> = (1..=60).flat_map(rule).collect();
    net.nft(
        "probe",
        "output",
        &rules.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

/// The packets counted by the rules of `probe` at `output`, by their comment.
fn counted(net: &Net) -> BTreeMap<String, u32> {
    let mut list = net.inside("probe", "nft");
    let out = list
        .args(["list", "chain", "inet", "output", "output"])
        .output()
        .unwrap()
        .stdout;
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(out).unwrap().lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let after = |word| {
            words
                .iter()
                .position(|w| *w == word)
                .and_then(|at| words.get(at + 1))
        };
        if let (Some(packets), Some(name)) = (after("packets"), after("comment")) {
            let name = name.trim_matches('"').to_owned();
            *counts.entry(name).or_default() += packets.parse::<u32>().unwrap();
        }
    }
    counts
}

/// Asserts that no hop got more than two SYNs, and all hops together not more than the limit.
#[track_caller]
fn as_many_as_promised(net: &Net) -> u32 {
    let counts = counted(net);
    let syns: u32 = counts.values().sum();
    assert!(syns <= MOST_SYNS, "{counts:?}");
    for (hop, count) in &counts {
        let hop: u8 = hop.parse().unwrap();
        assert!(*count <= if hop <= 30 { 2 } else { 0 }, "{counts:?}");
    }
    syns
}

#[test]
fn the_last_router_before_a_silent_target_is_named() {
    for routers in [1, 4, 11] {
        for v6 in [false, true] {
            let Some(net) = Net::chain(routers) else {
                return;
            };
            net.nft("target", "input", &["tcp dport 25 drop"]);
            count_syns(&net, 25);
            let address = |number| if v6 { node6(number) } else { node(number) };
            let ran = trace(&net, &[&address(routers + 1), "25"]);
            let last = format!(
                "; the last router that answered is hop {routers}, {}",
                address(routers)
            );
            let verdict = Verdict::of(ran, 5, "connect_timeout", &[&last]).no_icmp();
            let verdict = verdict.within(Duration::from_millis(2500), Duration::from_millis(2900));
            let document = verdict.document();
            let all: Vec<_> = (1..=routers)
                .map(|hop| (hop as u64, address(hop)))
                .collect();
            assert_eq!(hops(document), all, "{document}");
            assert_eq!(document["path"]["last_hop"], routers);
            assert_eq!(document["path"]["last"], address(routers));
            assert_eq!(document["path"]["reached"], 0);
            for hop in document["path"]["hops"].as_array().unwrap() {
                let time = hop["time"].as_f64().unwrap();
                assert!(time > 0.0 && time < 0.5, "{document}");
            }
            // 30 hops, and the three behind the last router again.
            assert_eq!(as_many_as_promised(&net), 33);
        }
    }
}

#[test]
fn a_router_that_drops_is_the_last_that_answers() {
    let Some(net) = Net::chain(4) else { return };
    net.nft("hop2", "forward", &["tcp dport 25 drop"]);
    let ran = trace(&net, &[&node(5), "25"]);
    let text = "no answer to 3 SYNs; the last router that answered is hop 2, 10.77.1.2";
    Verdict::of(ran, 5, "connect_timeout", &[text]);
    // The other port is open for the same packets.
    let listener = net.listen("target", &node(5), 443, "greet");
    let ran = trace(&net, &[&node(5), "443"]);
    let verdict = Verdict::of(ran, 0, "ok", &[]);
    assert_eq!(verdict.document().get("path"), None, "nothing was silent");
    drop(listener);
}

/// nftables' name, and what it sends to IPv4.
const REJECTS: [(&str, u8, &str); 7] = [
    ("net-unreachable", 0, "network unreachable"),
    ("host-unreachable", 1, "host unreachable"),
    ("prot-unreachable", 2, "protocol unreachable"),
    ("port-unreachable", 3, "port unreachable"),
    ("net-prohibited", 9, "network administratively prohibited"),
    ("host-prohibited", 10, "host administratively prohibited"),
    ("admin-prohibited", 13, "administratively prohibited"),
];

/// The same for IPv6.
const REJECTS6: [(&str, u8, &str); 6] = [
    ("no-route", 0, "no route to destination"),
    ("admin-prohibited", 1, "administratively prohibited"),
    ("addr-unreachable", 3, "address unreachable"),
    ("port-unreachable", 4, "port unreachable"),
    (
        "policy-fail",
        5,
        "source address failed ingress/egress policy",
    ),
    ("reject-route", 6, "reject route to destination"),
];

/// The SYN of the attempt is dropped, and those of the trace are rejected: as with a router that
/// limits its ICMP errors.
#[test]
fn a_router_that_rejects_is_named_with_its_reason() {
    let Some(net) = Net::chain(3) else { return };
    let mut rules = vec!["ip ttl > 40 tcp dport 1000-2000 drop".to_owned()];
    rules.push("ip6 hoplimit > 40 tcp dport 1000-2000 drop".to_owned());
    for (name, code, _) in REJECTS {
        let port = 1000 + u16::from(code);
        rules.push(format!("tcp dport {port} reject with icmp type {name}"));
    }
    for (name, code, _) in REJECTS6 {
        let port = 1100 + u16::from(code);
        rules.push(format!("tcp dport {port} reject with icmpv6 type {name}"));
    }
    net.nft(
        "hop2",
        "forward",
        &rules.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let each = |v6: bool, code: u8, kind: u8, meaning: &str| {
        let (base, target, router) = if v6 {
            (1100, node6(4), node6(2))
        } else {
            (1000, node(4), node(2))
        };
        let port = (base + u16::from(code)).to_string();
        let ran = trace(&net, &[&target, &port, "-t", "1s"]);
        let text = format!("; hop 2, {router}, says {meaning} (ICMP type {kind} code {code})");
        let verdict = Verdict::of(ran, 5, "connect_timeout", &[&text]);
        let path = &verdict.document()["path"];
        assert_eq!(
            (&path["last_hop"], &path["reached"]),
            (&json!(2), &json!(0)),
            "{path}"
        );
        let last = path["hops"].as_array().unwrap().last().unwrap();
        let seen = (&last["hop"], &last["from"], &last["type"], &last["code"]);
        assert_eq!(
            seen,
            (&json!(3), &json!(router), &json!(kind), &json!(code)),
            "{path}"
        );
    };
    std::thread::scope(|scope| {
        for (_, code, meaning) in REJECTS {
            scope.spawn(move || each(false, code, 3, meaning));
        }
        for (_, code, meaning) in REJECTS6 {
            scope.spawn(move || each(true, code, 1, meaning));
        }
    });
}

/// The SYN of the attempt is lost, and others arrive.
#[test]
fn a_target_that_answers_other_syns_ends_the_trace() {
    let Some(net) = Net::chain(2) else { return };
    let drop_long = "ip ttl > 40 tcp dport 25-26 tcp flags & (syn | ack) == syn drop";
    net.nft("target", "input", &[drop_long]);
    count_syns(&net, 25);
    let listener = net.listen("target", &node(3), 25, "greet");
    let ran = trace(&net, &[&node(3), "25"]);
    let text = "; a SYN from another port was accepted, at hop 3";
    let verdict = Verdict::of(ran, 5, "connect_timeout", &[text]);
    let path = &verdict.document()["path"];
    assert_eq!(path["hops"].as_array().unwrap().len(), 3, "{path}");
    assert_eq!(
        (&path["last_hop"], &path["last"], &path["reached"]),
        (&json!(3), &json!(node(3)), &json!(1))
    );
    assert_eq!(as_many_as_promised(&net), 3);
    // The listener has seen one connection, and its end.
    assert_eq!(listener.line(), "peer 10.77.0.1");
    let ran = trace(&net, &[&node(3), "26"]);
    let text = "; a SYN from another port was refused (RST), at hop 3";
    Verdict::of(ran, 5, "connect_timeout", &[text]);
}

/// A greeting that is not read would make the kernel send an RST, for which some servers block the
/// monitoring host.
#[test]
fn an_accepted_syn_is_closed_without_a_reset() {
    let Some(net) = Net::chain(1) else { return };
    net.nft(
        "target",
        "input",
        &["ip ttl > 40 tcp dport 25 tcp flags & (syn | ack) == syn drop"],
    );
    net.nft(
        "probe",
        "output",
        &[
            "tcp flags & rst == rst counter comment \"rst\"",
            "tcp flags & fin == fin counter comment \"fin\"",
        ],
    );
    let _listener = net.listen("target", &node(2), 25, "greet");
    let text = "; a SYN from another port was accepted, at hop 2";
    Verdict::of(
        trace(&net, &[&node(2), "25"]),
        5,
        "connect_timeout",
        &[text],
    );
    let counts = counted(&net);
    assert_eq!((counts["rst"], counts["fin"]), (0, 1));
}

#[test]
fn a_target_on_the_local_network_has_no_router() {
    let Some(net) = Net::direct() else { return };
    net.nft("target", "input", &["tcp dport 25 drop"]);
    let ran = trace(&net, &["10.77.0.2", "25"]);
    let text = "no answer to 3 SYNs; no router on the way answered";
    let verdict = Verdict::of(ran, 5, "connect_timeout", &[text]);
    assert_eq!(
        verdict.document()["path"],
        json!({"hops": [], "reached": 0})
    );
}

#[test]
fn a_local_firewall_that_drops_icmp_leaves_no_router() {
    let Some(net) = Net::chain(2) else { return };
    net.nft("target", "input", &["tcp dport 25 drop"]);
    net.nft("probe", "input", &["icmp type time-exceeded drop"]);
    count_syns(&net, 25);
    let ran = trace(&net, &[&node(3), "25"]);
    Verdict::of(
        ran,
        5,
        "connect_timeout",
        &["; no router on the way answered"],
    );
    as_many_as_promised(&net);
}

/// The SYN of the attempt would end in the loop, too, and a router would report this.
#[test]
fn a_loop_is_named() {
    let Some(net) = Net::chain(3) else { return };
    // The route to the target leads back from the second router to the first.
    net.ip("hop2", &["route add 10.77.3.0/24 via 10.77.1.1"]);
    net.nft("hop1", "forward", &["tcp dport 25 ip ttl > 40 drop"]);
    count_syns(&net, 25);
    let ran = trace(&net, &[&node(4), "25"]);
    let text = "; the route is a loop from hop 2 on, with 10.77.1.2 and 10.77.0.2";
    let other = "; the route is a loop from hop 1 on, with 10.77.0.2 and 10.77.1.2";
    let verdict = Verdict::of(
        ran,
        5,
        "connect_timeout",
        &["; the route is a loop from hop"],
    );
    let error = verdict.document()["error"].as_str().unwrap();
    assert!(error.ends_with(text) || error.ends_with(other), "{error}");
    assert!(as_many_as_promised(&net) < 12);
}

/// The answers of a router leave through another interface, with another address.
#[test]
fn an_asymmetric_return_shows_the_other_address() {
    let Some(net) = Net::chain(3) else { return };
    net.wire("probe", "hop2", 9, ["1", "2"]);
    net.ip("hop2", &["route replace 10.77.0.0/24 via 10.77.9.1"]);
    for role in ["probe", "hop2"] {
        net.sh(
            role,
            "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done",
        );
    }
    net.nft("hop3", "forward", &["tcp dport 25 drop"]);
    let verdict = Verdict::of(trace(&net, &[&node(4), "25"]), 5, "connect_timeout", &[]);
    let document = verdict.document();
    let all = [(1, node(1)), (2, "10.77.9.2".to_owned()), (3, node(3))];
    assert_eq!(hops(document), all, "{document}");
}

/// Two ways between the first router and the last one. Each SYN has a port of its own, so each may
/// take another way.
#[test]
fn several_paths_are_all_true() {
    let Some(net) = Net::with(&["probe", "hop1", "hop2", "other", "hop3", "target"]) else {
        return;
    };
    for (left, right, number) in [
        ("probe", "hop1", 0),
        ("hop1", "hop2", 1),
        ("hop1", "other", 2),
        ("hop2", "hop3", 3),
        ("other", "hop3", 4),
        ("hop3", "target", 5),
    ] {
        net.wire(left, right, number, ["1", "2"]);
    }
    for role in ["hop1", "hop2", "other", "hop3"] {
        net.sh(role, "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy");
    }
    net.ip("probe", &["route add default via 10.77.0.2"]);
    net.ip(
        "hop1",
        &[
            "nexthop add id 1 via 10.77.1.2 dev wire1",
            "nexthop add id 2 via 10.77.2.2 dev wire2",
            "nexthop add id 10 group 1/2",
            "route add 10.77.5.0/24 nhid 10",
        ],
    );
    net.ip(
        "hop2",
        &[
            "route add default via 10.77.3.2",
            "route add 10.77.0.0/24 via 10.77.1.1",
        ],
    );
    net.ip(
        "other",
        &[
            "route add default via 10.77.4.2",
            "route add 10.77.0.0/24 via 10.77.2.1",
        ],
    );
    net.ip("hop3", &["route add 10.77.0.0/24 via 10.77.3.1"]);
    net.ip("target", &["route add default via 10.77.5.1"]);
    // Only one of the ways is broken.
    net.nft("other", "forward", &["tcp dport 25 drop"]);
    net.nft("target", "input", &["tcp dport 25 drop"]);
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..6 {
        let verdict = Verdict::of(
            trace(&net, &["10.77.5.2", "25", "-t", "1s"]),
            5,
            "connect_timeout",
            &[],
        );
        let document = verdict.document();
        for (hop, from) in hops(document) {
            let routers: &[&str] = match hop {
                1 => &["10.77.0.2"],
                2 => &["10.77.1.2", "10.77.2.2"],
                3 => &["10.77.3.2"],
                _ => panic!("{document}"),
            };
            assert!(routers.contains(&&*from), "{document}");
            *seen.entry(from).or_default() += 1;
        }
        let error = document["error"].as_str().unwrap();
        let (hop, last) = (
            &document["path"]["last_hop"],
            document["path"]["last"].as_str().unwrap(),
        );
        let text = format!("the last router that answered is hop {hop}, {last}");
        assert!(error.contains(&text), "{error}");
        let at_second: Vec<_> = hops(document)
            .into_iter()
            .filter(|(hop, _)| *hop == 2)
            .collect();
        assert_eq!(
            error.ends_with(", of the paths tried"),
            at_second.len() > 1,
            "{document}"
        );
    }
    assert!(seen.len() >= 2, "{seen:?}");
}

/// Routers send few ICMP errors to one host: a hop may be missing, but none is wrong.
#[test]
fn routers_that_limit_icmp_are_silent_or_right() {
    let Some(net) = Net::chain(3) else { return };
    for role in ["hop1", "hop2", "hop3"] {
        net.sh(role, "echo 1000 > /proc/sys/net/ipv4/icmp_ratelimit");
    }
    net.nft("target", "input", &["tcp dport 25 drop"]);
    let target = node(4);
    let one = || trace(&net, &[&target, "25", "-t", "1s"]).document();
    let ended: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut missing = 0;
    for document in &ended {
        let hops = hops(document);
        for (hop, from) in &hops {
            assert_eq!(*from, node(usize::try_from(*hop).unwrap()), "{document}");
        }
        missing += 3 - hops.len();
        let last = hops.last().map(|(hop, from)| format!("hop {hop}, {from}"));
        let text = last.map_or("no router".to_owned(), |last| format!("answered is {last}"));
        assert!(
            document["error"].as_str().unwrap().contains(&text),
            "{document}"
        );
    }
    assert!(missing > 0, "the limit was not reached");
}

#[test]
fn no_privilege_is_needed() {
    let Some(net) = Net::chain(2) else { return };
    net.nft("target", "input", &["tcp dport 25 drop"]);
    let mut command = net.inside("probe", "setpriv");
    command.args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "--no-new-privs",
    ]);
    // The program may be in a directory that only root can enter.
    let program = std::fs::File::open(env!("CARGO_BIN_EXE_zbx-tcp")).unwrap();
    command.args([
        "/proc/self/fd/0",
        "check",
        &node(3),
        "25",
        "--path",
        "-o",
        "json",
    ]);
    let ran = finish(command.stdin(Stdio::from(program)));
    let text = "; the last router that answered is hop 2, 10.77.1.2";
    Verdict::of(ran, 5, "connect_timeout", &[text]);
}

/// Options that choose the connection hold for the trace, too; each SYN has a port of its own.
#[test]
fn a_trace_uses_the_source_and_interface_of_the_check() {
    let Some(net) = Net::chain(2) else { return };
    net.ip("probe", &["addr add 10.77.0.77/24 dev wire0"]);
    net.nft("target", "input", &["tcp dport 25 drop"]);
    net.nft(
        "probe",
        "output",
        &[
            "tcp dport 25 ip saddr 10.77.0.77 tcp sport 7777 counter comment \"own\"",
            "tcp dport 25 ip saddr 10.77.0.77 ip ttl < 40 tcp sport != 7777 counter comment \"trace\"",
            "tcp dport 25 counter comment \"all\"",
        ],
    );
    let words = [
        "--source",
        "10.77.0.77",
        "--source-port",
        "7777",
        "--interface",
        "wire0",
    ];
    let ran = trace(&net, &[&words[..], &[&node(3), "25"]].concat());
    let text = "; the last router that answered is hop 2, 10.77.1.2";
    Verdict::of(ran, 5, "connect_timeout", &[text]);
    let counts = counted(&net);
    assert_eq!((counts["own"], counts["trace"], counts["all"]), (3, 33, 36));
}

/// Of several attempts to one address, one traces.
#[test]
fn several_attempts_have_one_trace() {
    let Some(net) = Net::chain(2) else { return };
    net.nft("target", "input", &["tcp dport 25 drop"]);
    count_syns(&net, 25);
    let ran = trace(&net, &[&node(3), "25", "-n", "5"]);
    Verdict::of(ran, 5, "connect_timeout", &["no answer"]);
    as_many_as_promised(&net);
}

/// If one address of a name answers, the target is up and no address is traced. If none answers, a
/// few of them are traced.
#[test]
fn the_addresses_of_a_name_are_traced() {
    let Some(net) = Net::chain(2) else { return };
    net.nft("target", "input", &["tcp dport 25 drop"]);
    let more: Vec<String> = (3..10).map(|host| format!("10.77.2.{host}")).collect();
    for address in &more {
        net.ip("target", &[&format!("addr add {address}/24 dev wire2")]);
    }
    let all = [&[node(3)], &more[..]].concat();
    let lines: Vec<_> = all
        .iter()
        .map(|address| format!("{address} mx.test\n"))
        .collect();
    net.etc("hosts", &lines.concat());
    let _listener = net.listen("target", "10.77.2.4", 26, "hold");
    for selection in ["any", "all"] {
        let ran = trace(&net, &["mx.test", "25", "--addresses", selection]);
        let text = "; the last router that answered is hop 2, 10.77.1.2";
        let verdict = Verdict::of(ran, 5, "connect_timeout", &[text]);
        if selection == "all" {
            let addresses = verdict.document()["addresses"].as_array().unwrap();
            let traced = addresses.iter().filter(|one| one.get("path").is_some());
            assert_eq!((addresses.len(), traced.count()), (8, 4));
        }
    }
    net.nft("hop2", "forward", &["ip daddr 10.77.2.2 tcp dport 26 drop"]);
    let ran = trace(&net, &["mx.test", "26"]);
    Verdict::of(ran, 0, "ok", &[]);
}

/// Hundreds of silent targets in several networks: no more than 32 are traced, and all are reported
/// in time.
#[test]
fn a_batch_traces_a_few_of_the_silent_targets() {
    let Some(net) = Net::chain(2) else { return };
    net.nft("hop2", "forward", &["tcp dport 1-1000 drop"]);
    net.nft(
        "probe",
        "output",
        &["ip ttl < 40 tcp dport 1-1000 counter comment \"trace\""],
    );
    let targets: Vec<String> = (0..50)
        .flat_map(|network| (1..=8).map(move |host| format!("10.99.{network}.{host}:25")))
        .collect();
    let words: Vec<&str> = targets.iter().map(String::as_str).collect();
    let ran = net.batch(&[&words[..], &["--path", "-o", "json"]].concat());
    assert!(ran.took < Duration::from_millis(3500), "{:?}", ran.took);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let entries = document["targets"].as_object().unwrap();
    assert_eq!(entries.len(), 400);
    let traced: Vec<_> = entries
        .iter()
        .filter(|(_, entry)| entry.get("path").is_some())
        .collect();
    assert_eq!(traced.len(), 32);
    let mut networks: Vec<_> = traced
        .iter()
        .map(|(id, _)| id.rsplit_once('.').unwrap().0)
        .collect();
    networks.dedup();
    assert!(networks.len() >= 18, "{networks:?}");
    for (id, entry) in traced {
        let text = "; the last router that answered is hop 2, 10.77.1.2";
        assert!(
            entry["error"].as_str().unwrap().ends_with(text),
            "{id}: {entry}"
        );
    }
    assert!(counted(&net)["trace"] <= 32 * MOST_SYNS);
}

/// A probe that answers in time has nothing to trace.
#[test]
fn a_slow_answer_ends_the_trace() {
    let Some(net) = Net::chain(2) else { return };
    // The first SYN is lost; the second one is answered.
    net.nft(
        "target",
        "input",
        &["tcp dport 25 ip ttl > 40 quota until 60 bytes drop"],
    );
    let _listener: Background = net.listen("target", &node(3), 25, "greet");
    count_syns(&net, 25);
    let verdict = Verdict::of(trace(&net, &[&node(3), "25"]), 0, "ok", &[]);
    let document = verdict.document();
    assert_eq!(document.get("path"), None, "{document}");
    assert_eq!(document["tcp"]["syn_retransmits"], 1);
    assert!(as_many_as_promised(&net) <= 3);
}

/// The program in a terminal, which `script(1)` provides.
#[test]
fn a_report_on_a_terminal_has_the_path() {
    let Some(net) = Net::chain(2) else { return };
    net.nft("target", "input", &["tcp dport 25 drop"]);
    let words = |more: &str| {
        let program = env!("CARGO_BIN_EXE_zbx-tcp");
        let line = format!("{program} check {} 25 -t 1s {more}", node(3));
        let mut command = net.inside("probe", "script");
        let ran = finish(
            command
                .args(["-qec", &line, "/dev/null"])
                .stdin(Stdio::null()),
        );
        ran.out
    };
    let report = words("");
    assert!(report.contains("  path       1  10.77.0.2  "), "{report}");
    assert!(
        report.contains("; the last router that answered is hop 2, 10.77.1.2"),
        "{report}"
    );
    assert!(!words("--path=off").contains("router"));
    assert!(words("-o error --path=").ends_with("no answer to the SYN\r\n"));
}

/// The JSON document of `path`.
fn path_of(net: &Net, words: &[&str]) -> Value {
    let ran = net.run(&[&["path"], words, &["-o", "json"]].concat());
    assert_eq!(ran.err, "");
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn two_ports_show_where_a_firewall_rule_is() {
    let Some(net) = Net::chain(4) else { return };
    net.nft(
        "hop2",
        "forward",
        &[
            "tcp dport 25 drop",
            "tcp dport 110 reject with icmp type admin-prohibited",
        ],
    );
    net.nft("target", "input", &["tcp dport 587 drop"]);
    let _listener = net.listen("target", &node(5), 443, "greet");
    let each = |port: &str, text: &str| {
        let document = path_of(&net, &[&node(5), port, "--against", "443"]);
        let wanted = format!("port {port} {text}");
        assert_eq!(document["conclusion"], wanted, "{document}");
        assert_eq!(document["ports"][1]["status_name"], "ok");
    };
    let reaches = "port 443 reaches the host at hop 5";
    std::thread::scope(|scope| {
        for (port, text) in [
            (
                "25",
                format!("ends after hop 2, {reaches}: a firewall rule on the way, not the host"),
            ),
            (
                "110",
                format!("is refused at hop 2, {reaches}: a firewall rule on the way, not the host"),
            ),
            (
                "587",
                format!("ends after hop 4, {reaches}: a firewall rule at hop 4 or on the host"),
            ),
            ("80", "and port 443 reach the host at hop 5".to_owned()),
        ] {
            scope.spawn(move || each(port, &text));
        }
    });
}

#[test]
fn every_hop_is_asked_in_every_round() {
    let Some(net) = Net::chain(2) else { return };
    count_syns(&net, 25);
    // Half of the answers of the second router are lost.
    net.nft(
        "hop2",
        "output",
        &["icmp type time-exceeded numgen inc mod 2 0 drop"],
    );
    let document = path_of(&net, &[&node(3), "25", "--rounds", "4"]);
    let port = &document["ports"][0];
    let hops = port["hops"].as_array().unwrap();
    let seen: Vec<_> = hops
        .iter()
        .map(|hop| (hop["sent"].as_u64(), hop["answered"].as_u64()))
        .collect();
    assert_eq!(
        seen,
        [(Some(4), Some(4)), (Some(4), Some(2)), (Some(4), Some(4))],
        "{document}"
    );
    assert_eq!(hops[1]["loss"], 0.5);
    assert_eq!(
        hops[2]["from"],
        json!([{"address": node(3), "answer": "refused"}])
    );
    assert_eq!(
        (&port["status_name"], &port["last_hop"]),
        (&json!("refused"), &json!(3))
    );
    let counts = counted(&net);
    let sent = |hop: &str| counts[hop];
    assert_eq!((sent("1"), sent("2"), sent("3"), sent("4")), (4, 4, 4, 0));
}

#[test]
fn names_of_routers_are_looked_up_on_request() {
    let Some(net) = Net::chain(2) else { return };
    net.etc(
        "hosts",
        "10.77.0.2 gateway.test\n10.77.1.2 \u{202e}evil.test\n",
    );
    net.etc("nsswitch.conf", "hosts: files\n");
    net.nft("target", "input", &["tcp dport 25 drop"]);
    let ran = net.run(&["path", &node(3), "25", "--rounds", "1", "--names"]);
    assert!(
        ran.out.contains("    1  10.77.0.2 (gateway.test)"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains('\u{202e}'), "{}", ran.out);
    assert_eq!(ran.code, Some(1));
    let ran = net.run(&["path", &node(3), "25", "--rounds", "1"]);
    assert!(!ran.out.contains("gateway"), "{}", ran.out);
}

#[test]
fn usage_errors_of_path_send_nothing() {
    let Some(net) = Net::chain(1) else { return };
    net.nft(
        "probe",
        "output",
        &["meta l4proto tcp counter comment \"all\""],
    );
    let target = node(2);
    for (words, text) in [
        (
            &["25", "--against", "25"][..],
            "--against: is the port that is traced anyway",
        ),
        (
            &["25", "--against", "x"],
            "--against: `x` is not a number from 1 to 65535",
        ),
        (
            &["25", "--rounds", "0"],
            "--rounds: `0` is not a number from 1 to 100",
        ),
        (
            &["25", "--rounds", "101"],
            "--rounds: `101` is not a number from 1 to 100",
        ),
        (
            &["25", "--source-port", "7"],
            "--source-port: cannot be used here",
        ),
        (
            &["25", "-o", "xml"],
            "--output: unknown value `xml`: use `text` or `json`",
        ),
        (&[], "no port for"),
        (&["25", "--path"], "unexpected argument `--path`"),
    ] {
        net.run(&[&["path", &target], words].concat()).refuses(text);
    }
    net.check(&[&target, "25", "--path=maybe"])
        .refuses("--path: unknown value `maybe`: use `on` or `off`");
    assert_eq!(counted(&net)["all"], 0);
}
