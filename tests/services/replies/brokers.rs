//! MQTT, AMQP, `ZooKeeper` and Kafka.

use super::{Case, case, receives, sends};

pub fn cases() -> Vec<Case> {
    [mqtt(), amqp(), zookeeper(), kafka()]
        .into_iter()
        .flatten()
        .collect()
}

fn mqtt() -> Vec<Case> {
    let one = |name, status, reply: &[u8]| {
        let turns = vec![
            receives(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"),
            sends(reply),
        ];
        case(("mqtt", name), status, turns).quit(b"\xe0\x00")
    };
    vec![
        one("mosquitto 2.0.11", "ok", b"\x20\x02\x00\x00").captures(&[("code", r"\x00")]),
        one("identifier refused", "ok", b"\x20\x02\x00\x02").captures(&[("code", r"\x02")]),
        one("not authorised", "ok", b"\x20\x02\x00\x05").captures(&[("code", r"\x05")]),
        one("unavailable", "rejected", b"\x20\x02\x00\x03"),
        one("no such code", "mismatch", b"\x20\x02\x00\x06"),
    ]
}

/// Connection.Start as `RabbitMQ` 3.10.8 sends it, capabilities left out.
fn start(properties: &[u8]) -> Vec<u8> {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
    let rest = b"\x00\x00\x00\x0ePLAIN AMQPLAIN\x00\x00\x00\x05en_US";
    let method = [
        b"\x00\x0a\x00\x0a\x00\x09",
        &size(properties)[..],
        properties,
        rest,
    ]
    .concat();
    [b"\x01\x00\x00", &size(&method)[..], &method, b"\xce"].concat()
}

fn amqp() -> Vec<Case> {
    let one = |name, status, reply: &[u8]| {
        case(
            ("amqp", name),
            status,
            vec![receives(b"AMQP\x00\x00\x09\x01"), sends(reply)],
        )
    };
    let rabbit = b"\x0ccapabilitiesF\x00\x00\x00\x15\x12publisher_confirmst\x01\x08platformS\x00\x00\x00\x11Erlang/OTP 25.2.3\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x063.10.8";
    let other = b"\x07versionS\x00\x00\x00\x039.2\x07productS\x00\x00\x00\x04qpid";
    vec![
        one("RabbitMQ 3.10.8", "ok", &start(rabbit))
            .captures(&[("product", "RabbitMQ"), ("version", "3.10.8")]),
        one("another order", "ok", &start(other)).captures(&[("version", "9.2")]),
        one("no properties", "ok", &start(b"")),
        one("AMQP 1.0 only", "mismatch", b"AMQP\x00\x01\x00\x00"),
        one(
            "another method",
            "mismatch",
            b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x1e\xce",
        ),
    ]
}

fn zookeeper() -> Vec<Case> {
    let one = |name, status, reply: &str| {
        case(
            ("zookeeper", name),
            status,
            vec![receives("srvr"), sends(reply)],
        )
    };
    let told = "Latency min/avg/max: 0/0.0/0\nReceived: 203\nSent: 202\nConnections: 1\nOutstanding: 0\nZxid: 0x0\n";
    let debian = format!(
        "Zookeeper version: 3.8.0-${{mvngit.commit.id}}, built on 2024-12-29 17:54 UTC\n{told}"
    );
    let apache = format!(
        "Zookeeper version: 3.9.2-e454e8c7283100c7caec6dcae2bc82aaecb63023, built on 2024-02-12 20:59 UTC\n{told}"
    );
    vec![
        one(
            "3.8.0 of Debian",
            "ok",
            &format!("{debian}Mode: standalone\nNode count: 5\n"),
        )
        .captures(&[("mode", "standalone"), ("version", "3.8.0")]),
        one(
            "a leader",
            "ok",
            &format!(
                "{apache}Mode: leader\nNode count: 5\nProposal sizes last/min/max: -1/-1/-1\n"
            ),
        )
        .captures(&[("mode", "leader"), ("version", "3.9.2")]),
        one(
            "without a quorum",
            "rejected",
            "This ZooKeeper instance is not currently serving requests\n",
        ),
        one(
            "not allowed",
            "rejected",
            "srvr is not executed because it is not in the whitelist.\n",
        ),
    ]
}

fn kafka() -> Vec<Case> {
    let one = |name, status, reply: &[u8]| {
        case(
            ("kafka", name),
            status,
            vec![
                receives(b"\0\0\0\x11\0\x12\0\0zbxt\0\x07zbx-tcp"),
                sends(reply),
            ],
        )
    };
    vec![
        one(
            "versions",
            "ok",
            b"\0\0\0\x16zbxt\0\0\0\0\0\x02\0\0\0\0\0\x0b\0\x12\0\0\0\x04",
        ),
        one("another version", "ok", b"\0\0\0\x0azbxt\0\x23\0\0\0\0"),
        one(
            "unknown error",
            "mismatch",
            b"\0\0\0\x0azbxt\xff\xff\0\0\0\0",
        ),
        one("another's reply", "mismatch", b"\0\0\0\x0azbxu\0\0\0\0\0\0"),
        one("TLS", "mismatch", b"\x15\x03\x03\0\x02\x02\x50"),
    ]
}
