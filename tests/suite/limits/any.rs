//! Any plans under any limits.

use std::net::Ipv4Addr;
use std::sync::OnceLock;

use proptest::prelude::*;
use simple_dns::RCODE;
use simple_dns::rdata::{A, RData};
use zbx_tcp::plan::{AddressSelection, Family};

use super::*;
use crate::dns::server::{ReceivedQuery, Reply, Servers, Tcp, record};

/// Passes the peers of one process to the process with few descriptors.
const FIELD: &str = "ZBX_TCP_TEST_FIELD";
/// A timeout that is never reached.
const AMPLE: Duration = Duration::from_secs(20);

/// The peers that plans probe: ports of loopback, and a name server.
struct Field {
    open: u16,
    closed: u16,
    full: u16,
    slow: u16,
    silent: u16,
    server: SocketAddr,
    hosts: Hosts,
}

impl Field {
    /// Those of this process, or those that another process passed to it.
    fn known() -> &'static Self {
        static KNOWN: OnceLock<Field> = OnceLock::new();
        KNOWN.get_or_init(|| {
            Self::from_arguments(&std::env::var(FIELD).unwrap_or_else(|_| Self::words().clone()))
        })
    }

    /// Those of this process as text; they live as long as the test program.
    fn words() -> &'static String {
        static WORDS: OnceLock<String> = OnceLock::new();
        WORDS.get_or_init(|| {
            let (slow, silent) = (
                Slow::start(Duration::from_millis(30)),
                accepting(|mut stream| {
                    thread::spawn(move || stream.read(&mut [0; 16]));
                }),
            );
            let (full, servers) = (
                FullBacklog::new(),
                Servers::start(Tcp::Listening, vec![Box::new(answer)]),
            );
            let server = SocketAddr::from((servers.addresses[0], servers.port));
            let words = format!(
                "{} {} {} {} {silent} {server}",
                accepting(drop),
                closed_port(),
                full.port(),
                slow.port
            );
            std::mem::forget((full, servers));
            words
        })
    }

    fn from_arguments(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let port = |at: usize| words[at].parse().unwrap();
        let all = (1..=4).flat_map(|last| {
            [
                format!("127.0.0.{last} everywhere"),
                format!("127.0.0.1 host{last}"),
            ]
        });
        Self {
            open: port(0),
            closed: port(1),
            full: port(2),
            slow: port(3),
            silent: port(4),
            server: words[5].parse().unwrap(),
            hosts: Hosts::of_lines(all),
        }
    }

    /// A plan of this kind, and its status unless the run is cut short.
    fn plan(&self, kind: u8, variant: u8) -> (Plan, Status) {
        let here = format!("127.0.0.{}", variant % 4 + 1);
        let (host, name) = (
            format!("host{}", variant % 4 + 1),
            format!("late{}.example.", variant % 8),
        );
        let short = Duration::from_millis(60);
        let several = |count, spec| ProbeSpec {
            attempts: Some(attempts(count, Duration::from_millis(15))),
            ..spec
        };
        let all = |spec| ProbeSpec {
            addresses: AddressSelection::All,
            family: Family::V4,
            ..spec
        };
        match kind {
            0 => (plan(&here, self.open, &connect(AMPLE)), Status::Ok),
            1 => (plan(&host, self.open, &connect(AMPLE)), Status::Ok),
            2 => (plan(&here, self.closed, &connect(AMPLE)), Status::Refused),
            3 => (
                plan("127.0.0.1", self.full, &connect(short)),
                Status::ConnectTimeout,
            ),
            4 => (plan(&here, self.open, &denied()), Status::Denied),
            5 => (
                plan("nowhere.invalid.", 1, &connect(AMPLE)),
                Status::ResolveFailed,
            ),
            6 => (plan(&here, self.slow, &dialogue(AMPLE)), Status::Ok),
            7 => (plan(&host, self.slow, &dialogue(AMPLE)), Status::Ok),
            8 => (
                plan(&here, self.silent, &dialogue(short)),
                Status::ReadTimeout,
            ),
            9 => (
                plan("everywhere", self.open, &all(connect(AMPLE))),
                Status::Ok,
            ),
            10 => (
                plan("everywhere", self.slow, &all(dialogue(AMPLE))),
                Status::Ok,
            ),
            11 => (
                plan(&here, self.open, &several(3, connect(AMPLE))),
                Status::Ok,
            ),
            12 => (
                plan(&host, self.slow, &several(3, dialogue(AMPLE))),
                Status::Ok,
            ),
            13 => (
                plan("127.0.0.1", self.full, &several(3, connect(short))),
                Status::ConnectTimeout,
            ),
            14 => (plan(&name, self.open, &connect(AMPLE)), Status::Ok),
            15 => (
                plan("silent.example.", 1, &connect(short)),
                Status::ResolveTimeout,
            ),
            16 => (plan(&name, self.open, &denied()), Status::Denied),
            17 => (plan("everywhere", self.open, &connect(AMPLE)), Status::Ok),
            18 => (
                plan("everywhere", self.closed, &connect(AMPLE)),
                Status::Refused,
            ),
            19 => (
                plan("everywhere", self.slow, &several(3, dialogue(AMPLE))),
                Status::Ok,
            ),
            // A broadcast address: the kernel refuses it before anything is sent.
            _ => (
                plan("127.255.255.255", self.open, &connect(AMPLE)),
                Status::Unreachable,
            ),
        }
    }
}

