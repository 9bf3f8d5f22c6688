//! The shipped plugin configuration in Debian's agent 2.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::fake_agent::PATIENCE;
use super::same_values::{CONFIG, comparable, user_parameters};
use crate::agent::{Agent, Kind};
use crate::config::ConfigFile;
use crate::program::program;
use crate::scripted_peer::{FullBacklog, Peer, closed_port};

/// The shipped file with the path of the tested program, and these options.
fn shipped(options: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("zabbix/agent2/tcp.conf");
    let text = fs::read_to_string(path).unwrap();
    let program = program().get_program().to_str().unwrap().to_owned();
    assert_eq!(text.matches("=/usr/bin/zbx-tcp\n").count(), 1);
    format!("{}{options}", text.replace("/usr/bin/zbx-tcp", &program))
}

pub fn with_plugin(options: &str) -> Option<Agent> {
    Agent::start(Kind::Agent2, ConfigFile::new(CONFIG), &shipped(options))
}

/// The processes that an agent has started and that run the plugin.
pub fn plugins_of(agent: u32) -> Vec<u32> {
    let listed = Command::new("pgrep")
        .args(["-P", &agent.to_string()])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let pids = listed.lines().map(|pid| pid.parse().unwrap());
    let is_plugin = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.ends_with(b"\0false\0"))
    };
    pids.filter(is_plugin).collect()
}

#[test]
fn every_key_has_the_same_value_on_both_agents_by_plugin_and_user_parameter() {
    let (peer, silent) = (
        Peer::greeting(b"hello w\xc3\xb6rld\r\n"),
        FullBacklog::new(),
    );
    let (port, full, closed) = (peer.port(), silent.port(), closed_port());
    let keys = [
        format!("tcp.check[127.0.0.1,{port}]"),
        format!("tcp.check[,{port},hello,status]"),
        format!("tcp.check[\"127.0.0.1\",\"{port}\",\"hello\",\"json\",\"2\"]"),
        format!("tcp.check[127.0.0.1,{port},hello,captures.who]"),
        format!("tcp.check[127.0.0.1,{closed},,error]"),
        format!("tcp.check[127.0.0.1,{full},,status]"),
        format!("tcp.check[127.0.0.1,{port},nosuch]"),
        format!("tcp.check[127.0.0.1,{port},,up,1,x]"),
        "tcp.check[]".into(),
        "tcp.batch[]".into(),
        "tcp.batch[few]".into(),
        "tcp.batch[nosuch]".into(),
        "tcp.discovery[targets]".into(),
        "tcp.discovery[ports,192.0.2.1,\"22/ssh,443\"]".into(),
        "tcp.discovery[ports,192.0.2.1,22,443]".into(),
        format!("tcp.discovery[open,127.0.0.1,\"{port},{closed}\"]"),
        "tcp.discovery[]".into(),
    ];
    let by = |kind, parameters: &str| {
        let agent = Agent::start(kind, ConfigFile::new(CONFIG), parameters)?;
        Some(keys.each_ref().map(|key| comparable(&agent.value(key))))
    };
    let parameters = user_parameters();
    let Some(plugin) = by(Kind::Agent2, &shipped("")) else {
        return;
    };
    for kind in [Kind::Agentd, Kind::Agent2] {
        let Some(shell) = by(kind, &parameters) else {
            return;
        };
        for ((key, plugin), shell) in keys.iter().zip(&plugin).zip(shell) {
            assert_eq!(plugin, &shell, "{key} of {kind:?}");
        }
    }
    assert_eq!(plugin[5], Value::from("5"), "{plugin:?}");
}

#[test]
fn keys_without_brackets_and_with_characters_that_user_parameters_refuse_work() {
    let Some(agent) = with_plugin("") else { return };
    assert!(agent.value("tcp.batch").starts_with("{\"schema\""));
    assert!(
        agent
            .value("tcp.check")
            .starts_with("zbx-tcp: no port for `127.0.0.1`")
    );
    let closed = closed_port();
    assert_eq!(agent.check(&format!("\"[::1]\",{closed},,status")), "3");
    assert!(agent.check("\"$(id)\",22").starts_with("zbx-tcp: "));
    let named = agent.check(&format!("127.0.0.1,{closed},\"a'b;c*\",up"));
    assert!(named.contains("unknown service `a'b;c*`"), "{named}");
}

