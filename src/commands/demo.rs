//! `zbx-tcp demo`: shows every kind of result on loopback in two seconds, without root and without
//! a network.

mod batch;
mod responders;

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::commands::demo::responders::DemoServers;
use crate::commands::{CommandResult, Exit, color_mode, print};
use crate::engine::{Limits, Sink};
use crate::failure::Status;
use crate::output::Format;
use crate::output::text::ColorMode;
use crate::plan::{Expected, OnTimeout, Plan};
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::config::Configuration;
use crate::settings::overrides::Overrides;
use crate::settings::request::{CheckRequest, ProbeRequest, Transcript};
use crate::settings::step_spec::{ExpectSpec, PatternKind, PatternSpec, SendSpec, StepSpec};
use crate::settings::{Located, SettingsError};
use crate::source::List;
use crate::{engine, output, settings};

/// A `check` to show.
struct DemoCase {
    title: &'static str,
    /// The arguments after `zbx-tcp`, which mean `request`.
    arguments: Vec<String>,
    request: CheckRequest,
    expected: Status,
}

/// Starts the servers, probes them all at once, and prints each report with the values that Zabbix
/// would store.
///
/// # Errors
/// If a server cannot be started or the sockets cannot be polled.
pub fn run() -> CommandResult {
    let servers =
        DemoServers::start().map_err(|error| SettingsError::new(format!("demo: {error}")))?;
    let cases = cases(&servers);
    let plans = cases.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    let reports = probe(&plans)?;
    let (counts, batch_text) = batch::show(&servers, cases.len() + 1)?;
    let exit = if as_expected(&cases, &reports) && counts == batch::EXPECTED {
        Exit::Up
    } else {
        Exit::Down
    };
    let text = cases_text(&cases, &reports, color_mode())
        + &batch_text
        + "Try it with your own service: zbx-tcp check HOST PORT\n";
    Ok(print(text.as_bytes(), exit))
}

fn cases(servers: &DemoServers) -> Vec<DemoCase> {
    let tutorial = ["你好服务端,我是客户端小黑!", "ok,"];
    let text = |option, text| Located::in_option(option, text);
    let expect = |pattern| {
        let pattern = PatternSpec {
            kind: PatternKind::Literal,
            text: text("--expect", pattern),
        };
        StepSpec::Expect(ExpectSpec::one(pattern, Vec::new()))
    };
    let dialogue = Overrides {
        encoding: Some(text("--encoding", "gbk")),
        steps: Some(vec![
            StepSpec::Send(SendSpec::Text(text("--send", tutorial[0]))),
            expect(tutorial[1]),
        ]),
        ..Overrides::default()
    };
    let expecting = |pattern| Overrides {
        steps: Some(vec![expect(pattern)]),
        timeout: Some(Duration::from_millis(500)),
        ..Overrides::default()
    };
    vec![
        case(
            "A service that is up",
            servers.greeting,
            &[],
            Overrides::default(),
            Status::Ok,
        ),
        case(
            "A dialogue in GBK: send a greeting, expect ok",
            servers.gbk,
            &[
                "--encoding",
                "gbk",
                "--send",
                tutorial[0],
                "--expect",
                tutorial[1],
            ],
            dialogue,
            Status::Ok,
        ),
        case(
            "The wrong service on the port",
            servers.greeting,
            &["--expect", "SSH-2.0-", "-t", "0.5"],
            expecting("SSH-2.0-"),
            Status::Mismatch,
        ),
        case(
            "A service that accepts and sends nothing",
            servers.silent,
            &["--expect", "220", "-t", "0.5"],
            expecting("220"),
            Status::ReadTimeout,
        ),
        case(
            "A closed port",
            servers.closed,
            &[],
            Overrides::default(),
            Status::Refused,
        ),
        case(
            "No answer: the accept queue is full",
            servers.full,
            &["-t", "1.3s"],
            Overrides {
                timeout: Some(Duration::from_millis(1300)),
                ..Overrides::default()
            },
            Status::ConnectTimeout,
        ),
        case(
            "Up after the first SYN was lost",
            servers.lossy,
            &[],
            Overrides::default(),
            Status::Ok,
        ),
        case(
            "A port that must be closed and is",
            servers.closed,
            &["--expect-closed"],
            Overrides {
                want: Some(Expected::Closed(OnTimeout::Fails)),
                ..Overrides::default()
            },
            Status::Ok,
        ),
    ]
}

