//! The detection of each fault.

use webpki::Error;

use crate::tls::certificate::parsed::{CERTIFICATE_SIGNING, ParsedCertificate, SERVER_KEY_USAGE};
use crate::tls::certificate::{algorithm, name, sha256};
use crate::tls::verify::evidence::{Evidence, is_weakness};
use crate::tls::verify::path::{Path, PathEnd, Presented};
use crate::tls::verify::sentence::{self, quoted};
use crate::tls::verify::signature::SignatureCheck;
use crate::tls::verify::webpki_error::reason;
use crate::tls_facts::{Fault, Verification};

/// The faults found so far, each with its sentence.
#[derive(Debug)]
pub struct Findings<'a> {
    evidence: Evidence<'a>,
    host: String,
    found: Vec<(Fault, String)>,
}

impl<'a> Findings<'a> {
    /// Without a fault.
    pub fn new(evidence: Evidence<'a>) -> Self {
        Self {
            evidence,
            host: evidence.host.to_string(),
            found: Vec::new(),
        }
    }

    /// Whether a strict client refuses the certificate.
    pub fn refuses(&self) -> bool {
        self.found.iter().any(|(fault, _)| fault.refuses())
    }

    /// Whether the certificate is not trusted with these options.
    pub fn decides(&self) -> bool {
        let decides = |fault: Fault| self.decides_by(fault);
        self.found.iter().any(|(fault, _)| decides(*fault))
    }

    fn decides_by(&self, fault: Fault) -> bool {
        fault.refuses() && !(self.evidence.legacy && is_weakness(fault))
    }

    /// All faults, the worst first.
    pub fn verification(mut self) -> Verification {
        self.found.sort_by_key(|(fault, _)| *fault);
        self.found.dedup_by_key(|(fault, _)| *fault);
        let decisive = self.found.iter().find(|(fault, _)| self.decides_by(*fault));
        let refusing = || self.found.iter().find(|(fault, _)| fault.refuses());
        let error = decisive.or_else(refusing).map(|(_, text)| text.clone());
        let at = self.evidence.at;
        let (faults, sentences) = self.found.into_iter().unzip();
        Verification {
            faults,
            sentences,
            error: error.unwrap_or_default(),
            at,
        }
    }

    fn add(&mut self, fault: Fault, sentence: impl Into<String>) {
        self.found.push((fault, sentence.into()));
    }

    /// The protocol version is TLS 1.1 or older.
    pub fn old_version(&mut self) {
        let version = self.evidence.version.map_or("", |version| version.name());
        self.add(
            Fault::OldVersion,
            format!("the server speaks {version}: enable TLS 1.2 and 1.3 on it"),
        );
    }

    /// The peer presented no certificate.
    pub fn no_certificate(&mut self) {
        let text = "the server sends no certificate: configure one";
        self.add(Fault::UnknownIssuer, text);
    }

    /// The certificate cannot be read.
    pub fn unreadable(&mut self, why: &str) {
        let text = format!(
            "certificate of {} cannot be read: {why}: replace it",
            self.host
        );
        self.add(Fault::Malformed, text);
    }

    /// The certificate is for other names.
    pub fn name_mismatch(&mut self, leaf: &ParsedCertificate<'_>) {
        let names = self
            .evidence
            .facts
            .first()
            .map_or(&[][..], |leaf| &leaf.names);
        let common = name::common_name(leaf.subject);
        let text = sentence::name_mismatch(names, common.as_deref(), &self.host);
        self.add(Fault::NameMismatch, text);
    }

    /// The key is not a pinned one.
    pub fn pin(&mut self, leaf: &ParsedCertificate<'_>) {
        if !self.evidence.pins.contains(&sha256(leaf.spki.whole)) {
            let text = format!(
                "the key of the certificate of {} is not pinned: if the key was replaced on purpose, pin its digest (`tls.spki_sha256`)",
                self.host
            );
            self.add(Fault::PinMismatch, text);
        }
    }

    /// A stapled response is required and missing.
    pub fn staple(&mut self, leaf: &ParsedCertificate<'_>) {
        if leaf.extensions.must_staple && !self.evidence.staple {
            let text = format!(
                "certificate of {} requires a stapled OCSP response, and the server sends none: enable OCSP stapling",
                self.host
            );
            self.add(Fault::MustStaple, text);
        }
    }

    /// Each presented certificate must certify the one before it (RFC 5246, section 7.4.2).
    pub fn order(&mut self, leaf: &ParsedCertificate<'_>, others: &Presented<'_>) {
        let mut before = vec![leaf];
        for (index, other) in others.iter().enumerate() {
            let number = index + 2;
            let Some(other) = other else {
                let text = format!("certificate {number} of the chain cannot be read: remove it");
                return self.add(Fault::ChainOrder, text);
            };
            let is_repeated = before.iter().any(|one| one.der == other.der);
            let certifies = |one: &&ParsedCertificate<'_>| other.can_issue(one);
            if is_repeated || !before.last().is_none_or(certifies) {
                let text = format!(
                    "certificate {number} of the chain, {}, does not certify the one before it: send the certificate of the server first, then those of its issuers",
                    name_of(other.subject)
                );
                return self.add(Fault::ChainOrder, text);
            }
            before.push(other);
        }
    }

