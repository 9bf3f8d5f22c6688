//! `watch --idle`: holds connections without traffic, and finds out after how long they are lost or
//! closed.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::commands::stoppable_output::StoppableOutput;
use crate::commands::watch::run_clock::RunClock;
use crate::commands::{CommandResult, Exit, log_line, print_to, resolver_kind};
use crate::engine;
use crate::engine::stream::{ConnectProgress, OpenError, Wire};
use crate::engine::{Limits, Sink};
use crate::failure::Failure;
use crate::os::stop::StopHandle;
use crate::os::wake::wait_readable;
use crate::output::watch::idle;
use crate::plan::{Close, Plan};
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::SettingsError;
use crate::settings::watch::{Watch, WatchFormat};
use crate::source::Once;
use crate::watch::idle::{IdleFinding, IdleResult, IdleTest, MAX_CONNECTIONS, test_times};

/// How often the acknowledgement of a FIN is polled; the kernel sends no event for it.
const LOOK: Duration = Duration::from_millis(1);

/// Holds connections to the target for up to `longest`.
///
/// # Errors
/// A usage error; nothing was sent.
pub fn run(
    watch: &Watch,
    longest: Duration,
    format: WatchFormat,
    stop: &StopHandle,
) -> CommandResult {
    let [plan] = &watch.plans[..] else {
        return Err(usage("watches one target at a time"));
    };
    if !plan.spec.steps.is_empty() || plan.spec.layer.is_some() {
        return Err(usage(
            "holds bare TCP connections, so it cannot be combined with a dialogue, TLS or --service",
        ));
    }
    let run = IdleRun {
        label: plan.target.to_string(),
        is_json: format == WatchFormat::Ndjson,
        clock: RunClock::start(),
        stop,
    };
    // The first probe resolves the name and checks the policy.
    let report = probe_once(watch, plan, stop);
    let address = match report.as_ref().map(|report| (report, &report.connection)) {
        Some((report, Some(connection))) if report.is_up() => connection.address,
        other => {
            let why = other.and_then(|(report, _)| report.failure.clone());
            let why = why.map_or_else(
                || "the probe was stopped".to_owned(),
                |why| why.text.clone(),
            );
            log_line(&format!("no connection to hold: {why}"));
            return Ok(Exit::Down);
        }
    };
    Ok(run.hold(plan, address, longest))
}

fn usage(message: &str) -> SettingsError {
    SettingsError::in_option("--idle", message)
}

fn probe_once(watch: &Watch, plan: &Arc<Plan>, stop: &StopHandle) -> Option<Report> {
    struct Kept(Option<Report>);
    impl Sink for Kept {
        fn deliver(&mut self, report: Report) {
            self.0 = Some(report);
        }
    }
    let mut sink = Kept(None);
    let limits = Limits {
        stop: Some(stop.watched()),
        ..Limits::one()
    };
    let mut source = Once::new(Arc::clone(plan));
    let resolver = resolver_kind(watch.resolver);
    let ran = engine::run(&mut source, &mut sink, &Policy::system(), &limits, resolver);
    ran.ok().and(sink.0)
}

/// A connection that is held.
struct HeldConnection {
    wire: Wire,
    /// The time of its test, after the start.
    due: Duration,
    /// When the connection was established, or data arrived last.
    quiet_since: Duration,
    /// When our FIN was sent.
    tested: Option<Duration>,
}

struct IdleRun<'s> {
    label: String,
    is_json: bool,
    clock: RunClock,
    stop: &'s StopHandle,
}

