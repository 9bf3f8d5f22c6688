//! `zbx-tcp services --policy HOST PORT`: whether the policy allows a target, and which rule
//! decides.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use crate::address::{Port, Target};
use crate::commands::{CommandResult, Exit, print};
use crate::engine;
use crate::engine::{Limits, ResolverKind, Sink};
use crate::failure::Status;
use crate::plan::{AddressSelection, Plan, ProbeSpec};
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::SettingsError;
use crate::source::Once;

/// Prints the decision for an address, or for each address of a name. The exit status is 0 only if
/// all are allowed.
///
/// # Errors
/// An invalid target, or a name that does not resolve: rules apply to addresses.
pub fn run(host: &str, port: &str) -> CommandResult {
    let target = Target::from_arguments(host, Some(port), None).map_err(SettingsError::new)?;
    let port = target.port;
    let plan = resolve_only_plan(target);
    let policy = Policy::system();
    let (text, exit) = match plan.ip() {
        Some(address) => explain(&policy, address, port),
        None => explain_all(&policy, &resolve(plan)?, port),
    };
    Ok(print(text.as_bytes(), exit))
}

/// A plan that resolves a name and may not connect to any of its addresses.
fn resolve_only_plan(target: Target) -> Plan {
    let spec = ProbeSpec {
        addresses: AddressSelection::All,
        ..ProbeSpec::default()
    };
    Plan::new(spec, target)
}

fn explain(policy: &Policy, address: IpAddr, port: Port) -> (String, Exit) {
    let decision = policy.decide(address, port);
    (
        format!("{decision}\n"),
        if decision.is_allowed() {
            Exit::Up
        } else {
            Exit::Down
        },
    )
}

fn explain_all(policy: &Policy, addresses: &[IpAddr], port: Port) -> (String, Exit) {
    let (mut text, mut exit) = (String::new(), Exit::Up);
    for address in addresses {
        let (line, verdict) = explain(policy, *address, port);
        // Writing to a String cannot fail.
        let _ = write!(text, "{address} {line}");
        exit = if verdict == Exit::Up { exit } else { verdict };
    }
    (text, exit)
}

/// The addresses of the plan's name. Only DNS queries are sent.
fn resolve(plan: Plan) -> Result<Vec<IpAddr>, SettingsError> {
    let mut sink = ResolveSink(None);
    let limits = Limits::one();
    let ran = engine::run(
        &mut Once::new(Arc::new(plan)),
        &mut sink,
        &Policy::deny_all(),
        &limits,
        ResolverKind::default(),
    );
    ran.map_err(SettingsError::new)?;
    match sink.0 {
        Some(report) if report.address_count as usize > report.addresses.len() => {
            Err(SettingsError::new(format!(
                "{} has {} addresses, more than the {} that are probed: give an address",
                report.plan.target.host,
                report.address_count,
                report.addresses.len()
            )))
        }
        Some(report) if report.status() == Status::Denied => Ok(report
            .addresses
            .iter()
            .map(|connection| connection.address.ip())
            .collect()),
        Some(Report {
            failure: Some(failure),
            ..
        }) => Err(SettingsError::new(format!(
            "{}: the policy applies to addresses: give an address",
            failure.text
        ))),
        _ => Err(SettingsError::new(
            "the name could not be resolved: give an address",
        )),
    }
}

/// Stores the report, which has the addresses.
struct ResolveSink(Option<Report>);

impl Sink for ResolveSink {
    fn deliver(&mut self, report: Report) {
        self.0 = Some(report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_name_must_be_allowed() {
        let policy = Policy::from_text(b"allow = [\"10.0.0.0/8\"]\ndeny = [\n  \"10.0.0.9\"]");
        let port = Port::new(22).unwrap();
        let explained = |list: &[&str]| {
            let addresses: Vec<IpAddr> = list.iter().map(|word| word.parse().unwrap()).collect();
            explain_all(&policy, &addresses, port)
        };
        let at = |line| format!("(line {line} of /etc/zbx-tcp/policy.toml)");
        let allowed = format!("10.0.0.1 allowed: allow[1] {}\n", at(1));
        assert_eq!(explained(&["10.0.0.1"]), (allowed.clone(), Exit::Up));
        let denied = format!("10.0.0.9 denied: deny[1] {}\n", at(3));
        assert_eq!(
            explained(&["10.0.0.9", "10.0.0.1"]),
            (denied + &allowed, Exit::Down)
        );
    }

    #[test]
    fn a_name_is_resolved_without_a_connect() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let target = Target::from_arguments("a.localhost", Some(&port), None).unwrap();
        let plan = resolve_only_plan(target);
        let mut addresses = resolve(plan).unwrap();
        addresses.sort();
        assert_eq!(
            addresses,
            ["127.0.0.1", "::1"].map(|word| word.parse::<IpAddr>().unwrap())
        );
        assert_eq!(
            listener.accept().unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock
        );
    }
}