    /// Dates, form, usage and keys of all certificates of a path.
    pub fn certificates(&mut self, path: &Path<'_>) {
        let mut below = 0;
        for (index, certificate) in path.certificates.iter().enumerate() {
            let subject = self.subject(path, index);
            let remedy = match index {
                0 => "renew it",
                _ => "configure the current chain of the issuer on the server",
            };
            self.dates(certificate, &subject, remedy);
            self.key(certificate, &subject);
            if let Some(flaw) = certificate.flaws.first() {
                let text = format!("{subject} is malformed: {flaw}: replace it");
                self.add(Fault::Malformed, text);
            }
            if index == 0 {
                self.server_usage(certificate, &subject, &path.end);
            } else {
                self.issuer_usage(certificate, &subject, below);
                below += usize::from(!certificate.is_self_issued());
            }
        }
        if let PathEnd::Root(root, _) = &path.end {
            let store = self.store();
            let subject = format!("root certificate {} of {store}", name_of(root.subject));
            self.dates(root, &subject, "update the trust store");
            self.key(root, &subject);
            // RFC 5280 does not define which fields of a root are verified. A certificate that is
            // not of a CA was not issued to be a root.
            if root.version == 3 && root.extensions.is_ca != Some(true) {
                self.not_a_ca(&subject);
            }
        }
    }

    fn dates(&mut self, certificate: &ParsedCertificate<'_>, subject: &str, remedy: &str) {
        let (start, end, at) = (
            certificate.not_before,
            certificate.not_after,
            self.evidence.at,
        );
        if end < start {
            // This is malformed.
        } else if at > end {
            self.add(Fault::Expired, sentence::expired(subject, end, remedy));
        } else if at < start {
            self.add(Fault::NotYetValid, sentence::not_yet_valid(subject, start));
        }
    }

    fn key(&mut self, certificate: &ParsedCertificate<'_>, subject: &str) {
        if certificate.key.kind.is_weak() {
            let key = certificate.key.name();
            let text = format!(
                "{subject} has a weak key ({key}): replace it by one with RSA of at least 2048 bits or ECDSA"
            );
            self.add(Fault::WeakKey, text);
        }
    }

    fn server_usage(&mut self, leaf: &ParsedCertificate<'_>, subject: &str, end: &PathEnd<'_>) {
        let extensions = &leaf.extensions;
        let is_own_root = leaf.is_self_issued() || matches!(end, PathEnd::Trusted);
        let why = if extensions.for_servers == Some(false) {
            "its extKeyUsage has no serverAuth"
        } else if extensions
            .key_usage
            .is_some_and(|usage| usage & SERVER_KEY_USAGE == 0)
        {
            "its keyUsage has no digitalSignature, keyEncipherment or keyAgreement"
        } else if extensions.is_ca == Some(true) && !is_own_root {
            "it is that of a CA"
        } else {
            return;
        };
        let text = format!("{subject} is not for TLS servers ({why}): issue one that is");
        self.add(Fault::WrongUsage, text);
    }

    fn issuer_usage(&mut self, issuer: &ParsedCertificate<'_>, subject: &str, below: usize) {
        let extensions = &issuer.extensions;
        let signs = |usage| usage & CERTIFICATE_SIGNING != 0;
        if extensions.is_ca != Some(true) || !extensions.key_usage.is_none_or(signs) {
            self.not_a_ca(subject);
        } else if extensions.for_servers == Some(false) {
            let text = format!(
                "{subject} must not issue certificates for TLS servers (its extKeyUsage has no serverAuth): use another issuer"
            );
            self.add(Fault::WrongUsage, text);
        } else if extensions.path_length.is_some_and(|most| below > most) {
            let text = format!(
                "{subject} has {below} CA certificates below it, more than its pathLenConstraint: use another issuer"
            );
            self.add(Fault::WrongUsage, text);
        }
    }

    fn not_a_ca(&mut self, subject: &str) {
        let text = format!(
            "{subject} is not that of a CA, and must not issue certificates: use another issuer"
        );
        self.add(Fault::WrongUsage, text);
    }

    /// Signatures with MD5 or SHA-1. The signature of a root by itself proves nothing, and is
    /// ignored.
    pub fn weak_signatures(&mut self, path: &Path<'_>) {
        for (index, certificate) in path.certificates.iter().enumerate() {
            let is_root = index > 0 && certificate.is_self_issued() && path.ends_with(index);
            if !is_root && algorithm::is_weak_signature(certificate.signature_algorithm) {
                let subject = self.subject(path, index);
                let name = algorithm::signature_name(certificate.signature_algorithm);
                let text = format!(
                    "{subject} has a weak signature ({name}): replace it by one that is signed with SHA-256"
                );
                self.add(Fault::WeakSignature, text);
            }
        }
    }

