//! The session as a state machine: whatever happens in whatever order, it ends by its deadline with one report.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zbx_tcp::address::{Port, Target};
use zbx_tcp::engine::session::Session;
use zbx_tcp::engine::session::action::{Action, Actions, Event};
use zbx_tcp::failure::{Failure, Status};
use zbx_tcp::os::socket::TcpInfo;
use zbx_tcp::plan::bytes::Charset;
use zbx_tcp::plan::pattern::Pattern;
use zbx_tcp::plan::steps::{Expect, Step, Template};
use zbx_tcp::plan::{AddressSelection, Attempts, Close, Expected, OnTimeout, Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::Report;

/// Something that may happen, with the number of the attempt it happens to.
#[derive(Debug, Clone)]
enum Happening {
    Resolved(u8),
    Unresolved,
    Opened(u32),
    Blocked(u32),
    Connected(u32),
    Sent(u32),
    Received(u32, Vec<u8>),
    PeerClosed(u32),
    Failed(u32, Status),
    Passes(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let id = 0_u32..4;
    let failure = prop_oneof![
        Just(Status::Refused),
        Just(Status::Reset),
        Just(Status::Unreachable),
        Just(Status::LocalError)
    ];
    prop_oneof![
        (1_u8..5).prop_map(Happening::Resolved),
        Just(Happening::Unresolved),
        id.clone().prop_map(Happening::Opened),
        id.clone().prop_map(Happening::Blocked),
        id.clone().prop_map(Happening::Connected),
        id.clone().prop_map(Happening::Sent),
        (id.clone(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(id, bytes)| Happening::Received(id, bytes)),
        id.clone().prop_map(Happening::PeerClosed),
        (id, failure).prop_map(|(id, status)| Happening::Failed(id, status)),
        (0_u64..400).prop_map(Happening::Passes),
    ]
}

/// Denies some of the addresses that these probes may have, and allows others.
const POLICY: &[u8] = b"deny = [\"192.0.2.2:25\", \"192.0.2.7\"]";

fn literal(text: &str) -> Pattern {
    Pattern::literal(text, Charset::default()).unwrap()
}

fn expect(text: &str) -> Step {
    Step::Expect(Expect::one(literal(text)))
}

fn guarded(text: &str, reject: &str) -> Step {
    let timeout = Some(Duration::from_millis(200));
    Step::Expect(Expect {
        reject: vec![literal(reject)],
        timeout,
        ..Expect::one(literal(text))
    })
}

fn plans() -> impl Strategy<Value = Plan> {
    let attempts = proptest::option::of((1_u32..5, 1_u64..300, 1_u32..5));
    let step = prop_oneof![
        Just(Step::Send(Template::bytes(*b"hi"))),
        Just(expect("\\0")),
        Just(guarded("\\x01", "\\x02"))
    ];
    let want = prop_oneof![
        Just(Expected::Open),
        Just(Expected::Closed(OnTimeout::Fails)),
        Just(Expected::Closed(OnTimeout::CountsAsClosed))
    ];
    let host = prop_oneof![Just("192.0.2.7"), Just("host.example")];
    let policy = prop_oneof![
        4 => Just(Policy::default()),
        1 => Just(Policy::from_text(POLICY)),
    ];
    (
        host,
        attempts,
        proptest::collection::vec(step, 0..4),
        want,
        any::<(bool, bool)>(),
        policy,
    )
        .prop_map(|(host, attempts, steps, want, (all, rst), policy)| {
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
                want,
                addresses: if all && attempts.is_none() {
                    AddressSelection::All
                } else {
                    AddressSelection::First
                },
                close: if rst { Close::Rst } else { Close::Fin },
                timeout: Duration::from_secs(1),
                policy,
                ..ProbeSpec::default()
            };
            Plan::by(spec, Target::from_words(host, Some("25"), None).unwrap())
        })
}

/// Checks that every wish makes sense when it comes.
#[derive(Default)]
struct Ledger {
    policy: Policy,
    opened: BTreeSet<u32>,
    closed: BTreeSet<u32>,
}

impl Ledger {
    fn under(plan: &Plan) -> Self {
        Self {
            policy: plan.spec.policy.clone(),
            ..Self::default()
        }
    }

    fn take(&mut self, actions: &mut Actions) {
        for wish in actions.drain(..) {
            match wish {
                Action::Resolve | Action::Explain(..) => {}
                Action::Open(id, address) => {
                    assert!(
                        self.policy
                            .decide(address.ip(), Port::new(address.port()).unwrap())
                            .is_allowed()
                    );
                    assert!(self.opened.insert(id), "attempt {id} opened twice");
                }
                Action::Send(id, _) | Action::Shutdown(id) => {
                    assert!(
                        self.opened.contains(&id) && !self.closed.contains(&id),
                        "attempt {id} is not open"
                    );
                }
                Action::Close(id, _) => {
                    assert!(self.closed.insert(id), "attempt {id} closed twice");
                }
            }
        }
    }
}

/// Plays the happenings, then lets the deadline come.
fn play(plan: Plan, happenings: &[Happening]) -> Report {
    let start = Instant::now();
    let (mut now, mut actions, mut ledger) = (start, Actions::new(), Ledger::under(&plan));
    let deadline = start + plan.spec.timeout;
    let named = plan.ip().is_none();
    let mut answered = false;
    let mut session = Session::start(Arc::new(plan), now, &mut actions);
    ledger.take(&mut actions);
    for happening in happenings {
        if session.is_over() {
            break;
        }
        match happening {
            Happening::Passes(ms) => {
                now = (now + Duration::from_millis(*ms))
                    .min(deadline.checked_sub(Duration::from_nanos(1)).unwrap());
                session.tick(now, |_| Some(TcpInfo::default()), &mut actions);
            }
            // The resolver answers a name once.
            Happening::Resolved(_) | Happening::Unresolved if !named || answered => {}
            Happening::Resolved(number) => {
                answered = true;
                let list: Vec<_> = (1..=*number).map(|last| [192, 0, 2, last].into()).collect();
                session.handle(Event::Resolved(&list), now, &mut actions);
            }
            Happening::Unresolved => {
                answered = true;
                session.handle(
                    Event::Unresolved(Failure::new(Status::ResolveFailed, "x")),
                    now,
                    &mut actions,
                );
            }
            other => session.handle(event(other), now, &mut actions),
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

fn event(happening: &Happening) -> Event<'_> {
    let info = Some(TcpInfo {
        rtt: Duration::from_micros(20),
        ..TcpInfo::default()
    });
    match happening {
        Happening::Opened(id) => Event::Opened(*id),
        Happening::Blocked(id) => Event::Blocked(*id, Failure::new(Status::LocalError, "EMFILE")),
        Happening::Connected(id) => Event::Connected(*id, None, info),
        Happening::Sent(id) => Event::Sent(*id),
        Happening::Received(id, bytes) => Event::Received(*id, bytes),
        Happening::PeerClosed(id) => Event::PeerClosed(*id),
        Happening::Failed(id, status) => Event::Failed(*id, Failure::new(*status, "failed"), info),
        Happening::Resolved(_) | Happening::Unresolved | Happening::Passes(_) => unreachable!(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_ends_in_one_consistent_report(
        plan in plans(),
        happenings in proptest::collection::vec(happening(), 0..40),
    ) {
        let report = play(plan, &happenings);
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
        if report.is_up() && report.plan.spec.want == Expected::Open {
            prop_assert!(report.connection.as_ref().unwrap().connect.is_some(), "up means that it connected");
        }
        for connection in &report.addresses {
            prop_assert!(connection.total <= report.plan.spec.timeout);
        }
    }

    #[test]
    fn a_dialogue_is_up_only_if_every_expected_byte_came(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
        let mut plan = Plan::connect(Target::from_words("192.0.2.7", Some("25"), None).unwrap());
        Arc::make_mut(&mut plan.spec).steps = vec![expect("\\x07")];
        let expected = bytes.contains(&7);
        let happenings = [Happening::Opened(0), Happening::Connected(0), Happening::Received(0, bytes), Happening::PeerClosed(0)];
        prop_assert_eq!(play(plan, &happenings).is_up(), expected);
    }
}

#[test]
fn fewer_attempts_than_required_are_never_up() {
    let mut plan = Plan::connect(Target::from_words("192.0.2.7", Some("25"), None).unwrap());
    let two = NonZeroU32::new(2).unwrap();
    Arc::make_mut(&mut plan.spec).attempts = Some(Attempts {
        count: two,
        interval: Duration::from_secs(60),
        require: two,
    });
    let happenings = [
        Happening::Opened(0),
        Happening::Connected(0),
        Happening::PeerClosed(0),
    ];
    assert_eq!(play(plan, &happenings).status(), Status::NotTried);
}

#[test]
fn a_connect_that_this_machine_blocks_is_a_local_error() {
    let plan = Plan::connect(Target::from_words("192.0.2.7", Some("25"), None).unwrap());
    assert_eq!(
        play(plan.clone(), &[Happening::Blocked(0)]).status(),
        Status::LocalError
    );
    assert_eq!(play(plan.clone(), &[]).status(), Status::NotTried);
    assert_eq!(
        play(plan, &[Happening::Blocked(0), Happening::Opened(0)]).status(),
        Status::ConnectTimeout
    );
}

/// `check HOST 25` under [`POLICY`], to the happenings.
fn under_policy(host: &str, change: impl Fn(&mut Plan), happenings: &[Happening]) -> Report {
    let mut plan = Plan::connect(Target::from_words(host, Some("25"), None).unwrap());
    Arc::make_mut(&mut plan.spec).policy = Policy::from_text(POLICY);
    change(&mut plan);
    play(plan, happenings)
}

#[test]
fn a_denied_address_ends_at_once_and_names_the_rule() {
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
        |plan| Arc::make_mut(&mut plan.spec).want = Expected::Closed(OnTimeout::CountsAsClosed),
        &[],
    );
    assert_eq!(
        report.status(),
        Status::Denied,
        "a denied port is not known to be closed"
    );
}

#[test]
fn a_denied_address_does_not_count_as_an_attempt() {
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
    let happenings = [
        Happening::Resolved(3),
        Happening::Opened(0),
        Happening::Opened(2),
        Happening::Connected(0),
    ];
    let report = under_policy(
        "host.example",
        |plan| Arc::make_mut(&mut plan.spec).addresses = AddressSelection::All,
        &happenings,
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
    assert_eq!(report.status(), Status::Denied);
    let report = under_policy(
        "host.example",
        |_| {},
        &[
            Happening::Resolved(1),
            Happening::Opened(0),
            Happening::Connected(0),
        ],
    );
    assert!(report.is_up(), "the first address is allowed");
}

/// What it waited for our own limits is neither in its times nor taken from its deadline, but the run's end holds.
#[test]
fn queueing_time_shifts_the_deadline() {
    let ms = Duration::from_millis;
    let spec = ProbeSpec {
        timeout: ms(500),
        ..ProbeSpec::default()
    };
    let plan = Arc::new(Plan::by(
        spec,
        Target::from_words("192.0.2.1", Some("25"), None).unwrap(),
    ));
    let (start, mut actions) = (Instant::now(), Actions::new());
    let mut session = Session::start(Arc::clone(&plan), start, &mut actions);
    assert!(session.is_idle());
    session.postpone(ms(3000));
    assert_eq!(
        (session.started(), session.deadline()),
        (start + ms(3000), start + ms(3500))
    );
    session.handle(Event::Opened(0), start + ms(3000), &mut actions);
    assert!(!session.is_idle());
    let refused = Failure::new(Status::Refused, "refused");
    session.handle(
        Event::Failed(0, refused, None),
        start + ms(3010),
        &mut actions,
    );
    assert_eq!(session.into_report().unwrap().total, ms(10));

    let mut session = Session::start(plan, start, &mut actions);
    session.handle(
        Event::Blocked(0, Failure::new(Status::LocalError, "no descriptor")),
        start,
        &mut actions,
    );
    assert!(
        !session.is_idle(),
        "what this machine lacks is waited out inside the deadline"
    );
    session.postpone(ms(3000));
    session.cut(start + ms(3200));
    assert_eq!(session.next_wake(), start + ms(3200));
    session.tick(start + ms(3200), |_| None, &mut actions);
    assert_eq!(session.into_report().unwrap().status(), Status::LocalError);
}
