//! Recognizes the protocol of a peer that does not speak TLS, by its first bytes.

use crate::escape::push_escaped;

/// How many bytes are examined to find out whether a peer speaks TLS: a record header (RFC 8446,
/// section 5.1).
pub const HEADER: usize = 5;

/// Whether these first bytes may be the start of a TLS record: a content type, and a version of SSL
/// 3.0 or newer.
pub fn may_be_tls(first: &[u8]) -> bool {
    let is_type = first.first().is_none_or(|kind| (20..=24).contains(kind));
    let is_version = first.get(1).is_none_or(|major| *major == 3);
    is_type && is_version
}

/// Whether these first bytes, which cannot be TLS, suffice to recognize the protocol: a whole line,
/// or as many bytes as a record header has.
pub fn is_enough(first: &[u8]) -> bool {
    first.len() >= HEADER || first.contains(&b'\n')
}

/// The error for a peer with these first bytes, which are not TLS: its protocol, and the remedy.
pub fn sentence(first: &[u8]) -> String {
    let line = first.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let shown = quote(line.unwrap_or_default());
    match protocol(first) {
        Some(Plain { name, starttls: "" }) => {
            format!("the server answers with {name}, not with TLS: {shown}; this is not a TLS port")
        }
        Some(Plain { name, starttls }) => format!(
            "the server answers with {name}, not with TLS: {shown}; it may support STARTTLS: try `--starttls {starttls}`"
        ),
        None => format!(
            "the server answers with bytes that are not TLS: {shown}; check that this is a TLS port"
        ),
    }
}

/// A protocol without TLS.
struct Plain {
    name: &'static str,
    /// Its name for `--starttls`; empty if it has no STARTTLS.
    starttls: &'static str,
}

fn protocol(first: &[u8]) -> Option<Plain> {
    let has = |text: &str| {
        let text = text.as_bytes();
        let window = first.get(..first.len().min(256)).unwrap_or_default();
        window
            .windows(text.len())
            .any(|part| part.eq_ignore_ascii_case(text))
    };
    let plain = |name, starttls| Some(Plain { name, starttls });
    match first {
        [b'H', b'T', b'T', b'P', b'/', ..] => plain("plain HTTP", ""),
        [b'<', ..] if has("<html") || has("<!doctype") => plain("plain HTTP", ""),
        [b'S', b'S', b'H', b'-', ..] => plain("SSH", ""),
        [
            b'2' | b'4' | b'5',
            b'0'..=b'9',
            b'0'..=b'9',
            b' ' | b'-',
            ..,
        ] if has("ftp") => plain("FTP", "ftp"),
        [b'2', b'2', b'0', b' ' | b'-', ..] => plain("SMTP or FTP", "smtp` or `--starttls ftp"),
        [b'4' | b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..] => {
            plain("a refusal of SMTP, FTP or NNTP", "smtp")
        }
        [b'2', b'0', b'0' | b'1', b' ' | b'-', ..] => plain("NNTP", "nntp"),
        [b'*', b' ', ..] => plain("IMAP", "imap"),
        [b'+', b'O', b'K', ..] => plain("POP3", "pop3"),
        [b'-', b'E', b'R', b'R', ..] => plain("Redis or POP3", "pop3"),
        [b'E', 0, 0, _, _, ..] => plain("PostgreSQL", "postgres"),
        [_, _, _, 0, 10 | 255, ..] => plain("MySQL", "mysql"),
        [3, 0, 0, _, _, ..] => plain("RDP", "rdp"),
        [b'<', b'?', b'x', b'm', b'l', ..] | [b'<', b's', b't', b'r', ..] => plain("XMPP", "xmpp"),
        [b'"', b'I', b'M', b'P', b'L', ..] => plain("ManageSieve", "sieve"),
        [255, 251..=254, ..] => plain("Telnet", "telnet"),
        [0x30, ..] if has("1.3.6.1.4.1.1466") => plain("LDAP", "ldap"),
        [b':', ..] if has(" notice ") => plain("IRC", "irc"),
        [b'N', b'O', b'T', b'I', b'C', ..] => plain("IRC", "irc"),
        [b'R', b'F', b'B', b' ', ..] => plain("VNC", ""),
        [b'A', b'M', b'Q', b'P', ..] => plain("AMQP", ""),
        [b'Z', b'B', b'X', b'D', ..] => plain("the Zabbix protocol", ""),
        _ => None,
    }
}

/// The start of received bytes in quotes. Bytes that are not ASCII are escaped.
fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let mut text = String::from("\"");
    for byte in bytes.iter().take(SHOWN) {
        match byte {
            b'"' => text.push_str("\\\""),
            0x80.. => crate::escape::push_hex(&mut text, *byte),
            byte => push_escaped(&mut text, char::from(*byte)),
        }
    }
    text.push_str(if bytes.len() > SHOWN { "...\"" } else { "\"" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_header_may_be_tls_and_other_bytes_are_not() {
        for tls in [&b""[..], b"\x16", b"\x15\x03", b"\x16\x03\x01\x00\x05"] {
            assert!(may_be_tls(tls), "{tls:?}");
        }
        for other in [&b"HTTP/1.1"[..], b"\x16\x02", b"\x00", b"\xff\xfb"] {
            assert!(!may_be_tls(other), "{other:?}");
        }
    }

    #[test]
    fn the_usual_peers_are_named() {
        for (first, expected) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n"[..],
                "plain HTTP, not with TLS: \"HTTP/1.1 400 Bad Request\"; this is not a TLS port",
            ),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH, not with TLS"),
            (
                b"220 mx1 ESMTP\r\n",
                "SMTP or FTP, not with TLS: \"220 mx1 ESMTP\"; it may support STARTTLS: try `--starttls \
                 smtp` or `--starttls ftp`",
            ),
            (b"220 ProFTPD Server\r\n", "FTP, not with TLS"),
            (b"* OK ready\r\n", "`--starttls imap`"),
            (b"\x4a\x00\x00\x00\x0a8.0", "MySQL"),
            (b"E\x00\x00\x00\x85SFATAL", "PostgreSQL"),
            (
                b"\xff\xfd\x18\xff\xfd",
                "Telnet, not with TLS: \"\\xff\\xfd\\x18\\xff\\xfd\"",
            ),
            (
                b"\x00\x01\x02\x03\x04",
                "bytes that are not TLS: \"\\x00\\x01\\x02\\x03\\x04\"; check that this is a TLS \
                 port",
            ),
        ] {
            let text = sentence(first);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn any_bytes_are_one_printable_line() {
        for byte in 0..=u8::MAX {
            let text = sentence(&[byte; 200]);
            assert!(
                text.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
                "{text}"
            );
            assert!(text.len() < 400, "{text}");
        }
    }
}
