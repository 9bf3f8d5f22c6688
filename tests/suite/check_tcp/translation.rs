//! The translation of `check_tcp`'s options to ours; each row names the cases that show it.

use super::cases::CASES;
use crate::readme::table_is;

/// A row: the option of `check_tcp`, ours, and the cases that use both.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("-H HOST -p PORT", "`HOST PORT`", &["connect", "refused"]),
    ("-H /run/x.sock", "not here: TCP only", &[]),
    (
        "-s TEXT",
        "`--send TEXT` (escapes always count), `--send-hex`, as often as needed, in order",
        &["conversation", "send-twice"],
    ),
    (
        "-E",
        "not needed: escapes always count, here in what is expected too",
        &["escapes", "newline-expected"],
    ),
    (
        "-e TEXT",
        "`--expect TEXT`, `--expect-prefix`, `--expect-regex`, `--expect-hex`",
        &["expect", "mismatch", "nul-first", "any"],
    ),
    (
        "-e A -e B",
        "`--expect-regex 'A\\|B'`, or a service with `expect_any = [\"A\", \"B\"]`",
        &["any", "any-service"],
    ),
    (
        "-A -e A -e B",
        "`--expect A --expect B` in this order; in any order a service with `expect_all = [\"A\", \"B\"]`",
        &["all", "all-in-order"],
    ),
    ("-q TEXT", "`--quit TEXT --crlf`", &["quit"]),
    ("-E -q TEXT", "`--quit TEXT`", &[]),
    (
        "-r ok",
        "`--expect-closed`, if the port is to be closed",
        &["refuse-ok"],
    ),
    ("-r warn", "a trigger on `-o status` 3", &[]),
    ("-M ok", "none: leave the expectation out", &["mismatch-ok"]),
    (
        "-M warn",
        "a trigger on `-o status` 9, of the severity you want",
        &[],
    ),
    ("-m N", "`--max-bytes N`", &["max-bytes"]),
    (
        "-d N",
        "not needed: answers are read as they come",
        &["delay"],
    ),
    (
        "-w N",
        "a trigger on `-o time.total` (or `time.connect`, `time.first_byte`)",
        &["slow"],
    ),
    ("-c N", "the same, of a higher severity", &[]),
    (
        "-t N",
        "`--timeout N`, default 2.5 s",
        &["timeout", "fraction"],
    ),
    ("-4", "`-4`", &["ipv4"]),
    ("-6", "`-6`", &[]),
    (
        "-j",
        "any `-o` other than `text`, `json` and `response.text`",
        &["jail"],
    ),
    ("-v", "`-o text -v`", &[]),
    ("-S", "not in this version", &[]),
    ("-D N", "not in this version", &[]),
    ("--sni NAME", "not in this version", &[]),
    (
        "--extra-opts",
        "`--config FILE` and `--service NAME`",
        &["all", "any-service"],
    ),
];

#[test]
fn the_translation_table_is_in_the_readme() {
    let head = ["| check_tcp | zbx-tcp check |", "| --- | --- |"].map(str::to_owned);
    let rows = ROWS
        .iter()
        .map(|(theirs, ours, _)| format!("| `{theirs}` | {ours} |"));
    table_is(
        "check_tcp options",
        &head.into_iter().chain(rows).collect::<Vec<_>>(),
    );
}

#[test]
fn each_row_of_the_translation_has_cases() {
    for (theirs, ours, names) in ROWS {
        for name in *names {
            let case = CASES
                .iter()
                .find(|case| case.name == *name)
                .unwrap_or_else(|| panic!("no case {name}"));
            let option = theirs.split(' ').next().unwrap();
            // Cases do not show the host, the port and configuration files in their arguments.
            let implied = matches!(option, "-H" | "--extra-opts");
            assert!(
                implied || case.theirs.contains(&option),
                "{name} does not use {option}"
            );
            let named = ours.split(['`', ' ']).filter(|word| word.starts_with("--"));
            let mut named = named.peekable();
            let used = named.peek().is_none() || named.any(|word| case.ours.contains(&word));
            assert!(
                used || ours.contains("a service"),
                "{name} uses nothing of {ours}"
            );
        }
    }
}

#[test]
fn our_options_of_the_translation_exist() {
    let help = crate::program::run(&["check", "--help"]).out;
    for (_, ours, _) in ROWS {
        for option in ours.split(['`', ' ']).filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{option}");
        }
    }
}

#[test]
fn every_check_tcp_option_is_translated() {
    let Ok(output) = std::process::Command::new(super::CHECK_TCP)
        .arg("--help")
        .output()
    else {
        return crate::support::skip("no check_tcp (Debian: monitoring-plugins-basic)");
    };
    let help = String::from_utf8(output.stdout).unwrap();
    let short = help
        .lines()
        .filter_map(|line| line.strip_prefix(" -")?.chars().next());
    let missing: Vec<_> = short
        .filter(|letter| !matches!(letter, 'h' | 'V' | '-'))
        .filter(|letter| {
            let option = format!("-{letter}");
            !ROWS
                .iter()
                .any(|(theirs, ..)| theirs.split(' ').any(|word| word == option))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
