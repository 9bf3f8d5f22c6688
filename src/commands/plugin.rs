//! `zbx-tcp SOCKET INITIAL`: the loadable plugin of Zabbix agent 2, which the agent starts.
//!
//! One thread reads requests, and one thread probes. Other threads write the data that the socket
//! does not accept immediately, answer late requests, and process batches and discoveries. Nothing
//! is written to standard output or standard error, because the agent keeps it in memory. The
//! process must not end because of an error or a panic: if a plugin ends, its agent ends, too.

mod agent;
mod keys;
mod long;
mod probing;
mod reload;
mod requests;

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::commands::plugin::agent::AgentWriter;
use crate::commands::plugin::keys::{CheckKey, ItemKey, KEYS, KeyError, LongKey};
use crate::commands::plugin::long::{LongRequest, LongRequests};
use crate::commands::plugin::probing::ProbingThread;
use crate::commands::plugin::reload::Reloading;
use crate::commands::plugin::requests::OpenRequests;
use crate::commands::{Exit, batch, check, error_line, internal_error};
use crate::engine::Limits;
use crate::os::sibling::wait_beside;
use crate::os::stop::ignore_signals;
use crate::plugin::frame::FrameReader;
use crate::plugin::message;
use crate::plugin::message::{
    AgentMessage, AgentRequest, Answer, Export, LogSeverity, MessageError,
};
use crate::plugin::options::PluginOptions;

/// The name of the plugin in the agent's configuration: `Plugins.Tcp.System.Path`.
const NAME: &str = "Tcp";

/// The default timeout of the agent.
const AGENT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the plugin waits for the agent to close the socket after the command to exit. If the
/// plugin closes the socket first, the agent writes thousands of lines into its log.
const PATIENCE: Duration = Duration::from_millis(100);

/// The time from the end of the plugin's first run, in which it registers, after which agent 2 of
/// 6.0 has only one thread that waits for ended children. Before, two threads wait for one ended
/// child, and the agent panics if no child is left for the second thread (`listenOnPluginFail` in
/// its `external_nix.go`: "failed to obtain PID of dead child process"). Another running child
/// prevents this.
const START_OF_THE_AGENT: Duration = Duration::from_secs(3);

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

/// Answers the agent until it closes the socket or sends the command to exit.
pub fn run(socket: &Path) -> Exit {
    // The agent ends the plugin by a message; its service manager signals the whole group.
    ignore_signals();
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return Exit::Down;
    };
    let Ok(agent) = stream.try_clone().map(AgentWriter::new) else {
        return Exit::Down;
    };
    let mut plugin = Plugin::new(agent.clone());
    let mut frames = FrameReader::default();
    let mut buffer = [0; 16 * 1024];
    loop {
        agent.wait_for_room();
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The agent has ended.
            Ok(0) | Err(_) => return plugin.end(),
            Ok(length) => frames.push(buffer.get(..length).unwrap_or_default()),
        }
        loop {
            let body = match frames.next_body() {
                Ok(Some(body)) => body,
                Ok(None) => break,
                // Nothing after it can be parsed. The socket is not closed, because the agent would
                // log an error for each attempt to read; its data is discarded.
                Err(error) => {
                    agent.log(LogSeverity::Error, &format!("the agent sent {error}"));
                    drain(&mut stream, &mut buffer);
                    return plugin.end();
                }
            };
            if plugin.read(body) == AfterMessage::Exit {
                if let Some(time) = plugin.outlived {
                    wait_beside(time);
                }
                drain_for(PATIENCE, &mut stream, &mut buffer);
                return plugin.end();
            }
        }
    }
}

