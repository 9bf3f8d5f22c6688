//! Certificates made for tests, by rcgen. `openssl` signs what rcgen cannot: with short RSA keys,
//! SHA-1 and MD5.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rcgen::{
    CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, PublicKeyData,
    SignatureAlgorithm, SigningKey, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use zbx_tcp::address::Host;
use zbx_tcp::tls::certificate;
use zbx_tcp::tls::roots::Roots;
use zbx_tcp::tls::verify::{Evidence, verify};
use zbx_tcp::tls_facts::{CertificateFacts, TlsVersion, Verification, days_since_1970};

/// A day of 2026 at noon, in seconds since 1970.
pub fn noon(month: i64, day: i64) -> i64 {
    days_since_1970(2026, month, day).unwrap() * 86_400 + 43_200
}

/// The time of the tests: made certificates are valid in 2026.
pub fn now() -> i64 {
    noon(6, 15)
}

/// A key that signs.
pub enum Key {
    Pair(Box<KeyPair>),
    /// An RSA key in a file, and the digest that it signs with.
    Rsa {
        file: PathBuf,
        public: Vec<u8>,
        digest: &'static str,
    },
}

impl Key {
    pub fn new() -> Self {
        Self::Pair(KeyPair::generate().unwrap().into())
    }

    /// An RSA key of this size, the same for each digest.
    pub fn rsa(bits: u32, digest: &'static str) -> Self {
        let file = keys().join(format!("rsa{bits}.pem"));
        let path = file.to_str().unwrap();
        let public = run(
            &["rsa", "-in", path, "-RSAPublicKey_out", "-outform", "DER"],
            b"",
        );
        Self::Rsa {
            file,
            public,
            digest,
        }
    }

    fn digest(&self) -> &'static str {
        match self {
            Self::Pair(_) => "sha256",
            Self::Rsa { digest, .. } => digest,
        }
    }
}

/// The directory of RSA keys, which are made once.
fn keys() -> &'static Path {
    static KEYS: OnceLock<TempDir> = OnceLock::new();
    KEYS.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        for bits in ["512", "1024", "2048"] {
            let file = dir.path().join(format!("rsa{bits}.pem"));
            run(&["genrsa", "-out", file.to_str().unwrap(), bits], b"");
        }
        dir
    })
    .path()
}

/// The output of `openssl`.
pub fn run(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // What does not fit into the pipe is written while the output is read.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    output.stdout
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::Pair(pair) => pair.der_bytes(),
            Self::Rsa { public, .. } => public,
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            Self::Pair(pair) => PublicKeyData::algorithm(&**pair),
            Self::Rsa { .. } => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self {
            Self::Pair(pair) => pair.sign(message),
            Self::Rsa { file, digest, .. } => {
                let message = with_digest(message, digest);
                let option = format!("-{digest}");
                let file = file.to_str().unwrap();
                Ok(run(&["dgst", &option, "-sign", file], &message))
            }
        }
    }
}

/// Replaces sha256WithRSAEncryption.
fn with_digest(der: &[u8], digest: &str) -> Vec<u8> {
    const SHA256: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    let last = match digest {
        "md5" => 4,
        "sha1" => 5,
        _ => 11,
    };
    let mut der = der.to_vec();
    while let Some(at) = der.windows(11).position(|part| part == SHA256) {
        if last == 11 {
            break;
        }
        der[at + 10] = last;
    }
    der
}

/// What a certificate has: a subject with this common name, valid in 2026.
pub fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

/// That of a server.
pub fn server(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = params("server");
    params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
    params
}

/// That of a CA.
pub fn ca(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
}

/// A certificate with the key of its subject.
pub struct Made {
    pub params: CertificateParams,
    pub key: Key,
    pub der: CertificateDer<'static>,
}

impl Made {
    pub fn root(params: CertificateParams) -> Self {
        Self::root_with(params, Key::new())
    }

