//! Bounded, non-blocking reads of regular files; pipes, devices and directories are refused.
#![allow(unsafe_code)]

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::{fmt, io};

use crate::os::errno::os_error_text;

/// The content of a regular file of at most `limit` bytes, and its metadata, both of the same open
/// descriptor.
///
/// # Errors
/// Why the file cannot be used, as a text to be put behind `PATH: `.
pub fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, Metadata), String> {
    let (file, metadata) = open_regular(path).map_err(|why| why.to_string())?;
    read_bounded(file, limit)
        .map(|bytes| (bytes, metadata))
        .map_err(|why| why.to_string())
}

/// Like [`read`], for a file that decides what this process does or sends. It must belong to root
/// or to the user of this process, and nobody else may be able to write or replace it.
///
/// Owner and mode are those of the descriptor that is read. Whether others can replace the file is
/// decided by its directory, and by the owner of a symbolic link with this path.
///
/// # Errors
/// Why it is refused. A user who only chose the path must not learn the reason:
/// [`Refusal::SENTENCE`] is the same for all reasons.
pub fn read_trusted(path: &Path, limit: u64) -> Result<(Vec<u8>, Metadata), Refusal> {
    let (file, metadata) = open_regular(path)?;
    // SAFETY: geteuid(2) has no arguments and always succeeds.
    let user = unsafe { libc::geteuid() };
    let is_ours = |owner: u32| owner == 0 || owner == user;
    if !is_ours(metadata.uid()) {
        return Err(Refusal::Owner(metadata.uid()));
    }
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(Refusal::Writable(metadata.mode() & 0o7777));
    }
    // The entry with this name can be replaced by every user who can write its directory. With the
    // sticky bit only the owner of an entry can replace it, so that owner must be trusted.
    let entry = std::fs::symlink_metadata(path)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = std::fs::metadata(parent)?;
    let is_shared = directory.mode() & WRITABLE_BY_OTHERS != 0;
    if !is_ours(directory.uid())
        || !is_ours(entry.uid())
        || (is_shared && directory.mode() & libc::S_ISVTX == 0)
    {
        return Err(Refusal::Replaceable);
    }
    Ok((read_bounded(file, limit)?, metadata))
}

/// Whether this process may print what is in a file: everybody can read it, or it belongs to the
/// user of this process. Otherwise the caller of this process, who chose the path, may not know it.
///
/// # Errors
/// Those of stat(2).
pub fn is_public_or_own(path: &Path) -> io::Result<bool> {
    let path = std::fs::canonicalize(path)?;
    let file = std::fs::metadata(&path)?;
    // SAFETY: geteuid(2) has no arguments and always succeeds.
    if file.uid() == unsafe { libc::geteuid() } {
        return Ok(true);
    }
    if file.mode() & 0o004 == 0 {
        return Ok(false);
    }
    for directory in path.ancestors().skip(1) {
        if std::fs::metadata(directory)?.mode() & 0o001 == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The mode bits by which group and others can write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a file is not read; the text can be put behind `PATH: `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The system's error.
    Os(String),
    /// It is not a regular file but this.
    Irregular(&'static str),
    /// It is larger than this number of bytes.
    TooLarge(u64),
    /// It belongs to the user with this number.
    Owner(u32),
    /// Its mode, by which others can write it.
    Writable(u32),
    /// Others can replace it.
    Replaceable,
}

impl Refusal {
    /// All reasons in one sentence, for users who must not learn whether the file exists.
    pub const SENTENCE: &str = "this file cannot be used: it must be a readable regular file that belongs to root or to the user who runs zbx-tcp, and nobody else may be able to write it or its directory";
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Os(os_error_text(&error))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os(text) => f.write_str(text),
            Self::Irregular(kind) => write!(f, "is {kind}, not a regular file"),
            Self::TooLarge(limit) => write!(f, "is larger than {limit} bytes"),
            Self::Owner(owner) => write!(
                f,
                "belongs to the user {owner}: `chown` it to root or to the user who runs zbx-tcp"
            ),
            Self::Writable(mode) => write!(
                f,
                "can be written by others (mode {mode:04o}): `chmod go-w` it"
            ),
            Self::Replaceable => f.write_str(
                "can be replaced by others: its directory must belong to root or to the user who runs zbx-tcp, without write permission for others",
            ),
        }
    }
}

impl std::error::Error for Refusal {}

fn open_regular(path: &Path) -> Result<(File, Metadata), Refusal> {
    // O_NONBLOCK: opening a FIFO that has no writer would block (open(2)).
    let file = open(path, libc::O_NONBLOCK | libc::O_NOCTTY)?;
    let metadata = file.metadata()?;
    match irregular_kind(&metadata) {
        Some(kind) => Err(Refusal::Irregular(kind)),
        None => Ok((file, metadata)),
    }
}

fn read_bounded(file: File, limit: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Refusal::TooLarge(limit));
    }
    Ok(bytes)
}

/// The state of a file. It changes with the content, the owner and the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVersion {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileVersion {
    /// The state of the file with this path; `None` if it cannot be determined.
    pub fn of_path(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|found| Self::of(&found))
    }

    /// The state of a file that was opened.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
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
    use std::os::unix::fs::{PermissionsExt, symlink};

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
    fn what_others_can_write_or_replace_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"text").unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        };
        let trusted = |path: &Path| read_trusted(path, 100).map(|(bytes, _)| bytes);
        for bits in [0o600, 0o640, 0o644, 0o444] {
            mode(&path, bits);
            assert_eq!(trusted(&path), Ok(b"text".to_vec()), "{bits:o}");
        }
        for bits in [0o620, 0o602, 0o666] {
            mode(&path, bits);
            assert_eq!(trusted(&path), Err(Refusal::Writable(bits)));
        }
        mode(&path, 0o600);
        for (bits, is_trusted) in [
            (0o755, true),
            (0o775, false),
            (0o757, false),
            (0o777, false),
            (0o1777, true),
        ] {
            mode(dir.path(), bits);
            assert_eq!(
                trusted(&path) == Err(Refusal::Replaceable),
                !is_trusted,
                "{bits:o}"
            );
        }
        assert!(matches!(
            trusted(&dir.path().join("absent")),
            Err(Refusal::Os(_))
        ));
        assert!(matches!(trusted(dir.path()), Err(Refusal::Irregular(_))));
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
