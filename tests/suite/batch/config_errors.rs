//! An error in the configuration affects only the targets that use the part with the error, and the
//! document contains it. No error makes Zabbix delete an item.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{batch, status};
use crate::private_etc::Etc;
use crate::program::{Ran, finish, program};
use crate::scripted_peer::Peer;

/// The document of a run with errors: one line on standard output, nothing on standard error.
#[track_caller]
fn document(ran: &Ran, code: i32) -> Value {
    assert_eq!(
        (ran.err.as_str(), ran.code),
        ("", Some(code)),
        "{}",
        ran.out
    );
    assert_eq!(ran.out.matches('\n').count(), 1, "{}", ran.out);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let targets = document["targets"].as_object().unwrap();
    let count = |member: &str| document["summary"][member].as_u64().unwrap();
    assert_eq!(count("targets"), targets.len() as u64, "{document}");
    let sum = count("up") + count("down") + count("unknown");
    assert_eq!(count("targets"), sum, "{document}");
    document
}

/// The ids of the rows; `None` without `discovery`.
fn rows(document: &Value) -> Option<BTreeSet<String>> {
    let rows = document.get("discovery")?.as_array().unwrap();
    let id = |row: &Value| row["{#TCP.ID}"].as_str().unwrap().to_owned();
    Some(rows.iter().map(id).collect())
}

fn ids(document: &Value) -> BTreeSet<String> {
    let targets = document["targets"].as_object().unwrap();
    targets.keys().cloned().collect()
}

/// Asserts that this target is unknown because of an error in the configuration.
#[track_caller]
fn is_invalid(document: &Value, id: &str, error: &str) {
    let target = &document["targets"][id];
    assert_eq!(status(document, id), "local_error", "{document}");
    assert_eq!((&target["up"], &target["state"]), (&0.into(), &2.into()));
    let text = target["error"].as_str().unwrap();
    assert!(text.contains(error), "{text}");
}

#[test]
fn an_error_in_one_target_concerns_only_that_target() {
    let peer = Peer::greeting(b"");
    let port = peer.port();
    let good = format!("[[targets]]\nhost = \"127.0.0.1\"\nport = {port}\nname = \"good\"\n");
    // A wrong entry, which of its ids have a row, and the error.
    for (entry, listed, error) in [
        (
            "timeout = \"soon\"\nhost = \"127.0.0.1\"\nport = 9",
            &["127.0.0.1:9"][..],
            ":6: targets[2].timeout: ",
        ),
        (
            "timeot = 1\nhost = \"127.0.0.1\"\nport = 9",
            &["127.0.0.1:9"],
            ":6: targets[2].timeot: unknown key: did you mean `timeout`?",
        ),
        (
            "host = \"127.0.0.1\"\nport = \"9,10\"\nname = \"a\\nb\"",
            &["127.0.0.1:9", "127.0.0.1:10"],
            ".name: contains a line break",
        ),
        (
            "host = \"127.0.0.1\"\nport = 9\nservice = \"shh\"",
            &["127.0.0.1:9"],
            ":8: targets[2].service: unknown service `shh`",
        ),
        (
            "host = \"127.0.0.1\"\nport = \"9/shh,10/ssh\"",
            &["127.0.0.1:9", "127.0.0.1:10"],
            "unknown service `shh`",
        ),
        (
            "host = \"127.0.0.1\"\nport = 9\nsteps = [{ expect_regex = \"(\" }]",
            &["127.0.0.1:9"],
            ".expect_regex: ",
        ),
        (
            "host = \"127.0.0.1\"\nport = 9\nfamily = \"6\"",
            &["127.0.0.1:9"],
            "is not an IPv6 address",
        ),
        (
            "host = \"127.0.0.1\"\nservice = \"ssh\"\nsource = \"192.0.2.1\"",
            &["127.0.0.1:22"],
            "is not an address of this",
        ),
        // The id is sufficient for the row.
        (
            "id = \"a\"\nhost = \"127.0.0.1/33\"\nport = 9",
            &["a"],
            ":7: targets[2].host: ",
        ),
        (
            "id = \"a\"\nhost = \"127.0.0.1\"\nport = \"9-\"",
            &["a"],
            ":8: targets[2].port: ",
        ),
        (
            "id = \"a\"\nhots = \"127.0.0.1\"\nport = 9",
            &["a"],
            ".hots: unknown key: did you mean `host`?",
        ),
        (
            "id = \"a\"\nhost = \"127.0.0.1\"",
            &["a"],
            "a target needs a `port`",
        ),
        (
            "id = \"a\"\nhost = \"127.0.0.1\"\nport = \"9,10\"",
            &["a"],
            "one `id` for several targets",
        ),
        ("id = \"a\"\nport = 9", &["a"], "a target needs a `host`"),
        (
            "id = \"a\"\nhost = \"127.0.0.1\"\nservice = \"shh\"",
            &["a"],
            "unknown service `shh`",
        ),
    ] {
        let ran = batch(&format!("{good}[[targets]]\n{entry}\n"), &[]);
        let document = document(&ran, 1);
        let good = format!("127.0.0.1:{port}");
        assert_eq!(status(&document, &good), "ok", "{entry}");
        let mut expected: BTreeSet<_> = listed.iter().map(|id| (*id).to_owned()).collect();
        expected.insert(good);
        assert_eq!(ids(&document), expected, "{entry}");
        assert_eq!(rows(&document), Some(expected), "{entry}");
        let id = listed[0];
        is_invalid(&document, id, error);
        assert_eq!(document["summary"]["invalid"], 1, "{document}");
        let told = document["summary"]["error"].as_str().unwrap();
        assert!(told.contains(error), "{told}");
        let row = document["discovery"].as_array().unwrap().iter();
        let row = row.clone().find(|row| row["{#TCP.ID}"] == id).unwrap();
        assert!(row["{#TCP.ERROR}"].as_str().unwrap().contains(error));
    }
}