/// A case on this port; `options` are the arguments that mean `overrides`.
fn case(
    title: &'static str,
    port: u16,
    options: &[&str],
    overrides: Overrides,
    expected: Status,
) -> DemoCase {
    let (host, port) = ("127.0.0.1".to_owned(), port.to_string());
    let mut arguments = vec!["check".to_owned(), host.clone(), port.clone()];
    arguments.extend(options.iter().map(|option| (*option).to_owned()));
    let request = CheckRequest {
        host,
        port: Some(port),
        probe: ProbeRequest {
            overrides,
            ..ProbeRequest::default()
        },
        format: Format::Text,
        transcript: Transcript::Silent,
        default_tracing: None,
    };
    DemoCase {
        title,
        arguments,
        request,
        expected,
    }
}

/// The plan of a case. The configuration of this machine does not change the demo.
fn plan(case: &DemoCase) -> Result<Arc<Plan>, SettingsError> {
    let check = settings::check(case.request.clone(), &Configuration::default())?;
    Ok(Arc::new(check.plan))
}

fn probe(plans: &[Arc<Plan>]) -> Result<Vec<Option<Report>>, SettingsError> {
    let mut sink = DemoSink {
        plans,
        reports: vec![None; plans.len()],
    };
    let limits = Limits::in_flight(NonZeroUsize::MAX);
    let mut source = List::new(plans.iter().cloned());
    let ran = engine::run(
        &mut source,
        &mut sink,
        // Only our own responders are probed.
        &Policy::allow_all(),
        &limits,
        engine::ResolverKind::default(),
    );
    ran.map_err(|error| SettingsError::new(format!("demo: {error}")))?;
    Ok(sink.reports)
}

/// Stores each report at the index of its plan.
struct DemoSink<'p> {
    plans: &'p [Arc<Plan>],
    reports: Vec<Option<Report>>,
}

impl Sink for DemoSink<'_> {
    fn deliver(&mut self, report: Report) {
        let index = self
            .plans
            .iter()
            .position(|plan| Arc::ptr_eq(plan, &report.plan));
        if let Some(slot) = index.and_then(|index| self.reports.get_mut(index)) {
            *slot = Some(report);
        }
    }
}

fn as_expected(cases: &[DemoCase], reports: &[Option<Report>]) -> bool {
    let status = |report: &Option<Report>| report.as_ref().map(Report::status);
    cases
        .iter()
        .zip(reports)
        .all(|(case, report)| status(report) == Some(case.expected))
}

fn cases_text(cases: &[DemoCase], reports: &[Option<Report>], colors: ColorMode) -> String {
    let mut text = String::new();
    for (index, (case, report)) in cases.iter().zip(reports).enumerate() {
        let Some(report) = report else { continue };
        let arguments: Vec<_> = case.arguments.iter().map(|text| quoted(text)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}. {}\n$ zbx-tcp {}",
            index + 1,
            case.title,
            arguments.join(" ")
        );
        text.push_str(&output::render(report, &Format::Text, colors));
        let _ = writeln!(text, "  in Zabbix {}\n", stored_values(report));
    }
    text
}

/// The values that items of a Zabbix host would store.
fn stored_values(report: &Report) -> String {
    let value = |path: &str| match Format::parse(path) {
        Ok(format) => output::render(report, &format, ColorMode::Off)
            .trim_end()
            .to_owned(),
        Err(unknown) => unknown.to_string(),
    };
    let paths = ["up", "status", "time.connect", "tcp.syn_retransmits"];
    paths
        .map(|path| format!("{path} {}", value(path)))
        .join(", ")
}

/// An argument, quoted for a shell if necessary.
fn quoted(argument: &str) -> String {
    let needs_no_quotes =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '=' | ':' | '_');
    if argument.chars().all(needs_no_quotes) {
        argument.to_owned()
    } else {
        format!("'{argument}'")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::settings::options;

    #[test]
    fn the_arguments_of_a_case_mean_its_request() {
        let servers = DemoServers::start().unwrap();
        for case in cases(&servers) {
            let arguments =
                std::iter::once("zbx-tcp").chain(case.arguments.iter().map(String::as_str));
            let Command::Check(args) = Cli::try_parse_from(arguments).unwrap().command else {
                panic!("{} is not a check", case.title);
            };
            let typed = options::check(&args, Format::Text).unwrap();
            let CheckRequest {
                host, port, probe, ..
            } = case.request;
            assert_eq!(
                (typed.host, typed.port, typed.probe),
                (host, port, probe),
                "{}",
                case.title
            );
        }
    }
}
