//! The messages in the records of a server (RFC 8446, section 5.1; the same since SSL 3.0): a message
//! may span several records, and a record may have several messages.

use crate::tls::records;

/// The longest handshake message that is accepted. Implementations differ; rustls accepts 64 KiB.
pub const MAX_MESSAGE: usize = 256 << 10;
/// The longest answer to a `ClientHello` that is accepted: all of its records.
pub const MAX_ANSWER: usize = 1 << 20;
/// The longest record: 16 KiB, and the overhead that servers of SSL 3.0 add to it.
const MAX_RECORD: usize = (16 << 10) + 2048;

/// The bytes of a record before its content: type, version, length.
const RECORD_HEADER: usize = 5;
/// The bytes of a handshake message before its body: type, length.
const MESSAGE_HEADER: usize = 4;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// A message of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainMessage<'r> {
    /// A message of the handshake: its type and body.
    Handshake(u8, &'r [u8]),
    /// An alert: its level, 1 for a warning, and its code.
    Alert(u8, u8),
    /// What follows is encrypted.
    ChangeCipherSpec,
}

/// Finds the messages in received bytes.
#[derive(Debug, Default)]
pub struct MessageReader {
    /// The header of the current record, as far as it was received.
    header: [u8; RECORD_HEADER],
    header_length: usize,
    /// How many bytes of the record are not received yet.
    missing: usize,
    /// The handshake message, as far as it was received.
    message: Vec<u8>,
    /// Whether the message was returned; the next one replaces it.
    message_ended: bool,
    /// The first byte of an alert.
    alert_level: Option<u8>,
    /// All bytes so far.
    received: usize,
}

