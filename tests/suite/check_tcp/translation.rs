//! Translates options of `check_tcp` to ours; each row names the cases that test it.

use super::cases::CASES;
use crate::readme::table_is;

/// A row: options of `check_tcp`, what replaces them, and the cases that use both.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("-H HOST -p PORT", "`HOST PORT`", &["connect", "refused"]),
    ("-H /run/x.sock", "not supported: TCP only", &[]),
    (
        "-s TEXT",
        "`--send TEXT` or `--send-hex HEX`, repeatable; escapes are always interpreted",
        &["conversation", "send-twice"],
    ),
    (
        "-E",
        "not needed: escapes are always interpreted, also in expected text",
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
        "`--expect A --expect B` for this order; for any order, a service with `expect_all = [\"A\", \"B\"]`",
        &["all", "all-in-order"],
    ),
    ("-q TEXT", "`--quit TEXT --crlf`", &["quit"]),
    ("-E -q TEXT", "`--quit TEXT`", &[]),
    (
        "-r ok",
        "`--expect-closed`, if the port must be closed",
        &["refuse-ok"],
    ),
    ("-r warn", "a trigger on status 3 (`-o status`)", &[]),
    ("-M ok", "omit the expectation", &["mismatch-ok"]),
    (
        "-M warn",
        "a trigger on status 9 (`-o status`), with any severity",
        &[],
    ),
    ("-m N", "`--max-bytes N`", &["max-bytes"]),
    (
        "-d N",
        "not needed: answers are read when they arrive",
        &["delay"],
    ),
    (
        "-w N",
        "a trigger on `-o time.total` (or `time.connect`, `time.first_byte`)",
        &["slow"],
    ),
    ("-c N", "as for `-w`, with a higher severity", &[]),
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
    (
        "-S",
        "`--tls --tls-report-only`; without `--tls-report-only`, an untrusted certificate is a failure",
        &[],
    ),
    ("-D N", "a trigger on `-o tls.days_left`", &[]),
    (
        "--sni NAME",
        "`--sni NAME`; the certificate must match this name",
        &[],
    ),
    (
        "--extra-opts",
        "`--config FILE` and `--service NAME`",
        &["all", "any-service"],
    ),
];

#[test]
fn the_translation_table_is_in_the_docs() {
    let head = ["| check_tcp | zbx-tcp check |", "| --- | --- |"].map(str::to_owned);
    let rows = ROWS
        .iter()
        .map(|(theirs, ours, _)| format!("| `{theirs}` | {ours} |"));
    table_is(
        "docs/check_tcp.md",
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
            // The host, the port and the configuration file are not among the arguments of a case.
            let implied = matches!(option, "-H" | "--extra-opts");
            assert!(
                implied || case.theirs.contains(&option),
                "{name} does not use {option}"
            );
            let named = ours
                .split(['`', ' '])
                .filter(|option| option.starts_with("--"));
            let mut named = named.peekable();
            let used = named.peek().is_none() || named.any(|option| case.ours.contains(&option));
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
        for option in ours
            .split(['`', ' '])
            .filter(|option| option.starts_with("--"))
        {
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
                .any(|(theirs, ..)| theirs.split(' ').any(|part| part == option))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
