//! A `ClientHello` without cryptography, for peers that a handshake cannot be completed with: up to
//! TLS 1.2 the answer of the server is readable. It has the version, the cipher suite, the key
//! exchange group, the certificates, and whether the server asks for a client certificate. Nothing
//! of it is authenticated.
//!
//! ```text
//! client_hello    what is sent
//! records         bytes of the peer -> messages, within limits
//! server_answer   messages -> what the server selected and presented
//! names           of cipher suites and groups
//! alert           alerts
//! other_protocol  peers that do not speak TLS
//! ```
//!
//! [`inspection`] plans the connections: one that reads what the handshake could not, and those of
//! `--tls-scan`.

pub mod alert;
pub mod client_hello;
mod fields;
pub mod names;
pub mod other_protocol;
pub mod records;
pub mod server_answer;

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};

use crate::address::Host;
use crate::escape::escaped_prefix;
use crate::failure::Status;
use crate::os::random;
use crate::plan::layer::{
    Inspected, Inspection, Layer, LayerConnection, LayerError, PeerHalf, SharedLayer,
};
use crate::tls::hello::client_hello::{ClientHello, HelloForm};
use crate::tls::hello::names::{cipher_name, is_post_quantum};
use crate::tls::hello::other_protocol::PlainText;
use crate::tls::hello::records::RecordReader;
use crate::tls::hello::server_answer::{AnswerError, ServerAnswer};
use crate::tls::judge::{self, Evidence};
use crate::tls::options::TlsOptions;
use crate::tls::{certificate, roots};
use crate::tls_facts::{
    CertificateFacts, FactSource, TlsFacts, TlsVersion, TrustJudgement, TrustStore,
};

/// The longest handshake message that rustls accepts.
const MAX_HANDSHAKE_MESSAGE: usize = 0xffff;

/// What a hello is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloPurpose {
    /// The facts of the peer.
    Facts,
    /// The same of a peer that did not answer to it: an older hello.
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
    fn form(self) -> HelloForm {
        match self {
            Self::Facts => HelloForm::UpTo(TlsVersion::Tls12),
            Self::OldFacts => HelloForm::Bare,
            Self::PreferredGroup => HelloForm::PreferredGroup,
            Self::Oldest { up_to, .. } => HelloForm::UpTo(up_to),
        }
    }

    fn reads_certificates(self) -> bool {
        matches!(self, Self::Facts | Self::OldFacts)
    }
}

/// The next connection that inspects the peer, if one is needed: first one that reads its
/// certificates, if the handshake has failed before it got any, then those of `--tls-scan`.
pub fn inspection(options: &TlsOptions, so_far: &Inspected<'_>) -> Option<Inspection> {
    let purpose = next_purpose(options, so_far)?;
    let facts = so_far.facts;
    let layer = HelloLayer {
        options: Arc::new(options.clone()),
        purpose,
        oldest: facts.and_then(known_oldest),
    };
    Some(Inspection {
        layer: SharedLayer(Arc::new(layer)),
        decides: options.legacy && purpose.reads_certificates(),
    })
}

/// The oldest version, as far as it is known.
fn known_oldest(facts: &TlsFacts) -> Option<TlsVersion> {
    let negotiated = facts
        .version
        .filter(|version| *version <= TlsVersion::Tls11);
    facts.oldest.or(negotiated)
}

/// What the next hello is to find out. The connections before it are known by their number and by
/// their facts alone.
fn next_purpose(options: &TlsOptions, so_far: &Inspected<'_>) -> Option<HelloPurpose> {
    let nothing = TlsFacts::default();
    let facts = so_far.facts.unwrap_or(&nothing);
    let by_hello = facts.how == FactSource::Hello;
    let needs_facts = so_far.status == Status::TlsFailed && (by_hello || facts.chain.is_empty());
    let is_answered = facts.version.is_some() && (by_hello || !needs_facts);
    match so_far.inspections {
        0 if needs_facts => return Some(HelloPurpose::Facts),
        // In a scan this takes the place of the one for the preferred group.
        1 if needs_facts && !is_answered && options.legacy => return Some(HelloPurpose::OldFacts),
        _ => (),
    }
    if !options.scan || !(is_answered || needs_facts) {
        return None;
    }
    let step = so_far.inspections.checked_sub(usize::from(needs_facts))?;
    if step == 0 {
        return Some(HelloPurpose::PreferredGroup);
    }
    if !is_answered && facts.pq.is_none() {
        return None;
    }
    next_version(facts, step)
}

