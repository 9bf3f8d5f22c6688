//! Name servers, files and circumstances that must not become a wrong verdict about the target.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Name, PacketFlag, Question, TYPE};
use zbx_tcp::engine::dns::AddressOrder;
use zbx_tcp::failure::Status;
use zbx_tcp::plan::Family;

use crate::private_etc::{Etc, WITHOUT_CAPABILITIES};

use super::server::{ReceivedQuery, Reply, Servers, cname, record};
use super::{Driver, addresses, failure, one, truncated, two};

/// Answers with these addresses of the queried kind.
fn with(query: &ReceivedQuery, addresses: &[&str]) -> Reply {
    let data = |text: &&str| match query.kind {
        "A" => text.parse().ok().map(|address: Ipv4Addr| {
            RData::A(A {
                address: address.to_bits(),
            })
        }),
        _ => text.parse().ok().map(|address: Ipv6Addr| {
            RData::AAAA(AAAA {
                address: address.to_bits(),
            })
        }),
    };
    query.reply(|packet| {
        let records = addresses.iter().filter_map(data);
        packet
            .answers
            .extend(records.map(|data| record(&query.name, data)));
    })
}

#[test]
fn a_sinkhole_address_is_no_address_of_the_target() {
    for (all, first) in [
        (&["0.0.0.0"][..], "0.0.0.0"),
        (&["::"], "::"),
        (&["::ffff:0.0.0.0"], "::ffff:0.0.0.0"),
        (&["0.0.0.0", "::", "0.0.0.0"], "0.0.0.0"),
    ] {
        let servers = one(move |query| with(query, all));
        let mut driver = Driver::with_servers(&servers, "");
        let (outcome, _) = driver.resolve("ads.example.", Family::Any, 1000);
        let server = format!("{}:{}", servers.addresses[0], servers.port);
        let text = format!(
            "resolve ads.example.: the name is blocked: the answer of {server} is {first}, and \
             a connect to it would reach this machine"
        );
        assert_eq!(failure(&outcome), (Status::ResolveFailed, text));
    }
}

#[test]
fn sinkhole_addresses_among_others_are_dropped() {
    for (all, left) in [
        (&["0.0.0.0", "192.0.2.7", "0.0.0.0"][..], "192.0.2.7"),
        (&["0.0.0.0", "2001:db8::7"], "2001:db8::7"),
        (&["192.0.2.7", "::", "::ffff:0.0.0.0"], "192.0.2.7"),
        // Loopback addresses are addresses, as in `127.0.1.1 probe` of Debian.
        (&["127.0.1.1", "::1"], "127.0.1.1 ::1"),
    ] {
        let servers = one(move |query| with(query, all));
        let mut driver = Driver::with_servers(&servers, "");
        let (outcome, _) = driver.resolve("mixed.example.", Family::Any, 1000);
        assert_eq!(addresses(&outcome), left);
    }
}

#[test]
fn a_sinkhole_address_in_the_hosts_file_is_no_address_of_the_target() {
    let hosts = "0.0.0.0 ads tracker\n:: ads\n0.0.0.0 mx1\n192.0.2.7 mx1\n";
    let servers = one(|query| query.found(9));
    let mut driver = Driver::new(&servers.resolv_conf(""), hosts, servers.port);
    for name in ["ads", "tracker"] {
        let (status, text) = failure(&driver.resolve(name, Family::Any, 1000).0);
        assert_eq!(status, Status::ResolveFailed);
        let lead = format!(
            "resolve {name}: the name is blocked: the answer of the hosts file is 0.0.0.0,"
        );
        assert!(text.starts_with(&lead), "{text}");
    }
    assert_eq!(
        addresses(&driver.resolve("mx1", Family::Any, 1000).0),
        "192.0.2.7"
    );
    assert!(servers.log().is_empty());
}

/// Answers with the id of the query and each of these added to it; only 0 is the right one.
fn flooded(query: &ReceivedQuery, shifts: impl Iterator<Item = u16>) -> Reply {
    let answer = |shift: u16| {
        query.answer(|packet| {
            let last = if shift == 0 { 7 } else { 66 };
            packet
                .answers
                .push(record(&query.name, query.address(last)));
            packet.set_id(packet.id().wrapping_add(shift));
        })
    };
    Reply::Messages(shifts.map(answer).collect())
}

#[test]
fn a_flood_of_wrong_ids_does_not_hide_the_right_answer() {
    for count in [500, 1000, 3000] {
        let servers = one(move |query| flooded(query, (1..=count).chain([0])));
        let mut driver = Driver::with_servers(&servers, "options attempts:1");
        driver.start(1, "mx1.", Family::V4, Duration::from_secs(5));
        // Everything arrives while this process does something else.
        std::thread::sleep(Duration::from_millis(200));
        let answers = driver.answers(1, Duration::from_secs(6));
        assert_eq!(addresses(&answers[0].1), "192.0.2.7", "{count}");
        assert_eq!(servers.log().len(), 1);
    }
}

