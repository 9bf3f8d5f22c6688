//! `zbx-tcp demo`: shows every kind of result on loopback in two seconds, without root and without a network.

mod batch;
mod responders;

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::demo::responders::DemoServers;
use crate::commands::{CommandResult, Exit, color_mode, print};
use crate::engine::{Limits, Sink};
use crate::failure::Status;
use crate::output::Format;
use crate::output::text::ColorMode;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::SettingsError;
use crate::source::List;
use crate::{engine, output, settings};

/// A `check` to show.
struct DemoCase {
    title: &'static str,
    /// The arguments after `zbx-tcp`.
    arguments: Vec<String>,
    expected: Status,
}

/// Starts the servers, probes them all at once, and prints each report with the values that Zabbix would store.
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
    let case = |title, port: u16, options: &[&str], expected| {
        let arguments = ["check", "127.0.0.1", &port.to_string()]
            .map(str::to_owned)
            .into_iter();
        DemoCase {
            title,
            arguments: arguments
                .chain(options.iter().map(|option| (*option).to_owned()))
                .collect(),
            expected,
        }
    };
    let tutorial = [
        "--encoding",
        "gbk",
        "--send",
        "你好服务端,我是客户端小黑!",
        "--expect",
        "ok,",
    ];
    vec![
        case("A service that is up", servers.greeting, &[], Status::Ok),
        case(
            "A dialogue in GBK: send a greeting, expect ok",
            servers.gbk,
            &tutorial,
            Status::Ok,
        ),
        case(
            "The wrong service on the port",
            servers.greeting,
            &["--expect", "SSH-2.0-", "-t", "0.5"],
            Status::Mismatch,
        ),
        case(
            "A service that accepts and sends nothing",
            servers.silent,
            &["--expect", "220", "-t", "0.5"],
            Status::ReadTimeout,
        ),
        case("A closed port", servers.closed, &[], Status::Refused),
        case(
            "No answer: the accept queue is full",
            servers.full,
            &["-t", "1.3s"],
            Status::ConnectTimeout,
        ),
        case(
            "Up after the first SYN was lost",
            servers.lossy,
            &[],
            Status::Ok,
        ),
        case(
            "A port that must be closed and is",
            servers.closed,
            &["--expect-closed"],
            Status::Ok,
        ),
    ]
}

/// The plan of a case, read from its arguments like a command line.
fn plan(case: &DemoCase) -> Result<Arc<Plan>, SettingsError> {
    let arguments = std::iter::once("zbx-tcp".to_owned()).chain(case.arguments.iter().cloned());
    match Cli::try_parse_from(arguments)
        .map_err(SettingsError::new)?
        .command
    {
        Command::Check(args) => {
            // Only the demo's own servers are probed, so no policy applies.
            Ok(Arc::new(settings::check(&args, Format::Text)?.plan))
        }
        _ => Err(SettingsError::new("demo: not a check")),
    }
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
