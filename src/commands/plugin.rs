//! `zbx-tcp SOCKET INITIAL`: the loadable plugin of Zabbix agent 2, which the agent starts.
//!
//! One thread reads requests, one probes, one writes answers; a batch or a discovery has a thread
//! of its own. Nothing is ever written to standard output or standard error, because the agent
//! keeps that in memory. The process must outlive every error: an agent whose plugin ends, ends
//! too.

mod agent;
mod keys;
mod long;
mod probing;
mod reload;

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::commands::Exit;
use crate::commands::plugin::agent::AgentWriter;
use crate::commands::plugin::keys::{ItemKey, KEYS};
use crate::commands::plugin::long::LongRequests;
use crate::commands::plugin::probing::ProbingThread;
use crate::commands::plugin::reload::Reloading;
use crate::engine::Limits;
use crate::os::stop::ignore_signals;
use crate::plugin::frame::FrameReader;
use crate::plugin::message::{self, AgentRequest, Answer, Export, LogSeverity, MessageError};
use crate::plugin::options::PluginOptions;
use crate::policy::Policy;

/// The name of the plugin in the agent's configuration: `Plugins.Tcp.System.Path`.
const NAME: &str = "Tcp";

/// The timeout of the agent, unless it says another one (its default).
const AGENT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the plugin waits for the agent to close the socket after it was told to exit. An agent
/// that sees the socket close first writes thousands of lines into its log.
const PATIENCE: Duration = Duration::from_millis(100);

/// The socket, if these are the arguments of a plugin's start: the path of a socket, and `true` or
/// `false`.
pub fn socket_of(arguments: &[OsString]) -> Option<&Path> {
    let [_, socket, initial] = arguments else {
        return None;
    };
    let path = Path::new(socket);
    let is_start = (initial == OsStr::new("true") || initial == OsStr::new("false"))
        && path.is_absolute()
        && std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_start.then_some(path)
}

/// Answers the agent until it closes the socket or tells the plugin to exit.
pub fn run(socket: &Path) -> Exit {
    // The agent ends the plugin by a message; its service manager signals the whole group.
    ignore_signals();
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return Exit::Down;
    };
    let Ok(agent) = stream.try_clone().and_then(AgentWriter::start) else {
        return Exit::Down;
    };
    let mut plugin = Plugin::new(agent);
    let mut frames = FrameReader::default();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // The agent has ended.
            Ok(0) | Err(_) => return Exit::Up,
            Ok(length) => frames.push(buffer.get(..length).unwrap_or_default()),
        }
        loop {
            let body = match frames.next_body() {
                Ok(Some(body)) => body,
                Ok(None) => break,
                // Nothing after it can be understood. The agent would write an error for each
                // attempt to read if the socket were closed, so it is only read on.
                Err(error) => {
                    plugin
                        .agent
                        .log(LogSeverity::Error, &format!("the agent sent {error}"));
                    return drain(&mut stream, &mut buffer);
                }
            };
            if plugin.handle(body) == AfterMessage::Exit {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                return drain(&mut stream, &mut buffer);
            }
        }
    }
}

/// Reads until the agent closes the socket or the timeout of the socket is over.
fn drain(stream: &mut UnixStream, buffer: &mut [u8]) -> Exit {
    while stream.read(buffer).is_ok_and(|length| length > 0) {}
    Exit::Up
}

/// What happens after a message.
#[derive(Debug, PartialEq, Eq)]
enum AfterMessage {
    Continue,
    Exit,
}

/// The state of the plugin.
struct Plugin {
    agent: AgentWriter,
    options: PluginOptions,
    /// How long the agent waits for a value whose request does not say it.
    timeout: Duration,
    settings: Reloading,
    probing: Option<ProbingThread>,
    long: LongRequests,
}

impl Plugin {
    fn new(agent: AgentWriter) -> Self {
        Self {
            agent: agent.clone(),
            options: PluginOptions::default(),
            timeout: AGENT_TIMEOUT,
            settings: Reloading::new(agent.clone()),
            probing: None,
            long: LongRequests::new(agent),
        }
    }

