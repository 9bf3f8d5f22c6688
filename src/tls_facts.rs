//! What is reported of a TLS connection, as data.

use std::fmt;
use std::path::PathBuf;

/// The facts of a TLS connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// How they were read.
    pub how: FactSource,
    /// Whether the peer proved that it has the key of its certificate.
    pub proved: bool,
    /// The negotiated version.
    pub version: Option<TlsVersion>,
    /// The cipher suite by its IANA name, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher: Option<Box<str>>,
    /// The key exchange group, such as `X25519`, `P-256`, `X25519MLKEM768` or `DH-2048`; absent
    /// with RSA key exchange.
    pub group: Option<Box<str>>,
    /// The application protocol that the peer selected (RFC 7301).
    pub alpn: Option<Box<str>>,
    /// The verification of the certificate; absent if no certificate was received.
    pub verification: Option<Verification>,
    /// The certificates that the peer presented, the leaf first.
    pub chain: Vec<CertificateFacts>,
    /// What is known of the presented certificates that `chain` leaves out.
    pub chain_omitted: OmittedCertificates,
    /// With [`FactSource::Handshake`], whether the server refused the client without a certificate.
    /// With [`FactSource::Hello`], whether the server requests one.
    pub client_cert: Option<bool>,
    /// Whether the server stapled an OCSP response (RFC 6066).
    pub staple: bool,
    /// The trust store that was used.
    pub roots: Option<TrustStore>,
    /// The oldest version that the server still supports (`--tls-scan`).
    pub oldest: Option<TlsVersion>,
    /// Whether the server prefers a post-quantum group (`--tls-scan`).
    pub pq: Option<bool>,
}

impl TlsFacts {
    /// Adds the facts of a further connection. Known facts are kept, and the verification is that of
    /// the connection on which the certificate was received.
    pub fn add(&mut self, other: Self) {
        let oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        let pq = self.pq.or(other.pq);
        let is_unknown = self.version.is_none() && other.version.is_some();
        if self.chain.is_empty() && (is_unknown || !other.chain.is_empty()) {
            *self = other;
        }
        self.oldest = oldest;
        self.pq = pq;
    }
}

impl TlsFacts {
    /// Whether a strict client accepts the certificate, as far as it is known: by a handshake only
    /// if the peer has proved that it has the key. Absent if no certificate was seen.
    pub fn is_verified(&self) -> Option<bool> {
        let verification = self.verification.as_ref()?;
        Some(verification.is_verified() && !self.lacks_proof())
    }

    /// Why the certificate is not verified; empty if it is. Absent if no certificate was seen.
    pub fn verify_error(&self) -> Option<&str> {
        let verification = self.verification.as_ref()?;
        Some(if verification.error.is_empty() && self.lacks_proof() {
            "the server has not proved that it has the key of its certificate: see its log and its \
             key file"
        } else {
            &verification.error
        })
    }

    fn lacks_proof(&self) -> bool {
        self.how == FactSource::Handshake && !self.proved
    }

    /// The seconds until the first certificate of the presented chain ends; absent without a
    /// readable certificate.
    pub fn chain_seconds_left(&self, at: i64) -> Option<i64> {
        let readable = self.chain.iter().filter(|cert| cert.unreadable.is_none());
        let ends = readable.map(|cert| cert.not_after);
        let first = ends.chain(self.chain_omitted.not_after).min();
        first.map(|end| end.saturating_sub(at))
    }
}

/// How the facts of a TLS connection were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FactSource {
    /// By a handshake.
    #[default]
    Handshake,
    /// By a `ClientHello` and the answer to it; nothing of it is authenticated.
    Hello,
}

impl FactSource {
    /// As published.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Hello => "hello",
        }
    }
}

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// SSL 3.0 (RFC 6101).
    Ssl3,
    /// TLS 1.0 (RFC 2246).
    Tls10,
    /// TLS 1.1 (RFC 4346).
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// As published.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ssl3 => "SSLv3",
            Self::Tls10 => "TLSv1.0",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a certificate is trusted, and everything that is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// All faults, each once, the worst first.
    pub faults: Vec<Fault>,
    /// One sentence with the remedy for each fault, in the same order.
    pub sentences: Vec<String>,
    /// The sentence of the worst fault that refuses; empty if none does. With `--tls-legacy` it is
    /// that of a weak key or signature only if no other fault refuses.
    pub error: String,
    /// The time of the verification, in seconds since 1970.
    pub at: i64,
}

