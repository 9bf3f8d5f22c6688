//! More connects from one address than there are local ports.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use zbx_tcp::address::Target;
use zbx_tcp::engine;
use zbx_tcp::engine::dns::files::Files;
use zbx_tcp::engine::dns::server::DNS_PORT;
use zbx_tcp::engine::{Limits, ResolverKind, Sink};
use zbx_tcp::failure::Status;
use zbx_tcp::plan::{Close, Family, LocalBind, Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::Report;
use zbx_tcp::source::List;

use crate::delay::{FAR, far};
use crate::namespaces::Net;
use crate::verdict::Verdict;

/// Set for the part of a test that runs inside a namespace.
const INNER: &str = "ZBX_TCP_TEST_INNER";

#[derive(Default)]
struct Statuses(Vec<Status>);

impl Sink for Statuses {
    fn deliver(&mut self, report: Report) {
        self.0.push(report.status());
    }
}

/// A local port serves many targets at once, also with a source address: bind(2) leaves the port to
/// connect(2).
#[test]
fn a_hundred_ports_are_enough_for_a_thousand_targets() {
    if std::env::var_os(INNER).is_some() {
        return thousand_targets();
    }
    let Some(net) = Net::direct() else { return };
    net.limit_local_ports(20000, 20099);
    net.nft("target", "input", &["tcp dport 3000-3999 drop"]);
    net.again(
        "probe",
        "local_ports::a_hundred_ports_are_enough_for_a_thousand_targets",
        INNER,
    );
}

/// All are in flight at the same time: in sequence they would take ten times as long.
fn thousand_targets() {
    for source in [None, Some("10.77.0.1".parse::<IpAddr>().unwrap())] {
        let origin = LocalBind {
            source,
            port: None,
            interface: None,
        };
        let spec = Arc::new(ProbeSpec {
            bind: origin,
            timeout: Duration::from_millis(800),
            close: Close::Rst,
            ..ProbeSpec::default()
        });
        let plans = (3000..4000).map(|port| {
            let target =
                Target::from_arguments("10.77.0.2", Some(&port.to_string()), None).unwrap();
            Arc::new(Plan {
                spec: Arc::clone(&spec),
                ..Plan::connect(target)
            })
        });
        let (mut statuses, start) = (Statuses::default(), Instant::now());
        let limits = Limits::in_flight(NonZeroUsize::new(1000).unwrap());
        engine::run(
            &mut List::new(plans),
            &mut statuses,
            &Policy::allow_all(),
            &limits,
            ResolverKind::default(),
        )
        .unwrap();
        let took = start.elapsed();
        assert_eq!(statuses.0, [Status::ConnectTimeout; 1000], "{source:?}");
        assert!(took < Duration::from_millis(2500), "{took:?}");
    }
}

/// A socket that connects again gets another port, and a reset connection keeps none.
#[test]
fn a_hundred_ports_are_enough_for_thousands_of_resets() {
    if std::env::var_os(INNER).is_some() {
        return resets();
    }
    let Some(net) = Net::alone() else { return };
    net.limit_local_ports(20000, 20099);
    net.again(
        "probe",
        "local_ports::a_hundred_ports_are_enough_for_thousands_of_resets",
        INNER,
    );
}

fn resets() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 80)).into())
        .unwrap();
    // Long enough while the accepting thread does not run.
    listener.listen(4096).unwrap();
    let listener = TcpListener::from(listener);
    let ports = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&ports);
    // Ends with the test program.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A connection that was reset before it was accepted has no address any more.
            if let Ok(peer) = stream.and_then(|stream| stream.peer_addr()) {
                seen.lock().unwrap().insert(peer.port());
            }
        }
    });
    let spec = Arc::new(ProbeSpec {
        timeout: Duration::from_secs(5),
        close: Close::Rst,
        ..ProbeSpec::default()
    });
    let target = Target::from_arguments("127.0.0.1", Some("80"), None).unwrap();
    let plans = (0..5000).map(|_| {
        Arc::new(Plan {
            spec: Arc::clone(&spec),
            ..Plan::connect(target.clone())
        })
    });
    let (mut statuses, start) = (Statuses::default(), Instant::now());
    let limits = Limits::in_flight(NonZeroUsize::new(60).unwrap());
    engine::run(
        &mut List::new(plans),
        &mut statuses,
        &Policy::allow_all(),
        &limits,
        ResolverKind::default(),
    )
    .unwrap();
    assert_eq!(
        statuses
            .0
            .iter()
            .filter(|status| **status == Status::Ok)
            .count(),
        5000
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    // connect(2) takes even ports as long as there are some.
    assert!(ports.lock().unwrap().len() > 40, "{ports:?}");
}

/// Connects without a free local port wait for one; connects to other targets do not wait for them.
#[test]
fn a_target_that_uses_every_port_does_not_delay_others() {
    if std::env::var_os(INNER).is_some() {
        return others_are_not_delayed();
    }
    let Some(net) = Net::direct() else { return };
    net.limit_local_ports(20000, 20003);
    net.nft("target", "input", &["tcp dport 3000 drop"]);
    net.again(
        "probe",
        "local_ports::a_target_that_uses_every_port_does_not_delay_others",
        INNER,
    );
}

