//! The verification of a certificate: every fault of it and of its chain, and one sentence with the
//! remedy.
//!
//! webpki decides whether a chain is trusted, but it returns only one error, and none for a
//! certificate that it cannot read. So if it refuses a chain, the [`path`] to a root is searched,
//! and each certificate of the path is examined for each fault. If no fault is found that makes a
//! strict client refuse, the chain was verified by webpki, its leaf is in the trust store, or its
//! key is pinned; otherwise the error of webpki is added as a fault.

mod evidence;
mod examine;
mod host_name;
pub mod path;
mod sentence;
mod signature;
mod webpki_error;

use std::time::Duration;

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::tls::certificate::parsed::ParsedCertificate;
use crate::tls::options::TlsOptions;
pub use crate::tls::verify::evidence::Evidence;
use crate::tls::verify::evidence::is_weakness;
use crate::tls::verify::examine::Findings;
use crate::tls::verify::path::{Path, PathEnd, Presented};
use crate::tls_facts::{Fault, TlsVersion, Verification};

/// Finds all faults.
pub fn verify(evidence: &Evidence<'_>) -> Verification {
    let mut findings = Findings::new(*evidence);
    if evidence
        .version
        .is_some_and(|version| version < TlsVersion::Tls12)
    {
        findings.old_version();
    }
    match evidence
        .chain
        .first()
        .map(|leaf| ParsedCertificate::parse(leaf))
    {
        None => findings.no_certificate(),
        Some(Err(why)) => findings.unreadable(&why),
        Some(Ok(leaf)) => {
            let others = evidence.chain.iter().skip(1);
            let others: Vec<_> = others
                .map(|der| ParsedCertificate::parse(der).ok())
                .collect();
            let chain = PresentedChain {
                evidence: *evidence,
                leaf: &leaf,
                others: &others,
            };
            chain.verify(&mut findings);
        }
    }
    findings.verification()
}

/// Whether a verified certificate is accepted with these options: it has no fault that refuses,
/// except that `--tls-legacy` accepts weak keys and signatures. `--tls-report-only` has no effect
/// here.
pub fn accepts(verification: &Verification, options: &TlsOptions) -> bool {
    let decides = |fault: &Fault| fault.refuses() && !(options.legacy && is_weakness(*fault));
    !verification.faults.iter().any(decides)
}

/// A chain whose leaf can be read.
struct PresentedChain<'a> {
    evidence: Evidence<'a>,
    leaf: &'a ParsedCertificate<'a>,
    others: &'a Presented<'a>,
}

/// The most intermediate certificates among which webpki searches a path: its search takes
/// factorial time.
const MAX_SEARCHED: usize = 5;

impl<'a> PresentedChain<'a> {
    fn verify(&self, findings: &mut Findings<'_>) {
        let der = CertificateDer::from_slice(self.leaf.der);
        let end_entity = EndEntityCert::try_from(&der);
        let readable = end_entity.as_ref().ok();
        if !host_name::matches(self.evidence.host, self.leaf, readable) {
            findings.name_mismatch(self.leaf);
        }
        findings.order(self.leaf, self.others);
        findings.staple(self.leaf);
        if self.evidence.pins.is_empty() {
            self.verify_by_roots(readable, findings);
        } else {
            self.verify_by_pins(findings);
        }
        // A certificate that webpki cannot read has a fault, even if it is trusted. If the same
        // fault was found before, its sentence is kept, because it has more details.
        if let Err(error) = &end_entity {
            findings.refused_by_webpki(error);
        }
    }

    /// A pinned key is trusted, whatever its issuers are.
    fn verify_by_pins(&self, findings: &mut Findings<'_>) {
        findings.pin(self.leaf);
        let mut path = path::find(self.leaf, self.others, None, self.evidence.at);
        path.certificates.truncate(1);
        path.signatures.truncate(1);
        path.end = PathEnd::Trusted;
        findings.wrong_signatures(&path);
        findings.certificates(&path);
        findings.weak_signatures(&path);
    }

