//! The templates, without Zabbix: every reference exists, descriptions are complete, and both releases are alike.

pub mod file;
mod key;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::process::Command;

use clap::Parser;
use serde_json::Value;
use zbx_tcp::cli::Cli;
use zbx_tcp::failure::STATUSES;
use zbx_tcp::output::metrics::METRICS;

use file::{File, files, text, zabbix};

use crate::config::ConfigFile;
use crate::program::run;
use crate::scripted_peer::closed_port;
use crate::support::skip;

#[test]
fn the_files_are_what_the_generator_writes() {
    let mut generate = Command::new("python3");
    generate.arg(zabbix().join("generate")).arg("--check");
    match generate.output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        ),
        Err(_) => skip("no python3"),
    }
}

#[test]
fn the_value_map_is_the_table_of_statuses() {
    for file in files() {
        let maps = file.template()["valuemaps"].as_array().unwrap();
        let map = maps
            .iter()
            .find(|map| map["name"] == "TCP probe status")
            .expect("the value map");
        let pairs = map["mappings"].as_array().unwrap().iter();
        let pairs: Vec<_> = pairs
            .map(|pair| format!("{} {}", text(&pair["value"]), text(&pair["newvalue"])))
            .collect();
        let expected: Vec<_> = STATUSES
            .iter()
            .map(|row| format!("{} {}", row.status.code(), row.name))
            .collect();
        assert_eq!(pairs, expected, "{}", file.name());
    }
}

#[test]
fn every_uuid_is_listed_and_unchanged() {
    let list = fs::read_to_string(zabbix().join("uuids.txt")).unwrap();
    let rows = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '));
    let listed: Vec<_> = rows.collect();
    let unique: BTreeMap<_, _> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a uuid is listed twice");
    let names: BTreeSet<_> = listed.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), listed.len(), "an object has two uuids");
    for (uuid, _) in &listed {
        let digits = uuid.len() == 32
            && uuid
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(
            digits && &uuid[12..13] == "4" && "89ab".contains(&uuid[16..17]),
            "{uuid} is not a UUIDv4"
        );
    }
    for file in files() {
        let missing: Vec<_> = file
            .identities()
            .into_keys()
            .filter(|uuid| !unique.contains_key(&**uuid))
            .collect();
        assert!(
            missing.is_empty(),
            "{}: add to uuids.txt {missing:?}",
            file.name()
        );
    }
}

#[test]
fn both_releases_have_the_same_objects() {
    let all = files();
    let (old, new): (Vec<_>, Vec<_>) = all.iter().partition(|file| file.is_for("6.0"));
    assert_eq!(old.len(), new.len());
    for (old, new) in old.iter().zip(new) {
        assert_eq!(old.identities(), new.identities(), "{}", new.name());
    }
}

#[test]
fn one_uuid_is_one_object_on_a_server_with_every_template() {
    for release in ["6.0", "7.0"] {
        let mut seen = BTreeMap::new();
        for file in files().iter().filter(|file| file.is_for(release)) {
            for (uuid, name) in file.identities() {
                let group = name.starts_with("group ");
                let old = seen.insert(uuid, file.name());
                assert!(
                    old.is_none() || group,
                    "{name} of {} is also in {old:?}",
                    file.name()
                );
            }
        }
    }
}

