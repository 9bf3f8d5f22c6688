//! Bytes written as text: escape sequences and character encodings.

use std::fmt;

use encoding_rs::Encoding;

use crate::escape::{escaped_prefix, is_deceptive, push_escaped, push_hex};

/// A character encoding of the WHATWG Encoding Standard, such as GBK; UTF-8 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Default for Charset {
    fn default() -> Self {
        Self(encoding_rs::UTF_8)
    }
}

impl Charset {
    /// The encoding of a WHATWG label (Encoding Standard, section 4.2) in upper or lower case.
    ///
    /// # Errors
    /// If the label is unknown. The UTF-16 and `replacement` labels count as unknown, because the
    /// standard has no encoder for them.
    pub fn from_label(label: &str) -> Result<Self, BytesError> {
        let unknown = || BytesError::UnknownEncoding(escaped_prefix(label, 40));
        let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(unknown)?;
        if encoding.output_encoding() != encoding {
            return Err(unknown());
        }
        Ok(Self(encoding))
    }

    /// Whether it is UTF-8, so that bytes need no decoding.
    pub fn is_utf8(self) -> bool {
        self == Self::default()
    }

    /// An incremental decoder.
    pub fn decoder(self) -> encoding_rs::Decoder {
        self.0.new_decoder_without_bom_handling()
    }

    /// The encoding's name in the standard, such as `GBK`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Encodes a text.
    ///
    /// # Errors
    /// If the encoding lacks a character; the error names the first one.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, BytesError> {
        let (bytes, _, unmappable) = self.0.encode(text);
        if !unmappable {
            return Ok(bytes.into_owned());
        }
        let is_unmappable = |c: &char| self.0.encode(c.encode_utf8(&mut [0; 4])).2;
        let character = text
            .chars()
            .find(is_unmappable)
            .unwrap_or(char::REPLACEMENT_CHARACTER);
        Err(BytesError::Unmappable(character, self.name()))
    }

    /// Whether these bytes decode to a text whose only control characters are line ends and tabs.
    ///
    /// A character that is cut in half at the end is allowed, since the text may continue after it.
    pub fn is_clean_text(self, bytes: &[u8]) -> bool {
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let mut text = String::with_capacity(bytes.len() * 3 + 16);
        let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, false);
        let is_unclean =
            |c: char| (c.is_control() && !matches!(c, '\r' | '\n' | '\t')) || is_deceptive(c);
        result == encoding_rs::DecoderResult::InputEmpty && !text.contains(is_unclean)
    }

    /// The printable form of these bytes: decoded, control characters escaped, on one line.
    ///
    /// Bytes that do not decode appear as `\xNN`; see [`push_escaped`] for characters.
    pub fn printable(self, bytes: &[u8]) -> String {
        self.escaped(bytes, TextEnd::Complete)
    }

    /// Like [`Charset::printable`], for a truncated input: a character cut in half at the end is
    /// left out.
    pub fn printable_prefix(self, bytes: &[u8]) -> String {
        self.escaped(bytes, TextEnd::Truncated)
    }

    fn escaped(self, bytes: &[u8], text_end: TextEnd) -> String {
        let mut out = String::with_capacity(bytes.len());
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let mut buffer = vec![0_u8; bytes.len() * 3 + 16];
        let mut rest = bytes;
        loop {
            let is_last = text_end == TextEnd::Complete;
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut buffer, is_last);
            let text = buffer.get(..written).unwrap_or_default();
            for character in String::from_utf8_lossy(text).chars() {
                push_escaped(&mut out, character);
            }
            let (consumed, remaining) = rest.split_at(read);
            rest = remaining;
            match result {
                encoding_rs::DecoderResult::Malformed(bad, after) => {
                    let end = consumed.len().saturating_sub(usize::from(after));
                    let start = end.saturating_sub(usize::from(bad));
                    for byte in consumed.get(start..end).unwrap_or_default() {
                        push_hex(&mut out, *byte);
                    }
                }
                encoding_rs::DecoderResult::InputEmpty | encoding_rs::DecoderResult::OutputFull => {
                    return out;
                }
            }
        }
    }
}

/// Where an input ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TextEnd {
    /// At the end of the text.
    Complete,
    /// Perhaps within a character.
    Truncated,
}

/// The bytes of a text with the escapes `\r \n \t \0 \\ \xHH`. `\xHH` is that raw byte; everything
/// else is encoded.
///
/// # Errors
/// If an escape is unknown, or the encoding lacks a character.
pub fn unescape(text: &str, charset: Charset) -> Result<Vec<u8>, BytesError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        bytes.extend(charset.encode(plain)?);
        let (byte, length) = read_escape(escape)?;
        bytes.push(byte);
        rest = escape.get(length..).unwrap_or_default();
    }
    bytes.extend(charset.encode(rest)?);
    Ok(bytes)
}

