//! Compiles the steps of a dialogue: escapes, patterns, and references to captures, secrets and the
//! target.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::address::Port;
use crate::escape::escaped_prefix;
use crate::plan::bytes::{Charset, unescape};
use crate::plan::layer::SharedLayer;
use crate::plan::pattern::{Pattern, read_hex};
use crate::plan::steps::{
    Expect, IncompleteAnswer, Patterns, Piece, Rejection, Secret, Step, TargetPart, Template,
};
use crate::settings::error::{Located, SettingsError};
use crate::settings::overrides::Overrides;
use crate::settings::step_spec::{
    ExpectSpec, LineEnds, PatternKind, PatternSpec, Quantifier, RejectSpec, SendSpec, StepSpec,
};

/// A compiled dialogue.
#[derive(Debug)]
pub struct CompiledDialogue {
    /// The steps.
    pub steps: Vec<Step>,
    /// What is sent before closing.
    pub quit: Option<Template>,
    /// The encoding.
    pub charset: Charset,
}

/// Compiles the dialogue of these options, whose steps may start this layer. Without one, such a
/// step is left out; that is enough to find the errors in the others.
///
/// # Errors
/// Every error in it, in the order of the steps.
pub fn dialogue(
    overrides: &Overrides,
    layer: Option<&SharedLayer>,
) -> Result<CompiledDialogue, Vec<SettingsError>> {
    let mut errors = Vec::new();
    let label = overrides.encoding.as_ref();
    let charset = label
        .map(|label| Charset::from_label(&label.text).map_err(|why| errors.push(label.error(why))));
    // If the encoding is unknown, the steps are compiled all the same to find the errors in them.
    let charset = charset.and_then(Result::ok).unwrap_or_default();
    let line_ends = overrides.line_ends.unwrap_or(LineEnds::None);
    let mut compiler = Compiler {
        layer,
        charset,
        line_ends,
        secrets: overrides.secrets.as_deref().unwrap_or_default(),
        port: overrides.port,
        sni: overrides.tls.as_ref().and_then(|tls| tls.sni.as_deref()),
        captures: Vec::new(),
        patterns: HashMap::default(),
        memory: 0,
        errors,
    };
    let specs = overrides.steps.as_deref().unwrap_or_default();
    if specs.len() > MAX_STEPS {
        let message = format!(
            "the dialogue has {} steps: at most {MAX_STEPS} are allowed",
            specs.len()
        );
        return Err(vec![located(specs).map_or_else(
            || SettingsError::new(&message),
            |given| given.error(&message),
        )]);
    }
    let steps: Vec<Step> = specs
        .iter()
        .filter_map(|step| compiler.step(step))
        .collect();
    let quit = overrides.quit.as_ref().and_then(|quit| compiler.send(quit));
    if compiler.errors.is_empty() {
        Ok(CompiledDialogue {
            steps,
            quit,
            charset,
        })
    } else {
        Err(compiler.errors)
    }
}

/// The most steps of a dialogue.
const MAX_STEPS: usize = 1000;
/// The most memory that the compiled patterns of a dialogue may need, in bytes.
const MAX_MEMORY: usize = 8 << 20;

/// Where the first step with a text was given.
pub fn located(steps: &[StepSpec]) -> Option<&Located> {
    steps.iter().find_map(|step| match step {
        StepSpec::Send(
            SendSpec::Text(given) | SendSpec::Hex(given) | SendSpec::OfService(given, _),
        ) => Some(given),
        StepSpec::Expect(expect) => expect.patterns.first().map(|pattern| &pattern.text),
        StepSpec::Silence(_) | StepSpec::StartTls => None,
    })
}

struct Compiler<'w> {
    /// The layer that a step starts.
    layer: Option<&'w SharedLayer>,
    charset: Charset,
    line_ends: LineEnds,
    /// Those of the service.
    secrets: &'w [(String, Secret)],
    /// The port of targets without one.
    port: Option<Port>,
    /// The name that is sent in the handshake instead of the host.
    sni: Option<&'w str>,
    /// Compiled patterns by kind and text: a reject pattern is in every step that it guards.
    patterns: HashMap<(PatternKind, &'w str), Pattern, RandomState>,
    /// The memory that they need, in bytes.
    memory: usize,
    /// The names that earlier steps capture.
    captures: Vec<Box<str>>,
    errors: Vec<SettingsError>,
}

impl<'w> Compiler<'w> {
    fn step(&mut self, step: &'w StepSpec) -> Option<Step> {
        match step {
            StepSpec::Send(send) => self.send(send).map(Step::Send),
            StepSpec::Expect(expect) => self.expect(expect).map(Step::Expect),
            StepSpec::Silence(time) => Some(Step::Silence(*time)),
            StepSpec::StartTls => self.layer.cloned().map(Step::StartTls),
        }
    }

