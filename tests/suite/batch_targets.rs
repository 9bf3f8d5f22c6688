//! `batch`: sources of targets and their errors; a usage error sends nothing.
//!
//! Every address is on loopback: a test that fails must not send anything elsewhere.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::config::ConfigFile;
use crate::program::{Ran, finish, program, run};
use crate::scripted_peer::{Peer, closed_port};

/// `zbx-tcp batch ARGUMENTS...` with this on standard input, which the program need not read.
fn batch(words: &[&str], input: &[u8]) -> Ran {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    from(words, file.into())
}

fn from(words: &[&str], input: Stdio) -> Ran {
    finish(program().arg("batch").args(words).stdin(input))
}

/// The document, and the IDs of its targets in order.
#[track_caller]
fn document(ran: &Ran) -> (Value, String) {
    assert_eq!(
        (ran.err.as_str(), ran.out.matches('\n').count()),
        ("", 1),
        "{}",
        ran.out
    );
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let rows = document["discovery"].as_array().unwrap();
    let ids: Vec<_> = rows
        .iter()
        .map(|row| row["{#TCP.ID}"].as_str().unwrap().to_owned())
        .collect();
    (document, ids.join(" "))
}

#[test]
fn lists_of_every_format_become_one_document() {
    let peer = Peer::greeting(b"SSH-2.0-x\r\n");
    let (open, closed) = (peer.port(), closed_port());
    let list = format!(
        "\u{feff}# targets\r\n\r\n127.0.0.1:{closed}\r\n127.0.0.1 {open} ssh # shell\r\n\
         {{\"host\":\"127.0.0.1\",\"port\":{open},\"id\":\"named\",\"name\":\"A \\\"name\\\"\",\"expect\":null,\
         \"steps\":[{{\"expect\":\"nothing like it\"}}],\"timeout\":0.2}}\n127.0.0.1:{closed}"
    );
    let ran = batch(&["-"], list.as_bytes());
    let (document, ids) = document(&ran);
    assert_eq!(
        ids,
        format!("127.0.0.1:{closed} 127.0.0.1:{open}.ssh named")
    );
    let status = |id: &str| document["targets"][id]["status_name"].as_str().unwrap();
    assert_eq!(status(&format!("127.0.0.1:{closed}")), "refused");
    assert_eq!(status(&format!("127.0.0.1:{open}.ssh")), "ok", "{document}");
    assert_eq!(
        (status("named"), &document["targets"]["named"]["name"]),
        ("mismatch", &"A \"name\"".into())
    );
    assert_eq!(
        (document["summary"]["duplicates"].as_u64(), ran.code),
        (Some(1), Some(1))
    );
}

#[test]
fn networks_port_lists_and_arguments_become_targets() {
    let closed = closed_port();
    let (_, ids) = document(&run(&[
        "batch",
        &format!("127.9.0.0/30:{closed},{closed}/ssh"),
    ]));
    let id = |host: u8, service: &str| format!("127.9.0.{host}:{closed}{service}");
    assert_eq!(
        ids,
        [id(1, ""), id(2, ""), id(1, ".ssh"), id(2, ".ssh")].join(" ")
    );
    let ran = batch(&["127.0.0.1:1", "-", "127.0.0.1:2"], b"127.0.0.1 3");
    assert_eq!(document(&ran).1, "127.0.0.1:1 127.0.0.1:3 127.0.0.1:2");
}

#[test]
fn groups_select_targets_of_the_configuration() {
    let peer = Peer::greeting(b"x");
    let (open, closed) = (
        peer.address().to_string(),
        format!("127.0.0.1:{}", closed_port()),
    );
    let config = ConfigFile::new(format!(
        "[[targets]]\nhost = \"127.0.0.1\"\nport = {}\ngroup = \"web\"\n\
         [[targets]]\nhost = \"127.0.0.1\"\nport = \"{}\"\ngroup = [\"web\", \"all\"]\n",
        peer.port(),
        closed.trim_start_matches("127.0.0.1:")
    ));
    for (words, ids) in [
        (&["batch"][..], format!("{open} {closed}")),
        (&["batch", "--group="], format!("{open} {closed}")),
        (
            &["batch", "-g", "web", "-g", "all"],
            format!("{open} {closed}"),
        ),
        (&["batch", "--group", "all"], closed.clone()),
        (
            &["batch", &open, "--group", "all"],
            format!("{open} {closed}"),
        ),
    ] {
        assert_eq!(document(&config.run(words)).1, ids, "{words:?}");
    }
    config
        .run(&["batch", "--group", "wbe"])
        .refuses("--group: unknown group `wbe` (known groups: `all`, `web`)");
    ConfigFile::new("").run(&["batch"]).reports(
        "no targets: give targets, give `-` to read standard input",
        2,
    );
}

