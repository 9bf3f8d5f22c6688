//! The `ClientHello` (RFC 5246, section 7.4.1.2; RFC 8446, section 4.1.2).
//!
//! The hello is designed so that as many servers as possible answer it, with as many facts as
//! possible:
//!
//! * It offers nothing newer than TLS 1.2, since the certificates of TLS 1.3 are encrypted. Servers
//!   of older versions select theirs. The record has the version of TLS 1.0, which all accept.
//! * It offers the suites of all key exchanges, the strong ones first, since most servers follow
//!   that order; at most 64, the most that some old servers read. Suites without a certificate
//!   (anonymous, pre-shared keys) are left out, so that servers which prefer them do not select
//!   them.
//! * It has only extensions that select a certificate or are needed for one. No group of RFC 7919:
//!   a server that has none of those offered would have to refuse the other finite fields, too.
//! * It is shorter than 256 bytes for host names of usual length, and longer than 511 otherwise:
//!   some load balancers do not answer to a length between (RFC 7685).
//! * [`HelloForm::Bare`] is for servers that refuse extensions instead of ignoring them.

use crate::tls::hello::messages::HANDSHAKE;
use crate::tls::hello::names::X25519_MLKEM768;
use crate::tls_facts::TlsVersion;

/// What a `ClientHello` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloForm {
    /// For servers of this version or an older one, at most TLS 1.2.
    UpTo(TlsVersion),
    /// The same, for TLS 1.0 and SSL 3.0, without any extension.
    Bare,
    /// Many groups, and no key, so that a server of TLS 1.3 selects the group that it prefers.
    PreferredGroup,
}

impl HelloForm {
    /// The newest version that is offered.
    pub fn newest(self) -> TlsVersion {
        match self {
            Self::UpTo(version) => version.min(TlsVersion::Tls12),
            Self::Bare => TlsVersion::Tls10,
            Self::PreferredGroup => TlsVersion::Tls13,
        }
    }

    /// Whether it has extensions. SSL 3.0 has none.
    fn has_extensions(self) -> bool {
        self != Self::Bare && self.newest() > TlsVersion::Ssl3
    }
}

/// A `ClientHello`.
#[derive(Debug, Clone, Copy)]
pub struct ClientHello<'a> {
    /// What it is for.
    pub form: HelloForm,
    /// The name for SNI (RFC 6066), without a final dot.
    pub server_name: Option<&'a str>,
    /// The application protocols (RFC 7301).
    pub alpn: &'a [Box<str>],
    /// Random bytes.
    pub random: [u8; 32],
}

/// Suites of TLS 1.3, for [`HelloForm::PreferredGroup`].
const SUITES_13: &[u16] = &[0x1301, 0x1302, 0x1303];

