//! A connection with a layer: its answer after the handshake, and inspections, with a clock that the
//! test moves.

use zbx_tcp::plan::layer::SharedLayer;

use super::*;

/// The plan with layers that ask for these inspections.
pub fn asking(plan: &Plan, asks: Vec<toy::Asks>) -> Plan {
    let toy = toy::Toy {
        asks,
        ..toy::Toy::default()
    };
    let layer: SharedLayer = toy.shared();
    let mut plan = plan.clone();
    let spec = Arc::make_mut(&mut plan.spec);
    spec.layer = spec.layer.as_ref().map(|_| layer.clone());
    for step in &mut spec.steps {
        if let Step::StartTls(own) = step {
            *own = layer.clone();
        }
    }
    plan
}

/// `check 192.0.2.7 25` with a layer and a timeout of a second.
fn layered(asks: Vec<toy::Asks>) -> Plan {
    let target = Target::from_arguments("192.0.2.7", Some("25"), None).unwrap();
    let spec = ProbeSpec {
        layer: Some(toy::layer()),
        timeout: Duration::from_secs(1),
        ..ProbeSpec::default()
    };
    asking(&Plan::new(spec, target), asks)
}

fn named(name: &str) -> Box<TlsFacts> {
    let leaf = CertificateFacts {
        subject: name.into(),
        ..CertificateFacts::default()
    };
    Box::new(TlsFacts {
        chain: vec![leaf],
        ..TlsFacts::default()
    })
}

fn certificate(report: &ConnectionReport) -> Option<String> {
    toy::name(report.dialogue.as_ref()?.tls.as_ref()?)
}

const DECIDES: toy::Asks = toy::Asks {
    after: None,
    decides: true,
};

fn connects(id: usize) -> [Input; 2] {
    [Input::Opened(id), Input::Connected(id)]
}

fn inputs(parts: &[&[Input]]) -> Vec<Input> {
    parts.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    /// Whatever an inspection meets, the verdict, the times and the statistics stay.
    #[test]
    fn an_inspection_that_only_reads_changes_nothing_but_facts(
        plan in plans(),
        inputs in proptest::collection::vec(input(), 0..60),
    ) {
        let alone = play(asking(&plan, Vec::new()), &inputs);
        let inspected = play(asking(&plan, vec![toy::Asks::default(); 20]), &inputs);
        let of = |report: &Report| {
            let each = |one: &ConnectionReport| {
                let mut one = one.clone();
                if let Some(dialogue) = &mut one.dialogue {
                    dialogue.tls = None;
                }
                // A dialogue report without anything is one that only has facts.
                let dialogue = one.dialogue.as_deref().cloned().unwrap_or_default();
                one.dialogue = None;
                format!("{one:?} {dialogue:?}")
            };
            let addresses: Vec<_> = report.addresses.iter().map(each).collect();
            let attempts = report.attempts.as_ref().map(|stats| (stats.sent(), stats.ok()));
            let connection = report.connection.as_ref().map(each);
            (report.failure.clone(), report.total, connection, addresses, attempts)
        };
        prop_assert_eq!(of(&alone), of(&inspected));
    }
}