#[test]
fn an_invalid_line_of_a_list_prevents_all_probes() {
    let peer = Peer::greeting(b"x");
    let good = format!("127.0.0.1 {}\n", peer.port());
    let list = format!("{}127.0.0.1 {} smpt\n{good}", good.repeat(730), peer.port());
    batch(&["-"], list.as_bytes()).refuses("-:731: unknown service `smpt`: did you mean `smtp`?");
    peer.has_no_connection();
}

#[test]
fn keep_going_skips_and_counts_invalid_targets() {
    let peer = Peer::greeting(b"x");
    let list = format!("127.0.0.1 {}\n127.0.0.1 1 2 3\nh:0\n", peer.port());
    let ran = batch(&["-", "--keep-going"], list.as_bytes());
    let (document, _) = document(&ran);
    assert_eq!(
        (
            document["summary"]["up"].as_u64(),
            document["summary"]["targets"].as_u64()
        ),
        (Some(1), Some(1))
    );
    let told = batch(&["-", "--keep-going", "-v"], list.as_bytes()).err;
    for part in [
        "2 ",
        "-:2: has more than three fields: write `HOST PORT SERVICE`",
        "-:3: port `0`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    batch(&["-", "--keep-going"], b"h:x\n")
        .refuses("no target is valid (invalid: 1); first error: -:1: `x` is not a port");
}

#[test]
fn keep_going_skips_the_ports_whose_service_is_unknown() {
    let peer = Peer::greeting(b"x");
    let target = format!("127.0.0.1:1/nosuch,{}", peer.port());
    let ran = batch(&[&target, "--keep-going"], b"");
    let (document, _) = document(&ran);
    let summary = &document["summary"];
    assert_eq!(
        (summary["targets"].as_u64(), summary["up"].as_u64()),
        (Some(1), Some(1))
    );
    let told = batch(&[&target, "--keep-going", "-v"], b"").err;
    assert!(told.contains("unknown service `nosuch`"), "{told}");
    batch(&[&target], b"").refuses("unknown service `nosuch`");
}

#[test]
fn invalid_target_lists_are_refused() {
    let long = [b"127.0.0.1:1\n".as_slice(), &vec![b'a'; 10 << 20]].concat();
    for (list, text) in [
        (
            b"".as_slice(),
            "standard input contains no targets: write one target on each line",
        ),
        (
            b"# only\r\n\n\t\n#remarks",
            "standard input contains no targets",
        ),
        (b"127.0.0.1:1\n\xff\xfe", "-:2: is not UTF-8 text"),
        (b"127.0.0.1\0:1", "-:1: contains a NUL byte"),
        (
            &long,
            "-:2: the line has 10485760 bytes, more than the limit of 65536",
        ),
        (
            b"127.0.0.0/8 80",
            "-:1: `127.0.0.0/8` has 16777216 addresses, more than the limit of 65536",
        ),
        (
            b"{\"host\":\"127.0.0.0/8\",\"port\":80}",
            "or raise max_targets under [defaults]",
        ),
    ] {
        batch(&["-"], list).refuses(text);
    }
    run(&["batch", "127.0.0.0/8:80"]).refuses("raise max_targets under [defaults]");
}

#[test]
fn an_endless_target_list_is_bounded() {
    let peer = Peer::greeting(b"x");
    let mut child = program()
        .args(["batch", "-", "--deadline", "0.5"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(format!("127.0.0.1:{}\n", peer.port()).as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.status.code()),
        (b"".as_slice(), Some(2))
    );
    assert_eq!(
        err,
        "zbx-tcp: standard input: did not end within 500ms: close it earlier, or raise --deadline\n"
    );
    peer.has_no_connection();
    let endless = from(
        &["-", "--deadline", "60"],
        File::open("/dev/zero").unwrap().into(),
    );
    endless.refuses("standard input: longer than 128 MiB");
    assert!(endless.took < Duration::from_secs(20), "{:?}", endless.took);
}

#[test]
fn invalid_standard_input_is_refused() {
    from(&["-"], File::open("/").unwrap().into()).refuses("standard input: is a directory");
    from(&["-"], Stdio::null()).refuses("standard input contains no targets");
    let closed = format!("'{}' batch - <&-", env!("CARGO_BIN_EXE_zbx-tcp"));
    finish(Command::new("sh").args(["-c", &closed])).refuses("standard input");
    batch(&["-", "-"], b"127.0.0.1:1").refuses("`-` is given more than once");
}

#[test]
fn invalid_batch_options_are_refused() {
    let peer = Peer::greeting(b"x");
    let target = peer.address().to_string();
    for (words, text) in [
        (
            &["--concurrency", "0"][..],
            "--concurrency: `0` is not a number from 1 to",
        ),
        (&["--concurrency", "x"], "--concurrency: `x`"),
        (
            &["--rate", "0"],
            "--rate: `0` is not a number from 1 to 1000000000",
        ),
        (&["--rate", "1e9"], "--rate: `1e9`"),
        (&["--rate", "-5"], "--rate: `-5`"),
        (
            &["--per-host", "-1"],
            "--per-host: `-1` is not a number from 0 to",
        ),
        (&["--threads", "0"], "--threads: `0`"),
        (&["--threads", "100000"], "from 1 to 256"),
        (&["--seed", "-1"], "--seed: `-1`"),
        (
            &["--shard", "0/2"],
            "--shard: invalid shard `0/2`: expected I/N",
        ),
        (&["--shard", "3/2"], "--shard: invalid shard `3/2`"),
        (&["--deadline", "0"], "--deadline: `0`"),
        (&["--max-targets", "0"], "--max-targets: `0`"),
        (&["-o", "xml"], "--output: unknown value `xml`"),
        (&["--metrics", "up"], "--metrics: requires `-o sender`"),
        (
            &["-n", "2", "--require", "3"],
            "--require: 3 is greater than `--count` (2)",
        ),
        (
            &["--rate", "1", "--rate", "2"],
            "cannot be given more than once",
        ),
        (&["--nonsense"], "unexpected argument `--nonsense`"),
        (
            &["127.0.0.1"],
            "target `127.0.0.1`: no port for `127.0.0.1`",
        ),
        (&["*UNKNOWN*:80"], "target `*UNKNOWN*:80`: host `*UNKNOWN*`"),
    ] {
        run(&[&["batch", &target], words].concat()).refuses(text);
    }
    peer.has_no_connection();
}

#[test]
fn extreme_batch_options_are_accepted() {
    let peer = Peer::greeting(b"x");
    let target = peer.address().to_string();
    for words in [
        &["--rate", "1000000000"][..],
        &["--concurrency", "10000000"],
        &["--concurrency", "1", "--per-host", "0", "--threads", "4"],
        // A deadline that is shorter than the timeout decides.
        &["--deadline", "1", "-t", "600"],
    ] {
        let ran = run(&[&["batch", &target], words].concat());
        assert_eq!(
            (document(&ran).1, ran.code),
            (target.clone(), Some(0)),
            "{words:?}"
        );
    }
}

#[test]
fn shards_partition_a_list() {
    let list: String = (1..=40).map(|host| format!("127.0.0.{host}:1\n")).collect();
    let part = |part: &str| document(&batch(&["-", "--shard", part], list.as_bytes())).1;
    let mut ids: Vec<String> = ["1/3", "2/3", "3/3"]
        .iter()
        .flat_map(|i| part(i).split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(ids.len(), 40);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 40);
    assert_eq!(part("2/3"), part("2/3"));
}

#[test]
fn verbose_explains_the_chosen_limits() {
    let peer = Peer::greeting(b"x");
    let ran = run(&["batch", &peer.address().to_string(), "-v"]);
    assert!(
        ran.err.contains("probes in flight") && ran.err.contains("descriptors"),
        "{}",
        ran.err
    );
    let ran = run(&[
        "batch",
        &peer.address().to_string(),
        "-v",
        "--concurrency",
        "3",
    ]);
    assert!(
        ran.err.contains("at most 3 probes in flight"),
        "{}",
        ran.err
    );
}

#[test]
fn invisible_characters_in_labels_of_standard_input_are_escaped() {
    let port = closed_port();
    let list = format!(
        "{{\"host\":\"127.0.0.1\",\"port\":{port},\"name\":\"a\\u202eb\\u200b\\u034f\",\"group\":[\"x\u{2066}\"]}}\n"
    );
    let (document, id) = document(&batch(&["-"], list.as_bytes()));
    let target = &document["targets"][&id];
    assert_eq!(target["name"], "a\\u{202e}b\\u{200b}\\u{34f}", "{document}");
    let row = &document["discovery"][0];
    assert_eq!(row["{#TCP.NAME}"], target["name"]);
    assert_eq!(row["{#TCP.GROUP}"], "x\\u{2066}");
    let table = batch(&["-", "-o", "text"], list.as_bytes()).out;
    assert!(table.contains("a\\u{202e}b"), "{table}");
    let host = format!("{{\"host\":\"h\",\"port\":{port},\"zabbix_host\":\"a\\u200b\"}}");
    batch(&["-"], host.as_bytes()).refuses("-:1: zabbix_host: contains an invisible character");
    for bad in ["h\u{200b}:80", "h:80\u{202e}"] {
        let ran = batch(&["-"], bad.as_bytes());
        ran.refuses("-:1: ");
        assert!(ran.err.contains("\\u{20"), "{}", ran.err);
    }
    // The administrator's own names stay as they are: some scripts need such characters.
    let config = ConfigFile::new(format!(
        "[[targets]]\nhost = \"127.0.0.1\"\nport = {port}\nname = \"نمی\u{200c}خواهم\"\n"
    ));
    let ran = config.run(&["discover", "targets"]);
    assert!(ran.out.contains("نمی\u{200c}خواهم"), "{}", ran.out);
}

#[test]
fn a_key_that_is_given_twice_is_an_error() {
    let port = closed_port();
    let twice = format!("{{\"host\":\"127.0.0.1\",\"port\":{port},\"port\":1}}");
    batch(&["-"], twice.as_bytes()).refuses("-:1: the key `port` is given twice");
}

#[test]
fn a_range_is_accepted_wherever_a_network_is() {
    let port = closed_port();
    let (_, ids) = document(&run(&["batch", &format!("127.0.0.1-3:{port}")]));
    let expected = [1, 2, 3]
        .map(|host| format!("127.0.0.{host}:{port}"))
        .join(" ");
    assert_eq!(ids, expected);
    let line = format!("127.0.0.1-3 {port}\n{{\"host\":\"127.0.0.3-4\",\"port\":{port}}}\n");
    let (_, ids) = document(&batch(&["-"], line.as_bytes()));
    assert_eq!(ids, format!("{expected} 127.0.0.4:{port}"));
    let config = ConfigFile::new(format!(
        "[[targets]]\nhost = \"127.0.0.1-3\"\nport = {port}\n[services.a]\nhosts = [\"127.0.0.2-3\"]\nport = {port}\n"
    ));
    let (_, ids) = document(&config.run(&["batch"]));
    assert_eq!(ids, expected);
    config
        .run(&["check", "127.0.0.1", "-s", "a", "-o", "status"])
        .prints("14", 1);
    config
        .run(&["check", "127.0.0.2", "-s", "a", "-o", "status"])
        .prints("3", 1);
    run(&["batch", "127.0.0.3-1:1"]).refuses("a range is reversed");
    run(&["batch", "127.0.0.1-300:1"]).refuses("not a range such as `192.0.2.1-50`");
    run(&["batch", "127.0-255.0-255.1:1-100"]).refuses("raise max_targets");
}
