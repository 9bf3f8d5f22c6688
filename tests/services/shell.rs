//! OpenSSH, and a telnet and a finger server behind an inetd.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;

use crate::inetd::Inetd;
use crate::program::check;
use crate::server::{Home, Server, free_port, installed, is_root};
use crate::trial::{
    PROBES, Trial, abrupt_close_is_logged, no_complaint, probe, refused_when_stopped, rejected_with,
};

/// OpenSSH with a key and a log of its own; `startups` limits the clients that have not logged in.
fn sshd(startups: usize) -> Option<(Server, u16)> {
    if !installed("/usr/sbin/sshd", "openssh-server") || !is_root("sshd") {
        return None;
    }
    fs::create_dir_all("/run/sshd").unwrap();
    let (home, port) = (Home::new(), free_port());
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", &home.path("key")])
        .status();
    assert!(made.unwrap().success());
    let conf = home.write(
        "conf",
        &format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nPidFile {}\nUsePAM no\nLogLevel VERBOSE\nMaxStartups {startups}:100:{startups}\n",
            home.path("key"),
            home.path("pid")
        ),
    );
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f", &conf]);
    Some((Server::start(home, &[port], &mut command), port))
}

#[test]
fn openssh_receives_our_identification() {
    let Some((mut server, port)) = sshd(100) else {
        return;
    };
    let trial = Trial::run("ssh", "openssh-server", port);
    assert_eq!(trial.captured("protocol"), "2.0");
    assert!(trial.captured("version").starts_with("OpenSSH_"));
    let complaints = [
        "did not receive identification",
        "kex_exchange_identification",
        "banner exchange",
        "reset",
        "error",
        "timeout",
    ];
    trial.log(
        &server.log_with("Connection closed by 127.0.0.1", PROBES),
        "[preauth]",
        &complaints,
    );
    abrupt_close_is_logged(&server, port, "SSH-2.0", "kex_exchange_identification");
    server.stop();
    trial.stopped("Connection closed by ... [preauth]");
}

#[test]
fn dropbear_receives_our_identification() {
    if !installed("/usr/sbin/dropbear", "dropbear-bin") {
        return;
    }
    let (home, port) = (Home::new(), free_port());
    let key = home.path("key");
    home.run("/usr/bin/dropbearkey", &format!("-t ed25519 -f {key}"));
    let mut command = home.command("/usr/sbin/dropbear");
    let words = format!("-F -E -r {key} -p 127.0.0.1:{port}");
    command.args(words.split(' '));
    let server = Server::start(home, &[port], &mut command);
    let log = server.log_during(|| {
        // One after another: it refuses a sixth connection of an address that has not logged in, and
        // counts a connection until it has noticed its end.
        for _ in 0..PROBES {
            let document = probe(port, "ssh", &[]);
            let version = document["captures"]["version"].as_str();
            assert!(
                version.is_some_and(|text| text.starts_with("dropbear_")),
                "{document}"
            );
        }
    });
    no_complaint(&log, &["premature kexdh", "error", "bad", "timeout"]);
    refused_when_stopped(server, "ssh");
}

#[test]
fn openssh_sees_no_reset_after_a_plain_connect() {
    let Some((server, port)) = sshd(100) else {
        return;
    };
    let number = port.to_string();
    for _ in 0..10 {
        check(&["127.0.0.1", &number]).prints("1", 0);
    }
    let log = server.log_with("Connection closed by 127.0.0.1", 10);
    assert_eq!(
        log.matches("Connection closed by 127.0.0.1").count(),
        10,
        "{log}"
    );
    assert!(!log.contains("reset by"), "{log}");
    check(&["127.0.0.1", &number, "--close", "rst"]).prints("1", 0);
}

#[test]
fn openssh_at_max_startups_is_rejected() {
    let Some((server, port)) = sshd(1) else {
        return;
    };
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(first.read(&mut [0; 64]).unwrap() > 0, "{}", server.log());
    rejected_with("ssh", port, "Exceeded MaxStartups");
}

#[test]
fn telnetd_negotiates_until_its_prompt() {
    if !installed("/usr/sbin/telnetd", "inetutils-telnetd") || !is_root("telnetd") {
        return;
    }
    let mut inetd = Inetd::start(None, || {
        let mut command = Command::new("/usr/sbin/telnetd");
        command.arg("-h");
        command
    });
    let trial = Trial::run("telnet", "inetutils-telnetd", inetd.port);
    let refused = probe(inetd.port, "telnet_starttls", &[]);
    assert_eq!(refused["status_name"], "tls_refused", "{refused}");
    assert_eq!(inetd.stop(), 0, "a telnetd still ran");
    trial.stopped("(to syslog only); every process ended");
}

#[test]
fn fingerd_answers_the_empty_query() {
    if !installed("/usr/sbin/in.fingerd", "fingerd") || !installed("/usr/bin/finger", "finger") {
        return;
    }
    let mut inetd = Inetd::start(None, || Command::new("/usr/sbin/in.fingerd"));
    let trial = Trial::run("finger", "fingerd", inetd.port);
    assert_eq!(inetd.stop(), 0, "a fingerd still ran");
    trial.stopped("(to syslog only); every process ended");
}
