//! `zbx-tcp check`: probes one target and prints a value, a document or a report.

mod transcript;

use std::io;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::check::CheckArgs;
use crate::cli::values::non_empty;
use crate::commands::check::transcript::TranscriptWriter;
use crate::commands::{
    CommandResult, Exit, color_mode, internal_error, log_line, print_within, resolver_kind,
    still_computing,
};
use crate::engine::{Limits, Observed, Sink};
use crate::failure::{Failure, Status};
use crate::os::computing::ComputeAlarm;
use crate::output::Format;
use crate::output::text::ColorMode;
use crate::plan::{Plan, Tracing};
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::request::Transcript;
use crate::settings::{Check, SettingsError, options};
use crate::source::Once;
use crate::{engine, output, settings};

/// The least time that the reader of an output gets. Without a full pipe, none is needed.
const MIN_TIME_TO_READ: Duration = Duration::from_millis(500);

/// Probes one target and prints the requested output.
///
/// # Errors
/// A usage or configuration error; nothing was sent.
#[allow(clippy::disallowed_methods)]
pub fn run(args: &CheckArgs) -> CommandResult {
    let mut request = options::check(args, default_format()?)?;
    // A person who waits for a report gets the path of a silent target without an option.
    if matches!(request.format, Format::Text) && io::stdout().is_terminal() {
        request.default_tracing = Some(Tracing::WhenUnanswered);
    }
    let file = non_empty(&args.probe.network.config);
    let config = Configuration::load(file, ConfigParts::Services);
    let check = match config.and_then(|config| settings::check(request, &config)) {
        Ok(check) => check,
        Err(error) => return without_probe(args, error),
    };
    let deadline = Instant::now() + check.plan.spec.timeout;
    let plan = Arc::new(check.plan.clone());
    let policy = Policy::system();
    // If the timer cannot be started, the check continues without it: the engine limits its work.
    let alarm = plan
        .spec
        .has_expressions()
        .then(|| compute_alarm(&check, &plan));
    let report = catch_unwind(AssertUnwindSafe(|| {
        probe(&check, &policy, Arc::clone(&plan), deadline)
    }))
    .unwrap_or_else(|_| internal_error_report(plan));
    drop(alarm);
    let exit = if report.is_up() { Exit::Up } else { Exit::Down };
    // Only the text report has colors. The other formats do not query the terminal and the
    // environment, which saves time.
    let colors = if matches!(check.format, Format::Text) {
        color_mode()
    } else {
        ColorMode::Off
    };
    let text = output::render(&report, &check.format, colors);
    let patience = time_to_read(deadline);
    Ok(print_within(text.as_bytes(), exit, patience))
}

/// With `-o json`, an error in the configuration is the result of the check: it is not known whether
/// the target is up. Other outputs have no place for it, so that the error is that of the command.
fn without_probe(args: &CheckArgs, error: SettingsError) -> CommandResult {
    match unprobed_document(args, &error) {
        Some(document) => {
            if io::stderr().is_terminal() {
                log_line(&error.to_string());
            }
            Ok(print_within(
                document.as_bytes(),
                Exit::Usage,
                MIN_TIME_TO_READ,
            ))
        }
        None => Err(error),
    }
}

/// The document of a check that an error in the configuration prevents; `None` if the error is
/// another one, or another output is requested.
pub fn unprobed_document(args: &CheckArgs, error: &SettingsError) -> Option<String> {
    if !error.is_in_configuration() || non_empty(&args.output) != Some("json") {
        return None;
    }
    let request = options::check(args, Format::Json).ok()?;
    let plan = settings::unprobed(&request)?;
    let failure = Failure::new(Status::LocalError, error.to_string());
    let report = Report::without_connection(Arc::new(plan), failure, Duration::ZERO);
    Some(output::render(&report, &request.format, ColorMode::Off))
}

/// A report on a terminal; otherwise, as under Zabbix, a single value.
fn default_format() -> Result<Format, SettingsError> {
    let name = if io::stdout().is_terminal() {
        "text"
    } else {
        "up"
    };
    Format::parse(name).map_err(SettingsError::new)
}

/// How long a reader may take: until the deadline of the check, but at least [`MIN_TIME_TO_READ`].
#[allow(clippy::disallowed_methods)]
fn time_to_read(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(MIN_TIME_TO_READ)
}

fn probe(check: &Check, policy: &Policy, plan: Arc<Plan>, deadline: Instant) -> Report {
    #[cfg(debug_assertions)]
    super::panic_if_tested();
    #[cfg(debug_assertions)]
    super::compute_if_tested();
    let transcript = match check.transcript {
        Transcript::Shown => Some(TranscriptWriter::default()),
        Transcript::Silent => None,
    };
    let mut sink = CheckSink {
        measures_exchange: check.format.publishes_exchange(),
        report: None,
        transcript,
    };
    let limits = Limits::one();
    let ran = engine::run(
        &mut Once::new(Arc::clone(&plan)),
        &mut sink,
        policy,
        &limits,
        resolver_kind(check.resolver),
    );
    if let Some(transcript) = sink.transcript {
        transcript.finish(time_to_read(deadline));
    }
    match (sink.report, ran) {
        (Some(report), _) => report,
        (None, Err(error)) => {
            let failure = Failure::new(Status::LocalError, error.to_string());
            Report::without_connection(plan, failure, Duration::ZERO)
        }
        (None, Ok(())) => internal_error_report(plan),
    }
}

/// Ends the check if it still computes after its deadline, and prints a value with this reason.
fn compute_alarm(check: &Check, plan: &Arc<Plan>) -> Option<ComputeAlarm> {
    let timeout = plan.spec.timeout;
    let report = Report::without_connection(Arc::clone(plan), still_computing(), timeout);
    let text = output::render(&report, &check.format, ColorMode::Off);
    ComputeAlarm::start(timeout, text.into_bytes(), Exit::Down.code()).ok()
}

/// The report of a probe that a defect of this program ended.
fn internal_error_report(plan: Arc<Plan>) -> Report {
    Report::without_connection(plan, internal_error(), Duration::ZERO)
}

/// Stores the report, and writes the transcript with `-v`.
struct CheckSink {
    measures_exchange: bool,
    report: Option<Report>,
    transcript: Option<TranscriptWriter>,
}

impl Sink for CheckSink {
    fn deliver(&mut self, report: Report) {
        self.report = Some(report);
    }

    fn observe(&mut self, plan: &Plan, at: Duration, what: Observed<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.write(plan, at, &what);
        }
    }

    fn measures_exchange(&self) -> bool {
        self.measures_exchange
    }

    fn observes(&self) -> bool {
        self.transcript.is_some()
    }
}
