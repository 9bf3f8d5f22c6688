//! The resolvers on a real poll, against scripted name servers on loopback addresses.

mod hostile;
mod many;
pub mod server;

use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::rerun::{passes_again, with_open_files};
use mio::{Events, Poll};
use simple_dns::{CLASS, Name, PacketFlag, Question, RCODE, TYPE};
use zbx_tcp::engine::dns::files::Files;
#[cfg(not(target_feature = "crt-static"))]
use zbx_tcp::engine::dns::system::SystemResolver;
use zbx_tcp::engine::dns::{ResolvedAddresses, Resolver, StubResolver, owns_token};
use zbx_tcp::failure::{Failure, Status};
use zbx_tcp::plan::Family;

use server::{ReceivedQuery, Reply, Servers, Tcp, cname, record};

/// How late after its deadline an answer may be on a busy machine.
const SLACK: Duration = Duration::from_millis(150);

/// A resolver with its poll.
struct Driver {
    poll: Poll,
    resolver: Box<dyn Resolver>,
    dir: Option<tempfile::TempDir>,
}

type Outcome = Result<ResolvedAddresses, Failure>;

impl Driver {
    /// Does all work that is due at this time; each call does a part of it.
    fn expire_all(&mut self, now: Instant) {
        for _ in 0..100 {
            self.resolver.expire(self.poll.registry(), now);
        }
    }

    fn new(resolv_conf: &str, hosts: &str, port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let files = Files {
            resolv_conf: write("resolv.conf", resolv_conf),
            hosts: write("hosts", hosts),
            hostname: write("hostname", "probe\n"),
            gai_conf: write("gai.conf", ""),
            port,
        };
        Self {
            poll: Poll::new().unwrap(),
            resolver: Box::new(StubResolver::new(files)),
            dir: Some(dir),
        }
    }

    fn with_servers(servers: &Servers, more: &str) -> Self {
        Self::new(&servers.resolv_conf(more), "", servers.port)
    }

    /// Replaces one of the files, before the first lookup.
    fn write(&self, name: &str, text: &str) {
        let dir = self.dir.as_ref().unwrap();
        fs::write(dir.path().join(name), text).unwrap();
    }

    fn start(&mut self, key: usize, name: &str, family: Family, time: Duration) {
        let now = Instant::now();
        let name = name.parse().unwrap();
        self.resolver
            .start(self.poll.registry(), key, &name, family, now, now + time);
    }

    fn cancel(&mut self, key: usize) {
        self.resolver.cancel(key);
    }

    /// Runs the event loop until `count` lookups have finished or `time` has passed.
    fn answers(&mut self, count: usize, time: Duration) -> Vec<(usize, Outcome)> {
        let end = Instant::now() + time;
        let mut events = Events::with_capacity(64);
        let mut answers = Vec::new();
        loop {
            while let Some(answer) = self.resolver.poll_answer() {
                answers.push(answer);
            }
            let now = Instant::now();
            if answers.len() >= count || now >= end {
                return answers;
            }
            let wake = self.resolver.next_wake().unwrap_or(end).min(end);
            self.poll
                .poll(&mut events, Some(wake.saturating_duration_since(now)))
                .unwrap();
            let now = Instant::now();
            for event in &events {
                assert!(owns_token(event.token()));
                self.resolver
                    .ready(self.poll.registry(), event.token(), now);
            }
            if self.resolver.next_wake().is_some_and(|wake| wake <= now) {
                self.resolver.expire(self.poll.registry(), now);
            }
        }
    }

    /// Runs one lookup and checks that it ends by its deadline.
    fn resolve(&mut self, name: &str, family: Family, millis: u64) -> (Outcome, Duration) {
        let (time, start) = (Duration::from_millis(millis), Instant::now());
        self.start(1, name, family, time);
        let mut answers = self.answers(1, time + SLACK);
        assert_eq!(answers.len(), 1, "one result by the deadline");
        let took = start.elapsed();
        assert!(took <= time + SLACK, "{took:?}");
        (answers.remove(0).1, took)
    }
}

