//! `[[targets]]`, and the JSON lines of a batch, which have the same keys.

use crate::address::host_list::HostList;
use crate::address::port_list;
use crate::escape::{is_deceptive, with_visible_characters};
use crate::plan::TargetMeta;
use crate::settings::config::options::overrides;
use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::error::{Key, Located, Location, SettingsError};
use crate::settings::parse::InvalidValue;
use crate::settings::target_spec::{MAX_ID_LENGTH, TargetSpec, is_id_byte};

/// What could be read of a target with errors.
#[derive(Debug)]
pub struct RejectedTarget {
    /// Its groups, unless one of the errors is in them.
    pub groups: Option<Vec<String>>,
    /// Its content, unless an error hides which ids the target has.
    pub known: Option<Box<KnownTarget>>,
}

/// What is known of a target with errors: enough to derive its ids, as soon as a missing port is
/// known from the service.
#[derive(Debug, Clone)]
pub struct KnownTarget {
    /// Where it is written.
    pub location: Location,
    /// Its configuration key.
    pub key: Key,
    /// The id that the user gave it.
    pub id: Option<Located>,
    /// The display name.
    pub name: Option<String>,
    /// The hosts; with an id, they may be unknown.
    pub hosts: Option<HostList>,
    /// The ports.
    pub ports: Vec<port_list::PortEntry>,
    /// The service of ports without one.
    pub service: Option<Located>,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// The host's name in Zabbix.
    pub zabbix_host: Option<String>,
}

impl KnownTarget {
    /// One port of a target, or the target as a whole if it has no ports.
    pub fn of(target: &TargetSpec, entry: Option<&port_list::PortEntry>) -> Self {
        Self {
            location: target.location.clone(),
            key: target.key.clone(),
            id: target.id.clone(),
            name: target.name.clone(),
            hosts: Some(target.hosts.clone()),
            ports: entry.into_iter().cloned().collect(),
            service: target.service.clone(),
            groups: target.groups.clone(),
            zabbix_host: target.zabbix_host.clone(),
        }
    }

    /// What the list says of it.
    pub fn meta(&self) -> TargetMeta {
        let boxed = |text: &String| text.as_str().into();
        TargetMeta {
            id: self.id.as_ref().map(|id| boxed(&id.text)),
            name: self.name.as_ref().map(boxed),
            groups: self.groups.iter().map(boxed).collect(),
            zabbix_host: self.zabbix_host.as_ref().map(boxed),
            ..TargetMeta::default()
        }
    }
}

