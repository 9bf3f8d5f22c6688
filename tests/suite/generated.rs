//! Files that are made from the code and committed: man pages, completions, the references, the document's schema.
//!
//! They are made here and not by the program, which neither starts slower nor grows for them, and they are committed, so
//! that a package needs nothing but the binary. `UPDATE_GENERATED=1 cargo test --test suite generated` writes them anew.

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

/// The command line as it is published, without a commit in its version.
fn published() -> Command {
    help::command().version(env!("CARGO_PKG_VERSION"))
}

/// Every command below this one that is not hidden, with its words after `zbx-tcp`.
fn below(command: &Command, path: &str) -> Vec<(String, Command)> {
    let visible = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let with_its_own = visible.flat_map(|command| {
        let path = format!("{path} {}", command.get_name())
            .trim_start()
            .to_owned();
        let rest = below(command, &path);
        std::iter::once((path, command.clone())).chain(rest)
    });
    with_its_own.collect()
}

/// The files of this directory are exactly these; with `UPDATE_GENERATED=1` they become these.
#[track_caller]
fn directory_is(directory: &str, wanted: &Files) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        for (name, text) in wanted {
            fs::write(path.join(name), text).unwrap();
        }
    }
    let remedy =
        "run `UPDATE_GENERATED=1 cargo test --test suite generated` and commit what changed";
    let found =
        fs::read_dir(&path).unwrap_or_else(|error| panic!("{directory}: {error}: {remedy}"));
    let names: Vec<_> = found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in &names {
        assert!(
            wanted.contains_key(name),
            "{directory}/{name} is not generated any more: {remedy}"
        );
    }
    for (name, text) in wanted {
        let committed = fs::read_to_string(path.join(name)).unwrap_or_default();
        assert!(
            committed == *text,
            "{directory}/{name} is out of date: {remedy}"
        );
    }
}

#[test]
fn each_command_has_a_help_page() {
    let commands = below(&published(), "");
    assert!(
        commands.len() > 4 && commands.iter().any(|(path, _)| path.contains(' ')),
        "the commands were not built"
    );
    for (path, _) in &commands {
        let page = help::Page::of(path)
            .unwrap_or_else(|| panic!("`{path}` has no row in cli::help::PAGES"));
        assert!(!page.examples.is_empty() && !page.exit.is_empty(), "{path}");
    }
    for page in help::PAGES.iter().filter(|page| !page.command.is_empty()) {
        assert!(
            commands.iter().any(|(path, _)| path == page.command),
            "{}: there is no such command",
            page.command
        );
    }
}

#[test]
fn every_example_is_accepted() {
    for (what, words) in help::PAGES.iter().flat_map(|page| page.examples) {
        // The words are a shell's: bash splits them, one in a line.
        let script = format!("printf '%s\\n' zbx-tcp {words}");
        let split = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        let words = String::from_utf8(split.stdout).unwrap();
        let parsed = published().try_get_matches_from(words.lines());
        assert!(parsed.is_ok(), "{what}: {words}: {}", parsed.unwrap_err());
    }
}