fn addresses(outcome: &Outcome) -> String {
    let resolved = outcome
        .as_ref()
        .unwrap_or_else(|failure| panic!("{failure}"));
    let all = resolved
        .v4
        .iter()
        .map(ToString::to_string)
        .chain(resolved.v6.iter().map(ToString::to_string));
    all.collect::<Vec<_>>().join(" ")
}

fn failure(outcome: &Outcome) -> (Status, String) {
    let failure = outcome.as_ref().expect_err("found");
    (failure.status, failure.text.clone())
}

fn one(script: impl Fn(&ReceivedQuery) -> Reply + Send + Sync + 'static) -> Servers {
    Servers::start(Tcp::Listening, vec![Box::new(script)])
}

fn two(
    first: impl Fn(&ReceivedQuery) -> Reply + Send + Sync + 'static,
    second: impl Fn(&ReceivedQuery) -> Reply + Send + Sync + 'static,
) -> Servers {
    Servers::start(Tcp::Listening, vec![Box::new(first), Box::new(second)])
}

fn truncated(query: &ReceivedQuery) -> Reply {
    query.reply(|packet| packet.set_flags(PacketFlag::TRUNCATION))
}

#[test]
fn both_families_come_from_one_server() {
    let servers = one(|query| query.found(7));
    let (outcome, _) =
        Driver::with_servers(&servers, "").resolve("mx1.example.org", Family::Any, 2000);
    assert_eq!(addresses(&outcome), "192.0.2.7 2001:db8::7");
    let addresses = outcome.unwrap();
    let server = format!("{}:{}", servers.addresses[0], servers.port);
    assert_eq!(
        addresses.to_string(),
        format!("192.0.2.7, 2001:db8::7 from {server}")
    );
    let mut log = servers.log();
    log.sort();
    assert_eq!(
        log,
        ["0 A mx1.example.org udp", "0 AAAA mx1.example.org udp"]
    );
}

#[test]
fn hosts_and_localhost_need_no_query() {
    let servers = one(|query| query.found(7));
    let mut driver = Driver::new(
        &servers.resolv_conf(""),
        "192.0.2.99 mx1 # here\n",
        servers.port,
    );
    let (outcome, _) = driver.resolve("MX1", Family::Any, 1000);
    assert_eq!(
        (addresses(&outcome), outcome.unwrap().from.to_string()),
        ("192.0.2.99".into(), "hosts file".into())
    );
    // A result that needs no query does not wait for the next event.
    driver.start(5, "localhost", Family::Any, Duration::from_secs(1));
    assert!(
        driver
            .resolver
            .next_wake()
            .is_some_and(|wake| wake <= Instant::now())
    );
    assert_eq!(driver.answers(1, Duration::ZERO).len(), 1);
    assert_eq!(driver.resolver.next_wake(), None);
    let (outcome, _) = driver.resolve("app.localhost", Family::Any, 1000);
    assert_eq!(addresses(&outcome), "127.0.0.1 ::1");
    assert_eq!(servers.log().len(), 0);
    // A line without an address of the requested family does not prevent a query.
    assert_eq!(
        addresses(&driver.resolve("mx1.", Family::V6, 1000).0),
        "2001:db8::7"
    );
}

#[test]
fn an_answer_after_the_timeout_of_its_attempt_is_used() {
    let late =
        |query: &ReceivedQuery| Reply::Late(Duration::from_millis(250), Box::new(query.found(7)));
    let servers = two(late, |_| Reply::Silent);
    let (outcome, took) =
        Driver::with_servers(&servers, "options attempts:1").resolve("mx1.", Family::V4, 400);
    assert_eq!(addresses(&outcome), "192.0.2.7");
    assert!(
        took >= Duration::from_millis(250) && servers.log().len() == 2,
        "{took:?}"
    );
}

#[test]
fn silence_ends_at_the_deadline() {
    let silent = || Box::new(|_: &ReceivedQuery| Reply::Silent) as Box<_>;
    let servers = Servers::start(Tcp::Listening, vec![silent(), silent(), silent()]);
    let (outcome, took) = Driver::with_servers(&servers, "search a.example b.example").resolve(
        "mx1",
        Family::Any,
        300,
    );
    let (status, text) = failure(&outcome);
    assert_eq!(status, Status::ResolveTimeout);
    assert!(
        text.starts_with("resolve mx1: mx1.a.example: no answer from 127.53.")
            && !text.contains(" 0.3"),
        "{text}"
    );
    assert!(took >= Duration::from_millis(300));
    // Each server was queried at least once.
    for server in ["0", "1", "2"] {
        assert!(
            servers.log().iter().any(|line| line.starts_with(server)),
            "{:?}",
            servers.log()
        );
    }
}

