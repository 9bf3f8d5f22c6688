//! Sets `ZBX_TCP_BUILD`, which `--version` prints after the version: the commit and the kind of
//! linking; and `ZBX_TCP_BUILD_TIME`, the time of the build in seconds since 1970: a clock before it
//! cannot judge certificates.
//!
//! The time is `SOURCE_DATE_EPOCH`, else that of the commit, so that builds are reproducible; else
//! that of the clock.
//!
//! The commit is `ZBX_TCP_COMMIT` if a packager sets it, else that of this checkout, else that of
//! the published crate, else `commit unknown`.

#![allow(
    clippy::print_stdout,
    reason = "a build script talks to Cargo on standard output"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ZBX_TCP_COMMIT");
    let given = env::var("ZBX_TCP_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = given
        .or_else(checked_out)
        .or_else(published)
        .unwrap_or_else(|| "commit unknown".to_owned());
    println!("cargo::rustc-env=ZBX_TCP_BUILD={commit}, {}", kind());
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rustc-env=ZBX_TCP_BUILD_TIME={}", build_time());
}

/// The time of the build, in seconds since 1970.
#[allow(
    clippy::disallowed_methods,
    reason = "without another source, the clock of the build is the time of the build"
)]
fn build_time() -> u64 {
    let given = env::var("SOURCE_DATE_EPOCH").ok();
    let committed = || {
        let is_ours = Path::new(".git").exists();
        is_ours.then(|| git(&["log", "-1", "--format=%ct"]))?
    };
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    given
        .and_then(|text| text.parse().ok())
        .or_else(|| committed()?.parse().ok())
        .unwrap_or_else(|| now().map_or(0, |now| now.as_secs()))
}

/// How the program is linked. It decides what a start costs and which names can be resolved.
fn kind() -> String {
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if !features.split(',').any(|feature| feature == "crt-static") {
        return "dynamic".to_owned();
    }
    let library = match env::var("CARGO_CFG_TARGET_ENV").as_deref() {
        Ok("gnu") => "glibc".to_owned(),
        other => other.unwrap_or_default().to_owned(),
    };
    format!("static-{library}")
}

/// The commit of this checkout; a repository in a parent directory is not ours.
fn checked_out() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // A ref that is packed or does not exist yet has no file, and Cargo treats a missing file as
    // changed.
    let head = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_else(|| "HEAD".to_owned());
    for name in ["HEAD", "logs/HEAD", head.as_str()] {
        let path = git(&["rev-parse", "--git-path", name]).map(PathBuf::from);
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The commit that `cargo package` recorded in the crate.
fn published() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\": \"")?;
    rest.get(..12)
        .filter(|commit| commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned)
}
