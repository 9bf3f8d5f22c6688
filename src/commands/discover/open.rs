//! Which ports accept now.

use std::time::Duration;

use crate::cli::discover::OpenArgs;
use crate::cli::values::given;
use crate::commands::limits::limits;
use crate::commands::resolver_kind;
use crate::engine;
use crate::engine::Sink;
use crate::failure::Status;
use crate::output::lld;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::config::Configuration;
use crate::settings::discover::{Candidates, OpenRequest};
use crate::settings::{SettingsError, discover};
use crate::source::Shuffled;

/// The rows of the ports that accept, in the order of the list.
///
/// # Errors
/// A mistake of the caller; and a port of which this machine could not tell, since rows without it would delete what was
/// discovered there.
pub fn rows(args: &OpenArgs) -> Result<String, SettingsError> {
    let config = Configuration::load(given(&args.reach.config))?;
    let request = OpenRequest::from_args(args)?;
    let candidates = discover::open(&request, &config)?;
    Ok(lld::line(accepting(&candidates)?))
}

fn accepting(candidates: &Candidates) -> Result<Vec<&Plan>, SettingsError> {
    let mut answers = Answers {
        accepts: vec![None; candidates.plans.len()],
        doubt: None,
    };
    let (limits, _) = limits(&candidates.bounds, &candidates.plans, Duration::ZERO);
    let mut source = Shuffled::new(&candidates.plans, candidates.seed);
    let ran = engine::run(
        &mut source,
        &mut answers,
        &Policy::system(),
        &limits,
        resolver_kind(candidates.resolver),
    );
    ran.map_err(SettingsError::new)?;
    if let Some(doubt) = answers.doubt {
        return Err(SettingsError::new(format!(
            "no rows, since a port could not be told: {doubt}"
        )));
    }
    let told = candidates
        .plans
        .iter()
        .zip(answers.accepts)
        .map(|(plan, accepts)| {
            let accepts = accepts
                .ok_or_else(|| SettingsError::new(format!("no rows: {} was lost", plan.target)))?;
            Ok(accepts.then_some(&**plan))
        });
    told.filter_map(Result::transpose).collect()
}

/// What came of each candidate, and why one could not be told.
struct Answers {
    accepts: Vec<Option<bool>>,
    doubt: Option<String>,
}

impl Sink for Answers {
    fn deliver(&mut self, report: Report) {
        if let Some(slot) = self.accepts.get_mut(report.plan.index as usize) {
            *slot = Some(report.is_up());
        }
        if self.doubt.is_none() {
            self.doubt = doubt(&report);
        }
    }
}

/// The first SYN is repeated after this long (RFC 6298): who waited for less has not heard of a port that accepts.
const FIRST_REPEAT: Duration = Duration::from_secs(1);

/// Why nothing can be said of a port.
fn doubt(report: &Report) -> Option<String> {
    let failure = report.failure.as_ref()?;
    match failure.status {
        Status::NotTried => Some(format!(
            "{}: raise --deadline, or write fewer ports",
            failure.text
        )),
        Status::ConnectTimeout if report.total < FIRST_REPEAT.min(report.plan.spec.timeout) => {
            Some(format!(
                "the run ended {:.1} s after {} was tried: raise --deadline, or write fewer ports",
                report.total.as_secs_f64(),
                report.plan.target
            ))
        }
        Status::Denied | Status::LocalError | Status::ResolveFailed | Status::ResolveTimeout => {
            Some(failure.text.clone())
        }
        _ => None,
    }
}