#[test]
fn without_the_ids_of_a_target_there_are_no_rows() {
    let peer = Peer::greeting(b"");
    let port = peer.port();
    let good = format!("[[targets]]\nid = \"good\"\nhost = \"127.0.0.1\"\nport = {port}\n");
    for (entry, error) in [
        (
            "host = \"127.0.0.1\"\nport = \"22,70000\"",
            ":7: targets[2].port: ",
        ),
        (
            "host = \"127.0.0.1/33\"\nport = 22",
            ":6: targets[2].host: ",
        ),
        ("hots = \"127.0.0.1\"\nport = 22", ".hots: unknown key"),
        (
            "host = \"127.0.0.1\"\nport = 22\ndi = \"a\"",
            ".di: unknown key",
        ),
        (
            "host = \"127.0.0.1\"\nport = 22\nx = \"a\"",
            ".x: unknown key",
        ),
        (
            "host = \"127.0.0.1\"\nport = 22\nid = \"a b\"",
            ".id: an id can contain only",
        ),
        (
            "host = \"127.0.0.1\"\nprot = 22\nservice = \"smtp\"",
            ".prot: unknown key",
        ),
        (
            "host = \"127.0.0.1\"\nservice = \"shh\"",
            "unknown service `shh`",
        ),
        (
            "host = \"127.0.0.1\"\nservice = \"tcp\"",
            "no port for `127.0.0.1`",
        ),
        ("host = \"127.0.0.1\"", "a target needs a `port`"),
        (
            "id = \"good\"\nhost = \"127.0.0.1\"\nport = 9",
            "another target has the same id `good`",
        ),
        ("host = \"10.0.0.0/8\"\nport = 9", ".host: "),
    ] {
        let ran = batch(&format!("{good}[[targets]]\n{entry}\n"), &[]);
        let document = document(&ran, 1);
        assert_eq!(rows(&document), None, "{entry}");
        assert_eq!(status(&document, "good"), "ok", "{entry}");
        assert_eq!(ids(&document).len(), 1, "{entry}");
        assert_eq!(document["summary"]["invalid"], 1, "{document}");
        let told = document["summary"]["error"].as_str().unwrap();
        assert!(told.contains(error), "{told}");
    }
    // An unknown service distinguishes two targets of one port: the id contains it.
    let two = "[[targets]]\nhost = \"127.0.0.1\"\nport = \"9/smtp,9/shh\"\n";
    assert_eq!(rows(&document(&batch(two, &[]), 1)), None);
}

