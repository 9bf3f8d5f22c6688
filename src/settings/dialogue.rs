//! From steps as they were written to steps that can be run.

use super::Mistake;
use super::wishes::{
    ExpectWish, Form, HowMany, LineEnds, PatternWish, SendWish, StepWish, Wishes, Written,
};
use crate::plan::bytes::{Charset, unescape};
use crate::plan::pattern::{Pattern, read_hex};
use crate::plan::steps::{Expect, Piece, Secret, Step, Template, Wanted};
use crate::printable::shown;

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
pub fn dialogue(wishes: &Wishes) -> Result<Dialogue, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let label = wishes.encoding.as_ref();
    let charset = label.map(|label| {
        Charset::from_label(&label.text)
            .map_err(|why| mistakes.push(Mistake::at(&label.place, why)))
    });
    // Without an encoding the steps are read all the same, for the mistakes in them.
    let charset = charset.and_then(Result::ok).unwrap_or_default();
    let line_ends = wishes.line_ends.unwrap_or(LineEnds::None);
    let mut reader = Reader {
        charset,
        line_ends,
        secrets: &wishes.secrets,
        captures: Vec::new(),
        mistakes,
    };
    let wished = wishes.steps.as_deref().unwrap_or_default();
    let steps: Vec<Step> = wished.iter().filter_map(|step| reader.step(step)).collect();
    let quit = wishes.quit.as_ref().and_then(|quit| reader.send(quit));
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
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn step(&mut self, step: &StepWish) -> Option<Step> {
        match step {
            StepWish::Send(send) => self.send(send).map(Step::Send),
            StepWish::Expect(expect) => self.expect(expect).map(Step::Expect),
        }
    }

    fn send(&mut self, send: &SendWish) -> Option<Template> {
        let (written, template) = match send {
            SendWish::Text(written) => (written, self.template(&written.text)),
            SendWish::Hex(written) => (written, hex(&written.text)),
        };
        self.checked(written, template)
    }

    fn expect(&mut self, expect: &ExpectWish) -> Option<Expect> {
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
            HowMany::Any => Wanted::Any(patterns),
            HowMany::All => Wanted::All(patterns),
        };
        whole.then_some(Expect {
            wanted,
            reject,
            min_bytes: expect.min_bytes,
            timeout: expect.timeout,
        })
    }

    fn pattern(&mut self, wish: &PatternWish) -> Option<Pattern> {
        let text = &wish.written.text;
        let pattern = match wish.form {
            Form::Literal => Pattern::literal(text, self.charset),
            Form::Prefix => Pattern::prefix(text, self.charset),
            Form::Regex => Pattern::regex(text, self.charset),
            Form::Hex => Pattern::hex(text),
        };
        self.checked(&wish.written, pattern.map_err(|why| why.to_string()))
    }

    /// A name may be captured once; the alternatives of one step may share it.
    fn name_captures(&mut self, pattern: &Pattern, written: &Written, alternatives: usize) {
        for name in pattern.names() {
            if self.secrets.iter().any(|(secret, _)| **secret == **name) {
                let why = format!("the name `{name}` is a secret's too: rename the group");
                self.mistakes.push(Mistake::at(&written.place, why));
            }
            if self.captures.contains(name) && alternatives == 1 {
                let why = format!("the name `{name}` is captured twice: rename one of the groups");
                self.mistakes.push(Mistake::at(&written.place, why));
            } else if !self.captures.contains(name) {
                self.captures.push(name.clone());
            }
        }
    }

    fn checked<T>(&mut self, written: &Written, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.mistakes.push(Mistake::at(&written.place, why)))
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
        let name = shown(name, 40);
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