#[test]
fn forged_answers_are_ignored() {
    let servers = one(|query| {
        let forged = |change: &dyn Fn(&mut simple_dns::Packet<'_>)| {
            query.answer(|packet| {
                packet.answers.push(record(&query.name, query.address(66)));
                change(packet);
            })
        };
        let wrong_id = forged(&|packet| packet.set_id(packet.id().wrapping_add(1)));
        let wrong_question = forged(&|packet| {
            let name = Name::new("other.example").unwrap().into_owned();
            packet.questions = vec![Question::new(name, TYPE::A.into(), CLASS::IN.into(), false)];
        });
        let not_a_response = forged(&|packet| packet.remove_flags(PacketFlag::RESPONSE));
        let right =
            query.answer(|packet| packet.answers.push(record(&query.name, query.address(7))));
        let rest = Reply::Messages(vec![
            wrong_id,
            wrong_question,
            not_a_response,
            vec![],
            vec![1],
            right,
        ]);
        Reply::FromOtherPort(
            forged(&|_| {}),
            Box::new(Reply::Late(Duration::from_millis(20), Box::new(rest))),
        )
    });
    let (outcome, _) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 1000);
    assert_eq!(addresses(&outcome), "192.0.2.7");
    assert_eq!(servers.log().len(), 1);
}

#[test]
fn forged_answers_alone_count_as_no_answer() {
    let servers = one(|query| query.reply(|packet| packet.set_id(packet.id().wrapping_add(1))));
    let (outcome, _) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 200);
    assert_eq!(failure(&outcome).0, Status::ResolveTimeout);
}

#[test]
fn a_truncated_answer_is_followed_by_a_query_over_tcp() {
    let servers = one(|query| {
        if query.transport == "udp" {
            truncated(query)
        } else {
            query.found(7)
        }
    });
    let (outcome, _) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 1000);
    assert_eq!(addresses(&outcome), "192.0.2.7");
    assert_eq!(servers.log(), ["0 A mx1 udp", "0 A mx1 tcp"]);
}

#[test]
fn a_truncated_answer_without_a_tcp_port_is_a_failure() {
    let servers = Servers::start(Tcp::Closed, vec![Box::new(truncated)]);
    let (outcome, took) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 1000);
    let (status, text) = failure(&outcome);
    assert!(
        status == Status::ResolveFailed && text.contains("over TCP connection refused"),
        "{text}"
    );
    assert!(took < Duration::from_millis(500));
}

#[test]
fn after_an_incomplete_tcp_answer_the_next_server_is_queried() {
    for end in [&b""[..], b"\x01", b"\x01\x00ab", b"\x00\x00"] {
        let first = move |query: &ReceivedQuery| {
            if query.transport == "udp" {
                truncated(query)
            } else {
                Reply::Raw(end.into())
            }
        };
        let servers = two(first, |query| query.found(8));
        let (outcome, took) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 2000);
        assert_eq!(addresses(&outcome), "192.0.2.8");
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
}

#[test]
fn use_vc_queries_over_tcp_only() {
    let servers = one(|query| query.found(7));
    let (outcome, _) =
        Driver::with_servers(&servers, "options use-vc").resolve("mx1.", Family::Any, 1000);
    assert_eq!(addresses(&outcome), "192.0.2.7 2001:db8::7");
    assert!(servers.log().iter().all(|line| line.ends_with("tcp")));
}