impl IdleRun<'_> {
    fn hold(&self, plan: &Plan, address: SocketAddr, longest: Duration) -> Exit {
        let mut held = match self.open(plan, address, longest) {
            Ok(held) => held,
            Err(failure) => {
                log_line(&format!("no connection to hold: {}", failure.text));
                return Exit::Down;
            }
        };
        if !self.is_json {
            let times = held.len();
            let span = humantime::format_duration(longest);
            self.print(&format!(
                "holding {times} connections to {address} without traffic, for up to {span}\n"
            ));
        }
        let mut tests = Vec::new();
        let mut was_suspended = false;
        while !held.is_empty() && !self.stop.is_stopped() {
            self.wait(&held, plan.spec.timeout);
            // Packets that arrived while this machine was suspended were missed, so nothing is
            // known about the path.
            if self.clock.now().suspended >= Duration::from_millis(100) {
                was_suspended = true;
                break;
            }
            let done = self.look(&mut held, plan.spec.timeout);
            let has_ended = done
                .iter()
                .any(|test| !matches!(test.result, IdleResult::Alive(_)));
            for test in done {
                let line = if self.is_json {
                    idle::test_json(&self.label, &test)
                } else {
                    idle::line(&test)
                };
                self.print(&line);
                tests.push(test);
            }
            // Connections that are idle for longer have ended, too. Only those whose test has begun
            // can still have a result.
            if has_ended {
                held.retain(|connection| connection.tested.is_some());
            }
        }
        if was_suspended {
            log_line("this machine was suspended, so the idle time is not known: start again");
            return Exit::Down;
        }
        let finding = IdleFinding::of(&tests);
        let text = if self.is_json {
            idle::finding_json(&self.label, &finding, longest)
        } else {
            format!("{}\n", idle::sentence(&self.label, &finding, longest))
        };
        let is_known = finding.ended.is_none() && finding.alive >= Some(longest);
        let exit = if is_known { Exit::Up } else { Exit::Down };
        self.print(&text);
        exit
    }

    /// Opens a connection for each test, one after the other.
    fn open(
        &self,
        plan: &Plan,
        address: SocketAddr,
        longest: Duration,
    ) -> Result<Vec<HeldConnection>, Failure> {
        let mut held = Vec::new();
        for due in test_times(longest) {
            let mut wire = Wire::open(plan, address).map_err(|error| match error {
                OpenError::Exhausted(failure)
                | OpenError::NoPort(failure)
                | OpenError::Final(failure) => failure,
            })?;
            let until = self.now() + plan.spec.timeout;
            loop {
                match wire.finish(plan, address) {
                    ConnectProgress::Pending if self.now() < until && !self.stop.is_stopped() => {
                        wait_readable([Some(self.stop.watched())], LOOK);
                    }
                    ConnectProgress::Pending => {
                        let text = format!("connect to {address}: no answer");
                        return Err(Failure::new(crate::failure::Status::ConnectTimeout, text));
                    }
                    ConnectProgress::Failed(failure, _) => return Err(failure),
                    ConnectProgress::Connected(..) | ConnectProgress::ConnectedThenLost(..) => {
                        break;
                    }
                }
            }
            held.push(HeldConnection {
                wire,
                due,
                quiet_since: self.now(),
                tested: None,
            });
        }
        Ok(held)
    }

    fn now(&self) -> Duration {
        self.clock.now().running
    }

    /// Waits until a connection can be read, or a test is due.
    fn wait(&self, held: &[HeldConnection], timeout: Duration) {
        let now = self.now();
        let next = held.iter().map(|connection| match connection.tested {
            Some(tested) => LOOK.min((tested + timeout).saturating_sub(now)),
            None => (connection.quiet_since + connection.due).saturating_sub(now),
        });
        let mut watched = [None; MAX_CONNECTIONS + 1];
        let descriptors = held.iter().map(|connection| connection.wire.as_fd());
        let all = descriptors.chain([self.stop.watched()]);
        for (slot, descriptor) in watched.iter_mut().zip(all) {
            *slot = Some(descriptor);
        }
        wait_readable(watched, next.min().unwrap_or(LOOK));
    }

    /// Looks at each connection and starts the tests that are due. Returns those that are done, whose
    /// connections are closed.
    fn look(&self, held: &mut Vec<HeldConnection>, timeout: Duration) -> Vec<IdleTest> {
        let mut done = Vec::new();
        let now = self.now();
        for mut connection in std::mem::take(held) {
            let result = look_at(&mut connection, now, timeout);
            let after = connection
                .tested
                .unwrap_or(now)
                .saturating_sub(connection.quiet_since);
            match result {
                Some(result) => {
                    connection.wire.close(Close::Fin);
                    done.push(IdleTest { after, result });
                }
                None => held.push(connection),
            }
        }
        done
    }

    /// Prints a text. A closed standard output ends the run.
    fn print(&self, text: &str) {
        let mut output = StoppableOutput::new(Some(self.stop));
        let exit = print_to(&mut output, Exit::Up, |out| {
            out.write_all(text.as_bytes())?;
            out.flush()
        });
        if exit != Exit::Up {
            self.stop.stop();
        }
    }
}

/// Reads what arrived on a connection, and tests it when that is due. The result, once there is one.
fn look_at(
    connection: &mut HeldConnection,
    now: Duration,
    timeout: Duration,
) -> Option<IdleResult> {
    let mut buffer = [0; 4096];
    let tested = connection.tested;
    loop {
        match connection.wire.read(&mut buffer) {
            // Data is traffic: the connection is idle from now on.
            Ok(Some(1..)) if tested.is_none() => connection.quiet_since = now,
            Ok(Some(1..)) => {}
            // The peer closes because of our FIN, so it has it.
            Ok(Some(0)) => {
                return Some(tested.map_or(IdleResult::Closed, |tested| {
                    IdleResult::Alive(now.saturating_sub(tested))
                }));
            }
            Ok(None) => break,
            Err(_) if tested.is_some() && connection.wire.is_fin_acknowledged() => break,
            Err(_) if tested.is_some() => return Some(IdleResult::Reset),
            Err(_) => return Some(IdleResult::ResetIdle),
        }
    }
    match tested {
        Some(tested) if connection.wire.is_fin_acknowledged() => {
            Some(IdleResult::Alive(now.saturating_sub(tested)))
        }
        Some(tested) if now >= tested + timeout => Some(IdleResult::Silent),
        None if now >= connection.quiet_since + connection.due => {
            connection.wire.shutdown();
            connection.tested = Some(now);
            None
        }
        _ => None,
    }
}
