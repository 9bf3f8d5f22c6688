//! Handshakes with `openssl s_server` in many configurations: what is reported is what it was
//! configured to do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use zbx_tcp::address::Host;
use zbx_tcp::failure::Status;
use zbx_tcp::tls;
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls_facts::{FactSource, Fault, TlsVersion};

use super::server::{Certificates, Key, Server, has_openssl, new_key, openssl, words};
use super::{assert_failed, assert_up, dialogue, expect, facts, probe, send, spec};

fn trusting(certificates: &Certificates) -> TlsOptions {
    TlsOptions {
        ca_file: Some(certificates.ca_file()),
        ..TlsOptions::default()
    }
}

/// Probes a server that runs with these options, and compares version, cipher suite and group.
#[track_caller]
fn negotiates(
    certificates: &Certificates,
    key: Key,
    server: &str,
    (version, cipher, group): (TlsVersion, &str, &str),
) {
    let server = Server::start(&certificates.of(key), &words(server));
    let steps = vec![send(b"abc\n"), expect("cba\n")];
    let report = probe(spec(trusting(certificates), steps), server.port());
    assert_up(&report);
    let facts = facts(&report);
    assert_eq!(facts.how, FactSource::Handshake);
    assert!(facts.proved);
    assert_eq!(facts.version, Some(version));
    assert_eq!(facts.cipher.as_deref(), Some(cipher));
    assert_eq!(facts.group.as_deref(), Some(group));
    assert_eq!(facts.client_cert, Some(false));
    assert_eq!(facts.alpn, None);
    assert!(!facts.staple);
    let verification = facts.verification.as_ref().unwrap();
    assert_eq!(verification.faults, []);
    assert!(verification.is_verified());
    assert_eq!(&*facts.chain[0].key, key.published_name());
    let roots = facts.roots.as_ref().unwrap();
    assert_eq!((&roots.file, roots.number), (&certificates.ca_file(), 1));
    assert!(dialogue(&report).handshake.is_some());
}

#[test]
fn each_version_key_suite_and_group_is_reported() {
    use TlsVersion::{Tls12, Tls13};
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&Key::ALL);
    let aes128 = "TLS_AES_128_GCM_SHA256";
    let aes256 = "TLS_AES_256_GCM_SHA384";
    let chacha = "TLS_CHACHA20_POLY1305_SHA256";
    for (key, server, version, cipher, group) in [
        (Key::P256, "", Tls13, aes256, "X25519"),
        (Key::P384, "-tls1_3", Tls13, aes256, "X25519"),
        (Key::Ed25519, "-tls1_3", Tls13, aes256, "X25519"),
        (Key::Rsa, "-tls1_3", Tls13, aes256, "X25519"),
        (
            Key::P256,
            "-ciphersuites TLS_AES_128_GCM_SHA256",
            Tls13,
            aes128,
            "X25519",
        ),
        (
            Key::Rsa,
            "-ciphersuites TLS_CHACHA20_POLY1305_SHA256",
            Tls13,
            chacha,
            "X25519",
        ),
        // Another group needs a HelloRetryRequest.
        (Key::P256, "-tls1_3 -groups P-256", Tls13, aes256, "P-256"),
        (Key::P256, "-tls1_3 -groups P-384", Tls13, aes256, "P-384"),
        (
            Key::P256,
            "-tls1_2",
            Tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "X25519",
        ),
        (
            Key::P384,
            "-tls1_2 -groups P-384",
            Tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "P-384",
        ),
        (
            Key::Ed25519,
            "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
            Tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "X25519",
        ),
        (
            Key::Rsa,
            "-tls1_2 -groups P-256",
            Tls12,
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "P-256",
        ),
        (
            Key::Rsa,
            "-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305",
            Tls12,
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "X25519",
        ),
        // Without tickets nothing follows the handshake.
        (Key::P256, "-tls1_3 -num_tickets 0", Tls13, aes256, "X25519"),
        (
            Key::Rsa,
            "-tls1_2 -no_ticket",
            Tls12,
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "X25519",
        ),
    ] {
        negotiates(&certificates, key, server, (version, cipher, group));
    }
}