#[test]
fn after_an_error_the_next_server_is_queried_at_once() {
    type Script = fn(&ReceivedQuery) -> Reply;
    let looped = |query: &ReceivedQuery| {
        let mut bytes =
            query.answer(|packet| packet.answers.push(record(&query.name, query.address(66))));
        let owner = query.bytes.len();
        bytes[owner..owner + 2].copy_from_slice(&[0xc0, u8::try_from(owner).unwrap()]);
        Reply::Messages(vec![bytes])
    };
    let cases: [Script; 5] = [
        |query| query.rcode(RCODE::ServerFailure),
        |query| query.rcode(RCODE::Refused),
        |query| {
            Reply::Messages(vec![
                query.bytes[..2]
                    .iter()
                    .copied()
                    .chain([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0])
                    .collect(),
            ])
        },
        looped,
        |query| {
            query.reply(|packet| {
                packet
                    .answers
                    .push(record(&query.name, cname("loop.example")));
                packet
                    .answers
                    .push(record("loop.example", cname(&query.name)));
            })
        },
    ];
    for script in cases {
        let servers = two(script, |query| query.found(8));
        let (outcome, took) =
            Driver::with_servers(&servers, "").resolve("mx1.example.org.", Family::V4, 2000);
        assert_eq!(addresses(&outcome), "192.0.2.8");
        assert!(took < Duration::from_millis(500), "{took:?}");
        let servers = one(script);
        let (outcome, took) =
            Driver::with_servers(&servers, "").resolve("mx1.example.org.", Family::V4, 2000);
        assert_eq!(failure(&outcome).0, Status::ResolveFailed);
        assert!(
            took < Duration::from_millis(500) && servers.log().len() == 1,
            "{took:?}"
        );
    }
}

#[test]
fn failures_name_rcode_and_server() {
    for (rcode, cause) in [
        (RCODE::NameError, "NXDOMAIN (from "),
        (RCODE::ServerFailure, "SERVFAIL from "),
        (RCODE::Refused, "REFUSED from "),
    ] {
        let servers = one(move |query| query.rcode(rcode));
        let (outcome, _) =
            Driver::with_servers(&servers, "").resolve("mx1.example.org", Family::Any, 1000);
        let text = format!(
            "resolve mx1.example.org: {cause}{}:{}",
            servers.addresses[0], servers.port
        );
        let (status, actual) = failure(&outcome);
        assert!(
            status == Status::ResolveFailed && actual.starts_with(&text),
            "{actual}"
        );
    }
}

#[test]
fn a_refused_port_fails_at_once() {
    let servers = one(|_| Reply::Silent);
    let (conf, port) = (servers.resolv_conf(""), servers.port);
    let address = servers.addresses[0];
    drop(servers);
    // The threads of the server may still hold its sockets.
    while std::net::UdpSocket::bind((address, port)).is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (outcome, took) = Driver::new(&conf, "", port).resolve("mx1", Family::Any, 2000);
    let (status, text) = failure(&outcome);
    assert_eq!(status, Status::ResolveFailed);
    assert!(
        text.contains("no name server reachable: connection refused at 127.53."),
        "{text}"
    );
    assert!(took < Duration::from_millis(500));
    // Over TCP too.
    let (outcome, _) =
        Driver::new(&format!("{conf}options use-vc\n"), "", port).resolve("mx1", Family::Any, 2000);
    assert!(
        failure(&outcome).1.contains("connection refused at"),
        "{outcome:?}"
    );
}

#[test]
fn an_unusable_server_does_not_hide_the_next() {
    let servers = one(|query| query.found(7));
    let conf = format!("nameserver fe80::1%no-such-if\n{}", servers.resolv_conf(""));
    let (outcome, _) = Driver::new(&conf, "", servers.port).resolve("mx1.", Family::V4, 1000);
    assert_eq!(addresses(&outcome), "192.0.2.7");
}

#[test]
fn cname_chains_are_followed() {
    let servers = one(|query| {
        query.reply(|packet| {
            packet
                .answers
                .push(record(&query.name, cname("www.example")));
            packet
                .answers
                .push(record("WWW.example", cname("host.example")));
            packet
                .answers
                .push(record("host.example", query.address(7)));
            packet
                .answers
                .push(record("other.example", query.address(66)));
        })
    });
    let (outcome, _) =
        Driver::with_servers(&servers, "").resolve("mx1.example.org", Family::Any, 1000);
    assert_eq!(addresses(&outcome), "192.0.2.7 2001:db8::7");
    assert_eq!(outcome.unwrap().canonical.as_deref(), Some("host.example"));
}

