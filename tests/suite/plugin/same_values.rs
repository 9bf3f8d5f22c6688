//! The same values and the same error texts from the plugin and from the user parameters.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::fake_agent::FakeAgent;
use crate::config::ConfigFile;
use crate::program::program;
use crate::scripted_peer::{FullBacklog, Peer, closed_port};

pub const CONFIG: &str = r#"
[services.hello]
port = 8989
steps = [{ expect_regex = '\Ahello (?<who>\S+)' }]

[services.broken]
prot = 1

[[targets]]
id = "one"
host = "127.0.0.1"
port = 9
group = "few"

[[targets]]
id = "other"
host = "127.0.0.1"
port = 10
"#;

/// The shipped user parameters, with the path of the tested program.
pub fn user_parameters() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("zabbix/agentd/zbx-tcp.conf");
    let text = fs::read_to_string(path).unwrap();
    text.replace(
        "/usr/bin/zbx-tcp",
        program().get_program().to_str().unwrap(),
    )
}

/// The command of each key.
fn commands() -> Vec<(String, String)> {
    let text = user_parameters();
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("UserParameter="));
    lines
        .map(|line| {
            let (key, command) = line.split_once("[*],").unwrap();
            (key.to_owned(), command.to_owned())
        })
        .collect()
}

/// The value of a user parameter, as an agent gets it: `$1` to `$9` are replaced, both streams are the
/// value, and white space at the end is removed.
fn by_shell(config: &str, key: &str, parameters: &[&str]) -> String {
    let (_, command) = commands()
        .into_iter()
        .find(|(name, _)| name == key)
        .unwrap();
    let mut line = command;
    for number in 1..=9 {
        let parameter = parameters.get(number - 1).unwrap_or(&"");
        line = line.replace(&format!("${number}"), parameter);
    }
    let ran = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {line}")])
        .env_clear()
        .env("ZBX_TCP_CONFIG", config)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    text.trim_end_matches([' ', '\t', '\r', '\n']).to_owned()
}

/// A document without what differs from run to run.
pub fn comparable(text: &str) -> Value {
    fn clear(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if ["time", "tcp", "elapsed", "lag", "start", "at"].contains(&name.as_str()) {
                        *member = Value::Null;
                    }
                    clear(member);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(clear),
            _ => {}
        }
    }
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) if value.is_object() || value.is_array() => {
            clear(&mut value);
            value
        }
        _ => text.into(),
    }
}

#[test]
fn values_and_error_texts_are_those_of_the_user_parameters() {
    let config = ConfigFile::new(CONFIG);
    let path = config.path();
    let mut command = program();
    command.env("ZBX_TCP_CONFIG", &path);
    let mut agent = FakeAgent::start_by(command).with_options(&[]);
    let peer = Peer::start(|mut stream: TcpStream| {
        let _ = stream.write_all(b"hello w\xc3\xb6rld \xe4 \r\n \t \r\n");
    });
    let (port, closed) = (peer.port(), closed_port().to_string());
    let full = FullBacklog::new();
    let silent = full.port().to_string();
    let check = |parameters: &[&str]| {
        (
            "tcp.check",
            parameters
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
        )
    };
    let mut keys = vec![
        check(&[]),
        check(&[""]),
        check(&["", "", "", "", "", "", ""]),
    ];
    for output in [
        "",
        "up",
        "status",
        "status_name",
        "error",
        "json",
        "address",
        "family",
        "response.text",
        "captures.who",
        "captures.none",
        "tls.days_left",
        "step",
        "text",
        "nosuch",
        "time.conect",
    ] {
        // The text report contains times.
        if output != "text" {
            keys.push(check(&["127.0.0.1", &port, "hello", output]));
            keys.push(check(&["127.0.0.1", &closed, "", output]));
        }
    }
    for parameters in [
        &["", &port][..],
        &["localhost", &port],
        &["::1", &closed, "", "error"],
        &["[::1]", &closed, "", "error"],
        &["::1:80", "", "", "error"],
        &["127.0.0.1", &silent, "", "status", "0.3"],
        &["127.0.0.1", &silent, "", "error", "0.3"],
        &["127.0.0.1", &port, "nosuch"],
        &["127.0.0.1", &port, "helo"],
        &["127.0.0.1", &port, "broken"],
        &["127.0.0.1", "0"],
        &["127.0.0.1", "65536"],
        &["127.0.0.1", "ssh"],
        &["127.0.0.1", "-4"],
        &["--help", &port],
        &["-v", &port],
        &["127.0.0.1", &port, "--config=x"],
        &["127.0.0.1", &port, "", "", "0"],
        &["127.0.0.1", &port, "", "", "x"],
        &["127.0.0.1", &port, "", "", "601"],
        &["127.0.0.1", &port, "", "attempts.loss"],
        &["256.0.0.1", &port, "", "error"],
        &["a b", &port],
        &["wörld", &port],
        &["127.0.0.1", &port, "", "up", "1", "x"],
        &["127.0.0.1", &port, "", "", "", "", "", "", "x"],
    ] {
        keys.push(check(parameters));
    }
    for (key, parameters) in [
        ("tcp.batch", &[][..]),
        ("tcp.batch", &[""]),
        ("tcp.batch", &["few"]),
        ("tcp.batch", &["nosuch"]),
        ("tcp.batch", &["", "few"]),
        ("tcp.batch", &["few", "other"]),
        ("tcp.batch", &["few", "512K"]),
        ("tcp.batch", &["few", "1"]),
        ("tcp.batch", &["few", "512K", "other"]),
        ("tcp.discovery", &[]),
        ("tcp.discovery", &[""]),
        ("tcp.discovery", &["port"]),
        ("tcp.discovery", &["help"]),
        ("tcp.discovery", &["--help", "h", "1"]),
        ("tcp.discovery", &["ports"]),
        ("tcp.discovery", &["ports", "192.0.2.1"]),
        ("tcp.discovery", &["ports", "", "22"]),
        (
            "tcp.discovery",
            &["ports", "192.0.2.1", "22/ssh,8000-8003/hello"],
        ),
        ("tcp.discovery", &["ports", "--config=x", "22"]),
        ("tcp.discovery", &["ports", "192.0.2.1", "22/sssh"]),
        ("tcp.discovery", &["ports", "192.0.2.1", "9-1"]),
        ("tcp.discovery", &["ports", "192.0.2.1", "22", "443"]),
        ("tcp.discovery", &["open", "127.0.0.1", "1,2"]),
        ("tcp.discovery", &["open", "127.0.0.1", "x"]),
        ("tcp.discovery", &["open", "", ""]),
        ("tcp.discovery", &["targets"]),
        ("tcp.discovery", &["targets", ""]),
        ("tcp.discovery", &["targets", "few"]),
        ("tcp.discovery", &["targets", "nosuch"]),
        ("tcp.discovery", &["targets", "few", "other"]),
    ] {
        keys.push((key, parameters.iter().map(ToString::to_string).collect()));
    }
    let mut different = Vec::new();
    for (key, parameters) in keys {
        let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
        let plugin = agent
            .ask(key, &parameters)
            .unwrap_or_else(|error| format!("ERROR {error}"));
        let shell = by_shell(&path, key, &parameters);
        if comparable(&plugin) != comparable(&shell) {
            different.push(format!(
                "{key}{parameters:?}\n plugin {plugin}\n shell  {shell}\n"
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    agent.end();
}
