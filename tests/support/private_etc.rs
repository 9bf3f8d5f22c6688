//! A private `/etc`: the program runs in a mount namespace, and the host's files are not touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Ran, finish, program};
use super::skip;

/// A wrapper that drops the capabilities by which root reads any file, so that file modes count as they
/// do for Zabbix.
pub const WITHOUT_CAPABILITIES: [&str; 3] = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
];

/// A directory that is mounted over `/etc`.
pub struct Etc {
    dir: tempfile::TempDir,
}

impl Etc {
    /// An `/etc` without a policy; `None` where mount namespaces cannot be created here.
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

    /// The path of a file or directory in it.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Whether [`WITHOUT_CAPABILITIES`] works here; else the test is skipped.
    pub fn can_drop_capabilities(&self) -> bool {
        let works = self
            .command(&WITHOUT_CAPABILITIES)
            .arg("true")
            .output()
            .is_ok_and(|output| output.status.success());
        if !works {
            skip("setpriv of util-linux cannot drop capabilities");
        }
        works
    }

    /// A command that runs the arguments added to it with this `/etc`, through `wrapper`.
    pub fn command(&self, wrapper: &[&str]) -> Command {
        // With private propagation only this process sees the mount, and it ends with the process.
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

    /// `zbx-tcp check ARGUMENTS...` with this `/etc`.
    pub fn check(&self, arguments: &[&str]) -> Ran {
        self.check_behind(&[], arguments)
    }

    /// The same through `wrapper`.
    pub fn check_behind(&self, wrapper: &[&str], arguments: &[&str]) -> Ran {
        finish(
            self.command(wrapper)
                .arg(program().get_program())
                .arg("check")
                .args(arguments)
                .env("LC_ALL", "C"),
        )
    }
}
