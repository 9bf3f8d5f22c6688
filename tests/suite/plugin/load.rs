//! Many requests at once and one after the other, slow ones, and defects.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fake_agent::{FakeAgent, result_of};
use crate::config::ConfigFile;
use crate::program::program;
use crate::scripted_peer::{FullBacklog, Peer};

/// What a process has in use.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub kilobytes: u64,
    pub threads: u64,
    pub descriptors: usize,
}

pub fn usage(pid: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line
            .unwrap()
            .trim_start_matches(':')
            .split_whitespace()
            .next();
        number.unwrap().parse().unwrap()
    };
    Usage {
        kilobytes: number("VmRSS"),
        threads: number("Threads"),
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
    }
}

#[test]
fn a_thousand_requests_are_answered_in_their_time_though_half_of_the_targets_are_silent() {
    let (peer, silent) = (Peer::greeting(b"hello\r\n"), FullBacklog::new());
    let (open, full) = (peer.port(), silent.port().to_string());
    let mut agent = FakeAgent::configured(&[]);
    let mut slow = HashSet::new();
    let start = Instant::now();
    for number in 0..1000 {
        let port = if number % 2 == 0 { &full } else { &open };
        let id = agent.request("tcp.check", &["127.0.0.1", port, "", "json"], Some(3));
        if number % 2 == 0 {
            slow.insert(u64::from(id));
        }
    }
    let mut answered = HashSet::new();
    for number in 0..1000 {
        let answer = agent.answer();
        let (id, took) = (answer["id"].as_u64().unwrap(), start.elapsed());
        assert!(answered.insert(id), "two answers");
        let document: Value = serde_json::from_str(&result_of(&answer).unwrap()).unwrap();
        // The fast ones are not delayed by any slow one.
        assert_eq!(slow.contains(&id), number >= 500, "{number}: {document}");
        if slow.contains(&id) {
            let total = document["time"]["total"].as_f64().unwrap();
            // Not tried if this machine is too busy to tell.
            let is_known = document["status"] == 5;
            assert!(is_known || document["status"] == 17, "{document}");
            assert!((2.4..3.2).contains(&total), "{document}");
            assert!(took > Duration::from_millis(2400), "{took:?}");
            // The agent waits for 3.5 s; this test reads the answers on a busy machine.
            assert!(took < Duration::from_millis(4500), "{took:?}");
        } else {
            assert_eq!(document["status"], 0, "{document}");
        }
    }
    agent.end();
}

#[test]
fn the_deadline_is_that_of_the_item_or_of_the_agent_and_the_key_may_shorten_it() {
    let silent = FullBacklog::new();
    let full = silent.port().to_string();
    let mut agent = FakeAgent::configured(&[]);
    for (item, key, expected) in [
        (None, "", 2.5),
        (Some(1), "", 0.75),
        (Some(4), "", 3.5),
        (Some(4), "0.3", 0.3),
        (Some(1), "30", 0.75),
    ] {
        let parameters = ["127.0.0.1", &full, "", "time.total", key];
        let total = agent.ask_within("tcp.check", &parameters, item).unwrap();
        let total: f64 = total.parse().unwrap();
        let range = expected - 0.01..expected + 0.9;
        assert!(range.contains(&total), "{item:?} {key}: {total}");
    }
    agent.end();
}

#[test]
fn requests_that_wait_for_others_are_answered_in_time_as_not_tried() {
    let silent = FullBacklog::new();
    let full = silent.port().to_string();
    for options in [("Concurrency", "10"), ("Rate", "10")] {
        let mut agent = FakeAgent::configured(&[options]);
        let start = Instant::now();
        for _ in 0..100 {
            agent.request("tcp.check", &["127.0.0.1", &full, "", "json"], Some(2));
        }
        let mut statuses = HashMap::new();
        for _ in 0..100 {
            let document = result_of(&agent.answer()).unwrap();
            let document: Value = serde_json::from_str(&document).unwrap();
            if document["status"] == 17 {
                let error = document["error"].as_str().unwrap();
                assert!(error.contains("Plugins.Tcp.Concurrency"), "{error}");
            }
            *statuses
                .entry(document["status"].as_u64().unwrap())
                .or_insert(0) += 1;
        }
        let took = start.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}");
        let of = |status| statuses.get(&status).copied().unwrap_or(0);
        assert_eq!(of(5) + of(17), 100, "{options:?}: {statuses:?}");
        assert!(of(17) >= 70, "{options:?}: {statuses:?}");
        agent.end();
    }
}

