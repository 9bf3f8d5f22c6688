//! Files that are generated from the code: man pages, completions, the reference and the schemas.
//!
//! They are generated here and not by the program, so that it does not grow for them. They are committed, so that
//! packages can be built from the binary alone. `UPDATE_GENERATED=1 cargo test --test suite generated` updates them.

mod completions;
mod config;
mod config_keys;
mod man;
mod reference;
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::Command;
use zbx_tcp::cli::help;

/// Texts by the names of their files.
type Files = BTreeMap<String, String>;

/// The command line, with a version that does not name a commit.
fn published() -> Command {
    help::command().version(env!("CARGO_PKG_VERSION"))
}

/// Every visible subcommand, at any depth, with its path such as `discover ports`.
fn subcommands(command: &Command, path: &str) -> Vec<(String, Command)> {
    let visible = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let with_nested = visible.flat_map(|command| {
        let path = format!("{path} {}", command.get_name())
            .trim_start()
            .to_owned();
        let nested = subcommands(command, &path);
        std::iter::once((path, command.clone())).chain(nested)
    });
    with_nested.collect()
}

/// Asserts that a directory has exactly these files; with `UPDATE_GENERATED=1` writes them.
#[track_caller]
fn assert_directory(directory: &str, wanted: &Files) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        for (name, text) in wanted {
            fs::write(path.join(name), text).unwrap();
        }
    }
    let hint = "run `UPDATE_GENERATED=1 cargo test --test suite generated` and commit what changed";
    let found = fs::read_dir(&path).unwrap_or_else(|error| panic!("{directory}: {error}: {hint}"));
    let names: Vec<_> = found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in &names {
        assert!(
            wanted.contains_key(name),
            "{directory}/{name} is no longer generated: {hint}"
        );
    }
    for (name, text) in wanted {
        let committed = fs::read_to_string(path.join(name)).unwrap_or_default();
        assert!(
            committed == *text,
            "{directory}/{name} is out of date: {hint}"
        );
    }
}

#[test]
fn every_command_has_a_help_page() {
    let commands = subcommands(&published(), "");
    assert!(
        commands.len() > 4 && commands.iter().any(|(path, _)| path.contains(' ')),
        "the subcommands were not built"
    );
    for (path, _) in &commands {
        let page = help::HelpPage::of(path)
            .unwrap_or_else(|| panic!("`{path}` has no row in cli::help::PAGES"));
        assert!(!page.examples.is_empty() && !page.exit.is_empty(), "{path}");
    }
    for page in help::PAGES.iter().filter(|page| !page.command.is_empty()) {
        assert!(
            commands.iter().any(|(path, _)| path == page.command),
            "{}: no such command",
            page.command
        );
    }
}

#[test]
fn every_example_is_valid() {
    for (purpose, example) in help::PAGES.iter().flat_map(|page| page.examples) {
        // The example is written for a shell: bash splits it, an argument per line.
        let script = format!("printf '%s\\n' zbx-tcp {example}");
        let split = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        let arguments = String::from_utf8(split.stdout).unwrap();
        let parsed = published().try_get_matches_from(arguments.lines());
        assert!(
            parsed.is_ok(),
            "{purpose}: {arguments}: {}",
            parsed.unwrap_err()
        );
    }
}
