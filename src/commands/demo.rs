//! `zbx-tcp demo`: every kind of result on loopback, in two seconds, without root and without a
//! network.

mod batch;
mod responders;

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::commands::demo::responders::Stage;
use crate::commands::{CommandResult, Exit, paint, print};
use crate::engine::{Limits, Sink};
use crate::failure::Status;
use crate::output::Format;
use crate::output::text::Paint;
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

/// One example: a `check` as it would be typed, the request that it stands for, and the expected
/// result.
struct Scene {
    title: &'static str,
    words: Vec<String>,
    request: CheckRequest,
    expected: Status,
}

/// Starts responders, probes them all at once, and shows each as text and as the values that Zabbix
/// would store.
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
    let tutorial = ["你好服务端,我是客户端小黑!", "ok,"];
    let text = |option, text| Located::in_option(option, text);
    let expect = |pattern| {
        let pattern = PatternSpec {
            kind: PatternKind::Literal,
            text: text("--expect", pattern),
        };
        StepSpec::Expect(ExpectSpec::one(pattern, Vec::new()))
    };
    let conversation = Overrides {
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
        scene(
            "A service that is up",
            stage.greeting,
            &[],
            Overrides::default(),
            Status::Ok,
        ),
        scene(
            "A conversation in GBK: say hello, expect ok",
            stage.gbk,
            &[
                "--encoding",
                "gbk",
                "--send",
                tutorial[0],
                "--expect",
                tutorial[1],
            ],
            conversation,
            Status::Ok,
        ),
        scene(
            "The wrong service on the port",
            stage.greeting,
            &["--expect", "SSH-2.0-", "-t", "0.5"],
            expecting("SSH-2.0-"),
            Status::Mismatch,
        ),
        scene(
            "A service that accepts and says nothing",
            stage.silent,
            &["--expect", "220", "-t", "0.5"],
            expecting("220"),
            Status::ReadTimeout,
        ),
        scene(
            "Nothing listens",
            stage.closed,
            &[],
            Overrides::default(),
            Status::Refused,
        ),
        scene(
            "Nobody answers: the accept queue is full",
            stage.full,
            &["-t", "1.3s"],
            Overrides {
                timeout: Some(Duration::from_millis(1300)),
                ..Overrides::default()
            },
            Status::ConnectTimeout,
        ),
        scene(
            "Up, but the first SYN was lost",
            stage.lossy,
            &[],
            Overrides::default(),
            Status::Ok,
        ),
        scene(
            "A port that must be closed, and is",
            stage.closed,
            &["--expect-closed"],
            Overrides {
                want: Some(Expected::Closed(OnTimeout::Fails)),
                ..Overrides::default()
            },
            Status::Ok,
        ),
    ]
}

/// A scene on this port of the stage; `options` are the words for `overrides`.
fn scene(
    title: &'static str,
    port: u16,
    options: &[&str],
    overrides: Overrides,
    expected: Status,
) -> Scene {
    let (host, port) = ("127.0.0.1".to_owned(), port.to_string());
    let mut words = vec!["check".to_owned(), host.clone(), port.clone()];
    words.extend(options.iter().map(|word| (*word).to_owned()));
    let request = CheckRequest {
        host,
        port: Some(port),
        probe: ProbeRequest {
            overrides,
            ..ProbeRequest::default()
        },
        format: Format::Text,
        transcript: Transcript::Silent,
    };
    Scene {
        title,
        words,
        request,
        expected,
    }
}

/// The plan of a scene. The configuration of this machine does not change the demonstration.
fn plan(scene: &Scene) -> Result<Arc<Plan>, SettingsError> {
    let check = settings::check(scene.request.clone(), Configuration::default())?;
    Ok(Arc::new(check.plan))
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::settings::options;

    #[test]
    fn the_words_of_a_scene_mean_its_request() {
        let stage = Stage::set().unwrap();
        for scene in scenes(&stage) {
            let words = std::iter::once("zbx-tcp").chain(scene.words.iter().map(String::as_str));
            let Command::Check(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("{} is not a check", scene.title);
            };
            let typed = options::check(&args, Format::Text).unwrap();
            let CheckRequest {
                host, port, probe, ..
            } = scene.request;
            assert_eq!(
                (typed.host, typed.port, typed.probe),
                (host, port, probe),
                "{}",
                scene.title
            );
        }
    }
}
