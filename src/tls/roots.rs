//! The trust store: the certificates of a file in PEM.
//!
//! The file is that of `--ca-file`, otherwise that of `SSL_CERT_FILE`, otherwise that of the
//! system. It is read when the first probe needs it, and again when it has changed.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use crate::escape::escaped_prefix;
use crate::failure::Status;
use crate::os::files::{self, FileVersion, Refusal};
use crate::plan::layer::LayerError;
use crate::tls::certificate::parsed::ParsedCertificate;
use crate::tls::pem;
use crate::tls_facts::{TrustStore, date_text};

/// Trusted certificates.
#[derive(Debug)]
pub struct Roots {
    /// The file that they are from.
    pub file: PathBuf,
    /// How many there are.
    pub number: usize,
    /// How many certificates of the file could not be read.
    pub skipped: usize,
    /// Their names, keys and name constraints, in descending order of expiry.
    pub anchors: Vec<TrustAnchor<'static>>,
    /// The certificates, in the same order.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The last second in which each is valid, since 1970, in the same order.
    ends: Vec<i64>,
}

impl Roots {
    /// Reads certificates in PEM. Other parts of the text are ignored, and certificates that cannot
    /// be read are counted.
    ///
    /// # Errors
    /// If there is no certificate: why, with the remedy, as a text that follows the name of the
    /// file.
    pub fn from_pem(file: &Path, pem: &[u8]) -> Result<Self, String> {
        let mut found = Vec::new();
        let mut skipped = 0;
        for section in CertificateDer::pem_slice_iter(pem) {
            match section.ok().and_then(root) {
                Some(root) => found.push(root),
                None => skipped += 1,
            }
        }
        if found.is_empty() {
            return Err(why_empty(pem, skipped));
        }
        found.sort_by_key(|(end, ..)| std::cmp::Reverse(*end));
        let mut roots = Self {
            file: file.to_owned(),
            number: found.len(),
            skipped,
            anchors: Vec::with_capacity(found.len()),
            certificates: Vec::with_capacity(found.len()),
            ends: Vec::with_capacity(found.len()),
        };
        for (end, anchor, certificate) in found {
            roots.ends.push(end);
            roots.anchors.push(anchor);
            roots.certificates.push(certificate);
        }
        Ok(roots)
    }

    /// Those that have not expired at this time (seconds since 1970).
    pub fn unexpired(&self, at: i64) -> &[TrustAnchor<'static>] {
        let number = self.ends.partition_point(|end| *end >= at);
        self.anchors.get(..number).unwrap_or_default()
    }

    /// The root with this index.
    pub fn root(&self, index: usize) -> Option<(ParsedCertificate<'_>, &TrustAnchor<'static>)> {
        let certificate = ParsedCertificate::parse(self.certificates.get(index)?).ok()?;
        Some((certificate, self.anchors.get(index)?))
    }

    /// What is reported of them.
    pub fn facts(&self) -> TrustStore {
        TrustStore {
            file: self.file.clone(),
            number: self.number,
        }
    }
}

/// A root: its last second, its anchor and itself.
type Root = (i64, TrustAnchor<'static>, CertificateDer<'static>);

fn root(certificate: CertificateDer<'static>) -> Option<Root> {
    let end = ParsedCertificate::parse(&certificate).ok()?.not_after;
    let anchor = webpki::anchor_from_trusted_cert(&certificate)
        .ok()?
        .to_owned();
    Some((end, anchor, certificate))
}

/// Why there is no certificate, with the remedy.
fn why_empty(pem: &[u8], skipped: usize) -> String {
    let has = |text: &[u8]| memchr::memmem::find(pem, text).is_some();
    let text = if pem.iter().all(u8::is_ascii_whitespace) {
        "is empty: it must have the trusted certificates in PEM"
    } else if skipped > 0 {
        return format!(
            "has no valid certificate ({skipped} cannot be read): copy the trusted certificates in PEM again"
        );
    } else if pem.first() == Some(&0x30) {
        "is not PEM but DER: convert it with `openssl x509 -inform DER -in FILE -out FILE.pem`"
    } else if has(b"-----BEGIN TRUSTED CERTIFICATE-----") {
        "has certificates in a format of OpenSSL only: convert each with `openssl x509 -in FILE -out FILE.pem`"
    } else if has(b" PRIVATE KEY-----") {
        "has a private key and no certificate: it must have the trusted certificates in PEM"
    } else {
        "has no certificate in PEM: it must have a line `-----BEGIN CERTIFICATE-----`"
    };
    text.to_owned()
}

/// The trusted certificates of a file, or of the system. A file is read once, and again when it has
/// changed.
///
/// # Errors
/// [`Status::LocalError`] if there is no certificate that can be read: the file and the remedy. A
/// file that was named by the user is refused with [`Refusal::SENTENCE`], whether it exists or not.
pub fn load(file: Option<&Path>) -> Result<Arc<Roots>, LayerError> {
    let environment = env::var_os("SSL_CERT_FILE");
    let local_error = |why| LayerError::new(Status::LocalError, why);
    let place = locate(file, environment, SYSTEM).map_err(local_error)?;
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    read_cached(&mut cache, &place).map_err(local_error)
}

