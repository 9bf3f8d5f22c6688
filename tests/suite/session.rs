//! The session as a state machine: whatever events arrive in whatever order, it ends by its
//! deadline with one report.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zbx_tcp::address::{Port, Target};
use zbx_tcp::engine::session::Session;
use zbx_tcp::engine::session::action::{Action, Actions, AttemptId, Event, PeerRefusal};
use zbx_tcp::failure::{Failure, Status};
use zbx_tcp::os::socket::TcpInfo;
use zbx_tcp::plan::bytes::Charset;
use zbx_tcp::plan::layer::LayerError;
use zbx_tcp::plan::pattern::Pattern;
use zbx_tcp::plan::steps::{Expect, Step, Template};
use zbx_tcp::plan::{AddressSelection, Attempts, Close, Expected, OnTimeout, Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::{ConnectionReport, Report};

use zbx_tcp::tls_facts::{CertificateFacts, TlsFacts};

use crate::layer::toy;

mod addresses;
mod exchange;
mod layered;

/// An input of the session, with the attempt that it is for.
#[derive(Debug, Clone)]
enum Input {
    Resolved(u8),
    Unresolved,
    Opened(usize),
    Blocked(usize),
    Connected(usize),
    Facts(usize),
    Incomplete(usize),
    Secured(usize, PeerRefusal),
    ProbablyAccepted(usize),
    LayerDone(usize),
    LayerFailed(usize),
    Sent(usize),
    Received(usize, Vec<u8>),
    Continued(usize),
    PeerClosed(usize),
    Failed(usize, Status),
    /// This many milliseconds pass.
    Passes(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let id = 0_usize..4;
    let failure = prop_oneof![
        Just(Status::Refused),
        Just(Status::Reset),
        Just(Status::Unreachable),
        Just(Status::LocalError)
    ];
    prop_oneof![
        (1_u8..5).prop_map(Input::Resolved),
        Just(Input::Unresolved),
        id.clone().prop_map(Input::Opened),
        id.clone().prop_map(Input::Blocked),
        id.clone().prop_map(Input::Connected),
        id.clone().prop_map(Input::Facts),
        id.clone().prop_map(Input::Incomplete),
        id.clone()
            .prop_map(|id| Input::Secured(id, PeerRefusal::Excluded)),
        id.clone()
            .prop_map(|id| Input::Secured(id, PeerRefusal::Possible)),
        id.clone().prop_map(Input::ProbablyAccepted),
        id.clone().prop_map(Input::LayerDone),
        id.clone().prop_map(Input::LayerFailed),
        id.clone().prop_map(Input::Sent),
        (id.clone(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(id, bytes)| Input::Received(id, bytes)),
        id.clone().prop_map(Input::Continued),
        id.clone().prop_map(Input::PeerClosed),
        (id, failure).prop_map(|(id, status)| Input::Failed(id, status)),
        (0_u64..400).prop_map(Input::Passes),
    ]
}

/// Denies some of the addresses of these plans, and allows the others.
const POLICY: &[u8] = b"deny = [\"192.0.2.2:25\", \"192.0.2.7\"]";

fn literal(text: &str) -> Pattern {
    Pattern::literal(text, Charset::default()).unwrap()
}

fn expect(text: &str) -> Step {
    Step::Expect(Expect::one(literal(text)))
}

/// Expects an answer that takes several turns to compare.
fn slow() -> Step {
    let source = r"(?<v>\A(?:[^\x00]+[\x01-\xff]?){100})\x03";
    Step::Expect(Expect::one(
        Pattern::regex(source, Charset::default()).unwrap(),
    ))
}

fn guarded(text: &str, reject: &str) -> Step {
    let timeout = Some(Duration::from_millis(200));
    Step::Expect(Expect {
        reject: vec![literal(reject).into()],
        timeout,
        ..Expect::one(literal(text))
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    prop_oneof![
        4 => Just(Policy::allow_all()),
        1 => Just(Policy::from_text(POLICY)),
    ]
}

/// The inspections that a layer asks for.
fn asks() -> impl Strategy<Value = Vec<toy::Asks>> {
    let after = prop_oneof![
        Just(None),
        Just(Some(Status::TlsFailed)),
        Just(Some(Status::Ok))
    ];
    let each = (after, any::<bool>()).prop_map(|(after, decides)| toy::Asks { after, decides });
    prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(each, 1..4),
        Just(vec![toy::Asks::default(); 20]),
    ]
}

fn plans() -> impl Strategy<Value = Plan> {
    let attempts = proptest::option::of((1_u32..5, 1_u64..300, 1_u32..5));
    let step = prop_oneof![
        Just(Step::Send(Template::bytes(*b"hi"))),
        Just(expect("\\0")),
        Just(slow()),
        Just(Step::Silence(Duration::from_millis(150))),
        Just(guarded("\\x01", "\\x02")),
        Just(Step::StartTls(toy::layer())),
    ];
    let want = prop_oneof![
        Just(Expected::Open),
        Just(Expected::Closed(OnTimeout::Fails)),
        Just(Expected::Closed(OnTimeout::CountsAsClosed))
    ];
    let host = prop_oneof![Just("192.0.2.7"), Just("host.example")];
    let selection = prop_oneof![
        2 => Just(AddressSelection::Any),
        1 => Just(AddressSelection::First),
        1 => Just(AddressSelection::All)
    ];
    (
        (host, selection),
        attempts,
        proptest::collection::vec(step, 0..4),
        want,
        (any::<(bool, bool)>(), asks()),
    )
        .prop_map(
            |((host, addresses), attempts, steps, want, ((rst, layered), asks))| {
                let attempts = attempts.map(|(count, interval, require)| Attempts {
                    count: NonZeroU32::new(count).unwrap(),
                    interval: Duration::from_millis(interval),
                    require: NonZeroU32::new(require.min(count)).unwrap(),
                });
                let spec = ProbeSpec {
                    attempts,
                    steps: if want == Expected::Open {
                        steps
                    } else {
                        Vec::new()
                    },
                    expected: want,
                    addresses: match (addresses, attempts) {
                        (AddressSelection::All, Some(_)) => AddressSelection::Any,
                        (addresses, _) => addresses,
                    },
                    close: if rst { Close::Rst } else { Close::Fin },
                    timeout: Duration::from_secs(1),
                    layer: layered.then(toy::layer),
                    ..ProbeSpec::default()
                };
                let target = Target::from_arguments(host, Some("25"), None).unwrap();
                layered::asking(&Plan::new(spec, target), asks)
            },
        )
}

/// Checks that every action is valid when it is issued.
struct Ledger<'p> {
    policy: &'p Policy,
    opened: BTreeSet<AttemptId>,
    closed: BTreeSet<AttemptId>,
    /// Attempts whose handshake has not completed.
    handshaking: BTreeSet<AttemptId>,
}

impl<'p> Ledger<'p> {
    fn under(policy: &'p Policy) -> Self {
        Self {
            policy,
            opened: BTreeSet::new(),
            closed: BTreeSet::new(),
            handshaking: BTreeSet::new(),
        }
    }

    fn assert_open(&self, id: AttemptId) {
        assert!(
            self.opened.contains(&id) && !self.closed.contains(&id),
            "{id:?} is not open"
        );
    }

    fn take(&mut self, actions: &mut Actions) {
        for action in actions.drain(..) {
            match action {
                Action::Resolve | Action::Explain(..) => {}
                Action::Trace(..) => panic!("the plan does not trace"),
                Action::Open(id, address) => {
                    assert!(
                        self.policy
                            .decide(address.ip(), Port::new(address.port()).unwrap())
                            .is_allowed()
                    );
                    // An inspection follows a connection that was closed.
                    let is_open = !self.opened.insert(id) && !self.closed.remove(&id);
                    assert!(!is_open, "{id:?} opened twice");
                    self.handshaking.remove(&id);
                }
                Action::Secure(id, _) => {
                    self.assert_open(id);
                    self.handshaking.insert(id);
                }
                Action::Continue(id) => self.assert_open(id),
                Action::Send(id, _) | Action::Shutdown(id) => {
                    self.assert_open(id);
                    assert!(
                        !self.handshaking.contains(&id),
                        "{id:?} sends before its handshake completed"
                    );
                }
                Action::Close(id, _) => {
                    assert!(self.closed.insert(id), "{id:?} closed twice");
                }
            }
        }
    }
}

/// Feeds the inputs to a session, then lets the deadline expire.
fn play(plan: Plan, inputs: &[Input]) -> Report {
    play_under(&Policy::allow_all(), plan, inputs)
}

fn play_under(policy: &Policy, plan: Plan, inputs: &[Input]) -> Report {
    let start = Instant::now();
    let (mut now, mut actions, mut ledger) = (start, Actions::new(), Ledger::under(policy));
    let deadline = start + plan.spec.timeout;
    let named = plan.ip().is_none();
    let mut answered = false;
    let mut session = Session::start(Arc::new(plan), policy, now, &mut actions);
    ledger.take(&mut actions);
    for input in inputs {
        if session.is_over() {
            break;
        }
        match input {
            Input::Passes(ms) => {
                now = (now + Duration::from_millis(*ms))
                    .min(deadline.checked_sub(Duration::from_nanos(1)).unwrap());
                session.tick(now, |_| Some(TcpInfo::default()), &mut actions);
            }
            // The resolver answers a name once.
            Input::Resolved(_) | Input::Unresolved if !named || answered => {}
            Input::Resolved(number) => {
                answered = true;
                let list: Vec<_> = (1..=*number).map(|last| [192, 0, 2, last].into()).collect();
                session.handle(Event::Resolved(&list, policy), now, &mut actions);
            }
            Input::Unresolved => {
                answered = true;
                session.handle(
                    Event::Unresolved(Failure::new(Status::ResolveFailed, "x")),
                    now,
                    &mut actions,
                );
            }
            other => {
                if let Input::Secured(id, _) = other {
                    ledger.handshaking.remove(&AttemptId::new(*id));
                }
                session.handle(event(other), now, &mut actions);
            }
        }
        ledger.take(&mut actions);
    }
    if !session.is_over() {
        assert!(session.next_wake() <= deadline);
        now = deadline;
        session.tick(now, |_| Some(TcpInfo::default()), &mut actions);
        ledger.take(&mut actions);
    }
    assert!(session.is_over(), "{session:?}");
    assert_eq!(ledger.opened, ledger.closed, "what was opened is closed");
    session.into_report().unwrap()
}

fn event(input: &Input) -> Event<'_> {
    let info = Some(TcpInfo {
        rtt: Duration::from_micros(20),
        ..TcpInfo::default()
    });
    match input {
        Input::Opened(id) => Event::Opened(AttemptId::new(*id)),
        Input::Blocked(id) => Event::Blocked(
            AttemptId::new(*id),
            Failure::new(Status::LocalError, "EMFILE"),
        ),
        Input::Connected(id) => Event::Connected(AttemptId::new(*id), None, info),
        Input::Facts(id) => Event::Facts(AttemptId::new(*id), Box::default()),
        Input::Incomplete(id) => Event::Incomplete(AttemptId::new(*id), "no answer".to_owned()),
        Input::Secured(id, refusal) => Event::Secured(AttemptId::new(*id), *refusal),
        Input::ProbablyAccepted(id) => Event::ProbablyAccepted(AttemptId::new(*id)),
        Input::LayerDone(id) => Event::LayerDone(AttemptId::new(*id)),
        Input::LayerFailed(id) => {
            Event::LayerFailed(AttemptId::new(*id), LayerError::failed("bad record"))
        }
        Input::Sent(id) => Event::Sent(AttemptId::new(*id)),
        Input::Received(id, bytes) => Event::Received(AttemptId::new(*id), bytes),
        Input::Continued(id) => Event::Continued(AttemptId::new(*id)),
        Input::PeerClosed(id) => Event::PeerClosed(AttemptId::new(*id)),
        Input::Failed(id, status) => {
            Event::Failed(AttemptId::new(*id), Failure::new(*status, "failed"), info)
        }
        Input::Resolved(_) | Input::Unresolved | Input::Passes(_) => unreachable!(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_ends_in_one_valid_report(
        plan in plans(),
        policy in policies(),
        inputs in proptest::collection::vec(input(), 0..40),
    ) {
        let report = play_under(&policy, plan, &inputs);
        prop_assert!(report.total <= report.plan.spec.timeout);
        prop_assert_eq!(report.is_up(), report.status() == Status::Ok);
        if let Some(failure) = &report.failure {
            prop_assert!(!failure.text.is_empty());
        }
        if let Some(attempts) = &report.attempts {
            prop_assert!(attempts.ok() <= attempts.sent());
            let asked = report.plan.spec.attempts.unwrap();
            prop_assert!(attempts.sent() <= asked.count.get());
            if report.is_up() {
                prop_assert!(attempts.ok() >= asked.require.get());
            }
        }
        if report.is_up() && report.plan.spec.expected == Expected::Open {
            prop_assert!(report.connection.as_ref().unwrap().connect.is_some(), "up means that it connected");
        }
        let mut addresses = BTreeSet::new();
        for connection in &report.addresses {
            prop_assert!(connection.total <= report.plan.spec.timeout);
            prop_assert!(addresses.insert(connection.address), "an address is reported once");
        }
        if let Some(failures) = report.address_failures() {
            let failed = failures.count();
            prop_assert!(failed <= report.address_count as usize);
            let all_failed = failed == report.address_count as usize;
            let once = report.attempts.is_none();
            match report.plan.spec.addresses {
                AddressSelection::Any if report.plan.spec.expected == Expected::Open => {
                    prop_assert!(!(report.is_up() && all_failed), "up means that one passed");
                    let down = !report.is_up() && !report.status().is_unknown();
                    prop_assert!(!(down && once) || all_failed, "down means that none passed: {:?}", report);
                }
                AddressSelection::First => {}
                _ => prop_assert!(!(report.is_up() && once) || failed == 0, "up means that all passed"),
            }
        }
    }

    #[test]
    fn a_dialogue_is_up_only_if_every_expected_byte_came(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
        let mut plan = Plan::connect(Target::from_arguments("192.0.2.7", Some("25"), None).unwrap());
        Arc::make_mut(&mut plan.spec).steps = vec![expect("\\x07")];
        let expected = bytes.contains(&7);
        let inputs = [Input::Opened(0), Input::Connected(0), Input::Received(0, bytes), Input::PeerClosed(0)];
        prop_assert_eq!(play(plan, &inputs).is_up(), expected);
    }
}

#[test]
fn what_was_received_is_compared_before_the_end_counts() {
    let mut plan = Plan::connect(Target::from_arguments("192.0.2.7", Some("25"), None).unwrap());
    Arc::make_mut(&mut plan.spec).steps = vec![slow()];
    let bytes = [&[b'a'; 2000][..], &[3]].concat();
    let reset = Input::Failed(0, Status::Reset);
    for end in [Input::PeerClosed(0), reset] {
        let mut inputs = vec![
            Input::Opened(0),
            Input::Connected(0),
            Input::Received(0, bytes.clone()),
            end,
        ];
        // This machine is too slow: that says nothing about the peer.
        let report = play(plan.clone(), &inputs);
        assert_eq!(report.status(), Status::LocalError, "{:?}", report.failure);
        let text = &report.failure.as_ref().unwrap().text;
        assert!(text.contains("before all received bytes"), "{text}");
        inputs.extend((0..1000).map(|_| Input::Continued(0)));
        let report = play(plan.clone(), &inputs);
        assert!(report.is_up(), "{:?}", report.failure);
    }
    // Without the answer, the end is what failed.
    for (end, status) in [
        (Input::PeerClosed(0), Status::Mismatch),
        (Input::Failed(0, Status::Reset), Status::Reset),
    ] {
        let mut inputs = vec![
            Input::Opened(0),
            Input::Connected(0),
            Input::Received(0, vec![b'a'; 2000]),
            end,
        ];
        inputs.extend((0..1000).map(|_| Input::Continued(0)));
        assert_eq!(play(plan.clone(), &inputs).status(), status);
    }
}

#[test]
fn silence_is_neither_speech_nor_the_end() {
    let mut plan = Plan::connect(Target::from_arguments("192.0.2.7", Some("25"), None).unwrap());
    let status = |plan: &Plan, inputs: &[Input]| {
        let inputs = [&[Input::Opened(0), Input::Connected(0)][..], inputs].concat();
        play(plan.clone(), &inputs).status()
    };
    Arc::make_mut(&mut plan.spec).steps = vec![Step::Silence(Duration::from_millis(300))];
    assert_eq!(status(&plan, &[Input::Passes(301)]), Status::Ok);
    let early = Input::Passes(299);
    for (end, expected) in [
        (Input::Received(0, b"x".to_vec()), Status::Mismatch),
        (Input::PeerClosed(0), Status::Closed),
        (Input::Failed(0, Status::Reset), Status::Reset),
    ] {
        assert_eq!(status(&plan, &[early.clone(), end]), expected);
    }
    // At the deadline, the silence was not long enough, so it is not verified.
    Arc::make_mut(&mut plan.spec).steps = vec![Step::Silence(Duration::from_millis(1500))];
    assert_eq!(status(&plan, &[Input::Passes(900)]), Status::ReadTimeout);
}

#[test]
fn only_the_attempt_that_is_reported_keeps_its_captures() {
    let mut plan = Plan::connect(Target::from_arguments("192.0.2.7", Some("25"), None).unwrap());
    let spec = Arc::make_mut(&mut plan.spec);
    let digit = Pattern::regex("(?<n>[0-9])", Charset::default()).unwrap();
    spec.steps = vec![Step::Expect(Expect::one(digit)), expect("!")];
    spec.attempts = Some(Attempts {
        count: NonZeroU32::new(4).unwrap(),
        interval: Duration::from_millis(1),
        require: NonZeroU32::MIN,
    });
    let mut inputs = vec![Input::Passes(5)];
    inputs.extend((0..4).flat_map(|id| [Input::Opened(id), Input::Connected(id)]));
    // The third one fails after its capture.
    for (id, answer) in [(1, "1!"), (0, "0!"), (2, "2?"), (3, "3!")] {
        inputs.push(Input::Received(id, answer.into()));
        inputs.push(Input::PeerClosed(id));
        let report = play(plan.clone(), &inputs);
        let captures = report.connection.as_ref().unwrap().captures().to_vec();
        let expected = match id {
            3 => b"3",
            _ => b"1",
        };
        assert_eq!(captures, [("n".into(), expected.to_vec())], "{id}");
    }
}

#[test]
fn fewer_successes_than_required_are_never_up() {
    let mut plan = Plan::connect(Target::from_arguments("192.0.2.7", Some("25"), None).unwrap());
    let two = NonZeroU32::new(2).unwrap();
    Arc::make_mut(&mut plan.spec).attempts = Some(Attempts {
        count: two,
        interval: Duration::from_secs(60),
        require: two,
    });
    let inputs = [Input::Opened(0), Input::Connected(0), Input::PeerClosed(0)];
    assert_eq!(play(plan, &inputs).status(), Status::NotTried);
}

#[test]
fn a_blocked_connect_is_a_local_error() {
    let plan = Plan::connect(Target::from_arguments("192.0.2.7", Some("25"), None).unwrap());
    assert_eq!(
        play(plan.clone(), &[Input::Blocked(0)]).status(),
        Status::LocalError
    );
    assert_eq!(play(plan.clone(), &[]).status(), Status::NotTried);
    assert_eq!(
        play(plan, &[Input::Blocked(0), Input::Opened(0)]).status(),
        Status::ConnectTimeout
    );
}

/// The report of `check HOST 25` under [`POLICY`], with these inputs.
fn under_policy(host: &str, change: impl Fn(&mut Plan), inputs: &[Input]) -> Report {
    let mut plan = Plan::connect(Target::from_arguments(host, Some("25"), None).unwrap());
    change(&mut plan);
    play_under(&Policy::from_text(POLICY), plan, inputs)
}

#[test]
fn a_denied_address_fails_at_once_and_names_the_rule() {
    let report = under_policy("192.0.2.7", |_| {}, &[]);
    assert_eq!(
        (report.status(), report.total),
        (Status::Denied, Duration::ZERO)
    );
    assert_eq!(
        report.failure.unwrap().text,
        "connect to 192.0.2.7:25: denied by policy: deny[2]"
    );
    let report = under_policy("::ffff:192.0.2.7", |_| {}, &[]);
    assert_eq!(report.status(), Status::Denied);
    let report = under_policy(
        "192.0.2.7",
        |plan| Arc::make_mut(&mut plan.spec).expected = Expected::Closed(OnTimeout::CountsAsClosed),
        &[],
    );
    assert_eq!(
        report.status(),
        Status::Denied,
        "a denied port is not known to be closed"
    );
}

#[test]
fn a_denied_address_is_not_counted_as_an_attempt() {
    let number = |number| NonZeroU32::new(number).unwrap();
    let attempts = Attempts {
        count: number(3),
        interval: Duration::from_millis(200),
        require: number(2),
    };
    let report = under_policy(
        "192.0.2.7",
        |plan| Arc::make_mut(&mut plan.spec).attempts = Some(attempts),
        &[],
    );
    assert_eq!(
        (report.status(), report.total),
        (Status::Denied, Duration::ZERO)
    );
    assert_eq!(
        report.failure.as_ref().unwrap().text,
        "connect to 192.0.2.7:25: denied by policy: deny[2]"
    );
    let attempts = report.attempts.unwrap();
    assert_eq!((attempts.sent(), attempts.loss()), (0, None));
}

#[test]
fn each_resolved_address_has_its_own_verdict() {
    let inputs = [
        Input::Resolved(3),
        Input::Opened(0),
        Input::Opened(2),
        Input::Connected(0),
    ];
    let report = under_policy(
        "host.example",
        |plan| Arc::make_mut(&mut plan.spec).addresses = AddressSelection::All,
        &inputs,
    );
    let statuses: Vec<_> = report
        .addresses
        .iter()
        .map(|connection| connection.failure.as_ref().map(|failure| failure.status))
        .collect();
    assert_eq!(
        statuses,
        [None, Some(Status::Denied), Some(Status::ConnectTimeout)]
    );
    assert_eq!(
        report.status(),
        Status::ConnectTimeout,
        "one address that is down is enough, whatever a denied one would say"
    );
    let report = under_policy(
        "host.example",
        |_| {},
        &[Input::Resolved(1), Input::Opened(0), Input::Connected(0)],
    );
    assert!(report.is_up(), "the first address is allowed");
}

/// Time spent waiting for our own limits counts neither in the session's times nor against its
/// timeout, but the deadline of the run is not shifted.
#[test]
fn a_session_that_waited_for_our_limits_shifts_its_clock() {
    let ms = Duration::from_millis;
    let spec = ProbeSpec {
        timeout: ms(500),
        ..ProbeSpec::default()
    };
    let plan = Arc::new(Plan::new(
        spec,
        Target::from_arguments("192.0.2.1", Some("25"), None).unwrap(),
    ));
    let (start, mut actions, policy) = (Instant::now(), Actions::new(), Policy::allow_all());
    let mut session = Session::start(Arc::clone(&plan), &policy, start, &mut actions);
    assert!(session.is_idle());
    session.shift_clock(ms(3000));
    assert_eq!(
        (session.started(), session.deadline()),
        (start + ms(3000), start + ms(3500))
    );
    session.handle(
        Event::Opened(AttemptId::new(0)),
        start + ms(3000),
        &mut actions,
    );
    assert!(!session.is_idle());
    let refused = Failure::new(Status::Refused, "refused");
    session.handle(
        Event::Failed(AttemptId::new(0), refused, None),
        start + ms(3010),
        &mut actions,
    );
    assert_eq!(session.into_report().unwrap().total, ms(10));

    let mut session = Session::start(plan, &policy, start, &mut actions);
    session.handle(
        Event::Blocked(
            AttemptId::new(0),
            Failure::new(Status::LocalError, "no descriptor"),
        ),
        start,
        &mut actions,
    );
    assert!(
        !session.is_idle(),
        "a lack of local resources is waited out within the deadline"
    );
    session.shift_clock(ms(3000));
    session.limit_deadline(start + ms(3200));
    assert_eq!(session.next_wake(), start + ms(3200));
    session.tick(start + ms(3200), |_| None, &mut actions);
    assert_eq!(session.into_report().unwrap().status(), Status::LocalError);
}

/// The report of a session whose run ends after half of its timeout of two seconds.
fn cut_off(host: &str, change: impl Fn(&mut ProbeSpec), events: Vec<Event<'_>>) -> Report {
    let mut spec = ProbeSpec {
        timeout: Duration::from_secs(2),
        ..ProbeSpec::default()
    };
    change(&mut spec);
    let plan = Plan::new(
        spec,
        Target::from_arguments(host, Some("25"), None).unwrap(),
    );
    let (start, mut actions, policy) = (Instant::now(), Actions::new(), Policy::allow_all());
    let mut session = Session::start(Arc::new(plan), &policy, start, &mut actions);
    session.limit_deadline(start + Duration::from_secs(1));
    for event in events {
        session.handle(event, start, &mut actions);
    }
    session.tick(start + Duration::from_secs(1), |_| None, &mut actions);
    session.into_report().unwrap()
}

/// What the end of the run cuts off before the probe's own timeout says nothing about the target.
#[test]
fn what_the_end_of_the_run_cuts_off_is_not_tried() {
    let first = AttemptId::new(0);
    let connected = || vec![Event::Opened(first), Event::Connected(first, None, None)];
    let greeting = |spec: &mut ProbeSpec| spec.steps = vec![expect("220 ")];
    let answers = |spec: &mut ProbeSpec| {
        spec.attempts = Some(Attempts {
            count: NonZeroU32::new(3).unwrap(),
            interval: Duration::from_secs(60),
            require: NonZeroU32::MIN,
        });
    };
    let refused = || Failure::new(Status::Refused, "refused");
    let silent = || Failure::new(Status::ResolveTimeout, "no answer from 192.0.2.53");
    let unfinished: [(Report, &str); 5] = [
        (
            cut_off("mx1", |_| {}, vec![]),
            "resolve mx1: the run ended while the lookup was in progress",
        ),
        (
            cut_off("192.0.2.7", |_| {}, vec![Event::Opened(first)]),
            "connect to 192.0.2.7:25: the run ended while the connect was in progress",
        ),
        (
            cut_off("192.0.2.7", greeting, connected()),
            "expect (step 1) from 192.0.2.7:25: the run ended while waiting for the answer",
        ),
        (
            cut_off(
                "192.0.2.7",
                greeting,
                connected()
                    .into_iter()
                    .chain([Event::Received(first, b"22")])
                    .collect(),
            ),
            "expect (step 1) from 192.0.2.7:25: the run ended while waiting for the answer",
        ),
        (
            cut_off(
                "192.0.2.7",
                answers,
                vec![Event::Opened(first), Event::Failed(first, refused(), None)],
            ),
            "connect to 192.0.2.7:25: the run ended before all attempts were made",
        ),
    ];
    for (report, text) in unfinished {
        let error = &report.failure.as_ref().unwrap().text;
        assert_eq!(report.status(), Status::NotTried, "{error}");
        assert_eq!(*error, format!("{text}, before the timeout of 2s"));
    }
    // What was known before the end stays.
    let failed = vec![Event::Opened(first), Event::Failed(first, refused(), None)];
    let report = cut_off("192.0.2.7", |_| {}, failed);
    assert_eq!(report.status(), Status::Refused);
    let report = cut_off("mx1", |_| {}, vec![Event::Unresolved(silent())]);
    assert_eq!(report.status(), Status::ResolveTimeout);
    assert!(cut_off("192.0.2.7", |_| {}, connected()).is_up());
}
