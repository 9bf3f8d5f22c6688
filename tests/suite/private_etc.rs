//! An `/etc` of the test's own: the program runs in a mount namespace, and the host's files are untouched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Ran, finish, program};
use crate::support::skip;

/// A directory that takes the place of `/etc`.
pub struct Etc {
    dir: tempfile::TempDir,
}

impl Etc {
    /// An `/etc` without a policy; none where this machine cannot give the program a mount namespace.
    pub fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("zbx-tcp")).unwrap();
        fs::write(
            dir.path().join("hosts"),
            "127.0.0.1 inside\n127.0.0.2 outside\n127.0.0.1 both\n127.0.0.2 both\n",
        )
        .unwrap();
        let etc = Self { dir };
        let works = etc
            .command(&[])
            .arg("true")
            .output()
            .is_ok_and(|output| output.status.success());
        if !works {
            skip(
                "no mount namespace for a private /etc (root, or user namespaces, and unshare of util-linux)",
            );
            return None;
        }
        Some(etc)
    }

    /// A file or directory below it.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(below)
    }

    /// What runs the words that are added to it with this `/etc`, behind this wrapper.
    pub fn command(&self, wrapper: &[&str]) -> Command {
        // With private propagation the mount is the process's own, and ends with it.
        let mut command = Command::new("unshare");
        let root = fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0);
        command.args(if root { &["-m"][..] } else { &["-r", "-m"] });
        command.args([
            "--propagation",
            "private",
            "sh",
            "-c",
            "mount --bind \"$0\" /etc && exec \"$@\"",
        ]);
        command.arg(self.dir.path()).args(wrapper);
        command
    }

    /// `zbx-tcp check WORDS...` with this `/etc`.
    pub fn check(&self, words: &[&str]) -> Ran {
        self.check_behind(&[], words)
    }

    /// The same behind this wrapper.
    pub fn check_behind(&self, wrapper: &[&str], words: &[&str]) -> Ran {
        finish(
            self.command(wrapper)
                .arg(program().get_program())
                .arg("check")
                .args(words)
                .env("LC_ALL", "C"),
        )
    }
}
