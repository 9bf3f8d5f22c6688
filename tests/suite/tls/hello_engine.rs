//! Peers that a handshake cannot be completed with, through the whole engine.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zbx_tcp::failure::Status;
use zbx_tcp::report::Report;
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls_facts::{FactSource, Fault, TlsVersion};

use super::{expect, facts, send, spec};
use crate::scripted_peer::Peer;
use crate::tls::openssl::{Certificates, NAME, TlsServer, text};

/// Probes a port on loopback.
fn probe(port: u16, options: &TlsOptions) -> Report {
    super::probe(spec(options.clone(), Vec::new()), port)
}

fn status(report: &Report) -> Status {
    let failure = report.failure.as_ref();
    failure.map_or(Status::Ok, |failure| failure.status)
}

fn error(report: &Report) -> &str {
    report.failure.as_ref().map_or("", |failure| &failure.text)
}

/// The options for a server with this certificate, which is the trust store.
fn options(certificates: &Certificates, name: &str) -> TlsOptions {
    TlsOptions {
        ca_file: Some(certificates.path(&format!("{name}.pem"))),
        sni: Some(NAME.into()),
        ..TlsOptions::default()
    }
}

const OLD: &[&str] = &["-tls1", "-cipher", "ALL:@SECLEVEL=0"];

#[test]
fn an_old_appliance_is_a_failure_with_all_facts_and_up_with_legacy() {
    let certificates = Certificates::new();
    certificates.make("old", &["-newkey", "rsa:1024", "-md5"]);
    let server = TlsServer::openssl(&certificates, "old", OLD);
    let options = options(&certificates, "old");
    let report = probe(server.port, &options);
    assert_eq!(status(&report), Status::TlsFailed);
    assert!(
        error(&report).starts_with("TLS handshake with "),
        "{}",
        error(&report)
    );
    let first = error(&report).to_owned();
    let known = facts(&report);
    assert_eq!(known.how, FactSource::Hello);
    assert!(!known.proved);
    assert_eq!(known.version, Some(TlsVersion::Tls10));
    assert_eq!(&*known.chain[0].key, "RSA-1024");
    assert_eq!(&*known.chain[0].signature, "md5WithRSAEncryption");
    let verification = known.verification.as_ref().unwrap();
    for fault in [Fault::WeakKey, Fault::OldVersion] {
        assert!(verification.faults.contains(&fault), "{verification:?}");
    }
    assert_eq!(
        (known.oldest, known.pq),
        (None, None),
        "no scan was asked for"
    );
    let legacy = TlsOptions {
        legacy: true,
        ..options
    };
    let report = probe(server.port, &legacy);
    assert_eq!(status(&report), Status::Ok, "{}; {first}", error(&report));
    let known = facts(&report);
    assert_eq!((known.how, known.proved), (FactSource::Hello, false));
    assert!(
        !known.verification.as_ref().unwrap().is_verified(),
        "a strict client refuses"
    );
}

#[test]
fn a_hello_is_no_success_of_a_dialogue_that_was_not_run() {
    let certificates = Certificates::new();
    certificates.make("old", &["-newkey", "rsa:2048"]);
    let server = TlsServer::openssl(&certificates, "old", OLD);
    let options = TlsOptions {
        legacy: true,
        ..options(&certificates, "old")
    };
    for steps in [
        vec![expect("NEVER")],
        vec![send(b"HELLO")],
        vec![send(b"HELLO"), expect("NEVER")],
    ] {
        let report = super::probe(spec(options.clone(), steps), server.port);
        assert_eq!(status(&report), Status::TlsFailed, "{}", error(&report));
        assert!(
            error(&report).contains(
                "; the certificate is accepted, but the dialogue cannot be run within TLSv1.0"
            ),
            "{}",
            error(&report)
        );
        assert_eq!(facts(&report).how, FactSource::Hello);
    }
    let other = TlsOptions {
        sni: Some("other.example".into()),
        ..options
    };
    let report = super::probe(spec(other, vec![expect("NEVER")]), server.port);
    assert_eq!(status(&report), Status::TlsUntrusted, "{}", error(&report));
}

