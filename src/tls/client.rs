//! The layer that speaks TLS 1.2 and 1.3, by rustls. It does no I/O.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::{DnsName, ServerName};
use rustls::{ClientConfig, ClientConnection, Error, NamedGroup, SignatureScheme};

use crate::address::{Host, HostName};
use crate::escape::escaped_prefix;
use crate::failure::Status;
use crate::plan::layer::{
    Inspected, Inspection, Layer, LayerConnection, LayerError, MAX_HELD, PeerHalf, SharedLayer,
};
use crate::tls::alerts;
use crate::tls::failures;
use crate::tls::failures::FailureContext;
use crate::tls::first_bytes::FirstBytes;
use crate::tls::hello;
use crate::tls::identity;
use crate::tls::leaf_file;
use crate::tls::options::{TlsOption, TlsOptions, TlsOptionsError};
use crate::tls::provider;
use crate::tls::records::{RecordReader, Sender};
use crate::tls::roots;
use crate::tls::verifier::{ClientCertRequest, RecordingVerifier, Requirements, VerifierRecord};
use crate::tls_facts::{FactSource, TlsFacts, TlsVersion};

/// The layer for these options. It is meant to be shared by many plans, because its configuration
/// is built only once. Client certificates are read now; the trust store is read by the first
/// connection.
///
/// # Errors
/// If the options contradict each other, or a file cannot be used.
pub fn layer(options: TlsOptions) -> Result<SharedLayer, TlsOptionsError> {
    let host = options.sni.as_deref().map(sni_host).transpose()?;
    check(&options)?;
    let identity = options.client.as_ref().map(identity::read).transpose()?;
    if let Some(path) = &options.expect_cert {
        let error = |why: String| TlsOptionsError::new(TlsOption::ExpectCert, why);
        leaf_file::check(path).map_err(error)?;
    }
    Ok(SharedLayer(Arc::new(TlsLayer {
        host,
        requirements: Arc::new(Requirements { options, identity }),
        config: OnceLock::new(),
    })))
}

/// The name of `--sni`.
fn sni_host(text: &str) -> Result<Host, TlsOptionsError> {
    let error = |why: String| TlsOptionsError::new(TlsOption::Sni, why);
    let shown = escaped_prefix(text, 80);
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(error(format!(
            "`{shown}` is an address; only names can be sent as SNI (RFC 6066)"
        )));
    }
    match text.parse::<HostName>() {
        Ok(name) => Ok(Host::Name(name)),
        Err(why) => Err(error(format!("`{shown}` is not a host name: {why}"))),
    }
}

fn check(options: &TlsOptions) -> Result<(), TlsOptionsError> {
    let error = |option, why: &str| TlsOptionsError::new(option, why);
    for protocol in &options.alpn {
        if protocol.is_empty() || protocol.len() > 255 {
            return Err(error(
                TlsOption::Alpn,
                "the name of an application protocol has 1 to 255 bytes (RFC 7301)",
            ));
        }
    }
    // The list has a length of two bytes, and the ClientHello must stay small.
    if options.alpn.iter().map(|one| one.len() + 1).sum::<usize>() > 4096 {
        return Err(error(
            TlsOption::Alpn,
            "the names of all application protocols have more than 4096 bytes",
        ));
    }
    if !options.pins.is_empty() && options.report_only {
        return Err(error(
            TlsOption::Pins,
            "cannot be combined with `--tls-report-only`, which does not require trust: remove one of them",
        ));
    }
    if options.expect_client_cert && options.client.is_some() {
        return Err(error(
            TlsOption::ExpectClientCert,
            "checks that a server refuses clients without a certificate: remove `--client-cert`",
        ));
    }
    match options.min_version {
        Some(version) if version < TlsVersion::Tls12 && !options.legacy => Err(error(
            TlsOption::MinVersion,
            &format!(
                "{version} is not supported, because it is not secure; `--tls-legacy` checks the certificate of old servers"
            ),
        )),
        _ => Ok(()),
    }
}

