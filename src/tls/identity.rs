//! The client certificate and its private key.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::SectionKind;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::tls::options::{ClientCertificate, TlsOption, TlsOptionsError};
use crate::tls::pem;
use crate::tls::pem::PemFile;
use crate::tls::provider;

/// The most certificates of a chain that we send.
const MAX_CHAIN: usize = 10;

/// Reads the files of a client certificate.
///
/// # Errors
/// Why they cannot be used: which file, what is wrong, and the remedy.
pub fn read(files: &ClientCertificate) -> Result<Arc<CertifiedKey>, TlsOptionsError> {
    let cert_error = |why: String| TlsOptionsError::new(TlsOption::ClientCert, why);
    let key_error = |why: String| TlsOptionsError::new(TlsOption::ClientKey, why);
    let chain = PemFile::read(&files.cert).map_err(cert_error)?;
    let key = PemFile::read(&files.key).map_err(key_error)?;
    let chain = chain
        .certificates()
        .and_then(|chain| {
            if chain.len() > MAX_CHAIN {
                let number = chain.len();
                return Err(format!(
                    "has {number} certificates, but a chain has at most {MAX_CHAIN}: this may be a \
                     list of trusted certificates (`--ca-file`)"
                ));
            }
            Ok(chain)
        })
        .map_err(|why| cert_error(pem::described(&files.cert, why)))?;
    let key = private_key(&key).map_err(|why| key_error(pem::described(&files.key, why)))?;
    CertifiedKey::from_der(chain, key, &provider::crypto_provider())
        .map(Arc::new)
        .map_err(|error| mismatch(files, &error))
}

fn private_key(file: &PemFile) -> Result<PrivateKeyDer<'static>, String> {
    let (kind, der) = file.private_key()?;
    if file.metadata.mode() & 0o004 != 0 {
        return Err("is world-readable: `chmod 640` it".to_owned());
    }
    Ok(match kind {
        SectionKind::RsaPrivateKey => PrivatePkcs1KeyDer::from(der).into(),
        SectionKind::EcPrivateKey => PrivateSec1KeyDer::from(der).into(),
        _ => PrivatePkcs8KeyDer::from(der).into(),
    })
}

/// Why a certificate and a key cannot be used together.
fn mismatch(files: &ClientCertificate, error: &Error) -> TlsOptionsError {
    let cert_error =
        |why: &str| TlsOptionsError::new(TlsOption::ClientCert, pem::described(&files.cert, why));
    let key_error =
        |why: &str| TlsOptionsError::new(TlsOption::ClientKey, pem::described(&files.key, why));
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => key_error(&format!(
            "is not the key of the first certificate in {}; the certificate of the client comes \
             first in its file, before those of its issuers",
            shown(&files.cert)
        )),
        Error::InvalidCertificate(_) => {
            cert_error("its first certificate cannot be read; copy the file again")
        }
        _ => key_error(
            "its private key cannot be used: RSA of 2048 to 4096 bits, ECDSA with P-256 or P-384, \
             and Ed25519 are supported",
        ),
    }
}

fn shown(path: &Path) -> String {
    crate::escape::escaped_prefix(&path.to_string_lossy(), 200)
}
