//! A service tried on a real server: many probes, all up; its log without a complaint; refused when it is stopped.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::program::check;
use crate::server::Server;

/// How many probes a server gets.
pub const PROBES: usize = 200;
/// How many of them at a time.
const AT_A_TIME: usize = 4;

/// The probes of one service against one server.
pub struct Trial {
    service: &'static str,
    server: String,
    port: u16,
    documents: Vec<Value>,
}

impl Trial {
    /// Probes it; each probe must find it up.
    pub fn run(service: &'static str, package: &str, port: u16) -> Self {
        let one = |_| {
            let document = probe(service, port);
            assert_eq!(
                (&document["status_name"], &document["up"]),
                (&"ok".into(), &1.into()),
                "{document}"
            );
            document
        };
        let one_part = || (0..PROBES / AT_A_TIME).map(one).collect::<Vec<_>>();
        let documents: Vec<Value> = thread::scope(|scope| {
            let parts: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(one_part)).collect();
            parts
                .into_iter()
                .flat_map(|part| part.join().unwrap())
                .collect()
        });
        Self {
            service,
            server: format!("{package} {}", version(package)),
            port,
            documents,
        }
    }

    /// What the probes captured under this name, which must be the same each time.
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

    /// Asserts that the server's log has this line of a probe that went well for each probe, and nothing of the others.
    #[track_caller]
    pub fn log(&self, said: &str, well: &str, complaints: &[&str]) {
        assert!(
            said.matches(well).count() >= PROBES,
            "{well:?} is not there for each probe:\n{}",
            end(said)
        );
        for complaint in complaints {
            let line = said
                .lines()
                .find(|line| line.to_lowercase().contains(&complaint.to_lowercase()));
            assert_eq!(line, None, "a complaint: {complaint:?}");
        }
    }

    /// The server is stopped: asserts that it is refused now, and adds the row of the table.
    pub fn stopped(self, log: &str) {
        let document = probe(self.service, self.port);
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
            "{:<11} {:<42} {PROBES} up, stopped: {:<8} {:>8.1} ms  {log}",
            self.service,
            self.server,
            document["status_name"].as_str().unwrap(),
            times[times.len() / 2] * 1e3,
        );
        // Past the test runner's capture, and noted for `tests/run`, which prints the whole table at its end.
        let _ = writeln!(std::io::stderr(), "{row}");
        if let Some(path) = std::env::var_os("ZBX_TCP_SERVICES") {
            writeln!(OpenOptions::new().append(true).open(path).unwrap(), "{row}").unwrap();
        }
    }
}

/// Leaves without a goodbye, and asserts that this server complains of that: so its silence says something.
#[track_caller]
pub fn rudeness_is_noted(server: &Server, port: u16, greeting: &str, complaint: &str) {
    check(&["127.0.0.1", &port.to_string(), "--expect", greeting]).prints("1", 0);
    let said = server.said_once(complaint, 1);
    assert!(said.contains(complaint), "{}", end(&said));
}

/// Asserts that a server which is busy or closed is told from one that is absent or wrong.
#[track_caller]
pub fn turned_away(service: &str, port: u16, words: &str) {
    let document = probe(service, port);
    assert_eq!(document["status_name"], "rejected", "{document}");
    assert!(
        document["response"]["text"]
            .as_str()
            .unwrap()
            .contains(words),
        "{document}"
    );
}

/// One probe; its document.
pub fn probe(service: &str, port: u16) -> Value {
    check(&["127.0.0.1", &port.to_string(), "-s", service, "-o", "json"]).document()
}

/// The version of a Debian package.
fn version(package: &str) -> String {
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Version}", package])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The last lines of a log.
fn end(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
