use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::address::Target;
use crate::failure::{Failure, IcmpFact, IcmpVersion, STATUSES};
use crate::output::value;
use crate::path_facts::{Hop, HopAnswer, PathFacts};
use crate::plan::{AddressSelection, Plan, ProbeSpec};
use crate::report::{DialogueReport, ExchangeFacts, Response, RoundTrip, TcpFacts};
use crate::stats::RunningStats;

fn times() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(0),
        0..2_000_000_000_u64,
        any::<u32>().prop_map(u64::from)
    ]
    .prop_map(Duration::from_nanos)
}

fn maybe<T: std::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(some)
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u16; 8]>().prop_map(IpAddr::from)
    ]
}

fn icmp_facts() -> impl Strategy<Value = IcmpFact> {
    let facts = (any::<u8>(), any::<u8>(), maybe(addresses()));
    facts.prop_map(|(kind, code, from)| IcmpFact {
        kind,
        code,
        from,
        version: IcmpVersion::V4,
    })
}

fn failures() -> impl Strategy<Value = Failure> {
    (
        1..STATUSES.len(),
        "\\PC{0,40}|[ -~]{0,40}",
        maybe(icmp_facts()),
    )
        .prop_map(|(code, text, icmp)| Failure {
            icmp,
            ..Failure::new(STATUSES[code].status, text)
        })
}

fn tcp_facts() -> impl Strategy<Value = TcpFacts> {
    let rtt =
        (times(), times()).prop_map(|(smoothed, variance)| RoundTrip::new(smoothed, variance));
    (maybe(rtt), any::<u32>(), maybe(any::<u32>())).prop_map(|(rtt, syn_retransmits, mss)| {
        TcpFacts {
            rtt,
            syn_retransmits,
            mss,
        }
    })
}

fn trials() -> impl Strategy<Value = ConnectionReport> {
    let ends = (
        addresses(),
        any::<u16>(),
        maybe(addresses()),
        maybe(failures()),
    );
    let said = (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..40));
    let said = said.prop_map(|(bytes, start)| Response { bytes, start });
    let captures = proptest::collection::vec(
        ("[a-z]{1,8}", proptest::collection::vec(any::<u8>(), 0..20)),
        0..3,
    );
    let dialogue = (
        maybe(times()),
        maybe(times()),
        maybe(1..9_usize),
        maybe(said),
        captures,
    );
    let dialogue = dialogue.prop_map(|(first_byte, duration, step, response, captures)| {
        let mut captures: Vec<_> = captures
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        captures.dedup_by(|(one, _), (other, _): &mut (Box<str>, _)| one == other);
        Box::new(DialogueReport {
            handshake: None,
            first_byte,
            duration,
            step,
            tls: None,
            response,
            captures,
            exchange: Some(ExchangeFacts {
                bytes_acked: step.unwrap_or_default() as u64,
                retransmits: 0,
            }),
        })
    });
    let measured = (times(), maybe(times()), maybe(tcp_facts()), maybe(dialogue));
    (ends, measured, maybe(paths())).prop_map(
        |((ip, port, source, failure), (total, connect, tcp, dialogue), path)| {
            let (address, failure) = (SocketAddr::new(ip, port), failure.map(Arc::new));
            ConnectionReport {
                address,
                source,
                failure,
                total,
                connect,
                tcp,
                dialogue,
                path: path.map(Box::new),
            }
        },
    )
}

fn paths() -> impl Strategy<Value = PathFacts> {
    let answer = prop_oneof![
        Just(HopAnswer::TimeExceeded),
        icmp_facts().prop_map(HopAnswer::Error),
        Just(HopAnswer::Refused),
        Just(HopAnswer::Accepted),
    ];
    let hop = (1..=30_u8, addresses(), times(), answer);
    let hop = hop.prop_map(|(hop, from, time, answer)| Hop {
        hop,
        from,
        time,
        answer,
    });
    proptest::collection::vec(hop, 0..6).prop_map(|hops| PathFacts {
        hops,
        ..PathFacts::new("192.0.2.7".parse().unwrap())
    })
}