/// The statuses and times of `dropped` connects to a port that drops SYNs, then of `refused` to others.
fn probed(dropped: usize, refused: u16, rate: Option<NonZeroU32>) -> [Vec<(Status, Duration)>; 2] {
    struct Timed(Instant, [Vec<(Status, Duration)>; 2]);
    impl Sink for Timed {
        fn deliver(&mut self, report: Report) {
            let which = usize::from(report.plan.target.port.get() != 3000);
            self.1[which].push((report.status(), self.0.elapsed()));
        }
    }
    let plan = |port: u16, millis| {
        let spec = ProbeSpec {
            timeout: Duration::from_millis(millis),
            close: Close::Rst,
            ..ProbeSpec::default()
        };
        let target = Target::from_arguments("10.77.0.2", Some(&port.to_string()), None).unwrap();
        Arc::new(Plan::new(spec, target))
    };
    let plans = (0..dropped)
        .map(|_| plan(3000, 900))
        .chain((4000..4000 + refused).map(|port| plan(port, 5000)));
    let mut timed = Timed(Instant::now(), Default::default());
    let limits = Limits {
        rate,
        ..Limits::in_flight(NonZeroUsize::new(1000).unwrap())
    };
    engine::run(
        &mut List::new(plans),
        &mut timed,
        &Policy::allow_all(),
        &limits,
        ResolverKind::default(),
    )
    .unwrap();
    assert!(
        timed.1[0]
            .iter()
            .all(|(status, _)| *status == Status::ConnectTimeout),
        "{:?}",
        timed.1
    );
    assert!(
        timed.1[1]
            .iter()
            .all(|(status, _)| *status == Status::Refused),
        "{:?}",
        timed.1
    );
    assert_eq!(timed.1.each_ref().map(Vec::len), [dropped, refused.into()]);
    timed.1
}

/// Twelve connects over four ports take three times as long as one; the others are limited by the rate
/// only.
fn others_are_not_delayed() {
    let last = |all: &[(Status, Duration)]| all.iter().map(|(_, at)| *at).max().unwrap();
    for (count, others, rate) in [(12, 300, None), (6, 20, NonZeroU32::new(50))] {
        let [silent, refused] = probed(count, others, rate);
        assert!(
            last(&refused) < Duration::from_millis(850),
            "{rate:?} {:?}",
            last(&refused)
        );
        let rounds = u32::try_from(count.div_ceil(4)).unwrap();
        assert!(
            last(&silent) >= rounds * Duration::from_millis(900),
            "{rate:?} {:?}",
            last(&silent)
        );
    }
}

/// Sockets that are kept for reuse are closed when the resolver needs descriptors.
#[test]
fn the_resolver_gets_unused_descriptors() {
    if std::env::var_os(INNER).is_some() {
        return names_after_addresses();
    }
    let Some((net, _far)) = far() else { return };
    let _server = net.python("probe", "dns_server.py", &["127.0.0.1"]);
    let program = std::env::current_exe().unwrap();
    let test = "local_ports::the_resolver_gets_unused_descriptors";
    // The test library has some of its own: with one of these limits the connects use all that are left.
    for descriptors in 13..17 {
        let words = format!("--exact {test} | grep -q '1 passed'");
        net.sh(
            "probe",
            &format!(
                "ulimit -n {descriptors}; {INNER}=1 '{}' {words}",
                program.display()
            ),
        );
    }
}

/// As many addresses as may be probed at once, then names, whose addresses have no route.
fn names_after_addresses() {
    let spec = ProbeSpec {
        family: Family::V4,
        close: Close::Rst,
        ..ProbeSpec::default()
    };
    let plan = |host: &str, port: u16| {
        let target = Target::from_arguments(host, Some(&port.to_string()), None).unwrap();
        Arc::new(Plan::new(spec.clone(), target))
    };
    let names = [
        "v4.example.",
        "two.example.",
        "both.example.",
        "four.example.",
        "half.example.",
    ];
    let plans = (0..11)
        .map(|_| plan(FAR, 100))
        .chain(names.map(|name| plan(name, 80)));
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    let files = Files {
        resolv_conf: path("resolv.conf"),
        hosts: path("hosts"),
        hostname: path("hostname"),
        gai_conf: path("gai.conf"),
        port: DNS_PORT,
    };
    let (mut statuses, limits) = (
        Statuses::default(),
        Limits::in_flight(NonZeroUsize::new(11).unwrap()),
    );
    engine::run(
        &mut List::new(plans),
        &mut statuses,
        &Policy::allow_all(),
        &limits,
        ResolverKind::Stub(files),
    )
    .unwrap();
    let count = |wanted| {
        statuses
            .0
            .iter()
            .filter(|status| **status == wanted)
            .count()
    };
    assert_eq!(
        (count(Status::Ok), count(Status::Unreachable)),
        (11, 5),
        "{:?}",
        statuses.0
    );
}

/// With one local port a connect to that port reaches its own socket, although nothing listens.
#[test]
fn a_connect_that_reaches_its_own_socket_is_refused() {
    let Some(net) = Net::alone() else { return };
    net.limit_local_ports(40000, 40000);
    for target in ["127.0.0.1", "::1"] {
        let words = [target, "40000", "-o", "json"];
        let verdict = Verdict::of(net.check(&words), 3, "refused", &["self-connect"]);
        verdict.times(&["total"]).at_once();
        // The port is free at once: no TIME_WAIT.
        let words = [target, "40000", "-o", "json", "--expect", "x"];
        Verdict::of(net.check(&words), 3, "refused", &["self-connect"]).at_once();
        let words = [target, "40000", "-o", "json", "--expect-closed"];
        Verdict::of(net.check(&words), 0, "ok", &[]).at_once();
        let open = net.run(&["discover", "open", target, "40000"]);
        assert_eq!((open.out.as_str(), open.err.as_str()), ("[]\n", ""));
    }
}
