//! Reading configuration files: bounded, never from a pipe or a directory, with a sentence for whatever is wrong.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::service::Privacy;
use crate::printable::{shown, system_words};

/// The bytes of a file, and who can read it.
pub fn read(path: &Path, most: u64) -> Result<(Vec<u8>, Privacy), String> {
    let named = || shown(&path.to_string_lossy(), 200);
    // A pipe without a writer would be waited for otherwise.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path);
    let mut file = opened.map_err(|error| format!("{}: {}", named(), system_words(&error)))?;
    let about = file.metadata().map_err(|error| format!("{}: {}", named(), system_words(&error)))?;
    if !about.is_file() {
        return Err(format!("{} is not a regular file", named()));
    }
    if about.len() > most {
        return Err(format!("{} has {} bytes: more than {most} are not read", named(), about.len()));
    }
    let mut bytes = Vec::new();
    let read = (&mut file).take(most).read_to_end(&mut bytes);
    read.map_err(|error| format!("{}: {}", named(), system_words(&error)))?;
    let privacy = if about.mode() & 0o004 == 0 { Privacy::Private } else { Privacy::Public };
    Ok((bytes, privacy))
}

/// Whether nothing is there.
pub fn is_absent(path: &Path) -> bool {
    matches!(std::fs::symlink_metadata(path), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}
