//! The resolver inside a real poll, against scripted name servers on loopback addresses.

mod many;
pub mod server;

use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use simple_dns::{CLASS, Name, PacketFlag, Question, RCODE, TYPE};
use zbx_tcp::engine::dns::files::Files;
use zbx_tcp::engine::dns::{ResolvedAddresses, Resolver};
use zbx_tcp::failure::{Failure, Status};
use zbx_tcp::plan::Family;

use server::{Asked, Reply, Servers, Tcp, cname, record};

/// How much later than its deadline an answer may come on a busy machine.
const SLACK: Duration = Duration::from_millis(150);

/// A poll around a resolver.
struct Driver {
    poll: Poll,
    resolver: Resolver,
    _dir: Option<tempfile::TempDir>,
}

type Outcome = Result<ResolvedAddresses, Failure>;

impl Driver {
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
            port,
        };
        Self {
            poll: Poll::new().unwrap(),
            resolver: Resolver::new(files),
            _dir: Some(dir),
        }
    }

    fn of(servers: &Servers, more: &str) -> Self {
        Self::new(&servers.resolv_conf(more), "", servers.port)
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

    /// Turns the loop until so many answers have come, or until `time` is over.
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
                assert!(Resolver::owns(event.token()));
                self.resolver
                    .ready(self.poll.registry(), event.token(), now);
            }
            if self.resolver.next_wake().is_some_and(|wake| wake <= now) {
                self.resolver.expire(self.poll.registry(), now);
            }
        }
    }

    /// One lookup; its time is checked against the deadline.
    fn resolve(&mut self, name: &str, family: Family, millis: u64) -> (Outcome, Duration) {
        let (time, start) = (Duration::from_millis(millis), Instant::now());
        self.start(1, name, family, time);
        let mut answers = self.answers(1, time + SLACK);
        assert_eq!(answers.len(), 1, "one answer by the deadline");
        let took = start.elapsed();
        assert!(took <= time + SLACK, "{took:?}");
        (answers.remove(0).1, took)
    }
}

fn words(outcome: &Outcome) -> String {
    let addresses = outcome
        .as_ref()
        .unwrap_or_else(|failure| panic!("{failure}"));
    let all = addresses
        .v4
        .iter()
        .map(ToString::to_string)
        .chain(addresses.v6.iter().map(ToString::to_string));
    all.collect::<Vec<_>>().join(" ")
}

fn failure(outcome: &Outcome) -> (Status, String) {
    let failure = outcome.as_ref().expect_err("found");
    (failure.status, failure.text.clone())
}