fn reports() -> impl Strategy<Value = Report> {
    let targets = prop_oneof![
        Just("192.0.2.7:443"),
        Just("[2001:db8::1]:22"),
        Just("[fe80::1%eth0]:22"),
        Just("mx1.example.org.:25")
    ];
    let selection = prop_oneof![
        Just(AddressSelection::Any),
        Just(AddressSelection::First),
        Just(AddressSelection::All)
    ];
    let plans =
        (targets, maybe("[a-z\"]{0,5}"), selection).prop_map(|(target, service, addresses)| {
            let spec = ProbeSpec {
                service: service.map(Into::into),
                addresses,
                ..ProbeSpec::default()
            };
            Arc::new(Plan::new(
                spec,
                Target::from_arguments(target, None, None).unwrap(),
            ))
        });
    let attempts = proptest::collection::vec(maybe(times()), 0..4).prop_map(|connects| {
        let mut running = RunningStats::default();
        for connect in connects {
            match connect {
                Some(took) => running.add_success(took),
                None => running.add_failure(),
            }
        }
        running
    });
    let each = proptest::collection::vec(trials(), 0..3);
    (
        plans,
        maybe(failures()),
        times(),
        maybe(times()),
        maybe(trials()),
        (each, 0..4_u32),
        maybe(attempts),
    )
        .prop_map(
            |(plan, failure, total, resolve, connection, (addresses, address_count), attempts)| {
                Report {
                    plan,
                    failure: failure.map(Arc::new),
                    total,
                    resolve,
                    connection,
                    addresses: addresses.into(),
                    address_count,
                    attempts: attempts.map(Box::new),
                }
            },
        )
}

/// The expected document, built from the table of metrics without the writer.
fn expected(report: &Report) -> Json {
    let mut document = Json::Object(Map::new());
    for metric in &METRICS {
        let Some(value) = metric.value(report) else {
            continue;
        };
        let formatted = value::format(&value);
        let text = matches!(value, Value::Text(_) | Value::Address(_));
        let json = if text {
            Json::String(formatted)
        } else {
            serde_json::from_str(&formatted).unwrap()
        };
        *metric
            .path
            .split('.')
            .fold(&mut document, |object, part| &mut object[part]) = json;
    }
    let captures = report
        .connection
        .iter()
        .flat_map(ConnectionReport::captures);
    for (name, value) in captures {
        document["captures"][&**name] = Json::String(metrics::bounded(report, value));
    }
    document
}

/// The expected entry of `addresses`.
fn expected_address(report: &Report, connection: &ConnectionReport) -> Json {
    let failure = connection.verdict(report.plan.spec.expected);
    let alone = Report {
        failure,
        total: connection.total,
        resolve: None,
        attempts: None,
        ..report.clone()
    };
    let alone = Report {
        connection: Some(connection.clone()),
        addresses: Box::default(),
        address_count: 0,
        ..alone
    };
    let mut entry = expected(&alone);
    let object = entry.as_object_mut().unwrap();
    object.retain(|key, _| {
        ![
            "schema", "host", "port", "service", "step", "response", "captures",
        ]
        .contains(&&**key)
    });
    object["time"] = json!({ "total": entry_time(&alone.total) });
    let dialogue = connection.dialogue.as_deref().cloned().unwrap_or_default();
    for (name, time) in [
        ("connect", connection.connect),
        ("first_byte", dialogue.first_byte),
        ("dialogue", dialogue.duration),
    ] {
        if let Some(time) = time {
            object["time"][name] = entry_time(&time);
        }
    }
    entry
}

fn entry_time(time: &Duration) -> Json {
    serde_json::from_str(&value::format(&Value::Seconds(*time))).unwrap()
}