#[test]
fn a_flood_of_wrong_ids_alone_is_a_timeout_with_its_reason() {
    let servers = one(|query| flooded(query, 1..=1000));
    let mut driver = Driver::with_servers(&servers, "");
    let (outcome, _) = driver.resolve("mx1.", Family::V4, 500);
    let (status, text) = failure(&outcome);
    let server = format!("{}:{}", servers.addresses[0], servers.port);
    assert_eq!(status, Status::ResolveTimeout, "{text}");
    assert_eq!(
        text,
        format!("resolve mx1.: only answers with a wrong id or question from {server}")
    );
}

/// The server knows the id, so the kernel drops nothing.
#[test]
fn a_flood_of_wrong_questions_ends_by_the_deadline() {
    let servers = one(|query| {
        let wrong = query.answer(|packet| {
            let name = Name::new("other.example").unwrap().into_owned();
            packet.questions = vec![Question::new(name, TYPE::A.into(), CLASS::IN.into(), false)];
        });
        Reply::Messages(vec![wrong; 20_000])
    });
    let mut driver = Driver::with_servers(&servers, "");
    let (outcome, _) = driver.resolve("mx1.", Family::V4, 1000);
    let (status, text) = failure(&outcome);
    assert_eq!(status, Status::ResolveTimeout, "{text}");
    assert!(
        text.contains("only answers with a wrong id or question from"),
        "{text}"
    );
}

#[test]
fn an_address_record_of_a_wrong_length_is_no_address() {
    let longer = |query: &ReceivedQuery| {
        let address = query.address(7);
        let length = match address {
            RData::A(_) => 4,
            _ => 16,
        };
        let mut bytes = query.answer(|packet| packet.answers.push(record(&query.name, address)));
        // The low byte of the length is before the address, which ends the message.
        let at = bytes.len() - length - 1;
        bytes[at] += 1;
        bytes.push(0);
        Reply::Messages(vec![bytes])
    };
    for (family, right) in [(Family::V4, "192.0.2.8"), (Family::V6, "2001:db8::8")] {
        let servers = two(longer, |query| query.found(8));
        let (outcome, _) = Driver::with_servers(&servers, "").resolve("mx1.", family, 1000);
        assert_eq!(addresses(&outcome), right);
        let servers = one(longer);
        let (outcome, _) = Driver::with_servers(&servers, "").resolve("mx1.", family, 1000);
        let (status, text) = failure(&outcome);
        assert_eq!(status, Status::ResolveFailed);
        assert!(
            text.contains("a malformed answer (an address record of a wrong length) from"),
            "{text}"
        );
    }
}

/// What a server may do without ever answering. `Driver::resolve` checks that the lookup ends by its
/// deadline.
#[test]
fn servers_that_never_finish_end_by_the_deadline() {
    type Script = fn(&ReceivedQuery) -> Reply;
    let scripts: [(Script, Status, &str); 5] = [
        // Truncated for ever.
        (truncated, Status::ResolveFailed, "truncated over TCP"),
        // TCP without an answer.
        (
            |query| match query.transport {
                "udp" => truncated(query),
                _ => Reply::Silent,
            },
            Status::ResolveTimeout,
            "a truncated answer, and no answer over TCP,",
        ),
        // A CNAME loop and a CNAME to itself.
        (
            |query| {
                query.reply(|packet| {
                    packet.answers.push(record(&query.name, cname(&query.name)));
                })
            },
            Status::ResolveFailed,
            "CNAME loop",
        ),
        // Not a response.
        (
            |query| Reply::Messages(vec![query.bytes.clone(); 100]),
            Status::ResolveTimeout,
            "only answers with a wrong id or question from",
        ),
        // No question, no recursion.
        (
            |query| query.reply(|packet| packet.remove_flags(PacketFlag::RECURSION_AVAILABLE)),
            Status::ResolveFailed,
            "recursion is not available from",
        ),
    ];
    for (script, expected, part) in scripts {
        let servers = one(script);
        let (outcome, _) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 600);
        let (status, text) = failure(&outcome);
        assert!(
            status == expected && text.contains(part),
            "{part}: {status:?} {text}"
        );
    }
}

/// The largest answer over TCP, a byte at a time.
#[test]
fn a_dripping_answer_over_tcp_ends_by_the_deadline() {
    let servers = one(|query| match query.transport {
        "udp" => truncated(query),
        _ => Reply::Drip(Duration::from_millis(20), vec![0xff; 65_537]),
    });
    let (outcome, _) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 500);
    let (status, text) = failure(&outcome);
    assert!(
        status == Status::ResolveTimeout && text.contains("no answer over TCP"),
        "{text}"
    );
}

