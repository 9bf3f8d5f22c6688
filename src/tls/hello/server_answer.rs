//! The answer of a server to a `ClientHello`, up to `ServerHelloDone` (RFC 5246, section 7.3; RFC
//! 6101 for SSL 3.0). Of TLS 1.3 (RFC 8446) only `ServerHello` or `HelloRetryRequest` is readable.

use crate::tls::alerts;
use crate::tls::hello::fields::MessageFields;
use crate::tls::hello::messages::{PlainMessage, message_name};
use crate::tls::hello::names::{KeyExchange, group_name, key_exchange};
use crate::tls::provider;
use crate::tls_facts::TlsVersion;

/// The most certificates that are accepted in a chain.
pub const MAX_CERTIFICATES: usize = 256;
/// The most warning alerts that are accepted before an answer.
const MAX_WARNINGS: usize = 4;

const WARNING: u8 = 1;
const CLOSE_NOTIFY: u8 = 0;

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
    /// Whether it requests a client certificate.
    pub requests_certificate: bool,
    /// Whether its part of the handshake has ended, as far as it is readable.
    pub ended: bool,
    warnings: usize,
}

/// Why an answer contains no facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerError {
    /// The server ended the handshake with this alert.
    Alert(u8),
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
    /// this version.
    ///
    /// # Errors
    /// If the server refuses, or the message is invalid.
    pub fn take(
        &mut self,
        message: PlainMessage<'_>,
        newest: TlsVersion,
    ) -> Result<(), AnswerError> {
        match message {
            PlainMessage::Alert(level, code) => self.take_alert(level, code),
            PlainMessage::ChangeCipherSpec => Err(AnswerError::invalid(
                "the server sends ChangeCipherSpec before the end of the handshake",
            )),
            // It may arrive at any time, and is ignored during a handshake.
            PlainMessage::Handshake(HELLO_REQUEST, _) => Ok(()),
            PlainMessage::Handshake(kind, _) if !self.expects(kind) => {
                let name = message_name(kind);
                let sentence =
                    format!("the server sends {name} where the protocol does not allow it");
                Err(AnswerError::Invalid(sentence))
            }
            PlainMessage::Handshake(kind, body) => {
                let mut fields = MessageFields(body);
                let read = match kind {
                    SERVER_HELLO => self.take_hello(&mut fields, newest)?,
                    CERTIFICATE => self.take_certificates(&mut fields)?,
                    SERVER_KEY_EXCHANGE => self.take_key_exchange(&mut fields),
                    CERTIFICATE_STATUS => self.take_status(&mut fields),
                    // Its form depends on the version, and only the fact counts.
                    CERTIFICATE_REQUEST => {
                        self.requests_certificate = true;
                        Some(())
                    }
                    SERVER_HELLO_DONE => {
                        self.ended = true;
                        Some(())
                    }
                    _ => Some(()),
                };
                read.ok_or_else(|| {
                    let (name, length) = (message_name(kind), body.len());
                    AnswerError::Invalid(format!(
                        "the {name} message of the server ({length} bytes) cannot be read"
                    ))
                })
            }
        }
    }

    /// Whether a handshake message of this type is allowed now. The order of those between
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

    /// A warning other than `close_notify` does not end the handshake. The best known is
    /// `unrecognized_name` of servers that have no certificate for the name (RFC 6066, section 3).
    fn take_alert(&mut self, level: u8, code: u8) -> Result<(), AnswerError> {
        if level != WARNING || code == CLOSE_NOTIFY {
            return Err(AnswerError::Alert(code));
        }
        self.warnings += 1;
        if self.warnings > MAX_WARNINGS {
            let name = alerts::name(code);
            let sentence = format!("the server sends too many warning alerts, the last is {name}");
            return Err(AnswerError::Invalid(sentence));
        }
        Ok(())
    }

    /// `ServerHello`: RFC 5246, section 7.4.1.3; RFC 8446, section 4.1.3.
    fn take_hello(
        &mut self,
        fields: &mut MessageFields<'_>,
        newest: TlsVersion,
    ) -> Result<Option<()>, AnswerError> {
        let Some(hello) = ServerHello::read(fields) else {
            return Ok(None);
        };
        let Some(version) = provider::version(hello.version.into()) else {
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
        Ok(Some(()))
    }

    /// `Certificate`: RFC 5246, section 7.4.2.
    fn take_certificates(
        &mut self,
        fields: &mut MessageFields<'_>,
    ) -> Result<Option<()>, AnswerError> {
        let length = fields.0.len();
        let Some(list) = fields.vector(3) else {
            return Ok(None);
        };
        let (mut list, mut found) = (MessageFields(list), Vec::new());
        while !list.is_empty() {
            if found.len() == MAX_CERTIFICATES {
                return Err(AnswerError::Invalid(format!(
                    "the server sends more than {MAX_CERTIFICATES} certificates"
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
        self.certificates = Some(found);
        self.certificate_message = length;
        Ok(Some(()))
    }

    /// `ServerKeyExchange`: the group, or the length of the prime.
    fn take_key_exchange(&mut self, fields: &mut MessageFields<'_>) -> Option<()> {
        let group: Box<str> = match self.cipher.map_or(KeyExchange::NoGroup, key_exchange) {
            KeyExchange::NoGroup => return Some(()),
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
        self.group = Some(group);
        Some(())
    }

    /// `CertificateStatus`: RFC 6066, section 8.
    fn take_status(&mut self, fields: &mut MessageFields<'_>) -> Option<()> {
        const OCSP: u8 = 1;
        if fields.number8()? != OCSP {
            return Some(());
        }
        let response = fields.vector(3)?;
        self.staple = !response.is_empty();
        Some(())
    }
}

/// The fields of a `ServerHello` that are reported.
struct ServerHello {
    version: u16,
    suite: u16,
    group: Option<u16>,
    alpn: Option<Box<str>>,
}

impl ServerHello {
    fn read(fields: &mut MessageFields<'_>) -> Option<Self> {
        let version = fields.number16()?;
        // The random number, by which a HelloRetryRequest is recognized; and the session.
        fields.bytes(32)?;
        fields.vector(1)?;
        let suite = fields.number16()?;
        // The compression.
        fields.number8()?;
        let mut hello = Self {
            version,
            suite,
            group: None,
            alpn: None,
        };
        if fields.is_empty() {
            return Some(hello);
        }
        let mut extensions = MessageFields(fields.vector(2)?);
        while !extensions.is_empty() {
            let kind = extensions.number16()?;
            hello.take_extension(kind, MessageFields(extensions.vector(2)?))?;
        }
        Some(hello)
    }

    fn take_extension(&mut self, kind: u16, mut content: MessageFields<'_>) -> Option<()> {
        match kind {
            SUPPORTED_VERSIONS => self.version = content.number16()?,
            // Of a HelloRetryRequest the group alone, of a ServerHello with the key.
            KEY_SHARE => self.group = Some(content.number16()?),
            ALPN => {
                let protocol = MessageFields(content.vector(2)?).vector(1)?;
                self.alpn = Some(String::from_utf8_lossy(protocol).into());
            }
            _ => (),
        }
        Some(())
    }
}