    fn verify_by_roots(&self, end_entity: Option<&EndEntityCert<'_>>, findings: &mut Findings<'_>) {
        let (roots, at) = (self.evidence.roots, self.evidence.at);
        let is_root = |root: &CertificateDer<'_>| root.as_ref() == self.leaf.der;
        if roots.is_some_and(|roots| roots.certificates.iter().any(is_root)) {
            findings.certificates(&Path::trusted(self.leaf));
            return;
        }
        let anchors = roots.map_or(&[][..], |roots| roots.unexpired(at));
        let strict = |intermediates: &[&'a ParsedCertificate<'a>]| {
            verify_path(end_entity, intermediates, anchors, signature::STRICT, at)
        };
        // The usual case: webpki accepts the chain.
        let related = path::related(self.leaf, self.others, MAX_SEARCHED);
        let verified = related.map_or(Err(Error::UnknownIssuer), |related| strict(&related));
        if let (Ok(verified), Some(roots)) = (&verified, roots) {
            let root = roots.root(verified.anchor);
            let path = Path::verified(self.leaf, &verified.intermediates, root);
            findings.certificates(&path);
            return;
        }
        let path = path::find(self.leaf, self.others, roots, at);
        findings.issuer(&path);
        findings.certificates(&path);
        findings.weak_signatures(&path);
        if let Err(error) = verify_form(end_entity, &path) {
            findings.refused_for_form(&error, self.leaf);
        }
        if findings.decides() {
            return;
        }
        // A chain is only trusted if webpki accepts it, with every signature verified.
        let intermediates = path.certificates.get(1..).unwrap_or_default();
        let verified = if findings.refuses() {
            verify_path(end_entity, intermediates, anchors, &signature::all(), at)
        } else {
            strict(intermediates)
        };
        if let Err(error) = verified {
            findings.refused_by_webpki(&error);
        }
    }
}

/// Verifies with webpki everything but dates and signatures: at an instant inside the validity,
/// with an issuer of the right name, and with every signature accepted.
fn verify_form(end_entity: Option<&EndEntityCert<'_>>, path: &Path<'_>) -> Result<(), Error> {
    let spki = path
        .certificates
        .last()
        .and_then(|last| signature::key_for(last.signature_algorithm));
    let (Some(end_entity), Some(last), Some(spki)) = (end_entity, path.certificates.last(), spki)
    else {
        return Ok(());
    };
    let unchecked = signature::unchecked();
    let algorithms: Vec<_> = unchecked
        .iter()
        .map(|algorithm| algorithm as &dyn SignatureVerificationAlgorithm)
        .collect();
    let anchor = TrustAnchor {
        subject: last.issuer.into(),
        subject_public_key_info: spki.into(),
        name_constraints: match &path.end {
            PathEnd::Root(_, anchor) => anchor.name_constraints.clone(),
            _ => None,
        },
    };
    let starts = path
        .certificates
        .iter()
        .map(|certificate| certificate.not_before);
    let at = starts.max().unwrap_or_default();
    let intermediates = path.certificates.get(1..).unwrap_or_default();
    verify_path(Some(end_entity), intermediates, &[anchor], &algorithms, at).map(|_| ())
}

/// A path that webpki has verified.
struct VerifiedChain<'a> {
    /// Its intermediate certificates.
    intermediates: Vec<&'a ParsedCertificate<'a>>,
    /// The index of its anchor.
    anchor: usize,
}

fn verify_path<'a>(
    end_entity: Option<&EndEntityCert<'_>>,
    intermediates: &[&'a ParsedCertificate<'a>],
    anchors: &[TrustAnchor<'_>],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    at: i64,
) -> Result<VerifiedChain<'a>, Error> {
    let end_entity = end_entity.ok_or(Error::BadDer)?;
    let ders: Vec<_> = intermediates
        .iter()
        .map(|certificate| CertificateDer::from_slice(certificate.der))
        .collect();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or(0)));
    let usage = KeyUsage::server_auth();
    let path = end_entity.verify_for_usage(algorithms, anchors, &ders, time, usage, None, None)?;
    let is_anchor = |anchor: &TrustAnchor<'_>| std::ptr::eq(anchor, path.anchor());
    let find = |der: &CertificateDer<'_>| {
        let is_same = |other: &&&ParsedCertificate<'_>| other.der == der.as_ref();
        intermediates.iter().find(is_same).copied()
    };
    Ok(VerifiedChain {
        intermediates: path
            .intermediate_certificates()
            .filter_map(|certificate| find(&certificate.der()))
            .collect(),
        anchor: anchors.iter().position(is_anchor).unwrap_or(usize::MAX),
    })
}
