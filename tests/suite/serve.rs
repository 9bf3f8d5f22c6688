//! `zbx-tcp serve` as a program, mostly with clients that share no code with it.

mod program;
mod talk;
mod usage_errors;

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::support;

/// A timeout that only a failure reaches.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running responder, stopped when the test ends.
struct Server {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
}

impl Server {
    /// Starts `zbx-tcp serve` with these arguments and reads the address that it prints.
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

    /// The address for clients on this host.
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

    /// The next line without the client's address, with which it must start.
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

    /// Waits for the program to end; its exit status. Asserts that the log has ended.
    fn exit(&mut self) -> Option<i32> {
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `zbx-tcp serve` with arguments that it refuses; if it listens nevertheless, the output
/// shows it.
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

/// The output of a Python program; `None` without Python.
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

/// A port that is probably free.
fn free_port() -> u16 {
    std::net::TcpListener::bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
