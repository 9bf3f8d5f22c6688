//! Servers that a test starts on loopback, in a directory of their own, and ends with all their children.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::skip;

/// How long a server may take to start, to write its log, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that also the accounts of daemons may enter.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(home)
    }

    /// The path of something in it, as a configuration names it.
    pub fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Writes a file; its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.at(name), text).unwrap();
        self.at(name)
    }

    /// Makes a directory that everyone may write to; its path.
    pub fn directory(&self, name: &str) -> String {
        fs::create_dir(self.at(name)).unwrap();
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(0o777)).unwrap();
        self.at(name)
    }
}

/// A server in a process group of its own.
pub struct Server {
    child: Child,
    ports: Vec<u16>,
    log: PathBuf,
    end: Option<Command>,
    _home: Home,
}

impl Server {
    /// Starts it and waits until it listens at these ports; what it prints goes to `log`, where a configuration may
    /// send its log too.
    pub fn start(command: Command, ports: &[u16], home: Home) -> Self {
        Self::launch(command, None, ports, home)
    }

    /// The same for one whose processes do not stay in its group: this command ends them.
    pub fn start_with_end(command: Command, end: Command, ports: &[u16], home: Home) -> Self {
        Self::launch(command, Some(end), ports, home)
    }

    fn launch(mut command: Command, end: Option<Command>, ports: &[u16], home: Home) -> Self {
        let log = PathBuf::from(home.at("log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0);
        let child = command.spawn().unwrap();
        let mut server = Self {
            child,
            ports: ports.to_vec(),
            log,
            end,
            _home: home,
        };
        let listens = until(|| {
            ports.iter().all(|port| is_listening(*port))
                || server.child.try_wait().unwrap().is_some()
        });
        let running = server.child.try_wait().unwrap().is_none();
        assert!(
            listens && running,
            "{command:?} does not start:\n{}",
            server.said()
        );
        server
    }

    /// Its log so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Its log once this stands in it so often; the processes that write it outlive a connection a little.
    pub fn said_once(&self, phrase: &str, times: usize) -> String {
        until(|| self.said().matches(phrase).count() >= times);
        self.said()
    }

    /// Ends it and waits until nothing listens any more.
    pub fn stop(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        self.end();
        self.signal("-TERM");
        if !until(|| self.child.try_wait().unwrap().is_some()) {
            self.signal("-KILL");
            self.child.wait().unwrap();
        }
        assert!(
            until(|| !self.ports.iter().any(|port| is_listening(*port))),
            "it still listens:\n{}",
            self.said()
        );
    }

    fn end(&mut self) {
        if let Some(command) = &mut self.end {
            let _ = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill")
            .args([signal, "--", &group])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        self.signal("-KILL");
        let _ = self.child.wait();
    }
}

/// Whether this came true within the patience of the tests.
pub fn until(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
    true
}

/// Whether something listens at this port of 127.0.0.1 or of every address: asked of the kernel, since a connect would
/// stand in the server's log.
pub fn is_listening(port: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    let local = format!(":{port:04X}");
    tables.iter().flat_map(|table| table.lines()).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words
            .get(1)
            .is_some_and(|address| address.ends_with(&local))
            && words.get(3) == Some(&"0A")
    })
}

/// A port of loopback that nothing uses.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Whether this program is there; else the test is skipped.
pub fn has(program: &str, package: &str) -> bool {
    let found = Path::new(program).exists();
    if !found {
        skip(&format!("no {program} (Debian: {package})"));
    }
    found
}

/// Whether the tests run as root, which some servers demand; else the test is skipped.
pub fn is_root(server: &str) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root {
        skip(&format!("{server} starts as root only"));
    }
    root
}
