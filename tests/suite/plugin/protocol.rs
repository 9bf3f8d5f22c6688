//! The protocol: every release's messages, and whatever else comes through the socket.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};

use super::fake_agent::{FakeAgent, PATIENCE, frame, listen, option_tree, result_of};
use crate::program::program;
use crate::scripted_peer::{FullBacklog, Peer, closed_port};

#[test]
fn the_plugin_registers_with_agents_of_every_version() {
    let versions = [
        json!("6.0.13"),
        json!("6.4.0"),
        json!("8.0.0"),
        json!("99.1-rc7+dev"),
        json!(""),
        json!(7),
        Value::Null,
    ];
    for version in versions {
        let mut agent = FakeAgent::start();
        agent.send(&json!({"id": 1, "type": 2, "version": version, "new": [{}]}));
        let answer = agent.answer();
        assert_eq!((&answer["id"], &answer["type"]), (&json!(1), &json!(3)));
        assert_eq!(
            (&answer["name"], &answer["interfaces"]),
            (&json!("Tcp"), &json!(7))
        );
        assert!(answer.get("error").is_none(), "{answer}");
        let metrics = answer["metrics"].as_array().unwrap();
        let keys: Vec<_> = metrics.iter().step_by(2).collect();
        let expected = ["tcp.check", "tcp.batch", "tcp.discovery", "tcp.listeners"];
        assert_eq!(keys, expected);
        agent.send(&json!({"id": 2, "type": 9, "private_options": option_tree(&[])}));
        assert_eq!(agent.answer(), json!({"id": 2, "type": 10}));
        agent.send(&json!({"id": 0, "type": 5}));
        agent.has_ended();
    }
}

