//! What an error of the library means, as a sentence with the remedy.

use rustls::{
    AlertDescription, ContentType, Error, HandshakeType, InvalidMessage, PeerIncompatible,
    PeerMisbehaved,
};

use crate::failure::Status;
use crate::plan::layer::LayerError;
use crate::tls::alerts;
use crate::tls::options::TlsOptions;
use crate::tls::provider;
use crate::tls::records::RecordReader;
use crate::tls_facts::TlsVersion;

/// The state of the connection when the error occurred.
#[derive(Debug, Clone, Copy)]
pub struct FailureContext<'c> {
    /// The options of the user.
    pub options: &'c TlsOptions,
    /// The name that was sent as SNI.
    pub name_sent: Option<&'c str>,
    /// What was sent and received.
    pub records: &'c RecordReader,
    /// Whether the handshake has not completed.
    pub is_handshaking: bool,
}

/// The records of a handshake message exceed what the library buffers, although the message itself
/// may not.
pub const RECORDS_TOO_LARGE: &str = "the server sends a handshake message in records of more than \
                                     64 KiB, which is refused: its chain may have certificates \
                                     that do not belong to it";

/// The error for the probe.
pub fn layer_error(error: &Error, context: FailureContext<'_>) -> LayerError {
    match error {
        Error::FailedToGetRandomBytes => {
            local("this machine cannot provide random bytes for the handshake")
        }
        Error::FailedToGetCurrentTime => {
            local("the clock of this machine is before 1970: set it, for example with NTP")
        }
        error => LayerError::failed(sentence(error, context)),
    }
}

fn local(cause: &str) -> LayerError {
    LayerError::new(Status::LocalError, cause)
}

fn sentence(error: &Error, context: FailureContext<'_>) -> String {
    match error {
        Error::AlertReceived(alert) => alert_sentence(*alert, context),
        Error::InvalidMessage(invalid) => invalid_message(*invalid, context.records),
        Error::PeerIncompatible(incompatible) => incompatibility(incompatible, context),
        Error::PeerMisbehaved(misbehaved) => misbehaviour(misbehaved),
        Error::InappropriateMessage { got_type, .. } => out_of_order(&content_name(*got_type)),
        Error::InappropriateHandshakeMessage { got_type, .. } => {
            out_of_order(&handshake_name(*got_type))
        }
        Error::NoCertificatesPresented => {
            "the server sends no certificate: check its configuration".to_owned()
        }
        Error::DecryptError if context.is_handshaking => {
            "the first encrypted bytes of the server cannot be decrypted: the server, or a device between it and this machine, changes the handshake"
                .to_owned()
        }
        Error::DecryptError => {
            "received bytes cannot be decrypted: they were changed, lost or repeated in transit"
                .to_owned()
        }
        Error::PeerSentOversizedRecord => {
            "the server sends a record that is larger than TLS allows".to_owned()
        }
        error => format!("the server violates the protocol ({error})"),
    }
}

fn alert_sentence(alert: AlertDescription, context: FailureContext<'_>) -> String {
    let code = u8::from(alert);
    if context.is_handshaking {
        alerts::sentence(code, context.name_sent, &context.options.alpn)
    } else {
        let name = alerts::name(code);
        format!("the server ended the connection with the alert {name}: see its log")
    }
}

fn invalid_message(invalid: InvalidMessage, records: &RecordReader) -> String {
    match invalid {
        InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge => {
            let size = match records.unfinished() {
                Some((_, total)) => format!(" ({total} bytes)"),
                None => String::new(),
            };
            format!(
                "the server sends a handshake message of more than 64 KiB{size}, which is refused: \
                 its chain may have certificates that do not belong to it"
            )
        }
        InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion => {
            "the server sends bytes that are not TLS after its first records".to_owned()
        }
        InvalidMessage::MessageTooLarge => {
            "the server sends a record that is larger than TLS allows".to_owned()
        }
        other => format!("the server sends an invalid message ({other:?})"),
    }
}

fn incompatibility(incompatible: &PeerIncompatible, context: FailureContext<'_>) -> String {
    let spoken = context.records.hello.version.and_then(provider::version);
    match (incompatible, spoken) {
        (_, Some(version)) if version < TlsVersion::Tls12 => format!(
            "the server speaks only {version}, which is too old to be verified: update it, or use \
             `--tls-legacy` to check its certificate only"
        ),
        (
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
            Some(version),
        ) => {
            let wanted = context.options.min_version.unwrap_or(TlsVersion::Tls12);
            format!("the server speaks only {version}, and `--tls-min` requires {wanted}")
        }
        (PeerIncompatible::ServerDoesNotSupportTls12Or13, None) => {
            match context.records.hello.version {
                Some(version) => format!(
                    "the server selects the version {:#06x} of TLS, which does not exist",
                    u16::from(version)
                ),
                None => "the server speaks neither TLSv1.2 nor TLSv1.3".to_owned(),
            }
        }
        (PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon, _) => {
            "the server requests a client certificate, but accepts no signature algorithm of TLSv1.3"
                .to_owned()
        }
        (
            PeerIncompatible::UncompressedEcPointsRequired | PeerIncompatible::NoKxGroupsInCommon,
            _,
        ) => "the server has no key exchange group in common with us".to_owned(),
        (other, _) => format!("the server does not support what a secure handshake requires ({other:?})"),
    }
}

fn misbehaviour(misbehaved: &PeerMisbehaved) -> String {
    match misbehaved {
        PeerMisbehaved::TooManyRenegotiationRequests => {
            "the server requests renegotiation too often".to_owned()
        }
        PeerMisbehaved::TooManyWarningAlertsReceived => {
            "the server sends too many warning alerts".to_owned()
        }
        PeerMisbehaved::TooManyEmptyFragments => {
            "the server sends too many empty records".to_owned()
        }
        PeerMisbehaved::TooManyKeyUpdateRequests => {
            "the server requests new keys too often".to_owned()
        }
        PeerMisbehaved::IllegalMiddleboxChangeCipherSpec => {
            "the server sends ChangeCipherSpec where the protocol does not allow it".to_owned()
        }
        PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported => {
            "the server speaks TLSv1.3, but TLSv1.2 was negotiated: a device between it and this machine changes the handshake"
                .to_owned()
        }
        PeerMisbehaved::SelectedUnofferedApplicationProtocol => {
            "the server selects an application protocol that was not offered".to_owned()
        }
        PeerMisbehaved::SelectedUnofferedCipherSuite => {
            "the server selects a cipher suite that was not offered".to_owned()
        }
        PeerMisbehaved::SelectedUnofferedKxGroup => {
            "the server selects a key exchange group that was not offered".to_owned()
        }
        PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme
        | PeerMisbehaved::SignedKxWithWrongAlgorithm => {
            "the server signs with an algorithm that was not offered".to_owned()
        }
        other => format!("the server violates the protocol ({other:?})"),
    }
}

fn out_of_order(name: &str) -> String {
    format!("the server sends {name} where the protocol does not allow it")
}

fn content_name(kind: ContentType) -> String {
    match kind {
        ContentType::ChangeCipherSpec => "ChangeCipherSpec".to_owned(),
        ContentType::Alert => "an alert".to_owned(),
        ContentType::Handshake => "a handshake message".to_owned(),
        ContentType::ApplicationData => "application data".to_owned(),
        kind => format!("a record of type {}", u8::from(kind)),
    }
}

fn handshake_name(kind: HandshakeType) -> String {
    match kind.as_str() {
        Some(name) => name.to_owned(),
        None => format!("a handshake message of type {}", u8::from(kind)),
    }
}
