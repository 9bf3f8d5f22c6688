//! Usage errors: one line with what, where and the remedy; exit status 2; nothing sent.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use crate::program::{check, finish, program, run};
use crate::scripted_peer::{Peer, closed_port};

#[test]
fn invalid_targets_are_refused() {
    for (words, text) in [
        (&["h", "0"][..], "port `0` is not a number from 1 to 65535"),
        (&["h", "65536"], "1 to 65535"),
        (&["h", "70000"], "1 to 65535"),
        (&["h", "http"], "port `http`"),
        (&["h", "80x"], "port `80x`"),
        (&["h", ""], "no port for `h`"),
        (&["h"], "no port for `h`"),
        (&[], "missing argument <HOST[:PORT]>"),
        (&["", "80"], "the host is empty"),
        (&["h:80", "80"], "already contains a port"),
        (&["[::1", "80"], "in brackets"),
        (&["::1:80"], "[ADDRESS]:PORT"),
        (&["fe80::1", "80"], "link-local"),
        (&["fe80::1%nosuch0", "80"], "zone `nosuch0`"),
        (&["0x7f.1", "80"], "four decimal numbers"),
        (&["127.1", "80"], "four decimal numbers"),
        (&["例子.测试", "80"], "xn--"),
        (&["a\nb", "80"], "`a\\nb`"),
        (&["a\x1b[31mb", "80"], "\\x1b"),
        (&["h", "80", "80"], "unexpected argument"),
        (&["*UNKNOWN*", "80"], "no interface"),
    ] {
        check(words).refuses(text);
    }
    check(&[&"a".repeat(64), "80"]).refuses("DNS allows 63 bytes");
    check(&[&["abcdefgh"; 29].join("."), "80"]).refuses("260 bytes");
}