#[test]
fn every_external_check_is_a_command_of_this_program() {
    let mut keys = BTreeSet::new();
    for file in files() {
        for item in file
            .items()
            .into_iter()
            .filter(|item| item["type"] == "EXTERNAL")
        {
            keys.insert(text(&item["key"]).to_owned());
        }
    }
    assert!(keys.len() >= 3, "{keys:?}");
    for macros in [key::Macros::Set, key::Macros::Empty] {
        for key in &keys {
            let (name, parameters) = key::parts(key);
            let arguments = parameters
                .iter()
                .map(|parameter| key::expand(parameter, macros));
            let parsed = Cli::try_parse_from([name.to_owned()].into_iter().chain(arguments));
            assert_eq!(name, "zbx-tcp");
            assert!(parsed.is_ok(), "{key}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn every_agent_key_is_a_user_parameter() {
    let shipped = fs::read_to_string(zabbix().join("agentd/zbx-tcp.conf")).unwrap();
    let rows = shipped
        .lines()
        .filter_map(|line| line.strip_prefix("UserParameter="));
    let commands: BTreeMap<_, _> = rows.map(|row| row.split_once("[*],").unwrap()).collect();
    let mut asked = 0;
    for file in files() {
        let agents = |item: &&Value| matches!(item["type"].as_str(), None | Some("ZABBIX_ACTIVE"));
        for item in file.items().into_iter().filter(agents) {
            let (name, parameters) = key::parts(text(&item["key"]));
            let command = commands
                .get(name)
                .unwrap_or_else(|| panic!("{name} is not a UserParameter"));
            let last = format!("${}", parameters.len());
            assert!(command.contains(&last), "{name}: {last} is not used");
            for parameter in parameters {
                let expanded = key::expand(&parameter, key::Macros::Set);
                let refused = expanded.find(|one| r#"\'"`*?[]{}~$!&;()<>|#@"#.contains(one));
                assert_eq!(refused, None, "{name}: an agent refuses {expanded}");
            }
            asked += 1;
        }
    }
    assert_eq!(
        asked, 16,
        "two keys in each of four templates and two releases"
    );
}

#[test]
fn every_path_selects_a_metric_or_a_part_of_the_batch() {
    let paths: BTreeSet<_> = METRICS.iter().map(|metric| metric.path).collect();
    let config = format!(
        "[[targets]]\nid = \"one\"\nhost = \"127.0.0.1\"\nport = {}\n",
        closed_port()
    );
    let ran = ConfigFile::new(config).run(&["batch", "-o", "json"]);
    let batch: Value = serde_json::from_str(&ran.out)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
    let (_open, listeners) = listeners(&["--output", "json"]);
    let listener = listeners["listeners"]
        .as_object()
        .and_then(|all| all.values().next());
    for file in files() {
        let steps = file.steps("JSONPATH");
        assert!(steps.len() > 10, "{}", file.name());
        for path in steps {
            let metric = path
                .strip_prefix("$.targets['{#TCP.ID}'].")
                .or_else(|| path.strip_prefix("$."));
            let pointer = path.replace('$', "").replace('.', "/");
            let value = path.strip_prefix("$.listeners['{#TCP.ID}'].");
            let known = match path {
                _ if value.is_some() => {
                    value.is_some_and(|name| !listener.unwrap()[name].is_null())
                }
                "$.length()" => true,
                "$.targets[?(@.up == 0)]" => batch["targets"]["one"]["up"] == 0,
                "$.targets[?(@.tls.days_left)]" => paths.contains("tls.days_left"),
                "$.targets[?(@.time.connect)]" | "$.targets[*].time.connect" => {
                    paths.contains("time.connect")
                }
                _ => {
                    metric.is_some_and(|metric| paths.contains(metric))
                        || batch.pointer(&pointer).is_some()
                        || listeners.pointer(&pointer).is_some()
                }
            };
            assert!(known, "{}: {path} selects nothing", file.name());
        }
    }
}

#[test]
fn user_macros_are_declared_and_used_and_described() {
    for file in files() {
        let macros = file.template()["macros"].as_array().unwrap();
        let declared: BTreeSet<_> = macros
            .iter()
            .map(|one| text(&one["macro"]).to_owned())
            .collect();
        let (mut used, mut mentioned) = (BTreeSet::new(), BTreeSet::new());
        for (member, text) in file.texts() {
            let set = if matches!(&*member, "description" | "macro") {
                &mut mentioned
            } else {
                &mut used
            };
            set.extend(key::user_macros(&text));
        }
        assert_eq!(declared, used, "{}: declared and used", file.name());
        assert!(
            mentioned.is_subset(&declared),
            "{}: {mentioned:?}",
            file.name()
        );
        let stem = file.path.file_stem().unwrap().to_str().unwrap();
        let page = fs::read_to_string(zabbix().join(format!("{stem}.md"))).unwrap();
        for one in macros {
            assert!(text(&one["description"]).ends_with('.'), "{one}");
            assert!(
                page.contains(&format!("|{}|", text(&one["macro"]))),
                "{one} is not on the page"
            );
        }
    }
}

#[test]
fn lld_macros_are_those_of_the_rows() {
    // A row of a service that cannot be used has every macro.
    let config = ConfigFile::new("[services.broken]\nprot = 1\n");
    let ran = config.run(&["discover", "ports", "192.0.2.1", "22/broken"]);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    let (_open, listeners) = listeners(&[]);
    let names = |rows: &Value| -> BTreeSet<String> {
        let row = rows[0].as_object().unwrap();
        row.keys().cloned().collect()
    };
    for file in files() {
        let about_listeners = file.name().contains("listeners");
        let mut given = names(if about_listeners { &listeners } else { &rows });
        if file
            .steps("JAVASCRIPT")
            .iter()
            .any(|script| script.contains("row['{#TCP.DETAIL}'] ="))
        {
            given.insert("{#TCP.DETAIL}".to_owned());
        }
        let texts = file.texts();
        let used = texts
            .iter()
            .flat_map(|(_, text)| key::lld_macros(text))
            .map(str::to_owned)
            .collect::<BTreeSet<_>>();
        assert!(
            !used.is_empty() && used.is_subset(&given),
            "{}: {used:?}, rows have {given:?}",
            file.name()
        );
    }
}

#[test]
fn every_reference_exists() {
    for file in files() {
        let keys = file.keys();
        for object in file.keyed() {
            if let Some(master) = object["master_item"]["key"].as_str() {
                assert!(keys.contains(&master), "{}: no item {master}", file.name());
            }
        }
        let name = text(&file.template()["name"]);
        for trigger in file.triggers() {
            for member in ["expression", "recovery_expression", "event_name"] {
                let expression = trigger[member].as_str().unwrap_or_default();
                for asked in references(expression, name) {
                    assert!(
                        keys.iter().any(|key| asked.starts_with(*key)),
                        "{}: {asked}",
                        file.name()
                    );
                }
            }
        }
        for (member, text) in file.texts() {
            assert!(
                member != "host" || text == name,
                "{}: a widget or graph refers to {text}",
                file.name()
            );
        }
    }
}

/// What `discover listeners` prints, and a socket that listens meanwhile.
fn listeners(options: &[&str]) -> (TcpListener, Value) {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let arguments = [&["discover", "listeners"], options].concat();
    let ran = run(&arguments);
    let value = serde_json::from_str(&ran.out)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
    (open, value)
}

/// Zabbix would delete or disable its items before the problem is created.
#[test]
fn a_listener_that_disappeared_keeps_its_items() {
    let mut rules = 0;
    for file in files() {
        let rule = &file.template()["discovery_rules"][0];
        if rule["key"] != "tcp.listeners.discovery" {
            continue;
        }
        assert_eq!(rule["lifetime"], "{$TCP.LISTENER.KEEP}", "{}", file.name());
        let kept = ["6.0", "7.0"].map(|release| file.is_for(release));
        let disabled = rule["enabled_lifetime_type"] == "DISABLE_NEVER";
        assert_eq!(kept, [!disabled, disabled], "{}", file.name());
        rules += 1;
    }
    assert_eq!(rules, 4);
}

/// An override that matches no prototype has no effect, and Zabbix reports no error.
#[test]
fn overrides_select_the_prototypes_that_need_a_probe() {
    let mut overrides = 0;
    let of_listeners = |file: &File| file.name().contains("listeners");
    for file in files().into_iter().filter(of_listeners) {
        let rule = &file.template()["discovery_rules"][0];
        let entries = rule["overrides"].as_array().into_iter().flatten();
        for operation in entries.flat_map(|one| one["operations"].as_array().unwrap()) {
            let pattern = text(&operation["value"]);
            let ends = ends(pattern);
            let objects = match text(&operation["operationobject"]) {
                "ITEM_PROTOTYPE" => file.items(),
                _ => file.triggers(),
            };
            let matches = |one: &&&Value| ends.iter().any(|end| text(&one["name"]).ends_with(end));
            let selected: BTreeSet<_> = objects
                .iter()
                .filter(matches)
                .map(|object| uuid(object))
                .collect();
            let wanted = if pattern.contains("New listener") {
                is_new
            } else {
                is_probe
            };
            let expected = objects
                .iter()
                .filter(|one| wanted(one))
                .map(|object| uuid(object))
                .collect();
            assert_eq!(selected, expected, "{}: {pattern}", file.name());
            assert!(!selected.is_empty(), "{}: {pattern}", file.name());
            overrides += 1;
        }
    }
    assert_eq!(overrides, 12, "three operations in each of four files");
}

/// The ends of names that a pattern such as `: (A|B)$` matches.
fn ends(pattern: &str) -> Vec<String> {
    let inside = pattern
        .strip_prefix(": ")
        .and_then(|rest| rest.strip_suffix('$'));
    let inside = inside.unwrap_or_else(|| panic!("{pattern}: not `: ...$`"));
    inside
        .trim_matches(['(', ')'])
        .split('|')
        .map(|name| format!(": {name}"))
        .collect()
}

fn uuid(object: &Value) -> &str {
    text(&object["uuid"])
}

/// Whether an item or a trigger takes values from a probe.
fn is_probe(object: &Value) -> bool {
    let key = object["key"].as_str().unwrap_or_default();
    let expression = object["expression"].as_str().unwrap_or_default();
    key.starts_with("tcp.check[")
        || key.starts_with("tcp.listener.probe.")
        || expression.contains("/tcp.listener.probe.")
}

/// Whether a trigger reports a new listener.
fn is_new(trigger: &Value) -> bool {
    trigger["recovery_mode"] == "NONE"
}

/// The parts of an expression after `/template/` or `//`.
fn references<'e>(expression: &'e str, template: &str) -> Vec<&'e str> {
    let starts = [format!("/{template}/"), "(//".to_owned()];
    let found = starts
        .iter()
        .flat_map(|start| expression.match_indices(start.as_str()));
    found
        .map(|(at, start)| &expression[at + start.len()..])
        .collect()
}

#[test]
fn everything_is_described_and_tagged() {
    for file in files() {
        for object in file.keyed().into_iter().chain(file.triggers()) {
            let description = object["description"].as_str().unwrap_or_default();
            assert!(description.ends_with('.'), "{}: {object}", file.name());
        }
        for item in file.items() {
            assert_eq!(
                item["tags"][0]["tag"],
                "component",
                "{}: {item}",
                file.name()
            );
        }
        for trigger in file.triggers() {
            assert_eq!(
                trigger["tags"][0]["tag"],
                "scope",
                "{}: {trigger}",
                file.name()
            );
            assert!(
                text(&trigger["name"]).starts_with("TCP: "),
                "{}: {trigger}",
                file.name()
            );
        }
    }
}

/// A dependent item without a value becomes unsupported; a service that is down must not cause that.
#[test]
fn absent_values_cause_no_error() {
    let always = ["$.discovery"];
    for file in files() {
        for object in file.keyed() {
            for step in object["preprocessing"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|step| step["type"] == "JSONPATH")
            {
                let handled = step["error_handler"].is_string()
                    || always.contains(&text(&step["parameters"][0]));
                assert!(handled, "{}: {object}", file.name());
            }
        }
    }
}

#[test]
fn line_ends_are_those_of_an_export() {
    for File { path, text, .. } in files() {
        assert!(
            !text.contains('\t') && !text.contains('\r') && text.ends_with('\n'),
            "{}",
            path.display()
        );
    }
}
