//! Records what the server sends in a handshake, and decides whether the handshake continues.
//!
//! The library calls this once for each certificate chain, signature and request for a client
//! certificate. The chain is always recorded and [verified](crate::tls::verify). A server that is not
//! trusted is refused after it has proved that it has the key, and before a client certificate is
//! sent to it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{
    CertificateDer, ServerName, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use webpki::RawPublicKeyEntity;

use crate::address::Host;
use crate::escape::escaped_prefix;
use crate::plan::layer::LayerError;
use crate::tls::certificate;
use crate::tls::certificate::algorithm::{KeyKind, PublicKey};
use crate::tls::leaf_file;
use crate::tls::options::TlsOptions;
use crate::tls::provider;
use crate::tls::roots;
use crate::tls::roots::Roots;
use crate::tls::verify;
use crate::tls::verify::Evidence;
use crate::tls_facts::{
    CertificateFacts, Fault, OmittedCertificates, TlsVersion, Verification, published_chain,
};

/// What all connections of a layer require of a server.
#[derive(Debug)]
pub struct Requirements {
    /// The options of the user.
    pub options: TlsOptions,
    /// The client certificate that is sent to a server that requests one.
    pub identity: Option<Arc<CertifiedKey>>,
}

/// The verifier of one connection.
#[derive(Debug)]
pub struct RecordingVerifier {
    requirements: Arc<Requirements>,
    /// The name or address that the certificate must be for.
    host: Host,
    /// The trust store, once it was needed; none with pins.
    roots: OnceLock<Result<Option<Arc<Roots>>, LayerError>>,
    record: Mutex<VerifierRecord>,
}

/// What was recorded.
#[derive(Debug, Default)]
pub struct VerifierRecord {
    /// The facts of the presented certificates, the leaf first.
    pub chain: Vec<CertificateFacts>,
    /// What is known of the certificates whose facts are not kept.
    pub chain_omitted: OmittedCertificates,
    /// The length of all presented certificates in bytes.
    pub chain_len: usize,
    /// Whether an OCSP response was stapled.
    pub staple: bool,
    /// The verification of the chain.
    pub verification: Option<Verification>,
    /// How the server has signed the handshake.
    pub signature: Option<HandshakeSignature>,
    /// The request for a client certificate.
    pub request: Option<ClientCertRequest>,
    /// Why the handshake does not continue.
    pub refusal: Option<LayerError>,
    /// That the server does not serve the certificate on disk.
    pub leaf_error: Option<LayerError>,
}

/// The signature of the handshake by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeSignature {
    /// Its algorithm.
    pub scheme: SignatureScheme,
    /// Whether it was verified. Signatures of some keys, such as RSA below 2048 bits, cannot be
    /// verified here.
    pub is_verified: bool,
}

/// The request of the server for a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertRequest {
    /// How many names of accepted issuers it has.
    pub issuers: usize,
    /// Whether we answer with a certificate.
    pub is_answered: bool,
}

impl RecordingVerifier {
    /// A verifier for a connection to a server that must have a certificate for `host`.
    pub fn new(requirements: &Arc<Requirements>, host: Host) -> Self {
        Self {
            requirements: Arc::clone(requirements),
            host,
            roots: OnceLock::new(),
            record: Mutex::default(),
        }
    }

    /// What was recorded so far.
    pub fn record(&self) -> MutexGuard<'_, VerifierRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trust store that was used; `None` with pins.
    pub fn roots(&self) -> Option<&Roots> {
        self.roots.get()?.as_ref().ok()?.as_deref()
    }

    /// Reads the trust store, unless it was read.
    ///
    /// # Errors
    /// Those of [`roots::load`].
    pub fn load_roots(&self) -> Result<(), LayerError> {
        let options = self.options();
        let result = self.roots.get_or_init(|| {
            if options.pins.is_empty() {
                roots::load(options.ca_file.as_deref()).map(Some)
            } else {
                Ok(None)
            }
        });
        match result {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        }
    }

    fn options(&self) -> &TlsOptions {
        &self.requirements.options
    }

    /// Records the chain of the server.
    fn record_chain(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        staple: &[u8],
        now: UnixTime,
    ) {
        let chain: Vec<_> = std::iter::once(leaf).chain(others).cloned().collect();
        let facts: Vec<_> = chain.iter().map(|der| certificate::read(der)).collect();
        let options = self.options();
        let mut verification = verify::verify(&Evidence {
            chain: &chain,
            facts: &facts,
            host: &self.host,
            roots: self.roots(),
            pins: &options.pins,
            // A handshake is only possible with versions that are not a fault.
            version: Some(TlsVersion::Tls12),
            staple: !staple.is_empty(),
            at: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            legacy: options.legacy,
        });
        let served = facts.first();
        let leaf_error = options.expect_cert.as_ref().zip(served);
        let leaf_error = leaf_error.and_then(|(path, leaf)| leaf_file::compare(path, leaf).err());
        let mut record = self.record();
        record.chain_len = chain.iter().map(|der| der.len()).sum();
        (record.chain, record.chain_omitted) = published_chain(facts);
        verification.keep_published();
        record.staple = !staple.is_empty();
        record.verification = Some(verification);
        record.leaf_error = leaf_error;
    }

