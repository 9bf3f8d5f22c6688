//! The configuration files of Zabbix daemons: `Name=value` lines, and `Include=` of a file, a
//! directory, or a pattern such as `/etc/zabbix/zabbix_agent2.d/*.conf`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::os::files;

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The most files that are read for one daemon.
const MAX_FILES: usize = 500;
/// How deep files may include others; Zabbix has the same limit.
const MAX_DEPTH: usize = 10;
/// Where the files are: distributions and packages, or built from the sources.
const DIRECTORIES: [&str; 2] = ["/etc/zabbix", "/usr/local/etc"];
/// Where external checks are if `ExternalScripts` is not set: the default depends on who built the
/// daemon. The first one that exists.
const EXTERNAL_SCRIPTS: [&str; 5] = [
    "/etc/zabbix/externalscripts",
    "/usr/lib/zabbix/externalscripts",
    "/var/lib/zabbixsrv/externalscripts",
    "/usr/share/zabbix/externalscripts",
    "/usr/local/share/zabbix/externalscripts",
];

/// A daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonKind {
    /// `zabbix_server`.
    Server,
    /// `zabbix_proxy`.
    Proxy,
    /// `zabbix_agentd`.
    Agent,
    /// `zabbix_agent2`.
    Agent2,
}

impl DaemonKind {
    /// All of them.
    const ALL: [Self; 4] = [Self::Server, Self::Proxy, Self::Agent, Self::Agent2];

    /// The name in findings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Proxy => "proxy",
            Self::Agent => "agent",
            Self::Agent2 => "agent 2",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Server => "zabbix_server.conf",
            Self::Proxy => "zabbix_proxy.conf",
            Self::Agent => "zabbix_agentd.conf",
            Self::Agent2 => "zabbix_agent2.conf",
        }
    }
}

/// A daemon with the settings of its configuration.
#[derive(Debug)]
pub struct Daemon {
    /// Which one.
    pub kind: DaemonKind,
    /// Its main file.
    pub file: PathBuf,
    /// The user that it runs as, if the file says so.
    pub user: Option<String>,
    /// Why a file could not be read: then the settings are not complete.
    pub unread: Option<String>,
    settings: Vec<(String, String)>,
}

impl Daemon {
    /// The values of a parameter, in their order; the last one counts.
    pub fn values<'d>(&'d self, name: &'d str) -> impl Iterator<Item = &'d str> {
        let named = self.settings.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The directory of external checks.
    pub fn external_scripts(&self) -> Option<PathBuf> {
        let set = self.values("ExternalScripts").last();
        match set {
            Some(set) => Some(PathBuf::from(set)),
            None => EXTERNAL_SCRIPTS
                .iter()
                .map(PathBuf::from)
                .find(|path| path.is_dir()),
        }
    }
}

/// The daemons whose files exist here.
pub fn daemons() -> Vec<Daemon> {
    let mut found = Vec::new();
    for kind in DaemonKind::ALL {
        let files = DIRECTORIES
            .iter()
            .map(|path| Path::new(path).join(kind.file()));
        if let Some(file) = files.into_iter().find(|file| file.is_file()) {
            let mut read = SettingsReader::default();
            read.add(&file, 0);
            let SettingsReader {
                settings, unread, ..
            } = read;
            let mut daemon = Daemon {
                kind,
                file,
                user: None,
                unread,
                settings,
            };
            daemon.user = daemon.values("User").last().map(str::to_owned);
            found.push(daemon);
        }
    }
    found
}

/// Reads a file and those that it includes.
#[derive(Debug, Default)]
struct SettingsReader {
    settings: Vec<(String, String)>,
    unread: Option<String>,
    files: usize,
}

impl SettingsReader {
    fn add(&mut self, file: &Path, depth: usize) {
        self.files += 1;
        if self.files > MAX_FILES {
            let why = format!("{}: includes more than {MAX_FILES} files", file.display());
            self.unread.get_or_insert(why);
            return;
        }
        let content = files::read_optional(file, MAX_FILE);
        if let Some(why) = content.unread {
            self.unread
                .get_or_insert(format!("{}: {why}", file.display()));
        }
        let text = String::from_utf8_lossy(&content.bytes).into_owned();
        for line in text.lines().map(str::trim) {
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#'))
            else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            if name != "Include" {
                self.settings.push((name.to_owned(), value.to_owned()));
            } else if depth < MAX_DEPTH {
                for included in included(file, value) {
                    self.add(&included, depth + 1);
                }
            }
        }
    }
}

/// The files of an `Include`, sorted.
fn included(from: &Path, pattern: &str) -> Vec<PathBuf> {
    // Agent 2 allows paths that are relative to its file.
    let pattern = from.parent().unwrap_or(Path::new("/")).join(pattern);
    if pattern.is_file() {
        return vec![pattern];
    }
    let (directory, ends) = if pattern.is_dir() {
        (pattern.clone(), None)
    } else {
        let name = pattern
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let Some((start, end)) = name.as_deref().and_then(|name| name.split_once('*')) else {
            return Vec::new();
        };
        let ends = Some((start.to_owned(), end.to_owned()));
        (pattern.parent().unwrap_or(Path::new("/")).to_owned(), ends)
    };
    let Ok(entries) = fs::read_dir(&directory) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_named = |(start, end): &(String, String)| {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        };
        path.is_file() && ends.as_ref().is_none_or(is_named)
    });
    files.sort();
    files
}