#[test]
fn requests_of_one_agent_run_at_once() {
    let Some(agent) = with_plugin("") else { return };
    let silent = FullBacklog::new();
    let full = silent.port();
    let start = Instant::now();
    scope(|scope| {
        let ask = || {
            let value = agent.check(&format!("127.0.0.1,{full},,status"));
            // Before the agent's own timeout, on a machine that is not too busy to tell.
            assert!(value == "5" || value == "17", "{value}");
        };
        let asking: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        for one in asking {
            one.join().unwrap();
        }
    });
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn mistakes_in_the_options_stop_the_agent_with_our_sentence() {
    for (option, sentence) in [
        (
            "Plugins.Tcp.Rate=fast",
            "expected a number of connects per second",
        ),
        ("Plugins.Tcp.Config=zbx.toml", "expected an absolute path"),
        (
            "Plugins.Tcp.Cfg=/x",
            "unknown option; the options are Config, Concurrency, Rate",
        ),
        ("Plugins.Tcp.Rate=1\nPlugins.Tcp.Rate=2", "is given twice"),
    ] {
        let config = ConfigFile::new(CONFIG);
        let lines = shipped(&format!("{option}\n"));
        let Some(mut agent) = Agent::spawn(Kind::Agent2, config, &lines) else {
            return;
        };
        let start = Instant::now();
        let status = loop {
            match agent.ended() {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => panic!("it hangs: {}", agent.log()),
                None => sleep(Duration::from_millis(20)),
            }
        };
        let name = option.split('=').next().unwrap();
        let log = agent.log();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(
            log.contains(&format!("[Tcp] {name} (line ")) && log.contains(sentence),
            "{log}"
        );
    }
}

#[test]
fn plugin_and_user_parameters_together_stop_the_agent() {
    let both = format!("{}{}", shipped(""), user_parameters());
    let Some(mut agent) = Agent::spawn(Kind::Agent2, ConfigFile::new(CONFIG), &both) else {
        return;
    };
    let start = Instant::now();
    while agent.ended().is_none() {
        assert!(start.elapsed() < PATIENCE, "{}", agent.log());
        sleep(Duration::from_millis(20));
    }
    assert!(agent.log().contains("tcp.check"), "{}", agent.log());
}

#[test]
fn the_agents_end_is_the_plugins() {
    for signal in ["KILL", "TERM"] {
        let Some(mut agent) = with_plugin("") else {
            return;
        };
        let silent = FullBacklog::new();
        assert_eq!(agent.check(&format!("127.0.0.1,{}", closed_port())), "0");
        let plugins = plugins_of(agent.pid());
        assert_eq!(plugins.len(), 1);
        let full = silent.port();
        scope(|scope| {
            // A probe is in flight.
            let (port, key) = (agent.port, format!("tcp.check[127.0.0.1,{full}]"));
            scope.spawn(move || {
                let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
                let length = u64::try_from(key.len()).unwrap().to_le_bytes();
                let request = [b"ZBXD\x01", &length[..], key.as_bytes()].concat();
                std::io::Write::write_all(&mut stream, &request).unwrap();
                let _ = std::io::Read::read(&mut stream, &mut [0; 1]);
            });
            sleep(Duration::from_millis(300));
            if signal == "KILL" {
                agent.kill();
            } else {
                let pid = agent.pid().to_string();
                Command::new("kill").arg(pid).status().unwrap();
            }
        });
        let start = Instant::now();
        while Path::new(&format!("/proc/{}", plugins[0])).exists() {
            assert!(
                start.elapsed() < Duration::from_secs(8),
                "{signal}: it lives on"
            );
            sleep(Duration::from_millis(20));
        }
        if signal == "TERM" {
            while agent.ended().is_none() {
                sleep(Duration::from_millis(20));
            }
            let log = agent.log();
            assert!(
                !log.contains("failed to read") && !log.contains("panic"),
                "{log}"
            );
        }
    }
}

#[test]
fn a_stopped_agent_goes_on_where_it_was() {
    let Some(agent) = with_plugin("") else { return };
    let key = format!("127.0.0.1,{},,status", closed_port());
    assert_eq!(agent.check(&key), "3");
    let pid = agent.pid().to_string();
    let signal = |name: &str| drop(Command::new("kill").args(["-s", name, &pid]).status());
    signal("STOP");
    sleep(Duration::from_secs(2));
    signal("CONT");
    for _ in 0..20 {
        assert_eq!(agent.check(&key), "3");
    }
}

/// Agent 2 of 6.0 may panic when the plugin ends after its first run; see `START_OF_THE_AGENT`.
#[test]
fn restarts_lose_no_value_and_end_no_agent() {
    let closed = closed_port();
    for _ in 0..12 {
        let Some(mut agent) = with_plugin("") else {
            return;
        };
        for _ in 0..3 {
            assert_eq!(agent.value("agent.ping"), "1");
            assert_eq!(agent.check(&format!("127.0.0.1,{closed},,status")), "3");
        }
        assert_eq!(agent.ended(), None, "{}", agent.log());
    }
}

#[test]
fn reloads_of_user_parameters_lose_no_value() {
    let Some(mut agent) = with_plugin("") else {
        return;
    };
    let key = format!("127.0.0.1,{},,status", closed_port());
    for _ in 0..20 {
        let mut reload = Command::new("/usr/sbin/zabbix_agent2");
        let said = reload
            .args(["-c", &agent.conf(), "-R", "userparameter_reload"])
            .output();
        assert!(said.unwrap().status.success());
        assert_eq!(agent.check(&key), "3");
    }
    assert_eq!(agent.ended(), None, "{}", agent.log());
}

#[test]
fn the_agents_test_mode_prints_a_value() {
    let config = ConfigFile::new(CONFIG);
    let Some(agent) = Agent::start(Kind::Agent2, config, &shipped("")) else {
        return;
    };
    // The test mode makes the socket of the plugins anew: one of its own.
    let text = fs::read_to_string(agent.conf())
        .unwrap()
        .replace("plugin.sock", "test.sock");
    let text = text.replace("control.sock", "test-control.sock");
    let conf = agent.config.beside("test.conf", text, 0o640);
    let key = format!("tcp.check[127.0.0.1,{},,status]", closed_port());
    let mut test = Command::new("/usr/sbin/zabbix_agent2");
    let said = test
        .arg("-c")
        .arg(conf)
        .args(["-t", &key])
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("[s|3]"), "{said}");
}
