//! Runs the program as a user or Zabbix does.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The output, exit status and duration of one run of the program.
pub struct Ran {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
    pub took: Duration,
}

/// The program, with an empty environment and no standard input.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zbx-tcp"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs `zbx-tcp ARGUMENTS...` to its end.
pub fn run(arguments: &[&str]) -> Ran {
    finish(program().args(arguments))
}

/// Runs `zbx-tcp check ARGUMENTS...` to its end.
pub fn check(arguments: &[&str]) -> Ran {
    finish(program().arg("check").args(arguments))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let start = Instant::now();
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let took = start.elapsed();
    let text = |bytes| String::from_utf8(bytes).expect("output is valid UTF-8");
    Ran {
        out: text(stdout),
        err: text(stderr),
        code: status.code(),
        took,
    }
}

impl Ran {
    /// The JSON document on the only line of standard output; asserts that standard error is empty.
    pub fn document(&self) -> serde_json::Value {
        assert_eq!(self.err, "");
        assert_eq!(self.out.matches('\n').count(), 1, "{}", self.out);
        let document: serde_json::Value = serde_json::from_str(&self.out).unwrap();
        for member in [
            "schema",
            "up",
            "status",
            "status_name",
            "error",
            "host",
            "port",
        ] {
            assert!(
                document.get(member).is_some(),
                "{member} is missing: {}",
                self.out
            );
        }
        assert!(document["time"]["total"].is_f64(), "{}", self.out);
        document
    }

    /// Asserts one line with this value, empty standard error, and this exit status.
    #[track_caller]
    pub fn prints(&self, value: &str, code: i32) {
        assert_eq!(
            (self.out.as_str(), self.err.as_str(), self.code),
            (format!("{value}\n").as_str(), "", Some(code))
        );
    }

    /// Asserts one line that begins with `start`, and empty standard error.
    #[track_caller]
    pub fn prints_start(&self, start: &str) {
        assert!(
            self.out.starts_with(start) && self.out.matches('\n').count() == 1,
            "{:?}",
            self.out
        );
        assert_eq!(self.err, "");
    }

    /// Asserts that a batch printed a document with this error of the configuration, and nothing on
    /// standard error.
    #[track_caller]
    pub fn reports(&self, error: &str, code: i32) {
        assert_eq!(
            (self.err.as_str(), self.code),
            ("", Some(code)),
            "{}",
            self.out
        );
        let document: serde_json::Value = serde_json::from_str(&self.out).unwrap();
        let told = document["summary"]["error"].as_str();
        assert!(
            told.is_some_and(|told| told.contains(error)),
            "{error} in {document}"
        );
    }

    /// Asserts a usage or configuration error: one line on standard error that contains `text`, and nothing
    /// on standard output.
    #[track_caller]
    pub fn refuses(&self, text: &str) {
        assert_eq!(
            (self.out.as_str(), self.code),
            ("", Some(2)),
            "{}",
            self.err
        );
        assert_eq!(self.err.matches('\n').count(), 1, "{:?}", self.err);
        assert!(
            self.err.starts_with("zbx-tcp: ") && self.err.ends_with('\n'),
            "{:?}",
            self.err
        );
        assert!(
            !self.err.trim_end().contains(char::is_control),
            "{:?}",
            self.err
        );
        assert!(self.err.contains(text), "{:?} lacks {text:?}", self.err);
    }
}
