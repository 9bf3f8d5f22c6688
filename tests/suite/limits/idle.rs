//! A run that waits uses little CPU: its loop wakes up only when something is due.

use std::net::UdpSocket;

use super::*;

/// The CPU time of all threads of this process, in the kernel's ticks of a hundredth of a second (proc(5)).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<u64> = stat
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .map(|word| word.parse().unwrap_or(0))
        .collect();
    // utime and stime are fields 14 and 15; the first after the name is 3.
    Duration::from_millis(10 * (fields[11] + fields[12]))
}

/// The CPU time and the duration of a run.
fn cpu_of(plans: Vec<Plan>, limits: &Limits<'_>, names: ResolverKind) -> (Duration, Duration) {
    let (cpu, start) = (cpu_time(), Instant::now());
    run(plans, limits, names);
    (cpu_time().checked_sub(cpu).unwrap(), start.elapsed())
}

/// Runs one of these tests again, alone in a process with this limit of open files.
#[track_caller]
fn alone(test: &str, descriptors: u32) {
    passes_again(
        with_open_files(descriptors).env(ALONE, "1"),
        &format!("limits::idle::{test}"),
    );
}

const ALONE: &str = "ZBX_TCP_TEST_ALONE";

fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

#[test]
fn one_waiting_thread_uses_little_cpu() {
    if !is_alone() {
        return alone("one_waiting_thread_uses_little_cpu", 100);
    }
    waiting_uses_little_cpu(1);
}

#[test]
fn two_waiting_threads_use_little_cpu() {
    if !is_alone() {
        return alone("two_waiting_threads_use_little_cpu", 100);
    }
    waiting_uses_little_cpu(2);
}

/// Whatever the run waits for: an address, the rate limit, names, peers, descriptors, or all of them.
fn waiting_uses_little_cpu(threads: usize) {
    let (full, silent) = (
        FullBacklog::new(),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    socket2::SockRef::from(&silent).listen(400).unwrap();
    let (server, slow) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        Duration::from_millis(250),
    );
    let hosts = Hosts::with(["host0".to_owned()].into_iter());
    let of = |host: &str, port, spec: &ProbeSpec| vec![plan(host, port, spec); 150];
    let (open, several) = (
        silent.local_addr().unwrap().port(),
        attempts(4, Duration::from_millis(60)),
    );
    let runs = [
        of("127.0.0.1", full.port(), &connect(slow)),
        of("host0", full.port(), &connect(slow)),
        of("127.0.0.1", open, &dialogue(slow)),
        of(
            "127.0.0.1",
            open,
            &ProbeSpec {
                attempts: Some(several),
                ..dialogue(slow)
            },
        ),
        (0..150)
            .map(|number| plan(&format!("slow{number}.example."), open, &connect(slow)))
            .collect(),
    ];
    let base = Limits {
        deadline: Some(Duration::from_millis(300)),
        threads: many(threads),
        ..Limits::in_flight(many(120))
    };
    let limits = [
        base,
        Limits {
            per_address: Some(many(2)),
            ..base
        },
        Limits {
            rate: NonZeroU32::new(3),
            ..base
        },
        Limits {
            per_address: Some(many(20)),
            rate: NonZeroU32::new(40),
            ..base
        },
    ];
    for limits in limits {
        for plans in &runs {
            let (cpu, took) = cpu_of(
                plans.clone(),
                &limits,
                hosts.names_by(server.local_addr().unwrap()),
            );
            assert!(
                cpu < took / 2,
                "{} {cpu:?} of {took:?}, {limits:?}",
                plans[0].target
            );
        }
    }
}

/// A source that has no plan for the moment.
#[test]
fn a_run_that_waits_for_its_source_uses_little_of_the_processor() {
    if !is_alone() {
        return alone(
            "a_run_that_waits_for_its_source_uses_little_of_the_processor",
            100,
        );
    }
    let target = Arc::new(plan("127.0.0.1", closed_port(), &connect(LONG)));
    for (threads, standby_threads) in [(1, 0), (3, 0), (1, 2)] {
        let limits = Limits {
            deadline: Some(Duration::from_millis(600)),
            threads: many(threads),
            standby_threads,
            ..Limits::in_flight(many(30))
        };
        let (mut queue, sender) = zbx_tcp::source::queue().unwrap();
        sender.send(Arc::clone(&target)).unwrap();
        let mut interval =
            zbx_tcp::source::Interval::new(Arc::clone(&target), Duration::from_millis(200));
        let sources: [&mut (dyn Source + Send); 2] = [&mut queue, &mut interval];
        for (source, name) in sources.into_iter().zip(["queue", "interval"]) {
            let (cpu, start) = (cpu_time(), Instant::now());
            let mut reports = Counted(0);
            engine::run(
                &mut Borrowed(source),
                &mut reports,
                &Policy::allow_all(),
                &limits,
                ResolverKind::default(),
            )
            .unwrap();
            let (cpu, took) = (cpu_time().checked_sub(cpu).unwrap(), start.elapsed());
            assert!(reports.0 > 0 && took >= Duration::from_millis(600));
            assert!(cpu < took / 4, "{name}, {threads}: {cpu:?} of {took:?}");
        }
    }
}

/// Counts reports.
struct Counted(usize);

impl Sink for Counted {
    fn deliver(&mut self, _report: Report) {
        self.0 += 1;
    }
}

/// A source behind a reference.
struct Borrowed<'s>(&'s mut (dyn Source + Send));

impl Source for Borrowed<'_> {
    fn next(&mut self, now: Instant) -> zbx_tcp::source::Next {
        self.0.next(now)
    }

    fn wake_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.0.wake_fd()
    }
}

#[test]
fn thousands_of_waiting_addresses_use_little_cpu_in_one_thread() {
    if !is_alone() {
        return alone(
            "thousands_of_waiting_addresses_use_little_cpu_in_one_thread",
            20_000,
        );
    }
    thousands_of_waiting_addresses_use_little_cpu(1);
}

#[test]
fn thousands_of_waiting_addresses_use_little_cpu_in_two_threads() {
    if !is_alone() {
        return alone(
            "thousands_of_waiting_addresses_use_little_cpu_in_two_threads",
            20_000,
        );
    }
    thousands_of_waiting_addresses_use_little_cpu(2);
}

/// A run that waits two seconds longer takes hardly more CPU time.
fn thousands_of_waiting_addresses_use_little_cpu(threads: usize) {
    let full = FullBacklog::everywhere();
    let hosts = (0..3000).map(|number| format!("127.9.{}.{}", number / 250, number % 250 + 1));
    let plans: Vec<Plan> = hosts
        .flat_map(|host| [1, 2].map(|_| plan(&host, full.port(), &connect(LONG))))
        .collect();
    let base = Limits {
        per_address: Some(many(1)),
        threads: many(threads),
        ..Limits::in_flight(many(8000))
    };
    let cpu = |seconds| {
        let limits = Limits {
            deadline: Some(Duration::from_secs(seconds)),
            ..base
        };
        cpu_of(plans.clone(), &limits, ResolverKind::default()).0
    };
    let (short, long) = (cpu(1), cpu(3));
    assert!(
        long < short + Duration::from_millis(500),
        "{threads} threads: {short:?} in 1 s, {long:?} in 3 s"
    );
}