#[test]
fn an_answer_is_a_success_unless_an_alert_follows() {
    let mut plan = layered(Vec::new());
    Arc::make_mut(&mut plan.spec).steps = vec![Step::Send(Template::bytes(*b"hi")), expect("ok")];
    let run = |then: &[Input]| {
        let mut steps = Steps::of(plan.clone());
        steps.input(&Input::Opened(0));
        // The connect takes 40 ms, which is a round trip.
        steps.waits(40);
        steps.event(Event::Connected(AttemptId::new(0), None, None));
        steps.input(&Input::Secured(0, PeerRefusal::Possible));
        steps.input(&Input::Sent(0));
        for input in then {
            match input {
                Input::Passes(ms) => steps.waits(*ms),
                other => steps.input(other),
            };
        }
        steps.waits(1000);
        steps.report()
    };
    let answer = Input::Received(0, b"ok".to_vec());
    let refused = Input::LayerFailed(0);
    let early = |rest: &[Input]| run(&inputs(&[&[Input::Passes(39), answer.clone()], rest]));
    // The peer may have sent it before it has seen our certificate.
    let late = |rest: &[Input]| run(&inputs(&[&[Input::Passes(40), answer.clone()], rest]));
    for wait in [0, 1, 139] {
        let report = late(&[Input::Passes(wait), refused.clone()]);
        assert_eq!(report.status(), Status::TlsFailed, "{wait}");
    }
    let report = late(&[Input::Passes(140), refused.clone()]);
    assert_eq!(report.failure, None);
    assert_eq!(report.total, Duration::from_millis(220));
    // No alert can follow.
    let report = late(&[Input::Passes(5), Input::PeerClosed(0)]);
    assert_eq!(report.failure, None);
    assert_eq!(report.total, Duration::from_millis(85));
    let report = early(&[Input::Passes(5), Input::PeerClosed(0)]);
    assert_eq!(report.status(), Status::TlsFailed);
    let report = early(&[Input::Passes(139), refused.clone()]);
    assert_eq!(report.status(), Status::TlsFailed);
    // An alert takes a round trip, too.
    let report = early(&[Input::Passes(140), refused.clone()]);
    assert_eq!(report.failure, None);
    assert_eq!(report.total, Duration::from_millis(219));
}

#[test]
fn a_ticket_is_an_acceptance_unless_an_alert_follows() {
    let run = |then: &[Input]| {
        let mut steps = Steps::of(layered(Vec::new()));
        steps.input(&Input::Opened(0));
        steps.waits(40);
        steps.event(Event::Connected(AttemptId::new(0), None, None));
        steps.waits(50);
        steps.input(&Input::Secured(0, PeerRefusal::Possible));
        for input in then {
            match input {
                Input::Passes(ms) => steps.waits(*ms),
                other => steps.input(other),
            };
        }
        steps.waits(1000);
        steps.report()
    };
    let ticket = Input::ProbablyAccepted(0);
    for (delay, wait) in [(0, 0), (0, 139), (40, 1), (40, 139)] {
        for end in [Input::LayerFailed(0), Input::Failed(0, Status::Reset)] {
            let then = [
                Input::Passes(delay),
                ticket.clone(),
                ticket.clone(),
                Input::Passes(wait),
                end.clone(),
            ];
            let report = run(&then);
            // A ticket that answers the end of our handshake, and no alert before the end.
            let is_up = delay == 40 && matches!(end, Input::Failed(..));
            let expected = if is_up { Status::Ok } else { Status::TlsFailed };
            assert_eq!(report.status(), expected, "{then:?}");
        }
    }
    for delay in [0, 40] {
        let report = run(&[Input::Passes(delay), ticket.clone(), Input::Passes(140)]);
        assert_eq!(report.failure, None);
        assert_eq!(report.total, Duration::from_millis(90 + delay + 140));
    }
    // The peer closes TLS: no alert can follow, but an early ticket proves nothing.
    for (delay, expected) in [(39, Status::TlsFailed), (40, Status::Ok)] {
        let then = [Input::Passes(delay), ticket.clone(), Input::PeerClosed(0)];
        assert_eq!(run(&then).status(), expected);
    }
}

#[test]
fn a_silent_peer_that_sent_a_ticket_long_ago_has_not_refused_us() {
    let mut plan = layered(Vec::new());
    Arc::make_mut(&mut plan.spec).steps = vec![expect("ok")];
    let status = |wait| {
        let mut steps = Steps::of(plan.clone());
        steps.connects(0);
        steps.input(&Input::Secured(0, PeerRefusal::Possible));
        steps.input(&Input::ProbablyAccepted(0));
        steps.waits(wait);
        steps.input(&Input::PeerClosed(0));
        steps.waits(1000);
        steps.report().status()
    };
    assert_eq!(status(50), Status::TlsFailed);
    assert_eq!(status(900), Status::Closed);
}

