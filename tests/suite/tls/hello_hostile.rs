//! Answers to the plain hello that were recorded, mutated or made up: nothing panics, and time and
//! memory are bounded.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zbx_tcp::plan::layer::{Layer, LayerConnection, LayerError, PeerHalf};
use zbx_tcp::tls::hello::client_hello::{ClientHello, HelloForm};
use zbx_tcp::tls::hello::layer::{HelloLayer, HelloPurpose};
use zbx_tcp::tls::hello::messages::{MAX_ANSWER, MAX_MESSAGE};
use zbx_tcp::tls::hello::server_answer::MAX_CERTIFICATES;
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls_facts::{TlsFacts, TlsVersion};

use crate::tls::hello::certificates;
use crate::tls::openssl::{NAME, TlsServer};

/// A recorded answer: its file, the server, and the facts in it.
struct Recorded {
    file: &'static str,
    certificate: &'static str,
    arguments: &'static str,
    version: TlsVersion,
    cipher: &'static str,
    group: Option<&'static str>,
    key: &'static str,
    client_cert: bool,
}

const RECORDED: &[Recorded] = &[
    Recorded {
        file: "tls10-rsa",
        certificate: "rsa",
        arguments: "-tls1 -cipher kRSA:@SECLEVEL=0",
        version: TlsVersion::Tls10,
        cipher: "TLS_RSA_WITH_AES_128_CBC_SHA",
        group: None,
        key: "RSA-2048",
        client_cert: false,
    },
    Recorded {
        file: "tls10-dhe-rsa1024-md5-client-auth",
        certificate: "rsa1024-md5",
        arguments: "-tls1 -cipher DHE:@SECLEVEL=0 -verify 1",
        version: TlsVersion::Tls10,
        cipher: "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
        group: Some("DH-1024"),
        key: "RSA-1024",
        client_cert: true,
    },
    Recorded {
        file: "tls11-ecdhe",
        certificate: "rsa",
        arguments: "-tls1_1 -cipher ALL:@SECLEVEL=0 -curves P-256",
        version: TlsVersion::Tls11,
        cipher: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        group: Some("P-256"),
        key: "RSA-2048",
        client_cert: false,
    },
    Recorded {
        file: "tls12-p521-client-auth",
        certificate: "p521",
        arguments: "-tls1_2 -curves P-521 -verify 1",
        version: TlsVersion::Tls12,
        cipher: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        group: Some("P-521"),
        key: "ECDSA-P521",
        client_cert: true,
    },
    Recorded {
        file: "tls12-ed448",
        certificate: "ed448",
        arguments: "-tls1_2",
        version: TlsVersion::Tls12,
        cipher: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        group: Some("X25519"),
        key: "Ed448",
        client_cert: false,
    },
];

/// The answer of a `HelloRetryRequest` that names X25519.
const RETRY: &str = "tls13-retry";

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/suite/tls/recorded/{file}.bin"))
}

fn recorded(file: &str) -> Vec<u8> {
    std::fs::read(path(file)).unwrap()
}

