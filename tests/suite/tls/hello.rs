//! The plain hello against real servers, through its layer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use zbx_tcp::plan::layer::{Layer, LayerError, PeerHalf};
use zbx_tcp::tls::hello::layer::{HelloLayer, HelloPurpose};
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls_facts::{FactSource, TlsFacts, TlsVersion};

use crate::skip;
use crate::tls::openssl::{Certificates, NAME, TlsServer, free_port, is_installed, openssl, text};

/// How a hello has ended.
pub struct Answered {
    pub result: Result<PeerHalf, LayerError>,
    pub facts: Option<Box<TlsFacts>>,
    pub messages: Vec<String>,
}

impl Answered {
    #[track_caller]
    pub fn facts(&self) -> &TlsFacts {
        let facts = self.facts.as_ref();
        facts.unwrap_or_else(|| panic!("no facts: {:?} {:?}", self.result, self.messages))
    }

    #[track_caller]
    pub fn cause(&self) -> &str {
        &self.result.as_ref().unwrap_err().cause
    }
}

/// Sends the hello of this purpose to a server on loopback, with all answers cut into pieces of this
/// length.
pub fn hello_in_pieces(
    port: u16,
    options: &TlsOptions,
    purpose: HelloPurpose,
    piece: usize,
) -> Answered {
    let layer = HelloLayer::new(options.clone(), purpose, None);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut connection = layer.start(&NAME.parse().unwrap()).unwrap();
    connection.keep_messages();
    let mut output = Vec::new();
    connection.take_output(&mut output);
    stream.write_all(&output).unwrap();
    let (mut buffer, mut plain) = (vec![0; 64 << 10], Vec::new());
    let result = 'read: loop {
        let length = stream.read(&mut buffer).unwrap_or(0);
        if length == 0 {
            break connection.peer_closed();
        }
        for piece in buffer[..length].chunks(piece) {
            match connection.read(piece, &mut plain) {
                Ok(PeerHalf::Open) => {}
                ended => break 'read ended,
            }
        }
    };
    assert!(plain.is_empty(), "there are no application bytes");
    let facts = connection.facts();
    connection.close();
    let mut output = Vec::new();
    connection.take_output(&mut output);
    let _ = stream.write_all(&output);
    Answered {
        result,
        facts,
        messages: connection.take_messages(),
    }
}

/// The certificate of the server is the trust store.
pub fn options(certificates: &Certificates, name: &str) -> TlsOptions {
    TlsOptions {
        ca_file: Some(certificates.path(&format!("{name}.pem"))),
        ..TlsOptions::default()
    }
}

fn facts_of(port: u16, options: &TlsOptions) -> Answered {
    let answered = hello_in_pieces(port, options, HelloPurpose::Facts, usize::MAX);
    let by_byte = hello_in_pieces(port, options, HelloPurpose::Facts, 1);
    assert_eq!(answered.result, by_byte.result);
    let (facts, mut again) = (answered.facts.clone(), by_byte.facts);
    // The clock may have gone on.
    if let (Some(facts), Some(again)) = (&facts, &mut again) {
        again.verification.clone_from(&facts.verification);
    }
    assert_eq!(facts, again, "pieces of the answer do not matter");
    answered
}

/// All certificates that the servers use.
pub fn certificates() -> Certificates {
    let all = Certificates::new();
    all.make("rsa", &["-newkey", "rsa:2048", "-sha256"])
        .make("rsa1024-md5", &["-newkey", "rsa:1024", "-md5"])
        .make(
            "p256",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        )
        .make(
            "p521",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
        )
        .make("ed25519", &["-newkey", "ed25519"])
        .make("ed448", &["-newkey", "ed448"]);
    all
}