/// The configuration of all connections with the same options.
#[derive(Debug)]
struct TlsLayer {
    /// The name of `--sni`.
    host: Option<Host>,
    requirements: Arc<Requirements>,
    /// Built by the first connection, because many plans never start TLS.
    config: OnceLock<Result<ClientConfig, Error>>,
}

impl TlsLayer {
    fn options(&self) -> &TlsOptions {
        &self.requirements.options
    }

    /// The configuration for a connection with this verifier.
    fn config(&self, verifier: &Arc<RecordingVerifier>) -> Result<ClientConfig, LayerError> {
        let shared = self
            .config
            .get_or_init(|| new_config(self.options(), Arc::clone(verifier)));
        let mut config = shared.clone().map_err(|error| local_error(&error))?;
        config
            .dangerous()
            .set_certificate_verifier(Arc::clone(verifier) as _);
        config.client_auth_cert_resolver = Arc::clone(verifier) as _;
        Ok(config)
    }
}

/// The configuration of a layer. Its verifier is replaced for each connection.
fn new_config(
    options: &TlsOptions,
    verifier: Arc<RecordingVerifier>,
) -> Result<ClientConfig, Error> {
    let versions: &[_] = match options.min_version {
        Some(TlsVersion::Tls13) => &[&rustls::version::TLS13],
        _ => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let mut config = ClientConfig::builder_with_provider(provider::crypto_provider())
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
        .with_client_cert_resolver(verifier);
    // In a resumed session, the server would send no certificate.
    config.resumption = Resumption::disabled();
    let alpn = options.alpn.iter();
    config.alpn_protocols = alpn.map(|one| one.as_bytes().to_vec()).collect();
    Ok(config)
}

fn local_error(error: &Error) -> LayerError {
    LayerError::new(
        Status::LocalError,
        format!("TLS cannot be started on this machine: {error}"),
    )
}

impl Layer for TlsLayer {
    fn start(&self, host: &Host) -> Result<Box<dyn LayerConnection>, LayerError> {
        let host = self.host.as_ref().unwrap_or(host);
        let name = server_name(host)?;
        let name_sent = match &name {
            ServerName::DnsName(name) => Some(name.as_ref().into()),
            _ => None,
        };
        let verifier = RecordingVerifier::new(&self.requirements, host.clone());
        let verifier = Arc::new(verifier);
        let config = self.config(&verifier)?;
        let now = config.time_provider.current_time();
        let now = now.and_then(|now| i64::try_from(now.as_secs()).ok());
        roots::check_clock(now.unwrap_or(i64::MIN))?;
        let rustls = ClientConnection::new(Arc::new(config), name);
        let mut rustls = rustls.map_err(|error| local_error(&error))?;
        // Without a limit, all written bytes are buffered.
        rustls.set_buffer_limit(None);
        Ok(Box::new(TlsConnection {
            rustls,
            verifier,
            requirements: Arc::clone(&self.requirements),
            name_sent,
            stage: Stage::FirstBytes(FirstBytes::default()),
            records: RecordReader::default(),
            handshake_bytes: 0,
            silence: SilentMessages::default(),
            has_answered: false,
            is_refused: None,
            is_closing: false,
            noted: NotedMessages::default(),
        }))
    }

    fn inspection(&self, so_far: &Inspected<'_>) -> Option<Inspection> {
        hello::inspection(self.options(), so_far)
    }
}

/// The name for the library, which sends it as SNI unless it is an address.
fn server_name(host: &Host) -> Result<ServerName<'static>, LayerError> {
    match host {
        Host::Address(address) => Ok(ServerName::from(address.to_canonical())),
        Host::Zoned(zoned) => Ok(ServerName::from(std::net::IpAddr::from(zoned.address))),
        Host::Name(name) => match DnsName::try_from(name.relative().to_owned()) {
            Ok(name) => Ok(ServerName::DnsName(name)),
            Err(_) => Err(LayerError::new(
                Status::LocalError,
                format!(
                    "`{}` cannot be sent as SNI: set a valid name with `--sni`",
                    escaped_prefix(name.as_str(), 80)
                ),
            )),
        },
    }
}