#[test]
fn invalid_options_are_refused() {
    let peer = Peer::greeting(b"x");
    let port = peer.port();
    for (words, text) in [
        (&["-t", "0"][..], "--timeout: `0`"),
        (&["-t", "-1"], "--timeout: `-1`"),
        (&["-t", "abc"], "--timeout: `abc`"),
        (&["-t", "1e9"], "--timeout: `1e9`"),
        (&["-t", "601"], "601 s is more than 600 s"),
        (&["-t", "1", "-t", "2"], "cannot be given more than once"),
        (&["-o", "time.conect"], "did you mean `time.connect`?"),
        (&["-o", "nonsense"], "unknown output `nonsense`"),
        (&["-o", "status,error"], "one output at a time; use `json`"),
        (&["-t", "2500"], "for milliseconds write `2500ms`"),
        (&["-t"], "`--timeout` requires a value"),
        (&["-o", "attempts.loss"], "requires --count"),
        (&["-v", "-o", "json"], "requires `-o text`"),
        (&["-v"], "requires `-o text`"),
        (&["-4", "-6"], "`-4` cannot be combined with `-6`"),
        (&["-6"], "-6: the target 127.0.0.1 is not an IPv6 address"),
        (&["--source", "192.0.2.77"], "not an address of this host"),
        (&["--source", "localhost"], "not an IPv4 or IPv6 address"),
        (&["--source", "0.0.0.0"], "--source"),
        (&["--source", "::1"], "is not an IPv6 address"),
        (&["--interface", "nosuch0"], "no interface `nosuch0`"),
        (&["-n", "0"], "--count: `0`"),
        (&["-n", "-3"], "--count: `-3`"),
        (&["-n", "x"], "--count: `x`"),
        (&["-n", "10001"], "--count: `10001`"),
        (&["--interval", "1"], "--interval: requires `--count`"),
        (&["--require", "1"], "--require: requires `--count`"),
        (
            &["-n", "2", "--require", "3"],
            "3 is greater than `--count` (2)",
        ),
        (
            &["-n", "9", "--require", "5", "-i", "1"],
            "do not fit into the deadline",
        ),
        (&["-n", "2", "--addresses", "all"], "remove one of them"),
        (&["--addresses", "some"], "`any`, `first` or `all`"),
        (&["--close", "gently"], "`fin` or `rst`"),
        (&["--expect-closed=maybe"], "--expect-closed"),
        (
            &["--expect-closed", "--send", "x"],
            "cannot be combined with `--send`",
        ),
        (&["--resolver", "magic"], "--resolver"),
        (&["--encoding", "klingon"], "unknown encoding `klingon`"),
        (&["--send", r"a\q"], r"--send: unknown escape `\q`"),
        (&["--expect", r"a\"], r"--expect: unknown escape `\`"),
        (&["--send", r"\x4"], r"unknown escape `\x4`"),
        (
            &["--encoding", "gbk", "--send", "\u{1f600}"],
            "does not exist in GBK",
        ),
        (&["--nonsense"], "unexpected argument `--nonsense`"),
        (&["--timeou", "1"], "did you mean `--timeout`?"),
    ] {
        check(&[&["127.0.0.1", &port], words].concat()).refuses(text);
    }
    assert_eq!(peer.accepted(), 0, "a usage error sends nothing");
}

#[test]
fn unknown_commands_are_refused() {
    run(&[]).refuses("no command");
    run(&["/nonexistent/socket", "true"]).refuses("unknown command `/nonexistent/socket`");
    run(&["serv", "8989"]).refuses("unknown command `serv`: did you mean `serve`?");
    run(&["help", "nonsense"]).refuses("unknown command `nonsense`");
    run(&["a\nb"]).refuses("unknown command `a\\nb`");
}

#[test]
fn common_errors_in_item_keys_have_a_hint() {
    for host in [
        "192.0.2.10",
        "2001:db8::10",
        "mail.example.com",
        "mail:25",
        "[::1]:22",
    ] {
        run(&[host, "22"]).refuses(&format!(
            "unknown command `{host}`: to probe a host, put `check` first"
        ));
    }
    run(&["check 192.0.2.10 22"]).refuses("pass every argument separately");
    run(&["'check'", "192.0.2.10", "22"]).refuses("remove the quotes");
    run(&["“check”", "192.0.2.10", "22"]).refuses("remove the quotes");
}

#[test]
fn values_that_are_not_utf8_are_refused() {
    finish(
        program()
            .args(["check", "127.0.0.1", "80", "--send"])
            .arg(OsStr::from_bytes(b"\xff")),
    )
    .refuses("UTF-8");
    finish(
        program()
            .arg("check")
            .arg(OsStr::from_bytes(b"h\xff"))
            .arg("80"),
    )
    .refuses("UTF-8");
}

#[test]
fn help_is_not_an_error() {
    for words in [
        &["--help"][..],
        &["check", "--help"],
        &["check", "-h"],
        &["--version"],
    ] {
        let ran = run(words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    }
    assert!(
        run(&["check", "--help"])
            .out
            .contains("tcp.syn_retransmits")
    );
    assert!(run(&["check", "-h"]).out.starts_with("Probe one target"));
    assert!(
        run(&["services", "-h"])
            .out
            .starts_with("List named services")
    );
}

#[test]
fn help_command_prints_the_help_of_a_command() {
    for command in [
        &[][..],
        &["check"],
        &["batch"],
        &["discover", "ports"],
        &["services"],
    ] {
        let help = run(&[&["help"], command].concat());
        assert_eq!(help.out, run(&[command, &["--help"]].concat()).out);
        assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    }
}

#[test]
fn every_command_has_its_examples_in_its_help() {
    for page in &zbx_tcp::cli::help::PAGES {
        let arguments: Vec<_> = page.command.split_whitespace().chain(["--help"]).collect();
        let help = run(&arguments).out;
        for (_, example) in page.examples {
            assert!(help.contains(&format!("zbx-tcp {example}\n")), "{help}");
        }
    }
}

#[test]
fn check_help_lists_the_statuses() {
    let help = run(&["check", "--help"]).out;
    for row in &zbx_tcp::failure::STATUSES {
        let line = format!(
            "{:>2} {:<17} {}\n",
            row.status.code(),
            row.name,
            row.meaning
        );
        assert!(help.contains(&line), "{line}: {help}");
    }
}

#[test]
fn a_broken_pipe_is_not_an_error() {
    let peer = Peer::greeting(b"x");
    let (port, program) = (peer.port(), env!("CARGO_BIN_EXE_zbx-tcp"));
    for (port, code) in [(port.as_str(), 0), (&closed_port().to_string(), 1)] {
        let script = format!(
            "{{ sleep 0.2; '{program}' check 127.0.0.1 {port} -o json; echo $? >&2; }} | :"
        );
        let ran = finish(std::process::Command::new("sh").args(["-c", &script]));
        assert_eq!(ran.err, format!("{code}\n"));
        let closed = format!("'{program}' check 127.0.0.1 {port} >&-; echo $?");
        assert_eq!(
            finish(std::process::Command::new("sh").args(["-c", &closed])).out,
            format!("{code}\n")
        );
    }
}

#[test]
fn a_panic_still_yields_a_value_and_nothing_else() {
    for (format, value) in [("up", "0"), ("status", "15"), ("time.connect", "0")] {
        let mut command = program();
        command
            .args(["check", "127.0.0.1", "1", "-o", format])
            .env("ZBX_TCP_TEST_PANIC", "1");
        finish(&mut command).prints(value, 1);
    }
    let mut command = program();
    command
        .args(["check", "127.0.0.1", "1", "-o", "json"])
        .env("ZBX_TCP_TEST_PANIC", "1");
    assert!(
        finish(&mut command).document()["error"]
            .as_str()
            .unwrap()
            .starts_with("internal error")
    );
}

#[test]
fn a_panic_before_there_is_a_value_is_one_line() {
    for words in [&["check", "127.0.0.1", "1"][..], &["services"]] {
        let mut command = program();
        command.args(words).env("ZBX_TCP_TEST_PANIC", "command");
        let ran = finish(&mut command);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        assert!(
            ran.err.starts_with("zbx-tcp: internal error") && ran.err.ends_with("causes it\n"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_full_disk_is_reported_once() {
    let peer = Peer::greeting(b"x");
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = program();
    let child = command
        .args(["check", "127.0.0.1", &peer.port()])
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("zbx-tcp: write to standard output: ")
    );
}

#[test]
fn without_descriptors_a_value_is_still_printed() {
    let peer = Peer::greeting(b"x");
    // The dynamic loader and then the event queue use the fourth descriptor, the socket the fifth.
    for limit in 4..7 {
        let script = format!(
            "ulimit -n {limit}; '{}' check 127.0.0.1 {} -t 0.3 -o json",
            env!("CARGO_BIN_EXE_zbx-tcp"),
            peer.port()
        );
        let ran = finish(std::process::Command::new("sh").args(["-c", &script]));
        let document = ran.document();
        let status = document["status_name"].as_str().unwrap();
        assert_eq!(
            status,
            if limit == 4 { "local_error" } else { "ok" },
            "limit {limit}: {}",
            ran.out
        );
        assert!(
            limit > 4 || document["error"].as_str().unwrap().contains("EMFILE"),
            "{}",
            ran.out
        );
    }
}

#[test]
fn a_mistyped_name_gets_a_suggestion() {
    run(&["chek", "127.0.0.1", "1"]).refuses("did you mean `check`?");
    run(&["check", "127.0.0.1", "1", "--sevice", "ssh"]).refuses("did you mean `--service`?");
    run(&["check", "127.0.0.1", "1", "--service", "shh"]).refuses("`ssh`");
    run(&["check", "127.0.0.1", "1", "-o", "time.conect"]).refuses("`time.connect`");
}

#[test]
fn the_version_shows_commit_and_build_kind() {
    let version = run(&["--version"]).out;
    let (number, build) = version.trim_end().split_once(" (").unwrap();
    assert_eq!(number, format!("zbx-tcp {}", env!("CARGO_PKG_VERSION")));
    let (commit, kind) = build.strip_suffix(')').unwrap().split_once(", ").unwrap();
    let known = commit.len() >= 12
        && commit
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'+');
    assert!(known || commit == "commit unknown", "{version}");
    assert!(
        ["dynamic", "static-glibc", "static-musl"].contains(&kind),
        "{version}"
    );
}
