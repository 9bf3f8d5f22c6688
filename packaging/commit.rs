//! Build script: what `--version` says beside the number, which is the commit and the kind of build.
//!
//! The commit is `ZBX_TCP_COMMIT` where a packager sets it, else that of this checkout, else that of the published crate.
//! A source tree that has none of them builds too, and says so.

// That is how a build script speaks to cargo.
#![allow(clippy::print_stdout)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=packaging/commit.rs");
    println!("cargo::rerun-if-env-changed=ZBX_TCP_COMMIT");
    // packaging/build-static gives it to the linker, and Cargo does not look into flags.
    println!("cargo::rerun-if-changed=packaging/start.ld");
    let given = env::var("ZBX_TCP_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = given
        .or_else(checked_out)
        .or_else(published)
        .unwrap_or_else(|| "commit unknown".to_owned());
    println!("cargo::rustc-env=ZBX_TCP_BUILD={commit}, {}", kind());
}

/// How the program is linked: it decides what a start costs and which names it can resolve.
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

/// The commit of this checkout; another repository around an unpacked tarball does not count.
fn checked_out() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // A ref that does not exist yet, or is packed, must not be watched: a missing file counts as changed.
    let head = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_else(|| "HEAD".to_owned());
    for name in ["HEAD", "logs/HEAD", head.as_str()] {
        let path = git(&["rev-parse", "--git-path", name]).map(PathBuf::from);
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(words)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The commit that `cargo package` wrote into the crate.
fn published() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\": \"")?;
    rest.get(..12)
        .filter(|commit| commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned)
}
