//! `zbx-tcp check`: one target, one value, one document, or a report.

mod transcript;

use std::io;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::cli::check::CheckArgs;
use crate::cli::values::given;
use crate::commands::{CommandResult, Exit, internal_error, paint, print, resolver_kind};
use crate::engine::{Limits, Observed, Sink};
use crate::failure::{Failure, Status};
use crate::output::Format;
use crate::output::text::Paint;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::config::Configuration;
use crate::settings::request::Transcript;
use crate::settings::{Check, options};
use crate::source::Once;
use crate::{engine, output, settings};

/// Probes one target and prints what was asked for.
pub fn run(args: &CheckArgs) -> CommandResult {
    let config = Configuration::load(given(&args.probe.reach.config))?;
    let request = options::check(args, default_format()?)?;
    let check = settings::check(request, config)?;
    let plan = Arc::new(check.plan.clone());
    let policy = Policy::system();
    let report = catch_unwind(AssertUnwindSafe(|| {
        probe(&check, &policy, Arc::clone(&plan))
    }))
    .unwrap_or_else(|_| broken(plan));
    let exit = if report.is_up() { Exit::Up } else { Exit::Down };
    // Only a text for people asks the environment and the terminal about colours.
    let paint = if matches!(check.format, Format::Text) {
        paint()
    } else {
        Paint::Plain
    };
    Ok(print(
        output::render(&report, &check.format, paint).as_bytes(),
        exit,
    ))
}

/// A report on a terminal, the value that Zabbix stores elsewhere.
fn default_format() -> Result<Format, settings::SettingsError> {
    let word = if io::stdout().is_terminal() {
        "text"
    } else {
        "up"
    };
    Format::from_word(word).map_err(settings::SettingsError::new)
}

fn probe(check: &Check, policy: &Policy, plan: Arc<Plan>) -> Report {
    #[cfg(debug_assertions)]
    super::panic_if_tested();
    let transcript = match check.transcript {
        Transcript::Shown => Some(transcript::Writer::default()),
        Transcript::Silent => None,
    };
    let mut sink = One {
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
    match (sink.report, ran) {
        (Some(report), _) => report,
        (None, Err(error)) => {
            let failure = Failure::new(Status::LocalError, error.to_string());
            Report::without_connection(plan, failure, Duration::ZERO)
        }
        (None, Ok(())) => broken(plan),
    }
}

/// The report of a fault of our own.
fn broken(plan: Arc<Plan>) -> Report {
    Report::without_connection(plan, internal_error(), Duration::ZERO)
}

/// Keeps the one report, and explains on the way.
struct One {
    report: Option<Report>,
    transcript: Option<transcript::Writer>,
}

impl Sink for One {
    fn deliver(&mut self, report: Report) {
        self.report = Some(report);
    }

    fn observe(&mut self, plan: &Plan, at: Duration, what: Observed<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.write(plan, at, &what);
        }
    }
}
