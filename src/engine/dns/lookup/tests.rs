use std::collections::BTreeMap;

use proptest::prelude::*;
use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};

use super::*;
use crate::engine::dns::resolv_conf::Transport;
use crate::failure::{Failure, Status};

/// How a scripted server replies to a query, and after how many milliseconds.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Silent,
    Found(u64),
    NoData(u64),
    Nx(u64),
    Rcode(u64, RCODE),
    Truncated(u64),
    Garbage(u64),
    WrongId(u64),
    Refused(u64),
    Blocked,
}

use Reply::{Blocked, Found, Garbage, NoData, Nx, Rcode, Refused, Silent, Truncated, WrongId};

/// The outcome of a lookup against a script, with simulated time.
struct Run {
    result: LookupResult,
    millis: u128,
    /// `time server name kind transport` of every query that was sent.
    log: Vec<String>,
    most_open: usize,
}

const DEADLINE: u64 = 2500;

fn run(
    name: &str,
    family: Family,
    conf: &str,
    script: impl FnMut(usize, &str, RecordKind, Transport) -> Reply,
) -> Run {
    run_until(name, family, conf, DEADLINE, script)
}

#[allow(clippy::disallowed_methods)]
fn run_until(
    name: &str,
    family: Family,
    conf: &str,
    deadline: u64,
    mut script: impl FnMut(usize, &str, RecordKind, Transport) -> Reply,
) -> Run {
    let start = Instant::now();
    let end = start + Duration::from_millis(deadline);
    let config = Arc::new(ResolvConf::parse(conf, "probe", 53));
    let mut lookup = Lookup::new(
        &name.parse().unwrap(),
        family,
        config,
        0,
        Duration::ZERO,
        start,
        end,
    );
    let mut now = start;
    let mut events: BTreeMap<(Instant, QueryAttemptId, u16), (Vec<u8>, Reply)> = BTreeMap::new();
    let mut open = std::collections::BTreeSet::new();
    let (mut log, mut most_open, mut id) = (Vec::new(), 0, 0_u16);
    for _ in 0..10_000 {
        while let Some(action) = lookup.pop_action() {
            let QueryAction::Open {
                attempt,
                server,
                transport,
            } = action
            else {
                if let QueryAction::Close { attempt } = action {
                    open.remove(&attempt);
                }
                continue;
            };
            id += 1;
            let Some(query) = lookup.message(attempt, id) else {
                continue;
            };
            let packet = Packet::parse(&query).unwrap();
            let name = packet.questions[0].qname.to_string();
            let kind = if packet.questions[0].qtype == simple_dns::TYPE::A.into() {
                RecordKind::A
            } else {
                RecordKind::Aaaa
            };
            let reply = script(server, &name, kind, transport);
            if matches!(reply, Blocked) {
                lookup.on_blocked(attempt, "Too many open files".into(), now);
                continue;
            }
            open.insert(attempt);
            most_open = most_open.max(open.len());
            log.push(format!(
                "{} {server} {name} {kind:?} {transport:?}",
                (now - start).as_millis()
            ));
            if let Found(ms)
            | NoData(ms)
            | Nx(ms)
            | Rcode(ms, _)
            | Truncated(ms)
            | Garbage(ms)
            | WrongId(ms)
            | Refused(ms) = reply
            {
                events.insert(
                    (now + Duration::from_millis(ms), attempt, id),
                    (query, reply),
                );
            }
        }
        if let Some(result) = lookup.take_result() {
            assert!(lookup.take_result().is_none(), "two results");
            assert!(open.is_empty(), "sockets left open: {open:?}");
            return Run {
                result,
                millis: (now - start).as_millis(),
                log,
                most_open,
            };
        }
        let wake = lookup.next_wake().expect("neither finished nor waiting");
        if let Some(key) = events
            .first_key_value()
            .map(|(key, _)| *key)
            .filter(|key| key.0 < wake)
        {
            now = key.0.max(now);
            let (query, reply) = events.remove(&key).unwrap();
            deliver(&mut lookup, key.1, &query, reply, now);
        } else {
            now = wake.max(now);
            lookup.expire(now);
        }
    }
    panic!("does not end: {log:?}");
}

