//! Reads the unencrypted parts of both directions of a connection. It changes nothing, and decides
//! nothing.
//!
//! This gives the version and the group of a handshake that fails before the library reports them,
//! and the messages for the transcript. Records are those of RFC 8446, section 5.1; RFC 5246,
//! section 6.2.1.

use std::fmt::Write as _;

use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

use crate::tls::alerts;
use crate::tls::provider;

/// The most messages that are kept for the transcript.
const MAX_NOTES: usize = 200;
/// How much of a handshake message is kept: a `ServerHello` without session ticket is smaller.
const MAX_KEPT: usize = 1024;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

const SERVER_HELLO: u8 = 2;
const SERVER_KEY_EXCHANGE: u8 = 12;

/// Follows both directions of a connection.
#[derive(Debug, Default)]
pub struct RecordReader {
    sent: Direction,
    received: Direction,
    /// What the server has chosen.
    pub hello: Choice,
    notes: Vec<TranscriptNote>,
    /// How many notes were dropped.
    dropped: usize,
    /// The last alert of the server that was readable.
    alert: Option<u8>,
}

/// What the server has chosen, as far as it is readable.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    /// The version.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub suite: Option<CipherSuite>,
    /// The key exchange group.
    pub group: Option<NamedGroup>,
    /// Whether the server has requested another key share (`HelloRetryRequest`).
    pub is_retry: bool,
}

/// Who has sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// This probe.
    Client,
    /// The peer.
    Server,
}

/// A message for the transcript.
#[derive(Debug)]
enum TranscriptNote {
    /// A handshake message: its type and length, and what the server has chosen by then.
    Message(Sender, u8, usize, Option<Choice>),
    /// An alert: its level and its code.
    Alert(Sender, u8, u8),
    ChangeCipherSpec(Sender),
    /// Records that cannot be read: their number and the bytes in them.
    Encrypted(Sender, usize, usize),
    /// What the library reports.
    Text(String),
}

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    /// The header of the current record, as far as it has arrived.
    header: [u8; 5],
    header_len: usize,
    /// How many bytes of the current record have not arrived yet.
    record_left: usize,
    /// Whether the records are encrypted from now on.
    is_encrypted: bool,
    /// The start of the current handshake message or alert, with its header.
    message: Vec<u8>,
    /// How many bytes of the current handshake message have arrived, with its header.
    message_len: usize,
}

