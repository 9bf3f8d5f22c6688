//! What came since the last match: the bytes, and the text they decode to where patterns ask for it.

use std::ops::Range;

use encoding_rs::{CoderResult, Decoder};

use crate::plan::bytes::Charset;
use crate::plan::pattern::Stream;

/// The bytes of a step, in every form that patterns are compared with.
#[derive(Debug)]
pub struct Received {
    raw: Vec<u8>,
    text: Option<Box<Text>>,
}

struct Text {
    charset: Charset,
    decoder: Decoder,
    bytes: Vec<u8>,
}

impl Received {
    /// Nothing yet.
    pub fn new(charset: Charset) -> Self {
        Self { raw: Vec::new(), text: (!charset.is_utf8()).then(|| Box::new(Text::new(charset))) }
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        if let Some(text) = &mut self.text {
            text.push(bytes);
        }
    }

    /// The bytes as they came.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// What a pattern of this stream is compared with.
    pub fn stream(&self, stream: Stream) -> &[u8] {
        match (&self.text, stream) {
            (Some(text), Stream::Text) => &text.bytes,
            _ => &self.raw,
        }
    }

    /// The offset in the raw bytes of an offset in a stream.
    pub fn raw_offset(&self, stream: Stream, offset: usize) -> usize {
        match (&self.text, stream) {
            (Some(text), Stream::Text) => text.raw_offset(&self.raw, offset),
            _ => offset,
        }
    }

    /// A part of a stream in the peer's encoding, which says the same when it stands alone.
    pub fn raw_part(&self, stream: Stream, part: Range<usize>) -> Option<Vec<u8>> {
        let bytes = self.stream(stream).get(part.clone())?;
        let encode = |text: &Text| text.charset.encode(std::str::from_utf8(bytes).ok()?).ok();
        match (&self.text, stream) {
            // What did not decode cannot be encoded again: as it came, then.
            (Some(text), Stream::Text) => encode(text).or_else(|| {
                let raw = text.raw_offset(&self.raw, part.start)..text.raw_offset(&self.raw, part.end);
                Some(self.raw.get(raw)?.to_vec())
            }),
            _ => Some(bytes.to_vec()),
        }
    }

    /// Forgets the bytes before this raw offset.
    pub fn forget(&mut self, end: usize) {
        self.raw.drain(..end.min(self.raw.len()));
        if let Some(text) = &mut self.text {
            **text = Text::new(text.charset);
            text.push(&self.raw);
        }
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text").field("charset", &self.charset).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Text {
    fn new(charset: Charset) -> Self {
        Self { charset, decoder: charset.decoder(), bytes: Vec::new() }
    }

    /// Decodes; what does not decode becomes U+FFFD, and the text goes on.
    fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        let mut buffer = [0; 4096];
        loop {
            let (result, read, written, _) = self.decoder.decode_to_utf8(rest, &mut buffer, false);
            self.bytes.extend_from_slice(buffer.get(..written).unwrap_or_default());
            rest = rest.get(read..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }

    /// Decodes once more, byte by byte, up to that many bytes of text.
    fn raw_offset(&self, raw: &[u8], offset: usize) -> usize {
        let mut decoder = self.charset.decoder();
        let (mut decoded, mut buffer) = (0, [0; 64]);
        for (at, byte) in raw.iter().enumerate() {
            if decoded >= offset {
                return at;
            }
            decoded += decoder.decode_to_utf8(std::slice::from_ref(byte), &mut buffer, false).2;
        }
        raw.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_raw_offsets_agree() {
        let gbk = Charset::from_label("gbk").unwrap();
        let mut received = Received::new(gbk);
        for byte in gbk.encode("ok,你好!").unwrap() {
            received.push(&[byte]);
        }
        assert_eq!(received.stream(Stream::Text), "ok,你好!".as_bytes());
        assert_eq!(received.raw_offset(Stream::Text, "ok,你".len()), 5);
        received.forget(5);
        assert_eq!(received.stream(Stream::Text), "好!".as_bytes());
        received.push(b"\xff!");
        assert_eq!(received.stream(Stream::Text), "好!\u{fffd}!".as_bytes());
    }
}
