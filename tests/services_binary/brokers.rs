//! mosquitto, `RabbitMQ` and `ZooKeeper`.

use std::process::{Child, Command, Stdio};

use crate::probes::{MANY, all_up, no_complaint, probe, refused_when_stopped};
use crate::server::{Home, Server, end, free_port, installed};

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
    Some(Server::start(home, port, &mut command))
}

#[test]
fn mosquitto_sees_each_client_disconnect() {
    let Some(server) = mosquitto("true") else {
        return;
    };
    let said =
        server.says_of(|| assert_eq!(all_up(&server, "mqtt", &[])["captures"]["code"], r"\x00"));
    assert_eq!(
        said.matches("Received DISCONNECT from").count(),
        MANY,
        "{said}"
    );
    assert_eq!(said.matches(" disconnected.").count(), MANY, "{said}");
    no_complaint(
        &said,
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
fn mosquitto_that_wants_a_password_is_up() {
    let Some(server) = mosquitto("false") else {
        return;
    };
    let said =
        server.says_of(|| assert_eq!(all_up(&server, "mqtt", &[])["captures"]["code"], r"\x05"));
    // One line for each: an account of ours would be needed to avoid it.
    assert_eq!(
        said.matches("disconnected, not authorised").count(),
        MANY,
        "{said}"
    );
    no_complaint(
        &said,
        &["error", "closed its connection", "protocol", "warning"],
    );
}

/// Erlang's port mapper, which would otherwise outlive the broker.
struct PortMapper(Child);

impl Drop for PortMapper {
    fn drop(&mut self) {
        end(&mut self.0);
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
        command.env(format!("RABBITMQ_{name}"), home.at(below));
    }
    command
}

#[test]
fn rabbitmq_notes_each_probe_as_a_warning_and_no_more() {
    if !installed("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server") {
        return;
    }
    let (home, port, mapper) = (Home::of("rabbitmq"), free_port(), free_port());
    let _mapper = PortMapper::start(&home, mapper);
    let mut command = broker(&home, port, mapper);
    let server = Server::start(home, port, &mut command);
    server.wait_for("Server startup complete");
    let said = server.says_of(|| {
        let document = all_up(&server, "amqp", &[]);
        assert_eq!(document["captures"]["product"], "RabbitMQ", "{document}");
        assert!(
            document["captures"]["version"]
                .as_str()
                .unwrap()
                .starts_with("3."),
            "{document}"
        );
        std::thread::sleep(std::time::Duration::from_secs(1));
    });
    assert_eq!(
        said.matches("client unexpectedly closed TCP connection")
            .count(),
        MANY,
        "{said}"
    );
    no_complaint(&said, &["[error]", "handshake_timeout", "bad_header"]);
    refused_when_stopped(server, "amqp");
}

#[test]
fn zookeeper_tells_its_version_and_mode() {
    let (program, jar) = ("/usr/bin/java", "/usr/share/java/zookeeper.jar");
    if !installed(jar, "libzookeeper-java") || !installed(program, "default-jre-headless") {
        return;
    }
    let (home, port) = (Home::of("nobody"), free_port());
    let listen =
        format!("clientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n");
    let conf = home.write(
        "zoo.cfg",
        &format!("tickTime=2000\ndataDir={}\n{listen}", home.at("data")),
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
    let server = Server::start(home, port, &mut command);
    // It listens before it serves, and says so to whoever asks meanwhile.
    server.wait_until("it serves", || probe(&server, "zookeeper", &[])["up"] == 1);
    let said = server.says_of(|| {
        let document = all_up(&server, "zookeeper", &[]);
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
        said.matches("Processing srvr command").count(),
        MANY,
        "{said}"
    );
    no_complaint(&said, &["warn", "error", "exception"]);
    refused_when_stopped(server, "zookeeper");
}