fn deliver(lookup: &mut Lookup, attempt: QueryAttemptId, query: &[u8], reply: Reply, now: Instant) {
    if matches!(reply, Refused(_)) {
        return lookup.on_error(attempt, "connection refused".into(), now);
    }
    let mut packet = Packet::parse(query).unwrap().into_reply();
    packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
    match reply {
        Found(_) => {
            let name: Name<'_> = packet.questions[0].qname.clone();
            let data = if packet.questions[0].qtype == simple_dns::TYPE::A.into() {
                RData::A(A {
                    address: 0xc000_0207,
                })
            } else {
                RData::AAAA(AAAA { address: 7 })
            };
            packet
                .answers
                .push(ResourceRecord::new(name, CLASS::IN, 60, data));
        }
        Nx(_) => *packet.rcode_mut() = RCODE::NameError,
        Rcode(_, rcode) => *packet.rcode_mut() = rcode,
        Truncated(_) => packet.set_flags(PacketFlag::TRUNCATION),
        WrongId(_) => packet.set_id(packet.id().wrapping_add(1)),
        _ => {}
    }
    let mut bytes = packet.build_bytes_vec().unwrap();
    if matches!(reply, Garbage(_)) {
        bytes.truncate(14);
    }
    lookup.on_message(attempt, &mut bytes, now);
}

const ONE: &str = "nameserver 192.0.2.53\n";
const TWO: &str = "nameserver 192.0.2.53\nnameserver 192.0.2.54\n";

impl Run {
    fn found(&self) -> (usize, usize) {
        let addresses = self
            .result
            .as_ref()
            .unwrap_or_else(|failure| panic!("{failure}"));
        (addresses.v4.len(), addresses.v6.len())
    }

    fn failed(&self) -> (Status, &str) {
        let failure = self.result.as_ref().expect_err("found");
        assert!(!failure.text.contains('\n'));
        (failure.status, &failure.text)
    }
}

#[test]
fn both_families_are_queried_at_once() {
    let run = run("db1.example.", Family::Any, ONE, |_, _, kind, _| {
        Found(if kind == RecordKind::A { 20 } else { 10 })
    });
    assert_eq!((run.found(), run.millis), ((1, 1), 20));
    assert_eq!(
        run.log,
        ["0 0 db1.example A Udp", "0 0 db1.example Aaaa Udp"]
    );
    let addresses = run.result.unwrap();
    assert_eq!(
        (addresses.from.to_string(), addresses.canonical),
        ("192.0.2.53".into(), None)
    );
}

#[test]
fn a_single_family_is_queried_alone() {
    for (family, conf, query) in [
        (Family::V4, "", "0 0 db1 A Udp"),
        (Family::V6, "", "0 0 db1 Aaaa Udp"),
        (Family::Any, "options no-aaaa", "0 0 db1 A Udp"),
        (Family::V6, "options no-aaaa use-vc", "0 0 db1 Aaaa Tcp"),
    ] {
        let run = run("db1.", family, conf, |_, _, _, _| Found(1));
        assert_eq!(run.log, [query]);
    }
}

type Script = fn(usize, RecordKind, Transport) -> Reply;

/// Asserts status and text of a lookup of `db1` for each resolv.conf, family and script.
fn assert_failures(cases: &[(&str, Family, Script, Status, &str)]) {
    for (conf, family, script, status, text) in cases {
        let run = run("db1", *family, conf, |server, _, kind, transport| {
            script(server, kind, transport)
        });
        assert_eq!(run.failed(), (*status, *text));
    }
}

