//! A run of the engine with thousands of names.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use zbx_tcp::address::Target;
use zbx_tcp::engine;
use zbx_tcp::engine::dns::files::Files;
use zbx_tcp::engine::{Limits, ResolverKind, Sink};
use zbx_tcp::plan::{Close, Family, Plan, ProbeSpec};
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

/// Connects to this port of each name and returns the reports.
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
        let target = Target::from_words(&name, Some(&port.to_string()), None).unwrap();
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
        &limits,
        ResolverKind::Stub(files),
    )
    .unwrap();
    reports.0
}

/// Answers every query with 127.0.0.1.
fn loopback(query: &ReceivedQuery) -> Reply {
    query.reply(|packet| {
        let data = RData::A(A {
            address: u32::from(std::net::Ipv4Addr::LOCALHOST),
        });
        packet.answers.push(super::record(&query.name, data));
    })
}

/// A listener with an accept queue that is long enough for a slow machine.
fn listen() -> TcpListener {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(4096).unwrap();
    let listener = TcpListener::from(listener);
    let accepting = listener.try_clone().unwrap();
    // The thread ends with the test process.
    std::thread::spawn(move || accepting.incoming().for_each(drop));
    listener
}

/// The run takes twice the timeout of a probe: the timeout does not start before the resolver has
/// capacity.
#[test]
fn the_timeout_starts_when_the_resolver_has_capacity() {
    let listener = listen();
    let port = listener.local_addr().unwrap().port();
    for threads in [1, 2] {
        let (now, max) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, highest) = (Arc::clone(&now), Arc::clone(&max));
        let servers = one(move |query| {
            highest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let counted = Arc::clone(&counted);
            // Slightly before the answer is sent.
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(45));
                counted.fetch_sub(1, Ordering::SeqCst);
            });
            Reply::Late(Duration::from_millis(50), Box::new(loopback(query)))
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
        assert!(max.load(Ordering::SeqCst) <= 80, "{max:?} at a time");
        assert_eq!(servers.log().len(), 2000, "one query for each name");
    }
}

#[test]
fn many_ports_of_one_name_share_a_query() {
    let listener = listen();
    let servers = one(loopback);
    let reports = run(
        &servers,
        (0..3000).map(|_| "host.example.".to_owned()),
        listener.local_addr().unwrap().port(),
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
