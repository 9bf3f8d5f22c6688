//! `[[targets]]`: what a batch probes, with port lists, networks and groups.

use crate::address::{Host, Port, cidr};
use crate::settings::SettingsError;
use crate::settings::batch::unique::{LONGEST_ID, is_safe};
use crate::settings::config::options::overrides;
use crate::settings::config::table::{Entry, Examined, Table, text};
use crate::settings::overrides::{Located, Location, Overrides};

/// One target of the configuration: a host or a network, and one port or several.
#[derive(Debug, Clone)]
pub struct TargetEntry {
    /// Where it is written.
    pub place: Location,
    /// The caller's own id, if it has one.
    pub id: Option<Located>,
    /// A name for people.
    pub name: Option<String>,
    /// The hosts: more than one where a network was written.
    pub hosts: Vec<Host>,
    /// The ports; none where the service gives it.
    pub ports: Vec<Port>,
    /// The named service.
    pub service: Option<Located>,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// The host's name in Zabbix, for values that are sent.
    pub zabbix_host: Option<String>,
    /// Its own options.
    pub overrides: Overrides,
}

/// Reads every target of `[[targets]]`.
pub fn targets(found: &mut Examined<'_>, entries: &[Entry<'_, '_>]) -> Vec<TargetEntry> {
    entries
        .iter()
        .filter_map(|entry| target(found, entry))
        .collect()
}

fn target(found: &mut Examined<'_>, entry: &Entry<'_, '_>) -> Option<TargetEntry> {
    let mut table = Table::of(found, entry)?;
    let before = found.mistakes.len();
    let target = TargetEntry {
        place: found.place(table.span(), table.path()),
        id: id(found, &mut table),
        name: line(found, &mut table, "name"),
        hosts: table.parsed(found, "host", cidr::hosts).unwrap_or_default(),
        ports: ports(found, &mut table),
        service: table.text(found, "service"),
        groups: groups(found, &mut table),
        zabbix_host: line(found, &mut table, "zabbix_host"),
        overrides: overrides(found, &mut table),
    };
    let (span, path) = (table.span().clone(), table.path().to_owned());
    table.finish(found);
    if found.mistakes.len() == before && target.hosts.is_empty() {
        found.wrong(&span, &path, "a target needs a `host`");
    }
    if found.mistakes.len() == before && target.ports.is_empty() && target.service.is_none() {
        found.wrong(
            &span,
            &path,
            "a target needs a `port`, or a `service` that has one",
        );
    }
    if found.mistakes.len() == before
        && target.id.is_some()
        && target.hosts.len() * target.ports.len().max(1) > 1
    {
        found.wrong(
            &span,
            &path,
            "one `id` for several targets: drop it, or write them one by one",
        );
    }
    (found.mistakes.len() == before).then_some(target)
}

/// A name that Zabbix can show, and send in a line.
fn line(found: &mut Examined<'_>, table: &mut Table<'_, '_>, key: &'static str) -> Option<String> {
    let written = table.text(found, key)?;
    on_one_line(found, &written);
    Some(written.text)
}

fn on_one_line(found: &mut Examined<'_>, written: &Located) {
    if written.text.chars().any(char::is_control) {
        found.mistakes.push(SettingsError::at(
            &written.place,
            "is not on one line, or holds a control character",
        ));
    }
}

/// An id is safe inside a `JSONPath`.
fn id(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Option<Located> {
    let written = table.text(found, "id")?;
    if written.text.bytes().all(is_safe) && written.text.len() <= LONGEST_ID {
        return Some(written);
    }
    found.mistakes.push(SettingsError::at(
        &written.place,
        "an id has letters, digits, `_`, `.`, `:` and `-`, at most 255",
    ));
    None
}

/// A number, or a list such as `"22,80,8000-8010"`.
fn ports(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Vec<Port> {
    let Some((path, value)) = table.take("port") else {
        return Vec::new();
    };
    let words = match value.get_ref() {
        toml::de::DeValue::Integer(number) => number.to_string(),
        _ => match text(found, &(path.clone(), value)) {
            Some(written) => written.text,
            None => return Vec::new(),
        },
    };
    if words.is_empty() {
        return Vec::new();
    }
    cidr::ports(&words)
        .map_err(|why| found.wrong(&value.span(), &path, why))
        .unwrap_or_default()
}

fn groups(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Vec<String> {
    let entries = table.list("group").unwrap_or_default();
    let groups: Vec<Located> = entries
        .iter()
        .filter_map(|entry| text(found, entry))
        .collect();
    groups.iter().for_each(|group| on_one_line(found, group));
    groups.into_iter().map(|written| written.text).collect()
}