#[test]
fn negative_answers_name_the_server() {
    assert_failures(&[
        (
            ONE,
            Family::Any,
            |_, _, _| Nx(5),
            Status::ResolveFailed,
            "resolve db1: NXDOMAIN (from 192.0.2.53)",
        ),
        (
            ONE,
            Family::Any,
            |_, _, _| NoData(5),
            Status::ResolveFailed,
            "resolve db1: has no address (from 192.0.2.53)",
        ),
        (
            ONE,
            Family::V4,
            |_, _, _| NoData(5),
            Status::ResolveFailed,
            "resolve db1: has no IPv4 address (from 192.0.2.53)",
        ),
        (
            ONE,
            Family::V6,
            |_, _, _| NoData(5),
            Status::ResolveFailed,
            "resolve db1: has no IPv6 address (from 192.0.2.53)",
        ),
        // NXDOMAIN for AAAA, but the A query returned that the name exists.
        (
            ONE,
            Family::Any,
            |_, k, _| if k == RecordKind::A { NoData(5) } else { Nx(5) },
            Status::ResolveFailed,
            "resolve db1: has no address (from 192.0.2.53)",
        ),
        (
            ONE,
            Family::Any,
            |_, k, _| {
                if k == RecordKind::A {
                    NoData(1)
                } else {
                    Silent
                }
            },
            Status::ResolveTimeout,
            "resolve db1: no answer from 192.0.2.53, and no IPv4 address",
        ),
        (
            ONE,
            Family::Any,
            |_, k, _| if k == RecordKind::A { Nx(1) } else { Silent },
            Status::ResolveFailed,
            "resolve db1: NXDOMAIN (from 192.0.2.53)",
        ),
        (
            ONE,
            Family::Any,
            |_, k, _| if k == RecordKind::A { Silent } else { Nx(1) },
            Status::ResolveTimeout,
            "resolve db1: no answer from 192.0.2.53",
        ),
    ]);
}

#[test]
fn failures_name_each_server_with_its_error() {
    assert_failures(&[
        (
            TWO,
            Family::Any,
            |_, _, _| Rcode(5, RCODE::ServerFailure),
            Status::ResolveFailed,
            "resolve db1: SERVFAIL from 192.0.2.53, 192.0.2.54",
        ),
        (
            TWO,
            Family::V4,
            |s, _, _| {
                Rcode(
                    5,
                    if s == 0 {
                        RCODE::ServerFailure
                    } else {
                        RCODE::Refused
                    },
                )
            },
            Status::ResolveFailed,
            "resolve db1: SERVFAIL from 192.0.2.53; REFUSED from 192.0.2.54",
        ),
        (
            TWO,
            Family::Any,
            |_, _, _| Silent,
            Status::ResolveTimeout,
            "resolve db1: no answer from 192.0.2.53, 192.0.2.54",
        ),
        // An rcode is more severe than silence.
        (
            TWO,
            Family::V4,
            |s, _, _| {
                if s == 0 {
                    Silent
                } else {
                    Rcode(5, RCODE::NotImplemented)
                }
            },
            Status::ResolveFailed,
            "resolve db1: no answer from 192.0.2.53; NOTIMP from 192.0.2.54",
        ),
        (
            TWO,
            Family::Any,
            |_, _, _| Refused(1),
            Status::ResolveFailed,
            "resolve db1: no name server reachable: connection refused at 192.0.2.53, 192.0.2.54",
        ),
        (
            TWO,
            Family::V4,
            |s, _, _| if s == 0 { Refused(1) } else { Silent },
            Status::ResolveTimeout,
            "resolve db1: connection refused at 192.0.2.53; no answer from 192.0.2.54",
        ),
        (
            ONE,
            Family::Any,
            |_, _, _| Blocked,
            Status::LocalError,
            "resolve db1: could not open a socket (Too many open files) for 192.0.2.53",
        ),
    ]);
}

#[test]
fn unusable_answers_are_named() {
    assert_failures(&[
        (
            ONE,
            Family::V4,
            |_, _, _| Garbage(1),
            Status::ResolveFailed,
            "resolve db1: a malformed answer (unreadable question) from 192.0.2.53",
        ),
        (
            ONE,
            Family::V4,
            |_, _, _| WrongId(1),
            Status::ResolveTimeout,
            "resolve db1: only answers with a wrong id or question from 192.0.2.53",
        ),
        (
            ONE,
            Family::V4,
            |_, _, transport| {
                if transport == Transport::Udp {
                    Truncated(1)
                } else {
                    Refused(1)
                }
            },
            Status::ResolveFailed,
            "resolve db1: a truncated answer, and over TCP connection refused, from 192.0.2.53",
        ),
        (
            ONE,
            Family::V4,
            |_, _, transport| {
                if transport == Transport::Udp {
                    Truncated(1)
                } else {
                    Silent
                }
            },
            Status::ResolveTimeout,
            "resolve db1: a truncated answer, and no answer over TCP, from 192.0.2.53",
        ),
        (
            ONE,
            Family::V4,
            |_, _, _| Truncated(1),
            Status::ResolveFailed,
            "resolve db1: a malformed answer (truncated over TCP) from 192.0.2.53",
        ),
    ]);
}

