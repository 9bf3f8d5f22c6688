//! The alerts of TLS by name (RFC 8446, section 6; RFC 5246, section 7.2), and what they usually
//! mean.

use crate::escape::escaped_prefix;

/// An alert by its name, such as `handshake_failure`; by its number if it has none, such as `199`.
pub fn name(code: u8) -> String {
    match row(code) {
        Some((_, name, _)) => (*name).to_owned(),
        None => code.to_string(),
    }
}

/// What an alert of the server in answer to our `ClientHello` or later in the handshake usually
/// means, and the remedy; empty for alerts without a typical cause.
pub fn meaning(code: u8) -> &'static str {
    row(code).map_or("", |(_, _, meaning)| meaning)
}

/// Whether a server refuses a client without a certificate by this alert: `handshake_failure` in
/// TLS 1.2 (RFC 5246, section 7.4.6), `certificate_required` in TLS 1.3 (RFC 8446, section
/// 4.4.2.4).
pub fn refuses_absence(code: u8) -> bool {
    matches!(code, 40..=46 | 48 | 49 | 116)
}

/// Whether a server refuses a client certificate by this alert, such as `decrypt_error` for a
/// signature of another CA with the same name.
pub fn refuses_certificate(code: u8) -> bool {
    refuses_absence(code) || code == 51
}

/// The sentence for a fatal alert that is not about a client certificate.
///
/// `name_sent` is the SNI, `alpn` the offered application protocols.
pub fn sentence(code: u8, name_sent: Option<&str>, alpn: &[Box<str>]) -> String {
    let alert = format!("the server sent the alert {}", name(code));
    match (code, name_sent) {
        (112, Some(name)) => {
            let name = escaped_prefix(name, 80);
            format!(
                "{alert}: it has no certificate for the name `{name}`; set another name with `--sni`"
            )
        }
        (112, None) => {
            format!(
                "{alert}: it requires a name, and none is sent if the host is an address; set one with `--sni`"
            )
        }
        (120, _) if !alpn.is_empty() => {
            let offered: Vec<_> = alpn.iter().map(|one| escaped_prefix(one, 40)).collect();
            format!(
                "{alert}: it speaks none of the offered application protocols ({}); change `--alpn`",
                offered.join(", ")
            )
        }
        _ => match meaning(code) {
            "" => alert,
            meaning => format!("{alert}: {meaning}"),
        },
    }
}

fn row(code: u8) -> Option<&'static (u8, &'static str, &'static str)> {
    ALERTS.iter().find(|(known, _, _)| *known == code)
}

const ALERTS: &[(u8, &str, &str)] = &[
    (0, "close_notify", ""),
    (10, "unexpected_message", ""),
    (20, "bad_record_mac", ""),
    (21, "decryption_failed", ""),
    (22, "record_overflow", ""),
    (30, "decompression_failure", ""),
    (
        40,
        "handshake_failure",
        "it has no cipher suite, group or signature in common with us, or no certificate for this name; see its log, and its TLS versions and cipher suites",
    ),
    (41, "no_certificate", ""),
    (42, "bad_certificate", ""),
    (43, "unsupported_certificate", ""),
    (44, "certificate_revoked", ""),
    (45, "certificate_expired", ""),
    (46, "certificate_unknown", ""),
    (47, "illegal_parameter", ""),
    (48, "unknown_ca", ""),
    (
        49,
        "access_denied",
        "it refuses this client; see its access list",
    ),
    (50, "decode_error", ""),
    (51, "decrypt_error", ""),
    (60, "export_restriction", ""),
    (
        70,
        "protocol_version",
        "it supports none of the versions that this check accepts; see its TLS versions and \
         `--tls-min`",
    ),
    (
        71,
        "insufficient_security",
        "it requires stronger cipher suites or groups; see its configuration",
    ),
    (
        80,
        "internal_error",
        "the cause is in the server; see its log, and whether it has a certificate for this \
         name",
    ),
    (86, "inappropriate_fallback", ""),
    (90, "user_canceled", ""),
    (100, "no_renegotiation", ""),
    (109, "missing_extension", ""),
    (110, "unsupported_extension", ""),
    (111, "certificate_unobtainable", ""),
    (112, "unrecognized_name", ""),
    (113, "bad_certificate_status_response", ""),
    (114, "bad_certificate_hash_value", ""),
    (115, "unknown_psk_identity", ""),
    (
        116,
        "certificate_required",
        "it requires a client certificate; set `--client-cert` and `--client-key`",
    ),
    (
        120,
        "no_application_protocol",
        "it requires an application protocol; set `--alpn`",
    ),
    (121, "ech_required", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_a_name_and_no_two_have_the_same() {
        let mut names: Vec<_> = (0..=u8::MAX).map(name).collect();
        assert_eq!(names.get(112).unwrap(), "unrecognized_name");
        assert_eq!(names.get(199).unwrap(), "199");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 256);
    }

    #[test]
    fn the_sentence_names_what_was_offered() {
        let h2 = ["h2".into(), "a\n".into()];
        assert_eq!(
            sentence(120, None, &h2),
            "the server sent the alert no_application_protocol: it speaks none of the offered \
             application protocols (h2, a\\n); change `--alpn`"
        );
        assert_eq!(
            sentence(112, Some("example.com"), &[]),
            "the server sent the alert unrecognized_name: it has no certificate for the name `example.com`; set another name with `--sni`"
        );
        assert_eq!(sentence(13, None, &[]), "the server sent the alert 13");
        assert_eq!(
            sentence(50, None, &[]),
            "the server sent the alert decode_error"
        );
    }
}
