//! Peers that do not speak TLS on the port, recognized by the first bytes that they send.

use crate::plan::bytes::Charset;

/// What a peer sent instead of TLS, as far as it is needed for a sentence.
#[derive(Debug, Default)]
pub struct PlainText(Vec<u8>);

/// The longest beginning that is shown.
const SHOWN: usize = 64;

impl PlainText {
    /// Whether this can only be the first byte of another protocol: it is not a type of a record.
    pub fn starts_with(first: u8) -> bool {
        !(20..=23).contains(&first)
    }

    /// Takes bytes; a sentence once there are enough of them: a line, or something that is not
    /// text. So the sentence does not depend on how the bytes were divided.
    pub fn take(&mut self, wire: &[u8]) -> Option<String> {
        for byte in wire {
            self.0.push(*byte);
            let is_text = matches!(byte, b' '..=b'~' | b'\r' | b'\t');
            if !is_text || self.0.len() == SHOWN {
                return self.sentence();
            }
        }
        None
    }

    /// The sentence, if something was received.
    pub fn sentence(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let text = Charset::default().printable_prefix(&self.0);
        Some(match protocol(&self.0) {
            Some(protocol) => {
                format!("the peer does not speak TLS here, but {protocol}: \"{text}\"")
            }
            None => format!("the peer does not speak TLS here: \"{text}\""),
        })
    }
}

/// The protocol that starts like this.
fn protocol(start: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 9] = [
        (b"HTTP/", "plain HTTP"),
        (b"<!DOCTYPE", "plain HTTP"),
        (b"<html", "plain HTTP"),
        (b"SSH-", "SSH"),
        (b"* OK", "plain IMAP (try --starttls imap)"),
        (b"+OK", "plain POP3 (try --starttls pop3)"),
        (b"220", "plain SMTP or FTP (try --starttls)"),
        (b"RFB ", "VNC"),
        (b"ICAP/", "plain ICAP"),
    ];
    let found = STARTS.iter().find(|(known, _)| {
        start
            .get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known))
    });
    found.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_does_not_depend_on_how_the_bytes_are_divided() {
        let cases: [(&[u8], &str); 6] = [
            (
                b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n",
                "the peer does not speak TLS here, but plain HTTP: \"HTTP/1.1 400 Bad Request\\r\\n\"",
            ),
            (
                b"SSH-2.0-OpenSSH_9.2\r\n",
                "the peer does not speak TLS here, but SSH: \
              \"SSH-2.0-OpenSSH_9.2\\r\\n\"",
            ),
            (
                b"\xff\xfd\x18",
                "the peer does not speak TLS here: \"\\xff\"",
            ),
            (
                b"J\0\0\0\n5.5.5-10.11",
                "the peer does not speak TLS here: \"J\\x00\"",
            ),
            (
                &[b'x'; 100],
                &format!("the peer does not speak TLS here: \"{}\"", "x".repeat(64)),
            ),
            (b"\n", "the peer does not speak TLS here: \"\\n\""),
        ];
        for (wire, sentence) in cases {
            assert!(PlainText::starts_with(wire[0]));
            for piece in [1, 3, wire.len()] {
                let mut text = PlainText::default();
                let found = wire.chunks(piece).find_map(|piece| text.take(piece));
                assert_eq!(found.as_deref(), Some(sentence));
            }
        }
    }

    #[test]
    fn the_end_of_the_connection_ends_the_text() {
        let mut text = PlainText::default();
        assert_eq!(text.sentence(), None);
        assert_eq!(text.take(b"ERR"), None);
        let sentence = "the peer does not speak TLS here: \"ERR\"";
        assert_eq!(text.sentence().as_deref(), Some(sentence));
    }
}
