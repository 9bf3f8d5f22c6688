//! Which source file uses which, read from the `use` statements.

use std::collections::{BTreeMap, BTreeSet};

/// Each module by its path, with the modules whose items it uses.
///
/// An item counts for the file that defines it, so a re-export adds no arrow. Paths that only say how far something is
/// visible (`pub(in ...)`), and the type that a child module adds methods to, add none either.
pub fn graph(sources: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<String, &str> = sources
        .iter()
        .map(|(path, text)| (module(path), text.as_str()))
        .collect();
    files
        .iter()
        .map(|(name, text)| {
            let used = paths(name, text)
                .into_iter()
                .filter_map(|path| owner(&files, &path, 0))
                .filter(|owner| owner != name && !adds_methods(text, owner, name))
                .collect();
            (name.clone(), used)
        })
        .collect()
}

/// Modules that use each other, directly or through others; each group sorted.
pub fn circles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reachable: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|start| (start.as_str(), reach(graph, start)))
        .collect();
    let mut found = BTreeSet::new();
    for (name, from_here) in &reachable {
        let group: Vec<String> = from_here
            .iter()
            .filter(|other| {
                reachable
                    .get(**other)
                    .is_some_and(|back| back.contains(name))
            })
            .map(|other| (*other).to_owned())
            .collect();
        if group.len() > 1 {
            found.insert(group);
        }
    }
    found.into_iter().collect()
}

fn reach<'g>(graph: &'g BTreeMap<String, BTreeSet<String>>, start: &str) -> BTreeSet<&'g str> {
    let mut seen = BTreeSet::new();
    let mut rest: Vec<&str> = graph[start].iter().map(String::as_str).collect();
    while let Some(next) = rest.pop() {
        if seen.insert(next) {
            rest.extend(graph[next].iter().map(String::as_str));
        }
    }
    seen
}

/// `engine/event_loop/admit.rs` is `engine::event_loop::admit`; `lib.rs` and `main.rs` keep their names.
fn module(path: &str) -> String {
    path.trim_end_matches(".rs").replace('/', "::")
}

/// The absolute paths, without `crate::`, that a file names.
fn paths(name: &str, text: &str) -> Vec<Vec<String>> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let here: Vec<String> = name.split("::").map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("use ") {
        let begins = at == 0 || rest[..at].ends_with(['\n', ' ', ')']);
        let Some(end) = rest[at..].find(';') else {
            break;
        };
        if begins {
            flatten(&rest[at + 4..at + end], &[], &mut found);
        }
        rest = &rest[at + 4..];
    }
    for inline in code.split("crate::").skip(1) {
        let path: String = inline
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
            .collect();
        let restricted = inline[path.len()..].starts_with(')');
        if !restricted {
            found.push(
                format!("crate::{path}")
                    .split("::")
                    .map(str::to_owned)
                    .collect(),
            );
        }
    }
    found
        .into_iter()
        .filter_map(|path| absolute(&here, &path))
        .collect()
}

/// Splits `a::{b, c::d}` into `a::b` and `a::c::d`.
fn flatten(tree: &str, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    if let Some((head, list)) = tree.split_once('{') {
        let mut prefix = prefix.to_vec();
        prefix.extend(
            head.split("::")
                .filter(|part| !part.trim().is_empty())
                .map(str::to_owned),
        );
        let list = list.trim_end().trim_end_matches('}');
        let (mut depth, mut start) = (0, 0);
        for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    if !list[start..at].trim().is_empty() {
                        flatten(&list[start..at], &prefix, found);
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let path = tree.split(" as ").next().unwrap_or_default();
    let own = path.split("::").map(|part| part.trim().to_owned());
    let full = prefix.iter().cloned().chain(own);
    found.push(full.filter(|part| part != "self").collect());
}

fn absolute(here: &[String], path: &[String]) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = here.get(..here.len().checked_sub(ups)?)?;
            Some([base, &path[ups..]].concat())
        }
        // A child module: `use table::Table`.
        _ => Some([here, path].concat()),
    }
}

/// The module whose file defines the item of this path.
fn owner(files: &BTreeMap<String, &str>, path: &[String], depth: usize) -> Option<String> {
    let known = (1..=path.len())
        .rev()
        .find(|length| files.contains_key(&path[..*length].join("::")))?;
    let name = path[..known].join("::");
    let Some(item) = path.get(known) else {
        return Some(name);
    };
    // Follow a re-export to where the item is defined.
    for exported in files[&name].split("pub use ").skip(1) {
        let mut all = Vec::new();
        flatten(
            exported.split(';').next().unwrap_or_default(),
            &[],
            &mut all,
        );
        let here: Vec<String> = name.split("::").map(str::to_owned).collect();
        let target = all.into_iter().find(|path| path.last() == Some(item));
        if let Some(target) = target.and_then(|path| absolute(&here, &path)) {
            if depth < 5 && target.len() > 1 {
                return owner(files, &target, depth + 1).or(Some(name));
            }
        }
    }
    Some(name)
}

/// Whether `parent`'s type gets methods in this file, which is all that it imports the parent for.
fn adds_methods(text: &str, parent: &str, name: &str) -> bool {
    let Some(parent_items) = name
        .strip_prefix(parent)
        .filter(|rest| rest.starts_with("::"))
        .map(|_| parent.rsplit("::").next().unwrap_or_default())
    else {
        return false;
    };
    let type_name: String = parent_items
        .split('_')
        .map(|part| part[..1].to_uppercase() + &part[1..])
        .collect();
    text.contains(&format!("impl {type_name}"))
        || text.contains(&format!("> {type_name}<"))
        || text.contains(&format!("impl<'_> {type_name}"))
}
