//! The templates, without a Zabbix: their value maps are the program's statuses, their UUIDs are listed for ever.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use zbx_tcp::failure::STATUSES;

fn zabbix() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zabbix")
}

/// Every template file, with its text.
fn templates() -> Vec<(PathBuf, String)> {
    let releases = fs::read_dir(zabbix()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = releases.flat_map(|release| fs::read_dir(release).unwrap().map(|entry| entry.unwrap().path()));
    let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let found: Vec<_> = yaml.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    assert!(!found.is_empty(), "no templates");
    found
}

/// The value after `key:` on a line, without quotes.
fn value<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    let rest = line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(':')?;
    Some(rest.trim().trim_matches('\''))
}

#[test]
fn the_value_map_is_the_table_of_statuses() {
    for (path, text) in templates() {
        let (_, maps) = text.split_once("valuemaps:\n").expect("value maps");
        let (_, map) = maps.split_once("name: 'TCP probe status'\n").expect("the value map");
        let lines: Vec<_> = map.lines().collect();
        let values = lines.iter().filter_map(|line| value(line, "value"));
        let names = lines.iter().filter_map(|line| value(line, "newvalue"));
        let pairs: Vec<_> = values.zip(names).map(|(value, name)| format!("{value} {name}")).collect();
        let expected: Vec<_> = STATUSES.iter().map(|row| format!("{} {}", row.status.code(), row.name)).collect();
        assert_eq!(pairs, expected, "{}", path.display());
    }
}

#[test]
fn every_uuid_is_listed_and_stays() {
    let list = fs::read_to_string(zabbix().join("uuids.txt")).unwrap();
    let listed: Vec<_> =
        list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next()).collect();
    let unique: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a uuid is listed twice");
    for uuid in &listed {
        assert!(uuid.len() == 32 && uuid.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{uuid}");
    }
    for (path, text) in templates() {
        let used: BTreeSet<_> = text.lines().filter_map(|line| value(line, "uuid")).collect();
        assert!(used.len() > 5, "{}", path.display());
        let missing: Vec<_> = used.difference(&unique).collect();
        assert!(missing.is_empty(), "{}: add to uuids.txt {missing:?}", path.display());
    }
}