/// A process that was stopped finds the answer in its socket, although its time is over.
#[test]
fn an_answer_that_arrived_in_time_counts_after_a_late_wake() {
    let servers = one(|query| query.found(7));
    let mut driver = Driver::with_servers(&servers, "");
    driver.start(1, "mx1.", Family::Any, Duration::from_millis(300));
    std::thread::sleep(Duration::from_millis(600));
    // As after EINTR: no events, and the clock is read.
    driver
        .resolver
        .expire(driver.poll.registry(), Instant::now());
    let (_, outcome) = driver.resolver.poll_answer().unwrap();
    assert_eq!(addresses(&outcome), "192.0.2.7 2001:db8::7");
}

#[test]
fn queries_that_a_late_process_did_not_send_are_a_local_error() {
    let servers = two(|_| Reply::Silent, |query| query.found(7));
    let mut driver = Driver::with_servers(&servers, "options attempts:1");
    driver.start(1, "mx1.", Family::V4, Duration::from_millis(300));
    std::thread::sleep(Duration::from_millis(600));
    driver
        .resolver
        .expire(driver.poll.registry(), Instant::now());
    let (status, text) = failure(&driver.resolver.poll_answer().unwrap().1);
    assert_eq!(status, Status::LocalError);
    assert!(
        text.contains("this process was stopped or had no CPU time"),
        "{text}"
    );
}

#[test]
fn gai_conf_decides_between_the_families() {
    let servers = one(|query| query.found(7));
    for (gai_conf, order) in [
        ("", AddressOrder::Ipv6First),
        ("precedence ::ffff:0:0/96  100\n", AddressOrder::Ipv4First),
        ("#precedence ::ffff:0:0/96  100\n", AddressOrder::Ipv6First),
    ] {
        let mut driver = Driver::with_servers(&servers, "");
        driver.write("gai.conf", gai_conf);
        let (outcome, _) = driver.resolve("mx1.", Family::Any, 1000);
        assert_eq!(outcome.unwrap().order, order, "{gai_conf}");
    }
}

/// Unanswered lookups of a run on one thread, and on one of several.
#[test]
fn a_lookup_that_is_not_answered_soon_does_not_hold_the_capacity_of_others() {
    for (threads, most) in [(1, 64), (2, 32), (5, 13)] {
        let servers = one(|query| match &*query.name {
            name if name.starts_with("silent") => Reply::Silent,
            _ => query.found(7),
        });
        let mut driver = Driver::with_servers(&servers, "");
        driver.resolver.share_limit(threads);
        let start = Instant::now();
        let (time, step) = (Duration::from_secs(5), Duration::from_millis(100));
        let names = (0..most * 3).map(|key| format!("silent{key}."));
        for (key, name) in names.chain(["last.".to_owned()]).enumerate() {
            let name = name.parse().unwrap();
            driver.resolver.start(
                driver.poll.registry(),
                key,
                &name,
                Family::V4,
                start,
                start + time,
            );
        }
        assert!(!driver.resolver.has_capacity());
        assert_eq!(driver.resolver.next_wake(), Some(start + step));
        // Each silent lookup allows one more, so the number doubles.
        for (round, queries) in [(1, 1), (2, 3)] {
            await_queries(&servers, most * queries);
            let due = step * round;
            for after in [due.mul_f64(0.99), due] {
                let now = start + after;
                driver.expire_all(now);
            }
        }
        await_queries(&servers, most * 3 + 1);
        let answers = driver.answers(1, Duration::from_secs(2));
        assert_eq!(answers[0].0, most * 3);
        assert!(driver.resolver.has_capacity());
    }
}

/// Waits until the server has got this many queries, and checks that it gets no more.
fn await_queries(servers: &Servers, count: usize) {
    let end = Instant::now() + Duration::from_secs(10);
    while servers.log().len() < count && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(servers.log().len(), count);
}

/// glibc would query 127.0.0.1, and each name would seem to be down.
#[test]
fn a_resolv_conf_that_may_not_be_read_is_a_local_error() {
    let Some(etc) = Etc::new().filter(Etc::can_drop_capabilities) else {
        return;
    };
    for (name, status, error) in [
        (
            "host.example",
            15,
            "resolve host.example: /etc/resolv.conf: permission denied",
        ),
        // Needs no server.
        ("inside", 3, ""),
    ] {
        let path = etc.path("resolv.conf");
        fs::write(&path, "nameserver 127.0.0.1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        let arguments = [name, "1", "-t", "1s", "-o", "json"];
        let ran = etc.check_behind(&WITHOUT_CAPABILITIES, &arguments);
        let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(document["status"], status, "{document}");
        assert!(document["error"].as_str().unwrap().starts_with(error));
    }
}