#[test]
fn a_connection_that_this_machine_loses_in_a_handshake_is_unknown() {
    let lost = |status| {
        let then = [Input::Failed(0, status)];
        play(layered(Vec::new()), &inputs(&[&connects(0), &then])).status()
    };
    assert_eq!(lost(Status::LocalError), Status::LocalError);
    assert_eq!(lost(Status::Reset), Status::TlsFailed);
    let possible = Input::Secured(0, PeerRefusal::Possible);
    let lost = |status| {
        let then = [possible.clone(), Input::Failed(0, status)];
        play(layered(Vec::new()), &inputs(&[&connects(0), &then])).status()
    };
    assert_eq!(lost(Status::LocalError), Status::LocalError);
    assert_eq!(lost(Status::Reset), Status::TlsFailed);
}

/// A session of this plan, and what it does.
struct Steps {
    session: Session,
    now: Instant,
    actions: Actions,
    log: Vec<String>,
    policy: Policy,
}

impl Steps {
    fn of(plan: Plan) -> Self {
        let (now, policy, mut actions) = (Instant::now(), Policy::allow_all(), Actions::new());
        let session = Session::start(Arc::new(plan), &policy, now, &mut actions);
        Self {
            session,
            now,
            actions,
            log: Vec::new(),
            policy,
        }
    }

    /// The addresses of a name.
    fn resolved(&mut self, addresses: &[&str]) {
        let addresses: Vec<std::net::IpAddr> =
            addresses.iter().map(|word| word.parse().unwrap()).collect();
        let resolved = Event::Resolved(&addresses, &self.policy);
        self.session.handle(resolved, self.now, &mut self.actions);
    }

    /// What the session does after an event.
    fn event(&mut self, event: Event<'_>) -> String {
        self.session.handle(event, self.now, &mut self.actions);
        self.done()
    }

    fn input(&mut self, input: &Input) -> String {
        self.event(event(input))
    }

    fn connects(&mut self, id: usize) {
        for input in connects(id) {
            self.input(&input);
        }
    }

    fn facts(&mut self, id: usize, name: &str) {
        self.event(Event::Facts(AttemptId::new(id), named(name)));
    }

    fn waits(&mut self, ms: u64) -> String {
        self.now += Duration::from_millis(ms);
        self.session.tick(self.now, |_| None, &mut self.actions);
        self.done()
    }

    fn done(&mut self) -> String {
        let name = |action: Action| match action {
            Action::Open(id, address) => Some(format!("open {} {}", id.index(), address.ip())),
            Action::Close(id, _) => Some(format!("close {}", id.index())),
            Action::Shutdown(id) => Some(format!("fin {}", id.index())),
            Action::Secure(id, layer) => {
                let is_inspection = format!("{layer:?}").contains("is_inspection: true");
                let word = if is_inspection { "inspect" } else { "secure" };
                Some(format!("{word} {}", id.index()))
            }
            _ => None,
        };
        let done: Vec<_> = self.actions.drain(..).filter_map(name).collect();
        self.log.extend(done.clone());
        done.join(", ")
    }

    fn report(mut self) -> Report {
        assert!(self.session.is_over(), "{:?}", self.log);
        self.done();
        self.session.into_report().unwrap()
    }
}

#[test]
fn an_inspection_uses_the_number_of_its_attempt() {
    let mut steps = Steps::of(layered(vec![toy::Asks::default()]));
    steps.done();
    steps.connects(0);
    steps.facts(0, "a");
    assert_eq!(
        steps.input(&Input::LayerFailed(0)),
        "close 0, open 0 192.0.2.7"
    );
    assert!(!steps.session.is_over());
    assert!(steps.session.awaits_open(AttemptId::new(0)));
    steps.waits(10);
    steps.input(&Input::Opened(0));
    assert_eq!(steps.input(&Input::Connected(0)), "inspect 0");
    steps.facts(0, "b");
    assert_eq!(steps.input(&Input::LayerDone(0)), "close 0");
    let report = steps.report();
    assert_eq!(
        (report.status(), report.total),
        (Status::TlsFailed, Duration::ZERO)
    );
    let certificate = certificate(report.connection.as_ref().unwrap());
    assert_eq!(
        certificate.as_deref(),
        Some("a"),
        "the first one that was shown"
    );
}

