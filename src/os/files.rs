//! Bounded, non-blocking reads of regular files; pipes, devices and directories are refused.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::{fmt, io};

use crate::os::errno::os_error_text;

/// The content of a regular file of at most `limit` bytes, and its metadata, both of the same open
/// descriptor.
///
/// # Errors
/// Why the file cannot be used, as a text to be put behind `PATH: `.
pub fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, Metadata), String> {
    let text = |error: io::Error| os_error_text(&error);
    // O_NONBLOCK: opening a FIFO that has no writer would block (open(2)).
    let file = open(path, libc::O_NONBLOCK | libc::O_NOCTTY).map_err(text)?;
    let metadata = file.metadata().map_err(text)?;
    if let Some(kind) = irregular_kind(&metadata) {
        return Err(format!("is {kind}, not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(text)?;
    if bytes.len() as u64 > limit {
        return Err(format!("is larger than {limit} bytes"));
    }
    Ok((bytes, metadata))
}

/// What could be read of a file that need not exist.
#[derive(Debug, Default)]
pub struct OptionalContent {
    /// The bytes that were read; none if the file is absent or not a regular file.
    pub bytes: Vec<u8>,
    /// Why there may be more.
    pub unread: Option<Unread>,
}

/// Why a file was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// This user may not read it.
    Denied,
    /// It has more bytes than this.
    TooLarge(u64),
    /// Another error; this machine may lack a resource, and a retry may succeed.
    Failed(io::ErrorKind, Option<i32>),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("permission denied"),
            Self::TooLarge(limit) => write!(f, "is larger than {limit} bytes"),
            Self::Failed(kind, None) => f.write_str(&os_error_text(&(*kind).into())),
            Self::Failed(_, Some(errno)) => {
                f.write_str(&os_error_text(&io::Error::from_raw_os_error(*errno)))
            }
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied,
            kind => Self::Failed(kind, error.raw_os_error()),
        }
    }
}

/// The first `most` bytes of a regular file. A file that is absent or not a regular file is empty;
/// bytes before a read error are kept.
pub fn read_optional(path: &Path, most: u64) -> OptionalContent {
    let mut bytes = Vec::new();
    let mut read = || {
        let file = open(path, libc::O_NONBLOCK | libc::O_NOCTTY)?;
        if file.metadata()?.is_file() {
            file.take(most + 1).read_to_end(&mut bytes)?;
        }
        Ok(())
    };
    let unread = match read() {
        Err(error) if is_absence(&error) => None,
        Err(error) => Some(Unread::from(error)),
        Ok(()) if bytes.len() as u64 > most => {
            bytes.pop();
            Some(Unread::TooLarge(most))
        }
        Ok(()) => None,
    };
    OptionalContent { bytes, unread }
}

/// Whether open(2) found no file, or one that cannot be opened because of its kind.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    let errno = error.raw_os_error();
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
        || matches!(errno, Some(libc::ELOOP | libc::ENXIO | libc::ENODEV))
}

/// Whether there is no directory entry with this path; a dangling symbolic link is an entry.
///
/// # Errors
/// Why that cannot be determined, for example that a directory may not be searched.
pub fn is_absent(path: &Path) -> Result<bool, String> {
    // O_PATH does not open the file itself (open(2)), so a FIFO or device is not touched.
    match open(path, libc::O_PATH | libc::O_NOFOLLOW) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(os_error_text(&error)),
    }
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(flags | libc::O_CLOEXEC)
        .open(path)
}

/// What a file is that is not a regular file.
fn irregular_kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a FIFO"),
        () => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn error(path: &Path) -> String {
        read(path, 100).unwrap_err()
    }

    #[test]
    fn only_a_missing_entry_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(is_absent(&path("absent")), Ok(true));
        assert_eq!(is_absent(&path("no/directory")), Ok(true));
        fs::write(path("file"), b"deny = []").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        symlink("loop", path("loop")).unwrap();
        for name in ["file", "link", "dangling", "loop"] {
            assert_eq!(is_absent(&path(name)), Ok(false), "{name}");
        }
        assert!(
            is_absent(&path("file/below"))
                .unwrap_err()
                .contains("not a directory")
        );
        for name in ["file", "link"] {
            assert_eq!(read(&path(name), 100).unwrap().0, b"deny = []", "{name}");
        }
        assert_eq!(error(&path("dangling")), "no such file or directory");
        assert!(
            error(&path("loop")).contains("symbolic links"),
            "{}",
            error(&path("loop"))
        );
    }

    #[test]
    fn other_kinds_of_files_are_refused_without_blocking() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(error(dir.path()), "is a directory, not a regular file");
        assert_eq!(
            error(Path::new("/dev/zero")),
            "is a device, not a regular file"
        );
        let fifo = dir.path().join("fifo");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(error(&fifo), "is a FIFO, not a regular file");
    }

    #[test]
    fn an_optional_file_is_read_as_far_as_possible() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let read = |path: &Path| {
            let OptionalContent { bytes, unread } = read_optional(path, 100);
            (bytes.len(), unread)
        };
        assert_eq!(read(&path), (0, None));
        fs::write(&path, [b'#'; 100]).unwrap();
        assert_eq!(read(&path), (100, None));
        fs::write(&path, [b'#'; 101]).unwrap();
        assert_eq!(read(&path), (100, Some(Unread::TooLarge(100))));
        symlink("loop", dir.path().join("loop")).unwrap();
        for path in [
            dir.path(),
            Path::new("/dev/zero"),
            &path.join("x"),
            &dir.path().join("loop"),
        ] {
            assert_eq!(read(path), (0, None), "{}", path.display());
        }
        // Opens, but cannot be read.
        let memory = read(Path::new("/proc/self/mem"));
        assert!(
            matches!(memory, (0, Some(Unread::Failed(..)))),
            "{memory:?}"
        );
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [b'#'; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap().0.len(), 100);
        fs::write(&path, [b'#'; 101]).unwrap();
        assert_eq!(error(&path), "is larger than 100 bytes");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(error(&path), "is larger than 100 bytes");
    }
}
