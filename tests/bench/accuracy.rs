//! How exact `time.connect` is, and what a probe costs among thousands. `tests/bench/run --only
//! accuracy` starts it; the targets are listeners of another process, so that each process has its
//! own descriptors.
//!
//! Prints one line of JSON: microseconds, and bytes of user memory.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs
)]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zbx_tcp::address::{Host, Port, Target};
use zbx_tcp::engine::{Limits, ResolverKind, Sink};
use zbx_tcp::output::Format;
use zbx_tcp::output::text::ColorMode;
use zbx_tcp::plan::{Close, Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::{Report, RoundTrip};
use zbx_tcp::source::{List, Once};
use zbx_tcp::{engine, output};

const USAGE: &str =
    "usage: accuracy single|many|json|silent COUNT ADDRESS:PORT...: start it by tests/bench/run";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    match measured(&arguments) {
        Ok(line) => println!("{line}"),
        Err(why) => {
            eprintln!("{why}");
            // `cargo bench` and `cargo test --benches` start it without arguments; that is no failure.
            return if arguments.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            };
        }
    }
    ExitCode::SUCCESS
}

fn measured(arguments: &[String]) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let [mode, count, targets @ ..] = arguments else {
        return Err(USAGE.into());
    };
    let count: NonZeroUsize = count.parse()?;
    let targets = targets
        .iter()
        .map(|target| target.parse())
        .collect::<Result<Vec<SocketAddr>, _>>()?;
    if targets.is_empty() {
        return Err(USAGE.into());
    }
    let mut found = Found::for_probes(
        count.get(),
        if mode == "json" {
            Some(Format::parse("json")?)
        } else {
            None
        },
    );
    let spec = spec(mode);
    let plans =
        (0..count.get()).filter_map(|number| plan(&spec, *targets.get(number % targets.len())?));
    if mode == "silent" {
        warm_up(*targets.first().ok_or(USAGE)?)?;
    }
    let memory = kibibytes("VmRSS:")?;
    let (cpu, start) = (cpu_time()?, Instant::now());
    match mode.as_str() {
        "single" => one_at_a_time(plans, &mut found)?,
        "many" | "json" | "silent" => {
            let limits = Limits::in_flight(count);
            engine::run(
                &mut List::new(plans),
                &mut found,
                &Policy::allow_all(),
                &limits,
                ResolverKind::Default,
            )?;
        }
        _ => return Err(USAGE.into()),
    }
    let (cpu, wall) = (cpu_time()?.saturating_sub(cpu), start.elapsed());
    Ok(serde_json::json!({
        "probes": found.probes,
        "down": found.down,
        "with_rtt": found.excess.len(),
        "cpu_us": micros(cpu) / count.get() as f64,
        "per_second": count.get() as f64 / wall.as_secs_f64(),
        "wall_us": micros(wall),
        "bytes_each": (kibibytes("VmHWM:")?.saturating_sub(memory) * 1024) as f64 / count.get() as f64,
        "process_kib": kibibytes("VmHWM:")?,
        "connect_us": spread(found.connect),
        "excess_us": spread(found.excess),
        "rtt_us": spread(found.rtt),
    }))
}

/// The method of the probes: for a single probe that of `check`; for many probes with RST, so that
/// no `TIME_WAIT` remains.
fn spec(mode: &str) -> Arc<ProbeSpec> {
    let close = if mode == "single" {
        Close::Fin
    } else {
        Close::Rst
    };
    let timeout = if mode == "silent" {
        SILENCE
    } else {
        ProbeSpec::TIMEOUT
    };
    Arc::new(ProbeSpec {
        close,
        timeout,
        ..ProbeSpec::default()
    })
}

fn plan(spec: &Arc<ProbeSpec>, to: SocketAddr) -> Option<Arc<Plan>> {
    let target = Target {
        host: Host::Address(to.ip()),
        port: Port::new(to.port())?,
    };
    Some(Arc::new(Plan {
        index: 0,
        target,
        zone: None,
        meta: None,
        spec: Arc::clone(spec),
    }))
}

/// One probe before the memory is measured, so that memory that the process needs once, such as its
/// code, is not counted for each probe.
fn warm_up(to: SocketAddr) -> Result<(), engine::PollError> {
    let spec = ProbeSpec {
        timeout: Duration::from_millis(10),
        ..ProbeSpec::default()
    };
    let mut found = Found::for_probes(1, None);
    one_at_a_time(plan(&Arc::new(spec), to).into_iter(), &mut found)
}

/// The timeout of probes that are not answered.
const SILENCE: Duration = Duration::from_secs(2);

fn one_at_a_time(
    plans: impl Iterator<Item = Arc<Plan>>,
    found: &mut Found,
) -> Result<(), engine::PollError> {
    let (limits, policy) = (Limits::one(), Policy::allow_all());
    plans.into_iter().try_for_each(|plan| {
        engine::run(
            &mut Once::new(plan),
            found,
            &policy,
            &limits,
            ResolverKind::Default,
        )
    })
}

/// What was measured, in microseconds. The memory is allocated and touched before the probes start.
struct Found {
    probes: usize,
    down: usize,
    connect: Vec<f64>,
    rtt: Vec<f64>,
    /// The published time minus the kernel's round trip: what our own process added.
    excess: Vec<f64>,
    print: Option<Format>,
}

impl Found {
    fn for_probes(count: usize, print: Option<Format>) -> Self {
        let room = || {
            let mut touched = vec![1.0; count];
            touched.clear();
            touched
        };
        Self {
            probes: 0,
            down: 0,
            connect: room(),
            rtt: room(),
            excess: room(),
            print,
        }
    }
}

impl Sink for Found {
    fn deliver(&mut self, report: Report) {
        self.probes += 1;
        self.down += usize::from(!report.is_up());
        if let Some(format) = &self.print {
            std::hint::black_box(output::render(&report, format, ColorMode::Off));
        }
        let Some(connection) = &report.connection else {
            return;
        };
        let Some(connect) = connection.connect else {
            return;
        };
        self.connect.push(micros(connect));
        if let Some(rtt) = connection
            .tcp
            .and_then(|tcp| tcp.rtt)
            .map(RoundTrip::smoothed)
        {
            self.rtt.push(micros(rtt));
            self.excess.push(micros(connect.saturating_sub(rtt)));
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

fn spread(mut values: Vec<f64>) -> serde_json::Value {
    values.sort_by(f64::total_cmp);
    let at = |hundredth: usize| {
        values
            .get(values.len() * hundredth / 100)
            .or(values.last())
            .copied()
    };
    serde_json::json!({ "p50": at(50), "p99": at(99), "max": values.last() })
}

/// The CPU time of this single-threaded process, from the first number of `/proc/self/schedstat`
/// (Documentation/scheduler/sched-stats.rst of Linux): `getrusage` would need unsafe code, `stat` counts in ticks.
fn cpu_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos = text
        .split_whitespace()
        .next()
        .ok_or("/proc/self/schedstat is empty")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// A row of `/proc/self/status` in KiB (proc(5)).
fn kibibytes(row: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(row))
        .ok_or("no such row in /proc/self/status")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}
