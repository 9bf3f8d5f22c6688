//! mosquitto, `RabbitMQ` and `ZooKeeper`.

use std::process::{Child, Command, Stdio};

use crate::certificates::Certificates;
use crate::server::{Home, Server, free_port, installed, stop};
use crate::trial::{PROBES, Trial, all_up, no_complaint, probe, refused_when_stopped};

fn mosquitto(anonymous: &str) -> Option<Server> {
    mosquitto_in(Home::of("mosquitto"), anonymous, "")
}

fn mosquitto_in(home: Home, anonymous: &str, more: &str) -> Option<Server> {
    let program = "/usr/sbin/mosquitto";
    if !installed(program, "mosquitto") {
        return None;
    }
    let port = free_port();
    let text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous {anonymous}\n{more}log_dest stderr\nlog_type all\n"
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
fn mosquitto_receives_disconnect_over_tls() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let home = Home::of("mosquitto");
    let (certificate, key) = certificates.install(&home);
    let tls = format!("certfile {certificate}\nkeyfile {key}\n");
    let Some(mut server) = mosquitto_in(home, "true", &tls) else {
        return;
    };
    let trial = Trial::with("mqtts", "mosquitto", server.port(), &certificates.trusted());
    trial.verified();
    let good = "Received DISCONNECT from";
    let log = server.log_with(good, PROBES);
    let complaints = ["error", "closed its connection", "protocol", "warning"];
    trial.log(&log, good, &complaints);
    server.stop();
    trial.stopped(good);
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
fn rabbitmq_answers_over_tls() {
    if !installed("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server") {
        return;
    }
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let [port, secure, mapper] = std::array::from_fn(|_| free_port());
    let home = Home::of("rabbitmq");
    let (certificate, key) = certificates.install(&home);
    let conf = home.write(
        "rabbitmq.conf",
        &format!(
            "listeners.ssl.default = 127.0.0.1:{secure}\nssl_options.cacertfile = {certificate}\n\
             ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\nssl_options.verify = verify_none\n\
             ssl_options.fail_if_no_peer_cert = false\n"
        ),
    );
    let _mapper = PortMapper::start(&home, mapper);
    let mut command = broker(&home, port, mapper);
    command.env("RABBITMQ_CONFIG_FILE", conf);
    let mut server = Server::start(home, &[port, secure], &mut command);
    server.wait_for_log("Server startup complete");
    let trial = Trial::with("amqps", "rabbitmq-server", secure, &certificates.trusted());
    trial.verified();
    assert_eq!(trial.captured("product"), "RabbitMQ");
    let good = "client unexpectedly closed TCP connection";
    let log = server.log_with(good, PROBES);
    trial.log(
        &log,
        good,
        &["[error]", "handshake_timeout", "bad_header", "TLS server"],
    );
    server.stop();
    trial.stopped("one warning, as without TLS");
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