/// All that a server sends before it waits for us.
fn record(certificate: &str, arguments: &str, form: HelloForm) -> Vec<u8> {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let server = TlsServer::openssl(&certificates(), certificate, &arguments);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
    let hello = ClientHello {
        form,
        server_name: Some(NAME),
        alpn: &[],
        random: [7; 32],
    };
    stream.write_all(&hello.encode()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn start(purpose: HelloPurpose) -> Box<dyn LayerConnection> {
    // No trust store is read.
    let options = TlsOptions {
        pins: vec![[0; 32]],
        ..TlsOptions::default()
    };
    let layer = HelloLayer::new(options, purpose, None);
    layer.start(&NAME.parse().unwrap()).unwrap()
}

type Outcome = (Result<PeerHalf, LayerError>, Option<Box<TlsFacts>>);

/// What a hello makes of these pieces of an answer, after which the peer closes.
fn read<'p>(purpose: HelloPurpose, pieces: impl Iterator<Item = &'p [u8]>) -> Outcome {
    let mut connection = start(purpose);
    let mut plain = Vec::new();
    for piece in pieces {
        match connection.read(piece, &mut plain) {
            Ok(PeerHalf::Open) => {
                connection.progress().unwrap();
            }
            ended => return (ended, connection.facts()),
        }
    }
    let ended = connection.peer_closed();
    (ended, connection.facts())
}

/// The same, with a verification that does not depend on the time.
fn facts((_, facts): &Outcome) -> TlsFacts {
    let mut facts = facts.as_deref().cloned().unwrap_or_default();
    if let Some(verification) = &mut facts.verification {
        verification.at = 0;
    }
    facts
}

#[test]
fn recorded_answers_are_read() {
    if std::env::var_os("UPDATE_RECORDED").is_some() {
        let newest = HelloForm::UpTo(TlsVersion::Tls12);
        for one in RECORDED {
            let answer = record(one.certificate, one.arguments, newest);
            std::fs::write(path(one.file), answer).unwrap();
        }
        let answer = record("p256", "-tls1_3", HelloForm::PreferredGroup);
        std::fs::write(path(RETRY), answer).unwrap();
    }
    for one in RECORDED {
        let answer = recorded(one.file);
        let read = read(HelloPurpose::Facts, std::iter::once(&answer[..]));
        assert_eq!(read.0, Ok(PeerHalf::Done), "{}", one.file);
        let facts = facts(&read);
        assert_eq!(facts.version, Some(one.version));
        assert_eq!(facts.cipher.as_deref(), Some(one.cipher));
        assert_eq!(facts.group.as_deref(), one.group);
        assert_eq!(facts.client_cert, Some(one.client_cert));
        assert_eq!(&*facts.chain[0].key, one.key);
    }
    let retry = recorded(RETRY);
    let read = read(HelloPurpose::PreferredGroup, retry.chunks(1));
    assert_eq!(read.0, Ok(PeerHalf::Done));
    assert_eq!(facts(&read).pq, Some(false));
    // Of OpenSSL 3.5, whose first group it is.
    let read = self::read(
        HelloPurpose::PreferredGroup,
        recorded("tls13-retry-pq").chunks(1),
    );
    assert_eq!(read.0, Ok(PeerHalf::Done));
    assert_eq!(facts(&read).pq, Some(true));
}

#[test]
fn an_answer_may_be_divided_anywhere() {
    for one in RECORDED {
        let answer = recorded(one.file);
        let whole = read(HelloPurpose::Facts, std::iter::once(&answer[..]));
        for at in 0..=answer.len() {
            let (first, second) = answer.split_at(at);
            let pieces = [first, second]
                .into_iter()
                .filter(|piece| !piece.is_empty());
            let divided = read(HelloPurpose::Facts, pieces);
            assert_eq!(divided.0, whole.0);
            assert_eq!(facts(&divided), facts(&whole));
        }
    }
}

#[test]
fn an_answer_may_end_anywhere_and_what_was_read_is_kept() {
    let answer = recorded("tls12-p521-client-auth");
    let whole = facts(&read(HelloPurpose::Facts, std::iter::once(&answer[..])));
    let mut seen = Vec::new();
    for end in 0..answer.len() {
        let cut = read(
            HelloPurpose::Facts,
            std::iter::once(&answer[..end]).filter(|cut| !cut.is_empty()),
        );
        let cause = cut.0.as_ref().unwrap_err().cause.clone();
        assert!(
            cause.starts_with("the connection ended ") || end < 5,
            "{cause}"
        );
        let facts = facts(&cut);
        assert!(facts.version.is_none() || facts.version == whole.version);
        assert!(facts.chain.is_empty() || facts.chain == whole.chain);
        assert!(facts.verification.is_some() != facts.chain.is_empty());
        assert_ne!(facts.client_cert, Some(false), "it is not known yet");
        seen.push((
            facts.version.is_some(),
            !facts.chain.is_empty(),
            facts.client_cert,
        ));
    }
    seen.dedup();
    assert_eq!(
        seen,
        [
            (false, false, None),
            (true, false, None),
            (true, true, None),
            (true, true, Some(true)),
        ]
    );
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    out[0] = kind;
    out.extend_from_slice(body);
    out
}

fn records(messages: &[u8]) -> Vec<u8> {
    let chunks = messages.chunks(16_384);
    let one = |content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[22, 3, 3], &length[..], content].concat()
    };
    chunks.flat_map(one).collect()
}

fn server_hello(version: [u8; 2], suite: [u8; 2]) -> Vec<u8> {
    message(2, &[&version[..], &[9; 32], &[0], &suite, &[0]].concat())
}

fn certificate_message(certificates: &[&[u8]]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..].to_vec();
    let list: Vec<u8> = certificates
        .iter()
        .flat_map(|certificate| [length(certificate), certificate.to_vec()].concat())
        .collect();
    message(11, &[length(&list), list].concat())
}

