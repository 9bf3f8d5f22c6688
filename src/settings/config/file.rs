//! Reads configuration and secret files, and returns who else can read them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::os::files;
use crate::os::files::Refusal;

/// Whether a file may contain secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Only its owner and group can read it.
    Private,
    /// Everybody can read it.
    Public,
}

/// The content of a file of at most `max` bytes, and who can read it.
///
/// # Errors
/// Why it is refused, without the path.
pub fn read(path: &Path, max: u64) -> Result<(Vec<u8>, Privacy), Refusal> {
    let (bytes, metadata) = files::read_trusted(path, max)?;
    let privacy = if metadata.mode() & 0o004 == 0 {
        Privacy::Private
    } else {
        Privacy::Public
    };
    Ok((bytes, privacy))
}