/// The files of systems, as their packages of certificates write them.
const SYSTEM: &[&str] = &[
    // Debian, Ubuntu, Alpine, Arch, Gentoo
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, Red Hat and their relatives
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    // SUSE
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    // Alpine without the package, BSD
    "/etc/ssl/cert.pem",
];

/// Where the certificates are.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    /// What named the file, if the user did: an option or a variable.
    named_by: Option<&'static str>,
}

fn locate(
    file: Option<&Path>,
    environment: Option<OsString>,
    system: &[&str],
) -> Result<Place, String> {
    let environment = environment.filter(|path| !path.is_empty());
    let named = match (file, environment) {
        (Some(file), _) => Some((file.to_owned(), "--ca-file")),
        (None, Some(path)) => Some((PathBuf::from(path), "SSL_CERT_FILE")),
        (None, None) => None,
    };
    if let Some((path, name)) = named {
        return Ok(Place {
            path,
            named_by: Some(name),
        });
    }
    let exists = |path: &&&str| !matches!(files::is_absent(Path::new(path)), Ok(true));
    let found = system.iter().find(exists);
    let path = found.map(PathBuf::from).ok_or_else(|| {
        format!(
            "this system has no trusted certificates ({}): install the package ca-certificates, or give a file with `--ca-file`",
            system.join(", ")
        )
    })?;
    Ok(Place {
        path,
        named_by: None,
    })
}

/// The files that were read. If there are too many, the oldest is removed.
static CACHE: Mutex<Vec<CachedFile>> = Mutex::new(Vec::new());

const MAX_CACHED_FILES: usize = 16;

struct CachedFile {
    path: PathBuf,
    version: FileVersion,
    roots: Arc<Roots>,
}

fn read_cached(cache: &mut Vec<CachedFile>, place: &Place) -> Result<Arc<Roots>, String> {
    let version = FileVersion::of_path(&place.path);
    if let Some(index) = cache.iter().position(|cached| cached.path == place.path) {
        if let Some(cached) = cache
            .get(index)
            .filter(|file| Some(file.version) == version)
        {
            return Ok(Arc::clone(&cached.roots));
        }
        cache.remove(index);
    }
    let (roots, version) = read(place)?;
    let roots = Arc::new(roots);
    if cache.len() == MAX_CACHED_FILES {
        cache.remove(0);
    }
    cache.push(CachedFile {
        path: place.path.clone(),
        version,
        roots: Arc::clone(&roots),
    });
    Ok(roots)
}

/// The largest trust store that is read. That of Debian has 0.25 MB.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

fn read(place: &Place) -> Result<(Roots, FileVersion), String> {
    let path = escaped_prefix(&place.path.to_string_lossy(), 200);
    let subject = match place.named_by {
        Some(name) => format!("`{name}` {path}"),
        None => format!("trust store {path}"),
    };
    // A user who names a file must not find out what files of another kind contain.
    let described = |why: &str| match place.named_by {
        Some(_) => pem::if_named_so(&place.path, why),
        None => why.to_owned(),
    };
    let refused = |why: &Refusal| match (why, place.named_by) {
        (Refusal::TooLarge(_), _) | (_, None) => why.to_string(),
        (_, Some(_)) => Refusal::SENTENCE.to_owned(),
    };
    let (bytes, metadata) = files::read_trusted(&place.path, MAX_BYTES)
        .map_err(|why| format!("{subject}: {}", described(&refused(&why))))?;
    let roots = Roots::from_pem(&place.path, &bytes)
        .map_err(|why| format!("{subject}: {}", described(&why)))?;
    Ok((roots, FileVersion::of(&metadata)))
}

/// Checks that the clock of this machine (seconds since 1970) is later than the build of this program.
/// With an earlier clock, the dates of certificates cannot be verified.
///
/// # Errors
/// [`Status::LocalError`] with the remedy.
pub fn check_clock(at: i64) -> Result<(), LayerError> {
    let built: i64 = env!("ZBX_TCP_BUILD_TIME").parse().unwrap_or_default();
    compare_clock(at, built).map_err(|why| LayerError::new(Status::LocalError, why))
}

/// The clocks of the builder and of this machine may differ by a day.
const CLOCK_TOLERANCE: i64 = 86_400;

fn compare_clock(at: i64, built: i64) -> Result<(), String> {
    if at >= built.saturating_sub(CLOCK_TOLERANCE) {
        return Ok(());
    }
    Err(format!(
        "the clock of this machine is wrong: its time is {}, but this program was built at {}: set the clock, because certificates cannot be verified without the correct time",
        date_text(at),
        date_text(built)
    ))
}

#[cfg(test)]
mod tests;
