//! `batch`: one result per target in input order, whatever ends the run.

mod config_errors;
mod ends;
mod formats;
mod statuses;
mod threads;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{Ran, finish, program};

/// `zbx-tcp batch ARGUMENTS...` with this configuration only.
fn batch(config: &str, words: &[&str]) -> Ran {
    let file = written(config);
    finish(&mut command(file.path(), words))
}

fn written(config: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), config).unwrap();
    file
}

fn command(config: &Path, words: &[&str]) -> Command {
    let mut command = program();
    command
        .arg("batch")
        .args(words)
        .env("ZBX_TCP_CONFIG", config);
    command
}

impl Ran {
    /// The batch's document on the only line of standard output; standard error is empty.
    #[track_caller]
    fn batch_document(&self) -> Value {
        assert_eq!(self.err, "");
        assert_eq!(self.out.matches('\n').count(), 1, "{}", self.out);
        let document: Value = serde_json::from_str(&self.out).unwrap();
        let count = |member: &str| document["summary"][member].as_u64().unwrap();
        let targets = document["targets"].as_object().unwrap();
        assert_eq!(count("targets"), targets.len() as u64, "{}", self.out);
        assert_eq!(
            count("targets"),
            count("up") + count("down") + count("unknown"),
            "{}",
            self.out
        );
        assert_eq!(
            document["discovery"].as_array().unwrap().len(),
            targets.len(),
            "{}",
            self.out
        );
        document
    }
}

/// The name of this target's status.
#[track_caller]
fn status<'f>(document: &'f Value, id: &str) -> &'f str {
    document["targets"][id]["status_name"]
        .as_str()
        .unwrap_or_else(|| panic!("no {id} in {document}"))
}
