//! Files that are named or included: they must belong to root or to the running user, and no other
//! user may be able to write or replace them. The error does not depend on whether a file exists.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::config::ConfigFile;
use crate::program::{Ran, finish, program};
use crate::scripted_peer::Peer;
use crate::skip;

/// Numbers that are not used by any user of this machine.
const ALICE: u32 = 61_001;
const BOB: u32 = 61_002;

/// Whether this process may give files away and become another user; else the test is skipped.
fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0);
    if !is_root {
        skip("not root: files cannot be given to another user");
    }
    is_root
}

/// The program as Bob, as which Zabbix would run it.
fn as_bob(words: &[&str]) -> Ran {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "61002", "--regid", "61002", "--clear-groups"])
        .arg(program().get_program())
        .args(words)
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    finish(&mut command)
}

/// A directory that everybody can search, and in which only its owner can write.
fn shared() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    dir
}

fn write(path: &Path, text: &str, mode: u32, owner: u32) -> String {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
    path.display().to_string()
}

#[test]
fn another_users_configuration_cannot_send_files_of_the_running_user() {
    if !is_root() {
        return;
    }
    let dir = shared();
    let secret = write(&dir.path().join("server.conf"), "DBPassword=x", 0o400, BOB);
    let peer = Peer::greeting(b"");
    let config = format!(
        "[services.x]\nport = {}\nhosts = [\"127.0.0.1\"]\nsecrets = {{ s = {{ file = \"{secret}\" }} }}\nsteps = [{{ send = \"${{s}}\" }}]\n",
        peer.port()
    );
    let config = write(&dir.path().join("alice.toml"), &config, 0o644, ALICE);
    let check = ["check", "127.0.0.1", "-s", "x", "--config", &config];
    as_bob(&check).refuses("this file cannot be used");
    peer.has_no_connection();
    // The same file is read once it belongs to Bob or to root.
    for owner in [BOB, 0] {
        chown(&config, Some(owner), None).unwrap();
        as_bob(&check).prints("1", 0);
    }
}

#[test]
fn a_refused_file_looks_like_an_absent_one() {
    if !is_root() {
        return;
    }
    let dir = shared();
    let path = |name: &str| dir.path().join(name);
    write(&path("another.toml"), "", 0o644, ALICE);
    write(&path("closed.toml"), "", 0o600, 0);
    write(&path("writable.toml"), "", 0o666, BOB);
    write(&path("group.toml"), "", 0o664, 0);
    fs::create_dir(path("directory.toml")).unwrap();
    fs::create_dir(path("closed")).unwrap();
    fs::set_permissions(path("closed"), PermissionsExt::from_mode(0o700)).unwrap();
    write(&path("closed/inside.toml"), "", 0o644, 0);
    symlink("nowhere", path("dangling.toml")).unwrap();
    fs::create_dir(path("open")).unwrap();
    write(&path("open/roots.toml"), "", 0o644, 0);
    fs::set_permissions(path("open"), PermissionsExt::from_mode(0o777)).unwrap();
    fs::create_dir(path("sticky")).unwrap();
    fs::set_permissions(path("sticky"), PermissionsExt::from_mode(0o1777)).unwrap();
    write(&path("mine.toml"), "", 0o644, BOB);
    symlink("../mine.toml", path("sticky/link.toml")).unwrap();
    std::os::unix::fs::lchown(path("sticky/link.toml"), Some(ALICE), None).unwrap();
    let said = |name: &str| {
        let path = path(name).display().to_string();
        let ran = as_bob(&["check", "127.0.0.1", "1", "--config", &path]);
        ran.refuses("");
        ran.err.replace(&path, "PATH")
    };
    let absent = said("absent.toml");
    assert!(
        absent.contains("PATH: this file cannot be used"),
        "{absent}"
    );
    for name in [
        "another.toml",
        "closed.toml",
        "writable.toml",
        "group.toml",
        "directory.toml",
        "closed/inside.toml",
        "closed/absent.toml",
        "dangling.toml",
        "open/roots.toml",
        "sticky/link.toml",
    ] {
        assert_eq!(said(name), absent, "{name}");
    }
    let mine = path("mine.toml").display().to_string();
    as_bob(&["check", "127.0.0.1", "1", "--config", &mine]).prints("0", 1);
}

#[test]
fn a_file_that_is_no_configuration_looks_like_an_absent_one() {
    let dir = shared();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let said = |path: &str| {
        let ran = finish(program().args(["check", "127.0.0.1", "1", "--config", path]));
        ran.refuses("");
        ran.err.replace(path, "PATH")
    };
    let absent = said(&path("absent"));
    fs::write(path("server.conf"), "DBPassword = x y\n").unwrap();
    fs::write(path("is.toml.conf"), "secret = 1\n").unwrap();
    fs::write(path("binary"), b"\xff").unwrap();
    fs::write(path("comments.conf"), "# DBPassword=\n").unwrap();
    for name in ["server.conf", "is.toml.conf", "binary", "comments.conf"] {
        assert_eq!(said(&path(name)), absent, "{name}");
    }
    for name in ["/etc/passwd", "/proc/self/environ", "/proc/self/cmdline"] {
        assert_eq!(said(name), absent, "{name}");
    }
    fs::write(path("x.toml"), "secret = 1\n").unwrap();
    assert!(said(&path("x.toml")).contains("PATH:1: secret: unknown key"));
}