#[test]
fn an_error_in_a_service_concerns_only_its_targets() {
    let peer = Peer::greeting(b"");
    let port = peer.port();
    let targets = format!(
        "[[targets]]\nhost = \"127.0.0.1\"\nport = {port}\n[[targets]]\nhost = \"127.0.0.1\"\nservice = \"mine\"\n"
    );
    for (service, error, is_told) in [
        (
            "port = 7\nsteps = [{ expect_regex = \"(\" }]",
            ".expect_regex: ",
            true,
        ),
        (
            "port = 7\ncrlf = 1",
            ":3: services.mine.crlf: must be",
            true,
        ),
        (
            "port = 7\nhosts = [\"127.0.0.1\"]\nsecrets.p.file = \"/none\"",
            "services.mine.secrets.p: /none: ",
            true,
        ),
        ("prot = 7", ":2: services.mine.prot: unknown key", false),
        ("port = 70000", ":2: services.mine.port: ", false),
        (
            "extends = \"ssh\"\nprot = 7",
            ":3: services.mine.prot: ",
            false,
        ),
    ] {
        let ran = batch(&format!("[services.mine]\n{service}\n{targets}"), &[]);
        let document = document(&ran, 1);
        assert_eq!(status(&document, &format!("127.0.0.1:{port}")), "ok");
        assert_eq!(rows(&document).is_some(), is_told, "{document}");
        if is_told {
            is_invalid(&document, "127.0.0.1:7", error);
        }
        let told = document["summary"]["error"].as_str().unwrap();
        assert!(told.contains(error), "{told}");
    }
    // No target uses the service, so there is no error.
    let unused =
        format!("[services.other]\nprot = 1\n[[targets]]\nhost = \"127.0.0.1\"\nport = {port}\n");
    let document = document(&batch(&unused, &[]), 0);
    assert_eq!(document["summary"].get("error"), None, "{document}");
}

#[test]
fn an_error_in_the_groups_hides_no_row() {
    let entry = |group: &str| {
        format!(
            "[[targets]]\nid = \"a\"\nhost = \"127.0.0.1\"\nport = 1\n{group}\n[[targets]]\nhost = \"127.0.0.1\"\nport = 2\ngroup = \"x\"\n"
        )
    };
    for group in ["group = [1]", "gruop = \"x\"", "group = \"x\\n\""] {
        let text = entry(group);
        let all = document(&batch(&text, &[]), 1);
        assert_eq!(rows(&all).unwrap().len(), 2, "{all}");
        let one = document(&batch(&text, &["--group", "x"]), 1);
        assert_eq!(rows(&one), None, "{one}");
        is_invalid(&one, "a", "targets[1].g");
        // The group may be that of the target with the error.
        let other = document(&batch(&text, &["--group", "y"]), 2);
        assert_eq!(rows(&other), None, "{other}");
        let told = other["summary"]["error"].as_str().unwrap();
        assert!(
            told.contains("unknown group `y`") && told.contains("targets[1].g"),
            "{told}"
        );
    }
    // Without an error that may hide it, an unknown group is a usage error.
    batch(&entry("group = \"x\""), &["--group", "y"]).refuses("--group: unknown group `y`");
}