/// Suites up to TLS 1.2: forward secrecy first, then strength.
#[rustfmt::skip]
const SUITES: &[u16] = &[
    // ECDHE and DHE with AEAD.
    0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8, 0x009e, 0x009f, 0xccaa, 0xc0ac, 0xc0ae,
    // ECDHE and DHE with CBC.
    0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028, 0x0033, 0x0039, 0x0067, 0x006b,
    // RSA key exchange.
    0x009c, 0x009d, 0xc09c, 0x002f, 0x0035, 0x003c, 0x003d, 0x0041, 0x0084, 0x0096,
    // DSA certificates, and keys of ECDH certificates.
    0x0032, 0x0038, 0xc004, 0xc00e,
    // 3DES, RC4, DES.
    0xc008, 0xc012, 0x0016, 0x000a, 0xc011, 0x0005, 0x0004, 0x0009,
    // Export, and without encryption.
    0x0008, 0x0003, 0x003b, 0x0002,
];

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV`: some servers refuse clients without it (RFC 5746).
const SECURE_RENEGOTIATION: u16 = 0x00ff;

/// `X25519`, P-256, P-384, P-521, `X448`, `brainpoolP256r1`, `brainpoolP384r1`.
const GROUPS: &[u16] = &[29, 23, 24, 25, 30, 26, 27];

/// Before [`GROUPS`]: `X25519MLKEM768`, `SecP256r1MLKEM768`, `SecP384r1MLKEM1024`.
const POST_QUANTUM_GROUPS: &[u16] = &[X25519_MLKEM768, 0x11eb, 0x11ed];

/// ECDSA, `EdDSA`, RSA-PSS, RSA, SHA-1, MD5.
const SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x0401, 0x0501, 0x0601,
    0x0203, 0x0201, 0x0202, 0x0101,
];

/// The handshake message is not longer than this, or at least [`PADDED`] bytes.
const SHORT: usize = 255;
const PADDED: usize = 512;

impl ClientHello<'_> {
    /// The record with the message.
    pub fn encode(&self) -> Vec<u8> {
        let newest = self.form.newest();
        let mut out = Encoder(Vec::with_capacity(SHORT + 32));
        out.0.push(HANDSHAKE);
        out.number16(number_of(newest.min(TlsVersion::Tls10)));
        out.vector(2, |out| {
            out.0.push(1);
            out.vector(3, |out| self.encode_body(out));
        });
        out.0
    }

    fn encode_body(&self, out: &mut Encoder) {
        let start = out.0.len();
        out.number16(number_of(self.form.newest().min(TlsVersion::Tls12)));
        out.0.extend_from_slice(&self.random);
        out.vector(1, |out| {
            if self.form == HelloForm::PreferredGroup {
                // Middleboxes expect a session of TLS 1.2 (RFC 8446, appendix D.4).
                out.0.extend(self.random.iter().map(|byte| !byte));
            }
        });
        out.vector(2, |out| {
            if self.form == HelloForm::PreferredGroup {
                out.numbers16(SUITES_13);
            }
            out.numbers16(SUITES);
            out.number16(SECURE_RENEGOTIATION);
        });
        // No compression.
        out.vector(1, |out| out.0.push(0));
        if self.form.has_extensions() {
            out.vector(2, |out| {
                self.encode_extensions(out);
                // The message has a header of 4 bytes; the padding, too.
                let length = out.0.len() - start + 4;
                if length > SHORT && length < PADDED {
                    out.extension(21, |out| {
                        let missing = PADDED.saturating_sub(length + 4).max(1);
                        out.0.resize(out.0.len() + missing, 0);
                    });
                }
            });
        }
    }

    fn encode_extensions(&self, out: &mut Encoder) {
        if let Some(name) = self.server_name {
            out.extension(0, |out| {
                out.vector(2, |out| {
                    // A host name.
                    out.0.push(0);
                    out.vector(2, |out| out.0.extend_from_slice(name.as_bytes()));
                });
            });
        }
        // Extended master secret: hardened servers refuse clients without it (RFC 7627). Not the last
        // one: some servers refuse an empty extension there.
        out.extension(23, |_| ());
        // An OCSP response, from any responder.
        out.extension(5, |out| out.0.extend_from_slice(&[1, 0, 0, 0, 0]));
        out.extension(10, |out| {
            out.vector(2, |out| {
                if self.form == HelloForm::PreferredGroup {
                    out.numbers16(POST_QUANTUM_GROUPS);
                }
                out.numbers16(GROUPS);
            });
        });
        // Uncompressed points.
        out.extension(11, |out| out.vector(1, |out| out.0.push(0)));
        if self.form.newest() >= TlsVersion::Tls12 {
            out.extension(13, |out| out.vector(2, |out| out.numbers16(SIGNATURES)));
        }
        if !self.alpn.is_empty() {
            out.extension(16, |out| {
                out.vector(2, |out| {
                    for protocol in self.alpn {
                        out.vector(1, |out| out.0.extend_from_slice(protocol.as_bytes()));
                    }
                });
            });
        }
        if self.form == HelloForm::PreferredGroup {
            // A server that knows this extension selects one of these, or refuses.
            let versions = [0x0304, 0x0303, 0x0302, 0x0301];
            out.extension(43, |out| out.vector(1, |out| out.numbers16(&versions)));
            // No key.
            out.extension(51, |out| out.number16(0));
        }
    }
}

/// The number of a version.
fn number_of(version: TlsVersion) -> u16 {
    match version {
        TlsVersion::Ssl3 => 0x0300,
        TlsVersion::Tls10 => 0x0301,
        TlsVersion::Tls11 => 0x0302,
        TlsVersion::Tls12 => 0x0303,
        TlsVersion::Tls13 => 0x0304,
    }
}

/// The record of the alert `close_notify`, for a peer that has selected this version.
pub fn close_notify(version: TlsVersion) -> [u8; 7] {
    let [high, low] = number_of(version.min(TlsVersion::Tls12)).to_be_bytes();
    [21, high, low, 0, 2, 1, 0]
}

/// Appends the fields of a message.
struct Encoder(Vec<u8>);

impl Encoder {
    fn number16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn numbers16(&mut self, numbers: &[u16]) {
        for number in numbers {
            self.number16(*number);
        }
    }

    /// A vector after its length in this many bytes. Names and lists are shorter than their limits.
    fn vector(&mut self, length_bytes: usize, content: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.resize(start + length_bytes, 0);
        content(self);
        let length = (self.0.len() - start - length_bytes).to_be_bytes();
        let low_bytes = length.iter().rev().take(length_bytes);
        let place = self.0.get_mut(start..).unwrap_or_default();
        for (place, byte) in place.iter_mut().take(length_bytes).rev().zip(low_bytes) {
            *place = *byte;
        }
    }

    fn extension(&mut self, kind: u16, content: impl FnOnce(&mut Self)) {
        self.number16(kind);
        self.vector(2, content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::hello::fields::MessageFields;

    const NAME: &str = "www.example.com";

    fn hello(form: HelloForm, name: Option<&str>) -> Vec<u8> {
        let alpn = &[];
        ClientHello {
            form,
            server_name: name,
            alpn,
            random: [7; 32],
        }
        .encode()
    }

    type Extensions = Vec<(u16, Vec<u8>)>;

    /// The version, suites and extensions of a hello, after its lengths are checked.
    fn parts(wire: &[u8]) -> (u16, Vec<u16>, Extensions) {
        let mut record = MessageFields(wire);
        assert_eq!(record.number8(), Some(22));
        record.number16().unwrap();
        let mut message = MessageFields(record.vector(2).unwrap());
        assert!(record.is_empty());
        assert_eq!(message.number8(), Some(1));
        let mut body = MessageFields(message.vector(3).unwrap());
        assert!(message.is_empty());
        let version = body.number16().unwrap();
        assert_eq!(body.bytes(32), Some([7; 32].as_slice()));
        body.vector(1).unwrap();
        let suites = body.vector(2).unwrap();
        let pairs = suites
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        assert_eq!(body.vector(1), Some([0].as_slice()));
        let mut found = Vec::new();
        if !body.is_empty() {
            let mut extensions = MessageFields(body.vector(2).unwrap());
            while !extensions.is_empty() {
                let kind = extensions.number16().unwrap();
                found.push((kind, extensions.vector(2).unwrap().to_vec()));
            }
        }
        assert!(body.is_empty());
        (version, pairs.collect(), found)
    }

    #[test]
    fn a_hello_has_the_versions_of_its_form() {
        let cases = [
            (HelloForm::UpTo(TlsVersion::Ssl3), 0x300, 0x300, 0),
            (HelloForm::UpTo(TlsVersion::Tls10), 0x301, 0x301, 5),
            (HelloForm::UpTo(TlsVersion::Tls11), 0x301, 0x302, 5),
            (HelloForm::UpTo(TlsVersion::Tls12), 0x301, 0x303, 6),
            (HelloForm::UpTo(TlsVersion::Tls13), 0x301, 0x303, 6),
            (HelloForm::Bare, 0x301, 0x301, 0),
        ];
        for (form, record, message, number) in cases {
            let wire = hello(form, Some(NAME));
            assert_eq!(wire[1..3], u16::to_be_bytes(record));
            let (version, suites, extensions) = parts(&wire);
            assert_eq!(version, message, "{form:?}");
            assert!(suites.len() <= 64);
            assert_eq!(suites.last(), Some(&SECURE_RENEGOTIATION));
            assert_eq!(extensions.len(), number, "{form:?}");
        }
        let (version, suites, extensions) = parts(&hello(HelloForm::PreferredGroup, Some(NAME)));
        assert_eq!((version, suites[0]), (0x303, 0x1301));
        let extension = |kind| {
            extensions
                .iter()
                .find(|(k, _)| *k == kind)
                .unwrap()
                .1
                .as_slice()
        };
        assert_eq!(extension(43), [8, 3, 4, 3, 3, 3, 2, 3, 1]);
        assert_eq!(extension(51), [0, 0]);
        assert_eq!(extension(10)[..4], [0, 20, 0x11, 0xec]);
    }

    #[test]
    fn the_length_is_never_one_that_load_balancers_ignore() {
        let forms = [
            HelloForm::UpTo(TlsVersion::Tls10),
            HelloForm::UpTo(TlsVersion::Tls12),
            HelloForm::PreferredGroup,
        ];
        for form in forms {
            for length in 0..=253 {
                let name = "n".repeat(length);
                let wire = hello(form, (length > 0).then_some(name.as_str()));
                parts(&wire);
                let message = wire.len() - 5;
                assert!(
                    !(SHORT + 1..PADDED).contains(&message),
                    "{form:?} {length} {message}"
                );
                let usual = length <= 24 && form != HelloForm::PreferredGroup;
                assert!(message <= 560 && (message <= SHORT || !usual));
            }
        }
    }

    #[test]
    fn the_name_and_the_protocols_are_sent() {
        let alpn = ["h2".into(), "http/1.1".into()];
        let wire = ClientHello {
            form: HelloForm::UpTo(TlsVersion::Tls12),
            server_name: Some("a.b"),
            alpn: &alpn,
            random: [7; 32],
        }
        .encode();
        let (_, _, extensions) = parts(&wire);
        assert_eq!(extensions[0], (0, b"\0\x06\0\0\x03a.b".to_vec()));
        assert!(extensions.contains(&(16, b"\0\x0c\x02h2\x08http/1.1".to_vec())));
        assert!(!extensions.last().unwrap().1.is_empty());
    }
}
