//! Patterns that an answer is matched against: literals, prefixes, hex with wildcards, regular
//! expressions.
//!
//! Patterns match bytes, NUL included, by automata that take each byte once: Knuth-Morris-Pratt for
//! literals, [NFAs](crate::plan::expression) for regular expressions. So matching is linear
//! whatever the peer sends, and it is known at every byte whether a match is still possible.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::escape::escaped_prefix;
use crate::plan::bytes::{BytesError, Charset, unescape};
use crate::plan::expression::{Alphabet, Regex};

/// One pattern. Many steps may have the same one, which then share what it needs in memory.
#[derive(Clone)]
pub struct Pattern {
    /// As the user wrote it, for error texts.
    pub written: Arc<str>,
    /// What it is matched against.
    pub haystack: Haystack,
    /// Its compiled form.
    pub compiled: CompiledPattern,
}

/// What a pattern is matched against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haystack {
    /// The received bytes.
    Raw,
    /// The received text, decoded to UTF-8; only for other encodings than UTF-8.
    Text,
}

/// A pattern in the form that the matcher runs.
#[derive(Clone)]
pub enum CompiledPattern {
    /// These bytes, anywhere.
    Literal(Arc<Literal>),
    /// These bytes, directly after the last match.
    Prefix(Arc<[u8]>),
    /// A regular expression.
    Regex(Arc<Regex>),
}

/// Bytes to find anywhere, with their failure function (Knuth, Morris and Pratt).
#[derive(Debug, Clone)]
pub struct Literal {
    /// The bytes; at least one.
    pub bytes: Box<[u8]>,
    fallback: Box<[usize]>,
}

impl Literal {
    fn new(bytes: Vec<u8>) -> Self {
        let mut fallback = vec![0; bytes.len()];
        let mut matched = 0;
        for at in 1..bytes.len() {
            matched = step(
                &bytes,
                &fallback,
                matched,
                bytes.get(at).copied().unwrap_or_default(),
            );
            if let Some(slot) = fallback.get_mut(at) {
                *slot = matched;
            }
        }
        Self {
            bytes: bytes.into(),
            fallback: fallback.into(),
        }
    }

    /// The number of its bytes that match after one more byte; all of them are a match.
    pub fn step(&self, matched: usize, byte: u8) -> usize {
        step(&self.bytes, &self.fallback, matched, byte)
    }
}

fn step(bytes: &[u8], fallback: &[usize], mut matched: usize, byte: u8) -> usize {
    while matched > 0 && bytes.get(matched) != Some(&byte) {
        matched = fallback.get(matched - 1).copied().unwrap_or(0);
    }
    if bytes.get(matched) == Some(&byte) {
        matched + 1
    } else {
        matched
    }
}

impl Pattern {
    /// A literal to find anywhere, written with escapes.
    ///
    /// # Errors
    /// If the text is empty, has an unknown escape, or cannot be encoded.
    pub fn literal(text: &str, charset: Charset) -> Result<Self, PatternError> {
        let (bytes, haystack) = read_text(text, charset)?;
        Ok(Self {
            written: text.into(),
            haystack,
            compiled: CompiledPattern::Literal(Arc::new(Literal::new(bytes))),
        })
    }

    /// A literal to find directly after the last match, written with escapes.
    ///
    /// # Errors
    /// If the text is empty, has an unknown escape, or cannot be encoded.
    pub fn prefix(text: &str, charset: Charset) -> Result<Self, PatternError> {
        let (bytes, haystack) = read_text(text, charset)?;
        Ok(Self {
            written: text.into(),
            haystack,
            compiled: CompiledPattern::Prefix(bytes.into()),
        })
    }

    /// A regular expression.
    ///
    /// # Errors
    /// If it is invalid, too large, or matches an empty answer.
    pub fn regex(source: &str, charset: Charset) -> Result<Self, PatternError> {
        let (haystack, alphabet) = if charset.is_utf8() {
            (Haystack::Raw, Alphabet::Bytes)
        } else {
            (Haystack::Text, Alphabet::Characters)
        };
        let regex = compile(source, alphabet)?;
        if regex.matches_empty() {
            return Err(PatternError::Empty(escaped_prefix(source, 60)));
        }
        Ok(Self {
            written: source.into(),
            haystack,
            compiled: CompiledPattern::Regex(Arc::new(regex)),
        })
    }

