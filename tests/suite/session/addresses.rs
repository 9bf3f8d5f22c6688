//! A name with several addresses: which is tried when, and the result (RFC 8305).

use std::net::IpAddr;

use super::*;

/// A session with a clock that the test moves, and what the session did so far.
struct Script {
    session: Session,
    start: Instant,
    now: Instant,
    policy: Policy,
    actions: Actions,
    log: Vec<String>,
}

impl Script {
    /// `check host.example 25 -t 2.5`, after the name resolved to these addresses.
    fn resolved(addresses: &[&str], change: impl FnOnce(&mut ProbeSpec)) -> Self {
        Self::resolved_under(Policy::allow_all(), addresses, change)
    }

    fn resolved_under(
        policy: Policy,
        addresses: &[&str],
        change: impl FnOnce(&mut ProbeSpec),
    ) -> Self {
        let mut spec = ProbeSpec::default();
        change(&mut spec);
        let target = Target::from_arguments("host.example", Some("25"), None).unwrap();
        let (start, mut actions) = (Instant::now(), Actions::new());
        let plan = Arc::new(Plan::new(spec, target));
        let mut script = Self {
            session: Session::start(plan, &policy, start, &mut actions),
            start,
            now: start,
            policy,
            actions,
            log: Vec::new(),
        };
        script.take();
        script.log.clear();
        let addresses: Vec<IpAddr> = addresses.iter().map(|word| word.parse().unwrap()).collect();
        let resolved = Event::Resolved(&addresses, &script.policy);
        script
            .session
            .handle(resolved, script.now, &mut script.actions);
        script.take();
        script
    }

    fn take(&mut self) {
        for action in self.actions.drain(..) {
            self.log.push(match action {
                Action::Open(id, address) => format!("open {} {}", id.index(), address.ip()),
                Action::Close(id, _) => format!("close {}", id.index()),
                Action::Send(id, bytes) => {
                    format!("send {} {}", id.index(), String::from_utf8(bytes).unwrap())
                }
                Action::Shutdown(id) => format!("fin {}", id.index()),
                Action::Resolve => "resolve".to_owned(),
                Action::Secure(..)
                | Action::Explain(..)
                | Action::Continue(_)
                | Action::Trace(..) => continue,
            });
        }
    }

    /// Delivers an event; returns what the session does then.
    fn input(&mut self, input: &Input) -> String {
        self.log.clear();
        self.session
            .handle(event(input), self.now, &mut self.actions);
        self.take();
        self.log.join(", ")
    }

    fn opened(&mut self, id: usize) {
        assert_eq!(self.input(&Input::Opened(id)), "");
    }

    /// Waits, with a tick when the session asks for one; returns what the session does meanwhile.
    fn waits(&mut self, ms: u64) -> String {
        self.log.clear();
        let until = self.now + Duration::from_millis(ms);
        while self.session.next_wake() <= until && !self.session.is_over() {
            self.now = self.now.max(self.session.next_wake());
            let info = |_| Some(TcpInfo::default());
            self.session.tick(self.now, info, &mut self.actions);
        }
        self.now = until;
        self.take();
        self.log.join(", ")
    }

    /// The report, after the deadline if it is not there before.
    fn report(mut self) -> Report {
        self.waits(
            self.session
                .deadline()
                .duration_since(self.start)
                .as_millis() as u64,
        );
        assert!(self.session.is_over());
        self.session.into_report().unwrap()
    }
}

fn refused(id: usize) -> Input {
    Input::Failed(id, Status::Refused)
}

fn at(report: &Report) -> String {
    report.connection.as_ref().unwrap().address.ip().to_string()
}

/// `ADDRESS STATUS` of each address that is reported.
fn each(report: &Report) -> Vec<String> {
    let status = |failure: &Option<Arc<Failure>>| failure.as_ref().map_or(Status::Ok, |f| f.status);
    let line =
        |one: &ConnectionReport| format!("{} {}", one.address.ip(), status(&one.failure).name());
    report.addresses.iter().map(line).collect()
}

