//! The files that configure name resolution: read at the first lookup and again after a change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dns::hosts::Hosts;
use crate::engine::dns::resolv_conf::ResolvConf;
use crate::engine::dns::server::DNS_PORT;
use crate::os::files::read_lenient;

/// How often the files are checked for changes. A process may run for months, and DHCP clients
/// rewrite resolv.conf.
const RECHECK: Duration = Duration::from_secs(1);
/// The rest of a larger file is ignored.
const MAX_BYTES: u64 = 16 << 20;

/// The paths of the files. As in glibc, a file that is missing or unreadable counts as empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// resolv.conf(5).
    pub resolv_conf: PathBuf,
    /// hosts(5).
    pub hosts: PathBuf,
    /// The host name, whose domain is the search list if resolv.conf has none.
    pub hostname: PathBuf,
    /// The port of the servers, for which resolv.conf has no syntax.
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

/// The parsed contents of the files.
#[derive(Debug)]
pub struct FileCache {
    files: Files,
    checked_at: Option<Instant>,
    resolv_conf: Option<(Stamp, Arc<ResolvConf>)>,
    hosts: Option<(Stamp, Hosts)>,
}

/// Inode, size, seconds and nanoseconds of the last status change: differs once a file is written
/// or replaced.
type Stamp = Option<(u64, u64, i64, i64)>;

impl FileCache {
    /// Reads nothing yet.
    pub fn new(files: Files) -> Self {
        Self {
            files,
            checked_at: None,
            resolv_conf: None,
            hosts: None,
        }
    }

    /// The contents. They are checked for changes once per second.
    pub fn current(&mut self, now: Instant) -> (Arc<ResolvConf>, &Hosts) {
        let due = self
            .checked_at
            .is_none_or(|at| now.saturating_duration_since(at) >= RECHECK);
        if due {
            self.checked_at = Some(now);
            self.drop_changed();
        }
        let files = &self.files;
        // The stamp is taken before the read: a change in between is seen at the next check.
        let (_, resolv_conf) = self.resolv_conf.get_or_insert_with(|| {
            let stamp = stamp(&files.resolv_conf);
            let parsed = ResolvConf::parse(
                &text(&files.resolv_conf),
                &text(&files.hostname),
                files.port,
            );
            (stamp, Arc::new(parsed))
        });
        let (_, hosts) = self
            .hosts
            .get_or_insert_with(|| (stamp(&files.hosts), Hosts::parse(&text(&files.hosts))));
        (resolv_conf.clone(), hosts)
    }

    fn drop_changed(&mut self) {
        let files = &self.files;
        self.resolv_conf = self
            .resolv_conf
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

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&read_lenient(path, MAX_BYTES)).into_owned()
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
        let mut cache = FileCache::new(files);
        let start = Instant::now();
        fs::write(
            path("resolv.conf"),
            b"nameserver 192.0.2.1\n\xff\xfe\nnameserver 192.0.2.2\n",
        )
        .unwrap();
        fs::write(path("hostname"), "probe.corp.example\n").unwrap();
        let (resolv_conf, hosts) = cache.current(start);
        assert_eq!((resolv_conf.servers.len(), hosts), (2, &Hosts::default()));
        assert_eq!(*resolv_conf.search, ["corp.example".into()]);

        fs::write(path("resolv.conf"), "nameserver 192.0.2.9\n").unwrap();
        fs::write(path("hosts"), "192.0.2.7 mx1\n").unwrap();
        assert_eq!(
            cache
                .current(start + Duration::from_millis(900))
                .0
                .servers
                .len(),
            2
        );
        let (resolv_conf, hosts) = cache.current(start + Duration::from_secs(1));
        assert_eq!(
            (resolv_conf.servers.len(), hosts),
            (1, &Hosts::parse("192.0.2.7 mx1"))
        );
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn a_path_that_is_not_a_regular_file_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            resolv_conf: dir.path().into(),
            hosts: "/dev/zero".into(),
            ..Files::default()
        };
        let (config, hosts) = (
            FileCache::new(files.clone()).current(Instant::now()).0,
            Hosts::default(),
        );
        assert_eq!(config.servers.len(), 1);
        assert_eq!(FileCache::new(files).current(Instant::now()).1, &hosts);
    }
}
