//! The configuration: where it is found, which setting takes precedence, users' services.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::private_etc::Etc;
use crate::program::{Ran, finish, program};
use crate::scripted_peer::Peer;

/// A configuration file in a directory of its own, readable by owner and group.
pub struct ConfigFile {
    dir: tempfile::TempDir,
}

impl ConfigFile {
    pub fn new(text: impl AsRef<[u8]>) -> Self {
        let file = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        file.beside("config.toml", text, 0o640);
        file
    }

    /// Writes another file to its directory, with this mode.
    pub fn beside(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub fn path(&self) -> String {
        self.dir.path().join("config.toml").display().to_string()
    }

    /// Runs `zbx-tcp ARGUMENTS... --config` with this file.
    pub fn run(&self, words: &[&str]) -> Ran {
        finish(program().args(words).args(["--config", &self.path()]))
    }
}

/// A peer that answers each message with the next of these, and reports what it received.
fn answering(
    greeting: &'static [u8],
    answers: &'static [&'static [u8]],
) -> (Peer, Receiver<Vec<u8>>) {
    let (sender, received) = channel();
    let peer = Peer::start(move |mut stream: TcpStream| {
        let _ = stream.write_all(greeting);
        let (mut all, mut answers) = (Vec::new(), answers.iter());
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            all.extend_from_slice(&buffer[..length]);
            if let Some(answer) = answers.next() {
                let _ = stream.write_all(answer);
            }
        }
        let _ = sender.send(all);
    });
    (peer, received)
}

#[test]
fn options_override_services_and_services_override_defaults() {
    let config = ConfigFile::new(
        "[defaults]\ntimeout = \"100ms\"\ncount = 1\n\
         [services.slow]\nport = 9\ntimeout = \"0.9s\"\nsteps = [{ expect = \"never\" }]\n",
    );
    let peer = Peer::greeting(b"");
    let port = peer.port();
    let total = |words: &[&str]| {
        let document = config
            .run(&[&["check", "127.0.0.1", &port, "-o", "json"], words].concat())
            .document();
        assert_eq!(document["attempts"]["sent"], 1, "{document}");
        (
            document["status_name"].as_str().unwrap().to_owned(),
            document["time"]["total"].as_f64().unwrap(),
        )
    };
    let near = |(status, total): (String, f64), wanted: f64| {
        assert!(
            status == "read_timeout" && (wanted..wanted + 0.7).contains(&total),
            "{status} {total}"
        );
    };
    near(total(&["--expect", "never"]), 0.1);
    near(total(&["-s", "slow"]), 0.9);
    near(total(&["-s", "slow", "-t", "1.7"]), 1.7);
    // The port of a service is used only if nothing else gives one.
    config
        .run(&["check", "127.0.0.1", "-s", "slow", "-o", "error"])
        .prints_start("connect to 127.0.0.1:9: ");
}

#[test]
fn a_users_service_overrides_a_built_in_one() {
    let config = ConfigFile::new(
        "[services.ssh]\ndescription = \"ours\"\nport = 2222\nsteps = [{ expect = \"mine\" }]\n",
    );
    let peer = Peer::greeting(b"this is mine\r\n");
    config
        .run(&["check", "127.0.0.1", &peer.port(), "-s", "ssh"])
        .prints("1", 0);
    let page = config.run(&["services", "ssh"]);
    assert_eq!(page.out, "ssh: ours\n  port     2222\n  expect   `mine`\n");
    let table = config.run(&["services"]).out;
    assert_eq!(
        table
            .lines()
            .filter(|line| line.starts_with("ssh "))
            .count(),
        1,
        "{table}"
    );
    assert!(table.contains("2222  ours (yours)"), "{table}");
    let built_in =
        finish(program().args(["check", "127.0.0.1", &peer.port(), "-s", "ssh", "-o", "up"]));
    assert_eq!(built_in.out, "0\n");
}

#[test]
fn a_service_sends_expects_captures_and_quits() {
    let config = ConfigFile::new(
        "[services.till]\nencoding = \"gbk\"\ncrlf = true\nquit = \"再见\"\nsteps = [\n\
         { expect_regex = '^你好,我是(?<name>[^!]+)!' },\n\
         { send = \"你好 ${name}\" },\n\
         { expect_any = [\"不\", { prefix = \"好\" }], reject = [\"错误\", \"忙\"] },\n]\n",
    );
    let gbk = |text: &str| encoding_rs::GBK.encode(text).0.into_owned();
    // "你好,我是服务端!" and "好的" and "很忙" in GBK.
    const HELLO: &[u8] = b"\xc4\xe3\xba\xc3,\xce\xd2\xca\xc7\xb7\xfe\xce\xf1\xb6\xcb!";
    const WELL: &[u8] = b"\xba\xc3\xb5\xc4";
    const BUSY: &[u8] = b"\xba\xdc\xc3\xa6";
    assert_eq!(
        (gbk("你好,我是服务端!"), gbk("好的"), gbk("很忙")),
        (HELLO.into(), WELL.into(), BUSY.into())
    );
    let check = |peer: &Peer, output: &str| {
        let port = peer.port();
        config.run(&["check", "127.0.0.1", &port, "-s", "till", "-o", output])
    };
    let (peer, heard) = answering(HELLO, &[WELL]);
    let document = check(&peer, "json").document();
    assert_eq!(
        (document["up"].as_u64(), document["step"].as_u64()),
        (Some(1), Some(3)),
        "{document}"
    );
    assert_eq!(
        (
            document["service"].as_str(),
            document["response"]["text"].as_str()
        ),
        (Some("till"), Some("好的"))
    );
    assert_eq!(document["captures"]["name"], "服务端");
    assert_eq!(heard.recv().unwrap(), gbk("你好 服务端\r\n再见\r\n"));
    check(&peer, "captures.name").prints("服务端", 0);
    let (busy, heard) = answering(HELLO, &[BUSY]);
    let document = check(&busy, "json").document();
    assert_eq!(
        (document["status"].as_u64(), document["step"].as_u64()),
        (Some(10), Some(3)),
        "{document}"
    );
    assert!(
        document["error"].as_str().unwrap().contains("`忙`"),
        "{document}"
    );
    assert!(heard.recv().unwrap().ends_with(&gbk("再见\r\n")), "no quit");
}