#[test]
fn a_file_that_cannot_be_read_still_gives_a_document() {
    let many = "[[targets]]\nhost = \"127.0.0.1\"\nport = \"1-60\"\n\
                [[targets]]\nhost = \"127.0.0.1\"\nport = \"61-120\"\n";
    for (text, words, error) in [
        ("[[targets]\nhost = \"127.0.0.1\"\n", &[][..], ":1: "),
        ("[[targets]]\nhost = \"127.0.0.1\nport = 1\n", &[], ":2: "),
        (
            "[defaults]\ntimeot = 1\n[[targets]]\nhost = \"127.0.0.1\"\nport = 1\n",
            &[],
            ":2: defaults.timeot: ",
        ),
        ("", &[], "no targets: "),
        (
            many,
            &["--max-targets", "99"],
            "120 targets are more than the limit of 99",
        ),
        (
            "[[targets]]\nhost = \"127.0.0.1\"\nport = \n",
            &["--group", "x"],
            ":3: ",
        ),
    ] {
        let document = document(&batch(text, words), 2);
        assert_eq!(rows(&document), None, "{document}");
        assert!(ids(&document).is_empty(), "{document}");
        let told = document["summary"]["error"].as_str().unwrap();
        assert!(told.contains(error), "{told}");
        for format in ["ndjson", "sender", "text"] {
            batch(text, &[words, &["-o", format]].concat()).refuses(error);
        }
    }
    // Errors of the caller are not those of the configuration.
    for words in [
        &["--timeout", "soon"][..],
        &["-s", "shh"],
        &["127.0.0.1:1/shh"],
        &["--group", "y"],
    ] {
        batch("[[targets]]\nhost = \"127.0.0.1\"\nport = 1\n", words).refuses("");
    }
}

#[test]
fn every_format_lists_invalid_targets() {
    let text = "[[targets]]\nid = \"a\"\nhost = \"127.0.0.1\"\nport = \"9-\"\nzabbix_host = \"z\"\n\
                [[targets]]\nhost = \"127.0.0.1\"\nport = 1\ntimeout = \"soon\"\n";
    let lines = batch(text, &["-o", "ndjson"]);
    let lines: Vec<Value> = lines
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines
            .iter()
            .all(|line| line["status"] == 15 && line["state"] == 2),
        "{lines:?}"
    );
    assert_eq!((lines[0].get("host"), &lines[1]["port"]), (None, &1.into()));
    let sender = batch(text, &["-o", "sender", "--metrics", "status,captures.none"]);
    assert!(
        sender.out.starts_with("\"z\" tcp.target[a,status] "),
        "{}",
        sender.out
    );
    assert_eq!(sender.out.lines().count(), 2, "{}", sender.out);
    let table = batch(text, &["-o", "text"]);
    assert!(table.out.contains("local_error        a "), "{}", table.out);
    assert!(
        table
            .out
            .contains("2 targets: 0 up, 0 down, 2 unknown; 2 invalid entries"),
        "{}",
        table.out
    );
    // One line, which counts the others.
    let ran = batch(&text.repeat(2), &[]);
    let told = document(&ran, 1)["summary"]["error"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        told.ends_with("; 3 more entries have errors: `zbx-tcp services --check` shows all errors"),
        "{told}"
    );
    // A shard has its own part of them.
    let shards: Vec<usize> = (1..=3)
        .map(|shard| {
            ids(&document(
                &batch(text, &["--shard", &format!("{shard}/3")]),
                1,
            ))
            .len()
        })
        .collect();
    assert_eq!(shards.iter().sum::<usize>(), 2, "{shards:?}");
}

#[test]
fn an_invalid_policy_is_an_error_of_the_machine() {
    let Some(etc) = Etc::new() else { return };
    std::fs::write(etc.path("zbx-tcp/policy.toml"), "allow = 1\n").unwrap();
    let mut command = etc.command(&[]);
    let command = command.arg(program().get_program());
    let ran = finish(command.args(["batch", "127.0.0.1:1", "-o", "json"]));
    let document = document(&ran, 1);
    assert_eq!(status(&document, "127.0.0.1:1"), "denied");
    let told = document["summary"]["error"].as_str().unwrap();
    assert!(
        told.starts_with("policy file is invalid: /etc/zbx-tcp/policy.toml:1"),
        "{told}"
    );
}

