//! Redis, memcached and `PostgreSQL`.

use crate::certificates::Certificates;
use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, Trial, all_up, no_complaint, probe, refused_when_stopped};

#[test]
fn redis_answers_pong_or_requires_a_password() {
    let program = "/usr/bin/redis-server";
    if !installed(program, "redis-server") {
        return;
    }
    let (home, port) = (Home::of("redis"), free_port());
    let words = format!("--port {port} --bind 127.0.0.1 --daemonize no --loglevel verbose");
    let mut command = home.command(program);
    command.args(words.split(' ')).args(["--save", ""]);
    let server = Server::start(home, &[port], &mut command);
    server.wait_for_log("Ready to accept connections");
    let log = server.log_during(|| {
        assert_eq!(
            all_up(server.port(), "redis", &[])["captures"]["reply"],
            "+PONG"
        );
    });
    no_complaint(&log, &["error", "warning", "#", "reset", "closing client"]);
    let cli = |arguments: &str| {
        server
            .home
            .run("/usr/bin/redis-cli", &format!("-p {port} {arguments}"))
    };
    // QUIT ends each connection on both sides: only that of redis-cli is left.
    assert!(cli("info clients").contains("connected_clients:1\r"));
    assert!(cli("info stats").contains("total_error_replies:0\r"));
    cli("config set requirepass secret");
    assert_eq!(
        probe(server.port(), "redis", &[])["captures"]["reply"],
        "-NOAUTH"
    );
    refused_when_stopped(server, "redis");
}

#[test]
fn redis_answers_over_tls() {
    let program = "/usr/bin/redis-server";
    if !installed(program, "redis-server") {
        return;
    }
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let (home, port) = (Home::of("redis"), free_port());
    let (certificate, key) = certificates.install(&home);
    let words = format!(
        "--port 0 --tls-port {port} --tls-cert-file {certificate} --tls-key-file {key} --tls-ca-cert-file {certificate} \
         --tls-auth-clients no --bind 127.0.0.1 --daemonize no --loglevel verbose"
    );
    let mut command = home.command(program);
    command.args(words.split_whitespace()).args(["--save", ""]);
    let mut server = Server::start(home, &[port], &mut command);
    server.wait_for_log("Ready to accept connections");
    let mut trials = Vec::new();
    let log = server.log_during(|| {
        let trial = Trial::with("rediss", "redis-server", port, &certificates.trusted());
        trial.verified();
        assert_eq!(trial.captured("reply"), "+PONG");
        trials.push(trial);
    });
    no_complaint(&log, &["error", "warning", "#", "reset", "closing client"]);
    server.stop();
    for trial in trials {
        trial.stopped("nothing");
    }
}

/// A cluster without slots and a sentinel with a password are alive.
#[test]
fn redis_cluster_and_sentinel_answer() {
    let program = "/usr/bin/redis-server";
    if !installed(program, "redis-server") {
        return;
    }
    for (mode, reply) in [
        ("--cluster-enabled yes", "+PONG"),
        ("--sentinel", "-NOAUTH"),
    ] {
        let (home, port) = (Home::of("redis"), free_port());
        // The default port of a cluster's bus may be a client's port already.
        let extra = if mode == "--sentinel" {
            "requirepass secret".to_owned()
        } else {
            format!("cluster-port {}", free_port())
        };
        let conf = home.write("conf", &format!("port {port}\nbind 127.0.0.1\n{extra}\n"));
        let mut command = home.command(program);
        command.arg(conf).args(mode.split(' '));
        let server = Server::start(home, &[port], &mut command);
        server.wait_until("it answers", || {
            probe(server.port(), "redis", &[])["captures"]["reply"] == reply
        });
        refused_when_stopped(server, "redis");
    }
}

#[test]
fn memcached_version_is_captured() {
    let program = "/usr/bin/memcached";
    if !installed(program, "memcached") {
        return;
    }
    let (home, port) = (Home::of("nobody"), free_port());
    let mut command = home.command(program);
    command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0", "-vv"]);
    let server = Server::start(home, &[port], &mut command);
    let log = server.log_during(|| {
        let document = all_up(server.port(), "memcached", &[]);
        assert!(
            document["captures"]["version"]
                .as_str()
                .unwrap()
                .starts_with("1."),
            "{document}"
        );
    });
    no_complaint(&log, &["error", "failed", "reset"]);
    assert_eq!(log.matches(" quit").count(), PROBES, "{log}");
    refused_when_stopped(server, "memcached");
}