    /// Verifies the signature of the handshake by the server, then decides by the verification
    /// whether the handshake continues.
    fn decide(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
        version: TlsVersion,
    ) -> Result<HandshakeSignatureValid, Error> {
        let mut record = self.record();
        let key = record.chain.first().map(|leaf| leaf.key.clone());
        let key = escaped_prefix(key.as_deref().unwrap_or_default(), 40);
        let proof = verify_signature(message, leaf, signature, version)?;
        let refusal = match proof {
            Proof::Valid | Proof::Impossible => None,
            Proof::Invalid => Some(WRONG_SIGNATURE.to_owned()),
            Proof::Unfit => Some(format!(
                "the server signs the handshake with an algorithm that does not fit the key of its \
                 certificate ({key}); check its key file"
            )),
        };
        if let Some(cause) = refusal {
            record.refusal = Some(LayerError::failed(cause));
            return Err(CertificateError::BadSignature.into());
        }
        let is_verified = proof == Proof::Valid;
        record.signature = Some(HandshakeSignature {
            scheme: signature.scheme,
            is_verified,
        });
        let options = self.options();
        if options.report_only {
            return Ok(HandshakeSignatureValid::assertion());
        }
        if let Some(verification) = &record.verification {
            if !verify::accepts(verification, options) {
                let fault = verification.faults.first().copied();
                record.refusal = Some(untrusted(verification, record.leaf_error.as_ref()));
                return Err(alert_for(fault).into());
            }
        }
        if is_verified || options.legacy {
            return Ok(HandshakeSignatureValid::assertion());
        }
        record.refusal = Some(LayerError::failed(format!(
            "the server signs with a key that cannot be verified ({key}), so it has not proved \
             that it has the key of its certificate; `--tls-legacy` accepts that"
        )));
        Err(CertificateError::BadSignature.into())
    }
}

fn untrusted(verification: &Verification, leaf: Option<&LayerError>) -> LayerError {
    match leaf {
        Some(leaf) => LayerError::untrusted(format!("{}; {}", verification.error, leaf.cause)),
        None => LayerError::untrusted(verification.error.clone()),
    }
}

const WRONG_SIGNATURE: &str = "the server does not have the key of the certificate that it serves: \
                               its signature of the handshake is wrong; check its key file";

/// Whether signatures of this key can be verified here: not of other kinds and curves, nor of RSA
/// below 2048 and above 8192 bits.
fn is_verifiable(key: &PublicKey<'_>) -> bool {
    let algorithms = provider::crypto_provider().signature_verification_algorithms;
    let mut known = algorithms.all.iter();
    let fits = |known: &dyn SignatureVerificationAlgorithm| {
        known.public_key_alg_id().as_ref() == key.algorithm
    };
    known.any(|known| fits(*known))
        && !matches!(key.kind, KeyKind::Rsa(bits) if !(2048..=8192).contains(&bits))
}

/// Whether signatures of the key of this certificate (DER) can be verified here.
pub fn has_verifiable_key(certificate: &[u8]) -> bool {
    subject_public_key_info(certificate)
        .and_then(public_key)
        .is_some_and(|key| is_verifiable(&key))
}

/// The key in a whole subjectPublicKeyInfo.
fn public_key(spki: &[u8]) -> Option<PublicKey<'_>> {
    PublicKey::parse(der_value(spki)?.1).ok()
}

/// The result of verifying a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Valid,
    Invalid,
    /// The algorithm does not fit the key: another key has made the signature.
    Unfit,
    /// No signature of this key can be verified here.
    Impossible,
}

