//! `MariaDB`, with its counters and its host cache.

use std::fs;

use crate::certificates::Certificates;
use crate::program::check;
use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, Trial, all_up, no_complaint, probe, refused_when_stopped};

/// Another loopback address: the server never blocks 127.0.0.1.
const SOURCE: [&str; 2] = ["--source", "127.0.0.2"];

/// Several servers at once must not exhaust the kernel's limit on asynchronous I/O (`fs.aio-max-nr`).
const SMALL: &str =
    "--innodb-use-native-aio=0 --innodb-buffer-pool-size=16M --innodb-log-file-size=4M";

/// A server that blocks a host after five connect errors.
fn mariadb() -> Option<Server> {
    mariadb_in(Home::of("mysql"), "")
}

fn mariadb_in(home: Home, more: &str) -> Option<Server> {
    let program = "/usr/sbin/mariadbd";
    if !installed(program, "mariadb-server") {
        return None;
    }
    let port = free_port();
    let (data, socket) = (home.path("data"), home.path("socket"));
    let made =
        "--no-defaults --skip-test-db --auth-root-authentication-method=normal --skip-log-bin";
    // A server deletes all temporary tables in its `tmpdir` when it starts, also those that another
    // server or installer uses.
    let temporary = format!("--tmpdir={}", home.directory("tmp"));
    home.run(
        "/usr/bin/mariadb-install-db",
        &format!("{made} {SMALL} {temporary} --datadir={data}"),
    );
    let own = format!(
        "--no-defaults {temporary} --datadir={data} --socket={socket} --pid-file={}",
        home.path("pid")
    );
    let net = format!(
        "--bind-address=127.0.0.1 --port={port} --max-connect-errors=5 --performance-schema=on"
    );
    let mut command = home.command(program);
    let words = [own.as_str(), &net, SMALL, more];
    command.args(words.iter().flat_map(|words| words.split_whitespace()));
    let server = Server::start(home, &[port], &mut command);
    server.wait_for_log("ready for connections");
    // The server sends no greeting to a host that no account is for.
    sql(
        &server,
        "CREATE USER somebody@'127.0.0.%' IDENTIFIED BY 'secret'",
    );
    Some(server)
}

fn sql(server: &Server, text: &str) -> String {
    let mut command = server.home.command("/usr/bin/mariadb");
    let output = command
        .args([
            "--no-defaults",
            "-u",
            "root",
            "-S",
            &server.home.path("socket"),
            "-N",
            "-e",
            text,
        ])
        .output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{text}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A global counter.
fn counter(server: &Server, name: &str) -> usize {
    sql(server, &format!("SELECT variable_value FROM information_schema.global_status WHERE variable_name = '{name}'"))
        .trim()
        .parse()
        .unwrap()
}

/// The errors that count towards blocking [`SOURCE`]; empty while it is not in the host cache.
fn connect_errors(server: &Server) -> String {
    let table = "performance_schema.host_cache WHERE ip = '127.0.0.2'";
    sql(server, &format!("SELECT sum_connect_errors FROM {table}"))
        .trim()
        .to_owned()
}

#[test]
fn mariadb_never_blocks_a_host_that_has_no_account() {
    let Some(server) = mariadb() else { return };
    let log = server.log_during(|| {
        let document = all_up(server.port(), "mysql", &SOURCE);
        let version = document["captures"]["version"].as_str().unwrap();
        assert!(
            version.contains("MariaDB") && !version.starts_with("5.5.5-"),
            "{document}"
        );
    });
    assert_eq!(connect_errors(&server), "0");
    assert_eq!(counter(&server, "Aborted_connects_preauth"), 0);
    assert_eq!(counter(&server, "Aborted_clients"), 0);
    // Without an account each probe counts as an aborted connect and is logged.
    assert_eq!(counter(&server, "Aborted_connects"), PROBES);
    assert_eq!(
        log.matches("Access denied for user 'zbx_tcp'").count(),
        PROBES,
        "{log}"
    );
    no_complaint(&log, &["Aborted connection", "error", "blocked"]);
    refused_when_stopped(server, "mysql");
}

#[test]
fn mariadb_with_tls_never_blocks_a_host_that_has_no_account() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let home = Home::of("mysql");
    let (certificate, key) = certificates.install(&home);
    let tls = format!("--ssl-cert={certificate} --ssl-key={key}");
    let Some(mut server) = mariadb_in(home, &tls) else {
        return;
    };
    let more = [&certificates.trusted()[..], &SOURCE.map(str::to_owned)].concat();
    let mut trials = Vec::new();
    for service in ["mysql_starttls", "mysql_tls"] {
        sql(&server, "FLUSH STATUS");
        let log = server.log_during(|| {
            let trial = Trial::with(service, "mariadb-server", server.port(), &more);
            trial.verified();
            assert!(trial.captured("version").contains("MariaDB"));
            trials.push(trial);
        });
        assert_eq!(connect_errors(&server), "0");
        assert_eq!(counter(&server, "Aborted_connects_preauth"), 0);
        assert_eq!(counter(&server, "Aborted_clients"), 0);
        // As without TLS, each probe counts as an aborted connect and is logged.
        assert_eq!(counter(&server, "Aborted_connects"), PROBES);
        assert_eq!(
            log.matches("Access denied for user 'zbx_tcp'").count(),
            PROBES,
            "{log}"
        );
        no_complaint(&log, &["Aborted connection", "error", "blocked"]);
    }
    server.stop();
    for trial in trials {
        trial.stopped("access denied, as without TLS");
    }
}

