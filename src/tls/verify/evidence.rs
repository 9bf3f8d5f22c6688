//! The input of a verification.

use rustls::pki_types::CertificateDer;

use crate::address::Host;
use crate::tls::roots::Roots;
use crate::tls_facts::{CertificateFacts, Fault, TlsVersion};

/// The input of a verification: the presented chain, and the requirements.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The certificates that the peer presented, the leaf first.
    pub chain: &'a [CertificateDer<'a>],
    /// Their facts, in the same order.
    pub facts: &'a [CertificateFacts],
    /// The name or address that the certificate must be for.
    pub host: &'a Host,
    /// The trust store; not used with pins.
    pub roots: Option<&'a Roots>,
    /// SHA-256 digests of trusted subjectPublicKeyInfos.
    pub pins: &'a [[u8; 32]],
    /// The negotiated version.
    pub version: Option<TlsVersion>,
    /// Whether an OCSP response was stapled.
    pub staple: bool,
    /// The time, in seconds since 1970.
    pub at: i64,
    /// Whether weak keys and weak signatures are accepted.
    pub legacy: bool,
}

/// Whether `--tls-legacy` accepts a fault.
pub fn is_weakness(fault: Fault) -> bool {
    matches!(fault, Fault::WeakKey | Fault::WeakSignature)
}
