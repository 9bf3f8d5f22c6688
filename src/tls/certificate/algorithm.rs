//! Keys and signature algorithms of certificates, and their strength.

use crate::tls::certificate::der::{self, DerError, DerReader};

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey<'a> {
    /// Its kind.
    pub kind: KeyKind,
    /// Its `AlgorithmIdentifier`, the content of the `SEQUENCE`.
    pub algorithm: &'a [u8],
    /// The key itself.
    pub bytes: &'a [u8],
}

/// The kind of a key, with its size in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA (RFC 3279).
    Rsa(usize),
    /// RSA for PSS only (RFC 4055).
    RsaPss(usize),
    /// DSA (RFC 3279); the size is 0 if the parameters are those of the issuer.
    Dsa(usize),
    /// An elliptic curve (RFC 5480).
    Curve(&'static str, usize),
    /// A key without parameters: Ed25519, Ed448 (RFC 8410), ML-DSA (RFC 9881).
    Named(&'static str),
    /// Another kind.
    Other,
}

impl KeyKind {
    /// Whether it is too short: RSA and DSA below 2048 bits, curves below 224 (NIST SP 800-131A).
    pub fn is_weak(self) -> bool {
        match self {
            Self::Rsa(bits) | Self::RsaPss(bits) | Self::Dsa(bits) => bits < 2048,
            Self::Curve(_, bits) => bits < 224,
            Self::Named(_) | Self::Other => false,
        }
    }
}

impl<'a> PublicKey<'a> {
    /// Reads the content of a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// If it is not an algorithm and a bit string. A key of a known kind with unknown content is
    /// [`KeyKind::Other`].
    pub fn parse(spki: &'a [u8]) -> Result<Self, DerError> {
        let mut reader = DerReader::new(spki);
        let algorithm = reader.expect(der::SEQUENCE)?.content;
        let bytes = der::whole_bytes(reader.expect(der::BIT_STRING)?.content)?;
        let mut parts = DerReader::new(algorithm);
        let oid = der::dotted(parts.expect(der::OID)?.content);
        let kind = match oid.as_str() {
            "1.2.840.113549.1.1.1" => rsa_bits(bytes).map(KeyKind::Rsa),
            "1.2.840.113549.1.1.10" => rsa_bits(bytes).map(KeyKind::RsaPss),
            "1.2.840.10040.4.1" => Some(KeyKind::Dsa(dsa_bits(parts).unwrap_or(0))),
            "1.2.840.10045.2.1" => Some(curve(parts)),
            "1.3.101.110" => Some(KeyKind::Named("X25519")),
            "1.3.101.111" => Some(KeyKind::Named("X448")),
            "1.3.101.112" => Some(KeyKind::Named("Ed25519")),
            "1.3.101.113" => Some(KeyKind::Named("Ed448")),
            "2.16.840.1.101.3.4.3.17" => Some(KeyKind::Named("ML-DSA-44")),
            "2.16.840.1.101.3.4.3.18" => Some(KeyKind::Named("ML-DSA-65")),
            "2.16.840.1.101.3.4.3.19" => Some(KeyKind::Named("ML-DSA-87")),
            _ => None,
        };
        Ok(Self {
            kind: kind.unwrap_or(KeyKind::Other),
            algorithm,
            bytes,
        })
    }

    /// The key as published, such as `RSA-2048`; the object identifier of an unknown kind.
    pub fn name(&self) -> String {
        match self.kind {
            KeyKind::Rsa(bits) => format!("RSA-{bits}"),
            KeyKind::RsaPss(bits) => format!("RSA-PSS-{bits}"),
            KeyKind::Dsa(0) => "DSA".to_owned(),
            KeyKind::Dsa(bits) => format!("DSA-{bits}"),
            KeyKind::Curve(name, _) => format!("ECDSA-{name}"),
            KeyKind::Named(name) => name.to_owned(),
            KeyKind::Other => oid_of(self.algorithm),
        }
    }
}

fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut key = der::sequence(key).ok()?;
    Some(der::bits(key.expect(der::INTEGER).ok()?.content))
}

fn dsa_bits(mut parameters: DerReader<'_>) -> Option<usize> {
    let mut parameters = DerReader::new(parameters.expect(der::SEQUENCE).ok()?.content);
    Some(der::bits(parameters.expect(der::INTEGER).ok()?.content))
}

fn curve(mut parameters: DerReader<'_>) -> KeyKind {
    let Ok(oid) = parameters.expect(der::OID) else {
        // Parameters that are written out, which RFC 5480 forbids.
        return KeyKind::Curve("explicit", 256);
    };
    match der::dotted(oid.content).as_str() {
        "1.2.840.10045.3.1.1" => KeyKind::Curve("P192", 192),
        "1.3.132.0.33" => KeyKind::Curve("P224", 224),
        "1.2.840.10045.3.1.7" => KeyKind::Curve("P256", 256),
        "1.3.132.0.34" => KeyKind::Curve("P384", 384),
        "1.3.132.0.35" => KeyKind::Curve("P521", 521),
        "1.3.132.0.10" => KeyKind::Curve("secp256k1", 256),
        "1.3.36.3.3.2.8.1.1.7" => KeyKind::Curve("brainpoolP256r1", 256),
        "1.3.36.3.3.2.8.1.1.11" => KeyKind::Curve("brainpoolP384r1", 384),
        "1.3.36.3.3.2.8.1.1.13" => KeyKind::Curve("brainpoolP512r1", 512),
        "1.2.156.10197.1.301" => KeyKind::Curve("SM2", 256),
        _ => KeyKind::Other,
    }
}

