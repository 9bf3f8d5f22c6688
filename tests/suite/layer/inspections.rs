//! Further connections that read what the first one could not.

use std::sync::Mutex;

use zbx_tcp::plan::Attempts;
use zbx_tcp::tls_facts::FactSource;

use super::*;

const INSPECT: &[u8] = b"INSPECT 127.0.0.1\n";

/// What the layer was asked with.
type Log = Arc<Mutex<Vec<toy::Asked>>>;

/// A layer that asks for these inspections.
fn asking(asks: Vec<toy::Asks>) -> (zbx_tcp::plan::layer::SharedLayer, Log) {
    let toy = toy::Toy {
        asks,
        ..toy::Toy::default()
    };
    let log = Arc::clone(&toy.asked);
    (toy.shared(), log)
}

fn reading() -> toy::Asks {
    toy::Asks::default()
}

fn deciding() -> toy::Asks {
    toy::Asks {
        after: None,
        decides: true,
    }
}

fn with_layer(asks: Vec<toy::Asks>, steps: Vec<Step>) -> (ProbeSpec, Log) {
    let (layer, log) = asking(asks);
    let spec = ProbeSpec {
        layer: Some(layer),
        ..layered(steps)
    };
    (spec, log)
}

fn failure(report: &Report) -> &str {
    &report.failure.as_ref().unwrap().text
}

#[test]
fn an_inspection_adds_facts_and_changes_nothing_else() {
    let (spec, log) = with_layer(vec![reading()], vec![expect("ready")]);
    let (report, rest) = probe_each(spec, |number, stream| {
        if number == 0 {
            assert!(reads(stream, HELLO));
            return stream.write_all(b"GO AWAY\n").unwrap();
        }
        assert!(reads(stream, INSPECT));
        std::thread::sleep(Duration::from_millis(300));
        stream.write_all(b"CERT b\nENOUGH\n").unwrap();
    });
    let text = "TLS handshake with PEER: unexpected answer";
    assert_failed(&report, Status::TlsFailed, text);
    assert!(failure(&report).ends_with("unexpected answer"));
    assert_eq!(certificate(&report).as_deref(), Some("b"));
    assert_eq!(facts(&report).unwrap().how, FactSource::Hello);
    assert!(report.total < Duration::from_millis(300));
    let connection = report.connection.as_ref().unwrap();
    assert!(connection.total < Duration::from_millis(300));
    assert_eq!(connection.response(), None);
    assert_eq!(handshake(&report), None);
    assert!(rest[1].is_empty(), "nothing after its hello: {rest:?}");
    let asked = log.lock().unwrap();
    assert_eq!(
        *asked,
        [
            (Status::TlsFailed, None, 0),
            (Status::TlsFailed, Some("b".to_owned()), 1)
        ]
    );
}

#[test]
fn the_dialogue_before_the_layer_is_spoken_again() {
    let (layer, _) = asking(vec![reading()]);
    let mut spec = starttls();
    spec.steps[3] = Step::StartTls(layer);
    let (report, rest) = probe_each(spec, |number, stream| {
        stream.write_all(b"220 mx1\r\n").unwrap();
        assert!(reads(stream, b"STARTTLS\r\n"));
        stream.write_all(b"220 go ahead\r\n").unwrap();
        if number == 0 {
            assert!(reads(stream, HELLO));
            return stream.write_all(b"454 not now\r\n").unwrap();
        }
        assert!(reads(stream, INSPECT));
        // Even if its handshake completes, nothing is sent.
        stream.write_all(b"CERT b\nWELCOME\n").unwrap();
    });
    let text = "TLS handshake (step 4) with PEER: unexpected answer";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(certificate(&report).as_deref(), Some("b"));
    assert!(rest[1].is_empty(), "{rest:?}");
    let response = report.connection.as_ref().unwrap().response();
    assert_eq!(response.unwrap().bytes, 9 + 14);
}

