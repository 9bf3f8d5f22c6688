//! The differential test against Debian's `check_tcp`: both programs run the same table of cases, and `docs/check_tcp.md`
//! lists the cases in which they differ, with the reason.

mod cases;
mod translation;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{finish, program};
use crate::readme::table_is;
use crate::scripted_peer::{Peer, Split, closed_port};
use crate::support::skip;
use cases::{CASES, Case, Target};

const CHECK_TCP: &str = "/usr/lib/nagios/plugins/check_tcp";
/// The services that replace options of `check_tcp`.
const CONFIG: &str = r#"
[services.both]
steps = [{ expect_all = ["def", "abc"] }]

[services.either]
steps = [{ expect_any = ["xyz", "def"] }]
"#;
/// A result after this time is late. `check_tcp` waits 2 s for more data after a mismatch; all deadlines are longer.
const LATE: Duration = Duration::from_millis(1800);
/// Cases that run at the same time; they mostly wait.
const WORKERS: usize = 16;

#[test]
fn every_difference_is_in_the_docs() {
    let head = "| peer | `check_tcp` | result | `zbx-tcp check` | result | reason |";
    let rows = CASES
        .iter()
        .filter(|case| !case.why.is_empty())
        .map(|case| {
            let (peer, why) = (case.target.to_string(), cell(case.why));
            format!(
                "| {} | {} | {} | {} | {} | {why} |",
                cell(&peer),
                arguments(case.theirs),
                cell(case.there),
                arguments(case.ours),
                cell(case.here)
            )
        });
    table_is(
        "docs/check_tcp.md",
        "check_tcp",
        &[
            head.to_owned(),
            "| --- | --- | --- | --- | --- | --- |".to_owned(),
        ]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>(),
    );
}

#[test]
fn both_programs_return_the_results_in_the_table() {
    let plugin = Some(Path::new(CHECK_TCP)).filter(|plugin| plugin.exists());
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let (next, wrong) = (AtomicUsize::new(0), mpsc::channel());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let (next, wrong, config) = (&next, wrong.0.clone(), &config);
            scope.spawn(move || {
                while let Some(case) = CASES.get(next.fetch_add(1, Ordering::SeqCst)) {
                    for text in compare(case, config, plugin) {
                        wrong.send(format!("{}: {text}", case.name)).unwrap();
                    }
                }
            });
        }
    });
    drop(wrong.0);
    let wrong: Vec<_> = wrong.1.iter().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    if plugin.is_none() {
        skip("no check_tcp (Debian: monitoring-plugins-basic); only zbx-tcp was tested");
    }
}

/// The differences between the table and the two programs.
fn compare(case: &Case, config: &Path, plugin: Option<&Path>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut differs = |program: &str, found: &str, wanted: &str| {
        if found != wanted {
            wrong.push(format!("{program}: {found:?}, the table has {wanted:?}"));
        }
    };
    let here = ours(case, config);
    differs("zbx-tcp", &here.to_string(), case.here);
    if let Some(plugin) = plugin {
        let there = theirs(case, plugin);
        differs("check_tcp", &there.to_string(), case.there);
        if there.agrees_with(&here) != case.why.is_empty() {
            wrong.push(format!(
                "they agree: {}, but the reason is {:?}",
                there.agrees_with(&here),
                case.why
            ));
        }
    }
    wrong
}

/// The result of one program.
#[derive(Debug)]
struct Outcome {
    verdict: String,
    up: Option<bool>,
    /// The bytes that the peer received.
    received: Vec<u8>,
    /// Whether the case sends something, so that `received` is compared.
    sends: bool,
    late: bool,
    /// Whether the output is not one line of text, or its text contains the separator of performance data.
    broken: bool,
}

