use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::output::batch_format::DefaultFields;
use crate::output::metrics::METRICS;
use crate::output::table::ResultTable;
use crate::output::test_reports::{plan, up};
use crate::output::text::ColorMode;
use crate::output::{document, entry, text as text_report, value};
use crate::plan::steps::{Piece, Secret, Step, Template};
use crate::plan::{AddressSelection, Plan};
use crate::report::DialogueReport;
use crate::tls_facts::{FactSource, Fault, TlsVersion, TrustStore, published_chain};

const DAY: i64 = 86_400;
/// 2025-10-09.
const BEGIN: i64 = 1_760_000_000;

fn certificate(subject: &str, not_after: i64) -> CertificateFacts {
    CertificateFacts {
        subject: subject.into(),
        issuer: "CN=Test CA".into(),
        names: Box::new(["www.example.org".into(), "192.0.2.7".into()]),
        serial: "0a1b".into(),
        key: "ECDSA-P256".into(),
        signature: "ecdsa-with-SHA256".into(),
        not_before: BEGIN,
        not_after,
        sha256: [0xab; 32],
        spki_sha256: [0xfb; 32],
        names_omitted: 0,
        unreadable: None,
    }
}

#[allow(clippy::unnecessary_wraps, reason = "the value of a field")]
fn verification(at: i64, faults: &[Fault]) -> Option<Verification> {
    let error = if faults.is_empty() {
        ""
    } else {
        "it is wrong: mend it"
    };
    Some(Verification {
        faults: faults.to_vec(),
        sentences: faults
            .iter()
            .map(|fault| format!("{} is wrong: mend it", fault.name()))
            .collect(),
        error: error.to_owned(),
        at,
    })
}

/// The facts of a good connection, 10 days before the certificate ends.
fn facts() -> TlsFacts {
    let not_after = BEGIN + 100 * DAY;
    TlsFacts {
        proved: true,
        version: Some(TlsVersion::Tls13),
        cipher: Some("TLS_AES_128_GCM_SHA256".into()),
        group: Some("X25519MLKEM768".into()),
        alpn: Some("h2".into()),
        verification: verification(not_after - 10 * DAY, &[]),
        chain: vec![
            certificate("CN=www.example.org", not_after),
            certificate("CN=Test CA", not_after - 3 * DAY),
        ],
        client_cert: Some(false),
        staple: true,
        roots: Some(TrustStore {
            file: "/etc/ssl/ca.pem".into(),
            number: 144,
        }),
        ..TlsFacts::default()
    }
}

fn with_facts(plan: &Arc<Plan>, facts: TlsFacts) -> Report {
    let mut report = up(plan, b"", 0);
    let connection = report.connection.as_mut().unwrap();
    connection.dialogue = Some(Box::new(DialogueReport {
        handshake: Some(std::time::Duration::from_micros(4101)),
        tls: Some(Box::new(facts)),
        ..DialogueReport::default()
    }));
    report
}

fn reported(facts: TlsFacts) -> Report {
    with_facts(&plan(0, "192.0.2.7", None), facts)
}

fn tls_part(report: &Report) -> Json {
    let line = document::line(report);
    assert_eq!(line.lines().count(), 1, "{line}");
    let mut document: Json = serde_json::from_str(&line).unwrap();
    document["tls"].take()
}