#[test]
fn everything_is_read_from_servers_of_each_version_and_key_exchange() {
    let certificates = certificates();
    // Options, version, suite, group, key, whether a client certificate is asked for.
    type Case<'c> = (
        &'c str,
        &'c str,
        TlsVersion,
        &'c str,
        Option<&'c str>,
        &'c str,
    );
    let (tls10, tls11, tls12) = (TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12);
    let cases: &[Case<'_>] = &[
        (
            "rsa",
            "-tls1 -cipher kRSA:@SECLEVEL=0",
            tls10,
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            None,
            "RSA-2048",
        ),
        (
            "rsa1024-md5",
            "-tls1 -cipher ALL:@SECLEVEL=0",
            tls10,
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            Some("X25519"),
            "RSA-1024",
        ),
        (
            "rsa1024-md5",
            "-tls1 -cipher DHE:@SECLEVEL=0",
            tls10,
            "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
            Some("DH-1024"),
            "RSA-1024",
        ),
        (
            "rsa",
            "-tls1_1 -cipher ALL:@SECLEVEL=0 -curves P-521",
            tls11,
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            Some("P-521"),
            "RSA-2048",
        ),
        (
            "rsa",
            "-tls1_1 -cipher DHE:@SECLEVEL=0",
            tls11,
            "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
            Some("DH-2048"),
            "RSA-2048",
        ),
        (
            "rsa",
            "-tls1_2 -cipher kRSA",
            tls12,
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            None,
            "RSA-2048",
        ),
        (
            "rsa",
            "-tls1_2 -cipher eNULL:@SECLEVEL=0",
            tls12,
            "TLS_RSA_WITH_NULL_SHA256",
            None,
            "RSA-2048",
        ),
        (
            "rsa",
            "-tls1_2 -cipher DHE",
            tls12,
            "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
            Some("DH-2048"),
            "RSA-2048",
        ),
        (
            "rsa",
            "-tls1_2 -cipher CAMELLIA256-SHA:@SECLEVEL=0",
            tls12,
            "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA",
            None,
            "RSA-2048",
        ),
        (
            "rsa",
            "-tls1_2 -curves brainpoolP384r1",
            tls12,
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Some("brainpoolP384r1"),
            "RSA-2048",
        ),
        (
            "p256",
            "-tls1_2 -cipher ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0",
            tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
            Some("X25519"),
            "ECDSA-P256",
        ),
        (
            "p521",
            "-tls1_2 -curves P-521",
            tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Some("P-521"),
            "ECDSA-P521",
        ),
        (
            "p521",
            "-tls1 -cipher ALL:@SECLEVEL=0",
            tls10,
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
            Some("X25519"),
            "ECDSA-P521",
        ),
        (
            "ed25519",
            "-tls1_2",
            tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Some("X25519"),
            "Ed25519",
        ),
        (
            "ed448",
            "-tls1_2",
            tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Some("X25519"),
            "Ed448",
        ),
        // Nothing newer is offered to a server of TLS 1.3.
        (
            "p256",
            "",
            tls12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Some("X25519"),
            "ECDSA-P256",
        ),
    ];
    for (name, arguments, version, cipher, group, key) in cases {
        for client_cert in [false, true] {
            let mut arguments: Vec<_> = arguments.split_whitespace().collect();
            if client_cert {
                arguments.extend(["-verify", "1"]);
            }
            let server = TlsServer::openssl(&certificates, name, &arguments);
            let answered = facts_of(server.port, &options(&certificates, name));
            assert_eq!(answered.result, Ok(PeerHalf::Done), "{arguments:?}");
            let facts = answered.facts();
            assert_eq!(facts.how, FactSource::Hello);
            assert!(!facts.proved, "nothing is authenticated");
            assert_eq!(facts.version, Some(*version), "{arguments:?}");
            assert_eq!(facts.cipher.as_deref(), Some(*cipher), "{arguments:?}");
            assert_eq!(facts.group.as_deref(), *group, "{arguments:?}");
            assert_eq!(facts.client_cert, Some(client_cert), "{arguments:?}");
            assert_eq!(facts.chain.len(), 1);
            let leaf = &facts.chain[0];
            assert_eq!(&*leaf.key, *key);
            assert_eq!(&*leaf.names, [NAME.into()]);
            assert_eq!(leaf.unreadable, None);
            assert!(!facts.staple);
            let roots = facts.roots.as_ref().unwrap();
            assert_eq!(
                (&roots.file, roots.number),
                (&certificates.path(&format!("{name}.pem")), 1)
            );
        }
    }
}

