//! Sources that have no plan for the moment: no wake-up is lost, and nothing waits busily.

use zbx_tcp::source::{Interval, QueueSender, queue};

use super::*;

/// Sends the plan number of each report to a channel.
struct Notifying(mpsc::Sender<(u32, Status)>);

impl Sink for Notifying {
    fn deliver(&mut self, report: Report) {
        // The receiver is gone if the test has failed.
        let _ = self.0.send((report.plan.index, report.status()));
    }
}

/// An engine run in a thread of its own. Plans are sent to it through a queue.
struct Fed {
    plans: QueueSender,
    reports: mpsc::Receiver<(u32, Status)>,
    run: thread::JoinHandle<()>,
}

impl Fed {
    fn start(limits: Limits<'static>) -> Self {
        let (mut source, plans) = queue().unwrap();
        let (sender, reports) = mpsc::channel();
        let run = thread::spawn(move || {
            engine::run(
                &mut source,
                &mut Notifying(sender),
                &Policy::allow_all(),
                &limits,
                ResolverKind::default(),
            )
            .unwrap();
        });
        Self {
            plans,
            reports,
            run,
        }
    }

    fn send(&self, number: u32, plan: &Plan) {
        let plan = Plan {
            index: number,
            ..plan.clone()
        };
        self.plans.send(Arc::new(plan)).unwrap();
    }

    /// The next report.
    #[track_caller]
    fn report(&self) -> (u32, Status) {
        let report = self.reports.recv_timeout(Duration::from_secs(30));
        report.expect("a wake-up was lost")
    }

    /// Ends the queue, and the run with it.
    #[track_caller]
    fn finish(self) -> Vec<(u32, Status)> {
        drop(self.plans);
        let start = Instant::now();
        while !self.run.is_finished() {
            assert!(start.elapsed() < Duration::from_secs(30), "the run goes on");
            thread::sleep(Duration::from_millis(1));
        }
        self.run.join().unwrap();
        self.reports.iter().collect()
    }
}

/// All combinations of one and several threads, and of threads on standby.
const THREADS: [(usize, usize); 4] = [(1, 0), (2, 0), (4, 0), (1, 3)];

fn limits(threads: (usize, usize), in_flight: usize) -> Limits<'static> {
    Limits {
        threads: many(threads.0),
        standby_threads: threads.1,
        ..Limits::in_flight(many(in_flight))
    }
}

/// Each plan comes when the run has nothing else to do, or is about to wait.
#[test]
fn each_plan_of_a_queue_wakes_the_run() {
    let target = plan("127.0.0.1", closed_port(), &connect(LONG));
    for threads in THREADS {
        let fed = Fed::start(limits(threads, 8));
        for number in 0..1000 {
            fed.send(number, &target);
            assert_eq!(fed.report(), (number, Status::Refused));
            if number % 100 == 0 {
                thread::sleep(Duration::from_millis(5));
            }
        }
        assert_eq!(fed.finish(), []);
    }
}

/// A thread that is full leaves what the queue has to the others, which wait for it.
#[test]
fn a_full_thread_leaves_no_plan_behind_while_another_waits() {
    let (full, held) = (FullBacklog::new(), Duration::from_millis(400));
    let target = plan("127.0.0.1", full.port(), &connect(held));
    for threads in THREADS {
        // Two probes for each thread.
        let count = 2 * (threads.0 + threads.1) as u32;
        let fed = Fed::start(limits(threads, count as usize));
        for pause in [0, 20, 0] {
            let start = Instant::now();
            for number in 0..count {
                fed.send(number, &target);
                thread::sleep(Duration::from_millis(pause));
            }
            for _ in 0..count {
                assert_eq!(fed.report().1, Status::ConnectTimeout);
            }
            let took = start.elapsed();
            assert!(took < 2 * held, "{threads:?}, {pause} ms: {took:?}");
        }
        assert_eq!(fed.finish(), []);
    }
}

