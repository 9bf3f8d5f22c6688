//! Reading whole files whatever stands in their place: bounded, never a pipe, a device or a directory, never waiting.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::os::errno::os_error_text;

/// The bytes of a regular file of at most `most` bytes, and what the system says about the file.
///
/// # Errors
/// Why it cannot be used, in words that follow the file's name and a colon.
pub fn read(path: &Path, most: u64) -> Result<(Vec<u8>, Metadata), String> {
    let words = |error: io::Error| os_error_text(&error);
    let file = open(path, libc::O_NONBLOCK | libc::O_NOCTTY).map_err(words)?;
    let about = file.metadata().map_err(words)?;
    if let Some(kind) = other_kind(&about) {
        return Err(format!("it is {kind}, not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(words)?;
    if bytes.len() as u64 > most {
        return Err(format!("it is larger than {most} bytes"));
    }
    Ok((bytes, about))
}

/// The first `most` bytes of a regular file, for files of which everything readable counts: what is
/// absent, unreadable or not a regular file is empty, and bytes before a read error are kept.
pub fn read_lenient(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = open(path, libc::O_NONBLOCK | libc::O_NOCTTY).ok();
    if let Some(file) = file.filter(|file| file.metadata().is_ok_and(|about| about.is_file())) {
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    bytes
}

/// Whether nothing has this name: a link that leads nowhere is not nothing.
///
/// # Errors
/// Why that cannot be known.
pub fn is_absent(path: &Path) -> Result<bool, String> {
    // Opens nothing, so that no link is followed and no FIFO or device is touched: open(2), O_PATH.
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

fn other_kind(about: &Metadata) -> Option<&'static str> {
    let kind = about.file_type();
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

    fn why(path: &Path) -> String {
        read(path, 100).unwrap_err()
    }

    #[test]
    fn only_absence_is_no_file() {
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
        assert_eq!(why(&path("dangling")), "no such file or directory");
        assert!(
            why(&path("loop")).contains("symbolic links"),
            "{}",
            why(&path("loop"))
        );
    }

    #[test]
    fn what_is_no_regular_file_is_said_at_once() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(why(dir.path()), "it is a directory, not a regular file");
        assert_eq!(
            why(Path::new("/dev/zero")),
            "it is a device, not a regular file"
        );
        let fifo = dir.path().join("fifo");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(why(&fifo), "it is a FIFO, not a regular file");
    }

    #[test]
    fn a_lenient_read_returns_what_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert_eq!(read_lenient(&path, 100), b"");
        fs::write(&path, [b'#'; 101]).unwrap();
        assert_eq!(read_lenient(&path, 100), [b'#'; 100]);
        assert_eq!(read_lenient(dir.path(), 100), b"");
        assert_eq!(read_lenient(Path::new("/dev/zero"), 100), b"");
    }

    #[test]
    fn as_many_bytes_as_allowed_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [b'#'; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap().0.len(), 100);
        fs::write(&path, [b'#'; 101]).unwrap();
        assert_eq!(why(&path), "it is larger than 100 bytes");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(why(&path), "it is larger than 100 bytes");
    }
}
