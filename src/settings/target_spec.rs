//! A target of a list: a host or a network with its ports, service, options and labels.

use std::fmt;
use std::sync::Arc;

use crate::address::cidr::HostsError;
use crate::address::host_list::HostList;
use crate::address::port_list::{self, PortEntry};
use crate::address::{split_port, without_scheme};
use crate::plan::TargetMeta;
use crate::settings::SettingsError;
use crate::settings::error::{Key, Located, Location};
use crate::settings::overrides::Overrides;

/// The longest id, in bytes.
pub const MAX_ID_LENGTH: usize = 255;

/// Whether an id may contain this byte.
pub fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

/// A target of a list: each of its hosts is probed on each of its ports.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// Where it is written.
    pub location: Location,
    /// Its configuration key.
    pub key: Key,
    /// The id that the user gave it.
    pub id: Option<Located>,
    /// The display name.
    pub name: Option<String>,
    /// The hosts; several if a network or a range was written.
    pub hosts: HostList,
    /// The ports; none if the service has it.
    pub ports: Vec<PortEntry>,
    /// The service of ports without one.
    pub service: Option<Located>,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// The host's name in Zabbix, for `zabbix_sender` lines.
    pub zabbix_host: Option<String>,
    /// Its own options.
    pub overrides: Overrides,
}

impl TargetSpec {
    /// Parses an argument: `HOST:PORT`, where HOST may be a network or a range, and PORT a list.
    ///
    /// # Errors
    /// When it is not a target.
    pub fn from_argument(text: &str, limit: TargetLimit) -> Result<Self, SettingsError> {
        let location = Location::Target(Arc::from(text));
        let split = without_scheme(text).and_then(split_port);
        let (host, ports) = split.map_err(|why| at(&location, why))?;
        Self::new(location, host, ports, None, limit)
    }

    /// Parses a line of standard input that is not JSON: `HOST:PORT`, `HOST PORT` or `HOST PORT
    /// SERVICE`.
    ///
    /// # Errors
    /// When it is not a target.
    pub fn from_line(line: usize, text: &str, limit: TargetLimit) -> Result<Self, SettingsError> {
        let location = Location::StdinLine(line);
        let mut parts = text.split_ascii_whitespace();
        let (host, list, service) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if parts.next().is_some() {
            let why =
                "has more than three fields: write `HOST PORT SERVICE`, and `#` before a comment";
            return Err(at(&location, why));
        }
        let split = without_scheme(host).and_then(split_port);
        let (host, port) = split.map_err(|why| at(&location, why))?;
        if port.is_some() && list.is_some() {
            let why = "has two ports: write either `HOST:PORT` or `HOST PORT SERVICE`";
            return Err(at(&location, why));
        }
        Self::new(location, host, port.or(list), service, limit)
    }

    fn new(
        location: Location,
        host: &str,
        ports: Option<&str>,
        service: Option<&str>,
        limit: TargetLimit,
    ) -> Result<Self, SettingsError> {
        let hosts = limit.expand(host).map_err(|why| at(&location, why))?;
        let ports = match ports {
            Some(list) => {
                let ports = port_list::parse(list, port_list::MAX_PORTS);
                let ports = ports.map_err(|why| at(&location, why))?;
                if ports.is_empty() {
                    return Err(at(&location, "the list of ports is empty"));
                }
                ports
            }
            None => Vec::new(),
        };
        let service = service.map(|text| Located {
            text: text.to_owned(),
            location: location.clone(),
            key: Key::NONE,
        });
        Ok(Self {
            location,
            key: Key::NONE,
            id: None,
            name: None,
            hosts,
            ports,
            service,
            groups: Vec::new(),
            zabbix_host: None,
            overrides: Overrides::default(),
        })
    }

    /// An error in this target.
    pub fn error(&self, message: impl fmt::Display) -> SettingsError {
        SettingsError::at(&self.location, &self.key, message)
    }

    /// The number of targets: each host with each port.
    pub fn count(&self) -> usize {
        self.hosts.count().saturating_mul(self.ports.len().max(1))
    }

    /// The labels of its plans; `None` if it has none.
    pub fn meta(&self) -> Option<Box<TargetMeta>> {
        let boxed = |text: &String| text.as_str().into();
        let meta = TargetMeta {
            id: self.id.as_ref().map(|id| boxed(&id.text)),
            name: self.name.as_ref().map(boxed),
            groups: self.groups.iter().map(boxed).collect(),
            zabbix_host: self.zabbix_host.as_ref().map(boxed),
            ..TargetMeta::default()
        };
        (meta != TargetMeta::default()).then(|| Box::new(meta))
    }
}

fn at(location: &Location, message: impl fmt::Display) -> SettingsError {
    SettingsError::at(location, &Key::NONE, message)
}

/// The most targets of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetLimit {
    /// The number.
    pub max: usize,
    /// How it can be raised, for errors.
    pub remedy: &'static str,
}

impl TargetLimit {
    /// The hosts of a text.
    ///
    /// # Errors
    /// When it is neither a host nor a network or range, or has too many hosts.
    pub fn expand(self, text: &str) -> Result<HostList, String> {
        HostList::parse(text, self.max).map_err(|why| match why {
            HostsError::TooLarge { .. } => format!("{why}, or {}", self.remedy),
            why => why.to_string(),
        })
    }

    /// The error of a list of this number of targets.
    pub fn exceeded(self, count: usize) -> String {
        let Self { max, remedy } = self;
        format!("{count} targets are more than the limit of {max}: {remedy}, or give fewer targets")
    }
}