    fn handle(&mut self, body: &[u8]) -> AfterMessage {
        let received = match message::read(body) {
            Ok(received) => received,
            Err(MessageError::WrongField(id)) => {
                self.agent
                    .send(&Answer::error(id, "zbx-tcp: invalid request"));
                return AfterMessage::Continue;
            }
            Err(MessageError::NotAMessage) => {
                self.agent.log(
                    LogSeverity::Warning,
                    "the agent sent something that is not a message",
                );
                return AfterMessage::Continue;
            }
        };
        let id = received.id;
        match received.request {
            AgentRequest::Register => {
                let keys: Vec<_> = KEYS.iter().map(|key| (key.name, key.about)).collect();
                self.agent.send(&Answer::register(id, NAME, &keys));
            }
            AgentRequest::Validate(options) => {
                let error = PluginOptions::read(&options).err();
                self.agent.send(&Answer::validate(id, error.as_deref()));
            }
            AgentRequest::Configure { timeout, options } => {
                self.timeout = timeout.unwrap_or(AGENT_TIMEOUT);
                match PluginOptions::read(&options) {
                    Ok(options) => {
                        self.settings.use_file(options.config.clone());
                        self.options = options;
                        self.probing = None;
                    }
                    Err(error) => self.agent.log(LogSeverity::Error, &error),
                }
            }
            AgentRequest::Export(export) => self.export(id, &export),
            AgentRequest::Terminate => return AfterMessage::Exit,
            AgentRequest::Start | AgentRequest::Unknown(_) => {}
        }
        AfterMessage::Continue
    }

    fn export(&mut self, id: u32, export: &Export) {
        let most = deadline(export.timeout.unwrap_or(self.timeout));
        let result = match keys::read(&export.key, &export.parameters) {
            Ok(ItemKey::Check(arguments)) => self.check(id, export, &arguments, most),
            Ok(other) => {
                let policy = self.settings.policy();
                self.long
                    .start(id, other, most, self.options.config.clone(), policy)
            }
            Err(why) => Err(why),
        };
        if let Err(why) = result {
            // The same text as that of the command line.
            self.agent
                .send(&Answer::error(id, &format!("zbx-tcp: {why}")));
        }
    }

    fn check(
        &mut self,
        id: u32,
        export: &Export,
        arguments: &keys::CheckKey,
        most: Duration,
    ) -> Result<(), String> {
        let check = self.settings.check(&export.parameters, arguments, most)?;
        let policy = self.settings.policy();
        let usable = self
            .probing
            .as_ref()
            .is_some_and(|probing| probing.has_policy(&policy));
        if !usable {
            self.probing = Some(self.start_probing(&policy)?);
        }
        let sent = self
            .probing
            .as_mut()
            .map(|probing| probing.send(id, &check));
        if sent == Some(false) {
            // Its run ended by an error of this machine or a defect; the next one may work.
            self.probing = Some(self.start_probing(&policy)?);
            if let Some(probing) = &mut self.probing {
                probing.send(id, &check);
            }
        }
        Ok(())
    }

    fn start_probing(&self, policy: &Arc<Policy>) -> Result<ProbingThread, String> {
        ProbingThread::start(
            self.agent.clone(),
            Arc::clone(policy),
            limits(&self.options),
        )
        .map_err(|error| format!("this machine cannot probe: {error}"))
    }
}

/// The limits of the run that probes.
fn limits(options: &PluginOptions) -> Limits<'static> {
    Limits {
        rate: options.rate,
        ..Limits::in_flight(options.concurrency.unwrap_or(PluginOptions::CONCURRENCY))
    }
}

/// The deadline of a probe whose value the agent waits for this long: the answer needs time, too.
fn deadline(agent: Duration) -> Duration {
    agent
        .saturating_sub(Duration::from_millis(500))
        .max(agent * 3 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_leaves_time_for_the_answer() {
        let of = |millis| deadline(Duration::from_millis(millis)).as_millis();
        assert_eq!(
            (of(3000), of(30_000), of(1000), of(0)),
            (2500, 29_500, 750, 0)
        );
    }

    #[test]
    fn only_a_socket_and_a_truth_value_start_the_plugin() {
        let words = |socket: &str, initial: &str| {
            let words = ["zbx-tcp", socket, initial].map(OsString::from).to_vec();
            socket_of(&words).is_some()
        };
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let file = directory.path().join("f");
        std::fs::write(&file, "").unwrap();
        let socket = socket.to_str().unwrap();
        assert!(words(socket, "true") && words(socket, "false"));
        for (path, initial) in [
            (socket, "TRUE"),
            (socket, ""),
            (file.to_str().unwrap(), "true"),
            ("check", "true"),
            ("/nonexistent", "true"),
        ] {
            assert!(!words(path, initial), "{path} {initial}");
        }
        assert!(socket_of(&[OsString::from("zbx-tcp"), socket.into()]).is_none());
    }
}
