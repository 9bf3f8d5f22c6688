//! The options of TLS.

use std::fmt;
use std::path::PathBuf;

use crate::tls_facts::TlsVersion;

/// How TLS is spoken, and what is verified. The default verifies the host name against the trust
/// store of the system.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsOptions {
    /// The name that is sent as SNI and verified; `None` means the host.
    pub sni: Option<Box<str>>,
    /// The application protocols that are offered, such as `h2`.
    pub alpn: Vec<Box<str>>,
    /// Trusted certificates instead of those of the system (PEM).
    pub ca_file: Option<PathBuf>,
    /// The files of the client certificate and its key (PEM).
    pub client: Option<ClientCertificate>,
    /// SHA-256 digests of trusted subjectPublicKeyInfos. If there are any, no trust store is read.
    pub pins: Vec<[u8; 32]>,
    /// The oldest version that is accepted; `None` means TLS 1.2.
    pub min_version: Option<TlsVersion>,
    /// An untrusted certificate is reported, and is not a failure.
    pub report_only: bool,
    /// Peers may be too old to prove that they have the key of their certificate.
    pub legacy: bool,
    /// The server is up only if it refuses us without a client certificate.
    pub expect_client_cert: bool,
    /// Also find the oldest version and the preferred group, by further connections.
    pub scan: bool,
    /// The leaf must be the first certificate of this file (PEM).
    pub expect_cert: Option<PathBuf>,
}

/// The files of a client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The chain, the leaf first.
    pub cert: PathBuf,
    /// The private key, not encrypted.
    pub key: PathBuf,
}

/// The options of [`TlsOptions`], to name the one that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsOption {
    /// [`TlsOptions::sni`].
    Sni,
    /// [`TlsOptions::alpn`].
    Alpn,
    /// [`ClientCertificate::cert`].
    ClientCert,
    /// [`ClientCertificate::key`].
    ClientKey,
    /// [`TlsOptions::pins`].
    Pins,
    /// [`TlsOptions::min_version`].
    MinVersion,
    /// [`TlsOptions::expect_client_cert`].
    ExpectClientCert,
    /// [`TlsOptions::expect_cert`].
    ExpectCert,
}

impl TlsOption {
    /// Its name in the configuration, such as `client_cert`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Sni => "sni",
            Self::Alpn => "alpn",
            Self::ClientCert => "client_cert",
            Self::ClientKey => "client_key",
            Self::Pins => "pin_sha256",
            Self::MinVersion => "tls_min",
            Self::ExpectClientCert => "expect_client_cert",
            Self::ExpectCert => "expect_cert",
        }
    }
}

/// Options that cannot be used; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptionsError {
    /// Which option.
    pub option: TlsOption,
    /// What is wrong, and the remedy; one line.
    pub message: String,
}

impl TlsOptionsError {
    /// An error in this option.
    pub fn new(option: TlsOption, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { option, message }
    }
}

impl fmt::Display for TlsOptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TlsOptionsError {}
