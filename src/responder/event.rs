//! What happens to clients, and the line that tells it.

use std::net::SocketAddr;
use std::{fmt, io};

use crate::plan::bytes::Charset;

/// Bytes of one event that its line shows.
const SHOWN: usize = 1024;

/// One thing that happened to a client.
#[derive(Debug)]
pub enum Event<'a> {
    /// It was accepted.
    Connected,
    /// One read gave these bytes.
    Received(&'a [u8]),
    /// These bytes were handed to the kernel, to the last one.
    Sent(&'a [u8]),
    /// It closed its side: a read gave 0 bytes.
    Left,
    /// We closed first, and it did not follow in time.
    Overstayed,
    /// We ended the connection with RST.
    Reset,
    /// Its connection broke, most often by its own RST.
    Failed(&'a io::Error),
}

/// Who is told.
pub trait Log {
    /// Takes note of an event; an error ends the responder.
    fn note(&mut self, client: SocketAddr, event: &Event<'_>) -> io::Result<()>;
}

/// An event as one printable line without its end, such as `192.0.2.7:40312 received 2 bytes: ok`.
#[derive(Debug)]
pub struct Line<'a> {
    /// The client, an IPv4 one as plain IPv4.
    pub client: SocketAddr,
    /// What happened.
    pub event: &'a Event<'a>,
    /// How bytes are shown.
    pub charset: Charset,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.client)?;
        match self.event {
            Event::Connected => f.write_str("connected"),
            Event::Received(bytes) => self.bytes(f, "received", bytes),
            Event::Sent(bytes) => self.bytes(f, "sent", bytes),
            Event::Left => f.write_str("left"),
            Event::Overstayed => f.write_str("closed by this side: its own FIN did not come"),
            Event::Reset => f.write_str("reset by this side"),
            Event::Failed(error) => match error.kind() {
                io::ErrorKind::ConnectionReset => f.write_str("reset by the client"),
                io::ErrorKind::BrokenPipe => f.write_str("left before everything was sent"),
                _ => write!(f, "failed: {error}"),
            },
        }
    }
}

impl Line<'_> {
    fn bytes(&self, f: &mut fmt::Formatter<'_>, verb: &str, bytes: &[u8]) -> fmt::Result {
        let unit = if bytes.len() == 1 { "byte" } else { "bytes" };
        let (text, rest) = bytes.split_at(bytes.len().min(SHOWN));
        let more = if rest.is_empty() { "" } else { "..." };
        write!(
            f,
            "{verb} {} {unit}: {}{more}",
            bytes.len(),
            self.charset.printable(text)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &Event<'_>, label: &str) -> String {
        let charset = Charset::from_label(label).unwrap();
        Line {
            client: "127.0.0.1:40312".parse().unwrap(),
            event,
            charset,
        }
        .to_string()
    }

    #[test]
    fn bytes_are_counted_and_decoded() {
        let text = line(&Event::Received(b"\xc4\xe3\xba\xc3\r\n\xff"), "gbk");
        assert_eq!(text, "127.0.0.1:40312 received 7 bytes: 你好\\r\\n\\xff");
        assert_eq!(
            line(&Event::Sent(b"k"), "utf-8"),
            "127.0.0.1:40312 sent 1 byte: k"
        );
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let text = line(&Event::Sent(&[b'a'; 1025]), "utf-8");
        assert_eq!(
            text,
            format!("127.0.0.1:40312 sent 1025 bytes: {}...", "a".repeat(1024))
        );
    }

    #[test]
    fn broken_connections_say_whose_doing_it_was() {
        let of = |errno| {
            line(
                &Event::Failed(&io::Error::from_raw_os_error(errno)),
                "utf-8",
            )
        };
        assert_eq!(of(libc::ECONNRESET), "127.0.0.1:40312 reset by the client");
        assert_eq!(
            of(libc::EPIPE),
            "127.0.0.1:40312 left before everything was sent"
        );
        assert!(
            of(libc::ETIMEDOUT).starts_with("127.0.0.1:40312 failed: "),
            "{}",
            of(libc::ETIMEDOUT)
        );
    }
}
