//! The shipped `zabbix/agentd/zbx-tcp.conf` in both of Zabbix's agents, with `UnsafeUserParameters=0`.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::{Agent, Kind};
use crate::config::ConfigFile;
use crate::program::program;
use crate::scripted_peer::{Peer, closed_port};

const CONFIG: &str = r#"
[services.hello]
port = 8989
steps = [{ expect_prefix = "hello" }]

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

/// The shipped file, with the path of the tested program.
fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("zabbix/agentd/zbx-tcp.conf");
    let text = fs::read_to_string(path).unwrap();
    assert!(
        text.contains(" /usr/bin/zbx-tcp ") && !text.contains("--config"),
        "{text}"
    );
    text.replace(
        "/usr/bin/zbx-tcp",
        program().get_program().to_str().unwrap(),
    )
}

/// Runs the test with each installed agent.
fn with_each(test: fn(&Agent)) {
    for kind in [Kind::Agentd, Kind::Agent2] {
        if let Some(agent) = Agent::start(kind, ConfigFile::new(CONFIG), &shipped()) {
            test(&agent);
        }
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn check_answers_with_a_value_or_a_document() {
    with_each(|agent| {
        let (good, bad) = (Peer::greeting(b"hello\r\n"), Peer::greeting(b"go away\r\n"));
        let (good, bad) = (good.port(), bad.port());
        assert_eq!(agent.check(&format!("127.0.0.1,{good}")), "1");
        assert_eq!(agent.check(&format!("127.0.0.1,{good},hello,status")), "0");
        assert_eq!(agent.check(&format!("127.0.0.1,{bad},hello,status,2")), "9");
        assert_eq!(
            agent.check(&format!(
                "\"127.0.0.1\",\"{}\",\"\",\"up\",\"\"",
                closed_port()
            )),
            "0"
        );
        let document = json(&agent.check(&format!(
            "\"127.0.0.1\",\"{good}\",\"hello\",\"json\",\"2.5s\""
        )));
        assert_eq!(
            (document["up"].as_u64(), document["service"].as_str()),
            (Some(1), Some("hello"))
        );
    });
}

#[test]
fn discovery_lists_ports_and_targets() {
    with_each(|agent| {
        let rows = json(&agent.value("tcp.discovery[\"ports\",\"127.0.0.1\",\"22/ssh,443\"]"));
        assert_eq!(
            (&rows[0]["{#TCP.SERVICE}"], &rows[1]["{#TCP.NAME}"]),
            (&"ssh".into(), &"443".into()),
            "{rows}"
        );
        let rows = json(&agent.value("tcp.discovery[targets]"));
        assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
        let rows = json(&agent.value("tcp.discovery[targets,few]"));
        assert_eq!(
            (rows.as_array().map(Vec::len), &rows[0]["{#TCP.ID}"]),
            (Some(1), &"one".into()),
            "{rows}"
        );
        let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let id = own.local_addr().unwrap().to_string();
        let rows = json(&agent.value("tcp.discovery[listeners]"));
        let found = rows.as_array().unwrap().iter();
        assert_eq!(
            found.filter(|row| row["{#TCP.ID}"] == *id).count(),
            1,
            "{rows}"
        );
        for key in ["tcp.listeners", "tcp.listeners[]"] {
            let document = json(&agent.value(key));
            assert_eq!(document["listeners"][&id]["queue"], 0, "{document}");
        }
        for key in ["tcp.listeners[80]", "tcp.discovery[listeners,80]"] {
            let refused = agent.value(key);
            assert!(
                refused.starts_with("zbx-tcp: ") && refused.contains("parameters"),
                "{key}: {refused}"
            );
        }
        let refused = agent.value("tcp.discovery[ports,127.0.0.1,22/sssh]");
        assert_eq!(
            refused,
            "zbx-tcp: port list: unknown service `sssh`: did you mean `ssh`?"
        );
    });
}

#[test]
fn batch_answers_for_every_target_or_one_group() {
    with_each(|agent| {
        let document = json(&agent.value("tcp.batch[]"));
        assert_eq!(document["summary"]["targets"], 2, "{document}");
        let document = json(&agent.value("tcp.batch[\"few\"]"));
        assert_eq!(document["targets"]["one"]["port"], 9, "{document}");
        let document = json(&agent.value("tcp.batch[,1024]"));
        assert_eq!(document["summary"]["targets"], 2, "{document}");
    });
}

#[test]
fn a_silent_target_is_answered_before_the_agent_gives_up() {
    with_each(|agent| {
        let silent = Peer::start(|mut stream: TcpStream| {
            let _ = stream.read(&mut [0; 1]);
        });
        let start = Instant::now();
        assert_eq!(
            agent.check(&format!("127.0.0.1,{},hello,status", silent.port())),
            "8"
        );
        // The agent itself would return ZBX_NOTSUPPORTED after 3 s.
        assert!(
            start.elapsed() > Duration::from_millis(2400),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn no_parameter_becomes_an_option_or_a_command() {
    with_each(|agent| {
        for key in [
            "tcp.check[--help,22]",
            "tcp.check[127.0.0.1,-4]",
            "tcp.discovery[ports,--config=/etc/shadow,22]",
        ] {
            let said = agent.value(key);
            assert!(said.starts_with("zbx-tcp: "), "{key}: {said}");
        }
        let said = agent.check("127.0.0.1,9,--config=x");
        assert!(said.starts_with("zbx-tcp: --service: "), "{said}");
        for unsafe_text in ["$(id)", "`id`", "22;id"] {
            let refused = agent.check(&format!("127.0.0.1,{unsafe_text}"));
            assert!(refused.starts_with("ZBX_NOTSUPPORTED\0"), "{refused}");
        }
    });
}

#[test]
fn surplus_parameters_are_refused() {
    with_each(|agent| {
        for key in [
            "tcp.discovery[ports,127.0.0.1,22/ssh,25/smtp]",
            "tcp.discovery[open,127.0.0.1,22,25]",
            "tcp.discovery[ports,127.0.0.1,22,,25]",
            "tcp.discovery[ports,127.0.0.1,1,2,3,4,5,6,7,8,9]",
            "tcp.discovery[ports,127.0.0.1,22,,,,,,25]",
        ] {
            assert_eq!(
                agent.value(key),
                "zbx-tcp: quote the list of ports in the key",
                "{key}"
            );
        }
        for (key, first) in [
            ("tcp.discovery[targets,few,other]", "tcp.discovery[targets]"),
            ("tcp.discovery[targets,,few]", "tcp.discovery[targets]"),
            ("tcp.batch[few,512K,other]", "tcp.batch has at most 2"),
            (
                "tcp.check[127.0.0.1,9,,up,2,on,x]",
                "tcp.check has at most 6",
            ),
            ("tcp.check[127.0.0.1,9,,,,,,,x]", "tcp.check has at most 6"),
        ] {
            let said = agent.value(key);
            assert!(
                said.starts_with(&format!("zbx-tcp: {first}"))
                    && said.ends_with(": quote a parameter that contains a comma"),
                "{key}: {said}"
            );
        }
        // An unquoted list of groups has no second group.
        for key in ["tcp.batch[few,other]", "tcp.batch[,other]"] {
            let said = agent.value(key);
            let start = "zbx-tcp: --max-output: `other` is not a size from 1K to 1G";
            assert!(said.starts_with(start), "{key}: {said}");
        }
        // Empty ones are none.
        let rows = json(&agent.value("tcp.discovery[ports,127.0.0.1,22,,,]"));
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    });
}

#[test]
fn an_empty_host_is_this_machine() {
    with_each(|agent| {
        let peer = Peer::greeting(b"hello\r\n");
        let good = peer.port();
        assert_eq!(agent.check(&format!(",{good}")), "1");
        assert_eq!(agent.check(&format!("\"\",\"{good}\",hello,status")), "0");
        let document = json(&agent.check(&format!(",{good},,json")));
        assert_eq!(document["host"], "127.0.0.1", "{document}");
    });
}
