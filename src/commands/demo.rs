//! `zbx-tcp demo`: every kind of result on loopback, in two seconds, without root and without a network.

mod batch;
mod responders;

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::demo::responders::Stage;
use crate::commands::{CommandResult, Exit, paint, print};
use crate::engine::{Limits, Sink};
use crate::failure::Status;
use crate::output::Format;
use crate::output::text::Paint;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::settings::SettingsError;
use crate::source::List;
use crate::{engine, output, settings};

/// One thing to see: the words of a `check`, and what should come of it.
struct Scene {
    title: &'static str,
    words: Vec<String>,
    expected: Status,
}

/// Starts responders, probes them all at once, and shows each as text and as the values that Zabbix would store.
pub fn run() -> CommandResult {
    let stage = Stage::set().map_err(|error| SettingsError::new(format!("demo: {error}")))?;
    let scenes = scenes(&stage);
    let plans = scenes.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    let reports = probe(&plans)?;
    let (fleet, shown) = batch::show(&stage, scenes.len() + 1)?;
    let exit = if as_expected(&scenes, &reports) && fleet == batch::EXPECTED {
        Exit::Up
    } else {
        Exit::Down
    };
    let page = page(&scenes, &reports, paint())
        + &shown
        + "The same for your own service: zbx-tcp check HOST PORT\n";
    Ok(print(page.as_bytes(), exit))
}

fn scenes(stage: &Stage) -> Vec<Scene> {
    let scene = |title, port: u16, options: &[&str], expected| {
        let words = ["check", "127.0.0.1", &port.to_string()]
            .map(str::to_owned)
            .into_iter();
        Scene {
            title,
            words: words
                .chain(options.iter().map(|word| (*word).to_owned()))
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
        scene("A service that is up", stage.greeting, &[], Status::Ok),
        scene(
            "A conversation in GBK: say hello, expect ok",
            stage.gbk,
            &tutorial,
            Status::Ok,
        ),
        scene(
            "The wrong service on the port",
            stage.greeting,
            &["--expect", "SSH-2.0-", "-t", "0.5"],
            Status::Mismatch,
        ),
        scene(
            "A service that accepts and says nothing",
            stage.silent,
            &["--expect", "220", "-t", "0.5"],
            Status::ReadTimeout,
        ),
        scene("Nothing listens", stage.closed, &[], Status::Refused),
        scene(
            "Nobody answers: the accept queue is full",
            stage.full,
            &["-t", "1.3s"],
            Status::ConnectTimeout,
        ),
        scene(
            "Up, but the first SYN was lost",
            stage.lossy,
            &[],
            Status::Ok,
        ),
        scene(
            "A port that must be closed, and is",
            stage.closed,
            &["--expect-closed"],
            Status::Ok,
        ),
    ]
}

/// The plan of the words, read exactly as if somebody had typed them.
fn plan(scene: &Scene) -> Result<Arc<Plan>, SettingsError> {
    let words = std::iter::once("zbx-tcp".to_owned()).chain(scene.words.iter().cloned());
    match Cli::try_parse_from(words)
        .map_err(SettingsError::new)?
        .command
    {
        Command::Check(args) => Ok(Arc::new(settings::check(&args, Format::Text)?.plan)),
        _ => Err(SettingsError::new("demo: not a check")),
    }
}

fn probe(plans: &[Arc<Plan>]) -> Result<Vec<Option<Report>>, SettingsError> {
    let mut gathered = Gathered {
        plans,
        reports: vec![None; plans.len()],
    };
    let limits = Limits::in_flight(NonZeroUsize::MAX);
    let mut source = List::new(plans.iter().cloned());
    let ran = engine::run(
        &mut source,
        &mut gathered,
        // Only our own responders are probed.
        &Policy::allow_all(),
        &limits,
        engine::ResolverKind::default(),
    );
    ran.map_err(|error| SettingsError::new(format!("demo: {error}")))?;
    Ok(gathered.reports)
}

/// Puts each report beside its plan.
struct Gathered<'p> {
    plans: &'p [Arc<Plan>],
    reports: Vec<Option<Report>>,
}

impl Sink for Gathered<'_> {
    fn deliver(&mut self, report: Report) {
        let place = self
            .plans
            .iter()
            .position(|plan| Arc::ptr_eq(plan, &report.plan));
        if let Some(slot) = place.and_then(|place| self.reports.get_mut(place)) {
            *slot = Some(report);
        }
    }
}

fn as_expected(scenes: &[Scene], reports: &[Option<Report>]) -> bool {
    let status = |report: &Option<Report>| report.as_ref().map(Report::status);
    scenes
        .iter()
        .zip(reports)
        .all(|(scene, report)| status(report) == Some(scene.expected))
}

fn page(scenes: &[Scene], reports: &[Option<Report>], paint: Paint) -> String {
    let mut page = String::new();
    for (number, (scene, report)) in scenes.iter().zip(reports).enumerate() {
        let Some(report) = report else { continue };
        let words: Vec<_> = scene.words.iter().map(|word| quoted(word)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "{}. {}\n$ zbx-tcp {}",
            number + 1,
            scene.title,
            words.join(" ")
        );
        page.push_str(&output::render(report, &Format::Text, paint));
        let _ = writeln!(page, "  in Zabbix {}\n", stored(report));
    }
    page
}

/// The values that items of a Zabbix host would store.
fn stored(report: &Report) -> String {
    let value = |path: &str| match Format::from_word(path) {
        Ok(format) => output::render(report, &format, Paint::Plain)
            .trim_end()
            .to_owned(),
        Err(unknown) => unknown.to_string(),
    };
    let paths = ["up", "status", "time.connect", "tcp.syn_retransmits"];
    paths
        .map(|path| format!("{path} {}", value(path)))
        .join(", ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '=' | ':' | '_');
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{word}'")
    }
}
