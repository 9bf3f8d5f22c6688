//! Services for people and for programs: the table, and one service in words.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::escape::escaped_prefix;
use crate::settings::config::Service;
use crate::settings::services::ServiceOrigin;
use crate::settings::step_spec::{
    ExpectSpec, LineEnds, PatternKind, PatternSpec, Quantifier, SendSpec, StepSpec,
};

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One line of JSON.
    Json,
}

/// The table of all services.
pub fn all(services: &[(Service, ServiceOrigin)], form: Form) -> String {
    if form == Form::Json {
        let list: Vec<_> = services
            .iter()
            .map(|(service, origin)| Record(service, Some(*origin)))
            .collect();
        return json(&list);
    }
    let width = services
        .iter()
        .map(|(service, _)| service.name.len())
        .max()
        .unwrap_or(0);
    let mut page = String::new();
    for (service, origin) in services {
        let port = service
            .overrides
            .port
            .map_or_else(|| "-".to_owned(), |port| port.to_string());
        let own = if *origin == ServiceOrigin::Config {
            " (yours)"
        } else {
            ""
        };
        page.push_str(&format!(
            "{:width$}  {port:>5}  {}{own}\n",
            service.name, service.description
        ));
    }
    page
}

/// One service: what it says and expects, in order.
pub fn one(service: &Service, form: Form) -> String {
    if form == Form::Json {
        return json(&Record(service, None));
    }
    let port = service
        .overrides
        .port
        .map_or_else(|| "none: name one".to_owned(), |port| port.to_string());
    let mut page = format!(
        "{}: {}\n  port     {port}\n",
        service.name, service.description
    );
    if let Some(encoding) = &service.overrides.encoding {
        page.push_str(&format!("  encoding {}\n", encoding.text));
    }
    for line in sentences(service) {
        page.push_str(&format!("  {line}\n"));
    }
    page
}

/// The steps of a service in words; a connect is all there is where it has none.
pub fn sentences(service: &Service) -> Vec<String> {
    let overrides = &service.overrides;
    let line_end = if overrides.line_ends == Some(LineEnds::CrLf) {
        "\\r\\n"
    } else {
        ""
    };
    let steps = overrides.steps.as_deref().unwrap_or_default();
    let mut lines: Vec<String> = steps.iter().map(|step| sentence(step, line_end)).collect();
    if lines.is_empty() {
        lines.push("connect  and nothing else".to_owned());
    }
    lines.extend(
        overrides
            .quit
            .as_ref()
            .map(|quit| format!("quit     {}", sent(quit, line_end))),
    );
    lines
}

fn sentence(step: &StepSpec, line_end: &str) -> String {
    match step {
        StepSpec::Send(send) => format!("send     {}", sent(send, line_end)),
        StepSpec::Expect(expect) => format!("expect   {}", expected(expect)),
    }
}

fn sent(send: &SendSpec, line_end: &str) -> String {
    match send {
        SendSpec::Text(written) => format!("`{}{line_end}`", readable(&written.text)),
        SendSpec::Hex(written) => format!("hex `{}`", readable(&written.text)),
    }
}

fn expected(expect: &ExpectSpec) -> String {
    let word = match expect.quantifier {
        Quantifier::Any => " or ",
        Quantifier::All => " and ",
    };
    let list = |patterns: &[PatternSpec], word: &str| {
        patterns.iter().map(pattern).collect::<Vec<_>>().join(word)
    };
    let mut text = list(&expect.patterns, word);
    if !expect.reject.is_empty() {
        text.push_str(&format!(", but not {}", list(&expect.reject, " or ")));
    }
    text
}

fn pattern(wish: &PatternSpec) -> String {
    let kind = match wish.kind {
        PatternKind::Literal => "",
        PatternKind::Prefix => "at the start ",
        PatternKind::Regex => "regex ",
        PatternKind::Hex => "hex ",
    };
    format!("{kind}`{}`", readable(&wish.text.text))
}

/// Control characters escaped, backslashes as they were written.
fn readable(text: &str) -> String {
    escaped_prefix(text, 400).replace("\\\\", "\\")
}

struct Record<'s>(&'s Service, Option<ServiceOrigin>);

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(service, origin) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &service.name)?;
        map.serialize_entry("description", &service.description)?;
        map.serialize_entry(
            "port",
            &service.overrides.port.map(crate::address::Port::get),
        )?;
        map.serialize_entry("steps", &sentences(service))?;
        if let Some(origin) = origin {
            map.serialize_entry("built_in", &(*origin == ServiceOrigin::BuiltIn))?;
        }
        map.end()
    }
}

fn json(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}