#[test]
fn the_most_severe_error_of_a_server_is_reported() {
    // SERVFAIL for one family, silence for the other.
    let run = run("db1.", Family::Any, ONE, |_, _, kind, _| match kind {
        RecordKind::A => Rcode(5, RCODE::ServerFailure),
        RecordKind::Aaaa => Silent,
    });
    assert_eq!(
        run.failed(),
        (
            Status::ResolveFailed,
            "resolve db1.: SERVFAIL from 192.0.2.53"
        )
    );
    // Silent at first, unreachable later: the server received a query and did not answer it.
    let mut tries = 0;
    let run = self::run("db1.", Family::V4, ONE, |_, _, _, _| {
        tries += 1;
        if tries == 1 { Silent } else { Refused(1) }
    });
    assert_eq!(
        run.failed(),
        (
            Status::ResolveTimeout,
            "resolve db1.: no answer from 192.0.2.53"
        )
    );
}

#[test]
fn after_an_error_the_next_server_is_queried_at_once_and_the_first_never_again() {
    for first in [
        Rcode(3, RCODE::ServerFailure),
        Rcode(3, RCODE::Refused),
        Garbage(3),
        Refused(3),
    ] {
        let run = run("db1.", Family::V4, TWO, |server, _, _, _| {
            if server == 0 { first } else { Found(2) }
        });
        assert_eq!((run.found(), run.millis), ((1, 0), 5));
        let both = self::run("db1.", Family::V4, TWO, |_, _, _, _| first);
        assert_eq!((both.log.len(), both.millis), (2, 6));
    }
}

#[test]
fn a_truncated_answer_is_followed_by_a_query_over_tcp() {
    let run = run("db1.", Family::V4, TWO, |_, _, _, transport| {
        if transport == Transport::Udp {
            Truncated(3)
        } else {
            Found(4)
        }
    });
    assert_eq!((run.found(), run.millis), ((1, 0), 7));
    assert_eq!(run.log, ["0 0 db1 A Udp", "3 0 db1 A Tcp"]);
}

#[test]
fn after_a_tcp_failure_the_next_server_is_queried() {
    let script = |server, _: &str, _, transport| match (server, transport) {
        (0, Transport::Udp) => Truncated(3),
        (0, Transport::Tcp) => Refused(3),
        _ => Found(3),
    };
    let run = run("db1.", Family::V4, TWO, script);
    assert_eq!((run.found(), run.millis), ((1, 0), 9));
}

#[test]
fn a_silent_server_leaves_time_for_the_next() {
    // The default timeout of 5 s is limited to a fair share of 2.5 s: 625 ms each.
    let run = run("db1.", Family::V4, TWO, |server, _, _, _| {
        if server == 0 { Silent } else { Found(10) }
    });
    assert_eq!((run.found(), run.millis), ((1, 0), 635));
    // Each of three servers is queried even if the time is too short for the minimum share.
    let three = format!("{TWO}nameserver 192.0.2.55\n");
    let run = run_until("db1.", Family::V4, &three, 600, |server, _, _, _| {
        if server < 2 { Silent } else { Found(10) }
    });
    assert_eq!((run.found(), run.millis), ((1, 0), 410));
}

#[test]
fn many_attempts_do_not_shorten_the_minimum_share() {
    let conf = format!("{TWO}options attempts:5\n");
    let run = run("db1.", Family::V4, &conf, |_, _, _, _| Silent);
    assert!(run.log.len() <= 7, "{:?}", run.log);
    assert_eq!(run.millis, 2500);
}

#[test]
fn the_timeout_of_resolv_conf_is_kept() {
    let conf = format!("{ONE}options timeout:1 attempts:1\n");
    let run = run("db1.", Family::V4, &conf, |_, _, _, _| Silent);
    assert_eq!((run.failed().0, run.millis), (Status::ResolveTimeout, 1000));
}

#[test]
fn a_late_answer_still_counts() {
    let run = run("db1.", Family::V4, TWO, |server, _, _, _| {
        if server == 0 { Found(900) } else { Silent }
    });
    assert_eq!((run.found(), run.millis), ((1, 0), 900));
}

