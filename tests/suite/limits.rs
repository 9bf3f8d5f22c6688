//! The limits of a run: per address, rate, deadline, stop, threads. Each plan gets exactly one
//! report.

mod any;
mod floods;
mod idle;
mod source;
mod stuck;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::num::{NonZeroU32, NonZeroUsize};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use zbx_tcp::address::Target;
use zbx_tcp::engine;
use zbx_tcp::engine::dns::files::Files;
use zbx_tcp::engine::{Limits, ResolverKind, Sink};
use zbx_tcp::failure::Status;
use zbx_tcp::plan::bytes::Charset;
use zbx_tcp::plan::pattern::Pattern;
use zbx_tcp::plan::steps::{Expect, Step};
use zbx_tcp::plan::{Attempts, Close, Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::Report;
use zbx_tcp::source::{List, Source};

use crate::rerun::{passes_again, with_open_files};
use crate::scripted_peer::{FullBacklog, closed_port};

const LONG: Duration = Duration::from_secs(10);

/// Reports by the number of their plan, and the order in which they were delivered.
#[derive(Default)]
struct Gathered {
    reports: HashMap<u32, Report>,
    order: Vec<u32>,
}

impl Sink for Gathered {
    fn deliver(&mut self, report: Report) {
        let number = report.plan.index;
        self.order.push(number);
        assert!(
            self.reports.insert(number, report).is_none(),
            "plan {number} has two reports"
        );
    }
}

impl Gathered {
    fn status(&self, number: usize) -> Status {
        self.reports[&u32::try_from(number).unwrap()].status()
    }

    fn count(&self, status: Status) -> usize {
        self.reports
            .values()
            .filter(|report| report.status() == status)
            .count()
    }

    /// How many reports have this error.
    fn with_error(&self, text: &str) -> usize {
        let error = |report: &&Report| {
            report
                .failure
                .as_ref()
                .is_some_and(|failure| failure.text == text)
        };
        self.reports.values().filter(error).count()
    }
}

fn plan(host: &str, port: u16, spec: &ProbeSpec) -> Plan {
    Plan::new(
        spec.clone(),
        Target::from_arguments(host, Some(&port.to_string()), None).unwrap(),
    )
}

/// Runs the plans, numbered in order; asserts that each has a report.
#[track_caller]
fn run(plans: Vec<Plan>, limits: &Limits<'_>, names: ResolverKind) -> Gathered {
    run_source(plans.len(), &mut List::new(numbered(plans)), limits, names)
}

fn numbered(plans: Vec<Plan>) -> impl Iterator<Item = Arc<Plan>> {
    (0..).zip(plans).map(|(number, plan)| {
        Arc::new(Plan {
            index: number,
            ..plan
        })
    })
}

/// Runs a source of this number of plans; each has a report in the end.
#[track_caller]
fn run_source(
    count: usize,
    source: &mut (impl Source + Send),
    limits: &Limits<'_>,
    names: ResolverKind,
) -> Gathered {
    let mut gathered = Gathered::default();
    engine::run(source, &mut gathered, &Policy::allow_all(), limits, names).unwrap();
    assert_eq!(gathered.reports.len(), count, "each plan has its report");
    gathered
}

fn many(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn connect(timeout: Duration) -> ProbeSpec {
    ProbeSpec {
        timeout,
        close: Close::Rst,
        ..ProbeSpec::default()
    }
}

/// Attempts at a fixed interval.
fn attempts(count: u32, interval: Duration) -> Attempts {
    Attempts {
        count: count.try_into().unwrap(),
        interval,
        require: NonZeroU32::MIN,
    }
}

/// Ends before it connects: its service is allowed on no host.
fn denied() -> ProbeSpec {
    ProbeSpec {
        allowed_hosts: Some(Policy::of_service("nowhere", Vec::new())),
        ..connect(LONG)
    }
}

/// Expects the `x` that [`Slow`] sends.
fn dialogue(timeout: Duration) -> ProbeSpec {
    let greeting = Pattern::literal("x", Charset::default()).unwrap();
    ProbeSpec {
        timeout,
        steps: vec![Step::Expect(Expect::one(greeting))],
        ..ProbeSpec::default()
    }
}

/// Sends `x` to each client after a delay, on all addresses, and counts the concurrent connections.
struct Slow {
    port: u16,
    most: Arc<Mutex<HashMap<IpAddr, (usize, usize)>>>,
    came: Arc<Mutex<Vec<Instant>>>,
}

impl Slow {
    fn start(delay: Duration) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        // A long accept queue: a dropped SYN would be retransmitted only after a second.
        socket2::SockRef::from(&listener).listen(4096).unwrap();
        let port = listener.local_addr().unwrap().port();
        let most = Arc::new(Mutex::new(HashMap::<IpAddr, (usize, usize)>::new()));
        let came = Arc::new(Mutex::new(Vec::new()));
        let (counts, times) = (Arc::clone(&most), Arc::clone(&came));
        // Ends with the test program.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, counts) = (stream.unwrap(), Arc::clone(&counts));
                times.lock().unwrap().push(Instant::now());
                let address = stream.local_addr().unwrap().ip();
                {
                    let mut counts = counts.lock().unwrap();
                    let (now, most) = counts.entry(address).or_default();
                    *now += 1;
                    *most = (*most).max(*now);
                }
                thread::spawn(move || {
                    thread::sleep(delay);
                    let _ = stream.write_all(b"x");
                    let _ = stream.read(&mut [0; 16]);
                    // Before our FIN, for which the client waits before it
                    // opens another connection.
                    counts.lock().unwrap().get_mut(&address).unwrap().0 -= 1;
                });
            }
        });
        Self { port, most, came }
    }

    fn most(&self, address: &str) -> usize {
        self.most.lock().unwrap()[&address.parse::<IpAddr>().unwrap()].1
    }
}

