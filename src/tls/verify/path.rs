//! The path from a certificate to a root, also if it is incomplete or has faults.
//!
//! webpki decides whether a path is trusted. If no path is, webpki returns only one error.
//! Therefore the path that is examined for faults is searched here: from each certificate to the
//! best of its possible issuers.

use rustls::pki_types::TrustAnchor;

use crate::tls::certificate::parsed::ParsedCertificate;
use crate::tls::roots::Roots;
use crate::tls::verify::signature::{self, SignatureCheck};

/// A path.
#[derive(Debug)]
pub struct Path<'a> {
    /// The certificates that the peer presented, the leaf first.
    pub certificates: Vec<&'a ParsedCertificate<'a>>,
    /// Whether the signature of each belongs to its issuer. Without an entry for the last one, its
    /// issuer is unknown.
    pub signatures: Vec<SignatureCheck>,
    /// Where it ends.
    pub end: PathEnd<'a>,
}

impl<'a> Path<'a> {
    /// That of a certificate that is trusted itself.
    pub fn trusted(leaf: &'a ParsedCertificate<'a>) -> Self {
        Self {
            certificates: vec![leaf],
            signatures: Vec::new(),
            end: PathEnd::Trusted,
        }
    }

    /// A path with valid signatures.
    pub fn verified(
        leaf: &'a ParsedCertificate<'a>,
        intermediates: &[&'a ParsedCertificate<'a>],
        root: Option<(ParsedCertificate<'a>, &'a TrustAnchor<'static>)>,
    ) -> Self {
        let mut certificates = vec![leaf];
        certificates.extend(intermediates);
        Self {
            signatures: vec![SignatureCheck::Valid; certificates.len()],
            certificates,
            end: root.map_or(PathEnd::Trusted, |(root, anchor)| {
                PathEnd::Root(Box::new(root), anchor)
            }),
        }
    }

    /// Whether the last certificate has this index.
    pub fn ends_with(&self, index: usize) -> bool {
        index + 1 == self.certificates.len()
    }
}

/// Where a path ends.
#[derive(Debug)]
pub enum PathEnd<'a> {
    /// At a trusted root.
    Root(Box<ParsedCertificate<'a>>, &'a TrustAnchor<'static>),
    /// At a trusted certificate, which is the last of the path itself.
    Trusted,
    /// At a certificate that is its own issuer.
    SelfIssued,
    /// At a certificate whose issuer is neither presented nor trusted.
    Missing,
}

/// Certificates that the peer presented; `None` if one cannot be read.
pub type Presented<'a> = [Option<ParsedCertificate<'a>>];

/// How many signatures are verified in the search. A peer can present hundreds of certificates with
/// the same name.
const MAX_CHECKS: usize = 64;

/// The best possible issuer of a certificate so far.
struct Candidate<'a> {
    check: SignatureCheck,
    leads_to_root: bool,
    is_current: bool,
    issuer: Issuer<'a>,
}

enum Issuer<'a> {
    Root(Box<ParsedCertificate<'a>>, &'a TrustAnchor<'static>),
    Presented(&'a ParsedCertificate<'a>),
    Itself,
}

/// Searches the path of the leaf at this time (seconds since 1970).
pub fn find<'a>(
    leaf: &'a ParsedCertificate<'a>,
    others: &'a Presented<'a>,
    roots: Option<&'a Roots>,
    at: i64,
) -> Path<'a> {
    let mut path = Path {
        certificates: vec![leaf],
        signatures: Vec::new(),
        end: PathEnd::Missing,
    };
    let mut checks = MAX_CHECKS;
    let mut current = leaf;
    while let Some(best) = best_issuer(current, &path, others, roots, at, &mut checks) {
        path.signatures.push(best.check);
        match best.issuer {
            Issuer::Root(root, anchor) => {
                path.end = PathEnd::Root(root, anchor);
                break;
            }
            Issuer::Itself => {
                path.end = PathEnd::SelfIssued;
                break;
            }
            Issuer::Presented(issuer) => {
                path.certificates.push(issuer);
                current = issuer;
            }
        }
    }
    path
}

/// The issuer with a valid signature, if there is one; of several, one that is a root or was issued
/// by one, and one that has not expired.
fn best_issuer<'a>(
    certificate: &ParsedCertificate<'a>,
    path: &Path<'a>,
    others: &'a Presented<'a>,
    roots: Option<&'a Roots>,
    at: i64,
    checks: &mut usize,
) -> Option<Candidate<'a>> {
    let trusted = roots
        .into_iter()
        .flat_map(|roots| possible_roots(roots, certificate));
    let presented = others.iter().flatten().filter(|other| {
        other.can_issue(certificate) && !path.certificates.iter().any(|used| used.der == other.der)
    });
    let mut best: Option<Candidate<'a>> = None;
    let candidates = trusted
        .map(|(root, anchor)| Issuer::Root(Box::new(root), anchor))
        .chain(presented.map(Issuer::Presented));
    let itself = certificate.can_issue(certificate).then_some(Issuer::Itself);
    for issuer in candidates.chain(itself) {
        if *checks == 0 {
            break;
        }
        *checks -= 1;
        let (certifier, leads_to_root) = match &issuer {
            Issuer::Root(root, _) => (&**root, true),
            Issuer::Presented(other) => (*other, has_root(roots, other)),
            Issuer::Itself => (certificate, false),
        };
        let candidate = Candidate {
            check: signature::check(certificate, &certifier.key),
            leads_to_root,
            is_current: certifier.is_valid_at(at),
            issuer,
        };
        let rank = |of: &Candidate<'_>| (of.check, !of.leads_to_root, !of.is_current);
        if best
            .as_ref()
            .is_none_or(|best| rank(&candidate) < rank(best))
        {
            best = Some(candidate);
        }
    }
    best
}

/// Whether a root has the name of the issuer of a certificate.
fn has_root(roots: Option<&Roots>, certificate: &ParsedCertificate<'_>) -> bool {
    let is_issuer = |anchor: &TrustAnchor<'_>| anchor.subject.as_ref() == certificate.issuer;
    roots.is_some_and(|roots| roots.anchors.iter().any(is_issuer))
}

/// The roots that can be the issuer of a certificate.
fn possible_roots<'a>(
    roots: &'a Roots,
    certificate: &ParsedCertificate<'_>,
) -> Vec<(ParsedCertificate<'a>, &'a TrustAnchor<'static>)> {
    let all = roots.anchors.iter().zip(&roots.certificates);
    all.filter(|(anchor, _)| anchor.subject.as_ref() == certificate.issuer)
        .filter_map(|(anchor, root)| Some((ParsedCertificate::parse(root).ok()?, anchor)))
        .filter(|(root, _)| root.can_issue(certificate))
        .collect()
}

/// The presented certificates that can be on a path, by their names: the issuers of the leaf, their
/// issuers and so on, each once. `None` if there are more than `most`.
pub fn related<'a>(
    leaf: &ParsedCertificate<'_>,
    others: &'a Presented<'a>,
    most: usize,
) -> Option<Vec<&'a ParsedCertificate<'a>>> {
    let mut found: Vec<&ParsedCertificate<'_>> = Vec::new();
    let mut current = leaf;
    let mut next = 0;
    loop {
        for other in others
            .iter()
            .flatten()
            .filter(|other| other.can_issue(current))
        {
            let is_known = other.der == leaf.der || found.iter().any(|one| one.der == other.der);
            if !is_known {
                found.push(other);
            }
            if found.len() > most {
                return None;
            }
        }
        let Some(following) = found.get(next) else {
            return Some(found);
        };
        current = following;
        next += 1;
    }
}
