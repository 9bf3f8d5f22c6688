//! What a session says of a silent peer, by the kernel's statistics of the connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zbx_tcp::address::Target;
use zbx_tcp::engine::session::Session;
use zbx_tcp::engine::session::action::{Actions, AttemptId, Event};
use zbx_tcp::failure::Status;
use zbx_tcp::os::socket::{TcpExchange, TcpInfo};
use zbx_tcp::plan::steps::{Expect, Step, Template};
use zbx_tcp::plan::{Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::Report;

use super::{expect, literal};

const TIMEOUT: Duration = Duration::from_secs(2);
const HANGS: &str = "; the peer acknowledged our 6 bytes and says nothing: the service hangs";

/// Six acknowledged bytes, and silence since then.
fn acknowledged() -> TcpExchange {
    TcpExchange {
        acked: 6,
        retransmits: 3,
        since_sent: TIMEOUT,
        since_received: TIMEOUT,
        ..TcpExchange::default()
    }
}

fn send() -> Step {
    Step::Send(Template::bytes(*b"hello\n"))
}

/// The report of a connected probe of these steps, with these statistics. `prepare` changes the
/// session before its end.
fn silent(
    steps: Vec<Step>,
    exchange: TcpExchange,
    received: &[u8],
    prepare: impl FnOnce(&mut Session, Instant),
) -> Report {
    let spec = ProbeSpec {
        timeout: TIMEOUT,
        steps,
        ..ProbeSpec::default()
    };
    let target = Target::from_arguments("192.0.2.7", Some("25"), None).unwrap();
    let (start, mut actions) = (Instant::now(), Actions::new());
    let plan = Arc::new(Plan::new(spec, target));
    let mut session = Session::start(plan, &Policy::allow_all(), start, &mut actions);
    let first = AttemptId::new(0);
    // One SYN was sent twice.
    let info = TcpInfo {
        rtt: Duration::from_micros(300),
        retransmits: 1,
        mss: 1448,
        ..TcpInfo::default()
    };
    for event in [
        Event::Opened(first),
        Event::Connected(first, None, Some(info)),
        Event::Sent(first),
    ] {
        session.handle(event, start, &mut actions);
    }
    if !received.is_empty() {
        session.handle(Event::Received(first, received), start, &mut actions);
    }
    prepare(&mut session, start);
    for at in [session.next_wake(), session.deadline()] {
        if session.has_silent_peer(at) {
            session.measured(first, exchange);
        }
        session.tick(at, |_| None, &mut actions);
    }
    // The end of the time to close.
    let end = session.deadline() + TIMEOUT;
    session.tick(end, |_| None, &mut actions);
    session.into_report().unwrap()
}

fn nothing(_: &mut Session, _: Instant) {}

fn text(report: &Report) -> (Status, String) {
    let failure = report.failure.as_ref();
    let text = failure.map_or_else(String::new, |failure| failure.text.clone());
    (report.status(), text)
}

#[test]
fn the_end_of_the_sentence_tells_what_became_of_the_bytes() {
    let report = silent(vec![send(), expect("hi")], acknowledged(), b"", nothing);
    let (status, error) = text(&report);
    assert_eq!(status, Status::ReadTimeout);
    assert!(error.ends_with(HANGS), "{error}");
    let connection = report.connection.unwrap();
    let exchange = connection.dialogue.unwrap().exchange.unwrap();
    // Without the SYN.
    assert_eq!((exchange.bytes_acked, exchange.retransmits), (6, 2));

    let report = silent(vec![send(), expect("hi")], acknowledged(), b"ho", nothing);
    let (status, error) = text(&report);
    assert_eq!(status, Status::Mismatch);
    let end = "; the peer acknowledged our 6 bytes and says nothing more";
    assert!(error.ends_with(end), "{error}");
}

#[test]
fn a_step_has_its_own_time() {
    let quick = || {
        Step::Expect(Expect {
            timeout: Some(Duration::from_millis(300)),
            ..Expect::one(literal("hi"))
        })
    };
    let since = |millis| TcpExchange {
        since_sent: Duration::from_millis(millis),
        ..acknowledged()
    };
    let (status, error) = text(&silent(vec![send(), quick()], since(300), b"", nothing));
    assert_eq!(status, Status::ReadTimeout);
    assert!(
        error.contains("the step timed out") && error.ends_with(HANGS),
        "{error}"
    );
    let (_, error) = text(&silent(vec![send(), quick()], since(100), b"", nothing));
    assert!(error.ends_with("before anything was received"), "{error}");
}

/// If the state of the target is unknown, nothing is said of it.
#[test]
fn nothing_is_said_when_this_machine_was_late_or_the_run_ended() {
    let steps = || vec![send(), expect("hi")];
    let late = |session: &mut Session, _: Instant| session.add_delay(TIMEOUT);
    let (status, error) = text(&silent(steps(), acknowledged(), b"", late));
    assert_eq!(status, Status::LocalError);
    assert!(!error.contains("acknowledged"), "{error}");
    let cut_off = |session: &mut Session, start: Instant| {
        session.limit_deadline(start + Duration::from_secs(1));
        assert!(!session.has_silent_peer(session.deadline()));
    };
    let (status, error) = text(&silent(steps(), acknowledged(), b"", cut_off));
    assert_eq!(status, Status::NotTried);
    assert!(!error.contains("acknowledged"), "{error}");
}

/// A peer that is to be silent does not hang.
#[test]
fn an_expected_silence_is_no_failure() {
    let silence = Step::Silence(Duration::from_millis(100));
    let report = silent(vec![send(), silence], acknowledged(), b"", nothing);
    assert_eq!(text(&report), (Status::Ok, String::new()));
    let too_long = Step::Silence(TIMEOUT * 2);
    let (_, error) = text(&silent(
        vec![send(), too_long],
        acknowledged(),
        b"",
        nothing,
    ));
    assert!(!error.contains("hangs"), "{error}");
}

prop_compose! {
    fn exchanges()(
        bytes in proptest::array::uniform4(0..=u64::from(u32::MAX)),
        counts in proptest::array::uniform6(prop_oneof![0..5_u32, any::<u32>()]),
        small in any::<[u8; 2]>(),
        window in proptest::option::of(prop_oneof![Just(0), any::<u32>()]),
        times in proptest::array::uniform3(0..5000_u64),
        has_timestamps in any::<bool>(),
    ) -> TcpExchange {
        let [acked, in_flight, not_sent, received] = bytes;
        let [retransmits, segments_in_flight, segments_sacked, out_of_order, mss, _] = counts;
        let [since_sent, since_received, since_acked] = times.map(Duration::from_millis);
        TcpExchange {
            acked, in_flight, not_sent, received, retransmits,
            timeouts: small[0], window_probes: small[1], window,
            segments_in_flight, segments_sacked, out_of_order, mss, has_timestamps,
            since_sent, since_received, since_acked,
        }
    }
}

proptest! {
    /// Whatever the kernel says, the sentence is one line, and it says `hangs` only if everything
    /// was acknowledged.
    #[test]
    fn any_statistics_make_one_line(exchange in exchanges()) {
        let report = silent(vec![send(), expect("hi")], exchange, b"", nothing);
        let (status, error) = text(&report);
        prop_assert_eq!(status, Status::ReadTimeout);
        prop_assert!(error.len() < 400 && !error.contains('\n'), "{}", error);
        if error.contains("hangs") {
            prop_assert_eq!((exchange.in_flight, exchange.not_sent), (0, 0));
            prop_assert_eq!(exchange.segments_in_flight, 0);
        }
        if error.contains("lost on the way") || error.contains("black hole") {
            prop_assert!(exchange.in_flight > 0 || exchange.out_of_order > 0);
        }
    }
}