/// A hosts file in a temporary directory.
struct Hosts {
    directory: tempfile::TempDir,
}

impl Hosts {
    fn with(names: impl Iterator<Item = String>) -> Self {
        Self::of_lines(names.map(|name| format!("127.0.0.1 {name}")))
    }

    fn of_lines(lines: impl Iterator<Item = String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text: String = lines.map(|line| line + "\n").collect();
        std::fs::write(directory.path().join("hosts"), text).unwrap();
        Self { directory }
    }

    fn names(&self) -> ResolverKind {
        ResolverKind::Stub(self.files())
    }

    fn files(&self) -> Files {
        let path = |name| self.directory.path().join(name);
        Files {
            hosts: path("hosts"),
            resolv_conf: path("none"),
            hostname: path("none"),
            gai_conf: path("none"),
            port: 1,
        }
    }

    /// The same, with a name server for other names.
    fn names_by(&self, server: SocketAddr) -> ResolverKind {
        let resolv_conf = self.directory.path().join("resolv.conf");
        std::fs::write(&resolv_conf, format!("nameserver {}\n", server.ip())).unwrap();
        ResolverKind::Stub(Files {
            resolv_conf,
            port: server.port(),
            ..self.files()
        })
    }
}

/// Thirty probes of one address, three at a time, take longer than the timeout of each.
#[test]
fn the_limit_per_address_holds_and_queueing_does_not_count_as_probe_time() {
    let hosts = Hosts::with((0..30).map(|number| format!("host{number}")));
    for (threads, named) in [(1, false), (1, true), (2, false), (2, true)] {
        let slow = Slow::start(Duration::from_millis(60));
        let spec = dialogue(Duration::from_millis(450));
        let mut plans: Vec<Plan> = (0..30)
            .map(|number| {
                if named {
                    format!("host{number}")
                } else {
                    "127.0.0.1".to_owned()
                }
            })
            .map(|host| plan(&host, slow.port, &spec))
            .collect();
        plans.push(plan("127.0.0.2", slow.port, &spec));
        let limits = Limits {
            per_address: Some(many(3)),
            threads: many(threads),
            ..Limits::in_flight(many(20))
        };
        let start = Instant::now();
        let gathered = run(plans, &limits, hosts.names());
        assert!(
            start.elapsed() > Duration::from_millis(600),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(
            gathered.count(Status::Ok),
            31,
            "{threads} {named} {:?}",
            gathered.reports
        );
        assert_eq!((slow.most("127.0.0.1"), slow.most("127.0.0.2")), (3, 1));
        for report in gathered.reports.values() {
            assert!(report.total < Duration::from_millis(450), "{report:?}");
        }
        let place = gathered
            .order
            .iter()
            .position(|number| *number == 30)
            .unwrap();
        assert!(
            place < 15,
            "another address waits for nobody, and was number {place} of 30"
        );
    }
}

/// Forty filtered ports of one address do not keep its open ports from being probed: an unanswered
/// SYN soon no longer counts for the limit per address.
#[test]
fn silent_ports_do_not_hold_the_limit_of_their_address() {
    let (full, open) = (
        FullBacklog::new(),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let port = open.local_addr().unwrap().port();
    let hosts = Hosts::with((0..60).map(|number| format!("host{number}")));
    for (threads, named) in [(1, false), (1, true), (2, false), (2, true)] {
        let host = |number| {
            if named {
                format!("host{number}")
            } else {
                "127.0.0.1".to_owned()
            }
        };
        let silent = (0..40).map(|number| plan(&host(number), full.port(), &connect(LONG)));
        let open = (40..60).map(|number| plan(&host(number), port, &connect(LONG)));
        let limits = Limits {
            per_address: Some(many(4)),
            deadline: Some(Duration::from_secs(5)),
            threads: many(threads),
            ..Limits::in_flight(many(1000))
        };
        let gathered = run(silent.chain(open).collect(), &limits, hosts.names());
        assert_eq!(gathered.count(Status::Ok), 20, "{:?}", gathered.reports);
    }
}

/// A connect that is answered after its slot was released counts again.
#[test]
fn a_late_answer_counts_for_the_limit_of_its_address() {
    let full = FullBacklog::new();
    let slow = Slow::start(Duration::from_millis(1500));
    let plans: Vec<_> = (0..9)
        .map(|number| if number < 3 { full.port() } else { slow.port })
        .map(|port| plan("127.0.0.1", port, &dialogue(LONG)))
        .collect();
    let limits = Limits {
        per_address: Some(many(3)),
        deadline: Some(Duration::from_secs(4)),
        ..Limits::in_flight(many(100))
    };
    let emptied = thread::spawn(move || {
        // The kernel retransmits the SYNs after one second, and the queue has space then.
        let mut accepted = Vec::new();
        for _ in 0..450 {
            thread::sleep(Duration::from_millis(10));
            accepted.extend(full.accept_all());
        }
    });
    let gathered = run(plans, &limits, ResolverKind::default());
    emptied.join().unwrap();
    // The first three of the others hold all slots until 1.8 s, and the late answers hold them after.
    assert_eq!(gathered.count(Status::Ok), 3, "{:?}", gathered.reports);
}

/// The error of a target that a limit kept from being tried contains the limit.
#[test]
fn the_limit_that_held_a_plan_back_is_named() {
    let full = FullBacklog::new();
    let hosts = Hosts::with((0..60).map(|number| format!("host{number}")));
    let limits = || Limits {
        deadline: Some(Duration::from_millis(150)),
        ..Limits::in_flight(many(1000))
    };
    let per_address = Limits {
        per_address: Some(many(2)),
        ..limits()
    };
    let rate = Limits {
        rate: NonZeroU32::new(10),
        ..limits()
    };
    let in_flight = Limits {
        in_flight: many(2),
        ..limits()
    };
    for (limits, bound, least) in [
        (per_address, "--per-host 2", 58),
        (rate, "--rate 10", 57),
        (in_flight, "--concurrency 2", 58),
    ] {
        for host in ["127.0.0.1", "host"] {
            let plans = (0..60).map(|number| match host {
                "host" => plan(&format!("host{number}"), full.port(), &connect(LONG)),
                host => plan(host, full.port(), &connect(LONG)),
            });
            let gathered = run(plans.collect(), &limits, hosts.names());
            assert_eq!(gathered.count(Status::NotTried), 60);
            let ending =
                format!("the run reached its deadline before this probe started ({bound})");
            let named = gathered.reports.values().filter(|report| {
                let failure = report.failure.as_ref().unwrap();
                failure.text.ends_with(&ending)
            });
            assert!(named.count() >= least, "{bound}: {:?}", gathered.reports);
        }
    }
}

#[test]
fn the_rate_limit_holds_and_queueing_does_not_count_as_probe_time() {
    let hosts = Hosts::with((0..40).map(|number| format!("host{number}")));
    for (threads, named) in [(1, false), (1, true), (2, true)] {
        let slow = Slow::start(Duration::ZERO);
        let spec = connect(Duration::from_millis(300));
        let host = |number| {
            if named {
                format!("host{number}")
            } else {
                "127.0.0.1".to_owned()
            }
        };
        let plans = (0..40)
            .map(|number| plan(&host(number), slow.port, &spec))
            .collect();
        let rate = NonZeroU32::new(50);
        let limits = Limits {
            rate,
            threads: many(threads),
            ..Limits::in_flight(many(1000))
        };
        let gathered = run(plans, &limits, hosts.names());
        assert_eq!(gathered.count(Status::Ok), 40, "{:?}", gathered.reports);
        let came = slow.came.lock().unwrap();
        // 20 ms apart, measured by a peer that may be late.
        for (number, at) in (0_u64..).zip(came.iter()) {
            let after = at.duration_since(came[0]);
            assert!(
                after + Duration::from_millis(100) > Duration::from_millis(20 * number),
                "{number} {after:?}"
            );
        }
        assert!(came[39].duration_since(came[0]) < Duration::from_secs(4));
    }
}

#[test]
fn every_plan_has_a_report_at_the_deadline_of_the_run() {
    // Nothing accepts: the kernel completes the handshakes into the queue.
    let (full, open) = (FullBacklog::new(), TcpListener::bind("0.0.0.0:0").unwrap());
    let port = open.local_addr().unwrap().port();
    for threads in [1, 2] {
        let plans = (0..200).map(|number| match number % 2 {
            0 => plan("127.0.0.1", full.port(), &connect(LONG)),
            _ => plan(&format!("127.2.0.{}", number + 1), port, &connect(LONG)),
        });
        let deadline = Some(Duration::from_millis(500));
        let limits = Limits {
            deadline,
            threads: many(threads),
            ..Limits::in_flight(many(40))
        };
        let start = Instant::now();
        let gathered = run(plans.collect(), &limits, ResolverKind::default());
        let took = start.elapsed();
        assert!(
            (Duration::from_millis(500)..Duration::from_millis(1500)).contains(&took),
            "{took:?}"
        );
        for number in 0..200 {
            let status = gathered.status(number);
            let is_possible = match number % 2 {
                0 => status == Status::NotTried,
                _ => [Status::Ok, Status::NotTried].contains(&status),
            };
            assert!(is_possible, "{number} {status:?}");
        }
        let connect = format!(
            "connect to 127.0.0.1:{}: the run ended while the connect was in progress, before the timeout of 10s",
            full.port()
        );
        assert_eq!(
            gathered.with_error(&connect),
            40,
            "they take every place in the end"
        );
        let untried = "the run reached its deadline before this probe started (--concurrency 40)";
        assert!(gathered.with_error(untried) > 50);
    }
}

#[test]
fn a_stopped_run_reports_every_plan() {
    let full = FullBacklog::new();
    for threads in [1, 2] {
        let (watched, mut written) = UnixStream::pair().unwrap();
        let plans = (0..100)
            .map(|_| plan("127.0.0.1", full.port(), &connect(LONG)))
            .collect();
        let limits = Limits {
            stop: Some(watched.as_fd()),
            threads: many(threads),
            ..Limits::in_flight(many(10))
        };
        let start = Instant::now();
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            written.write_all(b"!").unwrap();
            written
        });
        let gathered = run(plans, &limits, ResolverKind::default());
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
        drop(stopper.join().unwrap());
        assert_eq!(gathered.count(Status::NotTried), 100);
        let connect = format!(
            "connect to 127.0.0.1:{}: the run ended while the connect was in progress, before the timeout of 10s",
            full.port()
        );
        assert_eq!(
            (
                gathered.with_error(&connect),
                gathered
                    .with_error("the run was stopped before this probe started (--concurrency 10)")
            ),
            (10, 90)
        );
    }
}