/// TLS on one connection.
struct TlsConnection {
    rustls: ClientConnection,
    verifier: Arc<RecordingVerifier>,
    requirements: Arc<Requirements>,
    /// The name that is sent as SNI.
    name_sent: Option<Box<str>>,
    stage: Stage,
    records: RecordReader,
    /// The bytes of the server up to the end of the handshake. The library keeps the certificates.
    handshake_bytes: usize,
    /// What came after the handshake, and since the last application bytes.
    silence: SilentMessages,
    /// Whether our part of the handshake was sent, with a certificate or without one.
    has_answered: bool,
    /// Whether the server has refused us, because of our certificate or the lack of one; known once
    /// it has answered.
    is_refused: Option<bool>,
    /// Whether `close_notify` was sent, because the answer to it shows that we are not refused.
    is_closing: bool,
    noted: NotedMessages,
}

/// The state of a connection.
#[derive(Debug)]
enum Stage {
    /// Less than a record header was received, or the bytes are not TLS.
    FirstBytes(FirstBytes),
    Handshaking,
    /// The handshake has completed for us. With `--expect-client-cert`, the probe succeeds only if
    /// the server refuses us.
    AwaitsRefusal,
    /// The handshake has completed.
    Open,
    /// The handshake has failed.
    Failed,
}

/// What a server has sent since the last application bytes.
#[derive(Debug, Default)]
struct SilentMessages {
    /// How many session tickets had arrived before.
    tickets: u32,
    /// The bytes since then.
    bytes: usize,
}

/// The most session tickets without application bytes; servers send one to four.
const MAX_SILENT_TICKETS: u32 = 32;
/// The most bytes without application bytes; a record has less than 17 KiB.
const MAX_SILENT_BYTES: usize = 64 * 1024;

/// Which encrypted messages of the server were noted for the transcript.
#[derive(Debug, Default)]
struct NotedMessages {
    is_kept: bool,
    request: bool,
    chain: bool,
    tickets: u32,
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection")
            .field("stage", &self.stage)
            .field("name_sent", &self.name_sent)
            .finish_non_exhaustive()
    }
}

impl TlsConnection {
    fn options(&self) -> &TlsOptions {
        &self.requirements.options
    }

