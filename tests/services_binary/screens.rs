//! `TigerVNC`, x11vnc and xrdp.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use crate::probes::{MANY, all_up, no_complaint, probe, refused_when_stopped};
use crate::program::check;
use crate::server::{Home, Server, free_port, installed};
use crate::support::skip;

/// A screen without glass; its number comes from its port.
fn tigervnc(security: &str) -> Option<(Server, String)> {
    let program = "/usr/bin/Xtigervnc";
    if !installed(program, "tigervnc-standalone-server") {
        return None;
    }
    let (home, port) = (Home::of("root"), free_port());
    home.write("password", "\0\0\0\0\0\0\0\0");
    let (display, password) = (format!(":{}", 100 + port % 20000), home.at("password"));
    let words = format!(
        "{display} -rfbport {port} -localhost -SecurityTypes {security} -PasswordFile {password}"
    );
    let mut command = home.command(program);
    command
        .args(words.split(' '))
        .args(["-geometry", "320x200"]);
    let server = Server::start(home, port, &mut command);
    greets(port);
    Some((server, display))
}

/// It listens before it is ready: waits for its first byte.
fn greets(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(
        stream.read(&mut [0; 12]).unwrap(),
        12,
        "the version of a VNC server"
    );
}

#[test]
fn tigervnc_without_a_password_never_blocks_us() {
    let Some((server, _)) = tigervnc("None") else {
        return;
    };
    let said = server.says_of(|| {
        assert_eq!(
            all_up(&server, "vnc", &[])["captures"]["version"],
            "003.008"
        );
    });
    // The one that waited for its first byte may be among them.
    assert!(
        [MANY, MANY + 1].contains(&said.matches("Clean disconnection").count()),
        "{said}"
    );
    no_complaint(&said, &["blacklisted", "error", "reset"]);
    refused_when_stopped(server, "vnc");
}

/// The truth that the service's comment tells: whoever does not log in, this release blocks.
#[test]
fn tigervnc_with_a_password_stays_up_while_it_blocks_us() {
    let Some((server, _)) = tigervnc("VncAuth") else {
        return;
    };
    let said = server.says_of(|| {
        for _ in 0..8 {
            let document = probe(&server, "vnc", &[]);
            assert_eq!(document["up"], 1, "{document}");
        }
    });
    no_complaint(&said, &["authentication failed", "error", "reset"]);
}

#[test]
fn x11vnc_sees_a_client_come_and_go() {
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
    let server = Server::start(home, port, &mut command);
    let said = server.says_of(|| {
        assert_eq!(
            all_up(&server, "vnc", &[])["captures"]["version"],
            "003.008"
        );
    });
    assert_eq!(
        said.matches("Client 127.0.0.1 gone").count(),
        MANY,
        "{said}"
    );
    no_complaint(
        &said,
        &[
            "authentication failed",
            "reset by peer",
            "error",
            "not a valid",
        ],
    );
    refused_when_stopped(server, "vnc");
}

fn xrdp() -> Option<Server> {
    let program = "/usr/sbin/xrdp";
    if !installed(program, "xrdp") {
        return None;
    }
    if fs::read("/etc/xrdp/rsakeys.ini").is_err() {
        skip("xrdp's keys can be read by root only");
        return None;
    }
    fs::create_dir_all("/run/xrdp").unwrap();
    let (home, port) = (Home::of("root"), free_port());
    let (certificate, key) = (home.at("certificate"), home.at("key"));
    let words = format!(
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {key} -out {certificate}"
    );
    home.run("/usr/bin/openssl", &words);
    let globals = format!(
        "[Globals]\nini_version=1\nfork=true\nport=tcp://127.0.0.1:{port}\nsecurity_layer=negotiate\n"
    );
    let tls =
        format!("certificate={certificate}\nkey_file={key}\nssl_protocols=TLSv1.2, TLSv1.3\n");
    let logging = format!(
        "[Logging]\nLogFile={}\nLogLevel=INFO\nEnableSyslog=false\n",
        home.at("log")
    );
    let conf = home.write("ini", &format!("{globals}{tls}{logging}"));
    let mut command = home.command(program);
    command.args(["-n", "-c", &conf]);
    Some(Server::start(home, port, &mut command))
}

/// xrdp logs errors of whoever opens no session: we ask for no more than a bare connect does.
#[test]
fn xrdp_complains_no_more_than_of_a_bare_connect() {
    let Some(server) = xrdp() else { return };
    let errors = |work: &dyn Fn()| {
        let count = || {
            fs::read_to_string(server.home.at("log"))
                .unwrap()
                .matches("[ERROR]")
                .count()
        };
        let before = count();
        work();
        std::thread::sleep(Duration::from_secs(1));
        count() - before
    };
    let port = server.port.to_string();
    let bare = errors(&|| check(&["127.0.0.1", &port]).prints("1", 0));
    let probes =
        errors(&|| assert_eq!(all_up(&server, "rdp", &[])["captures"]["protocol"], r"\x01"));
    assert!(
        bare > 0 && probes <= bare * MANY,
        "{bare} for a bare connect, {probes} for {MANY} probes"
    );
    refused_when_stopped(server, "rdp");
}
