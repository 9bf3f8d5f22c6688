//! Targets as JSON objects, one on a line: the keys of `[[targets]]`, read by the same code where they are options.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::escape::escaped_prefix;
use crate::plan::TargetMeta;
use crate::settings::SettingsError;
use crate::settings::batch::as_toml;
use crate::settings::batch::listing::Asked;
use crate::settings::batch::methods::Own;
use crate::settings::batch::unique::{LONGEST_ID, is_safe};
use crate::settings::batch::words::{hosts, lifted, ports};
use crate::settings::config::one_line_options;
use crate::settings::overrides::{Location, Overrides};

/// Reads objects; the options of one are often those of the next.
#[derive(Debug, Default)]
pub struct Reader {
    options: HashMap<String, Overrides>,
}

/// One object.
#[derive(Debug)]
pub struct Object {
    host: String,
    port: Option<String>,
    service: Option<String>,
    own: Own,
    label: Option<Box<TargetMeta>>,
}

/// The keys that are no options.
pub const KEYS: [&str; 7] = [
    "host",
    "port",
    "service",
    "id",
    "name",
    "group",
    "zabbix_host",
];

impl Reader {
    /// Reads the object of a line.
    ///
    /// # Errors
    /// When it is none, or a member has no meaning.
    pub fn read(&mut self, place: &Location, line: &str) -> Result<Object, SettingsError> {
        let mut members: Map<String, Value> =
            serde_json::from_str(line).map_err(|why| no_object(place, &why))?;
        let mut found = Members {
            place,
            members: &mut members,
        };
        let host = found
            .text("host")?
            .ok_or_else(|| found.wrong("host", "a target needs one"))?;
        let port = found.port()?;
        let service = found.text("service")?;
        let label = found.label()?;
        let own = self.own(place, &members)?;
        Ok(Object {
            host,
            port,
            service,
            own,
            label,
        })
    }

    /// The members that are left are options.
    fn own(
        &mut self,
        place: &Location,
        members: &Map<String, Value>,
    ) -> Result<Own, SettingsError> {
        if members.is_empty() {
            return Ok(Own::default());
        }
        let key = as_toml::document(members);
        if let Some(overrides) = self.options.get(&key) {
            return Ok(Own {
                overrides: overrides.clone(),
                key,
            });
        }
        let overrides = one_line_options(place, &key, &KEYS)?;
        self.options.insert(key.clone(), overrides.clone());
        Ok(Own { overrides, key })
    }
}

impl Object {
    /// Its hosts and ports.
    ///
    /// # Errors
    /// When one is none.
    pub fn asked(&self, place: Location, most: usize) -> Result<Asked<'_>, SettingsError> {
        let hosts = hosts(&self.host, most)
            .map_err(|why| SettingsError::at(&place, format!("host: {}", lifted(why))))?;
        let ports = ports(self.port.as_deref())
            .map_err(|why| SettingsError::at(&place, format!("port: {why}")))?;
        let several = hosts.len() * ports.len().max(1) > 1;
        if several && self.label.as_ref().is_some_and(|label| label.id.is_some()) {
            return Err(SettingsError::at(
                &place,
                "one `id` for several targets: drop it, or write them one by one",
            ));
        }
        let (own, label) = (self.own.clone(), self.label.clone());
        Ok(Asked {
            place,
            hosts,
            ports,
            service: self.service.as_deref(),
            own,
            label,
        })
    }
}

fn no_object(place: &Location, why: &serde_json::Error) -> SettingsError {
    // The line that it names is always the first.
    let text = why.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    SettingsError::at(
        place,
        format!(
            "is no JSON object: {} at column {}",
            escaped_prefix(text, 100),
            why.column()
        ),
    )
}

/// The members of an object, each taken once; what is empty or null was not given.
struct Members<'m> {
    place: &'m Location,
    members: &'m mut Map<String, Value>,
}

impl Members<'_> {
    fn wrong(&self, key: &str, why: &str) -> SettingsError {
        SettingsError::at(self.place, format!("{key}: {why}"))
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, SettingsError> {
        match self.members.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                Err(self.wrong(key, "is not on one line"))
            }
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(key, "is not a text")),
        }
    }

    /// A number, or a list of ports.
    fn port(&mut self) -> Result<Option<String>, SettingsError> {
        match self.members.get("port") {
            Some(Value::Number(number)) => {
                let text = number.to_string();
                self.members.remove("port");
                Ok(Some(text))
            }
            _ => self.text("port"),
        }
    }

    fn label(&mut self) -> Result<Option<Box<TargetMeta>>, SettingsError> {
        let (id, name, zabbix_host) = (
            self.text("id")?,
            self.text("name")?,
            self.text("zabbix_host")?,
        );
        if id
            .as_ref()
            .is_some_and(|id| !id.bytes().all(is_safe) || id.len() > LONGEST_ID)
        {
            return Err(self.wrong(
                "id",
                "has letters, digits, `_`, `.`, `:` and `-`, at most 255",
            ));
        }
        let groups = self.groups()?;
        if id.is_none() && name.is_none() && zabbix_host.is_none() && groups.is_empty() {
            return Ok(None);
        }
        let boxed = |text: Option<String>| text.map(String::into_boxed_str);
        Ok(Some(Box::new(TargetMeta {
            id: boxed(id),
            name: boxed(name),
            groups,
            zabbix_host: boxed(zabbix_host),
        })))
    }

    /// A text, or a list of texts.
    fn groups(&mut self) -> Result<Box<[Box<str>]>, SettingsError> {
        let entries = match self.members.get_mut("group") {
            Some(Value::Array(entries)) => std::mem::take(entries),
            _ => {
                return Ok(self
                    .text("group")?
                    .into_iter()
                    .map(String::into_boxed_str)
                    .collect());
            }
        };
        self.members.remove("group");
        let text = |entry: Value| match entry {
            Value::String(text) if !text.is_empty() && !text.chars().any(char::is_control) => {
                Ok(text.into_boxed_str())
            }
            _ => Err(self.wrong("group", "is a text or a list of texts")),
        };
        entries.into_iter().map(text).collect()
    }
}
