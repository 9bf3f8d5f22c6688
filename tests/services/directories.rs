//! `OpenLDAP`, BIND over TCP and the Zabbix agent.

use std::process::Command;

use crate::certificates::Certificates;
use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, Trial, all_up, no_complaint, probe, refused_when_stopped};

fn slapd(more: &str) -> Option<Server> {
    slapd_in(Home::of("openldap"), more, &[("ldap", free_port())])
}

/// slapd with a listener for each scheme and port.
fn slapd_in(home: Home, more: &str, listeners: &[(&str, u16)]) -> Option<Server> {
    let program = "/usr/sbin/slapd";
    if !installed(program, "slapd") {
        return None;
    }
    let modules =
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n";
    let database = "database mdb\nsuffix dc=example,dc=org\nmaxsize 10485760\n";
    home.write("empty", "");
    let conf = home.write(
        "conf",
        &format!("{modules}{more}{database}directory {}\n", home.path("")),
    );
    let urls: Vec<_> = listeners
        .iter()
        .map(|(scheme, port)| format!("{scheme}://127.0.0.1:{port}"))
        .collect();
    let ports: Vec<_> = listeners.iter().map(|(_, port)| *port).collect();
    let mut command = home.command(program);
    command.args(["-f", &conf, "-h", &urls.join(" "), "-d", "stats"]);
    Some(Server::start(home, &ports, &mut command))
}

#[test]
fn slapd_naming_contexts_are_searched_and_unbind_is_sent() {
    let Some(server) = slapd("") else { return };
    let log = server.log_during(|| {
        assert_eq!(
            all_up(server.port(), "ldap", &[])["captures"]["base"],
            "dc=example,dc=org"
        );
    });
    assert_eq!(log.matches(" UNBIND").count(), PROBES, "{log}");
    assert_eq!(
        log.matches("SEARCH RESULT tag=101 err=0").count(),
        PROBES,
        "{log}"
    );
    no_complaint(
        &log,
        &["connection lost", "error", "ber_get_next", "deferring"],
    );
    refused_when_stopped(server, "ldap");
}

#[test]
fn slapd_speaks_tls_and_unbind_is_sent() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let home = Home::of("openldap");
    let (certificate, key) = certificates.install(&home);
    let tls = format!("TLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n");
    let [plain, secure] = [free_port(), free_port()];
    let listeners = [("ldap", plain), ("ldaps", secure)];
    let Some(mut server) = slapd_in(home, &tls, &listeners) else {
        return;
    };
    let kinds = [("ldap_starttls", plain), ("ldaps", secure)];
    let trials = kinds.map(|(service, port)| {
        let before = server.log().len();
        let unbinds = server.log().matches(" UNBIND").count();
        let trial = Trial::with(service, "slapd", port, &certificates.trusted());
        trial.verified();
        let log = server.log_with(" UNBIND", unbinds + PROBES);
        let complaints = [
            "connection lost",
            "error",
            "ber_get_next",
            "deferring",
            "TLS: ",
        ];
        trial.log(&log[before..], " UNBIND", &complaints);
        trial
    });
    server.stop();
    for trial in trials {
        trial.stopped("UNBIND");
    }
}

#[test]
fn slapd_without_tls_refuses_it() {
    let Some(server) = slapd("") else { return };
    let document = probe(server.port(), "ldap_starttls", &[]);
    assert_eq!(document["status_name"], "tls_refused", "{document}");
    let log = server.log_with(" UNBIND", 1);
    no_complaint(&log, &["connection lost", "ber_get_next"]);
}

/// The server works, but refuses unknown clients; Zabbix's own check reports it as down.
#[test]
fn slapd_that_requires_a_bind_or_encryption_is_up() {
    for (demand, code) in [
        ("require authc\n", "53"),
        ("require bind\n", "1"),
        ("security ssf=1\n", "13"),
        ("restrict search\n", "53"),
    ] {
        let Some(server) = slapd(demand) else { return };
        let log = server.log_during(|| {
            let document = probe(server.port(), "ldap", &[]);
            assert_eq!(document["up"], 1, "{demand}{document}");
            assert_eq!(document["captures"]["code"], code, "{demand}{document}");
        });
        assert_eq!(log.matches(" UNBIND").count(), 1, "{log}");
        no_complaint(&log, &["connection lost", "ber_get_next"]);
    }
}

#[test]
fn slapd_that_hides_its_naming_contexts_is_rejected_with_a_reason() {
    let hidden = "access to dn.base=\"\" attrs=namingContexts by * none\naccess to * by * read\n";
    for acl in ["access to dn.base=\"\" by * none\n", hidden] {
        let Some(server) = slapd(acl) else { return };
        let document = probe(server.port(), "ldap", &[]);
        assert_eq!(document["status_name"], "rejected", "{document}");
        let error = document["error"].as_str().unwrap();
        assert!(error.contains("no naming contexts"), "{error}");
    }
}

fn named(options: &str) -> Option<Server> {
    named_in(Home::of("bind"), free_port(), "", "", options)
}

