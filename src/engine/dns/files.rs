//! The files that configure name resolution: read at the first lookup and again after a change.
//!
//! A file that is absent or not a regular file counts as empty, as in glibc. One that exists and
//! was not read to its end is a fault of this machine: without its entries, a name could resolve to
//! a wrong address, or to none.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dns::answer::AddressOrder;
use crate::engine::dns::gai_conf::GaiConf;
use crate::engine::dns::hosts::Hosts;
use crate::engine::dns::resolv_conf::ResolvConf;
use crate::engine::dns::server::DNS_PORT;
use crate::os::files::{OptionalContent, Unread, read_optional};

/// How often the files are checked for changes. A process may run for months, and DHCP clients
/// rewrite resolv.conf.
const RECHECK: Duration = Duration::from_secs(1);
/// How soon a file that could not be read is tried again.
pub const RETRY: Duration = Duration::from_millis(10);
/// The size of the largest hosts file: a million names.
const MAX_HOSTS: u64 = 32 << 20;
/// The size of the largest of the other files.
const MAX_BYTES: u64 = 1 << 20;

/// The paths of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// resolv.conf(5).
    pub resolv_conf: PathBuf,
    /// hosts(5).
    pub hosts: PathBuf,
    /// The host name, whose domain is the search list if resolv.conf has none.
    pub hostname: PathBuf,
    /// gai.conf(5), read only if a name has addresses of both families.
    pub gai_conf: PathBuf,
    /// The port of the servers, for which resolv.conf has no syntax.
    pub port: u16,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            resolv_conf: "/etc/resolv.conf".into(),
            hosts: "/etc/hosts".into(),
            hostname: "/proc/sys/kernel/hostname".into(),
            gai_conf: "/etc/gai.conf".into(),
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
    gai_conf: Option<(Stamp, GaiConf)>,
    fault: Option<FileFault>,
    retry_at: Option<Instant>,
}

/// A file that was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// `PATH: REASON`.
    pub text: String,
    /// Whether a retry may succeed.
    pub is_temporary: bool,
}

impl FileFault {
    fn new(path: &Path, unread: Unread) -> Self {
        Self {
            text: format!("{}: {unread}", path.display()),
            is_temporary: matches!(unread, Unread::Failed(..)),
        }
    }
}

