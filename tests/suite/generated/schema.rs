//! The JSON schemas of the documents, generated from the table of metrics, and the validation of real documents.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use zbx_tcp::failure::STATUSES;
use zbx_tcp::output::metrics::{METRICS, Metric, SCHEMA};

use crate::program::check;
use crate::scripted_peer::{Peer, closed_port};
use crate::support::skip;
use crate::tls::openssl::{Certificates, TlsServer};

/// The files: names and content.
pub fn files() -> [(String, String); 2] {
    let text = |schema| format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    [
        ("document.schema.json".to_owned(), text(document())),
        ("batch.schema.json".to_owned(), text(batch())),
    ]
}

/// The fields of every document, whatever the result.
const ALWAYS: [&str; 9] = [
    "schema",
    "host",
    "port",
    "up",
    "state",
    "status",
    "status_name",
    "error",
    "time",
];
/// The metrics in an entry of `addresses`, by the first part of their paths.
const OF_AN_ADDRESS: [&str; 13] = [
    "address",
    "family",
    "source",
    "up",
    "state",
    "status",
    "status_name",
    "error",
    "time",
    "tcp",
    "tls",
    "icmp",
    "path",
];

fn document() -> Value {
    let mut properties = properties(|_| true);
    properties.insert(
        "captures".to_owned(),
        json!({
            "description": "texts captured by the named groups of a dialogue, decoded and escaped",
            "type": "object",
            "additionalProperties": { "type": "string" },
        }),
    );
    let address = self::properties(|head| OF_AN_ADDRESS.contains(&head));
    properties.insert(
        "addresses".to_owned(),
        json!({
            "description": "one entry for each probed address, with --addresses all or --expect-closed",
            "type": "array",
            "items": {
                "type": "object",
                "properties": address,
                "required": ["address", "family", "up", "state", "status", "status_name", "error", "time"],
            },
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The document of zbx-tcp check -o json",
        "description": "Names, types and units of fields never change; fields may be added. A metric that was not measured is omitted.",
        "type": "object",
        "properties": properties,
        "required": ALWAYS,
    })
}

/// The document of a batch.
fn batch() -> Value {
    let mut entry = document();
    // A compact entry omits redundant fields and fields at their default.
    entry["required"] = json!(["up", "state", "status", "time"]);
    for heading in ["$schema", "title", "description"] {
        entry.as_object_mut().unwrap().remove(heading);
    }
    let count =
        |description| json!({ "description": description, "type": "integer", "minimum": 0 });
    let seconds =
        |description| json!({ "description": description, "type": "number", "minimum": 0 });
    let text = |description| json!({ "description": description, "type": "string" });
    let summary = json!({
        "targets": count("number of targets"),
        "up": count("targets that are up"),
        "down": count("targets that are down"),
        "unknown": count("targets with an unknown state: denied, local_error, not_tried"),
        "duplicates": count("repeated targets, which are merged into one entry"),
        "invalid": count("entries of the configuration with an error, and skipped entries of the list; absent if there are none"),
        "error": text("first error in the configuration or the policy; absent if there is none"),
        "shortened": {
            "description": "what was left out because of --max-output, in this order; absent if nothing was",
            "type": "array",
            "items": { "enum": ["redundant", "responses", "details", "errors", "discovery", "targets", "causes"] },
        },
        "elapsed": seconds("duration of the run, in seconds"),
        "causes": {
            "description": "common causes of the failures, the largest first; absent if there are none",
            "type": "array",
            "maxItems": 10,
            "items": {
                "type": "object",
                "properties": {
                    "cause": text("the cause, as one sentence without times"),
                    "status": { "description": "status of the targets", "type": "integer", "minimum": 1, "maximum": STATUSES.len() - 1 },
                    "targets": { "description": "how many targets have this cause", "type": "integer", "minimum": 2 },
                    "of": count("number of targets of the run"),
                    "examples": {
                        "description": "ids of the first targets with this cause, at most 3",
                        "type": "array",
                        "items": { "type": "string" },
                    },
                },
                "required": ["cause", "status", "targets", "of", "examples"],
            },
        },
        "lag": seconds("delay of the probing machine: 99th percentile of time.connect - tcp.rtt, in seconds"),
    });
    let row = json!({
        "{#TCP.ID}": text("target id, the key in `targets`"),
        "{#TCP.NAME}": text("display name of the target"),
        "{#TCP.HOST}": text("host name or address"),
        "{#TCP.PORT}": {
            "description": "port; empty if it is unknown because of an error",
            "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 65535 }, { "const": "" }],
        },
        "{#TCP.SERVICE}": text("named service, or empty"),
        "{#TCP.GROUP}": text("groups, separated by commas"),
    });
    let macros: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
    let mut row = row;
    row["{#TCP.ERROR}"] = text("why the target cannot be probed; absent if it can");
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The document of zbx-tcp batch -o json",
        "description": "Names, types and units of fields never change; fields may be added.",
        "type": "object",
        "properties": {
            "schema": { "const": SCHEMA },
            "summary": {
                "type": "object",
                "properties": summary,
                "required": ["targets", "up", "down", "unknown", "duplicates", "elapsed"],
            },
            "discovery": {
                "description": "rows for low-level discovery, in the order of the targets; absent if a row might be missing because of an error in the configuration, or if --max-output is too small",
                "type": "array",
                "items": { "type": "object", "properties": row, "required": macros },
            },
            "targets": {
                "description": "results of the targets, by their ids",
                "type": "object",
                "additionalProperties": entry,
            },
        },
        "required": ["schema", "summary", "targets"],
    })
}