#[test]
fn an_inspection_may_decide() {
    let run = |answer: &'static [u8]| {
        let (spec, _) = with_layer(vec![deciding()], Vec::new());
        let (report, _) = probe_each(spec, move |number, stream| {
            if number == 0 {
                assert!(reads(stream, HELLO));
                return stream.write_all(b"GO AWAY\n").unwrap();
            }
            assert!(reads(stream, INSPECT));
            std::thread::sleep(Duration::from_millis(50));
            stream.write_all(answer).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
        });
        report
    };
    let report = run(b"CERT b\nENOUGH\n");
    assert_eq!(report.failure, None);
    assert_eq!(certificate(&report).as_deref(), Some("b"));
    assert_eq!(handshake(&report), None);
    assert!(
        report.total >= Duration::from_millis(50),
        "until the verdict"
    );
    let report = run(b"CERT b\nSTRANGER\n");
    let text = "TLS handshake with PEER: unknown issuer";
    assert_failed(&report, Status::TlsUntrusted, text);
    assert_eq!(certificate(&report).as_deref(), Some("b"));
    let report = run(b"CERT b\n");
    let text = "TLS handshake with PEER: the peer closed the connection";
    assert_failed(&report, Status::TlsFailed, text);
}

/// Only a failure of TLS is open to verification.
#[test]
fn an_inspection_cannot_decide_on_another_verdict() {
    for (greeting, status) in [
        (&b"CERT a\nSTRANGER\n"[..], Status::TlsUntrusted),
        (b"CERT a\nWELCOME\n", Status::Ok),
    ] {
        let (spec, log) = with_layer(vec![deciding()], Vec::new());
        let (report, _) = probe_each(spec, move |number, stream| {
            if number == 0 {
                return stream.write_all(greeting).unwrap();
            }
            let answer: &[u8] = match status {
                Status::Ok => b"CERT b\nSTRANGER\n",
                _ => b"CERT b\nENOUGH\n",
            };
            stream.write_all(answer).unwrap();
        });
        assert_eq!(report.status(), status, "{:?}", report.failure);
        // The certificate is verified by the connection that showed it first.
        assert_eq!(certificate(&report).as_deref(), Some("a"));
        assert_eq!(log.lock().unwrap().len(), 2, "it was made");
    }
}

