//! Files of certificates and keys in the PEM format (RFC 7468), and what is wrong with them.
//!
//! A user who names a file may only have permission to write item keys, and must not be able to
//! find out what other files contain. Therefore errors in the content are described only if the
//! file has the extension of a certificate or key file.

use std::fs::Metadata;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject, SectionKind};

use crate::escape::escaped_prefix;
use crate::os::files;
use crate::os::files::Refusal;

/// The most bytes that are read of a file of certificates or keys.
const MAX_BYTES: u64 = 1 << 20;

/// The end of the label of every private key.
const ANY_KEY: &str = "PRIVATE KEY-----";

/// The extensions of certificate and key files.
const EXTENSIONS: [&str; 8] = ["pem", "crt", "cer", "key", "der", "p12", "pfx", "cert"];

/// A file that was read.
#[derive(Debug)]
pub struct PemFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its owner, mode and times.
    pub metadata: Metadata,
}

impl PemFile {
    /// Reads a file. It must be trusted as [`files::read_trusted`] describes.
    ///
    /// # Errors
    /// Why it cannot be used, with its path.
    pub fn read(path: &Path) -> Result<Self, String> {
        match files::read_trusted(path, MAX_BYTES) {
            Ok((bytes, metadata)) => Ok(Self { bytes, metadata }),
            Err(why @ Refusal::TooLarge(_)) => Err(described(path, why.to_string())),
            Err(_) => Err(described(path, Refusal::SENTENCE)),
        }
    }

    /// Its certificates, in the order of the file.
    ///
    /// # Errors
    /// Why there is none that can be read, without the path.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let certificates = self.sections(|kind| kind == SectionKind::Certificate)?;
        if certificates.is_empty() {
            return Err(format!("has no certificate: {}", self.content()));
        }
        let certificates = certificates.into_iter();
        Ok(certificates.map(|(_, der)| der.into()).collect())
    }

    /// Its first private key.
    ///
    /// # Errors
    /// Why there is none that can be read, without the path.
    pub fn private_key(&self) -> Result<(SectionKind, Vec<u8>), String> {
        if self.has_label("ENCRYPTED PRIVATE KEY") || self.has("Proc-Type: 4,ENCRYPTED") {
            return Err(
                "is encrypted with a passphrase; `openssl pkey -in FILE -out NEW` decrypts it"
                    .to_owned(),
            );
        }
        let keys = self.sections(|kind| {
            use SectionKind::{EcPrivateKey, PrivateKey, RsaPrivateKey};
            matches!(kind, EcPrivateKey | PrivateKey | RsaPrivateKey)
        })?;
        match keys.into_iter().next() {
            Some(key) => Ok(key),
            None if self.has(ANY_KEY) => Err(
                "has a private key in a format that cannot be read; `openssl pkey -in FILE -out \
                 NEW` converts most of them"
                    .to_owned(),
            ),
            None => Err(format!("has no private key: {}", self.content())),
        }
    }

    /// The sections of these kinds.
    fn sections(
        &self,
        wanted: impl Fn(SectionKind) -> bool,
    ) -> Result<Vec<(SectionKind, Vec<u8>)>, String> {
        let mut found = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.bytes) {
            match section {
                Ok(section) if wanted(section.0) => found.push(section),
                Ok(_) => {}
                Err(_) => {
                    return Err(
                        "is not valid PEM: a section is damaged or has no end; copy the file \
                         again"
                            .to_owned(),
                    );
                }
            }
        }
        Ok(found)
    }

    /// What the file contains instead of the expected section.
    fn content(&self) -> &'static str {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            "it is empty"
        } else if self.has_label("CERTIFICATE") {
            "it has a certificate; the files may be swapped"
        } else if self.has(ANY_KEY) {
            "it has a private key; the files may be swapped"
        } else if self.has_label("CERTIFICATE REQUEST") || self.has_label("NEW CERTIFICATE REQUEST")
        {
            "it has a certificate request, which a CA turns into a certificate"
        } else if self.has_label("PUBLIC KEY") {
            "it has a public key"
        } else if self.has("-----BEGIN ") {
            "it has other content in PEM"
        } else if self.bytes.starts_with(&[0x30]) {
            "it is in the DER or PKCS #12 format; `openssl x509 -inform DER` or `openssl pkcs12` \
             converts it to PEM"
        } else {
            "it is not PEM (lines that start with `-----BEGIN`)"
        }
    }

    fn has_label(&self, label: &str) -> bool {
        self.has(&format!("-----BEGIN {label}-----"))
    }

    fn has(&self, text: &str) -> bool {
        memchr::memmem::find(&self.bytes, text.as_bytes()).is_some()
    }
}

/// An error in the content of a file, with its path.
pub fn described(path: &Path, why: impl AsRef<str>) -> String {
    format!("{}: {}", shown(path), if_named_so(path, why.as_ref()))
}

/// An error in the content of a file, if it has the extension of a certificate or key file;
/// otherwise an error that is the same for every file, whether it exists or not.
pub fn if_named_so(path: &Path, why: &str) -> String {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_named_so = extension.is_some_and(|extension| {
        EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    });
    if is_named_so {
        why.to_owned()
    } else {
        format!(
            "{}; errors in it are shown if its name ends in `.pem`, `.crt` or `.key`",
            Refusal::SENTENCE
        )
    }
}

fn shown(path: &Path) -> String {
    escaped_prefix(&path.to_string_lossy(), 200)
}