#[test]
fn the_rows_of_discover_targets_are_complete_or_none() {
    let told = "[[targets]]\nhost = \"127.0.0.1\"\nport = 1\ntimeout = \"soon\"\n";
    let file = super::written(told);
    let run = |file: &std::path::Path| {
        finish(
            program()
                .args(["discover", "targets"])
                .env("ZBX_TCP_CONFIG", file),
        )
    };
    let ran = run(file.path());
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)));
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(rows[0]["{#TCP.ID}"], "127.0.0.1:1");
    assert!(
        rows[0]["{#TCP.ERROR}"]
            .as_str()
            .unwrap()
            .contains("timeout")
    );
    let hidden = super::written(&format!(
        "{told}[[targets]]\nhost = \"127.0.0.1\"\nport = \"9-\"\n"
    ));
    // The first error is that of the other target.
    run(hidden.path()).refuses("targets[1].timeout");
}

#[test]
fn a_document_is_shorter_than_max_output() {
    let text = "[[targets]]\nhost = \"127.0.0.1\"\nport = \"1-100\"\nclose = \"rst\"\n";
    let length = |size: &str| {
        let ran = batch(text, &["--max-output", size]);
        let document = document(&ran, 1);
        let left = document["summary"].get("shortened").map(Value::to_string);
        (
            ran.out.len(),
            left.unwrap_or_default(),
            ids(&document).len(),
        )
    };
    let (whole, left, _) = length("1M");
    assert_eq!(left, "");
    let mut targets = Vec::new();
    for size in [whole, 30_000, 18_000, 8_000] {
        let (length, left, count) = length(&size.to_string());
        assert!(length < size && !left.is_empty(), "{length} {size} {left}");
        targets.push(count);
    }
    assert_eq!(targets, [100, 100, 100, 100]);
    // Only the summary is left, which counts all targets.
    let ran = batch(text, &["--max-output", "1K"]);
    assert!(ran.out.len() < 1024, "{}", ran.out);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["summary"]["targets"], 100);
    assert_eq!(document["summary"]["shortened"][5], "targets");
    assert!(ids(&document).is_empty() && rows(&document).is_none());
    // In the configuration; the command line takes precedence.
    let limited = format!("[defaults]\nmax_output = \"8000\"\n{text}");
    assert!(batch(&limited, &[]).out.len() < 8000);
    assert!(batch(&limited, &["--max-output", "1M"]).out.len() > 8000);
    assert!(batch(&limited, &["-o", "ndjson"]).out.len() > 8000);
    for size in [
        "0",
        "1023",
        "-1",
        "512KB",
        "1T",
        "x",
        "１K",
        "99999999999999999999K",
    ] {
        batch(text, &["--max-output", size]).refuses("--max-output: ");
        let config = format!("[defaults]\nmax_output = \"{size}\"\n{text}");
        batch(&config, &[]).reports("defaults.max_output: is not a size from 1K to 1G", 2);
    }
    for format in ["ndjson", "sender", "text"] {
        batch(text, &["--max-output", "1K", "-o", format])
            .refuses("--max-output: requires `-o json`");
    }
    batch("[[targets]\n", &["--max-output", "1K"]).reports(":1: ", 2);
}

#[test]
fn a_target_in_two_groups_is_found_by_each() {
    let text = "[[targets]]\nhost = \"127.0.0.1\"\nport = 1\ngroup = [\"a\", \"b\", \"c\"]\n";
    for (words, groups) in [
        (&[][..], "a,b,c"),
        (&["-g", "a"], "a"),
        (&["-g", "c", "-g", "a"], "a,c"),
        (&["--group="], "a,b,c"),
    ] {
        let document = document(&batch(text, words), 1);
        assert_eq!(
            document["discovery"][0]["{#TCP.GROUP}"], groups,
            "{words:?}"
        );
    }
}