/// TCP carries at most 64 KiB, which is 4094 addresses.
#[test]
fn the_largest_answer_is_parsed_quickly() {
    let servers = one(|query| {
        if query.transport == "udp" {
            return truncated(query);
        }
        query.reply(|packet| {
            packet.answers.extend(
                (0..250)
                    .cycle()
                    .take(4090)
                    .map(|n| record(&query.name, query.address(n))),
            );
        })
    });
    let (outcome, took) = Driver::with_servers(&servers, "").resolve("mx1.", Family::V4, 2500);
    assert_eq!(outcome.unwrap().v4.len(), 4090);
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[test]
fn the_search_list_is_tried_in_order() {
    let servers = one(|query| match query.name.as_str() {
        "mx1.a.example" => query.rcode(RCODE::NameError),
        "mx1.b.example" => query.rcode(RCODE::ServerFailure),
        _ => query.found(7),
    });
    let mut driver = Driver::with_servers(&servers, "search a.example b.example c.example");
    let (outcome, _) = driver.resolve("mx1", Family::V4, 1000);
    assert_eq!(
        (
            addresses(&outcome).as_str(),
            outcome.unwrap().canonical.as_deref()
        ),
        ("192.0.2.7", Some("mx1.c.example"))
    );
    assert_eq!(
        servers.log(),
        [
            "0 A mx1.a.example udp",
            "0 A mx1.b.example udp",
            "0 A mx1.c.example udp"
        ]
    );
}

#[test]
fn a_silent_family_does_not_hide_the_other() {
    let servers = one(|query| {
        if query.kind == "AAAA" {
            Reply::Silent
        } else {
            query.found(7)
        }
    });
    let (outcome, took) = Driver::with_servers(&servers, "").resolve("mx1.", Family::Any, 600);
    assert_eq!(addresses(&outcome), "192.0.2.7");
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_millis(300) + SLACK,
        "{took:?}"
    );
}

#[test]
fn rotate_starts_each_lookup_with_the_next_server() {
    let servers = two(|query| query.found(1), |query| query.found(2));
    let mut driver = Driver::with_servers(&servers, "options rotate");
    let seen: Vec<String> = ["a.", "b.", "c."]
        .map(|name| addresses(&driver.resolve(name, Family::V4, 1000).0))
        .into();
    assert_eq!(seen, ["192.0.2.1", "192.0.2.2", "192.0.2.1"]);
}

#[test]
fn requests_for_one_name_share_a_lookup() {
    let servers = one(|query| Reply::Late(Duration::from_millis(50), Box::new(query.found(7))));
    let mut driver = Driver::with_servers(&servers, "");
    for key in 0..1000 {
        let name = if key % 2 == 0 {
            "mx1.example.org"
        } else {
            "MX1.Example.org"
        };
        driver.start(key, name, Family::V4, Duration::from_secs(2));
    }
    let mut keys: Vec<usize> = driver
        .answers(1000, Duration::from_secs(2))
        .iter()
        .map(|(key, _)| *key)
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..1000).collect::<Vec<_>>());
    assert_eq!(servers.log().len(), 1);
}

#[test]
fn an_answer_is_reused_for_a_second() {
    let servers = one(|query| query.found(7));
    let mut driver = Driver::with_servers(&servers, "");
    for name in ["mx1.example.org", "MX1.example.org", "mx1.example.org"] {
        assert_eq!(
            addresses(&driver.resolve(name, Family::V4, 1000).0),
            "192.0.2.7"
        );
    }
    assert_eq!(servers.log().len(), 1);
    // Not for another family or name.
    assert_eq!(
        addresses(&driver.resolve("mx1.example.org", Family::V6, 1000).0),
        "2001:db8::7"
    );
    assert_eq!(
        addresses(&driver.resolve("mx2.example.org", Family::V4, 1000).0),
        "192.0.2.7"
    );
    assert_eq!(servers.log().len(), 3);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(
        addresses(&driver.resolve("mx1.example.org", Family::V4, 1000).0),
        "192.0.2.7"
    );
    assert_eq!(servers.log().len(), 4);
}

