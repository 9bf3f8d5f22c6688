//! The list of services, and the steps of one service, as text or JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::address::Port;
use crate::escape::escaped_prefix;
use crate::plan::steps::RejectionTime;
use crate::settings::config::Service;
use crate::settings::overrides::Overrides;
use crate::settings::services::ServiceOrigin;
use crate::settings::step_spec::{
    ExpectSpec, LineEnds, PatternKind, PatternSpec, Quantifier, RejectSpec, SendSpec, StepSpec,
};
use crate::settings::tls_overrides::TlsStart;

/// The format of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServicesFormat {
    /// For people.
    Text,
    /// One line of JSON.
    Json,
}

/// The list of all services.
pub fn all(services: &[(Service, ServiceOrigin)], format: ServicesFormat) -> String {
    if format == ServicesFormat::Json {
        let list: Vec<_> = services
            .iter()
            .map(|(service, origin)| ServiceRecord::new(service, Some(*origin)))
            .collect();
        return json(&list);
    }
    let width = services
        .iter()
        .map(|(service, _)| service.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (service, origin) in services {
        let port = service
            .overrides
            .port
            .map_or_else(|| "-".to_owned(), |port| port.to_string());
        let mark = if *origin == ServiceOrigin::Config {
            " (yours)"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:width$}  {port:>5}  {}{mark}",
            service.name, service.description
        );
    }
    text
}

/// One service, with its steps in order.
pub fn one(service: &Service, format: ServicesFormat) -> String {
    if format == ServicesFormat::Json {
        return json(&ServiceRecord::new(service, None));
    }
    let port = service.overrides.port.map_or_else(
        || "none: it must be given".to_owned(),
        |port| port.to_string(),
    );
    let mut text = format!(
        "{}: {}\n  port     {port}\n",
        service.name, service.description
    );
    if let Some(encoding) = &service.overrides.encoding {
        let _ = writeln!(text, "  encoding {}", encoding.text);
    }
    for line in step_lines(service) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// The steps of a service, one per line. A service without steps only connects.
fn step_lines(service: &Service) -> Vec<String> {
    let overrides = &service.overrides;
    let line_end = if overrides.line_ends == Some(LineEnds::CrLf) {
        "\\r\\n"
    } else {
        ""
    };
    let steps = overrides.steps.as_deref().unwrap_or_default();
    let steps = steps.iter().flat_map(|step| lines_of_step(step, line_end));
    let mut lines: Vec<String> = tls_line(overrides).into_iter().chain(steps).collect();
    if lines.is_empty() {
        lines.push("connect  and nothing else".to_owned());
    }
    lines.extend(
        overrides
            .quit
            .as_ref()
            .map(|quit| format!("quit     {}", sent_text(quit, line_end))),
    );
    lines
}

/// The line of a service that starts TLS before its steps.
fn tls_line(overrides: &Overrides) -> Option<String> {
    let tls = overrides.tls.as_ref()?;
    let how = match &tls.start {
        Some(TlsStart::After(protocol)) => format!(" by STARTTLS of {}", printable(&protocol.text)),
        _ if tls.starts() => String::new(),
        _ => return None,
    };
    let report_only = match tls.report_only {
        Some(true) => "; an untrusted certificate is only reported",
        _ => "",
    };
    Some(format!("start    TLS{how}{report_only}"))
}

/// A step: what is sent or expected, then a line for each further rule of the expectation.
fn lines_of_step(step: &StepSpec, line_end: &str) -> Vec<String> {
    let expect = match step {
        StepSpec::Send(send) => return vec![format!("send     {}", sent_text(send, line_end))],
        StepSpec::Silence(time) => {
            let time = humantime::format_duration(*time);
            return vec![format!("expect   silence for {time}")];
        }
        StepSpec::StartTls => return vec!["start    TLS".to_owned()],
        StepSpec::Expect(expect) => expect,
    };
    let mut lines = vec![format!("expect   {}", expected_text(expect))];
    if let Some(incomplete) = &expect.incomplete {
        let enough = [
            ("at close", &incomplete.at_close),
            ("timeout ", &incomplete.at_timeout),
        ];
        for (label, regex) in enough {
            let line = |regex: &str| format!("{label} regex `{}`", printable(regex));
            lines.extend(regex.as_ref().map(|regex| line(&regex.text)));
        }
    }
    lines.extend(
        expect
            .reject
            .iter()
            .map(|reject| rejected_text(reject, line_end)),
    );
    lines
}

fn sent_text(send: &SendSpec, line_end: &str) -> String {
    match send {
        SendSpec::Text(written) | SendSpec::OfService(written, _) => {
            format!("`{}{line_end}`", printable(&written.text))
        }
        SendSpec::Hex(written) => format!("hex `{}`", printable(&written.text)),
    }
}

fn expected_text(expect: &ExpectSpec) -> String {
    let separator = match expect.quantifier {
        Quantifier::Any => " or ",
        Quantifier::All => " and ",
    };
    let patterns: Vec<_> = expect.patterns.iter().map(pattern_text).collect();
    patterns.join(separator)
}

fn rejected_text(reject: &RejectSpec, line_end: &str) -> String {
    let label = match reject.applies {
        RejectionTime::AtOnce => "reject  ",
        RejectionTime::Otherwise => "otherwise",
    };
    let mut text = format!("{label} {}", pattern_text(&reject.pattern));
    let reason = reject.reason.as_ref();
    text.extend(reason.map(|reason| format!(": {}", printable(&reason.text))));
    if reject.refuses_tls {
        text.push_str(" (tls_refused)");
    }
    let quit = reject.quit.as_ref();
    text.extend(quit.map(|quit| format!("; quit {}", sent_text(quit, line_end))));
    text
}

fn pattern_text(pattern: &PatternSpec) -> String {
    let kind = match pattern.kind {
        PatternKind::Literal => "",
        PatternKind::Prefix => "at the start ",
        PatternKind::Regex => "regex ",
        PatternKind::Hex => "hex ",
    };
    format!("{kind}`{}`", printable(&pattern.text.text))
}

/// Text as it was written, with its backslashes, but with control characters escaped.
fn printable(text: &str) -> String {
    escaped_prefix(text, 400).replace("\\\\", "\\")
}

/// A service in JSON.
#[derive(Serialize)]
struct ServiceRecord<'s> {
    name: &'s str,
    description: &'s str,
    port: Option<u16>,
    steps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    built_in: Option<bool>,
}

impl<'s> ServiceRecord<'s> {
    /// `origin` is part of a list only.
    fn new(service: &'s Service, origin: Option<ServiceOrigin>) -> Self {
        Self {
            name: &service.name,
            description: &service.description,
            port: service.overrides.port.map(Port::get),
            steps: step_lines(service),
            built_in: origin.map(|origin| origin == ServiceOrigin::BuiltIn),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "an empty line in place of the list would hide the defect"
)]
fn json(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("records have no map keys but strings");
    line.push('\n');
    line
}
