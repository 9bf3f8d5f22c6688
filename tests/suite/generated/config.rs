//! The reference of the configuration, what it says of each key, and the samples that packages install.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::config_keys;
use super::config_keys::SECTIONS;
use super::reference::table;

/// The page.
pub fn page() -> String {
    let mut text =
        "# Keys of the configuration\n\n`/etc/zbx-tcp/config.toml` and `/etc/zbx-tcp/conf.d/*.toml`, or the file \
                    that `--config` or `ZBX_TCP_CONFIG` names. `zbx-tcp services --check` says what is wrong.\n"
            .to_owned();
    for section in &SECTIONS {
        text.push_str(&format!("\n## {}\n\n", section.title));
        let rows = section.keys.iter().map(|(key, value, meaning)| {
            vec![
                format!("`{key}`"),
                format!("`{value}`"),
                (*meaning).to_owned(),
            ]
        });
        text.push_str(&table(&["key", "such as", "meaning"], rows));
    }
    text
}

/// Every key that the sources of the configuration read is described, and nothing else.
#[test]
fn every_key_of_the_configuration_is_described() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings/config");
    let mut read = BTreeSet::new();
    for file in ["options.rs", "service.rs", "target.rs"] {
        let text = fs::read_to_string(sources.join(file)).unwrap();
        let code = text
            .split("#[cfg(test)]")
            .next()
            .unwrap()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let quoted = line.split('"').skip(1).step_by(2);
            let is_key = |word: &&str| {
                !word.is_empty()
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            };
            read.extend(quoted.filter(is_key).map(str::to_owned));
        }
    }
    let described: BTreeSet<_> = SECTIONS
        .iter()
        .flat_map(|section| section.keys)
        .map(|(key, ..)| (*key).to_owned())
        .collect();
    assert_eq!(
        read, described,
        "config_keys.rs and src/settings/config differ"
    );
}

/// What the reference gives as an example is understood.
#[test]
fn every_example_of_a_key_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    let secret = home.path().join("password");
    write_secret(&secret);
    for (section, (key, value, _)) in SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(move |key| (section, key)))
    {
        let text = config_keys::written(section, key, value);
        fs::write(
            &file,
            text.replace("/etc/zbx-tcp/till.password", secret.to_str().unwrap()),
        )
        .unwrap();
        let ran = crate::program::run(&["services", "--check", "--config", file.to_str().unwrap()]);
        assert_eq!(
            (ran.err.as_str(), ran.code),
            ("", Some(0)),
            "{} {key} = {value}",
            section.title
        );
    }
}

/// The samples that packages install: as they are, and with every setting in force.
#[test]
fn the_sample_files_are_accepted() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/etc");
    let home = tempfile::tempdir().unwrap();
    let sample = fs::read_to_string(samples.join("config.toml.sample")).unwrap();
    let secret = home.path().join("till.password");
    write_secret(&secret);
    let active: String = sample
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.is_empty() && !is_prose(rest))
                .unwrap_or(line)
        })
        .map(|line| {
            format!("{line}\n").replace("/etc/zbx-tcp/till.password", secret.to_str().unwrap())
        })
        .collect();
    let file = home.path().join("config.toml");
    for (text, says) in [
        (sample, "ok: 0 services, 0 target entries\n"),
        (active, "ok: 1 services, 1 target entries\n"),
    ] {
        fs::write(&file, &text).unwrap();
        let ran = crate::program::run(&["services", "--check", "--config", file.to_str().unwrap()]);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), (says, ""), "{text}");
    }
    let policy = fs::read(samples.join("policy.toml.sample")).unwrap();
    let policy = zbx_tcp::policy::Policy::from_text(&policy);
    let judged = |address: &str, port| {
        let port = zbx_tcp::address::Port::new(port).unwrap();
        format!("{:?}", policy.decide(address.parse().unwrap(), port))
    };
    assert!(
        judged("10.0.0.1", 22).contains("Allow"),
        "{}",
        judged("10.0.0.1", 22)
    );
    assert!(
        judged("10.0.66.1", 22).contains("Deni"),
        "{}",
        judged("10.0.66.1", 22)
    );
}

/// A secret's file has to be there, and not for everybody.
fn write_secret(path: &Path) {
    fs::write(path, "open sesame").unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o640)).unwrap();
}

/// Prose begins with one blank; a setting with none, or, inside a list, with four.
fn is_prose(rest: &str) -> bool {
    rest.starts_with(' ') && (!rest.starts_with("    ") || rest.trim_start().starts_with("cp "))
}
