//! One `ClientHello` on a connection, as a layer: it sends the hello, reads the answer, and ends.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};

use crate::address::Host;
use crate::escape::escaped_prefix;
use crate::failure::Status;
use crate::os::random;
use crate::plan::layer::{Layer, LayerConnection, LayerError, MAX_HELD, PeerHalf};
use crate::tls::alerts;
use crate::tls::certificate;
use crate::tls::first_bytes::FirstBytes;
use crate::tls::hello::client_hello::{ClientHello, HelloForm, close_notify};
use crate::tls::hello::messages::MessageReader;
use crate::tls::hello::names::{cipher_name, is_post_quantum};
use crate::tls::hello::server_answer::{AnswerError, ServerAnswer};
use crate::tls::leaf_file;
use crate::tls::options::TlsOptions;
use crate::tls::provider;
use crate::tls::records::{RecordReader, Sender};
use crate::tls::roots;
use crate::tls::verifier;
use crate::tls::verify::{self, Evidence};
use crate::tls_facts::{
    CertificateFacts, FactSource, OmittedCertificates, TlsFacts, TlsVersion, TrustStore,
    Verification, published_chain,
};

/// The longest handshake message that rustls accepts.
const MAX_HANDSHAKE_MESSAGE: usize = 0xffff;

/// What a hello is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloPurpose {
    /// The facts of the peer.
    Facts,
    /// The facts of a peer that did not answer [`HelloPurpose::Facts`], by an older hello.
    OldFacts,
    /// The group that the peer prefers.
    PreferredGroup,
    /// Whether the peer still offers this version or an older one.
    Oldest {
        /// The newest version that is offered.
        up_to: TlsVersion,
        /// The oldest version of the peer, if it refuses this hello.
        otherwise: Option<TlsVersion>,
    },
}

impl HelloPurpose {
    /// What it sends.
    pub fn form(self) -> HelloForm {
        match self {
            Self::Facts => HelloForm::UpTo(TlsVersion::Tls12),
            Self::OldFacts => HelloForm::Bare,
            Self::PreferredGroup => HelloForm::PreferredGroup,
            Self::Oldest { up_to, .. } => HelloForm::UpTo(up_to),
        }
    }

    /// Whether it reads the whole answer, with the certificates.
    pub fn reads_certificates(self) -> bool {
        matches!(self, Self::Facts | Self::OldFacts)
    }
}

/// The layer of one hello.
#[derive(Debug)]
pub struct HelloLayer {
    options: Arc<TlsOptions>,
    purpose: HelloPurpose,
    /// The oldest version that is known already.
    oldest: Option<TlsVersion>,
    /// Whether the server has selected in a handshake what current software speaks.
    is_choice_current: bool,
}

impl HelloLayer {
    /// The layer for one purpose. `oldest` is the oldest version of the peer, as far as it is known.
    pub fn new(options: TlsOptions, purpose: HelloPurpose, oldest: Option<TlsVersion>) -> Self {
        Self {
            options: Arc::new(options),
            purpose,
            oldest,
            is_choice_current: false,
        }
    }

    /// The same, after a handshake in which the server has selected what current software speaks.
    pub fn after_current_choice(self) -> Self {
        Self {
            is_choice_current: true,
            ..self
        }
    }

    /// The host that the certificate must be for, and whose name is sent as SNI.
    fn expected_host(&self, host: &Host) -> Result<Host, LayerError> {
        let Some(name) = &self.options.sni else {
            return Ok(host.clone());
        };
        name.parse().map_err(|error| {
            let name = escaped_prefix(name, 80);
            let cause = format!("`{name}` cannot be sent as SNI: {error}");
            LayerError::new(Status::LocalError, cause)
        })
    }
}

