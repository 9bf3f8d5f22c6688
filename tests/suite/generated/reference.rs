//! The reference pages, and the schema beside them.

use clap::{Arg, Command};
use zbx_tcp::cli::help::HelpPage;
use zbx_tcp::failure::STATUSES;
use zbx_tcp::output::metrics::{METRICS, Unmeasured};

use super::{Files, below, config, directory_is, published, schema};
use crate::readme::service_rows;

const MADE: &str = "<!-- Made by tests/suite/generated: see CONTRIBUTING.md. -->\n\n";

#[test]
fn references() {
    let pages = [
        ("commands.md", commands()),
        ("metrics.md", metrics()),
        ("statuses.md", statuses()),
        ("services.md", services()),
        ("config.md", config::page()),
    ];
    let mut files: Files = pages
        .into_iter()
        .map(|(name, text)| (name.to_owned(), format!("{MADE}{text}")))
        .collect();
    files.extend(schema::files());
    directory_is("docs/reference", &files);
}

/// A table of these rows.
pub fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<_> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let rows = rows.map(|row| line(&row.iter().map(|text| cell(text)).collect::<Vec<_>>()));
    format!("{}{}{}", line(&head), line(&rule), rows.collect::<String>())
}

/// A bar ends a cell, in code too; `<` begins a tag, but not in code.
fn cell(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let escaped: Vec<_> = parts
        .map(|(place, part)| {
            if place % 2 == 0 {
                part.replace('<', "\\<")
            } else {
                part.to_owned()
            }
        })
        .collect();
    escaped.join("`").replace('|', "\\|")
}

fn commands() -> String {
    let mut text = "# Commands and options\n".to_owned();
    for (path, command) in below(&published(), "") {
        text.push_str(&format!(
            "\n## zbx-tcp {path}\n\n{}.\n",
            command.get_about().unwrap()
        ));
        text.push_str(&format!("\n```\n{}\n```\n\n", usage(&command)));
        let shown = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help");
        let rows: Vec<_> = shown
            .map(|arg| vec![spelling(arg), arg.get_help().unwrap().to_string()])
            .collect();
        if !rows.is_empty() {
            text.push_str(&table(&["word", "meaning"], rows.into_iter()));
            text.push('\n');
        }
        let page = HelpPage::of(&path).unwrap();
        text.push_str("Exit status: ");
        let statuses: Vec<_> = page
            .exit
            .iter()
            .map(|(code, meaning)| format!("{code} {meaning}"))
            .collect();
        text.push_str(&format!("{}.\n\n```sh\n", statuses.join("; ")));
        for (what, words) in page.examples {
            text.push_str(&format!("# {what}\nzbx-tcp {words}\n"));
        }
        text.push_str("```\n");
    }
    text
}

fn usage(command: &Command) -> String {
    command
        .clone()
        .render_usage()
        .to_string()
        .trim_start_matches("Usage: ")
        .to_owned()
}

/// How a word is typed: `-o, --output WHAT`.
fn spelling(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().join(" ");
    if arg.is_positional() {
        return format!("`{values}`");
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let names: Vec<_> = short
        .into_iter()
        .chain(arg.get_long().map(|long| format!("--{long}")))
        .collect();
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
        vec![
            format!("`{}`", metric.path),
            metric.unit.to_owned(),
            metric.help.to_owned(),
            unmeasured.to_owned(),
        ]
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
    let head = [
        "status",
        "name",
        "meaning",
        "says something of the target",
        "what to look at",
    ];
    format!(
        "# Statuses\n\nThe numbers never change.\n\n{}",
        table(&head, rows)
    )
}

fn services() -> String {
    format!(
        "# Built-in services\n\nSent and expected, in order; `\\r\\n` and the like are single bytes. `zbx-tcp services NAME` \
         says the same of one.\n\n{}\n",
        service_rows().join("\n")
    )
}