/// The object identifier of an `AlgorithmIdentifier`, dotted.
fn oid_of(algorithm: &[u8]) -> String {
    let oid = DerReader::new(algorithm).expect(der::OID);
    oid.map_or_else(|_| "unknown".to_owned(), |oid| der::dotted(oid.content))
}

/// The name of a signature algorithm (the content of an `AlgorithmIdentifier`) as OpenSSL writes
/// it; the object identifier of an unknown one.
pub fn signature_name(algorithm: &[u8]) -> String {
    let oid = oid_of(algorithm);
    let known = SIGNATURES.iter().find(|(known, _)| *known == oid);
    known.map_or(oid, |(_, name)| (*name).to_owned())
}

/// Whether a signature algorithm uses MD2, MD4, MD5 or SHA-1.
pub fn is_weak_signature(algorithm: &[u8]) -> bool {
    let name = signature_name(algorithm);
    if name == "rsassaPss" {
        return pss_digest(algorithm).is_none_or(|digest| {
            matches!(digest.as_str(), "1.3.14.3.2.26" | "1.2.840.113549.2.5")
        });
    }
    // Names of the SHA-2 family do not contain these.
    let lower = name.to_ascii_lowercase();
    ["md2", "md4", "md5"]
        .iter()
        .any(|weak| lower.starts_with(weak))
        || lower == "sha1withrsaencryption"
        || lower == "sha1withrsa"
        || lower == "ecdsa-with-sha1"
        || lower.starts_with("dsawithsha")
}

/// The digest of `RSASSA-PSS-params`; SHA-1 (`None`) without it (RFC 4055, section 3.1).
fn pss_digest(algorithm: &[u8]) -> Option<String> {
    let mut parts = DerReader::new(algorithm);
    parts.expect(der::OID).ok()?;
    let mut parameters = DerReader::new(parts.expect(der::SEQUENCE).ok()?.content);
    let digest = parameters.optional(der::constructed(0)).ok()??;
    let mut digest = der::sequence(digest.content).ok()?;
    Some(der::dotted(digest.expect(der::OID).ok()?.content))
}

/// Signature algorithms by their object identifiers.
const SIGNATURES: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.2", "md2WithRSAEncryption"),
    ("1.2.840.113549.1.1.3", "md4WithRSAEncryption"),
    ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
    ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
    ("1.3.14.3.2.3", "md5WithRSA"),
    ("1.3.14.3.2.29", "sha1WithRSA"),
    ("1.2.840.113549.1.1.10", "rsassaPss"),
    ("1.2.840.113549.1.1.11", "sha256WithRSAEncryption"),
    ("1.2.840.113549.1.1.12", "sha384WithRSAEncryption"),
    ("1.2.840.113549.1.1.13", "sha512WithRSAEncryption"),
    ("1.2.840.113549.1.1.14", "sha224WithRSAEncryption"),
    ("1.2.840.113549.1.1.15", "sha512-224WithRSAEncryption"),
    ("1.2.840.113549.1.1.16", "sha512-256WithRSAEncryption"),
    ("1.2.840.10045.4.1", "ecdsa-with-SHA1"),
    ("1.2.840.10045.4.3.1", "ecdsa-with-SHA224"),
    ("1.2.840.10045.4.3.2", "ecdsa-with-SHA256"),
    ("1.2.840.10045.4.3.3", "ecdsa-with-SHA384"),
    ("1.2.840.10045.4.3.4", "ecdsa-with-SHA512"),
    ("1.2.840.10040.4.3", "dsaWithSHA1"),
    ("1.3.14.3.2.27", "dsaWithSHA1-old"),
    ("2.16.840.1.101.3.4.3.1", "dsa_with_SHA224"),
    ("2.16.840.1.101.3.4.3.2", "dsa_with_SHA256"),
    ("2.16.840.1.101.3.4.3.3", "dsa_with_SHA384"),
    ("2.16.840.1.101.3.4.3.4", "dsa_with_SHA512"),
    ("2.16.840.1.101.3.4.3.10", "ecdsa_with_SHA3-256"),
    ("2.16.840.1.101.3.4.3.11", "ecdsa_with_SHA3-384"),
    ("2.16.840.1.101.3.4.3.12", "ecdsa_with_SHA3-512"),
    ("2.16.840.1.101.3.4.3.14", "RSA-SHA3-256"),
    ("2.16.840.1.101.3.4.3.15", "RSA-SHA3-384"),
    ("2.16.840.1.101.3.4.3.16", "RSA-SHA3-512"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
    ("1.3.36.3.3.1.2", "ripemd160WithRSA"),
    ("1.2.156.10197.1.501", "SM2-with-SM3"),
    ("1.3.101.112", "ED25519"),
    ("1.3.101.113", "ED448"),
];
