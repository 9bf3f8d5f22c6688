//! The policy at its fixed path: the program runs in a mount namespace with a private `/etc`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use crate::private_etc::{Etc, WITHOUT_CAPABILITIES};
use crate::program::{finish, program};
use crate::scripted_peer::Peer;

impl Etc {
    /// An `/etc` with this policy.
    fn with(text: &str) -> Option<Self> {
        let etc = Self::new()?;
        fs::write(etc.policy(), text).unwrap();
        Some(etc)
    }

    fn policy(&self) -> PathBuf {
        self.path("zbx-tcp/policy.toml")
    }

    /// Asserts that the peer is not probed; the error text.
    #[track_caller]
    fn denies(&self, wrapper: &[&str]) -> String {
        let peer = Peer::greeting(b"hello\r\n");
        let port = peer.port();
        let document = self
            .check_behind(wrapper, &["127.0.0.1", &port, "-o", "json"])
            .document();
        assert_eq!(
            (document["status"].as_u64(), document["up"].as_u64()),
            (Some(14), Some(0)),
            "{document}"
        );
        peer.has_no_connection();
        let error = document["error"].as_str().unwrap();
        let start = format!("connect to 127.0.0.1:{port}: denied by policy: ");
        error
            .strip_prefix(&start)
            .unwrap_or_else(|| panic!("{error}"))
            .to_owned()
    }
}

#[test]
fn without_a_policy_file_everything_is_allowed() {
    let Some(etc) = Etc::new() else { return };
    let peer = Peer::greeting(b"hello\r\n");
    etc.check(&["127.0.0.1", &peer.port()]).prints("1", 0);
    fs::remove_dir(etc.path("zbx-tcp")).unwrap();
    etc.check(&["127.0.0.1", &peer.port()]).prints("1", 0);
}

#[test]
fn a_denied_target_receives_nothing_and_has_status_14() {
    let Some(etc) = Etc::with("deny = [\"192.0.2.0/24\", \"127.0.0.0/8\"]\n") else {
        return;
    };
    let peer = Peer::greeting(b"hello\r\n");
    let port = peer.port();
    let reason = format!("connect to 127.0.0.1:{port}: denied by policy: deny[2]");
    etc.check(&["127.0.0.1", &port]).prints("0", 1);
    etc.check(&["127.0.0.1", &port, "-o", "status"])
        .prints("14", 1);
    etc.check(&["127.0.0.1", &port, "-o", "error"])
        .prints(&reason, 1);
    etc.check(&["127.0.0.1", &port, "-o", "time.connect"])
        .prints("0", 1);
    let document = etc.check(&["127.0.0.1", &port, "-o", "json"]).document();
    assert_eq!(
        (
            document["status"].as_u64(),
            document["status_name"].as_str()
        ),
        (Some(14), Some("denied"))
    );
    assert_eq!(
        (document["error"].as_str(), document["address"].as_str()),
        (Some(&*reason), Some("127.0.0.1"))
    );
    for absent in ["tcp", "source", "response", "step"] {
        assert!(document.get(absent).is_none(), "{document}");
    }
    let text = etc.check(&["127.0.0.1", &port, "-o", "text"]);
    assert!(
        text.out.contains(&reason) && text.out.contains("could not be probed: denied"),
        "{}",
        text.out
    );
    assert!(!text.out.contains("DOWN"), "{}", text.out);
    let spoken = etc.check(&[
        "127.0.0.1",
        &port,
        "--send",
        "x",
        "--expect",
        "hello",
        "-o",
        "status",
    ]);
    spoken.prints("14", 1);
    etc.check(&[
        "127.0.0.1",
        &port,
        "--expect-closed=filtered",
        "-o",
        "status",
    ])
    .prints("14", 1);
    peer.has_no_connection();
}

#[test]
fn several_attempts_at_a_denied_target_end_at_once() {
    let Some(etc) = Etc::with("deny = [\"127.0.0.1\"]") else {
        return;
    };
    let peer = Peer::greeting(b"");
    let ran = etc.check(&[
        "127.0.0.1",
        &peer.port(),
        "-n",
        "5",
        "--require",
        "2",
        "-o",
        "json",
    ]);
    let document = ran.document();
    assert_eq!(
        (
            document["status"].as_u64(),
            document["attempts"]["sent"].as_u64()
        ),
        (Some(14), Some(0))
    );
    assert!(
        document["time"]["total"].as_f64().unwrap() < 0.1,
        "{document}"
    );
    peer.has_no_connection();
}