/// While an inspection waits for our own limits, the clock is stopped as for any connect.
#[test]
fn an_inspection_waits_for_our_limits() {
    let mut steps = Steps::of(layered(vec![DECIDES]));
    steps.connects(0);
    steps.input(&Input::LayerFailed(0));
    assert!(steps.session.is_idle());
    let deadline = steps.session.deadline();
    steps.now += Duration::from_secs(5);
    steps.session.shift_clock(Duration::from_secs(5));
    assert_eq!(steps.session.deadline(), deadline + Duration::from_secs(5));
    steps.connects(0);
    assert!(!steps.session.is_idle());
    steps.input(&Input::LayerDone(0));
    assert_eq!(steps.report().failure, None);
}

#[test]
fn an_inspection_that_this_machine_cannot_make_leaves_the_verdict_unknown() {
    let verdict = |asks, then: &[Input]| {
        let mut steps = Steps::of(layered(vec![asks]));
        steps.connects(0);
        steps.input(&Input::LayerFailed(0));
        for input in then {
            steps.input(input);
        }
        steps.waits(1000);
        let report = steps.report();
        (report.status(), report.failure.unwrap().text.clone())
    };
    let reading = toy::Asks::default();
    let blocked = [Input::Blocked(0)];
    assert_eq!(verdict(DECIDES, &blocked).0, Status::LocalError);
    assert_eq!(verdict(DECIDES, &[]).0, Status::NotTried);
    assert_eq!(verdict(reading, &blocked).0, Status::TlsFailed);
    assert_eq!(verdict(reading, &[]).0, Status::TlsFailed);
    for end in [
        vec![Input::Failed(0, Status::Refused)],
        vec![Input::Opened(0)],
    ] {
        let (status, text) = verdict(DECIDES, &end);
        assert_eq!(status, Status::TlsFailed, "the peer had its time");
        assert!(text.contains("an additional connection, needed for the verdict, failed: "));
    }
    let failed = Input::Failed(0, Status::LocalError);
    let lost = inputs(&[&connects(0), &[failed]]);
    assert_eq!(verdict(DECIDES, &lost).0, Status::LocalError);
    assert_eq!(verdict(reading, &lost).0, Status::TlsFailed);
}

/// This process was late with an inspection, so that the silence of the peer says nothing.
#[test]
fn a_late_inspection_decides_nothing() {
    for (asks, status) in [
        (DECIDES, Status::LocalError),
        (toy::Asks::default(), Status::TlsFailed),
    ] {
        let mut steps = Steps::of(layered(vec![asks]));
        steps.connects(0);
        steps.input(&Input::LayerFailed(0));
        steps.connects(0);
        steps.session.add_delay(Duration::from_millis(600));
        steps.waits(1000);
        assert_eq!(steps.report().status(), status);
    }
}

#[test]
fn the_end_of_the_run_cuts_an_inspection_off() {
    for (asks, status) in [
        (DECIDES, Status::NotTried),
        (toy::Asks::default(), Status::TlsFailed),
    ] {
        let mut steps = Steps::of(layered(vec![asks]));
        steps
            .session
            .limit_deadline(steps.now + Duration::from_millis(500));
        steps.connects(0);
        steps.input(&Input::LayerFailed(0));
        steps.connects(0);
        steps.waits(500);
        assert_eq!(steps.report().status(), status);
    }
    // The run ends so soon that none is made.
    let mut steps = Steps::of(layered(vec![DECIDES]));
    steps
        .session
        .limit_deadline(steps.now + Duration::from_millis(99));
    steps.connects(0);
    assert_eq!(steps.input(&Input::LayerFailed(0)), "close 0");
    assert_eq!(steps.report().status(), Status::TlsFailed);
}