/// Zabbix may be able to read a file that the user who chooses `--config` must not read: an error
/// must not show anything of it.
#[test]
fn a_private_file_with_errors_looks_like_an_absent_one() {
    if !is_root() {
        return;
    }
    let dir = shared();
    let path = |name: &str| dir.path().join(name);
    let said = |name: &str, command: &[&str]| {
        let path = path(name).display().to_string();
        let ran = as_bob(&[command, &["--config", &path]].concat());
        if command[0] != "batch" {
            ran.refuses("");
            return ran.err.replace(&path, "PATH");
        }
        // The document of a batch contains the same error.
        assert_eq!(ran.err, "", "{}", ran.out);
        assert!(matches!(ran.code, Some(1 | 2)), "{:?}", ran.code);
        let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let told = document["summary"]["error"].as_str().unwrap();
        format!("zbx-tcp: {told}\n").replace(&path, "PATH")
    };
    let write = |name: &str, text: &str, mode: u32| {
        write(&path(name), text, mode, 0);
        // Bob may read it as a member of its group.
        chown(path(name), None, Some(BOB)).unwrap();
    };
    write("key.toml", "password = 'hunter2'\n", 0o640);
    write("syntax.toml", "password = hunter2\n", 0o640);
    write("empty.toml", "", 0o640);
    write("binary.toml", "\u{0}", 0o640);
    write("large.toml", &" ".repeat((16 << 20) + 1), 0o640);
    let secrets = "hosts = ['127.0.0.1:1']\nsecrets.p = 'hunter2'";
    write(
        "service.toml",
        &format!("[services.x]\n{secrets}\nprot = 1\n"),
        0o640,
    );
    write(
        "target.toml",
        "[[targets]]\nhost = 'internal.example'\n",
        0o640,
    );
    fs::create_dir(path("closed")).unwrap();
    fs::set_permissions(path("closed"), PermissionsExt::from_mode(0o750)).unwrap();
    chown(path("closed"), None, Some(BOB)).unwrap();
    write("closed/key.toml", "password = 'hunter2'\n", 0o644);
    for command in [
        &["check", "127.0.0.1", "1"][..],
        &["batch"],
        &["services"],
        &["services", "--check"],
        &["discover", "targets"],
    ] {
        let absent = said("absent.toml", command);
        assert!(
            absent.contains("PATH: this file cannot be used"),
            "{absent}"
        );
        for name in [
            "key.toml",
            "syntax.toml",
            "empty.toml",
            "binary.toml",
            "large.toml",
            "closed/key.toml",
        ] {
            assert_eq!(said(name, command), absent, "{name} {command:?}");
        }
    }
    // The rest of our own configuration is used, and the error shows nothing of the file either.
    let concealed = "this service or target has an error: `services --check` shows it to the owner";
    for (name, command) in [
        ("service.toml", &["services", "--check"][..]),
        ("service.toml", &["check", "127.0.0.1", "1", "-s", "x"]),
        ("target.toml", &["services", "--check"]),
        ("target.toml", &["batch"]),
    ] {
        let said = said(name, command);
        assert!(said.contains(&format!("PATH: {concealed}")), "{said}");
        assert!(
            !said.contains("hunter2") && !said.contains("internal"),
            "{said}"
        );
    }
    for name in ["service.toml", "target.toml"] {
        let path = path(name).display().to_string();
        as_bob(&["check", "127.0.0.1", "1", "--config", &path]).prints("0", 1);
    }
    let check = ["services", "--check"];
    // Everybody may read it, or the program runs as its owner.
    write("public.toml", "password = 'hunter2'\n", 0o644);
    let public = said("public.toml", &check);
    assert!(public.contains("PATH:1: password: unknown key"), "{public}");
    let private = path("key.toml").display().to_string();
    let ran = finish(program().args(["services", "--check", "--config", &private]));
    ran.refuses(":1: password: unknown key");
    // One without errors is used.
    write(
        "good.toml",
        "[services.x]\nport = 1\nsteps = [{ expect = 'a' }]\n",
        0o640,
    );
    let good = path("good.toml").display().to_string();
    as_bob(&["check", "127.0.0.1", "-s", "x", "--config", &good]).prints("0", 1);
}

#[test]
fn a_secret_file_that_others_can_write_is_refused() {
    let config = ConfigFile::new("");
    for mode in [0o660, 0o620, 0o602] {
        let path = config.beside("password", "x", mode).display().to_string();
        config.beside(
            "config.toml",
            format!(
                "[services.a]\nport = 1\nhosts = [\"127.0.0.1\"]\nsecrets.p.file = \"{path}\"\n"
            ),
            0o640,
        );
        let ran = config.run(&["services", "--check"]);
        ran.refuses(": services.a.secrets.p: ");
        ran.refuses("this file cannot be used");
    }
}