/// The contents of the files at one time.
#[derive(Debug)]
pub struct CurrentFiles<'f> {
    /// The servers and options.
    pub resolv_conf: Arc<ResolvConf>,
    /// The names that need no query.
    pub hosts: &'f mut Hosts,
    /// Set if a name that is not in `hosts` cannot be looked up.
    pub fault: Option<&'f FileFault>,
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
            gai_conf: None,
            fault: None,
            retry_at: None,
        }
    }

    /// The contents. They are checked for changes once per second.
    pub fn current(&mut self, now: Instant) -> CurrentFiles<'_> {
        self.forget_changed(now);
        let (files, fault) = (&self.files, &mut self.fault);
        // The stamp is taken before the read: a change in between is seen at the next check.
        let (_, resolv_conf) = self.resolv_conf.get_or_insert_with(|| {
            let stamp = stamp(&files.resolv_conf);
            let content = read_optional(&files.resolv_conf, MAX_BYTES);
            if let Some(unread) = content.unread {
                fault.get_or_insert(FileFault::new(&files.resolv_conf, unread));
            }
            let hostname = text(read_optional(&files.hostname, MAX_BYTES));
            let parsed = ResolvConf::parse(&text(content), &hostname, files.port);
            (stamp, Arc::new(parsed))
        });
        let (_, hosts) = self.hosts.get_or_insert_with(|| {
            let stamp = stamp(&files.hosts);
            let content = read_optional(&files.hosts, MAX_HOSTS);
            match content.unread {
                // As in glibc.
                None | Some(Unread::Denied) => {}
                Some(unread) => {
                    fault.get_or_insert(FileFault::new(&files.hosts, unread));
                }
            }
            (stamp, Hosts::new(content.bytes))
        });
        let is_temporary = self.fault.as_ref().is_some_and(|fault| fault.is_temporary);
        if is_temporary && self.retry_at.is_none() {
            self.retry_at = Some(now + RETRY);
        }
        CurrentFiles {
            resolv_conf: resolv_conf.clone(),
            hosts,
            fault: self.fault.as_ref(),
        }
    }

    /// The order of these addresses, as gai.conf has it.
    pub fn order(&mut self, v4: Ipv4Addr, v6: Ipv6Addr, now: Instant) -> AddressOrder {
        self.forget_changed(now);
        let path = &self.files.gai_conf;
        let (_, gai_conf) = self.gai_conf.get_or_insert_with(|| {
            let stamp = stamp(path);
            (stamp, GaiConf::parse(&text(read_optional(path, MAX_BYTES))))
        });
        if gai_conf.prefers_ipv4(v4, v6) {
            AddressOrder::Ipv4First
        } else {
            AddressOrder::Ipv6First
        }
    }

    /// Drops the contents of files that have changed, and of files that must be read again.
    fn forget_changed(&mut self, now: Instant) {
        let due = self
            .checked_at
            .is_none_or(|at| now.saturating_duration_since(at) >= RECHECK);
        if due {
            self.checked_at = Some(now);
        }
        let retry = self.retry_at.is_some_and(|at| at <= now);
        if retry {
            self.retry_at = None;
        }
        let is_current = |known: Stamp, path: &Path| !due || known == stamp(path);
        let files = &self.files;
        let resolv_conf = self.resolv_conf.take();
        self.resolv_conf =
            resolv_conf.filter(|(known, _)| !retry && is_current(*known, &files.resolv_conf));
        let hosts = self.hosts.take();
        self.hosts = hosts.filter(|(known, _)| !retry && is_current(*known, &files.hosts));
        let gai_conf = self.gai_conf.take();
        self.gai_conf = gai_conf.filter(|(known, _)| is_current(*known, &files.gai_conf));
        // The fault may concern a file that is now read again.
        if self.fault.is_some() && (self.resolv_conf.is_none() || self.hosts.is_none()) {
            (self.resolv_conf, self.hosts, self.fault) = (None, None, None);
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    fs::metadata(path)
        .ok()
        .map(|meta| (meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec()))
}

fn text(content: OptionalContent) -> String {
    String::from_utf8(content.bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::HostName;
    use crate::plan::Family;

    /// Files in a directory, with the names of those in /etc.
    fn files_in(dir: &tempfile::TempDir) -> Files {
        let path = |name: &str| dir.path().join(name);
        Files {
            resolv_conf: path("resolv.conf"),
            hosts: path("hosts"),
            hostname: path("hostname"),
            gai_conf: path("gai.conf"),
            port: 53,
        }
    }

    fn is_in_hosts(cache: &mut FileCache, name: &str, now: Instant) -> bool {
        let name: HostName = name.parse().unwrap();
        cache.current(now).hosts.find(&name, Family::Any).is_some()
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn files_are_read_when_needed_and_again_when_changed() {
        let dir = tempfile::tempdir().unwrap();
        let files = files_in(&dir);
        let mut cache = FileCache::new(files.clone());
        let start = Instant::now();
        fs::write(
            &files.resolv_conf,
            b"nameserver 192.0.2.1\n\xff\xfe\nnameserver 192.0.2.2\n",
        )
        .unwrap();
        fs::write(&files.hostname, "probe.corp.example\n").unwrap();
        let resolv_conf = cache.current(start).resolv_conf;
        assert_eq!(resolv_conf.servers.len(), 2);
        assert_eq!(*resolv_conf.search, ["corp.example".into()]);
        assert!(!is_in_hosts(&mut cache, "mx1", start));

        fs::write(&files.resolv_conf, "nameserver 192.0.2.9\n").unwrap();
        fs::write(&files.hosts, "192.0.2.7 mx1\n").unwrap();
        let soon = start + Duration::from_millis(900);
        assert_eq!(cache.current(soon).resolv_conf.servers.len(), 2);
        let later = start + Duration::from_secs(1);
        assert_eq!(cache.current(later).resolv_conf.servers.len(), 1);
        assert!(is_in_hosts(&mut cache, "mx1", later));
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn a_path_that_is_not_a_regular_file_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            resolv_conf: dir.path().into(),
            hosts: "/dev/zero".into(),
            gai_conf: "/dev/zero".into(),
            ..files_in(&dir)
        };
        let mut cache = FileCache::new(files);
        let now = Instant::now();
        let current = cache.current(now);
        assert_eq!(
            (current.resolv_conf.servers.len(), current.fault),
            (1, None)
        );
        assert!(!is_in_hosts(&mut cache, "mx1", now));
        let order = cache.order(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST, now);
        assert_eq!(order, AddressOrder::Ipv6First);
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn a_file_that_is_not_read_to_its_end_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let files = files_in(&dir);
        let start = Instant::now();
        fs::write(&files.hosts, "192.0.2.7 mx1\n").unwrap();
        let hosts = fs::OpenOptions::new()
            .write(true)
            .open(&files.hosts)
            .unwrap();
        hosts.set_len(MAX_HOSTS + 1).unwrap();
        let mut cache = FileCache::new(files.clone());
        let fault = cache.current(start).fault.cloned().unwrap();
        let text = format!(
            "{}: is larger than {MAX_HOSTS} bytes",
            files.hosts.display()
        );
        assert_eq!((fault.text, fault.is_temporary), (text, false));
        assert!(is_in_hosts(&mut cache, "mx1", start));
        // Mended.
        hosts.set_len(14).unwrap();
        let later = start + Duration::from_secs(1);
        assert_eq!(cache.current(later).fault, None);
        // An error of a read is tried again soon.
        let files = Files {
            hosts: "/proc/self/mem".into(),
            ..files
        };
        let mut cache = FileCache::new(files);
        assert!(cache.current(start).fault.unwrap().is_temporary);
        fs::write(
            &cache.files.resolv_conf,
            "nameserver 192.0.2.1\nnameserver 192.0.2.2\n",
        )
        .unwrap();
        assert_eq!(cache.current(start).resolv_conf.servers.len(), 1);
        assert_eq!(cache.current(start + RETRY).resolv_conf.servers.len(), 2);
    }
}
