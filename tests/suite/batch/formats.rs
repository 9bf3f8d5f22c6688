//! The output of a batch, and its memory.

use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use super::{batch, command, written};
use crate::program::check;
use crate::scripted_peer::{FullBacklog, Peer, closed_port};

#[test]
fn an_entry_is_the_document_of_check_with_its_id_and_name() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let port = peer.port();
    let config = format!(
        "[[targets]]\nid = 'mail'\nname = 'Mail relay'\nhost = '127.0.0.1'\nport = {port}\n"
    );
    let ran = batch(&config, &[]);
    let (_, entries) = ran.out.split_once("\"targets\":{\"mail\":").unwrap();
    let alone = check(&["127.0.0.1", &port, "-o", "json"]).out;
    // Without numbers: times differ, and so does the kernel's MSS.
    let shape = |text: &str| {
        let numbers = |character: char| character.is_ascii_digit() || character == '.';
        text.trim_end()
            .split(numbers)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("#")
    };
    let named = shape(&alone).replacen(',', ",\"id\":\"mail\",\"name\":\"Mail relay\",", 1);
    assert_eq!(shape(entries), format!("{named}}}}}"));
    assert!(
        !alone.contains("\"id\"") && !alone.contains("\"name\""),
        "{alone}"
    );
}

#[test]
fn lines_are_printed_as_targets_end() {
    let peer = Peer::greeting(b"hello");
    let full = FullBacklog::new();
    let (slow, fast) = (
        format!("127.0.0.1:{}", full.port()),
        format!("127.0.0.1:{}", peer.port()),
    );
    let file = written("");
    let mut command = command(
        file.path(),
        &[
            &slow,
            &fast,
            "-o",
            "ndjson",
            "--timeout",
            "30s",
            "--deadline",
            "1.5s",
        ],
    );
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let start = std::time::Instant::now();
    let mut out = child.stdout.take().unwrap();
    let mut first = Vec::new();
    while !first.ends_with(b"\n") {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        first.push(byte[0]);
    }
    let took = start.elapsed();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let line = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
    let (first, second) = (line(&first), line(rest.as_bytes()));
    assert_eq!(
        (first["id"].as_str(), first["up"].as_u64()),
        (Some(&*fast), Some(1))
    );
    assert_eq!(
        (second["id"].as_str(), second["status_name"].as_str()),
        (Some(&*slow), Some("not_tried"))
    );
    assert!(
        took.as_millis() < 1400,
        "it was printed when it ended: {took:?}"
    );
}

#[test]
fn a_table_has_failures_first_and_no_bar_in_a_pipe() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let (up, down) = (
        format!("127.0.0.1:{}", peer.port()),
        format!("127.0.0.1:{}", closed_port()),
    );
    let ran = batch("", &[&up, &down, "-o", "text"]);
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(
        lines[0].starts_with("STATUS") && lines.len() == 4,
        "{}",
        ran.out
    );
    assert!(
        lines[1].starts_with("refused ") && lines[1].contains(&down),
        "{}",
        ran.out
    );
    assert!(
        lines[2].starts_with("ok ") && lines[2].contains(&up) && lines[2].ends_with("220 ready"),
        "{}",
        ran.out
    );
    assert!(
        lines[3].starts_with("2 targets: 1 up, 1 down; took "),
        "{}",
        ran.out
    );
    assert_eq!(
        (ran.err.as_str(), ran.code, ran.out.contains('\x1b')),
        ("", Some(1), false)
    );
}

#[test]
fn a_document_too_large_for_zabbix_is_reported_with_verbose() {
    let targets = format!("127.5.0.0/21:{}", closed_port());
    let words = [&*targets, "--deadline", "30s"];
    let quiet = batch("", &words);
    assert!(quiet.out.len() > 512 * 1024, "{}", quiet.out.len());
    quiet.batch_document();
    let loud = batch("", &[&words[..], &["-v"]].concat());
    let said = loud
        .err
        .lines()
        .find(|line| line.contains("512 KiB"))
        .unwrap_or_else(|| panic!("{}", loud.err));
    assert!(
        said.starts_with("zbx-tcp: the document has ") && said.contains("--shard"),
        "{said}"
    );
    let compact = batch("", &[&words[..], &["--compact"]].concat());
    let document = compact.batch_document();
    assert!(
        compact.out.len() * 4 < quiet.out.len() * 3,
        "{} {}",
        compact.out.len(),
        quiet.out.len()
    );
    let entry = document["targets"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    let members: Vec<_> = entry
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        members,
        ["error", "state", "status", "status_name", "time", "up"]
    );
}

/// The peak memory of a batch of this network, in KiB, read when it has begun to print.
fn peak_memory(network: &str, port: u16) -> u64 {
    let file = written("");
    let arguments = [
        &*format!("{network}:{port}"),
        "--close",
        "rst",
        "--concurrency",
        "200",
        "--deadline",
        "60s",
    ];
    let mut command = command(file.path(), &arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    // The document is longer than the pipe's buffer, so that the program waits until it is read.
    out.read_exact(&mut [0]).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    // A target that a busy machine could not accept in time is as good for this as one that is up.
    assert!(child.wait().unwrap().code() < Some(2));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn each_target_takes_little_memory() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    // As many as connect at once find room in the accept queue.
    socket2::SockRef::from(&listener).listen(4096).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Accepts until the test program ends.
    thread::spawn(move || listener.incoming().for_each(drop));
    let (few, many) = (
        peak_memory("127.6.0.0/22", port),
        peak_memory("127.7.0.0/19", port),
    );
    let bytes = (many - few) as f64 * 1024.0 / f64::from((1 << 13) - (1 << 10));
    println!("{few} KiB, {many} KiB: {bytes:.0} bytes for each more target");
    assert!(
        bytes < 0.3 * 1024.0,
        "{bytes} bytes for each more target ({few} KiB, {many} KiB)"
    );
}

#[test]
fn a_terminal_shows_a_progress_bar_and_clears_it() {
    let Ok(there) = std::process::Command::new("script")
        .arg("--version")
        .output()
    else {
        return crate::support::skip("no script(1) of util-linux to play a terminal");
    };
    assert!(there.status.success());
    let program = env!("CARGO_BIN_EXE_zbx-tcp");
    let line = format!(
        "{program} batch 127.8.0.0/24:{} -o text --rate 500",
        closed_port()
    );
    let file = written("");
    let mut terminal = std::process::Command::new("script");
    terminal
        .args(["-qec", &line, "/dev/null"])
        .env("ZBX_TCP_CONFIG", file.path())
        .env("TERM", "xterm");
    let ran = crate::program::finish(terminal.env_remove("NO_COLOR").stdin(Stdio::null()));
    let (bars, table) = ran
        .out
        .split_once("\r\x1b[KSTATUS")
        .unwrap_or_else(|| panic!("{:?}", ran.out));
    let bars: Vec<_> = bars
        .split("\r\x1b[K")
        .filter(|bar| !bar.is_empty())
        .collect();
    // 254 targets at 500 per second take half a second, and the bar is drawn at most ten
    // times a second.
    assert!((2..=20).contains(&bars.len()), "{bars:?}");
    assert!(
        bars.iter()
            .all(|bar| bar.starts_with('[') && bar.contains(" of 254, 0 up, ")),
        "{bars:?}"
    );
    assert!(
        table.contains("\x1b[31mrefused") && !table.contains("\x1b[K"),
        "{table:?}"
    );
    assert_eq!(ran.code, Some(1));
}
