//! `[services.NAME]`: a named service, built in or a user's own; both are written in the same way.

use crate::address::Port;
use crate::plan::steps::Secret;
use crate::policy::{Network, Policy};
use crate::settings::config::file;
use crate::settings::config::options::overrides;
use crate::settings::config::table::{Entry, Examined, Syntax, Table, list, text};
use crate::settings::overrides::{Located, Overrides};

/// A named service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What it asks for.
    pub overrides: Overrides,
    /// Where it may be spoken; anywhere, where it does not say.
    pub hosts: Option<Policy>,
}

/// Whether the file may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Its owner and group alone can read it.
    Private,
    /// Everybody can read it.
    Public,
}

/// Reads every service of `[services]`.
pub fn services(found: &mut Examined<'_>, entry: &Entry<'_, '_>, privacy: Privacy) -> Vec<Service> {
    let Some(mut table) = Table::of(found, entry) else {
        return Vec::new();
    };
    let entries = table.take_all();
    entries
        .iter()
        .filter_map(|(name, entry)| service(found, name, entry, privacy))
        .collect()
}

fn service(
    found: &mut Examined<'_>,
    name: &str,
    entry: &Entry<'_, '_>,
    privacy: Privacy,
) -> Option<Service> {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(named) {
        found.wrong(
            &entry.1.span(),
            &entry.0,
            "a service's name has letters, digits, `_` and `-`, at most 64",
        );
        return None;
    }
    let mut table = Table::of(found, entry)?;
    let description = table
        .text(found, "description")
        .map_or_else(String::new, |written| written.text);
    let port = port(found, &mut table);
    let secrets = secrets(found, &mut table, privacy);
    let hosts = hosts(found, name, &mut table);
    let overrides = Overrides {
        port,
        secrets,
        ..overrides(found, &mut table)
    };
    table.finish(found);
    let service = Service {
        name: name.to_owned(),
        description,
        overrides,
        hosts,
    };
    // The patterns and references are compiled here, so that a mistake in them has its line.
    if let Err(mistakes) = super::super::dialogue::dialogue(&service.overrides) {
        found.mistakes.extend(mistakes);
    }
    Some(service)
}

/// A port: a number, or a text of digits.
pub fn port(found: &mut Examined<'_>, table: &mut Table<'_, '_>) -> Option<Port> {
    let port = table.number(found, "port", 1..65_536)?;
    u16::try_from(port).ok().and_then(Port::new)
}

/// `hosts = ["192.0.2.0/24", "192.0.2.7:2529"]`, in the form of the policy; anywhere where it is absent.
fn hosts(found: &mut Examined<'_>, service: &str, table: &mut Table<'_, '_>) -> Option<Policy> {
    let (path, value) = table.take("hosts")?;
    let entries = list(path.clone(), value);
    if entries.is_empty() {
        found.wrong(
            &value.span(),
            &path,
            "is an empty list: drop it where the service may be spoken anywhere",
        );
    }
    let mut networks = Vec::new();
    for entry in &entries {
        let Some(written) = text(found, entry) else {
            continue;
        };
        match written.text.parse::<Network>() {
            Ok(network) => networks.push(network),
            Err(why) => found.wrong(&entry.1.span(), &entry.0, why),
        }
    }
    Some(Policy::of_service(service, networks))
}

/// `secrets = { password = "inline", token = { file = "/path" } }`.
fn secrets(
    found: &mut Examined<'_>,
    table: &mut Table<'_, '_>,
    privacy: Privacy,
) -> Vec<(String, Secret)> {
    let Some(entry) = table.take("secrets") else {
        return Vec::new();
    };
    let Some(mut table) = Table::of(found, &entry) else {
        return Vec::new();
    };
    let entries = table.take_all();
    if found.syntax() == Syntax::Broken {
        // Nothing here is to be quoted.
        return entries
            .into_iter()
            .map(|(name, _)| (name, unread()))
            .collect();
    }
    let secrets = entries.iter().map(|(name, entry)| {
        (
            name.clone(),
            secret(found, entry, privacy).unwrap_or_else(unread),
        )
    });
    secrets.collect()
}

/// Stands for a secret with a mistake in it: steps that name it are no mistakes for that.
fn unread() -> Secret {
    Secret::new(*b"")
}

fn secret(found: &mut Examined<'_>, entry: &Entry<'_, '_>, privacy: Privacy) -> Option<Secret> {
    let wrong = "is a text, or a table `{ file = \"/path\" }`";
    if let Some(inline) = entry.1.get_ref().as_str() {
        if inline.is_empty() {
            found.wrong(
                &entry.1.span(),
                &entry.0,
                "is empty: write the secret, or drop it",
            );
            return None;
        }
        if privacy == Privacy::Public {
            let why = "a secret in a file that everybody can read: `chmod 640` the file, or name a file of its own";
            found.wrong(&entry.1.span(), &entry.0, why);
            return None;
        }
        return Some(Secret::new(inline.as_bytes()));
    }
    if !entry.1.get_ref().is_table() {
        found.wrong(&entry.1.span(), &entry.0, wrong);
        return None;
    }
    let mut table = Table::of(found, entry)?;
    let path = table.take("file");
    table.finish(found);
    let Some(path) = path.and_then(|path| text(found, &path)) else {
        found.wrong(&entry.1.span(), &entry.0, wrong);
        return None;
    };
    read_secret(&path)
        .map_err(|why| found.wrong(&entry.1.span(), &entry.0, why))
        .ok()
}

/// A secret's own file, without its final line end.
fn read_secret(path: &Located) -> Result<Secret, String> {
    /// More than any password or token.
    const MOST: u64 = 64 * 1024;
    let (bytes, privacy) = file::read(path.text.as_ref(), MOST)?;
    if privacy == Privacy::Public {
        return Err("everybody can read that file: `chmod 640` it".to_owned());
    }
    let end = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    match bytes.get(..end) {
        Some(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
        _ => Err("that file is empty: write the secret into it".to_owned()),
    }
}