#[test]
fn no_address_notation_or_name_bypasses_the_policy() {
    let Some(etc) = Etc::with("deny = [\"127.0.0.0/8\", \"::1\"]") else {
        return;
    };
    let peer = Peer::greeting(b"");
    let port = peer.port();
    for host in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "[::ffff:7f00:1]",
        "0:0:0:0:0:ffff:7f00:1",
        "0.0.0.0",
        "::",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        "localhost",
        "inside",
        "INSIDE.",
    ] {
        etc.check(&[host, &port, "-o", "status"]).prints("14", 1);
    }
    for host in ["0x7f.1", "127.1", "2130706433", "0177.0.0.1"] {
        etc.check(&[host, &port]).refuses("four decimal numbers");
    }
    peer.has_no_connection();
}

#[test]
fn the_policy_is_checked_for_each_address_of_a_name() {
    let Some(etc) = Etc::with("deny = [\"127.0.0.2\"]") else {
        return;
    };
    let peer = Peer::greeting(b"");
    let document = etc
        .check(&["both", &peer.port(), "--addresses", "all", "-o", "json"])
        .document();
    let statuses: Vec<_> = document["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].as_u64())
        .collect();
    assert_eq!(statuses, [Some(0), Some(14)], "{document}");
    assert_eq!(
        (document["status"].as_u64(), document["address"].as_str()),
        (Some(14), Some("127.0.0.2"))
    );
    etc.check(&["outside", &peer.port(), "-o", "status"])
        .prints("14", 1);
    etc.check(&["inside", &peer.port()]).prints("1", 0);
}

#[test]
fn ports_are_part_of_a_rule() {
    let (open, other) = (Peer::greeting(b""), Peer::greeting(b""));
    let Some(etc) = Etc::with(&format!("allow = [\"127.0.0.0/8:{}\"]", open.port())) else {
        return;
    };
    etc.check(&["127.0.0.1", &open.port()]).prints("1", 0);
    let error = etc.check(&["127.0.0.1", &other.port(), "-o", "error"]);
    error.prints(
        &format!(
            "connect to 127.0.0.1:{}: denied by policy: no allow rule matches",
            other.port()
        ),
        1,
    );
    other.has_no_connection();
}

#[test]
fn a_service_is_used_on_its_hosts_only() {
    let Some(etc) = Etc::new() else { return };
    let (till, other) = (Peer::greeting(b"hello\r\n"), Peer::greeting(b"hello\r\n"));
    let (here, elsewhere) = (till.port(), other.port());
    let config = etc.path("zbx-tcp/config.toml");
    let steps = "secrets.p = \"s3cret\"\nsteps = [{ send = \"${p}\" }, { expect = \"hello\" }]";
    let text = format!(
        "[services.till]\nport = {elsewhere}\nhosts = [\"127.0.0.1:{here}\", \"::1\", \"127.0.0.2\"]\n{steps}\n"
    );
    fs::write(&config, text).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    etc.check(&["127.0.0.1", &here, "-s", "till"])
        .prints("1", 0);
    let reason = format!(
        "connect to 127.0.0.1:{elsewhere}: denied by policy: not listed in services.till.hosts"
    );
    for host in ["127.0.0.1", "inside", "::ffff:127.0.0.1"] {
        etc.check(&[host, "-s", "till", "-o", "error"])
            .prints(&reason, 1);
    }
    // An entry without a port means the service's own port.
    etc.check(&["127.0.0.2", &here, "-s", "till", "-o", "status"])
        .prints("14", 1);
    etc.check(&["127.0.0.2", "-s", "till", "-o", "status"])
        .prints("3", 1);
    // Only the service's own steps may send its secrets.
    for option in ["--send", "--quit"] {
        let words = ["127.0.0.1", &here, "-s", "till", option, "${p}"];
        etc.check(&words).refuses(
            ": the secret `p` can be sent only by the steps and the `quit` of its service",
        );
    }
    // Other steps, and a plain connect, are no exception.
    for words in [
        &["--send", "p"][..],
        &["--expect", "hello"],
        &["-n", "3"],
        &["--addresses", "all"],
    ] {
        etc.check(
            &[
                &["127.0.0.1", &elsewhere, "-s", "till", "-o", "status"],
                words,
            ]
            .concat(),
        )
        .prints("14", 1);
    }
    for host in ["0.0.0.0", "::", "64:ff9b::127.0.0.1", "outside"] {
        etc.check(&[host, &here, "-s", "till", "-o", "status"])
            .prints("14", 1);
    }
    let word = format!("127.0.0.1:{elsewhere}");
    let named = format!("{word}/till");
    for words in [&[word.as_str(), "-s", "till"][..], &[named.as_str()]] {
        let mut batch = etc.command(&[]);
        let ran = finish(batch.arg(program().get_program()).arg("batch").args(words));
        let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            (
                &document["summary"]["unknown"],
                &document["targets"][&word]["status"]
            ),
            (&1.into(), &14.into())
        );
    }
    other.has_no_connection();
    etc.check(&["127.0.0.1", &elsewhere]).prints("1", 0);
    fs::write(etc.policy(), "deny = [\"127.0.0.0/8\"]").unwrap();
    let error = etc.check(&["127.0.0.1", "-s", "till", "-o", "error"]);
    error.prints(
        &format!("connect to 127.0.0.1:{elsewhere}: denied by policy: deny[1]"),
        1,
    );
}