    /// A signature of the path is wrong. Returns whether one is.
    pub fn wrong_signatures(&mut self, path: &Path<'_>) -> bool {
        let is_wrong = |check: &SignatureCheck| *check == SignatureCheck::Wrong;
        let Some(index) = path.signatures.iter().position(is_wrong) else {
            return false;
        };
        let subject = self.subject(path, index);
        let issuer = path
            .certificates
            .get(index)
            .map_or(&[][..], |one| one.issuer);
        let text = format!(
            "the signature of the {subject} was not made with the key of {}: the certificate was changed, or that of another issuer with this name is used",
            name_of(issuer)
        );
        self.add(Fault::BadSignature, text);
        true
    }

    /// Why the path does not lead to a trusted root.
    pub fn issuer(&mut self, path: &Path<'_>) {
        if self.wrong_signatures(path) {
            return;
        }
        let Some(index) = path.certificates.len().checked_sub(1) else {
            return;
        };
        let Some(last) = path.certificates.get(index) else {
            return;
        };
        let (subject, store) = (self.subject(path, index), self.store());
        match &path.end {
            PathEnd::Root(..) | PathEnd::Trusted => self.unverified(path),
            PathEnd::SelfIssued if index == 0 => {
                let text = format!(
                    "{subject} is self-signed: pin its key with `--pin-sha256`, trust it with `--ca-file`, or replace it by one of a CA"
                );
                self.add(Fault::SelfSigned, text);
            }
            PathEnd::SelfIssued => {
                let text = format!(
                    "the chain of {} ends at {}, which is not in {store}: trust it with `--ca-file`, or pin the key of the server with `--pin-sha256`",
                    self.host,
                    name_of(last.subject)
                );
                self.add(Fault::UnknownIssuer, text);
            }
            PathEnd::Missing if last.extensions.has_issuer_url && !last.is_self_issued() => {
                let text = format!(
                    "the server does not send the intermediate certificate {}: configure its full chain",
                    name_of(last.issuer)
                );
                self.add(Fault::MissingIntermediate, text);
            }
            PathEnd::Missing => {
                let text = format!(
                    "the issuer {} of the {subject} is not in {store}: trust it with `--ca-file`, or pin the key of the server with `--pin-sha256`",
                    name_of(last.issuer)
                );
                self.add(Fault::UnknownIssuer, text);
            }
        }
    }

    /// A signature that cannot be verified here is not trusted. A weak signature is reported as
    /// another fault.
    fn unverified(&mut self, path: &Path<'_>) {
        for (index, check) in path.signatures.iter().enumerate() {
            let Some(certificate) = path.certificates.get(index) else {
                return;
            };
            let key = match (path.certificates.get(index + 1), &path.end) {
                (Some(issuer), _) => issuer.key,
                (None, PathEnd::Root(root, _)) => root.key,
                (None, _) => return,
            };
            let is_weak =
                algorithm::is_weak_signature(certificate.signature_algorithm) || key.kind.is_weak();
            if *check == SignatureCheck::Unsupported && (!is_weak || self.evidence.legacy) {
                let text = format!(
                    "the signature of the {} by {} ({} with {}) cannot be verified by zbx-tcp: pin the key of the server with `--pin-sha256`",
                    self.subject(path, index),
                    name_of(certificate.issuer),
                    algorithm::signature_name(certificate.signature_algorithm),
                    key.name()
                );
                return self.add(Fault::UnknownIssuer, text);
            }
        }
    }

    /// Adds the error of webpki for the form of a chain, with everything else accepted.
    pub fn refused_for_form(&mut self, error: &Error, leaf: &ParsedCertificate<'_>) {
        let (fault, why) = reason(error);
        let is_own_root = leaf.is_self_issued() && *error == Error::CaUsedAsEndEntity;
        if matches!(fault, Fault::Malformed | Fault::WrongUsage) && !is_own_root {
            self.refused(fault, why);
        }
    }

    /// Adds the error of webpki for a chain in which no other fault was found.
    pub fn refused_by_webpki(&mut self, error: &Error) {
        let (fault, why) = reason(error);
        self.refused(fault, why);
    }

    fn refused(&mut self, fault: Fault, why: &str) {
        let text = format!("certificate of {} is refused: {why}", self.host);
        self.add(fault, text);
    }

    /// A certificate of a path, for a sentence.
    fn subject(&self, path: &Path<'_>, index: usize) -> String {
        match path.certificates.get(index) {
            Some(certificate) if index > 0 => {
                format!("intermediate certificate {}", name_of(certificate.subject))
            }
            _ => format!("certificate of {}", self.host),
        }
    }

    /// The trust store, for a sentence.
    fn store(&self) -> String {
        self.evidence.roots.map_or_else(
            || "the trust store".to_owned(),
            |roots| {
                let file = roots.file.to_string_lossy();
                format!(
                    "the trust store {}",
                    crate::escape::escaped_prefix(&file, 200)
                )
            },
        )
    }
}

/// A distinguished name for a sentence.
fn name_of(name: &[u8]) -> String {
    quoted(&name::text(name).unwrap_or_default())
}
