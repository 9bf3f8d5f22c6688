//! The rules of the house that a machine can hold.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file, by its path below `src`, without tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut rest, mut found): (Vec<PathBuf>, Vec<_>) = (vec![root.clone()], Vec::new());
    while let Some(path) = rest.pop() {
        if path.is_dir() {
            rest.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            let text = fs::read_to_string(&path).unwrap();
            let product = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap()
                .split("#[cfg(test)]\n#[allow")
                .next()
                .unwrap();
            found.push((
                path.strip_prefix(&root).unwrap().display().to_string(),
                product.to_owned(),
            ));
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The room of a file: the module right below the crate.
fn room(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The rooms that a room may use besides itself.
fn may_use(room: &str) -> Option<&'static [&'static str]> {
    Some(match room {
        "target" => &["printable"],
        "files" => &["printable"],
        "policy" => &["files", "target"],
        "plan" => &["policy", "printable", "target"],
        "failure" | "stats" | "start" | "nearest" | "printable" => &[],
        "report" => &["failure", "plan", "stats", "target"],
        "source" => &["plan"],
        "engine" => &[
            "failure",
            "plan",
            "policy",
            "printable",
            "report",
            "source",
            "stats",
            "target",
        ],
        "output" => &[
            "failure",
            "nearest",
            "plan",
            "printable",
            "report",
            "stats",
            "target",
        ],
        "responder" => &["failure", "plan", "printable", "target"],
        "cli" => &["output", "plan", "printable", "responder", "target"],
        "settings" => &[
            "cli",
            "engine",
            "files",
            "nearest",
            "output",
            "plan",
            "policy",
            "printable",
            "target",
        ],
        "commands" | "main" | "lib" => return None,
        other => {
            panic!("the room `{other}` is not in the map: say in lib.rs and here what it may use")
        }
    })
}

/// Names after `crate::` in code, comments left out.
fn used_rooms(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let names = code.split("crate::").skip(1);
    names
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(allowed) = may_use(room(&path)) else {
            continue;
        };
        for used in used_rooms(&text) {
            if used != room(&path) && !used.is_empty() && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{path} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Asserts that a text stands only in the files that may have it.
#[track_caller]
fn only_in(needle: &str, allowed: &[&str]) {
    for (path, text) in sources() {
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .any(|line| line.contains(needle));
        assert!(
            !code || allowed.iter().any(|place| path.starts_with(place)),
            "{path} has `{needle}`"
        );
    }
}

#[test]
fn the_clock_is_read_in_the_loop_only() {
    only_in(
        "Instant::now()",
        &[
            "engine/turn.rs",
            "responder/event_loop.rs",
            "commands/batch",
        ],
    );
    only_in(".elapsed()", &["engine/turn/traffic.rs", "commands/batch"]);
}

#[test]
fn unsafe_code_is_in_the_system_calls_and_the_start() {
    only_in("unsafe ", &["engine/sys.rs", "main.rs", "start.rs"]);
}

#[test]
fn only_commands_print() {
    only_in("io::stdout()", &["commands"]);
    only_in("io::stderr()", &["commands"]);
    only_in("println!", &[]);
}

#[test]
fn whoever_probes_chooses_a_policy() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let probes = path.starts_with("commands") && text.contains("engine::run(");
        if probes && !text.contains("Policy::") {
            wrong.push(path);
        }
    }
    assert!(
        wrong.is_empty(),
        "a plan allows everything until a command gives it `Policy::system()`: {wrong:?}"
    );
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let (page, modules) = map.split_once("\npub mod ").unwrap();
    for line in format!("pub mod {modules}")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
    {
        let name = line.trim_end_matches(';');
        assert!(
            page.contains(&format!("[`{name}`]")),
            "{name} is not on the map"
        );
    }
}
