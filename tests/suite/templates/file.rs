//! A template file as a tree, and the objects in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

/// A template of one release.
pub struct File {
    pub path: PathBuf,
    pub text: String,
    /// The `zabbix_export` of the file.
    pub export: Value,
}

/// The directory of everything for Zabbix.
pub fn zabbix() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zabbix")
}

/// Every template file of every release.
pub fn files() -> Vec<File> {
    let releases = ["6.0", "7.0"].map(|release| zabbix().join(release));
    let entries = releases.iter().flat_map(|release| {
        fs::read_dir(release)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    });
    let mut found: Vec<_> = entries.map(File::read).collect();
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(found.len() >= 12, "templates are missing");
    found
}

impl File {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let mut documents = Yaml::load_from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(documents.len(), 1, "{}", path.display());
        let export = tree(&documents.remove(0), &path)["zabbix_export"].take();
        Self { path, text, export }
    }

    /// The name for messages.
    pub fn name(&self) -> String {
        self.path
            .strip_prefix(zabbix())
            .unwrap()
            .display()
            .to_string()
    }

    /// The one template in it.
    pub fn template(&self) -> &Value {
        &self.export["templates"][0]
    }

    pub fn is_for(&self, release: &str) -> bool {
        self.export["version"] == release
    }

    /// Items and item prototypes.
    pub fn items(&self) -> Vec<&Value> {
        self.every(|member| matches!(member, "items" | "item_prototypes"))
    }

    /// Items, item prototypes and discovery rules: all objects with a key.
    pub fn keyed(&self) -> Vec<&Value> {
        self.every(|member| matches!(member, "items" | "item_prototypes" | "discovery_rules"))
    }

    /// Triggers and trigger prototypes.
    pub fn triggers(&self) -> Vec<&Value> {
        self.every(|member| matches!(member, "triggers" | "trigger_prototypes"))
    }

    /// The keys of all items.
    pub fn keys(&self) -> Vec<&str> {
        self.items().iter().map(|item| text(&item["key"])).collect()
    }

    /// The parameters of all preprocessing steps of this type.
    pub fn steps(&self, kind: &str) -> Vec<&str> {
        let steps = self.every(|member| member == "preprocessing");
        steps
            .into_iter()
            .filter(|step| step["type"] == kind)
            .map(|step| text(&step["parameters"][0]))
            .collect()
    }

    /// Every object with a uuid, and its identity: its list, then its key or name.
    pub fn identities(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        visit(&self.export, "", &mut |member, value| {
            if let Some(uuid) = value["uuid"].as_str() {
                let name = ["key", "name"]
                    .iter()
                    .find_map(|name| value[name].as_str())
                    .unwrap();
                let kind = member.trim_start_matches("template_").trim_end_matches('s');
                let old = found.insert(uuid.to_owned(), format!("{kind} {name}"));
                assert_eq!(old, None, "{}: {uuid} twice", self.path.display());
            }
        });
        found
    }

    /// Every text of the file, with the name of its member.
    pub fn texts(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        visit(&self.export, "", &mut |member, value| {
            if let Some(text) = value.as_str() {
                found.push((member.to_owned(), text.to_owned()));
            }
        });
        found
    }

    fn every(&self, wanted: impl Fn(&str) -> bool) -> Vec<&Value> {
        let mut found = Vec::new();
        collect(&self.export, &wanted, &mut found);
        found
    }
}

/// The string; the test fails if it is another value.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
}

/// Collects the entries of every list with a wanted name.
fn collect<'v>(value: &'v Value, wanted: &impl Fn(&str) -> bool, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let (true, Some(entries)) = (wanted(name), member.as_array()) {
                    found.extend(entries);
                }
                collect(member, wanted, found);
            }
        }
        Value::Array(entries) => entries
            .iter()
            .for_each(|entry| collect(entry, wanted, found)),
        _ => {}
    }
}

/// Calls `call` for each value, with the name of its member.
fn visit(value: &Value, member: &str, call: &mut impl FnMut(&str, &Value)) {
    call(member, value);
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| visit(value, name, call)),
        Value::Array(entries) => entries.iter().for_each(|entry| visit(entry, member, call)),
        _ => {}
    }
}

/// Converts YAML. Zabbix accepts strings only: an unquoted `0` fails at import.
fn tree(yaml: &Yaml<'_>, path: &Path) -> Value {
    match yaml {
        Yaml::Value(Scalar::String(text)) => Value::String(text.to_string()),
        Yaml::Sequence(entries) => entries.iter().map(|entry| tree(entry, path)).collect(),
        Yaml::Mapping(members) => {
            let pair = |(name, value): (&Yaml<'_>, &Yaml<'_>)| {
                (text(&tree(name, path)).to_owned(), tree(value, path))
            };
            Value::Object(members.iter().map(pair).collect::<Map<_, _>>())
        }
        other => panic!("{}: {other:?} is not a string", path.display()),
    }
}