#[test]
fn a_silent_family_is_abandoned_at_half_time() {
    for silent in [RecordKind::A, RecordKind::Aaaa] {
        let run = run("db1.", Family::Any, TWO, |_, _, kind, _| {
            if kind == silent { Silent } else { Found(5) }
        });
        assert_eq!(run.millis, 1250);
        assert_eq!(
            run.found(),
            if silent == RecordKind::A {
                (0, 1)
            } else {
                (1, 0)
            }
        );
    }
    // After half time the other family gets the resolution delay.
    let slow = format!("{ONE}options attempts:1\n");
    let run = run("db1.", Family::Any, &slow, |_, _, kind, _| {
        Found(if kind == RecordKind::A { 2000 } else { 2040 })
    });
    assert_eq!((run.found(), run.millis), ((1, 1), 2040));
}

#[test]
fn one_family_is_enough() {
    for other in [
        Rcode(5, RCODE::ServerFailure),
        NoData(5),
        Nx(5),
        Garbage(5),
        Refused(5),
    ] {
        let run = run("db1.", Family::Any, ONE, |_, _, kind, _| {
            if kind == RecordKind::A {
                Found(1)
            } else {
                other
            }
        });
        assert_eq!((run.found(), run.millis), ((1, 0), 5), "{other:?}");
    }
}

#[test]
fn the_search_list_is_tried_in_order() {
    let conf = format!("{ONE}search a.example b.example\n");
    for (first, what) in [
        (Nx(5), "NXDOMAIN"),
        (NoData(5), "no address"),
        (Rcode(5, RCODE::ServerFailure), "SERVFAIL"),
        (Silent, "silence"),
        (Garbage(5), "garbage"),
    ] {
        let run = run("db1", Family::V4, &conf, |_, name, _, _| {
            if name == "db1.b.example" {
                Found(5)
            } else {
                first
            }
        });
        assert_eq!(run.found(), (1, 0), "{what}");
        assert_eq!(
            run.result.unwrap().canonical.as_deref(),
            Some("db1.b.example")
        );
    }
    let run = run("db1", Family::V4, &conf, |_, _, _, _| Nx(5));
    let names: Vec<_> = run
        .log
        .iter()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    assert_eq!(names, ["db1.a.example", "db1.b.example", "db1"]);
    assert_eq!(
        run.failed().1,
        "resolve db1: db1.a.example: NXDOMAIN (from 192.0.2.53); also tried db1.b.example (NXDOMAIN), db1 (NXDOMAIN)"
    );
}

#[test]
fn the_candidate_of_the_greatest_class_decides() {
    let conf = format!("{ONE}search a.example\n");
    for (searched, plain, status, text) in [
        (
            NoData(1),
            Nx(1),
            Status::ResolveFailed,
            "db1.a.example: has no IPv4 address",
        ),
        (
            Rcode(1, RCODE::ServerFailure),
            Nx(1),
            Status::ResolveFailed,
            "db1.a.example: SERVFAIL from",
        ),
        (
            Rcode(1, RCODE::ServerFailure),
            NoData(1),
            Status::ResolveFailed,
            "db1: has no IPv4 address",
        ),
        (
            Silent,
            Nx(1),
            Status::ResolveFailed,
            "also tried db1.a.example (no answer)",
        ),
        (Silent, Silent, Status::ResolveTimeout, "no answer from"),
    ] {
        let run = run("db1", Family::V4, &conf, |_, name, _, _| {
            if name == "db1" { plain } else { searched }
        });
        let failed = run.failed();
        assert!(failed.0 == status && failed.1.contains(text), "{failed:?}");
    }
}

#[test]
fn unreachable_servers_end_the_lookup_at_once() {
    let conf = format!("{TWO}search a.example b.example\n");
    let run = run("db1", Family::Any, &conf, |_, _, _, _| Refused(1));
    assert_eq!((run.log.len(), run.millis), (4, 2));
}

#[test]
fn a_missing_socket_is_requested_again() {
    let mut tries = 0;
    let run = run("db1.", Family::V4, ONE, |_, _, _, _| {
        tries += 1;
        if tries < 20 { Blocked } else { Found(1) }
    });
    assert_eq!((run.found(), run.millis), ((1, 0), 191));
}