impl Layer for HelloLayer {
    fn start(&self, host: &Host) -> Result<Box<dyn LayerConnection>, LayerError> {
        let host = self.expected_host(host)?;
        let mut random = [0; 32];
        random::fill(&mut random).map_err(|error| {
            let cause =
                format!("this machine cannot provide random bytes for a ClientHello: {error}");
            LayerError::new(Status::LocalError, cause)
        })?;
        let hello = ClientHello {
            form: self.purpose.form(),
            server_name: sni(&host),
            alpn: &self.options.alpn,
            random,
        };
        let output = hello.encode();
        Ok(Box::new(HelloConnection {
            options: Arc::clone(&self.options),
            purpose: self.purpose,
            oldest: self.oldest,
            is_choice_current: self.is_choice_current,
            host,
            output,
            stage: HelloStage::FirstBytes(FirstBytes::default()),
            messages: MessageReader::default(),
            answer: ServerAnswer::default(),
            certificates: Vec::new(),
            omitted: OmittedCertificates::default(),
            verification: None,
            is_refused: false,
            transcript: None,
        }))
    }
}

/// The name that is sent as SNI: none for an address (RFC 6066, section 3).
fn sni(host: &Host) -> Option<&str> {
    match host {
        Host::Name(name) => Some(name.relative()),
        Host::Address(_) | Host::Zoned(_) => None,
    }
}

/// A connection that a `ClientHello` was sent on.
struct HelloConnection {
    options: Arc<TlsOptions>,
    purpose: HelloPurpose,
    oldest: Option<TlsVersion>,
    is_choice_current: bool,
    /// The host that the certificate must be for.
    host: Host,
    output: Vec<u8>,
    stage: HelloStage,
    messages: MessageReader,
    answer: ServerAnswer,
    /// The facts of the certificates, once the answer is complete.
    certificates: Vec<CertificateFacts>,
    /// What is known of those whose facts are not kept.
    omitted: OmittedCertificates,
    verification: Option<(Verification, Option<TrustStore>)>,
    /// Whether the server has refused the hello: by an alert, or by ending the connection.
    is_refused: bool,
    /// Reads the messages for the transcript.
    transcript: Option<Box<RecordReader>>,
}

/// The state of a connection.
enum HelloStage {
    /// Less than a record header was received, or the bytes are not TLS.
    FirstBytes(FirstBytes),
    /// The server speaks TLS.
    Records,
}

impl LayerConnection for HelloConnection {
    fn is_handshaking(&self) -> bool {
        true
    }

    fn read(&mut self, wire: &[u8], _plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError> {
        let HelloStage::FirstBytes(first) = &mut self.stage else {
            return self.read_records(wire);
        };
        let Some(wire) = first.add(wire)? else {
            return Ok(PeerHalf::Open);
        };
        self.stage = HelloStage::Records;
        self.read_records(&wire)
    }

    fn peer_closed(&mut self) -> Result<PeerHalf, LayerError> {
        let cause = match &self.stage {
            HelloStage::FirstBytes(first) => {
                self.is_refused = first.is_empty();
                first.ended()
            }
            HelloStage::Records => {
                let position = self.position();
                format!("the connection ended {position}: see the log of the server")
            }
        };
        Err(LayerError::failed(cause))
    }

    /// There are no application bytes.
    fn write(&mut self, _plain: &[u8]) {}

    fn close(&mut self) {
        // Without it, some servers log that the connection was cut.
        if let Some(version) = self.answer.version {
            self.output.extend_from_slice(&close_notify(version));
        }
    }

    fn take_output(&mut self, wire: &mut Vec<u8>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.read(Sender::Client, &self.output);
        }
        wire.append(&mut self.output);
    }

    fn facts(&self) -> Option<Box<TlsFacts>> {
        if !self.purpose.reads_certificates() {
            return self.scanned();
        }
        let answer = &self.answer;
        answer.version?;
        // The answer may have been cut after the certificates.
        let (chain, chain_omitted, verification) = if self.certificates.is_empty() {
            let read = self.read_certificates();
            let verification = self.verify(&read).ok().flatten();
            let (chain, omitted) = published_chain(read);
            (chain, omitted, verification)
        } else {
            (
                self.certificates.clone(),
                self.omitted,
                self.verification.clone(),
            )
        };
        let (verification, roots) = verification.map_or((None, None), |(verification, roots)| {
            (Some(verification), roots)
        });
        // In a scan, this hello replaces the one for the preferred group; a server that needs it
        // has no post-quantum groups.
        let is_scan = self.options.scan && self.purpose == HelloPurpose::OldFacts;
        Some(Box::new(TlsFacts {
            how: FactSource::Hello,
            proved: false,
            version: answer.version,
            cipher: answer.cipher.map(cipher_name),
            group: answer.group.clone(),
            alpn: answer.alpn.clone(),
            verification,
            chain,
            chain_omitted,
            client_cert: (answer.requests_certificate || answer.ended)
                .then_some(answer.requests_certificate),
            staple: answer.staple,
            roots,
            oldest: None,
            pq: is_scan.then_some(false),
        }))
    }

