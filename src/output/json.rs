//! A small writer of JSON (RFC 8259) into a buffer: what is published is known, and thousands of documents are written.

use crate::fast_fmt;

/// Writes JSON at a buffer's end; it sets the commas, the caller closes what it opens.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut Vec<u8>,
    /// Whether a value stands before the next one in the same object or array.
    follows: bool,
}

impl<'b> Writer<'b> {
    /// Writes behind what the buffer holds.
    pub fn new(buffer: &'b mut Vec<u8>) -> Self {
        Self {
            buffer,
            follows: false,
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

    /// One of our own keys, which need no escapes; its value follows.
    #[inline(always)]
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

    /// A string with its quotes; control characters, `"` and `\` are escaped, everything else stays as it is.
    pub fn text(&mut self, text: &str) {
        self.value(|buffer| string(buffer, text));
    }

    /// A value that this function appends.
    pub fn value(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        append(self.buffer);
        self.follows = true;
    }

    fn open(&mut self, bracket: u8) {
        self.separate();
        self.buffer.push(bracket);
    }

    fn close(&mut self, bracket: u8) {
        self.buffer.push(bracket);
        self.follows = true;
    }

    fn separate(&mut self) {
        if std::mem::take(&mut self.follows) {
            self.buffer.push(b',');
        }
    }
}

fn string(buffer: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    buffer.reserve(rest.len() + 2);
    buffer.push(b'"');
    // Nearly every text needs none. To look at all of it is quicker than to stop at the first that does.
    if !rest
        .iter()
        .fold(false, |any, byte| any | needs_escape(*byte))
    {
        buffer.extend_from_slice(rest);
        buffer.push(b'"');
        return;
    }
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (plain, special) = rest.split_at(at);
        buffer.extend_from_slice(plain);
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
        Writer::new(&mut buffer).text(text);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn objects_and_arrays_nest() {
        let mut buffer = Vec::new();
        let mut json = Writer::new(&mut buffer);
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
