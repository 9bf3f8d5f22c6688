//! `ngIRCd`, `InspIRCd` and Prosody.

use std::process::Command;

use crate::certificates::Certificates;
use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, Trial, no_complaint, probe};

#[test]
fn ngircd_capabilities_are_requested_and_quit_is_sent() {
    if !installed("/usr/sbin/ngircd", "ngircd") {
        return;
    }
    let (home, port) = (Home::new(), free_port());
    let conf = home.write(
        "conf",
        &format!(
            "[Global]\nName = irc.example.org\nInfo = a server under test\nListen = 127.0.0.1\nPorts = {port}\n\
             ServerUID = 65534\nServerGID = 65534\n[Limits]\nMaxConnectionsIP = 0\nMaxConnections = 0\n\
             [Options]\nIdent = no\nDNS = no\nPAM = no\n"
        ),
    );
    let mut command = Command::new("/usr/sbin/ngircd");
    command.args(["-n", "-f", &conf]);
    let mut server = Server::start(home, &[port], &mut command);
    let trial = Trial::run("irc", "ngircd", port);
    assert_eq!(trial.captured("host"), "irc.example.org");
    let good = "Client unregistered";
    let log = server.log_with(good, PROBES);
    trial.log(
        &log,
        "Got QUIT command.\n",
        &[
            "error",
            "warning",
            "reset",
            "timeout",
            "client closed",
            "unknown command",
        ],
    );
    server.stop();
    trial.stopped("Client unregistered: Got QUIT command.");
}

#[test]
fn prosody_stream_is_closed_without_an_error() {
    if !installed("/usr/bin/prosody", "prosody") {
        return;
    }
    let (home, port) = (Home::new(), free_port());
    let conf = home.write(
        "conf.cfg.lua",
        &format!(
            "run_as_root = true\ndaemonize = false\npidfile = '{pid}'\ndata_path = '{data}'\n\
             interfaces = {{ '127.0.0.1' }}\nc2s_ports = {{ {port} }}\ns2s_ports = {{}}\nhttp_ports = {{}}\nhttps_ports = {{}}\n\
             modules_enabled = {{ 'saslauth', 'tls' }}\nmodules_disabled = {{ 's2s' }}\ncertificates = '{certs}'\nlog = {{ info = '{log}' }}\n\
             c2s_require_encryption = false\nallow_unencrypted_plain_auth = true\nVirtualHost 'example.org'\n",
            pid = home.path("pid"),
            data = home.directory("data"),
            certs = home.directory("certs"),
            log = home.path("log"),
        ),
    );
    let mut command = Command::new("/usr/bin/prosody");
    command.args(["-F", "--config", &conf]);
    let mut server = Server::start(home, &[port], &mut command);
    let trial = Trial::run("xmpp", "prosody", port);
    let good = "Client disconnected: connection closed";
    trial.log(
        &server.log_with(good, PROBES),
        good,
        &["\terror\t", "\twarn\t", "reset"],
    );
    server.stop();
    trial.stopped(good);
}

#[test]
fn ngircd_receives_quit_over_tls() {
    if !installed("/usr/sbin/ngircd", "ngircd") {
        return;
    }
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let (home, plain, port) = (Home::of("nobody"), free_port(), free_port());
    let (certificate, key) = certificates.install(&home);
    let conf = home.write(
        "conf",
        &format!(
            "[Global]\nName = irc.example.org\nInfo = a server under test\nListen = 127.0.0.1\nPorts = {plain}\n\
             ServerUID = 65534\nServerGID = 65534\n[Limits]\nMaxConnectionsIP = 0\nMaxConnections = 0\n\
             [Options]\nIdent = no\nDNS = no\nPAM = no\n[SSL]\nCertFile = {certificate}\nKeyFile = {key}\nPorts = {port}\n"
        ),
    );
    let mut command = Command::new("/usr/sbin/ngircd");
    command.args(["-n", "-f", &conf]);
    let mut server = Server::start(home, &[plain, port], &mut command);
    let trial = Trial::with("ircs", "ngircd", port, &certificates.trusted());
    trial.verified();
    assert_eq!(trial.captured("host"), "irc.example.org");
    let good = "Got QUIT command.\n";
    let log = server.log_with("Client unregistered", PROBES);
    let complaints = [
        "error",
        "warning",
        "reset",
        "timeout",
        "client closed",
        "unknown command",
    ];
    trial.log(&log, good, &complaints);
    let refused = probe(plain, "irc_starttls", &[]);
    assert_eq!(refused["status_name"], "tls_refused", "{refused}");
    server.stop();
    trial.stopped("Client unregistered: Got QUIT command.");
}