/// BIND with these further statements, and further words on its listener.
fn named_in(
    home: Home,
    port: u16,
    statements: &str,
    listener: &str,
    options: &str,
) -> Option<Server> {
    let program = "/usr/sbin/named";
    if !installed(program, "bind9") {
        return None;
    }
    let listen =
        format!("listen-on port {port} {listener} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};");
    let files = format!(
        "directory \"{}\"; pid-file none; session-keyfile none;",
        home.path("")
    );
    let quiet = "recursion no; dnssec-validation no; zone-statistics none;";
    // Queries to the root servers stay on loopback.
    let hints = home.write("hints", ". 3600 IN NS root.\nroot. 3600 IN A 127.0.0.1\n");
    let root = format!("zone \".\" {{ type hint; file \"{hints}\"; }};");
    let conf = format!(
        "{statements} options {{ {files} {listen} {quiet} {options} }};\ncontrols {{}};\n{root}\n"
    );
    let conf = home.write("conf", &conf);
    let mut command = home.command(program);
    command.args(["-g", "-c", &conf]);
    let server = Server::start(home, &[port], &mut command);
    server.wait_for_log(" running\n");
    Some(server)
}

#[test]
fn bind_logs_no_refused_query() {
    let Some(server) = named("") else { return };
    let log = server.log_during(|| {
        let document = all_up(server.port(), "dns", &[]);
        assert!(
            document["captures"]["version"]
                .as_str()
                .unwrap()
                .starts_with("9."),
            "{document}"
        );
    });
    assert_eq!(log, "");
    refused_when_stopped(server, "dns");
}

#[test]
fn bind_answers_over_tls() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let (home, port) = (Home::of("bind"), free_port());
    let (certificate, key) = certificates.install(&home);
    let statement = format!("tls own {{ cert-file \"{certificate}\"; key-file \"{key}\"; }};");
    let Some(mut server) = named_in(home, port, &statement, "tls own", "") else {
        return;
    };
    let trial = Trial::with("dot", "bind9", port, &certificates.trusted());
    trial.verified();
    assert!(trial.captured("version").starts_with("9."));
    no_complaint(&server.log(), &["refused", "failed:", "tls: "]);
    server.stop();
    trial.stopped("nothing");
}

#[test]
fn bind_that_hides_its_version_is_up() {
    let Some(server) = named("version none;") else {
        return;
    };
    let document = probe(server.port(), "dns", &[]);
    assert_eq!(document["up"], 1, "{document}");
    assert!(document["captures"].get("version").is_none(), "{document}");
}

fn agent(more: &str) -> Option<Server> {
    let program = "/usr/sbin/zabbix_agentd";
    if !installed(program, "zabbix-agent") {
        return None;
    }
    let (home, port) = (Home::of("zabbix"), free_port());
    let listen = format!(
        "ListenIP=127.0.0.1\nListenPort={port}\nPidFile={}\n",
        home.path("pid")
    );
    let conf = home.write(
        "conf",
        &format!("{listen}LogType=console\nDebugLevel=3\n{more}"),
    );
    let mut command: Command = home.command(program);
    command.args(["-f", "-c", &conf]);
    let server = Server::start(home, &[port], &mut command);
    server.wait_for_log("[listener #1]");
    Some(server)
}

#[test]
fn zabbix_agent_version_is_captured() {
    let Some(server) = agent("Server=127.0.0.1\n") else {
        return;
    };
    let log = server.log_during(|| {
        let document = all_up(server.port(), "zabbix_agent", &[]);
        assert!(
            document["captures"]["version"]
                .as_str()
                .unwrap()
                .contains('.'),
            "{document}"
        );
    });
    no_complaint(&log, &["failed", "error", "cannot", "rejected"]);
    refused_when_stopped(server, "zabbix_agent");
}

#[test]
fn zabbix_agent_that_denies_the_key_is_up() {
    let Some(server) = agent("Server=127.0.0.1\nDenyKey=agent.version\n") else {
        return;
    };
    let document = probe(server.port(), "zabbix_agent", &[]);
    assert_eq!(document["up"], 1, "{document}");
}

/// From here both look the same: the connection is closed without an answer.
#[test]
fn zabbix_agent_that_refuses_us_is_explained() {
    let home = Home::of("zabbix");
    let key = home.write("key", &"0123456789abcdef".repeat(4));
    let psk = format!("Server=127.0.0.1\nTLSAccept=psk\nTLSPSKIdentity=x\nTLSPSKFile={key}\n");
    for refusal in ["Server=192.0.2.1\n", &psk] {
        let Some(server) = agent(refusal) else { return };
        let document = probe(server.port(), "zabbix_agent", &[]);
        assert!(
            ["closed", "reset"].contains(&document["status_name"].as_str().unwrap()),
            "{document}"
        );
        let error = document["error"].as_str().unwrap();
        for cause in ["Server=", "TLSAccept=psk"] {
            assert!(error.contains(cause), "{refusal}: {error}");
        }
    }
}
