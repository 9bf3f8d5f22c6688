//! Peers that do not speak TLS, speak it wrongly, or do not stop.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use ring::aead;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ConnectionTrafficSecrets, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use zbx_tcp::address::Host;
use zbx_tcp::failure::Status;
use zbx_tcp::plan::layer::PeerHalf;
use zbx_tcp::plan::steps::{Piece, Secret, Step, Template};
use zbx_tcp::report::Report;
use zbx_tcp::tls;
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls_facts::{Fault, TlsVersion};

use super::server::{Certificates, Key};
use super::{assert_failed, assert_up, expect, facts, failure, probe, send, spec};
use crate::scripted_peer::{Peer, close_with_rst};

/// Nothing is read from disk with a pin.
fn pinned() -> TlsOptions {
    TlsOptions {
        pins: vec![[0; 32]],
        ..TlsOptions::default()
    }
}

/// Probes a peer that runs this script after it has received the `ClientHello`.
fn probe_script(script: impl Fn(&mut TcpStream) + Send + 'static) -> Report {
    probe_scripted(pinned(), Vec::new(), Duration::from_secs(10), script)
}

fn probe_scripted(
    options: TlsOptions,
    steps: Vec<Step>,
    timeout: Duration,
    script: impl Fn(&mut TcpStream) + Send + 'static,
) -> Report {
    let peer = Peer::start(move |mut stream: TcpStream| {
        let mut hello = [0; 5];
        if stream.read_exact(&mut hello).is_ok() {
            let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
            let _ = stream.read_exact(&mut rest);
        }
        script(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut spec = spec(options, steps);
    spec.timeout = timeout;
    probe(spec, peer.port().parse().unwrap())
}

/// A peer that sends these bytes and ends its direction.
fn answering(bytes: &'static [u8]) -> Report {
    probe_script(move |stream| {
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
    })
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3][..], &length, body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind][..], &length[1..], body].concat()
}

/// A `ServerHello` without extensions.
fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    record(22, &message(2, &body))
}

#[test]
fn peers_that_speak_something_else_are_named() {
    for (answer, text) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"[..],
            "the server answers with plain HTTP, not with TLS: \"HTTP/1.1 400 Bad Request\"; this is not a TLS port",
        ),
        (
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            "the server answers with SSH, not with TLS: \"SSH-2.0-OpenSSH_9.2p1 Debian-2\"; this is not a TLS port",
        ),
        (
            b"220 mx1.example.com ESMTP\r\n",
            "it may support STARTTLS: try `--starttls smtp`",
        ),
        (
            b"* OK IMAP4rev1\r\n",
            "it may support STARTTLS: try `--starttls imap`",
        ),
        (
            b"x",
            "the server answers with bytes that are not TLS: \"x\"",
        ),
        (
            b"\x16\x03",
            "the server answers with bytes that are not TLS: \"\\x16\\x03\"",
        ),
    ] {
        let report = answering(answer);
        assert_failed(
            &report,
            Status::TlsFailed,
            "TLS handshake with PEER: the server answers",
        );
        assert_failed(&report, Status::TlsFailed, text);
    }
}

#[test]
fn a_secret_in_the_failure_of_the_handshake_is_redacted() {
    let secret = Piece::Secret(Secret::new(*b"Tr0ub4dor"));
    let steps = vec![Step::Send(Template(vec![secret]))];
    let report = probe_scripted(pinned(), steps, Duration::from_secs(10), |stream| {
        let _ = stream.write_all(b"SSH-2.0-Tr0ub4dor\r\n");
        let _ = stream.shutdown(Shutdown::Write);
    });
    let text = "the server answers with SSH, not with TLS: \"SSH-2.0-***\"";
    assert_failed(&report, Status::TlsFailed, text);
}