fn answered(messages: &[Vec<u8>]) -> Outcome {
    let wire = records(&messages.concat());
    let by_byte = read(HelloPurpose::Facts, wire.chunks(1));
    let at_once = read(HelloPurpose::Facts, std::iter::once(&wire[..]));
    assert_eq!(by_byte.0, at_once.0);
    assert_eq!(facts(&by_byte), facts(&at_once));
    at_once
}

#[test]
fn invalid_answers_are_sentences() {
    let hello = || server_hello([3, 3], [0, 0x9c]);
    let garbage = || certificate_message(&[b"no certificate"]);
    let done = || message(14, &[]);
    let cases: Vec<(Vec<Vec<u8>>, &str)> = vec![
        (
            vec![done()],
            "the server sends ServerHelloDone where the protocol does not allow it",
        ),
        (
            vec![hello(), hello()],
            "the server sends ServerHello where the protocol does not allow it",
        ),
        (
            vec![hello(), garbage(), garbage()],
            "the server sends Certificate where the protocol does not allow it",
        ),
        (
            vec![hello(), message(20, &[0; 12])],
            "the server sends Finished where the protocol does not allow it",
        ),
        (
            vec![server_hello([3, 4], [0x13, 1])],
            "the server selects TLSv1.3, but the newest version offered is TLSv1.2",
        ),
        (
            vec![server_hello([3, 9], [0, 5])],
            "the server selects an unknown version, 0x0309",
        ),
        (
            vec![message(2, &[3, 3, 1])],
            "the ServerHello message of the server (3 bytes) cannot be read",
        ),
        (
            vec![hello(), message(11, &[0, 0, 9, 0, 0, 1, 7])],
            "the Certificate message of the server (7 bytes) cannot be read",
        ),
        (
            vec![hello(), message(11, &[0, 0, 4, 0, 0, 9, 7])],
            "the Certificate message of the server (7 bytes) cannot be read",
        ),
        (
            vec![hello(), message(11, &[0, 0, 0, 7])],
            "the Certificate message of the server (4 bytes) cannot be read",
        ),
        (
            vec![hello(), certificate_message(&[]), done()],
            "the server sends no certificate, and selects TLS_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            vec![server_hello([3, 3], [0, 0x34]), done()],
            "the server sends no certificate, and selects TLS_DH_anon_WITH_AES_128_CBC_SHA",
        ),
        (
            vec![
                server_hello([3, 3], [0xc0, 0x2f]),
                garbage(),
                message(12, &[3, 0]),
            ],
            "the ServerKeyExchange message of the server (2 bytes) cannot be read",
        ),
        (
            vec![
                server_hello([3, 3], [0, 0x33]),
                garbage(),
                message(12, &[0, 2, 0, 0]),
            ],
            "the ServerKeyExchange message of the server (4 bytes) cannot be read",
        ),
        (
            vec![
                hello(),
                certificate_message(&vec![&b"x"[..]; MAX_CERTIFICATES + 1]),
            ],
            "the server sends more than 256 certificates",
        ),
    ];
    for (messages, sentence) in cases {
        let (result, _) = answered(&messages);
        assert_eq!(result.unwrap_err().cause, sentence);
    }
    // A length alone is enough for a refusal.
    let wire = records(&[&hello()[..], &[11, 0xff, 0xff, 0xff]].concat());
    let (result, facts) = read(HelloPurpose::Facts, wire.chunks(1));
    let sentence =
        "a Certificate message of 16777215 bytes, more than the 256 KiB that are accepted";
    assert_eq!(result.unwrap_err().cause, sentence);
    assert!(facts.is_some());
}

