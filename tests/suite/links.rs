//! Relative links of all pages have a target: in the sources, and in the packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The relative links of a page. Code is skipped.
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

/// The anchor of a heading, as GitHub makes it: lower case, `-` for blanks, without other punctuation.
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

/// The broken links of a page.
fn broken(page: &Path) -> Vec<String> {
    let is_broken = |target: &String| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let linked = if path.is_empty() {
            page.to_owned()
        } else {
            page.parent().unwrap().join(path)
        };
        !linked.exists()
            || !(anchor.is_empty() || anchors(&linked).iter().any(|known| known == anchor))
    };
    links(&fs::read_to_string(page).unwrap())
        .into_iter()
        .filter(is_broken)
        .collect()
}

pub fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// Every page below a directory, without those of builds and of version control.
pub fn pages(root: &Path) -> Vec<PathBuf> {
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
        } else if is_page(&path) {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn no_link_is_broken(root: &Path, least: usize) {
    let pages = pages(root);
    assert!(pages.len() >= least, "the pages were not found: {pages:?}");
    let broken: Vec<_> = pages
        .iter()
        .map(|page| (page, broken(page)))
        .filter(|(_, broken)| !broken.is_empty())
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn links_in_the_sources_have_targets() {
    no_link_is_broken(Path::new(env!("CARGO_MANIFEST_DIR")), 15);
}

#[test]
fn links_in_the_packages_have_targets() {
    for format in ["deb", "rpm", "tar"] {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        // As packaging/build does it, but without a binary and the list of dependencies.
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
        no_link_is_broken(&root, 18);
        let page = fs::read_to_string(root.join("usr/share/doc/zbx-tcp/README.md")).unwrap();
        for text in [
            "](reference)",
            "](install.md#selinux)",
            "](../../zbx-tcp/templates/README.md#zabbix-agent)",
        ] {
            assert!(
                page.contains(text),
                "{format}: the link to an installed file is missing: {text}"
            );
        }
        assert!(
            page.contains("\n(Picture: ") && page.contains("\nCONTRIBUTING.md explains"),
            "{format}: the text of a removed link is missing"
        );
    }
}

#[test]
fn links_and_anchors_are_recognized() {
    assert_eq!(
        links("[a](b) `[c](d)` ``[`e`](f)`` ![g](h#i)\n```\n[j](k)\n```\n[l](https://m/)"),
        ["b", "h#i"]
    );
    assert_eq!(anchor(" Policy: which hosts"), "policy-which-hosts");
}

/// Every page for users is in the packages. The architecture is for developers, who have the sources.
#[test]
fn every_page_is_packaged() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("packaging/files")).unwrap();
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if is_page(Path::new(&name)) && name != "architecture.md" {
            assert!(list.contains(&format!(" docs/{name} ")), "{name}");
        }
    }
}
