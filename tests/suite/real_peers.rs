//! Servers from Debian's packages, started on loopback: what they answer, and what their own log says of us.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::check;
use crate::support::skip;

/// A server that ends with the test.
struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
    _home: tempfile::TempDir,
}

impl Server {
    /// Starts a program in a directory of its own and waits until it accepts.
    fn start(program: &str, port: u16, home: tempfile::TempDir, words: &[&str]) -> Self {
        let log = home.path().join("log");
        let file = fs::File::create(&log).unwrap();
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let server = Self { child: command.spawn().unwrap(), port, log, _home: home };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "{program} does not start:\n{}", server.said());
            sleep(Duration::from_millis(20));
        }
        server
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its own end, so that it takes its children along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// OpenSSH with a key and a log of its own.
fn sshd() -> Option<Server> {
    if !Path::new("/usr/sbin/sshd").exists() {
        skip("no OpenSSH server (Debian: openssh-server)");
        return None;
    }
    if is_root() {
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key").display().to_string();
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status();
    assert!(made.unwrap().success());
    let (port, pid) = (free_port(), format!("PidFile={}", home.path().join("pid").display()));
    let number = port.to_string();
    let words = ["-D", "-e", "-f", "/dev/null", "-p", &number, "-h", &key, "-o", "ListenAddress=127.0.0.1"];
    let more = ["-o", &pid, "-o", "UsePAM=no", "-o", "LogLevel=DEBUG1", "-o", "MaxStartups=100"];
    Some(Server::start("/usr/sbin/sshd", port, home, &[&words[..], &more[..]].concat()))
}

#[test]
fn openssh_sees_no_reset() {
    let Some(server) = sshd() else { return };
    let port = server.port.to_string();
    for _ in 0..10 {
        check(&["127.0.0.1", &port]).prints("1", 0);
    }
    let document = check(&["127.0.0.1", &port, "--expect", "SSH-2.0-OpenSSH", "-o", "json"]).document();
    assert_eq!(document["up"], 1, "{document}");
    assert!(document["time"]["first_byte"].as_f64().unwrap() < 2.5);
    // The log is written by children that outlive the connection a little.
    sleep(Duration::from_millis(500));
    let said = server.said();
    assert!(said.contains("Connection closed by 127.0.0.1"), "{said}");
    assert!(!said.contains("reset by"), "{said}");
    check(&["127.0.0.1", &port, "--close", "rst"]).prints("1", 0);
}

#[test]
fn nginx_answers_a_request() {
    if !Path::new("/usr/sbin/nginx").exists() {
        return skip("no nginx (Debian: nginx-light)");
    }
    let home = tempfile::tempdir().unwrap();
    let (port, conf) = (free_port(), home.path().join("nginx.conf"));
    let at = |name: &str| home.path().join(name).display().to_string();
    let text = format!(
        "daemon off; master_process off; pid {pid}; error_log {log} info; events {{}} http {{ access_log off;
         client_body_temp_path {t}; proxy_temp_path {t}; fastcgi_temp_path {t}; uwsgi_temp_path {t}; scgi_temp_path {t};
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 'well\\n'; }} }} }}",
        pid = at("pid"),
        log = at("errors"),
        t = at("tmp"),
    );
    fs::write(&conf, text).unwrap();
    let errors = home.path().join("errors");
    let server = Server::start("/usr/sbin/nginx", port, home, &["-c", &conf.display().to_string()]);
    let port = server.port.to_string();
    check(&["127.0.0.1", &port]).prints("1", 0);
    let request = r"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let document =
        check(&["127.0.0.1", &port, "--send", request, "--expect", "200 OK", "--expect", r"well\n", "-o", "json"])
            .document();
    assert_eq!((document["up"].as_u64(), document["step"].as_u64()), (Some(1), Some(3)), "{document}");
    let wrong = check(&["127.0.0.1", &port, "--send", request, "--expect", "ill", "-o", "json"]).document();
    assert_eq!(wrong["status_name"], "mismatch", "{wrong}");
    let said = fs::read_to_string(errors).unwrap();
    assert!(!said.contains("reset by peer"), "{said}");
}