impl Verification {
    /// Keeps only what is published of its texts.
    pub fn keep_published(&mut self) {
        for text in self.sentences.iter_mut().chain([&mut self.error]) {
            let mut boxed = std::mem::take(text).into_boxed_str();
            clip(&mut boxed, SENTENCE_LIMIT);
            *text = boxed.into();
        }
    }

    /// Whether a strict client accepts the certificate.
    pub fn is_verified(&self) -> bool {
        !self.faults.iter().any(|fault| fault.refuses())
    }
}

/// What is wrong with a certificate or with the way it is served. In the order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Its last day has passed.
    Expired,
    /// Its first day is in the future.
    NotYetValid,
    /// It is for other names.
    NameMismatch,
    /// It is its own issuer, and not trusted.
    SelfSigned,
    /// Its issuer is not in the trust store.
    UnknownIssuer,
    /// The server does not send the intermediate certificate.
    MissingIntermediate,
    /// A signature of the chain is wrong.
    BadSignature,
    /// It is not for TLS servers, or an issuer is not a CA.
    WrongUsage,
    /// Its form is invalid: version 1, an unknown critical extension, impossible dates.
    Malformed,
    /// A key is too short.
    WeakKey,
    /// A signature uses MD5 or SHA-1.
    WeakSignature,
    /// The chain is not in order, or holds certificates that do not belong to it.
    ChainOrder,
    /// Its key is not one of the pinned ones.
    PinMismatch,
    /// The server speaks TLS 1.1 or older.
    OldVersion,
    /// It requires a stapled OCSP response (RFC 7633), and the server sends none.
    MustStaple,
}

impl Fault {
    /// Every fault, the worst first.
    pub const ALL: [Self; 15] = [
        Self::Expired,
        Self::NotYetValid,
        Self::NameMismatch,
        Self::SelfSigned,
        Self::UnknownIssuer,
        Self::MissingIntermediate,
        Self::BadSignature,
        Self::WrongUsage,
        Self::Malformed,
        Self::WeakKey,
        Self::WeakSignature,
        Self::ChainOrder,
        Self::PinMismatch,
        Self::OldVersion,
        Self::MustStaple,
    ];

    /// As published.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::NameMismatch => "name_mismatch",
            Self::SelfSigned => "self_signed",
            Self::UnknownIssuer => "unknown_issuer",
            Self::MissingIntermediate => "missing_intermediate",
            Self::BadSignature => "bad_signature",
            Self::WrongUsage => "wrong_usage",
            Self::Malformed => "malformed",
            Self::WeakKey => "weak_key",
            Self::WeakSignature => "weak_signature",
            Self::ChainOrder => "chain_order",
            Self::PinMismatch => "pin_mismatch",
            Self::OldVersion => "old_version",
            Self::MustStaple => "must_staple",
        }
    }

    /// Whether a certificate with this fault is not trusted. The others are only reported.
    pub fn refuses(self) -> bool {
        !matches!(self, Self::ChainOrder | Self::OldVersion | Self::MustStaple)
    }
}

/// The facts of one certificate. Texts are as the certificate has them, and may hold any character.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject, as in RFC 4514.
    pub subject: Box<str>,
    /// The issuer, as in RFC 4514.
    pub issuer: Box<str>,
    /// The DNS names and IP addresses of the subjectAltName extension.
    pub names: Box<[Box<str>]>,
    /// How many more names it has.
    pub names_omitted: usize,
    /// The serial number in lower-case hexadecimal, with a minus sign if it is negative.
    pub serial: Box<str>,
    /// The key, such as `RSA-2048`, `ECDSA-P256` or `Ed25519`.
    pub key: Box<str>,
    /// The signature algorithm as OpenSSL writes it, such as `sha256WithRSAEncryption`.
    pub signature: Box<str>,
    /// The first second of its validity, since 1970.
    pub not_before: i64,
    /// The last second of its validity, since 1970.
    pub not_after: i64,
    /// The SHA-256 digest of the certificate.
    pub sha256: [u8; 32],
    /// The SHA-256 digest of its subjectPublicKeyInfo (RFC 7469).
    pub spki_sha256: [u8; 32],
    /// Why it cannot be read; then only its digest is known.
    pub unreadable: Option<Box<str>>,
}