#[test]
fn legacy_still_verifies_dates_names_issuers_and_pins() {
    let certificates = Certificates::new();
    certificates
        .make("good", &["-newkey", "rsa:2048"])
        .make("other", &["-newkey", "rsa:2048"]);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let expired = params.self_signed(&key).unwrap();
    std::fs::write(certificates.path("expired.pem"), expired.pem()).unwrap();
    std::fs::write(certificates.path("expired.key"), key.serialize_pem()).unwrap();
    let legacy = |name: &str| TlsOptions {
        legacy: true,
        ..options(&certificates, name)
    };
    let good = TlsServer::openssl(&certificates, "good", OLD);
    let expired = TlsServer::openssl(&certificates, "expired", OLD);
    let report = probe(good.port, &legacy("good"));
    assert_eq!(status(&report), Status::Ok, "{}", error(&report));
    let pin = facts(&report).chain[0].spki_sha256;
    let sha256 = facts(&report).chain[0].sha256;
    let other_file = certificates.path("other.pem");
    type Case<'c> = (
        &'c str,
        &'c TlsServer,
        TlsOptions,
        Status,
        &'c [Fault],
        &'c str,
    );
    let cases: Vec<Case<'_>> = vec![
        (
            "expired",
            &expired,
            legacy("expired"),
            Status::TlsUntrusted,
            &[Fault::Expired],
            "",
        ),
        (
            "another name",
            &good,
            TlsOptions {
                sni: Some("new.example".into()),
                ..legacy("good")
            },
            Status::TlsUntrusted,
            &[Fault::NameMismatch],
            "",
        ),
        (
            "the name of an address",
            &good,
            TlsOptions {
                sni: None,
                ..legacy("good")
            },
            Status::TlsUntrusted,
            &[Fault::NameMismatch],
            "",
        ),
        (
            "another trust store",
            &good,
            legacy("other"),
            Status::TlsUntrusted,
            &[Fault::SelfSigned],
            "",
        ),
        (
            "reported only",
            &good,
            TlsOptions {
                report_only: true,
                ..legacy("other")
            },
            Status::Ok,
            &[Fault::SelfSigned],
            "",
        ),
        (
            "a pin",
            &good,
            TlsOptions {
                pins: vec![[1; 32], pin],
                ca_file: None,
                ..legacy("other")
            },
            Status::Ok,
            &[],
            "",
        ),
        (
            "another pin",
            &good,
            TlsOptions {
                pins: vec![[1; 32], sha256],
                ca_file: None,
                ..legacy("good")
            },
            Status::TlsUntrusted,
            &[Fault::PinMismatch],
            "",
        ),
        (
            "the oldest version",
            &good,
            TlsOptions {
                min_version: Some(TlsVersion::Tls11),
                ..legacy("good")
            },
            Status::TlsFailed,
            &[],
            "the server selects TLSv1.0, which is older than TLSv1.1 (--tls-min)",
        ),
        (
            "a client certificate",
            &good,
            TlsOptions {
                expect_client_cert: true,
                ..legacy("good")
            },
            Status::TlsFailed,
            &[],
            "the server does not request a client certificate",
        ),
        (
            "the certificate on disk",
            &good,
            TlsOptions {
                expect_cert: Some(other_file.clone()),
                ..legacy("good")
            },
            Status::Mismatch,
            &[],
            "",
        ),
    ];
    for (name, server, options, expected, faults, text) in cases {
        let report = probe(server.port, &options);
        assert_eq!(status(&report), expected, "{name}: {}", error(&report));
        assert!(error(&report).ends_with(text), "{name}: {}", error(&report));
        let verification = facts(&report).verification.as_ref().unwrap();
        for fault in faults {
            assert!(
                verification.faults.contains(fault),
                "{name}: {verification:?}"
            );
        }
    }
}

#[test]
fn a_requested_client_certificate_need_not_be_required() {
    let certificates = Certificates::new();
    certificates.make("rsa", &["-newkey", "rsa:2048"]);
    for verify in ["-verify", "-Verify"] {
        let arguments = [OLD, &[verify, "1"]].concat();
        let server = TlsServer::openssl(&certificates, "rsa", &arguments);
        let options = TlsOptions {
            legacy: true,
            expect_client_cert: true,
            ..options(&certificates, "rsa")
        };
        let report = probe(server.port, &options);
        assert_eq!(status(&report), Status::TlsFailed);
        let text = "the server requests a client certificate; whether it requires one is known only after a complete handshake";
        assert!(error(&report).ends_with(text), "{}", error(&report));
        assert_eq!(facts(&report).client_cert, Some(true));
    }
}