/// `host.example` with these addresses.
fn several(selection: AddressSelection, asks: Vec<toy::Asks>, addresses: &[&str]) -> Steps {
    let mut plan = layered(asks);
    plan.target = Target::from_arguments("host.example", Some("25"), None).unwrap();
    Arc::make_mut(&mut plan.spec).addresses = selection;
    let mut steps = Steps::of(plan);
    steps.done();
    steps.resolved(addresses);
    steps
}

const TWO: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

#[test]
fn a_race_does_not_wait_for_an_inspection_that_only_reads() {
    let mut steps = several(AddressSelection::Any, vec![toy::Asks::default()], &TWO);
    assert_eq!(steps.done(), "open 0 10.0.0.1");
    steps.connects(0);
    let done = steps.input(&Input::LayerFailed(0));
    assert_eq!(done, "close 0, open 0 10.0.0.1, open 1 10.0.0.2");
    steps.connects(0);
    steps.connects(1);
    let secured = Input::Secured(1, PeerRefusal::Excluded);
    assert_eq!(
        steps.input(&secured),
        "fin 1, close 0",
        "the report does not wait for the other address"
    );
    // The winner is inspected, too.
    assert_eq!(
        steps.input(&Input::PeerClosed(1)),
        "close 1, open 1 10.0.0.2"
    );
    steps.connects(1);
    steps.facts(1, "b");
    steps.input(&Input::LayerDone(1));
    let report = steps.report();
    assert_eq!(report.failure, None);
    let connection = report.connection.as_ref().unwrap();
    assert_eq!(connection.address.ip().to_string(), "10.0.0.2");
    assert_eq!(certificate(connection).as_deref(), Some("b"));
    assert_eq!(report.address_failures().unwrap().count(), 1);
}

#[test]
fn a_race_waits_for_an_inspection_that_decides_as_for_any_dialogue() {
    let mut steps = several(AddressSelection::Any, vec![DECIDES], &TWO);
    steps.done();
    steps.connects(0);
    assert_eq!(
        steps.input(&Input::LayerFailed(0)),
        "close 0, open 0 10.0.0.1"
    );
    steps.connects(0);
    assert_eq!(steps.input(&Input::LayerDone(0)), "close 0");
    let report = steps.report();
    assert_eq!(report.failure, None);
    assert_eq!(report.address_failures().unwrap().count(), 0);

    // Half of the time is for the other address.
    let mut steps = several(AddressSelection::Any, vec![DECIDES], &TWO);
    steps.done();
    steps.connects(0);
    steps.input(&Input::LayerFailed(0));
    steps.connects(0);
    assert_eq!(steps.waits(500), "open 1 10.0.0.2");
    steps.connects(1);
    let secured = Input::Secured(1, PeerRefusal::Excluded);
    assert_eq!(steps.input(&secured), "fin 1, close 0");
    assert_eq!(
        steps.input(&Input::PeerClosed(1)),
        "close 1, open 1 10.0.0.2"
    );
}

#[test]
fn every_address_is_inspected_if_all_are_probed() {
    let mut steps = several(AddressSelection::All, vec![toy::Asks::default()], &TWO);
    steps.done();
    for id in 0..2 {
        steps.connects(id);
        steps.input(&Input::LayerFailed(id));
    }
    for (id, name) in ["a", "b"].iter().enumerate() {
        steps.connects(id);
        steps.facts(id, name);
        steps.input(&Input::LayerDone(id));
    }
    let report = steps.report();
    assert_eq!(
        (report.status(), report.total),
        (Status::TlsFailed, Duration::ZERO)
    );
    let names: Vec<_> = report.addresses.iter().map(certificate).collect();
    assert_eq!(names, [Some("a".to_owned()), Some("b".to_owned())]);
}