    fn send(&mut self, send: &SendSpec) -> Option<Template> {
        let (given, template) = match send {
            SendSpec::Text(given) => (given, self.template(&given.text, &[])),
            SendSpec::OfService(given, secrets) => (given, self.template(&given.text, secrets)),
            SendSpec::Hex(given) => (given, hex(&given.text)),
        };
        self.checked(given, template)
    }

    fn expect(&mut self, expect: &'w ExpectSpec) -> Option<Expect> {
        let patterns: Vec<_> = expect
            .patterns
            .iter()
            .filter_map(|pattern| self.pattern(pattern))
            .collect();
        let reject: Vec<_> = expect
            .reject
            .iter()
            .filter_map(|reject| self.reject(reject))
            .collect();
        let is_complete =
            patterns.len() == expect.patterns.len() && reject.len() == expect.reject.len();
        for (pattern, spec) in patterns.iter().zip(&expect.patterns) {
            self.add_captures(pattern, &spec.text, patterns.len());
        }
        let wanted = match expect.quantifier {
            Quantifier::Any => Patterns::Any(patterns),
            Quantifier::All => Patterns::All(patterns),
        };
        let incomplete = self.incomplete(expect);
        let numbers = self.numbers(expect, wanted.patterns());
        is_complete.then_some(Expect {
            wanted,
            reject,
            min_bytes: expect.min_bytes,
            timeout: expect.timeout,
            numbers,
            incomplete,
        })
    }

    /// The names of the groups that capture numbers, which the patterns of the step must have.
    fn numbers(&mut self, expect: &ExpectSpec, patterns: &[Pattern]) -> Box<[Box<str>]> {
        for given in &expect.numbers {
            let is_group =
                |pattern: &Pattern| pattern.names().iter().any(|name| **name == *given.text);
            if !patterns.iter().any(is_group) {
                let name = escaped_prefix(&given.text, 40);
                self.errors.push(given.error(format!(
                    "this step does not capture `{name}`: add a group `(?<{name}>...)`"
                )));
            }
        }
        expect
            .numbers
            .iter()
            .map(|given| given.text.as_str().into())
            .collect()
    }

    fn reject(&mut self, spec: &'w RejectSpec) -> Option<Rejection> {
        let pattern = self.pattern(&spec.pattern);
        let quit = spec.quit.as_ref().map(|quit| self.send(quit));
        Some(Rejection {
            pattern: pattern?,
            applies: spec.applies,
            refuses_tls: spec.refuses_tls,
            reason: spec.reason.as_ref().map(words),
            quit: quit.flatten(),
        })
    }

    fn incomplete(&mut self, expect: &'w ExpectSpec) -> Option<Box<IncompleteAnswer>> {
        let given = expect.incomplete.as_ref()?;
        let at_close = given
            .at_close
            .as_ref()
            .and_then(|text| self.enough(text))
            .map(Box::new);
        let at_timeout = match &given.at_timeout {
            same if *same == given.at_close => at_close.clone(),
            other => other
                .as_ref()
                .and_then(|text| self.enough(text))
                .map(Box::new),
        };
        Some(Box::new(IncompleteAnswer {
            at_close,
            at_timeout,
            if_closed: given.if_closed.as_ref().map(words),
        }))
    }

    /// An expectation of a part of an answer. Its groups are those of the whole answer.
    fn enough(&mut self, text: &'w Located) -> Option<Expect> {
        let pattern = self.compiled(PatternKind::Regex, text)?;
        self.add_captures(&pattern, text, usize::MAX);
        Some(Expect::one(pattern))
    }

    fn pattern(&mut self, spec: &'w PatternSpec) -> Option<Pattern> {
        self.compiled(spec.kind, &spec.text)
    }

    fn compiled(&mut self, kind: PatternKind, given: &'w Located) -> Option<Pattern> {
        let text = given.text.as_str();
        if let Some(known) = self.patterns.get(&(kind, text)) {
            return Some(known.clone());
        }
        if self.memory > MAX_MEMORY {
            return None;
        }
        let pattern = match kind {
            PatternKind::Literal => Pattern::literal(text, self.charset),
            PatternKind::Prefix => Pattern::prefix(text, self.charset),
            PatternKind::Regex => Pattern::regex(text, self.charset),
            PatternKind::Hex => Pattern::hex(text),
        };
        let pattern = self.checked(given, pattern.map_err(|why| why.to_string()))?;
        self.memory += pattern.memory();
        if self.memory > MAX_MEMORY {
            let why = format!(
                "the patterns of the dialogue need more than {MAX_MEMORY} bytes: use fewer or simpler patterns"
            );
            self.errors.push(given.error(why));
            return None;
        }
        self.patterns.insert((kind, text), pattern.clone());
        Some(pattern)
    }