/// Addresses and the rate limit make plans wait that the queue has given already.
#[test]
fn a_queue_keeps_the_limits() {
    let slow = Slow::start(Duration::from_millis(20));
    let target = plan("127.0.0.1", slow.port, &dialogue(LONG));
    for threads in THREADS {
        let limits = Limits {
            per_address: Some(many(2)),
            rate: NonZeroU32::new(200),
            ..limits(threads, 8)
        };
        let fed = Fed::start(limits);
        for round in 0..5 {
            for number in 0..10 {
                fed.send(10 * round + number, &target);
            }
            let mut reports: Vec<_> = (0..10).map(|_| fed.report()).collect();
            reports.sort_unstable_by_key(|(number, _)| *number);
            let expected: Vec<_> = (0..10).map(|at| (10 * round + at, Status::Ok)).collect();
            assert_eq!(reports, expected, "{threads:?}");
        }
        assert_eq!(fed.finish(), []);
        assert!(slow.most("127.0.0.1") <= 2, "{threads:?}");
    }
}

#[test]
fn an_empty_queue_ends_the_run() {
    for threads in THREADS {
        let fed = Fed::start(limits(threads, 8));
        thread::sleep(Duration::from_millis(20));
        assert_eq!(fed.finish(), []);
    }
}

#[test]
fn a_run_that_waits_for_its_queue_can_be_stopped() {
    let target = plan("127.0.0.1", closed_port(), &connect(LONG));
    for threads in THREADS {
        let (watched, mut written) = UnixStream::pair().unwrap();
        // Open until the end of the test program.
        let watched: &'static UnixStream = Box::leak(Box::new(watched));
        let stop = Some(watched.as_fd());
        let fed = Fed::start(Limits {
            stop,
            ..limits(threads, 8)
        });
        fed.send(0, &target);
        assert_eq!(fed.report(), (0, Status::Refused));
        written.write_all(b"!").unwrap();
        let start = Instant::now();
        while !fed.run.is_finished() {
            assert!(start.elapsed() < Duration::from_secs(30), "the run goes on");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(fed.plans.send(Arc::new(target.clone())).is_err());
    }
}

/// What the queue has when the run ends is reported.
#[test]
fn plans_that_are_left_in_the_queue_are_not_tried() {
    let full = FullBacklog::new();
    let target = plan("127.0.0.1", full.port(), &connect(LONG));
    for threads in THREADS {
        let fed = Fed::start(Limits {
            deadline: Some(Duration::from_millis(300)),
            ..limits(threads, 4)
        });
        for number in 0..20 {
            fed.send(number, &target);
        }
        let statuses: Vec<_> = (0..20).map(|_| fed.report().1).collect();
        assert_eq!(statuses, [Status::NotTried; 20], "{threads:?}");
        assert_eq!(fed.finish(), []);
    }
}

/// Notes when each report came, and stops the run after some.
struct Ticks {
    came: Vec<Instant>,
    stop: UnixStream,
}

impl Sink for Ticks {
    fn deliver(&mut self, report: Report) {
        if report.status() == Status::Refused {
            self.came.push(Instant::now());
        }
        if self.came.len() == 8 {
            self.stop.write_all(b"!").unwrap();
        }
    }
}

/// The probes start on time, whatever the number of threads that could take each of them.
#[test]
fn an_interval_starts_one_probe_at_each_of_its_times() {
    let interval = Duration::from_millis(50);
    let target = Arc::new(plan("127.0.0.1", closed_port(), &connect(LONG)));
    for threads in THREADS {
        let (watched, stop) = UnixStream::pair().unwrap();
        let target = Arc::clone(&target);
        let (done, result) = mpsc::channel();
        let start = Instant::now();
        thread::spawn(move || {
            let limits = Limits {
                stop: Some(watched.as_fd()),
                ..limits(threads, 8)
            };
            let mut ticks = Ticks {
                came: Vec::new(),
                stop,
            };
            engine::run(
                &mut Interval::new(target, interval),
                &mut ticks,
                &Policy::allow_all(),
                &limits,
                ResolverKind::default(),
            )
            .unwrap();
            done.send(ticks.came).unwrap();
        });
        let came = result
            .recv_timeout(Duration::from_secs(30))
            .expect("the run goes on");
        for (number, at) in (0..).zip(&came) {
            let after = at.duration_since(start);
            assert!(after >= number * interval, "{threads:?} {number} {after:?}");
        }
    }
}