    /// Takes bytes of the server.
    fn read_wire(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError> {
        let Stage::FirstBytes(first) = &mut self.stage else {
            return self.read_records(wire, plain);
        };
        let Some(wire) = first.add(wire)? else {
            return Ok(PeerHalf::Open);
        };
        self.stage = Stage::Handshaking;
        self.read_records(&wire, plain)
    }

    /// Takes bytes of the server, which are records.
    fn read_records(
        &mut self,
        mut wire: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<PeerHalf, LayerError> {
        if self.is_handshaking() || self.noted.is_kept {
            self.records.read(Sender::Server, wire);
        }
        let mut is_closed = false;
        while !wire.is_empty() && !is_closed {
            let before = wire.len();
            // Application bytes are taken out below, so this buffer can only be full of the records
            // of one handshake message.
            if self.rustls.read_tls(&mut wire).is_err() {
                return Err(LayerError::failed(failures::RECORDS_TOO_LARGE));
            }
            let result = self.rustls.process_new_packets();
            self.note_messages();
            let state = result.map_err(|error| {
                self.note_error(&error);
                self.explain(&error)
            })?;
            let plain_bytes = state.plaintext_bytes_to_read();
            self.read_plain(plain_bytes, plain);
            self.count(before - wire.len(), plain_bytes)?;
            is_closed = state.peer_has_closed();
            if is_closed && self.noted.is_kept {
                self.records.note_alert(CLOSE_NOTIFY);
            }
            if wire.len() == before {
                break;
            }
        }
        let half = if is_closed {
            PeerHalf::Closed
        } else {
            PeerHalf::Open
        };
        self.advance(half)?;
        Ok(half)
    }

    /// Counts bytes of the server, and the application bytes in them.
    fn count(&mut self, wire: usize, plain: usize) -> Result<(), LayerError> {
        if self.rustls.is_handshaking() {
            self.handshake_bytes = self.handshake_bytes.saturating_add(wire);
            return Ok(());
        }
        let tickets = self.rustls.tls13_tickets_received();
        if plain > 0 {
            self.silence = SilentMessages { tickets, bytes: 0 };
            return Ok(());
        }
        self.silence.bytes += wire;
        if tickets.saturating_sub(self.silence.tickets) <= MAX_SILENT_TICKETS
            && self.silence.bytes <= MAX_SILENT_BYTES
        {
            return Ok(());
        }
        Err(LayerError::failed(
            "after the handshake, the server sends session tickets or other messages of TLS \
             without end, and no data: see its log, and its settings of session tickets",
        ))
    }

    fn read_plain(&mut self, length: usize, plain: &mut Vec<u8>) {
        let start = plain.len();
        plain.resize(start + length, 0);
        let mut filled = start;
        while let Some(room) = plain.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.rustls.reader().read(room) {
                Ok(read) if read > 0 => filled += read,
                _ => break,
            }
        }
        plain.truncate(filled);
    }

    /// Changes the stage when the handshake of the library has completed.
    fn advance(&mut self, half: PeerHalf) -> Result<(), LayerError> {
        if matches!(self.stage, Stage::Handshaking) && !self.rustls.is_handshaking() {
            let record = self.verifier.record();
            if let Some(error) = &record.leaf_error {
                return Err(error.clone());
            }
            let is_requested = record.request.is_some();
            drop(record);
            // With TLS 1.2 the server completes the handshake only if it accepts us. Some refuse us
            // after it all the same: where that is the success, the answer to our `close_notify`
            // shows it, since an alert for a refusal was sent before.
            let awaits_refusal = self.options().expect_client_cert;
            if !is_requested || !(self.is_tls13() || awaits_refusal) {
                self.is_refused = Some(false);
            } else if !self.is_tls13() {
                self.rustls.send_close_notify();
            }
            self.stage = if awaits_refusal {
                Stage::AwaitsRefusal
            } else {
                Stage::Open
            };
        }
        let is_awaiting = matches!(self.stage, Stage::AwaitsRefusal) && self.is_refused.is_none();
        if is_awaiting && self.is_probably_accepted() && !self.is_closing {
            // As with TLS 1.2: a server may send tickets before it refuses us.
            self.is_closing = true;
            self.rustls.send_close_notify();
        }
        if half == PeerHalf::Closed && self.awaits_end() {
            self.is_refused = Some(false);
        }
        match (&self.stage, self.is_refused) {
            (Stage::AwaitsRefusal, Some(false)) => Err(self.not_refused()),
            (Stage::AwaitsRefusal, None) if half == PeerHalf::Closed => Err(LayerError::failed(
                "the server requested a client certificate, and ended the connection without an \
                 alert, which does not prove that it requires one",
            )),
            _ => Ok(()),
        }
    }

    /// Whether the end of the connection shows that the server does not refuse us: it has completed
    /// the handshake of TLS 1.2, or has sent tickets and our `close_notify` was sent.
    fn awaits_end(&self) -> bool {
        matches!(self.stage, Stage::AwaitsRefusal)
            && self.is_refused.is_none()
            && (!self.is_tls13() || self.is_closing)
    }

    /// The server accepts us, and should not (`--expect-client-cert`).
    fn not_refused(&self) -> LayerError {
        LayerError::failed(if self.verifier.record().request.is_some() {
            "the server requests a client certificate, but accepts connections without one"
        } else {
            "the server accepts connections without a client certificate, and does not request one"
        })
    }

    /// Whether the server refuses us. A server that has sent a ticket does not, unless it does so
    /// later.
    fn is_refused_so_far(&self) -> Option<bool> {
        let is_open = matches!(self.stage, Stage::Open) && self.is_probably_accepted();
        self.is_refused.or(is_open.then_some(false))
    }

    fn is_tls13(&self) -> bool {
        self.rustls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3)
    }