/// The hello that finds the oldest version, after this many hellos of a scan. A server selects the
/// newest version that it shares with the client. So the first one offers all old versions, the next
/// ones, from the oldest up, the versions before the one that was selected.
fn next_version(facts: &TlsFacts, step: usize) -> Option<HelloPurpose> {
    use TlsVersion::{Ssl3, Tls10, Tls11, Tls12, Tls13};
    // An old server has selected one of the old versions already.
    let step = step + usize::from(facts.version.is_some_and(|version| version <= Tls11));
    let (up_to, otherwise) = match (step, known_oldest(facts)) {
        (1, None) => (Tls11, facts.version.filter(|version| *version == Tls12)),
        (2, None) if facts.version != Some(Tls12) => (Tls12, Some(Tls13)),
        (2, Some(Tls10 | Tls11)) => (Ssl3, None),
        (3, Some(Tls11)) => (Tls10, None),
        _ => return None,
    };
    Some(HelloPurpose::Oldest { up_to, otherwise })
}

/// Sends a `ClientHello`, and reads the answer.
#[derive(Debug)]
pub struct HelloLayer {
    options: Arc<TlsOptions>,
    purpose: HelloPurpose,
    /// The oldest version that is known already.
    oldest: Option<TlsVersion>,
}

impl HelloLayer {
    /// A layer for one purpose.
    pub fn new(options: TlsOptions, purpose: HelloPurpose) -> Self {
        Self {
            options: Arc::new(options),
            purpose,
            oldest: None,
        }
    }

    /// The host that the certificate must be for, and that is sent as SNI.
    fn expected_host(&self, host: &Host) -> Result<Host, LayerError> {
        let Some(name) = &self.options.sni else {
            return Ok(host.clone());
        };
        name.parse().map_err(|error| {
            let name = escaped_prefix(name, 100);
            LayerError::new(Status::LocalError, format!("SNI \"{name}\": {error}"))
        })
    }
}

impl Layer for HelloLayer {
    fn start(&self, host: &Host) -> Result<Box<dyn LayerConnection>, LayerError> {
        let host = self.expected_host(host)?;
        let mut random = [0; 32];
        random::fill(&mut random).map_err(|error| {
            let cause = format!("no random bytes for the ClientHello: {error}");
            LayerError::new(Status::LocalError, cause)
        })?;
        let hello = ClientHello {
            form: self.purpose.form(),
            server_name: match &host {
                Host::Name(name) => Some(name.relative()),
                Host::Address(_) | Host::Zoned(_) => None,
            },
            alpn: &self.options.alpn,
            random,
        };
        let output = hello.encode();
        let newest = hello.form.newest();
        let messages = vec![format!(
            "sent ClientHello: {newest} and older, without keys"
        )];
        Ok(Box::new(HelloConnection {
            options: Arc::clone(&self.options),
            purpose: self.purpose,
            host,
            output,
            records: RecordReader::default(),
            answer: ServerAnswer::default(),
            protocol: PeerProtocol::Unknown,
            oldest: self.oldest,
            is_refused: false,
            certificates: Vec::new(),
            judged: None,
            messages,
        }))
    }
}

/// What the peer speaks, by its first byte.
enum PeerProtocol {
    /// It has not sent anything.
    Unknown,
    Tls,
    /// The beginning of something else.
    Other(PlainText),
}

/// A connection that a `ClientHello` was sent on.
struct HelloConnection {
    options: Arc<TlsOptions>,
    purpose: HelloPurpose,
    /// The host that the certificate must be for.
    host: Host,
    output: Vec<u8>,
    records: RecordReader,
    answer: ServerAnswer,
    protocol: PeerProtocol,
    oldest: Option<TlsVersion>,
    /// Whether the peer has refused the hello: by an alert, or by closing.
    is_refused: bool,
    /// The facts of the certificates, once all are known.
    certificates: Vec<CertificateFacts>,
    judged: Option<(TrustJudgement, Option<TrustStore>)>,
    messages: Vec<String>,
}

impl LayerConnection for HelloConnection {
    fn is_handshaking(&self) -> bool {
        true
    }