/// A closed connection is closed in all threads: the peer sees its end while the run goes on.
#[test]
fn threads_do_not_keep_each_others_connections_open() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.unwrap(), Arc::clone(&count));
            thread::spawn(move || {
                let _ = stream.write_all(b"x");
                while stream.read(&mut [0; 16]).is_ok_and(|read| read > 0) {}
                count.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    // The RST is sent at the last close of the socket, unlike a FIN.
    let mut plans = vec![
        plan(
            "127.0.0.1",
            port,
            &ProbeSpec {
                close: Close::Rst,
                ..dialogue(LONG)
            }
        );
        200
    ];
    let full = FullBacklog::new();
    // Keeps the threads, and descriptors that they might still hold, until the end.
    plans.extend([(); 2].map(|()| {
        plan(
            "127.0.0.1",
            full.port(),
            &connect(Duration::from_millis(1500)),
        )
    }));
    let watch = thread::spawn(move || {
        let start = Instant::now();
        while ended.load(Ordering::SeqCst) < 200 && start.elapsed() < Duration::from_millis(1300) {
            thread::sleep(Duration::from_millis(10));
        }
        ended.load(Ordering::SeqCst)
    });
    let gathered = run(
        plans,
        &Limits {
            threads: many(4),
            ..Limits::in_flight(many(64))
        },
        ResolverKind::default(),
    );
    assert_eq!(
        (
            gathered.count(Status::Ok),
            gathered.count(Status::ConnectTimeout)
        ),
        (200, 2)
    );
    assert_eq!(
        watch.join().unwrap(),
        200,
        "the peer has not seen every end"
    );
}

/// A thread without free descriptors leaves the rest to the next thread.
#[test]
fn standby_threads_start_when_needed() {
    let (full, closed) = (FullBacklog::new(), closed_port());
    let held = Duration::from_millis(700);
    let mut plans = vec![plan("127.0.0.1", full.port(), &connect(held)); 40];
    plans.extend(vec![plan("127.0.0.1", closed, &connect(LONG)); 10]);
    for (standby_threads, at_least) in [(1, 2 * held), (3, held), (100, held)] {
        let limits = Limits {
            standby_threads,
            ..Limits::in_flight(many(10 * (standby_threads + 1).min(40)))
        };
        let (start, plans) = (Instant::now(), plans.clone());
        let gathered = in_time(move || run(plans, &limits, ResolverKind::default()));
        let took = start.elapsed();
        assert_eq!(
            (
                gathered.count(Status::ConnectTimeout),
                gathered.count(Status::Refused)
            ),
            (40, 10),
            "{standby_threads}"
        );
        assert!(
            took >= at_least && took < at_least + held,
            "{standby_threads} standby threads: {took:?}"
        );
    }
}

/// Standby threads end without work, and also if another thread panics.
#[test]
fn unneeded_standby_threads_end() {
    struct Faulty;
    impl Sink for Faulty {
        fn deliver(&mut self, report: Report) {
            assert!(report.plan.index != 3, "a fault");
        }
    }
    let closed = closed_port();
    let plans = move || vec![plan("127.0.0.1", closed, &connect(LONG)); 5];
    let limits = Limits {
        standby_threads: 3,
        ..Limits::in_flight(many(400))
    };
    let gathered = in_time(move || run(plans(), &limits, ResolverKind::default()));
    assert_eq!(gathered.count(Status::Refused), 5);
    let (done, ended) = mpsc::channel();
    let numbered: Vec<_> = (0..)
        .zip(plans())
        .map(|(number, plan)| {
            Arc::new(Plan {
                index: number,
                ..plan
            })
        })
        .collect();
    thread::spawn(move || {
        let run = || {
            engine::run(
                &mut List::new(numbered),
                &mut Faulty,
                &Policy::allow_all(),
                &limits,
                ResolverKind::default(),
            )
        };
        done.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err())
    });
    assert!(
        ended
            .recv_timeout(Duration::from_secs(60))
            .expect("the run never ended"),
        "the fault was lost"
    );
}

