//! A run of the engine with thousands of names.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use zbx_tcp::address::Target;
use zbx_tcp::engine;
use zbx_tcp::engine::dns::files::Files;
use zbx_tcp::engine::{Limits, ResolverKind, Sink};
use zbx_tcp::plan::{Close, Family, Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::Report;
use zbx_tcp::source::List;

use super::one;
use super::server::{ReceivedQuery, Reply, Servers};
use simple_dns::rdata::{A, RData};
use socket2::{Domain, Socket, Type};

#[derive(Default)]
struct Reports(Vec<Report>);

impl Sink for Reports {
    fn deliver(&mut self, report: Report) {
        self.0.push(report);
    }
}

/// Connects to each of these names on this port; the reports.
fn run(
    servers: &Servers,
    names: impl Iterator<Item = String> + Send,
    port: u16,
    threads: usize,
) -> Vec<Report> {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (resolv_conf, hosts) = (
        write("resolv.conf", &servers.resolv_conf("")),
        write("hosts", ""),
    );
    let files = Files {
        resolv_conf,
        hosts,
        hostname: write("hostname", "probe\n"),
        port: servers.port,
    };
    let timeout = Duration::from_millis(700);
    let spec = Arc::new(ProbeSpec {
        timeout,
        close: Close::Rst,
        family: Family::V4,
        ..ProbeSpec::default()
    });
    let plans = names.map(|name| {
        let target = Target::from_arguments(&name, Some(&port.to_string()), None).unwrap();
        Arc::new(Plan {
            spec: Arc::clone(&spec),
            ..Plan::connect(target)
        })
    });
    let mut reports = Reports::default();
    let (in_flight, threads) = (
        NonZeroUsize::new(5000).unwrap(),
        NonZeroUsize::new(threads).unwrap(),
    );
    let limits = Limits {
        threads,
        ..Limits::in_flight(in_flight)
    };
    engine::run(
        &mut List::new(plans),
        &mut reports,
        &Policy::allow_all(),
        &limits,
        ResolverKind::Stub(files),
    )
    .unwrap();
    reports.0
}

/// Answers that the name is 127.0.0.1.
fn here(asked: &ReceivedQuery) -> Reply {
    asked.reply(|packet| {
        let data = RData::A(A {
            address: u32::from(std::net::Ipv4Addr::LOCALHOST),
        });
        packet.answers.push(super::record(&asked.name, data));
    })
}

/// A listener with an accept queue that is long enough for all of them.
fn open() -> TcpListener {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(4096).unwrap();
    let listener = TcpListener::from(listener);
    let accepting = listener.try_clone().unwrap();
    // Runs until the test program ends.
    std::thread::spawn(move || accepting.incoming().for_each(drop));
    listener
}

/// The most questions within any time of this length.
fn most_within(times: &[Instant], length: Duration) -> usize {
    let count = |start: &Instant| {
        times
            .iter()
            .filter(|time| (*start..*start + length).contains(*time))
            .count()
    };
    times.iter().map(count).max().unwrap_or_default()
}

/// All lookups together take twice as long as each may: a probe's time starts after it has waited for the
/// resolver.
#[test]
fn thousands_of_names_are_looked_up_a_few_at_a_time() {
    let open = open();
    let port = open.local_addr().unwrap().port();
    for threads in [1, 2] {
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let servers = one(move |asked| {
            seen.lock().unwrap().push(Instant::now());
            Reply::Late(Duration::from_millis(50), Box::new(here(asked)))
        });
        let start = Instant::now();
        let reports = run(
            &servers,
            (0..2000).map(|number| format!("host{number}.example.")),
            port,
            threads,
        );
        let took = start.elapsed();
        let down: Vec<_> = reports
            .iter()
            .filter_map(|report| report.failure.clone())
            .take(3)
            .collect();
        assert_eq!((reports.len(), down.as_slice()), (2000, &[][..]));
        assert!(took > Duration::from_millis(1400), "{took:?}");
        // Each lookup waits 50 ms for its answer before another takes its place. A thread that starts
        // before the other may use the whole limit until the other runs.
        let most = most_within(&times.lock().unwrap(), Duration::from_millis(50));
        assert!(most <= 80 * threads, "{most} at a time");
        assert_eq!(servers.log().len(), 2000, "each name is asked for once");
    }
}

#[test]
fn many_ports_of_one_name_share_a_lookup() {
    let open = open();
    let servers = one(here);
    let reports = run(
        &servers,
        (0..3000).map(|_| "host.example.".to_owned()),
        open.local_addr().unwrap().port(),
        1,
    );
    assert_eq!(
        (
            reports.len(),
            reports.iter().filter(|report| report.is_up()).count()
        ),
        (3000, 3000)
    );
    assert!(servers.log().len() <= 5, "{}", servers.log().len());
}
