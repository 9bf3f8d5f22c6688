//! Real servers on loopback: each in a directory and a process group of its own, stopped when its test ends.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::skip;

/// The longest time that a server may take to start, to write its log, or to stop: some of them start
/// slowly on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(180);
/// How long a log must not grow before it counts as complete.
const QUIET: Duration = Duration::from_millis(500);

/// A temporary directory, owned by the user that the server runs as.
pub struct Home {
    directory: tempfile::TempDir,
    owner: Option<(u32, u32)>,
}

impl Home {
    /// Owned by the user that runs the tests.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Servers that change their user still reach their files.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            directory,
            owner: None,
        }
    }

    /// Owned by `user` if the tests run as root, else by the user that runs the tests.
    pub fn of(user: &str) -> Self {
        let mut home = Self::new();
        if runs_as_root() {
            let (uid, gid) = ids(user);
            chown(home.directory.path(), Some(uid), Some(gid)).unwrap();
            home.owner = Some((uid, gid));
        }
        home
    }

    /// The path of `name` in it.
    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Writes a file that the owner can read; returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        if let Some((uid, gid)) = self.owner {
            chown(&path, Some(uid), Some(gid)).unwrap();
        }
        path
    }

    /// Creates a directory that every user can write to; returns its path.
    pub fn directory(&self, name: &str) -> String {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        path
    }

    /// A command that runs in this directory as its owner.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .env("HOME", self.directory.path());
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a command to its end and returns its output; `arguments` are separated by spaces.
    pub fn run(&self, program: &str, arguments: &str) -> String {
        let output = self
            .command(program)
            .args(arguments.split(' '))
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "{program} {arguments}:\n{text}");
        text
    }
}

/// The user ID and group ID of a user, from /etc/passwd.
fn ids(user: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find(|line| line.starts_with(&format!("{user}:")))
        .unwrap_or_else(|| panic!("no user {user}"));
    let fields: Vec<_> = line.split(':').collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

/// A server in a process group of its own.
pub struct Server {
    child: Child,
    ports: Vec<u16>,
    log: PathBuf,
    stop_command: Option<Command>,
    pub home: Home,
}

impl Server {
    /// Starts a server and waits until it listens on all `ports`.
    ///
    /// Its output goes to the file `log` in its home, to which its configuration may send its log too.
    pub fn start(home: Home, ports: &[u16], command: &mut Command) -> Self {
        let log = PathBuf::from(home.path("log"));
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
        let mut server = Self {
            child: command.spawn().unwrap(),
            ports: ports.to_vec(),
            log,
            stop_command: None,
            home,
        };
        let listening =
            until(|| server.has_ended() || server.ports.iter().all(|port| is_listening(*port)));
        assert!(
            listening && !server.has_ended(),
            "{command:?} does not start:\n{}",
            server.log()
        );
        server
    }

    /// Also stops it with this command, for a server whose processes leave its process group.
    pub fn stopped_with(mut self, command: Command) -> Self {
        self.stop_command = Some(command);
        self
    }

    /// Its first port.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Its log once it contains `phrase` this often, which may be a moment after a connection has ended.
    pub fn log_with(&self, phrase: &str, times: usize) -> String {
        until(|| self.log().matches(phrase).count() >= times);
        self.log()
    }

    /// Asserts that its log contains `phrase` in the end.
    #[track_caller]
    pub fn wait_for_log(&self, phrase: &str) {
        self.wait_until(phrase, || self.log().contains(phrase));
    }

    /// Asserts that a condition becomes true.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn() -> bool) {
        assert!(until(condition), "not seen: {what:?}\n{}", self.log());
    }

    /// What it logs during `work`, and after it until the log has stopped growing.
    pub fn log_during(&self, work: impl FnOnce()) -> String {
        let before = self.log().len();
        work();
        let (mut length, mut changed) = (self.log().len(), Instant::now());
        until(|| {
            let now = self.log().len();
            if now != length {
                (length, changed) = (now, Instant::now());
            }
            changed.elapsed() >= QUIET
        });
        self.log().get(before..).unwrap_or_default().to_owned()
    }

    /// Stops it and waits until its ports are closed.
    pub fn stop(&mut self) {
        if self.has_ended() {
            return;
        }
        self.run_stop_command();
        stop(&mut self.child);
        assert!(
            until(|| !self.ports.iter().any(|port| is_listening(*port))),
            "it still listens:\n{}",
            self.log()
        );
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn run_stop_command(&mut self) {
        if let Some(command) = &mut self.stop_command {
            let _ = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run_stop_command();
        stop(&mut self.child);
    }
}

/// Stops a process group by its leader: first with SIGTERM, then with SIGKILL.
pub fn stop(leader: &mut Child) {
    for (signal, seconds) in [("-TERM", 20), ("-KILL", 10)] {
        let _ = Command::new("kill")
            .args([signal, "--", &format!("-{}", leader.id())])
            .stderr(Stdio::null())
            .status();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds) {
            if leader.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// Waits until a condition is true; false after [`TIMEOUT`].
pub fn until(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > TIMEOUT {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
    true
}

/// Whether a socket listens on this port of 127.0.0.1 or of all addresses.
///
/// Asked of the kernel: a connect would appear in the server's log and counters.
fn is_listening(port: u16) -> bool {
    let local = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|path| {
        let table = fs::read_to_string(path).unwrap_or_default();
        table.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields
                .get(1)
                .is_some_and(|address| address.ends_with(&local))
                && fields.get(3) == Some(&"0A")
        })
    })
}

/// A port on which nothing listens, a different one for each call.
///
/// Below the ports that the kernel gives to clients, so that no connection takes it before the server
/// does, and below 32768, the highest port that Zabbix's agent accepts.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 12_000).unwrap();
    std::iter::repeat_with(|| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000)
        .take(12_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// Whether a program is installed; else the test is skipped.
pub fn installed(program: &str, package: &str) -> bool {
    let found = Path::new(program).exists();
    if !found {
        skip(&format!("no {program} (Debian: {package})"));
    }
    found
}

/// Whether the tests run as root, which `server` requires; else the test is skipped.
pub fn is_root(server: &str) -> bool {
    let root = runs_as_root();
    if !root {
        skip(&format!("{server} starts as root only"));
    }
    root
}

fn runs_as_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