#[test]
fn the_application_protocol_is_negotiated_and_reported() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::P256]);
    let offering = |names: &[&str]| TlsOptions {
        alpn: names.iter().map(|name| (*name).into()).collect(),
        ..trusting(&certificates)
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::start(&certificates.of(Key::P256), &[version, "-alpn", "h2,mqtt"]);
        let report = probe(
            spec(offering(&["http/1.1", "mqtt"]), Vec::new()),
            server.port(),
        );
        assert_up(&report);
        assert_eq!(facts(&report).alpn.as_deref(), Some("mqtt"));
        let report = probe(spec(offering(&[]), Vec::new()), server.port());
        assert_up(&report);
        assert_eq!(facts(&report).alpn, None);
        let report = probe(spec(offering(&["http/1.1"]), Vec::new()), server.port());
        let text = "TLS handshake with PEER: the server sent the alert no_application_protocol: it \
                    speaks none of the offered application protocols (http/1.1); change `--alpn`";
        assert_failed(&report, Status::TlsFailed, text);
        // A server that does not know the extension ignores it (RFC 7301, section 3.2).
        let server = Server::start(&certificates.of(Key::P256), &[version]);
        let report = probe(spec(offering(&["h2"]), Vec::new()), server.port());
        assert_up(&report);
        assert_eq!(facts(&report).alpn, None);
    }
}

#[test]
fn the_name_is_sent_and_verified_and_an_address_is_only_verified() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::P256, Key::P384]);
    let path = |name: &str| certificates.path(name).display().to_string();
    certificates.issue("other", &new_key(Key::Ed25519), |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("other.test".try_into().unwrap())];
    });
    let (cert, key) = (path("other.pem"), path("other.key"));
    // The second certificate is for the clients that send this name.
    let server = Server::start(
        &certificates.of(Key::P256),
        &["-servername", "other.test", "-cert2", &cert, "-key2", &key],
    );
    let with_sni = |sni: Option<&str>| {
        let options = TlsOptions {
            sni: sni.map(Into::into),
            ..trusting(&certificates)
        };
        probe(spec(options, Vec::new()), server.port())
    };
    for (sni, key) in [
        (None, "ECDSA-P256"),
        (Some("localhost"), "ECDSA-P256"),
        (Some("other.test"), "Ed25519"),
        (Some("OTHER.test."), "Ed25519"),
    ] {
        let report = with_sni(sni);
        assert_up(&report);
        assert_eq!(&*facts(&report).chain[0].key, key, "{sni:?}");
    }
    let report = with_sni(Some("wrong.test"));
    let (status, text) = super::failure(&report);
    assert_eq!(status, Status::TlsUntrusted, "{text}");
    assert!(text.contains("wrong.test"), "{text}");
    let facts = facts(&report);
    assert_eq!(
        facts.verification.as_ref().unwrap().faults,
        [Fault::NameMismatch]
    );
    // All facts are there although the handshake was ended.
    assert!(facts.proved);
    assert_eq!(facts.version, Some(TlsVersion::Tls13));
    assert_eq!(facts.group.as_deref(), Some("X25519"));
    assert_eq!(facts.chain.len(), 1);
    assert_eq!(dialogue(&report).handshake, None);
}

#[test]
fn an_untrusted_server_is_told_why_and_gets_nothing_else() {
    if !has_openssl() {
        return;
    }
    let (certificates, others) = (Certificates::new(&[Key::Rsa]), Certificates::new(&[]));
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::start(&certificates.of(Key::Rsa), &[version]);
        let steps = || vec![send(b"secret\n"), expect("terces")];
        let report = probe(spec(trusting(&others), steps()), server.port());
        assert_failed(&report, Status::TlsUntrusted, "TLS handshake with PEER: ");
        let told = facts(&report);
        assert_eq!(
            told.verification.as_ref().unwrap().faults,
            [Fault::UnknownIssuer]
        );
        assert!(told.proved);
        assert_eq!(told.group.as_deref(), Some("X25519"), "{version}");
        let reporting = TlsOptions {
            report_only: true,
            ..trusting(&others)
        };
        let report = probe(spec(reporting, steps()), server.port());
        assert_up(&report);
        let verification = facts(&report).verification.as_ref().unwrap();
        assert_eq!(verification.faults, [Fault::UnknownIssuer]);
        let pinned = TlsOptions {
            pins: vec![[7; 32], told.chain[0].spki_sha256],
            ..TlsOptions::default()
        };
        let report = probe(spec(pinned, steps()), server.port());
        assert_up(&report);
        assert_eq!(facts(&report).roots, None, "no store is read");
        let wrongly = TlsOptions {
            pins: vec![[7; 32]],
            ..TlsOptions::default()
        };
        let report = probe(spec(wrongly, steps()), server.port());
        assert_failed(&report, Status::TlsUntrusted, "TLS handshake with PEER: ");
        let verification = facts(&report).verification.as_ref().unwrap();
        assert_eq!(verification.faults, [Fault::PinMismatch]);
    }
}