impl MessageReader {
    /// The next message, with the bytes that it needs removed from `wire`; `None` if it is not
    /// complete yet, and `wire` is empty.
    ///
    /// # Errors
    /// A sentence, if the bytes are invalid or exceed a limit.
    pub fn next(&mut self, wire: &mut &[u8]) -> Result<Option<PlainMessage<'_>>, String> {
        if self.message_ended {
            self.message.clear();
            self.message_ended = false;
        }
        while !wire.is_empty() {
            if self.missing == 0 {
                self.take_header(wire)?;
                continue;
            }
            match self.header.first() {
                Some(&HANDSHAKE) => {
                    if let Some(kind) = self.take_handshake(wire)? {
                        self.message_ended = true;
                        let body = self.message.get(MESSAGE_HEADER..).unwrap_or_default();
                        return Ok(Some(PlainMessage::Handshake(kind, body)));
                    }
                }
                Some(&ALERT) => {
                    let Some(byte) = self.take(1, wire)?.first().copied() else {
                        continue;
                    };
                    if let Some(level) = self.alert_level.take() {
                        return Ok(Some(PlainMessage::Alert(level, byte)));
                    }
                    self.alert_level = Some(byte);
                }
                Some(&CHANGE_CIPHER_SPEC) => {
                    self.take(self.missing, wire)?;
                    return Ok(Some(PlainMessage::ChangeCipherSpec));
                }
                _ => return Err("encrypted data before the end of the handshake".to_owned()),
            }
        }
        Ok(None)
    }

    /// How many bytes it holds.
    pub fn held(&self) -> usize {
        self.message.len()
    }

    /// How many bytes of the current handshake message were received, and how many it has; `None` if
    /// no message has begun.
    pub fn unfinished(&self) -> Option<(usize, usize)> {
        match self.message.as_slice() {
            &[_, high, middle, low, ..] if !self.message_ended => {
                let length = u32::from_be_bytes([0, high, middle, low]) as usize;
                Some((self.message.len(), MESSAGE_HEADER + length))
            }
            _ => None,
        }
    }

    fn is_within_message(&self) -> bool {
        !self.message_ended && !self.message.is_empty()
    }

    /// Takes at most this many bytes of the record.
    fn take<'w>(&mut self, limit: usize, wire: &mut &'w [u8]) -> Result<&'w [u8], String> {
        let length = limit.min(self.missing).min(wire.len());
        self.missing -= length;
        self.count(length)?;
        let (taken, rest) = wire.split_at(length);
        *wire = rest;
        Ok(taken)
    }

    fn count(&mut self, length: usize) -> Result<(), String> {
        self.received += length;
        if self.received > MAX_ANSWER {
            let limit = MAX_ANSWER >> 10;
            return Err(format!(
                "the answer to the ClientHello is longer than {limit} KiB"
            ));
        }
        Ok(())
    }

    /// Takes bytes of a header; a complete one is checked, and starts its record.
    fn take_header(&mut self, wire: &mut &[u8]) -> Result<(), String> {
        let Some((byte, rest)) = wire.split_first() else {
            return Ok(());
        };
        *wire = rest;
        self.count(1)?;
        if let Some(place) = self.header.get_mut(self.header_length) {
            *place = *byte;
        }
        self.header_length += 1;
        let [kind, major, minor, length @ ..] = self.header;
        match self.header_length {
            1 if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) => {
                Err(format!("invalid TLS record: its type is {kind}"))
            }
            2 if major != 3 => Err(format!("invalid TLS record: its version is {major:#04x}..")),
            RECORD_HEADER => {
                self.header_length = 0;
                self.missing = usize::from(u16::from_be_bytes(length));
                if self.missing > MAX_RECORD {
                    return Err(format!(
                        "invalid TLS record: {} bytes, version {:#06x}",
                        self.missing,
                        u16::from_be_bytes([major, minor])
                    ));
                }
                if kind != HANDSHAKE && self.is_within_message() {
                    return Err("a handshake message is interrupted by another record".to_owned());
                }
                if kind == CHANGE_CIPHER_SPEC && self.missing == 0 {
                    return Err("invalid TLS record: an empty ChangeCipherSpec".to_owned());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes bytes of a handshake message; its type if it is complete.
    fn take_handshake(&mut self, wire: &mut &[u8]) -> Result<Option<u8>, String> {
        if let Some(wanted) = MESSAGE_HEADER.checked_sub(self.message.len()) {
            let taken = self.take(wanted, wire)?;
            self.message.extend_from_slice(taken);
        }
        let &[kind, high, middle, low, ..] = self.message.as_slice() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        if length > MAX_MESSAGE {
            return Err(format!(
                "a {} message of {length} bytes, more than the {} KiB that are accepted",
                message_name(kind),
                MAX_MESSAGE >> 10
            ));
        }
        let end = MESSAGE_HEADER + length;
        let taken = self.take(end - self.message.len(), wire)?;
        self.message.extend_from_slice(taken);
        Ok((self.message.len() == end).then_some(kind))
    }
}

/// The name of a handshake message for an error.
pub fn message_name(kind: u8) -> String {
    let name = records::message_name(kind);
    name.map_or_else(|| format!("handshake (type {kind})"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[kind, 3, 1], length.as_slice(), content].concat()
    }

    fn message(kind: u8, length: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes().to_vec();
        bytes[0] = kind;
        bytes.resize(4 + length, 7);
        bytes
    }

    /// The messages in these pieces, as `TYPE:LENGTH`, and the error.
    fn read<'w>(pieces: impl Iterator<Item = &'w [u8]>) -> (Vec<String>, Option<String>) {
        let (mut reader, mut found) = (MessageReader::default(), Vec::new());
        for mut wire in pieces {
            loop {
                match reader.next(&mut wire) {
                    Ok(None) => break,
                    Ok(Some(PlainMessage::Handshake(kind, body))) => {
                        assert!(body.iter().all(|byte| *byte == 7));
                        found.push(format!("{kind}:{}", body.len()));
                    }
                    Ok(Some(PlainMessage::Alert(level, code))) => {
                        found.push(format!("alert {level} {code}"));
                    }
                    Ok(Some(PlainMessage::ChangeCipherSpec)) => found.push("ccs".to_owned()),
                    Err(sentence) => return (found, Some(sentence)),
                }
            }
            assert!(wire.is_empty());
        }
        (found, None)
    }

    #[test]
    fn messages_span_records_and_share_them() {
        let messages = [
            message(2, 70),
            message(11, 40_000),
            message(14, 0),
            message(0, 0),
        ]
        .concat();
        let expected = ["2:70", "11:40000", "14:0", "0:0"];
        for record_length in [1, 3, 4, 5, 75, 1000, 16_384, 18_432] {
            let mut wire: Vec<u8> = messages
                .chunks(record_length)
                .flat_map(|content| record(HANDSHAKE, content))
                .collect();
            wire.extend(record(HANDSHAKE, &[]));
            for piece_length in [1, 7, 100_000] {
                assert_eq!(
                    read(wire.chunks(piece_length)),
                    (expected.map(Into::into).to_vec(), None)
                );
            }
        }
    }

    #[test]
    fn alerts_may_be_cut_and_share_a_record() {
        let wire = [
            record(ALERT, &[1]),
            record(ALERT, &[112, 2, 40]),
            record(20, &[1]),
        ]
        .concat();
        let expected = ["alert 1 112", "alert 2 40", "ccs"];
        assert_eq!(
            read(wire.chunks(1)),
            (expected.map(Into::into).to_vec(), None)
        );
    }

    #[test]
    fn invalid_records_are_refused_with_a_sentence() {
        let cases: [(&[u8], &str); 8] = [
            (b"HTTP", "invalid TLS record: its type is 72"),
            (&[22, 2, 1], "invalid TLS record: its version is 0x02.."),
            (
                &[22, 3, 1, 0x48, 1],
                "invalid TLS record: 18433 bytes, version 0x0301",
            ),
            (
                &[20, 3, 1, 0, 0],
                "invalid TLS record: an empty ChangeCipherSpec",
            ),
            (
                &[23, 3, 3, 0, 1, 9],
                "encrypted data before the end of the handshake",
            ),
            (
                &[22, 3, 1, 0, 4, 11, 4, 0, 1],
                "a Certificate message of 262145 bytes, more than the 256 KiB that are accepted",
            ),
            (
                &[22, 3, 1, 0, 2, 2, 0, 21, 3, 1, 0, 2, 2, 40],
                "a handshake message is interrupted by another record",
            ),
            (
                &[22, 3, 1, 0, 4, 99, 0xff, 0, 1],
                "a handshake (type 99) message of 16711681 bytes, more \
              than the 256 KiB that are accepted",
            ),
        ];
        for (wire, sentence) in cases {
            for piece in [1, wire.len()] {
                let (_, error) = read(wire.chunks(piece));
                assert_eq!(error.as_deref(), Some(sentence));
            }
        }
    }

    #[test]
    fn the_longest_message_is_accepted_and_an_endless_answer_is_not() {
        let longest = message(11, MAX_MESSAGE);
        let wire: Vec<u8> = longest
            .chunks(16_384)
            .flat_map(|content| record(HANDSHAKE, content))
            .collect();
        assert_eq!(read(wire.chunks(1400)).0, [format!("11:{MAX_MESSAGE}")]);
        let (found, error) = read(std::iter::repeat_n(wire.as_slice(), 10));
        assert_eq!(found.len(), 3);
        assert_eq!(
            error.unwrap(),
            "the answer to the ClientHello is longer than 1024 KiB"
        );
        let empty = record(HANDSHAKE, &[]);
        let (_, error) = read(std::iter::repeat_n(empty.as_slice(), 300_000));
        assert!(error.is_some(), "empty records are counted, too");
    }
}