#[test]
fn an_inspection_without_a_verification_decides_nothing() {
    let (layer, log) = asking(vec![deciding()]);
    let mut spec = starttls();
    spec.steps[3] = Step::StartTls(layer);
    let (report, _) = probe_each(spec, |number, stream| {
        if number == 1 {
            stream.write_all(b"421 busy\r\n").unwrap();
            return stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        stream.write_all(b"220 mx1\r\n").unwrap();
        assert!(reads(stream, b"STARTTLS\r\n"));
        stream.write_all(b"220 go ahead\r\n").unwrap();
        assert!(reads(stream, HELLO));
        stream.write_all(b"454 not now\r\n").unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
    });
    let text = "TLS handshake (step 4) with PEER: unexpected answer: an additional connection, \
                needed for the verdict, failed: expect (step 1) from PEER: ";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(log.lock().unwrap().len(), 2);
}

#[test]
fn inspections_follow_one_another_and_are_limited() {
    let (spec, log) = with_layer(vec![reading(); 20], Vec::new());
    let (report, rest) = probe_each(spec, |number, stream| {
        if number == 0 {
            assert!(reads(stream, HELLO));
            return stream.write_all(b"WELCOME\n").unwrap();
        }
        assert!(reads(stream, INSPECT));
        stream.write_all(b"ENOUGH\n").unwrap();
    });
    assert_eq!(report.failure, None);
    assert_eq!(rest.len(), 1 + 6);
    let numbers: Vec<_> = log.lock().unwrap().iter().map(|asked| asked.2).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn no_inspection_starts_shortly_before_the_deadline() {
    let (spec, log) = with_layer(vec![reading()], Vec::new());
    let spec = ProbeSpec {
        timeout: Duration::from_millis(300),
        ..spec
    };
    let (report, rest) = probe_each(spec, |_, stream| {
        std::thread::sleep(Duration::from_millis(220));
        stream.write_all(b"CERT a\nWHAT\n").unwrap();
    });
    assert_eq!(report.status(), Status::TlsFailed);
    assert_eq!((rest.len(), log.lock().unwrap().len()), (1, 0));
    assert_eq!(certificate(&report).as_deref(), Some("a"));
}

#[test]
fn a_peer_that_does_not_serve_the_inspection_ends_it_at_the_deadline() {
    for asks in [reading(), deciding()] {
        let (spec, _) = with_layer(vec![asks], Vec::new());
        let spec = ProbeSpec {
            timeout: Duration::from_millis(400),
            ..spec
        };
        let (report, rest) = probe_each(spec, |number, stream| {
            if number == 0 {
                assert!(reads(stream, HELLO));
                return stream.write_all(b"GO AWAY\n").unwrap();
            }
            assert!(reads(stream, INSPECT));
            stream.write_all(b"CERT b\n").unwrap();
        });
        let text = if asks.decides {
            "TLS handshake with PEER: not complete before the deadline: received 7 bytes"
        } else {
            "TLS handshake with PEER: unexpected answer"
        };
        assert_failed(&report, Status::TlsFailed, text);
        assert_eq!(
            certificate(&report).as_deref(),
            Some("b"),
            "what it has shown"
        );
        assert_eq!(report.total < Duration::from_millis(200), !asks.decides);
        assert_eq!(rest.len(), 2);
    }
}

fn three(require: u32) -> Attempts {
    let number = |number| std::num::NonZeroU32::new(number).unwrap();
    Attempts {
        count: number(3),
        interval: Duration::from_millis(30),
        require: number(require),
    }
}

#[test]
fn of_several_attempts_only_the_one_that_is_reported_is_inspected() {
    let (spec, log) = with_layer(vec![reading(); 2], Vec::new());
    let spec = ProbeSpec {
        attempts: Some(three(1)),
        ..spec
    };
    // The second one is the last that succeeds.
    let (report, rest) = probe_each(spec, |number, stream| {
        let answer: &[u8] = match number {
            0 | 2 => b"GO AWAY\n",
            1 => b"CERT a\nWELCOME\n",
            _ => b"ENOUGH\n",
        };
        stream.write_all(answer).unwrap();
    });
    assert_eq!(report.failure, None);
    let attempts = report.attempts.as_ref().unwrap();
    assert_eq!((attempts.sent(), attempts.ok()), (3, 1));
    assert_eq!(certificate(&report).as_deref(), Some("a"));
    assert_eq!(rest.len(), 5, "two inspections");
    assert!(rest[..3].iter().all(|rest| rest.starts_with(HELLO)));
    assert!(rest[3..].iter().all(|rest| rest.starts_with(INSPECT)));
    let asked = log.lock().unwrap();
    let of_reported = (Status::Ok, Some("a".to_owned()), 1);
    assert!(asked.contains(&of_reported), "{asked:?}");
}

#[test]
fn an_inspection_decides_on_each_of_several_attempts() {
    let (spec, _) = with_layer(vec![deciding()], Vec::new());
    let spec = ProbeSpec {
        attempts: Some(three(3)),
        ..spec
    };
    let (report, rest) = probe_each(spec, |_, stream| {
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
        let answer: &[u8] = if first == *b"H" {
            b"GO AWAY\n"
        } else {
            b"CERT b\nENOUGH\n"
        };
        stream.write_all(answer).unwrap();
    });
    assert_eq!(report.failure, None);
    let attempts = report.attempts.as_ref().unwrap();
    assert_eq!((attempts.sent(), attempts.ok()), (3, 3));
    assert_eq!(rest.len(), 6);
}
