//! The files that say how names are resolved, read at the first name and again when they have changed.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dns::hosts::Hosts;
use crate::engine::dns::resolv_conf::Config;
use crate::engine::dns::server::DNS_PORT;

/// How often changes are looked for; a plugin lives for months, and DHCP rewrites resolv.conf.
const RECHECK: Duration = Duration::from_secs(1);
/// No file is read further.
const MAX_BYTES: u64 = 16 << 20;

/// Where the files are. Files that are absent or unreadable count as empty, as in glibc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// resolv.conf(5).
    pub resolv_conf: PathBuf,
    /// hosts(5).
    pub hosts: PathBuf,
    /// This machine's name, whose domain is searched where resolv.conf names none.
    pub hostname: PathBuf,
    /// The servers' port, for which resolv.conf has no syntax.
    pub port: u16,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            resolv_conf: "/etc/resolv.conf".into(),
            hosts: "/etc/hosts".into(),
            hostname: "/proc/sys/kernel/hostname".into(),
            port: DNS_PORT,
        }
    }
}

/// What the files say.
#[derive(Debug)]
pub struct Known {
    files: Files,
    checked: Option<Instant>,
    config: Option<(Stamp, Arc<Config>)>,
    hosts: Option<(Stamp, Hosts)>,
}

/// Changes whenever a file is written or replaced: inode, size, seconds and nanoseconds of its last change.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Known {
    /// Reads nothing yet.
    pub fn new(files: Files) -> Self {
        Self {
            files,
            checked: None,
            config: None,
            hosts: None,
        }
    }

    /// What is in force now.
    pub fn current(&mut self, now: Instant) -> (Arc<Config>, &Hosts) {
        let due = self
            .checked
            .is_none_or(|at| now.saturating_duration_since(at) >= RECHECK);
        if due {
            self.checked = Some(now);
            self.forget_changed();
        }
        let files = &self.files;
        let (_, config) = self.config.get_or_insert_with(|| {
            let stamp = stamp(&files.resolv_conf);
            let config = Config::parse(
                &read(&files.resolv_conf),
                &read(&files.hostname),
                files.port,
            );
            (stamp, Arc::new(config))
        });
        let (_, hosts) = self
            .hosts
            .get_or_insert_with(|| (stamp(&files.hosts), Hosts::parse(&read(&files.hosts))));
        (config.clone(), hosts)
    }

    fn forget_changed(&mut self) {
        let files = &self.files;
        self.config = self
            .config
            .take()
            .filter(|(known, _)| *known == stamp(&files.resolv_conf));
        self.hosts = self
            .hosts
            .take()
            .filter(|(known, _)| *known == stamp(&files.hosts));
    }
}

fn stamp(path: &Path) -> Stamp {
    fs::metadata(path)
        .ok()
        .map(|meta| (meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec()))
}

/// The file's text. What is no regular file is not opened: a FIFO would block the loop.
fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let regular = fs::metadata(path).is_ok_and(|meta| meta.is_file());
    if let Some(file) = regular.then(|| File::open(path).ok()).flatten() {
        // What was read before an error still counts.
        let _ = file.take(MAX_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn files_are_read_when_needed_and_again_when_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let files = Files {
            resolv_conf: path("resolv.conf"),
            hosts: path("hosts"),
            hostname: path("hostname"),
            port: 53,
        };
        let mut known = Known::new(files);
        let start = Instant::now();
        fs::write(
            path("resolv.conf"),
            b"nameserver 192.0.2.1\n\xff\xfe\nnameserver 192.0.2.2\n",
        )
        .unwrap();
        fs::write(path("hostname"), "probe.corp.example\n").unwrap();
        let (config, hosts) = known.current(start);
        assert_eq!((config.servers.len(), hosts), (2, &Hosts::default()));
        assert_eq!(*config.search, ["corp.example".into()]);

        fs::write(path("resolv.conf"), "nameserver 192.0.2.9\n").unwrap();
        fs::write(path("hosts"), "192.0.2.7 mx1\n").unwrap();
        assert_eq!(
            known
                .current(start + Duration::from_millis(900))
                .0
                .servers
                .len(),
            2
        );
        let (config, hosts) = known.current(start + Duration::from_secs(1));
        assert_eq!(
            (config.servers.len(), hosts),
            (1, &Hosts::parse("192.0.2.7 mx1"))
        );
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn what_is_no_file_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            resolv_conf: dir.path().into(),
            hosts: "/dev/zero".into(),
            ..Files::default()
        };
        let (config, hosts) = (
            Known::new(files.clone()).current(Instant::now()).0,
            Hosts::default(),
        );
        assert_eq!(config.servers.len(), 1);
        assert_eq!(Known::new(files).current(Instant::now()).1, &hosts);
    }
}