#[test]
fn odd_but_valid_answers_are_read() {
    let certificates: Vec<Vec<u8>> = (0..MAX_CERTIFICATES)
        .map(|n| n.to_be_bytes().to_vec())
        .collect();
    let certificates: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let done = || message(14, &[]);
    let request = || message(0, &[]);
    let (result, facts) = answered(&[
        request(),
        server_hello([3, 0], [0xfa, 0xfa]),
        request(),
        certificate_message(&certificates),
        // Of an unknown suite nothing is known.
        message(12, &[1]),
        message(22, &[1, 0, 0, 0]),
        message(23, &[1]),
        done(),
    ]);
    assert_eq!(result, Ok(PeerHalf::Done));
    let facts = facts.unwrap();
    assert_eq!(facts.version, Some(TlsVersion::Ssl3));
    assert_eq!(facts.cipher.as_deref(), Some("0xfafa"));
    assert_eq!((facts.group.as_deref(), facts.staple), (None, false));
    assert_eq!(
        facts.chain.len() + facts.chain_omitted.number,
        MAX_CERTIFICATES
    );
    assert!(
        facts
            .chain
            .iter()
            .all(|certificate| certificate.unreadable.is_some())
    );
    // Export suites have primes of 512 bits; leading zeros do not count.
    let prime = [&[0, 66, 0, 0], &[0x80; 64][..]].concat();
    let (_, facts) = answered(&[
        server_hello([3, 1], [0, 0x14]),
        certificate_message(&[b"x"]),
        message(12, &prime),
        done(),
    ]);
    let facts = facts.unwrap();
    assert_eq!(facts.group.as_deref(), Some("DH-512"));
    assert_eq!(
        facts.cipher.as_deref(),
        Some("TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA")
    );
}

#[test]
fn each_alert_ends_the_hello_unless_it_is_a_warning() {
    for code in 0..=u8::MAX {
        for level in [0, 1, 2, 255] {
            let wire = [21, 3, 1, 0, 2, level, code];
            let (result, facts) = read(HelloPurpose::Facts, wire.chunks(1));
            let cause = result.unwrap_err().cause;
            let is_warning = level == 1 && code != 0;
            let sentence = if is_warning {
                "the connection ended before the ServerHello"
            } else {
                "the server sent the alert "
            };
            assert!(cause.starts_with(sentence), "{level} {code} {cause}");
            assert_eq!(facts, None);
        }
    }
    // Servers without a certificate for the name warn, and go on.
    let warning = [21, 3, 1, 0, 2, 1, 112];
    let answer = recorded("tls10-rsa");
    let (result, _) = read(HelloPurpose::Facts, [&warning[..], &answer].into_iter());
    assert_eq!(result, Ok(PeerHalf::Done));
    let (result, _) = read(
        HelloPurpose::Facts,
        std::iter::repeat_n(&warning[..], 100_000),
    );
    let sentence = "the server sends too many warning alerts, the last is unrecognized_name";
    assert_eq!(result.unwrap_err().cause, sentence);
}

#[test]
fn a_refused_hello_of_a_scan_tells_the_oldest_version_and_silence_does_not() {
    let purpose = HelloPurpose::Oldest {
        up_to: TlsVersion::Tls11,
        otherwise: Some(TlsVersion::Tls12),
    };
    let oldest = |read: Outcome| read.1.and_then(|facts| facts.oldest);
    let refused = Some(TlsVersion::Tls12);
    let alert = [21, 3, 1, 0, 2, 2, 70];
    assert_eq!(oldest(read(purpose, std::iter::once(&alert[..]))), refused);
    assert_eq!(
        oldest(read(purpose, std::iter::empty())),
        refused,
        "it closed"
    );
    assert_eq!(
        oldest(read(purpose, std::iter::once(&b"HTTP/1.1 400\r\n"[..]))),
        None
    );
    assert_eq!(oldest(read(purpose, std::iter::once(&alert[..6]))), None);
    let silent = start(purpose);
    assert_eq!(silent.facts().and_then(|facts| facts.oldest), None);
    let answer = records(&server_hello([3, 1], [0, 0x2f]));
    let selected = Some(TlsVersion::Tls10);
    assert_eq!(oldest(read(purpose, answer.chunks(2))), selected);
}

#[test]
fn endless_answers_end_soon() {
    let hello = records(&server_hello([3, 3], [0, 0x9c]));
    let endless: [(&str, Vec<u8>); 4] = [
        ("empty records", vec![22, 3, 3, 0, 0]),
        ("requests for a new hello", records(&message(0, &[]))),
        (
            "staples",
            records(&message(
                22,
                &[&[1, 1, 0, 0], &vec![7; 65_536][..]].concat(),
            )),
        ),
        ("a text", vec![b'x'; 4096]),
    ];
    for (name, unit) in endless {
        let start = Instant::now();
        let units = 2 + 2 * MAX_ANSWER / unit.len();
        let pieces = std::iter::once(&hello[..]).chain(std::iter::repeat_n(&unit[..], units));
        let (result, _) = read(HelloPurpose::Facts, pieces);
        let cause = result.unwrap_err().cause;
        assert!(cause.len() < 200, "{cause}");
        assert!(
            !cause.starts_with("the connection ended"),
            "{name}: {cause}"
        );
        assert!(start.elapsed() < Duration::from_secs(5), "{name}");
    }
}

