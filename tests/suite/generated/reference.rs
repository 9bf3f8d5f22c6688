//! The reference pages, and the schema beside them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::{Arg, Command};
use zbx_tcp::cli::help::Page;
use zbx_tcp::failure::STATUSES;
use zbx_tcp::output::metrics::{METRICS, Unmeasured};

use super::config_keys::{self, SECTIONS};
use super::{Files, below, directory_is, published, schema};
use crate::readme::service_rows;

const MADE: &str = "<!-- Made by tests/suite/generated: see CONTRIBUTING.md. -->\n\n";

#[test]
fn references() {
    let pages = [
        ("commands.md", commands()),
        ("metrics.md", metrics()),
        ("statuses.md", statuses()),
        ("services.md", services()),
        ("config.md", config()),
    ];
    let mut files: Files = pages.into_iter().map(|(name, text)| (name.to_owned(), format!("{MADE}{text}"))).collect();
    files.insert("document.schema.json".to_owned(), schema::text());
    directory_is("docs/reference", &files);
}

/// A table of these rows.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<_> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let rows = rows.map(|row| line(&row.iter().map(|text| cell(text)).collect::<Vec<_>>()));
    format!("{}{}{}", line(&head), line(&rule), rows.collect::<String>())
}

/// A bar ends a cell, in code too; `<` begins a tag, but not in code.
fn cell(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let escaped: Vec<_> =
        parts.map(|(place, part)| if place % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() }).collect();
    escaped.join("`").replace('|', "\\|")
}

fn commands() -> String {
    let mut text = "# Commands and options\n".to_owned();
    for (path, command) in below(&published(), "") {
        text.push_str(&format!("\n## zbx-tcp {path}\n\n{}.\n", command.get_about().unwrap()));
        text.push_str(&format!("\n```\n{}\n```\n\n", usage(&command)));
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help");
        let rows: Vec<_> = shown.map(|arg| vec![spelling(arg), arg.get_help().unwrap().to_string()]).collect();
        if !rows.is_empty() {
            text.push_str(&table(&["word", "meaning"], rows.into_iter()));
            text.push('\n');
        }
        let page = Page::of(&path).unwrap();
        text.push_str("Exit status: ");
        let statuses: Vec<_> = page.exit.iter().map(|(code, meaning)| format!("{code} {meaning}")).collect();
        text.push_str(&format!("{}.\n\n```sh\n", statuses.join("; ")));
        for (what, words) in page.examples {
            text.push_str(&format!("# {what}\nzbx-tcp {words}\n"));
        }
        text.push_str("```\n");
    }
    text
}

fn usage(command: &Command) -> String {
    command.clone().render_usage().to_string().trim_start_matches("Usage: ").to_owned()
}

