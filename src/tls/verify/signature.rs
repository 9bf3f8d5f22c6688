//! Signatures of certificates: which algorithms are verified, and how.

use ring::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, UnparsedPublicKey,
};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use crate::tls::certificate::algorithm::{KeyKind, PublicKey};
use crate::tls::certificate::der::{BIT_STRING, SEQUENCE};
use crate::tls::certificate::parsed::ParsedCertificate;

/// Verification algorithms.
pub type Algorithms = [&'static dyn SignatureVerificationAlgorithm];

/// The algorithms of a strict client.
pub static STRICT: &Algorithms = webpki::ALL_VERIFICATION_ALGS;

/// Whether a signature belongs to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureCheck {
    /// It does.
    Valid,
    /// It cannot be verified here: the algorithm, the curve or the size of the key is not known.
    Unsupported,
    /// It does not.
    Wrong,
}

/// Verifies the signature of a certificate with the key of an issuer, weak algorithms included.
pub fn check(certificate: &ParsedCertificate<'_>, key: &PublicKey<'_>) -> SignatureCheck {
    let fits = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id().as_ref() == certificate.signature_algorithm
            && algorithm.public_key_alg_id().as_ref() == key.algorithm
    };
    let legacy = legacy();
    let (algorithm, shortest) = match legacy.iter().find(fits) {
        Some(algorithm) => (algorithm, 1024),
        None => match STRICT.iter().find(fits) {
            Some(algorithm) => (algorithm, 2048),
            None => return without_algorithm(certificate, key),
        },
    };
    if matches!(key.kind, KeyKind::Rsa(bits) if !(shortest..=8192).contains(&bits)) {
        return SignatureCheck::Unsupported;
    }
    match algorithm.verify_signature(key.bytes, certificate.tbs, certificate.signature) {
        Ok(()) => SignatureCheck::Valid,
        Err(InvalidSignature) => SignatureCheck::Wrong,
    }
}

/// The result if no algorithm fits both the signature and the key. If both are known, the signature
/// is wrong: a signature of an RSA key cannot be verified with the key of an elliptic curve, for
/// example.
fn without_algorithm(certificate: &ParsedCertificate<'_>, key: &PublicKey<'_>) -> SignatureCheck {
    let knows_signature = all()
        .iter()
        .any(|algorithm| algorithm.signature_alg_id().as_ref() == certificate.signature_algorithm);
    let knows_key = all()
        .iter()
        .any(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm);
    if knows_signature && knows_key {
        SignatureCheck::Wrong
    } else {
        SignatureCheck::Unsupported
    }
}

/// A `SubjectPublicKeyInfo` (the content of the `SEQUENCE`) of a key whose kind can make signatures
/// with this algorithm. It has no key.
pub fn key_for(signature_algorithm: &[u8]) -> Option<Vec<u8>> {
    let all = all();
    let algorithm = all
        .iter()
        .find(|algorithm| algorithm.signature_alg_id().as_ref() == signature_algorithm)?;
    let key = algorithm.public_key_alg_id();
    let mut spki = vec![SEQUENCE, u8::try_from(key.as_ref().len()).ok()?];
    spki.extend_from_slice(key.as_ref());
    spki.extend_from_slice(&[BIT_STRING, 2, 0, 0]);
    Some(spki)
}

/// All algorithms that can be verified: those of a strict client, short RSA keys and SHA-1.
pub fn all() -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    // The first that fits is used: these accept the keys of the others too.
    let mut all = legacy().to_vec();
    all.extend(STRICT);
    all
}

/// The algorithms of [`all`], which accept every signature. With them webpki decides only the form
/// of a chain.
pub fn unchecked() -> Vec<Unchecked> {
    all().into_iter().map(Unchecked).collect()
}

/// An algorithm that accepts every signature.
#[derive(Debug)]
pub struct Unchecked(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Unchecked {
    fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

fn legacy() -> [&'static dyn SignatureVerificationAlgorithm; 6] {
    LEGACY.each_ref().map(|algorithm| algorithm as _)
}

/// RSA PKCS#1 v1.5 with keys from 1024 bits. The parameters should be NULL, and are absent in some
/// certificates (RFC 4055, section 5).
static LEGACY: [LegacyRsa; 6] = [
    LegacyRsa {
        signature: AlgorithmIdentifier::from_slice(&SHA1),
        verification: &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    },
    LegacyRsa {
        signature: AlgorithmIdentifier::from_slice(SHA1.split_at(11).0),
        verification: &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    },
    LegacyRsa {
        signature: AlgorithmIdentifier::from_slice(&SHA256),
        verification: &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    },
    LegacyRsa {
        signature: AlgorithmIdentifier::from_slice(SHA256.split_at(11).0),
        verification: &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    },
    LegacyRsa {
        signature: AlgorithmIdentifier::from_slice(&SHA512),
        verification: &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    },
    LegacyRsa {
        signature: AlgorithmIdentifier::from_slice(SHA512.split_at(11).0),
        verification: &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    },
];

static SHA1: [u8; 13] = pkcs1(5);
static SHA256: [u8; 13] = pkcs1(11);
static SHA512: [u8; 13] = pkcs1(13);

/// The `AlgorithmIdentifier` 1.2.840.113549.1.1.`number` with NULL.
const fn pkcs1(number: u8) -> [u8; 13] {
    [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, number, 5, 0]
}

#[derive(Debug)]
struct LegacyRsa {
    signature: AlgorithmIdentifier,
    verification: &'static RsaParameters,
}

impl SignatureVerificationAlgorithm for LegacyRsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.verification, public_key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}