    /// Adds the names that a pattern captures. Each may be captured once, except that the
    /// alternatives of one step may share a name.
    fn add_captures(&mut self, pattern: &Pattern, given: &Located, alternatives: usize) {
        for name in pattern.names() {
            if self.secrets.iter().any(|(secret, _)| **secret == **name) {
                let why =
                    format!("the name `{name}` is also the name of a secret: rename the group");
                self.errors.push(given.error(why));
            }
            if self.captures.contains(name) && alternatives == 1 {
                let why = format!("the name `{name}` is captured twice: rename one of the groups");
                self.errors.push(given.error(why));
            } else if !self.captures.contains(name) {
                self.captures.push(name.clone());
            }
        }
    }

    fn checked<T>(&mut self, given: &Located, compiled: Result<T, String>) -> Option<T> {
        compiled
            .map_err(|why| self.errors.push(given.error(why)))
            .ok()
    }

    /// Compiles a text with escapes and `${names}`, and appends the line end.
    fn template(&self, text: &str, secrets: &[(String, Secret)]) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (literal, reference) = rest.split_at(at);
            let end = reference
                .find('}')
                .ok_or("`${` without `}`: write `\\x24{` for a literal `${`")?;
            self.push_literal(&mut pieces, literal)?;
            let name = reference.get(2..end).unwrap_or_default();
            pieces.push(self.reference(name, secrets)?);
            rest = reference.get(end + 1..).unwrap_or_default();
        }
        self.push_literal(&mut pieces, rest)?;
        if self.line_ends == LineEnds::CrLf {
            self.push_literal(&mut pieces, "\\r\\n")?;
        }
        Ok(Template(pieces))
    }

    fn push_literal(&self, pieces: &mut Vec<Piece>, text: &str) -> Result<(), String> {
        let bytes = unescape(text, self.charset).map_err(|why| why.to_string())?;
        if !bytes.is_empty() {
            pieces.push(Piece::Bytes(bytes));
        }
        Ok(())
    }

    fn reference(&self, name: &str, secrets: &[(String, Secret)]) -> Result<Piece, String> {
        if let Some((_, secret)) = secrets.iter().rfind(|(known, _)| known == name) {
            // The error must not show the character.
            let lacks = || {
                format!(
                    "the secret `{name}` has a character that {} cannot encode",
                    self.charset.name()
                )
            };
            return secret
                .in_charset(self.charset)
                .map(Piece::Secret)
                .ok_or_else(lacks);
        }
        if self.captures.iter().any(|known| **known == *name) {
            return Ok(Piece::Capture(name.into()));
        }
        let part = match name {
            "host" => TargetPart::Host,
            "port" => TargetPart::Port,
            "address" => TargetPart::Address,
            "authority" => TargetPart::Authority(self.port),
            "sni" => match self.sni {
                Some(sni) => {
                    let encoded = self.charset.encode(sni).map_err(|why| why.to_string())?;
                    return Ok(Piece::Bytes(encoded));
                }
                None => TargetPart::Host,
            },
            _ if self.is_secret(name) => {
                return Err(format!(
                    "the secret `{name}` can be sent only by the steps and the `quit` of its service: write this text into the service"
                ));
            }
            _ => return Err(unknown_reference(name)),
        };
        Ok(Piece::Target(part))
    }
}

impl Compiler<'_> {
    /// Whether the service has a secret of this name.
    fn is_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|(known, _)| known == name)
    }
}

fn unknown_reference(name: &str) -> String {
    let name = escaped_prefix(name, 40);
    format!(
        "no earlier step captures `{name}`: add a group `(?<{name}>...)`, or write `\\x24{{` for a literal `${{`; `${{host}}`, `${{port}}`, `${{address}}`, `${{authority}}` and `${{sni}}` insert parts of the target"
    )
}

/// Words for an error text: one line without control characters.
fn words(text: &Located) -> Box<str> {
    escaped_prefix(&text.text, 300).into()
}

fn hex(text: &str) -> Result<Template, String> {
    let bytes = read_hex(text).map_err(|why| why.to_string())?;
    let known: Option<Vec<u8>> = bytes.into_iter().collect();
    known
        .map(Template::bytes)
        .ok_or_else(|| "`??` cannot be sent: write the byte".to_owned())
}