/// The refusal answers the greeting with a login, so that it counts as one.
#[test]
fn mariadb_without_tls_refuses_it_and_does_not_block_us() {
    let Some(server) = mariadb() else { return };
    for _ in 0..10 {
        let document = probe(server.port(), "mysql_tls", &SOURCE);
        assert_eq!(document["status_name"], "tls_refused", "{document}");
    }
    assert_eq!(connect_errors(&server), "0");
    assert_eq!(counter(&server, "Aborted_connects"), 10);
    assert_eq!(counter(&server, "Aborted_connects_preauth"), 0);
    sql(&server, "DROP USER somebody@'127.0.0.%'");
    let document = probe(server.port(), "mysql_tls", &SOURCE);
    assert_eq!(document["status_name"], "rejected", "{document}");
    let error = document["error"].as_str().unwrap();
    assert!(error.contains("no account for this host"), "{error}");
}

#[test]
fn mariadb_with_an_account_counts_no_error() {
    let Some(server) = mariadb() else { return };
    sql(&server, "CREATE USER zbx_tcp@'127.0.0.%'");
    for service in ["mysql_login", "mysql"] {
        let failed = probe(server.port(), service, &SOURCE);
        assert_eq!(failed["up"], 1, "{failed}");
    }
    sql(&server, "FLUSH STATUS");
    let log = server.log_during(|| drop(all_up(server.port(), "mysql_login", &SOURCE)));
    assert_eq!(log, "");
    assert_eq!(connect_errors(&server), "0");
    for name in [
        "Aborted_connects",
        "Aborted_connects_preauth",
        "Aborted_clients",
    ] {
        assert_eq!(counter(&server, name), 0, "{name}");
    }
    sql(&server, "DROP USER zbx_tcp@'127.0.0.%'");
    assert_eq!(
        probe(server.port(), "mysql_login", &SOURCE)["status_name"],
        "rejected"
    );
}

#[test]
fn mariadb_that_blocks_us_is_rejected_with_its_reason() {
    let Some(server) = mariadb() else { return };
    let port = server.port().to_string();
    for _ in 0..6 {
        check(&["127.0.0.1", &port, "--source", "127.0.0.2"]).prints("1", 0);
    }
    let blocked = probe(server.port(), "mysql", &SOURCE);
    assert_eq!(blocked["status_name"], "rejected", "{blocked}");
    assert!(
        blocked["response"]["text"]
            .as_str()
            .unwrap()
            .contains("is blocked because of many connection errors")
    );
}

/// `MySQL` 8 asks an unknown user to switch to another authentication plugin; `MariaDB` does so if the
/// client names a plugin that it does not know.
#[test]
fn mariadb_authentication_switch_is_answered() {
    let Some(server) = mariadb() else { return };
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/services/binary.toml");
    let shipped = fs::read_to_string(shipped).unwrap();
    let mysql = shipped
        .split("[services.mysql]")
        .nth(1)
        .unwrap()
        .split("\n[services.")
        .next()
        .unwrap();
    let foreign = mysql.replace("${plugin}", "caching_sha2_password");
    assert_ne!(mysql, foreign);
    let config = tempfile::NamedTempFile::new().unwrap();
    fs::write(config.path(), format!("[services.foreign]{foreign}")).unwrap();
    let more = [&SOURCE[..], &["--config", config.path().to_str().unwrap()]].concat();
    for _ in 0..10 {
        let document = probe(server.port(), "foreign", &more);
        assert_eq!(document["up"], 1, "{document}");
        assert!(
            document["response"]["text"]
                .as_str()
                .unwrap()
                .contains("mysql_native_password"),
            "{document}"
        );
    }
    assert_eq!(connect_errors(&server), "0");
    assert_eq!(counter(&server, "Aborted_connects"), 10);
}

#[test]
fn mariadb_without_any_account_for_this_host_is_up() {
    let Some(server) = mariadb() else { return };
    sql(&server, "DROP USER somebody@'127.0.0.%'");
    let log = server.log_during(|| {
        let document = all_up(server.port(), "mysql", &SOURCE);
        assert!(
            document["response"]["text"]
                .as_str()
                .unwrap()
                .contains("is not allowed to connect"),
            "{document}"
        );
    });
    assert_eq!(connect_errors(&server), "0");
    no_complaint(&log, &["error", "blocked"]);
}