    /// What an error of the library means.
    fn explain(&mut self, error: &Error) -> LayerError {
        let record = self.verifier.record();
        if let Some(refusal) = &record.refusal {
            return refusal.clone();
        }
        // The server cannot know that a certificate is missing before our part of the handshake was
        // sent.
        let request = record.request.clone().filter(|_| self.has_answered);
        drop(record);
        if let (Error::AlertReceived(alert), Some(request)) = (error, request) {
            let code = u8::from(*alert);
            let is_refusal = if request.is_answered {
                alerts::refuses_certificate(code)
            } else {
                alerts::refuses_absence(code)
            };
            if self.is_refused.is_none() && is_refusal {
                self.is_refused = Some(true);
                return LayerError::failed(refusal_sentence(code, &request));
            }
        }
        let context = FailureContext {
            options: &self.requirements.options,
            name_sent: self.name_sent.as_deref(),
            records: &self.records,
            is_handshaking: self.is_handshaking(),
        };
        failures::layer_error(error, context)
    }

    /// Notes the messages that only the library can read.
    fn note_messages(&mut self) {
        if !self.noted.is_kept {
            return;
        }
        let record = self.verifier.record();
        if let Some(request) = record.request.as_ref().filter(|_| !self.noted.request) {
            self.noted.request = true;
            let answer = if request.is_answered {
                "one is sent"
            } else {
                "none is sent"
            };
            let issuers = match request.issuers {
                0 => String::new(),
                1 => " of one issuer".to_owned(),
                number => format!(" of {number} issuers"),
            };
            self.records.note(format!(
                "the server requests a client certificate{issuers}; {answer}"
            ));
        }
        if let Some(signature) = record.signature.filter(|_| !self.noted.chain) {
            self.noted.chain = true;
            let number = record.chain.len() + record.chain_omitted.number;
            let bytes = record.chain_len;
            let plural = if number == 1 { "" } else { "s" };
            self.records.note(format!(
                "the server sends {number} certificate{plural}, {bytes} bytes, and signs with {}",
                signature_name(signature.scheme)
            ));
        }
        drop(record);
        let tickets = self.rustls.tls13_tickets_received();
        for _ in self.noted.tickets..tickets.min(self.noted.tickets + 10) {
            self.records.note("received NewSessionTicket".to_owned());
        }
        self.noted.tickets = tickets;
    }

    /// Notes the alert that caused an error, or that is sent because of an error. Both may be
    /// encrypted.
    fn note_error(&mut self, error: &Error) {
        if !self.noted.is_kept {
            return;
        }
        match error {
            Error::AlertReceived(alert) => self.records.note_alert(u8::from(*alert)),
            Error::InvalidCertificate(why) if self.is_tls13() => {
                let alert = rustls::AlertDescription::from(why.clone());
                let name = alerts::name(u8::from(alert));
                self.records.note(format!("the alert {name} is sent"));
            }
            _ => {}
        }
    }

    /// The sentence for a connection that ended before the handshake has completed.
    fn ended(&self) -> Option<String> {
        match &self.stage {
            Stage::FirstBytes(first) => Some(first.ended()),
            Stage::Failed => None,
            Stage::Handshaking | Stage::AwaitsRefusal | Stage::Open => {
                let record = self.verifier.record();
                let request = record.request.as_ref();
                let is_unknown = self.is_refused.is_none() && !self.is_probably_accepted();
                match request.filter(|_| record.signature.is_some() && is_unknown) {
                    Some(request) if request.is_answered => Some(
                        "the server requested a client certificate, and ended the connection after \
                         ours was sent: it may not accept it; see its log"
                            .to_owned(),
                    ),
                    Some(_) => Some(
                        "the server requested a client certificate, and ended the connection \
                         without an alert after none was sent: it may require one \
                         (`--client-cert`); see its log"
                            .to_owned(),
                    ),
                    None if matches!(self.stage, Stage::Open) => None,
                    None => Some(format!(
                        "the connection ended during the handshake, {}: see the log of \
                         the server",
                        self.position(&record)
                    )),
                }
            }
        }
    }

