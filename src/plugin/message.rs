//! Messages of the plugin protocol, one JSON object each.
//!
//! The reader accepts the messages of all releases of the agent: unknown fields and types are
//! ignored, a field can be absent, and the protocol version is not checked.

use std::collections::BTreeMap;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Agent 2 calls the plugin's `Export`.
const EXPORTER: u32 = 1;
/// Agent 2 calls the plugin's `Configure` and `Validate`.
const CONFIGURATOR: u32 = 2;
/// Agent 2 calls the plugin's `Start` and `Stop`.
const RUNNER: u32 = 4;

/// A message of the agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentMessage {
    /// The id, which the answer repeats.
    pub id: u32,
    /// The request.
    pub request: AgentRequest,
}

/// A request or command of the agent.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentRequest {
    /// Return the name and the keys.
    Register {
        /// The version of the agent's protocol, if it is a text.
        version: Option<String>,
    },
    /// Check these options.
    Validate(OptionTree),
    /// Use these options.
    Configure {
        /// The timeout of the agent for a value, if the message contains it.
        timeout: Option<Duration>,
        /// The options.
        options: OptionTree,
    },
    /// Requests for values will follow.
    Start,
    /// Exit.
    Terminate,
    /// Return the value of this key.
    Export(Export),
    /// A type that is not known.
    Unknown(u32),
}

/// The request of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The key without its parameters.
    pub key: String,
    /// The parameters; none if the key has no brackets.
    pub parameters: Vec<String>,
    /// The timeout of the item (since 7.0).
    pub timeout: Option<Duration>,
}

/// One level of the plugin's options in the agent's configuration: `Plugins.Tcp.A.B=value` is a
/// node `A` with a node `B` with a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionTree(pub BTreeMap<String, OptionNode>);

/// An option or a group of options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionNode {
    /// Its values, in the order of the file.
    pub values: Vec<OptionValue>,
    /// The options below it.
    pub nodes: OptionTree,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionValue {
    /// The bytes after the equals sign.
    pub bytes: Vec<u8>,
    /// The line of the configuration file, if it is known.
    pub line: Option<u64>,
}

/// Why a body is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageError {
    /// It is not a JSON object with a type.
    NotAMessage,
    /// A field has a wrong type; with the id of the message, so that it can be answered.
    WrongField(u32),
}

/// The fields of every message of the agent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AgentFields {
    id: Option<u32>,
    r#type: Option<u32>,
    version: Value,
    key: Value,
    parameters: Value,
    timeout: Value,
    global_options: Value,
    private_options: Value,
}

/// Reads a message of the agent.
///
/// # Errors
/// If the body is not a message.
pub fn read(body: &[u8]) -> Result<AgentMessage, MessageError> {
    // serde would accept an array as the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(MessageError::NotAMessage);
    }
    let fields: AgentFields =
        serde_json::from_slice(body).map_err(|_| MessageError::NotAMessage)?;
    let kind = fields.r#type.ok_or(MessageError::NotAMessage)?;
    let id = fields.id.unwrap_or(0);
    let request = match kind {
        2 => AgentRequest::Register {
            version: fields.version.as_str().map(str::to_owned),
        },
        4 => AgentRequest::Start,
        5 => AgentRequest::Terminate,
        6 => AgentRequest::Export(export(&fields).ok_or(MessageError::WrongField(id))?),
        8 => AgentRequest::Configure {
            timeout: fields.global_options.get("Timeout").and_then(seconds),
            options: tree(&fields.private_options),
        },
        9 => AgentRequest::Validate(tree(&fields.private_options)),
        other => AgentRequest::Unknown(other),
    };
    Ok(AgentMessage { id, request })
}

fn export(fields: &AgentFields) -> Option<Export> {
    let parameters = match &fields.parameters {
        Value::Null => Vec::new(),
        Value::Array(list) => list
            .iter()
            .map(|parameter| parameter.as_str().map(str::to_owned))
            .collect::<Option<_>>()?,
        _ => return None,
    };
    Some(Export {
        key: fields.key.as_str()?.to_owned(),
        parameters,
        timeout: seconds(&fields.timeout),
    })
}

/// A number of seconds; other forms are ignored.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().filter(|seconds| *seconds > 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The options below a node of the agent's configuration. Options with another form are ignored.
fn tree(value: &Value) -> OptionTree {
    let mut found = OptionTree::default();
    for node in nodes(value) {
        let Some(name) = node.get("Name").and_then(Value::as_str) else {
            continue;
        };
        let entry = found.0.entry(name.to_owned()).or_default();
        entry.values.extend(nodes(node).iter().filter_map(leaf));
        entry.nodes.0.extend(tree(node).0);
    }
    found
}