    pub fn root_with(params: CertificateParams, key: Key) -> Self {
        let der = self_signed(&params, &key);
        Self { params, key, der }
    }

    pub fn issue(&self, params: CertificateParams) -> Self {
        self.issue_with(params, Key::new())
    }

    pub fn issue_with(&self, params: CertificateParams, key: Key) -> Self {
        let der = self.sign(&params, &key);
        Self { params, key, der }
    }

    pub fn sign(&self, params: &CertificateParams, key: &Key) -> CertificateDer<'static> {
        let issuer = Issuer::from_params(&self.params, &self.key);
        let made = params.signed_by(key, &issuer).unwrap();
        with_digest(made.der(), self.key.digest()).into()
    }

    pub fn store(&self) -> Roots {
        store(&[&self.der])
    }
}

pub fn self_signed(params: &CertificateParams, key: &Key) -> CertificateDer<'static> {
    let made = params.self_signed(key).unwrap();
    with_digest(made.der(), key.digest()).into()
}

/// A trust store of these certificates.
pub fn store(roots: &[&CertificateDer<'_>]) -> Roots {
    let pem: Vec<_> = roots.iter().map(|der| pem(der)).collect();
    Roots::from_pem(Path::new("/roots.pem"), pem.concat().as_bytes()).unwrap()
}

/// A certificate in PEM.
pub fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bytes = [0, 1, 2].map(|at| u32::from(three.get(at).copied().unwrap_or(0)));
            let bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
            for at in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
                out.push(if at > three.len() { '=' } else { digit.into() });
            }
        }
        out.push('\n');
    }
    out + "-----END CERTIFICATE-----\n"
}

/// An extension that is not critical.
pub fn extension(oid: &[u64], content: &[u8]) -> CustomExtension {
    CustomExtension::from_oid_content(oid, content.to_vec())
}

/// authorityInfoAccess with the address of the issuer's certificate.
pub fn issuer_url() -> CustomExtension {
    let content = b"\x30\x18\x30\x16\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x0ahttp://a/b";
    extension(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content)
}

/// The TLS feature `status_request`.
pub fn must_staple() -> CustomExtension {
    extension(&[1, 3, 6, 1, 5, 5, 7, 1, 24], &[0x30, 3, 2, 1, 5])
}

/// A verification with the usual circumstances.
pub struct VerifyCase<'a> {
    pub chain: Vec<CertificateDer<'a>>,
    pub host: &'a str,
    pub roots: Option<&'a Roots>,
    pub pins: Vec<[u8; 32]>,
    pub version: TlsVersion,
    pub staple: bool,
    pub at: i64,
    pub legacy: bool,
}

impl<'a> VerifyCase<'a> {
    pub fn new(chain: &[&CertificateDer<'a>], roots: &'a Roots) -> Self {
        Self {
            chain: chain.iter().map(|der| (*der).clone()).collect(),
            host: "a.example",
            roots: Some(roots),
            pins: Vec::new(),
            version: TlsVersion::Tls13,
            staple: false,
            at: now(),
            legacy: false,
        }
    }

    pub fn verify(&self) -> Verification {
        let host: Host = self.host.parse().unwrap();
        let facts: Vec<_> = self.facts();
        verify(&Evidence {
            chain: &self.chain,
            facts: &facts,
            host: &host,
            roots: self.roots,
            pins: &self.pins,
            version: Some(self.version),
            staple: self.staple,
            at: self.at,
            legacy: self.legacy,
        })
    }

    pub fn facts(&self) -> Vec<CertificateFacts> {
        self.chain
            .iter()
            .map(|der| certificate::read(der))
            .collect()
    }

    /// The faults, joined by spaces.
    pub fn faults(&self) -> String {
        names(&self.verify())
    }
}

pub fn names(verification: &Verification) -> String {
    let names: Vec<_> = verification
        .faults
        .iter()
        .map(|fault| fault.name())
        .collect();
    names.join(" ")
}
