//! `zbx-tcp serve` as a program, mostly against clients that share no code with it.

mod mistakes;
mod program;
mod talk;

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::support;

/// Longer than anything here takes; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running responder; ends with the test.
struct Server {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
}

impl Server {
    /// Starts `zbx-tcp serve` with these words and reads the address it announces.
    fn start(words: &[&str]) -> Self {
        Self::spawn(
            Command::new(env!("CARGO_BIN_EXE_zbx-tcp"))
                .arg("serve")
                .args(words),
        )
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        let mut server = Self {
            child,
            address: SocketAddr::from(([0; 4], 0)),
            lines,
        };
        let first = server.line();
        server.address = first
            .strip_prefix("listening on ")
            .expect(&first)
            .parse()
            .unwrap();
        server
    }

    /// Where clients of this host reach it.
    fn target(&self) -> SocketAddr {
        let ip = if self.address.ip().is_unspecified() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            self.address.ip()
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// The next line of the log.
    fn line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .expect("a line of the log")
    }

    /// The next line, without the client that it must begin with.
    fn line_about(&self, client: SocketAddr) -> String {
        let line = self.line();
        line.strip_prefix(&format!("{client} "))
            .unwrap_or_else(|| panic!("{line} is not about {client}"))
            .to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.target(), PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// The exit status of a program that is about to end; its log ends with it.
    fn exit(&mut self) -> Option<i32> {
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `zbx-tcp serve` with words that make it end at once; should it listen after all, that is in the output.
fn refused(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zbx-tcp"));
    let command = command
        .arg("serve")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = Vec::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_until(b'\n', &mut stdout)
        .unwrap();
    if !stdout.is_empty() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    Output { stdout, ..output }
}

fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The output of a Python program, or nothing where there is no Python.
fn python(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("python3");
    let output = match command
        .args(["-c", program])
        .args(arguments)
        .env("PYTHONIOENCODING", "utf-8")
        .output()
    {
        Err(error) => {
            support::skip(&format!("python3 does not start: {error}"));
            return None;
        }
        Ok(output) => output,
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
