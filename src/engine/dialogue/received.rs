//! The bytes received since the last match, and the text that they decode to if the encoding is not
//! UTF-8.

use std::ops::Range;

use encoding_rs::{CoderResult, Decoder};

use crate::plan::bytes::Charset;
use crate::plan::pattern::Haystack;

/// Received bytes, in every form that patterns are matched against.
#[derive(Debug)]
pub struct Received {
    /// The bytes. Those before `start` are no longer used; their memory is released in larger parts.
    bytes: Vec<u8>,
    start: usize,
    /// The most bytes that may be received before a match ends.
    max: usize,
    text: Option<Box<Text>>,
}

struct Text {
    charset: Charset,
    decoder: Decoder,
    bytes: Vec<u8>,
    /// The number of raw bytes decoded.
    taken: usize,
    /// The last two of them.
    tail: [u8; 2],
    /// The raw offset that no match may end after.
    max: usize,
    /// The same as an offset of the text, once that is known.
    bound: Option<usize>,
    /// Pairs of raw and text offsets between two characters, from which a new decoder can start.
    marks: Vec<(usize, usize)>,
}

/// The minimum distance of two marks, in raw bytes. To find an offset costs as many decoded bytes.
const MARK_EVERY: usize = 1024;
/// The most bytes that one character needs. An encoding with states (ISO-2022-JP) has sequences of
/// any length that are no text.
const MAX_CHARACTER: usize = 64;

impl Received {
    /// An empty buffer. A match may end after at most `max` bytes.
    pub fn new(charset: Charset, max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            max,
            text: (!charset.is_utf8()).then(|| Box::new(Text::new(charset, max))),
        }
    }

    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if let Some(text) = &mut self.text {
            text.push(bytes);
        }
    }

    /// The received bytes.
    pub fn raw(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Keeps only this number of bytes, and no text.
    pub fn keep(&mut self, bytes: usize) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.truncate(bytes);
        self.bytes.shrink_to_fit();
        self.text = None;
    }

    /// The number of bytes that it holds in memory.
    pub fn held(&self) -> usize {
        self.bytes.len() + self.text.as_ref().map_or(0, |text| text.bytes.len())
    }

    /// The bytes that a pattern of this haystack is matched against.
    pub fn haystack(&self, haystack: Haystack) -> &[u8] {
        match (&self.text, haystack) {
            (Some(text), Haystack::Text) => &text.bytes,
            _ => self.raw(),
        }
    }

    /// The offset in a haystack that no match may end after.
    pub fn bound(&self, haystack: Haystack) -> usize {
        match (&self.text, haystack) {
            (Some(text), Haystack::Text) => text.bound.unwrap_or(usize::MAX),
            _ => self.max,
        }
    }

    /// Whether the number of bytes has reached the maximum before a match must end.
    pub fn fill(&self) -> Fill {
        let raw = self.raw().len();
        let is_seen = |text: &Text| text.bound.is_some_and(|bound| text.bytes.len() > bound);
        match raw.cmp(&self.max) {
            std::cmp::Ordering::Less => Fill::Below,
            std::cmp::Ordering::Equal => Fill::Full,
            std::cmp::Ordering::Greater => match &self.text {
                // The character after the bound is not complete.
                Some(text) if !is_seen(text) && raw < self.max + MAX_CHARACTER => Fill::Full,
                _ => Fill::Past,
            },
        }
    }

    /// The offset in the raw bytes of an offset in a haystack.
    pub fn raw_offset(&self, haystack: Haystack, offset: usize) -> usize {
        match (&self.text, haystack) {
            (Some(text), Haystack::Text) => text.raw_offset(self.raw(), offset),
            _ => offset,
        }
    }

    /// A part of a haystack in the peer's encoding. It is encoded anew, because in a stateful
    /// encoding received bytes have no meaning without those before them.
    pub fn raw_part(&self, haystack: Haystack, part: Range<usize>) -> Option<Vec<u8>> {
        let bytes = self.haystack(haystack).get(part.clone())?;
        let encode = |text: &Text| text.charset.encode(std::str::from_utf8(bytes).ok()?).ok();
        match (&self.text, haystack) {
            // Bytes that did not decode cannot be encoded again; they are used as received.
            (Some(text), Haystack::Text) => encode(text).or_else(|| {
                let raw =
                    text.raw_offset(self.raw(), part.start)..text.raw_offset(self.raw(), part.end);
                Some(self.raw().get(raw)?.to_vec())
            }),
            _ => Some(bytes.to_vec()),
        }
    }

    /// Drops the raw bytes before offset `end`. With an encoding, the remaining bytes are decoded
    /// again; returns how many.
    pub fn forget(&mut self, end: usize) -> usize {
        self.start = (self.start + end).min(self.bytes.len());
        // Only if at least half is unused: moving the rest at every short step would be quadratic.
        if self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let Some(text) = &mut self.text else {
            return 0;
        };
        **text = Text::new(text.charset, self.max);
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        text.push(rest);
        rest.len()
    }
}

