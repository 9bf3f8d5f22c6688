//! From steps as they were written to steps that can be run.

use crate::escape::escaped_prefix;
use crate::plan::bytes::{Charset, unescape};
use crate::plan::pattern::{Pattern, read_hex};
use crate::plan::steps::{Expect, Patterns, Piece, Secret, Step, Template};
use crate::settings::SettingsError;
use crate::settings::overrides::{
    ExpectSpec, LineEnds, Located, Overrides, PatternKind, PatternSpec, Quantifier, SendSpec,
    StepSpec,
};

/// The steps, the goodbye and the encoding of a dialogue.
pub struct Dialogue {
    /// The steps.
    pub steps: Vec<Step>,
    /// The goodbye.
    pub quit: Option<Template>,
    /// The encoding.
    pub charset: Charset,
}

/// Reads the dialogue of these wishes.
///
/// # Errors
/// Every mistake in it, in order.
pub fn dialogue(overrides: &Overrides) -> Result<Dialogue, Vec<SettingsError>> {
    let mut mistakes = Vec::new();
    let label = overrides.encoding.as_ref();
    let charset = label.map(|label| {
        Charset::from_label(&label.text)
            .map_err(|why| mistakes.push(SettingsError::at(&label.place, why)))
    });
    // Without an encoding the steps are read all the same, for the mistakes in them.
    let charset = charset.and_then(Result::ok).unwrap_or_default();
    let line_ends = overrides.line_ends.unwrap_or(LineEnds::None);
    let mut reader = Reader {
        charset,
        line_ends,
        secrets: &overrides.secrets,
        captures: Vec::new(),
        mistakes,
    };
    let wished = overrides.steps.as_deref().unwrap_or_default();
    let steps: Vec<Step> = wished.iter().filter_map(|step| reader.step(step)).collect();
    let quit = overrides.quit.as_ref().and_then(|quit| reader.send(quit));
    if reader.mistakes.is_empty() {
        Ok(Dialogue {
            steps,
            quit,
            charset,
        })
    } else {
        Err(reader.mistakes)
    }
}

struct Reader<'w> {
    charset: Charset,
    line_ends: LineEnds,
    secrets: &'w [(String, Secret)],
    /// The names that earlier steps capture.
    captures: Vec<Box<str>>,
    mistakes: Vec<SettingsError>,
}

impl Reader<'_> {
    fn step(&mut self, step: &StepSpec) -> Option<Step> {
        match step {
            StepSpec::Send(send) => self.send(send).map(Step::Send),
            StepSpec::Expect(expect) => self.expect(expect).map(Step::Expect),
        }
    }

    fn send(&mut self, send: &SendSpec) -> Option<Template> {
        let (written, template) = match send {
            SendSpec::Text(written) => (written, self.template(&written.text)),
            SendSpec::Hex(written) => (written, hex(&written.text)),
        };
        self.checked(written, template)
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
            .filter_map(|pattern| self.pattern(pattern))
            .collect();
        let whole = patterns.len() == expect.patterns.len() && reject.len() == expect.reject.len();
        for (pattern, wish) in patterns.iter().zip(&expect.patterns) {
            self.name_captures(pattern, &wish.written, patterns.len());
        }
        let wanted = match expect.how_many {
            Quantifier::Any => Patterns::Any(patterns),
            Quantifier::All => Patterns::All(patterns),
        };
        whole.then_some(Expect {
            wanted,
            reject,
            min_bytes: expect.min_bytes,
            timeout: expect.timeout,
        })
    }

    fn pattern(&mut self, wish: &PatternSpec) -> Option<Pattern> {
        let text = &wish.written.text;
        let pattern = match wish.form {
            PatternKind::Literal => Pattern::literal(text, self.charset),
            PatternKind::Prefix => Pattern::prefix(text, self.charset),
            PatternKind::Regex => Pattern::regex(text, self.charset),
            PatternKind::Hex => Pattern::hex(text),
        };
        self.checked(&wish.written, pattern.map_err(|why| why.to_string()))
    }

    /// A name may be captured once; the alternatives of one step may share it.
    fn name_captures(&mut self, pattern: &Pattern, written: &Located, alternatives: usize) {
        for name in pattern.names() {
            if self.secrets.iter().any(|(secret, _)| **secret == **name) {
                let why = format!("the name `{name}` is a secret's too: rename the group");
                self.mistakes.push(SettingsError::at(&written.place, why));
            }
            if self.captures.contains(name) && alternatives == 1 {
                let why = format!("the name `{name}` is captured twice: rename one of the groups");
                self.mistakes.push(SettingsError::at(&written.place, why));
            } else if !self.captures.contains(name) {
                self.captures.push(name.clone());
            }
        }
    }

    fn checked<T>(&mut self, written: &Located, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.mistakes.push(SettingsError::at(&written.place, why)))
            .ok()
    }

    /// A text with escapes and `${names}`, and its line end.
    fn template(&self, text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (plain, reference) = rest.split_at(at);
            let end = reference
                .find('}')
                .ok_or("`${` without `}`: write `\\x24{` for the characters themselves")?;
            self.push_plain(&mut pieces, plain)?;
            pieces.push(self.reference(reference.get(2..end).unwrap_or_default())?);
            rest = reference.get(end + 1..).unwrap_or_default();
        }
        self.push_plain(&mut pieces, rest)?;
        if self.line_ends == LineEnds::CrLf {
            pieces.push(Piece::Bytes(b"\r\n".to_vec()));
        }
        Ok(Template(pieces))
    }

    fn push_plain(&self, pieces: &mut Vec<Piece>, text: &str) -> Result<(), String> {
        let bytes = unescape(text, self.charset).map_err(|why| why.to_string())?;
        if !bytes.is_empty() {
            pieces.push(Piece::Bytes(bytes));
        }
        Ok(())
    }

    fn reference(&self, name: &str) -> Result<Piece, String> {
        if let Some((_, secret)) = self.secrets.iter().rfind(|(known, _)| known == name) {
            // The sentence must not show the character.
            let lacks = || {
                format!(
                    "the secret `{name}` has a character that {} lacks",
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
            "nothing before this step captures `{name}`: name a group `(?<{name}>...)`, or write `\\x24{{`"
        ))
    }
}

fn hex(text: &str) -> Result<Template, String> {
    let bytes = read_hex(text).map_err(|why| why.to_string())?;
    let known: Option<Vec<u8>> = bytes.into_iter().collect();
    known
        .map(Template::bytes)
        .ok_or_else(|| "`??` has no meaning in what is sent: write the byte".to_owned())
}
