//! The relative links of all pages exist, in the sources and where packages install the pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The relative links of a page, without those in code.
fn links(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let prose: String = prose.split("``").step_by(2).collect();
    let prose: String = prose.split('`').step_by(2).collect();
    let targets = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

/// The anchor of a heading: lower case, `-` for blanks, no other punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let prose: String = text.split("```").step_by(2).collect();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

/// The broken links of this page.
fn dead(page: &Path) -> Vec<String> {
    let leads_nowhere = |target: &String| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let there = if path.is_empty() {
            page.to_owned()
        } else {
            page.parent().unwrap().join(path)
        };
        !there.exists()
            || !(anchor.is_empty() || anchors(&there).iter().any(|known| known == anchor))
    };
    links(&fs::read_to_string(page).unwrap())
        .into_iter()
        .filter(leads_nowhere)
        .collect()
}

/// Every page below a directory, without those of builds and version control.
fn pages(root: &Path) -> Vec<PathBuf> {
    let (mut rest, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(path) = rest.pop() {
        let hidden = path
            .file_name()
            .is_some_and(|name| name == "target" || name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir() && !path.is_symlink() && (!hidden || path == root) {
            rest.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn no_link_is_dead(root: &Path, least: usize) {
    let pages = pages(root);
    assert!(pages.len() >= least, "the pages were not found: {pages:?}");
    let dead: Vec<_> = pages
        .iter()
        .map(|page| (page, dead(page)))
        .filter(|(_, dead)| !dead.is_empty())
        .collect();
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn links_of_source_pages_exist() {
    no_link_is_dead(Path::new(env!("CARGO_MANIFEST_DIR")), 15);
}

#[test]
fn links_of_installed_pages_exist() {
    for format in ["deb", "rpm", "tar"] {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        // As in packaging/build, without building the binary.
        let script = "set -euo pipefail; . packaging/stage; dependencies() { :; }; mkdir \"$out/work\"; stage $0 \"$1\"";
        let mut shell = Command::new("bash");
        shell
            .args(["-c", script, format])
            .arg(&root)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let made = [
            ("binary", "/dev/null"),
            ("version", "1"),
            ("package_version", "1"),
            ("maintainer", "nobody"),
        ];
        shell
            .env("out", place.path())
            .env("SOURCE_DATE_EPOCH", "0")
            .envs(made);
        let output = shell.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        no_link_is_dead(&root, 8);
        let page = fs::read_to_string(root.join("usr/share/doc/zbx-tcp/README.md")).unwrap();
        for text in [
            "](reference)",
            "](../../zbx-tcp/templates/README.md#when-something-is-missing)",
        ] {
            assert!(
                page.contains(text),
                "{format}: a link to what is installed was lost: {text}"
            );
        }
        assert!(
            page.contains("\n(Picture: ") && page.contains("\nCONTRIBUTING.md says"),
            "{format}: words were lost"
        );
    }
}

#[test]
fn links_in_code_are_ignored() {
    assert_eq!(
        links("[a](b) `[c](d)` ``[`e`](f)`` ![g](h#i)\n```\n[j](k)\n```\n[l](https://m/)"),
        ["b", "h#i"]
    );
    assert_eq!(
        anchor(" Policy: who may be probed"),
        "policy-who-may-be-probed"
    );
}