/// The byte of the escape at the start of this text, and the length of the escape.
fn read_escape(text: &str) -> Result<(u8, usize), BytesError> {
    let unknown = |length: usize| BytesError::Escape(text.chars().take(length).collect());
    match text.as_bytes().get(1) {
        Some(b'r') => Ok((b'\r', 2)),
        Some(b'n') => Ok((b'\n', 2)),
        Some(b't') => Ok((b'\t', 2)),
        Some(b'0') => Ok((0, 2)),
        Some(b'\\') => Ok((b'\\', 2)),
        Some(b'x') => {
            let digits = text
                .get(2..4)
                .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
            let byte = digits.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            byte.map(|byte| (byte, 4)).ok_or_else(|| unknown(4))
        }
        _ => Err(unknown(2)),
    }
}

/// Why a text cannot be converted to bytes. The text names the cause and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BytesError {
    /// An unknown escape.
    Escape(String),
    /// A label that the Encoding Standard lacks, or has no encoder for.
    UnknownEncoding(String),
    /// A character that the encoding with this name lacks.
    Unmappable(char, &'static str),
}

impl fmt::Display for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape(text) => {
                let text = escaped_prefix(text, 4).replace("\\\\", "\\");
                write!(
                    f,
                    "unknown escape `{text}`: valid escapes are \\r \\n \\t \\0 \\\\ \\xHH; write \\\\ for a backslash"
                )
            }
            Self::UnknownEncoding(label) => {
                write!(
                    f,
                    "unknown encoding `{label}`: use a WHATWG label such as utf-8, gbk, big5, shift_jis or windows-1252"
                )
            }
            Self::Unmappable(character, charset) => {
                write!(
                    f,
                    "character `{character}` (U+{:04X}) does not exist in {charset}: use \\xHH for raw bytes",
                    u32::from(*character)
                )
            }
        }
    }
}

impl std::error::Error for BytesError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn gbk() -> Charset {
        Charset::from_label("gbk").unwrap()
    }

    #[test]
    fn escapes_are_strict() {
        let utf8 = Charset::default();
        assert_eq!(
            unescape(r"a\r\n\t\0\\\x41\xff", utf8).unwrap(),
            b"a\r\n\t\0\\A\xff"
        );
        for bad in [
            r"\q",
            r"\",
            r"\x",
            r"\x4",
            r"\xg1",
            r"\x+1",
            "\\x\u{e4}",
            r"\u{41}",
            r"\X41",
            "\\\u{4f60}",
        ] {
            let error = unescape(bad, utf8).unwrap_err();
            assert!(matches!(error, BytesError::Escape(_)), "{bad}: {error}");
        }
    }

    #[test]
    fn gbk_goes_both_ways_and_keeps_raw_bytes() {
        assert_eq!(unescape("你好", gbk()).unwrap(), b"\xc4\xe3\xba\xc3");
        assert_eq!(unescape(r"你\xff", gbk()).unwrap(), b"\xc4\xe3\xff");
        assert_eq!(gbk().printable(b"\xc4\xe3\xba\xc3"), "你好");
        assert_eq!(gbk().printable(b"\xc4\xe3\xff!\xc4"), "你\\xff!\\xc4");
    }

    #[test]
    fn an_unmappable_character_is_named() {
        let latin = Charset::from_label("windows-1252").unwrap();
        assert_eq!(
            latin.encode("a你"),
            Err(BytesError::Unmappable('你', "windows-1252"))
        );
    }

    #[test]
    fn labels_without_an_encoder_are_unknown() {
        for label in ["", "klingon", "utf-16le", "replacement", "iso-2022-cn"] {
            assert!(Charset::from_label(label).is_err(), "{label}");
        }
    }

    #[test]
    fn printable_is_one_line_that_hides_nothing() {
        let text =
            Charset::default().printable("ok\r\n\t\\\0\x1b[31m\u{202e}\u{200b}\u{85}é".as_bytes());
        assert_eq!(
            text,
            "ok\\r\\n\\t\\\\\\x00\\x1b[31m\\u{202e}\\u{200b}\\u{85}é"
        );
        assert_eq!(Charset::default().printable(b"a\xff\xc3"), "a\\xff\\xc3");
        assert_eq!(Charset::default().printable(b"\xe4\xbd"), "\\xe4\\xbd");
        assert_eq!(
            Charset::default().printable_prefix(b"a\xff\xe4\xbd"),
            "a\\xff"
        );
        assert_eq!(gbk().printable_prefix(b"\xc4\xe3\xba"), "你");
    }
}