#[test]
fn the_oldest_accepted_version_is_respected() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::Rsa]);
    let newest = TlsOptions {
        min_version: Some(TlsVersion::Tls13),
        ..trusting(&certificates)
    };
    let server = Server::start(&certificates.of(Key::Rsa), &["-tls1_2"]);
    let report = probe(spec(newest.clone(), Vec::new()), server.port());
    let text = "the server sent the alert protocol_version: it supports none of the versions that this check accepts; see its TLS versions and `--tls-min`";
    assert_failed(&report, Status::TlsFailed, text);
    let server = Server::start(&certificates.of(Key::Rsa), &[]);
    assert_up(&probe(spec(newest, Vec::new()), server.port()));
}

#[test]
fn rsa_keys_that_cannot_be_verified_are_verified_and_never_proved() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[]);
    let key = openssl(&words(
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024",
    ));
    let key = certificates.write("weak.key", key).display().to_string();
    let cert = openssl(&[
        "req",
        "-x509",
        "-key",
        &key,
        "-subj",
        "/CN=old",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-days",
        "30",
    ]);
    certificates.write("weak.pem", cert);
    let with = |legacy| TlsOptions {
        ca_file: Some(certificates.path("weak.pem")),
        legacy,
        ..TlsOptions::default()
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let options = [version, "-cipher", "DEFAULT@SECLEVEL=0"];
        let server = Server::start(&certificates.named("weak"), &options);
        let report = probe(spec(with(false), Vec::new()), server.port());
        assert_failed(&report, Status::TlsUntrusted, "TLS handshake with PEER: ");
        let told = facts(&report);
        let faults = &told.verification.as_ref().unwrap().faults;
        assert!(faults.contains(&Fault::WeakKey), "{faults:?}");
        assert!(!told.proved);
        assert_eq!(&*told.chain[0].key, "RSA-1024");
        let report = probe(spec(with(true), Vec::new()), server.port());
        assert_up(&report);
        assert!(!facts(&report).proved);
    }
}

#[test]
fn a_stapled_response_is_seen() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::P256]);
    // Its content does not matter here.
    let response = certificates.write("response.der", [0x30, 0x03, 0x0a, 0x01, 0x01]);
    let response = response.display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let options = [version, "-status_file", &response];
        let server = Server::start(&certificates.of(Key::P256), &options);
        let report = probe(spec(trusting(&certificates), Vec::new()), server.port());
        assert_up(&report);
        assert!(facts(&report).staple, "{version}");
    }
}

#[test]
fn the_leaf_on_disk_is_compared_with_the_served_one() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::P256]);
    let file: PathBuf = certificates.path("p256.pem");
    let server = Server::start(&certificates.of(Key::P256), &[]);
    let with = |expected: PathBuf| {
        let options = TlsOptions {
            expect_cert: Some(expected),
            ..trusting(&certificates)
        };
        probe(
            spec(options, vec![send(b"ab\n"), expect("ba")]),
            server.port(),
        )
    };
    assert_up(&with(file.clone()));
    // The files are renewed, and the server goes on with what it has read at its start.
    certificates.issue("p256", &new_key(Key::P256), |_| {});
    let report = with(file.clone());
    let text = "was renewed on disk on ";
    assert_failed(&report, Status::Mismatch, text);
    let text = ", but the service still serves the old one: reload the service";
    assert_failed(&report, Status::Mismatch, text);
    assert!(facts(&report).verification.as_ref().unwrap().is_verified());
    // A certificate for something else is not a renewal.
    let report = with(certificates.path("ca.pem"));
    let text = "the service serves another certificate than the first one in ";
    assert_failed(&report, Status::Mismatch, text);
    // An untrusted server is that first.
    let others = Certificates::new(&[]);
    let options = TlsOptions {
        expect_cert: Some(file),
        ..trusting(&others)
    };
    let report = probe(spec(options, Vec::new()), server.port());
    assert_failed(&report, Status::TlsUntrusted, "was renewed on disk on ");
}

