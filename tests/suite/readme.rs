//! The README is executed: its console blocks print what they show, and its tables match the
//! program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use zbx_tcp::failure::STATUSES;
use zbx_tcp::output::metrics::METRICS;

use crate::fixed_ports::isolated;

fn readme() -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The lines of all console blocks, in their order.
fn console(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    for block in text.split("```console\n").skip(1) {
        lines.extend(block.split("\n```").next().unwrap().lines());
    }
    lines
}

/// Masks what differs between runs: numbers, and the bars drawn from them.
fn masked(line: &str) -> String {
    let mut masked = String::new();
    let mut in_number = false;
    for character in line.trim_end().chars() {
        let digit = character.is_ascii_digit() || (in_number && character == '.');
        if digit && !in_number {
            masked.push('#');
        }
        in_number = digit;
        if !digit && !('\u{2588}'..='\u{258f}').contains(&character) {
            masked.push(character);
        }
    }
    // Microseconds or milliseconds, and the width they are printed in, depend on the machine.
    let words: Vec<_> = masked
        .replace("# us", "# ms")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    words.join(" ")
}

/// Writes the files that the page shows: TOML blocks whose first line is their name.
fn write_files(text: &str, home: &Path) {
    for block in text.split("```toml\n# ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        fs::write(
            home.join(name),
            format!("# {name}\n{}\n", rest.split("\n```").next().unwrap()),
        )
        .unwrap();
    }
}

#[test]
fn console_blocks_print_what_they_show() {
    let (_, text) = readme();
    let lines = console(&text);
    let commands: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    assert!(commands.len() > 10, "the README lost its examples");
    let script: String = commands
        .iter()
        .map(|command| format!("echo '$' {}\n{command}\n", shell_word(command)))
        .collect();
    let home = tempfile::tempdir().unwrap();
    write_files(&text, home.path());
    let program = Path::new(env!("CARGO_BIN_EXE_zbx-tcp")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    // The page names its ports.
    let (mut shell, _lock) = isolated("bash");
    shell
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .current_dir(home.path())
        .env("PATH", path)
        .stdin(Stdio::null());
    let output = shell.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<_> = printed
        .lines()
        .filter(|line| !line.contains("Terminated"))
        .map(masked)
        .collect();
    let expected: Vec<_> = lines.iter().map(|line| masked(line)).collect();
    assert_eq!(printed, expected, "the README and the program differ");
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Asserts the table between two markers; with `UPDATE_README=1` writes it.
pub fn table_is(marker: &str, rows: &[String]) {
    /// Serializes tests that update the page.
    static PAGE: Mutex<()> = Mutex::new(());
    let _alone = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let (path, text) = readme();
    let (start, end) = (
        format!("<!-- {marker} -->\n"),
        format!("<!-- /{marker} -->"),
    );
    let (before, rest) = text.split_once(&start).expect(marker);
    let (table, after) = rest.split_once(&end).expect(marker);
    let wanted = rows.join("\n") + "\n";
    if table != wanted && std::env::var_os("UPDATE_README").is_some() {
        fs::write(path, format!("{before}{start}{wanted}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(table, wanted, "run the suite once with UPDATE_README=1");
}

#[test]
fn tables_match_the_program() {
    let head = ["| status | name | meaning |", "| --- | --- | --- |"].map(str::to_owned);
    let rows = STATUSES.iter().map(|row| {
        format!(
            "| {} | `{}` | {} |",
            row.status.code(),
            row.name,
            row.meaning
        )
    });
    table_is(
        "statuses",
        &head.into_iter().chain(rows).collect::<Vec<_>>(),
    );
    let head = ["| metric | unit | meaning |", "| --- | --- | --- |"].map(str::to_owned);
    let rows = METRICS
        .iter()
        .map(|metric| format!("| `{}` | {} | {} |", metric.path, metric.unit, metric.help));
    table_is("metrics", &head.into_iter().chain(rows).collect::<Vec<_>>());
}

/// One row of the table of services, from `services -o json`.
fn service_row(service: &serde_json::Value) -> String {
    let text = |key: &str| service[key].as_str().unwrap().to_owned();
    let port = service["port"]
        .as_u64()
        .map_or_else(|| "-".to_owned(), |port| port.to_string());
    let steps = service["steps"].as_array().unwrap().iter().map(|step| {
        let (word, rest) = step.as_str().unwrap().split_once(' ').unwrap();
        format!("{word} {}", rest.trim_start())
    });
    let steps: Vec<_> = steps.collect();
    // A `|` ends a cell, even in code.
    let cell = |text: String| text.replace('|', "\\|");
    format!(
        "| `{}` | {port} | {} | {} |",
        text("name"),
        cell(text("description")),
        cell(steps.join("<br>"))
    )
}

/// The table of built-in services.
pub fn service_rows() -> Vec<String> {
    let ran = crate::program::run(&["services", "-o", "json"]);
    let services: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
    assert!(
        services.len() > 15 && services.iter().all(|service| service["built_in"] == true),
        "{}",
        ran.out
    );
    let head = [
        "| service | port | what it is | what is sent and expected |",
        "| --- | --- | --- | --- |",
    ];
    head.map(str::to_owned)
        .into_iter()
        .chain(services.iter().map(service_row))
        .collect()
}

#[test]
fn the_table_of_services_matches_the_program() {
    // The steps are long, and are in the reference only.
    let format_duration =
        |row: &String| row.splitn(5, " | ").take(3).collect::<Vec<_>>().join(" | ") + " |";
    table_is(
        "services",
        &service_rows()
            .iter()
            .map(format_duration)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_demo_shows_each_announced_result() {
    let ran = crate::program::run(&["demo"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)), "{}", ran.out);
    for part in [
        "is up",
        "DOWN: refused",
        "DOWN: connect_timeout",
        "DOWN: mismatch",
        "1 SYN was retransmitted",
        "$ zbx-tcp batch",
        "5 targets: 2 up, 3 down",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(ran.took.as_secs() < 5, "{:?}", ran.took);
}