#[test]
fn a_chain_a_staple_and_the_application_protocol_are_read() {
    let certificates = Certificates::new();
    certificates
        .make("leaf", &["-newkey", "rsa:2048"])
        .make("other", &["-newkey", "rsa:2048"]);
    let leaf = certificates.path("leaf.pem");
    let key = certificates.path("leaf.key");
    let index = certificates.path("index");
    std::fs::write(&index, "").unwrap();
    let staple = certificates.path("staple");
    openssl(
        Command::new("openssl")
            .args(["ocsp", "-issuer", text(&leaf), "-cert", text(&leaf)])
            .args([
                "-index",
                text(&index),
                "-CA",
                text(&leaf),
                "-rsigner",
                text(&leaf),
            ])
            .args(["-rkey", text(&key), "-respout", text(&staple)]),
    );
    let chain = certificates.path("chain.pem");
    let other = std::fs::read_to_string(certificates.path("other.pem")).unwrap();
    std::fs::write(&chain, other.repeat(3)).unwrap();
    let server = TlsServer::openssl(
        &certificates,
        "leaf",
        &[
            "-tls1_2",
            "-cert_chain",
            text(&chain),
            "-status_file",
            text(&staple),
            "-alpn",
            "imap,h2",
        ],
    );
    let options = TlsOptions {
        alpn: vec!["h2".into(), "http/1.1".into()],
        ..options(&certificates, "leaf")
    };
    let answered = facts_of(server.port, &options);
    let facts = answered.facts();
    assert_eq!(answered.result, Ok(PeerHalf::Done));
    assert_eq!(facts.chain.len(), 4);
    assert_ne!(facts.chain[0].sha256, facts.chain[1].sha256);
    assert_eq!(facts.chain[1], facts.chain[3]);
    assert!(facts.staple);
    assert_eq!(facts.alpn.as_deref(), Some("h2"));
    let messages = answered.messages.join("\n");
    for text in [
        "sent ClientHello, ",
        "received ServerHello, ",
        "TLSv1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "received Certificate, ",
        "received CertificateStatus, ",
        "received ServerHelloDone, 4 bytes",
        "the server sends 4 certificates, ",
        "; its group is X25519",
        "sent the warning alert close_notify",
    ] {
        assert!(messages.contains(text), "{text}: {messages}");
    }
}

#[test]
fn a_chain_above_64_kib_is_read_and_the_transcript_says_so() {
    let certificates = Certificates::new();
    certificates.make("leaf", &["-newkey", "rsa:2048"]);
    let one = std::fs::read_to_string(certificates.path("leaf.pem")).unwrap();
    let chain = certificates.path("chain.pem");
    // Each has about 800 bytes.
    std::fs::write(&chain, one.repeat(100)).unwrap();
    let chain = ["-tls1_2", "-cert_chain", text(&chain)];
    let server = TlsServer::openssl(&certificates, "leaf", &chain);
    let answered = facts_of(server.port, &options(&certificates, "leaf"));
    assert_eq!(answered.result, Ok(PeerHalf::Done));
    assert_eq!(
        answered.facts().chain.len() + answered.facts().chain_omitted.number,
        101
    );
    let messages = answered.messages.join("\n");
    assert!(
        messages.contains("more than the 64 KiB that a handshake accepts"),
        "{messages}"
    );
}

#[test]
fn a_refusal_is_an_alert_by_name() {
    let certificates = Certificates::new();
    certificates.make(
        "p256",
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    );
    let options = options(&certificates, "p256");
    for (arguments, alert) in [
        (
            &["-tls1_3"][..],
            "the server sent the alert protocol_version",
        ),
        (
            &["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"],
            "the server sent the alert handshake_failure",
        ),
        (
            &[
                "-tls1_2",
                "-servername",
                NAME,
                "-servername_fatal",
                "-cert2",
                "@",
                "-key2",
                "@",
            ],
            "the server sent the alert unrecognized_name",
        ),
    ] {
        let pem = certificates.path("p256.pem");
        let key = certificates.path("p256.key");
        let mut files = [text(&pem), text(&key)].into_iter();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| match *argument {
                "@" => files.next().unwrap(),
                argument => argument,
            })
            .collect();
        let server = TlsServer::openssl(&certificates, "p256", &arguments);
        let sni = TlsOptions {
            sni: Some("other.example".into()),
            ..options.clone()
        };
        let answered = facts_of(server.port, &sni);
        assert!(answered.cause().starts_with(alert), "{}", answered.cause());
        assert_eq!(answered.facts, None);
    }
}

