//! The built-in services against scripted replies: recorded from real servers of Debian 12, or as the
//! specifications define them.

mod brokers;
mod databases;
mod others;
mod quit;
mod text;

use std::time::Duration;

use serde_json::Value;

use crate::program::check;
use crate::scripted_peer::Act::{self, Resets, Sends, ShutsDown};
use crate::scripted_peer::{Peer, Split};

/// A dialogue, and the result that the program must report.
pub struct Case {
    pub service: &'static str,
    /// Which of the service's replies it is.
    pub name: &'static str,
    /// The script of the peer.
    pub acts: Vec<Act>,
    /// The name of the status.
    pub status: &'static str,
    pub captures: Captures,
    pub received: Received,
}

/// The captures of a document, by name and text.
pub enum Captures {
    /// These and no others.
    Exactly(&'static [(&'static str, &'static str)]),
    /// At least these.
    Among(&'static [(&'static str, &'static str)]),
}

/// The bytes that the peer receives in all.
pub enum Received {
    Exactly(Vec<u8>),
    EndsWith(&'static [u8]),
    EndsWithout(&'static [u8]),
    Anything,
}

/// One turn of a conversation, from the peer's side.
pub enum Turn {
    /// The program must send exactly this.
    Receives(Vec<u8>),
    /// The peer sends this.
    Sends(Vec<u8>),
}

/// A dialogue of which every byte is known, without captures and without `quit`.
pub fn case(of: (&'static str, &'static str), status: &'static str, turns: Vec<Turn>) -> Case {
    let mut received = Vec::new();
    let acts = turns.into_iter().map(|turn| match turn {
        Turn::Receives(bytes) => {
            received.extend_from_slice(&bytes);
            Act::ReceivesBytes(bytes.len())
        }
        // Scripts are static; a test program may leak its few kilobytes.
        Turn::Sends(bytes) => Sends(bytes.leak()),
    });
    Case {
        service: of.0,
        name: of.1,
        acts: acts.collect(),
        status,
        captures: Captures::Exactly(&[]),
        received: Received::Exactly(received),
    }
}

impl Case {
    /// With these captures and no others.
    pub fn captures(self, captures: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            captures: Captures::Exactly(captures),
            ..self
        }
    }

    /// With these bytes of `quit` after the verdict, if it is the client's turn then: the service
    /// is up, or the server has refused a request of the client.
    pub fn quit(mut self, quit: &'static [u8]) -> Self {
        let has_spoken = self
            .acts
            .iter()
            .any(|act| matches!(act, Act::ReceivesBytes(_)));
        let is_due = self.status == "ok" || self.status == "rejected" && has_spoken;
        if let (Received::Exactly(bytes), true) = (&mut self.received, is_due) {
            bytes.extend_from_slice(quit);
        }
        self
    }
}

/// The peer receives these bytes.
pub fn receives(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Receives(bytes.as_ref().to_vec())
}

/// The peer sends these bytes.
pub fn sends(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Sends(bytes.as_ref().to_vec())
}

/// The cases in which every byte is known.
fn exact_cases() -> Vec<Case> {
    [databases::cases(), brokers::cases(), others::cases()]
        .into_iter()
        .flatten()
        .collect()
}

fn all_cases() -> Vec<Case> {
    [text::cases(), exact_cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// The services of these cases, each once.
fn services(cases: &[Case]) -> Vec<&'static str> {
    let mut names: Vec<_> = cases.iter().map(|case| case.service).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A probe of a peer that runs this script: its document, its duration, and what the peer received.
pub fn probe(
    service: &str,
    acts: &[Act],
    split: Split,
    timeout: &str,
) -> (Value, Duration, Vec<u8>) {
    let (peer, results) = Peer::scripted(acts.to_vec(), split);
    let port = peer.port();
    let ran = check(&[
        "127.0.0.1",
        &port,
        "-s",
        service,
        "-t",
        timeout,
        "-o",
        "json",
    ]);
    let received = results
        .recv_timeout(Duration::from_secs(15))
        .expect("the script ends");
    (ran.document(), ran.took, received)
}

/// The status of such a probe.
fn status(service: &str, acts: &[Act], timeout: &str) -> String {
    let (document, ..) = probe(service, acts, Split::Whole, timeout);
    document["status_name"].as_str().unwrap().to_owned()
}

/// Checks a case; the error says what is wrong.
fn verify(case: &Case, split: Split) -> Result<(), String> {
    // The bytes decide, long before the deadline.
    let (document, took, received) = probe(case.service, &case.acts, split, "5");
    let name = format!("{}, {} in {split:?}", case.service, case.name);
    if document["status_name"] != case.status {
        return Err(format!("{name}: not {}: {document}", case.status));
    }
    if took > Duration::from_secs(3) {
        return Err(format!("{name}: took {took:?}"));
    }
    let captures = document["captures"].as_object();
    let (wanted, exactly) = match case.captures {
        Captures::Exactly(wanted) => (wanted, true),
        Captures::Among(wanted) => (wanted, false),
    };
    let all = wanted
        .iter()
        .all(|(name, text)| document["captures"][name] == *text);
    if !all || exactly && captures.map_or(0, serde_json::Map::len) != wanted.len() {
        return Err(format!("{name}: captures {captures:?}, not {wanted:?}"));
    }
    // The kernel chooses the port of the peer, a number of five digits.
    let host = format!("127.0.0.1:{}", document["port"]);
    let mut received = received;
    let at = received
        .windows(host.len())
        .position(|part| part == host.as_bytes());
    if let Some(at) = at {
        received.splice(at..at + host.len(), *b"127.0.0.1:PORT5");
    }
    let sent = match &case.received {
        Received::Exactly(bytes) => received == *bytes,
        Received::EndsWith(bytes) => received.ends_with(bytes),
        Received::EndsWithout(bytes) => !received.ends_with(bytes),
        Received::Anything => true,
    };
    if sent {
        Ok(())
    } else {
        Err(format!(
            "{name}: it sent {:?}",
            received.escape_ascii().to_string()
        ))
    }
}

/// Applies `work` to each item, four at a time; the results that it gave.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Vec<R> + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(items.len().div_ceil(4))
            .map(|chunk| scope.spawn(|| chunk.iter().flat_map(&work).collect::<Vec<_>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn every_reply_gives_its_status_however_it_is_split() {
    let errors = in_parallel(&all_cases(), |case| {
        Split::ALL
            .iter()
            .filter_map(|split| verify(case, *split).err())
            .collect()
    });
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Each built-in service that runs a dialogue has a reply that is `ok` and one that is not.
#[test]
fn every_service_has_good_and_bad_replies() {
    let cases = all_cases();
    for file in ["text", "binary"] {
        let path = format!(
            "{}/src/plan/services/{file}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(path).unwrap();
        for table in text.split("\n[services.").skip(1) {
            let (name, rest) = table.split_once(']').unwrap();
            if !rest.contains("\nsteps") {
                continue;
            }
            for good in [true, false] {
                let found = cases
                    .iter()
                    .any(|case| case.service == name && (case.status == "ok") == good);
                assert!(found, "{name} has no reply with good: {good}");
            }
        }
    }
}

#[test]
fn silence_close_and_reset_have_their_statuses() {
    let names = services(&all_cases());
    let errors = in_parallel(&names, |name| {
        [
            (&[][..], "0.3", "read_timeout"),
            (&[ShutsDown], "2", "closed"),
            (&[Resets], "2", "reset"),
        ]
        .into_iter()
        .filter_map(|(acts, timeout, wanted)| {
            let status = status(name, acts, timeout);
            (status != wanted).then(|| format!("{name}: {status}, not {wanted}"))
        })
        .collect()
    });
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn garbage_is_a_mismatch() {
    const GARBAGE: &[Act] = &[Sends(b"\x00\xfe\x16\x03\x01garbage"), ShutsDown];
    for name in services(&text::cases()) {
        assert_eq!(status(name, GARBAGE, "2"), "mismatch", "{name}");
    }
    let noise: Vec<u8> = (0..2048_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let noise: &[u8] = noise.leak();
    let names = services(&exact_cases());
    let errors = in_parallel(&names, |name| {
        [
            &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..],
            noise,
            &[0; 512],
            b"SSH-2.0-x\r\n",
        ]
        .into_iter()
        .filter_map(|bytes| {
            let status = status(name, &[Sends(bytes)], "1");
            (status != "mismatch" && status != "rejected")
                .then(|| format!("{name}: {status} for {}", bytes.escape_ascii()))
        })
        .collect()
    });
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn the_start_of_a_reply_is_not_enough() {
    let cases = text::cases();
    for name in services(&cases) {
        // The start of their greetings is enough for Zabbix.
        if ["ssh", "smtp", "ftp", "pop", "pop3", "imap", "nntp"].contains(&name) {
            continue;
        }
        let case = cases
            .iter()
            .find(|case| case.service == name && case.status == "ok")
            .unwrap();
        let (last, before) = case.acts.split_last().unwrap();
        let start = match last {
            Sends(bytes) => Sends(&bytes[..bytes.len() / 3]),
            other => *other,
        };
        let acts = [before, &[start, ShutsDown]].concat();
        let status = status(name, &acts, "2");
        assert!(
            ["mismatch", "closed"].contains(&&*status),
            "{name}: {status}"
        );
    }
}

/// The greeting of another service is recognised by its first bytes, long before the deadline.
#[test]
fn a_greeting_of_another_service_is_a_mismatch_at_once() {
    for name in [
        "mysql",
        "vnc",
        "redis",
        "memcached",
        "kafka",
        "rdp",
        "amqp",
        "mqtt",
        "zookeeper",
        "zabbix_agent",
    ] {
        let acts = [Sends(b"220 mail.example.org ESMTP\r\n")];
        let (document, took, _) = probe(name, &acts, Split::Whole, "3");
        assert_eq!(document["status_name"], "mismatch", "{name}");
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
    }
}