#[test]
fn an_invalid_policy_denies_everything_with_a_reason() {
    let Some(etc) = Etc::new() else { return };
    let path = etc.policy();
    for (text, why) in [
        (
            "",
            "/etc/zbx-tcp/policy.toml has neither allow nor deny rules",
        ),
        (
            "alow = []",
            "policy file is invalid: /etc/zbx-tcp/policy.toml:1: key `alow`: unknown key: use `allow` or `deny`",
        ),
        (
            "\ndeny = [\"127.0.0.1/8\"]",
            "policy file is invalid: /etc/zbx-tcp/policy.toml:2: key `deny[1]`: host bits",
        ),
        (
            "deny = [",
            "policy file is invalid: /etc/zbx-tcp/policy.toml:1: not valid TOML: ",
        ),
        (
            &"# a long line\n".repeat(1 << 17),
            "policy file cannot be used: /etc/zbx-tcp/policy.toml: is larger than 1048576 bytes",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let reason = etc.denies(&[]);
        assert!(reason.starts_with(why), "{reason}");
    }
    fs::write(&path, b"deny = []\n\xff").unwrap();
    assert!(etc.denies(&[]).ends_with(":2: not UTF-8"));
    fs::remove_file(&path).unwrap();
    symlink("nowhere.toml", &path).unwrap();
    assert_eq!(
        etc.denies(&[]),
        "policy file cannot be used: /etc/zbx-tcp/policy.toml: no such file or directory"
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(
        etc.denies(&[])
            .ends_with(": is a directory, not a regular file")
    );
    fs::remove_dir(&path).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    assert!(etc.denies(&[]).ends_with(": is a FIFO, not a regular file"));
}

#[test]
fn an_unreadable_policy_denies_everything() {
    let Some(etc) = Etc::with("allow = [\"127.0.0.0/8\"]") else {
        return;
    };
    if !etc.can_drop_capabilities() {
        return;
    }
    let peer = Peer::greeting(b"");
    etc.check_behind(&WITHOUT_CAPABILITIES, &["127.0.0.1", &peer.port()])
        .prints("1", 0);
    let expected = "policy file cannot be used: /etc/zbx-tcp/policy.toml: permission denied";
    fs::set_permissions(etc.policy(), fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(etc.denies(&WITHOUT_CAPABILITIES), expected);
    fs::set_permissions(etc.policy(), fs::Permissions::from_mode(0o644)).unwrap();
    let directory = etc.path("zbx-tcp");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
    // Whether files exist is not known: it is a configuration error, and nothing is sent.
    let ran = etc.check_behind(&WITHOUT_CAPABILITIES, &["127.0.0.1", &peer.port()]);
    ran.refuses("permission denied");
    let elsewhere = dir_with_empty_config();
    let config = elsewhere.path().join("config.toml").display().to_string();
    let ran = etc.check_behind(
        &WITHOUT_CAPABILITIES,
        &[
            "127.0.0.1",
            &peer.port(),
            "--config",
            &config,
            "-o",
            "status",
        ],
    );
    ran.prints("14", 1);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
}

fn dir_with_empty_config() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.toml"), "").unwrap();
    dir
}

#[test]
fn no_argument_or_variable_changes_the_policy_path() {
    let Some(etc) = Etc::with("deny = [\"127.0.0.0/8\"]") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("policy.toml");
    fs::write(&other, "allow = [\"0.0.0.0/0\"]").unwrap();
    let (other, here) = (
        other.display().to_string(),
        dir.path().display().to_string(),
    );
    let peer = Peer::greeting(b"");
    let port = peer.port();
    let environment = [
        "ZBX_TCP_POLICY",
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_CONFIG_DIRS",
        "PWD",
    ];
    let set = |value: &str| environment.map(|name| format!("{name}={value}"));
    for value in [&other, &here] {
        let set = set(value);
        let words: Vec<&str> = ["env", "-C", &here]
            .into_iter()
            .chain(set.iter().map(String::as_str))
            .collect();
        etc.check_behind(&words, &["127.0.0.1", &port, "-o", "status"])
            .prints("14", 1);
    }
    peer.has_no_connection();
}
