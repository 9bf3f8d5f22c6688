//! `openssl s_server` and `gnutls-serv` on loopback, with certificates that are made for the test.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The name that the certificates are for.
pub const NAME: &str = "old.example";

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// A directory with keys and self-signed certificates of [`NAME`].
pub struct Certificates(TempDir);

impl Certificates {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of a file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes `NAME.pem` and `NAME.key`, with the options of `openssl req` for key and signature.
    pub fn make(&self, name: &str, options: &[&str]) -> &Self {
        let path = |extension: &str| self.path(&format!("{name}.{extension}"));
        openssl(
            Command::new("openssl")
                .args(["req", "-x509", "-nodes", "-days", "30", "-batch"])
                .args(["-subj", &format!("/CN={NAME}")])
                .args(["-addext", &format!("subjectAltName=DNS:{NAME}")])
                .args(options)
                .arg("-keyout")
                .arg(path("key"))
                .arg("-out")
                .arg(path("pem")),
        );
        self
    }
}

/// Runs openssl without the configuration of the system, which forbids old algorithms.
pub fn openssl(command: &mut Command) -> Vec<u8> {
    let ran = command.env("OPENSSL_CONF", "/dev/null").output().unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {errors}");
    ran.stdout
}

/// A server that is stopped when its test ends.
pub struct TlsServer {
    child: Child,
    pub port: u16,
}

impl TlsServer {
    /// `openssl s_server` with a certificate of [`Certificates::make`].
    pub fn openssl(certificates: &Certificates, name: &str, options: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command
            .env("OPENSSL_CONF", "/dev/null")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .arg("-cert")
            .arg(certificates.path(&format!("{name}.pem")))
            .arg("-key")
            .arg(certificates.path(&format!("{name}.key")))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // The line `ACCEPT 127.0.0.1:PORT`.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        let port = loop {
            let Some(Ok(line)) = lines.next() else {
                let _ = child.kill();
                panic!("{command:?} ended: {printed}");
            };
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.rsplit(':').next().unwrap().parse().unwrap();
            }
            writeln!(printed, "{line}").unwrap();
        };
        // It must be able to go on writing.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    /// Any server that listens on this free port once it has started.
    pub fn on_port(port: u16, command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let mut server = Self { child, port };
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?} ended");
            assert!(start.elapsed() < START, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Whether this program is installed.
pub fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|directory| directory.join(program).is_file())
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
