//! Configuration files, and who can read them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::escape::escaped_prefix;
use crate::os::files;
use crate::settings::config::service::Privacy;

/// The bytes of a file, and who can read it.
pub fn read(path: &Path, most: u64) -> Result<(Vec<u8>, Privacy), String> {
    let (bytes, about) = files::read(path, most).map_err(|why| named(path, &why))?;
    let privacy = if about.mode() & 0o004 == 0 {
        Privacy::Private
    } else {
        Privacy::Public
    };
    Ok((bytes, privacy))
}

/// A sentence about a file.
fn named(path: &Path, why: &str) -> String {
    format!("{}: {why}", escaped_prefix(&path.to_string_lossy(), 200))
}