#[test]
fn the_longest_certificate_message_byte_by_byte_takes_little_time() {
    let longest = vec![7; MAX_MESSAGE - 6];
    let wire = records(
        &[
            server_hello([3, 3], [0, 0x9c]),
            certificate_message(&[&longest]),
            message(14, &[]),
        ]
        .concat(),
    );
    let start = Instant::now();
    let (result, facts) = read(HelloPurpose::Facts, wire.chunks(1));
    assert_eq!(result, Ok(PeerHalf::Done));
    assert_eq!(facts.unwrap().chain.len(), 1);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// A change of an answer.
#[derive(Debug, Clone)]
enum Mutation {
    Set(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = || 0_usize..4096;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        1 => (at(), 0_usize..64).prop_map(|(at, length)| Mutation::Remove(at, length)),
        1 => (at(), 0_usize..512).prop_map(|(at, length)| Mutation::Repeat(at, length)),
        1 => (at(), prop::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match mutation {
        Mutation::Set(at, byte) => bytes[at % length] = *byte,
        Mutation::Remove(at, number) => {
            let start = at % length;
            bytes.drain(start..length.min(start + number));
        }
        Mutation::Repeat(at, number) => {
            let start = at % length;
            let part = bytes[start..length.min(start + number)].to_vec();
            bytes.splice(start..start, part);
        }
        Mutation::Insert(at, part) => {
            let start = at % length;
            bytes.splice(start..start, part.iter().copied());
        }
    }
}

const PURPOSES: [HelloPurpose; 4] = [
    HelloPurpose::Facts,
    HelloPurpose::OldFacts,
    HelloPurpose::PreferredGroup,
    HelloPurpose::Oldest {
        up_to: TlsVersion::Tls11,
        otherwise: Some(TlsVersion::Tls12),
    },
];

/// One printable line, whatever was received.
fn assert_sentence(read: &Outcome) -> Result<(), TestCaseError> {
    if let Err(error) = &read.0 {
        prop_assert!(error.cause.len() < 500, "{}", error.cause);
        prop_assert!(
            !error.cause.chars().any(char::is_control),
            "{:?}",
            error.cause
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_answers_never_panic(
        number in 0..RECORDED.len(),
        purpose in 0..PURPOSES.len(),
        mutations in prop::collection::vec(mutation(), 1..6),
        piece in 1_usize..2000,
    ) {
        let mut answer = recorded(RECORDED[number].file);
        for mutation in &mutations {
            mutate(&mut answer, mutation);
        }
        let divided = read(PURPOSES[purpose], answer.chunks(piece));
        assert_sentence(&divided)?;
        // The sentence for other protocols shows what was received at once.
        if answer.get(..2).is_some_and(|start| (20..=23).contains(&start[0]) && start[1] == 3) {
            let whole = read(PURPOSES[purpose], std::iter::once(&answer[..]));
            prop_assert_eq!(&divided.0, &whole.0);
            prop_assert_eq!(facts(&divided), facts(&whole));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        answer in prop::collection::vec(any::<u8>(), 0..600),
        purpose in 0..PURPOSES.len(),
        piece in 1_usize..100,
    ) {
        assert_sentence(&read(PURPOSES[purpose], answer.chunks(piece)))?;
    }

    #[test]
    fn arbitrary_messages_never_panic(
        messages in prop::collection::vec(
            (
                prop::sample::select(vec![0, 2, 11, 12, 13, 14, 22, 23, 99]),
                prop::collection::vec(any::<u8>(), 0..80),
            ),
            0..6,
        ),
        suite in any::<[u8; 2]>(),
        minor in 0_u8..6,
    ) {
        let mut wire = server_hello([3, minor], suite);
        for (kind, body) in &messages {
            wire.extend(message(*kind, body));
        }
        let wire = records(&wire);
        let divided = read(HelloPurpose::Facts, wire.chunks(3));
        let whole = read(HelloPurpose::Facts, std::iter::once(&wire[..]));
        assert_sentence(&whole)?;
        prop_assert_eq!(facts(&divided), facts(&whole));
        prop_assert_eq!(divided.0, whole.0);
    }
}
