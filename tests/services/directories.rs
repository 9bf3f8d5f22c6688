//! `OpenLDAP`, BIND over TCP and the Zabbix agent.

use std::process::Command;

use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, all_up, no_complaint, probe, refused_when_stopped};

fn slapd(more: &str) -> Option<Server> {
    let program = "/usr/sbin/slapd";
    if !installed(program, "slapd") {
        return None;
    }
    let (home, port) = (Home::of("openldap"), free_port());
    let modules =
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n";
    let database = "database mdb\nsuffix dc=example,dc=org\nmaxsize 10485760\n";
    home.write("empty", "");
    let conf = home.write(
        "conf",
        &format!("{modules}{more}{database}directory {}\n", home.path("")),
    );
    let mut command = home.command(program);
    command.args([
        "-f",
        &conf,
        "-h",
        &format!("ldap://127.0.0.1:{port}"),
        "-d",
        "stats",
    ]);
    Some(Server::start(home, &[port], &mut command))
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
    let program = "/usr/sbin/named";
    if !installed(program, "bind9") {
        return None;
    }
    let (home, port) = (Home::of("bind"), free_port());
    let listen = format!("listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};");
    let files = format!(
        "directory \"{}\"; pid-file none; session-keyfile none;",
        home.path("")
    );
    let quiet = "recursion no; dnssec-validation no; zone-statistics none;";
    // Queries to the root servers stay on loopback.
    let hints = home.write("hints", ". 3600 IN NS root.\nroot. 3600 IN A 127.0.0.1\n");
    let root = format!("zone \".\" {{ type hint; file \"{hints}\"; }};");
    let conf =
        format!("options {{ {files} {listen} {quiet} {options} }};\ncontrols {{}};\n{root}\n");
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
