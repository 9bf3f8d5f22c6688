//! A run of the engine with thousands of names.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
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
    deadline: Option<Duration>,
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
        gai_conf: write("gai.conf", ""),
        port: servers.port,
    };
    let timeout = Duration::from_millis(if deadline.is_some() { 2000 } else { 700 });
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
        deadline,
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

/// All lookups together take twice as long as each may: a probe's time starts after it has waited for the
/// resolver.
#[test]
fn thousands_of_names_are_looked_up_a_few_at_a_time() {
    let open = open();
    let port = open.local_addr().unwrap().port();
    for threads in [1, 2] {
        let servers = one(|asked| Reply::Late(Duration::from_millis(50), Box::new(here(asked))));
        let start = Instant::now();
        let reports = run(
            &servers,
            (0..2000).map(|number| format!("host{number}.example.")),
            port,
            threads,
            None,
        );
        let took = start.elapsed();
        let down: Vec<_> = reports
            .iter()
            .filter_map(|report| report.failure.clone())
            .take(3)
            .collect();
        assert_eq!((reports.len(), down.as_slice()), (2000, &[][..]));
        assert!(took > Duration::from_millis(1400), "{took:?}");
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
        None,
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

/// Each target has 2 s, as by default in `batch`. The run has more, for a busy machine.
#[test]
fn silent_names_do_not_starve_healthy_ones() {
    let open = open();
    let port = open.local_addr().unwrap().port();
    for (silent, threads) in [(60, 4), (300, 1), (600, 2), (6000, 1)] {
        let servers = one(|asked| match &*asked.name {
            name if name.starts_with("silent") => Reply::Silent,
            _ => here(asked),
        });
        let silent_names = (0..silent).map(|number| format!("silent{number}.example."));
        let healthy = (0..60).map(|number| format!("host{number}.example."));
        let deadline = Some(Duration::from_secs(8));
        let reports = run(
            &servers,
            silent_names.chain(healthy),
            port,
            threads,
            deadline,
        );
        let up = reports.iter().filter(|report| report.is_up()).count();
        assert_eq!((reports.len(), up), (silent + 60, 60), "{silent} {threads}");
    }
}