/// Reads until the agent closes the socket.
fn drain(stream: &mut UnixStream, buffer: &mut [u8]) {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Reads until the agent closes the socket, at most for this time.
#[allow(clippy::disallowed_methods)]
fn drain_for(patience: Duration, stream: &mut UnixStream, buffer: &mut [u8]) {
    let end = Instant::now() + patience;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        // A timeout of zero is an error.
        if rest.is_zero() || stream.set_read_timeout(Some(rest)).is_err() {
            return;
        }
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
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
    /// How long the agent waits for a value whose request has no timeout.
    timeout: Duration,
    settings: Reloading,
    requests: OpenRequests,
    probing: Option<ProbingThread>,
    /// The number of the next run that probes.
    next_run: u32,
    long: LongRequests,
    /// How long another child of the agent must run after this process has ended.
    outlived: Option<Duration>,
}

impl Plugin {
    fn new(agent: AgentWriter) -> Self {
        let requests = OpenRequests::new(agent.clone());
        Self {
            agent: agent.clone(),
            options: PluginOptions::default(),
            timeout: AGENT_TIMEOUT,
            settings: Reloading::new(agent),
            requests: requests.clone(),
            probing: None,
            next_run: 0,
            long: LongRequests::new(requests),
            outlived: None,
        }
    }

    /// Ends without freeing anything, because the agent waits for the end of the process.
    fn end(self) -> Exit {
        std::mem::forget(self);
        Exit::Up
    }

    /// Handles the body of a frame.
    fn read(&mut self, body: &[u8]) -> AfterMessage {
        match message::read(body) {
            Ok(message) => self.handle_safely(message),
            Err(MessageError::WrongField(id)) => {
                self.agent.error(id, "invalid request");
                AfterMessage::Continue
            }
            Err(MessageError::NotAMessage) => {
                self.agent.log(
                    LogSeverity::Warning,
                    "the agent sent something that is not a message",
                );
                AfterMessage::Continue
            }
        }
    }

    /// Handles a message; after a panic the request gets an error.
    fn handle_safely(&mut self, message: AgentMessage) -> AfterMessage {
        let id = message.id;
        let is_export = matches!(message.request, AgentRequest::Export(_));
        let handled = catch_unwind(AssertUnwindSafe(|| self.handle(message)));
        handled.unwrap_or_else(|_| {
            let text = internal_error().text;
            if is_export {
                self.agent.error(id, &text);
            } else {
                self.agent.log(LogSeverity::Error, &text);
            }
            AfterMessage::Continue
        })
    }

    fn handle(&mut self, message: AgentMessage) -> AfterMessage {
        let id = message.id;
        match message.request {
            AgentRequest::Register { version } => {
                self.outlived = version
                    .is_some_and(|version| version.starts_with("6.0"))
                    .then_some(START_OF_THE_AGENT);
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
                        // Probes in flight are answered by their run before it ends.
                        self.probing = None;
                    }
                    Err(error) => self.agent.log(LogSeverity::Error, &error),
                }
            }
            AgentRequest::Export(export) => {
                self.outlived = None;
                self.export(id, export);
            }
            AgentRequest::Terminate => return AfterMessage::Exit,
            AgentRequest::Start | AgentRequest::Unknown(_) => {}
        }
        AfterMessage::Continue
    }

    fn export(&mut self, id: u32, export: Export) {
        #[cfg(debug_assertions)]
        crate::commands::panic_if_tested_at(&format!("export {:?}", export.parameters));
        let most = deadline(export.timeout.unwrap_or(self.timeout));
        let started = match keys::read(&export.key, export.parameters) {
            Ok(ItemKey::Check(key)) => self.check(id, key, most),
            Ok(ItemKey::Long(key)) => self.long(id, key, most),
            Err(KeyError::Parameters(mistake)) => Err(NoAnswer::Mistake(mistake)),
            Err(KeyError::Unknown(why)) => Err(NoAnswer::Failure(why)),
        };
        match started {
            Ok(()) => {}
            // The same value as from UserParameters, so that templates work with both.
            Err(NoAnswer::Mistake(text)) => self.agent.value(id, &error_line(&text)),
            Err(NoAnswer::Document(document)) => self.agent.value(id, &document),
            Err(NoAnswer::Failure(text)) => self.agent.error(id, &text),
        }
    }

    #[allow(clippy::needless_pass_by_value)]
    fn check(&mut self, id: u32, key: CheckKey, most: Duration) -> Result<(), NoAnswer> {
        let check = match self.settings.check(key.clone(), most) {
            Ok(check) => check,
            Err(error) => {
                let document = check::unprobed_document(&key.arguments(None), &error);
                let mistake = || NoAnswer::Mistake(error.to_string());
                return Err(document.map_or_else(mistake, NoAnswer::Document));
            }
        };
        let policy = self.settings.policy();
        // If a run has ended because of a local error or a defect, the next one may succeed.
        for _ in 0..2 {
            let probing = match &mut self.probing {
                Some(probing) if probing.has_policy(&policy) => probing,
                probing => {
                    let run = self.next_run;
                    self.next_run = run.wrapping_add(1);
                    let limits = limits(&self.options);
                    let requests = self.requests.clone();
                    let started = ProbingThread::start(run, requests, Arc::clone(&policy), limits);
                    probing.insert(started.map_err(NoAnswer::no_thread)?)
                }
            };
            let plan = self
                .requests
                .add_check(id, probing.run(), &check, most)
                .ok_or_else(NoAnswer::too_many)?;
            let index = plan.index;
            // If the run has ended, either it has answered the request or no other thread will.
            if probing.send(plan) || !self.requests.remove(index) {
                return Ok(());
            }
            self.probing = None;
        }
        Err(NoAnswer::Failure(
            "the probing thread has ended; the next request starts another one".to_owned(),
        ))
    }

    #[allow(clippy::disallowed_methods)]
    fn long(&mut self, id: u32, key: LongKey, most: Duration) -> Result<(), NoAnswer> {
        let arrived = Instant::now();
        let config = match &key {
            LongKey::Batch(..) | LongKey::Targets(_) => self.settings.targets(),
            LongKey::Ports(..) | LongKey::Open(..) => self.settings.services(),
            // Listeners are read without the configuration, so an error in it does not affect these
            // keys.
            LongKey::ListenerRows | LongKey::Listeners => Ok(Arc::default()),
        };
        let config = config.map_err(|error| match &key {
            LongKey::Batch(_, max_output) => {
                NoAnswer::Document(batch::without_targets(&error, max_output))
            }
            _ => NoAnswer::Mistake(error),
        })?;
        let policy = self.settings.policy();
        let index = self
            .requests
            .add_long(id, most)
            .ok_or_else(NoAnswer::too_many)?;
        let request = LongRequest {
            index,
            key,
            arrived,
            most,
            config,
            config_error: self.settings.refused(),
            policy,
        };
        match self.long.add(request) {
            Err(error) if self.requests.remove(index) => Err(NoAnswer::no_thread(error)),
            // If a request is no longer in the list, it was answered, even if no thread could be
            // started.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Why a request gets its answer before any work for it has started.
#[derive(Debug)]
enum NoAnswer {
    /// An error in the key or the configuration.
    Mistake(String),
    /// An error in the configuration, as a document.
    Document(String),
    /// A local error of this machine.
    Failure(String),
}

impl NoAnswer {
    #[allow(clippy::needless_pass_by_value)]
    fn no_thread(error: std::io::Error) -> Self {
        Self::Failure(format!("this machine cannot start a thread: {error}"))
    }

    fn too_many() -> Self {
        Self::Failure("too many requests are open".to_owned())
    }
}

/// The limits of the run that probes.
fn limits(options: &PluginOptions) -> Limits<'static> {
    Limits {
        rate: options.rate,
        ..Limits::in_flight(options.concurrency.unwrap_or(PluginOptions::CONCURRENCY))
    }
}

/// The deadline of a probe, if the agent waits this long for its value. It is earlier, because the
/// answer needs time, too.
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