    /// How far the handshake has proceeded.
    fn position(&self, record: &VerifierRecord) -> String {
        match self.records.unfinished() {
            Some((received, total)) => {
                format!("after {received} of {total} bytes of a message")
            }
            None if record.signature.is_some() => {
                "after the certificate of the server was accepted".to_owned()
            }
            None if self.records.has_hello() => "after the ServerHello".to_owned(),
            None => "before the ServerHello".to_owned(),
        }
    }

    /// The version that the server has selected: that of the library, otherwise that of the
    /// records.
    fn version(&self) -> Option<TlsVersion> {
        let version = self.rustls.protocol_version();
        let version = version.or(self.records.hello.version);
        version.and_then(provider::version)
    }

    fn group(&self) -> Option<NamedGroup> {
        let group = self.rustls.negotiated_key_exchange_group();
        group
            .map(SupportedKxGroup::name)
            .or(self.records.hello.group)
    }
}

/// The alert that ends a direction (RFC 8446, section 6.1).
const CLOSE_NOTIFY: u8 = 0;

/// The sentence for a server that refuses us because of a certificate.
fn refusal_sentence(code: u8, request: &ClientCertRequest) -> String {
    let alert = alerts::name(code);
    if request.is_answered {
        format!(
            "the server refuses our client certificate (alert {alert}): check its issuer and dates, \
             and the log of the server"
        )
    } else {
        format!(
            "the server requires a client certificate (alert {alert}): set `--client-cert` and \
             `--client-key`"
        )
    }
}

/// The name of a signature algorithm (RFC 8446, section 4.2.3).
fn signature_name(scheme: SignatureScheme) -> String {
    use SignatureScheme as S;
    let name = match scheme {
        S::RSA_PKCS1_SHA256 => "rsa_pkcs1_sha256",
        S::RSA_PKCS1_SHA384 => "rsa_pkcs1_sha384",
        S::RSA_PKCS1_SHA512 => "rsa_pkcs1_sha512",
        S::RSA_PSS_SHA256 => "rsa_pss_rsae_sha256",
        S::RSA_PSS_SHA384 => "rsa_pss_rsae_sha384",
        S::RSA_PSS_SHA512 => "rsa_pss_rsae_sha512",
        S::ECDSA_NISTP256_SHA256 => "ecdsa_secp256r1_sha256",
        S::ECDSA_NISTP384_SHA384 => "ecdsa_secp384r1_sha384",
        S::ED25519 => "ed25519",
        scheme => return format!("algorithm {:#06x}", u16::from(scheme)),
    };
    name.to_owned()
}

impl LayerConnection for TlsConnection {
    fn is_handshaking(&self) -> bool {
        !matches!(self.stage, Stage::Open)
    }

    fn may_be_refused(&self) -> bool {
        matches!(self.stage, Stage::Open) && self.is_refused.is_none()
    }

    fn is_probably_accepted(&self) -> bool {
        self.rustls.tls13_tickets_received() > 0
    }