#[test]
#[allow(clippy::disallowed_methods)]
fn rotate_starts_with_another_server() {
    let config = Arc::new(ResolvConf::parse(
        &format!("{TWO}options rotate"),
        "probe",
        53,
    ));
    let now = Instant::now();
    let first = |turn| {
        let name = "db1.".parse().unwrap();
        let mut lookup = Lookup::new(
            &name,
            Family::V4,
            config.clone(),
            turn,
            Duration::ZERO,
            now,
            now + Duration::from_secs(1),
        );
        match lookup.pop_action() {
            Some(QueryAction::Open { server, .. }) => server,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([first(0), first(1), first(2)], [0, 1, 0]);
}

#[test]
fn without_time_left_the_lookup_times_out() {
    let run = run_until("db1.", Family::Any, ONE, 0, |_, _, _, _| Found(1));
    assert_eq!((run.failed().0, run.millis), (Status::ResolveTimeout, 0));
}

fn replies() -> impl Strategy<Value = Reply> {
    let ms = 0..3000_u64;
    prop_oneof![
        Just(Silent),
        Just(Blocked),
        ms.clone().prop_map(Found),
        ms.clone().prop_map(NoData),
        ms.clone().prop_map(Nx),
        ms.clone().prop_map(|ms| Rcode(ms, RCODE::ServerFailure)),
        ms.clone().prop_map(Truncated),
        ms.clone().prop_map(Garbage),
        ms.clone().prop_map(WrongId),
        ms.prop_map(Refused),
    ]
}

proptest! {
    /// For any behaviour of the servers: one result by the deadline, no socket left, few open.
    #[test]
    fn every_lookup_ends(
        script in prop::collection::vec(replies(), 1..40),
        servers in 1..4_usize,
        options in "(rotate )?(use-vc )?(timeout:[0-9] )?(attempts:[0-9] )?(ndots:[0-3] )?",
        search in 0..4_usize,
        deadline in 0..4000_u64,
        family in prop_oneof![Just(Family::Any), Just(Family::V4), Just(Family::V6)],
    ) {
        let server = |n| format!("nameserver 192.0.2.{n}");
        let servers: Vec<String> = (1..=servers).map(server).collect();
        let search: Vec<String> = (0..search).map(|n| format!("d{n}.example")).collect();
        let (servers, search) = (servers.join("\n"), search.join(" "));
        let conf = format!("{servers}\noptions {options}\nsearch {search}\n");
        let mut next = script.iter().cycle();
        let run = run_until("db1.x", family, &conf, deadline, |_, _, _, _| *next.next().unwrap());
        prop_assert!(run.millis <= u128::from(deadline));
        prop_assert!(run.most_open <= 4, "{}", run.most_open);
        match run.result {
            Ok(addresses) => prop_assert!(addresses.v4.len() + addresses.v6.len() > 0),
            Err(failure) => prop_assert!(!failure.text.is_empty() && failure.text.len() < 1000),
        }
    }
}

/// A lookup whose process is stopped from its first query until this long after its deadline, when
/// the reply to that query is found. The result contains only facts that were certainly in answers
/// of the servers.
#[allow(clippy::disallowed_methods)]
fn stopped(name: &str, conf: &str, reply: Reply) -> (Status, String) {
    let start = Instant::now();
    let config = Arc::new(ResolvConf::parse(conf, "probe", 53));
    let end = start + Duration::from_millis(DEADLINE);
    let mut lookup = Lookup::new(
        &name.parse().unwrap(),
        Family::V4,
        config,
        0,
        Duration::ZERO,
        start,
        end,
    );
    let Some(QueryAction::Open { attempt, .. }) = lookup.pop_action() else {
        panic!("no query");
    };
    let query = lookup.message(attempt, 1).unwrap();
    let now = end + Duration::from_millis(100);
    if !matches!(reply, Silent) {
        deliver(&mut lookup, attempt, &query, reply, now);
    }
    lookup.expire(now);
    match lookup.take_result().expect("it has ended") {
        Ok(addresses) => (Status::Ok, addresses.from.to_string()),
        Err(failure) => (failure.status, failure.text),
    }
}

#[test]
fn a_lookup_that_a_stop_kept_from_going_on_is_unknown() {
    let late = |name: &str| {
        let text = format!("resolve {name}: {}", lateness::CAUSE);
        (Status::LocalError, text)
    };
    let servfail = Rcode(0, RCODE::ServerFailure);
    let search = &format!("{TWO}search a.example b.example");
    // The second server was not queried, or not the second name.
    assert_eq!(stopped("db1.", TWO, Silent), late("db1."));
    assert_eq!(stopped("db1.", TWO, servfail), late("db1."));
    assert_eq!(stopped("db1", search, Nx(0)), late("db1"));
    let once = &format!("{ONE}options attempts:1");
    let silent = "resolve db1.: no answer from 192.0.2.53".to_owned();
    assert_eq!(
        stopped("db1.", once, Silent),
        (Status::ResolveTimeout, silent)
    );
    assert_eq!(stopped("db1.", TWO, Found(0)).0, Status::Ok);
    assert_eq!(stopped("db1.", TWO, Nx(0)).0, Status::ResolveFailed);
}

/// A lookup of which a silent server is the only one, suspended from one time to another, in
/// milliseconds: the result, and how many queries were sent.
#[allow(clippy::disallowed_methods)]
fn suspended(from: u64, until: u64) -> (Failure, u32) {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let config = Arc::new(ResolvConf::parse(
        &format!("{ONE}search a.example"),
        "probe",
        53,
    ));
    let name = "db1".parse().unwrap();
    let mut lookup = Lookup::new(
        &name,
        Family::Any,
        config,
        0,
        Duration::ZERO,
        start,
        at(DEADLINE),
    );
    let (mut now, mut queries, mut open) = (start, 0, std::collections::BTreeSet::new());
    let mut suspended = false;
    loop {
        while let Some(action) = lookup.pop_action() {
            match action {
                QueryAction::Open { attempt, .. } => {
                    if lookup.message(attempt, 7).is_some() {
                        queries += 1;
                        open.insert(attempt);
                    }
                }
                QueryAction::Close { attempt } => drop(open.remove(&attempt)),
            }
        }
        assert!(
            !suspended || open.is_empty(),
            "{open:?} at {:?}",
            now - start
        );
        if let Some(result) = lookup.take_result() {
            assert!(open.is_empty(), "{open:?}");
            return (result.unwrap_err(), queries);
        }
        let wake = lookup.next_wake().unwrap();
        if now < at(from) && wake >= at(from) {
            now = at(from);
            lookup.suspend(now);
            suspended = true;
        } else if now < at(until) && wake >= at(until) {
            now = at(until);
            lookup.resume(now);
            suspended = false;
        } else {
            now = wake.max(now);
            lookup.expire(now);
        }
    }
}

#[test]
fn a_suspended_lookup_is_unknown_if_it_had_too_little_time() {
    let (failure, queries) = suspended(100, 400);
    assert_eq!(failure.status, Status::ResolveTimeout, "{}", failure.text);
    assert!(queries > 4, "{queries}");
    for (from, until) in [(100, 2400), (100, 5000), (1, 1300)] {
        let (failure, _) = suspended(from, until);
        let text = format!("resolve db1: {NO_SOCKET}");
        assert_eq!((failure.status, failure.text), (Status::LocalError, text));
    }
}

/// Its servers had only the rest of the time.
#[test]
#[allow(clippy::disallowed_methods)]
fn a_lookup_that_was_queued_for_long_is_unknown() {
    let start = Instant::now();
    let failure_after = |queued_for: u64| {
        let queued_for = Duration::from_millis(queued_for);
        let config = Arc::new(ResolvConf::parse(ONE, "probe", 53));
        let end = start + Duration::from_millis(DEADLINE);
        let (name, now) = ("db1.".parse().unwrap(), start + queued_for);
        let mut lookup = Lookup::new(&name, Family::V4, config, 0, queued_for, now, end);
        loop {
            while let Some(action) = lookup.pop_action() {
                if let QueryAction::Open { attempt, .. } = action {
                    lookup.message(attempt, 7);
                }
            }
            if let Some(result) = lookup.take_result() {
                return result.unwrap_err().status;
            }
            lookup.expire(lookup.next_wake().unwrap());
        }
    };
    assert_eq!(failure_after(2400), Status::LocalError);
    assert_eq!(failure_after(100), Status::ResolveTimeout);
}