#[test]
fn each_key_has_its_own_deadline() {
    let servers = one(|query| Reply::Late(Duration::from_millis(250), Box::new(query.found(7))));
    let mut driver = Driver::with_servers(&servers, "");
    driver.start(1, "mx1.", Family::V4, Duration::from_millis(600));
    driver.start(2, "mx1.", Family::V4, Duration::from_millis(100));
    let answers = driver.answers(2, Duration::from_millis(900));
    assert_eq!(
        (answers[0].0, failure(&answers[0].1).0),
        (2, Status::ResolveTimeout)
    );
    assert_eq!(
        (answers[1].0, addresses(&answers[1].1)),
        (1, "192.0.2.7".into())
    );
}

#[test]
fn a_request_that_joins_later_keeps_its_own_deadline() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let servers = one(
        move |query| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::Silent,
            _ => query.found(7),
        },
    );
    let mut driver = Driver::with_servers(&servers, "options attempts:1");
    driver.start(1, "mx1.", Family::V4, Duration::from_millis(200));
    assert_eq!(driver.answers(1, Duration::from_millis(100)).len(), 0);
    driver.start(2, "mx1.", Family::V4, Duration::from_millis(500));
    let answers = driver.answers(2, Duration::from_secs(1));
    assert_eq!(
        (answers[0].0, failure(&answers[0].1).0),
        (1, Status::ResolveTimeout)
    );
    assert_eq!(
        (answers[1].0, addresses(&answers[1].1)),
        (2, "192.0.2.7".into())
    );
}

#[test]
fn a_thousand_names_are_resolved() {
    let servers = one(|query| query.found(7));
    let mut driver = Driver::with_servers(&servers, "");
    for key in 0..1000 {
        driver.start(
            key,
            &format!("host{key}.example."),
            Family::Any,
            Duration::from_millis(2500),
        );
    }
    let answers = driver.answers(1000, Duration::from_millis(2700));
    assert_eq!(answers.len(), 1000);
    for (_, outcome) in &answers {
        assert_eq!(addresses(outcome), "192.0.2.7 2001:db8::7");
    }
}

#[test]
fn queued_lookups_keep_their_deadlines() {
    let servers = one(|_| Reply::Silent);
    let mut driver = Driver::with_servers(&servers, "");
    let start = Instant::now();
    let time = |key| start + Duration::from_millis(if key < 64 { 600 } else { 50 });
    for key in 0..100 {
        let name = format!("host{key}.").parse().unwrap();
        driver.resolver.start(
            driver.poll.registry(),
            key,
            &name,
            Family::V4,
            start,
            time(key),
        );
    }
    driver.expire_all(time(99));
    // Our own limit says nothing about these names.
    let queued = driver.answers(100, Duration::ZERO);
    assert_eq!(queued.len(), 36);
    for (_, outcome) in &queued {
        let (status, text) = failure(outcome);
        assert!(
            status == Status::NotTried && text.contains("no query was sent"),
            "{text}"
        );
    }
    let answers = driver.answers(64, Duration::from_millis(600) + SLACK);
    assert_eq!(answers.len(), 64);
    for (_, outcome) in &answers {
        assert_eq!(failure(outcome).0, Status::ResolveTimeout);
    }
}

#[test]
fn cancelled_lookups_free_capacity() {
    let servers = one(|query| {
        if query.name == "last" {
            query.found(7)
        } else {
            Reply::Silent
        }
    });
    let mut driver = Driver::with_servers(&servers, "");
    // Some are running, the others are queued.
    for key in 0..200 {
        driver.start(
            key,
            &format!("host{key}."),
            Family::V4,
            Duration::from_secs(2),
        );
    }
    driver.start(200, "last.", Family::V4, Duration::from_secs(2));
    for key in 0..200 {
        driver.cancel(key);
    }
    let answers = driver.answers(1, Duration::from_millis(500));
    assert_eq!(
        (answers.len(), answers[0].0, addresses(&answers[0].1)),
        (1, 200, "192.0.2.7".into())
    );
    assert_eq!(driver.resolver.next_wake(), None);
}

/// Runs itself in a process of its own, because the descriptor limit applies to a process.
#[test]
fn without_descriptors_a_lookup_waits_and_then_fails() {
    const INNER: &str = "ZBX_TCP_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(INNER).is_some() {
        return exhaust_descriptors();
    }
    passes_again(
        with_open_files(64).env(INNER, "1"),
        "dns::without_descriptors_a_lookup_waits_and_then_fails",
    );
}

