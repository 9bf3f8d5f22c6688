//! `MariaDB`: what its counters and its host cache say.

use std::fs;
use std::sync::{Mutex, PoisonError};

use crate::probes::{MANY, all_up, no_complaint, probe, refused_when_stopped};
use crate::program::check;
use crate::server::{Home, Server, free_port, installed};

/// Loopback as the server's host cache sees it: 127.0.0.1 alone is never blocked.
const GUEST: [&str; 2] = ["--source", "127.0.0.2"];

/// Several of them at once must not exhaust what the kernel lends for asynchronous I/O.
const SMALL: &str =
    "--innodb-use-native-aio=0 --innodb-buffer-pool-size=16M --innodb-log-file-size=4M";

/// Several installations at once have failed, in a way that none of their logs explains.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A server that blocks a host after five connect errors.
fn mariadb() -> Option<Server> {
    let program = "/usr/sbin/mariadbd";
    if !installed(program, "mariadb-server") {
        return None;
    }
    let (home, port) = (Home::of("mysql"), free_port());
    let (data, socket) = (home.at("data"), home.at("socket"));
    let made =
        "--no-defaults --skip-test-db --auth-root-authentication-method=normal --skip-log-bin";
    {
        let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        home.run(
            "/usr/bin/mariadb-install-db",
            &format!("{made} {SMALL} --datadir={data}"),
        );
    }
    let own = format!(
        "--no-defaults --datadir={data} --socket={socket} --pid-file={}",
        home.at("pid")
    );
    let net = format!(
        "--bind-address=127.0.0.1 --port={port} --max-connect-errors=5 --performance-schema=on"
    );
    let mut command = home.command(program);
    command.args(own.split(' ').chain(net.split(' ')).chain(SMALL.split(' ')));
    let server = Server::start(home, port, &mut command);
    server.wait_for("ready for connections");
    // Without any account for the host the server does not greet it.
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
            &server.home.at("socket"),
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

/// Errors that count towards blocking the guest; none while it is not in the cache.
fn connect_errors(server: &Server) -> String {
    let table = "performance_schema.host_cache WHERE ip = '127.0.0.2'";
    sql(server, &format!("SELECT sum_connect_errors FROM {table}"))
        .trim()
        .to_owned()
}

#[test]
fn mariadb_never_blocks_a_host_that_has_no_account() {
    let Some(server) = mariadb() else { return };
    let said = server.says_of(|| {
        let document = all_up(&server, "mysql", &GUEST);
        let version = document["captures"]["version"].as_str().unwrap();
        assert!(
            version.contains("MariaDB") && !version.starts_with("5.5.5-"),
            "{document}"
        );
    });
    assert_eq!(connect_errors(&server), "0");
    assert_eq!(counter(&server, "Aborted_connects_preauth"), 0);
    assert_eq!(counter(&server, "Aborted_clients"), 0);
    // The price of having no account, in the counter and in the log.
    assert_eq!(counter(&server, "Aborted_connects"), MANY);
    assert_eq!(
        said.matches("Access denied for user 'zbx_tcp'").count(),
        MANY,
        "{said}"
    );
    no_complaint(&said, &["Aborted connection", "error", "blocked"]);
    refused_when_stopped(server, "mysql");
}

#[test]
fn mariadb_with_an_account_counts_nothing() {
    let Some(server) = mariadb() else { return };
    sql(&server, "CREATE USER zbx_tcp@'127.0.0.%'");
    for service in ["mysql_login", "mysql"] {
        let failed = probe(&server, service, &GUEST);
        assert_eq!(failed["up"], 1, "{failed}");
    }
    sql(&server, "FLUSH STATUS");
    let said = server.says_of(|| drop(all_up(&server, "mysql_login", &GUEST)));
    assert_eq!(said, "");
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
        probe(&server, "mysql_login", &GUEST)["status_name"],
        "rejected"
    );
}

#[test]
fn mariadb_blocks_who_only_reads_its_greeting_and_we_say_so() {
    let Some(server) = mariadb() else { return };
    let port = server.port.to_string();
    for _ in 0..6 {
        check(&["127.0.0.1", &port, "--source", "127.0.0.2"]).prints("1", 0);
    }
    let blocked = probe(&server, "mysql", &GUEST);
    assert_eq!(blocked["status_name"], "rejected", "{blocked}");
    assert!(
        blocked["response"]["text"]
            .as_str()
            .unwrap()
            .contains("is blocked because of many connection errors")
    );
}

/// `MySQL` 8 asks an unknown user to switch to another plugin; so does `MariaDB` when it is told of a foreign one.
#[test]
fn a_switch_of_plugins_is_answered() {
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
    let more = [&GUEST[..], &["--config", config.path().to_str().unwrap()]].concat();
    for _ in 0..10 {
        let document = probe(&server, "foreign", &more);
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
fn mariadb_that_has_no_account_for_this_host_is_up() {
    let Some(server) = mariadb() else { return };
    sql(&server, "DROP USER somebody@'127.0.0.%'");
    let said = server.says_of(|| {
        let document = all_up(&server, "mysql", &GUEST);
        assert!(
            document["response"]["text"]
                .as_str()
                .unwrap()
                .contains("is not allowed to connect"),
            "{document}"
        );
    });
    assert_eq!(connect_errors(&server), "0");
    no_complaint(&said, &["error", "blocked"]);
}