fn nodes(value: &Value) -> &[Value] {
    let nodes = value.get("Nodes").and_then(Value::as_array);
    nodes.map_or(&[], Vec::as_slice)
}

fn leaf(node: &Value) -> Option<OptionValue> {
    Some(OptionValue {
        // As Go's `encoding/json` writes bytes.
        bytes: Base64::decode_vec(node.get("Value")?.as_str()?).ok()?,
        line: node.get("Line").and_then(Value::as_u64),
    })
}

/// A message to the agent.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer<'a> {
    /// A line of the agent's log.
    Log {
        /// Always 0: no answer.
        id: u32,
        /// Always 1.
        r#type: u32,
        /// See [`LogSeverity`].
        severity: u32,
        /// The text, in which the agent reads `%` as a format.
        message: String,
    },
    /// The name and the keys.
    Register {
        /// The id of the request.
        id: u32,
        /// Always 3.
        r#type: u32,
        /// The name of the plugin in the agent's configuration.
        name: &'a str,
        /// Key and description in turn.
        metrics: Vec<&'a str>,
        /// The functions that the agent calls.
        interfaces: u32,
    },
    /// Whether the options are valid.
    Validate {
        /// The id of the request.
        id: u32,
        /// Always 10.
        r#type: u32,
        /// Why they are not.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    /// A value.
    Value {
        /// The id of the request.
        id: u32,
        /// Always 7.
        r#type: u32,
        /// Always a text: the agent would round numbers.
        value: &'a str,
    },
    /// Why there is no value.
    Error {
        /// The id of the request.
        id: u32,
        /// Always 7.
        r#type: u32,
        /// The text, which becomes the error of the item.
        error: &'a str,
    },
}

/// The severity of a line in the agent's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSeverity {
    /// Information.
    Info = 0,
    /// A failure of the plugin.
    Error = 2,
    /// A problem that an administrator should examine.
    Warning = 3,
}

impl<'a> Answer<'a> {
    /// A line of the agent's log.
    pub fn log(severity: LogSeverity, text: &str) -> Self {
        Self::Log {
            id: 0,
            r#type: 1,
            severity: severity as u32,
            message: text.replace('%', "%%"),
        }
    }

    /// The name of the plugin, and its keys with a description each.
    pub fn register(id: u32, name: &'a str, keys: &[(&'a str, &'a str)]) -> Self {
        Self::Register {
            id,
            r#type: 3,
            name,
            metrics: keys
                .iter()
                .flat_map(|(key, about)| [*key, *about])
                .collect(),
            interfaces: EXPORTER | CONFIGURATOR | RUNNER,
        }
    }

    /// Whether the options are valid.
    pub fn validate(id: u32, error: Option<&'a str>) -> Self {
        Self::Validate {
            id,
            r#type: 10,
            error,
        }
    }

    /// A value.
    pub fn value(id: u32, value: &'a str) -> Self {
        Self::Value {
            id,
            r#type: 7,
            value,
        }
    }

    /// Why there is no value.
    pub fn error(id: u32, error: &'a str) -> Self {
        Self::Error {
            id,
            r#type: 7,
            error,
        }
    }

    /// The JSON of the message.
    pub fn body(&self) -> Vec<u8> {
        // Texts and numbers can always be written as JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> AgentRequest {
        read(json.as_bytes()).unwrap().request
    }

