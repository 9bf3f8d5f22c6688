//! The certificate that a server should serve, in a file on disk (`expect_cert`).

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::escape::escaped_prefix;
use crate::failure::Status;
use crate::plan::layer::LayerError;
use crate::tls::certificate;
use crate::tls::pem;
use crate::tls::pem::PemFile;
use crate::tls_facts::CertificateFacts;

/// The first certificate of a file, and when the file was written.
#[derive(Debug)]
struct LeafFile {
    facts: CertificateFacts,
    /// In seconds since 1970.
    written: i64,
}

/// Checks that the file has a certificate.
///
/// # Errors
/// Why it cannot be used, with its path.
pub fn check(path: &Path) -> Result<(), String> {
    read(path).map(drop)
}

/// Compares the served certificate with the first one of the file, which is read each time: it may
/// have been renewed since the last connection.
///
/// # Errors
/// [`Status::Mismatch`] if the server serves another one, [`Status::LocalError`] if the file cannot
/// be read.
pub fn compare(path: &Path, served: &CertificateFacts) -> Result<(), LayerError> {
    let file = read(path).map_err(|why| LayerError::new(Status::LocalError, why))?;
    if file.facts.sha256 == served.sha256 {
        return Ok(());
    }
    Err(LayerError::new(
        Status::Mismatch,
        difference(path, &file, served),
    ))
}

fn read(path: &Path) -> Result<LeafFile, String> {
    let file = PemFile::read(path)?;
    let certificates = file.certificates();
    let certificates = certificates.map_err(|why| pem::described(path, why))?;
    let facts = certificates.first().map(|der| certificate::read(der));
    let facts = facts.unwrap_or_default();
    if let Some(why) = &facts.unreadable {
        let why = format!("its first certificate cannot be read: {why}");
        return Err(pem::described(path, why));
    }
    let written = file.metadata.mtime();
    Ok(LeafFile { facts, written })
}

fn difference(path: &Path, file: &LeafFile, served: &CertificateFacts) -> String {
    let path = escaped_prefix(&path.to_string_lossy(), 200);
    if is_renewal(&file.facts, served) {
        let date = date(file.written).unwrap_or_else(|| "an unknown date".to_owned());
        format!(
            "the certificate in {path} was renewed on disk on {date}, but the service still serves the old one: reload the service"
        )
    } else {
        format!(
            "the service serves another certificate than the first one in {path}: check which file \
             the service uses"
        )
    }
}

/// Whether a certificate is a newer one for the same service.
fn is_renewal(new: &CertificateFacts, old: &CertificateFacts) -> bool {
    let has_same_subject = !new.subject.is_empty() && new.subject == old.subject;
    let is_for_same = has_same_subject || new.names.iter().any(|name| old.names.contains(name));
    old.unreadable.is_none() && is_for_same && new.not_before >= old.not_before
}

/// The date of a time in seconds since 1970, as `2026-01-31`; `None` before 1970 and after 9999.
fn date(seconds: i64) -> Option<String> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(seconds).ok().filter(|s| *s < YEAR_10000)?;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.get(..10).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_that_of_utc() {
        assert_eq!(date(0).as_deref(), Some("1970-01-01"));
        assert_eq!(date(1_767_225_599).as_deref(), Some("2025-12-31"));
        assert_eq!(date(-1), None);
        assert_eq!(date(253_402_300_799).as_deref(), Some("9999-12-31"));
        assert_eq!(date(253_402_300_800), None);
        assert_eq!(date(i64::MAX), None);
    }
}
