//! Options of TLS.

use std::sync::atomic::AtomicBool;

use clap::Args;

use crate::cli::rare::RareOptions;

/// Options of TLS.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct TlsArgs {
    /// Start TLS directly after the connect, and verify the certificate
    #[arg(long)]
    pub tls: bool,

    /// Start TLS by the STARTTLS dialogue of this protocol, such as smtp, imap, ldap or postgres,
    /// and verify the certificate
    #[arg(long, value_name = "PROTO")]
    pub starttls: Option<String>,

    /// Host name that is sent to the server (SNI) and that the certificate must match [default: the
    /// host]
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,

    /// Offer these application protocols, such as `h2,http/1.1`
    #[arg(long, value_name = "LIST")]
    pub alpn: Vec<String>,

    /// Trust only the certificates of this PEM file [default: the trust store of the system]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<String>,

    /// PEM file with the client certificate and its chain
    #[arg(long, value_name = "FILE")]
    pub client_cert: Option<String>,

    /// PEM file with the private key of the client certificate [default: the file of --client-cert]
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<String>,

    /// Trust a certificate by the SHA-256 digest of its public key, in base64 or hex, instead of its
    /// issuer; can be repeated
    #[arg(long, value_name = "DIGEST", allow_hyphen_values = true)]
    pub pin_sha256: Vec<String>,

    /// Oldest version that is accepted: `1.2` or `1.3`; `1.0` and `1.1` require --tls-legacy
    /// [default: 1.2]
    #[arg(long, value_name = "VERSION")]
    pub tls_min: Option<String>,

    /// Report an untrusted certificate, but do not fail because of it
    #[arg(long)]
    pub tls_report_only: bool,

    /// Accept servers that are too old to prove that they have the key of their certificate, such
    /// as appliances with TLS 1.0; dates, name and trust are still verified
    #[arg(long)]
    pub tls_legacy: bool,

    /// Fail unless the server requires a client certificate
    #[arg(long)]
    pub expect_client_cert: bool,

    /// Also find the oldest version that the server supports, and whether it prefers a post-quantum
    /// group, with at most four more connections
    #[arg(long)]
    pub tls_scan: bool,
}

impl RareOptions for TlsArgs {
    const NAMES: &[&str] = &[
        "tls",
        "starttls",
        "sni",
        "alpn",
        "ca-file",
        "client-cert",
        "client-key",
        "pin-sha256",
        "tls-min",
        "tls-report-only",
        "tls-legacy",
        "expect-client-cert",
        "tls-scan",
    ];

    fn omitted() -> &'static AtomicBool {
        static OMITTED: AtomicBool = AtomicBool::new(false);
        &OMITTED
    }
}