/// Reads one target; `expand` returns the hosts of a name, an address, a network or a range.
///
/// A target without ports is returned as it is: the service of the run may have one.
///
/// # Errors
/// There are errors in it.
pub fn target<E: Into<InvalidValue>>(
    diagnostics: &mut Diagnostics<'_>,
    field: &Field<'_>,
    expand: impl FnOnce(&str) -> Result<HostList, E>,
) -> Result<TargetSpec, RejectedTarget> {
    let Some(mut table) = TableReader::of(diagnostics, field) else {
        return Err(RejectedTarget {
            groups: None,
            known: None,
        });
    };
    let errors_before = diagnostics.errors.len();
    let groups = groups(diagnostics, &mut table);
    let has_groups = diagnostics.errors.len() == errors_before;
    let location = table.location(diagnostics);
    let key = table.key().clone();
    let errors_before_ids = diagnostics.errors.len();
    let id = id(diagnostics, &mut table);
    let hosts = table.parsed(diagnostics, "host", expand);
    let ports = table.parsed(diagnostics, "port", ports).unwrap_or_default();
    let has_ids = diagnostics.errors.len() == errors_before_ids;
    let name = label(diagnostics, &mut table, "name");
    let service = table.text(diagnostics, "service");
    let zabbix_host = zabbix_host(diagnostics, &mut table);
    let overrides = overrides(diagnostics, &mut table);
    let meant = table.finish(diagnostics);
    // An unknown key may be a misspelled one.
    let may_be = |keys: &[&str]| {
        let mut near = meant.iter().copied();
        near.any(|near| near.is_none_or(|near| keys.contains(&near)))
    };
    let has_groups = has_groups && !(groups.is_empty() && may_be(&["group"]));
    let has_ids = has_ids && hosts.is_some() && !may_be(&["id", "host", "port", "service"]);
    if hosts.is_none() && diagnostics.errors.len() == errors_before {
        let error = SettingsError::at(&location, &key, "a target needs a `host`");
        diagnostics.errors.push(error);
    }
    let count = hosts.as_ref().map(HostList::count);
    if let (Some(_), Some(hosts)) = (&id, count) {
        if hosts.saturating_mul(ports.len().max(1)) != 1 {
            let why =
                "one `id` for several targets: remove the `id`, or write an entry for each target";
            let error = SettingsError::at(&location, &key, why);
            diagnostics.errors.push(error);
        }
    }
    match hosts {
        Some(hosts) if diagnostics.errors.len() == errors_before => Ok(TargetSpec {
            location,
            key,
            id,
            name,
            hosts,
            ports,
            service,
            groups,
            zabbix_host,
            overrides,
        }),
        hosts => Err(RejectedTarget {
            groups: has_groups.then(|| groups.clone()),
            known: (id.is_some() || has_ids).then(|| {
                Box::new(KnownTarget {
                    location,
                    key,
                    id,
                    name,
                    hosts,
                    ports,
                    service,
                    groups,
                    zabbix_host,
                })
            }),
        }),
    }
}

fn ports(list: &str) -> Result<Vec<port_list::PortEntry>, InvalidValue> {
    let ports = port_list::parse(list, port_list::MAX_PORTS)?;
    // A list of nothing but commas is not an absent list, which would mean the service's port.
    if ports.is_empty() {
        return Err(InvalidValue::Other("the list of ports is empty".to_owned()));
    }
    Ok(ports)
}

/// A name that Zabbix can display.
fn label(
    diagnostics: &mut Diagnostics<'_>,
    table: &mut TableReader<'_>,
    key: &'static str,
) -> Option<String> {
    let given = table.text(diagnostics, key)?;
    check_line(diagnostics, &given);
    Some(visible(given))
}

/// The name of a host in Zabbix, which fits on a line of `zabbix_sender`. No name in Zabbix has an
/// invisible character, so such a character is an error.
fn zabbix_host(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<String> {
    let given = table.text(diagnostics, "zabbix_host")?;
    check_line(diagnostics, &given);
    if given.text.chars().any(is_deceptive) && !given.text.chars().any(char::is_control) {
        diagnostics.error_in(&given, "contains an invisible character");
    }
    Some(given.text)
}

fn check_line(diagnostics: &mut Diagnostics<'_>, given: &Located) {
    if given.text.chars().any(char::is_control) {
        diagnostics.error_in(given, "contains a line break or another control character");
    }
}

/// The text. If it is from standard input, invisible characters are escaped, because other users
/// may have chosen it. In the configuration they are kept: the administrator wrote it, and some
/// scripts need them.
fn visible(given: Located) -> String {
    match given.location {
        Location::StdinLine(_) => with_visible_characters(&given.text),
        _ => given.text,
    }
}

/// An id that is safe inside a `JSONPath`.
fn id(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<Located> {
    let given = table.text(diagnostics, "id")?;
    if given.text.bytes().all(is_id_byte) && given.text.len() <= MAX_ID_LENGTH {
        return Some(given);
    }
    diagnostics.error_in(
        &given,
        "an id can contain only letters, digits, `_`, `.`, `:` and `-`, and at most 255 characters",
    );
    None
}

fn groups(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Vec<String> {
    let fields = table.list("group");
    let mut groups = Vec::new();
    for field in &fields {
        if let Some(group) = diagnostics
            .text(field)
            .filter(|group| !group.text.is_empty())
        {
            check_line(diagnostics, &group);
            groups.push(visible(group));
        }
    }
    groups
}