fn failed(report: &Report) -> usize {
    report.address_failures().unwrap().count()
}

const THREE: [&str; 3] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

#[test]
fn the_next_address_is_tried_at_once_when_one_fails() {
    let mut script = Script::resolved(&THREE, |_| ());
    assert_eq!(script.log, ["open 0 10.0.0.1"]);
    script.opened(0);
    assert_eq!(script.input(&refused(0)), "close 0, open 1 10.0.0.2");
    script.opened(1);
    script.waits(30);
    assert_eq!(script.input(&Input::Connected(1)), "fin 1");
    let report = script.report();
    assert_eq!(
        (report.status(), at(&report)),
        (Status::Ok, "10.0.0.2".into())
    );
    assert_eq!(each(&report), ["10.0.0.1 refused", "10.0.0.2 ok"]);
    assert_eq!((report.address_count, failed(&report)), (3, 1));
    let connect = report.connection.unwrap().connect.unwrap();
    assert_eq!(
        connect,
        Duration::from_millis(30),
        "that of the address that passed"
    );
}

#[test]
fn the_next_address_is_tried_after_250_ms_of_silence() {
    let mut script = Script::resolved(&THREE, |_| ());
    script.opened(0);
    assert_eq!(script.waits(249), "");
    assert_eq!(script.waits(1), "open 1 10.0.0.2");
    script.opened(1);
    script.waits(5);
    assert_eq!(script.input(&Input::Connected(1)), "fin 1, close 0");
    let report = script.report();
    assert_eq!(report.total, Duration::from_millis(255));
    assert_eq!(each(&report), ["10.0.0.1 connect_timeout", "10.0.0.2 ok"]);
}

#[test]
fn an_address_that_only_had_less_time_has_not_failed() {
    // Both paths take 600 ms.
    let mut script = Script::resolved(&THREE[..2], |_| ());
    script.opened(0);
    assert_eq!(script.waits(250), "open 1 10.0.0.2");
    script.opened(1);
    script.waits(350);
    assert_eq!(script.input(&Input::Connected(0)), "fin 0, close 1");
    let report = script.report();
    assert_eq!(each(&report), ["10.0.0.1 ok"]);
    assert_eq!(failed(&report), 0);
}

/// With little time the next address starts sooner, and the first is not counted as failed.
#[test]
fn an_address_that_had_little_time_has_not_failed() {
    let mut script = Script::resolved(&THREE[..2], |spec| spec.timeout = Duration::from_millis(20));
    script.opened(0);
    assert_eq!(script.waits(10), "open 1 10.0.0.2");
    script.opened(1);
    script.waits(1);
    script.input(&Input::Connected(1));
    let report = script.report();
    assert_eq!((report.status(), failed(&report)), (Status::Ok, 0));
}

/// This process was late: it sent the first SYN 300 ms after it should have, or lacked memory to
/// read the first dialogue.
#[test]
fn an_address_is_not_blamed_for_what_this_process_was_late_with() {
    let late = |change: fn(&mut Session)| {
        let mut script = Script::resolved(&THREE[..2], |_| ());
        change(&mut script.session);
        script.opened(0);
        assert_eq!(script.waits(350), "open 1 10.0.0.2");
        script.opened(1);
        script.waits(30);
        script.input(&Input::Connected(1));
        script.report()
    };
    let lost = |session: &mut Session| session.add_delay(Duration::from_millis(300));
    for change in [lost, Session::lack_memory] {
        let report = late(change);
        assert_eq!(each(&report), ["10.0.0.2 ok"]);
        assert_eq!((report.address_count, failed(&report)), (2, 0));
    }
    let report = late(|session| session.add_delay(Duration::from_millis(200)));
    assert_eq!(each(&report), ["10.0.0.1 connect_timeout", "10.0.0.2 ok"]);
}

