//! ngIRCd and Prosody.

use std::process::Command;

use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, Trial};

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