    fn held(&self) -> usize {
        let read = self.answer.certificates.iter().flatten();
        let read: usize = read.map(|der| der.len()).sum();
        (self.messages.held() + read).min(MAX_HELD)
    }

    fn progress(&self) -> Option<String> {
        Some(match &self.stage {
            HelloStage::FirstBytes(first) => first.progress(),
            HelloStage::Records => format!("it ended {}", self.position()),
        })
    }

    fn keep_messages(&mut self) {
        self.transcript = Some(Box::default());
    }

    fn take_messages(&mut self) -> Vec<String> {
        let transcript = self.transcript.as_mut();
        transcript.map_or_else(Vec::new, |transcript| transcript.take_lines())
    }
}

impl HelloConnection {
    fn read_records(&mut self, mut wire: &[u8]) -> Result<PeerHalf, LayerError> {
        if let Some(transcript) = &mut self.transcript {
            transcript.read(Sender::Server, wire);
        }
        let newest = self.purpose.form().newest();
        loop {
            let message = self.messages.next(&mut wire).map_err(LayerError::failed)?;
            let Some(message) = message else {
                return Ok(PeerHalf::Open);
            };
            match self.answer.take(message, newest) {
                Ok(()) => {}
                Err(AnswerError::Alert(code)) => {
                    self.is_refused = self.answer.version.is_none();
                    let sentence = alerts::sentence(code, sni(&self.host), &self.options.alpn);
                    return Err(LayerError::failed(sentence));
                }
                Err(AnswerError::Invalid(sentence)) => return Err(LayerError::failed(sentence)),
            }
            if !self.purpose.reads_certificates() && self.answer.version.is_some() {
                return Ok(PeerHalf::Done);
            }
            if self.answer.ended {
                return self.finish();
            }
        }
    }

    /// The answer is complete.
    fn finish(&mut self) -> Result<PeerHalf, LayerError> {
        self.certificates = self.read_certificates();
        self.note_answer();
        if self.certificates.is_empty() {
            let cipher = self.answer.cipher.map(cipher_name).unwrap_or_default();
            let cause = format!("the server sends no certificate, and selects {cipher}");
            return Err(LayerError::failed(cause));
        }
        self.verification = match self.verify(&self.certificates) {
            Ok(verification) => verification,
            Err(error) => {
                self.keep_published();
                return Err(error);
            }
        };
        // Without --tls-legacy, the verdict is that of the handshake.
        let verdict = if self.options.legacy {
            self.verdict()
        } else {
            Ok(())
        };
        self.keep_published();
        verdict.map(|()| PeerHalf::Done)
    }

    /// Releases what is not published of the certificates.
    fn keep_published(&mut self) {
        let certificates = std::mem::take(&mut self.certificates);
        (self.certificates, self.omitted) = published_chain(certificates);
        if let Some(read) = &mut self.answer.certificates {
            *read = Vec::new();
        }
    }

    /// Notes facts that are not in the lines of the messages.
    fn note_answer(&mut self) {
        let Some(transcript) = &mut self.transcript else {
            return;
        };
        let number = self.certificates.len();
        let plural = if number == 1 { "" } else { "s" };
        let length = self.answer.certificate_message;
        let mut line = format!("the server sends {number} certificate{plural}, {length} bytes");
        if length > MAX_HANDSHAKE_MESSAGE {
            line.push_str(", more than the 64 KiB that a handshake accepts");
        }
        if let Some(group) = &self.answer.group {
            line.push_str("; its group is ");
            line.push_str(group);
        }
        transcript.note(line);
    }

