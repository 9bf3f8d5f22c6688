//! Reading the policy file, whatever stands in its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// No policy is longer.
const MAX_BYTES: u64 = 1 << 20;

/// The file's bytes; `None` where there is no such file; else the sentence that says why it cannot be used.
///
/// A link that leads nowhere is not "no file": somebody wanted a policy here.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let failed = |error: io::Error| {
        let text = error.to_string();
        let words = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        format!("policy file is unreadable: {}: {words}", path.display())
    };
    // Opens nothing yet, so that no link is followed and no FIFO or device is touched: open(2), O_PATH.
    match opened(path, libc::O_PATH | libc::O_NOFOLLOW) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(_) => {}
    }
    let file = opened(path, libc::O_NONBLOCK | libc::O_NOCTTY).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let unusable = |why: &str| Err(format!("policy file is unusable: {}: {why}", path.display()));
    if !about.is_file() {
        return unusable(kind(about.file_type()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return unusable("it is larger than 1 MiB");
    }
    Ok(Some(bytes))
}

fn opened(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn kind(kind: std::fs::FileType) -> &'static str {
    if kind.is_dir() {
        "it is a directory"
    } else if kind.is_fifo() {
        "it is a FIFO"
    } else {
        "it is not a regular file"
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn why(path: &Path) -> String {
        read(path).unwrap_err()
    }

    #[test]
    fn only_absence_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(read(&path("absent")), Ok(None));
        assert_eq!(read(&path("no/directory")), Ok(None));
        fs::write(path("file"), b"deny = []").unwrap();
        assert_eq!(read(&path("file")), Ok(Some(b"deny = []".to_vec())));
        symlink("file", path("link")).unwrap();
        assert_eq!(read(&path("link")), Ok(Some(b"deny = []".to_vec())));
        symlink("nowhere", path("dangling")).unwrap();
        assert!(why(&path("dangling")).contains("unreadable"), "{}", why(&path("dangling")));
        symlink("loop", path("loop")).unwrap();
        assert!(why(&path("loop")).contains("unreadable"));
        assert!(why(&path("file/below")).contains("not a directory"));
    }

    #[test]
    fn what_is_no_regular_file_is_unusable_at_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(why(dir.path()).ends_with(": it is a directory"));
        assert!(why(Path::new("/dev/zero")).ends_with(": it is not a regular file"));
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(why(&fifo).ends_with(": it is a FIFO"));
    }

    #[test]
    fn a_mebibyte_is_the_most() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        fs::write(&path, vec![b'#'; 1 << 20]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().len(), 1 << 20);
        fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert!(why(&path).ends_with("larger than 1 MiB"));
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(why(&path).ends_with("larger than 1 MiB"));
    }
}