#[test]
fn prosody_streams_are_closed_over_tls() {
    if !installed("/usr/bin/prosody", "prosody") {
        return;
    }
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let [client, direct, server_port] = std::array::from_fn(|_| free_port());
    let home = Home::new();
    let (certificate, key) = certificates.install(&home);
    let conf = home.write(
        "conf.cfg.lua",
        &format!(
            "run_as_root = true\ndaemonize = false\npidfile = '{pid}'\ndata_path = '{data}'\n\
             interfaces = {{ '127.0.0.1' }}\nc2s_ports = {{ {client} }}\nc2s_direct_tls_ports = {{ {direct} }}\n\
             s2s_ports = {{ {server_port} }}\nhttp_ports = {{}}\nhttps_ports = {{}}\n\
             modules_enabled = {{ 'saslauth', 'tls', 'dialback' }}\nlog = {{ info = '{log}' }}\n\
             certificates = '{certs}'\nssl = {{ certificate = '{certificate}', key = '{key}' }}\nc2s_require_encryption = true\n\
             c2s_direct_tls_ssl = {{ certificate = '{certificate}', key = '{key}' }}\nVirtualHost 'example.org'\n",
            pid = home.path("pid"),
            data = home.directory("data"),
            certs = home.directory("certs"),
            log = home.path("log"),
        ),
    );
    let mut command = Command::new("/usr/bin/prosody");
    command.args(["-F", "--config", &conf]);
    let mut server = Server::start(home, &[client, direct, server_port], &mut command);
    let more = [
        &certificates.trusted()[..],
        &["--sni".to_owned(), "example.org".to_owned()],
    ]
    .concat();
    let warning = "\twarn\tNo certificate provided";
    let kinds = [
        ("xmpp_starttls", client, "Client disconnected: "),
        ("xmpps", direct, "Client disconnected: "),
        // Another server would have a certificate; the server logs one line that we have none.
        ("xmpp-server_starttls", server_port, warning),
    ];
    let trials = kinds.map(|(service, port, good)| {
        let before = server.log().len();
        let trial = Trial::with(service, "prosody", port, &more);
        trial.verified();
        server.wait_until(good, || {
            server.log()[before..].matches(good).count() >= PROBES
        });
        let log = server.log()[before..].replace(warning, "");
        no_complaint(&log, &["\terror\t", "\twarn\t", "reset"]);
        trial
    });
    // The domain is the host without --sni, and the server has none of that name.
    let unknown = probe(client, "xmpp_starttls", &[]);
    assert_eq!(unknown["status_name"], "rejected", "{unknown}");
    let error = unknown["error"].as_str().unwrap();
    assert!(error.contains("does not serve this domain"), "{error}");
    server.stop();
    for (trial, (_, _, good)) in trials.into_iter().zip(kinds) {
        trial.stopped(good);
    }
}

#[test]
fn inspircd_starts_tls_and_receives_quit() {
    if !installed("/usr/sbin/inspircd", "inspircd") {
        return;
    }
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let (home, port, secure) = (Home::of("nobody"), free_port(), free_port());
    let (certificate, key) = certificates.install(&home);
    let conf = home.write(
        "conf",
        &format!(
            "<server name=\"irc.example.org\" description=\"test\" network=\"Test\">\n\
             <admin name=\"a\" nick=\"a\" email=\"a@example.org\">\n\
             <bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">\n\
             <bind address=\"127.0.0.1\" port=\"{secure}\" type=\"clients\" ssl=\"gnutls\">\n\
             <module name=\"cap\"><module name=\"starttls\"><module name=\"ssl_gnutls\">\n\
             <sslprofile name=\"gnutls\" provider=\"gnutls\" certfile=\"{certificate}\" keyfile=\"{key}\">\n\
             <connect name=\"main\" allow=\"*\" timeout=\"30\" localmax=\"2000\" globalmax=\"2000\" limit=\"2000\" useident=\"no\" \
             resolvehostnames=\"no\" threshold=\"10000\" commandrate=\"10000\" fakelag=\"no\">\n\
             <log method=\"file\" type=\"USERINPUT USEROUTPUT\" level=\"rawio\" target=\"{log}\" flush=\"1\">\n\
             <performance clonesonconnect=\"no\">\n\
             <path datadir=\"{data}\" logdir=\"{data}\"><pid file=\"{pid}\">\n",
            log = home.path("irclog"),
            data = home.directory("data"),
            pid = home.path("pid"),
        ),
    );
    let mut command = home.command("/usr/sbin/inspircd");
    command.args(["--config", &conf, "--nofork"]);
    let mut server = Server::start(home, &[port, secure], &mut command);
    let log =
        |server: &Server| std::fs::read_to_string(server.home.path("irclog")).unwrap_or_default();
    let good = " I QUIT";
    let kinds = [("irc", port), ("irc_starttls", port), ("ircs", secure)];
    let trials = kinds.map(|(service, port)| {
        let before = log(&server).len();
        let trial = if service == "irc" {
            Trial::run(service, "inspircd", port)
        } else {
            let trial = Trial::with(service, "inspircd", port, &certificates.trusted());
            trial.verified();
            trial
        };
        assert_eq!(trial.captured("host"), "irc.example.org");
        server.wait_until(good, || {
            log(&server)[before..].matches(good).count() >= PROBES
        });
        // Numeric replies for commands that are unknown, not allowed or incomplete.
        let complaints = [" 421 ", " 451 ", " 461 ", " 691 "];
        trial.log(&log(&server)[before..], good, &complaints);
        trial
    });
    server.stop();
    for trial in trials {
        trial.stopped("QUIT");
    }
}