    /// Bytes in hex to find anywhere; `??` is any byte.
    ///
    /// # Errors
    /// If the text is not hex.
    pub fn hex(text: &str) -> Result<Self, PatternError> {
        let bytes = read_hex(text)?;
        let known: Option<Vec<u8>> = bytes.iter().copied().collect();
        let compiled = if let Some(bytes) = known {
            CompiledPattern::Literal(Arc::new(Literal::new(bytes)))
        } else {
            let regex = compile(&hex_source(&bytes), Alphabet::Bytes)?;
            CompiledPattern::Regex(Arc::new(regex))
        };
        Ok(Self {
            written: text.into(),
            haystack: Haystack::Raw,
            compiled,
        })
    }

    /// Whether it can only match directly after the last match.
    pub fn is_anchored(&self) -> bool {
        match &self.compiled {
            CompiledPattern::Literal(_) => false,
            CompiledPattern::Prefix(_) => true,
            CompiledPattern::Regex(regex) => regex.is_anchored(),
        }
    }

    /// The length in bytes, if it is fixed; `None` for regular expressions.
    pub fn length(&self) -> Option<usize> {
        match &self.compiled {
            CompiledPattern::Literal(literal) => Some(literal.bytes.len()),
            CompiledPattern::Prefix(prefix) => Some(prefix.len()),
            CompiledPattern::Regex(_) => None,
        }
    }

    /// The work that one received byte may cost at most, in [`Regex::cost`]'s unit.
    pub fn cost(&self) -> usize {
        match &self.compiled {
            CompiledPattern::Regex(regex) => regex.cost(),
            CompiledPattern::Literal(_) | CompiledPattern::Prefix(_) => 1,
        }
    }

    /// The approximate size of its compiled form in memory, in bytes.
    pub fn memory(&self) -> usize {
        match &self.compiled {
            CompiledPattern::Regex(regex) => regex.memory(),
            CompiledPattern::Literal(literal) => literal.bytes.len() * 9,
            CompiledPattern::Prefix(prefix) => prefix.len(),
        }
    }

    /// The names of its groups.
    pub fn names(&self) -> &[Box<str>] {
        match &self.compiled {
            CompiledPattern::Regex(regex) => &regex.names,
            CompiledPattern::Literal(_) | CompiledPattern::Prefix(_) => &[],
        }
    }
}

