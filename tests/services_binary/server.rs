//! Starts a server on loopback, in a directory of its own, and stops it by its process id.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::skip;

/// A directory that ends with the test, owned by the user that the server runs as.
pub struct Home {
    dir: tempfile::TempDir,
    owner: Option<(u32, u32)>,
}

impl Home {
    /// Of this user where we are root, else of ourselves.
    pub fn of(user: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap());
        let owner = (own == 0 && user != "root").then(|| ids(user));
        if let Some((uid, gid)) = owner {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        Self { dir, owner }
    }

    /// A path in it.
    pub fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Writes a file into it that the user can read.
    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.at(name), text).unwrap();
        if let Some((uid, gid)) = self.owner {
            chown(self.at(name), Some(uid), Some(gid)).unwrap();
        }
        self.at(name)
    }

    /// A command that runs here as that user.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .env("HOME", self.dir.path());
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a command to its end; `words` are separated by spaces.
    pub fn run(&self, program: &str, words: &str) -> String {
        let output = self
            .command(program)
            .args(words.split(' '))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{program} {words}:\n{said}");
        said
    }
}

fn ids(user: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find(|line| line.starts_with(&format!("{user}:")));
    let fields: Vec<_> = line
        .unwrap_or_else(|| panic!("no user {user}"))
        .split(':')
        .collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

/// A server that ends with the test.
pub struct Server {
    child: Child,
    pub home: Home,
    pub port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts a command and waits, without a connect, until something listens on its port.
    pub fn start(home: Home, port: u16, command: &mut Command) -> Self {
        let log = PathBuf::from(home.at("said"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        command
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0);
        let server = Self {
            child: command.spawn().unwrap(),
            home,
            port,
            log,
        };
        server.wait_until("it listens", || listens(port));
        server
    }

    /// Waits until a text is in what the server said.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, || self.said().contains(text));
    }

    /// Waits until this is so.
    pub fn wait_until(&self, what: &str, met: impl Fn() -> bool) {
        let start = Instant::now();
        while !met() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "waited for {what:?} in vain:\n{}",
                self.said()
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// What the server said from its start.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// What the server says while `work` is done, and in the half second after it.
    pub fn says_of(&self, work: impl FnOnce()) -> String {
        let before = self.said().len();
        work();
        sleep(Duration::from_millis(500));
        self.said().get(before..).unwrap_or_default().to_owned()
    }

    /// Ends it.
    pub fn stop(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a program that was started in a process group of its own, and its children with it.
pub fn end(child: &mut Child) {
    for (signal, patience) in [("-TERM", 10), ("-KILL", 10)] {
        let _ = Command::new("kill")
            .args([signal, "--", &format!("-{}", child.id())])
            .stderr(Stdio::null())
            .status();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(patience) {
            if child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// A port that nothing listens on, each time another one: below those that the kernel gives to clients, and below
/// 32768, the most that Zabbix's agent listens on.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 12_000).unwrap();
    let ports =
        std::iter::repeat_with(|| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    ports
        .take(12_000)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// Whether a socket listens on the port, as the kernel tells: a connect would count as a probe of its own.
fn listens(port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let table = fs::read_to_string(table).unwrap_or_default();
        table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .any(|fields| {
                fields.get(1).is_some_and(|local| local.ends_with(&suffix))
                    && fields.get(3) == Some(&"0A")
            })
    })
}

/// Whether a program is installed; says loudly which package has it when not.
pub fn installed(program: &str, package: &str) -> bool {
    let found = Path::new(program).exists();
    if !found {
        skip(&format!("no {program} (Debian: {package})"));
    }
    found
}