    fn read(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError> {
        let start = plain.len();
        let result = self.read_wire(wire, plain);
        if matches!(self.stage, Stage::AwaitsRefusal) {
            // Data that the server sends before it has accepted or refused us is not part of the
            // dialogue.
            plain.truncate(start);
        }
        let Err(error) = result else {
            return result;
        };
        let is_wanted = self.options().expect_client_cert && self.is_refused == Some(true);
        if self.is_handshaking() {
            self.stage = Stage::Failed;
        }
        let leaf_error = self.verifier.record().leaf_error.clone();
        match leaf_error {
            Some(leaf_error) if is_wanted => Err(leaf_error),
            None if is_wanted => Ok(PeerHalf::Done),
            _ => Err(error),
        }
    }

    fn peer_closed(&mut self) -> Result<PeerHalf, LayerError> {
        if self.awaits_end() {
            self.is_refused = Some(false);
            self.stage = Stage::Failed;
            return Err(self.not_refused());
        }
        match self.ended() {
            Some(cause) => {
                self.stage = Stage::Failed;
                Err(LayerError::failed(cause))
            }
            None => Ok(PeerHalf::Closed),
        }
    }

    fn write(&mut self, plain: &[u8]) {
        // There is no limit, and the handshake has completed, so this cannot fail.
        let _ = std::io::Write::write_all(&mut self.rustls.writer(), plain);
    }

    fn close(&mut self) {
        self.rustls.send_close_notify();
    }

    fn take_output(&mut self, wire: &mut Vec<u8>) {
        let start = wire.len();
        while self.rustls.wants_write() {
            // Writing to a Vec cannot fail.
            if self.rustls.write_tls(wire).is_err() {
                break;
            }
        }
        let sent = wire.get(start..).unwrap_or_default();
        if !sent.is_empty() && !self.has_answered {
            // Our part of the handshake is written after the server has signed the handshake.
            self.has_answered = self.verifier.record().signature.is_some();
        }
        if self.is_handshaking() || self.noted.is_kept {
            self.records.read(Sender::Client, sent);
        }
    }

    fn held(&self) -> usize {
        self.handshake_bytes.min(MAX_HELD)
    }

    fn prepare(&mut self) -> Result<(), LayerError> {
        let result = self.verifier.load_roots();
        if result.is_err() {
            self.stage = Stage::Failed;
        }
        result
    }

    fn facts(&self) -> Option<Box<TlsFacts>> {
        let version = self.version()?;
        let record = self.verifier.record();
        let suite = self.rustls.negotiated_cipher_suite();
        let suite = suite.map(|suite| suite.suite());
        let suite = suite.or(self.records.hello.suite);
        let alpn = self.rustls.alpn_protocol();
        let is_shown = record
            .request
            .as_ref()
            .is_some_and(|request| request.is_answered);
        let has_verification = record.verification.is_some();
        Some(Box::new(TlsFacts {
            how: FactSource::Handshake,
            proved: record
                .signature
                .is_some_and(|signature| signature.is_verified),
            version: Some(version),
            cipher: suite.and_then(provider::suite_name),
            group: self.group().map(provider::group_name),
            alpn: alpn.map(|alpn| String::from_utf8_lossy(alpn).into()),
            verification: record.verification.clone(),
            chain: record.chain.clone(),
            chain_omitted: record.chain_omitted,
            client_cert: self.is_refused_so_far().filter(|_| !is_shown),
            staple: record.staple,
            roots: self
                .verifier
                .roots()
                .filter(|_| has_verification)
                .map(roots::Roots::facts),
            oldest: None,
            pq: None,
        }))
    }

    fn progress(&self) -> Option<String> {
        let text = match &self.stage {
            Stage::FirstBytes(first) => first.progress(),
            Stage::Handshaking => format!("it ended {}", self.position(&self.verifier.record())),
            Stage::AwaitsRefusal if self.is_probably_accepted() => {
                "the server requested a client certificate, has sent session tickets, and has not refused this client without one"
                    .to_owned()
            }
            Stage::AwaitsRefusal => {
                "the server requested a client certificate, and has neither accepted nor refused this client without one"
                    .to_owned()
            }
            Stage::Open | Stage::Failed => return None,
        };
        Some(text)
    }

    fn keep_messages(&mut self) {
        self.noted.is_kept = true;
    }

    fn take_messages(&mut self) -> Vec<String> {
        self.records.take_lines()
    }
}
