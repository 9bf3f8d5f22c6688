//! Postfix and Dovecot.

use std::fs;
use std::process::Command;

use crate::certificates::Certificates;
use crate::server::{Home, Server, free_port, installed, is_root};
use crate::trial::{PROBES, Trial, abrupt_close_is_logged, no_complaint, probe};

/// Postfix with these services and settings besides its own.
fn postfix(services: &str, settings: &str, ports: &[u16]) -> Option<Server> {
    if !installed("/usr/sbin/postfix", "postfix") || !is_root("Postfix") {
        return None;
    }
    let home = Home::new();
    let (queue, data) = (home.path("queue"), home.path("data"));
    fs::create_dir(&queue).unwrap();
    fs::create_dir(&data).unwrap();
    assert!(
        Command::new("chown")
            .args(["postfix", &data])
            .status()
            .unwrap()
            .success()
    );
    home.write(
        "main.cf",
        &format!(
            "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {data}\nmaillog_file = {log}\n\
             maillog_file_prefixes = {prefix}\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             myhostname = mail.example.org\nmynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\n{settings}",
            log = home.path("log"),
            prefix = home.path(""),
        ),
    );
    home.write(
        "master.cf",
        &format!(
            "{services}\
             postlog unix-dgram n - n - 1 postlogd\nanvil unix - - n - 1 anvil\nproxymap unix - - n - - proxymap\nrewrite unix - - n - - trivial-rewrite\n\
             cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\npickup unix n - n 60 1 pickup\n"
        ),
    );
    let mut command = Command::new("/usr/sbin/postfix");
    command.args(["-c", &home.path(""), "start-fg"]);
    // Its master process leaves the process group.
    let mut abort = Command::new("/usr/sbin/postfix");
    abort.args(["-c", &home.path(""), "abort"]);
    Some(Server::start(home, ports, &mut command).stopped_with(abort))
}

/// postscreen, to which 127.0.0.1 is an unknown client that must wait.
fn postscreen(port: u16) -> Option<Server> {
    postfix(
        &format!(
            "127.0.0.1:{port} inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n\
             dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n"
        ),
        "postscreen_access_list =\npostscreen_greet_wait = 3s\npostscreen_greet_action = enforce\n",
        &[port],
    )
}

/// A check that does not wait for the rest of the greeting is up, and sends nothing before it.
#[test]
fn postscreen_sees_no_client_that_talks_first() {
    let port = free_port();
    let Some(server) = postscreen(port) else {
        return;
    };
    for _ in 0..5 {
        let document = probe(port, "smtp", &["-t", "0.7"]);
        assert_eq!(document["status_name"], "ok", "{document}");
        assert_eq!(document["captures"]["host"], "mail.example.org");
    }
    let log = server.log_with("HANGUP", 5);
    assert_eq!(log.matches("HANGUP").count(), 5, "{log}");
    no_complaint(&log, &["PREGREET", "COMMAND", "fatal", "error"]);
    // One that waits is passed on, and its QUIT is understood; after that it need not wait.
    for service in ["smtp", "submission"] {
        let document = probe(port, service, &["-t", "8"]);
        assert_eq!(document["status_name"], "ok", "{document}");
    }
    let log = server.log_with("quit=1 commands=1", 2);
    assert_eq!(log.matches("quit=1 commands=1").count(), 2, "{log}");
    assert!(
        log.contains("PASS NEW") && log.contains("PASS OLD"),
        "{log}"
    );
    no_complaint(&log, &["PREGREET", "lost connection", "improper"]);
}

