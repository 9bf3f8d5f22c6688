//! A scripted peer that can start TLS in the middle of a conversation.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::thread::sleep;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, PublicKeyData, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::scripted_peer::Peer;

/// One turn of a conversation, from the peer's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The program must send exactly this.
    Receives(Vec<u8>),
    /// The client must send something that ends in a blank line.
    HearsRequest,
    /// The peer sends this.
    Sends(Vec<u8>),
    /// The peer sends this in two segments, the first of which has this number of bytes.
    SaysSplit(Vec<u8>, usize),
    /// The peer is the server of a TLS handshake. What follows is encrypted.
    StartsTls,
    /// The peer sends nothing more.
    FallsSilent,
    /// The peer ends its direction.
    ShutsDown,
}

/// What a peer has heard.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Before TLS, and after the last turn of a script without TLS.
    pub plain: Vec<u8>,
    /// Within TLS.
    pub encrypted: Vec<u8>,
    /// Whether the handshake completed.
    pub secured: bool,
    /// Whether the client closed TLS with `close_notify`.
    pub closed: bool,
}

/// What all peers have in common.
struct Identity {
    config: Arc<ServerConfig>,
    /// The SHA-256 digest of the public key, in hex.
    pin: String,
}

/// A server with this certificate.
pub fn server_config(made: &CertifiedKey<KeyPair>) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.into()
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let names = ["localhost", "127.0.0.1", "example.org"].map(str::to_owned);
    let made = generate_simple_self_signed(names).unwrap();
    let public = made.signing_key.subject_public_key_info();
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let digest = suite.tls13().unwrap().common.hash_provider.hash(&public);
    let pin = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Identity {
        config: server_config(&made),
        pin: pin.collect(),
    }
});

/// The digest of the key that all peers have, which makes their certificate trusted.
pub fn pin() -> &'static str {
    &IDENTITY.pin
}

/// The configuration of a server with the key of all peers.
pub fn config() -> Arc<ServerConfig> {
    Arc::clone(&IDENTITY.config)
}

/// Starts a peer that runs this script for one client; what it has received once the client has
/// closed the connection.
pub fn start(turns: Vec<Turn>) -> (Peer, Receiver<Heard>) {
    let (sender, receiver) = channel();
    let peer = Peer::start(move |stream| {
        stream.set_nodelay(true).unwrap();
        let port = stream.local_addr().unwrap().port().to_string();
        let with_port = |turn: &Turn| match turn {
            Turn::Receives(bytes) => Turn::Receives(replaced(bytes, PORT, &port)),
            other => other.clone(),
        };
        let turns: Vec<_> = turns.iter().map(with_port).collect();
        let mut heard = Heard::default();
        converse(stream, &turns, &mut heard);
        heard.encrypted = replaced(&heard.encrypted, &port, PORT);
        let _ = sender.send(heard);
    });
    (peer, receiver)
}

/// Stands for the port of the peer, a number of five digits.
const PORT: &str = "PORT5";

/// The bytes with the port in place of [`PORT`].
pub fn with_port(bytes: &[u8], port: &str) -> Vec<u8> {
    replaced(bytes, PORT, port)
}

/// The bytes with the first `from` replaced.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let found = bytes
        .windows(from.len())
        .position(|part| part == from.as_bytes());
    let mut bytes = bytes.to_vec();
    if let Some(at) = found {
        bytes.splice(at..at + from.len(), to.bytes());
    }
    bytes
}

fn converse(mut stream: TcpStream, turns: &[Turn], heard: &mut Heard) {
    let start = turns
        .iter()
        .position(|turn| matches!(turn, Turn::StartsTls));
    let (plain, encrypted) = turns.split_at(start.unwrap_or(turns.len()));
    if !take_turns(&mut stream, plain, &mut heard.plain) || start.is_none() {
        if let Some(Turn::ShutsDown) = plain.last() {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let _ = stream.read_to_end(&mut heard.plain);
        return;
    }
    let connection = ServerConnection::new(Arc::clone(&IDENTITY.config)).unwrap();
    let mut tls = StreamOwned::new(connection, stream);
    while tls.conn.is_handshaking() {
        if tls.conn.complete_io(&mut tls.sock).is_err() {
            return;
        }
    }
    heard.secured = true;
    take_turns(&mut tls, &encrypted[1..], &mut heard.encrypted);
    if let Some(Turn::ShutsDown) = encrypted.last() {
        tls.conn.send_close_notify();
        let _ = tls.flush();
    }
    heard.closed = tls.read_to_end(&mut heard.encrypted).is_ok();
}

/// Takes these turns; false if the client has sent something else or closed the connection.
pub fn take_turns(stream: &mut (impl Read + Write), turns: &[Turn], heard: &mut Vec<u8>) -> bool {
    turns.iter().all(|turn| match turn {
        Turn::Receives(expected) => {
            let mut bytes = vec![0; expected.len()];
            let is_read = stream.read_exact(&mut bytes).is_ok();
            heard.extend_from_slice(&bytes);
            is_read && bytes == *expected
        }
        Turn::HearsRequest => {
            let mut byte = [0];
            while !heard.ends_with(b"\r\n\r\n") {
                if stream.read_exact(&mut byte).is_err() {
                    return false;
                }
                heard.push(byte[0]);
            }
            true
        }
        Turn::Sends(bytes) => stream
            .write_all(bytes)
            .and_then(|()| stream.flush())
            .is_ok(),
        Turn::SaysSplit(bytes, at) => {
            let (first, rest) = bytes.split_at(*at);
            let is_sent = stream
                .write_all(first)
                .and_then(|()| stream.flush())
                .is_ok();
            // The client reads the first part alone.
            sleep(Duration::from_millis(5));
            is_sent && stream.write_all(rest).and_then(|()| stream.flush()).is_ok()
        }
        Turn::FallsSilent | Turn::ShutsDown | Turn::StartsTls => false,
    })
}