/// How the number of received bytes compares with the maximum before a match must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Fewer.
    Below,
    /// As many: a match may end here, and what follows may decide it.
    Full,
    /// More, so that it is known what follows.
    Past,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text")
            .field("charset", &self.charset)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Text {
    fn new(charset: Charset, max: usize) -> Self {
        Self {
            charset,
            decoder: charset.decoder(),
            bytes: Vec::new(),
            taken: 0,
            tail: [0; 2],
            max,
            bound: None,
            marks: Vec::new(),
        }
    }

    /// Decodes; bytes that do not decode become U+FFFD.
    fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let last = self.marks.last().map_or(0, |(raw, _)| *raw);
            // Past the minimum distance, decode byte by byte until a character ends, for the next
            // mark.
            let mut size = (last + MARK_EVERY)
                .saturating_sub(self.taken)
                .clamp(1, rest.len());
            if self.taken < self.max {
                size = size.min(self.max - self.taken);
            }
            let (block, later) = rest.split_at(size);
            self.decode(block);
            if self.taken >= last + MARK_EVERY
                && self
                    .charset
                    .is_between_characters(&self.decoder, self.taken, self.tail)
            {
                self.marks.push((self.taken, self.bytes.len()));
            }
            if self.taken == self.max {
                self.bound = Some(self.bytes.len());
            }
            rest = later;
        }
    }

    fn decode(&mut self, block: &[u8]) {
        let mut rest = block;
        let mut buffer = [0; 4096];
        loop {
            let (result, read, written, _) = self.decoder.decode_to_utf8(rest, &mut buffer, false);
            self.bytes
                .extend_from_slice(buffer.get(..written).unwrap_or_default());
            rest = rest.get(read..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                self.taken += block.len();
                for byte in block.iter().skip(block.len().saturating_sub(2)) {
                    self.tail = [self.tail[1], *byte];
                }
                return;
            }
        }
    }

    /// Decodes again, byte by byte from the last mark before it, up to this offset of the text.
    fn raw_offset(&self, raw: &[u8], offset: usize) -> usize {
        let after = self.marks.partition_point(|(_, text)| *text < offset);
        let (start, mut reached) = after
            .checked_sub(1)
            .and_then(|mark| self.marks.get(mark))
            .copied()
            .unwrap_or((0, 0));
        let mut decoder = self.charset.decoder();
        let mut buffer = [0; 64];
        for (at, byte) in raw.iter().enumerate().skip(start) {
            if reached >= offset {
                return at;
            }
            reached += decoder
                .decode_to_utf8(std::slice::from_ref(byte), &mut buffer, false)
                .2;
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
        let mut received = Received::new(gbk, 1000);
        for byte in gbk.encode("ok,你好!").unwrap() {
            received.push(&[byte]);
        }
        assert_eq!(received.haystack(Haystack::Text), "ok,你好!".as_bytes());
        assert_eq!(received.raw_offset(Haystack::Text, "ok,你".len()), 5);
        received.forget(5);
        assert_eq!(received.haystack(Haystack::Text), "好!".as_bytes());
        received.push(b"\xff!");
        assert_eq!(received.haystack(Haystack::Text), "好!\u{fffd}!".as_bytes());
    }

    #[test]
    fn marks_change_no_offset() {
        for label in [
            "gbk",
            "gb18030",
            "shift_jis",
            "iso-2022-jp",
            "euc-kr",
            "windows-1251",
            "utf-16le",
            "utf-16be",
        ] {
            let charset = Charset::from_label(label).unwrap();
            let word = if label == "windows-1251" {
                "\u{43f}ok"
            } else {
                "\u{4e00}ok\u{4e8c}"
            };
            let raw = charset.encode(&word.repeat(1500)).unwrap();
            let mut received = Received::new(charset, usize::MAX);
            let (mut known, mut rest) = (vec![0], raw.as_slice());
            // In pieces that end in the middle of characters.
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(7));
                received.push(piece);
                rest = later;
            }
            let mut text = Text::new(charset, usize::MAX);
            for byte in &raw {
                text.decode(&[*byte]);
                known.push(text.bytes.len());
            }
            assert_eq!(received.haystack(Haystack::Text), text.bytes, "{label}");
            for offset in (0..text.bytes.len()).step_by(97) {
                let at = known.iter().position(|decoded| *decoded >= offset).unwrap();
                assert_eq!(
                    received.raw_offset(Haystack::Text, offset),
                    at,
                    "{label} at {offset}"
                );
            }
        }
    }
}
