//! Probes of a real server: many of them, all up; its log without complaints; refused once it is stopped.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::program::check;
use crate::server::Server;

/// How many probes a server gets before its log and counters are read.
pub const PROBES: usize = 200;
/// How many of them run at the same time.
const CONCURRENCY: usize = 4;

/// One probe; its document.
pub fn probe(port: u16, service: &str, more: &[&str]) -> Value {
    let port = port.to_string();
    check(&[&["127.0.0.1", &port, "-s", service, "-o", "json"], more].concat()).document()
}

/// Probes [`PROBES`] times and asserts that each probe is up; the document of one of them.
pub fn all_up(port: u16, service: &str, more: &[&str]) -> Value {
    documents(port, service, more).swap_remove(0)
}

fn documents(port: u16, service: &str, more: &[&str]) -> Vec<Value> {
    let one = |_| {
        let document = probe(port, service, more);
        assert_eq!(
            (&document["status_name"], &document["up"]),
            (&"ok".into(), &1.into()),
            "{document}"
        );
        document
    };
    let share = || (0..PROBES / CONCURRENCY).map(one).collect::<Vec<_>>();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONCURRENCY).map(|_| scope.spawn(share)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Stops the server and asserts that its port refuses connections then.
#[track_caller]
pub fn refused_when_stopped(mut server: Server, service: &str) {
    server.stop();
    let document = probe(server.port(), service, &[]);
    assert_eq!(document["status_name"], "refused", "{document}");
}

/// Asserts that a log contains none of these phrases, in upper or lower case.
#[track_caller]
pub fn no_complaint(log: &str, phrases: &[&str]) {
    for phrase in phrases {
        let line = log
            .lines()
            .find(|line| line.to_lowercase().contains(&phrase.to_lowercase()));
        assert_eq!(line, None, "the server complains: {phrase:?}");
    }
}

/// Many probes of one service, and the row that they become in the report of `tests/run`.
pub struct Trial {
    service: &'static str,
    server: String,
    port: u16,
    /// Further options of each probe.
    more: Vec<String>,
    documents: Vec<Value>,
}

impl Trial {
    /// Probes the server; asserts that each probe is up.
    pub fn run(service: &'static str, package: &str, port: u16) -> Self {
        Self::with(service, package, port, &[])
    }

    /// The same with further options.
    pub fn with(service: &'static str, package: &str, port: u16, more: &[String]) -> Self {
        let words: Vec<_> = more.iter().map(String::as_str).collect();
        write_transcript(service, package, port, &words);
        Self {
            service,
            server: format!("{package} {}", version(package)),
            port,
            more: more.to_vec(),
            documents: documents(port, service, &words),
        }
    }

    /// Asserts that each probe verified a certificate of the test's own authority.
    #[track_caller]
    pub fn verified(&self) {
        for document in &self.documents {
            let tls = &document["tls"];
            assert_eq!(
                (&tls["verified"], &tls["proved"]),
                (&1.into(), &1.into()),
                "{document}"
            );
            assert_eq!(tls["issuer"], "CN=authority", "{document}");
            assert!(document["time"]["tls"].is_f64(), "{document}");
        }
    }

    /// The text that the probes captured under this name, which must be the same in each.
    pub fn captured(&self, name: &str) -> &str {
        let first = &self.documents[0]["captures"][name];
        assert!(
            self.documents
                .iter()
                .all(|document| document["captures"][name] == *first),
            "{name} differs"
        );
        first
            .as_str()
            .unwrap_or_else(|| panic!("{name} was not captured: {}", self.documents[0]))
    }

    /// Asserts that the server's log has the line of a good probe for each probe, and no complaint.
    #[track_caller]
    pub fn log(&self, log: &str, good: &str, complaints: &[&str]) {
        assert!(
            log.matches(good).count() >= self.documents.len(),
            "{good:?} is not there for each probe:\n{}",
            last_lines(log)
        );
        no_complaint(log, complaints);
    }

    /// Asserts that the stopped server is refused, and adds the row to the report.
    pub fn stopped(self, log: &str) {
        let more: Vec<_> = self.more.iter().map(String::as_str).collect();
        let document = probe(self.port, self.service, &more);
        assert_eq!(
            (&document["status"], &document["up"]),
            (&3.into(), &0.into()),
            "{document}"
        );
        let mut times: Vec<f64> = self
            .documents
            .iter()
            .map(|document| document["time"]["total"].as_f64().unwrap())
            .collect();
        times.sort_by(f64::total_cmp);
        let row = format!(
            "{:<19} {:<42} {PROBES} up, stopped: {:<8} {:>8.1} ms  {log}",
            self.service,
            self.server,
            document["status_name"].as_str().unwrap(),
            times[times.len() / 2] * 1e3,
        );
        // Written past the test runner's capture, and recorded for `tests/run`, which prints all rows.
        let _ = writeln!(std::io::stderr(), "{row}");
        if let Some(path) = std::env::var_os("ZBX_TCP_SERVICES") {
            writeln!(OpenOptions::new().append(true).open(path).unwrap(), "{row}").unwrap();
        }
    }
}

/// Closes the connection without `quit`, and asserts that the server logs this. This proves that
/// the server would also log incorrect probes.
#[track_caller]
pub fn abrupt_close_is_logged(server: &Server, port: u16, greeting: &str, complaint: &str) {
    check(&["127.0.0.1", &port.to_string(), "--expect", greeting]).prints("1", 0);
    let log = server.log_with(complaint, 1);
    assert!(log.contains(complaint), "{}", last_lines(&log));
}

/// Asserts that a server which is busy or closed is reported as `rejected`, with its text.
#[track_caller]
pub fn rejected_with(service: &str, port: u16, text: &str) {
    let document = probe(port, service, &[]);
    assert_eq!(document["status_name"], "rejected", "{document}");
    assert!(
        document["response"]["text"]
            .as_str()
            .unwrap()
            .contains(text),
        "{document}"
    );
}

/// Writes what one probe prints to the directory `ZBX_TCP_TRANSCRIPTS`, if it is set, for
/// `tests/outputs/tls_examples`.
fn write_transcript(service: &str, package: &str, port: u16, more: &[&str]) {
    let Some(directory) = std::env::var_os("ZBX_TCP_TRANSCRIPTS") else {
        return;
    };
    if !service.contains("tls") {
        return;
    }
    let port = port.to_string();
    let mut text = String::new();
    for form in ["text", "json"] {
        let words = ["127.0.0.1", &port, "-s", service, "-o", form];
        let ran = check(&[&words, more].concat());
        let command = words.join(" ");
        text.extend([
            "$ zbx-tcp check ",
            &command,
            " --ca-file ca.pem\n",
            &ran.out,
        ]);
    }
    let file = format!("{service} ({package} {}).txt", version(package));
    std::fs::write(std::path::Path::new(&directory).join(file), text).unwrap();
}

/// The version of a Debian package.
fn version(package: &str) -> String {
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Version}", package])
        .output()
        .unwrap();
    if !output.status.success() {
        return crate::unpacked::version(package);
    }
    String::from_utf8(output.stdout).unwrap()
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
