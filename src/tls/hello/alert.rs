//! Alerts (RFC 8446, section 6, and the registry of IANA).

use std::fmt;

/// An alert of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsAlert {
    /// 1 is a warning, 2 is fatal.
    pub level: u8,
    /// What is wrong.
    pub description: u8,
}

impl TlsAlert {
    /// The peer will not send anything more.
    pub const CLOSE_NOTIFY: u8 = 0;

    /// Whether the handshake may go on: a warning, except `close_notify`. The best known is
    /// `unrecognized_name` of servers that have no certificate for the name (RFC 6066, section 3).
    pub fn is_warning(self) -> bool {
        self.level == 1 && self.description != Self::CLOSE_NOTIFY
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match alert_name(self.description) {
            Some(name) => f.write_str(name),
            None => write!(f, "number {}", self.description),
        }
    }
}

/// The name of an alert in the RFCs, such as `handshake_failure`.
pub fn alert_name(description: u8) -> Option<&'static str> {
    Some(match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        117 => "general_error",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_that_rustls_knows_has_a_name() {
        for description in 0..=u8::MAX {
            let known = rustls::AlertDescription::from(description)
                .as_str()
                .is_some();
            // Newer than rustls: the revision of RFC 8446.
            assert!(
                alert_name(description).is_some() == known || description == 117,
                "{description}"
            );
        }
    }

    #[test]
    fn an_alert_is_shown_by_its_name() {
        let alert = |level, description| TlsAlert { level, description };
        assert_eq!(alert(2, 40).to_string(), "handshake_failure");
        assert_eq!(alert(2, 200).to_string(), "number 200");
        assert!(alert(1, 112).is_warning());
        assert!(!alert(2, 112).is_warning());
        assert!(!alert(0, 112).is_warning());
        assert!(!alert(1, 0).is_warning());
    }
}