/// What was late before an attempt began is no time of its address.
#[test]
fn only_lateness_during_an_attempt_excuses_its_address() {
    let mut script = Script::resolved(&THREE, |_| ());
    script.session.add_delay(Duration::from_millis(300));
    script.opened(0);
    assert_eq!(script.input(&refused(0)), "close 0, open 1 10.0.0.2");
    script.opened(1);
    assert_eq!(script.waits(250), "open 2 10.0.0.3");
    script.opened(2);
    script.waits(30);
    script.input(&Input::Connected(2));
    let report = script.report();
    let expected = [
        "10.0.0.1 refused",
        "10.0.0.2 connect_timeout",
        "10.0.0.3 ok",
    ];
    assert_eq!(each(&report), expected);
}

#[test]
fn families_take_turns() {
    let list = ["2001:db8::1", "2001:db8::2", "10.0.0.1"];
    let mut script = Script::resolved(&list, |_| ());
    for next in ["10.0.0.1", "2001:db8::2"] {
        let id = script.session.next_wake();
        assert!(id > script.now);
        let number = usize::from(next == "2001:db8::2");
        script.opened(number);
        let opened = format!("close {number}, open {} {next}", number + 1);
        assert_eq!(script.input(&refused(number)), opened);
    }
}

fn expects_hello(spec: &mut ProbeSpec) {
    spec.steps = vec![Step::Send(Template::bytes(*b"hi")), expect("hello")];
    spec.quit = Some(Template::bytes(*b"bye"));
}

#[test]
fn only_one_dialogue_runs_at_a_time() {
    let mut script = Script::resolved(&THREE, expects_hello);
    script.opened(0);
    assert_eq!(script.waits(250), "open 1 10.0.0.2");
    script.opened(1);
    assert_eq!(script.input(&Input::Connected(1)), "send 1 hi, close 0");
    script.input(&Input::Sent(1));
    assert_eq!(script.waits(400), "", "a connected address is given time");
    let failed = script.input(&Input::Received(1, b"busy".to_vec()));
    assert_eq!(failed, "");
    assert_eq!(
        script.input(&Input::PeerClosed(1)),
        "close 1, open 2 10.0.0.3"
    );
    script.opened(2);
    assert_eq!(script.input(&refused(2)), "close 2, open 3 10.0.0.1");
    script.opened(3);
    assert_eq!(script.input(&Input::Connected(3)), "send 3 hi");
    script.input(&Input::Sent(3));
    let passed = script.input(&Input::Received(3, b"hello".to_vec()));
    assert_eq!(passed, "send 3 bye, fin 3");
    let report = script.report();
    assert_eq!(
        (report.status(), at(&report)),
        (Status::Ok, "10.0.0.1".into())
    );
    let expected = ["10.0.0.1 ok", "10.0.0.2 mismatch", "10.0.0.3 refused"];
    assert_eq!(each(&report), expected);
}

#[test]
fn a_service_that_hangs_leaves_the_others_their_share_of_the_time() {
    let mut script = Script::resolved(&THREE[..2], expects_hello);
    script.opened(0);
    assert_eq!(script.input(&Input::Connected(0)), "send 0 hi");
    script.input(&Input::Sent(0));
    assert_eq!(script.waits(1249), "");
    assert_eq!(script.waits(1), "open 1 10.0.0.2");
    script.opened(1);
    assert_eq!(script.input(&Input::Connected(1)), "send 1 hi");
    script.input(&Input::Sent(1));
    let passed = script.input(&Input::Received(1, b"hello".to_vec()));
    assert_eq!(
        passed, "send 1 bye, fin 1, fin 0",
        "no `quit` in the middle of a dialogue"
    );
    let report = script.report();
    assert_eq!(
        (report.status(), at(&report)),
        (Status::Ok, "10.0.0.2".into())
    );
    assert_eq!(each(&report), ["10.0.0.1 read_timeout", "10.0.0.2 ok"]);
}

