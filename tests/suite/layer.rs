//! Layers, of which TLS is one, with a toy layer through the whole engine: its handshake needs a
//! round trip, and it inverts bits afterwards.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use zbx_tcp::address::Target;
use zbx_tcp::engine;
use zbx_tcp::engine::{Limits, Observed, ResolverKind, Sink};
use zbx_tcp::failure::Status;
use zbx_tcp::plan::bytes::Charset;
use zbx_tcp::plan::pattern::Pattern;
use zbx_tcp::plan::steps::{Expect, Step, Template};
use zbx_tcp::plan::{Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::Report;
use zbx_tcp::source::List;
use zbx_tcp::tls_facts::TlsFacts;

use crate::scripted_peer::{Peer, close_with_rst};

pub mod toy;

mod inspections;
mod refusal;

const HELLO: &[u8] = b"HELLO 127.0.0.1\n";
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Collected {
    reports: Vec<Report>,
    /// The messages of the layer, if a transcript is written.
    messages: Option<mpsc::Sender<(Duration, String)>>,
}

impl Sink for Collected {
    fn deliver(&mut self, report: Report) {
        self.reports.push(report);
    }

    fn observe(&mut self, _plan: &Plan, at: Duration, what: Observed<'_>) {
        if let (Some(messages), Observed::Message(_, text)) = (&self.messages, what) {
            messages.send((at, text.to_owned())).unwrap();
        }
    }

    fn observes(&self) -> bool {
        self.messages.is_some()
    }
}

fn send(bytes: &[u8]) -> Step {
    Step::Send(Template::bytes(bytes))
}

fn expect(regex: &str) -> Step {
    Step::Expect(Expect::one(
        Pattern::regex(regex, Charset::default()).unwrap(),
    ))
}

/// A probe whose layer starts directly after the connect.
fn layered(steps: Vec<Step>) -> ProbeSpec {
    ProbeSpec {
        layer: Some(toy::layer()),
        steps,
        timeout: TIMEOUT,
        ..ProbeSpec::default()
    }
}

/// A probe whose layer starts in the middle of the dialogue.
fn starttls() -> ProbeSpec {
    let steps = vec![
        expect(r"220 [^\n]*\n"),
        send(b"STARTTLS\r\n"),
        expect(r"220 [^\n]*\n"),
        Step::StartTls(toy::layer()),
        send(b"EHLO me\r\n"),
        expect(r"250 [^\n]*\n"),
    ];
    ProbeSpec {
        steps,
        timeout: TIMEOUT,
        ..ProbeSpec::default()
    }
}

/// Lets the end of the script reset the connection.
fn rst(stream: &mut TcpStream) {
    close_with_rst(stream.try_clone().unwrap());
    stream.shutdown(std::net::Shutdown::Read).unwrap();
}

/// Reads exactly these bytes; false if the client sends others or leaves.
fn reads(stream: &mut TcpStream, expected: &[u8]) -> bool {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).is_ok() && bytes == expected
}

/// Probes a peer that runs this script, and gives the report, and what the peer read after its
/// script.
fn probe(spec: ProbeSpec, script: impl Fn(&mut TcpStream) + Send + 'static) -> (Report, Vec<u8>) {
    let (report, mut rest) = probe_each(spec, move |_, stream| script(stream));
    assert_eq!(rest.len(), 1, "one connection");
    (report, rest.remove(0))
}

/// Probes a peer that runs this script on each connection, which are numbered from 0. Gives the
/// report, and what the peer read after its script.
fn probe_each(
    spec: ProbeSpec,
    script: impl Fn(usize, &mut TcpStream) + Send + 'static,
) -> (Report, Vec<Vec<u8>>) {
    observed(spec, Collected::default(), script)
}