impl Outcome {
    fn agrees_with(&self, other: &Self) -> bool {
        let compared = |outcome: &Self| {
            (
                outcome.up,
                if outcome.sends {
                    outcome.received.clone()
                } else {
                    Vec::new()
                },
                outcome.late,
                outcome.broken,
            )
        };
        compared(self) == compared(other)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.verdict)?;
        match (self.sends, self.received.is_empty()) {
            (true, true) => f.write_str(", sent nothing")?,
            (true, false) => write!(f, ", sent `{}`", self.received.escape_ascii())?,
            (false, _) => {}
        }
        if self.late {
            f.write_str(", late")?;
        }
        f.write_str(if self.broken { ", broken output" } else { "" })
    }
}

/// Starts the peer of a case. The channel gets the bytes that it received.
fn start(target: &Target) -> (Option<Peer>, String, Receiver<Vec<u8>>) {
    match target {
        Target::Closed => (None, closed_port().to_string(), mpsc::channel().1),
        Target::Port(port) => (None, (*port).to_owned(), mpsc::channel().1),
        Target::Peer(acts) => {
            let (peer, received) = Peer::scripted(acts.to_vec(), Split::Whole);
            let port = peer.port();
            (Some(peer), port, received)
        }
    }
}

fn theirs(case: &Case, plugin: &Path) -> Outcome {
    let (peer, port, bytes) = start(&case.target);
    let mut command = Command::new(plugin);
    command
        .args(["-H", "127.0.0.1", "-p", &port])
        .args(case.theirs)
        .env_clear()
        .stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output().unwrap();
    let late = start.elapsed() > LATE;
    let received = peer
        .map(|_peer| {
            bytes
                .recv_timeout(Duration::from_secs(8))
                .unwrap_or_default()
        })
        .unwrap_or_default();
    let code = output.status.code().unwrap();
    let verdict = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
        .get(usize::try_from(code).unwrap())
        .unwrap();
    let line = output.stdout.trim_ascii_end();
    let text_ends = line.iter().filter(|byte| **byte == b'|').count() > 1;
    let broken =
        code != 3 && (text_ends || line.contains(&b'\n') || std::str::from_utf8(line).is_err());
    let up = (code != 3).then_some(code == 0);
    Outcome {
        verdict: (*verdict).to_owned(),
        up,
        received,
        sends: case.sends(),
        late,
        broken,
    }
}

fn ours(case: &Case, config: &Path) -> Outcome {
    let (peer, port, bytes) = start(&case.target);
    let mut command = program();
    command
        .args(["check", "127.0.0.1", &port, "-o", "json"])
        .args(case.ours)
        .env("ZBX_TCP_CONFIG", config);
    let ran = finish(&mut command);
    let late = ran.took > LATE;
    if ran.code == Some(2) {
        ran.refuses("");
        let accepted = peer.map_or(0, |peer| peer.accepted());
        assert_eq!(
            accepted, 0,
            "{}: a usage error connects to nothing",
            case.name
        );
        let verdict = "usage error, exit status 2".to_owned();
        return Outcome {
            verdict,
            up: None,
            received: Vec::new(),
            sends: false,
            late,
            broken: false,
        };
    }
    let received = peer
        .map(|_peer| {
            bytes
                .recv_timeout(Duration::from_secs(8))
                .unwrap_or_default()
        })
        .unwrap_or_default();
    let document = ran.document();
    let verdict = document["status_name"].as_str().unwrap().to_owned();
    Outcome {
        verdict,
        up: Some(document["up"] == 1),
        received,
        sends: case.sends(),
        late,
        broken: false,
    }
}

/// Arguments as they are typed in a shell, in a cell of a table.
fn arguments(arguments: &[&str]) -> String {
    let unquoted = |c: char| c.is_ascii_alphanumeric() || "-_.,:/=".contains(c);
    let quoted = arguments.iter().map(|argument| {
        let bare = !argument.is_empty() && argument.chars().all(unquoted);
        if bare {
            (*argument).to_owned()
        } else {
            format!("'{argument}'")
        }
    });
    let text = quoted.collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        String::new()
    } else {
        cell(&format!("`{text}`"))
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
