//! `doctor`: what it says of machines that are set up well and badly, in an `/etc` of their own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use serde_json::Value;

use crate::private_etc::Etc;
use crate::program::{Ran, finish, program, run};

/// The user of Zabbix in these machines, who exists nowhere else.
const USER: u32 = 64_001;

/// A machine with a server, an agent 2 and the plugin, where nothing is to do.
fn machine() -> Option<Etc> {
    let etc = Etc::new()?;
    if !fs::metadata("/proc/self")
        .is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
    {
        crate::skip("files of another user need root");
        return None;
    }
    for directory in [
        "zabbix/externalscripts",
        "zabbix/zabbix_agent2.d",
        "ssl/certs",
    ] {
        fs::create_dir_all(etc.path(directory)).unwrap();
    }
    let write = |name: &str, text: &str| fs::write(etc.path(name), text).unwrap();
    write(
        "passwd",
        &format!("root:x:0:0::/root:/bin/sh\nzabbix:x:{USER}:{USER}::/:/bin/sh\n"),
    );
    write(
        "group",
        &format!("root:x:0:\nzabbix:x:{USER}:\nconfig:x:64002:zabbix\n"),
    );
    write(
        "resolv.conf",
        "# x\nsearch example\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n",
    );
    write(
        "zabbix/zabbix_server.conf",
        "# Timeout=1\nTimeout=4\nExternalScripts=/etc/zabbix/externalscripts\n",
    );
    write(
        "zabbix/zabbix_agent2.conf",
        "Server=127.0.0.1\nInclude=./zabbix_agent2.d/*.conf\n",
    );
    write(
        "zabbix/zabbix_agent2.d/zbx-tcp.conf",
        "Plugins.Tcp.System.Path=/bin/sh\n",
    );
    symlink("/bin/sh", etc.path("zabbix/externalscripts/zbx-tcp")).unwrap();
    let store = "/etc/ssl/certs/ca-certificates.crt";
    if fs::copy(store, etc.path("ssl/certs/ca-certificates.crt")).is_err() {
        crate::skip("no trust store (ca-certificates)");
        return None;
    }
    write(
        "zbx-tcp/config.toml",
        "[[targets]]\nhost = \"192.0.2.1\"\nport = 1\n",
    );
    mode(&etc, "zbx-tcp/config.toml", 0o640);
    chown(etc.path("zbx-tcp/config.toml"), None, Some(64002)).unwrap();
    for directory in [".", "zbx-tcp"] {
        mode(&etc, directory, 0o755);
    }
    Some(etc)
}

