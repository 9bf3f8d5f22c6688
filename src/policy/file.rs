//! Reading the policy file.

use std::path::Path;

use crate::os::files;

/// The path of the policy file.
pub const PATH: &str = "/etc/zbx-tcp/policy.toml";

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The file's bytes; `None` if there is no file.
///
/// A dangling symbolic link is an error, because a policy was intended.
///
/// # Errors
/// The sentence that says why the file cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let unusable = |why: String| format!("policy file cannot be used: {}: {why}", path.display());
    if files::is_absent(path).map_err(unusable)? {
        return Ok(None);
    }
    files::read(path, MAX_BYTES)
        .map(|(bytes, _)| Some(bytes))
        .map_err(unusable)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_missing_file_is_no_policy() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(read(&path("absent")), Ok(None));
        std::fs::write(path("file"), b"deny = []").unwrap();
        assert_eq!(read(&path("file")), Ok(Some(b"deny = []".to_vec())));
        symlink("nowhere", path("dangling")).unwrap();
        for (name, why) in [
            ("dangling", "no such file or directory"),
            (".", "is a directory, not a regular file"),
        ] {
            let path = path(name);
            let expected = format!("policy file cannot be used: {}: {why}", path.display());
            assert_eq!(read(&path), Err(expected));
        }
    }
}
