//! `zbx-tcp discover open`: which ports accept connections.

use std::time::Duration;

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
use crate::source::{Shuffled, random_seed};

/// The rows of the ports that accept, in the order of the list.
///
/// # Errors
/// A usage or configuration error, or a port whose state could not be determined: Zabbix would
/// delete the items of a port that is missing in the rows.
pub fn rows(
    request: &OpenRequest,
    config: &Configuration,
    policy: &Policy,
) -> Result<String, SettingsError> {
    let candidates = discover::open(request, config)?;
    Ok(lld::line(accepting(&candidates, policy)?))
}

fn accepting<'c>(
    candidates: &'c Candidates,
    policy: &Policy,
) -> Result<Vec<&'c Plan>, SettingsError> {
    let mut states = PortStates {
        accepting: vec![None; candidates.plans.len()],
        undetermined: None,
    };
    let (limits, _) = limits(&candidates.bounds, &candidates.plans, Duration::ZERO);
    let seed = candidates.seed.unwrap_or_else(random_seed);
    let mut source = Shuffled::new(&candidates.plans, seed);
    let ran = engine::run(
        &mut source,
        &mut states,
        policy,
        &limits,
        resolver_kind(candidates.resolver),
    );
    ran.map_err(SettingsError::new)?;
    if let Some(reason) = states.undetermined {
        return Err(no_rows(&reason));
    }
    let ports = candidates.plans.iter().zip(states.accepting);
    ports
        .filter_map(|(plan, accepting)| match accepting {
            Some(accepting) => accepting.then_some(Ok(&**plan)),
            None => Some(Err(no_rows(&format!("{} has no report", plan.target)))),
        })
        .collect()
}

fn no_rows(reason: &str) -> SettingsError {
    SettingsError::new(format!(
        "no rows printed: the state of a port could not be determined: {reason}"
    ))
}

/// The states of the ports, by the number of the plan.
struct PortStates {
    accepting: Vec<Option<bool>>,
    /// Why the state of a port could not be determined.
    undetermined: Option<String>,
}

impl Sink for PortStates {
    fn deliver(&mut self, report: Report) {
        if let Some(slot) = self.accepting.get_mut(report.plan.index as usize) {
            *slot = Some(accepts(&report));
        }
        if self.undetermined.is_none() {
            self.undetermined = undetermined(&report);
        }
    }
}

/// Whether the port accepts connections. One whose certificate is not trusted does: its row would
/// be deleted with its items on the day on which the certificate expires.
fn accepts(report: &Report) -> bool {
    report.is_up() || report.status() == Status::TlsUntrusted
}

/// Why a report does not contain the state of its port; `None` if it does.
fn undetermined(report: &Report) -> Option<String> {
    let failure = report.failure.as_ref()?;
    match failure.status {
        Status::NotTried => Some(format!(
            "{}: raise --deadline, or list fewer ports",
            failure.text
        )),
        Status::Denied | Status::LocalError | Status::ResolveFailed | Status::ResolveTimeout => {
            Some(failure.text.clone())
        }
        // Without an ICMP message it is this machine that did not send anything.
        Status::Unreachable if failure.icmp.is_none() => Some(failure.text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::address::Target;
    use crate::failure::{Failure, IcmpFact, IcmpVersion};
    use crate::plan::ProbeSpec;

    fn reason(status: Status, icmp: Option<IcmpFact>) -> Option<String> {
        let target = Target::from_arguments("192.0.2.7", Some("22"), None).unwrap();
        let plan = Arc::new(Plan::new(ProbeSpec::default(), target));
        let failure = Failure {
            icmp,
            ..Failure::new(status, "why")
        };
        undetermined(&Report::without_connection(plan, failure, Duration::ZERO))
    }

    #[test]
    fn an_address_to_which_nothing_was_sent_is_undetermined() {
        let from_router = IcmpFact {
            kind: 3,
            code: 1,
            from: None,
            version: IcmpVersion::V4,
        };
        assert_eq!(reason(Status::Unreachable, None).as_deref(), Some("why"));
        assert_eq!(reason(Status::Unreachable, Some(from_router)), None);
        assert_eq!(reason(Status::LocalError, None).as_deref(), Some("why"));
        for determined in [Status::Refused, Status::ConnectTimeout] {
            assert_eq!(reason(determined, None), None);
        }
    }
}
