//! Compiles the steps of a dialogue: escapes, patterns, and references to captures and secrets.

use crate::escape::escaped_prefix;
use crate::plan::bytes::{Charset, unescape};
use crate::plan::pattern::{Pattern, read_hex};
use crate::plan::steps::{Expect, IncompleteAnswer, Patterns, Piece, Secret, Step, Template};
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

/// Compiles the dialogue of these options.
///
/// # Errors
/// Every error in it, in the order of the steps.
pub fn dialogue(overrides: &Overrides) -> Result<CompiledDialogue, Vec<SettingsError>> {
    let mut errors = Vec::new();
    let label = overrides.encoding.as_ref();
    let charset = label
        .map(|label| Charset::from_label(&label.text).map_err(|why| errors.push(label.error(why))));
    // If the encoding is unknown, the steps are compiled all the same to find the errors in them.
    let charset = charset.and_then(Result::ok).unwrap_or_default();
    let line_ends = overrides.line_ends.unwrap_or(LineEnds::None);
    let mut compiler = Compiler {
        charset,
        line_ends,
        secrets: &overrides.secrets,
        captures: Vec::new(),
        errors,
    };
    let specs = overrides.steps.as_deref().unwrap_or_default();
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

struct Compiler<'w> {
    charset: Charset,
    line_ends: LineEnds,
    secrets: &'w [(String, Secret)],
    /// The names that earlier steps capture.
    captures: Vec<Box<str>>,
    errors: Vec<SettingsError>,
}

impl Compiler<'_> {
    fn step(&mut self, step: &StepSpec) -> Option<Step> {
        match step {
            StepSpec::Send(send) => self.send(send).map(Step::Send),
            StepSpec::Expect(expect) => self.expect(expect).map(Step::Expect),
        }
    }

    fn send(&mut self, send: &SendSpec) -> Option<Template> {
        let (given, template) = match send {
            SendSpec::Text(given) => (given, self.template(&given.text)),
            SendSpec::Hex(given) => (given, hex(&given.text)),
        };
        self.checked(given, template)
    }

    fn expect(&mut self, expect: &ExpectSpec) -> Option<Expect> {
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

    fn reject(&mut self, spec: &RejectSpec) -> Option<Pattern> {
        let mut pattern = self.pattern(&spec.pattern)?;
        pattern.reason = spec.reason.as_ref().map(words);
        Some(pattern)
    }

    fn incomplete(&mut self, expect: &ExpectSpec) -> Option<Box<IncompleteAnswer>> {
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
    fn enough(&mut self, text: &Located) -> Option<Expect> {
        let pattern = self.checked(
            text,
            Pattern::regex(&text.text, self.charset).map_err(|why| why.to_string()),
        )?;
        self.add_captures(&pattern, text, usize::MAX);
        Some(Expect::one(pattern))
    }

    fn pattern(&mut self, spec: &PatternSpec) -> Option<Pattern> {
        let text = &spec.text.text;
        let pattern = match spec.kind {
            PatternKind::Literal => Pattern::literal(text, self.charset),
            PatternKind::Prefix => Pattern::prefix(text, self.charset),
            PatternKind::Regex => Pattern::regex(text, self.charset),
            PatternKind::Hex => Pattern::hex(text),
        };
        self.checked(&spec.text, pattern.map_err(|why| why.to_string()))
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
    fn template(&self, text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (literal, reference) = rest.split_at(at);
            let end = reference
                .find('}')
                .ok_or("`${` without `}`: write `\\x24{` for a literal `${`")?;
            self.push_literal(&mut pieces, literal)?;
            pieces.push(self.reference(reference.get(2..end).unwrap_or_default())?);
            rest = reference.get(end + 1..).unwrap_or_default();
        }
        self.push_literal(&mut pieces, rest)?;
        if self.line_ends == LineEnds::CrLf {
            pieces.push(Piece::Bytes(b"\r\n".to_vec()));
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

    fn reference(&self, name: &str) -> Result<Piece, String> {
        if let Some((_, secret)) = self.secrets.iter().rfind(|(known, _)| known == name) {
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
        let name = escaped_prefix(name, 40);
        Err(format!(
            "no earlier step captures `{name}`: add a group `(?<{name}>...)`, or write `\\x24{{` for a literal `${{`"
        ))
    }
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
