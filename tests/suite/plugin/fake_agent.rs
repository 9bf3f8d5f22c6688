//! The agent's side of the plugin protocol: starts the plugin as an agent does, and talks to it.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::program;

/// Longer than anything that is waited for, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A plugin and the agent's end of its socket.
pub struct FakeAgent {
    pub child: Child,
    pub stream: UnixStream,
    /// The log messages that the plugin sent: severity and text.
    pub log: Vec<(u64, String)>,
    received: Vec<u8>,
    next: u32,
    directory: tempfile::TempDir,
}

/// The socket that an agent listens on, in a directory of its own.
pub fn listen() -> (UnixListener, tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.plugin.sock");
    (UnixListener::bind(&path).unwrap(), directory, path)
}

/// A frame with this body.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&1_u32.to_le_bytes()[..], &length.to_le_bytes(), body].concat()
}

impl FakeAgent {
    /// Starts the plugin; nothing is sent.
    pub fn start() -> Self {
        Self::start_by(program())
    }

    /// The same with a command that the socket and `false` are added to.
    pub fn start_by(mut command: Command) -> Self {
        let (listener, directory, path) = listen();
        let said = fs::File::create(directory.path().join("said")).unwrap();
        command.arg(&path).arg("false");
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let child = command.spawn().unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            child,
            stream,
            log: Vec::new(),
            received: Vec::new(),
            next: 1000,
            directory,
        }
    }

    /// Starts the plugin, and configures it as agent 2 of 7.0 does.
    pub fn configured(options: &[(&str, &str)]) -> Self {
        Self::start().with_options(options)
    }

    /// Configures the plugin as agent 2 of 7.0 does.
    pub fn with_options(mut self, options: &[(&str, &str)]) -> Self {
        self.send(
            &json!({"id": 1, "type": 8, "global_options": {"Timeout": 3, "SourceIP": ""},
            "private_options": option_tree(options)}),
        );
        self.send(&json!({"id": 2, "type": 4}));
        self
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn send(&mut self, message: &Value) {
        self.send_bytes(&frame(message.to_string().as_bytes()));
    }

    /// Sends a request of a value; its id.
    pub fn request(&mut self, key: &str, parameters: &[&str], timeout: Option<u32>) -> u32 {
        self.next += 1;
        let mut message = json!({"id": self.next, "type": 6, "key": key});
        if !parameters.is_empty() {
            message["parameters"] = json!(parameters);
        }
        if let Some(timeout) = timeout {
            message["timeout"] = json!(timeout);
        }
        self.send(&message);
        self.next
    }

    /// The next message; `None` if the plugin has closed the socket.
    pub fn receive(&mut self) -> Option<Value> {
        let mut buffer = [0; 65_536];
        loop {
            if let Some(head) = self.received.first_chunk::<8>() {
                assert_eq!(head[..4], [1, 0, 0, 0], "the type of a frame");
                let length = u32::from_le_bytes(head[4..].try_into().unwrap()) as usize;
                if self.received.len() >= 8 + length {
                    let body: Vec<u8> = self.received.drain(..8 + length).skip(8).collect();
                    return Some(serde_json::from_slice(&body).unwrap());
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    assert!(self.received.is_empty(), "a part of a frame");
                    return None;
                }
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next message that is no line of the log.
    pub fn answer(&mut self) -> Value {
        loop {
            let message = self.receive().expect("the plugin has closed the socket");
            if message["type"] != 1 {
                return message;
            }
            assert_eq!(message["id"], 0);
            self.log.push((
                message["severity"].as_u64().unwrap(),
                message["message"].as_str().unwrap().to_owned(),
            ));
        }
    }

    /// The answer to a key, the only request that is open.
    pub fn ask(&mut self, key: &str, parameters: &[&str]) -> Result<String, String> {
        self.ask_within(key, parameters, Some(3))
    }

    pub fn ask_within(
        &mut self,
        key: &str,
        parameters: &[&str],
        timeout: Option<u32>,
    ) -> Result<String, String> {
        let id = self.request(key, parameters, timeout);
        let answer = self.answer();
        assert_eq!(
            (&answer["id"], &answer["type"]),
            (&json!(id), &json!(7)),
            "{answer}"
        );
        result_of(&answer)
    }

    /// Waits for the end of the plugin.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            sleep(Duration::from_millis(2));
        }
        None
    }

    /// Asserts that the plugin ends well and has written nothing to its standard streams.
    #[track_caller]
    pub fn has_ended(&mut self) {
        let status = self.wait(PATIENCE).expect("the plugin does not end");
        assert_eq!(status.code(), Some(0));
        let said = fs::read_to_string(self.directory.path().join("said")).unwrap();
        assert_eq!(said, "");
    }

    /// Closes the socket; asserts what [`has_ended`](Self::has_ended) does.
    #[track_caller]
    pub fn end(mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
        self.has_ended();
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for FakeAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of an answer, or its error.
pub fn result_of(answer: &Value) -> Result<String, String> {
    match (answer["value"].as_str(), answer["error"].as_str()) {
        (Some(value), None) => Ok(value.to_owned()),
        (None, Some(error)) => Err(error.to_owned()),
        _ => panic!("neither a value nor an error: {answer}"),
    }
}

/// Options as the agent sends them.
pub fn option_tree(options: &[(&str, &str)]) -> Value {
    use base64ct::{Base64, Encoding};
    let leaf = |value: &str| Base64::encode_string(value.as_bytes());
    let nodes: Vec<_> = (10..)
        .zip(options)
        .map(|(line, (name, value))| {
            json!({"Name": name, "Nodes": [{"Value": leaf(value), "Line": line}], "Line": line})
        })
        .collect();
    let path = json!({"Name": "System", "Nodes": [{"Name": "Path",
        "Nodes": [{"Value": leaf("/usr/bin/zbx-tcp"), "Line": 9}], "Line": 9}], "Line": 9});
    let nodes: Vec<_> = std::iter::once(path).chain(nodes).collect();
    json!({"Name": "Tcp", "Nodes": nodes, "Line": 9})
}