#[test]
fn every_address_has_its_turn_before_the_deadline() {
    let list: Vec<_> = (1..=20).map(|last| format!("10.0.0.{last}")).collect();
    let list: Vec<_> = list.iter().map(String::as_str).collect();
    let mut script = Script::resolved(&list, |spec| spec.timeout = Duration::from_secs(1));
    for number in 0..19 {
        script.opened(number);
        let next = format!("open {} 10.0.0.{}", number + 1, number + 2);
        let mut waited = 0;
        while script.waits(1) != next {
            waited += 1;
            assert!(waited < 250);
        }
    }
    script.opened(19);
    assert!(script.now < script.session.deadline());
    script.input(&Input::Connected(19));
    assert_eq!(at(&script.report()), "10.0.0.20");
}

#[test]
fn if_none_passes_the_first_failure_is_reported() {
    let mut script = Script::resolved(&THREE, |_| ());
    script.opened(0);
    script.waits(250);
    script.opened(1);
    script.input(&refused(1));
    script.opened(2);
    script.input(&refused(2));
    let report = script.report();
    assert_eq!(
        (report.status(), at(&report)),
        (Status::ConnectTimeout, "10.0.0.1".into())
    );
    let text = &report.failure.as_ref().unwrap().text;
    assert!(
        text.starts_with("connect to 10.0.0.1:25: no answer"),
        "{text}"
    );
    assert!(text.ends_with("; the other 2 addresses: refused"), "{text}");
    assert_eq!(failed(&report), 3);
}

#[test]
fn what_this_machine_did_not_try_is_not_down() {
    let mut script = Script::resolved(&THREE[..2], |_| ());
    script.opened(0);
    script.input(&refused(0));
    let report = script.report();
    assert_eq!(
        (report.status(), at(&report)),
        (Status::NotTried, "10.0.0.2".into())
    );
    let mut script = Script::resolved(&THREE[..2], |_| ());
    script.opened(0);
    script.input(&refused(0));
    script.input(&Input::Blocked(1));
    let report = script.report();
    assert_eq!((report.status(), failed(&report)), (Status::LocalError, 1));
}

#[test]
fn a_denied_address_is_skipped_and_counted() {
    let deny = |rule: &str| Policy::from_text(format!("deny = [\"{rule}\"]").as_bytes());
    let mut script = Script::resolved_under(deny("10.0.0.1"), &THREE[..2], |_| ());
    assert_eq!(script.log, ["open 1 10.0.0.2"]);
    script.opened(1);
    script.input(&Input::Connected(1));
    let report = script.report();
    assert_eq!(each(&report), ["10.0.0.1 denied", "10.0.0.2 ok"]);
    assert_eq!((report.status(), failed(&report)), (Status::Ok, 1));
    let mut script = Script::resolved_under(deny("10.0.0.1"), &THREE[..2], |_| ());
    script.opened(1);
    script.input(&refused(1));
    assert_eq!(
        script.report().status(),
        Status::Refused,
        "one that was tried comes first"
    );
    let script = Script::resolved_under(deny("10.0.0.0/8"), &THREE, |_| ());
    let report = script.report();
    assert_eq!(
        (report.status(), report.total),
        (Status::Denied, Duration::ZERO)
    );
}

/// Addresses 192.0.2.1 to 192.0.2.N, of which all that are opened accept.
fn of_many(number: u8, selection: AddressSelection) -> Report {
    let list: Vec<_> = (1..=number).map(|last| format!("192.0.2.{last}")).collect();
    let list: Vec<_> = list.iter().map(String::as_str).collect();
    let mut script = Script::resolved(&list, |spec| spec.addresses = selection);
    for id in 0..script.log.len() {
        script.opened(id);
    }
    for id in 0..number.into() {
        script.input(&Input::Connected(id));
    }
    script.report()
}

