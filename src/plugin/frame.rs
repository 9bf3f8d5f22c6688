//! Frames of the plugin protocol: a type and a length, each a little-endian `u32`, then a body of
//! that length. The only type is 1: JSON.

use std::fmt;

/// The type of a frame whose body is JSON.
const JSON: u32 = 1;

/// The bytes before the body.
const HEADER: usize = 8;

/// The longest body that is accepted. The agent's requests are as long as an item key, whose limit
/// is 2048 characters; its configuration is a few KiB.
pub const MAX_BODY: usize = 4 << 20;

/// How much of an incomplete body is allocated before it arrives.
const FIRST_ALLOCATION: usize = 64 << 10;

/// Why the byte stream is not a sequence of frames. The rest of the stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The frame has another type than JSON.
    UnknownType(u32),
    /// The body would be longer than [`MAX_BODY`].
    TooLong(u32),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(number) => write!(f, "a frame of type {number}, expected {JSON}"),
            Self::TooLong(length) => {
                write!(
                    f,
                    "a frame of {length} bytes, at most {MAX_BODY} are accepted"
                )
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Divides received bytes into bodies.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// The bytes of incomplete frames.
    buffer: Vec<u8>,
    /// How many bytes at the start of the buffer belong to bodies that were returned.
    given: usize,
}

impl FrameReader {
    /// Takes received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.given);
        self.given = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > FIRST_ALLOCATION {
            // The memory of a long request is freed.
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete body, if there is one.
    ///
    /// # Errors
    /// If the bytes are not a frame; the same error is returned from then on.
    pub fn next_body(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = self.buffer.get(self.given..).unwrap_or_default();
        let Some((header, body)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [t0, t1, t2, t3, l0, l1, l2, l3] = *header;
        let kind = u32::from_le_bytes([t0, t1, t2, t3]);
        let announced = u32::from_le_bytes([l0, l1, l2, l3]);
        if kind != JSON {
            return Err(FrameError::UnknownType(kind));
        }
        let length = match usize::try_from(announced) {
            Ok(length) if length <= MAX_BODY => length,
            _ => return Err(FrameError::TooLong(announced)),
        };
        let Some(body) = body.get(..length) else {
            return Ok(None);
        };
        self.given += HEADER + length;
        Ok(Some(body))
    }
}

/// Appends a frame with this body. A body longer than `u32::MAX` bytes, which no message has, is
/// cut.
pub fn write_frame(body: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&JSON.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend(body.iter().take(length as usize));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(body, &mut bytes);
        bytes
    }

    fn bodies(reader: &mut FrameReader) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| reader.next_body().unwrap().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn frames_are_divided_wherever_the_bytes_are_split() {
        let bytes = [frame(b"{}"), frame(b""), frame(&[b'x'; 300])].concat();
        let expected = [b"{}".to_vec(), Vec::new(), vec![b'x'; 300]];
        for cut in 0..=bytes.len() {
            let mut reader = FrameReader::default();
            let mut found = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                reader.push(part);
                found.extend(bodies(&mut reader));
            }
            assert_eq!(found, expected, "cut at {cut}");
        }
        let mut reader = FrameReader::default();
        let mut found = Vec::new();
        for byte in &bytes {
            reader.push(&[*byte]);
            found.extend(bodies(&mut reader));
        }
        assert_eq!(found, expected, "byte by byte");
    }

    #[test]
    fn an_unknown_type_and_a_length_of_4_gib_are_errors_that_stay() {
        for (bytes, error) in [
            ([2, 0, 0, 0, 1, 0, 0, 0], FrameError::UnknownType(2)),
            (
                [1, 0, 0, 0, 255, 255, 255, 255],
                FrameError::TooLong(u32::MAX),
            ),
        ] {
            let mut reader = FrameReader::default();
            reader.push(&frame(b"{}"));
            reader.push(&bytes);
            assert_eq!(reader.next_body(), Ok(Some(&b"{}"[..])));
            assert_eq!(reader.next_body(), Err(error));
            reader.push(&frame(b"{}"));
            assert_eq!(reader.next_body(), Err(error));
        }
    }

    #[test]
    fn the_memory_of_a_long_body_is_returned() {
        let mut reader = FrameReader::default();
        reader.push(&frame(&vec![b'x'; MAX_BODY]));
        assert_eq!(bodies(&mut reader).len(), 1);
        reader.push(&frame(b"{}"));
        assert_eq!(bodies(&mut reader).len(), 1);
        assert!(reader.buffer.capacity() <= FIRST_ALLOCATION);
    }
}
