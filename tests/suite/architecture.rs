//! The rules of the architecture that a test can check.

mod imports;

use std::collections::BTreeMap;
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

/// The top-level module of a file.
fn top_module(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The top-level modules that a module may use besides itself.
fn may_use(module: &str) -> Option<&'static [&'static str]> {
    Some(match module {
        "escape" | "failure" | "plugin" | "stats" | "suggest" | "tls_facts" => &[],
        "address" => &["escape"],
        "path_facts" => &["failure"],
        "fast_fmt" => &["address"],
        "os" => &["escape", "failure"],
        "listeners" => &["escape", "os"],
        "policy" => &["address", "os"],
        "plan" => &[
            "address",
            "escape",
            "failure",
            "fast_fmt",
            "policy",
            "tls_facts",
        ],
        "tls" => &["address", "escape", "failure", "os", "plan", "tls_facts"],
        "report" => &[
            "address",
            "failure",
            "path_facts",
            "plan",
            "stats",
            "tls_facts",
        ],
        "source" => &["plan"],
        "watch" => &["failure", "report", "tls_facts"],
        "engine" => &[
            "address",
            "escape",
            "failure",
            "os",
            "path_facts",
            "plan",
            "policy",
            "report",
            "source",
            "stats",
            "tls_facts",
        ],
        "output" => &[
            "address",
            "escape",
            "failure",
            "fast_fmt",
            "listeners",
            "path_facts",
            "plan",
            "report",
            "stats",
            "suggest",
            "tls_facts",
            "watch",
        ],
        "responder" => &["address", "escape", "failure", "os", "plan"],
        "cli" => &[
            "address",
            "escape",
            "failure",
            "output",
            "plan",
            "responder",
        ],
        "settings" => &[
            "address",
            "cli",
            "escape",
            "os",
            "output",
            "plan",
            "policy",
            "suggest",
            "tls",
            "tls_facts",
        ],
        "commands" | "main" | "lib" => return None,
        other => panic!("module `{other}` is not listed: say in lib.rs and here what it may use"),
    })
}

/// Names after `crate::` in code, without comments.
fn used_modules(text: &str) -> Vec<String> {
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
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(allowed) = may_use(top_module(&path)) else {
            continue;
        };
        for used in used_modules(&text) {
            if used != top_module(&path) && !used.is_empty() && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{path} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Asserts that only these files contain a text.
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
            "commands/check.rs",
            "os/standard_streams.rs",
            "engine/event_loop.rs",
            "responder/serve_loop.rs",
            "commands/path",
            "commands/batch",
            "commands/discover",
            "commands/doctor.rs",
            "commands/plugin",
            "commands/services",
        ],
    );
    only_in(
        ".elapsed()",
        &[
            "engine/event_loop/io.rs",
            "engine/event_loop/unread.rs",
            "commands/batch",
            "commands/discover",
            "commands/doctor.rs",
            "commands/plugin",
            "commands/services",
        ],
    );
}

#[test]
fn unsafe_code_is_in_os_only() {
    only_in("unsafe ", &["os/", "main.rs"]);
}

#[test]
fn system_constants_are_below_os() {
    // A connection's status is decided by the errno of connect(2), read(2) or write(2).
    only_in("libc::", &["os/", "engine/stream.rs"]);
}

#[test]
fn only_commands_print() {
    only_in("io::stdout()", &["commands"]);
    only_in("io::stderr()", &["commands"]);
    only_in("println!", &[]);
}

#[test]
fn every_module_is_in_the_crate_documentation() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let (page, modules) = map.split_once("\npub mod ").unwrap();
    for line in format!("pub mod {modules}")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
    {
        let name = line.trim_end_matches(';');
        assert!(
            page.contains(&format!("[`{name}`]")),
            "{name} is not in the documentation of lib.rs"
        );
    }
}

#[test]
fn no_module_uses_itself_through_others() {
    let circles = imports::circles(&imports::graph(&sources()));
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The keywords of a type declaration.
const DECLARATIONS: &[&str] = &["struct ", "enum ", "trait ", "type ", "union "];

#[test]
fn each_type_name_is_declared_once() {
    let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        // Top-level declarations are at the start of a line.
        for line in text.lines() {
            let declaration = line
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ");
            let declaration = match declaration.strip_prefix("pub(in ") {
                Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
                None => declaration,
            };
            let Some(rest) = DECLARATIONS
                .iter()
                .find_map(|word| declaration.strip_prefix(word))
            else {
                continue;
            };
            let name: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            declared.entry(name).or_default().push(path.clone());
        }
    }
    declared.retain(|_, places| places.len() > 1);
    assert!(declared.is_empty(), "declared twice: {declared:#?}");
}