#[test]
fn postfix_logs_no_lost_connection() {
    let (smtp, submission) = (free_port(), free_port());
    let services = format!(
        "127.0.0.1:{smtp} inet n - n - - smtpd\n127.0.0.1:{submission} inet n - n - - smtpd\n"
    );
    let Some(mut server) = postfix(&services, "", &[smtp, submission]) else {
        return;
    };
    let complaints = [
        "lost connection",
        "improper",
        "timeout",
        "warning",
        "error",
        "fatal",
        "too many",
    ];
    let good = "quit=1 commands=1";
    let first = Trial::run("smtp", "postfix", smtp);
    first.log(&smtpd(&server.log_with(good, PROBES)), good, &complaints);
    let second = Trial::run("submission", "postfix", submission);
    second.log(
        &smtpd(&server.log_with(good, 2 * PROBES)),
        good,
        &complaints,
    );
    for trial in [&first, &second] {
        assert_eq!(trial.captured("host"), "mail.example.org");
        assert!(trial.captured("greeting").starts_with("ESMTP Postfix"));
    }
    abrupt_close_is_logged(&server, smtp, "220 ", "lost connection after CONNECT");
    server.stop();
    first.stopped("disconnect from localhost quit=1 commands=1");
    second.stopped("disconnect from localhost quit=1 commands=1");
}

#[test]
fn postfix_speaks_tls_and_logs_no_lost_connection() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let files = Home::new();
    let (certificate, key) = certificates.install(&files);
    let [smtp, submission, smtps] = [free_port(), free_port(), free_port()];
    let services = format!(
        "127.0.0.1:{smtp} inet n - n - - smtpd\n127.0.0.1:{submission} inet n - n - - smtpd\n\
         127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\n"
    );
    let settings = format!(
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n\
         smtpd_tls_loglevel = 1\n"
    );
    let Some(mut server) = postfix(&services, &settings, &[smtp, submission, smtps]) else {
        return;
    };
    let complaints = [
        "lost connection",
        "improper",
        "timeout",
        "warning",
        "error",
        "fatal",
    ];
    let within = "ehlo=2 starttls=1 quit=1 commands=4";
    let kinds = [
        ("smtp_starttls", smtp, within),
        ("submission_starttls", submission, within),
        (
            "smtps",
            smtps,
            "from localhost[127.0.0.1] quit=1 commands=1",
        ),
        (
            "submissions",
            smtps,
            "from localhost[127.0.0.1] quit=1 commands=1",
        ),
    ];
    let trials = kinds.map(|(service, port, good)| {
        let before = server.log().matches(good).count();
        let trial = Trial::with(service, "postfix", port, &certificates.trusted());
        trial.verified();
        assert_eq!(trial.captured("host"), "mail.example.org");
        let log = server.log_with(good, before + PROBES);
        trial.log(&smtpd(&log), good, &complaints);
        trial
    });
    // Without an offer, and with one that a plain probe of the same port does not need.
    let untrusted = probe(smtp, "smtp_starttls", &[]);
    assert_eq!(untrusted["status_name"], "tls_untrusted", "{untrusted}");
    server.stop();
    for (trial, (_, _, good)) in trials.into_iter().zip(kinds) {
        trial.stopped(good);
    }
}

#[test]
fn postfix_without_tls_refuses_it() {
    let port = free_port();
    let services = format!("127.0.0.1:{port} inet n - n - - smtpd\n");
    let Some(server) = postfix(&services, "", &[port]) else {
        return;
    };
    let document = probe(port, "smtp_starttls", &[]);
    assert_eq!(document["status_name"], "tls_refused", "{document}");
    let error = document["error"].as_str().unwrap();
    assert!(error.contains("does not offer STARTTLS"), "{error}");
    let log = server.log_with("ehlo=1 quit=1 commands=2", 1);
    no_complaint(&smtpd(&log), &["lost connection", "improper", "warning"]);
}