/// A port on all addresses that accepts connections and handles each with `then`.
fn accepting(then: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    socket2::SockRef::from(&listener).listen(4096).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Runs until the test program ends.
    thread::spawn(move || listener.incoming().flatten().for_each(then));
    port
}

/// Answers `lateN` after N times 10 ms, `silent` never, and other names with NXDOMAIN.
fn answer(asked: &ReceivedQuery) -> Reply {
    if asked.name.starts_with("silent") {
        return Reply::Silent;
    }
    let Some(late) = asked.name.strip_prefix("late") else {
        return asked.rcode(RCODE::NameError);
    };
    let number: u8 = late[..1].parse().unwrap();
    let answer = asked.reply(|packet| {
        if asked.kind == "A" {
            let address = u32::from(Ipv4Addr::new(127, 0, 0, number / 2 + 1));
            packet
                .answers
                .push(record(&asked.name, RData::A(A { address })));
        }
    });
    Reply::Late(
        Duration::from_millis(10 * u64::from(number)),
        Box::new(answer),
    )
}

/// A descriptor that becomes readable after this many milliseconds.
fn stopper(after: Option<u64>) -> Option<UnixStream> {
    let (watched, mut written) = UnixStream::pair().unwrap();
    let after = Duration::from_millis(after?);
    thread::spawn(move || {
        thread::sleep(after);
        let _ = written.write_all(b"!");
    });
    Some(watched)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..ProptestConfig::default() })]

    /// Whatever the limits are, each plan has one report: its own status, or `not_tried`.
    #[test]
    fn each_plan_has_one_report_under_any_limits(
        kinds in prop::collection::vec((0_u8..21, any::<u8>()), 0..60),
        in_flight in 1_usize..40,
        per_address in prop::option::of(1_usize..4),
        rate in prop::option::of(300_u32..100_000),
        deadline in prop::option::of(0_u64..300),
        stop in prop::option::weighted(0.3, 0_u64..300),
        threads in 1_usize..4,
        standby_threads in 0_usize..4,
        // Milliseconds before each plan of a queue; a list, where there is none.
        pauses in prop::option::of(prop::collection::vec(0_u64..4, 60)),
    ) {
        let field = Field::known();
        let (plans, expected): (Vec<_>, Vec<_>) = kinds.iter().map(|(kind, variant)| field.plan(*kind, *variant)).unzip();
        let (names, stopper) = (field.hosts.names_by(field.server), stopper(stop));
        let gathered = in_time(move || {
            let limits = Limits {
                per_address: per_address.map(many),
                rate: rate.and_then(NonZeroU32::new),
                deadline: deadline.map(Duration::from_millis),
                stop: stopper.as_ref().map(AsFd::as_fd),
                threads: many(threads),
                standby_threads,
                ..Limits::in_flight(many(in_flight))
            };
            match pauses {
                // What a queue has after the end of its run has no report.
                Some(pauses) if deadline.is_none() && stop.is_none() => {
                    run_queue(plans, pauses, &limits, names)
                }
                _ => run(plans, &limits, names),
            }
        });
        let others: &[Status] = if deadline.is_some() || stop.is_some() { &CUT } else { &[] };
        for (number, expected) in expected.into_iter().enumerate() {
            let report = &gathered.reports[&u32::try_from(number).unwrap()];
            prop_assert!(is_possible(report, expected, others), "{number}: not {expected:?}: {report:?}");
        }
    }
}

/// Runs plans that another thread puts into a queue, with these pauses.
fn run_queue(
    plans: Vec<Plan>,
    pauses: Vec<u64>,
    limits: &Limits<'_>,
    names: ResolverKind,
) -> Gathered {
    let (count, (mut source, sender)) = (plans.len(), zbx_tcp::source::queue().unwrap());
    thread::spawn(move || {
        for (plan, pause) in numbered(plans).zip(pauses) {
            thread::sleep(Duration::from_millis(pause));
            sender.send(plan).unwrap();
        }
    });
    run_source(count, &mut source, limits, names)
}

/// The statuses that a run which is cut short may give instead: none of them means that a target is
/// down.
const CUT: [Status; 2] = [Status::NotTried, Status::LocalError];

/// Whether the status is the expected one or one of `others`.
fn is_possible(report: &Report, expected: Status, others: &[Status]) -> bool {
    let status = report.status();
    // A lookup that waits for a socket has no more time than any other.
    let lacks = std::env::var_os(FIELD).is_some() && status == Status::LocalError;
    // On a loaded machine, silence is not reported as that of the peer if this process was late.
    let is_silence = matches!(
        expected,
        Status::ConnectTimeout | Status::ReadTimeout | Status::ResolveTimeout
    );
    let was_late = || {
        let text = report.failure.as_ref().map_or("", |failure| &failure.text);
        status == Status::LocalError && text.contains("had no CPU time")
    };
    status == expected
        || others.contains(&status)
        || lacks && expected == Status::ResolveTimeout
        || is_silence && was_late()
}

/// The same in a process with few descriptors; the peers are in this process.
#[test]
fn each_plan_has_one_report_with_few_descriptors() {
    if std::env::var_os(FIELD).is_some() {
        return;
    }
    let test = "limits::any::each_plan_has_one_report_under_any_limits";
    passes_again(with_open_files(20).env(FIELD, Field::words()), test);
}
