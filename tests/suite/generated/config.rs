//! The reference of the configuration keys, and the samples that packages install.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::config_keys;
use super::config_keys::SECTIONS;
use super::reference::table;

/// The page.
pub fn page() -> String {
    let mut text =
        "# Keys of the configuration\n\nThe files are `/etc/zbx-tcp/config.toml` and `/etc/zbx-tcp/conf.d/*.toml`, or the \
         file given by `--config` or `ZBX_TCP_CONFIG`. `zbx-tcp services --check` validates them.\n"
            .to_owned();
    for section in &SECTIONS {
        write!(text, "\n## {}\n\n", section.title).unwrap();
        let rows = section.keys.iter().map(|(key, value, meaning)| {
            vec![
                format!("`{key}`"),
                format!("`{value}`"),
                (*meaning).to_owned(),
            ]
        });
        text.push_str(&table(&["key", "example", "meaning"], rows));
    }
    text
}

/// Words in the code that have the form of a key.
const NOT_KEYS: [&str; 4] = ["rejected", "services", "tls_", "tls_refused"];

/// The reference describes exactly the keys that the code reads.
#[test]
fn every_configuration_key_is_described() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings");
    let mut read = BTreeSet::new();
    for file in [
        "overrides.rs",
        "tls_overrides.rs",
        "config/defaults.rs",
        "config/options.rs",
        "config/service.rs",
        "config/target.rs",
        "config/tls.rs",
    ] {
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
                    && word.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
                    })
                    && !NOT_KEYS.contains(word)
            };
            read.extend(quoted.filter(is_key).map(str::to_owned));
        }
    }
    let described: BTreeSet<_> = SECTIONS
        .iter()
        .flat_map(|section| section.keys)
        .map(|(key, ..)| (*key).to_owned())
        .collect();
    assert_eq!(read, described, "config_keys.rs and src/settings differ");
}

/// The examples of the reference are valid.
#[test]
fn every_example_of_a_key_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    let secret = home.path().join("password");
    write_secret(&secret);
    let certificate = home.path().join("certificate.pem");
    write_certificate(&certificate);
    for (section, (key, value, _)) in SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(move |key| (section, key)))
    {
        let text = config_keys::example(section, key, value);
        let text = text.replace("/etc/zbx-tcp/till.password", secret.to_str().unwrap());
        let text = ["ca.pem", "client.pem", "client.key"]
            .map(|name| format!("/etc/zbx-tcp/{name}"))
            .iter()
            .chain([&"/etc/ssl/private/web.pem".to_owned()])
            .fold(text, |text, path| {
                text.replace(path.as_str(), certificate.to_str().unwrap())
            });
        fs::write(&file, text).unwrap();
        let ran = crate::program::run(&["services", "--check", "--config", file.to_str().unwrap()]);
        assert_eq!(
            (ran.err.as_str(), ran.code),
            ("", Some(0)),
            "{} {key} = {value}",
            section.title
        );
    }
}

/// The samples that packages install are valid, as they are and with every setting uncommented.
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
        (active, "ok: 1 service, 1 target entry\n"),
    ] {
        fs::write(&file, &text).unwrap();
        let ran = crate::program::run(&["services", "--check", "--config", file.to_str().unwrap()]);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), (says, ""), "{text}");
    }
    let policy = fs::read(samples.join("policy.toml.sample")).unwrap();
    let policy = zbx_tcp::policy::Policy::from_text(&policy);
    let decision = |address: &str, port| {
        let port = zbx_tcp::address::Port::new(port).unwrap();
        format!("{:?}", policy.decide(address.parse().unwrap(), port))
    };
    assert!(
        decision("10.0.0.1", 22).contains("Allow"),
        "{}",
        decision("10.0.0.1", 22)
    );
    assert!(
        decision("10.0.66.1", 22).contains("Deni"),
        "{}",
        decision("10.0.66.1", 22)
    );
}

/// Creates the file of a secret, which must not be readable by everybody.
/// A certificate and its key, in one file that only its owner may read.
fn write_certificate(path: &Path) {
    let made = rcgen::generate_simple_self_signed(["web.example".to_owned()]).unwrap();
    fs::write(path, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn write_secret(path: &Path) {
    fs::write(path, "open sesame").unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o640)).unwrap();
}

/// Whether a comment is prose: it begins with one space. A setting begins with none, or inside a list with four.
fn is_prose(rest: &str) -> bool {
    rest.starts_with(' ') && (!rest.starts_with("    ") || rest.trim_start().starts_with("cp "))
}