proptest! {
    #[test]
    fn a_document_has_the_metrics_of_the_table(report in reports(), before in "[^\0]{0,3}") {
        let mut buffer = before.clone().into_bytes();
        write(&report, &mut buffer);
        let text = String::from_utf8(buffer).unwrap();
        let mut document: Json = serde_json::from_str(text.strip_prefix(&before).unwrap()).unwrap();
        let each = document.as_object_mut().unwrap().remove("addresses").unwrap_or(json!([]));
        prop_assert_eq!(document, expected(&report));
        let listed = if report.plan.spec.needs_every_address() { &report.addresses[..] } else { &[] };
        let wanted: Vec<_> = listed.iter().map(|connection| expected_address(&report, connection)).collect();
        prop_assert_eq!(each, Json::Array(wanted));
        prop_assert_eq!(line(&report), format!("{}\n", &text[before.len()..]));
    }
}

#[test]
fn fields_are_in_the_order_of_the_table() {
    let spec = ProbeSpec {
        addresses: AddressSelection::All,
        ..ProbeSpec::default()
    };
    let plan = Arc::new(Plan::new(
        spec,
        Target::from_arguments("192.0.2.7:443", None, None).unwrap(),
    ));
    let text = "connect to 192.0.2.7:443: connection refused (RST)";
    let failure = Some(Arc::new(Failure::new(Status::Refused, text)));
    let prohibited = IcmpFact {
        kind: 3,
        code: 13,
        from: None,
        version: IcmpVersion::V4,
    };
    let router = |hop, from: &str, answer| Hop {
        hop,
        from: from.parse().unwrap(),
        time: Duration::from_micros(300),
        answer,
    };
    let connection = ConnectionReport {
        address: "192.0.2.7:443".parse().unwrap(),
        source: Some("192.0.2.1".parse().unwrap()),
        failure: failure.clone(),
        total: Duration::from_micros(213),
        connect: None,
        tcp: Some(TcpFacts {
            rtt: None,
            syn_retransmits: 2,
            mss: None,
        }),
        dialogue: Some(Box::new(DialogueReport {
            captures: vec![("name".into(), b"a \"b\"".to_vec())],
            ..DialogueReport::default()
        })),
        path: Some(Box::new(PathFacts {
            hops: vec![
                router(1, "192.0.2.254", HopAnswer::TimeExceeded),
                router(1, "192.0.2.254", HopAnswer::TimeExceeded),
                router(4, "10.0.0.1", HopAnswer::Error(prohibited)),
            ],
            ..PathFacts::new("192.0.2.7".parse().unwrap())
        })),
    };
    let total = Duration::from_micros(250);
    let addresses = Box::new([connection.clone()]);
    let report = Report {
        plan,
        failure,
        total,
        resolve: None,
        connection: Some(connection),
        addresses,
        address_count: 0,
        attempts: None,
    };
    let hops = r#"{"hop":1,"from":"192.0.2.254","time":0.000300},{"hop":4,"from":"10.0.0.1","time":0.000300,"type":3,"code":13}"#;
    let path = format!(r#""path":{{"hops":[{hops}],"last_hop":3,"last":"10.0.0.1","reached":0}}"#);
    let connection = r#""address":"192.0.2.7","family":4,"source":"192.0.2.1","#;
    let verdict =
        format!(r#""up":0,"state":0,"status":3,"status_name":"refused","error":"{text}","#);
    let wanted = format!(
        r#"{{"schema":1,"host":"192.0.2.7","port":443,{verdict}{connection}"time":{{"total":0.000250}},"tcp":{{"syn_retransmits":2}},{path},"captures":{{"name":"a \"b\""}},"addresses":[{{{connection}{verdict}"time":{{"total":0.000213}},"tcp":{{"syn_retransmits":2}},{path}}}]}}"#
    );
    assert_eq!(line(&report), wanted + "\n");
}
