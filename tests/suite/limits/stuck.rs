//! Regressions: runs that hung or used CPU without need.

use zbx_tcp::engine::Observed;
use zbx_tcp::engine::session::action::Event;

use super::*;

fn send(bytes: Vec<u8>) -> Step {
    Step::Send(zbx_tcp::plan::steps::Template::bytes(bytes))
}

#[test]
fn pending_bytes_are_sent_once() {
    const SIZE: usize = 16 << 20;
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at / 7) as u8).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..20 {
            stream.write_all(b"-").unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        let mut heard = vec![0; SIZE];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_to_end(&mut heard).unwrap();
        heard
    });
    let greeting = Pattern::literal("x", Charset::default()).unwrap();
    let steps = vec![send(bytes.clone()), Step::Expect(Expect::one(greeting))];
    let spec = ProbeSpec {
        timeout: LONG,
        steps,
        ..ProbeSpec::default()
    };
    let gathered = run(
        vec![plan("127.0.0.1", port, &spec)],
        &Limits::one(),
        ResolverKind::default(),
    );
    assert_eq!(gathered.status(0), Status::Ok, "{:?}", gathered.reports);
    let heard = peer.join().unwrap();
    assert_eq!(heard.len(), SIZE);
    assert!(heard == bytes);
}

/// A peer that sends much and reads nothing must not fill memory.
#[test]
fn bytes_received_while_sending_are_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = 0;
        while stream.write_all(&[b'-'; 4096]).is_ok() {
            said += 4096;
        }
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        assert!(
            heard.iter().all(|byte| *byte == b'+'),
            "no quit inside of what is sent"
        );
        said
    });
    let quit = Some(zbx_tcp::plan::steps::Template::bytes(b"quit".to_vec()));
    let spec = ProbeSpec {
        timeout: LONG,
        steps: vec![send(vec![b'+'; 64 << 20])],
        quit,
        ..ProbeSpec::default()
    };
    let gathered = run(
        vec![plan("127.0.0.1", port, &spec)],
        &Limits::one(),
        ResolverKind::default(),
    );
    let failure = gathered.reports[&0].failure.clone().unwrap();
    assert_eq!(failure.status, Status::Mismatch, "{failure}");
    assert!(
        failure
            .text
            .contains("bytes before all bytes were sent: \"-----"),
        "{failure}"
    );
    assert!(peer.join().unwrap() < 64 << 20);
}

#[test]
fn a_reused_socket_reports_an_immediate_connect_error() {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let spec = connect(LONG);
    let mut plans = vec![plan("127.0.0.1", open.local_addr().unwrap().port(), &spec); 3];
    // A broadcast address: the kernel refuses it before anything is sent.
    plans.push(plan("127.255.255.255", 1, &spec));
    // While the rate limit lets nothing start, events of idle sockets are consumed.
    let limits = Limits {
        rate: NonZeroU32::new(20),
        ..Limits::in_flight(many(10))
    };
    let start = Instant::now();
    let gathered = run(plans, &limits, ResolverKind::default());
    assert_eq!(
        (gathered.count(Status::Ok), gathered.status(3)),
        (3, Status::Unreachable),
        "{:?}",
        gathered.reports
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn thousands_of_steps_need_no_recursion() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = ProbeSpec {
        timeout: LONG,
        steps: vec![send(b"x".to_vec()); 20_000],
        close: Close::Rst,
        ..ProbeSpec::default()
    };
    for threads in [1, 2] {
        let plans = vec![plan("127.0.0.1", port, &spec); 2];
        let limits = Limits {
            threads: many(threads),
            ..Limits::in_flight(many(2))
        };
        assert_eq!(
            run(plans, &limits, ResolverKind::default()).count(Status::Ok),
            2
        );
    }
}

/// A sink that panics at the first report of a denied target.
#[derive(Default)]
struct Faulty(Gathered);

impl Sink for Faulty {
    fn deliver(&mut self, report: Report) {
        assert!(report.status() != Status::Denied, "a test asked for it");
        self.0.deliver(report);
    }
}

/// A thread that panics releases the slots that its connections have at their addresses.
#[test]
fn a_panic_in_one_thread_does_not_block_the_others() {
    let (full, closed) = (FullBacklog::new(), closed_port());
    for _ in 0..10 {
        let mut plans = vec![
            plan(
                "127.0.0.1",
                full.port(),
                &connect(Duration::from_millis(150))
            );
            2
        ];
        plans.extend([
            plan("127.0.0.2", closed, &connect(LONG)),
            plan("127.0.0.2", closed, &denied()),
        ]);
        plans.extend(vec![plan("127.0.0.1", closed, &connect(LONG)); 4]);
        let limits = Limits {
            per_address: Some(many(1)),
            threads: many(2),
            ..Limits::in_flight(many(8))
        };
        let numbered = (0..).zip(plans).map(|(number, plan)| {
            Arc::new(Plan {
                index: number,
                ..plan
            })
        });
        let mut source = List::new(numbered.collect::<Vec<_>>());
        let (done, result) = mpsc::channel();
        thread::spawn(move || {
            let run = || {
                engine::run(
                    &mut source,
                    &mut Faulty::default(),
                    &Policy::allow_all(),
                    &limits,
                    ResolverKind::default(),
                )
            };
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            done.send(ran.is_err()).unwrap();
        });
        assert!(
            result
                .recv_timeout(Duration::from_secs(30))
                .expect("the run never ended")
        );
    }
}

/// A host that does not answer is down, although its other attempts were still queued.
#[test]
fn queued_attempts_do_not_hide_the_result_of_the_first() {
    let full = FullBacklog::new();
    let spec = ProbeSpec {
        attempts: Some(attempts(3, Duration::from_millis(20))),
        ..connect(Duration::from_millis(200))
    };
    let limits = Limits {
        per_address: Some(many(1)),
        ..Limits::in_flight(many(10))
    };
    let gathered = run(
        vec![plan("127.0.0.1", full.port(), &spec)],
        &limits,
        ResolverKind::default(),
    );
    let report = &gathered.reports[&0];
    let connection = report.connection.as_ref().unwrap();
    assert_eq!(
        (report.status(), connection.tcp.is_some()),
        (Status::ConnectTimeout, true),
        "{report:?}"
    );
}

/// A slow loop cannot start all attempts in time: the deadline holds nevertheless.
#[test]
fn queued_attempts_do_not_extend_the_deadline() {
    #[derive(Default)]
    struct Slowly(Gathered);
    impl Sink for Slowly {
        fn deliver(&mut self, report: Report) {
            self.0.deliver(report);
        }
        fn observe(&mut self, _plan: &Plan, _at: Duration, what: Observed<'_>) {
            if matches!(what, Observed::Event(Event::Opened(_))) {
                thread::sleep(Duration::from_millis(2));
            }
        }
        fn observes(&self) -> bool {
            true
        }
    }
    let attempts = Some(attempts(2000, Duration::from_micros(100)));
    let plan = plan(
        "127.0.0.1",
        closed_port(),
        &ProbeSpec {
            attempts,
            ..connect(Duration::from_millis(400))
        },
    );
    let mut slowly = Slowly::default();
    let start = Instant::now();
    engine::run(
        &mut List::new([Arc::new(plan)]),
        &mut slowly,
        &Policy::allow_all(),
        &Limits::one(),
        ResolverKind::default(),
    )
    .unwrap();
    let (took, report) = (start.elapsed(), &slowly.0.reports[&0]);
    assert_eq!(report.status(), Status::Refused);
    assert!(
        took < Duration::from_secs(2) && report.total < Duration::from_secs(1),
        "{took:?} {:?}",
        report.total
    );
}