fn observed(
    spec: ProbeSpec,
    mut collected: Collected,
    script: impl Fn(usize, &mut TcpStream) + Send + 'static,
) -> (Report, Vec<Vec<u8>>) {
    let (sender, read) = mpsc::channel();
    let number = AtomicUsize::new(0);
    let peer = Peer::start(move |mut stream: TcpStream| {
        script(number.fetch_add(1, Ordering::SeqCst), &mut stream);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let _ = sender.send(rest);
    });
    let target = Target::from_arguments("127.0.0.1", Some(&peer.port()), None).unwrap();
    let plan = Arc::new(Plan::new(spec, target));
    let limits = Limits::in_flight(NonZeroUsize::MIN);
    engine::run(
        &mut List::new(vec![plan]),
        &mut collected,
        &Policy::allow_all(),
        &limits,
        ResolverKind::default(),
    )
    .unwrap();
    let report = collected.reports.pop().unwrap();
    assert!(collected.reports.is_empty(), "one plan, one report");
    let rest = (0..peer.accepted()).map(|_| read.recv_timeout(TIMEOUT * 2).unwrap());
    (report, rest.collect())
}

fn facts(report: &Report) -> Option<&TlsFacts> {
    let dialogue = report.connection.as_ref()?.dialogue.as_ref()?;
    dialogue.tls.as_deref()
}

/// The name of the certificate that is reported.
fn certificate(report: &Report) -> Option<String> {
    facts(report).and_then(toy::name)
}

#[track_caller]
fn assert_failed(report: &Report, status: Status, text: &str) {
    let failure = report.failure.as_ref().expect("the probe succeeded");
    assert_eq!(failure.status, status, "{}", failure.text);
    // The port is the peer's own.
    let address = report.connection.as_ref().unwrap().address.to_string();
    let actual = failure.text.replace(&address, "PEER");
    assert!(actual.starts_with(text), "{actual}");
}

fn handshake(report: &Report) -> Option<Duration> {
    let connection = report.connection.as_ref()?;
    connection.dialogue.as_ref()?.handshake
}

#[test]
fn a_dialogue_runs_within_the_layer() {
    let spec = layered(vec![expect(r"\A220 [^\n]*\n"), send(b"hi"), expect("ok")]);
    let (report, rest) = probe(spec, |stream| {
        assert!(reads(stream, HELLO));
        std::thread::sleep(Duration::from_millis(50));
        // The first application bytes are in the segment that completes the handshake.
        let greeting = [b"WELCOME\n", toy::invert(b"220 ready\r\n").as_slice()].concat();
        stream.write_all(&greeting).unwrap();
        assert!(reads(stream, &toy::invert(b"hi")));
        stream.write_all(&toy::invert(b"ok")).unwrap();
    });
    assert_eq!(report.failure, None);
    assert!(handshake(&report).unwrap() >= Duration::from_millis(50));
    let connection = report.connection.as_ref().unwrap();
    let dialogue = connection.dialogue.as_ref().unwrap();
    assert_eq!(
        connection.response().unwrap().bytes,
        13,
        "application bytes"
    );
    assert!(
        dialogue.first_byte.unwrap() < Duration::from_millis(50),
        "the dialogue starts after the handshake"
    );
    assert_eq!(rest, [toy::CLOSE], "the layer is closed before the FIN");
}

