//! Kamailio (SIP) and the RTSP server in Perl.

use std::process::Command;

use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, Trial};

#[test]
fn kamailio_answers_options_without_forwarding() {
    if !installed("/usr/sbin/kamailio", "kamailio") {
        return;
    }
    let (home, port) = (Home::new(), free_port());
    let conf = home.write(
        "conf",
        &format!(
            "debug=2\nlog_stderror=yes\nfork=yes\nchildren=1\ntcp_children=2\nlisten=tcp:127.0.0.1:{port}\n\
             loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"pv.so\"\nloadmodule \"xlog.so\"\nloadmodule \"maxfwd.so\"\n\
             request_route {{\n  xlog(\"L_NOTICE\", \"heard $rm from $ua\\n\");\n\
               if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\", \"Too Many Hops\"); exit; }}\n\
               sl_send_reply(\"404\", \"Not here\");\n}}\n"
        ),
    );
    let mut command = Command::new("/usr/sbin/kamailio");
    command.args([
        "-DD",
        "-E",
        "-m",
        "16",
        "-M",
        "4",
        "-f",
        &conf,
        "-Y",
        &home.directory("run"),
        "-P",
        &home.path("pid"),
    ]);
    let mut server = Server::start(home, &[port], &mut command);
    let trial = Trial::run("sip", "kamailio", port);
    assert!(trial.captured("server").starts_with("kamailio (5."));
    assert_eq!(
        trial.captured("code"),
        "483",
        "the request is not forwarded"
    );
    let good = "heard OPTIONS from zbx-tcp";
    trial.log(
        &server.log_with(good, PROBES),
        good,
        &["ERROR", "WARNING", "CRITICAL", "BUG", "reset"],
    );
    server.stop();
    trial.stopped("each OPTIONS; no error");
}

#[test]
fn rtsp_server_answers_options() {
    if !installed("/usr/bin/rtsp-server-perl", "rtsp-server-perl") {
        return;
    }
    let (home, [client, source]) = (Home::new(), [free_port(), free_port()]);
    // Without autoflush Perl would buffer its log until it ends.
    let mut command = Command::new("/usr/bin/perl");
    command.args([
        "-e",
        "$| = 1; do shift",
        "/usr/bin/rtsp-server-perl",
        "--clientport",
        &client.to_string(),
        "--serverport",
        &source.to_string(),
        "--loglevel",
        "5",
    ]);
    command.args([
        "--client_listen_address",
        "127.0.0.1",
        "--source_listen_address",
        "127.0.0.1",
    ]);
    let mut server = Server::start(home, &[client, source], &mut command);
    let trial = Trial::run("rtsp", "rtsp-server-perl", client);
    assert_eq!(trial.captured("code"), "200");
    let good = "<< RTSP/1.0 200 OK";
    let log = server.log_with(good, PROBES);
    trial.log(&log, good, &["error", "warning", " at /", "reset", "400 "]);
    server.stop();
    trial.stopped("RTSP/1.0 200 OK");
}
