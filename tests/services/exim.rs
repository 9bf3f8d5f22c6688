//! Exim, unpacked: it conflicts with Postfix.

use std::fs;
use std::process::Command;

use crate::certificates::Certificates;
use crate::server::{Home, Server, free_port, is_root};
use crate::trial::{PROBES, Trial, no_complaint, probe};
use crate::unpacked::unpacked;

/// Exim on the first port and with TLS from the start on the second one.
fn exim(certificates: &Certificates, ports: [u16; 2], more: &str) -> Option<Server> {
    if !is_root("Exim") {
        return None;
    }
    let tree = unpacked(&["exim4-daemon-light", "exim4-base"])?;
    let home = Home::of("nobody");
    let (certificate, key) = certificates.install(&home);
    let spool = home.directory("spool");
    let [smtp, smtps] = ports;
    let conf = home.write(
        "conf",
        &format!(
            "exim_user = nobody\nexim_group = nogroup\nspool_directory = {spool}\nlog_file_path = {log}-%s\n\
             keep_environment =\nprimary_hostname = mail.example.org\ntls_on_connect_ports = {smtps}\n\
             tls_certificate = {certificate}\ntls_privatekey = {key}\nhost_lookup =\nrfc1413_query_timeout = 0s\n\
             log_selector = +all\nsmtp_accept_max = 100\n{more}\nbegin acl\nbegin routers\nbegin transports\n",
            log = home.path("exim"),
        ),
    );
    // It refuses a configuration that somebody else can change.
    std::os::unix::fs::chown(&conf, Some(0), Some(0)).unwrap();
    // It looks for a user that its package would have created.
    for (file, line) in [
        ("passwd", "Debian-exim:x:65534:65534::/:/usr/sbin/nologin\n"),
        ("group", "Debian-exim:x:65534:\n"),
    ] {
        let text = fs::read_to_string(format!("/etc/{file}")).unwrap() + line;
        fs::write(home.path(file), text).unwrap();
    }
    let script = "mount --bind passwd /etc/passwd; mount --bind group /etc/group; exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .current_dir(home.path(""))
        .args(["-m", "sh", "-ec", script, "sh"])
        .arg(tree.join("usr/sbin/exim4"))
        .args(["-C", &conf, "-bdf", "-oX"])
        .arg(format!("127.0.0.1.{smtp}:127.0.0.1.{smtps}"));
    Some(Server::start(home, &ports, &mut command))
}

fn main_log(server: &Server) -> String {
    fs::read_to_string(server.home.path("exim-main")).unwrap_or_default()
}

/// The main log once it contains `phrase` this often.
fn log_with(server: &Server, phrase: &str, times: usize) -> String {
    server.wait_until(phrase, || main_log(server).matches(phrase).count() >= times);
    main_log(server)
}

#[test]
fn exim_speaks_tls_and_logs_no_lost_connection() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let ports = [free_port(), free_port()];
    let [smtp, smtps] = ports;
    let Some(mut server) = exim(&certificates, ports, "tls_advertise_hosts = *") else {
        return;
    };
    let complaints = [
        "lost",
        "unexpected",
        "error",
        "panic",
        "reject",
        "warning",
        "timeout",
        "protocol",
        "abandoned",
    ];
    let kinds = [
        ("smtp", smtp, " C=QUIT", false),
        ("smtp_starttls", smtp, "C=EHLO,STARTTLS,EHLO,QUIT", true),
        (
            "submission_starttls",
            smtp,
            "C=EHLO,STARTTLS,EHLO,QUIT",
            true,
        ),
        ("smtps", smtps, " C=QUIT", true),
        ("submissions", smtps, " C=QUIT", true),
    ];
    let trials = kinds.map(|(service, port, good, is_secured)| {
        let before = main_log(&server).len();
        let package = "exim4-daemon-light";
        let trial = if is_secured {
            let trial = Trial::with(service, package, port, &certificates.trusted());
            trial.verified();
            trial
        } else {
            Trial::run(service, package, port)
        };
        assert_eq!(trial.captured("host"), "mail.example.org");
        server.wait_until(good, || {
            main_log(&server)[before..].matches(good).count() >= PROBES
        });
        trial.log(&main_log(&server)[before..], good, &complaints);
        trial
    });
    // This proves that the server logs connections that end otherwise.
    abrupt_close_is_logged_by(&server, smtp);
    server.stop();
    for (trial, (_, _, good, _)) in trials.into_iter().zip(kinds) {
        trial.stopped(good);
    }
}

fn abrupt_close_is_logged_by(server: &Server, port: u16) {
    let port = port.to_string();
    crate::program::check(&["127.0.0.1", &port, "--expect", "220 "]).prints("1", 0);
    let log = log_with(server, "lost", 1);
    assert!(
        log.contains("closed by EOF") || log.contains("lost"),
        "{log}"
    );
}

#[test]
fn exim_without_tls_refuses_it() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let ports = [free_port(), free_port()];
    let Some(server) = exim(&certificates, ports, "tls_advertise_hosts =") else {
        return;
    };
    let document = probe(ports[0], "smtp_starttls", &[]);
    assert_eq!(document["status_name"], "tls_refused", "{document}");
    let error = document["error"].as_str().unwrap();
    assert!(error.contains("does not offer STARTTLS"), "{error}");
    let log = log_with(&server, "C=EHLO,QUIT", 1);
    no_complaint(&log, &["lost", "error", "unexpected"]);
}
