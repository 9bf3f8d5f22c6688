//! `[[targets]]`, and the JSON lines of a batch, which have the same keys.

use crate::address::host_list::HostList;
use crate::address::port_list;
use crate::escape::{is_deceptive, with_visible_characters};
use crate::settings::config::options::overrides;
use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::error::{Located, Location, SettingsError};
use crate::settings::parse::InvalidValue;
use crate::settings::target_spec::{MAX_ID_LENGTH, TargetSpec, is_id_byte};

/// Reads one target; `expand` returns the hosts of a name, an address, a network or a range.
///
/// A target without ports is returned as it is: the service of the run may have one.
///
/// # Errors
/// There are errors in it. Its groups are returned, unless one of the errors is in them.
pub fn target<E: Into<InvalidValue>>(
    diagnostics: &mut Diagnostics<'_>,
    field: &Field<'_>,
    expand: impl FnOnce(&str) -> Result<HostList, E>,
) -> Result<TargetSpec, Option<Vec<String>>> {
    let mut table = TableReader::of(diagnostics, field).ok_or(None)?;
    let errors_before = diagnostics.errors.len();
    let groups = groups(diagnostics, &mut table);
    let has_groups = diagnostics.errors.len() == errors_before;
    let location = table.location(diagnostics);
    let key = table.key().clone();
    let id = id(diagnostics, &mut table);
    let name = label(diagnostics, &mut table, "name");
    let hosts = table.parsed(diagnostics, "host", expand);
    let ports = table.parsed(diagnostics, "port", ports).unwrap_or_default();
    let service = table.text(diagnostics, "service");
    let zabbix_host = zabbix_host(diagnostics, &mut table);
    let overrides = overrides(diagnostics, &mut table);
    let errors_in_values = diagnostics.errors.len();
    table.finish(diagnostics);
    // An unknown key may be a misspelled `host`, or a misspelled `group`.
    let has_unknown_key = diagnostics.errors.len() != errors_in_values;
    let has_groups = has_groups && !(groups.is_empty() && has_unknown_key);
    if hosts.is_none() && diagnostics.errors.len() == errors_before {
        let error = SettingsError::at(&location, &key, "a target needs a `host`");
        diagnostics.errors.push(error);
    }
    let Some(hosts) = hosts else {
        return Err(has_groups.then_some(groups));
    };
    let target = TargetSpec {
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
    };
    if target.id.is_some() && target.count() != 1 {
        let why =
            "one `id` for several targets: remove the `id`, or write an entry for each target";
        diagnostics.errors.push(target.error(why));
    }
    if diagnostics.errors.len() == errors_before {
        Ok(target)
    } else {
        Err(has_groups.then_some(target.groups))
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