fn one(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Servers {
    Servers::start(Tcp::Listens, vec![Box::new(script)])
}

fn two(
    first: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    second: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> Servers {
    Servers::start(Tcp::Listens, vec![Box::new(first), Box::new(second)])
}

fn truncated(asked: &Asked) -> Reply {
    asked.reply(|packet| packet.set_flags(PacketFlag::TRUNCATION))
}

#[test]
fn both_families_come_from_one_server() {
    let servers = one(|asked| asked.found(7));
    let (outcome, _) = Driver::of(&servers, "").resolve("mx1.example.org", Family::Any, 2000);
    assert_eq!(words(&outcome), "192.0.2.7 2001:db8::7");
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
fn hosts_and_localhost_send_no_query() {
    let servers = one(|asked| asked.found(7));
    let mut driver = Driver::new(
        &servers.resolv_conf(""),
        "192.0.2.99 mx1 # here\n",
        servers.port,
    );
    let (outcome, _) = driver.resolve("MX1", Family::Any, 1000);
    assert_eq!(
        (words(&outcome), outcome.unwrap().from.to_string()),
        ("192.0.2.99".into(), "hosts file".into())
    );
    // What is known at once does not wait for the next event.
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
    assert_eq!(words(&outcome), "127.0.0.1 ::1");
    assert_eq!(servers.log().len(), 0);
    // A line without the wanted family leaves the question to the servers.
    assert_eq!(
        words(&driver.resolve("mx1.", Family::V6, 1000).0),
        "2001:db8::7"
    );
}

#[test]
fn a_late_answer_is_accepted() {
    let late = |asked: &Asked| Reply::Late(Duration::from_millis(250), Box::new(asked.found(7)));
    let servers = two(late, |_| Reply::Silent);
    let (outcome, took) =
        Driver::of(&servers, "options attempts:1").resolve("mx1.", Family::V4, 400);
    assert_eq!(words(&outcome), "192.0.2.7");
    assert!(
        took >= Duration::from_millis(250) && servers.log().len() == 2,
        "{took:?}"
    );
}

#[test]
fn silence_ends_at_the_deadline() {
    let silent = || Box::new(|_: &Asked| Reply::Silent) as Box<_>;
    let servers = Servers::start(Tcp::Listens, vec![silent(), silent(), silent()]);
    let (outcome, took) =
        Driver::of(&servers, "search a.example b.example").resolve("mx1", Family::Any, 300);
    let (status, text) = failure(&outcome);
    assert_eq!(status, Status::ResolveTimeout);
    assert!(
        text.starts_with("resolve mx1: mx1.a.example: no answer from 127.53.")
            && text.contains("(0.3 s)"),
        "{text}"
    );
    assert!(took >= Duration::from_millis(300));
    // Each server was asked at least once.
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
    let servers = one(|asked| {
        let evil = |change: &dyn Fn(&mut simple_dns::Packet<'_>)| {
            asked.answer(|packet| {
                packet.answers.push(record(&asked.name, asked.address(66)));
                change(packet);
            })
        };
        let id = evil(&|packet| packet.set_id(packet.id().wrapping_add(1)));
        let question = evil(&|packet| {
            let name = Name::new("other.example").unwrap().into_owned();
            packet.questions = vec![Question::new(name, TYPE::A.into(), CLASS::IN.into(), false)];
        });
        let query = evil(&|packet| packet.remove_flags(PacketFlag::RESPONSE));
        let right =
            asked.answer(|packet| packet.answers.push(record(&asked.name, asked.address(7))));
        let rest = Reply::Messages(vec![id, question, query, vec![], vec![1], right]);
        Reply::FromElsewhere(
            evil(&|_| {}),
            Box::new(Reply::Late(Duration::from_millis(20), Box::new(rest))),
        )
    });
    let (outcome, _) = Driver::of(&servers, "").resolve("mx1.", Family::V4, 1000);
    assert_eq!(words(&outcome), "192.0.2.7");
    assert_eq!(servers.log().len(), 1);
}

#[test]
fn only_forged_answers_time_out() {
    let servers = one(|asked| asked.reply(|packet| packet.set_id(packet.id().wrapping_add(1))));
    let (outcome, _) = Driver::of(&servers, "").resolve("mx1.", Family::V4, 200);
    assert_eq!(failure(&outcome).0, Status::ResolveTimeout);
}

#[test]
fn a_truncated_answer_comes_over_tcp() {
    let servers = one(|asked| {
        if asked.over == "udp" {
            truncated(asked)
        } else {
            asked.found(7)
        }
    });
    let (outcome, _) = Driver::of(&servers, "").resolve("mx1.", Family::V4, 1000);
    assert_eq!(words(&outcome), "192.0.2.7");
    assert_eq!(servers.log(), ["0 A mx1 udp", "0 A mx1 tcp"]);
}

#[test]
fn a_truncated_answer_with_dead_tcp_is_a_failure() {
    let servers = Servers::start(Tcp::Dead, vec![Box::new(truncated)]);
    let (outcome, took) = Driver::of(&servers, "").resolve("mx1.", Family::V4, 1000);
    let (status, text) = failure(&outcome);
    assert!(
        status == Status::ResolveFailed && text.contains("over TCP connection refused"),
        "{text}"
    );
    assert!(took < Duration::from_millis(500));
}

#[test]
fn a_truncated_tcp_answer_falls_back_to_the_next_server() {
    for end in [&b""[..], b"\x01", b"\x01\x00ab", b"\x00\x00"] {
        let first = move |asked: &Asked| {
            if asked.over == "udp" {
                truncated(asked)
            } else {
                Reply::Raw(end.into())
            }
        };
        let servers = two(first, |asked| asked.found(8));
        let (outcome, took) = Driver::of(&servers, "").resolve("mx1.", Family::V4, 2000);
        assert_eq!(words(&outcome), "192.0.2.8");
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
}

#[test]
fn use_vc_asks_over_tcp_only() {
    let servers = one(|asked| asked.found(7));
    let (outcome, _) = Driver::of(&servers, "options use-vc").resolve("mx1.", Family::Any, 1000);
    assert_eq!(words(&outcome), "192.0.2.7 2001:db8::7");
    assert!(servers.log().iter().all(|line| line.ends_with("tcp")));
}

#[test]
fn server_errors_fall_back_to_the_next_server_at_once() {
    type Script = fn(&Asked) -> Reply;
    let looped = |asked: &Asked| {
        let mut bytes =
            asked.answer(|packet| packet.answers.push(record(&asked.name, asked.address(66))));
        let owner = asked.bytes.len();
        bytes[owner..owner + 2].copy_from_slice(&[0xc0, owner as u8]);
        Reply::Messages(vec![bytes])
    };
    let cases: [Script; 5] = [
        |asked| asked.rcode(RCODE::ServerFailure),
        |asked| asked.rcode(RCODE::Refused),
        |asked| {
            Reply::Messages(vec![
                asked.bytes[..2]
                    .iter()
                    .copied()
                    .chain([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0])
                    .collect(),
            ])
        },
        looped,
        |asked| {
            asked.reply(|packet| {
                packet
                    .answers
                    .push(record(&asked.name, cname("loop.example")));
                packet
                    .answers
                    .push(record("loop.example", cname(&asked.name)));
            })
        },
    ];
    for script in cases {
        let servers = two(script, |asked| asked.found(8));
        let (outcome, took) =
            Driver::of(&servers, "").resolve("mx1.example.org.", Family::V4, 2000);
        assert_eq!(words(&outcome), "192.0.2.8");
        assert!(took < Duration::from_millis(500), "{took:?}");
        let servers = one(script);
        let (outcome, took) =
            Driver::of(&servers, "").resolve("mx1.example.org.", Family::V4, 2000);
        assert_eq!(failure(&outcome).0, Status::ResolveFailed);
        assert!(
            took < Duration::from_millis(500) && servers.log().len() == 1,
            "{took:?}"
        );
    }
}

#[test]
fn failures_name_rcode_and_server() {
    for (rcode, word) in [
        (RCODE::NameError, "NXDOMAIN (from "),
        (RCODE::ServerFailure, "SERVFAIL from "),
        (RCODE::Refused, "REFUSED from "),
    ] {
        let servers = one(move |asked| asked.rcode(rcode));
        let (outcome, _) = Driver::of(&servers, "").resolve("mx1.example.org", Family::Any, 1000);
        let text = format!(
            "resolve mx1.example.org: {word}{}:{}",
            servers.addresses[0], servers.port
        );
        let (status, said) = failure(&outcome);
        assert!(
            status == Status::ResolveFailed && said.starts_with(&text),
            "{said}"
        );
    }
}

#[test]
fn a_refused_port_fails_at_once() {
    let servers = one(|_| Reply::Silent);
    let (conf, port) = (servers.resolv_conf(""), servers.port);
    drop(servers);
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
    let servers = one(|asked| asked.found(7));
    let conf = format!("nameserver fe80::1%no-such-if\n{}", servers.resolv_conf(""));
    let (outcome, _) = Driver::new(&conf, "", servers.port).resolve("mx1.", Family::V4, 1000);
    assert_eq!(words(&outcome), "192.0.2.7");
}

#[test]
fn cname_chains_are_followed() {
    let servers = one(|asked| {
        asked.reply(|packet| {
            packet
                .answers
                .push(record(&asked.name, cname("www.example")));
            packet
                .answers
                .push(record("WWW.example", cname("host.example")));
            packet
                .answers
                .push(record("host.example", asked.address(7)));
            packet
                .answers
                .push(record("other.example", asked.address(66)));
        })
    });
    let (outcome, _) = Driver::of(&servers, "").resolve("mx1.example.org", Family::Any, 1000);
    assert_eq!(words(&outcome), "192.0.2.7 2001:db8::7");
    assert_eq!(outcome.unwrap().canonical.as_deref(), Some("host.example"));
}

/// 64 KiB, the most that TCP carries, is 4094 addresses.
#[test]
fn the_largest_answer_is_read_at_once() {
    let servers = one(|asked| {
        if asked.over == "udp" {
            return truncated(asked);
        }
        asked.reply(|packet| {
            packet
                .answers
                .extend((0..4090).map(|n| record(&asked.name, asked.address((n % 250) as u8))));
        })
    });
    let (outcome, took) = Driver::of(&servers, "").resolve("mx1.", Family::V4, 2500);
    assert_eq!(outcome.unwrap().v4.len(), 4090);
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[test]
fn the_search_list_is_tried_in_order() {
    let servers = one(|asked| match asked.name.as_str() {
        "mx1.a.example" => asked.rcode(RCODE::NameError),
        "mx1.b.example" => asked.rcode(RCODE::ServerFailure),
        _ => asked.found(7),
    });
    let mut driver = Driver::of(&servers, "search a.example b.example c.example");
    let (outcome, _) = driver.resolve("mx1", Family::V4, 1000);
    assert_eq!(
        (
            words(&outcome).as_str(),
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
    let servers = one(|asked| {
        if asked.kind == "AAAA" {
            Reply::Silent
        } else {
            asked.found(7)
        }
    });
    let (outcome, took) = Driver::of(&servers, "").resolve("mx1.", Family::Any, 600);
    assert_eq!(words(&outcome), "192.0.2.7");
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_millis(300) + SLACK,
        "{took:?}"
    );
}

#[test]
fn rotate_spreads_the_lookups() {
    let servers = two(|asked| asked.found(1), |asked| asked.found(2));
    let mut driver = Driver::of(&servers, "options rotate");
    let seen: Vec<String> = ["a.", "b.", "c."]
        .map(|name| words(&driver.resolve(name, Family::V4, 1000).0))
        .into();
    assert_eq!(seen, ["192.0.2.1", "192.0.2.2", "192.0.2.1"]);
}

#[test]
fn equal_names_share_one_query() {
    let servers = one(|asked| Reply::Late(Duration::from_millis(50), Box::new(asked.found(7))));
    let mut driver = Driver::of(&servers, "");
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
fn an_answer_is_reused_for_one_second() {
    let servers = one(|asked| asked.found(7));
    let mut driver = Driver::of(&servers, "");
    for name in ["mx1.example.org", "MX1.example.org", "mx1.example.org"] {
        assert_eq!(
            words(&driver.resolve(name, Family::V4, 1000).0),
            "192.0.2.7"
        );
    }
    assert_eq!(servers.log().len(), 1);
    // Other questions are not answered by it.
    assert_eq!(
        words(&driver.resolve("mx1.example.org", Family::V6, 1000).0),
        "2001:db8::7"
    );
    assert_eq!(
        words(&driver.resolve("mx2.example.org", Family::V4, 1000).0),
        "192.0.2.7"
    );
    assert_eq!(servers.log().len(), 3);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(
        words(&driver.resolve("mx1.example.org", Family::V4, 1000).0),
        "192.0.2.7"
    );
    assert_eq!(servers.log().len(), 4);
}

#[test]
fn each_key_has_its_own_deadline() {
    let servers = one(|asked| Reply::Late(Duration::from_millis(250), Box::new(asked.found(7))));
    let mut driver = Driver::of(&servers, "");
    driver.start(1, "mx1.", Family::V4, Duration::from_millis(600));
    driver.start(2, "mx1.", Family::V4, Duration::from_millis(100));
    let answers = driver.answers(2, Duration::from_millis(900));
    assert_eq!(
        (answers[0].0, failure(&answers[0].1).0),
        (2, Status::ResolveTimeout)
    );
    assert_eq!(
        (answers[1].0, words(&answers[1].1)),
        (1, "192.0.2.7".into())
    );
}

#[test]
fn a_lookup_that_joins_late_has_its_full_timeout() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let servers = one(
        move |asked| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::Silent,
            _ => asked.found(7),
        },
    );
    let mut driver = Driver::of(&servers, "options attempts:1");
    driver.start(1, "mx1.", Family::V4, Duration::from_millis(200));
    assert_eq!(driver.answers(1, Duration::from_millis(100)).len(), 0);
    driver.start(2, "mx1.", Family::V4, Duration::from_millis(500));
    let answers = driver.answers(2, Duration::from_secs(1));
    assert_eq!(
        (answers[0].0, failure(&answers[0].1).0),
        (1, Status::ResolveTimeout)
    );
    assert_eq!(
        (answers[1].0, words(&answers[1].1)),
        (2, "192.0.2.7".into())
    );
}

#[test]
fn a_thousand_names_are_resolved() {
    let servers = one(|asked| asked.found(7));
    let mut driver = Driver::of(&servers, "");
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
        assert_eq!(words(outcome), "192.0.2.7 2001:db8::7");
    }
}

#[test]
fn the_queue_keeps_its_deadlines() {
    let servers = one(|_| Reply::Silent);
    let mut driver = Driver::of(&servers, "");
    for key in 0..100 {
        let time = Duration::from_millis(if key < 64 { 600 } else { 300 });
        driver.start(key, &format!("host{key}."), Family::V4, time);
    }
    let mut answers = driver.answers(36, Duration::from_millis(300) + SLACK);
    assert_eq!(answers.len(), 36);
    answers.extend(driver.answers(64, Duration::from_millis(600)));
    assert_eq!(answers.len(), 100);
    let queued = answers
        .iter()
        .filter(|(_, outcome)| failure(outcome).1.contains("no question was sent"))
        .count();
    assert!(
        answers
            .iter()
            .all(|(_, outcome)| failure(outcome).0 == Status::ResolveTimeout)
    );
    assert_eq!(queued, 36);
}

#[test]
fn cancelled_lookups_free_their_slots() {
    let servers = one(|asked| {
        if asked.name == "last" {
            asked.found(7)
        } else {
            Reply::Silent
        }
    });
    let mut driver = Driver::of(&servers, "");
    // 64 are asked for, the others are queued.
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
        (answers.len(), answers[0].0, words(&answers[0].1)),
        (1, 200, "192.0.2.7".into())
    );
    assert_eq!(driver.resolver.next_wake(), None);
}

/// Runs itself with few descriptors, since a limit is the whole process's.
#[test]
fn without_descriptors_a_lookup_waits_and_then_fails() {
    const INNER: &str = "ZBX_TCP_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(INNER).is_some() {
        return starve();
    }
    let script = format!(
        "ulimit -n 64; {INNER}=1 exec \"$0\" --exact dns::without_descriptors_a_lookup_waits_and_then_fails"
    );
    let run = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

fn starve() {
    let servers = one(|asked| asked.found(7));
    let mut driver = Driver::of(&servers, "");
    // The files are read while there are descriptors.
    assert_eq!(
        words(&driver.resolve("first.", Family::V4, 1000).0),
        "192.0.2.7"
    );
    // More than once: what other threads of this process still close must not be left to the resolver.
    let mut hoard = Vec::new();
    for _ in 0..3 {
        while let Ok(file) = File::open(Path::new("/dev/null")) {
            hoard.push(file);
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

    driver.start(2, "mx1.", Family::V4, Duration::from_secs(1));
    assert_eq!(driver.answers(1, Duration::from_millis(50)).len(), 0);
    hoard.clear();
    let answers = driver.answers(1, Duration::from_millis(500));
    assert_eq!(words(&answers[0].1), "192.0.2.7");
}

#[cfg(not(target_feature = "crt-static"))]
#[test]
fn the_system_resolver_answers_the_same_way() {
    let poll = Poll::new().unwrap();
    let resolver = Resolver::system(poll.registry()).unwrap();
    let mut driver = Driver {
        poll,
        resolver,
        _dir: None,
    };
    let (outcome, _) = driver.resolve("localhost", Family::V4, 2000);
    assert_eq!(
        (words(&outcome), outcome.unwrap().from.to_string()),
        ("127.0.0.1".into(), "system resolver".into())
    );
    // Whatever this machine's servers do, there is a failure by the deadline.
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
    // Equal names share a thread, and each who asks has an answer.
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
            .all(|(_, outcome)| words(outcome) == "127.0.0.1")
    );
    driver.start(7, "localhost", Family::Any, Duration::from_secs(1));
    driver.cancel(7);
    assert_eq!(driver.answers(1, Duration::from_millis(100)).len(), 0);
}