    #[test]
    fn messages_of_real_agents_are_read() {
        let register = read(br#"{"id":1,"type":2,"version":"6.0.13"}"#).unwrap();
        let version = Some("6.0.13".to_owned());
        let request_of_it = AgentRequest::Register { version };
        assert_eq!((register.id, register.request), (1, request_of_it));
        assert_eq!(request(r#"{"id":2,"type":4}"#), AgentRequest::Start);
        assert_eq!(request(r#"{"id":0,"type":5}"#), AgentRequest::Terminate);
        let options = r#"{"id":1,"type":8,"global_options":{"Timeout":3,"SourceIP":""},
            "private_options":{"Name":"Tcp","Nodes":[
                {"Name":"System","Nodes":[{"Name":"Path","Nodes":[{"Value":"L3g=","Line":13}],"Line":13}]},
                {"Name":"Greeting","Nodes":[{"Value":"aGVsbG8=","Line":14},{"Value":"","Line":15}]}]}}"#;
        let AgentRequest::Configure { timeout, options } = request(options) else {
            panic!("not a configure message");
        };
        assert_eq!(timeout, Some(Duration::from_secs(3)));
        let values = &options.0["Greeting"].values;
        assert_eq!(values[0].bytes, b"hello");
        assert_eq!((values[0].line, values[1].bytes.len()), (Some(14), 0));
        assert_eq!(options.0["System"].nodes.0["Path"].values[0].bytes, b"/x");
    }

    #[test]
    fn parameters_and_timeout_of_an_export_are_optional() {
        let of = |json: &str| match request(json) {
            AgentRequest::Export(export) => export,
            other => panic!("{other:?}"),
        };
        let plain = of(r#"{"id":3,"type":6,"key":"tcp.check"}"#);
        assert_eq!((plain.parameters, plain.timeout), (vec![], None));
        let all = of(r#"{"id":3,"type":6,"key":"k","parameters":["","x"],"timeout":5,"new":{}}"#);
        assert_eq!(all.parameters, ["", "x"]);
        assert_eq!(all.timeout, Some(Duration::from_secs(5)));
        for timeout in ["0", "-1", "\"5\"", "1e300", "null"] {
            let json = format!(r#"{{"id":3,"type":6,"key":"k","timeout":{timeout}}}"#);
            assert_eq!(of(&json).timeout, None, "{timeout}");
        }
    }

    #[test]
    fn what_is_not_a_message_is_an_error() {
        for body in [
            "",
            "{",
            "[]",
            "[1,2]",
            "null",
            "1",
            "{}",
            r#"{"id":1}"#,
            r#"{"type":"6"}"#,
            r#"{"id":-1,"type":6}"#,
            "\u{0}",
            "{\"type\":6}x",
        ] {
            assert_eq!(
                read(body.as_bytes()),
                Err(MessageError::NotAMessage),
                "{body}"
            );
        }
        assert_eq!(read(b"\xff\xfe"), Err(MessageError::NotAMessage));
        for body in [
            r#"{"id":9,"type":6}"#,
            r#"{"id":9,"type":6,"key":1}"#,
            r#"{"id":9,"type":6,"key":"k","parameters":"x"}"#,
            r#"{"id":9,"type":6,"key":"k","parameters":[1]}"#,
        ] {
            assert_eq!(
                read(body.as_bytes()),
                Err(MessageError::WrongField(9)),
                "{body}"
            );
        }
        assert_eq!(request(r#"{"id":1,"type":99}"#), AgentRequest::Unknown(99));
    }

    #[test]
    fn options_of_another_form_are_left_out() {
        for tree in [
            "null",
            "1",
            "[]",
            r#"{"Nodes":1}"#,
            r#"{"Nodes":[1,{"Name":2}]}"#,
        ] {
            let json = format!(r#"{{"id":1,"type":9,"private_options":{tree}}}"#);
            assert_eq!(
                request(&json),
                AgentRequest::Validate(OptionTree::default())
            );
        }
        let json = r#"{"id":1,"type":9,"private_options":{"Nodes":[{"Name":"A","Nodes":[{"Value":"*"}]}]}}"#;
        let AgentRequest::Validate(options) = request(json) else {
            panic!("not a validate message");
        };
        assert!(options.0["A"].values.is_empty());
    }

    #[test]
    fn answers_have_the_fields_of_the_protocol() {
        let json = |answer: Answer<'_>| String::from_utf8(answer.body()).unwrap();
        assert_eq!(
            json(Answer::register(1, "Tcp", &[("tcp.check", "Checks.")])),
            r#"{"id":1,"type":3,"name":"Tcp","metrics":["tcp.check","Checks."],"interfaces":7}"#
        );
        assert_eq!(json(Answer::validate(2, None)), r#"{"id":2,"type":10}"#);
        assert_eq!(
            json(Answer::validate(2, Some("no"))),
            r#"{"id":2,"type":10,"error":"no"}"#
        );
        assert_eq!(
            json(Answer::value(3, "1")),
            r#"{"id":3,"type":7,"value":"1"}"#
        );
        assert_eq!(
            json(Answer::error(3, "no")),
            r#"{"id":3,"type":7,"error":"no"}"#
        );
        assert_eq!(
            json(Answer::log(LogSeverity::Warning, "100%")),
            r#"{"id":0,"type":1,"severity":3,"message":"100%%"}"#
        );
    }
}
