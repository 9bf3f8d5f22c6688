//! `TigerVNC`, x11vnc and xrdp.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use crate::certificates::Certificates;
use crate::program::check;
use crate::server::{Home, Server, free_port, installed};
use crate::support::skip;
use crate::trial::{PROBES, Trial, all_up, no_complaint, probe, refused_when_stopped};

/// A VNC server with a virtual display, whose number comes from its port; and that display.
fn tigervnc(security: &str) -> Option<(Server, String)> {
    let program = "/usr/bin/Xtigervnc";
    if !installed(program, "tigervnc-standalone-server") {
        return None;
    }
    let (home, port) = (Home::of("root"), free_port());
    home.write("password", "\0\0\0\0\0\0\0\0");
    let (display, password) = (format!(":{}", 100 + port % 20000), home.path("password"));
    let words = format!(
        "{display} -rfbport {port} -localhost -SecurityTypes {security} -PasswordFile {password}"
    );
    let mut command = home.command(program);
    command
        .args(words.split(' '))
        .args(["-geometry", "320x200"]);
    let server = Server::start(home, &[port], &mut command);
    wait_for_greeting(port);
    Some((server, display))
}

/// Waits for the version that the server sends first: it listens some seconds before it serves clients.
fn wait_for_greeting(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(180)))
        .unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
}

#[test]
fn tigervnc_without_a_password_does_not_block_us() {
    let Some((server, _)) = tigervnc("None") else {
        return;
    };
    let log = server.log_during(|| {
        assert_eq!(
            all_up(server.port(), "vnc", &[])["captures"]["version"],
            "003.008"
        );
    });
    // The connection that waited for the greeting may be among them.
    assert!(
        [PROBES, PROBES + 1].contains(&log.matches("Clean disconnection").count()),
        "{log}"
    );
    no_complaint(&log, &["blacklisted", "error", "reset"]);
    refused_when_stopped(server, "vnc");
}

/// This release blocks clients that do not log in, as the description of the service says.
#[test]
fn tigervnc_with_a_password_stays_up_while_it_blocks_us() {
    let Some((server, _)) = tigervnc("VncAuth") else {
        return;
    };
    let log = server.log_during(|| {
        for _ in 0..8 {
            let document = probe(server.port(), "vnc", &[]);
            assert_eq!(document["up"], 1, "{document}");
        }
    });
    no_complaint(&log, &["authentication failed", "error", "reset"]);
}

#[test]
fn x11vnc_logs_a_normal_disconnect() {
    let program = "/usr/bin/x11vnc";
    if !installed(program, "x11vnc") {
        return;
    }
    let Some((_screen, display)) = tigervnc("None") else {
        return;
    };
    let (home, port) = (Home::of("root"), free_port());
    let words = format!(
        "-display {display} -rfbport {port} -localhost -no6 -forever -shared -noxdamage -nopw"
    );
    let mut command = home.command(program);
    command.args(words.split(' '));
    let server = Server::start(home, &[port], &mut command);
    let log = server.log_during(|| {
        assert_eq!(
            all_up(server.port(), "vnc", &[])["captures"]["version"],
            "003.008"
        );
    });
    assert_eq!(
        log.matches("Client 127.0.0.1 gone").count(),
        PROBES,
        "{log}"
    );
    no_complaint(
        &log,
        &[
            "authentication failed",
            "reset by peer",
            "error",
            "not a valid",
        ],
    );
    refused_when_stopped(server, "vnc");
}

fn xrdp() -> Option<(Server, Certificates)> {
    let program = "/usr/sbin/xrdp";
    if !installed(program, "xrdp") {
        return None;
    }
    if fs::read("/etc/xrdp/rsakeys.ini").is_err() {
        skip("xrdp's keys are readable by root only");
        return None;
    }
    fs::create_dir_all("/run/xrdp").unwrap();
    let (home, port) = (Home::of("root"), free_port());
    let certificates = Certificates::new()?;
    let (certificate, key) = certificates.install(&home);
    let globals = format!(
        "[Globals]\nini_version=1\nfork=true\nport=tcp://127.0.0.1:{port}\nsecurity_layer=negotiate\n"
    );
    let tls =
        format!("certificate={certificate}\nkey_file={key}\nssl_protocols=TLSv1.2, TLSv1.3\n");
    let logging = format!(
        "[Logging]\nLogFile={}\nLogLevel=INFO\nEnableSyslog=false\n",
        home.path("log")
    );
    let conf = home.write("ini", &format!("{globals}{tls}{logging}"));
    let mut command = home.command(program);
    command.args(["-n", "-c", &conf]);
    Some((Server::start(home, &[port], &mut command), certificates))
}

#[test]
fn xrdp_completes_a_handshake() {
    let Some((mut server, certificates)) = xrdp() else {
        return;
    };
    let mut trials = Vec::new();
    for service in ["rdp_starttls", "rdp_tls"] {
        let trial = Trial::with(service, "xrdp", server.port(), &certificates.trusted());
        trial.verified();
        assert_eq!(trial.captured("protocol"), "1");
        trials.push(trial);
    }
    server.stop();
    for trial in trials {
        trial.stopped("errors, as for a plain connect");
    }
}

/// xrdp logs an error for each client that opens no session: a probe must not cause more of them than a
/// plain connect.
#[test]
fn xrdp_logs_no_more_errors_than_for_a_plain_connect() {
    let Some((server, _)) = xrdp() else { return };
    let errors = |work: &dyn Fn()| server.log_during(work).matches("[ERROR]").count();
    let port = server.port().to_string();
    let plain = errors(&|| check(&["127.0.0.1", &port]).prints("1", 0));
    let probes = errors(&|| {
        assert_eq!(
            all_up(server.port(), "rdp", &[])["captures"]["protocol"],
            r"\x01"
        );
    });
    assert!(
        plain > 0 && probes <= plain * PROBES,
        "{plain} for a plain connect, {probes} for {PROBES} probes"
    );
    refused_when_stopped(server, "rdp");
}