#[test]
fn more_discoveries_than_threads_are_answered_in_time() {
    let silent = FullBacklog::new();
    let full = silent.port().to_string();
    let mut agent = FakeAgent::configured(&[]);
    let start = Instant::now();
    for _ in 0..50 {
        agent.request("tcp.discovery", &["open", "127.0.0.1", &full], Some(2));
    }
    // Checks do not wait for them.
    let refused = agent.request("tcp.check", &["127.0.0.1", "1"], Some(2));
    let (mut rows, mut late) = (0, 0);
    for number in 0..51 {
        let answer = agent.answer();
        match result_of(&answer) {
            Ok(value) if answer["id"] == refused => assert_eq!((value.as_str(), number), ("0", 0)),
            Ok(value) if value == "[]" => rows += 1,
            // Too little time was left for a verdict.
            Ok(error) => {
                assert!(error.starts_with("zbx-tcp: no rows printed: "), "{error}");
                late += 1;
            }
            Err(error) => {
                assert!(
                    error.starts_with("zbx-tcp: this machine did not finish in time"),
                    "{error}"
                );
                late += 1;
            }
        }
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(rows <= 32 && late >= 18, "{rows} {late}");
    agent.end();
}

#[test]
fn a_panic_of_the_probing_thread_is_the_error_of_its_requests_only() {
    let (peer, silent, other) = (
        Peer::greeting(b"hello\r\n"),
        FullBacklog::new(),
        Peer::greeting(b"hello\r\n"),
    );
    let (port, full) = (peer.port(), silent.port().to_string());
    let mut command = program();
    command.env("ZBX_TCP_TEST_PANIC", format!("port {port}"));
    let mut agent = FakeAgent::start_by(command).with_options(&[]);
    for _ in 0..3 {
        for _ in 0..5 {
            agent.request("tcp.check", &["127.0.0.1", &full], Some(3));
        }
        std::thread::sleep(Duration::from_millis(100));
        agent.request("tcp.check", &["127.0.0.1", &port], Some(3));
        let start = Instant::now();
        for _ in 0..6 {
            let error = result_of(&agent.answer()).unwrap_err();
            assert!(
                error.starts_with("zbx-tcp: internal error of zbx-tcp"),
                "{error}"
            );
        }
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(agent.ask("tcp.check", &["", &other.port()]), Ok("1".into()));
    }
    agent.end();
}

#[test]
fn a_panic_anywhere_else_is_the_error_of_one_request() {
    let peer = Peer::greeting(b"hello\r\n");
    for (place, key, parameters) in [
        ("export [\"boom\"]", "tcp.check", &["boom"][..]),
        ("long", "tcp.discovery", &["ports", "h", "22"]),
    ] {
        let mut command = program();
        command.env("ZBX_TCP_TEST_PANIC", place);
        let mut agent = FakeAgent::start_by(command).with_options(&[]);
        for _ in 0..40 {
            let error = agent.ask(key, parameters).unwrap_err();
            assert!(
                error.starts_with("zbx-tcp: internal error of zbx-tcp"),
                "{error}"
            );
        }
        assert_eq!(agent.ask("tcp.check", &["", &peer.port()]), Ok("1".into()));
        agent.end();
    }
}

#[test]
fn a_batch_that_computes_without_end_delays_no_check_and_gets_an_error_in_time() {
    let peer = Peer::greeting(b"hello\r\n");
    let config = ConfigFile::new("[[targets]]\nhost = \"127.0.0.1\"\nport = 1\n");
    let mut command = program();
    command.env("ZBX_TCP_TEST_COMPUTE", "1");
    let mut agent = FakeAgent::start_by(command).with_options(&[("Config", &config.path())]);
    let start = Instant::now();
    let batch = agent.request("tcp.batch", &[], Some(1));
    assert_eq!(agent_check(&mut agent, &peer.port()), "1");
    let answer = agent.answer();
    assert_eq!(answer["id"], batch);
    assert!(
        result_of(&answer)
            .unwrap_err()
            .contains("did not finish in time")
    );
    assert!(
        start.elapsed() < Duration::from_millis(2500),
        "{:?}",
        start.elapsed()
    );
    agent.end();
}

fn agent_check(agent: &mut FakeAgent, port: &str) -> String {
    agent.ask("tcp.check", &["127.0.0.1", port]).unwrap()
}

#[test]
fn memory_threads_and_descriptors_are_flat() {
    let (peer, config) = (
        Peer::greeting(b"hello\r\n"),
        ConfigFile::new("[[targets]]\nhost = \"127.0.0.1\"\nport = 1\n"),
    );
    let port = peer.port();
    let mut agent = FakeAgent::configured(&[("Config", &config.path())]);
    let mut ask = |count: usize| {
        let mut open = 0;
        for number in 0..count {
            match number % 50 {
                0 => agent.request("tcp.discovery", &["ports", "h", "1-100"], Some(30)),
                1 => agent.request("tcp.batch", &[], Some(30)),
                2 => agent.request("tcp.discovery", &["open", "127.0.0.1", "1-3"], Some(30)),
                3..20 => {
                    let timeout = format!("20.{number}");
                    agent.request("tcp.check", &["", &port, "", "json", &timeout], Some(30))
                }
                20 => agent.request("tcp.check", &["", "x"], Some(30)),
                _ => agent.request("tcp.check", &["", &port, "", "json"], Some(30)),
            };
            open += 1;
            while open >= 100 {
                agent.answer();
                open -= 1;
            }
        }
        while open > 0 {
            agent.answer();
            open -= 1;
        }
        // The last connections are closed after their answers.
        std::thread::sleep(Duration::from_secs(1));
        usage(agent.child.id())
    };
    let first = ask(4000);
    let last = ask(16_000);
    // Of reading, probing, writing and late answers, and 32 for batches and discoveries.
    assert!(last.threads <= 5 + 32, "{first:?} {last:?}");
    assert!(
        last.descriptors <= first.descriptors + 2,
        "{first:?} {last:?}"
    );
    // The plans of the last minute are kept, 10,000 at most.
    assert!(
        last.kilobytes < first.kilobytes + 12_000,
        "{first:?} {last:?}"
    );
    agent.end();
}

#[test]
fn too_many_requests_are_refused() {
    let silent = FullBacklog::new();
    let full = silent.port().to_string();
    let mut agent = FakeAgent::configured(&[("Concurrency", "1")]);
    let mut stream = agent.stream.try_clone().unwrap();
    let request =
        json!({"id": 1, "type": 6, "key": "tcp.check", "timeout": 30, "parameters": ["", full]});
    let request = super::fake_agent::frame(request.to_string().as_bytes());
    let sending = std::thread::spawn(move || {
        for _ in 0..20_001 {
            std::io::Write::write_all(&mut stream, &request).unwrap();
        }
    });
    let refused = result_of(&agent.answer());
    assert_eq!(refused, Err("zbx-tcp: too many requests are open".into()));
    sending.join().unwrap();
    agent.end();
}
