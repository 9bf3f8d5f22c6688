//! Events of client connections, and their log lines.

use std::net::SocketAddr;
use std::{fmt, io};

use crate::plan::bytes::Charset;

/// How many bytes of an event are shown in its line.
const SHOWN: usize = 1024;

/// An event of one client connection.
#[derive(Debug)]
pub enum ClientEvent<'a> {
    /// It was accepted.
    Connected,
    /// One read returned these bytes.
    Received(&'a [u8]),
    /// The kernel has taken these bytes, all of them.
    Sent(&'a [u8]),
    /// The client closed its side: a read returned 0 bytes.
    ClosedByClient,
    /// The responder sent FIN, and the client's FIN did not arrive in time.
    DrainTimedOut,
    /// The responder closed the connection with RST.
    Reset,
    /// The connection failed, most often by an RST of the client.
    Failed(&'a io::Error),
}

/// Receives the events of all clients.
pub trait EventLog {
    /// Records an event.
    ///
    /// # Errors
    /// The event cannot be recorded; that ends the responder.
    fn record(&mut self, client: SocketAddr, event: &ClientEvent<'_>) -> io::Result<()>;
}

/// An event as one printable line without a newline, such as `192.0.2.7:40312 received 2 bytes:
/// ok`.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// The client's address; an IPv4-mapped one as IPv4.
    pub client: SocketAddr,
    /// The event.
    pub event: &'a ClientEvent<'a>,
    /// How bytes are decoded.
    pub charset: Charset,
}

impl fmt::Display for LogLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.client)?;
        match self.event {
            ClientEvent::Connected => f.write_str("connected"),
            ClientEvent::Received(bytes) => self.bytes(f, "received", bytes),
            ClientEvent::Sent(bytes) => self.bytes(f, "sent", bytes),
            ClientEvent::ClosedByClient => f.write_str("closed the connection"),
            ClientEvent::DrainTimedOut => {
                f.write_str("closed by this side: the client sent no FIN")
            }
            ClientEvent::Reset => f.write_str("reset by this side"),
            ClientEvent::Failed(error) => match error.kind() {
                io::ErrorKind::ConnectionReset => f.write_str("reset by the client"),
                io::ErrorKind::BrokenPipe => {
                    f.write_str("closed the connection before all data was sent")
                }
                _ => write!(f, "failed: {error}"),
            },
        }
    }
}

impl LogLine<'_> {
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

    fn line(event: &ClientEvent<'_>, label: &str) -> String {
        let charset = Charset::from_label(label).unwrap();
        LogLine {
            client: "127.0.0.1:40312".parse().unwrap(),
            event,
            charset,
        }
        .to_string()
    }

    #[test]
    fn bytes_are_counted_and_decoded() {
        let text = line(&ClientEvent::Received(b"\xc4\xe3\xba\xc3\r\n\xff"), "gbk");
        assert_eq!(text, "127.0.0.1:40312 received 7 bytes: 你好\\r\\n\\xff");
        assert_eq!(
            line(&ClientEvent::Sent(b"k"), "utf-8"),
            "127.0.0.1:40312 sent 1 byte: k"
        );
    }

    #[test]
    fn a_long_text_is_truncated_visibly() {
        let text = line(&ClientEvent::Sent(&[b'a'; 1025]), "utf-8");
        assert_eq!(
            text,
            format!("127.0.0.1:40312 sent 1025 bytes: {}...", "a".repeat(1024))
        );
    }

    #[test]
    fn a_failure_names_the_side_that_caused_it() {
        let of = |errno| {
            line(
                &ClientEvent::Failed(&io::Error::from_raw_os_error(errno)),
                "utf-8",
            )
        };
        assert_eq!(of(libc::ECONNRESET), "127.0.0.1:40312 reset by the client");
        assert_eq!(
            of(libc::EPIPE),
            "127.0.0.1:40312 closed the connection before all data was sent"
        );
        assert!(
            of(libc::ETIMEDOUT).starts_with("127.0.0.1:40312 failed: "),
            "{}",
            of(libc::ETIMEDOUT)
        );
    }
}