fn verify_signature(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    version: TlsVersion,
) -> Result<Proof, Error> {
    let mapping = provider::crypto_provider()
        .signature_verification_algorithms
        .mapping;
    let algorithms = mapping
        .iter()
        .find(|(scheme, _)| *scheme == signature.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?
        .1;
    // The key is read here, since the library refuses certificates for faults of other parts.
    let Some(spki) = subject_public_key_info(leaf) else {
        return Ok(Proof::Impossible);
    };
    if !public_key(spki).is_some_and(|key| is_verifiable(&key)) {
        return Ok(Proof::Impossible);
    }
    let spki = SubjectPublicKeyInfoDer::from(spki);
    let Ok(entity) = RawPublicKeyEntity::try_from(&spki) else {
        return Ok(Proof::Impossible);
    };
    // With TLS 1.2 a scheme does not name the curve.
    let tried = match version {
        TlsVersion::Tls13 => 1,
        _ => algorithms.len(),
    };
    for algorithm in algorithms.iter().take(tried) {
        match entity.verify_signature(*algorithm, message, signature.signature()) {
            Ok(()) => return Ok(Proof::Valid),
            Err(webpki::Error::InvalidSignatureForPublicKey) => return Ok(Proof::Invalid),
            Err(_) => {}
        }
    }
    Ok(Proof::Unfit)
}

/// The subjectPublicKeyInfo of a certificate in DER (RFC 5280, section 4.1): the sixth field of the
/// first part after the optional version.
fn subject_public_key_info(der: &[u8]) -> Option<&[u8]> {
    let (_, certificate, _) = der_value(der)?;
    let (_, mut fields, _) = der_value(certificate)?;
    if fields.first() == Some(&0xa0) {
        fields = der_value(fields)?.2;
    }
    for _ in 0..5 {
        fields = der_value(fields)?.2;
    }
    Some(der_value(fields)?.0)
}

/// The first DER value: all of it, its content, and what follows it.
fn der_value(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (_, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        // A handshake message has less than 64 KiB.
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    let all = bytes.get(..bytes.len() - after.len())?;
    Some((all, content, after))
}

/// The error for which the library sends an alert to the server.
fn alert_for(fault: Option<Fault>) -> CertificateError {
    match fault {
        Some(Fault::Expired | Fault::NotYetValid) => CertificateError::Expired,
        Some(Fault::NameMismatch) => CertificateError::NotValidForName,
        Some(Fault::SelfSigned | Fault::UnknownIssuer | Fault::MissingIntermediate) => {
            CertificateError::UnknownIssuer
        }
        Some(Fault::BadSignature) => CertificateError::BadSignature,
        Some(Fault::WrongUsage) => CertificateError::InvalidPurpose,
        Some(Fault::Malformed) => CertificateError::BadEncoding,
        _ => CertificateError::ApplicationVerificationFailure,
    }
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Err(error) = self.load_roots() {
            self.record().refusal = Some(error);
            return Err(CertificateError::UnknownIssuer.into());
        }
        self.record_chain(end_entity, intermediates, ocsp_response, now);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.decide(message, cert, dss, TlsVersion::Tls12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // PKCS #1 1.5 is not for handshakes of TLS 1.3 (RFC 8446, section 4.2.3).
        if is_pkcs1(dss.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        self.decide(message, cert, dss, TlsVersion::Tls13)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = provider::crypto_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

fn is_pkcs1(scheme: SignatureScheme) -> bool {
    use SignatureScheme as S;
    matches!(
        scheme,
        S::RSA_PKCS1_SHA1 | S::RSA_PKCS1_SHA256 | S::RSA_PKCS1_SHA384 | S::RSA_PKCS1_SHA512
    )
}

impl ResolvesClientCert for RecordingVerifier {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        // A key that cannot make any of these signatures is not used by the library either.
        let identity = self.requirements.identity.as_ref();
        let identity = identity.filter(|own| own.key.choose_scheme(sigschemes).is_some());
        self.record().request = Some(ClientCertRequest {
            issuers: root_hint_subjects.len(),
            is_answered: identity.is_some(),
        });
        identity.cloned()
    }

    fn has_certs(&self) -> bool {
        self.requirements.identity.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn the_key_of_a_certificate_is_found() {
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let params = CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let found = subject_public_key_info(certificate.der()).unwrap();
            assert_eq!(found, rcgen::PublicKeyData::subject_public_key_info(&key));
        }
    }

    #[test]
    fn some_keys_cannot_be_verified() {
        let rsa = [
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
        ];
        let p521 = [
            0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
            0x00, 0x23,
        ];
        for (algorithm, kind, expected) in [
            (&rsa[..], KeyKind::Rsa(1024), false),
            (&rsa, KeyKind::Rsa(2047), false),
            (&rsa, KeyKind::Rsa(2048), true),
            (&rsa, KeyKind::Rsa(8192), true),
            (&rsa, KeyKind::Rsa(16_384), false),
            (&rsa[..11], KeyKind::Rsa(2048), false),
            (&p521, KeyKind::Curve("P521", 521), false),
            (&[], KeyKind::Other, false),
        ] {
            let key = PublicKey {
                kind,
                algorithm,
                bytes: &[],
            };
            assert_eq!(is_verifiable(&key), expected, "{kind:?}");
        }
        let key = KeyPair::generate().unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        assert!(is_verifiable(&public_key(&spki).unwrap()));
    }

    proptest! {
        #[test]
        fn any_bytes_may_be_a_certificate(der in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = subject_public_key_info(&der);
        }
    }
}
