//! The answer of a server to a `ClientHello`, up to `ServerHelloDone` (RFC 5246, section 7.3; RFC
//! 6101 for SSL 3.0). Of TLS 1.3 (RFC 8446) only `ServerHello` or `HelloRetryRequest` is readable.

use crate::tls::hello::alert::TlsAlert;
use crate::tls::hello::fields::Fields;
use crate::tls::hello::names::{KeyExchange, cipher_name, group_name, key_exchange};
use crate::tls::hello::records::{PlainMessage, message_name};
use crate::tls_facts::TlsVersion;

/// The most certificates that are accepted in a chain.
pub const MAX_CERTIFICATES: usize = 256;
/// The most warnings that are accepted before an answer.
const MAX_WARNINGS: usize = 4;

/// The random number of a `HelloRetryRequest` (RFC 8446, section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const HELLO_REQUEST: u8 = 0;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CERTIFICATE_STATUS: u8 = 22;
/// RFC 4680.
const SUPPLEMENTAL_DATA: u8 = 23;

const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// What a server has answered so far.
#[derive(Debug, Default)]
pub struct ServerAnswer {
    /// The version that it selected.
    pub version: Option<TlsVersion>,
    /// The cipher suite that it selected.
    pub cipher: Option<u16>,
    /// The key exchange group.
    pub group: Option<Box<str>>,
    /// The number of the group, if it has one.
    pub group_number: Option<u16>,
    /// The application protocol that it selected.
    pub alpn: Option<Box<str>>,
    /// The certificates in DER, the leaf first.
    pub certificates: Option<Vec<Box<[u8]>>>,
    /// The length of the `Certificate` message.
    pub certificate_message: usize,
    /// Whether it sent an OCSP response.
    pub staple: bool,
    /// Whether it asks for a client certificate.
    pub requests_certificate: bool,
    /// Whether its part of the handshake has ended, as far as it is readable.
    pub ended: bool,
    warnings: usize,
}

/// Why an answer is not what was hoped for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerError {
    /// The server refused the `ClientHello`.
    Alert(TlsAlert),
    /// The answer is invalid: a sentence.
    Invalid(String),
}

impl AnswerError {
    fn invalid(sentence: impl Into<String>) -> Self {
        Self::Invalid(sentence.into())
    }
}

impl ServerAnswer {
    /// Takes a message of the server, the answer to a `ClientHello` that offers nothing newer than
    /// this version. A line for the transcript, if there is something to show.
    ///
    /// # Errors
    /// If the server refuses, or the message is invalid.
    pub fn take(
        &mut self,
        message: PlainMessage<'_>,
        newest: TlsVersion,
    ) -> Result<Option<String>, AnswerError> {
        match message {
            PlainMessage::Alert(alert) if alert.is_warning() => self.take_warning(alert).map(Some),
            PlainMessage::Alert(alert) => Err(AnswerError::Alert(alert)),
            PlainMessage::ChangeCipherSpec => Err(AnswerError::invalid(
                "ChangeCipherSpec before the end of the handshake",
            )),
            // It may come at any time, and is ignored during a handshake.
            PlainMessage::Handshake(HELLO_REQUEST, _) => Ok(None),
            PlainMessage::Handshake(kind, body) => {
                if !self.expects(kind) {
                    let name = message_name(kind);
                    return Err(AnswerError::invalid(format!("unexpected {name} message")));
                }
                let mut fields = Fields(body);
                let line = match kind {
                    SERVER_HELLO => self.take_hello(&mut fields, newest)?,
                    CERTIFICATE => self.take_certificates(&mut fields)?,
                    SERVER_KEY_EXCHANGE => self.take_key_exchange(&mut fields),
                    CERTIFICATE_REQUEST => {
                        // Its form depends on the version, and only the fact counts.
                        self.requests_certificate = true;
                        Some(String::new())
                    }
                    CERTIFICATE_STATUS => self.take_status(&mut fields),
                    SERVER_HELLO_DONE => {
                        self.ended = true;
                        fields.is_empty().then(String::new)
                    }
                    _ => Some(String::new()),
                };
                let name = message_name(kind);
                match line {
                    Some(line) if line.is_empty() => Ok(Some(name)),
                    Some(line) => Ok(Some(format!("{name}: {line}"))),
                    None => {
                        let length = body.len();
                        Err(AnswerError::invalid(format!(
                            "the {name} message ({length} bytes) cannot be read"
                        )))
                    }
                }
            }
        }
    }

    /// Whether a handshake message of this type may come now. The order of those between
    /// `ServerHello` and `ServerHelloDone` does not matter here.
    fn expects(&self, kind: u8) -> bool {
        match kind {
            SERVER_HELLO => self.version.is_none(),
            _ if self.version.is_none() || self.ended => false,
            CERTIFICATE => self.certificates.is_none(),
            SERVER_KEY_EXCHANGE | CERTIFICATE_REQUEST | SERVER_HELLO_DONE | CERTIFICATE_STATUS
            | SUPPLEMENTAL_DATA => true,
            _ => false,
        }
    }

    fn take_warning(&mut self, alert: TlsAlert) -> Result<String, AnswerError> {
        self.warnings += 1;
        if self.warnings > MAX_WARNINGS {
            let sentence = format!("more than {MAX_WARNINGS} warnings, the last is {alert}");
            return Err(AnswerError::Invalid(sentence));
        }
        Ok(format!("warning: {alert}"))
    }

