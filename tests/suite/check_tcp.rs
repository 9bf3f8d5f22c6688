//! The differential test against Debian's `check_tcp`: both programs run one table of cases,
//! and the
//! README lists each difference with its reason.

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
use cases::{CASES, Case, Place};

const CHECK_TCP: &str = "/usr/lib/nagios/plugins/check_tcp";
/// Services for options of `check_tcp` that are configuration keys here.
const CONFIG: &str = r#"
[services.both]
steps = [{ expect_all = ["def", "abc"] }]

[services.either]
steps = [{ expect_any = ["xyz", "def"] }]
"#;
/// `check_tcp` waits this long for more bytes after a mismatch; the deadlines of both programs
/// are later.
const LATE: Duration = Duration::from_millis(1800);
/// How many cases run at the same time; they mostly wait.
const WORKERS: usize = 16;

#[test]
fn every_difference_is_in_the_readme() {
    let head = "| the peer | `check_tcp` | says | `zbx-tcp check` | says | why |";
    let rows = CASES
        .iter()
        .filter(|case| !case.why.is_empty())
        .map(|case| {
            let (peer, why) = (case.place.to_string(), cell(case.why));
            format!(
                "| {} | {} | {} | {} | {} | {why} |",
                cell(&peer),
                words(case.theirs),
                cell(case.there),
                words(case.ours),
                cell(case.here)
            )
        });
    table_is(
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
fn both_programs_give_the_results_of_the_table() {
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
        skip("no check_tcp (Debian: monitoring-plugins-basic); only our half of the table was run");
    }
}

/// The differences between the table and the two programs.
fn compare(case: &Case, config: &Path, plugin: Option<&Path>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut differs = |whose: &str, said: &str, wanted: &str| {
        if said != wanted {
            wrong.push(format!("{whose} says {said:?}, the table {wanted:?}"));
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
struct Seen {
    verdict: String,
    up: Option<bool>,
    /// What the peer received.
    heard: Vec<u8>,
    /// Whether the case sends something, so that `heard` matters.
    sends: bool,
    late: bool,
    /// Whether the output is not one line of text, or has a second `|`, after which
    /// performance data would start.
    broken: bool,
}

impl Seen {
    fn agrees_with(&self, other: &Self) -> bool {
        let of = |seen: &Self| {
            (
                seen.up,
                if seen.sends {
                    seen.heard.clone()
                } else {
                    Vec::new()
                },
                seen.late,
                seen.broken,
            )
        };
        of(self) == of(other)
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.verdict)?;
        match (self.sends, self.heard.is_empty()) {
            (true, true) => f.write_str(", sent nothing")?,
            (true, false) => write!(f, ", sent `{}`", self.heard.escape_ascii())?,
            (false, _) => {}
        }
        if self.late {
            f.write_str(", late")?;
        }
        f.write_str(if self.broken { ", broken output" } else { "" })
    }
}

/// A peer for one run, its port, and what it receives.
fn stage(place: &Place) -> (Option<Peer>, String, Receiver<Vec<u8>>) {
    match place {
        Place::Closed => (None, closed_port().to_string(), mpsc::channel().1),
        Place::Port(port) => (None, (*port).to_owned(), mpsc::channel().1),
        Place::Peer(acts) => {
            let (peer, results) = Peer::scripted(acts.to_vec(), Split::Whole);
            let port = peer.port();
            (Some(peer), port, results)
        }
    }
}

fn theirs(case: &Case, plugin: &Path) -> Seen {
    let (peer, port, told) = stage(&case.place);
    let mut command = Command::new(plugin);
    command
        .args(["-H", "127.0.0.1", "-p", &port])
        .args(case.theirs)
        .env_clear()
        .stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output().unwrap();
    let late = start.elapsed() > LATE;
    let heard = peer
        .map(|_peer| {
            told.recv_timeout(Duration::from_secs(8))
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
    Seen {
        verdict: (*verdict).to_owned(),
        up,
        heard,
        sends: case.sends(),
        late,
        broken,
    }
}

fn ours(case: &Case, config: &Path) -> Seen {
    let (peer, port, told) = stage(&case.place);
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
        assert_eq!(accepted, 0, "{}: a mistake connects to nothing", case.name);
        let verdict = "mistake, exit status 2".to_owned();
        return Seen {
            verdict,
            up: None,
            heard: Vec::new(),
            sends: false,
            late,
            broken: false,
        };
    }
    let heard = peer
        .map(|_peer| {
            told.recv_timeout(Duration::from_secs(8))
                .unwrap_or_default()
        })
        .unwrap_or_default();
    let document = ran.document();
    let verdict = document["status_name"].as_str().unwrap().to_owned();
    Seen {
        verdict,
        up: Some(document["up"] == 1),
        heard,
        sends: case.sends(),
        late,
        broken: false,
    }
}

/// Arguments quoted for a shell, in a table cell.
pub fn words(words: &[&str]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/=".contains(c);
    let quoted = words.iter().map(|word| {
        let bare = !word.is_empty() && word.chars().all(plain);
        if bare {
            (*word).to_owned()
        } else {
            format!("'{word}'")
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