/// Without free descriptors probes wait, and waiting does not count towards their timeout.
#[test]
fn sixteen_descriptors_are_enough() {
    const PORTS: &str = "ZBX_TCP_TEST_PORTS";
    if let Ok(ports) = std::env::var(PORTS) {
        return starve(&ports);
    }
    let (slow, full) = (Slow::start(Duration::ZERO), FullBacklog::new());
    let ports = format!("{} {} {}", slow.port, closed_port(), full.port());
    passes_again(
        with_open_files(16).env(PORTS, ports),
        "limits::sixteen_descriptors_are_enough",
    );
}

fn starve(ports: &str) {
    let ports: Vec<u16> = ports.split(' ').map(|port| port.parse().unwrap()).collect();
    for threads in [1, 2] {
        let plans = (0..1000).map(|number| match number % 20 {
            _ if number < 40 => plan("127.0.0.1", ports[2], &connect(Duration::from_millis(250))),
            0..8 => plan("127.0.0.1", ports[1], &connect(Duration::from_millis(500))),
            8 => plan("127.0.0.1", ports[0], &dialogue(Duration::from_millis(500))),
            _ => plan("127.0.0.1", ports[0], &connect(Duration::from_millis(500))),
        });
        let limits = Limits {
            threads: many(threads),
            ..Limits::in_flight(many(1000))
        };
        let gathered = run(plans.collect(), &limits, ResolverKind::default());
        for number in 0..1000 {
            let expected = match number % 20 {
                _ if number < 40 => Status::ConnectTimeout,
                0..8 => Status::Refused,
                _ => Status::Ok,
            };
            let report = &gathered.reports[&number];
            assert_eq!(report.status(), expected, "{number} {report:?}");
        }
    }
}