#[test]
fn dialogue_options_replace_the_steps_of_the_service() {
    let config = ConfigFile::new(
        "[services.a]\nquit = \"BYE\"\nsteps = [{ expect = \"nothing like it\" }]\n",
    );
    let (peer, heard) = answering(b"hello\r\n", &[]);
    config
        .run(&[
            "check",
            "127.0.0.1",
            &peer.port(),
            "-s",
            "a",
            "--expect",
            "hello",
        ])
        .prints("1", 0);
    assert_eq!(heard.recv().unwrap(), b"BYE");
}

#[test]
fn the_config_option_overrides_the_environment() {
    let named = ConfigFile::new("[services.named]\nport = 1\n");
    let other = ConfigFile::new("[services.other]\nport = 1\n");
    let services =
        |words: &[&str]| finish(program().args(words).env("ZBX_TCP_CONFIG", named.path()));
    assert!(services(&["services", "named"]).out.starts_with("named: "));
    assert!(
        services(&["services", "named", "--config="])
            .out
            .starts_with("named: ")
    );
    assert!(
        services(&["services", "other", "--config", &other.path()])
            .out
            .starts_with("other: ")
    );
    services(&["services", "named", "--config", &other.path()]).refuses("unknown service `named`");
    finish(
        program()
            .args(["services", "named"])
            .env("ZBX_TCP_CONFIG", ""),
    )
    .refuses("unknown service `named`");
    let strange: &OsStr = OsStrExt::from_bytes(b"/\xff.toml");
    finish(program().arg("services").env("ZBX_TCP_CONFIG", strange))
        .refuses("this file cannot be used");
}

/// `zbx-tcp services ARGUMENTS...` with this `/etc`.
fn services(etc: &Etc, words: &[&str]) -> Ran {
    finish(
        etc.command(&[])
            .arg(program().get_program())
            .arg("services")
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
    )
}

#[test]
fn the_default_files_are_read_in_order() {
    let Some(etc) = Etc::new() else { return };
    services(&etc, &["--check"]).prints("ok: 0 services, 0 target entries", 0);
    let write = |name: &str, text: &str| {
        fs::write(etc.path(Path::new("zbx-tcp").join(name)), text).unwrap();
    };
    fs::create_dir(etc.path("zbx-tcp/conf.d")).unwrap();
    write(
        "config.toml",
        "[defaults]\ntimeout = 0.1\n[services.main]\nport = 1\n",
    );
    write(
        "conf.d/20.toml",
        "[defaults]\ntimeout = 0.6\n[services.twenty]\nport = 1\n[[targets]]\nhost = \"::1\"\nport = 1\n",
    );
    write(
        "conf.d/10.toml",
        "[defaults]\ntimeout = 2.5\n[services.ten]\nport = 1\n",
    );
    write("conf.d/30.toml~", "not TOML");
    services(&etc, &["--check"]).prints("ok: 3 services, 1 target entry", 0);
    let peer = Peer::greeting(b"");
    let total = || {
        let ran = etc.check(&[
            "127.0.0.1",
            &peer.port(),
            "--expect",
            "never",
            "-o",
            "time.total",
        ]);
        ran.out.trim().parse::<f64>().unwrap()
    };
    let last = total();
    assert!(
        (0.6..1.5).contains(&last),
        "the last file's default counts: {last}"
    );
    write("conf.d/15.toml", "[services.ten]\nport = 2\n");
    services(&etc, &["--check"])
        .refuses("/etc/zbx-tcp/conf.d/15.toml:1: services.ten: is defined in two files");
    etc.check(&["127.0.0.1", &peer.port(), "-s", "ten"])
        .refuses("/etc/zbx-tcp/conf.d/15.toml:1: services.ten: ");
    etc.check(&["127.0.0.1", &peer.port(), "-s", "twenty"])
        .prints("1", 0);
    fs::remove_file(etc.path("zbx-tcp/conf.d/15.toml")).unwrap();
    fs::remove_file(etc.path("zbx-tcp/config.toml")).unwrap();
    services(&etc, &["--check"]).prints("ok: 2 services, 1 target entry", 0);
    std::os::unix::fs::symlink("nowhere", etc.path("zbx-tcp/config.toml")).unwrap();
    services(&etc, &["--check"]).refuses("/etc/zbx-tcp/config.toml: no such file or directory");
    fs::remove_file(etc.path("zbx-tcp/config.toml")).unwrap();
    fs::remove_dir_all(etc.path("zbx-tcp/conf.d")).unwrap();
    fs::write(etc.path("zbx-tcp/conf.d"), "").unwrap();
    services(&etc, &["--check"]).refuses("/etc/zbx-tcp/conf.d: not a directory");
    fs::remove_dir_all(etc.path("zbx-tcp")).unwrap();
    services(&etc, &["--check"]).prints("ok: 0 services, 0 target entries", 0);
}