/// The most bytes of a text of a certificate that are published; a longer one ends in ` ...`.
pub const TEXT_LIMIT: usize = 512;
/// The most published bytes of a text that is short in every usual certificate.
pub const WORD_LIMIT: usize = 128;
/// The most published bytes of the sentence about trust.
pub const SENTENCE_LIMIT: usize = 1024;
/// The most names that are published.
pub const NAMES_LIMIT: usize = 100;
/// The most bytes of all published names.
pub const NAMES_BYTES: usize = 8 * 1024;
/// The most certificates of a chain that are published.
pub const CHAIN_LIMIT: usize = 16;
/// What is kept of a text beyond its limit, so that its end is marked.
const KEPT_BEYOND: usize = 64;

/// Certificates whose facts are not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OmittedCertificates {
    /// How many.
    pub number: usize,
    /// The last second of the first of them that ends.
    pub not_after: Option<i64>,
}

/// What is published of a chain, the leaf first. A peer can present hundreds of certificates and
/// thousands of names, and the facts of thousands of peers are kept to the end of a run.
pub fn published_chain(
    mut chain: Vec<CertificateFacts>,
) -> (Vec<CertificateFacts>, OmittedCertificates) {
    let rest = chain.split_off(chain.len().min(CHAIN_LIMIT));
    let readable = rest.iter().filter(|cert| cert.unreadable.is_none());
    let omitted = OmittedCertificates {
        number: rest.len(),
        not_after: readable.map(|cert| cert.not_after).min(),
    };
    for (index, certificate) in chain.iter_mut().enumerate() {
        certificate.keep_published(if index == 0 { NAMES_LIMIT } else { 0 });
    }
    chain.shrink_to_fit();
    (chain, omitted)
}

fn clip(text: &mut Box<str>, limit: usize) {
    let mut end = limit + KEPT_BEYOND;
    if text.len() <= end {
        return;
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    *text = text.get(..end).unwrap_or_default().into();
}

impl CertificateFacts {
    /// Keeps only what is published of it, with this many names.
    fn keep_published(&mut self, most_names: usize) {
        for text in [&mut self.subject, &mut self.issuer] {
            clip(text, TEXT_LIMIT);
        }
        for word in [&mut self.serial, &mut self.key, &mut self.signature] {
            clip(word, TEXT_LIMIT);
        }
        if let Some(why) = &mut self.unreadable {
            clip(why, TEXT_LIMIT);
        }
        let number = self.names.len();
        let mut names = std::mem::take(&mut self.names).into_vec();
        let mut bytes = 0;
        let fitting = names.iter().take(most_names).take_while(|name| {
            bytes += name.len().min(TEXT_LIMIT);
            bytes <= NAMES_BYTES
        });
        names.truncate(fitting.count());
        for name in &mut names {
            clip(name, TEXT_LIMIT);
        }
        self.names_omitted += number - names.len();
        self.names = names.into();
    }

    /// The seconds that the certificate is valid after `at` (seconds since 1970): 0 in its last
    /// second, negative after it.
    pub fn seconds_left(&self, at: i64) -> i64 {
        self.not_after.saturating_sub(at)
    }

    /// The part of the whole lifetime that is left at `at`, from 1 before its first second to 0
    /// after its last one.
    pub fn lifetime_left(&self, at: i64) -> f64 {
        let lifetime = self.not_after.saturating_sub(self.not_before);
        if lifetime <= 0 {
            return 0.0;
        }
        (self.not_after.saturating_sub(at) as f64 / lifetime as f64).clamp(0.0, 1.0)
    }
}

const SECONDS_PER_DAY: i64 = 86_400;

/// The days from 1970-01-01 to a day of the Gregorian calendar; `None` if there is no such day. The
/// year is 0 to 9999.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * DAYS_PER_ERA + year * 365 + year / 4 - year / 100 + day_of_year - DAYS_BEFORE_1970)
}