/// One thread waits only for the address slot that the other thread holds.
#[test]
fn a_plan_queued_behind_another_thread_runs() {
    let (full, closed) = (FullBacklog::new(), closed_port());
    let hosts = Hosts::with(["host0".to_owned()].into_iter());
    for host in ["127.0.0.1", "host0"] {
        let plans = vec![
            plan(
                "127.0.0.1",
                full.port(),
                &connect(Duration::from_millis(300)),
            ),
            plan(host, closed, &connect(Duration::from_secs(1))),
        ];
        let limits = Limits {
            per_address: Some(many(1)),
            threads: many(2),
            ..Limits::in_flight(many(2))
        };
        let names = hosts.names();
        let gathered = in_time(move || run(plans, &limits, names));
        assert_eq!(
            (gathered.status(0), gathered.status(1)),
            (Status::ConnectTimeout, Status::Refused),
            "{host}"
        );
    }
}

/// A plan that is admitted but does not connect must not keep the address busy.
#[test]
fn a_plan_that_does_not_connect_releases_its_slot() {
    let (full, closed) = (FullBacklog::new(), closed_port());
    let mut plans = vec![plan(
        "127.0.0.1",
        full.port(),
        &connect(Duration::from_millis(300)),
    )];
    plans.extend([(); 3].map(|()| plan("127.0.0.1", closed, &denied())));
    plans.push(plan("127.0.0.1", closed, &connect(LONG)));
    let limits = Limits {
        per_address: Some(many(1)),
        ..Limits::in_flight(many(10))
    };
    let gathered = in_time(move || run(plans, &limits, ResolverKind::default()));
    assert_eq!(
        (gathered.count(Status::Denied), gathered.status(4)),
        (3, Status::Refused)
    );
}

