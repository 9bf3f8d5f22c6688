//! The exchange of a Python socket tutorial: its server runs in Python, `check` is its client. `serve` tests the other side.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::fixed_ports::Lock;
use crate::program::check;
use crate::support::skip;

/// The tutorial's server. It prints its port, then what it received.
const SERVER: &str = r#"
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
server.bind(("", int(sys.argv[1])))
server.listen(128)
print(server.getsockname()[1], flush=True)
client, address = server.accept()
received = client.recv(1024)
sys.stdout.buffer.write(("%d bytes: %s\n" % (len(received), received.decode("gbk"))).encode())
client.send("ok, 问题正在处理中…".encode("gbk"))
client.close()
server.close()
"#;

/// The running server. It is killed when dropped.
pub struct Python {
    child: Child,
    /// The port on which it listens.
    pub port: String,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts it. `None` if there is no Python.
    pub fn start(port: &str) -> Option<Self> {
        let mut python = Command::new("python3");
        python
            .args(["-c", SERVER, port])
            .env("PYTHONUTF8", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let Ok(mut child) = python.spawn() else {
            skip("no python3");
            return None;
        };
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        Some(Self {
            child,
            port: port.trim().to_owned(),
            output,
        })
    }

    /// Waits for its end, and returns what it printed about its only client.
    pub fn heard(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(port: &str) {
    let Some(python) = Python::start(port) else {
        return;
    };
    let arguments = [
        "--encoding",
        "gbk",
        "--send",
        "你好服务端,我是客户端小黑!",
        "--expect",
        "ok, 问题",
        "-o",
        "json",
    ];
    let document = check(&[&["127.0.0.1", &python.port][..], &arguments].concat()).document();
    assert_eq!(document["up"], 1, "{document}");
    assert_eq!(document["response"]["text"], "ok, 问题正在处理中…");
    assert_eq!(document["response"]["bytes"], 20);
    assert_eq!(python.heard(), "26 bytes: 你好服务端,我是客户端小黑!\n");
}

#[test]
fn check_works_as_the_tutorials_client() {
    exchange("0");
}

#[test]
fn check_works_on_the_tutorials_port() {
    let _lock = Lock::acquire();
    if std::net::TcpListener::bind("0.0.0.0:8989").is_err() {
        return skip("port 8989 is taken on this machine");
    }
    exchange("8989");
}