    fn read(&mut self, mut wire: &[u8], _plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError> {
        let Some(first) = wire.first() else {
            return Ok(PeerHalf::Open);
        };
        if matches!(self.protocol, PeerProtocol::Unknown) {
            self.protocol = if PlainText::starts_with(*first) {
                PeerProtocol::Other(PlainText::default())
            } else {
                PeerProtocol::Tls
            };
        }
        if let PeerProtocol::Other(text) = &mut self.protocol {
            return match text.take(wire) {
                Some(sentence) => Err(LayerError::failed(sentence)),
                None => Ok(PeerHalf::Open),
            };
        }
        let newest = self.purpose.form().newest();
        loop {
            let message = self.records.next(&mut wire).map_err(LayerError::failed)?;
            let Some(message) = message else {
                return Ok(PeerHalf::Open);
            };
            match self.answer.take(message, newest) {
                Ok(None) => (),
                Ok(Some(line)) => self.messages.push(line),
                Err(AnswerError::Alert(alert)) => {
                    self.is_refused = self.answer.version.is_none();
                    let cause = format!("the server refuses the ClientHello: {alert}");
                    return Err(LayerError::failed(cause));
                }
                Err(AnswerError::Invalid(sentence)) => return Err(LayerError::failed(sentence)),
            }
            let ended = if self.purpose.reads_certificates() {
                self.answer.ended
            } else {
                self.answer.version.is_some()
            };
            if ended {
                return self.finish();
            }
        }
    }

    fn peer_closed(&mut self) -> Result<PeerHalf, LayerError> {
        if let PeerProtocol::Other(text) = &self.protocol {
            return match text.sentence() {
                Some(sentence) => Err(LayerError::failed(sentence)),
                None => Ok(PeerHalf::Closed),
            };
        }
        let Some(version) = self.answer.version else {
            self.is_refused = matches!(self.protocol, PeerProtocol::Unknown);
            return Ok(PeerHalf::Closed);
        };
        let cause = format!("the peer selected {version}, and closed before ServerHelloDone");
        Err(LayerError::failed(cause))
    }

    /// There are no application bytes.
    fn write(&mut self, _plain: &[u8]) {}

    fn close(&mut self) {
        // A warning that nothing follows; servers log less of it than of a bare FIN.
        if let Some(version) = self.answer.version {
            self.output
                .extend_from_slice(&client_hello::close_notify(version));
        }
    }

    fn take_output(&mut self, wire: &mut Vec<u8>) {
        wire.append(&mut self.output);
    }

    fn facts(&self) -> Option<Box<TlsFacts>> {
        if !self.purpose.reads_certificates() {
            return self.scanned();
        }
        let answer = &self.answer;
        answer.version?;
        // The answer may have been cut after the certificates.
        let chain = match &self.certificates {
            none if none.is_empty() => self.read_certificates(),
            read => read.clone(),
        };
        let (judgement, roots) = match &self.judged {
            Some((judgement, roots)) => (Some(judgement.clone()), roots.clone()),
            None => match self.judge(&chain) {
                Ok(Some((judgement, roots))) => (Some(judgement), roots),
                Ok(None) | Err(_) => (None, None),
            },
        };
        let is_scan = self.options.scan && self.purpose == HelloPurpose::OldFacts;
        Some(Box::new(TlsFacts {
            how: FactSource::Hello,
            proved: false,
            version: answer.version,
            cipher: answer.cipher.map(cipher_name),
            group: answer.group.clone(),
            alpn: answer.alpn.clone(),
            judgement,
            chain,
            client_cert: (answer.requests_certificate || answer.ended)
                .then_some(answer.requests_certificate),
            staple: answer.staple,
            roots,
            oldest: None,
            pq: is_scan.then_some(false),
        }))
    }

    fn take_messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }
}

impl HelloConnection {
    /// The answer is complete.
    fn finish(&mut self) -> Result<PeerHalf, LayerError> {
        if !self.purpose.reads_certificates() {
            return Ok(PeerHalf::Done);
        }
        self.certificates = self.read_certificates();
        if self.certificates.is_empty() {
            let cipher = self.answer.cipher.map(cipher_name).unwrap_or_default();
            let cause = format!("the server presents no certificate ({cipher})");
            return Err(LayerError::failed(cause));
        }
        let length = self.answer.certificate_message;
        if length > MAX_HANDSHAKE_MESSAGE {
            self.messages.push(format!(
                "a handshake refuses the Certificate message: {length} bytes are more than 64 KiB"
            ));
        }
        self.judged = self.judge(&self.certificates)?;
        self.verdict()?;
        Ok(PeerHalf::Done)
    }

    fn read_certificates(&self) -> Vec<CertificateFacts> {
        let chain = self.answer.certificates.iter().flatten();
        chain.map(|der| certificate::read(der)).collect()
    }

    /// The judgement of the certificates, and the trust store that was used; nothing without any.
    fn judge(
        &self,
        facts: &[CertificateFacts],
    ) -> Result<Option<(TrustJudgement, Option<TrustStore>)>, LayerError> {
        if facts.is_empty() {
            return Ok(None);
        }
        let at = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
        roots::check_clock(at)?;
        // A pin replaces the trust in an issuer.
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
        let judgement = judge::judge(&Evidence {
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
        Ok(Some((judgement, roots.map(|roots| roots.facts()))))
    }

    /// What the answer means if it decides (`--tls-legacy`).
    fn verdict(&self) -> Result<(), LayerError> {
        let options = &self.options;
        if let (Some(version), Some(oldest)) = (self.answer.version, options.min_version) {
            if version < oldest {
                return Err(LayerError::failed(format!(
                    "the server selects {version}, which is older than {oldest} (--tls-min)"
                )));
            }
        }
        if let Some((judgement, _)) = &self.judged {
            if !options.report_only && !judge::accepts(judgement, options) {
                return Err(LayerError::untrusted(judgement.error.clone()));
            }
        }
        if options.expect_client_cert {
            let cause = if self.answer.requests_certificate {
                "the server asks for a client certificate; only a handshake shows whether it \
                 requires one"
            } else {
                "the server does not ask for a client certificate"
            };
            return Err(LayerError::failed(cause));
        }
        Ok(())
    }

    /// What this hello of a scan has told.
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
