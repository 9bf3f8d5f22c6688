//! A real Zabbix agent, `zabbix_agentd` or agent 2, with `UserParameters` and without unsafe
//! settings.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::config::ConfigFile;
use crate::support::skip;

/// Which of Zabbix's two agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `zabbix_agentd`, written in C.
    Agentd,
    /// Agent 2, written in Go.
    Agent2,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Agentd => "/usr/sbin/zabbix_agentd",
            Self::Agent2 => "/usr/sbin/zabbix_agent2",
        }
    }

    /// Configuration of this kind only; the sockets of agent 2 are beside its log.
    fn lines(self, log: &Path) -> String {
        match self {
            Self::Agentd => "StartAgents=2\nAllowRoot=1\n".into(),
            Self::Agent2 => {
                let socket = |name: &str| log.with_file_name(name).display().to_string();
                format!(
                    "ControlSocket={}\nPluginSocket={}\n",
                    socket("control.sock"),
                    socket("plugin.sock")
                )
            }
        }
    }
}

/// An agent that is stopped when the test ends.
pub struct Agent {
    child: Child,
    /// The port that it listens on.
    pub port: u16,
    /// The configuration that the program reads, unless a key says otherwise.
    pub config: ConfigFile,
}

impl Agent {
    /// Starts an agent with these lines of configuration; `None` if it is not installed.
    pub fn start(kind: Kind, config: ConfigFile, parameters: &str) -> Option<Self> {
        let mut agent = Self::spawn(kind, config, parameters)?;
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", agent.port)).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(20) && agent.ended().is_none(),
                "the agent does not start:\n{}",
                agent.log()
            );
            sleep(Duration::from_millis(20));
        }
        Some(agent)
    }

    /// The same without waiting until it listens.
    pub fn spawn(kind: Kind, config: ConfigFile, parameters: &str) -> Option<Self> {
        let program = kind.program();
        if !Path::new(program).exists() {
            skip(&format!(
                "no {program} (Debian: zabbix-agent, zabbix-agent2)"
            ));
            return None;
        }
        let port = free_port();
        let log = config.beside("agentd.log", "", 0o640);
        let text = format!(
            "Server=127.0.0.1\nListenIP=127.0.0.1\nListenPort={port}\nHostname=suite\nTimeout=3\n\
             UnsafeUserParameters=0\nLogType=file\nLogFile={}\nPidFile={}\n{}{parameters}\n",
            log.display(),
            log.with_file_name("agentd.pid").display(),
            kind.lines(&log)
        );
        let conf = config.beside("agentd.conf", text, 0o640);
        let mut command = Command::new(program);
        let said = fs::File::create(log.with_file_name("agentd.said")).unwrap();
        command
            .arg("-f")
            .arg("-c")
            .arg(conf)
            .env("ZBX_TCP_CONFIG", config.path())
            .stdin(Stdio::null());
        command.stdout(said.try_clone().unwrap()).stderr(said);
        Some(Self {
            child: command.spawn().unwrap(),
            port,
            config,
        })
    }

    /// What it has printed, and its log.
    pub fn log(&self) -> String {
        let beside = |name| Path::new(&self.config.path()).with_file_name(name);
        ["agentd.said", "agentd.log"]
            .map(|name| fs::read_to_string(beside(name)).unwrap())
            .concat()
    }

    /// Its configuration.
    pub fn conf(&self) -> String {
        let path = Path::new(&self.config.path()).with_file_name("agentd.conf");
        path.display().to_string()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The value of a key by the passive protocol: `ZBXD`, flags 1, the length in eight bytes, the text.
    pub fn value(&self, key: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let length = u64::try_from(key.len()).unwrap().to_le_bytes();
        stream
            .write_all(&[b"ZBXD\x01", &length[..], key.as_bytes()].concat())
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let (head, text) = answer.split_at(13);
        // The length has four bytes; the other four are agent 2's own.
        let length = u32::from_le_bytes(head[5..9].try_into().unwrap());
        assert_eq!(
            (&head[..5], length as usize),
            (&b"ZBXD\x01"[..], text.len())
        );
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// The value of `tcp.check` with these parameters.
    pub fn check(&self, parameters: &str) -> String {
        self.value(&format!("tcp.check[{parameters}]"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SIGTERM, so that it stops its children too.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

/// A free port below 32768, the limit of `ListenPort`, which the kernel's choice would exceed.
fn free_port() -> u16 {
    // Each test starts the search at another port, so that two do not find the same one.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    let mut ports =
        std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::SeqCst)).take(100);
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("no port is free")
}
