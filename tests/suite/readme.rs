//! README.md and the pages of `docs` are executed: console blocks print what the page shows, tables are compared with the
//! program. `UPDATE_README=1 cargo test --test suite` writes what differs into the pages.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::thread;

use zbx_tcp::failure::{STATUSES, StatusRow};
use zbx_tcp::output::faults::{self, FaultText};
use zbx_tcp::tls_facts::Fault;

use crate::fixed_ports::isolated;
use crate::links::{is_page, pages};

/// Pages with console blocks. They may run at the same time, so each page uses ports of its own.
const EXECUTED: &[&str] = &[
    "README.md",
    "README.zh-CN.md",
    "docs/accuracy.md",
    "docs/configuration.md",
    "docs/dialogues.md",
    "docs/listeners.md",
    "docs/many-targets.md",
    "docs/tls.md",
];
/// Pages are written one at a time.
static WRITING: Mutex<()> = Mutex::new(());

fn source(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(page)
}

fn read(page: &str) -> String {
    fs::read_to_string(source(page)).unwrap()
}

fn updates() -> bool {
    std::env::var_os("UPDATE_README").is_some()
}

/// Applies `change` to a page. Several tests may write to one page, so it is read again first.
fn rewrite(page: &str, change: impl Fn(String) -> String) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    fs::write(source(page), change(read(page))).unwrap();
}

/// The contents of all console blocks of a page, in order.
fn console_blocks(text: &str) -> Vec<&str> {
    let blocks = text.split("```console\n").skip(1);
    blocks
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect()
}

fn commands(block: &str) -> impl Iterator<Item = &str> {
    block.lines().filter_map(|line| line.strip_prefix("$ "))
}

/// Hides what differs from run to run: numbers, and the bars that are drawn from them.
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
    let parts: Vec<_> = masked
        .replace("# us", "# ms")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    parts.join(" ")
}

/// Writes the files that the page shows: TOML blocks whose first line is the file's name.
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

/// Runs all commands of a page in one shell. The result has the form of the page's blocks.
fn execute(text: &str) -> Vec<String> {
    let blocks = console_blocks(text);
    let mut script = "exec 2>&1\n".to_owned();
    for command in blocks.iter().flat_map(|block| commands(block)) {
        write!(script, "echo '$' {}\n{command}\n", shell_word(command)).unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    write_files(text, home.path());
    let program = Path::new(env!("CARGO_BIN_EXE_zbx-tcp")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    // The page names its ports.
    let (mut shell, _lock) = isolated("bash");
    let output = shell
        .args(["-c", &script])
        .current_dir(home.path())
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines = printed
        .lines()
        .filter(|line| !line.contains("Terminated"))
        .peekable();
    let mut results = Vec::new();
    for block in blocks {
        let mut result = Vec::new();
        for _ in commands(block) {
            result.extend(lines.next());
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                result.push(line);
            }
        }
        results.push(result.join("\n"));
    }
    results
}

fn masked_block(block: &str) -> Vec<String> {
    block.lines().map(masked).collect()
}

#[track_caller]
fn console_blocks_are_true(page: &str) {
    let text = read(page);
    let shown = console_blocks(&text);
    assert!(!shown.is_empty(), "{page} has no console blocks any more");
    for (shown, printed) in shown.into_iter().zip(execute(&text)) {
        let (expected, found) = (masked_block(shown), masked_block(&printed));
        if found != expected && updates() {
            rewrite(page, |text| text.replacen(shown, &printed, 1));
        } else {
            assert_eq!(
                found, expected,
                "{page}: correct it, or run the suite once with UPDATE_README=1"
            );
        }
    }
}

#[test]
fn console_blocks_print_what_the_pages_show() {
    thread::scope(|scope| {
        for page in EXECUTED {
            scope.spawn(|| console_blocks_are_true(page));
        }
    });
}

#[test]
fn every_page_with_console_blocks_is_executed() {
    let docs = fs::read_dir(source("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names
        .filter(|name| is_page(Path::new(name)))
        .map(|name| format!("docs/{name}"));
    for page in names.chain(["README.md".to_owned(), "zabbix/README.md".to_owned()]) {
        assert_eq!(
            !console_blocks(&read(&page)).is_empty(),
            EXECUTED.contains(&&*page),
            "{page}"
        );
    }
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The rows between the two markers of a page are these. With `UPDATE_README=1` they are written.
pub fn table_is(page: &str, marker: &str, rows: &[String]) {
    let (start, end) = (
        format!("<!-- {marker} -->\n"),
        format!("<!-- /{marker} -->"),
    );
    let text = read(page);
    let (_, rest) = text.split_once(&start).expect(marker);
    let (table, _) = rest.split_once(&end).expect(marker);
    let wanted = rows.join("\n") + "\n";
    if table != wanted && updates() {
        let (old, new) = (
            format!("{start}{table}{end}"),
            format!("{start}{wanted}{end}"),
        );
        rewrite(page, |text| text.replacen(&old, &new, 1));
        return;
    }
    assert_eq!(
        table, wanted,
        "{page}: run the suite once with UPDATE_README=1"
    );
}

#[test]
fn every_fault_is_explained() {
    let rows = Fault::ALL.map(|fault| {
        let FaultText { meaning, remedy } = faults::words(fault);
        format!("| `{}` | {meaning} | {remedy} |", fault.name())
    });
    let head = ["| fault | meaning | remedy |", "| --- | --- | --- |"].map(str::to_owned);
    table_is(
        "docs/tls.md",
        "faults",
        &head.into_iter().chain(rows).collect::<Vec<_>>(),
    );
}

/// The group of a status in the README.
fn group(row: StatusRow) -> &'static str {
    if row.status.is_unknown() {
        return "unknown: the state of the target could not be determined";
    }
    match row.status.code() {
        0 => "up",
        1..=5 => "no connection",
        _ => "connected, but the service did not behave as expected",
    }
}

#[test]
fn every_status_is_in_its_group() {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for row in STATUSES {
        let (name, status) = (group(row), format!("{} `{}`", row.status.code(), row.name));
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, statuses)) => statuses.push(status),
            None => groups.push((name, vec![status])),
        }
    }
    let rows = groups
        .into_iter()
        .map(|(name, statuses)| format!("| {name} | {} |", statuses.join(", ")));
    let head = ["| group | statuses |", "| --- | --- |"].map(str::to_owned);
    let table: Vec<_> = head.into_iter().chain(rows).collect();
    for page in ["README.md", "README.zh-CN.md"] {
        table_is(page, "statuses", &table);
    }
}

