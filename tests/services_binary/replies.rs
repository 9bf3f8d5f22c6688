//! Replies byte for byte, played by a peer that knows what it must hear: what real servers said (recorded from Debian 12)
//! and what the specifications define.

mod brokers;
mod databases;
mod others;
mod scripted;

use std::time::Duration;

use crate::program::{check, program};
use scripted::{Peer, Pieces};

/// What a peer hears and says in one conversation, and what the program makes of it.
pub struct Case {
    /// The service, and which of its replies this is.
    pub of: (&'static str, &'static str),
    /// The turns of the conversation.
    pub turns: Vec<Turn>,
    /// The status, by name.
    pub status: &'static str,
    /// Captures that the document must have, and their texts; no others.
    pub captures: &'static [(&'static str, &'static str)],
    /// What the program says after its verdict.
    pub goodbye: &'static [u8],
}

/// One turn of a conversation, from the peer's side.
pub enum Turn {
    /// The program must send exactly this.
    Hears(Vec<u8>),
    /// The peer sends this.
    Says(Vec<u8>),
}

/// A conversation that is as the program wants it, or not.
pub fn case(of: (&'static str, &'static str), status: &'static str, turns: Vec<Turn>) -> Case {
    Case {
        of,
        turns,
        status,
        captures: &[],
        goodbye: b"",
    }
}

impl Case {
    /// With these captures.
    pub fn captures(self, captures: &'static [(&'static str, &'static str)]) -> Self {
        Self { captures, ..self }
    }

    /// With this goodbye.
    pub fn goodbye(self, goodbye: &'static [u8]) -> Self {
        Self { goodbye, ..self }
    }
}

/// The peer hears.
pub fn hears(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Hears(bytes.as_ref().to_vec())
}

/// The peer says.
pub fn says(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Says(bytes.as_ref().to_vec())
}

fn cases() -> Vec<Case> {
    [databases::cases(), brokers::cases(), others::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// What is wrong with how the program took a case.
fn judge(case: &Case, pieces: Pieces) -> Result<(), String> {
    let peer = Peer::play(&case.turns, pieces);
    let port = peer.port.to_string();
    let document = check(&[
        "127.0.0.1",
        &port,
        "-s",
        case.of.0,
        "-t",
        "2s",
        "-o",
        "json",
    ])
    .document();
    let name = format!("{:?} in {pieces:?}", case.of);
    if document["status_name"] != case.status {
        return Err(format!("{name}: not {}: {document}", case.status));
    }
    let found = document["captures"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let wanted: serde_json::Map<_, _> = case
        .captures
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).into()))
        .collect();
    if found != wanted {
        return Err(format!("{name}: captures {found:?}, not {wanted:?}"));
    }
    match peer.goodbye() {
        Err(why) => Err(format!("{name}: {why}")),
        Ok(bytes) if bytes != case.goodbye => Err(format!(
            "{name}: the goodbye is {:?}",
            bytes.escape_ascii().to_string()
        )),
        Ok(_) => Ok(()),
    }
}

#[test]
fn every_reply_is_understood_however_it_is_split() {
    let all = cases();
    let ways = [Pieces::Whole, Pieces::Bytes, Pieces::Halves];
    let jobs: Vec<_> = all
        .iter()
        .flat_map(|case| ways.map(|way| (case, way)))
        .collect();
    let (even, odd): (Vec<_>, Vec<_>) = jobs
        .into_iter()
        .enumerate()
        .partition(|(at, _)| at % 2 == 0);
    let run = |jobs: Vec<(usize, (&Case, Pieces))>| {
        jobs.into_iter()
            .filter_map(|(_, (case, way))| judge(case, way).err())
            .collect::<Vec<_>>()
    };
    let wrong = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(odd));
        [run(even), other.join().unwrap()].concat()
    });
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Every service of the file has a reply that is good and one that is not.
#[test]
fn every_service_has_its_replies() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/services/binary.toml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let all = cases();
    for name in text
        .lines()
        .filter_map(|line| line.strip_prefix("[services.")?.strip_suffix(']'))
    {
        let of = |good: bool| {
            all.iter()
                .any(|case| case.of.0 == name && (case.status == "ok") == good)
        };
        assert!(of(true) && of(false), "{name} lacks a good or a bad reply");
    }
}

#[test]
fn no_service_takes_garbage_silence_or_a_slammed_door_for_an_answer() {
    let mut names: Vec<_> = cases().iter().map(|case| case.of.0).collect();
    names.dedup();
    let noise: Vec<u8> = (0..2048_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let said: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        &noise,
        &[0; 512],
        b"SSH-2.0-x\r\n",
    ];
    for name in names {
        let status = |peer: &Peer, patience: &str| {
            let port = peer.port.to_string();
            check(&["127.0.0.1", &port, "-s", name, "-t", patience, "-o", "json"]).document()["status_name"].clone()
        };
        for bytes in said {
            let found = status(&Peer::babble(bytes), "1s");
            assert!(
                found == "mismatch" || found == "rejected",
                "{name} takes {:?} as {found}",
                bytes.escape_ascii()
            );
        }
        assert_eq!(status(&Peer::silent(), "150ms"), "read_timeout", "{name}");
        assert_eq!(status(&Peer::closing(), "2s"), "closed", "{name}");
    }
}

/// A port of another service is known as such from its first bytes, long before the deadline.
#[test]
fn a_foreign_greeting_is_a_mismatch_at_once() {
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
        let peer = Peer::babble(b"220 mail.example.org ESMTP\r\n");
        let start = std::time::Instant::now();
        let done = program()
            .args([
                "check",
                "127.0.0.1",
                &peer.port.to_string(),
                "-s",
                name,
                "-o",
                "status",
            ])
            .output();
        assert_eq!(
            String::from_utf8_lossy(&done.unwrap().stdout),
            "9\n",
            "{name}"
        );
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{name}: {:?}",
            start.elapsed()
        );
    }
}
