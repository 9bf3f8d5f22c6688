//! Bytes as people write them: strict escapes and encodings.

use std::fmt;

use encoding_rs::Encoding;

use crate::escape::{escaped_prefix, is_deceptive, push_escaped};

/// A character set by its WHATWG label, such as `gbk`; UTF-8 where none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Default for Charset {
    fn default() -> Self {
        Self(encoding_rs::UTF_8)
    }
}

impl Charset {
    /// The charset of a WHATWG label (Encoding Standard, section 4.2), upper or lower case.
    ///
    /// The UTF-16 and `replacement` labels are refused: the standard has no encoder for them.
    pub fn from_label(label: &str) -> Result<Self, BytesError> {
        let unknown = || BytesError::UnknownEncoding(escaped_prefix(label, 40));
        let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(unknown)?;
        if encoding.output_encoding() != encoding {
            return Err(unknown());
        }
        Ok(Self(encoding))
    }

    /// Whether bytes and text are the same.
    pub fn is_utf8(self) -> bool {
        self == Self::default()
    }

    /// A decoder that takes text in pieces.
    pub fn decoder(self) -> encoding_rs::Decoder {
        self.0.new_decoder_without_bom_handling()
    }

    /// The encoding's name in the standard, such as `GBK`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The bytes of this text, or the first character that the charset lacks.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, BytesError> {
        let (bytes, _, unmappable) = self.0.encode(text);
        if !unmappable {
            return Ok(bytes.into_owned());
        }
        let lacks = |c: &char| self.0.encode(c.encode_utf8(&mut [0; 4])).2;
        let lacking = text
            .chars()
            .find(lacks)
            .unwrap_or(char::REPLACEMENT_CHARACTER);
        Err(BytesError::Unmappable(lacking, self.name()))
    }

    /// Whether these bytes decode, into a text whose only control characters are line ends and tabs.
    ///
    /// A character that is cut in half at the very end is no fault: the text goes on after it.
    pub fn is_clean_text(self, bytes: &[u8]) -> bool {
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let mut decoded = String::with_capacity(bytes.len() * 3 + 16);
        let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut decoded, false);
        let hidden =
            |c: char| (c.is_control() && !matches!(c, '\r' | '\n' | '\t')) || is_deceptive(c);
        result == encoding_rs::DecoderResult::InputEmpty && !decoded.contains(hidden)
    }

    /// The printable form of these bytes: decoded, control characters escaped, on one line.
    ///
    /// Bytes that do not decode appear as `\xNN`; see [`push_escaped`] for characters.
    pub fn printable(self, bytes: &[u8]) -> String {
        self.escaped(bytes, End::Whole)
    }

    /// The same of the start of something longer: a character that is cut in half at the very end is left out.
    pub fn printable_prefix(self, bytes: &[u8]) -> String {
        self.escaped(bytes, End::Cut)
    }

    fn escaped(self, bytes: &[u8], end: End) -> String {
        let mut out = String::with_capacity(bytes.len());
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let mut buffer = vec![0_u8; bytes.len() * 3 + 16];
        let mut rest = bytes;
        loop {
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut buffer, end == End::Whole);
            let decoded = buffer.get(..written).unwrap_or_default();
            for character in String::from_utf8_lossy(decoded).chars() {
                push_escaped(&mut out, character);
            }
            let (consumed, remaining) = rest.split_at(read);
            rest = remaining;
            match result {
                encoding_rs::DecoderResult::Malformed(bad, after) => {
                    let end = consumed.len().saturating_sub(usize::from(after));
                    let start = end.saturating_sub(usize::from(bad));
                    for byte in consumed.get(start..end).unwrap_or_default() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                encoding_rs::DecoderResult::InputEmpty | encoding_rs::DecoderResult::OutputFull => {
                    return out;
                }
            }
        }
    }
}

/// What the end of some bytes is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// That of a text.
    Whole,
    /// Perhaps within a character.
    Cut,
}

/// The bytes of a text with escapes: `\r \n \t \0 \\ \xHH`; the rest in the charset, `\xHH` as that raw byte.
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

/// The byte of the escape at the start of this text, and the escape's length.
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

/// Why a text cannot become bytes; the sentence names the place and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BytesError {
    /// An escape outside the list.
    Escape(String),
    /// A label that the Encoding Standard does not know, or cannot encode.
    UnknownEncoding(String),
    /// A character that the charset lacks.
    Unmappable(char, &'static str),
}

impl fmt::Display for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape(text) => {
                let text = escaped_prefix(text, 4).replace("\\\\", "\\");
                write!(
                    f,
                    "unknown escape `{text}`: known are \\r \\n \\t \\0 \\\\ \\xHH; a backslash itself is written \\\\"
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
    fn what_a_charset_lacks_is_named() {
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
