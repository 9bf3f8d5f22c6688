//! The facts of one certificate (X.509, RFC 5280).

use ring::digest;

use crate::tls_facts::CertificateFacts;

/// The facts of a certificate in DER. Bytes behind the outer DER value are ignored. A certificate
/// that cannot be read has [`CertificateFacts::unreadable`].
pub fn read(der: &[u8]) -> CertificateFacts {
    CertificateFacts {
        sha256: sha256(der),
        unreadable: Some(format!("cannot be read ({} bytes)", der.len()).into()),
        ..CertificateFacts::default()
    }
}

/// The SHA-256 digest of bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