/// The days of 400 years.
const DAYS_PER_ERA: i64 = 146_097;
/// The days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

/// Year, month and day of a time in seconds since 1970.
pub fn date(at: i64) -> (i64, i64, i64) {
    let days = at
        .div_euclid(SECONDS_PER_DAY)
        .saturating_add(DAYS_BEFORE_1970);
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + next, month, day)
}

/// A time (seconds since 1970) for people, such as `2026-11-26 12:00 UTC`.
pub fn date_text(at: i64) -> String {
    let (year, month, day) = date(at);
    let minute = at.rem_euclid(SECONDS_PER_DAY) / 60;
    let (hour, minute) = (minute / 60, minute % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// A trust store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustStore {
    /// The file.
    pub file: PathBuf,
    /// How many certificates it has.
    pub number: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_connection_adds_what_was_not_known() {
        let with = |version, chain| TlsFacts {
            version: Some(version),
            chain,
            ..TlsFacts::default()
        };
        let certificate = vec![CertificateFacts::default()];
        let mut facts = TlsFacts::default();
        facts.add(with(TlsVersion::Tls10, Vec::new()));
        assert_eq!(facts.version, Some(TlsVersion::Tls10));
        facts.add(with(TlsVersion::Tls11, Vec::new()));
        assert_eq!(facts.version, Some(TlsVersion::Tls10), "it is kept");
        facts.add(with(TlsVersion::Tls12, certificate.clone()));
        facts.add(with(TlsVersion::Tls13, certificate));
        assert_eq!(facts.version, Some(TlsVersion::Tls12), "of the certificate");
        for (oldest, expected) in [
            (TlsVersion::Tls11, TlsVersion::Tls11),
            (TlsVersion::Ssl3, TlsVersion::Ssl3),
            (TlsVersion::Tls10, TlsVersion::Ssl3),
        ] {
            facts.add(TlsFacts {
                oldest: Some(oldest),
                pq: Some(oldest == TlsVersion::Tls11),
                ..TlsFacts::default()
            });
            assert_eq!(facts.oldest, Some(expected));
            assert_eq!(facts.pq, Some(true), "it is kept");
        }
        assert_eq!(facts.version, Some(TlsVersion::Tls12));
        assert_eq!(facts.chain.len(), 1);
    }

    #[test]
    fn a_handshake_without_proof_of_the_key_verifies_nothing() {
        assert_eq!(TlsFacts::default().is_verified(), None);
        assert_eq!(TlsFacts::default().verify_error(), None);
        for (how, proved, expected) in [
            (FactSource::Handshake, true, true),
            (FactSource::Handshake, false, false),
            (FactSource::Hello, false, true),
        ] {
            let mut facts = TlsFacts {
                how,
                proved,
                verification: Some(Verification::default()),
                ..TlsFacts::default()
            };
            assert_eq!(facts.is_verified(), Some(expected), "{how:?}");
            assert_eq!(facts.verify_error().unwrap().is_empty(), expected);
            facts.verification = Some(Verification {
                faults: vec![Fault::Expired],
                error: "it expired".to_owned(),
                ..Verification::default()
            });
            assert_eq!(facts.is_verified(), Some(false));
            assert_eq!(facts.verify_error(), Some("it expired"));
        }
    }

    #[test]
    fn only_what_is_published_is_kept_of_a_chain() {
        let long = || Box::<str>::from("é\u{1}".repeat(20_000));
        let certificate = CertificateFacts {
            subject: long(),
            issuer: long(),
            serial: long(),
            key: long(),
            signature: long(),
            names: vec!["n".repeat(600).into(); 1000].into(),
            not_after: 7,
            ..CertificateFacts::default()
        };
        let mut chain = vec![certificate; 40];
        chain[39].not_after = 5;
        chain[38].unreadable = Some(long());
        chain[38].not_after = 1;
        chain[3].unreadable = Some(long());
        let (chain, omitted) = published_chain(chain);
        let expected = OmittedCertificates {
            number: 24,
            not_after: Some(5),
        };
        assert_eq!((chain.len(), omitted), (CHAIN_LIMIT, expected));
        let names = |cert: &CertificateFacts| cert.names.iter().map(|name| name.len()).sum();
        let texts = |cert: &CertificateFacts| {
            let words = [&cert.serial, &cert.key, &cert.signature];
            let texts = words.into_iter().chain([&cert.subject, &cert.issuer]);
            let names: usize = names(cert);
            names
                + texts
                    .chain(&cert.unreadable)
                    .map(|text| text.len())
                    .sum::<usize>()
        };
        assert!(chain.iter().map(texts).sum::<usize>() < 64 << 10);
        assert_eq!(chain[0].names.len(), 16);
        assert_eq!(chain[0].names_omitted, 1000 - 16);
        assert!(chain[1].names.is_empty());
        assert!(chain[0].subject.len() > TEXT_LIMIT, "its end is marked");
        let facts = TlsFacts {
            chain,
            chain_omitted: omitted,
            ..TlsFacts::default()
        };
        assert_eq!(facts.chain_seconds_left(0), Some(5));
        let short = vec![CertificateFacts {
            names: vec!["a".into(); NAMES_LIMIT].into(),
            ..CertificateFacts::default()
        }];
        let (kept, omitted) = published_chain(short.clone());
        assert_eq!((kept, omitted), (short, OmittedCertificates::default()));
        let mut verification = Verification {
            sentences: vec![long().into(); 3],
            error: long().into(),
            ..Verification::default()
        };
        verification.keep_published();
        for text in verification.sentences.iter().chain([&verification.error]) {
            assert!((SENTENCE_LIMIT + 1..SENTENCE_LIMIT + 100).contains(&text.len()));
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let mut at = days_since_1970(0, 1, 1).unwrap();
        assert_eq!(at, -719_528);
        for year in 0..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_since_1970(year, month, day) {
                        assert_eq!(days, at);
                        assert_eq!(date(at * 86_400 + 86_399), (year, month, day));
                        at += 1;
                    }
                }
            }
        }
        assert_eq!(at * 86_400 - 1, 253_402_300_799);
        assert_eq!(date_text(1_795_694_400), "2026-11-26 12:00 UTC");
        assert_eq!(date_text(-60), "1969-12-31 23:59 UTC");
        for at in [i64::MIN, i64::MAX] {
            assert!(!date_text(at).is_empty());
        }
    }

    #[test]
    fn days_are_left_until_the_last_second() {
        let day = SECONDS_PER_DAY;
        for days in [7, 47, 90, 398, 3650] {
            let not_before = 1_700_000_000;
            let cert = CertificateFacts {
                not_before,
                not_after: not_before + days * day - 1,
                ..CertificateFacts::default()
            };
            for (at, left) in [
                (not_before - 1, days),
                (not_before, days - 1),
                (cert.not_after - day, 1),
                (cert.not_after - day + 1, 0),
                (cert.not_after, 0),
                (cert.not_after + 1, -1),
                (cert.not_after + day, -1),
                (cert.not_after + day + 1, -2),
            ] {
                assert_eq!(cert.seconds_left(at).div_euclid(day), left, "{days} {at}");
            }
            assert!(cert.lifetime_left(not_before - 1) >= 1.0);
            assert!(cert.lifetime_left(cert.not_after + 1) <= 0.0);
            let half = cert.lifetime_left(not_before + (days * day - 1) / 2);
            assert!((half - 0.5).abs() < 1e-5, "{half}");
        }
        let hours = CertificateFacts {
            not_before: 0,
            not_after: 160 * 3600 - 1,
            ..CertificateFacts::default()
        };
        assert_eq!(hours.seconds_left(0), 160 * 3600 - 1);
        assert_eq!(hours.seconds_left(i64::MIN), i64::MAX);
        let ends = |not_after, unreadable| CertificateFacts {
            not_after,
            unreadable,
            ..CertificateFacts::default()
        };
        let facts = TlsFacts {
            chain: vec![
                ends(10 * day, None),
                ends(5 * day, None),
                ends(0, Some("cannot be read".into())),
            ],
            ..TlsFacts::default()
        };
        assert_eq!(facts.chain_seconds_left(0), Some(5 * day));
        assert_eq!(TlsFacts::default().chain_seconds_left(0), None);
        assert!(CertificateFacts::default().lifetime_left(0) <= 0.0);
    }
}
