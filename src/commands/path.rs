//! `zbx-tcp path`: shows where on the way to a port the packets end.

use std::collections::HashSet;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::address::Host;
use crate::cli::path::PathArgs;
use crate::cli::values::non_empty;
use crate::commands::{CommandResult, Exit, color_mode, internal_error, print, resolver_kind};
use crate::engine;
use crate::engine::{Limits, Sink};
use crate::failure::{Failure, Status};
use crate::os::names::name_of;
use crate::output::path_report;
use crate::output::path_report::{NamesOfRouters, PathReport};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::path::{PathFormat, PathSettings, RouterNames};
use crate::settings::request::ResolverChoice;
use crate::source::Once;

/// How long names of routers are looked up, all at once.
const LOOKUP_TIME: Duration = Duration::from_secs(3);

/// Traces one port, or two, and prints the result.
///
/// # Errors
/// A usage or configuration error; nothing was sent.
pub fn run(args: &PathArgs) -> CommandResult {
    let config = Configuration::load(non_empty(&args.network.config), ConfigParts::Services)?;
    let settings = PathSettings::new(args, &config)?;
    let policy = Policy::system();
    let first = trace(settings.plan.clone(), settings.resolver, &policy);
    // The other port of the same address: a name may have another one by then.
    let host = host_of(&first);
    let against = host
        .and_then(|host| settings.plan_against(host))
        .map(|plan| trace(plan, settings.resolver, &policy));
    let names = match settings.names {
        RouterNames::LookedUp => look_up(&[Some(&first), against.as_ref()]),
        RouterNames::Omitted => NamesOfRouters::default(),
    };
    let report = PathReport {
        first: &first,
        against: against.as_ref(),
        names: &names,
    };
    let exit = if first.is_up() { Exit::Up } else { Exit::Down };
    let text = match settings.format {
        PathFormat::Text => path_report::text(&report, color_mode()),
        PathFormat::Json => path_report::json(&report),
    };
    Ok(print(text.as_bytes(), exit))
}

/// The host whose address was traced.
fn host_of(report: &Report) -> Option<Host> {
    let address = report.connection.as_ref()?.address.ip();
    Some(match &report.plan.target.host {
        Host::Name(_) => Host::Address(address),
        host => host.clone(),
    })
}

fn trace(plan: Plan, resolver: ResolverChoice, policy: &Policy) -> Report {
    let plan = Arc::new(plan);
    let mut sink = OneReport(None);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        engine::run(
            &mut Once::new(Arc::clone(&plan)),
            &mut sink,
            policy,
            &Limits::one(),
            resolver_kind(resolver),
        )
    }));
    let failure = match (sink.0, ran) {
        (Some(report), _) => return report,
        (None, Ok(Err(error))) => Failure::new(Status::LocalError, error.to_string()),
        (None, Ok(Ok(())) | Err(_)) => internal_error(),
    };
    Report::without_connection(plan, failure, Duration::ZERO)
}

/// Stores the only report of a run.
struct OneReport(Option<Report>);

impl Sink for OneReport {
    fn deliver(&mut self, report: Report) {
        self.0 = Some(report);
    }
}

/// The names of all addresses that answered. Each lookup has a thread of its own, since it may take
/// longer than there is time.
#[allow(clippy::disallowed_methods)]
fn look_up(reports: &[Option<&Report>]) -> NamesOfRouters {
    let connections = reports
        .iter()
        .flatten()
        .filter_map(|report| report.connection.as_ref());
    let paths = connections.filter_map(|connection| connection.path.as_deref());
    let addresses: HashSet<IpAddr> = paths
        .flat_map(|path| &path.hops)
        .map(|hop| hop.from)
        .collect();
    let (send, receive) = mpsc::channel();
    for address in addresses {
        let send = send.clone();
        let lookup = move || {
            if let Some(name) = name_of(address) {
                // Nobody waits for it any more.
                let _ = send.send((address, name));
            }
        };
        // Without a thread, the name is missing.
        let _ = std::thread::Builder::new().spawn(lookup);
    }
    drop(send);
    let end = Instant::now() + LOOKUP_TIME;
    let mut names = NamesOfRouters::default();
    while let Ok((address, name)) =
        receive.recv_timeout(end.saturating_duration_since(Instant::now()))
    {
        names.insert(address, name);
    }
    names
}
