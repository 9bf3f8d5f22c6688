//! The options of TLS that were given, before they are merged.

use crate::settings::error::Located;
use crate::settings::option_table::{located, option_table, text};
use crate::settings::tls_values::{pins, protocols, server_name, version};
use crate::tls_facts::TlsVersion;

option_table! {
    /// Options of TLS that were given; `None` if an option was not.
    struct TlsOverrides;
    options {
        /// The name that is sent and verified.
        sni: Box<str> = "sni", "--sni", text(server_name);
        /// The file of trusted certificates; it is read later.
        ca_file: Located = "ca_file", "--ca-file", located;
        /// The file of the client's certificate chain; it is read later.
        client_cert: Located = "client_cert", "--client-cert", located;
        /// The file of the client's key; it is read later.
        client_key: Located = "client_key", "--client-key", located;
        /// The oldest version that is accepted.
        min_version: TlsVersion = "tls_min", "--tls-min", text(version);
    }
    flags {
        /// Whether an untrusted certificate is only reported.
        report_only = "tls_report_only", "--tls-report-only";
        /// Whether peers may be too old to prove that they have their key.
        legacy = "tls_legacy", "--tls-legacy";
        /// Whether the server must require a client certificate.
        expect_client_cert = "expect_client_cert", "--expect-client-cert";
        /// Whether further connections find out what the server prefers.
        scan = "tls_scan", "--tls-scan";
    }
    lists {
        /// The application protocols that are offered.
        alpn: Box<str> = "alpn", "--alpn", protocols;
        /// The digests of trusted public keys.
        pins: [u8; 32] = "pin_sha256", "--pin-sha256", pins;
    }
    others {
        /// The file with the expected certificate; it is read later.
        expect_cert: Located;
        /// When TLS starts.
        start: TlsStart;
        /// Whether there was a table `tls`: TLS starts directly, unless another option sets the
        /// time.
        has_table: bool;
    }
}

/// When TLS starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TlsStart {
    /// Never, even if the service or the defaults start TLS.
    Never,
    /// Directly after the connect.
    AtConnect,
    /// After the STARTTLS dialogue of this protocol.
    After(Located),
}

impl TlsOverrides {
    /// These options, completed by those of `base`. The files of a client certificate belong
    /// together, and a pinned key needs no trusted issuer.
    pub fn or(own: Option<Box<Self>>, base: Option<Box<Self>>) -> Option<Box<Self>> {
        match (own, base) {
            (Some(own), Some(mut base)) => {
                if own.client_cert.is_some() || own.client_key.is_some() {
                    (base.client_cert, base.client_key) = (None, None);
                }
                if own.pins.is_some() {
                    base.ca_file = None;
                }
                Some(Box::new(own.or_each(*base)))
            }
            (own, base) => own.or(base),
        }
    }

    /// A service may only report an untrusted certificate. If TLS or a pinned key is given in
    /// addition to the service, the certificate must be trusted.
    pub fn verify_unless_told(&mut self) {
        let asks = matches!(self.start, Some(TlsStart::AtConnect | TlsStart::After(_)));
        if asks || self.pins.is_some() {
            self.report_only.get_or_insert(false);
        }
    }

    /// The options without those that set when TLS starts.
    pub fn without_start(&self) -> Self {
        Self {
            start: None,
            has_table: None,
            ..self.clone()
        }
    }

    /// Whether TLS starts directly or after the dialogue of a protocol.
    pub fn starts(&self) -> bool {
        match self.start {
            Some(TlsStart::AtConnect | TlsStart::After(_)) => true,
            Some(TlsStart::Never) => false,
            None => self.has_table == Some(true),
        }
    }

    /// The part of these `[defaults]` that applies to a probe with the options of `merged`. A table
    /// in `[defaults]` sets options, and does not start TLS.
    pub fn of_defaults(
        mut self: Box<Self>,
        merged: Option<&Self>,
        spoken: Spoken,
    ) -> Option<Box<Self>> {
        self.has_table = None;
        match spoken {
            Spoken::Anyway => self.start = None,
            Spoken::ByDefault if self.starts() => {}
            Spoken::ByDefault | Spoken::Never => return None,
        }
        if merged.is_some_and(|tls| tls.pins.is_some()) {
            (self.report_only, self.ca_file) = (None, None);
        }
        Some(self)
    }
}

/// Whether a probe speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// Yes, whatever `[defaults]` contain.
    Anyway,
    /// If `[defaults]` start TLS.
    ByDefault,
    /// No.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(start: TlsStart) -> TlsOverrides {
        TlsOverrides {
            start: Some(start),
            ..TlsOverrides::default()
        }
    }

    #[test]
    fn the_files_of_a_client_certificate_belong_together() {
        let file = |name: &str| Some(Located::in_option("--client-cert", name));
        let base = TlsOverrides {
            client_cert: file("base.crt"),
            client_key: file("base.key"),
            ..TlsOverrides::default()
        };
        let merged = |own: TlsOverrides| {
            let merged = TlsOverrides::or(Some(own.into()), Some(base.clone().into())).unwrap();
            let text = |file: &Option<Located>| file.as_ref().map(|file| file.text.clone());
            (text(&merged.client_cert), text(&merged.client_key))
        };
        let both = |cert: &str, key: &str| (Some(cert.to_owned()), Some(key.to_owned()));
        assert_eq!(
            merged(TlsOverrides::default()),
            both("base.crt", "base.key")
        );
        let own = TlsOverrides {
            client_cert: file("own.pem"),
            ..TlsOverrides::default()
        };
        assert_eq!(merged(own).1, None);
        let own = TlsOverrides {
            client_key: file("own.key"),
            ..TlsOverrides::default()
        };
        assert_eq!(merged(own).0, None);
    }

    #[test]
    fn who_asks_for_tls_beside_a_service_verifies() {
        let told = |mut own: TlsOverrides| {
            own.verify_unless_told();
            own.report_only
        };
        assert_eq!(told(TlsOverrides::default()), None);
        assert_eq!(told(start(TlsStart::Never)), None);
        assert_eq!(told(start(TlsStart::AtConnect)), Some(false));
        let pinned = TlsOverrides {
            pins: Some(vec![[0; 32]]),
            ..TlsOverrides::default()
        };
        assert_eq!(told(pinned), Some(false));
        let explicit = TlsOverrides {
            report_only: Some(true),
            ..start(TlsStart::AtConnect)
        };
        assert_eq!(told(explicit), Some(true));
    }

    #[test]
    fn defaults_apply_where_tls_is_spoken() {
        let defaults = |start| TlsOverrides {
            start,
            has_table: Some(true),
            scan: Some(true),
            ..TlsOverrides::default()
        };
        let applied = |of_defaults, spoken| {
            let defaults = Box::new(defaults(of_defaults));
            defaults
                .of_defaults(None, spoken)
                .map(|applied| (applied.start, applied.scan, applied.has_table))
        };
        let at_connect = || Some(TlsStart::AtConnect);
        for start in [None, at_connect(), Some(TlsStart::Never)] {
            let options = Some((None, Some(true), None));
            assert_eq!(applied(start.clone(), Spoken::Anyway), options);
            assert_eq!(applied(start, Spoken::Never), None);
        }
        let all = Some((at_connect(), Some(true), None));
        assert_eq!(applied(at_connect(), Spoken::ByDefault), all);
        assert_eq!(
            applied(None, Spoken::ByDefault),
            None,
            "a table starts nothing"
        );
        assert_eq!(applied(Some(TlsStart::Never), Spoken::ByDefault), None);
    }
}