/// The lines of Postfix's SMTP server; its start script warns of file owners in the new queue.
fn smtpd(log: &str) -> String {
    log.lines()
        .filter(|line| line.contains("/smtpd["))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn dovecot_speaks_tls_and_receives_logout() {
    let parts = [
        ("imap-login", "dovecot-imapd"),
        ("pop3-login", "dovecot-pop3d"),
        ("lmtp", "dovecot-lmtpd"),
    ];
    if !parts
        .iter()
        .all(|(part, package)| installed(&format!("/usr/lib/dovecot/{part}"), package))
        || !is_root("Dovecot")
    {
        return;
    }
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let home = Home::new();
    let (certificate, key) = certificates.install(&home);
    let [imap, imaps, pop3, pop3s, lmtp] = std::array::from_fn(|_| free_port());
    let conf = home.write(
        "conf",
        &format!(
            "base_dir = {run}\nstate_dir = {state}\nlog_path = {log}\nprotocols = imap pop3 lmtp\nlisten = 127.0.0.1\n\
             ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\ndisable_plaintext_auth = no\nmail_location = maildir:{mail}\ndefault_client_limit = 1000\n\
             passdb {{\n driver = static\n args = password=never\n}}\nuserdb {{\n driver = static\n args = uid=65534 gid=65534 home={mail}\n}}\n\
             service imap-login {{\n inet_listener imap {{\n port = {imap}\n }}\n inet_listener imaps {{\n port = {imaps}\n ssl = yes\n }}\n}}\n\
             service pop3-login {{\n inet_listener pop3 {{\n port = {pop3}\n }}\n inet_listener pop3s {{\n port = {pop3s}\n ssl = yes\n }}\n}}\n\
             service lmtp {{\n inet_listener lmtp {{\n port = {lmtp}\n }}\n}}\n",
            run = home.path("run"),
            state = home.directory("state"),
            mail = home.directory("mail"),
            log = home.path("log"),
        ),
    );
    let mut command = Command::new("/usr/sbin/dovecot");
    command.args(["-F", "-c", &conf]);
    let ports = [imap, imaps, pop3, pop3s, lmtp];
    let mut server = Server::start(home, &ports, &mut command);
    let complaints = [
        "error",
        "warning",
        "fatal",
        "panic",
        "no reason",
        "connection closed",
    ];
    let (by_imap, by_pop3) = (
        "imap-login: Info: Disconnected: Aborted login by logging out",
        "pop3-login: Info: Disconnected: Aborted login by logging out",
    );
    let kinds = [
        ("imap_starttls", "dovecot-imapd", imap, by_imap),
        ("imaps", "dovecot-imapd", imaps, by_imap),
        ("pop3_starttls", "dovecot-pop3d", pop3, by_pop3),
        ("pop_starttls", "dovecot-pop3d", pop3, by_pop3),
        ("pop3s", "dovecot-pop3d", pop3s, by_pop3),
        (
            "lmtp_starttls",
            "dovecot-lmtpd",
            lmtp,
            "Logged out (state=READY)",
        ),
    ];
    let trials = kinds.map(|(service, package, port, good)| {
        let before = server.log().matches(good).count();
        let trial = Trial::with(service, package, port, &certificates.trusted());
        trial.verified();
        trial.log(&server.log_with(good, before + PROBES), good, &complaints);
        trial
    });
    server.stop();
    for (trial, (_, _, _, good)) in trials.into_iter().zip(kinds) {
        trial.stopped(good);
    }
}

#[test]
fn dovecot_receives_logout() {
    let parts = [
        ("imap-login", "dovecot-imapd"),
        ("pop3-login", "dovecot-pop3d"),
        ("lmtp", "dovecot-lmtpd"),
    ];
    if !parts
        .iter()
        .all(|(part, package)| installed(&format!("/usr/lib/dovecot/{part}"), package))
        || !is_root("Dovecot")
    {
        return;
    }
    let (home, [imap, pop3, lmtp]) = (Home::new(), [free_port(), free_port(), free_port()]);
    let conf = home.write(
        "conf",
        &format!(
            "base_dir = {run}\nstate_dir = {state}\nlog_path = {log}\nprotocols = imap pop3 lmtp\nlisten = 127.0.0.1\n\
             ssl = no\ndisable_plaintext_auth = no\nmail_location = maildir:{mail}\ndefault_client_limit = 1000\n\
             passdb {{\n driver = static\n args = password=never\n}}\nuserdb {{\n driver = static\n args = uid=65534 gid=65534 home={mail}\n}}\n\
             service imap-login {{\n inet_listener imap {{\n port = {imap}\n }}\n inet_listener imaps {{\n port = 0\n }}\n}}\n\
             service pop3-login {{\n inet_listener pop3 {{\n port = {pop3}\n }}\n inet_listener pop3s {{\n port = 0\n }}\n}}\n\
             service lmtp {{\n inet_listener lmtp {{\n port = {lmtp}\n }}\n}}\n",
            run = home.path("run"),
            state = home.directory("state"),
            mail = home.directory("mail"),
            log = home.path("log"),
        ),
    );
    let mut command = Command::new("/usr/sbin/dovecot");
    command.args(["-F", "-c", &conf]);
    let mut server = Server::start(home, &[imap, pop3, lmtp], &mut command);
    let complaints = [
        "error",
        "warning",
        "fatal",
        "panic",
        "no reason",
        "connection closed",
    ];
    let kinds = [
        (
            "imap",
            "dovecot-imapd",
            imap,
            "imap-login: Info: Disconnected: Aborted login by logging out",
        ),
        (
            "pop3",
            "dovecot-pop3d",
            pop3,
            "pop3-login: Info: Disconnected: Aborted login by logging out",
        ),
        (
            "pop",
            "dovecot-pop3d",
            pop3,
            "pop3-login: Info: Disconnected: Aborted login by logging out",
        ),
        ("lmtp", "dovecot-lmtpd", lmtp, "Logged out (state=GREETING)"),
    ];
    let trials = kinds.map(|(service, package, port, good)| {
        let before = server.log().matches(good).count();
        let trial = Trial::run(service, package, port);
        assert!(
            trial.captured("greeting").contains("ready"),
            "{}",
            trial.captured("greeting")
        );
        trial.log(&server.log_with(good, before + PROBES), good, &complaints);
        trial
    });
    assert!(trials[0].captured("capabilities").contains("IMAP4rev1"));
    abrupt_close_is_logged(
        &server,
        imap,
        "* OK",
        "imap-login: Info: Disconnected: Connection closed",
    );
    abrupt_close_is_logged(
        &server,
        pop3,
        "+OK",
        "pop3-login: Info: Disconnected: Connection closed",
    );
    abrupt_close_is_logged(
        &server,
        lmtp,
        "220 ",
        "Disconnect from 127.0.0.1: Connection closed",
    );
    server.stop();
    for (trial, (_, _, _, good)) in trials.into_iter().zip(kinds) {
        trial.stopped(good);
    }
}

#[test]
fn dovecot_sieve_starts_tls_and_receives_logout() {
    if !installed("/usr/lib/dovecot/managesieve-login", "dovecot-managesieved")
        || !is_root("Dovecot")
    {
        return;
    }
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let (home, port) = (Home::new(), free_port());
    let (certificate, key) = certificates.install(&home);
    let conf = home.write(
        "conf",
        &format!(
            "base_dir = {run}\nstate_dir = {state}\nlog_path = {log}\nprotocols = sieve\nlisten = 127.0.0.1\n\
             ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\nmail_location = maildir:{mail}\ndefault_client_limit = 1000\n\
             passdb {{\n driver = static\n args = password=never\n}}\nuserdb {{\n driver = static\n args = uid=65534 gid=65534 home={mail}\n}}\n\
             service managesieve-login {{\n inet_listener sieve {{\n port = {port}\n }}\n}}\n",
            run = home.path("run"),
            state = home.directory("state"),
            mail = home.directory("mail"),
            log = home.path("log"),
        ),
    );
    let mut command = Command::new("/usr/sbin/dovecot");
    command.args(["-F", "-c", &conf]);
    let mut server = Server::start(home, &[port], &mut command);
    let good = "managesieve-login: Info: Disconnected: Aborted login by logging out";
    let complaints = [
        "error",
        "warning",
        "fatal",
        "panic",
        "no reason",
        "connection closed",
    ];
    let trials = ["sieve", "sieve_starttls"].map(|service| {
        let before = server.log().matches(good).count();
        let package = "dovecot-managesieved";
        let trial = if service == "sieve" {
            Trial::run(service, package, port)
        } else {
            let trial = Trial::with(service, package, port, &certificates.trusted());
            trial.verified();
            trial
        };
        assert!(trial.captured("server").contains("Dovecot"));
        trial.log(&server.log_with(good, before + PROBES), good, &complaints);
        trial
    });
    abrupt_close_is_logged(
        &server,
        port,
        "\"IMPLEMENTATION\"",
        "managesieve-login: Info: Disconnected: Connection closed",
    );
    server.stop();
    for trial in trials {
        trial.stopped(good);
    }
}