fn exhaust_descriptors() {
    let servers = one(|query| query.found(7));
    let mut unread = Driver::with_servers(&servers, "");
    let mut driver = Driver::with_servers(&servers, "");
    // The files are read while there are descriptors.
    assert_eq!(
        addresses(&driver.resolve("first.", Family::V4, 1000).0),
        "192.0.2.7"
    );
    // More than once, because other threads of this process may still close descriptors.
    let mut held = Vec::new();
    for _ in 0..3 {
        while let Ok(file) = File::open(Path::new("/dev/null")) {
            held.push(file);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (outcome, took) = driver.resolve("mx1.", Family::V4, 200);
    let (status, text) = failure(&outcome);
    assert!(
        status == Status::LocalError && text.contains("too many open files"),
        "{text}"
    );
    assert!(took >= Duration::from_millis(200));
    // The same for one that has not read its files: without them it would query 127.0.0.1.
    let (outcome, took) = unread.resolve("mx1.", Family::V4, 200);
    let (status, text) = failure(&outcome);
    assert!(
        status == Status::LocalError && text.contains("resolv.conf: too many open files"),
        "{text}"
    );
    assert!(took >= Duration::from_millis(200));

    unread.start(3, "mx1.", Family::V4, Duration::from_secs(1));
    assert_eq!(unread.answers(1, Duration::from_millis(50)).len(), 0);
    driver.start(2, "mx1.", Family::V4, Duration::from_secs(1));
    assert_eq!(driver.answers(1, Duration::from_millis(50)).len(), 0);
    held.clear();
    for driver in [&mut driver, &mut unread] {
        let answers = driver.answers(1, Duration::from_millis(500));
        assert_eq!(addresses(&answers[0].1), "192.0.2.7");
    }
}

/// Runs in a network namespace without interfaces: the C library would ask the name servers of this
/// machine.
#[cfg(not(target_feature = "crt-static"))]
#[test]
fn the_system_resolver_resolves_and_fails_like_the_stub() {
    const INNER: &str = "ZBX_TCP_TEST_IN_A_NAMESPACE";
    if std::env::var_os(INNER).is_none() {
        return passes_again(
            Command::new("unshare")
                .args(["--user", "--map-root-user", "--net"])
                .env(INNER, "1"),
            "dns::the_system_resolver_resolves_and_fails_like_the_stub",
        );
    }
    let poll = Poll::new().unwrap();
    let resolver = SystemResolver::new(poll.registry()).unwrap();
    let mut driver = Driver {
        poll,
        resolver: Box::new(resolver),
        dir: None,
    };
    let (outcome, _) = driver.resolve("localhost", Family::V4, 2000);
    assert_eq!(
        (addresses(&outcome), outcome.unwrap().from.to_string()),
        ("127.0.0.1".into(), "system resolver".into())
    );
    // With any servers of this machine, the lookup fails by the deadline.
    let (outcome, _) = driver.resolve("no-such-name.invalid", Family::Any, 300);
    let (status, text) = failure(&outcome);
    assert!(
        matches!(status, Status::ResolveFailed | Status::ResolveTimeout),
        "{text}"
    );
    assert!(
        text.starts_with("resolve no-such-name.invalid: ") && text.contains("system resolver"),
        "{text}"
    );
    // Requests for one name share a call, and each gets a result.
    for key in 0..200 {
        driver.start(
            key,
            if key % 2 == 0 {
                "localhost"
            } else {
                "LOCALHOST"
            },
            Family::V4,
            Duration::from_secs(5),
        );
    }
    driver.cancel(150);
    let mut answers = driver.answers(199, Duration::from_secs(5));
    answers.sort_unstable_by_key(|(key, _)| *key);
    let expected: Vec<usize> = (0..200).filter(|key| *key != 150).collect();
    assert_eq!(
        answers.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        expected
    );
    assert!(
        answers
            .iter()
            .all(|(_, outcome)| addresses(outcome) == "127.0.0.1")
    );
    driver.start(7, "localhost", Family::Any, Duration::from_secs(1));
    driver.cancel(7);
    assert_eq!(driver.answers(1, Duration::from_millis(100)).len(), 0);
}