#[test]
fn a_scan_asks_for_one_thing_in_each_hello() {
    let certificates = Certificates::new();
    certificates.make("rsa", &["-newkey", "rsa:2048"]);
    let options = options(&certificates, "rsa");
    let oldest = |up_to, otherwise| HelloPurpose::Oldest { up_to, otherwise };
    let (tls10, tls11, tls12) = (TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12);
    // Arguments of the server, purpose, oldest, preferred group.
    let cases = [
        ("", HelloPurpose::PreferredGroup, None, Some(false)),
        ("-tls1_2", HelloPurpose::PreferredGroup, None, Some(false)),
        (
            "-tls1 -cipher ALL:@SECLEVEL=0",
            HelloPurpose::PreferredGroup,
            None,
            Some(false),
        ),
        (
            "-cipher ALL:@SECLEVEL=0",
            oldest(tls11, None),
            Some(tls11),
            None,
        ),
        (
            "-cipher ALL:@SECLEVEL=0",
            oldest(tls10, None),
            Some(tls10),
            None,
        ),
        (
            "-no_tls1_1 -cipher ALL:@SECLEVEL=0",
            oldest(tls11, None),
            Some(tls10),
            None,
        ),
        ("-tls1_2", oldest(tls11, Some(tls12)), Some(tls12), None),
        (
            "-tls1_3",
            oldest(tls12, Some(TlsVersion::Tls13)),
            Some(TlsVersion::Tls13),
            None,
        ),
        (
            "-cipher ALL:@SECLEVEL=0",
            oldest(TlsVersion::Ssl3, None),
            None,
            None,
        ),
    ];
    for (arguments, purpose, oldest, pq) in cases {
        // Newer releases of OpenSSL prefer a post-quantum group.
        let mut arguments: Vec<_> = arguments.split_whitespace().collect();
        arguments.extend(["-groups", "X25519:P-256"]);
        let server = TlsServer::openssl(&certificates, "rsa", &arguments);
        let answered = hello_in_pieces(server.port, &options, purpose, 1);
        let facts = answered.facts.unwrap_or_default();
        let context = format!("{arguments:?} {purpose:?} {:?}", answered.messages);
        assert_eq!((facts.oldest, facts.pq), (oldest, pq), "{context}");
        assert!(facts.chain.is_empty() && facts.version.is_none());
    }
}