fn compile(source: &str, alphabet: Alphabet) -> Result<Regex, PatternError> {
    Regex::new(source, alphabet).map_err(|why| PatternError::Regex(escaped_prefix(source, 60), why))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}`",
            escaped_prefix(&self.written, 80).replace("\\\\", "\\")
        )
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.compiled {
            CompiledPattern::Literal(_) => "Literal",
            CompiledPattern::Prefix(_) => "Prefix",
            CompiledPattern::Regex(_) => "Regex",
        };
        write!(f, "{kind}({:?}, {:?})", self.written, self.haystack)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        let kinds =
            std::mem::discriminant(&self.compiled) == std::mem::discriminant(&other.compiled);
        kinds && self.written == other.written && self.haystack == other.haystack
    }
}

impl Eq for Pattern {}

/// The bytes of a text and what they are matched against. Raw bytes (`\xHH` above ASCII) can only
/// be matched against the received bytes.
fn read_text(text: &str, charset: Charset) -> Result<(Vec<u8>, Haystack), PatternError> {
    let raw = unescape(text, charset)?;
    if raw.is_empty() {
        return Err(PatternError::Empty(String::new()));
    }
    if charset.is_utf8() {
        return Ok((raw, Haystack::Raw));
    }
    match String::from_utf8(unescape(text, Charset::default())?) {
        Ok(text) => Ok((text.into_bytes(), Haystack::Text)),
        Err(_) => Ok((raw, Haystack::Raw)),
    }
}

/// Bytes written in hex, separated by nothing, spaces or colons. `??` is any byte, which is `None`.
///
/// # Errors
/// If the text is empty, has an odd number of digits, or another character.
pub fn read_hex(text: &str) -> Result<Vec<Option<u8>>, PatternError> {
    let digits: Vec<char> = text.chars().filter(|c| !matches!(c, ' ' | ':')).collect();
    let whole = text
        .split([' ', ':'])
        .all(|part| part.chars().count() % 2 == 0);
    let byte = |pair: &[char]| match pair {
        ['?', '?'] => Some(None),
        [high, low] => Some(Some(
            u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()?,
        )),
        _ => None,
    };
    let bytes: Option<Vec<_>> = digits.chunks(2).map(byte).collect();
    match bytes {
        Some(bytes) if whole && !bytes.is_empty() => Ok(bytes),
        _ => Err(PatternError::Hex(escaped_prefix(text, 60))),
    }
}

/// Hex with wildcards as a regular expression.
fn hex_source(bytes: &[Option<u8>]) -> String {
    let part = |byte: &Option<u8>| {
        byte.map_or_else(|| "(?s:.)".to_owned(), |byte| format!("\\x{byte:02x}"))
    };
    bytes.iter().map(part).collect()
}

/// Why a pattern is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// Its escapes or characters.
    Bytes(BytesError),
    /// It is not hex.
    Hex(String),
    /// The expression is invalid or too large; with the reason.
    Regex(String, String),
    /// It matches an empty answer.
    Empty(String),
}

impl From<BytesError> for PatternError {
    fn from(error: BytesError) -> Self {
        Self::Bytes(error)
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(error) => error.fmt(f),
            Self::Hex(text) => {
                write!(
                    f,
                    "`{text}` is not hex: write two digits for each byte, optionally with spaces or colons between bytes"
                )
            }
            Self::Regex(source, why) => {
                let source = source.replace("\\\\", "\\");
                write!(f, "`{source}` is not a valid regular expression: {why}")
            }
            Self::Empty(source) => {
                write!(
                    f,
                    "`{source}` matches an empty answer, so it would always succeed: require at least one byte"
                )
            }
        }
    }
}

impl Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_parsed_strictly() {
        assert_eq!(
            read_hex("4a:ff ??00").unwrap(),
            [Some(0x4a), Some(0xff), None, Some(0)]
        );
        for bad in ["", "4", "4g", "4a f", "4 a", "?", "4?", "0x4a", "４a"] {
            assert!(read_hex(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_that_match_an_empty_answer_are_invalid() {
        for source in ["", "x*", "^", "$", "(a|)", r"\A"] {
            assert!(
                matches!(
                    Pattern::regex(source, Charset::default()),
                    Err(PatternError::Empty(_))
                ),
                "{source}"
            );
        }
        assert!(Pattern::literal("", Charset::default()).is_err());
    }

    #[test]
    fn errors_of_invalid_and_huge_expressions_are_one_line() {
        for source in [
            "(",
            "[z-a]",
            "a{1000}{1000}{1000}",
            r"\p{Greek}",
            "(?<a>x)(?<a>y)",
            "*",
        ] {
            let error = Pattern::regex(source, Charset::default())
                .unwrap_err()
                .to_string();
            assert!(!error.contains('\n') && error.len() < 400, "{error}");
        }
        let error = Pattern::regex("(a", Charset::default())
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("unclosed group"), "{error}");
    }

    #[test]
    fn raw_bytes_in_another_encoding_are_matched_raw() {
        let gbk = Charset::from_label("gbk").unwrap();
        assert_eq!(
            Pattern::literal("你好", gbk).unwrap().haystack,
            Haystack::Text
        );
        assert_eq!(
            Pattern::literal(r"\xc4\xe3", gbk).unwrap().haystack,
            Haystack::Raw
        );
    }
}