#[test]
fn a_trust_store_that_cannot_be_read_is_a_fault_of_this_machine() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::P256]);
    let server = Server::start(&certificates.of(Key::P256), &[]);
    let absent = |report_only| TlsOptions {
        ca_file: Some(certificates.path("absent.pem")),
        report_only,
        ..TlsOptions::default()
    };
    for report_only in [false, true] {
        let report = probe(spec(absent(report_only), Vec::new()), server.port());
        let text = "absent.pem: this file cannot be used";
        assert_failed(&report, Status::LocalError, text);
    }
    // It is looked for again: the next probe may find it.
    std::fs::copy(certificates.ca_file(), certificates.path("absent.pem")).unwrap();
    assert_up(&probe(spec(absent(false), Vec::new()), server.port()));
}

#[test]
fn a_renegotiation_is_refused_and_the_connection_goes_on() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::P256]);
    let mut server = Server::start_typing(&certificates.of(Key::P256), &["-tls1_2"]);
    let port = server.port();
    let steps = vec![expect("first"), send(b"heard\n"), expect("second")];
    let report = std::thread::scope(|scope| {
        let probe = scope.spawn(|| probe(spec(trusting(&certificates), steps), port));
        server.waits_for("CIPHER is ");
        server.types("first\n");
        server.waits_for("heard");
        // The command of s_server that asks for a new handshake (HelloRequest).
        server.types("r\n");
        server.types("second\n");
        probe.join().unwrap()
    });
    // s_server does not go on after the alert no_renegotiation; the probe does not negotiate.
    let (status, text) = super::failure(&report);
    assert!(
        matches!(status, Status::Closed | Status::TlsFailed),
        "{text}"
    );
}

#[test]
fn the_transcript_has_each_message_with_its_size() {
    if !has_openssl() {
        return;
    }
    let certificates = Certificates::new(&[Key::P256]);
    for (version, expected) in [
        (
            "-tls1_2",
            &[
                "sent ClientHello, ",
                "received ServerHello, ",
                "received Certificate, ",
                "received ServerKeyExchange, ",
                "received CertificateRequest, ",
                "received ServerHelloDone, 4 bytes",
                "the server requests a client certificate; none is sent",
                "the server sends 1 certificate, ",
                "sent Certificate, 7 bytes",
                "sent ClientKeyExchange, ",
                "sent ChangeCipherSpec",
                "sent 1 encrypted record, 40 bytes",
                "received ChangeCipherSpec",
                "received 1 encrypted record, 40 bytes",
            ][..],
        ),
        (
            "-tls1_3",
            &[
                "sent ClientHello, ",
                "received ServerHello, ",
                "received ChangeCipherSpec",
                "received 5 encrypted records, ",
                "the server requests a client certificate; none is sent",
                "the server sends 1 certificate, ",
                "sent ChangeCipherSpec",
                "sent 1 encrypted record, ",
                "received 1 encrypted record, ",
                "received NewSessionTicket",
            ],
        ),
    ] {
        let server = Server::start(
            &certificates.of(Key::P256),
            &[version, "-verify", "1", "-num_tickets", "1"],
        );
        let lines = transcript(&trusting(&certificates), server.port());
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{lines:#?}");
        }
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    }
}

/// The messages of a handshake with a server on this port, and of what follows until the server has
/// accepted us.
fn transcript(options: &TlsOptions, port: u16) -> Vec<String> {
    let layer = tls::layer(options.clone()).unwrap();
    let host: Host = "localhost".parse().unwrap();
    let mut layer = layer.0.start(&host).unwrap();
    layer.keep_messages();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut wire, mut plain) = (Vec::new(), Vec::new());
    let mut received = vec![0; 16_384];
    loop {
        layer.take_output(&mut wire);
        stream.write_all(&wire).unwrap();
        wire.clear();
        let is_accepted = !layer.may_be_refused() || layer.is_probably_accepted();
        if !layer.is_handshaking() && is_accepted {
            break;
        }
        let read = stream.read(&mut received).unwrap();
        assert!(read > 0, "the server closed the connection");
        layer.read(&received[..read], &mut plain).unwrap();
    }
    layer.take_messages()
}