#[test]
fn old_servers_of_gnutls_are_read() {
    if !is_installed("gnutls-serv") {
        return skip("gnutls-serv is not installed (Debian: gnutls-bin)");
    }
    let certificates = certificates();
    let primes = certificates.path("primes.pem");
    openssl(
        Command::new("openssl")
            .args([
                "genpkey",
                "-genparam",
                "-algorithm",
                "DH",
                "-out",
                text(&primes),
            ])
            .args(["-pkeyopt", "group:modp_1536"]),
    );
    let only = |version: &str, rest: &str| format!("NONE:+VERS-{version}:+CTYPE-X509:{rest}");
    let signs = "+SIGN-ALL:%VERIFY_ALLOW_BROKEN";
    let (tls10, tls12) = (TlsVersion::Tls10, TlsVersion::Tls12);
    let cases = [
        (
            only(
                "TLS1.0",
                &format!("+RSA:+ARCFOUR-128:+SHA1:+MD5:+COMP-NULL:{signs}"),
            ),
            tls10,
            "TLS_RSA_WITH_RC4_128_SHA",
            None,
        ),
        (
            only(
                "TLS1.0",
                &format!("+RSA:+3DES-CBC:+SHA1:+COMP-NULL:{signs}"),
            ),
            tls10,
            "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
            None,
        ),
        (
            only(
                "TLS1.2",
                &format!("+DHE-RSA:+AES-256-CBC:+SHA1:+COMP-NULL:{signs}"),
            ),
            tls12,
            "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
            Some("DH-1536"),
        ),
        (
            only(
                "TLS1.2",
                &format!("+ECDHE-RSA:+AES-256-GCM:+AEAD:+COMP-NULL:+GROUP-SECP521R1:{signs}"),
            ),
            tls12,
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Some("P-521"),
        ),
    ];
    for (priority, version, cipher, group) in cases {
        let port = free_port();
        let server = TlsServer::on_port(
            port,
            Command::new("gnutls-serv")
                .args([
                    "--port",
                    &port.to_string(),
                    "--echo",
                    "--priority",
                    &priority,
                ])
                .arg("--dhparams")
                .arg(&primes)
                .arg("--x509certfile")
                .arg(certificates.path("rsa.pem"))
                .arg("--x509keyfile")
                .arg(certificates.path("rsa.key")),
        );
        let answered = facts_of(server.port, &options(&certificates, "rsa"));
        assert_eq!(answered.result, Ok(PeerHalf::Done), "{priority}");
        let facts = answered.facts();
        assert_eq!(facts.version, Some(version), "{priority}");
        assert_eq!(facts.cipher.as_deref(), Some(cipher), "{priority}");
        assert_eq!(facts.group.as_deref(), group, "{priority}");
        // It asks for a certificate unless it is told not to.
        assert_eq!(facts.client_cert, Some(true));
        assert_eq!(&*facts.chain[0].key, "RSA-2048");
    }
}

#[test]
fn a_server_of_ssl_3_is_read() {
    let tools = ["selfserv", "certutil", "pk12util"];
    if !tools.iter().all(|tool| is_installed(tool)) {
        return skip("selfserv is not installed (Debian: libnss3-tools)");
    }
    let certificates = Certificates::new();
    certificates.make("rsa", &["-newkey", "rsa:2048"]);
    let path = |name: &str| certificates.path(name);
    openssl(
        Command::new("openssl")
            .args(["pkcs12", "-export", "-passout", "pass:x", "-name", "old"])
            .args([
                "-in",
                text(&path("rsa.pem")),
                "-inkey",
                text(&path("rsa.key")),
            ])
            .args(["-out", text(&path("rsa.p12"))]),
    );
    let database = path("nss");
    std::fs::create_dir(&database).unwrap();
    let database = format!("sql:{}", text(&database));
    for command in [
        Command::new("certutil").args(["-N", "--empty-password", "-d", &database]),
        Command::new("pk12util")
            .args(["-d", &database, "-W", "x", "-K", ""])
            .args(["-i", text(&path("rsa.p12"))]),
    ] {
        let ran = command.output().unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    let port = free_port();
    let server = TlsServer::on_port(
        port,
        Command::new("selfserv")
            // The policy of the system allows nothing older than TLS 1.2.
            .env("NSS_IGNORE_SYSTEM_POLICY", "1")
            .args(["-d", &database, "-n", "old", "-p", &port.to_string()])
            .args(["-V", "ssl3:ssl3", "-c", ":002f:0035:000a:0005", "-w", ""]),
    );
    let options = options(&certificates, "rsa");
    for purpose in [HelloPurpose::Facts, HelloPurpose::OldFacts] {
        let answered = hello_in_pieces(server.port, &options, purpose, 1);
        assert_eq!(
            answered.result,
            Ok(PeerHalf::Done),
            "{:?}",
            answered.messages
        );
        let facts = answered.facts();
        assert_eq!(facts.version, Some(TlsVersion::Ssl3));
        assert_eq!(&*facts.chain[0].key, "RSA-2048");
        assert_eq!(
            (facts.group.as_deref(), facts.client_cert),
            (None, Some(false))
        );
    }
    let purpose = HelloPurpose::Oldest {
        up_to: TlsVersion::Ssl3,
        otherwise: None,
    };
    let answered = hello_in_pieces(server.port, &options, purpose, 1);
    assert_eq!(answered.facts().oldest, Some(TlsVersion::Ssl3));
}
