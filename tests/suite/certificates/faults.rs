//! Every combination of up to five faults: the set that is reported is the set that was made.

use std::collections::HashMap;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::pki_types::CertificateDer;
use zbx_tcp::tls::certificate;
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls::roots::Roots;
use zbx_tcp::tls::verify::accepts;
use zbx_tcp::tls_facts::{Fault, TlsVersion};

use super::made::{
    Key, Made, VerifyCase, ca, extension, issuer_url, must_staple, self_signed, server,
};

/// The most faults in one combination.
const MOST: u32 = 5;

/// Why there is no trusted root: at most one of them is reported.
const ISSUER: [Fault; 4] = [
    Fault::SelfSigned,
    Fault::UnknownIssuer,
    Fault::MissingIntermediate,
    Fault::BadSignature,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FaultSet(u32);

impl FaultSet {
    fn has(self, fault: Fault) -> bool {
        let bit = Fault::ALL.iter().position(|other| *other == fault).unwrap();
        self.0 & 1 << bit != 0
    }

    fn faults(self) -> Vec<Fault> {
        let all = Fault::ALL.into_iter();
        all.filter(|fault| self.has(*fault)).collect()
    }

    /// The part that decides the content of the certificate.
    fn of_leaf(self) -> Self {
        let elsewhere = [Fault::ChainOrder, Fault::PinMismatch, Fault::OldVersion];
        let faults = Fault::ALL.iter().enumerate();
        let mask = faults.fold(0, |mask, (bit, fault)| {
            mask | u32::from(!elsewhere.contains(fault)) << bit
        });
        Self(self.0 & mask)
    }

    fn can_coexist(self) -> bool {
        let issuer = ISSUER.iter().filter(|fault| self.has(**fault)).count();
        let without_store = [
            Fault::SelfSigned,
            Fault::UnknownIssuer,
            Fault::MissingIntermediate,
        ];
        let pinned = self.has(Fault::PinMismatch);
        // Only a path of several certificates can have one that is not yet valid and one that has
        // expired. With a pin only the first certificate counts.
        let both = self.has(Fault::Expired) && self.has(Fault::NotYetValid);
        issuer <= 1
            && !(pinned && without_store.iter().any(|fault| self.has(*fault)))
            && !(both && (pinned || self.has(Fault::SelfSigned)))
    }
}

/// The issuers and keys, which are made once.
struct World {
    /// By whether it is valid yet, whether it signs with SHA-1, and where its own issuer is.
    intermediates: HashMap<(bool, bool, Place), Made>,
    unrelated: Made,
    key: Key,
    short: Key,
    short_sha1: Key,
    sha1: Key,
    leaves: HashMap<FaultSet, CertificateDer<'static>>,
    store: Roots,
}

/// Where the issuer of the intermediate certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Trusted,
    Unknown,
    Missing,
}

impl World {
    fn new() -> Self {
        let root = Made::root(ca("Root"));
        let other = Made::root(ca("Other root"));
        let mut intermediates = HashMap::new();
        for is_current in [true, false] {
            for sha1 in [true, false] {
                for place in [Place::Trusted, Place::Unknown, Place::Missing] {
                    let mut params = ca(&format!("Intermediate {is_current} {sha1} {place:?}"));
                    if !is_current {
                        params.not_before = date_time_ymd(2026, 12, 1);
                    }
                    if place == Place::Missing {
                        params.custom_extensions.push(issuer_url());
                    }
                    let issuer = if place == Place::Trusted {
                        &root
                    } else {
                        &other
                    };
                    let key = if sha1 {
                        Key::rsa(2048, "sha1")
                    } else {
                        Key::new()
                    };
                    intermediates.insert((is_current, sha1, place), issuer.issue_with(params, key));
                }
            }
        }
        Self {
            store: root.store(),
            intermediates,
            unrelated: Made::root(ca("Unrelated")),
            key: Key::new(),
            short: Key::rsa(1024, "sha256"),
            short_sha1: Key::rsa(1024, "sha1"),
            sha1: Key::rsa(2048, "sha1"),
            leaves: HashMap::new(),
        }
    }

    fn intermediate(&self, set: FaultSet) -> &Made {
        let both = set.has(Fault::Expired) && set.has(Fault::NotYetValid);
        let place = if set.has(Fault::UnknownIssuer) {
            Place::Unknown
        } else if set.has(Fault::MissingIntermediate) {
            Place::Missing
        } else {
            Place::Trusted
        };
        &self.intermediates[&(!both, set.has(Fault::WeakSignature), place)]
    }