#[test]
fn a_banner_may_arrive_byte_by_byte() {
    let report = probe_script(|stream| {
        stream.set_nodelay(true).unwrap();
        for byte in b"SSH-2.0-x\r\n" {
            let _ = stream.write_all(&[*byte]);
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let text = "the server answers with SSH, not with TLS: \"SSH-2";
    assert_failed(&report, Status::TlsFailed, text);
}

#[test]
fn a_peer_that_says_nothing_or_leaves_is_described() {
    let short = Duration::from_millis(300);
    let report = probe_scripted(pinned(), Vec::new(), short, |_| {});
    let text = "nothing was received; check that this is a TLS port";
    assert_failed(&report, Status::TlsFailed, text);
    let text = "the connection ended without an answer to the ClientHello";
    assert_failed(&answering(b""), Status::TlsFailed, text);
    let report = probe_script(|stream| {
        close_with_rst(stream.try_clone().unwrap());
        let _ = stream.shutdown(Shutdown::Both);
    });
    assert_failed(&report, Status::TlsFailed, "TLS handshake with PEER: ");
    let report = answering(b"\x16\x03\x03\x00\x50\x02\x00\x00\x4c\x03\x03");
    let text = "the connection ended during the handshake, after 6 of 80 bytes of a \
                message: see the log of the server";
    assert_failed(&report, Status::TlsFailed, text);
}

#[test]
fn every_alert_is_named() {
    for code in 0..=u8::MAX {
        for level in [1, 2, 3] {
            let report = probe_script(move |stream| {
                let _ = stream.write_all(&record(21, &[level, code]));
                let _ = stream.shutdown(Shutdown::Write);
            });
            let (status, text) = failure(&report);
            assert_eq!(status, Status::TlsFailed, "{text}");
            if level == 2 {
                let name = tls::alerts::name(code);
                assert!(
                    text.contains(&format!("the server sent the alert {name}")),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn old_versions_are_named_and_reported() {
    for (version, name, fact) in [
        (0x0300, "SSLv3", TlsVersion::Ssl3),
        (0x0301, "TLSv1.0", TlsVersion::Tls10),
        (0x0302, "TLSv1.1", TlsVersion::Tls11),
    ] {
        let report = probe_script(move |stream| {
            let _ = stream.write_all(&server_hello(version, 0xc02f));
        });
        let text = format!(
            "TLS handshake with PEER: the server speaks only {name}, which is too old to be \
             verified: update it, or use `--tls-legacy` to check its certificate only"
        );
        assert_failed(&report, Status::TlsFailed, &text);
        assert_eq!(facts(&report).version, Some(fact));
    }
    let report = probe_script(|stream| {
        let _ = stream.write_all(&server_hello(0x7f1c, 0xc02f));
    });
    let text = "the server selects the version 0x7f1c of TLS, which does not exist";
    assert_failed(&report, Status::TlsFailed, text);
    let newest = TlsOptions {
        min_version: Some(TlsVersion::Tls13),
        ..pinned()
    };
    let report = probe_scripted(newest, Vec::new(), Duration::from_secs(10), |stream| {
        let _ = stream.write_all(&server_hello(0x0303, 0xc02f));
    });
    let text = "the server speaks only TLSv1.2, and `--tls-min` requires TLSv1.3";
    assert_failed(&report, Status::TlsFailed, text);
}

#[test]
fn a_handshake_message_above_64_kib_is_refused_with_its_size() {
    let report = probe_script(|stream| {
        let mut bytes = server_hello(0x0303, 0xc02f);
        for part in message(11, &[0; 70_000]).chunks(16_000) {
            bytes.extend(record(22, part));
        }
        let _ = stream.write_all(&bytes);
    });
    let text = "the server sends a handshake message of more than 64 KiB (70004 bytes), which is \
                refused: its chain may have certificates that do not belong to it";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(facts(&report).version, Some(TlsVersion::Tls12));
}

#[test]
fn a_handshake_message_in_records_above_64_kib_is_refused_at_once() {
    let certificate = message(
        11,
        &[&[0, 0xfd, 0xe5, 0, 0xfd, 0xe2][..], &[0; 64_994]].concat(),
    );
    for size in [16, 300, 500] {
        let bytes: Vec<u8> = certificate
            .chunks(size)
            .flat_map(|part| record(22, part))
            .chain(record(22, &message(14, &[])))
            .collect();
        assert!(certificate.len() < 0xffff && bytes.len() > 0xffff);
        let started = Instant::now();
        let report = probe_script(move |stream| {
            let _ = stream.write_all(&server_hello(0x0303, 0xc02f));
            let _ = stream.write_all(&bytes);
        });
        let text = "TLS handshake with PEER: the server sends a handshake message in records of \
                    more than 64 KiB, which is refused";
        assert_failed(&report, Status::TlsFailed, text);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

/// A TLS server in this process, whose bytes a test can change.
struct LocalServer {
    config: Arc<ServerConfig>,
}

impl LocalServer {
    fn new(
        certificates: &Certificates,
        extra: &[CertificateDer<'static>],
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let chain = CertificateDer::pem_file_iter(certificates.path("p256.pem")).unwrap();
        let chain = chain
            .map(Result::unwrap)
            .chain(extra.iter().cloned())
            .collect();
        let key = PrivateKeyDer::from_pem_file(certificates.path("p256.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self {
            config: Arc::new(config),
        }
    }

    /// One that requests a client certificate.
    fn asking(certificates: &Certificates, version: &'static SupportedProtocolVersion) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(certificates.ca_file()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let chain = vec![CertificateDer::from_pem_file(certificates.path("p256.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(certificates.path("p256.key")).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        Self {
            config: Arc::new(config),
        }
    }

    /// One that serves the certificate of another key.
    fn without_key(
        certificates: &Certificates,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let key = PrivateKeyDer::from_pem_file(certificates.path("client.key")).unwrap();
        Self::signing_with(&key, certificates, version)
    }

    /// One that serves the certificate of a P-256 key, and signs with this key.
    fn signing_with(
        key: &PrivateKeyDer<'_>,
        certificates: &Certificates,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let chain = vec![CertificateDer::from_pem_file(certificates.path("p256.pem")).unwrap()];
        let key = rustls::crypto::ring::sign::any_supported_type(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = Arc::new(CertifiedKey::new(chain, key));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Self {
            config: Arc::new(config),
        }
    }

    /// Probes the server. `transmit` sends its bytes; after the handshake `then` goes on.
    fn probe(
        &self,
        options: TlsOptions,
        steps: Vec<Step>,
        transmit: impl Fn(&mut TcpStream, &[u8]) + Send + 'static,
        then: impl Fn(&mut TcpStream, &mut ServerConnection) + Send + 'static,
    ) -> Report {
        let config = Arc::clone(&self.config);
        let peer = Peer::start(move |mut stream: TcpStream| {
            let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
            while server.is_handshaking() || server.wants_write() {
                if server.wants_write() {
                    let mut bytes = Vec::new();
                    server.write_tls(&mut bytes).unwrap();
                    transmit(&mut stream, &bytes);
                } else if server.read_tls(&mut stream).is_ok_and(|read| read > 0) {
                    if server.process_new_packets().is_err() {
                        break;
                    }
                } else {
                    break;
                }
            }
            then(&mut stream, &mut server);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        probe(spec(options, steps), peer.port().parse().unwrap())
    }
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

fn whole(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

fn finish(stream: &mut TcpStream, server: &mut ServerConnection) {
    server.send_close_notify();
    flush(stream, server);
}

fn flush(stream: &mut TcpStream, server: &mut ServerConnection) {
    let mut bytes = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut bytes).unwrap();
    }
    let _ = stream.write_all(&bytes);
}

fn trusting(certificates: &Certificates) -> TlsOptions {
    TlsOptions {
        ca_file: Some(certificates.ca_file()),
        ..TlsOptions::default()
    }
}

#[test]
fn a_handshake_may_arrive_byte_by_byte() {
    let certificates = Certificates::new(&[Key::P256]);
    for version in VERSIONS {
        let server = LocalServer::new(&certificates, &[], version);
        let report = server.probe(
            trusting(&certificates),
            vec![expect("hello")],
            |stream, bytes| {
                stream.set_nodelay(true).unwrap();
                for byte in bytes {
                    let _ = stream.write_all(&[*byte]);
                }
            },
            |stream, server| {
                server.writer().write_all(b"hello").unwrap();
                flush(stream, server);
            },
        );
        assert_up(&report);
    }
}

#[test]
fn many_certificates_are_all_reported() {
    let certificates = Certificates::new(&[Key::P256]);
    let ca: CertificateDer<'static> =
        CertificateDer::from_pem_file(certificates.ca_file()).unwrap();
    for version in VERSIONS {
        let extra = vec![ca.clone(); 99];
        let server = LocalServer::new(&certificates, &extra, version);
        let report = server.probe(trusting(&certificates), Vec::new(), whole, finish);
        assert_up(&report);
        assert_eq!(
            facts(&report).chain.len() + facts(&report).chain_omitted.number,
            100
        );
        let verification = facts(&report).verification.as_ref().unwrap();
        assert_eq!(verification.faults, [Fault::ChainOrder]);
        // As many as fit, none of which can be read.
        let extra = vec![CertificateDer::from(vec![0x30, 0]); 9000];
        let server = LocalServer::new(&certificates, &extra, version);
        let started = Instant::now();
        let report = server.probe(trusting(&certificates), Vec::new(), whole, finish);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        assert_up(&report);
        assert_eq!(
            (facts(&report).chain.len() + facts(&report).chain_omitted.number),
            9001
        );
        // More than 64 KiB.
        let extra = vec![ca.clone(); 65_536 / ca.len() + 1];
        let server = LocalServer::new(&certificates, &extra, version);
        let report = server.probe(trusting(&certificates), Vec::new(), whole, finish);
        let text = "the server sends a handshake message of more than 64 KiB";
        assert_failed(&report, Status::TlsFailed, text);
    }
}

#[test]
fn what_follows_the_end_of_the_peer_is_ignored() {
    let certificates = Certificates::new(&[Key::P256]);
    for version in VERSIONS {
        let server = LocalServer::new(&certificates, &[], version);
        let report = server.probe(
            trusting(&certificates),
            vec![expect("hello")],
            whole,
            |stream, server| {
                server.writer().write_all(b"hell").unwrap();
                server.send_close_notify();
                let mut bytes = Vec::new();
                while server.wants_write() {
                    server.write_tls(&mut bytes).unwrap();
                }
                bytes.extend(record(23, b"o, this is not encrypted"));
                bytes.extend(b"HTTP/1.1 200 OK");
                let _ = stream.write_all(&bytes);
            },
        );
        let text = "expect (step 1) from PEER: ";
        let (status, actual) = failure(&report);
        assert!(
            matches!(status, Status::Mismatch | Status::Closed),
            "{actual}"
        );
        assert!(actual.starts_with(text), "{actual}");
    }
}

#[test]
fn changed_and_repeated_records_are_refused() {
    let certificates = Certificates::new(&[Key::P256]);
    for version in VERSIONS {
        let server = LocalServer::new(&certificates, &[], version);
        for change in 0..3 {
            let report = server.probe(
                trusting(&certificates),
                vec![send(b"x"), expect("hello")],
                whole,
                move |stream, server| {
                    // The answer follows our bytes.
                    while let Ok(state) = server.process_new_packets() {
                        let mut has_left = || !server.read_tls(stream).is_ok_and(|read| read > 0);
                        if state.plaintext_bytes_to_read() > 0 || has_left() {
                            break;
                        }
                    }
                    server.writer().write_all(b"hel").unwrap();
                    let mut bytes = Vec::new();
                    server.write_tls(&mut bytes).unwrap();
                    match change {
                        // A changed byte.
                        0 => *bytes.last_mut().unwrap() ^= 1,
                        // A repeated record.
                        1 => bytes.extend(bytes.clone()),
                        // A record in plaintext.
                        _ => bytes.extend(record(23, b"lo")),
                    }
                    let _ = stream.write_all(&bytes);
                },
            );
            let text = "received bytes cannot be decrypted: they were changed, lost or repeated in transit";
            assert_failed(&report, Status::TlsFailed, text);
            assert_failed(&report, Status::TlsFailed, "expect (step 2) from PEER: ");
        }
    }
}

#[test]
fn a_cipher_that_is_changed_again_is_refused() {
    let certificates = Certificates::new(&[Key::P256]);
    for version in VERSIONS {
        let server = LocalServer::new(&certificates, &[], version);
        let report = server.probe(
            trusting(&certificates),
            vec![expect("hello")],
            |stream, bytes| {
                // Each flight is followed by the change of the cipher once more, and again.
                let _ = stream.write_all(bytes);
                let _ = stream.write_all(&record(20, &[1]).repeat(40));
            },
            |_, _| {},
        );
        let (status, text) = failure(&report);
        assert_eq!(status, Status::TlsFailed, "{text}");
        assert!(text.contains("ChangeCipherSpec"), "{text}");
    }
}

#[test]
fn a_server_without_the_key_of_its_certificate_is_refused() {
    let certificates = Certificates::new(&[Key::P256]);
    for version in VERSIONS {
        let server = LocalServer::without_key(&certificates, version);
        for (report_only, legacy) in [(false, false), (true, false), (false, true)] {
            let options = TlsOptions {
                report_only,
                legacy,
                ..trusting(&certificates)
            };
            let report = server.probe(options, vec![send(b"secret")], whole, |_, _| {});
            let text = "TLS handshake with PEER: the server does not have the key of the \
                        certificate that it serves: its signature of the handshake is wrong";
            assert_failed(&report, Status::TlsFailed, text);
            assert!(!facts(&report).proved);
            assert!(facts(&report).verification.as_ref().unwrap().is_verified());
            assert_eq!(facts(&report).is_verified(), Some(false));
        }
    }
}

/// An attacker on the path sends the true certificate, and signs with a key of another kind.
#[test]
fn a_signature_that_does_not_fit_the_key_is_a_failure() {
    let certificates = Certificates::new(&[Key::P256]);
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = PrivateKeyDer::try_from(other.serialize_der()).unwrap();
    for version in VERSIONS {
        let server = LocalServer::signing_with(&other, &certificates, version);
        for (report_only, legacy) in [(false, false), (true, false), (false, true), (true, true)] {
            let options = TlsOptions {
                report_only,
                legacy,
                ..trusting(&certificates)
            };
            let report = server.probe(options, vec![send(b"secret")], whole, |_, _| {});
            let text = "TLS handshake with PEER: the server signs the handshake with an algorithm \
                        that does not fit the key of its certificate (ECDSA-P256)";
            assert_failed(&report, Status::TlsFailed, text);
            assert!(!facts(&report).proved);
            assert_eq!(facts(&report).is_verified(), Some(false));
        }
    }
}

#[test]
fn legacy_does_not_accept_a_failure_of_a_current_server() {
    let certificates = Certificates::new(&[Key::P256]);
    let server = LocalServer::new(&certificates, &[], &rustls::version::TLS12);
    let options = TlsOptions {
        legacy: true,
        ..trusting(&certificates)
    };
    let connections = AtomicUsize::new(0);
    let report = server.probe(
        options,
        Vec::new(),
        move |stream, bytes| {
            // Only the first connection fails.
            if connections.fetch_add(1, Ordering::Relaxed) == 0 {
                let _ = stream.write_all(&record(21, &[2, 80]));
            } else {
                let _ = stream.write_all(bytes);
            }
        },
        |_, _| {},
    );
    let text = "TLS handshake with PEER: the server sent the alert internal_error";
    assert_failed(&report, Status::TlsFailed, text);
    let text = "the server is not old, so `--tls-legacy` does not excuse that the handshake failed";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(facts(&report).chain.len(), 1);
}

#[test]
fn an_alert_before_our_answer_does_not_refuse_it() {
    let certificates = Certificates::new(&[Key::P256]);
    let server = LocalServer::asking(&certificates, &rustls::version::TLS12);
    let options = TlsOptions {
        expect_client_cert: true,
        ..trusting(&certificates)
    };
    let refused = server.probe(options.clone(), Vec::new(), whole, |stream, server| {
        flush(stream, server);
    });
    assert_up(&refused);
    let report = server.probe(
        options,
        Vec::new(),
        |stream, bytes| {
            // In the same segment.
            let _ = stream.write_all(&[bytes, &record(21, &[2, 40])].concat());
        },
        |_, _| {},
    );
    let text = "the server sent the alert handshake_failure: it has no cipher suite, group";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(facts(&report).client_cert, None);
}

/// A fatal alert, as a server sends it that has completed a handshake of TLS 1.2 with
/// ChaCha20-Poly1305 (RFC 7905).
fn sealed_alert(server: ServerConnection, code: u8) -> Vec<u8> {
    let (sequence, secrets) = server.dangerous_extract_secrets().unwrap().tx;
    let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else {
        panic!("another cipher suite");
    };
    let sequence = sequence.to_be_bytes();
    let mut nonce: [u8; 12] = iv.as_ref().try_into().unwrap();
    for (byte, other) in nonce[4..].iter_mut().zip(sequence) {
        *byte ^= other;
    }
    let header = [&sequence[..], &[21, 3, 3, 0, 2]].concat();
    let mut alert = vec![2, code];
    let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key.as_ref()).unwrap();
    aead::LessSafeKey::new(key)
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(header),
            &mut alert,
        )
        .unwrap();
    record(21, &alert)
}

#[test]
fn a_refusal_after_the_handshake_of_tls_1_2_counts() {
    let certificates = Certificates::new(&[Key::P256]);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificates.ca_file()).unwrap())
        .unwrap();
    let mut provider = rustls::crypto::ring::default_provider();
    let suite = rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    provider.cipher_suites.retain(|one| one.suite() == suite);
    let provider = Arc::new(provider);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = vec![CertificateDer::from_pem_file(certificates.path("p256.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificates.path("p256.key")).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    config.enable_secret_extraction = true;
    let server = LocalServer {
        config: Arc::new(config),
    };
    let options = TlsOptions {
        expect_client_cert: true,
        ..trusting(&certificates)
    };
    for (code, delay) in [(40, 0), (42, 0), (49, 30)] {
        let config = Arc::clone(&server.config);
        let report = server.probe(options.clone(), Vec::new(), whole, move |stream, server| {
            std::thread::sleep(Duration::from_millis(delay));
            let next = ServerConnection::new(Arc::clone(&config)).unwrap();
            let _ = stream.write_all(&sealed_alert(std::mem::replace(server, next), code));
        });
        assert_up(&report);
        assert_eq!(facts(&report).client_cert, Some(true));
    }
    let text = "TLS handshake with PEER: the server requests a client certificate, but accepts \
                connections without one";
    let accepts = server.probe(options.clone(), Vec::new(), whole, finish);
    assert_failed(&accepts, Status::TlsFailed, text);
    assert_eq!(facts(&accepts).client_cert, Some(false));
    let leaves = server.probe(options, Vec::new(), whole, |stream, _| {
        let _ = stream.shutdown(Shutdown::Write);
    });
    assert_failed(&leaves, Status::TlsFailed, text);
}

#[test]
fn a_server_that_asks_and_leaves_without_an_alert_proves_nothing() {
    let certificates = Certificates::new(&[Key::P256]);
    for version in VERSIONS {
        let server = LocalServer::asking(&certificates, version);
        for expect_client_cert in [false, true] {
            let options = TlsOptions {
                expect_client_cert,
                ..trusting(&certificates)
            };
            let report = server.probe(options, Vec::new(), whole, |stream, _| {
                // Its alert is not sent.
                let _ = stream.shutdown(Shutdown::Write);
            });
            let text = "the server requested a client certificate, and ended the connection without \
                        an alert after none was sent: it may require one (`--client-cert`)";
            assert_failed(&report, Status::TlsFailed, text);
        }
    }
}

/// What a server sends directly after its part of a handshake of TLS 1.3, before it has received the
/// certificate of the client, and how it then goes on.
#[derive(Debug, Clone, Copy)]
struct EarlyTickets {
    tickets: u8,
    /// The alert, and the milliseconds before it.
    refusal: Option<(u8, u64)>,
    /// What it answers to the first data of the client, or after the refusal was due.
    answer: &'static [u8],
}

/// The record number `sequence` of a server that uses TLS 1.3 with ChaCha20-Poly1305 and this secret
/// (RFC 8446, sections 5.2, 5.3 and 7.3).
fn sealed13(secret: &[u8], sequence: u64, kind: u8, content: &[u8]) -> Vec<u8> {
    struct Length(usize);
    impl ring::hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let secret = ring::hkdf::Prk::new_less_safe(ring::hkdf::HKDF_SHA256, secret);
    let derive = |label: &str, length: u8| {
        let label = format!("tls13 {label}");
        let info = [
            &[0, length, u8::try_from(label.len()).unwrap()],
            label.as_bytes(),
            &[0],
        ]
        .concat();
        let info = [&info[..]];
        let mut bytes = vec![0; usize::from(length)];
        let okm = secret.expand(&info, Length(usize::from(length))).unwrap();
        okm.fill(&mut bytes).unwrap();
        bytes
    };
    let mut nonce: [u8; 12] = derive("iv", 12).try_into().unwrap();
    for (byte, other) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= other;
    }
    let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &derive("key", 32)).unwrap();
    let mut inner = [content, &[kind]].concat();
    let length = u16::try_from(inner.len() + 16).unwrap().to_be_bytes();
    aead::LessSafeKey::new(key)
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from([&[23, 3, 3][..], &length].concat()),
            &mut inner,
        )
        .unwrap();
    record(23, &inner)
}

/// Keeps the secret of the data that a server sends.
#[derive(Debug, Default)]
struct ServerSecret(std::sync::Mutex<Option<Vec<u8>>>);

impl rustls::KeyLog for ServerSecret {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if label == "SERVER_TRAFFIC_SECRET_0" {
            *self.0.lock().unwrap() = Some(secret.to_vec());
        }
    }
}

/// Probes a server that sends tickets before it has received the certificate of the client.
fn probe_early_tickets(
    certificates: &Certificates,
    options: TlsOptions,
    steps: Vec<Step>,
    script: EarlyTickets,
) -> Report {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(certificates.ca_file()).unwrap();
    roots.add(ca).unwrap();
    let mut provider = rustls::crypto::ring::default_provider();
    let suite = rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    provider.cipher_suites.retain(|one| one.suite() == suite);
    let provider = Arc::new(provider);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.allow_unauthenticated().build().unwrap();
    let chain = vec![CertificateDer::from_pem_file(certificates.path("p256.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificates.path("p256.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let peer = Peer::start(move |mut stream: TcpStream| {
        // Each connection has a secret of its own.
        let secret = Arc::new(ServerSecret::default());
        let mut config = config.clone();
        config.key_log = Arc::clone(&secret) as _;
        config.send_tls13_tickets = 0;
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        while secret.0.lock().unwrap().is_none() {
            if !server.read_tls(&mut stream).is_ok_and(|read| read > 0) {
                return;
            }
            server.process_new_packets().unwrap();
        }
        let secret = secret.0.lock().unwrap().clone().unwrap();
        // The tickets are in the same segment as the rest.
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut sequence = 0;
        let mut seal = |kind: u8, content: &[u8]| {
            sequence += 1;
            sealed13(&secret, sequence - 1, kind, content)
        };
        for number in 0..script.tickets {
            // lifetime, age, nonce, ticket, no extensions
            let ticket = [
                &[0, 0, 28, 32][..],
                &[0; 4],
                &[1, number, 0, 4],
                b"tick",
                &[0, 0],
            ];
            bytes.extend(seal(22, &message(4, &ticket.concat())));
        }
        let _ = stream.write_all(&bytes);
        // The end of the handshake of the client; the bytes are not examined.
        let _ = stream.read(&mut [0; 4096]);
        if let Some((alert, delay)) = script.refusal {
            std::thread::sleep(Duration::from_millis(delay));
            let _ = stream.write_all(&seal(21, &[2, alert]));
            let _ = stream.shutdown(Shutdown::Write);
        } else {
            if !script.answer.is_empty() {
                let _ = stream.write_all(&seal(23, script.answer));
            }
            // As long as a client may wait for a refusal.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
            let mut bytes = [0; 4096];
            while stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(&seal(21, &[1, 0]));
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    probe(spec(options, steps), peer.port().parse().unwrap())
}

#[test]
fn tickets_before_a_refusal_are_no_acceptance() {
    let certificates = Certificates::new(&[Key::P256]);
    let refused = "the server requires a client certificate (alert certificate_required)";
    for tickets in [1, 2] {
        for delay in [0, 1, 20, 60] {
            let script = EarlyTickets {
                tickets,
                refusal: Some((116, delay)),
                answer: b"",
            };
            for steps in [Vec::new(), vec![send(b"abc")], vec![expect("x")]] {
                let options = trusting(&certificates);
                let report = probe_early_tickets(&certificates, options, steps, script);
                assert_failed(&report, Status::TlsFailed, refused);
                assert_eq!(facts(&report).client_cert, Some(true), "{script:?}");
            }
            let options = TlsOptions {
                expect_client_cert: true,
                ..trusting(&certificates)
            };
            let report = probe_early_tickets(&certificates, options, Vec::new(), script);
            assert_up(&report);
            assert_eq!(facts(&report).client_cert, Some(true), "{script:?}");
        }
    }
}

#[test]
fn tickets_without_a_refusal_are_an_acceptance() {
    let certificates = Certificates::new(&[Key::P256]);
    let script = EarlyTickets {
        tickets: 2,
        refusal: None,
        answer: b"x",
    };
    for steps in [Vec::new(), vec![send(b"abc"), expect("x")]] {
        let started = Instant::now();
        let report = probe_early_tickets(&certificates, trusting(&certificates), steps, script);
        assert_up(&report);
        assert_eq!(facts(&report).client_cert, Some(false));
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    let options = TlsOptions {
        expect_client_cert: true,
        ..trusting(&certificates)
    };
    let report = probe_early_tickets(&certificates, options, Vec::new(), script);
    let text = "the server requests a client certificate, but accepts connections without one";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(facts(&report).client_cert, Some(false));
}

#[test]
fn a_server_that_floods_with_tickets_or_keys_is_a_failure() {
    let certificates = Certificates::new(&[Key::P256]);
    let text = "after the handshake, the server sends session tickets or other messages of TLS \
                without end";
    let flood = |tickets: usize, more: bool| {
        let mut server = LocalServer::new(&certificates, &[], &rustls::version::TLS13);
        Arc::get_mut(&mut server.config).unwrap().send_tls13_tickets = tickets;
        let started = Instant::now();
        let steps = vec![expect("hello")];
        let report = server.probe(
            trusting(&certificates),
            steps,
            whole,
            move |stream, server| {
                for _ in 0..if more { 4000 } else { 0 } {
                    server.refresh_traffic_keys().unwrap();
                }
                let _ = server.writer().write_all(b"hello");
                flush(stream, server);
            },
        );
        assert!(started.elapsed() < Duration::from_secs(5));
        report
    };
    assert_failed(&flood(100, false), Status::TlsFailed, text);
    let text = "the server requests new keys too often";
    assert_failed(&flood(2, true), Status::TlsFailed, text);
    for few in [0, 2, 32] {
        assert_up(&flood(few, false));
    }
}

#[test]
fn a_peer_that_never_stops_is_ended_by_the_deadline() {
    for bytes in [
        // Empty records, warnings, and a handshake message of 16 MiB.
        record(22, &[]),
        record(21, &[1, 90]),
        record(22, &[2, 0xff, 0xff, 0xff]),
        record(20, &[1]),
    ] {
        let started = Instant::now();
        let timeout = Duration::from_millis(700);
        let report = probe_scripted(pinned(), Vec::new(), timeout, move |stream| {
            let many = bytes.repeat(2000);
            while stream.write_all(&many).is_ok() {}
        });
        let (status, text) = failure(&report);
        assert_eq!(status, Status::TlsFailed, "{text}");
        assert!(
            started.elapsed() < Duration::from_secs(3),
            "{:?}",
            started.elapsed()
        );
    }
}

#[test]
fn an_arbitrary_server_hello_is_no_success() {
    for suite in [0x0000, 0x002f, 0x009e, 0xc02f, 0x1301, 0xffff] {
        for version in [0x0000, 0x0303, 0x0304] {
            let report = probe_script(move |stream| {
                let _ = stream.write_all(&server_hello(version, suite));
                let _ = stream.write_all(&record(22, &message(14, &[])));
                let _ = stream.shutdown(Shutdown::Write);
            });
            assert_failed(&report, Status::TlsFailed, "TLS handshake with PEER: ");
        }
    }
}

/// Feeds bytes to a layer as they would be received, and gives whether it takes more.
fn feed(parts: &[Vec<u8>]) {
    let layer = tls::layer(pinned()).unwrap();
    let host: Host = "example.com".parse().unwrap();
    let mut layer = layer.0.start(&host).unwrap();
    layer.keep_messages();
    let mut wire = Vec::new();
    layer.take_output(&mut wire);
    assert!(!wire.is_empty(), "the ClientHello");
    let mut plain = Vec::new();
    let mut has_failed = false;
    for part in parts {
        match layer.read(part, &mut plain) {
            Ok(PeerHalf::Open) => {}
            Ok(half) => panic!("{half:?}"),
            Err(error) => {
                assert!(!error.cause.contains(|c: char| c.is_control()), "{error}");
                has_failed = true;
            }
        }
        layer.take_output(&mut wire);
        let _ = layer.facts();
        let _ = layer.progress();
        if has_failed {
            break;
        }
    }
    assert!(layer.is_handshaking());
    assert!(plain.is_empty());
    assert!(wire.len() < 4096, "{} bytes would be sent", wire.len());
    for line in layer.take_messages() {
        assert!(!line.contains(|c: char| c.is_control()), "{line}");
    }
    let _ = layer.peer_closed();
}

fn some_record() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        (19_u8..25, body.clone()).prop_map(|(kind, body)| record(kind, &body)),
        (0_u8..25, body.clone()).prop_map(|(kind, body)| record(22, &message(kind, &body))),
        (any::<u16>(), any::<u16>()).prop_map(|(version, suite)| server_hello(version, suite)),
        Just(server_hello(0x0303, 0xc02f)),
        Just(record(20, &[1])),
        body,
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_make_a_handshake(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..6)
    ) {
        feed(&parts);
    }

    #[test]
    fn arbitrary_records_never_make_a_handshake(
        records in prop::collection::vec(some_record(), 0..8),
        size in 1_usize..300,
    ) {
        let wire = records.concat();
        feed(&wire.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>());
    }
}