/// How a word is typed: `-o, --output WHAT`.
fn spelling(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().join(" ");
    if arg.is_positional() {
        return format!("`{values}`");
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let names: Vec<_> = short.into_iter().chain(arg.get_long().map(|long| format!("--{long}"))).collect();
    let takes = arg.get_action().takes_values();
    let value = match arg.is_require_equals_set() {
        true if takes => format!("[={values}]"),
        _ if takes => format!(" {values}"),
        _ => String::new(),
    };
    format!("`{}{value}`", names.join(", "))
}

fn metrics() -> String {
    let rows = METRICS.iter().map(|metric| {
        let unmeasured = match metric.unmeasured {
            Unmeasured::Zero => "`0`",
            Unmeasured::Empty => "an empty line",
            Unmeasured::Reason => "`STATUS_NAME: error`",
        };
        vec![format!("`{}`", metric.path), metric.unit.to_owned(), metric.help.to_owned(), unmeasured.to_owned()]
    });
    format!(
        "# Metrics\n\n`-o PATH` prints one, `-o json` all that were measured ([schema](document.schema.json)). Names, types \
         and units stay for ever; new metrics may come.\n\n{}\n`captures.NAME` is what the group `NAME` of an expression \
         captured; where it captured nothing, `STATUS_NAME: error`.\n",
        table(&["metric", "unit", "meaning", "not measured, alone"], rows)
    )
}

fn statuses() -> String {
    let rows = STATUSES.iter().map(|row| {
        let told = if row.status.is_unknown() { "no" } else { "yes" };
        vec![
            row.status.code().to_string(),
            format!("`{}`", row.name),
            row.meaning.into(),
            told.into(),
            row.advice.into(),
        ]
    });
    let head = ["status", "name", "meaning", "says something of the target", "what to look at"];
    format!("# Statuses\n\nThe numbers never change.\n\n{}", table(&head, rows))
}

fn services() -> String {
    format!(
        "# Built-in services\n\nSent and expected, in order; `\\r\\n` and the like are single bytes. `zbx-tcp services NAME` \
         says the same of one.\n\n{}\n",
        service_rows().join("\n")
    )
}

fn config() -> String {
    let mut text =
        "# Keys of the configuration\n\n`/etc/zbx-tcp/config.toml` and `/etc/zbx-tcp/conf.d/*.toml`, or the file \
                    that `--config` or `ZBX_TCP_CONFIG` names. `zbx-tcp services --check` says what is wrong.\n"
            .to_owned();
    for section in &SECTIONS {
        text.push_str(&format!("\n## {}\n\n", section.title));
        let rows = section
            .keys
            .iter()
            .map(|(key, value, meaning)| vec![format!("`{key}`"), format!("`{value}`"), (*meaning).to_owned()]);
        text.push_str(&table(&["key", "such as", "meaning"], rows));
    }
    text
}

/// Every key that the sources of the configuration read is described, and nothing else.
#[test]
fn every_key_of_the_configuration_is_described() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings/config");
    let mut read = BTreeSet::new();
    for file in ["options.rs", "service.rs", "target.rs"] {
        let text = fs::read_to_string(sources.join(file)).unwrap();
        let code =
            text.split("#[cfg(test)]").next().unwrap().lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let quoted = line.split('"').skip(1).step_by(2);
            let is_key =
                |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            read.extend(quoted.filter(is_key).map(str::to_owned));
        }
    }
    let described: BTreeSet<_> =
        SECTIONS.iter().flat_map(|section| section.keys).map(|(key, ..)| (*key).to_owned()).collect();
    assert_eq!(read, described, "config_keys.rs and src/settings/config differ");
}

/// What the reference gives as an example is understood.
#[test]
fn every_example_of_a_key_is_understood() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    let secret = home.path().join("password");
    write_secret(&secret);
    for (section, (key, value, _)) in
        SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)))
    {
        let text = config_keys::written(section, key, value);
        fs::write(&file, text.replace("/etc/zbx-tcp/till.password", secret.to_str().unwrap())).unwrap();
        let ran = crate::program::run(&["services", "--check", "--config", file.to_str().unwrap()]);
        assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)), "{} {key} = {value}", section.title);
    }
}

/// The samples that packages install: as they are, and with every setting in force.
#[test]
fn the_samples_are_understood() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/etc");
    let home = tempfile::tempdir().unwrap();
    let sample = fs::read_to_string(samples.join("config.toml.sample")).unwrap();
    let secret = home.path().join("till.password");
    write_secret(&secret);
    let active: String = sample
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.is_empty() && !is_prose(rest)).unwrap_or(line))
        .map(|line| format!("{line}\n").replace("/etc/zbx-tcp/till.password", secret.to_str().unwrap()))
        .collect();
    let file = home.path().join("config.toml");
    for (text, says) in [(sample, "ok: 0 services, 0 target entries\n"), (active, "ok: 1 services, 1 target entries\n")]
    {
        fs::write(&file, &text).unwrap();
        let ran = crate::program::run(&["services", "--check", "--config", file.to_str().unwrap()]);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), (says, ""), "{text}");
    }
    let policy = fs::read(samples.join("policy.toml.sample")).unwrap();
    let policy = zbx_tcp::policy::Policy::from_text(&policy);
    let judged = |address: &str, port| {
        let port = zbx_tcp::target::Port::new(port).unwrap();
        format!("{:?}", policy.decide(address.parse().unwrap(), port))
    };
    assert!(judged("10.0.0.1", 22).contains("Allow"), "{}", judged("10.0.0.1", 22));
    assert!(judged("10.0.66.1", 22).contains("Deni"), "{}", judged("10.0.66.1", 22));
}

/// A secret's file has to be there, and not for everybody.
fn write_secret(path: &Path) {
    fs::write(path, "open sesame").unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o640)).unwrap();
}

/// Prose begins with one blank; a setting with none, or, inside a list, with four.
fn is_prose(rest: &str) -> bool {
    rest.starts_with(' ') && (!rest.starts_with("    ") || rest.trim_start().starts_with("cp "))
}