/// Runs `work` and asserts that it ends.
#[track_caller]
fn in_time(work: impl FnOnce() -> Gathered + Send + 'static) -> Gathered {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result
        .recv_timeout(Duration::from_secs(60))
        .expect("the run never ended, or panicked")
}

/// Replies that arrived in time count although the loop was blocked, also more than one poll
/// returns.
#[test]
fn replies_that_arrive_while_the_loop_is_blocked_count() {
    const COUNT: u32 = 1800;
    struct HeldUp(Gathered);
    impl Sink for HeldUp {
        fn deliver(&mut self, report: Report) {
            if report.plan.index == COUNT {
                thread::sleep(Duration::from_millis(1800));
            }
            self.0.deliver(report);
        }
    }
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    listener.listen(4096).unwrap();
    let listener = TcpListener::from(listener);
    let (port, full) = (listener.local_addr().unwrap().port(), FullBacklog::new());
    let limits = Limits::in_flight(many(4000));
    // Raises the limit of open files before the peers connect.
    drop(run(Vec::new(), &limits, ResolverKind::default()));
    let peers = thread::spawn(move || {
        let mut clients: Vec<TcpStream> =
            (0..COUNT).map(|_| listener.accept().unwrap().0).collect();
        thread::sleep(Duration::from_millis(600));
        // The connection with the earliest deadline gets its reply last.
        clients
            .iter_mut()
            .rev()
            .for_each(|client| drop(client.write_all(b"x")));
        thread::sleep(Duration::from_millis(2500));
    });
    let mut plans = vec![
        plan(
            "127.0.0.1",
            port,
            &ProbeSpec {
                close: Close::Rst,
                ..dialogue(Duration::from_millis(1500))
            }
        );
        COUNT as usize
    ];
    // Ends before the replies, and blocks the loop.
    plans.push(plan(
        "127.0.0.1",
        full.port(),
        &connect(Duration::from_millis(300)),
    ));
    let numbered = (0..).zip(plans).map(|(number, plan)| {
        Arc::new(Plan {
            index: number,
            ..plan
        })
    });
    let mut held_up = HeldUp(Gathered::default());
    engine::run(
        &mut List::new(numbered),
        &mut held_up,
        &Policy::allow_all(),
        &limits,
        ResolverKind::default(),
    )
    .unwrap();
    assert_eq!(
        (
            held_up.0.count(Status::Ok),
            held_up.0.count(Status::ConnectTimeout)
        ),
        (COUNT as usize, 1)
    );
    drop(peers.join());
}