/// The selected metrics as properties; the metrics of a group are the properties of an object.
fn properties(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Value> {
    let mut properties = BTreeMap::new();
    for metric in METRICS
        .iter()
        .filter(|metric| wanted(metric.path.split('.').next().unwrap()))
    {
        match metric.path.split_once('.') {
            None => drop(properties.insert(metric.path.to_owned(), metric_schema(metric))),
            Some((group, name)) => {
                let group = properties
                    .entry(group.to_owned())
                    .or_insert_with(|| json!({ "type": "object", "properties": {} }));
                group["properties"][name] = metric_schema(metric);
            }
        }
    }
    if let Some(time) = properties.get_mut("time") {
        time["required"] = json!(["total"]);
    }
    properties
}

/// The schema of a hop that answered. Type and code are those of an ICMP error other than time
/// exceeded.
fn hop() -> Value {
    json!({
        "type": "object",
        "properties": {
            "hop": { "description": "number of the hop, from 1", "type": "integer", "minimum": 1, "maximum": 30 },
            "from": { "description": "address that answered", "type": "string" },
            "time": { "description": "time from the SYN to the answer, in seconds", "type": "number", "minimum": 0 },
            "type": { "description": "type of the ICMP message, unless it is time exceeded", "type": "integer" },
            "code": { "description": "its code", "type": "integer" },
        },
        "required": ["hop", "from", "time"],
    })
}

/// The schema of one certificate of a chain. One that cannot be read has only its digest.
fn certificate() -> Value {
    let text = |description| json!({ "description": description, "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "unreadable": text("why it cannot be read"),
            "subject": text("subject (RFC 4514)"),
            "issuer": text("issuer (RFC 4514)"),
            "not_after": { "description": "last second of its validity, since 1970", "type": "integer" },
            "days_left": { "description": "days until it expires", "type": "number" },
            "key": text("public key, such as `RSA-2048`"),
            "sha256": text("SHA-256 digest, in hexadecimal"),
        },
        "required": ["sha256"],
    })
}

/// The schema of a metric: type, unit and description.
fn metric_schema(metric: &Metric) -> Value {
    let mut schema = match (metric.path, metric.unit) {
        ("schema", _) => json!({ "const": SCHEMA }),
        ("status", _) => json!({ "type": "integer", "minimum": 0, "maximum": STATUSES.len() - 1 }),
        ("status_name", _) => json!({ "enum": STATUSES.map(|row| row.name) }),
        ("port", _) => json!({ "type": "integer", "minimum": 1, "maximum": 65535 }),
        (_, "text") => json!({ "type": "string" }),
        (_, "s") => json!({ "type": "number", "minimum": 0 }),
        (_, "number" | "bytes") => json!({ "type": "integer", "minimum": 0 }),
        (_, "0 or 1") => json!({ "enum": [0, 1] }),
        (_, "0, 1 or 2") => json!({ "enum": [0, 1, 2] }),
        (_, "4 or 6") => json!({ "enum": [4, 6] }),
        (_, "0 to 1") => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        (_, "unix time") => json!({ "type": "integer" }),
        (_, "days") => json!({ "type": "number" }),
        (_, "list") => json!({ "type": "array", "items": { "type": "string" } }),
        (_, "hops") => json!({ "type": "array", "items": hop() }),
        (_, "chain") => json!({ "type": "array", "items": certificate() }),
        (_, "roots") => json!({
            "type": "object",
            "properties": { "file": { "type": "string" }, "number": { "type": "integer", "minimum": 1 } },
            "required": ["file", "number"],
        }),
        (path, unit) => panic!("{path}: say here which JSON type `{unit}` is"),
    };
    let unit = match metric.unit {
        "s" => ", in seconds",
        "bytes" => ", in bytes",
        "unix time" => ", in seconds since 1970",
        _ => "",
    };
    schema["description"] = json!(format!("{}{unit}", metric.help));
    schema
}

/// The schema without additional properties.
fn closed(mut schema: Value) -> Value {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            *property = closed(property.take());
        }
        schema["additionalProperties"] = json!(false);
    }
    for inner in ["items", "additionalProperties"] {
        if schema.get(inner).is_some_and(Value::is_object) {
            schema[inner] = closed(schema[inner].take());
        }
    }
    schema
}

