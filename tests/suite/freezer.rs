//! Freezers of control groups: unlike SIGSTOP, a freezer interrupts no system call.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Of the next cgroup: tests run at the same time.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A cgroup of a test: of version 2, or of the freezer of version 1.
pub struct Freezer {
    directory: PathBuf,
    version: u8,
}

impl Freezer {
    /// One in each hierarchy in which this process may make cgroups.
    pub fn all() -> Vec<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let fields = mounts.lines().map(|line| line.split(' ').collect());
        let in_mount = |fields: Vec<&str>| {
            let version = match (fields[2], fields[3]) {
                ("cgroup2", _) => 2,
                ("cgroup", options) if options.split(',').any(|word| word == "freezer") => 1,
                _ => return None,
            };
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("zbx-tcp-test-{}-{number}", std::process::id());
            let directory = Path::new(fields[1]).join(name);
            fs::create_dir(&directory).ok()?;
            let freezer = Self { directory, version };
            freezer.file(freezer.switch()).exists().then_some(freezer)
        };
        fields.filter_map(in_mount).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn switch(&self) -> &'static str {
        ["freezer.state", "cgroup.freeze"][usize::from(self.version) - 1]
    }

    pub fn add(&self, process: u32) {
        fs::write(self.file("cgroup.procs"), process.to_string()).unwrap();
    }

    pub fn freeze(&self) {
        let (word, state, is_frozen) = match self.version {
            1 => ("FROZEN", "freezer.state", "FROZEN"),
            _ => ("1", "cgroup.events", "frozen 1"),
        };
        fs::write(self.file(self.switch()), word).unwrap();
        let state = || fs::read_to_string(self.file(state)).unwrap();
        for _ in 0..1000 {
            if state().contains(is_frozen) {
                return;
            }
            sleep(Duration::from_millis(1));
        }
        panic!("not frozen: {}", state());
    }

    pub fn thaw(&self) {
        let word = ["THAWED", "0"][usize::from(self.version) - 1];
        fs::write(self.file(self.switch()), word).unwrap();
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        self.thaw();
        // It can be removed once its processes have ended.
        for _ in 0..100 {
            if fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}