#[test]
fn certificates_of_peers_that_rustls_does_not_support_are_read() {
    let certificates = Certificates::new();
    certificates
        .make("rsa", &["-newkey", "rsa:2048"])
        .make(
            "p521",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
        )
        .make("ed448", &["-newkey", "ed448"]);
    let chain = certificates.path("chain.pem");
    let one = std::fs::read_to_string(certificates.path("rsa.pem")).unwrap();
    std::fs::write(&chain, one.repeat(100)).unwrap();
    let cases: &[(&str, &[&str], Option<&str>, usize)] = &[
        ("rsa", &["-tls1_2", "-cipher", "kRSA"], None, 1),
        ("rsa", &["-tls1_2", "-cipher", "DHE"], Some("DH-2048"), 1),
        (
            "rsa",
            &["-tls1_2", "-cipher", "ECDHE+SHA1:@SECLEVEL=0"],
            Some("X25519"),
            1,
        ),
        ("rsa", &["-tls1_2", "-curves", "P-521"], Some("P-521"), 1),
        ("p521", &["-tls1_2"], Some("X25519"), 1),
        ("ed448", &["-tls1_2"], Some("X25519"), 1),
        (
            "rsa",
            &["-tls1_2", "-cert_chain", text(&chain)],
            Some("X25519"),
            101,
        ),
    ];
    for (name, arguments, group, length) in cases {
        let server = TlsServer::openssl(&certificates, name, arguments);
        let options = options(&certificates, name);
        let report = probe(server.port, &options);
        assert_eq!(
            status(&report),
            Status::TlsFailed,
            "{arguments:?} {}",
            error(&report)
        );
        let known = facts(&report);
        assert_eq!(known.how, FactSource::Hello, "{name} {arguments:?}");
        assert_eq!(known.version, Some(TlsVersion::Tls12));
        assert_eq!(known.group.as_deref(), *group, "{name} {arguments:?}");
        assert_eq!(known.chain.len() + known.chain_omitted.number, *length);
        assert!(known.verification.is_some());
        let legacy = TlsOptions {
            legacy: true,
            ..options
        };
        let report = probe(server.port, &legacy);
        // A chain that is too long is no sign of an old server.
        let expected = match length {
            1 => Status::Ok,
            _ => Status::TlsFailed,
        };
        assert_eq!(
            status(&report),
            expected,
            "{name} {arguments:?} {}",
            error(&report)
        );
    }
}

#[test]
fn a_scan_of_real_servers_finds_the_oldest_version_and_the_preferred_group() {
    let certificates = Certificates::new();
    certificates.make("rsa", &["-newkey", "rsa:2048"]);
    let cases: &[(&[&str], Status, TlsVersion)] = &[
        (&[], Status::Ok, TlsVersion::Tls12),
        (&["-tls1_3"], Status::Ok, TlsVersion::Tls13),
        (&["-tls1_2"], Status::Ok, TlsVersion::Tls12),
        (
            &["-cipher", "ALL:@SECLEVEL=0"],
            Status::Ok,
            TlsVersion::Tls10,
        ),
        (
            &["-no_tls1", "-cipher", "ALL:@SECLEVEL=0"],
            Status::Ok,
            TlsVersion::Tls11,
        ),
        (OLD, Status::TlsFailed, TlsVersion::Tls10),
    ];
    for (arguments, expected, oldest) in cases {
        // Newer releases of OpenSSL prefer a post-quantum group.
        let arguments = [*arguments, &["-groups", "X25519:P-256"]].concat();
        let server = TlsServer::openssl(&certificates, "rsa", &arguments);
        let options = TlsOptions {
            scan: true,
            ..options(&certificates, "rsa")
        };
        let report = probe(server.port, &options);
        assert_eq!(
            status(&report),
            *expected,
            "{arguments:?} {}",
            error(&report)
        );
        let known = facts(&report);
        assert_eq!(known.oldest, Some(*oldest), "{arguments:?}");
        assert_eq!(known.pq, Some(false), "{arguments:?}");
        assert!(!known.chain.is_empty());
    }
}

#[test]
fn a_peer_that_does_not_speak_tls_keeps_its_sentence() {
    for (legacy, connections) in [(false, 2), (true, 3)] {
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let peer = Peer::start(move |mut stream| {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        let options = TlsOptions {
            legacy,
            pins: vec![[0; 32]],
            ..TlsOptions::default()
        };
        let report = probe(peer.port().parse().unwrap(), &options);
        assert_eq!(status(&report), Status::TlsFailed);
        let text = "the server answers with plain HTTP, not with TLS: \"HTTP/1.1 400 Bad \
                    Request\"; this is not a TLS port";
        assert!(error(&report).ends_with(text), "{}", error(&report));
        assert_eq!(accepted.load(Ordering::SeqCst), connections);
    }
}