/// Validates documents with the Python package jsonschema; prints a line for each error.
const VALIDATOR: &str = "
import json, sys
from jsonschema import Draft202012Validator
given = json.load(sys.stdin)
Draft202012Validator.check_schema(given['schema'])
for document in given['documents']:
    for error in Draft202012Validator(given['schema']).iter_errors(document):
        print(error.json_path, error.message, 'in', json.dumps(document))
";

/// The output of the validator, empty if all documents are valid.
fn validation_errors(schema: Value, documents: &[Value]) -> String {
    let mut python = Command::new("python3");
    let mut python = python
        .args(["-c", VALIDATOR])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let given = json!({ "schema": closed(schema), "documents": documents });
    python
        .stdin
        .take()
        .unwrap()
        .write_all(given.to_string().as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Documents of all kinds of results: success, refused, not resolved, binary, several addresses, several attempts.
fn documents() -> Vec<Value> {
    let greeting = Peer::greeting(b"220 mail ready, load 17\r\n");
    let binary = Peer::greeting(b"\xff\x00\xfe");
    let (up, odd, closed) = (greeting.port(), binary.port(), closed_port().to_string());
    let runs: [&[&str]; 9] = [
        &["127.0.0.1", &up],
        &["127.0.0.1", &up, "--expect-regex", "load (?<load>[0-9]+)"],
        &["127.0.0.1", &up, "--expect-prefix", "250 "],
        &["127.0.0.1", &odd, "--expect-hex", "fe"],
        &["127.0.0.1", &closed, "--service", "ssh"],
        &["localhost", &closed, "--addresses", "all"],
        &["a.localhost", &up],
        &["127.0.0.1", &up, "--count", "2", "--interval", "0.01"],
        &["name.invalid", "1", "-t", "0.3"],
    ];
    let certificates = Certificates::new();
    certificates.make("web", &["-newkey", "rsa:2048"]);
    let server = TlsServer::openssl(&certificates, "web", &[]);
    let port = server.port.to_string();
    let tls: [&[&str]; 3] = [
        &["127.0.0.1", &port, "--tls", "--tls-scan"],
        &["127.0.0.1", &up, "--tls"],
        &["localhost", &port, "--tls", "--addresses", "all"],
    ];
    runs.iter()
        .chain(&tls)
        .map(|words| check(&[*words, &["-o", "json"]].concat()).document())
        .collect()
}

fn has_validator() -> bool {
    let there = Command::new("python3")
        .args(["-c", "import jsonschema"])
        .stderr(Stdio::null())
        .status();
    let here = there.is_ok_and(|status| status.success());
    if !here {
        skip("no jsonschema for python3 (Debian: python3-jsonschema)");
    }
    here
}

#[test]
fn real_documents_match_the_schema() {
    if !has_validator() {
        return;
    }
    let documents = documents();
    assert_eq!(validation_errors(document(), &documents), "");
    let groups = [
        "captures",
        "addresses",
        "addresses_total",
        "addresses_failed",
        "addresses_error",
        "attempts",
        "response",
        "tcp",
        "tls",
    ];
    assert!(groups.iter().all(|group| {
        documents
            .iter()
            .any(|document| document.get(group).is_some())
    }));
    let mut wrong = documents[0].clone();
    wrong["time"]["connect"] = json!("fast");
    wrong["tcp"]["colour"] = json!(1);
    wrong["up"] = json!(2);
    wrong.as_object_mut().unwrap().remove("error");
    assert_eq!(validation_errors(document(), &[wrong]).lines().count(), 4);
}

#[test]
fn real_batch_documents_match_their_schema() {
    if !has_validator() {
        return;
    }
    let peer = Peer::greeting(b"220 mail ready\r\n");
    let targets = [
        format!("127.0.0.1:{}", peer.port()),
        format!("127.0.0.1:{}", closed_port()),
    ];
    let run = |more: &[&str]| {
        let ran = crate::program::run(
            &[
                &["batch", &targets[0], &targets[1], &targets[0], "-o", "json"],
                more,
            ]
            .concat(),
        );
        serde_json::from_str::<Value>(&ran.out)
            .unwrap_or_else(|error| panic!("{error}: {} {}", ran.out, ran.err))
    };
    let batches = [run(&[]), run(&["--compact"])];
    assert_eq!(validation_errors(batch(), &batches), "");
    assert_eq!(batches[0]["summary"]["duplicates"], 1);
    let mut wrong = batches[0].clone();
    wrong["targets"][&targets[0]]["time"]["connect"] = json!("fast");
    wrong["summary"]["colour"] = json!(1);
    wrong["discovery"][0]
        .as_object_mut()
        .unwrap()
        .remove("{#TCP.ID}");
    assert_eq!(validation_errors(batch(), &[wrong]).lines().count(), 3);
}
