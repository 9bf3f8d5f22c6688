//! A small JSON writer (RFC 8259). Batches write thousands of documents, and this is several times
//! faster than serde.

use crate::fast_fmt;

/// Appends JSON to a buffer. It inserts the commas; the code that opens an object or array also
/// closes it.
#[derive(Debug)]
pub struct JsonWriter<'b> {
    buffer: &'b mut Vec<u8>,
    /// Whether the next value needs a comma before it.
    needs_comma: bool,
}

impl<'b> JsonWriter<'b> {
    /// Appends to this buffer.
    pub fn new(buffer: &'b mut Vec<u8>) -> Self {
        Self {
            buffer,
            needs_comma: false,
        }
    }

    /// `{`; keys and values follow.
    pub fn open_object(&mut self) {
        self.open(b'{');
    }

    /// `}`.
    pub fn close_object(&mut self) {
        self.close(b'}');
    }

    /// `[`; values follow.
    pub fn open_array(&mut self) {
        self.open(b'[');
    }

    /// `]`.
    pub fn close_array(&mut self) {
        self.close(b']');
    }

    /// A key that needs no escapes; its value follows.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "with the length of the key known, the copy is a few moves"
    )]
    pub fn key(&mut self, key: &'static str) {
        self.separate();
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(key.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }

    /// A key that may be any text; its value follows.
    pub fn any_key(&mut self, key: &str) {
        self.separate();
        string(self.buffer, key);
        self.buffer.push(b':');
    }

    /// A string, quoted. Control characters, `"` and `\` are escaped; everything else is copied.
    pub fn text(&mut self, text: &str) {
        self.value(|buffer| string(buffer, text));
    }

    /// A value that the closure appends.
    pub fn value(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        append(self.buffer);
        self.needs_comma = true;
    }

    fn open(&mut self, bracket: u8) {
        self.separate();
        self.buffer.push(bracket);
    }

    fn close(&mut self, bracket: u8) {
        self.buffer.push(bracket);
        self.needs_comma = true;
    }

    fn separate(&mut self) {
        if std::mem::take(&mut self.needs_comma) {
            self.buffer.push(b',');
        }
    }
}

/// A finished buffer as text.
///
/// # Panics
/// If the buffer is not UTF-8, which would be a defect of the code that filled it: [`JsonWriter`]
/// and [`Value::write`](crate::output::metrics::Value::write) append only UTF-8. `commands` catches
/// the panic and reports an internal error; an empty document would hide it.
#[expect(clippy::expect_used, reason = "see above")]
pub fn into_string(buffer: Vec<u8>) -> String {
    String::from_utf8(buffer).expect("a buffer of UTF-8")
}

fn string(buffer: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    buffer.reserve(rest.len() + 2);
    buffer.push(b'"');
    // Few texts need escapes. Checking all bytes without an early exit is vectorized and faster.
    if !rest
        .iter()
        .fold(false, |any, byte| any | needs_escape(*byte))
    {
        buffer.extend_from_slice(rest);
        buffer.push(b'"');
        return;
    }
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (copied, special) = rest.split_at(at);
        buffer.extend_from_slice(copied);
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        escape(buffer, *byte);
        rest = after;
    }
    buffer.extend_from_slice(rest);
    buffer.push(b'"');
}

fn needs_escape(byte: u8) -> bool {
    matches!(byte, ..0x20 | b'"' | b'\\')
}

fn escape(buffer: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            buffer.extend_from_slice(b"\\u00");
            fast_fmt::hex(buffer, byte);
            return;
        }
    };
    buffer.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut buffer = Vec::new();
        JsonWriter::new(&mut buffer).text(text);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn objects_and_arrays_nest() {
        let mut buffer = Vec::new();
        let mut json = JsonWriter::new(&mut buffer);
        json.open_object();
        json.key("a");
        json.value(|buffer| fast_fmt::integer(buffer, 1));
        json.key("none");
        json.open_array();
        json.close_array();
        json.any_key("a \"list\"");
        json.open_array();
        json.text("b,");
        json.value(|buffer| fast_fmt::integer(buffer, 3));
        json.open_object();
        json.close_object();
        json.open_object();
        json.close_object();
        json.close_array();
        json.close_object();
        assert_eq!(
            String::from_utf8(buffer).unwrap(),
            r#"{"a":1,"none":[],"a \"list\"":["b,",3,{},{}]}"#
        );
    }

    #[test]
    fn every_ascii_character_is_written_as_serde_writes_it() {
        let all: String = (0..=0x7f).map(char::from).collect();
        assert_eq!(written(&all), serde_json::to_string(&all).unwrap());
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_writes_it(text in "\\PC*|[\\x00-\\x7f\u{80}-\u{2100}]*") {
            prop_assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
