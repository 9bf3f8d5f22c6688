//! Certificates, and `openssl s_server` with them on a free port of loopback.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SignatureAlgorithm,
};

use crate::skip;

/// The key of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl Key {
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa];

    pub fn published_name(self) -> &'static str {
        match self {
            Self::P256 => "ECDSA-P256",
            Self::P384 => "ECDSA-P384",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA-2048",
        }
    }

    /// The name of its files.
    fn file(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }
}

/// A directory with a CA, and certificates of it for `localhost` and 127.0.0.1.
pub struct Certificates {
    dir: tempfile::TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// A CA, a server certificate for each of these keys, and a client certificate.
    pub fn new(keys: &[Key]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        // Another CA has another name.
        let name = dir.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificates = Self { dir, ca };
        certificates.write("ca.pem", certificates.ca.pem());
        for key in keys {
            certificates.issue(key.file(), &new_key(*key), |_| {});
        }
        certificates.issue("client", &new_key(Key::P256), |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        certificates
    }

    /// A certificate of the CA and its key, as `NAME.pem` and `NAME.key`.
    pub fn issue(&self, name: &str, key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let certificate = params.signed_by(key, &self.ca).unwrap();
        self.write(&format!("{name}.pem"), certificate.pem());
        self.write(&format!("{name}.key"), key.serialize_pem());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    pub fn ca_file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The arguments of `s_server` for a certificate.
    pub fn of(&self, key: Key) -> Vec<String> {
        self.named(key.file())
    }

    pub fn named(&self, name: &str) -> Vec<String> {
        let path = |suffix: &str| self.path(&format!("{name}.{suffix}")).display().to_string();
        ["-cert", &path("pem"), "-key", &path("key")]
            .map(str::to_owned)
            .to_vec()
    }
}

pub fn new_key(key: Key) -> KeyPair {
    let generate =
        |algorithm: &'static SignatureAlgorithm| KeyPair::generate_for(algorithm).unwrap();
    let made = |command: &str| KeyPair::from_pem(&openssl(&words(command))).unwrap();
    match key {
        Key::P256 => generate(&rcgen::PKCS_ECDSA_P256_SHA256),
        Key::P384 => generate(&rcgen::PKCS_ECDSA_P384_SHA384),
        // OpenSSL cannot read the Ed25519 keys of rcgen, which makes no RSA keys.
        Key::Ed25519 => made("genpkey -algorithm ED25519"),
        Key::Rsa => made("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    }
}

/// Runs `openssl`, and gives what it prints.
pub fn openssl(words: &[&str]) -> String {
    let output = Command::new("openssl").args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {words:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether there is `openssl`; else the test is skipped.
pub fn has_openssl() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    if !found {
        skip("openssl is not installed");
    }
    found
}

/// A running `openssl s_server`, stopped when dropped.
pub struct Server {
    child: Child,
    port: u16,
    /// What it prints.
    lines: Receiver<String>,
}

impl Server {
    /// One that answers each line with the reversed line.
    pub fn start(certificate: &[String], options: &[&str]) -> Self {
        Self::start_typing(certificate, &[&["-rev"][..], options].concat())
    }

    /// One that sends what is typed, and understands the commands of `s_server`.
    pub fn start_typing(certificate: &[String], options: &[&str]) -> Self {
        Self::start_at(("127.0.0.1", 0), certificate, options)
    }

    /// One at this address and port.
    pub fn start_at(
        (address, given): (&str, u16),
        certificate: &[String],
        options: &[&str],
    ) -> Self {
        let at = format!("{address}:{given}");
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", &at])
            .args(certificate)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = output
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| match line.as_str() {
                // A port that was given is not printed.
                "ACCEPT" => Some(given),
                line => line
                    .strip_prefix("ACCEPT ")?
                    .rsplit_once(':')?
                    .1
                    .parse()
                    .ok(),
            });
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let Some(port) = port else {
            let errors: Vec<_> = errors.map_while(Result::ok).collect();
            panic!("openssl s_server {options:?} did not start: {errors:#?}");
        };
        // A full pipe would stop the server.
        thread::spawn(move || errors.all(|line| line.is_ok()));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            output
                .map_while(Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        Self { child, port, lines }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it prints a line with this text.
    pub fn waits_for(&self, text: &str) {
        let timeout = Duration::from_secs(10);
        while !self.lines.recv_timeout(timeout).unwrap().contains(text) {}
    }

    pub fn types(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often a test of a race is repeated.
pub fn runs() -> usize {
    let given = std::env::var("ZBX_TCP_TLS_RUNS").ok();
    given.map_or(50, |runs| {
        runs.parse().expect("ZBX_TCP_TLS_RUNS is a number")
    })
}

/// The words of a command line.
pub fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}
