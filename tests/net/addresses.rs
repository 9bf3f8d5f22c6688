//! Names with several addresses of which some do not answer.

use crate::background::Background;
use crate::delay::{FAR, far};
use crate::namespaces::Net;
use crate::verdict::Verdict;

const TARGET: &str = "10.77.0.2";

/// A network whose names are those of `dns_server.py`.
fn served() -> Option<(Net, Background)> {
    let net = Net::direct()?;
    net.etc("resolv.conf", "nameserver 10.77.0.2\n");
    net.etc("hosts", "");
    let server = net.python("target", "dns_server.py", &[TARGET]);
    Some((net, server))
}

#[track_caller]
fn is_up(net: &Net, words: &[&str], address: &str, failed: &[&str]) -> Verdict {
    let ran = net.check(&[words, &["-o", "json"]].concat());
    let verdict = Verdict::of(ran, 0, "ok", &[]);
    let document = verdict.document();
    assert_eq!(document["address"], address, "{document}");
    assert_eq!(document["addresses_failed"], failed.len(), "{document}");
    let error = document["addresses_error"].as_str().unwrap();
    for part in failed {
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
    verdict
}

/// Asserts the total time in seconds; the bounds are generous.
#[track_caller]
fn takes(verdict: &Verdict, least: f64, most: f64) {
    let total = verdict.document()["time"]["total"].as_f64().unwrap();
    assert!((least..most).contains(&total), "{total}");
}

/// Packets to one family are dropped: it was `connect_timeout`.
#[test]
fn a_family_that_is_dropped_does_not_hide_the_other() {
    let Some((net, _server)) = served() else {
        return;
    };
    let _listener = net.listen("target", "::", 80, "greet");
    net.nft("target", "input", &["meta nfproto ipv6 tcp dport 80 drop"]);
    let words = ["both.example", "80", "--expect", "hello"];
    let verdict = is_up(
        &net,
        &words,
        TARGET,
        &["connect to [fd77::2]:80: no answer"],
    );
    takes(&verdict, 0.25, 1.5);
    let connect = verdict.document()["time"]["connect"].as_f64().unwrap();
    assert!(connect < 0.2, "that of the address that passed: {connect}");
    let ran = net.check(&[
        "both.example",
        "80",
        "--addresses",
        "first",
        "-t",
        "700ms",
        "-o",
        "json",
    ]);
    Verdict::of(ran, 5, "connect_timeout", &["fd77::2"]);
}

#[test]
fn the_other_family_that_is_dropped_is_not_even_tried() {
    let Some((net, _server)) = served() else {
        return;
    };
    let _listener = net.listen("target", "::", 80, "hold");
    net.nft(
        "target",
        "input",
        &["meta nfproto ipv4 tcp dport 80 counter drop"],
    );
    let verdict = is_up(&net, &["both.example", "80"], "fd77::2", &[]);
    takes(&verdict, 0.0, 0.25);
    assert_eq!(net.counted("target", "input"), 0);
}

/// No host has the address 10.77.0.3: it was down by chance, whenever the server named it first.
#[test]
fn a_round_robin_with_a_dead_address_is_up_and_says_which() {
    let Some((net, _server)) = served() else {
        return;
    };
    let _listener = net.listen("target", TARGET, 80, "greet");
    let words = ["robin.example", "80", "--expect", "hello"];
    let verdict = is_up(&net, &words, TARGET, &["10.77.0.3"]);
    takes(&verdict, 0.25, 1.5);
    assert_eq!(verdict.document()["addresses_total"], 2);
    let text = net.check(&["robin.example", "80", "-o", "text"]).out;
    assert!(
        text.contains("failed    connect_timeout: connect to 10.77.0.3"),
        "{text}"
    );
    let ran = net.check(&[
        "robin.example",
        "80",
        "--addresses",
        "all",
        "-t",
        "700ms",
        "-o",
        "json",
    ]);
    Verdict::of(ran, 5, "connect_timeout", &["10.77.0.3"]);
}

/// Both addresses answer after 700 ms: the second one only had less time.
#[test]
fn addresses_behind_a_long_path_have_not_failed() {
    let Some((net, _far)) = far() else { return };
    net.etc("hosts", "10.77.9.7 far.example\n10.77.9.8 far.example\n");
    let verdict = is_up(&net, &["far.example", "700"], FAR, &[]);
    takes(&verdict, 0.7, 1.4);
    assert_eq!(verdict.document()["addresses_total"], 2);
}

#[test]
fn if_no_address_answers_the_first_is_reported() {
    let Some((net, _server)) = served() else {
        return;
    };
    net.nft("target", "input", &["meta nfproto ipv6 tcp dport 80 drop"]);
    let ran = net.check(&["both.example", "80", "-t", "900ms", "-o", "json"]);
    let parts = [
        "connect to [fd77::2]:80: no answer",
        "the other address: refused",
    ];
    let verdict = Verdict::of(ran, 5, "connect_timeout", &parts);
    assert_eq!(verdict.document()["addresses_failed"], 2);
    takes(&verdict, 0.9, 1.2);
}