/// Issue 11, A7: the 65th was not probed, and there was no message.
#[test]
fn more_than_64_addresses_are_not_all_up() {
    let report = of_many(64, AddressSelection::All);
    assert_eq!((report.status(), report.addresses.len()), (Status::Ok, 64));
    let report = of_many(65, AddressSelection::All);
    assert_eq!(
        report.status(),
        Status::LocalError,
        "nothing is known of the last one"
    );
    assert_eq!(
        report.failure.as_ref().unwrap().text,
        "host.example has 65 addresses, and only 64 are probed: these are as expected, but the state of the others is unknown"
    );
    assert_eq!((report.address_count, report.addresses.len()), (65, 64));
    assert_eq!(of_many(65, AddressSelection::Any).status(), Status::Ok);
    let report = of_many(200, AddressSelection::First);
    assert_eq!((report.status(), report.address_count), (Status::Ok, 200));
    assert_eq!(failed(&report), 0);
}

#[test]
fn one_of_more_than_64_addresses_that_is_down_is_enough() {
    let list: Vec<_> = (1..=65).map(|last| format!("192.0.2.{last}")).collect();
    let list: Vec<_> = list.iter().map(String::as_str).collect();
    let mut script = Script::resolved(&list, |spec| spec.addresses = AddressSelection::All);
    for id in 0..64 {
        script.opened(id);
        script.input(&if id == 7 {
            refused(id)
        } else {
            Input::Connected(id)
        });
    }
    let report = script.report();
    assert_eq!(
        (report.status(), at(&report)),
        (Status::Refused, "192.0.2.8".into())
    );
    let mut script = Script::resolved(&list, |_| ());
    for id in 0..64 {
        script.opened(id);
        script.input(&refused(id));
    }
    let report = script.report();
    assert_eq!(
        report.status(),
        Status::LocalError,
        "the last one may be up"
    );
}

#[test]
fn a_port_is_closed_only_if_no_address_accepts() {
    let closed = |spec: &mut ProbeSpec| spec.expected = Expected::Closed(OnTimeout::Fails);
    let mut script = Script::resolved(&THREE[..2], closed);
    assert_eq!(script.log, ["open 0 10.0.0.1", "open 1 10.0.0.2"]);
    script.opened(0);
    script.opened(1);
    script.input(&refused(0));
    script.input(&Input::Connected(1));
    let report = script.report();
    assert_eq!(
        (report.status(), at(&report)),
        (Status::UnexpectedlyOpen, "10.0.0.2".into())
    );
    let mut script = Script::resolved(&THREE[..2], |spec| {
        closed(spec);
        spec.attempts = Some(attempts(2));
    });
    for id in 0..2 {
        script.opened(id);
        script.input(&refused(id));
    }
    assert_eq!(script.waits(200), "open 2 10.0.0.1");
    script.opened(2);
    script.input(&refused(2));
    let report = script.report();
    assert_eq!(
        (report.status(), report.attempts.unwrap().ok()),
        (Status::Ok, 2)
    );
}

fn attempts(count: u32) -> Attempts {
    Attempts {
        count: NonZeroU32::new(count).unwrap(),
        interval: Attempts::INTERVAL,
        require: NonZeroU32::MIN,
    }
}

#[test]
fn attempts_that_this_machine_could_not_make_are_not_lost() {
    let mut script = Script::resolved(&THREE[..1], |spec| spec.attempts = Some(attempts(4)));
    script.opened(0);
    script.input(&Input::Connected(0));
    script.waits(200);
    script.input(&Input::Failed(1, Status::LocalError));
    script.waits(200);
    script.input(&Input::Blocked(2));
    script.waits(200);
    script.opened(3);
    script.input(&refused(3));
    let report = script.report();
    let counted = report.attempts.as_deref().unwrap();
    assert_eq!((counted.sent(), counted.ok()), (2, 1));
    let mut script = Script::resolved(&THREE[..1], |spec| spec.attempts = Some(attempts(1)));
    script.input(&Input::Failed(0, Status::LocalError));
    let report = script.report();
    assert_eq!(report.status(), Status::LocalError);
    assert_eq!(report.attempts.unwrap().loss(), None);
}