/// The built-in services, as `services -o json` prints them.
fn services() -> Vec<serde_json::Value> {
    let ran = crate::program::run(&["services", "-o", "json"]);
    let services: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
    assert!(
        services.len() > 15 && services.iter().all(|service| service["built_in"] == true),
        "{}",
        ran.out
    );
    services
}

fn port(service: &serde_json::Value) -> String {
    service["port"]
        .as_u64()
        .map_or_else(|| "-".to_owned(), |port| port.to_string())
}

/// One row of the reference's table.
fn service_row(service: &serde_json::Value) -> String {
    let text = |key: &str| service[key].as_str().unwrap().to_owned();
    let steps = service["steps"].as_array().unwrap().iter().map(|step| {
        let (kind, rest) = step.as_str().unwrap().split_once(' ').unwrap();
        format!("{kind} {}", rest.trim_start())
    });
    let steps: Vec<_> = steps.collect();
    // A bar would end the cell, in code too.
    let cell = |text: String| text.replace('|', "\\|");
    format!(
        "| `{}` | {} | {} | {} |",
        text("name"),
        port(service),
        cell(text("description")),
        cell(steps.join("<br>"))
    )
}

/// The reference's table of built-in services.
pub fn service_rows() -> Vec<String> {
    let head = [
        "| service | port | what it is | what is sent and expected |",
        "| --- | --- | --- | --- |",
    ];
    head.map(str::to_owned)
        .into_iter()
        .chain(services().iter().map(service_row))
        .collect()
}

#[test]
fn the_list_of_services_is_the_programs() {
    let services = services();
    let names: Vec<_> = services
        .iter()
        .map(|service| {
            format!(
                "`{}` ({})",
                service["name"].as_str().unwrap(),
                port(service)
            )
        })
        .collect();
    // Four in a line, so that a new service changes few lines.
    let mut lines: Vec<_> = names
        .chunks(4)
        .map(|names| format!("{},", names.join(", ")))
        .collect();
    let last = lines.last_mut().unwrap();
    last.pop();
    last.push('.');
    table_is("docs/configuration.md", "services", &lines);
    let number = format!("test {} protocols with", services.len());
    assert!(read("README.md").contains(&number), "README.md: {number}");
    let number = format!("captures, {} services |", services.len());
    assert!(read("README.md").contains(&number), "README.md: {number}");
}

#[test]
fn the_quick_start_is_two_commands() {
    let text = read("README.md");
    let (_, section) = text.split_once("\n## Quick start\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks: Vec<_> = section
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect();
    assert_eq!(blocks, ["cargo run --release -- demo", "./tests/run"]);
}

/// Every list of ports in the pages and templates is accepted by `discover ports`.
#[test]
fn documented_lists_of_ports_are_accepted() {
    let mut lists = std::collections::BTreeSet::new();
    let documents = pages(&source("")).into_iter();
    let conf = [
        "zabbix/agentd/zbx-tcp.conf",
        "packaging/etc/config.toml.sample",
    ]
    .map(source);
    let templates = crate::templates::file::files()
        .into_iter()
        .map(|file| file.path);
    for path in documents.chain(conf).chain(templates) {
        let text = fs::read_to_string(&path).unwrap();
        // A list with a service in it cannot be anything else.
        let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/,-_".contains(c)));
        lists.extend(
            parts
                .filter(|part| is_list_of_ports(part))
                .map(str::to_owned),
        );
    }
    assert!(lists.len() > 2, "{lists:?}");
    // The first is shown as an error, the second is for `discover open`.
    for list in ["22/ssh,8010-8000", "22/ssh,1-1024"] {
        assert!(lists.remove(list), "{list} is not documented any more");
    }
    for list in &lists {
        let ran = crate::program::run(&["discover", "ports", "192.0.2.1", list]);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{list}");
    }
}

/// Whether this is a list such as `22/ssh,25/smtp,443`, with at least one service.
fn is_list_of_ports(text: &str) -> bool {
    let entry = |entry: &str| {
        let (ports, service) = entry.split_once('/').unwrap_or((entry, "none"));
        let mut bounds = ports.split('-');
        bounds.all(|bound| !bound.is_empty() && bound.bytes().all(|byte| byte.is_ascii_digit()))
            && service.starts_with(|first: char| first.is_ascii_lowercase())
    };
    text.contains('/') && text.contains(',') && text.split(',').all(entry)
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
