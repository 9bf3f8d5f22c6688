//! The facts of one certificate (X.509, RFC 5280).
//!
//! It has its own parser: x509-cert refuses dates before 1970, long serial numbers and unsorted
//! sets, and gives no facts of a certificate that it refuses. [`parsed`] reads every version and
//! every name that can be shown, and lists what a verifier refuses.

pub mod algorithm;
pub mod der;
pub mod name;
pub mod parsed;
pub mod time;

use ring::digest;

use crate::tls::certificate::parsed::{ParsedCertificate, ServerIdentity};
use crate::tls_facts::CertificateFacts;

/// The facts of a certificate in DER. Bytes behind the outer DER value are ignored. A certificate
/// that cannot be read has [`CertificateFacts::unreadable`].
pub fn read(der: &[u8]) -> CertificateFacts {
    facts(der).unwrap_or_else(|why| {
        let why = format!("cannot be read: {why} ({} bytes)", der.len());
        CertificateFacts {
            sha256: sha256(der),
            unreadable: Some(why.into()),
            ..CertificateFacts::default()
        }
    })
}

fn facts(der: &[u8]) -> Result<CertificateFacts, String> {
    let certificate = ParsedCertificate::parse(der)?;
    let subject = name::text(certificate.subject).map_err(|why| format!("subject: {why}"))?;
    let issuer = name::text(certificate.issuer).map_err(|why| format!("issuer: {why}"))?;
    Ok(CertificateFacts {
        subject: subject.into(),
        issuer: issuer.into(),
        names: certificate
            .extensions
            .names
            .iter()
            .map(identity_text)
            .collect(),
        names_omitted: 0,
        serial: serial_text(certificate.serial).into(),
        key: certificate.key.name().into(),
        signature: algorithm::signature_name(certificate.signature_algorithm).into(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        sha256: sha256(certificate.der),
        spki_sha256: sha256(certificate.spki.whole),
        unreadable: None,
    })
}

/// The SHA-256 digest of bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// A name as text. A dNSName is ASCII; other bytes are read as Latin-1.
fn identity_text(identity: ServerIdentity<'_>) -> Box<str> {
    match identity {
        ServerIdentity::Dns(bytes) => bytes.iter().copied().map(char::from).collect(),
        ServerIdentity::Address(address) => address.to_string().into(),
    }
}

/// A two's complement number in hexadecimal, with a minus sign if it is negative.
fn serial_text(number: &[u8]) -> String {
    let is_negative = number.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude = number.to_vec();
    if is_negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let start = magnitude.iter().position(|byte| *byte != 0);
    let start = start.unwrap_or(magnitude.len().saturating_sub(1));
    let mut out = String::with_capacity(magnitude.len() * 2 + 1);
    if is_negative {
        out.push('-');
    }
    let digits = magnitude
        .iter()
        .skip(start)
        .flat_map(|byte| [byte >> 4, byte & 15]);
    out.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
    out
}

#[cfg(test)]
mod tests;