#[test]
fn a_handshake_may_arrive_byte_by_byte() {
    let (report, _) = probe(layered(Vec::new()), |stream| {
        stream.set_nodelay(true).unwrap();
        for byte in b"WELCOME\n" {
            stream.write_all(&[*byte]).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    assert_eq!(report.failure, None);
    assert!(handshake(&report).is_some());
}

#[test]
fn a_failed_handshake_is_a_tls_failure_and_the_peer_gets_the_alert() {
    let (report, rest) = probe(layered(vec![send(b"secret")]), |stream| {
        stream.write_all(b"GO AWAY\n").unwrap();
    });
    let text = "TLS handshake with PEER: unexpected answer";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(handshake(&report), None);
    assert_eq!(rest, [HELLO, b"ALERT\n"].concat(), "nothing else is sent");
}

#[test]
fn an_untrusted_peer_has_a_status_of_its_own() {
    let (report, _) = probe(layered(Vec::new()), |stream| {
        stream.write_all(b"CERT a\nSTRANGER\n").unwrap();
    });
    let text = "TLS handshake with PEER: unknown issuer";
    assert_failed(&report, Status::TlsUntrusted, text);
    assert_eq!(certificate(&report).as_deref(), Some("a"));
}

#[test]
fn a_peer_that_is_silent_during_the_handshake_fails_at_the_deadline() {
    let spec = ProbeSpec {
        timeout: Duration::from_millis(300),
        ..layered(vec![expect("ready")])
    };
    let (report, rest) = probe(spec, |_| {});
    let text = "TLS handshake with PEER: not complete before the deadline: received 0 bytes";
    assert_failed(&report, Status::TlsFailed, text);
    assert!(report.total >= Duration::from_millis(300));
    assert!(report.connection.as_ref().unwrap().connect.is_some());
    assert_eq!(rest, HELLO);
}

#[test]
fn a_peer_that_closes_or_resets_during_the_handshake_is_a_tls_failure() {
    let (report, _) = probe(layered(Vec::new()), |stream| {
        stream.write_all(b"WEL").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let text = "TLS handshake with PEER: the peer closed the connection";
    assert_failed(&report, Status::TlsFailed, text);
    let (report, _) = probe(layered(Vec::new()), |stream| {
        assert!(reads(stream, HELLO));
        rst(stream);
    });
    let text = "TLS handshake with PEER: PEER reset the open connection";
    assert_failed(&report, Status::TlsFailed, text);
}

#[test]
fn invalid_bytes_after_the_handshake_are_a_tls_failure() {
    let (report, _) = probe(layered(vec![expect("ready")]), |stream| {
        stream.write_all(b"WELCOME\n!").unwrap();
    });
    let text = "expect (step 1) from PEER: invalid byte";
    assert_failed(&report, Status::TlsFailed, text);
    assert!(handshake(&report).is_some(), "the handshake completed");
}

#[test]
fn a_peer_may_close_its_direction_within_the_layer() {
    let (report, rest) = probe(layered(vec![expect("ready")]), |stream| {
        // The TCP connection stays open.
        stream
            .write_all(&[b"WELCOME\n", &[toy::CLOSE][..]].concat())
            .unwrap();
    });
    let text = "expect (step 1) from PEER: the peer closed the connection before anything";
    assert_failed(&report, Status::Closed, text);
    assert!(report.total < TIMEOUT, "it does not wait for the FIN");
    assert_eq!(rest, HELLO);
}

#[test]
fn bytes_that_the_socket_does_not_take_at_once_are_sent_through_the_layer() {
    let bytes: Vec<u8> = (1..=250_u8).cycle().take(8 << 20).collect();
    let expected = toy::invert(&bytes);
    let (report, rest) = probe(
        layered(vec![send(&bytes), expect("got it")]),
        move |stream| {
            assert!(reads(stream, HELLO));
            stream.write_all(b"WELCOME\n").unwrap();
            std::thread::sleep(Duration::from_millis(50));
            let answer = if reads(stream, &expected) {
                "got it"
            } else {
                "other bytes"
            };
            stream.write_all(&toy::invert(answer.as_bytes())).unwrap();
        },
    );
    assert_eq!(report.failure, None);
    assert_eq!(rest, [toy::CLOSE]);
}

#[test]
fn a_step_starts_the_layer_in_the_middle_of_the_dialogue() {
    let (report, rest) = probe(starttls(), |stream| {
        stream.write_all(b"220 mx1\r\n").unwrap();
        assert!(reads(stream, b"STARTTLS\r\n"));
        stream.write_all(b"220 go ahead\r\n").unwrap();
        assert!(reads(stream, HELLO));
        stream.write_all(b"WELCOME\n").unwrap();
        assert!(reads(stream, &toy::invert(b"EHLO me\r\n")));
        stream.write_all(&toy::invert(b"250 mx1\r\n")).unwrap();
    });
    assert_eq!(report.failure, None);
    assert!(handshake(&report).is_some());
    let dialogue = report.connection.as_ref().unwrap().dialogue.as_ref();
    assert_eq!(dialogue.unwrap().step, Some(6));
    assert_eq!(rest, [toy::CLOSE]);
}

#[test]
fn plaintext_after_the_answer_to_starttls_is_refused() {
    let (report, rest) = probe(starttls(), |stream| {
        stream.write_all(b"220 mx1\r\n").unwrap();
        assert!(reads(stream, b"STARTTLS\r\n"));
        stream
            .write_all(b"220 go ahead\r\n250 injected\r\n")
            .unwrap();
    });
    let text = "TLS handshake (step 4) with PEER: received 14 bytes before the handshake, which may \
                be injected: \"250 injected\\r\\n\"";
    assert_failed(&report, Status::TlsFailed, text);
    assert_eq!(handshake(&report), None);
    assert!(rest.is_empty(), "no handshake was started: {rest:?}");
}

#[test]
fn a_handshake_that_fails_at_starttls_names_its_step() {
    let (report, _) = probe(starttls(), |stream| {
        stream.write_all(b"220 mx1\r\n").unwrap();
        assert!(reads(stream, b"STARTTLS\r\n"));
        stream.write_all(b"220 go ahead\r\n").unwrap();
        assert!(reads(stream, HELLO));
        stream.write_all(b"454 not now\r\n").unwrap();
    });
    let text = "TLS handshake (step 4) with PEER: unexpected answer";
    assert_failed(&report, Status::TlsFailed, text);
}

/// A probe that fails in the handshake after the certificate is known.
#[track_caller]
fn fails_after_certificate(end: impl Fn(&mut TcpStream) + Send + 'static, text: &str) {
    let spec = ProbeSpec {
        timeout: Duration::from_millis(300),
        ..layered(vec![expect("ready")])
    };
    let (report, _) = probe(spec, move |stream| {
        assert!(reads(stream, HELLO));
        stream.write_all(b"CERT a\n").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        end(stream);
    });
    assert_failed(
        &report,
        Status::TlsFailed,
        &format!("TLS handshake with PEER: {text}"),
    );
    assert_eq!(certificate(&report).as_deref(), Some("a"));
    assert_eq!(handshake(&report), None);
}

#[test]
fn facts_are_reported_however_the_handshake_fails() {
    let fin = |stream: &mut TcpStream| stream.shutdown(std::net::Shutdown::Write).unwrap();
    fails_after_certificate(fin, "the peer closed the connection");
    fails_after_certificate(rst, "PEER reset the open connection");
    fails_after_certificate(
        |stream| stream.write_all(b"what\n").unwrap(),
        "unexpected answer",
    );
    fails_after_certificate(|_| {}, "not complete before the deadline: received 7 bytes");
}

#[test]
fn facts_of_a_completed_handshake_are_reported_whatever_the_dialogue_does() {
    for answer in ["ready", "nothing"] {
        let (report, _) = probe(layered(vec![expect("ready")]), move |stream| {
            stream.write_all(b"CERT a\nWELCOME\n").unwrap();
            stream.write_all(&toy::invert(answer.as_bytes())).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        });
        assert_eq!(report.is_up(), answer == "ready");
        assert_eq!(certificate(&report).as_deref(), Some("a"));
        assert!(facts(&report).unwrap().proved);
    }
}

#[test]
fn a_layer_that_is_done_ends_the_probe_with_success() {
    let steps = || vec![expect("ready"), send(b"secret")];
    let (report, rest) = probe(layered(steps()), |stream| {
        assert!(reads(stream, HELLO));
        stream.write_all(b"CERT a\nENOUGH\n").unwrap();
    });
    assert_eq!(report.failure, None);
    assert_eq!(handshake(&report), None, "it did not complete");
    let dialogue = report.connection.as_ref().unwrap().dialogue.as_ref();
    assert_eq!(dialogue.unwrap().duration, None, "there was no dialogue");
    assert_eq!(certificate(&report).as_deref(), Some("a"));
    assert!(rest.is_empty(), "nothing else is sent: {rest:?}");

    let (report, rest) = probe(layered(steps()), |stream| {
        assert!(reads(stream, HELLO));
        stream
            .write_all(&[b"WELCOME\n", &[toy::DONE][..]].concat())
            .unwrap();
    });
    assert_eq!(report.failure, None);
    assert!(handshake(&report).is_some());
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_layer_decides_about_the_end_of_the_connection_in_its_handshake() {
    let ends: [fn(&mut TcpStream); 2] = [
        |stream| stream.shutdown(std::net::Shutdown::Write).unwrap(),
        |stream| {
            std::thread::sleep(Duration::from_millis(50));
            rst(stream);
        },
    ];
    for end in ends {
        let (report, _) = probe(layered(vec![expect("ready")]), move |stream| {
            assert!(reads(stream, HELLO));
            stream.write_all(b"DEMANDS\n").unwrap();
            end(stream);
        });
        assert_eq!(report.failure, None);
        let (report, _) = probe(layered(vec![expect("ready")]), move |stream| {
            assert!(reads(stream, HELLO));
            stream.write_all(b"BYE\n").unwrap();
            end(stream);
        });
        let text = "TLS handshake with PEER: closed after BYE";
        assert_failed(&report, Status::TlsFailed, text);
        // After the handshake the end of the connection is that of the dialogue.
        let (report, _) = probe(layered(vec![expect("ready")]), move |stream| {
            assert!(reads(stream, HELLO));
            stream.write_all(b"BYE\nWELCOME\n").unwrap();
            end(stream);
        });
        let status = report.status();
        assert!(
            matches!(status, Status::Closed | Status::Reset),
            "{status:?}"
        );
    }
}

#[test]
fn messages_of_the_layer_have_the_time_at_which_they_came() {
    let (messages, read) = mpsc::channel();
    let collected = Collected {
        messages: Some(messages),
        ..Collected::default()
    };
    let (report, _) = observed(layered(Vec::new()), collected, |_, stream| {
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"CERT a\n").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"WELCOME\n").unwrap();
    });
    assert_eq!(report.failure, None);
    let messages: Vec<_> = read.iter().collect();
    let texts: Vec<_> = messages.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["start", "line CERT a", "line WELCOME"]);
    for ((at, _), least) in messages.iter().zip([0, 100, 200]) {
        assert!(*at >= Duration::from_millis(least), "{messages:?}");
    }
}

/// What layers hold counts as received data, of which a run holds at most 64 MiB.
#[test]
fn endless_handshakes_do_not_use_all_memory() {
    const PEERS: usize = 300;
    const SENT: usize = 128 * 1024;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let peers = std::thread::spawn(move || {
        let mut open = Vec::new();
        for _ in 0..PEERS {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&[b'x'; SENT]).unwrap();
            open.push(stream);
        }
        open
    });
    let spec = ProbeSpec {
        timeout: Duration::from_secs(3),
        ..layered(Vec::new())
    };
    let target = Target::from_arguments("127.0.0.1", Some(&port), None).unwrap();
    let plan = Arc::new(Plan::new(spec, target));
    let mut collected = Collected::default();
    let limits = Limits {
        deadline: Some(Duration::from_secs(4)),
        ..Limits::in_flight(NonZeroUsize::new(PEERS).unwrap())
    };
    engine::run(
        &mut List::new(vec![plan; PEERS]),
        &mut collected,
        &Policy::allow_all(),
        &limits,
        ResolverKind::default(),
    )
    .unwrap();
    drop(peers.join().unwrap());
    assert_eq!(collected.reports.len(), PEERS);
    let of = |status| {
        let reports = collected.reports.iter();
        reports.filter(|report| report.status() == status).count()
    };
    let (failed, unknown) = (
        of(Status::TlsFailed),
        of(Status::LocalError) + of(Status::NotTried),
    );
    assert_eq!(failed + unknown, PEERS);
    assert!(
        failed >= 40 && unknown >= 20,
        "{failed} failed, {unknown} unknown"
    );
}

/// With one connection per address the next one waits until the one before it is closed.
#[test]
fn inspections_keep_the_limits_of_the_run() {
    let toy = toy::Toy {
        asks: vec![toy::Asks::default(); 3],
        ..toy::Toy::default()
    };
    let spec = ProbeSpec {
        layer: Some(toy.shared()),
        ..layered(Vec::new())
    };
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now_open, most_open) = (Arc::clone(&open), Arc::clone(&most));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let peers = std::thread::spawn(move || {
        let serve = |mut stream: TcpStream, now_open: Arc<AtomicUsize>| {
            stream.write_all(b"ENOUGH\n").unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
            now_open.fetch_sub(1, Ordering::SeqCst);
        };
        let mut threads = Vec::new();
        for _ in 0..4 * 2 {
            let (stream, _) = listener.accept().unwrap();
            let number = now_open.fetch_add(1, Ordering::SeqCst) + 1;
            most_open.fetch_max(number, Ordering::SeqCst);
            let now_open = Arc::clone(&now_open);
            threads.push(std::thread::spawn(move || serve(stream, now_open)));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let target = Target::from_arguments("127.0.0.1", Some(&port), None).unwrap();
    let plan = Arc::new(Plan::new(spec, target));
    let mut collected = Collected::default();
    let limits = Limits {
        per_address: Some(NonZeroUsize::MIN),
        rate: std::num::NonZeroU32::new(20),
        ..Limits::in_flight(NonZeroUsize::new(2).unwrap())
    };
    let start = std::time::Instant::now();
    engine::run(
        &mut List::new(vec![plan; 2]),
        &mut collected,
        &Policy::allow_all(),
        &limits,
        ResolverKind::default(),
    )
    .unwrap();
    peers.join().unwrap();
    assert!(collected.reports.iter().all(Report::is_up));
    assert!(
        start.elapsed() >= Duration::from_millis(7 * 50),
        "20 a second"
    );
    // The peer may see a close after the next connect.
    assert!(most.load(Ordering::SeqCst) <= 2);
}

/// A server that looks whether more was sent than one command takes the end of the layer for a lost
/// connection.
#[test]
fn the_layer_is_closed_after_the_answer_to_quit() {
    let probe_with_quit = |answers: bool| {
        let spec = ProbeSpec {
            quit: Some(Template::bytes(*b"QUIT")),
            ..layered(vec![expect("ready")])
        };
        let script = move |stream: &mut TcpStream| {
            assert!(reads(stream, HELLO));
            let greeting = [b"WELCOME\n", toy::invert(b"ready").as_slice()].concat();
            stream.write_all(&greeting).unwrap();
            assert!(reads(stream, &toy::invert(b"QUIT")));
            std::thread::sleep(Duration::from_millis(30));
            stream.set_nonblocking(true).unwrap();
            let early = stream.read(&mut [0; 8]);
            assert!(early.is_err(), "nothing follows yet: {early:?}");
            stream.set_nonblocking(false).unwrap();
            if answers {
                stream.write_all(&toy::invert(b"bye")).unwrap();
            }
        };
        probe(spec, script)
    };
    for answers in [true, false] {
        let (report, rest) = probe_with_quit(answers);
        assert_eq!(report.failure, None);
        assert_eq!(rest, [toy::CLOSE], "answered: {answers}");
    }
}
