//! A peer that may refuse us after the handshake, as a server of TLS 1.3 that demands a client
//! certificate.

use super::*;

const SENTENCE: &str =
    "the peer requested a client certificate, and has neither accepted nor refused this client";

/// The time in which the alert of a peer that sends data has to come.
const ALERT_TIME: Duration = Duration::from_millis(100);

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Completes the handshake of a peer that may refuse us.
fn welcome(stream: &mut TcpStream) {
    stream.set_nodelay(true).unwrap();
    assert!(reads(stream, HELLO));
    stream.write_all(b"CERT a\nWELCOME?\n").unwrap();
}

fn short(steps: Vec<Step>) -> ProbeSpec {
    ProbeSpec {
        timeout: Duration::from_millis(400),
        ..layered(steps)
    }
}

#[test]
fn a_probe_without_steps_waits_for_the_answer() {
    let (report, _) = probe(layered(Vec::new()), |stream| {
        welcome(stream);
        pause(150);
        stream.write_all(&[toy::ACCEPTED]).unwrap();
    });
    assert_eq!(report.failure, None);
    assert!(report.total >= Duration::from_millis(150));
    assert!(handshake(&report).unwrap() < Duration::from_millis(150));

    let (report, _) = probe(layered(Vec::new()), |stream| {
        welcome(stream);
        pause(150);
        stream.write_all(&[toy::REFUSED]).unwrap();
    });
    let text = "TLS handshake with PEER: certificate required";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(facts(&report).unwrap().client_cert, Some(true));
    assert_eq!(certificate(&report).as_deref(), Some("a"));
}

#[test]
fn a_peer_that_never_answers_has_not_accepted() {
    let (report, _) = probe(short(Vec::new()), welcome);
    let text = format!("TLS handshake with PEER: the deadline passed; {SENTENCE}");
    assert_failed(&report, Status::TlsFailed, &text);
    assert!(report.total >= Duration::from_millis(400));

    let (report, _) = probe(short(vec![send(b"hi"), expect("ok")]), welcome);
    let text = format!(
        "expect (step 2) from PEER: the deadline passed before anything was received; {SENTENCE}"
    );
    assert_failed(&report, Status::TlsFailed, &text);
}

#[test]
fn a_peer_that_leaves_has_not_accepted() {
    type End = fn(&mut TcpStream);
    let ends: [(End, &str); 3] = [
        (
            |stream| stream.shutdown(std::net::Shutdown::Write).unwrap(),
            "the peer closed the connection",
        ),
        (
            |stream| stream.write_all(&[toy::CLOSE]).unwrap(),
            "the peer closed the connection",
        ),
        (
            |stream| {
                pause(50);
                rst(stream);
            },
            "PEER reset the open connection",
        ),
    ];
    for (end, event) in ends {
        let (report, _) = probe(layered(Vec::new()), move |stream| {
            welcome(stream);
            end(stream);
        });
        let text = format!("TLS handshake with PEER: {event}; {SENTENCE}");
        assert_failed(&report, Status::TlsFailed, &text);
        assert!(report.total < TIMEOUT);
    }
}

#[test]
fn data_that_came_before_the_refusal_is_no_success() {
    let greets = || layered(vec![expect("220")]);
    let (report, _) = probe(greets(), |stream| {
        welcome(stream);
        stream.write_all(&toy::invert(b"220")).unwrap();
        pause(50);
        stream.write_all(&[toy::REFUSED]).unwrap();
    });
    let text = "TLS handshake with PEER: certificate required";
    assert_failed(&report, Status::TlsFailed, text);

    let (report, _) = probe(greets(), |stream| {
        welcome(stream);
        stream.write_all(&toy::invert(b"220")).unwrap();
    });
    assert_eq!(report.failure, None);
    assert!(report.total >= ALERT_TIME && report.total < TIMEOUT);
    let dialogue = report.connection.as_ref().unwrap().dialogue.as_ref();
    assert!(dialogue.unwrap().duration.is_some());
}

/// Both in the bytes that complete the handshake: nothing in them answers what is sent afterwards.
#[test]
fn data_of_the_handshake_answers_nothing() {
    let (report, _) = probe(layered(vec![send(b"hi"), expect("220")]), |stream| {
        assert!(reads(stream, HELLO));
        let bytes = [b"WELCOME?\n", toy::invert(b"220").as_slice()].concat();
        stream.write_all(&bytes).unwrap();
        pause(50);
        stream.write_all(&[toy::REFUSED]).unwrap();
    });
    let text = "TLS handshake with PEER: certificate required";
    assert_failed(&report, Status::TlsFailed, text);
}

#[test]
fn data_that_answers_us_is_no_success_before_a_refusal() {
    let dialogue = || layered(vec![expect("220"), send(b"hi"), expect("ok")]);
    let (report, _) = probe(dialogue(), |stream| {
        welcome(stream);
        stream.write_all(&toy::invert(b"220")).unwrap();
        assert!(reads(stream, &toy::invert(b"hi")));
        pause(20);
        stream.write_all(&toy::invert(b"ok")).unwrap();
        // It may have answered before it has seen our certificate.
        pause(30);
        stream.write_all(&[toy::REFUSED]).unwrap();
    });
    let text = "TLS handshake with PEER: certificate required";
    assert_failed(&report, Status::TlsFailed, text);

    let (report, _) = probe(dialogue(), |stream| {
        welcome(stream);
        stream.write_all(&toy::invert(b"220")).unwrap();
        assert!(reads(stream, &toy::invert(b"hi")));
        pause(20);
        let both = [toy::invert(b"ok").as_slice(), &[toy::CLOSE]].concat();
        stream.write_all(&both).unwrap();
    });
    assert_eq!(report.failure, None, "no alert can follow");
    assert!(report.total < ALERT_TIME, "{:?}", report.total);

    let (report, _) = probe(dialogue(), |stream| {
        welcome(stream);
        stream.write_all(&toy::invert(b"220")).unwrap();
        assert!(reads(stream, &toy::invert(b"hi")));
        pause(20);
        let both = [toy::invert(b"ok").as_slice(), &[toy::REFUSED]].concat();
        stream.write_all(&both).unwrap();
    });
    let text = "TLS handshake with PEER: certificate required";
    assert_failed(&report, Status::TlsFailed, text);
}

#[test]
fn an_answer_that_is_wrong_is_not_one_of_tls() {
    let (report, _) = probe(layered(vec![send(b"hi"), expect("ok")]), |stream| {
        welcome(stream);
        assert!(reads(stream, &toy::invert(b"hi")));
        pause(20);
        stream.write_all(&toy::invert(b"no")).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    assert_eq!(report.status(), Status::Mismatch, "{:?}", report.failure);
}

#[test]
fn the_time_of_the_last_step_is_not_that_of_the_answer() {
    let Step::Expect(mut greeting) = expect("220") else {
        unreachable!();
    };
    greeting.timeout = Some(Duration::from_millis(50));
    let (report, _) = probe(layered(vec![Step::Expect(greeting)]), |stream| {
        welcome(stream);
        stream.write_all(&toy::invert(b"220")).unwrap();
    });
    assert_eq!(report.failure, None);
}