impl Direction {
    /// Takes the next part of a record, and returns the rest of the bytes. Calls `note` for each
    /// complete message.
    fn take<'b>(&mut self, bytes: &'b [u8], mut note: impl FnMut(Seen<'_>)) -> &'b [u8] {
        if self.header_len < self.header.len() {
            let missing = self.header.len() - self.header_len;
            let (start, rest) = bytes.split_at(missing.min(bytes.len()));
            for byte in start {
                if let Some(slot) = self.header.get_mut(self.header_len) {
                    *slot = *byte;
                }
                self.header_len += 1;
            }
            if self.header_len == self.header.len() {
                self.start_record(note);
            }
            return rest;
        }
        let (part, rest) = bytes.split_at(self.record_left.min(bytes.len()));
        self.record_left -= part.len();
        match self.header[0] {
            HANDSHAKE if !self.is_encrypted => self.read_handshake(part, &mut note),
            // An encrypted alert is longer than two bytes; with TLS 1.3 the server may send one in
            // plaintext although its other records are encrypted.
            ALERT if self.message.len() < 2 && self.is_plain_alert() => {
                let missing = 2 - self.message.len();
                self.message.extend(part.iter().take(missing));
                if let [level, code] = self.message[..] {
                    note(Seen::Alert(level, code));
                }
            }
            _ => {}
        }
        if self.record_left == 0 {
            self.header_len = 0;
        }
        rest
    }

    fn start_record(&mut self, mut note: impl FnMut(Seen<'_>)) {
        let [kind, _, _, high, low] = self.header;
        self.record_left = usize::from(u16::from_be_bytes([high, low]));
        if kind != HANDSHAKE {
            self.message.clear();
            self.message_len = 0;
        }
        match kind {
            CHANGE_CIPHER_SPEC => {
                note(Seen::ChangeCipherSpec);
                self.is_encrypted = true;
            }
            ALERT if self.is_plain_alert() => {}
            HANDSHAKE if !self.is_encrypted => {}
            _ => note(Seen::Encrypted(self.record_left)),
        }
        if self.record_left == 0 {
            self.header_len = 0;
        }
    }

    fn is_plain_alert(&self) -> bool {
        let [_, _, _, high, low] = self.header;
        !self.is_encrypted || u16::from_be_bytes([high, low]) == 2
    }

    /// Takes bytes of plain handshake messages, which may begin and end anywhere in records.
    fn read_handshake(&mut self, mut part: &[u8], note: &mut impl FnMut(Seen<'_>)) {
        while !part.is_empty() {
            let total = self.message_total();
            let wanted = total.map_or(4, |total| total) - self.message_len;
            let (start, rest) = part.split_at(wanted.min(part.len()));
            let room = MAX_KEPT.saturating_sub(self.message.len());
            self.message.extend(start.iter().take(room));
            self.message_len += start.len();
            part = rest;
            if self.message_total() == Some(self.message_len) {
                let kind = self.message.first().copied().unwrap_or_default();
                let body = self.message.get(4..).unwrap_or_default();
                note(Seen::Message(kind, self.message_len, body));
                self.message.clear();
                self.message_len = 0;
            }
        }
    }

    /// The length of the current handshake message with its header, once it is known.
    fn message_total(&self) -> Option<usize> {
        match self.message[..] {
            [_, a, b, c, ..] => {
                let length = u32::from_be_bytes([0, a, b, c]);
                Some(usize::try_from(length).unwrap_or(usize::MAX - 4) + 4)
            }
            _ => None,
        }
    }
}

/// An element of a direction.
enum Seen<'m> {
    /// A handshake message: its type, its length with its header, and the start of its body.
    Message(u8, usize, &'m [u8]),
    /// The level and the code of an alert.
    Alert(u8, u8),
    ChangeCipherSpec,
    /// An encrypted record with this many bytes.
    Encrypted(usize),
}

impl RecordReader {
    /// Takes bytes that were sent or received.
    pub fn read(&mut self, sender: Sender, mut bytes: &[u8]) {
        let Self {
            sent,
            received,
            hello,
            notes,
            dropped,
            alert,
        } = self;
        let direction = match sender {
            Sender::Client => sent,
            Sender::Server => received,
        };
        while !bytes.is_empty() {
            bytes = direction.take(bytes, |seen| {
                let note = match seen {
                    Seen::Message(kind, length, body) => {
                        let has_chosen = sender == Sender::Server && hello.read(kind, body);
                        TranscriptNote::Message(sender, kind, length, has_chosen.then_some(*hello))
                    }
                    Seen::Alert(level, code) => {
                        if sender == Sender::Server {
                            *alert = Some(code);
                        }
                        TranscriptNote::Alert(sender, level, code)
                    }
                    Seen::ChangeCipherSpec => TranscriptNote::ChangeCipherSpec(sender),
                    Seen::Encrypted(length) => {
                        if let Some(TranscriptNote::Encrypted(last, records, bytes)) =
                            notes.last_mut()
                        {
                            if *last == sender {
                                *records += 1;
                                *bytes += length;
                                return;
                            }
                        }
                        TranscriptNote::Encrypted(sender, 1, length)
                    }
                };
                if notes.len() < MAX_NOTES {
                    notes.push(note);
                } else {
                    *dropped += 1;
                }
            });
        }
    }

    /// Adds a line for the transcript.
    pub fn note(&mut self, text: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(TranscriptNote::Text(text));
        }
    }

    /// Adds a line for an alert of the server, unless it was readable.
    pub fn note_alert(&mut self, code: u8) {
        if self.alert != Some(code) {
            self.note(format!("received the alert {}", alerts::name(code)));
        }
    }

    /// How many bytes of the current plain handshake message of the server have arrived, and how
    /// many it has; `None` if no message has begun.
    pub fn unfinished(&self) -> Option<(usize, usize)> {
        let total = self.received.message_total()?;
        Some((self.received.message_len, total))
    }

    /// Whether the server has sent its `ServerHello`.
    pub fn has_hello(&self) -> bool {
        self.hello.version.is_some()
    }

    /// Takes the lines for the transcript since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        let mut lines: Vec<_> = self.notes.drain(..).map(|note| note.line()).collect();
        if self.dropped > 0 {
            lines.push(format!("and {} more messages", self.dropped));
            self.dropped = 0;
        }
        lines
    }
}

impl Choice {
    /// Reads a message of the server; true if it contains a choice.
    fn read(&mut self, kind: u8, body: &[u8]) -> bool {
        match kind {
            SERVER_HELLO => self.read_server_hello(body).is_some(),
            // ECParameters of a named curve (RFC 8422, section 5.4).
            SERVER_KEY_EXCHANGE => match *body {
                [3, high, low, ..] => {
                    self.group = Some(u16::from_be_bytes([high, low]).into());
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Reads a `ServerHello` (RFC 8446, section 4.1.3).
    fn read_server_hello(&mut self, body: &[u8]) -> Option<()> {
        let (version, rest) = number(body)?;
        let (random, rest) = rest.split_at_checked(32)?;
        let (session, rest) = rest.split_first()?;
        let rest = rest.get(usize::from(*session)..)?;
        let (suite, rest) = number(rest)?;
        self.version = Some(version.into());
        self.suite = Some(suite.into());
        self.is_retry = random == RETRY;
        let mut extensions = rest.get(3..).unwrap_or_default();
        while let Some((kind, rest)) = number(extensions) {
            let (length, rest) = number(rest)?;
            let (content, rest) = rest.split_at_checked(usize::from(length))?;
            match (kind, number(content)) {
                (SUPPORTED_VERSIONS, Some((version, _))) => self.version = Some(version.into()),
                (KEY_SHARE, Some((group, _))) => self.group = Some(group.into()),
                _ => {}
            }
            extensions = rest;
        }
        Some(())
    }
}

const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// The random value of a `HelloRetryRequest`: SHA-256 of these words (RFC 8446, section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

impl TranscriptNote {
    fn line(&self) -> String {
        let from = |sender| match sender {
            Sender::Client => "sent",
            Sender::Server => "received",
        };
        match self {
            Self::Message(sender, kind, length, choice) => {
                let name = match choice {
                    Some(choice) if choice.is_retry && *kind == SERVER_HELLO => {
                        "HelloRetryRequest".to_owned()
                    }
                    _ => message_name(*kind)
                        .map_or_else(|| format!("handshake message {kind}"), str::to_owned),
                };
                let mut line = format!("{} {name}, {length} bytes", from(*sender));
                if let Some(choice) = choice {
                    choice.append_to(&mut line, *kind);
                }
                line
            }
            Self::Alert(sender, level, code) => {
                let level = match level {
                    1 => "warning".to_owned(),
                    2 => "fatal".to_owned(),
                    level => format!("level {level}"),
                };
                format!(
                    "{} the {level} alert {}",
                    from(*sender),
                    alerts::name(*code)
                )
            }
            Self::ChangeCipherSpec(sender) => format!("{} ChangeCipherSpec", from(*sender)),
            Self::Encrypted(sender, records, bytes) => {
                let plural = if *records == 1 { "record" } else { "records" };
                format!(
                    "{} {records} encrypted {plural}, {bytes} bytes",
                    from(*sender)
                )
            }
            Self::Text(text) => text.clone(),
        }
    }
}

impl Choice {
    fn append_to(&self, line: &mut String, kind: u8) {
        let version = self.version.filter(|_| kind == SERVER_HELLO);
        let suite = self.suite.filter(|_| kind == SERVER_HELLO);
        let version = version.map(|version| match provider::version(version) {
            Some(version) => version.name().into(),
            None => format!("version {:#06x}", u16::from(version)),
        });
        let suite = suite.map(|suite| match provider::suite_name(suite) {
            Some(name) => name.into(),
            None => format!("suite {:#06x}", u16::from(suite)),
        });
        let group = self.group.map(|group| provider::group_name(group).into());
        let chosen: Vec<String> = [version, suite, group].into_iter().flatten().collect();
        if !chosen.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(line, ": {}", chosen.join(", "));
        }
    }
}

/// The name of a handshake message (RFC 8446, section 4; RFC 5246, section 7.4).
pub fn message_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        SERVER_HELLO => "ServerHello",
        3 => "HelloVerifyRequest",
        4 => "NewSessionTicket",
        8 => "EncryptedExtensions",
        11 => "Certificate",
        SERVER_KEY_EXCHANGE => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        22 => "CertificateStatus",
        23 => "SupplementalData",
        24 => "KeyUpdate",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3][..], &length, body].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind][..], &length[1..], body].concat()
    }

    fn server_hello(version: u16, extensions: &[u8]) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.extend([0, 0x13, 0x01, 0]);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        message(SERVER_HELLO, &body)
    }

    fn lines(parts: impl IntoIterator<Item = Vec<u8>>) -> (Vec<String>, RecordReader) {
        let mut reader = RecordReader::default();
        for part in parts {
            reader.read(Sender::Server, &part);
        }
        (reader.take_lines(), reader)
    }

    #[test]
    fn a_handshake_of_tls_1_3_is_shown_up_to_its_encrypted_part() {
        let extensions = [0, 43, 0, 2, 3, 4, 0, 51, 0, 4, 0, 29, 0, 0];
        let mut wire = record(HANDSHAKE, &server_hello(0x0303, &extensions));
        wire.extend(record(CHANGE_CIPHER_SPEC, &[1]));
        wire.extend(record(23, &[0; 40]));
        wire.extend(record(23, &[0; 2]));
        wire.extend(record(ALERT, &[2, 47]));
        let expected = [
            "received ServerHello, 58 bytes: TLSv1.3, TLS_AES_128_GCM_SHA256, X25519",
            "received ChangeCipherSpec",
            "received 2 encrypted records, 42 bytes",
            "received the fatal alert illegal_parameter",
        ];
        assert_eq!(lines([wire.clone()]).0, expected);
        let bytes = wire.iter().map(|byte| vec![*byte]);
        assert_eq!(lines(bytes).0, expected, "byte by byte");
    }

    #[test]
    fn messages_may_be_split_over_records_and_share_one() {
        let hello = server_hello(0x0301, &[]);
        let exchange = message(SERVER_KEY_EXCHANGE, &[3, 0, 23, 1, 4]);
        let both = [hello, exchange, message(14, &[])].concat();
        let wire = both.chunks(7).map(|chunk| record(HANDSHAKE, chunk));
        let (lines, reader) = lines(wire);
        assert_eq!(
            lines,
            [
                "received ServerHello, 44 bytes: TLSv1.0, TLS_AES_128_GCM_SHA256",
                "received ServerKeyExchange, 9 bytes: P-256",
                "received ServerHelloDone, 4 bytes",
            ]
        );
        assert_eq!(reader.hello.version, Some(ProtocolVersion::TLSv1_0));
        assert_eq!(reader.unfinished(), None);
    }

    #[test]
    fn a_large_message_is_not_kept() {
        let mut reader = RecordReader::default();
        reader.read(Sender::Server, &record(HANDSHAKE, &[11, 0xff, 0xff, 0xff]));
        for _ in 0..100 {
            reader.read(Sender::Server, &record(HANDSHAKE, &[0; 16_000]));
        }
        assert_eq!(reader.unfinished(), Some((1_600_004, (1 << 24) + 3)));
        assert!(reader.received.message.capacity() <= 2 * MAX_KEPT);
    }

    proptest! {
        #[test]
        fn any_bytes_are_followed_and_notes_are_bounded(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..8)
        ) {
            let mut reader = RecordReader::default();
            for part in &parts {
                reader.read(Sender::Server, part);
                reader.read(Sender::Client, part);
            }
            prop_assert!(reader.notes.len() <= MAX_NOTES);
            for line in reader.take_lines() {
                prop_assert!(!line.contains(|c: char| c.is_control()), "{line}");
            }
        }

        #[test]
        fn any_server_hello_is_read_without_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let wire = record(HANDSHAKE, &message(SERVER_HELLO, &body));
            let (lines, _) = lines([wire]);
            prop_assert_eq!(lines.len(), 1);
        }
    }
}
