//! mosquitto, `RabbitMQ` and `ZooKeeper`.

use std::process::{Child, Command, Stdio};

use crate::server::{Home, Server, free_port, installed, stop};
use crate::trial::{PROBES, all_up, no_complaint, probe, refused_when_stopped};

fn mosquitto(anonymous: &str) -> Option<Server> {
    let program = "/usr/sbin/mosquitto";
    if !installed(program, "mosquitto") {
        return None;
    }
    let (home, port) = (Home::of("mosquitto"), free_port());
    let text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous {anonymous}\nlog_dest stderr\nlog_type all\n"
    );
    let conf = home.write("conf", &text);
    let mut command = home.command(program);
    command.args(["-c", &conf]);
    Some(Server::start(home, &[port], &mut command))
}

#[test]
fn mosquitto_receives_disconnect() {
    let Some(server) = mosquitto("true") else {
        return;
    };
    let log = server.log_during(|| {
        assert_eq!(
            all_up(server.port(), "mqtt", &[])["captures"]["code"],
            r"\x00"
        );
    });
    assert_eq!(
        log.matches("Received DISCONNECT from").count(),
        PROBES,
        "{log}"
    );
    assert_eq!(log.matches(" disconnected.").count(), PROBES, "{log}");
    no_complaint(
        &log,
        &[
            "error",
            "closed its connection",
            "already connected",
            "protocol",
            "warning",
        ],
    );
    refused_when_stopped(server, "mqtt");
}

#[test]
fn mosquitto_that_requires_a_password_is_up() {
    let Some(server) = mosquitto("false") else {
        return;
    };
    let log = server.log_during(|| {
        assert_eq!(
            all_up(server.port(), "mqtt", &[])["captures"]["code"],
            r"\x05"
        );
    });
    // One line per probe: only an account could avoid it.
    assert_eq!(
        log.matches("disconnected, not authorised").count(),
        PROBES,
        "{log}"
    );
    no_complaint(
        &log,
        &["error", "closed its connection", "protocol", "warning"],
    );
}

/// Erlang's port mapper, which the broker would otherwise start and leave running.
struct PortMapper(Child);

impl Drop for PortMapper {
    fn drop(&mut self) {
        stop(&mut self.0);
    }
}

impl PortMapper {
    fn start(home: &Home, port: u16) -> Self {
        let mut command = home.command("/usr/bin/epmd");
        command
            .args(["-port", &port.to_string(), "-address", "127.0.0.1"])
            .stdout(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self(command.spawn().unwrap())
    }
}

fn broker(home: &Home, port: u16, mapper: u16) -> Command {
    let mut command = home.command("/usr/lib/rabbitmq/bin/rabbitmq-server");
    command
        .env("RABBITMQ_NODENAME", "probed@localhost")
        .env("RABBITMQ_LOGS", "-");
    command
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string());
    command.env("RABBITMQ_DIST_PORT", free_port().to_string());
    command.env(
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
        "-kernel inet_dist_use_interface {127,0,0,1}",
    );
    command
        .env("ERL_EPMD_PORT", mapper.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1");
    for (name, below) in [
        ("MNESIA_BASE", "data"),
        ("LOG_BASE", "logs"),
        ("ENABLED_PLUGINS_FILE", "plugins"),
    ] {
        command.env(format!("RABBITMQ_{name}"), home.path(below));
    }
    command
}

#[test]
fn rabbitmq_logs_one_warning_per_probe() {
    if !installed("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server") {
        return;
    }
    let (home, port, mapper) = (Home::of("rabbitmq"), free_port(), free_port());
    let _mapper = PortMapper::start(&home, mapper);
    let mut command = broker(&home, port, mapper);
    let server = Server::start(home, &[port], &mut command);
    server.wait_for_log("Server startup complete");
    let log = server.log_during(|| {
        let document = all_up(server.port(), "amqp", &[]);
        assert_eq!(document["captures"]["product"], "RabbitMQ", "{document}");
        assert!(
            document["captures"]["version"]
                .as_str()
                .unwrap()
                .starts_with("3."),
            "{document}"
        );
    });
    assert_eq!(
        log.matches("client unexpectedly closed TCP connection")
            .count(),
        PROBES,
        "{log}"
    );
    no_complaint(&log, &["[error]", "handshake_timeout", "bad_header"]);
    refused_when_stopped(server, "amqp");
}

#[test]
fn zookeeper_version_and_mode_are_captured() {
    let (program, jar) = ("/usr/bin/java", "/usr/share/java/zookeeper.jar");
    if !installed(jar, "libzookeeper-java") || !installed(program, "default-jre-headless") {
        return;
    }
    let (home, port) = (Home::of("nobody"), free_port());
    let listen =
        format!("clientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n");
    let conf = home.write(
        "zoo.cfg",
        &format!("tickTime=2000\ndataDir={}\n{listen}", home.path("data")),
    );
    let main = "org.apache.zookeeper.server.ZooKeeperServerMain";
    let mut command = home.command(program);
    command.args([
        "-Xmx96m",
        "-cp",
        &format!("{jar}:/usr/share/java/slf4j-simple.jar"),
        main,
        &conf,
    ]);
    let server = Server::start(home, &[port], &mut command);
    // It listens before it can answer.
    server.wait_until("it answers", || {
        probe(server.port(), "zookeeper", &[])["up"] == 1
    });
    let log = server.log_during(|| {
        let document = all_up(server.port(), "zookeeper", &[]);
        assert_eq!(document["captures"]["mode"], "standalone", "{document}");
        assert!(
            document["captures"]["version"]
                .as_str()
                .unwrap()
                .starts_with("3."),
            "{document}"
        );
    });
    assert_eq!(
        log.matches("Processing srvr command").count(),
        PROBES,
        "{log}"
    );
    no_complaint(&log, &["warn", "error", "exception"]);
    refused_when_stopped(server, "zookeeper");
}