    /// How far the answer has arrived.
    fn position(&self) -> String {
        if let Some((received, total)) = self.messages.unfinished() {
            return format!("after {received} of {total} bytes of a message");
        }
        match (&self.answer.certificates, self.answer.version) {
            (Some(_), _) => "after the certificate, before ServerHelloDone".to_owned(),
            (None, Some(_)) => "after the ServerHello".to_owned(),
            (None, None) => "before the ServerHello".to_owned(),
        }
    }

    fn read_certificates(&self) -> Vec<CertificateFacts> {
        let chain = self.answer.certificates.iter().flatten();
        chain.map(|der| certificate::read(der)).collect()
    }

    /// The verification of the certificates, and the trust store that was used; `None` if there are no
    /// certificates.
    fn verify(
        &self,
        facts: &[CertificateFacts],
    ) -> Result<Option<(Verification, Option<TrustStore>)>, LayerError> {
        if facts.is_empty() {
            return Ok(None);
        }
        let at = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
        roots::check_clock(at)?;
        // A pinned key is trusted without an issuer.
        let roots = if self.options.pins.is_empty() {
            Some(roots::load(self.options.ca_file.as_deref())?)
        } else {
            None
        };
        let chain: Vec<CertificateDer<'_>> = self
            .answer
            .certificates
            .iter()
            .flatten()
            .map(|der| CertificateDer::from(&**der))
            .collect();
        let mut verification = verify::verify(&Evidence {
            chain: &chain,
            facts,
            host: &self.host,
            roots: roots.as_deref(),
            pins: &self.options.pins,
            version: self.answer.version,
            staple: self.answer.staple,
            at,
            legacy: self.options.legacy,
        });
        verification.keep_published();
        Ok(Some((verification, roots.map(|roots| roots.facts()))))
    }

    /// Whether the handshake can speak what the server has selected, and verify its key: then the
    /// server is not old, and the handshake has failed for another reason.
    fn is_current(&self) -> bool {
        let answer = &self.answer;
        let is_choice_current = answer.version == Some(TlsVersion::Tls12)
            && answer.cipher.is_some_and(provider::offers_suite)
            && answer.group_number.is_none_or(provider::offers_group);
        let leaf = answer.certificates.iter().flatten().next();
        (is_choice_current || self.is_choice_current)
            && leaf.is_some_and(|leaf| verifier::has_verifiable_key(leaf))
    }

    /// What the answer means with `--tls-legacy`.
    fn verdict(&self) -> Result<(), LayerError> {
        let options = &self.options;
        if self.is_current() {
            return Err(LayerError::failed(
                "the server is not old, so `--tls-legacy` does not excuse that the handshake failed",
            ));
        }
        if let (Some(version), Some(oldest)) = (self.answer.version, options.min_version) {
            if version < oldest {
                return Err(LayerError::failed(format!(
                    "the server selects {version}, which is older than {oldest} (--tls-min)"
                )));
            }
        }
        let leaf = options.expect_cert.as_ref().zip(self.certificates.first());
        let leaf = leaf.map_or(Ok(()), |(path, leaf)| leaf_file::compare(path, leaf));
        if let Some((verification, _)) = &self.verification {
            if !options.report_only && !verify::accepts(verification, options) {
                return Err(LayerError::untrusted(match &leaf {
                    Ok(()) => verification.error.clone(),
                    Err(leaf) => format!("{}; {}", verification.error, leaf.cause),
                }));
            }
        }
        leaf?;
        if options.expect_client_cert {
            let cause = if self.answer.requests_certificate {
                "the server requests a client certificate; whether it requires one is known only after a complete handshake"
            } else {
                "the server does not request a client certificate"
            };
            return Err(LayerError::failed(cause));
        }
        Ok(())
    }

    /// The facts that this hello of a scan has read.
    fn scanned(&self) -> Option<Box<TlsFacts>> {
        let mut facts = TlsFacts {
            how: FactSource::Hello,
            oldest: self.oldest,
            ..TlsFacts::default()
        };
        if let HelloPurpose::Oldest { otherwise, .. } = self.purpose {
            let refused = otherwise.filter(|_| self.is_refused);
            facts.oldest = self.answer.version.or(refused).or(self.oldest);
        } else {
            self.answer.version?;
            facts.pq = Some(self.answer.group_number.is_some_and(is_post_quantum));
        }
        Some(Box::new(facts))
    }
}
