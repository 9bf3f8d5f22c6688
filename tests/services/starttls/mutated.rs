//! Peers whose side of a STARTTLS conversation is mutated: no probe panics or takes too long, and none
//! is up unless the genuine handshake has completed.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use rcgen::generate_simple_self_signed;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::conversations::{Conversation, conversations};
use crate::program::program;
use crate::scripted_peer::Peer;
use crate::tls_peer::Turn::{self, FallsSilent, Receives, SaysSplit, Sends, ShutsDown, StartsTls};
use crate::tls_peer::{config, pin, server_config, take_turns};

/// The timeout of each probe, and how much longer all probes of a case may take: the machine may be
/// busy.
const TIMEOUT: Duration = Duration::from_millis(700);
const SLACK: Duration = Duration::from_secs(20);

/// How the turns of a conversation are changed. An index selects a turn of the peer, and a byte in it.
#[derive(Debug, Clone)]
enum Change {
    Flips(Index, Index, u8),
    Inserts(Index, Index, Vec<u8>),
    Deletes(Index, Index, usize),
    Appends(Index, Vec<u8>),
    Replaces(Index, Vec<u8>),
    Splits(Index, Index),
    Repeats(Index),
    Omits(Index),
    Swaps(Index, Index),
    Ends(Index, bool),
}