fn written(table: &ResultTable, report: &Report) -> String {
    let mut text = Vec::new();
    let plans = std::slice::from_ref(&report.plan);
    table.write(plans, ColorMode::Off, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn single(report: &Report, path: &str) -> String {
    let metric = METRICS.iter().find(|metric| metric.path == path).unwrap();
    value::line(report, metric)
}

#[test]
fn the_document_has_every_fact() {
    let report = reported(facts());
    let pin = "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=";
    let hex = "ab".repeat(32);
    assert_eq!(
        tls_part(&report),
        json!({
            "how": "handshake", "proved": 1, "version": "TLSv1.3",
            "cipher": "TLS_AES_128_GCM_SHA256", "group": "X25519MLKEM768", "alpn": "h2",
            "verified": 1, "verify_error": "", "faults": [],
            "subject": "CN=www.example.org", "issuer": "CN=Test CA",
            "names": ["www.example.org", "192.0.2.7"], "serial": "0a1b",
            "sha256": hex, "spki_sha256": pin,
            "key": "ECDSA-P256", "signature": "ecdsa-with-SHA256",
            "not_before": BEGIN, "not_after": BEGIN + 100 * DAY,
            "days_left": 10.0, "lifetime_left": 0.1, "chain_days_left": 7.0,
            "chain": [
                {"subject": "CN=www.example.org", "issuer": "CN=Test CA",
                 "not_after": BEGIN + 100 * DAY, "days_left": 10.0, "key": "ECDSA-P256",
                 "sha256": hex},
                {"subject": "CN=Test CA", "issuer": "CN=Test CA",
                 "not_after": BEGIN + 97 * DAY, "days_left": 7.0, "key": "ECDSA-P256",
                 "sha256": hex},
            ],
            "client_cert": 0, "staple": 1,
            "roots": {"file": "/etc/ssl/ca.pem", "number": 144},
        })
    );
    assert!(
        document::line(&report)
            .contains(r#""time":{"total":0.000900,"connect":0.000812,"tls":0.004101}"#)
    );
}

#[test]
fn what_was_not_measured_is_absent() {
    let nothing = reported(TlsFacts::default());
    assert_eq!(tls_part(&nothing), json!({"how": "handshake", "proved": 0}));
    let hello = TlsFacts {
        how: FactSource::Hello,
        version: Some(TlsVersion::Tls10),
        client_cert: Some(true),
        oldest: Some(TlsVersion::Ssl3),
        pq: Some(false),
        ..TlsFacts::default()
    };
    assert_eq!(
        tls_part(&reported(hello)),
        json!({"how": "hello", "proved": 0, "version": "TLSv1.0", "client_cert": 1,
               "oldest": "SSLv3", "pq": 0})
    );
    // Of a certificate that cannot be read only its digest is known.
    let unreadable = TlsFacts {
        verification: verification(BEGIN, &[Fault::Malformed]),
        chain: vec![CertificateFacts {
            sha256: [1; 32],
            unreadable: Some("it ends after 7 bytes".into()),
            ..CertificateFacts::default()
        }],
        ..TlsFacts::default()
    };
    let hex = "01".repeat(32);
    assert_eq!(
        tls_part(&reported(unreadable)),
        json!({"how": "handshake", "proved": 0, "verified": 0,
               "verify_error": "it is wrong: mend it", "faults": ["malformed"], "sha256": hex,
               "chain": [{"unreadable": "it ends after 7 bytes", "sha256": hex}], "staple": 0})
    );
}

#[test]
fn single_values_are_lines() {
    let report = reported(TlsFacts {
        verification: verification(BEGIN, &[Fault::Expired, Fault::WeakKey]),
        ..facts()
    });
    for (path, line) in [
        ("tls.days_left", "100.0000\n"),
        ("tls.lifetime_left", "1.000000\n"),
        ("tls.faults", "expired,weak_key\n"),
        ("tls.names", "www.example.org,192.0.2.7\n"),
        ("tls.verified", "0\n"),
        (
            "tls.roots",
            "{\"file\":\"/etc/ssl/ca.pem\",\"number\":144}\n",
        ),
        ("tls.oldest", "\n"),
        ("tls.names_omitted", "0\n"),
        ("time.tls", "0.004101\n"),
    ] {
        assert_eq!(single(&report, path), line, "{path}");
    }
    // A number of TLS that was not measured is not 0, which would be a false alarm or a false
    // value.
    let nothing = up(&plan(0, "192.0.2.7", None), b"", 0);
    for metric in METRICS.iter().filter(|metric| metric.group == Some("tls")) {
        let line = value::line(&nothing, metric);
        let is_number = matches!(metric.unit, "0 or 1" | "unix time" | "days" | "0 to 1");
        let expected = match metric.path {
            "tls.names_omitted" | "tls.chain_omitted" => "0\n",
            _ if is_number => "ok: not measured by this probe\n",
            _ => "\n",
        };
        assert_eq!(line, expected, "{}", metric.path);
    }
}

#[test]
fn the_time_that_is_left_is_exact() {
    const HOUR: i64 = 3600;
    for lifetime in [160 * HOUR, 47 * DAY, 90 * DAY, 398 * DAY, 3652 * DAY] {
        let end = BEGIN + lifetime;
        let at = |at: i64| {
            let report = reported(TlsFacts {
                verification: verification(at, &[]),
                chain: vec![certificate("CN=a", end)],
                ..TlsFacts::default()
            });
            ["tls.days_left", "tls.lifetime_left", "tls.chain_days_left"]
                .map(|path| single(&report, path).trim_end().to_owned())
        };
        let days = |seconds: i64| {
            let count = (i128::from(seconds) * 10_000).div_euclid(DAY.into());
            let sign = if count < 0 { "-" } else { "" };
            let count = count.abs();
            format!("{sign}{}.{:04}", count / 10_000, count % 10_000)
        };
        let both = |seconds: i64, part: &str| [days(seconds), part.to_owned(), days(seconds)];
        assert_eq!(at(BEGIN), both(lifetime, "1.000000"));
        assert_eq!(
            at(BEGIN - DAY),
            both(lifetime + DAY, "1.000000"),
            "not valid yet"
        );
        assert_eq!(at(BEGIN + lifetime / 2), both(lifetime / 2, "0.500000"));
        assert_eq!(at(end), ["0.0000", "0.000000", "0.0000"], "the last second");
        assert_eq!(
            at(end + 1),
            ["-0.0001", "0.000000", "-0.0001"],
            "the first second after it"
        );
        assert_eq!(at(end + DAY), both(-DAY, "0.000000"));
        // A clock of 2001, and one that is broken.
        assert_eq!(at(1_000_000_000), both(end - 1_000_000_000, "1.000000"));
        for clock in [0, i64::MIN, i64::MAX] {
            let [left, part, _] = at(clock);
            assert!(left.parse::<f64>().is_ok(), "{left}");
            assert!(
                (0.0..=1.0).contains(&part.parse::<f64>().unwrap()),
                "{part}"
            );
        }
    }
}

#[test]
fn impossible_dates_are_published_as_they_are() {
    for (not_before, not_after) in [
        (-DAY, -1),
        (BEGIN, BEGIN),
        (BEGIN, BEGIN - DAY),
        (i64::MIN, i64::MAX),
        (i64::MAX, i64::MIN),
        (0, 253_402_300_799 + DAY),
    ] {
        let leaf = CertificateFacts {
            not_before,
            ..certificate("CN=a", not_after)
        };
        let report = reported(TlsFacts {
            verification: verification(BEGIN, &[]),
            chain: vec![leaf],
            ..TlsFacts::default()
        });
        let tls = tls_part(&report);
        assert_eq!(tls["not_before"], json!(not_before));
        assert_eq!(tls["not_after"], json!(not_after));
        let part = tls["lifetime_left"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&part), "{part}");
        assert!(!text_report::report(&report, ColorMode::Off).contains("NaN"));
    }
}

#[test]
fn the_size_is_bounded_whatever_the_peer_sends() {
    let long = "\"\\".repeat(32 * 1024);
    let names = |count: usize| (0..count).map(|index| format!("host{index}.example").into());
    let huge = CertificateFacts {
        subject: long.as_str().into(),
        issuer: long.as_str().into(),
        names: names(9_999).chain([long.as_str().into()]).collect(),
        serial: long.as_str().into(),
        key: long.as_str().into(),
        signature: long.as_str().into(),
        ..certificate("", BEGIN)
    };
    let facts = TlsFacts {
        verification: Some(Verification {
            faults: Fault::ALL.to_vec(),
            sentences: vec![long.clone(); Fault::ALL.len()],
            error: long.clone(),
            at: BEGIN,
        }),
        chain: vec![huge.clone(); 100],
        ..facts()
    };
    let mut kept = facts.clone();
    (kept.chain, kept.chain_omitted) = published_chain(kept.chain);
    let of_kept = tls_part(&reported(kept));
    let mut report = reported(facts.clone());
    let tls = tls_part(&report);
    for key in [
        "names",
        "names_omitted",
        "chain",
        "chain_omitted",
        "subject",
        "serial",
    ] {
        assert_eq!(of_kept[key], tls[key], "{key}");
    }
    assert_eq!(tls["names"].as_array().unwrap().len(), NAMES_LIMIT);
    assert_eq!(tls["names_omitted"], json!(9_900));
    assert_eq!(tls["chain"].as_array().unwrap().len(), CHAIN_LIMIT);
    assert_eq!(tls["chain_omitted"], json!(84));
    assert!(
        document::line(&report).len() < 96 * 1024,
        "{}",
        document::line(&report).len()
    );
    assert!(text_report::report(&report, ColorMode::Off).len() < 16 * 1024);

    // Few names, but long ones.
    let wide = CertificateFacts {
        names: vec!["x".repeat(500).into(); 50].into(),
        ..huge
    };
    let wide = reported(TlsFacts {
        chain: vec![wide],
        ..facts.clone()
    });
    let tls = tls_part(&wide);
    assert_eq!(tls["names"].as_array().unwrap().len(), 16);
    assert_eq!(tls["names_omitted"], json!(34));

    // As many addresses as a probe connects to: below the limit of a value of Zabbix.
    let mut all = plan(0, "mx1.example.org", None);
    Arc::get_mut(&mut Arc::get_mut(&mut all).unwrap().spec)
        .unwrap()
        .addresses = AddressSelection::All;
    let one = with_facts(&all, facts).connection.unwrap();
    report.plan = all;
    report.addresses = vec![one; ProbeSpec::MAX_ADDRESSES].into();
    let length = document::line(&report).len();
    assert!(length < 512 * 1024, "{length}");
}

#[test]
fn texts_of_a_certificate_are_printable() {
    let hostile = "CN=a\0b\r\n\u{1b}[31m\t\u{202e}gro.elpmaxe\u{200b}\u{85}\\,x\"é";
    let leaf = CertificateFacts {
        names: Box::new([hostile.into()]),
        ..certificate(hostile, BEGIN)
    };
    let report = reported(TlsFacts {
        alpn: Some(hostile.into()),
        verification: Some(Verification {
            faults: vec![Fault::NameMismatch],
            sentences: vec![hostile.to_owned()],
            error: hostile.to_owned(),
            at: BEGIN,
        }),
        chain: vec![leaf],
        roots: Some(TrustStore {
            file: hostile.into(),
            number: 1,
        }),
        ..facts()
    });
    let shown = r#"CN=a\x00b\r\n\x1b[31m\t\u{202e}gro.elpmaxe\u{200b}\u{85}\,x"é"#;
    let tls = tls_part(&report);
    for text in [
        &tls["subject"],
        &tls["alpn"],
        &tls["verify_error"],
        &tls["names"][0],
        &tls["chain"][0]["subject"],
        &tls["roots"]["file"],
    ] {
        assert_eq!(text, shown);
    }
    for path in ["tls.subject", "tls.names", "tls.verify_error", "tls.chain"] {
        assert_eq!(single(&report, path).lines().count(), 1, "{path}");
    }
    let text = text_report::report(&report, ColorMode::Off);
    assert!(
        !text.contains(['\0', '\u{1b}', '\u{202e}', '\u{200b}']),
        "{text}"
    );
    let mut table = ResultTable::new(1);
    table.set(&report);
    let text = written(&table, &report);
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn a_secret_in_a_certificate_is_redacted() {
    let mut spec = plan(0, "192.0.2.7", None);
    let secret = Piece::Secret(Secret::new(*b"open sesame"));
    Arc::get_mut(&mut Arc::get_mut(&mut spec).unwrap().spec)
        .unwrap()
        .steps = vec![Step::Send(Template(vec![secret]))];
    let leaf = CertificateFacts {
        names: Box::new(["open sesame".into()]),
        ..certificate("CN=open sesame", BEGIN)
    };
    let report = with_facts(
        &spec,
        TlsFacts {
            chain: vec![leaf],
            ..facts()
        },
    );
    for text in [
        document::line(&report),
        text_report::report(&report, ColorMode::Off),
        single(&report, "tls.names"),
    ] {
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[test]
fn addresses_with_another_certificate_are_named() {
    let mut all = plan(0, "mx1.example.org", None);
    Arc::get_mut(&mut Arc::get_mut(&mut all).unwrap().spec)
        .unwrap()
        .addresses = AddressSelection::All;
    let on = |last: u8, leaf: u8| {
        let mut chain = facts().chain;
        chain[0].sha256 = [leaf; 32];
        let mut one = with_facts(&all, TlsFacts { chain, ..facts() })
            .connection
            .unwrap();
        one.address.set_ip([192, 0, 2, last].into());
        one
    };
    let mut report = with_facts(&all, facts());
    report.connection = Some(on(1, 7));
    report.address_count = 4;
    let mut dead = on(4, 7);
    dead.dialogue = None;
    report.addresses = Box::new([on(1, 7), on(2, 8), on(3, 7), dead]);
    assert_eq!(tls_part(&report)["other_addresses"], json!(["192.0.2.2"]));
    let document: Json = serde_json::from_str(&document::line(&report)).unwrap();
    let each: Vec<_> = document["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            entry["tls"]["sha256"]
                .as_str()
                .map(|text| text[..2].to_owned())
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(each, [some("07"), some("08"), some("07"), None]);
    assert_eq!(document["addresses"][0]["tls"]["days_left"], json!(10.0));
    assert!(document["addresses"][0]["tls"].get("chain").is_none());
    let text = text_report::report(&report, ColorMode::Off);
    let sentence = "differs   192.0.2.2: another certificate than on 192.0.2.1";
    assert!(text.contains(sentence), "{text}");
    // All the same.
    report.addresses[1] = on(2, 7);
    assert_eq!(tls_part(&report)["other_addresses"], json!([]));
    // Only one serves a certificate.
    report.addresses[1].dialogue = None;
    report.addresses[2].dialogue = None;
    assert_eq!(tls_part(&report).get("other_addresses"), None);
}

#[test]
fn a_compact_entry_has_what_items_need() {
    let compact = |report: &Report| {
        let mut buffer = Vec::new();
        entry::write(report, DefaultFields::Omit, &mut buffer);
        let mut entry: Json = serde_json::from_slice(&buffer).unwrap();
        entry["tls"].take()
    };
    let keys = |tls: &Json| {
        let keys = tls.as_object().unwrap().keys().cloned();
        keys.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        keys(&compact(&reported(TlsFacts {
            staple: false,
            ..facts()
        }))),
        "alpn chain_days_left cipher days_left group issuer key lifetime_left not_after not_before \
         serial sha256 signature spki_sha256 subject verified version"
    );
    let faulty = TlsFacts {
        how: FactSource::Hello,
        proved: false,
        verification: verification(BEGIN, &[Fault::WeakKey]),
        client_cert: Some(true),
        ..facts()
    };
    let tls = compact(&reported(faulty));
    for key in [
        "how",
        "proved",
        "faults",
        "verify_error",
        "client_cert",
        "staple",
    ] {
        assert!(tls.get(key).is_some(), "{key}");
    }
}

#[test]
fn a_person_sees_who_by_whom_and_how_long() {
    let shown = |facts: TlsFacts| {
        let text = text_report::report(&reported(facts), ColorMode::Off);
        let from = text.find("  tls  ").map_or(0, |first| first);
        text[from..].to_owned()
    };
    let expected = [
        "  tls       TLSv1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768, ALPN h2, with an OCSP response",
        "  subject   CN=www.example.org",
        "  names     www.example.org, 192.0.2.7",
        "  issuer    CN=Test CA",
        "  valid     2025-10-09 to 2026-01-17, 10 of 100 days left  ███▎",
        "  chain     2 certificates; CN=Test CA expires in 7 days",
        "  key       ECDSA-P256, pin +/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
        "  trust     verified by the 144 certificates of /etc/ssl/ca.pem",
    ];
    let text = shown(facts());
    let first = text.lines().skip_while(|line| !line.contains("TLSv1.3"));
    let lines: Vec<_> = first.take(expected.len()).collect();
    assert_eq!(lines, expected);

    let faulty = TlsFacts {
        verification: verification(BEGIN + 101 * DAY, &Fault::ALL),
        roots: None,
        ..facts()
    };
    let text = shown(faulty);
    assert!(
        text.contains("valid     2025-10-09 to 2026-01-17, expired 24 hours ago\n"),
        "{text}"
    );
    assert!(
        text.contains("chain     2 certificates; CN=Test CA expired 4 days ago\n"),
        "{text}"
    );
    assert!(text.contains("trust     NOT trusted\n"), "{text}");
    for fault in Fault::ALL {
        let name = fault.name();
        let line = format!("fault     {name}: {name} is wrong: mend it\n");
        assert!(text.contains(&line), "{line}");
    }
    let early = TlsFacts {
        verification: verification(BEGIN - 3 * DAY, &[]),
        ..facts()
    };
    assert!(shown(early).contains("begins in 3 days\n"));
}

#[test]
fn a_table_says_how_long_certificates_last() {
    let row = |at: i64, faults: &[Fault]| {
        let report = reported(TlsFacts {
            verification: verification(at, faults),
            ..facts()
        });
        let mut table = ResultTable::new(1);
        table.set(&report);
        let text = written(&table, &report);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert!(row(BEGIN, &[]).ends_with("  certificate for 100 days"));
    assert!(row(BEGIN, &[Fault::SelfSigned]).ends_with("for 100 days, self_signed"));
    assert!(row(BEGIN + 102 * DAY, &[]).ends_with("certificate expired 2 days ago"));
}