    fn leaf(&mut self, set: FaultSet) -> CertificateDer<'static> {
        let set = set.of_leaf();
        if let Some(der) = self.leaves.get(&set) {
            return der.clone();
        }
        let params = leaf_params(set);
        let (is_short, is_sha1) = (set.has(Fault::WeakKey), set.has(Fault::WeakSignature));
        let der = if set.has(Fault::SelfSigned) {
            let key = match (is_short, is_sha1) {
                (true, true) => &self.short_sha1,
                (true, false) => &self.short,
                (false, true) => &self.sha1,
                (false, false) => &self.key,
            };
            self_signed(&params, key)
        } else {
            let key = if is_short { &self.short } else { &self.key };
            self.intermediate(set).sign(&params, key)
        };
        let mut der = der.to_vec();
        if set.has(Fault::BadSignature) {
            *der.last_mut().unwrap() ^= 1;
        }
        let der = CertificateDer::from(der);
        self.leaves.insert(set, der.clone());
        der
    }

    /// What the server of this set presents.
    fn case(&mut self, set: FaultSet) -> VerifyCase<'_> {
        let leaf = self.leaf(set);
        let both = set.has(Fault::Expired) && set.has(Fault::NotYetValid);
        let mut chain = vec![leaf];
        let is_alone = set.has(Fault::SelfSigned) || (set.has(Fault::MissingIntermediate) && !both);
        if !is_alone {
            chain.push(self.intermediate(set).der.clone());
        }
        if set.has(Fault::ChainOrder) {
            chain.push(self.unrelated.der.clone());
        }
        let mut case = VerifyCase::new(&[], &self.store);
        case.chain = chain;
        if set.has(Fault::PinMismatch) {
            case.pins = vec![[1; 32], [2; 32]];
            case.roots = None;
        }
        if set.has(Fault::OldVersion) {
            case.version = TlsVersion::Tls10;
        }
        case
    }
}

fn leaf_params(set: FaultSet) -> CertificateParams {
    let is_other = set.has(Fault::NameMismatch);
    let mut params = server(&[if is_other {
        "other.example"
    } else {
        "a.example"
    }]);
    if set.has(Fault::Expired) {
        params.not_after = date_time_ymd(2026, 6, 1);
    } else if set.has(Fault::NotYetValid) {
        params.not_before = date_time_ymd(2026, 7, 1);
    }
    if set.has(Fault::WrongUsage) {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }
    if set.has(Fault::Malformed) {
        let mut unknown = extension(&[1, 2, 3, 4], &[5, 0]);
        unknown.set_criticality(true);
        params.custom_extensions.push(unknown);
    }
    if set.has(Fault::MustStaple) {
        params.custom_extensions.push(must_staple());
    }
    if set.has(Fault::MissingIntermediate) {
        params.custom_extensions.push(issuer_url());
    }
    params
}

/// Prints a row for each number of faults, with `--nocapture` the table of the combinations.
#[test]
fn every_combination_of_up_to_five_faults_is_reported_as_it_was_made() {
    let mut world = World::new();
    let mut made = [0_u32; MOST as usize + 1];
    let mut right = [0_u32; MOST as usize + 1];
    let mut wrong = Vec::new();
    for set in (0..1 << Fault::ALL.len()).map(FaultSet) {
        let number = set.0.count_ones() as usize;
        if set.0.count_ones() > MOST || !set.can_coexist() {
            continue;
        }
        let expected = set.faults();
        let case = world.case(set);
        let found = case.verify();
        made[number] += 1;
        if found.faults == expected {
            right[number] += 1;
        } else {
            wrong.push(format!("made {expected:?}, reported {:?}", found.faults));
        }
        let refuses = expected.iter().any(|fault| fault.refuses());
        assert_eq!(found.is_verified(), !refuses, "{expected:?}");
        assert_eq!(
            found.error.is_empty(),
            !refuses,
            "{expected:?}: {}",
            found.error
        );
        assert_eq!(found.sentences.len(), found.faults.len());
        for sentence in &found.sentences {
            assert!(
                sentence.contains(": ") && sentence.len() < 400,
                "{sentence}"
            );
        }
        let worst = found.faults.iter().position(|fault| fault.refuses());
        let sentence = worst.map_or("", |index| &found.sentences[index]);
        assert_eq!(found.error, sentence);
        check_legacy(case, &expected);
        check_pins(world.case(set), &expected);
    }
    println!("faults  combinations  reported right");
    for (number, (made, right)) in made.iter().zip(right).enumerate() {
        println!("{number:>6}  {made:>12}  {right:>14}");
    }
    let total: u32 = made.iter().sum();
    println!("   all  {total:>12}  {:>14}", right.iter().sum::<u32>());
    assert!(total > 2000, "{total}");
    assert!(
        wrong.is_empty(),
        "{} wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
}

/// With `--tls-legacy` the faults are the same, and weakness alone is accepted.
fn check_legacy(mut case: VerifyCase<'_>, expected: &[Fault]) {
    case.legacy = true;
    let found = case.verify();
    assert_eq!(found.faults, expected);
    let decides =
        |fault: &Fault| fault.refuses() && !matches!(fault, Fault::WeakKey | Fault::WeakSignature);
    let options = TlsOptions {
        legacy: true,
        ..TlsOptions::default()
    };
    assert_eq!(
        accepts(&found, &options),
        !expected.iter().any(decides),
        "{expected:?}"
    );
    assert_eq!(accepts(&found, &TlsOptions::default()), found.is_verified());
    if let Some(worst) = found.faults.iter().position(decides) {
        assert_eq!(found.error, found.sentences[worst]);
    }
}

/// With the pin of its key, a certificate has all faults but those of the issuer's trust.
fn check_pins(mut case: VerifyCase<'_>, expected: &[Fault]) {
    let both = [Fault::Expired, Fault::NotYetValid];
    if both.iter().all(|fault| expected.contains(fault)) {
        return;
    }
    case.pins = vec![[0; 32], certificate::read(&case.chain[0]).spki_sha256];
    case.roots = None;
    let trust = [
        Fault::SelfSigned,
        Fault::UnknownIssuer,
        Fault::MissingIntermediate,
        Fault::PinMismatch,
    ];
    let mut expected = expected.to_vec();
    expected.retain(|fault| !trust.contains(fault));
    assert_eq!(case.verify().faults, expected);
}