/// `PostgreSQL` with SCRAM passwords, and TLS if `tls` is `on`.
fn postgres(tls: &str) -> Option<(Server, Option<Certificates>)> {
    let releases = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = releases
        .map(|release| release.path().display().to_string())
        .max()
        .unwrap_or_default();
    let at = |name: &str| format!("{newest}/bin/{name}");
    if !installed(&at("postgres"), "postgresql") {
        return None;
    }
    let (home, port) = (Home::of("postgres"), free_port());
    let (data, password) = (home.path("data"), home.write("password", "secret\n"));
    home.run(
        &at("initdb"),
        &format!("--no-sync --auth=scram-sha-256 --pwfile={password} -D {data}"),
    );
    let certificates = if tls == "on" {
        let certificates = Certificates::new()?;
        let (certificate, key) = certificates.install(&home);
        std::fs::rename(certificate, format!("{data}/server.crt")).unwrap();
        std::fs::rename(key, format!("{data}/server.key")).unwrap();
        Some(certificates)
    } else {
        None
    };
    let mut command = home.command(&at("postgres"));
    let words = format!(
        "-D {data} -p {port} -h 127.0.0.1 -k {} -F -c ssl={tls}",
        home.path("")
    );
    command.args(words.split(' '));
    let server = Server::start(home, &[port], &mut command);
    server.wait_for_log("ready to accept connections");
    Some((server, certificates))
}

#[test]
fn postgres_with_tls_logs_nothing_of_a_handshake() {
    let Some((mut server, Some(certificates))) = postgres("on") else {
        return;
    };
    let mut trials = Vec::new();
    for service in ["postgres_starttls", "postgres_tls"] {
        let log = server.log_during(|| {
            let trial = Trial::with(
                service,
                "postgresql",
                server.port(),
                &certificates.trusted(),
            );
            trial.verified();
            trials.push(trial);
        });
        assert_eq!(log, "", "{service}");
    }
    server.stop();
    for trial in trials {
        trial.stopped("nothing");
    }
}

#[test]
fn postgres_without_tls_refuses_it() {
    let Some((server, _)) = postgres("off") else {
        return;
    };
    let log = server.log_during(|| {
        let document = probe(server.port(), "postgres_tls", &[]);
        assert_eq!(document["status_name"], "tls_refused", "{document}");
    });
    assert_eq!(log, "");
}

#[test]
fn postgres_logs_nothing_with_and_without_tls() {
    for tls in ["off", "on"] {
        let Some((server, _)) = postgres(tls) else {
            return;
        };
        let log = server.log_during(|| {
            assert_eq!(
                all_up(server.port(), "postgres", &[])["captures"]["encryption"],
                "G"
            );
        });
        assert_eq!(log, "", "ssl={tls}");
        let log = server.log_during(|| drop(all_up(server.port(), "postgres_startup", &[])));
        assert_eq!(log, "", "ssl={tls}");
        refused_when_stopped(server, "postgres");
    }
}

#[test]
fn postgres_startup_is_rejected_if_pg_hba_rejects_the_host() {
    let Some((server, _)) = postgres("off") else {
        return;
    };
    let rules = "host all all 127.0.0.0/8 reject\n";
    server.home.write("data/pg_hba.conf", rules);
    let log = server.log_during(|| {
        let data = server.home.path("data");
        let pid = std::fs::read_to_string(format!("{data}/postmaster.pid")).unwrap();
        server.home.run(
            "/bin/kill",
            &format!("-HUP {}", pid.lines().next().unwrap()),
        );
        server.wait_for_log("reloading configuration files");
        // It logs nothing of the probes that the old rules still allow.
        server.wait_until("the new rules reject it", || {
            probe(server.port(), "postgres_startup", &[])["status_name"] == "rejected"
        });
        assert_eq!(probe(server.port(), "postgres", &[])["up"], 1);
    });
    assert_eq!(log.matches("FATAL").count(), 1, "{log}");
}