    /// `ServerHello`: RFC 5246, section 7.4.1.3; RFC 8446, section 4.1.3.
    fn take_hello(
        &mut self,
        fields: &mut Fields<'_>,
        newest: TlsVersion,
    ) -> Result<Option<String>, AnswerError> {
        let Some(hello) = ServerHello::read(fields) else {
            return Ok(None);
        };
        let Some(version) = version_of(hello.version) else {
            let sentence = format!(
                "the server selects an unknown version, {:#06x}",
                hello.version
            );
            return Err(AnswerError::Invalid(sentence));
        };
        if version > newest {
            return Err(AnswerError::Invalid(format!(
                "the server selects {version}, but the newest version offered is {newest}"
            )));
        }
        self.version = Some(version);
        self.cipher = Some(hello.suite);
        self.group_number = hello.group;
        self.group = hello.group.map(group_name);
        self.alpn = hello.alpn;
        // What follows is encrypted, or waits for another ClientHello.
        self.ended = version == TlsVersion::Tls13;
        let mut line = format!("{version} {}", cipher_name(hello.suite));
        if hello.is_retry {
            line.push_str(", asks for another ClientHello");
        }
        if let Some(group) = &self.group {
            line.push_str(", ");
            line.push_str(group);
        }
        Ok(Some(line))
    }

    /// `Certificate`: RFC 5246, section 7.4.2.
    fn take_certificates(
        &mut self,
        fields: &mut Fields<'_>,
    ) -> Result<Option<String>, AnswerError> {
        let length = fields.0.len();
        let Some(list) = fields.vector(3) else {
            return Ok(None);
        };
        let (mut list, mut found) = (Fields(list), Vec::new());
        while !list.is_empty() {
            if found.len() == MAX_CERTIFICATES {
                return Err(AnswerError::Invalid(format!(
                    "the server presents more than {MAX_CERTIFICATES} certificates"
                )));
            }
            let Some(certificate) = list.vector(3) else {
                return Ok(None);
            };
            found.push(certificate.into());
        }
        if !fields.is_empty() {
            return Ok(None);
        }
        let line = match found.len() {
            1 => format!("1 certificate, {length} bytes"),
            number => format!("{number} certificates, {length} bytes"),
        };
        self.certificates = Some(found);
        self.certificate_message = length;
        Ok(Some(line))
    }

    /// `ServerKeyExchange`: the group, or the length of the prime.
    fn take_key_exchange(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        let group: Box<str> = match self.cipher.map_or(KeyExchange::NoGroup, key_exchange) {
            KeyExchange::NoGroup => return Some(String::new()),
            // RFC 5246, section 7.4.3.
            KeyExchange::Prime => {
                let prime = fields.vector(2)?;
                let zeros = prime.iter().take_while(|byte| **byte == 0).count();
                let prime = prime.get(zeros..)?;
                let unused = prime.first()?.leading_zeros() as usize;
                format!("DH-{}", prime.len() * 8 - unused).into()
            }
            // RFC 8422, section 5.4. Explicit curves are those of RFC 4492.
            KeyExchange::Curve => match fields.number8()? {
                1 => "explicit_prime".into(),
                2 => "explicit_char2".into(),
                3 => {
                    let number = fields.number16()?;
                    self.group_number = Some(number);
                    group_name(number)
                }
                _ => return None,
            },
        };
        let line = group.to_string();
        self.group = Some(group);
        Some(line)
    }

    /// `CertificateStatus`: RFC 6066, section 8.
    fn take_status(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        const OCSP: u8 = 1;
        if fields.number8()? != OCSP {
            return Some(String::new());
        }
        let response = fields.vector(3)?;
        self.staple = !response.is_empty();
        Some(format!("{} bytes", response.len()))
    }
}

/// The fields of a `ServerHello` that are reported.
struct ServerHello {
    version: u16,
    suite: u16,
    is_retry: bool,
    group: Option<u16>,
    alpn: Option<Box<str>>,
}

impl ServerHello {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let version = fields.number16()?;
        let is_retry = fields.bytes(RETRY_RANDOM.len())? == RETRY_RANDOM;
        // The session.
        fields.vector(1)?;
        let suite = fields.number16()?;
        // The compression.
        fields.number8()?;
        let mut hello = Self {
            version,
            suite,
            is_retry,
            group: None,
            alpn: None,
        };
        if fields.is_empty() {
            return Some(hello);
        }
        let mut extensions = Fields(fields.vector(2)?);
        while !extensions.is_empty() {
            let kind = extensions.number16()?;
            hello.take_extension(kind, Fields(extensions.vector(2)?))?;
        }
        Some(hello)
    }

    fn take_extension(&mut self, kind: u16, mut content: Fields<'_>) -> Option<()> {
        match kind {
            SUPPORTED_VERSIONS => self.version = content.number16()?,
            // Of a HelloRetryRequest the group alone, of a ServerHello with the key.
            KEY_SHARE => self.group = Some(content.number16()?),
            ALPN => {
                let protocol = Fields(content.vector(2)?).vector(1)?;
                self.alpn = Some(String::from_utf8_lossy(protocol).into());
            }
            _ => (),
        }
        Some(())
    }
}

/// The version with this number.
fn version_of(number: u16) -> Option<TlsVersion> {
    Some(match number {
        0x0300 => TlsVersion::Ssl3,
        0x0301 => TlsVersion::Tls10,
        0x0302 => TlsVersion::Tls11,
        0x0303 => TlsVersion::Tls12,
        0x0304 => TlsVersion::Tls13,
        _ => return None,
    })
}
