//! The tutorial's exchange as a named service, used by a `UserParameter` of Debian's
//! `zabbix_agentd`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::agent::{Agent, Kind};
use crate::config::ConfigFile;
use crate::program::program;
use crate::scripted_peer::{Peer, closed_port};
use crate::tutorial::Python;

/// The user's configuration; the tutorial's texts have characters that item keys may not contain.
const CONFIG: &str = r#"
[services.tutorial]
description = "The tutorial's server: a greeting in GBK, and its answer"
port = 8989
encoding = "gbk"
steps = [
    { send = "你好服务端,我是客户端小黑!" },
    { expect_regex = '\Aok, (?<answer>.+?)…', reject = ["错误", "忙"], timeout = "1s" },
]
"#;

/// The agent with one `UserParameter` of the user.
fn agent() -> Option<Agent> {
    let config = ConfigFile::new(CONFIG);
    let check = format!(
        "UserParameter=tcp.check[*],{} check \"$1\" \"$2\" --service \"$3\" --output \"$4\" --timeout \"$5\" --config {}",
        program().get_program().to_str().unwrap(),
        config.path()
    );
    Agent::start(Kind::Agentd, config, &check)
}

/// A server that sends this answer in GBK.
fn server(answer: &str) -> Peer {
    let answer = encoding_rs::GBK.encode(answer).0.into_owned();
    Peer::start(move |mut stream: TcpStream| {
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer).unwrap_or(0);
        let heard = encoding_rs::GBK.decode(&buffer[..length]).0.into_owned();
        if heard == "你好服务端,我是客户端小黑!" {
            let _ = stream.write_all(&answer);
        }
    })
}

#[test]
fn a_user_parameter_probes_the_tutorials_server() {
    let Some(agent) = agent() else { return };
    let Some(python) = Python::start("0") else {
        return;
    };
    assert_eq!(
        agent.check(&format!("127.0.0.1,{},tutorial,response.text", python.port)),
        "ok, 问题正在处理中…"
    );
    assert_eq!(python.heard(), "26 bytes: 你好服务端,我是客户端小黑!\n");
}

#[test]
fn each_status_is_a_value_of_the_agent() {
    let Some(agent) = agent() else { return };
    let (good, busy) = (server("ok, 问题正在处理中…"), server("ok, 服务端忙…"));
    let (good, busy) = (good.port(), busy.port());
    assert_eq!(agent.check(&format!("127.0.0.1,{good},tutorial")), "1");
    assert_eq!(
        agent.check(&format!("127.0.0.1,{good},tutorial,status,2")),
        "0"
    );
    assert_eq!(
        agent.check(&format!("127.0.0.1,{good},tutorial,captures.answer")),
        "问题正在处理中"
    );
    assert_eq!(agent.check(&format!("127.0.0.1,{busy},tutorial,up")), "0");
    assert_eq!(
        agent.check(&format!("127.0.0.1,{busy},tutorial,status")),
        "10"
    );
    assert!(
        agent
            .check(&format!("127.0.0.1,{busy},tutorial,error"))
            .contains("忙")
    );
    assert_eq!(
        agent.check(&format!("127.0.0.1,{},tutorial,status", closed_port())),
        "3"
    );
    let document = agent.check(&format!("127.0.0.1,{good},tutorial,json"));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(
        (document["up"].as_u64(), document["service"].as_str()),
        (Some(1), Some("tutorial")),
        "{document}"
    );
    // An empty macro, and errors: one line each.
    assert_eq!(agent.check(&format!("127.0.0.1,{good},,,")), "1");
    assert_eq!(
        agent.check(&format!("127.0.0.1,{good},tutorail")),
        "zbx-tcp: --service: unknown service `tutorail`: did you mean `tutorial`?"
    );
    agent
        .config
        .beside("config.toml", "[services.tutorial]\nprot = 1\n", 0o640);
    let broken = agent.check(&format!("127.0.0.1,{good},tutorial"));
    assert_eq!(
        broken,
        format!(
            "zbx-tcp: {}:2: services.tutorial.prot: unknown key: did you mean `port`?",
            agent.config.path()
        )
    );
}

#[test]
fn the_agent_refuses_what_is_unsafe_and_zabbix_get_reads_the_value() {
    let Some(agent) = agent() else { return };
    let good = server("ok, 问题正在处理中…");
    let unsafe_key = format!("127.0.0.1,{},tutorial,up;id", good.port());
    let refused = agent.check(&unsafe_key);
    assert!(
        refused.starts_with("ZBX_NOTSUPPORTED\0"),
        "UnsafeUserParameters is not 0: {refused}"
    );
    let mut get = Command::new("zabbix_get");
    let key = format!(
        "tcp.check[127.0.0.1,{},tutorial,response.text]",
        good.port()
    );
    get.args(["-s", "127.0.0.1", "-p", &agent.port.to_string(), "-k", &key]);
    match get.output() {
        Ok(output) => assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "ok, 问题正在处理中…\n"
        ),
        // The protocol above is the same.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}
