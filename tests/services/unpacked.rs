//! Debian packages that cannot be installed beside the others, because they conflict with them: they
//! are unpacked below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::support::skip;

/// The directory into which all packages are unpacked.
fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian")
}

/// The root of a file tree with these packages, which are downloaded the first time; else the test is
/// skipped.
pub fn unpacked(packages: &[&str]) -> Option<PathBuf> {
    static LOCK: Mutex<()> = Mutex::new(());
    let _lock = LOCK
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let tree = root().join(packages.join("+"));
    if tree.exists() {
        return Some(tree);
    }
    fs::create_dir_all(root()).unwrap();
    let new = tempfile::tempdir_in(root()).unwrap();
    // The user _apt writes into it.
    let shared = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(new.path(), shared).unwrap();
    let is_done = |command: &mut Command| {
        let output = command.current_dir(new.path()).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !is_done(
        Command::new("apt-get")
            .args(["-q", "download"])
            .args(packages),
    ) {
        skip(&format!("cannot download Debian's {}", packages.join(", ")));
        return None;
    }
    for file in fs::read_dir(new.path()).unwrap() {
        let file = file.unwrap().path();
        assert!(
            is_done(Command::new("dpkg-deb").arg("-x").arg(&file).arg("tree")),
            "{} cannot be unpacked",
            file.display()
        );
        let name = file.file_name().unwrap().to_str().unwrap();
        let (package, rest) = name.split_once('_').unwrap();
        let version = rest.split('_').next().unwrap().replace("%3a", ":");
        fs::write(root().join(format!("{package}.version")), version).unwrap();
    }
    fs::rename(new.path().join("tree"), &tree).unwrap();
    Some(tree)
}

/// The version of a package that was unpacked.
pub fn version(package: &str) -> String {
    fs::read_to_string(root().join(format!("{package}.version"))).unwrap_or_default()
}
