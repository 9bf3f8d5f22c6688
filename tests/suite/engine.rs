//! The engine with thousands of targets at once, through the library.

use std::collections::HashMap;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zbx_tcp::address::Target;
use zbx_tcp::engine;
use zbx_tcp::engine::{Limits, ResolverKind, Sink};
use zbx_tcp::failure::Status;
use zbx_tcp::plan::{Close, Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::Report;
use zbx_tcp::source::List;

use crate::scripted_peer::{FullBacklog, Peer, closed_port};

#[derive(Default)]
struct Tally {
    by_port: HashMap<(String, u16), Vec<Status>>,
}

impl Sink for Tally {
    fn deliver(&mut self, report: Report) {
        let target = (
            report.plan.target.host.to_string(),
            report.plan.target.port.get(),
        );
        self.by_port
            .entry(target)
            .or_default()
            .push(report.status());
    }
}

fn plan(host: &str, port: u16, timeout: Duration) -> Arc<Plan> {
    let target = Target::from_arguments(host, Some(&port.to_string()), None).unwrap();
    Arc::new(Plan::new(
        ProbeSpec {
            timeout,
            close: Close::Rst,
            ..ProbeSpec::default()
        },
        target,
    ))
}

fn run(plans: Vec<Arc<Plan>>, in_flight: usize) -> Tally {
    run_under(&Policy::allow_all(), plans, in_flight)
}

fn run_under(policy: &Policy, plans: Vec<Arc<Plan>>, in_flight: usize) -> Tally {
    let mut tally = Tally::default();
    let limits = Limits::in_flight(NonZeroUsize::new(in_flight).unwrap());
    engine::run(
        &mut List::new(plans),
        &mut tally,
        policy,
        &limits,
        ResolverKind::default(),
    )
    .unwrap();
    tally
}

#[test]
fn thousands_of_targets_get_their_own_reports() {
    // Nothing accepts: the kernel completes the handshakes into a long queue.
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let (open_port, closed, full) = (
        open.local_addr().unwrap().port(),
        closed_port(),
        FullBacklog::new(),
    );
    let long = Duration::from_secs(10);
    let mut plans = Vec::new();
    for number in 0..1000_u32 {
        let host = format!("127.1.{}.{}", number / 250, number % 250 + 1);
        plans.push(plan(&host, closed, long));
        plans.push(plan("127.0.0.1", full.port(), Duration::from_millis(500)));
        if number < 100 {
            plans.push(plan(&host, open_port, long));
        }
    }
    let count = plans.len();
    let start = Instant::now();
    let tally = run(plans, 10_000);
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    let mut seen = 0;
    for ((host, port), statuses) in &tally.by_port {
        let expected = match *port {
            port if port == open_port => Status::Ok,
            port if port == closed => Status::Refused,
            _ => Status::ConnectTimeout,
        };
        assert!(
            statuses.iter().all(|status| *status == expected),
            "{host}:{port} {statuses:?}"
        );
        seen += statuses.len();
    }
    assert_eq!(seen, count, "each plan gets exactly one report");
}

#[test]
fn a_concurrency_of_one_runs_plans_in_sequence() {
    let peer = Peer::greeting(b"x");
    let plans = vec![plan("127.0.0.1", peer.address().port(), Duration::from_secs(5)); 50];
    let tally = run(plans, 1);
    let statuses = tally.by_port.values().next().unwrap();
    assert_eq!(
        (
            statuses.len(),
            statuses.iter().all(|status| *status == Status::Ok)
        ),
        (50, true)
    );
}

#[test]
fn a_run_without_plans_ends_at_once() {
    assert!(run(Vec::new(), 1).by_port.is_empty());
}

#[test]
fn denied_plans_do_not_connect() {
    let peer = Peer::greeting(b"x");
    let policy = Policy::from_text(b"deny = [\"127.0.0.0/8\"]");
    let plans = vec![plan("127.0.0.1", peer.address().port(), Duration::from_secs(5)); 50];
    for in_flight in [1, 10_000] {
        let start = Instant::now();
        let tally = run_under(&policy, plans.clone(), in_flight);
        let statuses = tally.by_port.values().next().unwrap();
        assert_eq!(
            (
                statuses.len(),
                statuses.iter().all(|status| *status == Status::Denied)
            ),
            (50, true)
        );
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    }
    peer.has_no_connection();
}
