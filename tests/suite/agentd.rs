//! The tutorial's exchange as a named service, asked for by a UserParameter of Debian's own zabbix_agentd.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::config::ConfigFile;
use crate::peer::{Peer, closed_port};
use crate::program::program;
use crate::support::skip;
use crate::tutorial::Python;

const AGENT: &str = "/usr/sbin/zabbix_agentd";

/// What a user writes; the tutorial's texts have characters that no item key may hold.
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

/// An agent that ends with the test.
struct Agent {
    child: Child,
    port: u16,
    config: ConfigFile,
}

impl Agent {
    /// An agent with one UserParameter and nothing unsafe; none where it is not installed.
    fn start() -> Option<Self> {
        if !Path::new(AGENT).exists() {
            skip("no Zabbix agent (Debian: zabbix-agent)");
            return None;
        }
        let config = ConfigFile::new(CONFIG);
        let port = free_port();
        let log = config.beside("agentd.log", "", 0o640);
        let check = format!(
            "{} check \"$1\" \"$2\" --service \"$3\" --output \"$4\" --timeout \"$5\" --config {}",
            program().get_program().to_str().unwrap(),
            config.path()
        );
        let text = format!(
            "Server=127.0.0.1\nListenIP=127.0.0.1\nListenPort={port}\nStartAgents=2\nTimeout=3\nAllowRoot=1\n\
             UnsafeUserParameters=0\nLogType=file\nLogFile={}\nPidFile={}\nUserParameter=tcp.check[*],{check}\n",
            log.display(),
            log.with_file_name("agentd.pid").display()
        );
        let conf = config.beside("agentd.conf", text, 0o640);
        let mut command = Command::new(AGENT);
        let said = fs::File::create(log.with_file_name("agentd.said")).unwrap();
        command.arg("-f").arg("-c").arg(conf).stdin(Stdio::null());
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let agent = Self { child: command.spawn().unwrap(), port, config };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = ["agentd.said", "agentd.log"].map(|name| fs::read_to_string(log.with_file_name(name)).unwrap());
            let said = said.concat();
            assert!(start.elapsed() < Duration::from_secs(10), "the agent does not start:\n{said}");
            sleep(Duration::from_millis(20));
        }
        Some(agent)
    }

    /// The value of a key by the passive protocol: `ZBXD`, flags 1, the length in eight bytes, the text.
    fn value(&self, key: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = u64::try_from(key.len()).unwrap().to_le_bytes();
        stream.write_all(&[b"ZBXD\x01", &length[..], key.as_bytes()].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let (head, text) = answer.split_at(13);
        assert_eq!(
            (&head[..5], u64::from_le_bytes(head[5..].try_into().unwrap())),
            (&b"ZBXD\x01"[..], text.len() as u64)
        );
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// The value of `tcp.check` with these parameters.
    fn check(&self, parameters: &str) -> String {
        self.value(&format!("tcp.check[{parameters}]"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Its own end, so that it takes its children along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A free port that an agent may have: `ListenPort` is at most 32767, so the kernel's own choice is not.
fn free_port() -> u16 {
    // Each test begins elsewhere, so that two do not find the same one.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::SeqCst)).take(100);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("no port is free")
}

/// A server that answers this in GBK.
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
fn a_user_parameter_asks_the_tutorials_server() {
    let Some(agent) = Agent::start() else { return };
    let Some(python) = Python::start("0") else { return };
    assert_eq!(agent.check(&format!("127.0.0.1,{},tutorial,response.text", python.port)), "ok, 问题正在处理中…");
    assert_eq!(python.heard(), "26 bytes: 你好服务端,我是客户端小黑!\n");
}

#[test]
fn each_verdict_is_a_value_of_the_agent() {
    let Some(agent) = Agent::start() else { return };
    let (good, busy) = (server("ok, 问题正在处理中…"), server("ok, 服务端忙…"));
    let (good, busy) = (good.port(), busy.port());
    assert_eq!(agent.check(&format!("127.0.0.1,{good},tutorial")), "1");
    assert_eq!(agent.check(&format!("127.0.0.1,{good},tutorial,status,2")), "0");
    assert_eq!(agent.check(&format!("127.0.0.1,{good},tutorial,captures.answer")), "问题正在处理中");
    assert_eq!(agent.check(&format!("127.0.0.1,{busy},tutorial,up")), "0");
    assert_eq!(agent.check(&format!("127.0.0.1,{busy},tutorial,status")), "10");
    assert!(agent.check(&format!("127.0.0.1,{busy},tutorial,error")).contains("忙"));
    assert_eq!(agent.check(&format!("127.0.0.1,{},tutorial,status", closed_port())), "3");
    let document = agent.check(&format!("127.0.0.1,{good},tutorial,json"));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!((document["up"].as_u64(), document["service"].as_str()), (Some(1), Some("tutorial")), "{document}");
    // A macro that expands to nothing, and mistakes: one line each.
    assert_eq!(agent.check(&format!("127.0.0.1,{good},,,")), "1");
    assert_eq!(
        agent.check(&format!("127.0.0.1,{good},tutorail")),
        "zbx-tcp: --service: unknown service `tutorail`: did you mean `tutorial`?"
    );
    agent.config.beside("config.toml", "[services.tutorial]\nprot = 1\n", 0o640);
    let broken = agent.check(&format!("127.0.0.1,{good},tutorial"));
    assert_eq!(
        broken,
        format!("zbx-tcp: {}:2: services.tutorial.prot: unknown key: did you mean `port`?", agent.config.path())
    );
}

#[test]
fn the_agent_refuses_what_is_unsafe_and_zabbix_get_reads_the_value() {
    let Some(agent) = Agent::start() else { return };
    let good = server("ok, 问题正在处理中…");
    let unsafe_key = format!("127.0.0.1,{},tutorial,up;id", good.port());
    let refused = agent.check(&unsafe_key);
    assert!(refused.starts_with("ZBX_NOTSUPPORTED\0"), "UnsafeUserParameters is not 0: {refused}");
    let mut get = Command::new("zabbix_get");
    let key = format!("tcp.check[127.0.0.1,{},tutorial,response.text]", good.port());
    get.args(["-s", "127.0.0.1", "-p", &agent.port.to_string(), "-k", &key]);
    match get.output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "ok, 问题正在处理中…\n"),
        // The protocol above is the same.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}