#[test]
fn terminate_ends_the_plugin_at_once_whatever_it_is_doing() {
    let silent = FullBacklog::new();
    for closes in [true, false] {
        let mut agent = FakeAgent::configured(&[]);
        for _ in 0..50 {
            agent.request("tcp.check", &["", &silent.port().to_string()], Some(30));
            agent.request(
                "tcp.discovery",
                &["open", "", &silent.port().to_string()],
                Some(30),
            );
        }
        agent.send(&json!({"id": 0, "type": 5}));
        let start = Instant::now();
        if closes {
            agent.stream.shutdown(std::net::Shutdown::Both).unwrap();
        } else {
            // It still writes: the time is not that of the last byte.
            let mut stream = agent.stream.try_clone().unwrap();
            std::thread::spawn(move || {
                while stream.write_all(b"x").is_ok() {
                    sleep(Duration::from_millis(20));
                }
            });
        }
        agent.has_ended();
        // 100 ms, on a busy machine.
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn mistakes_in_the_options_are_named() {
    let mut agent = FakeAgent::start();
    let mut validate = |options: &[(&str, &str)]| {
        agent.send(&json!({"id": 5, "type": 9, "private_options": option_tree(options)}));
        let answer = agent.answer();
        assert_eq!((&answer["id"], &answer["type"]), (&json!(5), &json!(10)));
        answer["error"].as_str().map(str::to_owned)
    };
    let good = [
        ("Config", "/etc/x.toml"),
        ("Concurrency", "60000"),
        ("Rate", ""),
    ];
    assert_eq!(validate(&good), None);
    assert_eq!(validate(&[("Config", ""), ("Rate", " 5 ")]), None);
    for (option, value, sentence) in [
        ("Config", "x.toml", "expected an absolute path"),
        ("Concurrency", "0", "expected a number from 1 to 60000"),
        ("Concurrency", "60001", "expected a number from 1 to 60000"),
        ("Concurrency", "1e3", "expected a number from 1 to 60000"),
        ("Rate", "-1", "expected a number of connects per second"),
        (
            "Rate",
            "99999999999",
            "expected a number of connects per second",
        ),
        (
            "Rat\ne",
            "1",
            "unknown option; the options are Config, Concurrency, Rate",
        ),
    ] {
        let error = validate(&[(option, value)]).unwrap();
        let name = option.escape_debug();
        assert_eq!(error, format!("Plugins.Tcp.{name} (line 10): {sentence}"));
    }
    for odd in [Value::Null, json!([]), json!("x"), json!({"Nodes": {}})] {
        let message = json!({"id": 6, "type": 9, "private_options": odd});
        agent.send(&message);
        assert_eq!(agent.answer(), json!({"id": 6, "type": 10}), "{message}");
    }
    agent.end();
}

#[test]
fn values_need_no_configuration_and_no_order() {
    let peer = Peer::greeting(b"hello\r\n");
    let mut agent = FakeAgent::start();
    assert_eq!(agent.ask("tcp.check", &["", &peer.port()]), Ok("1".into()));
    agent.send(&json!({"id": 3, "type": 4}));
    agent.send(&json!({"id": 4, "type": 8}));
    agent.send(
        &json!({"id": 5, "type": 8, "global_options": {"Timeout": "x"}, "private_options": 7}),
    );
    agent.send(&json!({"id": 6, "type": 11}));
    agent.send(&json!({"id": 7, "type": 4_000_000_000_u32}));
    assert_eq!(agent.ask("tcp.check", &["", &peer.port()]), Ok("1".into()));
    // An error in a configuration that was not validated is logged, and the old one is kept.
    let wrong = option_tree(&[("Rate", "x")]);
    agent.send(&json!({"id": 8, "type": 8, "private_options": wrong}));
    assert_eq!(agent.ask("tcp.check", &["", &peer.port()]), Ok("1".into()));
    assert_eq!(agent.log.len(), 1);
    assert!(
        agent.log[0].1.starts_with("Plugins.Tcp.Rate (line 10): "),
        "{:?}",
        agent.log
    );
    agent.end();
}

#[test]
fn requests_with_the_same_id_get_one_answer_each() {
    let peer = Peer::greeting(b"hello\r\n");
    let mut agent = FakeAgent::start();
    for _ in 0..3 {
        agent.send(
            &json!({"id": 7, "type": 6, "key": "tcp.check", "parameters": ["", peer.port()]}),
        );
    }
    for _ in 0..3 {
        assert_eq!(agent.answer(), json!({"id": 7, "type": 7, "value": "1"}));
    }
    agent.end();
}

#[test]
fn bad_requests_get_an_answer_and_harm_no_other() {
    let port = closed_port().to_string();
    let mut agent = FakeAgent::configured(&[]);
    let long = "x".repeat(1 << 20);
    let many = vec!["x"; 100_000];
    let empty = vec![""; 300_000];
    for (key, parameters, expected) in [
        (
            "tcp.nosuch",
            &[][..],
            Err("zbx-tcp: unknown key `tcp.nosuch`"),
        ),
        ("", &[], Err("zbx-tcp: unknown key ``")),
        (
            "tcp.check",
            &many,
            Ok("zbx-tcp: tcp.check has at most 6 parameters"),
        ),
        ("tcp.check", &empty, Ok("zbx-tcp: no port for `127.0.0.1`")),
        ("tcp.check", &[&long], Ok("zbx-tcp: ")),
        ("tcp.check", &["", &port, &long], Ok("zbx-tcp: --service: ")),
        (
            "tcp.check",
            &["", &port, "", &long],
            Ok("zbx-tcp: --output: "),
        ),
        (
            "tcp.check",
            &["", &port, "", "", &long],
            Ok("zbx-tcp: --timeout: "),
        ),
        ("tcp.check", &["", &long], Ok("zbx-tcp: ")),
        ("tcp.check", &["a\u{0}b\n", &port], Ok("zbx-tcp: ")),
        ("tcp.batch", &[&long], Ok("zbx-tcp: --group: ")),
        (
            "tcp.discovery",
            &[&long],
            Ok("zbx-tcp: the first parameter"),
        ),
        (
            "tcp.discovery",
            &["ports", "h", &long],
            Ok("zbx-tcp: port list: "),
        ),
    ] {
        let answer = agent.ask(key, parameters);
        let start = |text: &str| text.chars().take(100).collect::<String>();
        match (&answer, expected) {
            (Ok(is), Ok(expected)) | (Err(is), Err(expected)) => {
                assert!(is.starts_with(expected), "{key}: {}", start(is));
                assert!(
                    is.len() < 1200 && !is.contains('\n'),
                    "{key}: {}",
                    start(is)
                );
            }
            _ => panic!("{key}: {:?}", answer.map(|text| start(&text))),
        }
    }
    for wrong in [
        json!({"id": 9, "type": 6}),
        json!({"id": 9, "type": 6, "key": ["tcp.check"]}),
        json!({"id": 9, "type": 6, "key": "tcp.check", "parameters": {"a": 1}}),
        json!({"id": 9, "type": 6, "key": "tcp.check", "parameters": [["a", "b"], null]}),
    ] {
        agent.send(&wrong);
        assert_eq!(
            result_of(&agent.answer()),
            Err("zbx-tcp: invalid request".into())
        );
    }
    for timeout in [json!(0), json!(-5), json!("5"), json!(1e99), json!([])] {
        agent.send(
            &json!({"id": 9, "type": 6, "key": "tcp.check", "parameters": ["", port],
            "timeout": timeout}),
        );
        assert_eq!(result_of(&agent.answer()), Ok("0".into()), "{timeout}");
    }
    assert_eq!(agent.log, []);
    agent.end();
}

#[test]
fn frames_may_be_split_and_joined_anywhere() {
    let port = closed_port().to_string();
    let mut agent = FakeAgent::start();
    let request = json!({"id": 3, "type": 6, "key": "tcp.check", "parameters": ["", port, "", "status"],
        "timeout": 30});
    let one = frame(request.to_string().as_bytes());
    for byte in &one {
        agent.send_bytes(&[*byte]);
        sleep(Duration::from_millis(1));
    }
    assert_eq!(result_of(&agent.answer()), Ok("3".into()));
    let many = one.repeat(2000);
    for part in many.chunks(4099) {
        agent.send_bytes(part);
    }
    for _ in 0..2000 {
        assert_eq!(result_of(&agent.answer()), Ok("3".into()));
    }
    agent.end();
}

#[test]
fn bodies_that_are_not_messages_are_logged_and_skipped() {
    let port = closed_port().to_string();
    let mut agent = FakeAgent::start();
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"null",
        b"{}",
        b"[1,2]",
        b"\xff\xfe\x00",
        b"{\"id\":1,\"id\":2,\"type\":6}",
        b"{\"id\":99999999999,\"type\":6}",
        b"{\"type\":\"x\"}",
    ];
    for body in bodies {
        agent.send_bytes(&frame(body));
    }
    // Deeper than any parser's stack.
    agent.send_bytes(&frame(&[b'['; 1 << 20]));
    assert_eq!(agent.ask("tcp.check", &["", &port]), Ok("0".into()));
    assert_eq!(agent.log.len(), bodies.len() + 1, "{:?}", agent.log);
    for line in &agent.log {
        assert_eq!(
            line,
            &(
                3,
                "the agent sent something that is not a message".to_owned()
            )
        );
    }
    agent.end();
}

#[test]
fn after_what_is_no_frame_answers_still_come_and_the_agents_end_is_seen() {
    let full = FullBacklog::new();
    let silent = full.port().to_string();
    for (bytes, said) in [
        (
            &[1, 0, 0, 0, 255, 255, 255, 255][..],
            "the agent sent a frame of 4294967295 bytes",
        ),
        (
            &[1, 0, 0, 0, 1, 0, 64, 0],
            "the agent sent a frame of 4194305 bytes",
        ),
        (
            &[2, 0, 0, 0, 1, 0, 0, 0, b'x'],
            "the agent sent a frame of type 2",
        ),
        (b"GET / HTTP/1.1\r\n\r\n", "the agent sent a frame of type"),
    ] {
        let mut agent = FakeAgent::start();
        let id = agent.request("tcp.check", &["", &silent], Some(1));
        agent.send_bytes(bytes);
        let answer = agent.answer();
        assert_eq!(
            (answer["id"].as_u64(), result_of(&answer)),
            (Some(id.into()), Ok("0".into()))
        );
        assert_eq!(agent.log.len(), 1);
        assert!(agent.log[0].1.starts_with(said), "{:?}", agent.log);
        // What comes then is not read as frames.
        agent.send(&json!({"id": 1, "type": 2}));
        agent.send_bytes(&vec![0; 1 << 20]);
        assert_eq!(agent.child.try_wait().unwrap(), None);
        agent.end();
    }
}

#[test]
fn an_announced_long_body_takes_no_memory_before_it_comes() {
    let mut agent = FakeAgent::start();
    let port = closed_port().to_string();
    assert_eq!(agent.ask("tcp.check", &["", &port]), Ok("0".into()));
    let before = super::load::usage(agent.child.id());
    agent.send_bytes(&[1, 0, 0, 0, 0, 0, 64, 0, b'{']);
    sleep(Duration::from_millis(50));
    let after = super::load::usage(agent.child.id());
    assert!(
        after.kilobytes < before.kilobytes + 1000,
        "{before:?} {after:?}"
    );
    agent.end();
}

/// Random frames: the plugin ends with the socket, prints nothing and answers a good request before
/// that if the frames were frames.
#[test]
fn random_bytes_and_messages_do_not_end_the_plugin() {
    let port = closed_port().to_string();
    let mut random = Random(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seeds = [
        r#"{"id":1,"type":2,"version":"6.0.13"}"#.to_owned(),
        json!({"id": 1, "type": 8, "global_options": {"Timeout": 3}, "private_options": option_tree(&[("Rate", "1000")])})
            .to_string(),
        json!({"id": 1, "type": 6, "key": "tcp.check", "parameters": ["127.0.0.1", port, "", "json", "1"], "timeout": 3})
            .to_string(),
        json!({"id": 1, "type": 6, "key": "tcp.discovery", "parameters": ["ports", "h", "1-10"]}).to_string(),
    ];
    for _ in 0..10 {
        let mut agent = FakeAgent::start();
        let mut drain = agent.stream.try_clone().unwrap();
        std::thread::spawn(move || std::io::copy(&mut drain, &mut std::io::sink()));
        for _ in 0..300 {
            let mut body = seeds[random.below(seeds.len())].clone().into_bytes();
            for _ in 0..random.below(6) {
                let at = random.below(body.len());
                match random.below(3) {
                    0 => body[at] = random.below(256) as u8,
                    1 => drop(body.drain(at..)),
                    _ => body.insert(at, b"{}[]\",:0e-"[random.below(10)]),
                }
                if body.is_empty() {
                    break;
                }
            }
            // A changed message may be the command to exit.
            if !String::from_utf8_lossy(&body).contains(r#""type":5"#) {
                agent.send_bytes(&frame(&body));
            }
        }
        assert_eq!(agent.child.try_wait().unwrap(), None);
        agent.end();
    }
    for _ in 0..50 {
        let mut agent = FakeAgent::start();
        let bytes: Vec<u8> = (0..random.below(5000))
            .map(|_| random.below(256) as u8)
            .collect();
        agent.send_bytes(&bytes);
        agent.end();
    }
}

struct Random(TestRng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        use proptest::prelude::RngCore;
        (self.0.next_u64() % end.max(1) as u64) as usize
    }
}

#[test]
fn an_agent_that_ends_in_the_middle_of_an_answer_ends_the_plugin() {
    let ports = "1-1000";
    let mut agent = FakeAgent::start();
    for _ in 0..100 {
        agent.request("tcp.discovery", &["ports", "192.0.2.1", ports], Some(30));
    }
    // Some megabytes wait for an agent that does not read.
    sleep(Duration::from_millis(300));
    agent.end();
}

#[test]
fn an_agent_that_does_not_read_loses_nothing_and_fills_no_memory() {
    let mut agent = FakeAgent::configured(&[]);
    let mut stream = agent.stream.try_clone().unwrap();
    // About 80 MB of answers. The agent's sends wait, too.
    let requests = 800;
    let request = json!({"id": 1, "type": 6, "key": "tcp.discovery", "timeout": 60,
        "parameters": ["ports", "192.0.2.1", "1-1000"]});
    let request = frame(request.to_string().as_bytes());
    let sending = std::thread::spawn(move || {
        for _ in 0..requests {
            stream.write_all(&request).unwrap();
        }
    });
    sleep(Duration::from_secs(2));
    let used = super::load::usage(agent.child.id());
    for _ in 0..requests {
        assert!(result_of(&agent.answer()).unwrap().ends_with(']'));
    }
    sending.join().unwrap();
    assert!(used.kilobytes < 60_000, "{used:?}");
    agent.end();
}

#[test]
fn each_start_serves_its_own_agent() {
    let peer = Peer::greeting(b"hello\r\n");
    let (mut one, mut other) = (FakeAgent::configured(&[]), FakeAgent::configured(&[]));
    let ids =
        [&mut one, &mut other].map(|agent| agent.request("tcp.check", &["", &peer.port()], None));
    for (agent, id) in [&mut one, &mut other].into_iter().zip(ids) {
        assert_eq!(agent.answer(), json!({"id": id, "type": 7, "value": "1"}));
    }
    one.end();
    assert_eq!(other.ask("tcp.check", &["", &peer.port()]), Ok("1".into()));
    other.end();
}

#[test]
fn a_second_start_on_the_same_socket_is_another_connection() {
    let (listener, _directory, path) = listen();
    let start = || program().arg(&path).arg("true").spawn().unwrap();
    let children = [start(), start()];
    let streams: [UnixStream; 2] = std::array::from_fn(|_| listener.accept().unwrap().0);
    drop(listener);
    // Nobody listens any more.
    let refused = program().arg(&path).arg("true").output().unwrap();
    assert_eq!(
        (refused.status.code(), refused.stdout, refused.stderr),
        (Some(1), vec![], vec![])
    );
    drop(streams);
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn signals_to_the_group_of_the_agent_do_not_end_the_plugin() {
    let peer = Peer::greeting(b"hello\r\n");
    let mut agent = FakeAgent::configured(&[]);
    for signal in ["TERM", "INT", "TERM"] {
        agent.signal(signal);
        assert_eq!(agent.ask("tcp.check", &["", &peer.port()]), Ok("1".into()));
    }
    agent.end();
}

#[test]
fn a_stopped_plugin_answers_when_it_continues() {
    let (peer, silent) = (Peer::greeting(b"hello\r\n"), FullBacklog::new());
    let mut agent = FakeAgent::configured(&[]);
    assert_eq!(agent.ask("tcp.check", &["", &peer.port()]), Ok("1".into()));
    let in_flight = agent.request(
        "tcp.check",
        &["", &silent.port().to_string(), "", "status"],
        Some(3),
    );
    sleep(Duration::from_millis(300));
    agent.signal("STOP");
    let meanwhile = agent.request("tcp.check", &["", &peer.port(), "", "status"], Some(3));
    sleep(Duration::from_secs(4));
    agent.signal("CONT");
    let start = Instant::now();
    for _ in 0..2 {
        let answer = agent.answer();
        let status = result_of(&answer).unwrap();
        if answer["id"] == in_flight {
            // Silence until the deadline, or too late to tell.
            assert!(["5", "15", "17"].contains(&status.as_str()), "{status}");
        } else {
            assert_eq!(
                (answer["id"].as_u64(), status.as_str()),
                (Some(meanwhile.into()), "0")
            );
        }
    }
    assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
    agent.end();
}