/// The process was stopped, and the silence may have been kept.
#[test]
fn the_end_of_a_silence_that_was_noticed_late_is_unknown() {
    let ends = [
        Input::PeerClosed(0),
        Input::Received(0, b"x".to_vec()),
        Input::Failed(0, Status::Reset),
    ];
    for end in ends {
        for (ms, expected) in [(400, None), (1100, Some(Status::LocalError))] {
            let mut script = Script::resolved(&THREE[..1], |spec| {
                spec.steps = vec![Step::Silence(Duration::from_millis(500))];
            });
            script.opened(0);
            script.input(&Input::Connected(0));
            script.now += Duration::from_millis(ms);
            script.input(&end);
            let status = script.report().status();
            match expected {
                Some(expected) => assert_eq!(status, expected, "{end:?}"),
                None => assert!(!status.is_unknown() && status != Status::Ok, "{end:?}"),
            }
        }
    }
}

#[test]
fn several_attempts_stay_on_the_address_that_passed() {
    let mut script = Script::resolved(&THREE[..2], |spec| spec.attempts = Some(attempts(3)));
    script.opened(0);
    assert_eq!(script.waits(250), "open 1 10.0.0.2");
    script.opened(1);
    script.waits(10);
    script.input(&Input::Connected(1));
    assert_eq!(
        script.waits(189),
        "close 1",
        "the end of the wait for the peer's FIN"
    );
    assert_eq!(script.waits(1), "open 2 10.0.0.2");
    script.opened(2);
    script.waits(10);
    script.input(&Input::Connected(2));
    assert_eq!(script.waits(190), "close 2, open 3 10.0.0.2");
    script.opened(3);
    script.input(&refused(3));
    let report = script.report();
    let counted = report.attempts.as_deref().unwrap();
    assert_eq!((counted.sent(), counted.ok()), (3, 2));
    assert_eq!(
        counted.max(),
        Some(Duration::from_millis(10)),
        "of the address that passed"
    );
    assert_eq!((report.status(), failed(&report)), (Status::Ok, 1));
}

#[test]
fn several_attempts_use_all_addresses_in_turn_if_none_passes() {
    let mut script = Script::resolved(&THREE[..2], |spec| spec.attempts = Some(attempts(4)));
    for id in 0..2 {
        script.opened(id);
        script.input(&refused(id));
    }
    for (id, next) in [(2, "10.0.0.1"), (3, "10.0.0.2")] {
        assert_eq!(script.waits(200), format!("open {id} {next}"));
        script.opened(id);
        script.input(&if id == 2 {
            refused(2)
        } else {
            Input::Connected(3)
        });
    }
    script.waits(200);
    script.opened(4);
    script.input(&refused(4));
    let report = script.report();
    let counted = report.attempts.as_deref().unwrap();
    assert_eq!((counted.sent(), counted.ok()), (4, 1));
    assert_eq!(each(&report), ["10.0.0.1 refused", "10.0.0.2 ok"]);
    assert_eq!(
        (report.status(), at(&report)),
        (Status::Ok, "10.0.0.2".into())
    );
}

#[test]
fn one_address_is_probed_as_if_it_was_given() {
    let script = Script::resolved(&["10.0.0.1", "10.0.0.1"], |_| ());
    assert_eq!(script.log, ["open 0 10.0.0.1"]);
    let report = script.report();
    assert_eq!(
        (report.status(), report.address_count),
        (Status::NotTried, 1)
    );
    assert!(report.addresses.is_empty() && report.address_failures().is_none());
}

/// An address that waits for our own limits is not late, and stops the clock of the probe.
#[test]
fn an_address_that_waits_for_our_limits_does_not_start_the_next() {
    let mut script = Script::resolved(&THREE[..2], |_| ());
    assert!(script.session.is_idle());
    script.now += Duration::from_secs(1);
    script.session.shift_clock(Duration::from_secs(1));
    script.opened(0);
    assert_eq!(script.waits(249), "");
    assert_eq!(script.waits(1), "open 1 10.0.0.2");
    assert!(!script.session.is_idle());
}