/// What the peer does in place of the handshake.
#[derive(Debug, Clone)]
enum Handshake {
    Genuine,
    /// With the certificate of another key.
    OtherKey,
    /// One byte of what it sends is changed.
    Corrupted(usize, u8),
    /// It ends after this number of bytes.
    Cut(usize),
    /// It sends these bytes.
    Plain(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Mutation {
    conversation: Index,
    changes: Vec<Change>,
    handshake: Handshake,
}

/// Bytes that may follow an answer.
fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    let phrase = |bytes: &'static [u8]| Just(bytes.to_vec());
    prop_oneof![
        vec(any::<u8>(), 1..40),
        phrase(b"\r\n"),
        phrase(b"220 x\r\n"),
        phrase(b"250 x\r\n"),
        phrase(b"* OK x\r\n"),
        phrase(b"+OK\r\n"),
        phrase(b"OK\r\n"),
        phrase(b"\0"),
        phrase(b"\x16\x03\x03\0\x01"),
        phrase(b"S"),
        vec(any::<u8>(), 30_000..30_001),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<Index>();
    prop_oneof![
        (at(), at(), 1..=u8::MAX).prop_map(|(turn, at, bits)| Change::Flips(turn, at, bits)),
        (at(), at(), some_bytes()).prop_map(|(turn, at, bytes)| Change::Inserts(turn, at, bytes)),
        (at(), at(), 1_usize..9).prop_map(|(turn, at, length)| Change::Deletes(turn, at, length)),
        (at(), some_bytes()).prop_map(|(turn, bytes)| Change::Appends(turn, bytes)),
        (at(), some_bytes()).prop_map(|(turn, bytes)| Change::Replaces(turn, bytes)),
        (at(), at()).prop_map(|(turn, at)| Change::Splits(turn, at)),
        at().prop_map(Change::Repeats),
        at().prop_map(Change::Omits),
        (at(), at()).prop_map(|(one, other)| Change::Swaps(one, other)),
        (at(), any::<bool>()).prop_map(|(turn, closes)| Change::Ends(turn, closes)),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let handshake = prop_oneof![
        4 => Just(Handshake::Genuine),
        1 => Just(Handshake::OtherKey),
        2 => (0_usize..2500, 1..=u8::MAX).prop_map(|(at, bits)| Handshake::Corrupted(at, bits)),
        1 => (0_usize..2500).prop_map(Handshake::Cut),
        1 => some_bytes().prop_map(Handshake::Plain),
    ];
    (any::<Index>(), vec(change(), 0..4), handshake).prop_map(
        |(conversation, changes, handshake)| Mutation {
            conversation,
            changes,
            handshake,
        },
    )
}

/// The bytes of one of the peer's turns.
fn bytes_of(turns: &mut [Turn], turn: Index) -> Option<&mut Vec<u8>> {
    let mut sent: Vec<_> = turns
        .iter_mut()
        .filter_map(|turn| match turn {
            Sends(bytes) => Some(bytes),
            _ => None,
        })
        .collect();
    (!sent.is_empty()).then(|| sent.swap_remove(turn.index(sent.len())))
}

fn apply(change: &Change, turns: &mut Vec<Turn>) {
    match change {
        Change::Flips(turn, at, bits) => {
            if let Some(bytes) = bytes_of(turns, *turn).filter(|bytes| !bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
        }
        Change::Inserts(turn, at, new) => {
            if let Some(bytes) = bytes_of(turns, *turn) {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, new.iter().copied());
            }
        }
        Change::Deletes(turn, at, length) => {
            if let Some(bytes) = bytes_of(turns, *turn) {
                let at = at.index(bytes.len() + 1);
                let end = (at + length).min(bytes.len());
                bytes.drain(at..end);
            }
        }
        Change::Appends(turn, new) => {
            if let Some(bytes) = bytes_of(turns, *turn) {
                bytes.extend_from_slice(new);
            }
        }
        Change::Replaces(turn, new) => {
            if let Some(bytes) = bytes_of(turns, *turn) {
                bytes.clone_from(new);
            }
        }
        Change::Splits(turn, at) => {
            let index = turn.index(turns.len());
            if let Sends(bytes) = &turns[index] {
                turns[index] = SaysSplit(bytes.clone(), at.index(bytes.len() + 1));
            }
        }
        Change::Repeats(turn) => {
            let index = turn.index(turns.len());
            let turn = turns[index].clone();
            if !matches!(turn, StartsTls) {
                turns.insert(index, turn);
            }
        }
        Change::Omits(turn) => {
            turns.remove(turn.index(turns.len()));
        }
        Change::Swaps(one, other) => {
            let length = turns.len();
            turns.swap(one.index(length), other.index(length));
        }
        Change::Ends(turn, closes) => {
            turns.truncate(turn.index(turns.len() + 1));
            turns.push(if *closes { ShutsDown } else { FallsSilent });
        }
    }
    if turns.is_empty() {
        turns.push(FallsSilent);
    }
}

/// A stream that changes one byte of what is written, or ends after this number of bytes.
struct Corrupting {
    stream: TcpStream,
    written: usize,
    flip: Option<(usize, u8)>,
    end: usize,
}

impl Read for Corrupting {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Corrupting {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut bytes = bytes.to_vec();
        if let Some((at, bits)) = self.flip {
            if let Some(byte) = at
                .checked_sub(self.written)
                .and_then(|at| bytes.get_mut(at))
            {
                *byte ^= bits;
            }
        }
        let length = bytes.len().min(self.end.saturating_sub(self.written));
        self.stream.write_all(&bytes[..length])?;
        self.written += bytes.len();
        if length < bytes.len() {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}

fn other_config() -> Arc<ServerConfig> {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    server_config(&generate_simple_self_signed(names).unwrap())
}

/// Runs the script for one client. Sets `is_secured` if the server has completed the handshake: then
/// the client has received all its bytes unchanged.
fn converse(mut stream: TcpStream, turns: &[Turn], handshake: &Handshake, is_secured: &AtomicBool) {
    let start = turns.iter().position(|turn| *turn == StartsTls);
    let (plain, encrypted) = turns.split_at(start.unwrap_or(turns.len()));
    let mut heard = Vec::new();
    let is_done = take_turns(&mut stream, plain, &mut heard);
    if !is_done || start.is_none() {
        if plain.last() == Some(&ShutsDown) {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let _ = stream.read_to_end(&mut heard);
        return;
    }
    let config = match handshake {
        Handshake::Plain(bytes) => {
            let _ = stream.write_all(bytes);
            let _ = stream.read_to_end(&mut heard);
            return;
        }
        Handshake::OtherKey => other_config(),
        _ => config(),
    };
    let corrupting = Corrupting {
        stream,
        written: 0,
        flip: match handshake {
            Handshake::Corrupted(at, bits) => Some((*at, *bits)),
            _ => None,
        },
        end: match handshake {
            Handshake::Cut(at) => *at,
            _ => usize::MAX,
        },
    };
    let connection = ServerConnection::new(config).unwrap();
    let mut tls = StreamOwned::new(connection, corrupting);
    while tls.conn.is_handshaking() {
        if tls.conn.complete_io(&mut tls.sock).is_err() {
            let _ = tls.sock.stream.read_to_end(&mut heard);
            return;
        }
    }
    is_secured.store(true, Ordering::SeqCst);
    let encrypted: Vec<_> = encrypted[1..]
        .iter()
        .filter(|turn| **turn != StartsTls)
        .cloned()
        .collect();
    take_turns(&mut tls, &encrypted, &mut heard);
    if encrypted.last() == Some(&ShutsDown) {
        tls.conn.send_close_notify();
        let _ = tls.flush();
    }
    let _ = tls.read_to_end(&mut heard);
}

/// A mutated peer.
struct Mutated<'c> {
    conversation: &'c Conversation,
    mutation: Mutation,
    peer: Peer,
    is_secured: Arc<AtomicBool>,
}

impl<'c> Mutated<'c> {
    fn start(conversations: &'c [Conversation], mutation: Mutation) -> Self {
        let conversation = mutation.conversation.get(conversations);
        let mut turns = conversation.turns.clone();
        for change in &mutation.changes {
            apply(change, &mut turns);
        }
        let is_secured = Arc::new(AtomicBool::new(false));
        let (secured, handshake) = (Arc::clone(&is_secured), mutation.handshake.clone());
        let peer = Peer::start(move |stream| {
            stream.set_nodelay(true).unwrap();
            let port = stream.local_addr().unwrap().port().to_string();
            let turns: Vec<_> = turns
                .iter()
                .map(|turn| match turn {
                    Receives(bytes) => Receives(crate::tls_peer::with_port(bytes, &port)),
                    other => other.clone(),
                })
                .collect();
            converse(stream, &turns, &handshake, &secured);
        });
        Self {
            conversation,
            mutation,
            peer,
            is_secured,
        }
    }

    /// Why the result of its probe is wrong.
    fn error(&self, document: &Value) -> Option<String> {
        let is_up = document["up"] == 1;
        let is_secured = self.is_secured.load(Ordering::SeqCst);
        let error = |why: &str| {
            let (service, mutation) = (self.conversation.service, &self.mutation);
            Some(format!("{service}: {why}: {mutation:?}: {document}"))
        };
        let text = document["error"].as_str().unwrap_or_default();
        if text.contains("internal error") {
            return error("it panicked");
        }
        if is_up && !is_secured {
            return error("up without a handshake");
        }
        if is_up && matches!(self.mutation.handshake, Handshake::OtherKey) {
            return error("up with another key");
        }
        if is_up && (document["tls"]["proved"] != 1 || document["tls"]["verified"] != 1) {
            return error("up and not verified");
        }
        // A machine that is too busy makes it unknown, or too late.
        let is_genuine = matches!(self.mutation.handshake, Handshake::Genuine);
        let is_late = document["state"] == 2 || text.contains("deadline");
        if !is_up && is_genuine && self.mutation.changes.is_empty() && !is_late {
            return error("not up");
        }
        // Bytes after the go-ahead, in the same segment.
        let turns = &self.conversation.turns;
        let start = turns.iter().position(|turn| *turn == StartsTls).unwrap();
        let sends: Vec<_> = (0..turns.len())
            .filter(|turn| matches!(turns[*turn], Sends(_)))
            .collect();
        if let [Change::Appends(turn, _)] = &self.mutation.changes[..] {
            let is_last = matches!(turns[start - 1], Sends(_));
            if is_up && is_last && sends[turn.index(sends.len())] == start - 1 {
                return error("up after an injection");
            }
        }
        None
    }
}

/// Probes all peers at once; the errors.
fn probe(peers: &[Mutated<'_>]) -> Vec<String> {
    let lines = peers
        .iter()
        .fold(String::new(), |mut lines, peer| {
            let _ = writeln!(
                lines,
                "{{\"id\":\"{0}\",\"host\":\"127.0.0.1\",\"port\":{0},\"service\":\"{1}\",\"pin_sha256\":[\"{2}\"]}}",
                peer.peer.port(),
                peer.conversation.service,
                pin(),
            );
            lines
        });
    let started = Instant::now();
    let mut child = program()
        .args(["batch", "-", "-o", "ndjson", "-t"])
        .arg(format!("{}", TIMEOUT.as_secs_f64()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let took = started.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut errors = Vec::new();
    if !stderr.is_empty() || took > TIMEOUT + SLACK {
        errors.push(format!("{:?} after {took:?}: {stderr}", output.status));
    }
    let documents: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    for peer in peers {
        let id = peer.peer.port();
        match documents.iter().find(|document| document["id"] == *id) {
            Some(document) => errors.extend(peer.error(document)),
            None => errors.push(format!("no document: {:?}", peer.mutation)),
        }
    }
    errors
}

/// `ZBX_TCP_STARTTLS_CASES` sets the number of cases, of 32 peers each.
#[test]
fn no_mutated_peer_is_up_without_a_handshake() {
    let given = std::env::var("ZBX_TCP_STARTTLS_CASES").ok();
    let cases = given.map_or(3, |cases| cases.parse().unwrap());
    let conversations = conversations();
    let runner = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 40,
        ..Config::default()
    };
    let (count, secured) = (Cell::new(0_usize), Cell::new(0_usize));
    TestRunner::new(runner)
        .run(&vec(mutation(), 32), |mutations| {
            let peers: Vec<_> = mutations
                .into_iter()
                .map(|mutation| Mutated::start(&conversations, mutation))
                .collect();
            let errors = probe(&peers);
            count.set(count.get() + peers.len());
            let handshakes = peers
                .iter()
                .filter(|peer| peer.is_secured.load(Ordering::SeqCst));
            secured.set(secured.get() + handshakes.count());
            prop_assert!(errors.is_empty(), "{}", errors.join("\n"));
            Ok(())
        })
        .unwrap();
    let (count, secured) = (count.get(), secured.get());
    println!("{count} peers, {secured} with a complete handshake");
    assert!(secured > 0, "no peer has completed a handshake");
}
