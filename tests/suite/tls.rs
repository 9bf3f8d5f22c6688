//! TLS through the whole engine: real servers (`openssl s_server`) and scripted peers.

mod addresses;
mod client_auth;
mod clock;
mod files;
mod handshake;
mod hello;
mod hello_engine;
mod hello_hostile;
mod hostile;
pub mod openssl;
mod server;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use zbx_tcp::address::Target;
use zbx_tcp::engine;
use zbx_tcp::engine::{Limits, ResolverKind, Sink};
use zbx_tcp::failure::Status;
use zbx_tcp::plan::bytes::Charset;
use zbx_tcp::plan::pattern::Pattern;
use zbx_tcp::plan::steps::{Expect, Step, Template};
use zbx_tcp::plan::{Plan, ProbeSpec};
use zbx_tcp::policy::Policy;
use zbx_tcp::report::{DialogueReport, Report};
use zbx_tcp::source::List;
use zbx_tcp::tls;
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls_facts::TlsFacts;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Collected(Vec<Report>);

impl Sink for Collected {
    fn deliver(&mut self, report: Report) {
        self.0.push(report);
    }
}

/// A probe with TLS and these steps in it.
fn spec(options: TlsOptions, steps: Vec<Step>) -> ProbeSpec {
    ProbeSpec {
        layer: Some(tls::layer(options).unwrap()),
        steps,
        timeout: TIMEOUT,
        ..ProbeSpec::default()
    }
}

fn send(bytes: &[u8]) -> Step {
    Step::Send(Template::bytes(bytes))
}

fn expect(regex: &str) -> Step {
    Step::Expect(Expect::one(
        Pattern::regex(regex, Charset::default()).unwrap(),
    ))
}

/// Probes this port of 127.0.0.1.
fn probe(spec: ProbeSpec, port: u16) -> Report {
    let target = Target::from_arguments("127.0.0.1", Some(&port.to_string()), None).unwrap();
    let plan = Arc::new(Plan::new(spec, target));
    let mut collected = Collected::default();
    engine::run(
        &mut List::new(vec![plan]),
        &mut collected,
        &Policy::allow_all(),
        &Limits::in_flight(NonZeroUsize::MIN),
        ResolverKind::default(),
    )
    .unwrap();
    assert_eq!(collected.0.len(), 1, "one plan, one report");
    collected.0.pop().unwrap()
}

fn dialogue(report: &Report) -> &DialogueReport {
    let connection = report.connection.as_ref().expect("no connection");
    connection.dialogue.as_ref().expect("no dialogue")
}

/// What is reported of TLS.
#[track_caller]
fn facts(report: &Report) -> &TlsFacts {
    dialogue(report).tls.as_ref().expect("no facts of TLS")
}

/// The status and the text of a failure, without the address.
fn failure(report: &Report) -> (Status, String) {
    let failure = report.failure.as_ref().expect("the probe succeeded");
    let address = report.connection.as_ref().unwrap().address.to_string();
    (failure.status, failure.text.replace(&address, "PEER"))
}

#[track_caller]
fn assert_up(report: &Report) {
    assert_eq!(report.failure, None);
}

#[track_caller]
fn assert_failed(report: &Report, status: Status, text: &str) {
    let (actual, actual_text) = failure(report);
    assert_eq!(actual, status, "{actual_text}");
    assert!(
        actual_text.contains(text),
        "{actual_text}\n  does not have\n{text}"
    );
}
mod options;
mod published;
