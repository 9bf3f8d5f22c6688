//! A path with a known delay and known losses: the measured times and the kernel's TCP information.
//!
//! The far end is `tun_responder.py`, since not every kernel has `tc netem`. The port selects its behaviour.

use std::time::Duration;

use serde_json::Value;

use crate::background::Background;
use crate::namespaces::Net;
use crate::verdict::Verdict;

/// One of its addresses.
pub const FAR: &str = "10.77.9.7";

/// A namespace with the far end; `None` and a skip where this machine cannot.
pub fn far() -> Option<(Net, Background)> {
    let net = Net::alone()?;
    let process = net.python("probe", "tun_responder.py", &[]);
    Some((net, process))
}

#[track_caller]
fn about(value: &Value, least: f64) {
    let seconds = value.as_f64().unwrap();
    assert!(
        seconds >= least && seconds < least + 0.5,
        "{seconds} is not about {least}"
    );
}

#[test]
fn the_delay_of_the_path_is_the_connect_time_and_the_round_trip_time() {
    let Some((net, _far)) = far() else { return };
    for (port, delay) in [("20", 0.02), ("150", 0.15), ("700", 0.7)] {
        let verdict = Verdict::of(net.check(&[FAR, port, "-o", "json"]), 0, "ok", &[])
            .times(&["total", "connect"]);
        let document = verdict.document();
        about(&document["time"]["connect"], delay);
        about(&document["tcp"]["rtt"], delay);
        assert!(
            document["tcp"]["rtt"].as_f64() <= document["time"]["connect"].as_f64(),
            "{document}"
        );
        assert_eq!(
            (&document["tcp"]["syn_retransmits"], &document["tcp"]["mss"]),
            (&0.into(), &1400.into())
        );
        assert_eq!(document["source"], "10.77.9.1");
    }
}

#[test]
fn many_attempts_over_a_path_with_a_delay() {
    let Some((net, _far)) = far() else { return };
    let words = [FAR, "100", "-o", "json", "-n", "4", "-i", "150ms"];
    let verdict = Verdict::of(net.check(&words), 0, "ok", &[]);
    let attempts = &verdict.document()["attempts"];
    assert_eq!(
        (&attempts["sent"], &attempts["ok"], &attempts["loss"]),
        (&4.into(), &4.into(), &0.0.into())
    );
    for member in ["min", "avg", "max"] {
        about(&attempts[member], 0.1);
    }
}

#[test]
fn lost_syns_are_counted_exactly() {
    let Some((net, _far)) = far() else { return };
    // The first retransmission comes after 1 s (RFC 6298), the second 1 or 2 s later, depending on
    // the kernel.
    for (port, lost, most) in [("1000", 0, 0.5), ("1001", 1, 1.5), ("1002", 2, 3.5)] {
        let verdict = Verdict::of(
            net.check(&[FAR, port, "-o", "json", "-t", "5s"]),
            0,
            "ok",
            &[],
        );
        let document = verdict.times(&["total", "connect"]);
        let document = document.document();
        assert_eq!(document["tcp"]["syn_retransmits"], lost, "{document}");
        let connect = document["time"]["connect"].as_f64().unwrap();
        assert!(connect >= f64::from(lost) && connect < most, "{document}");
        // After a retransmission the kernel's round-trip time is not that of the path.
        assert_eq!(
            document["tcp"].get("rtt").is_some(),
            lost == 0,
            "{document}"
        );
    }
}

#[test]
fn losses_up_to_the_deadline_are_counted_exactly() {
    let Some((net, _far)) = far() else { return };
    let ran = net.check(&[FAR, "1009", "-o", "json", "-t", "1.5s"]);
    let verdict = Verdict::of(ran, 5, "connect_timeout", &["no answer to 2 SYNs"])
        .no_icmp()
        .times(&["total"]);
    let verdict = verdict.within(Duration::from_millis(1500), Duration::from_millis(1900));
    assert_eq!(
        verdict.document()["tcp"],
        serde_json::json!({"syn_retransmits": 1})
    );
}

#[test]
fn an_answer_after_the_deadline_is_a_timeout() {
    let Some((net, _far)) = far() else { return };
    let ran = net.check(&[FAR, "900", "-o", "json", "-t", "400ms"]);
    let verdict =
        Verdict::of(ran, 5, "connect_timeout", &["no answer to the SYN"]).times(&["total"]);
    verdict.within(Duration::from_millis(400), Duration::from_millis(800));
}

#[test]
fn a_late_rst_is_refused_with_its_time() {
    let Some((net, _far)) = far() else { return };
    let ran = net.check(&[FAR, "2300", "-o", "json"]);
    let verdict = Verdict::of(ran, 3, "refused", &["connection refused (RST)"])
        .no_icmp()
        .times(&["total"]);
    about(&verdict.document()["time"]["total"], 0.3);
}

#[test]
fn a_read_timeout_after_a_slow_connect_has_the_connect_time() {
    let Some((net, _far)) = far() else { return };
    let ran = net.check(&[
        FAR, "200", "-o", "json", "-t", "600ms", "--send", "x", "--expect", "y",
    ]);
    let parts = [
        "expect (step 2) from 10.77.9.7:200: the deadline passed",
        "before anything was received",
    ];
    let verdict = Verdict::of(ran, 8, "read_timeout", &parts).times(&["total", "connect"]);
    about(&verdict.document()["time"]["connect"], 0.2);
    verdict.within(Duration::from_millis(600), Duration::from_secs(1));
}