fn mode(etc: &Etc, name: &str, mode: u32) {
    fs::set_permissions(etc.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn doctor(etc: &Etc, words: &[&str]) -> Ran {
    let mut command = etc.command(&["prlimit", "--nofile=4096:4096"]);
    command
        .arg(program().get_program())
        .arg("doctor")
        .args(words);
    finish(command.env_remove("ZBX_TCP_CONFIG"))
}

/// The texts of what is to do, except about this program, which is in the directory of its build.
fn tasks(etc: &Etc) -> Vec<String> {
    let ran = doctor(etc, &["-o", "json"]);
    assert_eq!(ran.err, "");
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let findings = document["findings"].as_array().unwrap().clone();
    let findings = findings.iter().filter(|one| one["subject"] != "program");
    let findings = findings.filter(|one| one["state"] == "to do");
    findings
        .map(|one| {
            format!(
                "{}: {}",
                one["subject"].as_str().unwrap(),
                one["text"].as_str().unwrap()
            )
        })
        .collect()
}

#[track_caller]
fn only_task(etc: &Etc, expected: &str) {
    let found = tasks(etc);
    assert!(
        matches!(&found[..], [one] if one.contains(expected)),
        "{found:#?} is not {expected}"
    );
}

#[test]
fn nothing_is_to_do_on_a_machine_that_is_set_up() {
    let Some(etc) = machine() else { return };
    assert_eq!(tasks(&etc), Vec::<String>::new());
    let ran = doctor(&etc, &[]);
    for line in [
        "ok     user",
        "zabbix may execute /etc/zabbix/externalscripts/zbx-tcp",
        "agent 2: item keys",
        "zabbix may read /etc/zbx-tcp/config.toml",
        "valid: services: 0, target entries: 1",
        "there is no /etc/zbx-tcp/policy.toml: every target is allowed",
        "192.0.2.53, 2001:db8::53",
        "4 s (Timeout) is above 2.5 s",
    ] {
        assert!(ran.out.contains(line), "{line} in {}", ran.out);
    }
}

#[test]
fn each_mistake_is_named_with_its_remedy() {
    let Some(etc) = machine() else { return };
    let write = |name: &str, text: &str| fs::write(etc.path(name), text).unwrap();
    let server = "zabbix/zabbix_server.conf";
    let good = fs::read_to_string(etc.path(server)).unwrap();
    for (text, expected) in [
        (
            "Timeout=2",
            "server: timeout: 2 s (Timeout) is not above 2.5 s",
        ),
        ("Timeout=x", "server: timeout: Timeout=`x` is not a number"),
        (
            "ExternalScripts=/etc/none",
            "/etc/none/zbx-tcp does not exist: ln -s",
        ),
    ] {
        write(server, &format!("{good}{text}\n"));
        only_task(&etc, expected);
    }
    write(server, &good);

    let keys = "zabbix/zabbix_agent2.d/keys.conf";
    write(keys, "UserParameter=tcp.check[*],x\n");
    only_task(&etc, "agent 2: item keys: both the plugin");
    fs::remove_file(etc.path(keys)).unwrap();
    let plugin = "zabbix/zabbix_agent2.d/zbx-tcp.conf";
    write(plugin, "Plugins.Tcp.System.Path=/none\n");
    only_task(&etc, "zabbix may not execute /none: no such file");
    fs::rename(
        etc.path(plugin),
        etc.path("zabbix/zabbix_agent2.d/zbx-tcp.off"),
    )
    .unwrap();
    only_task(&etc, "neither the UserParameters nor the plugin is active");
    fs::rename(
        etc.path("zabbix/zabbix_agent2.d/zbx-tcp.off"),
        etc.path(plugin),
    )
    .unwrap();
    write(plugin, "Plugins.Tcp.System.Path=/bin/sh\n");

    chown(etc.path("zbx-tcp/config.toml"), None, Some(0)).unwrap();
    only_task(
        &etc,
        "zabbix may not read /etc/zbx-tcp/config.toml: chgrp zabbix",
    );
    chown(etc.path("zbx-tcp/config.toml"), None, Some(64002)).unwrap();
    mode(&etc, "zbx-tcp", 0o700);
    only_task(
        &etc,
        "configuration: zabbix may not read /etc/zbx-tcp/config.toml: chgrp zabbix /etc/zbx-tcp",
    );
    mode(&etc, "zbx-tcp", 0o755);
    let config = fs::read_to_string(etc.path("zbx-tcp/config.toml")).unwrap();
    write(
        "zbx-tcp/config.toml",
        "[[targets]]\nhost = \"a\"\n[services.x]\nprot = 1\n",
    );
    only_task(&etc, "config.toml:4: services.x.prot: unknown key");
    write("zbx-tcp/config.toml", &config);

    write("zbx-tcp/policy.toml", "allow = 1\n");
    only_task(
        &etc,
        "policy: every target is denied: policy file is invalid",
    );
    fs::remove_file(etc.path("zbx-tcp/policy.toml")).unwrap();
    write("resolv.conf", "search example\n");
    only_task(&etc, "name servers: /etc/resolv.conf has no line");
    write("resolv.conf", "nameserver 192.0.2.53\n");
    fs::remove_file(etc.path("zabbix/externalscripts/zbx-tcp")).unwrap();
    only_task(&etc, "ln -s /usr/bin/zbx-tcp /etc/zabbix/externalscripts/");
    fs::remove_dir_all(etc.path("zabbix")).unwrap();
    only_task(
        &etc,
        "zabbix: no configuration of a Zabbix server, proxy or agent was found",
    );
}

#[test]
fn hostile_files_give_findings() {
    let Some(etc) = machine() else { return };
    let server = etc.path("zabbix/zabbix_server.conf");
    for text in [
        &b"\xff\0=\x1b[31m\nTimeout=\x1b[31m9\n"[..],
        &b"Include=/etc/zabbix/zabbix_server.conf\n".repeat(20),
        b"Include=/dev/zero\nInclude=/etc/zabbix/*\nTimeout=99999999999999999999\n",
        &b"=".repeat(100_000),
        b"ExternalScripts=\nUser=a:b\nTimeout=\n",
    ] {
        fs::write(&server, text).unwrap();
        let ran = doctor(&etc, &[]);
        assert!(
            ran.err.is_empty() && !ran.out.contains('\x1b'),
            "{}",
            ran.out
        );
        assert!(
            ran.took < std::time::Duration::from_secs(5),
            "{:?}",
            ran.took
        );
    }
    run(&["doctor", "-o", "xml"]).refuses("--output: unknown value `xml`");
    run(&["doctor", "x"]).refuses("");
}