#[test]
fn defaults_of_attempts_apply_only_with_count() {
    let config = ConfigFile::new("[defaults]\ninterval = \"0.01s\"\nrequire = 2\n");
    let peer = Peer::greeting(b"x");
    let check =
        |words: &[&str]| config.run(&[&["check", "127.0.0.1", &peer.port()], words].concat());
    check(&[]).prints("1", 0);
    check(&["--count", "2", "-o", "attempts.sent"]).prints("2", 0);
    check(&["--count", "1"])
        .refuses("config.toml:3: defaults.require: 2 is greater than `--count` (1)");
    check(&["--interval", "1s"]).refuses("--interval: requires `--count`");
}

#[test]
fn many_services_cost_no_more_than_their_text() {
    // When all of them were compared with each other, and compiled although none is used, this took
    // minutes.
    let service = |number| {
        format!(
            "[services.s{number}]\nport = 1\nsteps = [{{ expect_regex = \"^2[0-9]+ x{number}\" }}]\n"
        )
    };
    let config = ConfigFile::new((0..80_000).map(service).collect::<String>());
    let ran = config.run(&["check", "127.0.0.1", "-s", "s79999", "-o", "status"]);
    ran.prints("3", 1);
    assert!(ran.took < Duration::from_secs(30), "{:?}", ran.took);
}

#[test]
fn conflicts_are_named_by_where_they_were_written() {
    let config = ConfigFile::new("[defaults]\ncount = 3\naddresses = \"all\"\n");
    let peer = Peer::greeting(b"x");
    let port = peer.port();
    let check = |words: &[&str]| config.run(&[&["check", "127.0.0.1", &port], words].concat());
    check(&[]).refuses(
        "config.toml:2: defaults.count: cannot be combined with `defaults.addresses` `all`: remove one of them, or give `--count 1`, or give `--addresses any`",
    );
    check(&["--count", "2"]).refuses("--count: cannot be combined with `defaults.addresses` (");
    check(&["--addresses", "all"]).refuses(
        "config.toml:2: defaults.count: cannot be combined with `--addresses` `all`: remove one of them, or give `--count 1`",
    );
    // The command line disables a default.
    for words in [
        ["-n", "1"],
        ["--addresses", "any"],
        ["--addresses", "first"],
    ] {
        check(&words).prints("1", 0);
    }
    let closed = ConfigFile::new("[defaults]\nexpect_closed = \"answered\"\n");
    closed
        .run(&["check", "127.0.0.1", &port, "--expect", "x"])
        .refuses(
            "config.toml:2: defaults.expect_closed: cannot be combined with `steps` and `quit`",
        );
    let family = ConfigFile::new(
        "[defaults]\nfamily = 4\n[services.six]\nport = 1\nfamily = \"6\"\n[[targets]]\nhost = \"::1\"\nport = 1\ngroup = \"a\"\n\
         [[targets]]\nhost = \"::1\"\nport = 1\nfamily = \"4\"\ngroup = \"b\"\n",
    );
    let check = |words: &[&str]| family.run(&[&["check"], words].concat());
    check(&["::1", "1"])
        .refuses("config.toml:2: defaults.family: the target ::1 is not an IPv4 address");
    check(&["127.0.0.1", "-s", "six"])
        .refuses("config.toml:5: services.six.family: the target 127.0.0.1 is not an IPv6 address");
    check(&["::1", "-s", "six"]).prints("0", 1);
    check(&["::1", "1", "-6"]).prints("0", 1);
    check(&["::1", "1", "--family", "6"]).prints("0", 1);
    check(&["::1", "1", "--source", "127.0.0.1"])
        .refuses("config.toml:2: defaults.family: the target ::1 is not an IPv4 address");
    check(&["127.0.0.1", "1", "-6", "--source", "127.0.0.1"])
        .refuses("--source: is not an address of the family that `-6` selects");
    family.run(&["batch", "-g", "b"]).reports(
        "config.toml:13: targets[2].family: the target ::1 is not an IPv4 address",
        1,
    );
    let ran = family.run(&["batch", "-g", "a", "-6"]);
    assert!(ran.out.contains("\"family\":6"), "{}", ran.out);
}
